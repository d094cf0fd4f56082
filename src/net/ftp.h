/*
 * ftp: FTP with TLS by libcurl, one command or transfer at a time in each
 * thread, passive, binary.
 *
 * A client keeps its connections.  TLS is required, on the connection for data
 * too, unless `plain`; certificates are always verified.
 *
 * Threads: ftp_do from any; new and free by one, when nothing is under way.
 */
#ifndef HF_NET_FTP_H
#define HF_NET_FTP_H

#include "base/buf.h"
#include "base/ctx.h"

struct ftp_params {
	const char *host;             /* "host:port" */
	const char *user, *password;  /* copied into secret memory; NULL: anonymous */
	bool implicit;                /* TLS from the first byte on: ftps: */
	bool plain;                   /* TLS only if the server offers it */
	const char *ca_file;          /* PEM; NULL: the system's */
	int64_t connect_ns, stall_ns; /* 0: 15 s, 60 s */
	int64_t deadline_ns;          /* for a whole command, as in http.h; 0: 5 min */
};

struct ftp;

/* ctx is borrowed until free; its cancel ends what is under way. */
struct ftp *ftp_new(const struct ftp_params *p, struct ctx *ctx, struct err *e);
void ftp_free(struct ftp *f); /* NULL does nothing */

enum ftp_op {
	FTP_COMMANDS, /* as they are */
	FTP_LOOK,     /* size and time of a file */
	FTP_GET,      /* into_n bytes from off; fewer where the file ends */
	FTP_PUT,      /* body; with `resume` what is missing of it */
	FTP_LIST,     /* what `commands[0]` (MLSD, LIST) says of a folder */
};

struct ftp_call {
	enum ftp_op op;
	const char *path;        /* from where a login begins, without '/' in front */
	const char *commands[3]; /* until NULL; one that begins with '*' may fail */
	struct span body;
	bool resume;
	uint64_t off;
	uint8_t *into;
	size_t into_n;
	struct buf *listing;

	int64_t size, mtime_s; /* answers of FTP_LOOK */
	size_t got;
	long code;       /* the server's last, 0 if there was none */
	char reply[128]; /* its line, of FTP_LIST */
};

/*
 * ERR_ABSENT also for a file that may not be seen, for servers do not tell the
 * two apart; of FTP_COMMANDS a refusal is ERR_FAILED, with its code.
 */
int ftp_do(struct ftp *f, struct ftp_call *c, struct err *e);

#endif
