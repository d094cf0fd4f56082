/*
 * sftp: the SSH file transfer protocol, version 3 (draft-ietf-secsh-filexfer-02)
 * with OpenSSH's extensions, spoken to a program: usually `ssh -s HOST sftp`.
 *
 * Requests of all threads share the connection and do not wait for each other:
 * sftp_send many, then sftp_wait for each.  A connection that failed stays so:
 * open another.
 *
 * Not here: SSH.  Keys, agents, known hosts, jump hosts and what else a person
 * has set up for ssh are ssh's, and work as they do by hand.
 *
 * Threads: any; open and close by one, when no request is under way.
 */
#ifndef HF_NET_SFTP_H
#define HF_NET_SFTP_H

#include "base/buf.h"
#include "base/ctx.h"

enum sftp_type { /* of requests */
	SFTP_OPEN = 3,
	SFTP_CLOSE = 4,
	SFTP_READ = 5,
	SFTP_WRITE = 6,
	SFTP_FSTAT = 8,
	SFTP_OPENDIR = 11,
	SFTP_READDIR = 12,
	SFTP_REMOVE = 13,
	SFTP_MKDIR = 14,
	SFTP_STAT = 17,
	SFTP_RENAME = 18,
	SFTP_EXTENDED = 200,
};

enum sftp_status {
	SFTP_OK,
	SFTP_EOF,
	SFTP_NO_SUCH_FILE,
	SFTP_PERMISSION_DENIED,
	SFTP_FAILURE, /* which says nothing else */
	SFTP_BAD_MESSAGE,
	SFTP_OP_UNSUPPORTED = 8,
};

enum sftp_extension { /* that the server has */
	SFTP_HAS_POSIX_RENAME = 1 << 0,
	SFTP_HAS_HARDLINK = 1 << 1,
	SFTP_HAS_FSYNC = 1 << 2,
	SFTP_HAS_STATVFS = 1 << 3,
};

enum { SFTP_PIECE = 32 << 10 }; /* of reads and writes: what every server takes */

struct sftp;

/*
 * Start argv and greet.  argv is borrowed for the call, ctx until close.  The
 * kinds of failure: ERR_DENIED (host key, login), ERR_UNREACHABLE, ERR_TIMEOUT,
 * ERR_UNSUPPORTED (no ssh, or no sftp there), ERR_CANCELLED; with hints.
 */
struct sftp *sftp_open(char *const argv[], int64_t stall_ns, struct ctx *ctx, struct err *e);
void sftp_close(struct sftp *s); /* NULL does nothing */
bool sftp_alive(struct sftp *s);
unsigned sftp_extensions(const struct sftp *s); /* bits of enum sftp_extension */

/* A request under way, and then its answer. */
struct sftp_wait {
	uint32_t id;
	bool done;
	uint8_t type;    /* of the answer */
	uint32_t status; /* if it is one; else SFTP_OK */
	struct buf body; /* else what follows the id; of DATA the bytes, if not `into` */
	uint8_t *into;   /* where bytes of DATA go, at most into_n */
	size_t into_n, got;
};

/* The text of a request: fields in the protocol's own encoding. */
void sftp_put_u32(struct buf *b, uint32_t v);
void sftp_put_u64(struct buf *b, uint64_t v);
void sftp_put_string(struct buf *b, struct span s);

/*
 * `bulk` is a string that follows the fields (of a write), or empty.  w NULL:
 * nobody waits for the answer.  What could not be sent is told by sftp_wait.
 */
void sftp_send(
    struct sftp *s, struct sftp_wait *w, enum sftp_type type, struct span fields, struct span bulk);
/* 0 once it was answered; -1 if it never will be: the connection's end, or ERR_CANCELLED. */
int sftp_wait(struct sftp *s, struct sftp_wait *w, struct err *e);
void sftp_wait_fini(struct sftp_wait *w); /* of an answer that was waited for */

/* Attributes as they stand in an answer; false if they are none. */
struct sftp_attrs {
	uint64_t size;
	int64_t mtime_s;
	uint32_t mode; /* 0: not told */
	bool whole;    /* all three were told */
};
struct cursor;
bool sftp_read_attrs(struct cursor *c, struct sftp_attrs *a);
uint32_t sftp_read_u32(struct cursor *c);
uint64_t sftp_read_u64(struct cursor *c);
struct span sftp_read_string(struct cursor *c);

#endif
