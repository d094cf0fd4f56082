/*
 * prune_keep against histories of servers that were brought back now and then: whatever moment of
 * the retention could be reached before can be reached with what is kept.
 */
#include "../unit.h"

#include <time.h>

#include "base/mem.h"
#include "engine/prune_keep.h"

enum { SEGMENT = 10, LINES = 4, POSITIONS = 600, EVENTS = 60, STRETCHES = 200, BASES = 40 };

struct moment {
	uint32_t timeline;
	uint64_t at;
	int64_t ns;
};

/* A server's life, and what of it is stored. */
struct life {
	uint64_t seed;
	int64_t ns;
	uint32_t timeline, last;
	uint64_t at;
	struct prune_history histories[LINES + 1]; /* by timeline */
	struct log_at v[STRETCHES];
	struct prune_base bases[BASES];
	struct moment moments[EVENTS * 4];
	size_t n, nbases, nmoments;
};

static uint64_t pick(struct life *l, uint64_t n)
{
	return unit_rand(&l->seed) % n;
}

/* Goes on by some bytes; segments that are full are stored. */
static void go_on(struct life *l)
{
	uint64_t to = l->at + 1 + pick(l, 25);

	for (uint64_t s = l->at - l->at % SEGMENT; s + SEGMENT <= to; s += SEGMENT)
		if (l->n < STRETCHES)
			l->v[l->n++] = (struct log_at){.timeline = l->timeline,
			    .start = s,
			    .end = s + SEGMENT,
			    .stored_ns = l->ns};
	l->at = to;
	l->moments[l->nmoments++] = (struct moment){l->timeline, l->at, l->ns};
}

static void back_up(struct life *l)
{
	struct prune_base b = {.timeline = l->timeline, .start = l->at};

	go_on(l);
	l->ns++;
	b.end = l->at;
	b.ended_ns = l->ns;
	if (l->nbases < BASES)
		l->bases[l->nbases++] = b;
}

static uint64_t way_ends(const struct life *l, uint32_t timeline, uint32_t of)
{
	const struct prune_history *h = &l->histories[timeline];

	for (size_t i = 0; i < h->n; i++)
		if (h->lines[i].timeline == of)
			return h->lines[i].end;
	return timeline == of ? UINT64_MAX : 0;
}

/* Brought back to somewhere, it begins a timeline there. */
static void bring_back(struct life *l)
{
	const struct moment m = l->moments[pick(l, l->nmoments)];
	const struct prune_history *from = &l->histories[m.timeline];
	struct prune_history *h;

	if (l->last == LINES)
		return;
	h = &l->histories[++l->last];
	h->timeline = l->last;
	h->stored_ns = l->ns;
	h->lines = mem_zalloc((from->n + 1) * sizeof *h->lines);
	for (size_t i = 0; i < from->n; i++)
		h->lines[h->n++] = from->lines[i];
	h->lines[h->n++] = (struct log_line){m.timeline, m.at};
	l->timeline = l->last;
	l->at = m.at;
	l->moments[l->nmoments++] = (struct moment){l->timeline, l->at, l->ns};
	l->v[l->n++] = (struct log_at){
	    .timeline = l->last, .kind = LOG_HISTORY, .stored_ns = l->ns};
}

static void live(struct life *l, uint64_t seed)
{
	*l = (struct life){.seed = seed, .timeline = 1, .last = 1, .at = SEGMENT};
	back_up(l);
	for (int i = 0; i < EVENTS && l->at < POSITIONS - 100; i++) {
		l->ns += 1 + (int64_t)pick(l, 5);
		switch (pick(l, 12)) {
		case 0:
		case 1:
			back_up(l);
			break;
		case 2:
			bring_back(l);
			break;
		default:
			go_on(l);
		}
	}
}

/* From some base, with every byte of the way there in what is kept (of what is full)? */
static bool reaches(const struct life *l, const struct moment *m, const bool *kept)
{
	static bool has[LINES + 1][POSITIONS];
	uint64_t full = m->at - m->at % SEGMENT;

	memset(has, 0, sizeof has);
	for (size_t i = 0; i < l->n; i++)
		if (kept[i] && l->v[i].kind == LOG_SEGMENT)
			memset(has[l->v[i].timeline] + l->v[i].start, 1, SEGMENT);
	for (size_t b = 0; b < l->nbases; b++) {
		const struct prune_base *base = &l->bases[b];
		bool ok = base->end <= m->at &&
			  base->end <= way_ends(l, m->timeline, base->timeline);

		for (uint64_t q = base->start; ok && q < full; q++) {
			bool here = false;

			/* The oldest on the way that has it at all, or one after it. */
			for (uint32_t t = 1; t <= l->last; t++)
				here |= has[t][q] && q < way_ends(l, m->timeline, t);
			ok = here;
		}
		if (ok)
			return true;
	}
	return false;
}

static void free_life(struct life *l)
{
	for (size_t i = 0; i <= LINES; i++)
		free(l->histories[i].lines);
}

/* What is known of its histories: all, none, or some. */
static size_t known(struct life *l, struct prune_history out[LINES], unsigned how)
{
	size_t n = 0;

	for (uint32_t t = 2; t <= l->last; t++)
		if (how == 0 || (how == 2 && pick(l, 2)))
			out[n++] = l->histories[t];
	return n;
}

