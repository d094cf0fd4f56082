/* recover_plan: see recover_plan.h. */
#include "engine/recover_plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"

enum { SEGMENT_MIN = 1 << 20, SEGMENT_MAX = 1 << 30, SEGMENT_USUAL = 16 << 20 };

struct planning {
	struct repo *repo;
	const struct recover_params *p;
	struct ctx *ctx;
	struct recover_plan *pl;
};

/* ---- Base backups. */

static bool is_wanted(
    const struct recover_params *p, const struct snapshot *s, const struct snapshot_part *part)
{
	char hex[ID_HEX];

	if (strcmp(part->kind, "postgresql") != 0 || part->outcome != SNAPSHOT_COMPLETE ||
	    !part->has_tree || !part->has_log || s->forgotten)
		return false;
	if (p->part != NULL && strcmp(p->part, part->name) != 0)
		return false;
	return p->snapshot == NULL ||
	       strncmp(id_hex(hex, &s->id), p->snapshot, strlen(p->snapshot)) == 0;
}

static void add_bases(struct planning *g, const struct snapshot *s)
{
	struct recover_plan *pl = g->pl;

	for (size_t i = 0; i < s->nparts; i++) {
		const struct snapshot_part *part = &s->parts[i];

		if (!is_wanted(g->p, s, part))
			continue;
		pl->bases = mem_realloc(pl->bases, (pl->nbases + 1) * sizeof *pl->bases);
		pl->bases[pl->nbases++] = (struct recover_base){s, part, part->timeline,
		    part->log_start, part->log_end, s->start_ns, s->end_ns};
	}
}

static int find_bases(struct planning *g, struct err *e)
{
	struct select_filter f = {.system = g->p->system};
	struct recover_plan *pl = g->pl;

	if (select_all(g->repo, &f, g->ctx, &pl->list, e) == -1)
		return -1;
	for (size_t i = 0; i < pl->list.n; i++)
		add_bases(g, pl->list.v[i]);
	if (pl->nbases > 0)
		return 0;
	err_set(e, ERR_ABSENT, "%s has no whole base backup of PostgreSQL%s%s%s here", g->p->system,
	    g->p->part ? " called " : "", g->p->part ? g->p->part : "",
	    g->p->snapshot ? " in that snapshot" : "");
	return err_hint(e, "holdfast snapshots shows what is there");
}

/* Several parts are several servers: one has to be meant. */
static int one_part(struct planning *g, struct err *e)
{
	struct recover_plan *pl = g->pl;
	const char *name = pl->bases[pl->nbases - 1].part->name;
	size_t n = 0;

	for (size_t i = 0; i < pl->nbases; i++)
		if (strcmp(pl->bases[i].part->name, name) != 0) {
			err_set(e, ERR_USAGE, "%s has several sources of PostgreSQL", g->p->system);
			return err_hint(
			    e, "--part %s, or --part %s", name, pl->bases[i].part->name);
		}
	/* Another key's domain has another stream: what the newest backup goes with counts. */
	for (size_t i = 0; i < pl->nbases; i++)
		if (memcmp(pl->bases[i].part->stream, pl->bases[pl->nbases - 1].part->stream,
			sizeof pl->bases[i].part->stream) == 0)
			pl->bases[n++] = pl->bases[i];
	pl->nbases = n;
	return 0;
}

/* What a base says of itself. */
static void read_facts(struct recover_plan *pl, const struct recover_base *b)
{
	json_t *all = b->part->facts ? json_loads(b->part->facts, 0, NULL) : NULL, *pg;
	uint64_t v;

	json_decref(pl->facts);
	pg = json_object_get(all, "postgresql");
	pl->facts = json_is_object(pg) ? json_incref(pg) : json_object();
	json_decref(all);
	v = recover_fact_number(pl->facts, "segment_size");
	pl->segment = v >= SEGMENT_MIN && v <= SEGMENT_MAX && (v & (v - 1)) == 0 ? v
										 : SEGMENT_USUAL;
	v = recover_fact_number(pl->facts, "version_num");
	pl->major = v / 10000 <= 1000 ? (int)(v / 10000) : 0;
}

