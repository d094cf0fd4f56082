/*
 * store_sftp, inside: what its files share.  sftp_place.c reads the URL,
 * store_sftp.c keeps connections and reads objects, store_sftp_put.c gives
 * them their names, store_sftp_list.c walks the folders.
 */
#ifndef HF_STORE_STORE_SFTP_H
#define HF_STORE_STORE_SFTP_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/sftp.h"
#include "store/store_backoff.h"
#include "store/store_drivers.h"
#include "store/store_folders.h"

enum { SFTP_LINES = 3, SFTP_ARGS = 24 };

struct sftp_place {
	char *host, *user, *port; /* user and port may be NULL */
	char *path;               /* relative to the home folder, if without '/' in front */
};

/* From what follows "sftp:": [USER@]HOST:PATH or //[USER@]HOST[:PORT]/PATH.  ERR_USAGE. */
int sftp_place_parse(struct sftp_place *p, const char *rest, struct err *e);
void sftp_place_fini(struct sftp_place *p);

/*
 * How to get there: ssh, or a command of the user's own for a shell, to which
 * ssh's options and the host are added.  Borrows.
 */
struct sftp_argv {
	char *v[SFTP_ARGS];
	char connect[40];
};
void sftp_place_argv(
    const struct sftp_place *p, const char *command, int64_t connect_ns, struct sftp_argv *out);

/* How an object gets its name; the better ones first. */
enum sftp_way {
	SFTP_LINKED,  /* written in tmp/, then linked */
	SFTP_RENAMED, /* ...then renamed, between two looks */
	SFTP_DIRECT,  /* written under its name: others may see it torn */
};

struct sftp_line {
	struct sftp *conn;
	unsigned users;
};

struct store_sftp {
	struct store base;
	struct sftp_place place;
	struct ctx *ctx;
	const char *command; /* NULL: ssh */
	struct sftp_params params;
	struct store_pace pace; /* of folders of a list */
	_Atomic int way;        /* enum sftp_way that works here */

	pthread_mutex_t lock; /* guards what follows; held while a connection is made */
	struct sftp_line line[SFTP_LINES];

	struct store_folders folders; /* known to be there */
};

/* A connection, the least used or a new one; give it back. */
struct sftp_line *sftp_line_get(struct store_sftp *s, struct err *e);
void sftp_line_give(struct store_sftp *s, struct sftp_line *l);

/* ROOT/KEY into b, as C text. */
const char *sftp_path(const struct store_sftp *s, const char *key, struct buf *b);

/* Send a request whose fields are one path and, if not empty, what follows it. */
void sftp_send_path(
    struct sftp *c, struct sftp_wait *w, enum sftp_type type, const char *path, struct span more);
/* The same, and wait: the status, or -1. */
int sftp_ask_path(
    struct sftp *c, enum sftp_type type, const char *path, struct span more, struct err *e);
int sftp_wait_status(struct sftp *c, struct sftp_wait *w, struct err *e);

/* Open a file; 0 and a handle, a status, or -1. */
enum { SFTP_FOR_READ = 1, SFTP_FOR_NEW = 0x2a };
void sftp_send_open(struct sftp *c, struct sftp_wait *w, const char *path, unsigned how);
int sftp_wait_handle(struct sftp *c, struct sftp_wait *w, struct buf *handle, struct err *e);
void sftp_send_close(struct sftp *c, struct sftp_wait *w, const struct buf *handle);

/* What is at a path: SFTP_OK, another status, or -1. */
int sftp_look(struct sftp *c, const char *path, struct sftp_attrs *a, struct err *e);

/* Set e from a status that is not SFTP_OK; -1. */
int sftp_refused(int status, struct err *e, const char *what);

/* A folder with those above it; 0 if it is there. */
int sftp_folder_make(struct store_sftp *s, struct sftp *c, const char *path, struct err *e);

int sftp_put(struct store *st, const char *key, struct span data, unsigned flags, struct err *e);
int sftp_list(struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e);

#endif
