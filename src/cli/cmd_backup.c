/* backup: store files as a snapshot. */
#include "cli/cli_paths.h"
#include "cli/cli_audit.h"
#include "cli/cli_freeze.h"
#include "cli/cli_out.h"
#include "cli/cli_servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "config/world.h"
#include "engine/op_backup.h"
#include "os/os.h"
#include "repo/writer.h"
#include "source/exclude.h"

static json_t *result_json(struct cli *c, const struct backup_result *r)
{
	const struct snapshot_stats *s = &r->stats;
	json_t *o = json_object();

	if (r->has_snapshot)
		out_json_id(o, "snapshot", &r->snapshot);
	else
		out_json_str(o, "snapshot", NULL);
	if (r->has_parent)
		out_json_id(o, "parent", &r->parent);
	else
		out_json_str(o, "parent", NULL);
	out_json_str(o, "outcome", snapshot_outcome_name(r->outcome));
	json_object_set_new(o, "dry_run", json_boolean(c->opt.dry_run));
	out_json_u64(o, "files", s->files);
	out_json_u64(o, "dirs", s->dirs);
	out_json_u64(o, "others", s->others);
	out_json_u64(o, "files_new", s->files_new);
	out_json_u64(o, "files_changed", s->files_changed);
	out_json_u64(o, "files_unchanged", s->files_unchanged);
	out_json_u64(o, "bytes", s->bytes);
	out_json_u64(o, "bytes_read", s->bytes_read);
	out_json_u64(o, "added_bytes", s->added_bytes);
	out_json_u64(o, "stored_bytes", s->stored_bytes);
	out_json_u64(o, "resumed_bytes", r->resumed_bytes);
	out_json_u64(o, "repository_bytes", r->repo_bytes);
	out_json_u64(o, "errors", s->errors);
	json_object_set_new(o, "anomalies", anomalies_json(r->anomalies, r->nanomalies));
	json_object_set_new(o, "seconds", json_real(r->seconds));
	return o;
}

static void report_text(struct cli *c, const struct backup_result *r)
{
	const struct snapshot_stats *s = &r->stats;
	char a[32], b[32], d[32];

	out_text(c, "Files:     %s new, %s changed, %s unmodified\n", text_count(a, s->files_new),
	    text_count(b, s->files_changed), text_count(d, s->files_unchanged));
	out_text(c, "Folders:   %s\n", text_count(a, s->dirs));
	out_text(c, "Processed: %s in %s", text_bytes(a, s->bytes), text_seconds(b, r->seconds));
	if (r->seconds > 0 && s->bytes)
		out_text(c, " (%s/s)", text_bytes(d, (uint64_t)((double)s->bytes / r->seconds)));
	out_text(c, "\nAdded:     %s, stored as %s\n", text_bytes(a, s->added_bytes),
	    text_bytes(b, s->stored_bytes));
	if (r->resumed_bytes)
		out_text(c,
		    "Resumed:   %s of what was read were stored already by a run that did not "
		    "finish\n",
		    text_bytes(a, r->resumed_bytes));
	if (s->errors)
		out_text(c, "Errors:    %s\n", text_count(a, s->errors));
	if (r->has_parent)
		out_text(c, "Parent:    %s\n", text_id(a, &r->parent));
	if (c->opt.dry_run)
		out_text(c, "Dry run: nothing was stored\n");
	else if (r->has_snapshot)
		out_text(c, "Snapshot %s saved%s\n", text_id(a, &r->snapshot),
		    r->outcome == SNAPSHOT_COMPLETE ? "" : ", incomplete");
	if (r->has_snapshot && !r->has_parent)
		out_text(c, "\nNext: holdfast -r %s ls -R %s\n", out_str(c, c->opt.repo),
		    text_id(a, &r->snapshot));
}

static void fill(
    struct cli *c, const struct cli_paths *paths, const struct exclude *x, struct backup_params *p)
{
	const struct cli_options *o = &c->opt;

