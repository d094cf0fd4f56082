/*
 * api: the daemon over HTTP: what was done, is done and will be, for people and programs.
 *
 * It listens on a Unix socket, and on TCP where that is declared.  What is recorded it reads
 * from the catalog by itself; whatever is to be done, and what only the daemon knows, it asks of
 * its host.  Routes are rows of one table (route.h); the OpenAPI document at
 * /api/v1/openapi.json is made from it.
 *
 * Who asks:  over the socket the peer's user: root and the daemon's own are `admin`, others whom
 * the socket's mode lets in have `socket_scope`.  Over TCP a bearer token (token.h) of a scope.
 * /health alone needs neither on the socket and on loopback.
 *
 * Threads: api_start and api_stop by one; api_publish and api_wake from any.  The host's
 * functions are called from several threads of the API at the same time, and must not call
 * api_stop.
 */
#ifndef HF_API_API_H
#define HF_API_API_H

#include <jansson.h>
#include <stdint.h>

#include "base/ctx.h"
#include "base/err.h"

struct api;

/* What a system is declared as; texts are borrowed for the call, 0 and NULL: not said. */
/* The receiver of a system's log, as it was a moment ago. */
struct api_receiver {
	const char *state;             /* "streaming", ... */
	const char *why;               /* what is wrong; NULL: nothing */
	const char *received, *stored; /* positions */
	int64_t lag_ns; /* how long its oldest byte waits; or since when nothing comes */
	uint64_t lag_bytes, slot_bytes, spool_bytes, gaps;
	int64_t point_ns, gap_ns;   /* as newest.h: until when all is received; the last gap */
	bool promised, synchronous; /* that commits wait; they do */
	bool spool_acks;
};

struct api_system {
	const char *name, *tier, *node;
	int64_t rpo_ns;                      /* the age that its last success may have */
	int64_t verify_ns;                   /* the same of its last verification */
	int64_t next_ns;                     /* its next run is due then (wall clock) */
	const struct api_receiver *receiver; /* NULL: there is none */
};
typedef int api_system_row(void *to, const struct api_system *s, struct err *e);

/* A declared repository. */
struct api_repository {
	const char *name, *role, *location, *media; /* NULL: not said */
};
typedef int api_repository_row(void *to, const struct api_repository *r, struct err *e);

struct api_run {
	const char *system, *kind; /* kind: "backup" where none was asked for */
	const char *type;          /* of a backup; NULL: as scheduled */
	const char *by;            /* "user root", "token ci": for the record */
};

/* Which of the coming runs. */
struct api_schedule {
	const char *systems;       /* names, separated by ','; NULL: of all */
	int64_t from_ns, until_ns; /* due then or later, and before; 0: now, any */
	unsigned limit;
};

struct api_health {
	bool ready;    /* it does what is declared */
	char why[256]; /* not, or what limits it */
	unsigned config_errors;
};

/*
 * The daemon.  A function that is NULL is answered by 501.  Each returns 0, or -1 with an error
 * whose kind says the status (err_info); ERR_ABSENT: there is no such system or run.
 */
struct api_host {
	void *arg;
	/* All declared systems, by name. */
	int (*systems)(void *arg, api_system_row *each, void *to, struct err *e);
	/* All declared repositories, in their order. */
	int (*repositories)(void *arg, api_repository_row *each, void *to, struct err *e);
	/* A run that is due now; its id.  One that waits already is that one: not `added`. */
	int (*run)(void *arg, const struct api_run *r, int64_t *id, bool *added, struct err *e);
	/* Stop a running one (*stopping), drop a queued one.  ERR_EXISTS: it is over. */
	int (*cancel)(void *arg, int64_t id, const char *by, bool *stopping, struct err *e);
	int (*reload)(void *arg, const char *by, struct err *e);
	int (*health)(void *arg, struct api_health *out, struct err *e);
	/* A new array of the next runs, soonest first: shape_coming (api_shape.h). */
	int (*schedule)(void *arg, const struct api_schedule *q, json_t **out, struct err *e);
	/* A new object that says why a system did not run, or when it will. */
	int (*why)(void *arg, const char *system, json_t **out, struct err *e);
	/* What operators ought to read; one line. */
	void (*log)(void *arg, enum event_level level, const char *text);
};

enum api_scope { /* of a token; "viewer", ... */
	API_VIEWER = 1,
	API_OPERATOR, /* may run and cancel too */
	API_APPROVER, /* may see and approve */
	API_AUDITOR,  /* may see, and read the audit trail */
	API_ADMIN,    /* everything */
	API_SCOPES
};
const char *api_scope_name(enum api_scope s);
enum api_scope api_scope_of(const char *name); /* 0: none */

struct api_params {
	const char *catalog;      /* as catalog_open takes it */
	const char *state_dir;    /* tokens.json is in it */
	const char *log_dir;      /* logs of runs are below it: nothing else is shown; NULL: none */
	const char *socket;       /* its path, replaced if nobody listens there; NULL: none */
	const char *socket_group; /* by name; NULL: only root and this user come in */
	enum api_scope socket_scope; /* of that group; 0: viewer */
	const char *listen;          /* "127.0.0.1:8420", "[::1]:8420"; NULL: no TCP; port 0: any */
	const char *tls_cert;        /* path of a PEM file */
	const char *tls_key;         /* its key, by reference (secret_ref.h) */
	unsigned rate_limit;         /* requests a second of one peer or token; 0: 50 */
	unsigned threads;            /* of each listener; 0: 4 */
	int64_t request_ns;          /* a request has to be there by then; 0: 30 s */
	int64_t answer_ns;           /* and its answer taken; 0: 2 min */
	struct clock *clock;         /* NULL: the real one */
};

/*
 * Everything is borrowed until api_stop but for the struct of params itself.  ERR_USAGE: it may
 * not listen there (beyond loopback it needs TLS and a token); ERR_BUSY: somebody does already;
 * ERR_UNSUPPORTED: libmicrohttpd is not installed.
 */
int api_start(
    const struct api_params *p, const struct api_host *host, struct api **out, struct err *e);
/* Answers that are under way are given a second.  NULL does nothing. */
void api_stop(struct api *a);

/* The port it listens on; 0: no TCP. */
unsigned api_port(const struct api *a);

/* The catalog has new events: who listens to /api/v1/events is told at once. */
void api_wake(struct api *a);

/*
 * To all who listen now, kept nowhere: progress.  `event` is its name ("run.progress"), `data`
 * one JSON object; it is taken.
 */
void api_publish(struct api *a, const char *event, json_t *data);

#endif
