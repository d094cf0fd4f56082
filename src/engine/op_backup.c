/*
 * op_backup: one run from source to snapshot.  See backup_internal.h for
 * how its threads share the work.
 */
#include "engine/op_backup.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_internal.h"
#include "engine/history.h"
#include "os/os.h"

void backup_fail(struct backup *b, const struct err *e)
{
	pthread_mutex_lock(&b->result_lock);
	if (!atomic_load(&b->failed)) {
		b->err = *e;
		atomic_store(&b->failed, true);
	}
	pthread_mutex_unlock(&b->result_lock);
}

bool backup_stopping(struct backup *b)
{
	return atomic_load_explicit(&b->failed, memory_order_relaxed) ||
	       atomic_load_explicit(&b->ctx->cancel, memory_order_relaxed);
}

void backup_problem(struct backup *b, const char *path, const struct err *e)
{
	event_emit(b->ctx, EVENT_FILE_FAILED, span_str(path), "%s", e->msg);
	atomic_fetch_add(&b->nfailed, 1);
	atomic_fetch_add(&b->ctx->progress.errors, 1);
	pthread_mutex_lock(&b->result_lock);
	if (b->nerrors < ERRORS_KEPT) {
		b->errors[b->nerrors].path = mem_strdup(path);
		b->errors[b->nerrors].message = mem_strdup(e->msg);
		b->nerrors++;
	}
	pthread_mutex_unlock(&b->result_lock);
}

char *backup_path(const struct bdir *d, const struct bentry *en)
{
	const char *dir = d->src->path;

	return mem_printf("%s/%s", strcmp(dir, "/") == 0 ? "" : dir, bentry_name(d, en));
}

/* ---- The snapshot. */

static struct snapshot *new_snapshot(struct backup *b, struct bpaths *paths)
{
	const struct backup_params *p = b->p;
	struct snapshot *s = mem_zalloc(sizeof *s);
	struct clock *clock = os_clock_of(b->ctx);
	char user[128];

	os_user(user, sizeof user);
	s->start_ns = clock->wall_ns(clock);
	s->host = mem_strdup(p->host ? p->host : os_host());
	s->user = mem_strdup(user);
	s->system = p->system ? mem_strdup(p->system) : NULL;
	s->tags = backup_copy_texts(p->tags, p->ntags);
	s->ntags = p->ntags;
	s->excludes = backup_copy_texts(p->exclude_texts, p->nexclude_texts);
	s->nexcludes = p->nexclude_texts;
	backup_parts_new(b, s, paths);
	snapshot_group(b->repo, s->host, s->system, (const char *const *)s->parts[0].paths,
	    s->parts[0].npaths, s->group);
	return s;
}

/* Everything after the repositories are open. */
static void run(struct backup *b, struct snapshot *s)
{
	struct clock *clock = os_clock_of(b->ctx);

	backup_parts_run(b, s);
	if (backup_stopping(b)) {
		backup_targets_stop(b);
		return;
	}
	s->end_ns = clock->wall_ns(clock);
	backup_targets_finish(b, s);
}

/* Those whose repository can be written to take part. */
static void open_targets(struct backup *b, struct backup_target **targets, size_t n)
{
	struct writer_params wp = {.codec = b->p->codec,
	    .level = b->p->level,
	    .dry_run = b->p->dry_run,
	    .lanes = os_workers(b->p->jobs),
	    .patience_ns = b->p->patience_ns};

	for (size_t i = 0; i < n; i++) {
		struct backup_target *t = targets[i];
		struct writer *w;

		t->rc = -1;
		/* Marks are listed before anything is looked up (format.md 10). */
		if (history_look_back(t->repo, b->ctx, &t->err) == -1 ||
		    writer_begin(t->repo, &wp, &w, &t->err) == -1)
			continue;
		if (b->ntargets > 0 && writer_follow(b->writer, w, &t->err) == -1) {
			writer_free(w);
			continue;
		}
		if (b->ntargets == 0) {
			b->repo = t->repo;
			b->writer = w;
		}
		b->writers[b->ntargets] = w;
		b->targets[b->ntargets++] = t;
	}
}

static void fail_all(struct backup *b, const struct err *e)
{
	for (size_t i = 0; i < b->ntargets; i++) {
		b->targets[i]->rc = -1;
		b->targets[i]->err = *e;
	}
}

static void close_targets(struct backup *b, int64_t began)
{
	for (size_t i = 0; i < b->ntargets; i++) {
		struct backup_result *out = &b->targets[i]->result;
		struct writer_stats *ws = writer_stats(b->writers[i]);

		out->resumed_bytes = ws->resumed_bytes;
		out->repo_bytes = ws->object_bytes;
		out->seconds = (double)(b->clock->mono_ns(b->clock) - began) / 1e9;
	}
}

void backup_pass(
    struct backup_target **targets, size_t n, const struct backup_params *p, struct ctx *ctx)
{
	struct backup *b = backup_new(targets[0]->repo, p, ctx);
	int64_t began = b->clock->mono_ns(b->clock);
	struct bpaths paths = {0};
	struct snapshot *s = NULL;
	struct err e;

	if (p->npaths > 0 && backup_paths_gather(b, &paths, &e) == -1 && p->npg == 0) {
		for (size_t i = 0; i < n; i++) {
			targets[i]->rc = -1;
			targets[i]->err = e;
		}
		goto out;
	}
	open_targets(b, targets, n);
	if (b->ntargets == 0)
		goto out;
	s = new_snapshot(b, &paths);
	if (p->npg == 0 && backup_files_open(b, &e) == -1) {
		fail_all(b, &e);
		goto out;
	}
	backup_keep_journal(b, s);
	run(b, s);
	close_targets(b, began);
out:
	snapshot_free(s);
	backup_paths_fini(&paths);
	backup_free(b);
}
