/*
 * cli: the command line.  Commands and options are rows of two tables; the
 * parser, --help, the man pages and shell completion all read them.
 *
 * Only this folder (and main.c) prints.  stdout has what was asked for, or
 * with --json one object a line and nothing else; stderr has messages and
 * progress.
 *
 * Threads: commands run on the main thread; what events and the progress
 * thread print goes through cli_out.c, which locks.
 */
#ifndef HF_CLI_CLI_H
#define HF_CLI_CLI_H

#include <stdatomic.h>

#include "base/calendar.h"
#include "base/ctx.h"
#include "base/err.h"
#include "codec/codec.h"
#include "repo/repo.h"

struct audit;
struct cli;
struct instant_log;
struct opening;
struct other;
struct store;
struct world;
struct world_repository;
struct world_system;

enum cmd_id {
	CMD_INIT,
	CMD_BACKUP,
	CMD_SNAPSHOTS,
	CMD_LS,
	CMD_FIND,
	CMD_CAT,
	CMD_DIFF,
	CMD_RESTORE,
	CMD_RECOVER,
	CMD_MOUNT,
	CMD_CHECK,
	CMD_FORGET,
	CMD_PRUNE,
	CMD_STATS,
	CMD_COPY,
	CMD_TAG,
	CMD_KEY,
	CMD_KIT,
	CMD_REPAIR,
	CMD_CACHE,
	CMD_SERVE,
	CMD_STATUS,
	CMD_NOTIFY,
	CMD_RUN,
	CMD_JOBS,
	CMD_SCHEDULE,
	CMD_WHY,
	CMD_VERIFY,
	CMD_DRILL,
	CMD_RPO,
	CMD_REPORT,
	CMD_CONFIG,
	CMD_CATALOG,
	CMD_EVIDENCE,
	CMD_DOCTOR,
	CMD_TOKEN,
	CMD_LOG,
	CMD_COMPLETION,
	CMD_HELP,
	CMD_VERSION,
	CMD_COUNT
};

enum cmd_flag {
	CMD_OPENS = 1 << 0, /* cli->repo is open when run is called */
	CMD_REPO = 1 << 1,  /* takes --repo and credentials */
};

enum { CMD_EXAMPLES = 4, CMD_NO_MAX = -1 };

struct cmd_def {
	enum cmd_id id;
	const char *name;
	const char *args;  /* as in the usage line */
	const char *brief; /* one line, begins with a capital, no full stop */
	const char *about; /* paragraphs, parted by empty lines */
	unsigned flags;
	int min_args, max_args;
	const char *words; /* what the first argument may be: "list|add", or NULL */
	const char *exits; /* statuses besides 0, 1, 2 and 130; and 3, 10, 12 and 20 of CMD_OPENS */
	int (*run)(struct cli *c, struct err *e);
	struct {
		const char *line, *what;
	} examples[CMD_EXAMPLES];
};

struct cmd_exit {
	int status;
	const char *meaning;
};

enum opt_type {
	OPT_FLAG,     /* bool */
	OPT_STRING,   /* const char * */
	OPT_LIST,     /* struct cli_list; may be given again */
	OPT_COUNT,    /* int, 1 and up */
	OPT_JOBS,     /* int, 1 to 1,024 */
	OPT_KEEP,     /* int, 1 and up, or -1 for "unlimited" */
	OPT_PERCENT,  /* double, 0 to 100; -1 if not given */
	OPT_CHOICE,   /* int, place in `choices` from 1; 0 if not given */
	OPT_DURATION, /* struct calendar_duration */
	OPT_WITHIN,   /* the same, without minutes */
	OPT_TIME,     /* struct cli_time */
	OPT_CODEC,    /* struct cli_codec */
	OPT_RATE,     /* uint64_t, bytes a second; a bare number is KiB/s */
	OPT_NICE,     /* int, -20 to 19; NICE_UNSET if not given */
	OPT_IONICE,   /* int, of os_ioprio_...; 0 if not given */
};

