/*
 * ftp_list: what a server says of a folder: MLSD (RFC 3659), whose lines are
 * facts, or LIST, like `ls -l` or like DIR of DOS.
 *
 * A line that is not understood is an error: passed over, it could be all that
 * a repository has.
 *
 * Threads: any.
 */
#ifndef HF_STORE_FTP_LIST_H
#define HF_STORE_FTP_LIST_H

#include "base/err.h"
#include "base/span.h"

enum ftp_format { FTP_MLSD, FTP_LS };

enum ftp_kind {
	FTP_FILE,
	FTP_FOLDER,
	FTP_OTHER, /* a link, a device, or the folder itself and the one above */
};

struct ftp_entry {
	const char *name;
	enum ftp_kind kind;
	bool whole; /* a file whose size and time were told */
	uint64_t size;
	int64_t mtime_s;
};

typedef int ftp_visit(void *arg, const struct ftp_entry *entry, struct err *e);

/* ERR_UNSUPPORTED for a line that is none of these. */
int ftp_list_read(
    struct span text, enum ftp_format format, ftp_visit *visit, void *arg, struct err *e);

#endif
