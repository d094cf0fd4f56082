/*
 * backup_pg_stream: a server's files over its connection; see backup_pg_priv.h.  From PostgreSQL 17
 * on a server with summarize_wal keeps account of which blocks its WAL changed, and sends those
 * that changed since a manifest.  Ours is made of the parent's tree, however that came to be, and
 * what is not sent is taken from it: the snapshot is a full one.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "engine/backup_pg_priv.h"
#include "os/os.h"
#include "os/os_scratch.h"

enum { INCREMENTS_FROM = 170000, CONNECT_S = 10, CLOSING = 50 };
static const int64_t CLOSING_NS = 100000000;

/* What was streamed takes as much room as the server's files, for as long as the run. */
static int room_for(const struct backup_pg_run *run, const char *dir, struct err *e)
{
	char *text;
	struct statvfs v;
	uint64_t need;
	struct err ignored;

	if (pg_text(run->s.g,
		"select sum(pg_database_size(oid)) from pg_database "
		"where has_database_privilege(oid, 'connect')",
		NULL, 0, &text, &ignored) == -1 ||
	    text == NULL)
		return 0;
	need = strtoull(text, NULL, 10);
	free(text);
	if (statvfs(dir, &v) == -1 || (uint64_t)v.f_bavail * v.f_frsize > need + need / 10)
		return 0;
	err_set(e, ERR_NO_SPACE, "%s has no room for the %llu MiB that come over the connection",
	    dir, (unsigned long long)(need >> 20));
	return err_hint(e, "HOLDFAST_CACHE_DIR names another folder; or run on the server's host");
}

static int new_scratch(struct backup_pg_run *run, struct err *e)
{
	char *cache = os_cache_dir(), *dir = mem_printf("%s/streams", cache);

	run->scratch = os_scratch_new(dir, "postgresql", e);
	free(dir);
	free(cache);
	return run->scratch == NULL ? -1 : 0;
}

/*
 * One connection more, for what the server streams.  One that was closed just now may still count;
 * then the one that keeps the slot has to go: WAL may stay without it.
 */
static int open_line(struct backup_pg_run *run, struct pg **out, struct err *e)
{
	int left = run->closed ? CLOSING : 0;
	bool full;

	while (pg_open_full(run->pg->target, true, CONNECT_S, run->b->ctx, out, &full, e) == -1) {
		if (!full || (left == 0 && run->beside == NULL))
			return -1;
		if (left-- == 0) {
			pg_close(run->beside);
			run->beside = NULL;
			left = CLOSING;
		}
		os_sleep_ns(run->b->ctx, CLOSING_NS); /* the server has to notice */
	}
	run->closed = true; /* before the next */
	return 0;
}

static int fetch(struct backup_pg_run *run, struct span manifest, struct err *e)
{
	struct pg_stream_params p = {
	    .dir = run->scratch, .manifest = manifest, .relation = run->s.relation};
	int rc;

	if (open_line(run, &p.g, e) == -1)
		return err_wrap(e, "base backup over the connection");
	backup_pg_go(run); /* facts have what connections are left */
	rc = pg_stream_fetch(&p, &run->streamed, e);
	pg_close(p.g);
	return rc;
}

/* ---- Increments. */

static int does_account(struct backup_pg_run *run, struct err *e)
{
	char *on;
	bool yes;

	if (pg_text(run->s.g, "select current_setting('summarize_wal')", NULL, 0, &on, e) == -1)
		return -1;
	yes = on != NULL && strcmp(on, "on") == 0;
	free(on);
	if (yes)
		return 0;
	err_set(e, ERR_UNSUPPORTED, "summarize_wal is off");
	return err_hint(e, "alter system set summarize_wal = on; select pg_reload_conf()");
}

/* As backup_map's, of what does not need the server's files. */
static int same_server(
    const struct backup_pg_run *run, const struct snapshot_part *old, struct err *e)
{
	json_t *all = old->facts ? json_loads(old->facts, 0, NULL) : NULL;
	const json_t *facts = json_object_get(all, "postgresql");
	const char *system = json_string_value(json_object_get(facts, "system_identifier"));
	bool same = system != NULL && strtoull(system, NULL, 10) == run->s.system && old->has_log;
	bool sums = json_is_true(json_object_get(facts, "checksums")) == run->s.checksums;

	json_decref(all);
	if (!same)
		return err_set(e, ERR_ABSENT, "the parent is of another server");
	if (!sums)
		return err_set(e, ERR_ABSENT, "checksums of pages were turned on or off");
	return 0;
}

static int same_past(struct backup_pg_run *run, const struct snapshot_part *old, struct err *e)
{
	struct pg *line;
	int rc = open_line(run, &line, e);

	if (rc == 0) {
		rc = backup_older_same_past(old, run->s.g, line, e);
		pg_close(line);
	}
	return rc;
}

static int make_manifest(
    struct backup_pg_run *run, const struct snapshot *s, struct buf *out, struct err *e)
{
	const struct snapshot_part *old;

	if (does_account(run, e) == -1 ||
	    snapshot_load(run->b->repo, &s->parent, &run->parent, e) == -1)
		return -1;
	old = backup_pg_same_part(run->parent, run);
	if (old == NULL)
		return err_set(e, ERR_ABSENT, "the parent has nothing of this server");
	if (same_server(run, old, e) == -1 || same_past(run, old, e) == -1)
		return -1;
	if (!backup_pg_take_bad(run, old))
		return err_set(e, ERR_FAILED, "too many of its pages were wrong");
	run->older = backup_older_new(run->b->repo, run->parent, old);
	return backup_older_manifest(run->older, run->s.system, run->was_bad, run->b->ctx, out, e);
}

/* Everything is to come after all. */
static int forget_increment(struct backup_pg_run *run, struct err *e)
{
	backup_older_free(run->older);
	run->older = NULL;
	if (os_scratch_remove(run->scratch, e) == -1)
		return -1;
	free(run->scratch);
	run->scratch = NULL;
	return new_scratch(run, e);
}

/* 1: it came; 0: all has to come. */
static int fetch_increment(struct backup_pg_run *run, const struct snapshot *s, struct err *e)
{
	struct buf manifest = {0};
	int rc = make_manifest(run, s, &manifest, e);

	if (rc == 0)
		rc = fetch(run, buf_span(&manifest), e);
	buf_fini(&manifest);
	if (rc == 0)
		return 1;
	if (e->kind == ERR_CANCELLED || e->kind == ERR_UNREACHABLE || e->kind == ERR_TIMEOUT ||
	    e->kind == ERR_NO_SPACE)
		return -1;
	event_emit(run->b->ctx, EVENT_NOTICE, span_str(run->pg->part),
	    "all of it comes over the connection, not only what changed: %s%s%s", e->msg,
	    e->hint[0] ? ": " : "", e->hint);
	return forget_increment(run, e);
}

int backup_pg_stream(struct backup_pg_run *run, const struct snapshot *s, struct err *e)
{
	int came = 0;

	if (pg_session_has_pages(&run->s, e) == -1 || new_scratch(run, e) == -1)
		return -1;
	if (s->has_parent && run->s.version >= INCREMENTS_FROM)
		came = fetch_increment(run, s, e);
	if (came != 0)
		return came == -1 ? -1 : 0;
	if (room_for(run, run->scratch, e) == -1)
		return -1;
	return fetch(run, (struct span){0}, e);
}
