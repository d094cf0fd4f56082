/*
 * cli_progress: how far the work is: one line redrawn on a terminal, a line
 * now and then elsewhere, an object a second with --json, and at once when
 * SIGUSR1 asks.  A thread of its own reads the counters in ctx.
 *
 * Threads: start and stop by the command's.
 */
#include "cli/cli_out.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"

enum { TICK_MS = 125, TICKS_JSON = 8, TICKS_PLAIN = 80 };

struct progress_thread {
	struct cli *c;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	int64_t begun_ns;
};

struct look {
	uint64_t files, bytes, total_files, total_bytes, errors, stored;
	bool known;
	double seconds, left; /* left: -1 where it isn't known */
	const char *phase;
	char item[256];
};

/* Share done, or -1 while that isn't known. */
static double share(const struct look *l)
{
	double v = -1;

	if (!l->known)
		return -1;
	if (l->total_bytes)
		v = (double)l->bytes / (double)l->total_bytes;
	else if (l->total_files)
		v = (double)l->files / (double)l->total_files;
	return v > 1 ? 1 : v;
}

static double by_class(const struct progress *p, double seconds)
{
	struct eta_input in = {.seconds = seconds, .threads = p->threads};

	for (int i = 0; i < ETA_CLASSES; i++) {
		const struct progress_class *c = &p->class[i];

		in.class[i] = (struct eta_class){
		    c->files, c->bytes, c->total_files, c->total_bytes, (double)c->busy_ns / 1e9};
	}
	return eta_total(&in);
}

/* Seconds left: by classes of files where they are counted, else by the share done. */
static double forecast(const struct progress *p, const struct look *l)
{
	double done = share(l), total;

	if (done <= 0.005 || l->seconds < 2)
		return -1;
	total = p->threads ? by_class(p, l->seconds) : l->seconds / done;
	return total < l->seconds ? -1 : total - l->seconds;
}

static void look(struct progress_thread *t, struct look *l)
{
	struct ctx *ctx = t->c->ctx;
	struct progress *p = &ctx->progress;

	l->files = p->files;
	l->bytes = p->bytes;
	l->total_files = p->total_files;
	l->total_bytes = p->total_bytes;
	l->errors = p->errors;
	l->stored = p->stored_bytes;
	l->known = p->total_known;
	l->phase = p->phase;
	l->seconds = (double)(ctx->clock->mono_ns(ctx->clock) - t->begun_ns) / 1e9;
	l->left = forecast(p, l);
	ctx_item_get(ctx, l->item, sizeof l->item);
}

static void compose(struct buf *b, const struct look *l)
{
	char t[32];
	double done = share(l);

	if (l->phase)
		buf_printf(b, "%s: ", l->phase);
	if (done >= 0)
		buf_printf(b, "%d %%, ", (int)(done * 100));
	if (l->files || l->total_files) {
		buf_printf(b, "%s", text_count(t, l->files));
		if (l->known && l->total_files)
			buf_printf(b, " of %s", text_count(t, l->total_files));
		buf_printf(b, " files, ");
	}
	buf_printf(b, "%s", text_bytes(t, l->bytes));
	if (l->known && l->total_bytes)
		buf_printf(b, " of %s", text_bytes(t, l->total_bytes));
	if (l->seconds >= 1 && l->bytes)
		buf_printf(b, ", %s/s", text_bytes(t, (uint64_t)((double)l->bytes / l->seconds)));
	if (l->left >= 0)
		buf_printf(b, ", %s left", text_seconds(t, l->left));
	else
		buf_printf(b, ", %s", text_seconds(t, l->seconds));
	if (l->errors)
		buf_printf(b, ", %s %s", text_count(t, l->errors),
		    text_plural(l->errors, "error", "errors"));
	if (l->item[0]) {
		buf_printf(b, "  ");
		text_escape(b, span_str(l->item));
	}
}

static void tell_json(struct progress_thread *t, const struct look *l)
{
	json_t *o = json_object();
	double done = share(l);

	out_json_str(o, "phase", l->phase);
	json_object_set_new(o, "percent", done < 0 ? json_null() : json_real(done * 100));
	out_json_u64(o, "files", l->files);
	out_json_u64(o, "bytes", l->bytes);
	out_json_u64(o, "total_files", l->total_files);
	out_json_u64(o, "total_bytes", l->total_bytes);
	json_object_set_new(o, "total_known", json_boolean(l->known));
	out_json_u64(o, "stored_bytes", l->stored);
	out_json_u64(o, "errors", l->errors);
	json_object_set_new(o, "seconds", json_real(l->seconds));
	json_object_set_new(o, "seconds_left", l->left < 0 ? json_null() : json_real(l->left));
	if (l->item[0])
		out_json_path(o, "item", span_str(l->item));
	out_json(t->c, "status", o);
}

static void tell(struct progress_thread *t, bool draw)
{
	struct look l;
	struct buf b = {0};

	look(t, &l);
	if (t->c->out.json) {
		tell_json(t, &l);
		return;
	}
	compose(&b, &l);
	if (draw) {
		b.n = text_cut(buf_span(&b), (size_t)text_columns(2) - 1);
		out_draw(t->c, buf_cstr(&b));
	} else {
		out_line(t->c, buf_cstr(&b));
	}
	buf_fini(&b);
}

/* Sleep for a tick; false when it is time to stop. */
static bool tick(struct progress_thread *t)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&t->lock);
	if (!t->stop)
		pthread_cond_timedwait(&t->wake, &t->lock, &until);
	stop = t->stop;
	pthread_mutex_unlock(&t->lock);
	return !stop;
}

static void *run(void *arg)
{
	struct progress_thread *t = arg;
	struct cli *c = t->c;

	for (unsigned n = 1; tick(t); n++) {
		if (c->ask && atomic_exchange(c->ask, false)) {
			c->ctx->progress.wanted = true;
			tell(t, false);
		} else if (c->out.json) {
			if (n % TICKS_JSON == 0 && !c->out.quiet)
				tell(t, false);
		} else if (!c->out.quiet && c->out.err_tty) {
			tell(t, true);
		} else if (!c->out.quiet && n % TICKS_PLAIN == 0) {
			tell(t, false);
		}
	}
	return NULL;
}

static void thread_free(struct progress_thread *t)
{
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void progress_start(struct cli *c)
{
	struct progress_thread *t = mem_zalloc(sizeof *t);
	pthread_condattr_t attr;

	t->c = c;
	t->begun_ns = c->ctx->clock->mono_ns(c->ctx->clock);
	c->ctx->progress.wanted = c->out.err_tty || c->out.json;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&t->thread, NULL, run, t) != 0) {
		thread_free(t);
		return;
	}
	c->progress = t;
}

void progress_stop(struct cli *c)
{
	struct progress_thread *t = c->progress;

	if (t == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	thread_free(t);
	c->progress = NULL;
	out_draw(c, "");
}
