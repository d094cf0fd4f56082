/*
 * recover_feed: put the log that a recovery needs into the server's pg_wal, before it or while it
 * replays.
 *
 * Beside it stands the folder holdfast-wal with a script, the restore_command: it waits until the
 * file asked for was put, and always answers "not in the archive", whereupon the server takes it
 * from its pg_wal.  Should we be gone it says so within two minutes and ends the recovery, which
 * then has not ended too early: any other answer could look like the end of the log.
 *
 * Threads: one owner; it runs some of its own.
 */
#ifndef HF_ENGINE_RECOVER_FEED_H
#define HF_ENGINE_RECOVER_FEED_H

#include <sys/types.h>

#include "engine/recover_line.h"
#include "source/wal_record.h"

struct recover_feed;

/* A byte of the log that the server gets otherwise than it was stored. */
struct recover_patch {
	uint64_t lsn;
	uint8_t change; /* by exclusive or */
};

struct recover_feed_params {
	struct repo *repo;
	const uint8_t *stream;
	const struct recover_reach *reach; /* stays until it is freed */
	const struct log_at *at;           /* histories among them are put first */
	size_t nat;
	uint64_t segment;
	const char *data;
	const char *wal; /* pg_wal, where that is reached by a shorter way; or NULL */
	bool as_user;    /* files belong to: */
	uid_t uid;
	gid_t gid;
	const struct recover_patch *patches; /* stay until it is freed */
	size_t npatches;
	bool ahead; /* not more than WAL_AHEAD before the server: it is being started */
	unsigned jobs;
	/*
	 * Every record, in order, by one of the feed's threads at a time, before the server gets
	 * the file that it begins in; -1 fails the feed with that error.  NULL: nobody looks.
	 */
	int (*record)(void *arg, const struct wal_record *r, struct err *e);
	void *arg;
};

/*
 * The value for restore_command: no process but its own shell, where the file is there already.
 * Where the folder is not: 255, which ends the server and not only its recovery.
 */
#define RECOVER_FEED_COMMAND                                                                       \
	"echo %f >holdfast-wal/want || exit 255; [ -e holdfast-wal/%f ] && exit 1; "               \
	"exec sh holdfast-wal/get %f"

/* Histories and the script are there when it returns; the rest comes. */
int recover_feed_start(
    const struct recover_feed_params *p, struct ctx *ctx, struct recover_feed **out, struct err *e);

/* Has it failed?  -1: why. */
int recover_feed_check(struct recover_feed *f, struct err *e);

/* Wait until everything was put, durably if the server is not started by us. */
int recover_feed_wait(struct recover_feed *f, struct err *e);

/* Where what was shown to `record` ended, for it was none there; 0: nowhere yet. */
uint64_t recover_feed_broken(struct recover_feed *f);

uint64_t recover_feed_asked(struct recover_feed *f); /* segments that the server asked for */

/* Stop, and free; `clean`: remove the folder. */
void recover_feed_free(struct recover_feed *f, bool clean);

#endif
