/*
 * recover_finish: what comes after an instant recovery: its server is up, and the rest of the data
 * is on its way.
 *
 *   serve    bring the rest; once it is here, wait until nobody uses the mount (the server is
 *            stopped or restarted), and put the plain files in its place
 *   again    who served it was killed: show it again, with every write, and start its server
 *   finish   the same end at once: wait for the rest, stop the server, plain files, start
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_RECOVER_FINISH_H
#define HF_ENGINE_RECOVER_FINISH_H

#include "engine/instant.h"
#include "engine/op_recover.h"

/*
 * Closes it.  ERR_CANCELLED: asked to end before all was here; once nobody used it, it was left.
 * ERR_IO: so it was where all is here, and a file could not be synced.
 */
int recover_serve(struct instant *in, struct ctx *ctx, struct err *e);

struct recover_finish_params {
	const char *target;                       /* absolute */
	const char *stop_command, *start_command; /* NULL: by pg_server.h */
	struct pg_server_params server;
	bool in_place; /* as op_recover.h has it */
	void (*step)(void *arg, const struct recover_step *s);
	void *arg;
};

/* ERR_ABSENT: nothing of it is to be gone on with.  *out NULL: plain files are in its place. */
int recover_again(struct repo *r, const struct recover_finish_params *p, struct ctx *ctx,
    struct instant **out, struct err *e);

/*
 * ERR_ABSENT: there is none.  The server is started only where one ran, be it until who served it
 * was killed; one that was stopped stays so.
 */
int recover_finish(
    struct repo *r, const struct recover_finish_params *p, struct ctx *ctx, struct err *e);

#endif
