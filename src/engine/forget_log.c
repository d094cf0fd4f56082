/* forget_log: see forget_log.h. */
#include "engine/forget_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/op_log.h"
#include "repo/log.h"

struct stored {
	uint8_t stream[LOG_STREAM];
	struct log_at *at;
	struct log_span *spans;
	size_t n, nspans;
};

static void drop(struct stored *s)
{
	free(s->at);
	free(s->spans);
	*s = (struct stored){.at = NULL};
}

/* Most groups have one stream: it is read once. */
static int take(struct repo *r, struct stored *s, const uint8_t stream[LOG_STREAM], struct err *e)
{
	if (s->at != NULL && memcmp(s->stream, stream, LOG_STREAM) == 0)
		return 0;
	drop(s);
	memcpy(s->stream, stream, LOG_STREAM);
	if (log_list(r, stream, &s->at, &s->n, e) == -1)
		return -1;
	log_reach(s->at, s->n, &s->spans, &s->nspans);
	return 0;
}

static const struct log_span *span_of_base(const struct stored *s, const struct snapshot_part *p)
{
	for (size_t i = 0; i < s->nspans; i++)
		if (s->spans[i].timeline == p->timeline && s->spans[i].start <= p->log_start &&
		    s->spans[i].end >= p->log_end)
			return &s->spans[i];
	return NULL;
}

/* Is there more of the log than what the backup itself brought? */
static bool goes_on(const struct stored *s, const struct log_span *x, const struct snapshot_part *p)
{
	uint64_t own = log_base_stop(p);

	for (size_t i = 0; i < s->n; i++)
		if (s->at[i].kind == LOG_SEGMENT && s->at[i].timeline == p->timeline &&
		    s->at[i].start < p->log_end && s->at[i].end > own)
			own = s->at[i].end;
	return own < x->end;
}

static const struct snapshot_part *base_in(
    const struct snapshot *s, const uint8_t stream[LOG_STREAM])
{
	for (size_t k = 0; k < s->nparts; k++)
		if (s->parts[k].has_log && s->parts[k].outcome == SNAPSHOT_COMPLETE &&
		    memcmp(s->parts[k].stream, stream, LOG_STREAM) == 0)
			return &s->parts[k];
	return NULL;
}

/* Does the i-th alone lead to what lies behind the gap before it? */
static bool is_first(const struct stored *s, const struct forget_decision *d, size_t i,
    const struct snapshot_part *p)
{
	const struct log_span *x = span_of_base(s, p);

	if (x == NULL || !x->gap || !goes_on(s, x, p))
		return false;
	for (size_t k = 0; k < i; k++) {
		const struct snapshot_part *other = base_in(d[k].snapshot, p->stream);

		if (other != NULL && span_of_base(s, other) == x)
			return false;
	}
	return true;
}

static int spare(
    struct repo *r, struct stored *s, struct forget_decision *d, size_t i, struct err *e)
{
	const struct snapshot *was = d[i].snapshot;

	for (size_t k = 0; k < was->nparts && !d[i].keep; k++) {
		const struct snapshot_part *p = &was->parts[k];

		if (!p->has_log || p->outcome != SNAPSHOT_COMPLETE)
			continue;
		if (take(r, s, p->stream, e) == -1)
			return -1;
		if (!is_first(s, d, i, p))
			continue;
		d[i].keep = true;
		snprintf(d[i].reason, sizeof d[i].reason,
		    "the first base backup behind a gap of its log");
	}
	return 0;
}

int forget_log_spare(struct repo *r, struct forget_decision *d, size_t n, struct err *e)
{
	struct stored s = {.at = NULL};
	bool older = false;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		if (older && !d[i].keep)
			rc = spare(r, &s, d, i, e);
		older = older || d[i].keep;
	}
	drop(&s);
	return rc;
}
