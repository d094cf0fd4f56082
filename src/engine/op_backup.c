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

static int open_source(struct backup *b, const struct bpaths *paths, struct err *e)
{
	const struct backup_params *p = b->p;
	const char *never[2 * WRITER_SET_MAX];
	struct files_params f = {
	    .paths = (const char *const *)paths->present,
	    .npaths = paths->npresent,
	    .exclude = p->exclude,
	    .exclude_caches = p->exclude_caches,
	    .one_file_system = p->one_file_system,
	    .never = never,
	    .places = p->places,
	    .nplaces = p->nplaces,
	};

	for (size_t i = 0; i < b->ntargets; i++) {
		const char *url = repo_url(b->targets[i]->repo);

		never[f.nnever++] = strncmp(url, "fs:", 3) == 0 ? url + 3 : url;
		if (repo_cache_dir(b->targets[i]->repo) != NULL)
			never[f.nnever++] = repo_cache_dir(b->targets[i]->repo);
	}
	if (p->stdin_name != NULL)
		return source_stream_open(p->stdin_fd, p->stdin_name, b->ctx, &b->source, e);
	if (p->count) {
		b->count_ctx.clock = b->ctx->clock;
		if (source_files_open(&f, &b->count_ctx, &b->counted, e) == -1)
			b->counted = NULL;
	}
	return source_files_open(&f, b->ctx, &b->source, e);
}

/* ---- Threads. */

static void worker_init(struct bworker *w, struct backup *b)
{
	memset(w, 0, sizeof *w);
	w->b = b;
	w->lane = writer_lane_new(b->writer);
	w->tree = backup_tree_new();
	w->content = content_writer_new(writer_tree_put, w->lane);
	w->reader = reader_new(b->repo);
}

static void worker_fini(struct bworker *w)
{
	writer_lane_free(w->lane);
	backup_tree_free(w->tree);
	content_writer_free(w->content);
	reader_free(w->reader);
	buf_fini(&w->hold);
	free(w->data);
}

/* Nothing more comes: let them finish what there is. */
static void end_workers(struct backup *b, unsigned started)
{
	pthread_mutex_lock(&b->queue_lock);
	b->walked = true;
	pthread_cond_broadcast(&b->queue_more);
	pthread_mutex_unlock(&b->queue_lock);
	for (unsigned i = 0; i < started; i++)
		pthread_join(b->workers[i].thread, NULL);
	for (unsigned i = 0; i < b->nworkers; i++)
		worker_fini(&b->workers[i]);
	free(b->workers);
}

/* The walker is this thread; workers read. */
static int run_threads(struct backup *b, struct err *e)
{
	unsigned n = os_workers(b->p->jobs), started = 0;
	struct bworker walker;
	pthread_t counter;
	bool counting = b->counted != NULL &&
			pthread_create(&counter, NULL, backup_count_main, b) == 0;
	int rc = 0;

	b->ctx->progress.threads = n;
	worker_init(&walker, b);
	b->workers = mem_zalloc(n * sizeof *b->workers);
	for (; b->nworkers < n; b->nworkers++)
		worker_init(&b->workers[b->nworkers], b);
	for (; started < n && rc == 0; started++)
		if (pthread_create(&b->workers[started].thread, NULL, backup_worker_main,
			&b->workers[started]) != 0) {
			rc = err_set(e, ERR_FAILED, "cannot start a thread");
			break;
		}
	if (rc == 0)
		rc = backup_walk(&walker, e);
	if (rc == -1)
		backup_fail(b, e);
	end_workers(b, started);
	if (writer_lane_flush(walker.lane, e) == -1)
		backup_fail(b, e);
	pthread_mutex_lock(&b->queue_lock);
	b->count_stop = true;
	pthread_cond_signal(&b->count_wake);
	pthread_mutex_unlock(&b->queue_lock);
	if (counting)
		pthread_join(counter, NULL);
	worker_fini(&walker);
	return 0;
}

/* ---- The snapshot. */

