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

#include "base/ctx.h"
#include "net/sftp_packet.h"

enum sftp_extension { /* that the server has */
	SFTP_HAS_POSIX_RENAME = 1 << 0,
	SFTP_HAS_HARDLINK = 1 << 1,
	SFTP_HAS_FSYNC = 1 << 2,
	SFTP_HAS_STATVFS = 1 << 3,
};

enum {
	SFTP_PIECE = 32 << 10, /* of reads and writes: what every server takes */
	SFTP_SLOWEST = 4096,   /* bytes a second that are worth waiting for */
};

struct sftp_params {
	int64_t connect_ns; /* to the greeting, and stall_ns on top of it; 0: 15 s */
	int64_t stall_ns;   /* so long without a word is ERR_TIMEOUT; 0: 60 s */
	/* For a request, on top of what is before it at SFTP_SLOWEST, whatever else is heard; 0: 5
	 * min. */
	int64_t deadline_ns;
};

struct sftp;

/*
 * Start argv and greet.  argv is borrowed for the call, ctx until close.  The
 * kinds of failure: ERR_DENIED (host key, login), ERR_UNREACHABLE, ERR_TIMEOUT,
 * ERR_UNSUPPORTED (no ssh, or no sftp there), ERR_CANCELLED; with hints.
 */
struct sftp *sftp_open(
    char *const argv[], const struct sftp_params *p, struct ctx *ctx, struct err *e);
void sftp_close(struct sftp *s); /* NULL does nothing */
bool sftp_alive(struct sftp *s);
unsigned sftp_extensions(const struct sftp *s); /* bits of enum sftp_extension */

/*
 * `bulk` is a string that follows the fields (of a write), or empty.  w NULL:
 * nobody waits for the answer.  What could not be sent is told by sftp_wait.
 */
void sftp_send(
    struct sftp *s, struct sftp_wait *w, enum sftp_type type, struct span fields, struct span bulk);
/*
 * 0 once it was answered; -1 if it never will be: the connection's end,
 * ERR_TIMEOUT (which ends it for all others too), or ERR_CANCELLED.
 */
int sftp_wait(struct sftp *s, struct sftp_wait *w, struct err *e);
void sftp_wait_fini(struct sftp_wait *w); /* of an answer that was waited for */

#endif
