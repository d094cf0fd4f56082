/*
 * backup_targets: see backup_internal.h.  Each target ends in a thread of its own: one that is
 * slow, or does not answer, has nobody behind it who waits for a snapshot.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/backup_internal.h"

struct ending {
	struct backup *b;
	size_t i;
	const struct snapshot *s; /* NULL: the run was cut short */
	bool alone;               /* it has a thread */
	pthread_t thread;
};

void backup_stored(const struct backup *b, size_t i, struct snapshot_stats *st)
{
	struct writer_stats *ws = writer_stats(b->writers[i]);

	st->added_bytes = ws->added_bytes;
	st->stored_bytes = ws->stored_bytes;
	st->content_added = ws->content_added;
	st->content_stored = ws->content_stored;
}

static void add(struct snapshot_stats *sum, const struct snapshot_stats *st)
{
	sum->files += st->files;
	sum->dirs += st->dirs;
	sum->others += st->others;
	sum->files_new += st->files_new;
	sum->files_changed += st->files_changed;
	sum->files_unchanged += st->files_unchanged;
	sum->bytes += st->bytes;
	sum->bytes_read += st->bytes_read;
	sum->errors += st->errors;
}

/* Of all parts together. */
static void fill_result(
    const struct backup *b, size_t i, struct backup_target *t, const struct snapshot *s)
{
	struct backup_result *out = &t->result;

	out->stats = (struct snapshot_stats){0};
	out->outcome = SNAPSHOT_COMPLETE;
	for (size_t k = 0; k < s->nparts; k++) {
		add(&out->stats, &s->parts[k].stats);
		if (s->parts[k].outcome != SNAPSHOT_COMPLETE)
			out->outcome = SNAPSHOT_INCOMPLETE;
	}
	backup_stored(b, i, &out->stats);
	out->has_parent = s->has_parent;
	out->parent = s->parent;
	if (s->nanomalies > 0)
		out->anomalies = mem_dup(s->anomalies, s->nanomalies * sizeof *s->anomalies);
	out->nanomalies = s->nanomalies;
}

/* The logs of a run's servers, put while the writer ends its packs. */
struct logging {
	struct backup *b;
	size_t i;
	struct snapshot *s; /* learns their streams */
	bool wanted, alone;
	pthread_t thread;
	int rc;
	struct err err;
};

static void *put_logs(void *arg)
{
	struct logging *x = arg;

	for (size_t k = 0; k < x->s->nparts && x->rc == 0; k++)
		if (x->s->parts[k].has_log)
			x->rc = backup_pg_logs(x->b, &x->b->parts[k], &x->s->parts[k],
			    x->b->targets[x->i]->repo, &x->err);
	return NULL;
}

static void begin_logs(struct logging *x)
{
	for (size_t k = 0; k < x->s->nparts; k++)
		x->wanted |= x->s->parts[k].has_log && !x->b->p->dry_run;
	x->alone = x->wanted && pthread_create(&x->thread, NULL, put_logs, x) == 0;
}

/* Each log is there before the snapshot that needs it. */
static int end_logs(struct logging *x, struct err *e)
{
	if (x->alone)
		pthread_join(x->thread, NULL);
	else if (x->wanted)
		put_logs(x);
	if (x->rc == -1)
		*e = x->err;
	return x->rc;
}

static int commit(struct backup *b, size_t i, struct snapshot *s, struct err *e)
{
	struct backup_target *t = b->targets[i];

	if (s->nparts == 1)
		backup_stored(b, i, &s->parts[0].stats);
	fill_result(b, i, t, s);
	if (b->p->dry_run)
		return 0;
	/* Asked to stop while the last packs went out: they are kept, the snapshot is not made. */
	if (ctx_check(b->ctx, e) == -1 || writer_commit(b->writers[i], s, e) == -1)
		return -1;
	t->result.has_snapshot = true;
	t->result.snapshot = s->id;
	return 0;
}

static void finish(struct backup *b, size_t i, const struct snapshot *run)
{
	struct backup_target *t = b->targets[i];
	struct snapshot s = *run; /* its own numbers and id; the texts are all the run's */
	struct logging logging = {.b = b, .i = i, .s = &s};
	struct err e;

	s.parts = mem_dup(run->parts, run->nparts * sizeof *run->parts);
	s.has_parent = run->has_parent && i == 0; /* which is a snapshot of the first */
	t->behind = t->behind || writer_lost(b->writers[i], NULL) == WRITER_BEHIND;
	begin_logs(&logging);
	t->rc = b->p->dry_run ? 0 : writer_finish(b->writers[i], &t->err);
	if (end_logs(&logging, &e) == -1 && t->rc == 0) {
		t->rc = -1;
		t->err = e;
	}
	if (t->rc == 0)
		t->rc = commit(b, i, &s, &t->err);
	if (t->rc == 0 && i == 0 && !b->p->dry_run) {
		backup_commit_cache(b, &s);
		backup_remember(b);
	}
	free(s.parts);
}

static void stop(struct backup *b, size_t i)
{
	struct backup_target *t = b->targets[i];
	struct err later;

	t->rc = -1;
	if (atomic_load(&b->failed))
		t->err = b->err;
	else
		ctx_check(b->ctx, &t->err);
	if (writer_lost(b->writers[i], &t->err) == WRITER_WHOLE && !b->p->dry_run &&
	    writer_finish(b->writers[i], &later) == -1)
		event_emit(b->ctx, EVENT_WARNING, span_of(NULL, 0), "%s", later.msg);
}

static void *end_main(void *arg)
{
	struct ending *x = arg;

	if (x->s != NULL)
		finish(x->b, x->i, x->s);
	else
		stop(x->b, x->i);
	return NULL;
}

static void end_all(struct backup *b, const struct snapshot *s)
{
	struct ending x[WRITER_SET_MAX];

	for (size_t i = 0; i < b->ntargets; i++) {
		x[i] = (struct ending){.b = b, .i = i, .s = s};
		x[i].alone = b->ntargets > 1 &&
			     pthread_create(&x[i].thread, NULL, end_main, &x[i]) == 0;
	}
	for (size_t i = 0; i < b->ntargets; i++)
		if (!x[i].alone)
			end_main(&x[i]);
	for (size_t i = 0; i < b->ntargets; i++)
		if (x[i].alone)
			pthread_join(x[i].thread, NULL);
}

void backup_targets_finish(struct backup *b, const struct snapshot *s)
{
	end_all(b, s);
}

void backup_targets_stop(struct backup *b)
{
	end_all(b, NULL);
}
