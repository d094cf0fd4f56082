/* daemon_internal: what the files of the daemon share.  All of it is the loop's alone. */
#ifndef HF_DAEMON_DAEMON_INTERNAL_H
#define HF_DAEMON_DAEMON_INTERNAL_H

#include <pthread.h>
#include <uv.h>

#include "catalog/catalog.h"
#include "config/world_times.h"
#include "daemon/daemon.h"
#include "daemon/daemon_notify.h"
#include "daemon/due.h"

enum {
	DAEMON_LOOK_MS = 2000, /* how often the queue is looked at */
	DAEMON_LEASE_S = 120,
	DAEMON_RENEW_S = 30,
	DAEMON_FENCE_S = 90,      /* unheard for so long: others may begin our runs soon */
	DAEMON_RETRY_S = 2,       /* while the end of a run waits to be recorded */
	DAEMON_TRIES = 3,         /* of a run that is interrupted, or meets what passes */
	DAEMON_GRACE_MS = 330000, /* for hooks, where a run was asked to end */
};

/* A declared system, and up to when all that was due of it is in the queue. */
struct planned {
	const struct world_system *system; /* of daemon->world */
	struct world_times *times;
	bool rto_at_risk;     /* told */
	int64_t settled_s[4]; /* of backups; of verifications; of copies; of drills */
	int64_t next_s;
	int64_t passed_over;        /* the open run on whose account one was skipped last */
	enum event_level rpo;       /* what was told of it: EVENT_INFO while it is kept */
	struct monitored *monitors; /* daemon_monitor.c */
	size_t nmonitors;
	bool held; /* that a monitor holds it was recorded */
};

struct changes; /* daemon_changes.c */

/* A declared repository, and up to when all that was due of it is in the queue. */
struct upkept {
	const struct world_repository *repository; /* of daemon->world */
	struct world_times *times;
	int64_t settled_s, next_s;
};

struct child {
	struct daemon *d;
	struct child *next;
	uv_process_t process;
	uv_pipe_t out;
	struct run run; /* texts are its own */
	char *line;     /* of its output, begun */
	size_t nline;
	char *summary; /* its last words; NULL: none yet */
	int log;
	int64_t started_ms, asked_ms; /* when it was asked to end; 0: not */
	bool late, killed, over;
	bool fenced; /* asked to end because our lease did: it is begun anew */
	int open_handles;
};

struct daemon {
	const struct daemon_params *p;
	struct ctx *ctx;
	uv_loop_t loop;
	uv_timer_t timer;
	uv_signal_t signals[3];
	uv_async_t wake;
	struct catalog *catalog;
	struct daemon_notify *notify; /* NULL: not yet, or not any more */
	struct world *world;
	struct planned *systems; /* what others depend on first */
	size_t *place;           /* in systems, of each of world's */
	size_t nsystems;
	struct changes **changes; /* of systems that are watched */
	size_t nchanges;
	struct changes **stopping_changes; /* whose threads are not over yet */
	size_t nstopping;
	struct upkept *upkept;
	size_t nupkept;
	struct child *children;
	struct watcher *watchers;   /* daemon_monitor.c: at monitors */
	struct follower *followers; /* daemon_follow.c: receivers of logs */
	size_t monitor_turn;
	unsigned running;
	struct run *orphans; /* runs that the last daemon began, and that end by themselves */
	size_t norphans;
	struct kept_end *kept; /* of runs whose end the catalog doesn't know yet */
	uint64_t *thaws;       /* that were tried, and told */
	size_t nthaws;
	char *owner;
	int lock;
	bool stopping;
	int64_t began_s, rests_until_s;
	int64_t last_wall_s, last_mono_s, renewed_s, watched_s, trimmed_s; /* 0: not yet */
	int64_t patient_mono_s; /* until then nothing is taken from others */
	int64_t leased_mono_s;  /* when our leases were renewed last */
	bool unrenewed;         /* the last try failed */
	int64_t drills_s;       /* when it was looked whether one is to be rehearsed; 0: not yet */
	struct drill_memory *drills;    /* what their records say */
	struct drill_told *drills_told; /* what will not be proven in time: daemon_drill_lack.c */
	size_t ndrills_told;
	bool leads; /* what one daemon does for all of a catalog is ours */
	int64_t watchdog_ms, fed_ms;
	_Atomic bool reload;         /* somebody asked for it */
	pthread_rwlock_t world_lock; /* the loop alone writes */
	char mistake[ERR_MSG_MAX];   /* under world_lock */
};

