/*
 * recover_internal: what the files of op_recover share.
 *
 *   op_recover.c        the order of the steps, and their record
 *   recover_prepare.c   what has to hold before anything is touched
 *   recover_known.c     was what is wanted of it noted?
 *   recover_room.c      room for it
 *   recover_listen.c    ports and sockets
 *   recover_watch.c     what the log must not do
 *   recover_place.c     restoring into the folders; settings
 *   recover_instant.c   the same, but shown at once instead of restored first
 *   recover_run.c       starting, waiting, stopping
 *   recover_validate.c  what the server says
 */
#ifndef HF_ENGINE_RECOVER_INTERNAL_H
#define HF_ENGINE_RECOVER_INTERNAL_H

#include <sys/types.h>

#include "engine/pg_binaries.h"
#include "engine/recover_feed.h"
#include "engine/recover_plan.h"

struct recover_space { /* a tablespace */
	uint32_t oid;
	char *name, *location; /* location: where it goes */
	bool mapped;           /* by the caller */
	bool later;            /* it is not in the base: the log makes it */
	bool again;            /* the log makes it, too, and that was taken out of it */
};

struct recovering {
	struct repo *repo;
	const struct recover_params *p;
	struct ctx *ctx;
	struct recover_result *out;
	struct recover_plan pl;
	char *data;         /* absolute */
	char *bin;          /* of the programs, or NULL */
	const char *config; /* the server's configuration, where it stands outside; or NULL */
	struct recover_space *spaces;
	size_t nspaces;
	bool as_user; /* files belong to: */
	uid_t uid;
	gid_t gid;
	struct recover_feed *feed;
	struct pg_server *server;
	struct instant *instant;
	char what[RECOVER_WHAT]; /* of the step that runs */
	char **later;            /* folders of tablespaces that the log makes, found to be empty */
	size_t nlater;
	bool maps_later; /* one that the base has not was mapped */
	bool looking;    /* through the log, before anything is restored */
	bool base_only;  /* and for tablespaces of the base alone */
	struct recover_patch *patches;
	size_t npatches;
};

/* Say what the running step came to. */
void recover_say(struct recovering *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* recover_prepare.c */
int recover_prepare(struct recovering *g, struct err *e);
int recover_spaces(struct recovering *g, struct err *e); /* which tablespaces go where */

/* Nothing in it, or not there (`there` may be NULL). */
int recover_is_empty(const char *path, bool *empty, bool *there, struct err *e);

/*
 * recover_known.c: what the base backup noted has it, has it not (or not even its database), or
 * does not say.  `like`: what may have been meant, or nothing.  Pure.
 */
enum recover_known { RECOVER_NOT_SAID, RECOVER_THERE, RECOVER_NOT_THERE, RECOVER_NO_DATABASE };
enum recover_known recover_known(
    const json_t *facts, const struct recover_names *n, struct buf *like);
/* p->only: a warning where the base has it not; it may have come since.  Recovery goes on. */
void recover_warn_only(const struct recovering *g);

/* recover_room.c: on each file system that gets something of it.  ERR_NO_SPACE. */
int recover_check_room(struct recovering *g, struct err *e);

/* recover_listen.c: by the settings that the original had, and p->server's. */
int recover_check_listen(struct recovering *g, struct err *e);

/*
 * recover_watch.c: a record that replay would do harm by is refused; arg is a struct recovering.
 * Of the whole log before anything is restored, where that costs little beside it; and of each
 * segment before the server gets it.
 */
int recover_watch(void *arg, const struct wal_record *r, struct err *e);
int recover_watch_ahead(struct recovering *g, struct err *e);
/* Where in the log a record's byte stands, which goes on behind the heads of pages.  Pure. */
uint64_t recover_byte_at(uint64_t record, uint64_t byte, uint64_t segment);
/* "KEY=FOLDER": the folder, if the key is one of these (NULL: none). */
const char *recover_map_for(const char *map, const char *key, const char *other);

/* recover_place.c */
int recover_restore(struct recovering *g, struct err *e);
int recover_settle(struct recovering *g, struct err *e); /* settings, and the feed */
int recover_verify(struct recovering *g, struct err *e);
/* After recovery: settings out of the way; `all`, or only what needs us. */
int recover_unsettle(struct recovering *g, bool all, struct err *e);

/* recover_instant.c */
/* ERR_EXISTS: what was recovered there is somebody's database by now, mounted just now or not. */
int recover_refuse_shown(struct recovering *g, struct err *e);
int recover_show(struct recovering *g, struct err *e);
int recover_shown(struct recovering *g, int rc, struct err *e); /* at the end, however it came */

/*
 * recover_run.c: settings of a server that is not the original's successor in its place, and must
 * not go on with the original's log nor wait for its standbys.
 */
enum { RECOVER_APART = 2 };
extern const char *const recover_apart[RECOVER_APART];
/*
 * PostgreSQL that promotes itself at its target first writes a whole checkpoint; one that was told
 * to be promoted does not wait for that.  So it is to pause there, and is told before it gets
 * there; to the latest it is a standby, which when it was told replays all that it can get, and is
 * promoted.
 */
bool recover_promotes_early(const struct recovering *g);
/* The file that a server looks for that is to be promoted; there already: good. */
int recover_put_promote(struct recovering *g, struct err *e);
/* How long one that was told, and pauses, is waited for: said once, given up at last.  Pure. */
struct recover_stuck { /* zero at first */
	bool paused, said;
	int64_t since_ns;
};
enum recover_patience { RECOVER_GO_ON, RECOVER_SAY, RECOVER_GIVE_UP };
enum recover_patience recover_patience(struct recover_stuck *s, bool paused, int64_t now_ns);
int recover_stop_old(struct recovering *g, struct err *e);
int recover_start(struct recovering *g, struct err *e);
/* What could not get to its end, or was interrupted, is not left running and answering. */
void recover_end(struct recovering *g);

/* recover_validate.c */
int recover_validate(struct recovering *g, struct err *e);
/*
 * PostgreSQL takes what is no record for the log's end, and is promoted there.  Did a recovery to
 * the latest end before the last commit that is stored?  e: where.  Pure.
 */
bool recover_fell_short(const struct recover_plan *pl, const struct recover_target *to,
    uint64_t reached, struct err *e);
struct pg;
/* To the database postgres of what was started, as whoever is let in. */
int recover_connect(struct recovering *g, struct pg **out, struct err *e);

#endif
