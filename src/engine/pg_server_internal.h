/*
 * pg_server_internal: what the files of pg_server share.
 *
 *   pg_server.c       start, wait, stop
 *   pg_server_args.c  its command line, folder and files
 *   pg_server_look.c  what postmaster.pid and its log say
 */
#ifndef HF_ENGINE_PG_SERVER_INTERNAL_H
#define HF_ENGINE_PG_SERVER_INTERNAL_H

#include <sys/types.h>

#include "engine/pg_binaries.h"
#include "engine/pg_server.h"

struct pg_server {
	char *data, *bin, *socket_dir, *log;
	char *superuser; /* NULL: not known */
	bool own_dir;    /* the socket's folder goes with us */
	bool lasting, namespaced;
	unsigned port;
	char port_text[12];
	int major, pid, status; /* status: once it has ended */
	bool ended;
	bool as_user;
	uid_t uid;
	gid_t gid;
	off_t log_from; /* what of the log is older */
};

struct pg_args {
	char **v;
	size_t n;
};

/* The folder of the socket, its files, and the whole command line (NULL at the end). */
int pg_server_folder(struct pg_server *s, const struct pg_server_params *p, struct err *e);
int pg_server_args(struct pg_server *s, const struct pg_server_params *p, struct ctx *ctx,
    struct pg_args *out, struct err *e);
void pg_args_fini(struct pg_args *a);

#endif