/* daemon_log.c */
/* An event of a system, or of a run: in the log, and in the catalog. */
void daemon_tell(struct daemon *d, const char *name, enum event_level level, const char *system,
    int64_t run, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* daemon_evidence.c: into the audit trail; refused NULL: what was loaded is in force. */
void daemon_record_life(struct daemon *d, bool begun);
void daemon_record_config(struct daemon *d, const struct err *refused);

/* daemon_plan.c */
int daemon_load(struct daemon *d, struct err *e); /* the configuration; the old one stays on -1 */
void daemon_plan_free(struct daemon *d);
void daemon_queue_due(struct daemon *d, int64_t now_s);
/* The clock has jumped: look at everything, and let nothing be settled later than now. */
void daemon_forget_time(struct daemon *d, int64_t now_s);
const struct world_system *daemon_system(const struct daemon *d, const char *name);
bool daemon_declares(const struct daemon *d, const struct run *r); /* what it is of */

/* daemon_changes.c: continuous systems, from the configuration that is in force. */
void daemon_changes_start(struct daemon *d);
void daemon_changes_stop(struct daemon *d); /* waits for nothing */
void daemon_changes_end(struct daemon *d);  /* for good */
void daemon_changes_due(struct daemon *d);
/* A run reads all of the system that has changed by then, of CLOCK_BOOTTIME. */
void daemon_changes_read(struct daemon *d, const char *system, int64_t ms);
/* daemon_plan.c: 1: one that sees what has changed by now was queued; 2: one was already, or none
 * is to be; 0: not yet. */
int daemon_queue_changed(struct daemon *d, const char *system, struct err *e);

/* daemon_upkeep.c: repositories are pruned when they say. */
int daemon_upkeep_new(
    struct daemon *d, const struct world *w, int64_t now_s, struct upkept **out, struct err *e);
void daemon_upkeep_free(struct upkept *v, size_t n);
void daemon_upkeep_due(struct daemon *d, int64_t now_s);
/* The host that a repository on a path is on, as its systems say; NULL: they do not. */
const char *daemon_upkeep_node(const struct world *w, const struct world_repository *r);

/* daemon_run.c: a run with texts of its own; what the catalog shows is borrowed. */
void run_copy(struct run *to, const struct run *r);
void run_copy_fini(struct run *r);

/* daemon_share.c */
/* Whose runs those of this state folder are: stable, so that the next daemon knows them. */
/* Runs of daemons that are gone become ours, to be ended as our own that nobody is at. */
int daemon_take_lost(struct daemon *d, bool *some, struct err *e);
int daemon_renew_leases(struct daemon *d, struct err *e);
int daemon_stop_lost(struct daemon *d, struct err *e); /* what others took from us */
void daemon_fence(struct daemon *d);                   /* what they are about to take */

/* daemon_monitor.c */
void daemon_monitor_plan(const struct world *w, struct planned *p, int64_t now_s);
void daemon_monitor_plan_free(struct planned *p);
void daemon_monitor_tick(struct daemon *d, int64_t now_s);
void daemon_monitor_forget_time(struct planned *p, int64_t now_s);
void daemon_monitor_stop(struct daemon *d);
void daemon_monitor_free(struct daemon *d); /* after the loop's end */
/* Is the run that is due not to be, for a monitor holds the system?  1 (recorded once), 0, -1. */
int daemon_held(struct daemon *d, struct planned *p, struct run r, struct err *e);

/* daemon_follow.c: receivers of databases' logs */
void daemon_follow_tick(struct daemon *d);
void daemon_follow_reload(struct daemon *d); /* each begins anew */
void daemon_follow_stop(struct daemon *d);
void daemon_follow_free(struct daemon *d); /* after the loop's end */

/* daemon_catalog.c: a file that was moved away: what is there now is our catalog. */
void daemon_look_at_catalog(struct daemon *d);

/* daemon_watch.c: tell of systems whose newest backup is older than they promise. */
void daemon_watch_rpo(struct daemon *d, int64_t now_s);

/* daemon_freeze.c: thaw what is frozen still, or tell of it. */
void daemon_watch_thaws(struct daemon *d);

/* daemon_queue.c */
int daemon_take_over(struct daemon *d, struct err *e); /* what the last one left */
void daemon_look_after_orphans(struct daemon *d);
void daemon_renew(struct daemon *d);
void daemon_take_others(struct daemon *d); /* of daemons that are gone */
void daemon_dispatch(struct daemon *d);
/* The same once more, a while later. */
void daemon_try_again(struct daemon *d, const struct run *r, int64_t wait_s);

/* daemon_record.c */
void daemon_run_over(struct daemon *d, const struct child *c, int64_t status, int signal);
int daemon_record_kept(struct daemon *d, struct err *e); /* the catalog is back, perhaps */
bool daemon_keeps_end(const struct daemon *d, int64_t id);
void daemon_drop_kept(struct daemon *d);

/* daemon_child.c */
int child_start(struct daemon *d, const struct run *r, struct err *e);
void child_stop(struct child *c);   /* SIGTERM, and SIGKILL where its hooks have had their time */
void child_watch(struct daemon *d); /* those that take too long */

int64_t daemon_now_s(const struct daemon *d);

/*
 * daemon_drill.c: one that has to be proven within some time is rehearsed; and is a recovery
 * expected to take longer than promised?
 */
void daemon_drill_tick(struct daemon *d, int64_t now_s);
/* daemon_drill_lack.c: tell of those that will not be proven in time, with that for each day. */
struct drill_point;
struct drill_budget;
void daemon_drill_foresee(struct daemon *d, const struct drill_point *v, size_t n,
    const struct drill_budget *day, int64_t now_s);
void daemon_drill_free(struct daemon *d);
/* daemon_plan.c */
int daemon_queue_drill(struct daemon *d, const struct planned *p, const char *kind, struct err *e);

#endif