enum opt_group { OPT_MAIN, OPT_WHICH, OPT_KEEPING, OPT_LIMITS, OPT_KEYS, OPT_GENERAL, OPT_GROUPS };

enum opt_flag {
	OPT_NO_ENV = 1 << 0,   /* has no environment variable */
	OPT_CRED_ENV = 1 << 1, /* has one, which cli_cred.c reads in its turn */
};

struct opt_def {
	const char *name; /* without the dashes */
	char letter;      /* or 0 */
	enum opt_type type;
	enum opt_group group;
	const char *arg;  /* name of the value in help; NULL for flags */
	const char *dflt; /* text, or NULL */
	const char *choices;
	uint64_t cmds; /* bit of each command that takes it */
	size_t at;     /* in struct cli_options */
	unsigned flags;
	const char *env; /* where it isn't HOLDFAST_ and the name */
	const char *help;
};

enum { NICE_UNSET = 100 }; /* as the process was started */

struct cli_list {
	const char **v;
	size_t n;
};

struct cli_time {
	struct calendar_time t;
	bool set;
};

struct cli_codec {
	enum codec_id id;
	int level;
};

#define CLI_NO_LIMIT UINT64_MAX

struct cli_options {
	/* everybody */
	bool help, version, json, quiet, verbose, strict;
	const char *config; /* NULL: the usual places */
	bool origin;
	/* the repository and its key */
	struct cli_list options; /* of the store */
	const char *repo, *key_file, *password_file, *password_command, *cache_dir;
	bool no_cache;
	const char *from_repo, *from_key_file, *from_password_file, *from_password_command;
	uint64_t limit_upload, limit_download; /* 0: not given */
	int nice, ionice;
	const char *family, *label, *new_key_file, *new_password_file, *key_domain, *output;
	int key_role;
	bool secret;
	struct calendar_duration grace;
	int object_hash, blob_id;
	double parity;
	/* which snapshots */
	const char *host, *system;
	struct cli_list tags, paths;
	int latest;
	/* what to read or write */
	int type, chunker, jobs;
	struct cli_list canaries, also, also_key_file;
	struct cli_list exclude, exclude_file, include, files_from, files_from0;
	bool single_file;
	bool rechunk, follow_retention, force;
	bool exclude_caches, one_file_system, stdin_data, dry_run, no_scan;
	const char *stdin_name;
	struct cli_codec compression;
	const char *target;
	int overwrite;
	bool delete, verify;
	int thaw, thaw_days;
	bool no_wait;
	struct cli_list thaw_price;
	struct calendar_duration thaw_poll;
	/* recovering a database */
	const char *to, *timeline, *part, *base, *only, *into;
	bool delta, start, instant, finish, replace;
	int action, port;
	struct cli_list tablespaces;
	/* keeping */
	int keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly;
	struct calendar_duration keep_within;
	struct cli_list keep_tags;
	bool prune, exclusive, repack, accept_history, drop_foreign;
	bool pay_for_cold;
	double max_unused;
	/* looking */
	bool read_data, long_list, recursive, ignore_case, allow_other;
	double read_subset;
	bool rules, tamper;
	int level; /* verify, drill */
	bool keep;
	int report_format;
	bool records;
	int point; /* drill: of DRILL_WHAT_POINTS, from 1; 0: the newest */
	const char *drill_from;
	bool accept;
	struct cli_list monitors;
	const char *seed;
	struct cli_time newer, older;
	const char *snapshot;
	bool all;
	struct cli_list add, remove;
	/* trash, pins, holds */
	struct calendar_duration delay;
	bool now, undo, flooded_ok, trash, pin, unpin, hold, release;
	struct cli_time until;
	int scope;
	struct cli_time expires;
	const char *man;
	/* the daemon */
	bool foreground;
	int kind; /* of a run: 0 none, place in backup|copy|prune */
	int log_format, limit;
	struct cli_time from;
	const char *public_key, *head; /* evidence */
	const char *bundle;            /* doctor */
	bool once;                     /* log follow */
};

