/*
 * store_web: what stores over HTTP share besides net/http: what an answer's
 * status means, and the sizes, times and ranges in its headers.
 *
 * Threads: any.
 */
#ifndef HF_STORE_STORE_WEB_H
#define HF_STORE_STORE_WEB_H

#include "net/http.h"
#include "store/store.h"
#include "store/store_backoff.h"

struct store_far;

/* A client with what the user said of far stores; NULL and e. */
struct http *web_http_new(const struct store_far *far, struct ctx *ctx, struct err *e);

/* The pace at which to try again, with what the user said of it. */
struct store_pace web_pace(const struct store_far *far);

struct web_meaning { /* of a code that a store gives besides the status */
	const char *code;
	enum err_kind kind;
	const char *hint; /* may be NULL */
};

bool web_good(const struct http_answer *a); /* 2xx */

/*
 * Set e from an answer that is not good: by its code if the table has it, else
 * by its status.  Texts come from outside and are cleaned; -1.
 */
int web_refused(const struct http_answer *a, const char *code, const char *message,
    const struct web_meaning *table, size_t n, struct err *e);

/*
 * Stores refuse who is minutes away from their time, and say so or not: if the answer's Date is
 * that far from our clock the hint is that.
 */
void web_clock_hint(const struct http_answer *a, struct err *e);

/* How a store calls the rights to do what; texts for people. */
struct web_rights {
	const char *get, *list;
};
/*
 * After `key` was put for a try: may it be read and listed?  With NULL that is not asked.  It is
 * deleted either way; who may not do that is told, no more, for only prune needs it.
 */
int web_try_rights(struct store *s, const char *key, const struct web_rights *rights,
    struct ctx *ctx, struct err *e);

/* Content-Length and Last-Modified; ERR_CORRUPT if they are none. */
int web_stat(const struct http_answer *a, struct store_stat *out, struct err *e);

/* Is this the answer to "range: bytes=OFF-..." of len bytes?  ERR_CORRUPT. */
int web_range_came(const struct http_answer *a, size_t len, struct err *e);

/* No store can be asked for that: no bytes, or beyond all ends. */
bool web_range_odd(uint64_t off, size_t len);
/* Then the size alone answers. */
int web_get_odd(struct store *s, const char *key, uint64_t off, size_t len, struct err *e);

/*
 * Is what is there now what we put?  For stores that look and then put, or
 * rename: of two of one name at one moment the later one's stays.  ERR_EXISTS
 * if it is another's.  What is larger than a MiB is named by its hash, and its
 * size will do.
 */
int web_still_ours(struct store *s, const char *key, struct span data, struct err *e);

/* "a//b/" -> "a/b/", "" stays; NULL with ERR_USAGE if it is too long. */
char *web_prefix(const char *s, struct err *e);

/* Is it only made of what hosts and ports are made of? */
bool web_host_good(const char *s, size_t n);

/* The value of an environment variable, NULL if it is empty. */
const char *web_env(const char *name);

/*
 * //[USER@]HOST[:PORT]/PATH taken apart: new texts (user NULL if there is
 * none), and the path with its '/' or "".  Returns what is wrong, or NULL.
 */
const char *web_split(const char *rest, char **user, char **host, const char **path);

/* The first line of the file, else of the variable, in secret memory; NULL if there is neither. */
int web_password(const char *variable, const char *file, char **out, struct err *e);

#endif
