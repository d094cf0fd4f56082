/* sftp_explain: what ssh's last words mean.  Threads: any. */
#ifndef HF_NET_SFTP_EXPLAIN_H
#define HF_NET_SFTP_EXPLAIN_H

#include "base/err.h"

/* From all that it said on standard error; -1. */
int sftp_explain(const char *said, struct err *e);

#endif
