/*
 * err: what went wrong, of which kind, and what to do next.
 *
 * Functions that can fail return 0 or -1 (or a pointer or NULL) and take a
 * struct err * last, which may not be NULL.  Who knows *why* sets it; who
 * knows *what was being done to what* wraps it on the way up, so that the
 * message reads outermost first:
 *
 *     fs:/srv/b: put packs/ab12: fsync: No space left on device
 *
 * Kinds are never merged: each has its exit status and that of HTTP in one table (err_info).
 *
 * Threads: a struct err belongs to one thread at a time.
 */
#ifndef HF_BASE_ERR_H
#define HF_BASE_ERR_H

#include <stdbool.h>

enum err_kind {
	ERR_NONE,
	ERR_FAILED,           /* none of the others */
	ERR_USAGE,            /* the caller's words or configuration */
	ERR_ABSENT,           /* the thing asked for isn't there */
	ERR_EXISTS,           /* something is there already */
	ERR_CORRUPT,          /* stored bytes are damaged or hostile */
	ERR_FOREIGN,          /* whole, but of a signer or keys that config does not know */
	ERR_LATER,            /* whole and rightly signed, but not as this program knows it */
	ERR_BUSY,             /* somebody else is at it */
	ERR_UNREACHABLE,      /* no answer from the other side */
	ERR_DENIED,           /* refused by the system or the store */
	ERR_WRONG_KEY,        /* password, key file or role does not fit */
	ERR_NO_REPOSITORY,    /* the store answered and holds none */
	ERR_NO_SPACE,         /* disk or quota full */
	ERR_TIMEOUT,          /* a deadline passed */
	ERR_CANCELLED,        /* interrupted by the user */
	ERR_UNSUPPORTED,      /* needs something this program lacks */
	ERR_INCOMPLETE,       /* done, with problems (exit 3) */
	ERR_DAMAGE_FOUND,     /* check found damage (exit 20) */
	ERR_DRILL_FAILED,     /* a rehearsed recovery did not succeed (exit 21) */
	ERR_OBJECTIVE_MISSED, /* a rule is not kept (exit 40) */
	ERR_IO,               /* the device failed */
	ERR_COLD,             /* stored where it must be thawed before it can be read */
	ERR_BUG,              /* we are wrong */
	ERR_KINDS
};

struct err_info {
	enum err_kind kind;
	const char *name; /* in JSON: "no_repository" */
	int exit_status;
	bool retry; /* trying again may help */
	int http;   /* status of an answer */
	const char *meaning;
};

enum { ERR_MSG_MAX = 1024, ERR_HINT_MAX = 384, ERR_WRAPS_MAX = 12 };

struct err {
	enum err_kind kind;
	int sys;                     /* errno where there was one, else 0 */
	char msg[ERR_MSG_MAX];       /* whole message, context first */
	char hint[ERR_HINT_MAX];     /* "" or what to do next */
	int wraps;                   /* number of contexts in msg... */
	int wrap_len[ERR_WRAPS_MAX]; /* ...their lengths, outermost first */
};

/* The row of a kind; never NULL. */
const struct err_info *err_info(enum err_kind kind);
/* The kind that is called so, as JSON has it; ERR_FAILED for any other text, and NULL. */
enum err_kind err_kind_of(const char *name);

/* Set e anew; always return -1, so that "return err_set(...)" reads well. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same from errno: "FMT: strerror", kind chosen by errno. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "FMT: " in front; keeps kind, errno and hint.  Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Add or replace the hint.  Returns -1. */
int err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forget it: kind ERR_NONE, empty texts. */
void err_clear(struct err *e);

/* The kind that an errno means. */
enum err_kind err_kind_of_errno(int no);

#endif