/* cli_table.c */
extern const struct cmd_def cmd_table[CMD_COUNT];
extern const struct opt_def opt_table[];
extern const size_t opt_count;
extern const struct cmd_exit cmd_exits[];
extern const size_t cmd_exits_count;
const char *opt_group_title(enum opt_group g);
const struct cmd_def *cmd_find(const char *name); /* NULL if there is none */
bool opt_for(const struct opt_def *o, enum cmd_id id);
bool opt_is_first(const struct opt_def *o); /* of its name: some commands say one in other words */
bool cmd_exit_applies(const struct cmd_def *c, int status);
void opt_env_name(const struct opt_def *o, char out[64]); /* "" if it has none */

/* cli_parse.c */
struct cli_args {
	const struct cmd_def *cmd; /* NULL: none was given */
	const char **v;            /* positional, without the command; NULL at the end */
	size_t n;
};

/* Fill both; getenv-like `env` may be NULL.  ERR_USAGE with a hint. */
int cli_parse(int argc, char *const *argv, char *(*env)(const char *), struct cli_options *opt,
    struct cli_args *args, struct err *e);
void cli_parse_fini(struct cli_options *opt, struct cli_args *args);
int opt_set(const struct opt_def *o, const char *text, struct cli_options *opt, struct err *e);
/* There is no such command; the hint has the nearest.  Returns -1. */
int cmd_unknown(const char *word, struct err *e);

/* cli_value.c: ERR_USAGE with what would be right. */
int value_nice(const char *text, int *out, struct err *e);
int value_ionice(const char *text, int *out, struct err *e); /* for os_set_ionice */

/* cli_out.c */
struct cli_out {
	bool json, quiet, verbose;
	bool out_tty, err_tty;
	bool drawn; /* a progress line stands on the terminal */
};

/* What a command did, for its record (cli_record.c). */
struct cli_ran {
	bool wanted;
	int64_t begun_ns;
	char snapshot[72]; /* hex */
	uint64_t files, files_new, files_changed, bytes, bytes_read, added, stored, errors;
	bool judged; /* by verify: */
	double score;
	const char *verified, *level;
};

/* cli_run.c */
struct cli {
	struct cli_options opt;
	struct cli_args args;
	struct ctx *ctx;
	struct repo *repo;
	struct cred *cred;   /* what opened it, if other repositories may need it; or NULL */
	struct world *world; /* what is declared; NULL: nothing, or not looked for yet */
	bool looked;         /* it was: from then on any thread may read it */
	const struct world_repository *named; /* what --repo is the name of; or NULL */
	const struct world_system *system;    /* the declared one that is backed up; or NULL */
	struct err *repo_err;    /* why it is not open, where others may do without; or NULL */
	struct other *first;     /* with --also: what it is opened by; or NULL */
	struct opening *opening; /* it still is being opened; or NULL */
	struct cli_out out;
	struct cli_ran ran;
	struct catalog *catalog; /* cli_catalog_share, or NULL */
	void *progress;          /* cli_progress.c, while running */
	atomic_bool *ask;        /* set by SIGUSR1 */
	struct audit *audit;     /* the record that is kept of this, or NULL */
	struct instant_log *log; /* of what is told once nobody waits for us, or NULL */
	bool mounted;            /* by mount */
	bool proven_absent;      /* log get: the file is not there, for sure */
	bool wanted;             /* the interruption was the way to end it: no message */
};

/* Everything: parse, run, report; the exit status. */
int cli_main(int argc, char **argv, struct ctx *ctx, atomic_bool *ask);

/* Open --repo's store, within the limits that were given. */
int cli_store_open(struct cli *c, const char *url, bool create, struct store **out, struct err *e);
/* Any repository's; `named` is the configured one, whose limits hold too, or NULL. */
int cli_place_open(struct cli *c, const char *url, const struct world_repository *named,
    bool create, struct ctx *ctx, struct store **out, struct err *e);