	*p = (struct backup_params){
	    .paths = (const char *const *)paths->v,
	    .npaths = paths->n,
	    .stdin_fd = 0,
	    .stdin_name = o->stdin_data ? o->stdin_name : NULL,
	    .system = o->system,
	    .host = o->host,
	    .tags = o->tags.v,
	    .ntags = o->tags.n,
	    .strategy = (enum snapshot_strategy)(o->type - 1),
	    .exclude = x,
	    .exclude_texts = o->exclude.v,
	    .nexclude_texts = o->exclude.n,
	    .exclude_caches = o->exclude_caches,
	    .one_file_system = o->one_file_system,
	    .fixed = o->chunker == 2,
	    .codec = o->compression.id,
	    .level = o->compression.level,
	    .jobs = (unsigned)o->jobs,
	    .count = !o->no_scan && !c->out.quiet,
	    .dry_run = o->dry_run,
	    .canaries = o->canaries.v,
	    .ncanaries = o->canaries.n,
	};
}

/* Who names a path and excludes it gets nothing, which he should know. */
static void warn_excluded(struct cli *c, const struct cli_paths *paths, const struct exclude *x)
{
	const char *url = c->named ? c->named->url : c->opt.repo;
	struct stat repo, st;
	bool local = os_fstatat(AT_FDCWD, strncmp(url, "fs:", 3) == 0 ? url + 3 : url, &repo, 0) ==
		     0;

	for (size_t i = 0; i < paths->n; i++) {
		char *abs = pick_absolute(paths->v[i]);
		const char *rule;

		if (os_fstatat(AT_FDCWD, abs, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			rule = x ? exclude_match(x, abs, S_ISDIR(st.st_mode)) : NULL;
			if (rule)
				event_emit(c->ctx, EVENT_WARNING, span_str(abs),
				    "is left out whole (%s)", rule);
			else if (local && st.st_dev == repo.st_dev && st.st_ino == repo.st_ino)
				event_emit(c->ctx, EVENT_WARNING, span_str(abs),
				    "is the repository itself, and left out whole");
		}
		free(abs);
	}
}

/* ---- The repositories. */

struct places {
	struct backup_target v[1 + WRITER_SET_MAX]; /* --repo first */
	struct other *others[WRITER_SET_MAX], *first;
	struct opening *opening[1 + WRITER_SET_MAX]; /* not open yet; as v */
	size_t n;
};

static const char *url_of(struct cli *c, size_t i)
{
	return i == 0 ? c->opt.repo : c->opt.also.v[i - 1];
}

static void opened(struct places *p, size_t i)
{
	struct backup_target *t = &p->v[i];

	t->rc = opening_end(p->opening[i], &t->err);
	t->repo = i == 0 ? p->first->repo : p->others[i - 1]->repo;
	p->opening[i] = NULL;
}

static bool one_is_open(const struct places *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].repo != NULL)
			return true;
	return false;
}

/*
 * For all; but no longer than that for those who make the others wait, unless none of them is
 * open.  What comes by a pipe is there once: then all wait.
 */
static void wait_for_places(struct places *p, bool all)
{
	const struct timespec had_its_time = {0}; /* before the others began */
	bool pending = true;
	struct timespec until;

	for (bool again = false; pending && (!again || all || !one_is_open(p)); again = true) {
		pending = false;
		opening_patience(&until);
		for (size_t i = 0; i < p->n; i++) {
			if (p->opening[i] != NULL &&
			    opening_wait(p->opening[i], i == 0 && !again ? &had_its_time : &until))
				opened(p, i);
			pending = pending || p->opening[i] != NULL;
		}
	}
}

/* What cannot be opened is told at the end; the rest goes on. */
static int open_places(struct cli *c, struct places *p, struct err *e)
{
	const struct cli_list *also = &c->opt.also, *keys = &c->opt.also_key_file;
	const struct world_repository *named;

	if (also->n >= WRITER_SET_MAX)
		return err_set(e, ERR_USAGE, "more than %d repositories at once", WRITER_SET_MAX);
	if (keys->n > also->n)
		return err_set(e, ERR_USAGE, "there are more --also-key-file than --also");
	/* Before there are threads: the configuration is loaded once, and whoever is asked is
	 * asked. */
	for (size_t i = 0; i < also->n; i++)
		if (config_repository(c, also->v[i], &named, e) == -1)
			return -1;
	if (also->n > keys->n)
		other_know_cred(c);
	p->v[0].repo = c->repo;
	p->first = c->first;
	p->opening[0] = c->opening;
	c->opening = NULL;
	if (c->repo == NULL) {
		p->v[0].rc = -1;
		p->v[0].err = *c->repo_err;
	}
	for (p->n = 1; p->n <= also->n; p->n++) {
		const struct world_repository *ignored;
		struct backup_target *t = &p->v[p->n];
		size_t i = p->n - 1;

		p->others[i] = other_new(c);
		/* The configuration is read before there are threads. */
		t->rc = config_repository(c, also->v[i], &ignored, &t->err);
		if (t->rc == -1)
			continue;
		p->opening[p->n] = opening_start(
		    c, also->v[i], i < keys->n ? keys->v[i] : NULL, p->others[i]);
		t->rc = err_set(&t->err, ERR_TIMEOUT, "%s: it is not open yet", also->v[i]);
	}
	wait_for_places(p, c->opt.stdin_data);
	return 0;
}