static void every_moment_of_the_retention_can_be_reached(void **state)
{
	const char *given = getenv("HOLDFAST_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	size_t went[3] = {0}, all = 0;

	print_message("HOLDFAST_TEST_SEED=%llu\n", (unsigned long long)seed);
	for (unsigned trial = 0; trial < 600; trial++) {
		static bool everything[STRETCHES], kept[STRETCHES];
		struct prune_history histories[LINES];
		struct life l;
		struct prune_keep k;

		live(&l, seed * 1000 + trial);
		k = (struct prune_keep){.bases = l.bases,
		    .nbases = l.nbases,
		    .histories = histories,
		    .nhistories = known(&l, histories, trial % 3),
		    .timed = trial % 4 != 0};
		k.from_ns = k.timed ? (int64_t)pick(&l, (uint64_t)l.ns + 1) : INT64_MIN;
		memset(everything, 1, sizeof everything);
		prune_keep(&k, l.v, l.n, kept);
		for (size_t i = 0; i < l.n; i++)
			went[trial % 3] += !kept[i];
		all += l.n;
		for (size_t i = 0; i < l.nmoments; i++) {
			/* Also what it was when the retention began. */
			bool in = i + 1 == l.nmoments || l.moments[i + 1].ns > k.from_ns;

			if (in && reaches(&l, &l.moments[i], everything) &&
			    !reaches(&l, &l.moments[i], kept))
				fail_msg("trial %u: moment %zu of timeline %u at %u is lost", trial,
				    i, l.moments[i].timeline, (unsigned)l.moments[i].at);
		}
		free_life(&l);
	}
	/* And it is not by keeping all of it; who knows more keeps less. */
	print_message("# %zu %zu %zu of %zu\n", went[0], went[1], went[2], all);
	assert_true(went[0] > all / 45 && went[1] > all / 180 && went[2] > all / 120);
}

/* The newest base is of a life that was given up: what came instead needs an older one. */
static void a_base_of_another_life_is_none(void **state)
{
	static struct log_line line = {1, 500};
	const struct prune_history history = {2, 100, &line, 1};
	const struct prune_base bases[] = {
	    {1, 300, 310, 30}, {1, 900, 910, 90}, {2, 500, 510, 104}};
	const struct log_at v[] = {{.timeline = 1, .start = 200, .end = 300, .stored_ns = 20},
	    {.timeline = 1, .start = 300, .end = 600, .stored_ns = 60},
	    {.timeline = 1, .start = 600, .end = 900, .stored_ns = 90},
	    {.timeline = 2, .start = 400, .end = 700, .stored_ns = 110}};
	struct prune_keep k = {bases, 3, &history, 1, true, 95};
	bool kept[4];

	prune_keep(&k, v, 4, kept);
	assert_true(!kept[0] && kept[1] && kept[3]);
	/* Without the history that has to be so, too. */
	k.nhistories = 0;
	prune_keep(&k, v, 4, kept);
	assert_true(!kept[0] && kept[1] && kept[3]);
	/* Once that life has been over for the whole retention its end goes. */
	k.nhistories = 1;
	k.from_ns = 105;
	prune_keep(&k, v, 4, kept);
	assert_true(!kept[0] && kept[1] && !kept[2] && kept[3]);
}

/* A copy was brought up on a timeline of its own; the server itself is idle, but not given up. */
static void who_went_on_beside_a_copy_is_not_over(void **state)
{
	static struct log_line line = {1, 350};
	const struct prune_history history = {2, 50, &line, 1};
	const struct prune_base bases[] = {{1, 300, 310, 30}};
	const struct log_at v[] = {{.timeline = 1, .start = 300, .end = 400, .stored_ns = 40},
	    {.timeline = 1, .start = 400, .end = 500, .stored_ns = 60},
	    {.timeline = 2, .start = 300, .end = 400, .stored_ns = 51}};
	const struct prune_keep k = {bases, 1, &history, 1, true, 1000};
	bool kept[3];

	prune_keep(&k, v, 3, kept);
	assert_true(kept[0] && kept[1] && kept[2]);
}

/* The server was idle when the copy began, and is for longer than the retention: it may go on. */
static void who_was_idle_before_a_copy_began_is_not_over(void **state)
{
	static struct log_line line = {1, 350};
	const struct prune_history history = {2, 50, &line, 1};
	const struct prune_base bases[] = {{1, 300, 310, 30}, {2, 500, 510, 950}};
	const struct log_at v[] = {{.timeline = 1, .start = 300, .end = 400, .stored_ns = 40},
	    {.timeline = 1, .start = 400, .end = 500, .stored_ns = 45},
	    {.timeline = 2, .start = 300, .end = 400, .stored_ns = 51},
	    {.timeline = 2, .start = 400, .end = 500, .stored_ns = 900}};
	struct prune_keep k = {bases, 1, &history, 1, true, 1000};
	bool kept[4];

	prune_keep(&k, v, 4, kept);
	assert_true(kept[0] && kept[1] && kept[2] && kept[3]);
	/* It is what is backed up: then it is the server, and has been for the whole retention...
	 */
	k.nbases = 2;
	prune_keep(&k, v, 4, kept);
	assert_true(kept[0] && !kept[1] && !kept[3]);
	/* ... or not yet. */
	k.from_ns = 949;
	prune_keep(&k, v, 4, kept);
	assert_true(kept[0] && kept[1] && kept[2] && kept[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_moment_of_the_retention_can_be_reached),
	    cmocka_unit_test(a_base_of_another_life_is_none),
	    cmocka_unit_test(who_went_on_beside_a_copy_is_not_over),
	    cmocka_unit_test(who_was_idle_before_a_copy_began_is_not_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
