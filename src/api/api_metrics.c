/* api_metrics: see api_metrics.h. */
#include "api/api_metrics.h"

#include <string.h>

#include "api/api_route.h"
#include "base/hex.h"

enum of { OF_ALL, OF_SYSTEM, OF_KIND, OF_QUEUE, OF_BUILD, OF_ANSWERS };

/* What one sample is of: one of these, by the metric's `of`. */
struct subject {
	const struct api_survey *s;
	const struct metrics_more *more;
	const struct survey_system *system;
	const struct run_latest *kind;
	const struct survey_queue *queue;
};

/* false: not known */
typedef bool getter(const struct subject *x, double *v);

static bool seconds(int64_t ns, double *v)
{
	*v = (double)ns / 1e9;
	return ns > 0;
}

static bool age(int64_t ns, double *v)
{
	*v = (double)ns / 1e9;
	return ns >= 0;
}

#define GET(name, expression)                                                                      \
	static bool name(const struct subject *x, double *v)                                       \
	{                                                                                          \
		return expression;                                                                 \
	}
#define VALUE(name, expression) GET(name, (*v = (double)(expression), true))
#define COUNTER(name, member)                                                                      \
	GET(name, x->more->counters != NULL && (*v = (double)x->more->counters->member, true))

VALUE(get_one, 1)
VALUE(get_ready, x->more->ready)
GET(get_started, seconds(x->more->started_ns, v))
VALUE(get_systems, x->s->nsystems)
VALUE(get_running, x->s->running)
COUNTER(get_connections, connections)
COUNTER(get_streams, streams)
COUNTER(get_refused, refused_tokens)
COUNTER(get_limited, limited)
COUNTER(get_slow, slow)
GET(get_rpo_age, age(x->system->rpo_age_ns, v))
GET(get_rpo_target, age(x->system->rpo_ns, v))
GET(get_verify_age, age(x->system->verify_age_ns, v))
GET(get_drill_age, age(x->system->drill_age_ns, v))
GET(get_verify_target, age(x->system->verify_ns, v))
GET(get_next, seconds(x->system->next_ns, v))
VALUE(get_declared, x->system->declared)
#define RECEIVER(name, expression)                                                                 \
	GET(name, x->system->receiver.state != NULL && (*v = (double)(expression), true))
RECEIVER(get_receiving, strcmp(x->system->receiver.state, "streaming") == 0)
RECEIVER(get_log_lag, (double)x->system->receiver.lag_ns / 1e9)
RECEIVER(get_log_lag_bytes, x->system->receiver.lag_bytes)
RECEIVER(get_log_slot, x->system->receiver.slot_bytes)
RECEIVER(get_log_spool, x->system->receiver.spool_bytes)
RECEIVER(get_log_gaps, x->system->receiver.gaps)
RECEIVER(get_spool_acks, x->system->receiver.spool_acks)
RECEIVER(get_sync_missing, x->system->receiver.promised && !x->system->receiver.synchronous)
GET(get_success, x->kind->success_id != 0 && seconds(x->kind->success_started_ns, v))
GET(get_success_age,
    x->kind->success_id != 0 &&
	age(x->s->now_ns < x->kind->success_started_ns ? 0
						       : x->s->now_ns - x->kind->success_started_ns,
	    v))
GET(get_ended, seconds(x->kind->last_ended_ns, v))
VALUE(get_last_good, x->kind->last_status == RUN_COMPLETED || x->kind->last_status == RUN_PROBLEMS)
GET(get_duration,
    x->kind->success_id != 0 && age(x->kind->success_ended_ns - x->kind->success_started_ns, v))
GET(get_bytes, x->kind->success_id != 0 && (*v = (double)x->kind->bytes, true))
GET(get_stored, x->kind->success_id != 0 && (*v = (double)x->kind->stored, true))
GET(get_files, x->kind->success_id != 0 && (*v = (double)x->kind->files, true))
VALUE(get_in_row, x->kind->failed_in_row)
VALUE(get_runs, x->kind->runs)
VALUE(get_failures, x->kind->failures)
VALUE(get_queue_running, x->queue->running)
VALUE(get_queue_waiting, x->queue->queued)

