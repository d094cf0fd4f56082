/*
 * ask: the running daemon, over its socket, or where none answers the catalog: what comes is the
 * same, and printed by the same code.
 *
 * The socket is api.sock in this user's runtime folder, and for who has no daemon and no
 * configuration of his own the machine's: whom server.socket_group lets in needs to read neither
 * the catalog nor the configuration.
 *
 * Threads: one.
 */
#ifndef HF_CLI_ASK_H
#define HF_CLI_ASK_H

#include <jansson.h>

#include "base/buf.h"
#include "cli/cli.h"

struct catalog;

struct ask {
	struct cli *c;
	char *socket;            /* of the daemon that answers; NULL: none does */
	char *silent;            /* of one that is there, and does not; NULL: none */
	struct catalog *catalog; /* open where none does, once ask_begin was asked */
};

/* Look for it.  That none answers is no error; ERR_DENIED: one does, but not to this user. */
int ask_find(struct cli *c, struct ask *a, struct err *e);
/*
 * Before a change of the catalog without it: ERR_TIMEOUT where there is a daemon that would not
 * know of it.
 */
int ask_is_alone(const struct ask *a, struct err *e);
/* The same; where none answers that is said, and configuration and catalog are there. */
int ask_begin(struct cli *c, struct ask *a, struct err *e);
void ask_end(struct ask *a);

/*
 * One request of the daemon, and its answer, new.  body may be NULL.  One that it puts off is
 * asked again, for a while.  ERR_UNREACHABLE: it is gone.
 */
int ask_request(const struct ask *a, const char *method, const char *path, const json_t *body,
    json_t **out, struct err *e);
/* "name=value" to a path that is being written: with '?' or '&' in front, and encoded. */
void ask_param(struct buf *path, const char *name, const char *value);

/* Runs, as shape_run has them; o is borrowed. */
typedef int ask_row(void *arg, json_t *o, struct err *e);
int ask_runs(const struct ask *a, const char *system, unsigned limit, ask_row *each, void *arg,
    struct err *e);
int ask_run(const struct ask *a, int64_t id, ask_row *each, void *arg, struct err *e);
/* The end of a run's log, at `path` as its record says; nothing where there is none. */
void ask_log(const struct ask *a, int64_t id, const char *path, struct buf *out);

#endif