/* ---- The timeline. */

/* 1 its line, 0 it has no history here. */
static int line_of(struct planning *g, uint32_t timeline, struct recover_line *out, struct err *e)
{
	struct buf b = {0};
	int rc = 1;

	if (log_reader_history(g->pl->reader, timeline, &b, e) == -1) {
		if (e->kind != ERR_ABSENT)
			return -1;
		buf_reset(&b);
		rc = 0;
	}
	if (recover_line_parse(buf_span(&b), timeline, out, e) == -1)
		rc = -1;
	buf_fini(&b);
	return rc;
}

static bool holds_a_base(const struct recover_plan *pl, const struct recover_line *l)
{
	for (size_t i = 0; i < pl->nbases; i++)
		if (recover_line_has(
			l, pl->bases[i].timeline, pl->bases[i].start, pl->bases[i].end))
			return true;
	return false;
}

static uint32_t below(const struct recover_plan *pl, uint32_t timeline)
{
	uint32_t best = 0;

	for (size_t i = 0; i < pl->nat; i++)
		if (pl->at[i].timeline < timeline && pl->at[i].timeline > best)
			best = pl->at[i].timeline;
	for (size_t i = 0; i < pl->nbases; i++)
		if (pl->bases[i].timeline < timeline && pl->bases[i].timeline > best)
			best = pl->bases[i].timeline;
	return best;
}

/* The highest that a base leads to. */
static int latest_line(struct planning *g, struct err *e)
{
	struct recover_plan *pl = g->pl;

	for (uint32_t t = below(pl, UINT32_MAX); t != 0; t = below(pl, t)) {
		if (line_of(g, t, &pl->line, e) == -1)
			return -1;
		pl->timeline = t;
		if (holds_a_base(pl, &pl->line))
			return 0;
		event_emit(g->ctx, EVENT_WARNING, span_of(NULL, 0),
		    "timeline %" PRIu32 " is not followed: no base backup leads to it (its history "
		    "says where it began)",
		    t);
		recover_line_fini(&pl->line);
	}
	err_set(e, ERR_ABSENT, "no timeline leads from a base backup");
	return err_hint(e, "holdfast log list shows which are stored; --to immediate needs none");
}

static int find_line(struct planning *g, struct err *e)
{
	struct recover_plan *pl = g->pl;
	const char *word = g->p->timeline;
	uint32_t t = pl->bases[pl->nbases - 1].timeline;
	char *end;
	int rc;

	if (word == NULL || strcmp(word, "latest") == 0)
		return latest_line(g, e);
	if (strcmp(word, "current") != 0) {
		errno = 0;
		t = (uint32_t)strtoul(word, &end, 10);
		if (*end != '\0' || errno || t == 0) {
			err_set(e, ERR_USAGE, "'%s' is not a timeline", word);
			return err_hint(e, "latest, current or a number: holdfast log list");
		}
	}
	if ((rc = line_of(g, t, &pl->line, e)) == -1)
		return -1;
	pl->timeline = t;
	if (holds_a_base(pl, &pl->line))
		return 0;
	err_set(e, ERR_ABSENT,
	    rc == 0 && t > 1 ? "the history of timeline %" PRIu32 " is not there"
			     : "no base backup leads to timeline %" PRIu32,
	    t);
	return err_hint(e,
	    "holdfast log list shows timelines and base backups; a history that the "
	    "server still has is stored by: holdfast log push %08" PRIX32 ".history",
	    t);
}

/* ---- How far. */

static int no_base(struct planning *g, struct err *e)
{
	const struct recover_base *first = &g->pl->bases[0];
	char to[RECOVER_TARGET_TEXT], lsn[RECOVER_LSN_TEXT], time[CALENDAR_TEXT];

	err_set(e, ERR_ABSENT,
	    "no base backup of %s ended before %s on the way to timeline %" PRIu32, g->p->system,
	    recover_target_text(&g->p->to, to), g->pl->timeline);
	return err_hint(e, "the oldest ended at %s, LSN %s, on timeline %" PRIu32,
	    calendar_format_local(time, first->end_ns), recover_lsn_text(first->end, lsn),
	    first->timeline);
}

