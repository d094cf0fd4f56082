/* log_reach: what a list of stretches covers, and the histories of timelines. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/log_internal.h"

void log_reach(const struct log_at *v, size_t n, struct log_span **out, size_t *spans)
{
	struct log_span *s = NULL;
	size_t m = 0;

	/* In order of timeline and start: each either goes on or begins a new one. */
	for (size_t i = 0; i < n; i++) {
		struct log_span *last = m ? &s[m - 1] : NULL;
		bool same = last != NULL && last->timeline == v[i].timeline;

		if (v[i].kind != LOG_SEGMENT)
			continue;
		if (!same || v[i].start > last->end) {
			s = mem_realloc(s, (m + 1) * sizeof *s);
			s[m++] = (struct log_span){.timeline = v[i].timeline,
			    .start = v[i].start,
			    .end = v[i].end,
			    .gap = same,
			    .stretches = 1,
			    .first_ns = v[i].stored_ns,
			    .last_ns = v[i].stored_ns};
			continue;
		}
		last->stretches++;
		if (v[i].end > last->end)
			last->end = v[i].end;
		if (v[i].stored_ns < last->first_ns)
			last->first_ns = v[i].stored_ns;
		if (v[i].stored_ns > last->last_ns)
			last->last_ns = v[i].stored_ns;
	}
	*out = s;
	*spans = m;
}

/* A number in base 10 or 16, of at most 32 bits; moves on. */
static bool take_number(struct span *s, unsigned base, uint32_t *out)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < s->n; n++) {
		uint8_t c = s->p[n];
		unsigned d = c >= '0' && c <= '9'   ? c - (unsigned)'0'
			     : c >= 'a' && c <= 'f' ? c - 'a' + 10U
			     : c >= 'A' && c <= 'F' ? c - 'A' + 10U
						    : 99;

		if (d >= base)
			break;
		v = v * base + d;
		if (v > UINT32_MAX)
			return false;
	}
	*s = span_of(s->p + n, s->n - n);
	*out = (uint32_t)v;
	return n > 0;
}

static size_t skip(struct span *s)
{
	size_t n = 0;

	while (n < s->n && (s->p[n] == ' ' || s->p[n] == '\t' || s->p[n] == '\r'))
		n++;
	*s = span_of(s->p + n, s->n - n);
	return n;
}

/* "1<tab>0/3000060<tab>why"; an empty line or a comment is none (0). */
static int take_line(struct span s, struct log_line *out)
{
	uint32_t high, low;

	skip(&s);
	if (s.n == 0 || s.p[0] == '#')
		return 0;
	if (!take_number(&s, 10, &out->timeline) || skip(&s) == 0 || !take_number(&s, 16, &high) ||
	    s.n == 0 || s.p[0] != '/')
		return -1;
	s = span_of(s.p + 1, s.n - 1);
	if (!take_number(&s, 16, &low))
		return -1;
	out->end = (uint64_t)high << 32 | low;
	return 1;
}

int log_history_parse(struct span text, struct log_line **out, size_t *n, struct err *e)
{
	struct log_line *v = NULL;

	*n = 0;
	while (text.n > 0) {
		const uint8_t *nl = memchr(text.p, '\n', text.n);
		size_t len = nl ? (size_t)(nl - text.p) : text.n;
		struct log_line x;
		int rc = take_line(span_of(text.p, len), &x);

		if (rc == -1 || (rc == 1 && *n > 0 &&
				    (x.timeline <= v[*n - 1].timeline || x.end < v[*n - 1].end))) {
			free(v);
			return err_set(e, ERR_CORRUPT, "line %zu of the history is none", *n + 1);
		}
		if (rc == 1) {
			v = mem_realloc(v, (*n + 1) * sizeof *v);
			v[(*n)++] = x;
		}
		text = span_of(text.p + len, text.n - len);
		if (text.n > 0)
			text = span_of(text.p + 1, text.n - 1);
	}
	*out = v;
	return 0;
}

/* Where the history says that this timeline ended; 0: it has none to do with it. */
static uint64_t ended(
    const struct log_line *history, size_t lines, uint32_t timeline, uint32_t line)
{
	if (line == timeline)
		return UINT64_MAX;
	for (size_t i = 0; i < lines; i++)
		if (history[i].timeline == line)
			return history[i].end;
	return 0;
}

bool log_reaches(const struct log_span *v, size_t n, const struct log_line *history, size_t lines,
    uint32_t timeline, uint64_t from, uint64_t to, uint64_t *missing)
{
	uint64_t pos = from;

	for (bool moved = true; moved && pos < to;) {
		moved = false;
		for (size_t i = 0; i < n; i++) {
			uint64_t end = ended(history, lines, timeline, v[i].timeline);

			if (end > v[i].end)
				end = v[i].end;
			if (v[i].start <= pos && end > pos) {
				pos = end;
				moved = true;
			}
		}
	}
	*missing = pos;
	return pos >= to;
}
