/*
 * cli_out: everything that is printed: text, JSON lines, messages, errors.
 *
 * stdout is buffered until out_finish, which tells whether all of it could be
 * written.  Names from outside are escaped: no terminal obeys them, and they forge no lines in a
 * log.
 *
 * Threads: out_json, out_message and out_event from any; out_text by the
 * command's.
 */
#ifndef HF_CLI_CLI_OUT_H
#define HF_CLI_CLI_OUT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/entry.h"
#include "cli/cli.h"

void out_init(struct cli *c);
int out_finish(struct cli *c, struct err *e);

/* Text for eyes on stdout; not with --json or -q. */
void out_text(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, but with -q too: what was asked for (a listing). */
void out_list(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "holdfast: ..." on stderr, or an item with --json; not with -q. */
void out_message(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The progress line, redrawn in place ("" removes it); or as a line that stays. */
void out_draw(struct cli *c, const char *text);
void out_line(struct cli *c, const char *text);

/* Takes o; adds schema and type in front. */
void out_json(struct cli *c, const char *type, json_t *o);
void out_error(struct cli *c, const struct err *e, int status);
void out_sink(struct ctx *ctx, const struct event *ev);

/* JSON values: paths with path_bytes, ids whole, times RFC 3339. */
void out_json_path(json_t *o, const char *key, struct span path);
void out_json_str(json_t *o, const char *key, const char *s); /* NULL: null */
void out_json_id(json_t *o, const char *key, const struct id *id);
void out_json_time(json_t *o, const char *key, int64_t ns);
void out_json_u64(json_t *o, const char *key, uint64_t v);

/* The name as it may be printed on stdout (static buffers, four in turn). */
const char *out_name(struct cli *c, struct span name);
const char *out_str(struct cli *c, const char *s);

/* cli_text.c: values as text; `out` has 32 bytes where it is given. */
char *text_bytes(char out[32], uint64_t n);       /* "1.234 GiB" */
char *text_count(char out[32], uint64_t n);       /* "1,234,567" */
char *text_seconds(char out[32], double s);       /* "1:02:03", "4.2 s" */
char *text_id(char out[32], const struct id *id); /* 8 digits */
char *text_mode(char out[32], enum entry_type type, uint32_t mode);
const char *text_plural(uint64_t n, const char *one, const char *many);
/* "1 pack", "1,234 packs" */
enum { TEXT_AMOUNT = 64 };
char *text_amount(char out[TEXT_AMOUNT], uint64_t n, const char *one, const char *many);
void text_escape(struct buf *b, struct span s); /* what terminals must not see as \xNN */
size_t text_width(struct span s);               /* columns */
size_t text_cut(struct span s, size_t columns); /* bytes that fit */
int text_columns(int fd);                       /* of the terminal, or 80 */
/* Words wrapped at width, lines after the first indented; the first begins at column `at`. */
void text_wrap(struct buf *b, const char *text, int at, int indent, int width);

/* A table with aligned columns; '>' in align: to the right. */
struct text_table {
	const char *align; /* one letter a column: '<' or '>' */
	size_t ncols, nrows;
	bool head; /* the first row is headings: those of empty columns are left out */
	char **cells;
};
void text_row(struct text_table *t, const char *const *cells); /* ncols of them; copied */
void text_table_put(struct buf *b, const struct text_table *t);
void text_table_fini(struct text_table *t);

/* cmd_snapshots.c: what was strange about a run, as JSON. */
struct snapshot_anomaly;
json_t *anomalies_json(const struct snapshot_anomaly *v, size_t n);

/* cmd_ls.c: an entry of a tree, for ls and find. */
json_t *entry_json(struct span path, const struct entry *en);
void entry_print(struct cli *c, struct span path, const struct entry *en, bool detail);

/* cli_progress.c */
void progress_start(struct cli *c);
void progress_stop(struct cli *c); /* does nothing if it isn't running */

/* cli_cred.c: a credential; its secret is wiped by cred_fini. */
struct cred {
	struct repo_cred cred;
	void *secret;
	bool asked; /* on the terminal: it may be asked again */
};
int cred_get(struct cli *c, bool make, struct cred *out, struct err *e);
/* For the repository that is copied from: --from-... and HOLDFAST_FROM_... */
int cred_get_from(struct cli *c, struct cred *out, struct err *e);
/* For a new key: --new-key-file (made), --new-password-file, or a prompt; for init too. */
int cred_new(struct cli *c, struct cred *out, struct err *e);
void cred_fini(struct cred *c);
int cred_key_file(struct cred *c, const char *path, struct err *e);
/* Bytes that were read elsewhere, in locked memory; they are taken, also on failure. */
int cred_take(struct cred *c, bool key_file, char *secret, size_t n, struct err *e);

/*
 * cli_config.c: the configuration, loaded when it is first needed.  A command that is given
 * a path or URL and no declared system needs none: recovery goes on where it burned.
 */
int config_load(struct cli *c, bool must, struct err *e); /* must: ERR_USAGE if there is none */
/* The configured repository that a word names; NULL where it is a path or URL. */
int config_repository(
    struct cli *c, const char *word, const struct world_repository **out, struct err *e);
/* Where no repository was named: the first destination of a declared system is. */
int config_place_of(struct cli *c, const char *system, struct err *e);
/* backup --system, forget --system: what the declaration says goes into the options. */
int config_apply(struct cli *c, struct err *e);
/* Its key or password; ERR_USAGE. */
int config_cred(const struct world_repository *r, struct cred *out, struct err *e);

/*
 * cli_catalog.c: the catalog at its place (world_catalog); one that is damaged is moved aside, with
 * a message, and begun anew.
 */
struct catalog;
int cli_catalog_open(struct cli *c, struct catalog **out, struct err *e);
/*
 * The one that a command's own steps share, opened by the first of them (each opening and closing
 * is six fsyncs of SQLite's); the main thread's.  Closed with the command's record.
 */
int cli_catalog_share(struct cli *c, struct catalog **out, struct err *e);
void cli_catalog_unshare(struct cli *c);
/*
 * A snapshot was made: where there is a configuration the catalog takes its files in.  That it
 * can't is told; `catalog rebuild` brings it up to date.
 */
void cli_catalog_note(struct cli *c, struct repo *r, const char *name, const struct id *snapshot);
/* These were forgotten: searches tell of them no more. */
void cli_catalog_gone(struct cli *c, struct repo *r, const struct id *v, size_t n);

/* cli_other.c: a repository beside --repo, by a ctx of its own: it can be stopped alone. */
struct other {
	struct ctx ctx;
	struct repo *repo; /* NULL until it is open */
	bool first;        /* it is --repo, to be opened as that by c->cred */
};
/*
 * What opens all that have nothing of their own, asked for once: a password's variable is wiped.
 * Before there are threads.  What is wrong with it each of them tells.
 */
void other_know_cred(struct cli *c);
struct other *other_new(struct cli *c);
void other_free(struct other *o); /* NULL does nothing */
/* What was asked of its store is of the run: see the summary. */
void other_count(struct cli *c, struct other *o);
/*
 * A path, a URL or a configured name.  key_file NULL: by what the configuration says, or else
 * by what opens --repo.  Errors name it as it was given.
 */
int other_open(
    struct cli *c, const char *word, const char *key_file, struct other *o, struct err *e);

/*
 * cli_opening.c: several of them at the same time, each in a thread; texts are borrowed.  Who
 * opens by what opens --repo needs c->cred to be set, for nobody is asked by two at once.
 */
struct opening;
struct opening *opening_start(
    struct cli *c, const char *url, const char *key_file, struct other *other);
/* Is it over by that time (CLOCK_MONOTONIC)? */
bool opening_wait(struct opening *x, const struct timespec *until);
/* Waits for its end, frees it, and tells what other_open did. */
int opening_end(struct opening *x, struct err *e);
/* So long is waited for one where others are there: it has a pass of its own, after theirs. */
enum { OPEN_PATIENCE_S = 5 };
void opening_patience(struct timespec *until);
/*
 * --repo, as one of several: as try_open in cli_run.c, but -1 with ERR_TIMEOUT, and c->opening,
 * if it takes longer than that.
 */
int opening_first(struct cli *c, bool *again, struct err *e);

/* cli_pick.c: what options choose */
struct select_filter;
void pick_filter(struct cli *c, struct select_filter *f);
struct snapshot;
/* One SNAPSHOT[:PATH]; how a time was read is said. */
int pick_snapshot(struct cli *c, const char *spec, bool one_group, struct snapshot **out,
    char **path, struct err *e);
struct exclude;
int pick_exclude(struct cli *c, struct exclude **out, struct err *e);
/* Afterwards: warn of patterns that matched nothing; of relative ones only, or of all. */
void pick_warn_idle(struct cli *c, const struct exclude *x, bool all);
/* The share of --parity or the like, in thousandths; 0 if it was not given. */
int pick_parity(struct cli *c, const char *option, unsigned *share, struct err *e);
/* Each path of a list made absolute, in place. */
void pick_make_absolute(struct cli_list *l);
/* The path made absolute, without "." and ".."; new text. */
char *pick_absolute(const char *path);

#endif