/* The segment that breaks the chain, for messages. */
static int missing(struct planning *g, const char *what, struct err *e)
{
	struct recover_plan *pl = g->pl;
	char name[RECOVER_FILE_NAME], a[RECOVER_LSN_TEXT], b[RECOVER_LSN_TEXT];
	uint32_t t = pl->timeline;

	for (size_t i = 0; i < pl->line.n; i++)
		if (pl->reach.end >= pl->line.legs[i].begin && pl->reach.end < pl->line.legs[i].end)
			t = pl->line.legs[i].timeline;
	recover_file_name(name, t, pl->reach.end, pl->segment);
	err_set(e, ERR_ABSENT, "%s: segment %s of the log is missing from LSN %s on", what, name,
	    recover_lsn_text(pl->reach.end, a));
	if (pl->reach.gap)
		return err_hint(e,
		    "the log goes on at %s: holdfast log list; a base backup from behind "
		    "the gap, or a target before it, needs it not",
		    recover_lsn_text(pl->reach.gap_end, b));
	return err_hint(e, "that is where the stored log ends; --to latest goes so far");
}

static int set_base(struct planning *g, const struct recover_base *b, struct err *e)
{
	struct recover_plan *pl = g->pl;

	pl->base = b;
	read_facts(pl, b);
	recover_reach_fini(&pl->reach);
	recover_reach_find(&pl->line, pl->at, pl->nat, b->start, pl->segment, &pl->reach);
	pl->log_end = pl->reach.end;
	pl->gap = pl->reach.gap;
	pl->gap_end = pl->reach.gap_end;
	if (pl->reach.n == 0 || pl->reach.end < b->end)
		return missing(g, "the base backup is of no use", e);
	return 0;
}

/* Nothing behind that is needed but the segment after it: the server reads ahead. */
static void cut_reach(struct recover_plan *pl, uint64_t lsn)
{
	size_t n = 0;

	while (n < pl->reach.n && pl->reach.v[n].start <= lsn)
		n++;
	pl->reach.n = n < pl->reach.n ? n + 1 : n;
}

static struct recover_log log_of(struct planning *g)
{
	return (struct recover_log){g->repo, g->pl->reader, &g->pl->reach, g->pl->segment, g->ctx};
}

static int past_the_end(struct planning *g, struct err *e)
{
	struct recover_plan *pl = g->pl;
	char to[RECOVER_TARGET_TEXT], time[RECOVER_TARGET_TEXT], lsn[RECOVER_LSN_TEXT];

	bool named = pl->to.kind == RECOVER_NAME, marked = named || pl->to.kind == RECOVER_XID;
	char what[RECOVER_TARGET_TEXT + 64];

	snprintf(what, sizeof what, "%s%s", recover_target_text(&g->p->to, to),
	    marked ? " is not in the log that can be reached" : "");
	if (pl->gap)
		return missing(g, what, e);
	if (pl->last.there)
		err_set(e, ERR_ABSENT,
		    "%s is past the last commit that the log has on timeline %" PRIu32
		    ": %s, LSN %s",
		    recover_target_text(&g->p->to, to), pl->timeline,
		    recover_local_text(pl->last.time_us, time),
		    recover_lsn_text(pl->last.lsn, lsn));
	else
		err_set(e, ERR_ABSENT,
		    "%s is past what the log has on timeline %" PRIu32
		    ": it reaches LSN %s, without a commit since the newest base backup",
		    recover_target_text(&g->p->to, to), pl->timeline,
		    recover_lsn_text(pl->log_end, lsn));
	return err_hint(e,
	    "--to latest brings back everything that is there; --timeline N follows "
	    "another timeline%s",
	    named ? "; a time is written like '2026-11-21 09:41:07'" : "");
}

static int reach_time(struct planning *g, struct err *e)
{
	struct recover_plan *pl = g->pl;
	struct recover_log l = log_of(g);

	if (recover_scan_time(&l, pl->to.time_us, &pl->kept, &pl->next, e) == -1)
		return -1;
	if (!pl->next.there)
		return past_the_end(g, e);
	cut_reach(pl, pl->next.end);
	pl->stop = pl->next.lsn;
	return 0;
}

