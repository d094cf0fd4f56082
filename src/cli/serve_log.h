/*
 * serve_log: the daemon takes files of logs (daemon/log_socket.h): its repositories stay open, so
 * that nobody derives a key for each file.
 *
 * Threads: start, stop and reload by the daemon's loop; the rest is its own.
 */
#ifndef HF_CLI_SERVE_LOG_H
#define HF_CLI_SERVE_LOG_H

#include "cli/cli.h"

struct daemon;
struct serve_log;

int serve_log_start(struct cli *c, struct daemon *d, struct serve_log **out, struct err *e);
void serve_log_stop(struct serve_log *s);   /* NULL does nothing */
void serve_log_reload(struct serve_log *s); /* what is declared is read anew; NULL does nothing */

#endif