/* clang-format off */
static const struct metric {
	const char *name, *type, *help;
	enum of of;
	getter *get;
} metrics[] = {
    {"holdfast_up", "gauge", "1: the daemon answers.", OF_ALL, get_one},
    {"holdfast_ready", "gauge", "1: the daemon does what is declared.", OF_ALL, get_ready},
    {"holdfast_build_info", "gauge", "The version, as a label.", OF_BUILD, get_one},
    {"holdfast_start_time_seconds", "gauge", "When the daemon began.", OF_ALL, get_started},
    {"holdfast_systems", "gauge", "Systems that are declared or recorded.", OF_ALL, get_systems},
    {"holdfast_running_runs", "gauge", "Runs that run.", OF_ALL, get_running},
    {"holdfast_queue_running", "gauge", "Runs of this queue that run.", OF_QUEUE, get_queue_running},
    {"holdfast_queue_length", "gauge", "Runs of this queue that wait.", OF_QUEUE, get_queue_waiting},
    {"holdfast_system_declared", "gauge", "1: the configuration names the system.", OF_SYSTEM, get_declared},
    {"holdfast_rpo_age_seconds", "gauge", "Work that would be lost now: since the last good backup began.", OF_SYSTEM, get_rpo_age},
    {"holdfast_rpo_target_seconds", "gauge", "Work that may be lost.", OF_SYSTEM, get_rpo_target},
    {"holdfast_drill_age_seconds", "gauge", "Since the last drill that passed began.", OF_SYSTEM, get_drill_age},
    {"holdfast_verification_age_seconds", "gauge", "Since the last good verification began.", OF_SYSTEM, get_verify_age},
    {"holdfast_verification_target_seconds", "gauge", "What that may be.", OF_SYSTEM, get_verify_target},
    {"holdfast_next_run_timestamp_seconds", "gauge", "When the next run is due.", OF_SYSTEM, get_next},
    {"holdfast_log_receiving", "gauge", "1: the system's log is received and stored.", OF_SYSTEM, get_receiving},
    {"holdfast_log_lag_seconds", "gauge", "How long the oldest of it waits to be stored.", OF_SYSTEM, get_log_lag},
    {"holdfast_log_lag_bytes", "gauge", "What the server has of it and the repository has not.", OF_SYSTEM, get_log_lag_bytes},
    {"holdfast_log_slot_bytes", "gauge", "What the server keeps of it for us.", OF_SYSTEM, get_log_slot},
    {"holdfast_log_spool_bytes", "gauge", "What of it waits on this machine's disk.", OF_SYSTEM, get_log_spool},
    {"holdfast_log_gaps_total", "counter", "Gaps in it since its receiver was begun.", OF_SYSTEM, get_log_gaps},
    {"holdfast_log_synchronous_missing", "gauge", "1: it is promised that commits wait until they are stored, and they do not.", OF_SYSTEM, get_sync_missing},
    {"holdfast_log_spool_acknowledges", "gauge", "1: commits are acknowledged by the spool alone.", OF_SYSTEM, get_spool_acks},
    {"holdfast_last_success_timestamp_seconds", "gauge", "When the last good run began.", OF_KIND, get_success},
    {"holdfast_last_success_age_seconds", "gauge", "Since then.", OF_KIND, get_success_age},
    {"holdfast_last_success_duration_seconds", "gauge", "How long it took.", OF_KIND, get_duration},
    {"holdfast_last_success_size_bytes", "gauge", "Bytes in what it made or looked at.", OF_KIND, get_bytes},
    {"holdfast_last_success_stored_bytes", "gauge", "Bytes that the repository grew by.", OF_KIND, get_stored},
    {"holdfast_last_success_files", "gauge", "Files in what it made or looked at.", OF_KIND, get_files},
    {"holdfast_last_run_timestamp_seconds", "gauge", "When the last run was over.", OF_KIND, get_ended},
    {"holdfast_last_run_success", "gauge", "1: it was good.", OF_KIND, get_last_good},
    {"holdfast_failed_in_row", "gauge", "Runs that failed since the last good one.", OF_KIND, get_in_row},
    {"holdfast_runs_total", "counter", "Runs that are over.", OF_KIND, get_runs},
    {"holdfast_run_failures_total", "counter", "Of them, those that were not good.", OF_KIND, get_failures},
    {"holdfast_api_answers_total", "counter", "Answers of the API, by the first digit of their status.", OF_ANSWERS, get_one},
    {"holdfast_api_connections", "gauge", "Connections to the API.", OF_ALL, get_connections},
    {"holdfast_api_streams", "gauge", "Of them, those that listen to events.", OF_ALL, get_streams},
    {"holdfast_api_refused_tokens_total", "counter", "Requests with a token that is none.", OF_ALL, get_refused},
    {"holdfast_api_rate_limited_total", "counter", "Requests beyond the rate limit.", OF_ALL, get_limited},
    {"holdfast_api_slow_clients_total", "counter", "Connections that were closed for being too slow.", OF_ALL, get_slow},
};
/* clang-format on */

