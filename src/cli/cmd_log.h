/* cmd_log: the words of `log`.  Each in its own file; cmd_log.c chooses. */
#ifndef HF_CLI_CMD_LOG_H
#define HF_CLI_CMD_LOG_H

#include "cli/cli_out.h"

int cmd_log_push(struct cli *c, struct err *e);   /* cmd_log.c */
int cmd_log_get(struct cli *c, struct err *e);    /* cmd_log_get.c */
int cmd_log_list(struct cli *c, struct err *e);   /* cmd_log_list.c */
int cmd_log_verify(struct cli *c, struct err *e); /* cmd_log_list.c */

int cmd_log_follow(struct cli *c, struct err *e); /* cmd_log_follow.c */

/* What `log get` exits with: 1 only for what is proven absent, CLI_STOP for all else. */
enum { CLI_STOP = 126 };
bool cmd_log_gets(int argc, char *const *argv);
int cmd_log_status(const struct cli *c, int status);

/* Where the daemon takes files of logs, places to try in turn: new text; NULL after the last. */
char *cmd_log_socket(unsigned i);

#endif