/* Those that were not open in time, if they open at all. */
static bool late_places(struct cli *c, struct places *p)
{
	bool late = false;

	for (size_t i = 0; i < p->n && !ctx_cancelled(c->ctx); i++) {
		p->v[i].done = p->opening[i] == NULL;
		if (p->v[i].done)
			continue;
		opened(p, i);
		if (p->v[i].repo != NULL)
			event_emit(c->ctx, EVENT_NOTICE, span_str(url_of(c, i)),
			    "it took long to open: all is read once more for it");
		late = late || p->v[i].repo != NULL;
	}
	return late;
}

static void close_places(struct places *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->opening[i] != NULL)
			opened(p, i);
		free(p->v[i].result.anomalies);
	}
	for (size_t i = 0; i + 1 < p->n; i++)
		other_free(p->others[i]);
}

/* The first that has what was asked for: its numbers are the run's. */
static const struct backup_target *first_done(const struct places *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].rc == 0)
			return &p->v[i];
	return &p->v[0];
}

static void places_json(struct cli *c, const struct places *p, json_t *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n; i++) {
		const struct backup_target *t = &p->v[i];
		json_t *x = json_object();

		out_json_str(x, "url", url_of(c, i));
		out_json_str(x, "error", t->rc == -1 ? t->err.msg : NULL);
		if (t->result.has_snapshot)
			out_json_id(x, "snapshot", &t->result.snapshot);
		else
			out_json_str(x, "snapshot", NULL);
		out_json_u64(x, "added_bytes", t->result.stats.added_bytes);
		out_json_u64(x, "repository_bytes", t->result.repo_bytes);
		json_object_set_new(x, "behind", json_boolean(t->behind));
		json_array_append_new(list, x);
	}
	json_object_set_new(o, "repositories", list);
}

static void places_text(struct cli *c, const struct places *p)
{
	char a[32];

	for (size_t i = 0; p->n > 1 && i < p->n; i++) {
		const struct backup_target *t = &p->v[i];

		out_text(
		    c, "%-10s %s: ", t->rc == 0 ? "stored" : "FAILED", out_str(c, url_of(c, i)));
		if (t->rc == -1)
			out_text(c, "%s\n", out_str(c, t->err.msg));
		else if (t->result.has_snapshot)
			out_text(c, "snapshot %s\n", text_id(a, &t->result.snapshot));
		else
			out_text(c, "%s\n", text_bytes(a, t->result.stats.added_bytes));
	}
}

/* For its record in the catalog. */
static void remember(struct cli *c, const struct backup_result *r)
{
	const struct snapshot_stats *s = &r->stats;

	c->ran = (struct cli_ran){.wanted = c->ran.wanted,
	    .begun_ns = c->ran.begun_ns,
	    .files = s->files,
	    .files_new = s->files_new,
	    .files_changed = s->files_changed,
	    .bytes = s->bytes,
	    .bytes_read = s->bytes_read,
	    .added = s->added_bytes,
	    .stored = s->stored_bytes,
	    .errors = s->errors};
	if (r->has_snapshot)
		id_hex(c->ran.snapshot, &r->snapshot);
}

static void report(struct cli *c, const struct places *p)
{
	const struct backup_result *r = &first_done(p)->result;
	char id[ID_HEX];
	json_t *o;

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].result.has_snapshot && p->v[i].rc == 0)
			cli_catalog_note(c, p->v[i].repo, url_of(c, i), &p->v[i].result.snapshot);
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].result.has_snapshot)
			audit_add(c, "snapshots", id_hex(id, &p->v[i].result.snapshot));

	if (!c->out.json) {
		report_text(c, r);
		places_text(c, p);
		return;
	}
	o = result_json(c, r);
	if (p->n > 1)
		places_json(c, p, o);
	out_json(c, "summary", o);
}