static int reach_lsn(struct planning *g, struct err *e)
{
	struct recover_plan *pl = g->pl;
	struct recover_log l = log_of(g);
	uint64_t end;
	bool there;

	if (recover_scan_lsn(&l, pl->to.lsn, &there, &end, e) == -1)
		return -1;
	/* Right behind the last record of all: that is where the replay ends by itself. */
	if (!there && end == pl->to.lsn && !pl->gap)
		pl->to.kind = RECOVER_LATEST;
	else if (!there)
		return past_the_end(g, e);
	if (there) {
		cut_reach(pl, pl->to.lsn + pl->segment);
		pl->stop = pl->to.lsn + 1;
	}
	return 0;
}

/* A transaction or a name may lie before the newest base: then an older one is taken. */
static int reach_mark(struct planning *g, struct err *e)
{
	struct recover_plan *pl = g->pl;
	const struct recover_base *b = pl->base;
	struct recover_mark m = {0};
	struct recover_target before = {.kind = RECOVER_LSN};

	for (;;) {
		struct recover_log l = log_of(g);

		if (recover_scan_find(&l, &pl->to, &m, e) == -1)
			return -1;
		if (m.there && m.end >= b->end)
			break;
		before.lsn = m.there ? m.lsn : b->end - 1;
		if ((b = recover_choose(pl->bases, pl->nbases, &pl->line, &before)) == NULL)
			return m.there ? no_base(g, e) : past_the_end(g, e);
		if (set_base(g, b, e) == -1)
			return -1;
	}
	pl->kept = m;
	pl->stop = m.end;
	cut_reach(pl, m.end);
	return 0;
}

static int reach_target(struct planning *g, struct err *e)
{
	struct recover_plan *pl = g->pl;
	struct recover_log l = log_of(g);

	pl->to = g->p->to;
	pl->stop = UINT64_MAX;
	if (recover_scan_last(&l, &pl->last, e) == -1)
		return -1;
	switch (pl->to.kind) {
	case RECOVER_TIME:
		return reach_time(g, e);
	case RECOVER_LSN:
		return reach_lsn(g, e);
	case RECOVER_XID:
	case RECOVER_NAME:
		return reach_mark(g, e);
	case RECOVER_IMMEDIATE:
		cut_reach(pl, pl->base->end);
		pl->stop = pl->base->end;
		return 0;
	case RECOVER_LATEST:
	case RECOVER_KINDS:
		break;
	}
	pl->kept = pl->last;
	return 0;
}

int recover_plan_make(struct repo *r, const struct recover_params *p, struct ctx *ctx,
    struct recover_plan *out, struct err *e)
{
	struct planning g = {r, p, ctx, out};
	const struct recover_base *b;

	*out = (struct recover_plan){0};
	out->facts = json_object();
	if (find_bases(&g, e) == -1 || one_part(&g, e) == -1 ||
	    log_reader_open(r, out->bases[0].part->stream, &out->reader, e) == -1 ||
	    log_list(r, out->bases[0].part->stream, &out->at, &out->nat, e) == -1 ||
	    find_line(&g, e) == -1)
		return -1;
	b = recover_choose(out->bases, out->nbases, &out->line, &p->to);
	if (b == NULL)
		return no_base(&g, e);
	if (set_base(&g, b, e) == -1 || reach_target(&g, e) == -1)
		return -1;
	out->path = out->base->snapshot->nparts > 1 ? mem_printf("/%s", out->base->part->name)
						    : mem_strdup("/");
	return 0;
}

void recover_plan_fini(struct recover_plan *pl)
{
	select_list_fini(&pl->list);
	free(pl->bases);
	free(pl->path);
	json_decref(pl->facts);
	log_reader_close(pl->reader);
	free(pl->at);
	recover_line_fini(&pl->line);
	recover_reach_fini(&pl->reach);
	*pl = (struct recover_plan){0};
}
