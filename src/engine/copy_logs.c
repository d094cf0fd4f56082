/*
 * copy_logs: see copy_internal.h.  What is there of the same place is not read: a log is written
 * once.  What is copied is everything from the snapshot's own log on, so that a copy of a backup
 * can be brought forward as far as the original.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/copy_internal.h"

static bool is_there(const struct log_at *v, size_t n, const struct log_at *at)
{
	struct log_at x = *at;

	for (size_t i = 0; i < n; i++)
		if (v[i].kind == x.kind && v[i].timeline == x.timeline && v[i].start == x.start &&
		    v[i].end == x.end)
			return true;
	return false;
}

static int copy_stretch(struct copying *c, const uint8_t from[LOG_STREAM],
    const uint8_t to[LOG_STREAM], const struct log_at *at, struct buf *b, bool *went, struct err *e)
{
	struct log_piece p = {
	    .timeline = at->timeline, .start = at->start, .end = at->end, .kind = at->kind};
	enum log_put_outcome ignored;
	int rc;

	if (log_read(c->from, from, at, b, e) == -1) {
		/* Damaged: what lacks it then check tells. */
		if (e->kind != ERR_ABSENT && !repo_is_bad(e))
			return -1;
		if (e->kind == ERR_ABSENT && went != NULL)
			*went = true;
		else
			event_emit(
			    c->ctx, EVENT_WARNING, span_of(NULL, 0), "not copied: %s", e->msg);
		err_clear(e);
		return 0;
	}
	memcpy(p.stream, to, LOG_STREAM);
	p.bytes = buf_span(b);
	if (c->logs == NULL && copy_to(c, log_writer_open(c->to, &c->logs, e), e) == -1)
		return -1;
	rc = log_writer_put(c->logs, &p, &ignored, e);
	if (rc == 0 || e->kind != ERR_EXISTS)
		return copy_to(c, rc, e);
	/* What once was kept beside the first, or another server's: `log list` there tells it. */
	event_emit(c->ctx, EVENT_WARNING, span_of(NULL, 0), "not copied: %s", e->msg);
	err_clear(e);
	return 0;
}

static int copy_listed(struct copying *c, const uint8_t from[LOG_STREAM],
    const uint8_t to[LOG_STREAM], uint64_t start, bool *went, struct err *e)
{
	struct log_at *v = NULL, *there = NULL;
	struct buf b = {0};
	size_t n = 0, nthere = 0;
	int rc = log_list(c->from, from, &v, &n, e);

	if (rc == 0)
		rc = copy_to(c, log_list(c->to, to, &there, &nthere, e), e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if ((v[i].kind == LOG_SEGMENT && v[i].end <= start) ||
		    is_there(there, nthere, &v[i]))
			continue;
		rc = ctx_check(c->ctx, e);
		if (rc == 0)
			rc = copy_stretch(c, from, to, &v[i], &b, went, e);
	}
	buf_fini(&b);
	free(v);
	free(there);
	return rc;
}

/* What is gone meanwhile is pruned, or part of a whole one that came: that is had now. */
static int copy_stream(struct copying *c, const uint8_t from[LOG_STREAM],
    const uint8_t to[LOG_STREAM], uint64_t start, struct err *e)
{
	bool went = false;

	if (copy_listed(c, from, to, start, &went, e) == -1)
		return -1;
	return went ? copy_listed(c, from, to, start, NULL, e) : 0;
}

int copy_logs(struct copying *c, struct snapshot *s, struct err *e)
{
	for (size_t i = 0; i < s->nparts; i++) {
		struct snapshot_part *p = &s->parts[i];
		uint8_t from[LOG_STREAM];

		if (!p->has_log)
			continue;
		memcpy(from, p->stream, LOG_STREAM);
		log_stream(c->to, s->system ? s->system : "", p->name, p->stream);
		if (!c->p->dry_run && copy_stream(c, from, p->stream, p->log_start, e) == -1)
			return -1;
	}
	return 0;
}

int copy_logs_again(struct copying *c, const struct snapshot *s, struct err *e)
{
	for (size_t i = 0; i < s->nparts && !c->p->dry_run; i++) {
		const struct snapshot_part *p = &s->parts[i];
		uint8_t to[LOG_STREAM];

		if (!p->has_log)
			continue;
		log_stream(c->to, s->system ? s->system : "", p->name, to);
		if (copy_stream(c, p->stream, to, p->log_start, e) == -1)
			return -1;
	}
	return 0;
}
