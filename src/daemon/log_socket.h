/*
 * log_socket: files of a log are handed over by it: who archives connects, passes a file that it
 * has opened, and waits until it is durable.
 *
 * One packet each way on a local socket (SOCK_SEQPACKET): {"v":1,"file":NAME,"system":NAME or
 * null} with the descriptor; then {"outcome":...} or {"error":{"kind","message","hint"}}.
 * Who connects the kernel says: the host decides whether he may at all, before anything is read,
 * and nobody holds more than a part of the places.
 *
 * Threads: the server has one that accepts, and one for each connection; the host's functions are
 * called from these.
 */
#ifndef HF_DAEMON_LOG_SOCKET_H
#define HF_DAEMON_LOG_SOCKET_H

#include <sys/types.h>

#include "base/ctx.h"
#include "base/err.h"

enum { LOG_OUTCOME_MAX = 32 };

struct log_socket_host {
	void *arg;
	bool (*may)(void *arg, uid_t who); /* anything at all */
	/* `fd` is a regular file of somebody's; `system` may be NULL.  outcome: a word for who
	 * asked.
	 */
	int (*push)(void *arg, uid_t who, const char *system, const char *name, int fd,
	    char outcome[LOG_OUTCOME_MAX], struct err *e);
};

struct log_server;
int log_server_start(
    const char *path, const struct log_socket_host *host, struct log_server **out, struct err *e);
/* What is being put is waited for. */
void log_server_stop(struct log_server *s); /* NULL does nothing */

/*
 * Hand a file over.  ERR_ABSENT: nobody listens there (then nothing was done).
 */
int log_socket_push(const char *path, const char *system, const char *name, int fd,
    char outcome[LOG_OUTCOME_MAX], struct err *e);

#endif