const char *api_metrics_name(size_t i)
{
	return i < sizeof metrics / sizeof *metrics ? metrics[i].name : NULL;
}

/* name="value", with what the format wants escaped. */
static void put_label(struct buf *out, char before, const char *name, const char *value)
{
	bool clean = utf8_valid(span_str(value));

	buf_put_u8(out, (uint8_t)before);
	buf_put_span(out, span_str(name));
	buf_put_span(out, span_str("=\""));
	for (const char *p = value; *p; p++) {
		if (*p == '\n')
			buf_put_span(out, span_str("\\n"));
		else if (*p == '"' || *p == '\\')
			buf_put(out, (const char[]){'\\', *p}, 2);
		else
			buf_put_u8(out, clean || (unsigned char)*p < 0x80 ? (uint8_t)*p : '?');
	}
	buf_put_u8(out, '"');
}

/* Most are whole, and printed many times faster as that. */
static void put_number(struct buf *out, double v)
{
	if (v > -1e15 && v < 1e15 && v == (double)(int64_t)v)
		buf_printf(out, "%lld\n", (long long)v);
	else
		buf_printf(out, "%.15g\n", v);
}

static void put_sample(struct buf *out, const struct metric *m, const struct subject *x)
{
	double v;

	if (!m->get(x, &v))
		return;
	buf_put_span(out, span_str(m->name));
	if (m->of == OF_SYSTEM) {
		put_label(out, '{', "system", x->system->name);
		put_label(out, ',', "tier", x->system->tier ? x->system->tier : "");
	} else if (m->of == OF_KIND) {
		put_label(out, '{', "system", x->kind->system);
		put_label(out, ',', "kind", x->kind->kind);
	} else if (m->of == OF_QUEUE) {
		put_label(out, '{', "queue", x->queue->name);
	} else if (m->of == OF_BUILD) {
		put_label(out, '{', "version", HF_VERSION);
	}
	buf_put_span(out, span_str(m->of == OF_ALL ? " " : "} "));
	put_number(out, v);
}

static void put_answers(struct buf *out, const struct metric *m, const struct metrics_more *more)
{
	for (int i = 2; i < 6 && more->counters != NULL; i++)
		buf_printf(out, "%s{status=\"%dxx\"} %llu\n", m->name, i,
		    (unsigned long long)more->counters->answers[i]);
}

static void put_metric(struct buf *out, const struct metric *m, struct subject x)
{
	const struct api_survey *s = x.s;

	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, m->type);
	switch (m->of) {
	case OF_ALL:
	case OF_BUILD:
		put_sample(out, m, &x);
		break;
	case OF_SYSTEM:
		for (size_t i = 0; i < s->nsystems; i++) {
			x.system = &s->systems[i];
			put_sample(out, m, &x);
		}
		break;
	case OF_KIND:
		for (size_t i = 0; i < s->nlatest; i++) {
			x.kind = &s->latest[i];
			put_sample(out, m, &x);
		}
		break;
	case OF_QUEUE:
		for (size_t i = 0; i < s->nqueues; i++) {
			x.queue = &s->queues[i];
			put_sample(out, m, &x);
		}
		break;
	case OF_ANSWERS:
		put_answers(out, m, x.more);
		break;
	}
}

void api_metrics_text(const struct api_survey *s, const struct metrics_more *more, struct buf *out)
{
	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
		put_metric(out, &metrics[i], (struct subject){.s = s, .more = more});
}

int api_get_metrics(struct api_call *c, struct err *e)
{
	struct metrics_more more = {c->started_ns, true, c->counters};
	struct api_health h = {.ready = true};
	struct api_survey s;

	if (c->host->health != NULL && c->host->health(c->host->arg, &h, e) == -1)
		return -1;
	more.ready = h.ready;
	if (api_survey_make(c->catalog, c->host, c->now_ns, &s, e) == -1)
		return -1;
	api_metrics_text(&s, &more, &c->text);
	api_survey_fini(&s);
	return 0;
}
