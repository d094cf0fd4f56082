/*
 * pg_server: start a PostgreSQL server on a data directory, and stop it.
 *
 * It runs as the owner of its data when we are root, else as us (PostgreSQL refuses root).  Two
 * kinds:
 *
 *   scratch   for a moment, for us alone: a configuration of its own (nothing of the files in or
 *             around the data directory but postgresql.auto.conf, over which ours goes), a private
 *             folder with its socket where everybody who gets in is let in, no TCP, no archiving,
 *             no logging collector.  It dies with the thread that started it.
 *   lasting   the real one, as `pg_ctl start` would: its own configuration, and it survives us.
 *
 * The server's log is a file; its last lines stand in the error when it does not come up.
 *
 * Threads: a server belongs to the thread that started it.
 */
#ifndef HF_ENGINE_PG_SERVER_H
#define HF_ENGINE_PG_SERVER_H

#include "base/buf.h"
#include "base/ctx.h"
#include "base/err.h"

struct os_spawn;
struct pg_target;
struct pg_server;

enum pg_server_phase {
	PG_SERVER_STARTING, /* recovery is not consistent yet, or it takes no connections
			     * (hot_standby off)
			     */
	PG_SERVER_STANDBY,  /* in recovery, takes connections that read (or, hot_standby off, none)
			     */
	PG_SERVER_READY,    /* takes connections, out of recovery */
	PG_SERVER_STOPPING,
	PG_SERVER_ENDED /* the process is no more */
};

struct pg_server_params {
	const char *data;
	const char *bin;        /* folder of its programs; NULL: found (pg_binaries.h) */
	const char *socket_dir; /* NULL: a new one in /tmp, removed with the server; of a lasting
				   one as its configuration says */
	const char *user;       /* NULL: owner of data; matters to root only */
	unsigned port;          /* 0: 5432; names the socket, and is TCP's where that is had */
	const char *const *settings; /* "name=value" each, over all other settings */
	size_t nsettings;
	bool lasting;
	bool reachable_by_tcp; /* scratch: on 127.0.0.1 as well, by the same trust */
	/* Starts its process, as os_spawn (which is NULL's) says. */
	int (*spawn)(void *arg, const struct os_spawn *s, int *pid, struct err *e);
	void *spawn_arg;
	int64_t timeout_ns; /* until it is up; 0: as long as it lives and nobody cancels */
	/*
	 * PG_SERVER_STANDBY: until the first connection may come; PG_SERVER_READY: until recovery
	 * has ended, too; PG_SERVER_ENDED: until it has shut itself down; PG_SERVER_STARTING
	 * (zero): do not wait.
	 */
	enum pg_server_phase wait;
	const char *log; /* file of its log (appended); NULL: server.log in the socket's folder */
};

/* As said above; -1: nothing of it runs. */
int pg_server_start(
    const struct pg_server_params *p, struct ctx *ctx, struct pg_server **out, struct err *e);

/* What it is at now, as it says itself in postmaster.pid. */
enum pg_server_phase pg_server_phase(struct pg_server *s);

/* Wait as `wait` says, for so long at most (0: no limit); ctx NULL: not to be cancelled. */
int pg_server_wait(struct pg_server *s, enum pg_server_phase wait, int64_t timeout_ns,
    struct ctx *ctx, struct err *e);

/*
 * Where to connect: texts live as long as the server, or until a superuser is named; the database
 * is "postgres", and so is the user until then.
 */
void pg_server_target(const struct pg_server *s, struct pg_target *out);
/* Not every cluster was made with `-U postgres`: who is told by the one that it holds. */
void pg_server_name_superuser(struct pg_server *s, const char *name);
/* NULL of a lasting one that has its own: pg_server_where. */
const char *pg_server_socket_dir(const struct pg_server *s);
const char *pg_server_bin(const struct pg_server *s); /* folder of its programs */
unsigned pg_server_port(const struct pg_server *s);
int pg_server_pid(const struct pg_server *s);
int pg_server_major(const struct pg_server *s);

/* The last lines that its log has got since it was started, appended. */
void pg_server_log_tail(const struct pg_server *s, size_t lines, struct buf *out);

/*
 * Stop it whatever happens: fast, after 30 s immediate, after 5 s more by SIGKILL; -1 if it took
 * more than the first (it is gone all the same).
 */
int pg_server_stop(struct pg_server *s, struct err *e);

/* Stopped if it is scratch and still runs (at once), left if it is lasting; NULL does nothing. */
void pg_server_free(struct pg_server *s);

/* Is a server running on this data directory?  *pid: which. */
bool pg_server_runs(const char *data, int *pid);
/* The same of one that others have started: PG_SERVER_ENDED where none runs. */
enum pg_server_phase pg_server_phase_at(const char *data);
/* Its first socket's folder and its port, as postmaster.pid has them; false: not known (yet). */
enum { PG_SERVER_SOCKET_MAX = 128 };
bool pg_server_where(const char *data, char dir[PG_SERVER_SOCKET_MAX], char port[16]);

#endif