/* Another repository's: its caches and memory are used as our own's.  Closed by the caller. */
int cli_open_from(struct cli *c, struct repo **out, struct err *e);

/* The URL of --repo, which may be a configured name, or ERR_USAGE with a hint. */
const char *cli_repo_url(struct cli *c, struct err *e);
/* The caches' folder or NULL; new text. */
char *cli_cache_dir(struct cli *c);

/* cli_help.c */
struct buf;
void help_overview(struct buf *b, int width);
void help_command(struct buf *b, const struct cmd_def *c, int width);
/* The option as written: "-n, --dry-run" or "--tag TAG". */
void help_option_text(struct buf *b, const struct opt_def *o);

/* cli_man.c, cli_completion.c */
int man_write_all(const char *dir, struct err *e);
void man_page(struct buf *b, const struct cmd_def *c); /* NULL: holdfast(1) */
void completion_bash(struct buf *b);

/* the commands */
int cmd_init(struct cli *c, struct err *e);
int cmd_log(struct cli *c, struct err *e);
int cmd_backup(struct cli *c, struct err *e);
int cmd_snapshots(struct cli *c, struct err *e);
int cmd_ls(struct cli *c, struct err *e);
int cmd_find_files(struct cli *c, struct err *e);
/* cmd_find_all.c: is it the catalog that is asked? */
bool find_is_for_all(struct cli *c);
int cmd_find_all(struct cli *c, struct err *e);
int cmd_catalog(struct cli *c, struct err *e);
int cmd_cat(struct cli *c, struct err *e);
int cmd_diff(struct cli *c, struct err *e);
int cmd_restore(struct cli *c, struct err *e);
int cmd_recover(struct cli *c, struct err *e);
int cmd_mount(struct cli *c, struct err *e);
int cmd_check(struct cli *c, struct err *e);
int cmd_forget(struct cli *c, struct err *e);
int cmd_prune(struct cli *c, struct err *e);
int cmd_stats(struct cli *c, struct err *e);
int cmd_copy(struct cli *c, struct err *e);
int cmd_tag(struct cli *c, struct err *e);
int cmd_kit(struct cli *c, struct err *e);
int cmd_key(struct cli *c, struct err *e);
int cmd_key_export(struct cli *c, struct err *e);
int cmd_key_import(struct cli *c, const char *path, struct err *e); /* c->repo is NULL */

/* May the key in use run this command?  ERR_WRONG_KEY says which role may. */
int cli_role_check(const struct cli *c, struct err *e);

int cmd_repair(struct cli *c, struct err *e);
int cmd_cache(struct cli *c, struct err *e);
int cmd_status(struct cli *c, struct err *e);
int cmd_check_rules(struct cli *c, struct err *e);
int cmd_check_tamper(struct cli *c, struct err *e);
int cmd_notify(struct cli *c, struct err *e);
int cmd_serve(struct cli *c, struct err *e);
int cmd_run(struct cli *c, struct err *e);
int cmd_verify(struct cli *c, struct err *e);
int cmd_rpo(struct cli *c, struct err *e);
int cmd_report(struct cli *c, struct err *e);
int cmd_drill(struct cli *c, struct err *e);
int cmd_jobs(struct cli *c, struct err *e);
int cmd_schedule(struct cli *c, struct err *e);
int cmd_why(struct cli *c, struct err *e);
int cmd_config(struct cli *c, struct err *e);
int cmd_doctor(struct cli *c, struct err *e);
int cmd_token(struct cli *c, struct err *e);
int cmd_evidence(struct cli *c, struct err *e);
int cmd_completion(struct cli *c, struct err *e);
int cmd_help(struct cli *c, struct err *e);
int cmd_version(struct cli *c, struct err *e);

#endif