static char **copy_texts(const char *const *v, size_t n)
{
	char **out = mem_zalloc(n * sizeof *out);

	for (size_t i = 0; i < n; i++)
		out[i] = mem_strdup(v[i]);
	return out;
}

static struct snapshot *new_snapshot(struct backup *b, const struct bpaths *paths)
{
	const struct backup_params *p = b->p;
	struct snapshot *s = mem_zalloc(sizeof *s);
	struct clock *clock = os_clock_of(b->ctx);
	const char *stdin_path[1];
	char user[128], *name = NULL;

	os_user(user, sizeof user);
	s->start_ns = clock->wall_ns(clock);
	s->host = mem_strdup(p->host ? p->host : os_host());
	s->user = mem_strdup(user);
	s->system = p->system ? mem_strdup(p->system) : NULL;
	s->tags = copy_texts(p->tags, p->ntags);
	s->ntags = p->ntags;
	s->excludes = copy_texts(p->exclude_texts, p->nexclude_texts);
	s->nexcludes = p->nexclude_texts;
	s->parts = mem_zalloc(sizeof *s->parts);
	s->nparts = 1;
	s->parts[0].name = mem_strdup(p->stdin_name ? "stdin" : "files");
	s->parts[0].kind = mem_strdup(p->stdin_name ? "stdin" : "files");
	if (p->stdin_name != NULL) {
		stdin_path[0] = name = mem_printf("/%s", p->stdin_name);
		s->parts[0].paths = copy_texts(stdin_path, 1);
		s->parts[0].npaths = 1;
	} else {
		s->parts[0].paths = copy_texts((const char *const *)paths->v, paths->n);
		s->parts[0].npaths = paths->n;
	}
	snapshot_group(b->repo, s->host, s->system, (const char *const *)s->parts[0].paths,
	    s->parts[0].npaths, s->group);
	free(name);
	return s;
}

static void fill_stats(struct backup *b, struct snapshot *s)
{
	struct snapshot_part *p = &s->parts[0];

	p->stats = (struct snapshot_stats){
	    .files = b->files,
	    .dirs = b->dirs,
	    .others = b->others,
	    .files_new = b->files_new,
	    .files_changed = b->files_changed,
	    .files_unchanged = b->files_unchanged,
	    .bytes = b->bytes,
	    .bytes_read = b->bytes_read,
	    .errors = b->nfailed,
	};
	p->errors = mem_dup(b->errors, b->nerrors * sizeof *b->errors);
	p->nerrors = b->nerrors;
	b->nerrors = 0; /* moved */
	p->outcome = b->nfailed ? SNAPSHOT_INCOMPLETE : SNAPSHOT_COMPLETE;
	p->has_tree = true;
	p->tree = b->tree;
}

/* Everything after the source and the caches are open. */
static void run(struct backup *b, struct snapshot *s)
{
	struct clock *clock = os_clock_of(b->ctx);
	struct err e;

	run_threads(b, &e);
	if (backup_stopping(b)) {
		backup_targets_stop(b);
		return;
	}
	fill_stats(b, s);
	backup_stored(b, 0, &s->parts[0].stats);
	backup_anomalies(b, s);
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

	if (p->stdin_name == NULL && backup_paths_gather(b, &paths, &e) == -1) {
		for (size_t i = 0; i < n; i++) {
			targets[i]->rc = -1;
			targets[i]->err = e;
		}
		goto out;
	}
	open_targets(b, targets, n);
	if (b->ntargets == 0)
		goto out;
	if (open_source(b, &paths, &e) == -1) {
		fail_all(b, &e);
		goto out;
	}
	s = new_snapshot(b, &paths);
	backup_open_cache(b, s);
	if (s->has_parent)
		writer_increment(b->writer);
	backup_create_cache(b, s);
	backup_keep_journal(b, s);
	run(b, s);
	close_targets(b, began);
out:
	snapshot_free(s);
	backup_paths_fini(&paths);
	backup_free(b);
}