/* Problems with files, then with repositories: both are told. */
static int verdict(const struct places *p, struct err *e)
{
	uint64_t errors = first_done(p)->result.stats.errors;
	size_t failed = 0;

	for (size_t i = 0; i < p->n; i++)
		failed += p->v[i].rc == -1;
	if (errors > 0 && failed == 0)
		return err_set(e, ERR_INCOMPLETE, "backup: %llu %s could not be stored",
		    (unsigned long long)errors, text_plural(errors, "thing", "things"));
	if (failed == 0)
		return 0;
	err_set(e, ERR_INCOMPLETE, "backup: %zu of %zu repositories has no snapshot of this run",
	    failed, p->n);
	return err_hint(e, "what it lacks goes there with the next run");
}

/* What cannot be thawed, or taken back, is told at the end: the snapshot is none the worse. */
static int run_frozen(struct cli *c, struct places *places, struct backup_params *p,
    struct cli_freeze *frozen, struct err *left, struct err *e)
{
	struct err why;
	int rc;

	p->places = frozen->places;
	p->nplaces = frozen->nplaces;
	progress_start(c);
	rc = op_backup_many(places->v, places->n, p, c->ctx, e);
	progress_stop(c);
	if (cli_freeze_end(c, frozen, &why) == -1 && left->kind == ERR_NONE)
		*left = why;
	return rc;
}

/* While the late ones are waited for nothing has to stand still: it is frozen anew for them. */
static int run(
    struct cli *c, struct places *places, struct backup_params *p, struct err *left, struct err *e)
{
	struct cli_freeze frozen = {0};
	struct err why;
	int rc = cli_freeze_begin(c, &frozen, e);

	err_clear(left);
	if (rc == -1)
		return -1;
	rc = run_frozen(c, places, p, &frozen, left, e);
	if (!late_places(c, places))
		return rc;
	if (cli_freeze_begin(c, &frozen, &why) == 0 &&
	    run_frozen(c, places, p, &frozen, left, &why) == 0)
		return 0;
	for (size_t i = 0; i < places->n; i++)
		if (!places->v[i].done && places->v[i].rc == 0) { /* refused before its turn */
			places->v[i].rc = -1;
			places->v[i].err = why;
		}
	if (rc == -1)
		*e = why;
	return rc;
}

int cmd_backup(struct cli *c, struct err *e)
{
	struct cli_paths paths = {0};
	struct cli_servers servers = {0};
	struct exclude *x = NULL;
	struct backup_params p;
	struct places *places = mem_zalloc(sizeof *places);
	struct err left;
	int rc = -1;

	if (cli_paths_collect(c, &paths, e) == -1 ||
	    cli_servers_collect(c->system, &servers, e) == -1 || pick_exclude(c, &x, e) == -1 ||
	    open_places(c, places, e) == -1)
		goto out;
	pick_make_absolute(&c->opt.canaries);
	fill(c, &paths, x, &p);
	p.pg = servers.pg;
	p.npg = servers.n;
	warn_excluded(c, &paths, x);
	rc = run(c, places, &p, &left, e);
	if (rc == -1 && e->kind == ERR_CANCELLED && e->hint[0] == '\0')
		err_hint(e, "what was stored is kept: the same command goes on from there");
	if (rc == -1) {
		if (places->n > 1 && !c->out.json)
			places_text(c, places);
		goto out;
	}
	for (size_t i = 0; i + 1 < places->n; i++)
		other_count(c, places->others[i]);
	if (c->first != NULL)
		other_count(c, c->first);
	pick_warn_idle(c, x, false);
	remember(c, &first_done(places)->result);
	report(c, places);
	rc = verdict(places, e);
	if (rc == 0 && left.kind != ERR_NONE) {
		*e = left;
		rc = -1;
	}
out:
	close_places(places);
	free(places);
	exclude_free(x);
	cli_servers_fini(&servers);
	cli_paths_fini(&paths);
	return rc;
}
