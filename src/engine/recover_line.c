/* recover_line: see recover_line.h. */
#include "engine/recover_line.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/pg_binaries.h"

enum { LEGS_MAX = 10000, LINE_MAX = 128 };

/* ---- Timelines. */

/* "1	0/3000148	no recovery target specified": 1, 0 nothing in it, -1. */
static int parse_leg(struct span line, struct recover_leg *leg)
{
	char text[LINE_MAX], word[32];
	unsigned timeline;
	size_t n = line.n < sizeof text - 1 ? line.n : sizeof text - 1;

	memcpy(text, line.p, n);
	text[n] = '\0';
	n = strspn(text, " \t\r");
	if (text[n] == '\0' || text[n] == '#')
		return 0;
	if (sscanf(text, "%9u %31s", &timeline, word) != 2 || timeline == 0 ||
	    !pg_lsn_parse(word, &leg->end))
		return -1;
	leg->timeline = timeline;
	return 1;
}

static void add_leg(struct recover_line *l, const struct recover_leg *leg)
{
	l->legs = mem_realloc(l->legs, (l->n + 1) * sizeof *l->legs);
	l->legs[l->n++] = *leg;
}

int recover_line_parse(struct span text, uint32_t timeline, struct recover_line *out, struct err *e)
{
	uint64_t begin = 0;
	size_t at = 0;

	*out = (struct recover_line){0};
	while (at < text.n) {
		const uint8_t *nl = memchr(text.p + at, '\n', text.n - at);
		size_t n = nl ? (size_t)(nl - text.p) - at : text.n - at;
		struct recover_leg leg = {.begin = begin};
		int rc = parse_leg(span_of(text.p + at, n), &leg);

		/* A timeline is younger than those before it, and they were left in order. */
		if (rc == -1 ||
		    (rc == 1 &&
			(leg.end < begin || leg.timeline >= timeline || out->n == LEGS_MAX ||
			    (out->n > 0 && leg.timeline <= out->legs[out->n - 1].timeline)))) {
			recover_line_fini(out);
			return err_set(e, ERR_CORRUPT,
			    "the history of timeline %" PRIu32 " is none", timeline);
		}
		if (rc == 1) {
			add_leg(out, &leg);
			begin = leg.end;
		}
		at += n + 1;
	}
	add_leg(out, &(struct recover_leg){timeline, begin, UINT64_MAX});
	return 0;
}

void recover_line_fini(struct recover_line *l)
{
	free(l->legs);
	*l = (struct recover_line){0};
}

bool recover_line_has(const struct recover_line *l, uint32_t timeline, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->legs[i].timeline == timeline)
			return start >= l->legs[i].begin && end <= l->legs[i].end;
	return false;
}

/* ---- What is there. */

/* The end of what is there without a break from `from` on; `from` itself if nothing is. */
static uint64_t covered(const struct log_at *at, size_t n, uint32_t timeline, uint64_t from)
{
	uint64_t end = from;

	/* By timeline and start, so one pass is enough. */
	for (size_t i = 0; i < n; i++) {
		if (at[i].kind != LOG_SEGMENT || at[i].timeline != timeline)
			continue;
		if (at[i].start > end)
			break;
		if (at[i].end > end)
			end = at[i].end;
	}
	return end;
}

struct leg_cover {
	uint64_t from, end; /* what the last look has found */
	bool looked;
};

struct reaching {
	const struct recover_line *l;
	const struct log_at *at;
	size_t n;
	uint64_t segment;
	struct leg_cover *cover;
};

static uint64_t leg_covered(struct reaching *r, size_t leg, uint64_t from)
{
	struct leg_cover *c = &r->cover[leg];

	if (!c->looked || from < c->from || from > c->end || c->end == c->from) {
		c->from = from;
		c->end = covered(r->at, r->n, r->l->legs[leg].timeline, from);
		c->looked = true;
	}
	return c->end;
}

/* The best file for the segment at `start`; false: nothing of it is there. */
static bool best_file(struct reaching *r, uint64_t start, struct recover_file *out)
{
	*out = (struct recover_file){.start = start, .end = start};
	for (size_t i = r->l->n; i-- > 0;) {
		const struct recover_leg *leg = &r->l->legs[i];
		uint64_t end;

		if (leg->begin - leg->begin % r->segment > start || leg->end <= start)
			continue;
		end = leg_covered(r, i, start);
		if (end > start + r->segment)
			end = start + r->segment;
		if (end > leg->end)
			end = leg->end;
		/* The newest that has as much. */
		if (end > out->end) {
			out->end = end;
			out->timeline = leg->timeline;
		}
	}
	return out->end > start;
}

/* Where the log goes on behind a gap, on any timeline of the line. */
static void find_gap(const struct reaching *r, struct recover_reach *out)
{
	for (size_t i = 0; i < r->n; i++)
		for (size_t j = 0; j < r->l->n; j++) {
			const struct log_at *a = &r->at[i];
			const struct recover_leg *leg = &r->l->legs[j];
			uint64_t start = a->start > out->end ? a->start : out->end;

			if (a->kind != LOG_SEGMENT || a->timeline != leg->timeline ||
			    a->end <= out->end || start >= leg->end || a->end <= leg->begin)
				continue;
			if (!out->gap || start < out->gap_end)
				out->gap_end = start;
			out->gap = true;
		}
}

void recover_reach_find(const struct recover_line *l, const struct log_at *at, size_t n,
    uint64_t start, uint64_t segment, struct recover_reach *out)
{
	struct reaching r = {.l = l, .at = at, .n = n, .segment = segment};
	uint64_t pos = start - start % segment;
	struct recover_file f;
	size_t cap = 0;

	*out = (struct recover_reach){.end = start};
	r.cover = mem_zalloc(l->n * sizeof *r.cover);
	while (pos <= UINT64_MAX - segment && best_file(&r, pos, &f)) {
		if (out->n == cap) {
			cap = cap ? cap * 2 : 64;
			out->v = mem_realloc(out->v, cap * sizeof *out->v);
		}
		out->v[out->n++] = f;
		if (f.end > out->end) {
			out->end = f.end;
			out->timeline = f.timeline;
		}
		if (f.end < pos + segment)
			break;
		pos += segment;
	}
	find_gap(&r, out);
	free(r.cover);
}

void recover_reach_fini(struct recover_reach *r)
{
	free(r->v);
	*r = (struct recover_reach){0};
}

const char *recover_file_name(
    char out[RECOVER_FILE_NAME], uint32_t timeline, uint64_t lsn, uint64_t segment)
{
	uint64_t no = lsn / segment, of_id = (UINT64_C(1) << 32) / segment;

	snprintf(out, RECOVER_FILE_NAME, "%08" PRIX32 "%08" PRIX64 "%08" PRIX64, timeline,
	    no / of_id, no % of_id);
	return out;
}
