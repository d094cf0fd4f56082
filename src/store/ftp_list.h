/*
 * ftp_list: what a server says of a folder: MLSD (RFC 3659), whose lines are
 * facts, or LIST as most write it, like `ls -l`.
 *
 * Threads: any.
 */
#ifndef HF_STORE_FTP_LIST_H
#define HF_STORE_FTP_LIST_H

#include "base/err.h"
#include "base/span.h"
#include "net/ftp.h"

struct ftp_entry {
	const char *name;
	bool folder;
	uint64_t size;
	int64_t mtime_s; /* -1: not told */
};

typedef int ftp_visit(void *arg, const struct ftp_entry *entry, struct err *e);

/* Lines that are no file and no folder are passed over. */
int ftp_list_read(struct span text, bool mlsd, ftp_visit *visit, void *arg, struct err *e);

#endif
