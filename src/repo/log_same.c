/*
 * log_same: what is offered to a log, compared with what is there (log_internal.h).
 *
 * Directories have the keyed hash of each cut, which any key can tell apart; so whatever cut of
 * another stretch lies within what is offered is compared by hashing those bytes.  Where only a
 * part of a cut does, its content is read, if the key may.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/log_internal.h"
#include "repo/pack.h"
#include "repo/repo_parity.h"

/* A range that so few stretches have is not stored once more as one. */
enum { PIECES_ENOUGH = 2 };

struct range {
	uint64_t from, to;
};

struct check {
	size_t off, n; /* in what is offered */
	struct id want, got;
};

struct comparing {
	struct repo *r;
	struct log_lanes *lanes;
	struct log_offer *o;
	struct check *checks;
	size_t nchecks, checks_cap;
	struct range *equal; /* apart; if all that is to be compared yet is equal */
	size_t nequal, equal_cap, used;
	struct log_at from_memory[PIECES_ENOUGH]; /* those used whose hashes nobody read just now */
	size_t nfrom_memory;
	const struct log_at **partly; /* whose content is to be read */
	size_t npartly;
	bool reads;  /* this key can */
	bool unsure; /* one of them could not be read */
};

static bool has(const struct comparing *x, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < x->nequal; i++)
		if (x->equal[i].from <= from && to <= x->equal[i].to)
			return true;
	return false;
}

static void add(struct comparing *x, uint64_t from, uint64_t to)
{
	size_t kept = 0;

	for (size_t i = 0; i < x->nequal; i++) {
		struct range a = x->equal[i];

		if (a.to < from || to < a.from) {
			x->equal[kept++] = a;
			continue;
		}
		from = a.from < from ? a.from : from;
		to = a.to > to ? a.to : to;
	}
	if (kept == x->equal_cap) {
		x->equal_cap = x->equal_cap ? 2 * x->equal_cap : 16;
		x->equal = mem_realloc(x->equal, x->equal_cap * sizeof *x->equal);
	}
	x->equal[kept++] = (struct range){from, to};
	x->nequal = kept;
}

/* In what is offered, which of a history begins at 0. */
static uint64_t offer_end(const struct log_offer *o)
{
	return o->at.start + o->bytes.n;
}

static int differs(const struct log_offer *o, uint64_t at, struct err *e)
{
	if (o->at.kind == LOG_HISTORY)
		err_set(e, ERR_EXISTS,
		    "another history of timeline %u is stored: this server was put back, or "
		    "another one writes under its name",
		    o->at.timeline);
	else
		err_set(e, ERR_EXISTS,
		    "other log is stored at %u/%X/%X: this server was put back, or another one "
		    "writes under its name",
		    o->at.timeline, (unsigned)(at >> 32), (unsigned)at);
	return err_hint(e, "give this source another name in the configuration: its log then "
			   "begins anew; or bring the server back by 'holdfast recover', which "
			   "starts a new timeline");
}

int log_read_dir(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *at,
    struct pack_dir *dir, struct err *e)
{
	struct buf hold = {0};
	struct index_pack desc;
	char name[LOG_NAME_MAX];
	uint8_t place[FORMAT_PLACE];
	int rc;

	log_name(name, stream, at);
	log_place(place, stream, at);
	rc = pack_read_directory_of(r, FORMAT_LOG, name, at->size, dir, &hold, &desc, e);
	if (rc == -1 && (e->kind == ERR_ABSENT || repo_is_bad(e))) {
		err_clear(e);
		pack_dir_reset(dir);
		rc = 0;
	} else if (rc == 0 && (memcmp(place, desc.place, FORMAT_PLACE) != 0 ||
				  desc.origin.domain != log_stream_domain(r, stream))) {
		pack_dir_reset(dir);
	}
	buf_fini(&hold);
	return rc;
}

/* The hashes of its cuts; *n 0: it proves nothing. */
static int read_ids(struct comparing *x, const struct log_at *at, size_t want,
    struct id ids[LOG_CUTS_MAX], size_t *n, struct err *e)
{
	struct pack_dir dir = {0};
	int rc = log_read_dir(x->r, x->o->stream, at, &dir, e);

	*n = 0;
	if (rc == 0 && dir.nblobs == want) {
		for (size_t i = 0; i < want; i++)
			ids[i] = dir.blobs[i].id;
		*n = want;
		log_ids_put(log_ids_of(x->r), &at->object, ids, want);
	}
	pack_dir_fini(&dir);
	return rc;
}

static void add_check(struct comparing *x, size_t off, size_t n, const struct id *want)
{
	if (x->nchecks == x->checks_cap) {
		x->checks_cap = x->checks_cap ? 2 * x->checks_cap : 16;
		x->checks = mem_realloc(x->checks, x->checks_cap * sizeof *x->checks);
	}
	x->checks[x->nchecks++] = (struct check){off, n, *want, {{0}}};
}

/* One that has something of what is offered: what its cuts say.  *mute: nothing. */
static int take(struct comparing *x, const struct log_at *at, bool *mute, struct err *e)
{
	const struct log_offer *o = x->o;
	uint64_t end = o->at.kind == LOG_HISTORY ? o->bytes.n : at->end;
	size_t want = (size_t)((end - at->start + FORMAT_LOG_CUT - 1) / FORMAT_LOG_CUT), n;
	struct id ids[LOG_CUTS_MAX];
	bool whole = true;

	*mute = true;
	if (want > LOG_CUTS_MAX)
		return 0;
	n = log_ids_get(log_ids_of(x->r), &at->object, ids, LOG_CUTS_MAX);
	if (n == want) {
		if (x->nfrom_memory < PIECES_ENOUGH)
			x->from_memory[x->nfrom_memory++] = *at;
	} else if (read_ids(x, at, want, ids, &n, e) == -1) {
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t from = at->start + i * (uint64_t)FORMAT_LOG_CUT;
		uint64_t to = i + 1 < n ? from + FORMAT_LOG_CUT : end;

		if (from >= o->at.start && to <= offer_end(o)) {
			add_check(x, (size_t)(from - o->at.start), (size_t)(to - from), &ids[i]);
			add(x, from, to);
		} else if (to > o->at.start && from < offer_end(o)) {
			whole = false;
		}
	}
	x->used += n > 0;
	*mute = n == 0;
	if (!whole && x->reads) {
		add(x, at->start > o->at.start ? at->start : o->at.start,
		    at->end < offer_end(o) ? at->end : offer_end(o));
		x->partly = mem_realloc(x->partly, (x->npartly + 1) * sizeof(void *));
		x->partly[x->npartly++] = at;
	}
	return 0;
}

static void check_one(void *arg, struct log_lane *l, size_t i)
{
	struct comparing *x = arg;
	struct check *c = &x->checks[i];

	crypto_mac(l->mac, span_of(x->o->bytes.p + c->off, c->n), c->got.b);
}

/* Hash all that is to be; false, with where, at the first that differs. */
static bool run_checks(struct comparing *x, uint64_t *where)
{
	struct log_offer *o = x->o;
	bool ok = true;

	log_lanes_run(x->lanes, x->nchecks, check_one, x);
	for (size_t i = 0; i < x->nchecks; i++) {
		const struct check *c = &x->checks[i];
		size_t k = c->off / FORMAT_LOG_CUT, left = o->bytes.n - c->off;

		/* The same cut as that of who offers need not be hashed once more. */
		if (c->off % FORMAT_LOG_CUT == 0 &&
		    c->n == (left < FORMAT_LOG_CUT ? left : FORMAT_LOG_CUT)) {
			o->ids[k] = c->got;
			o->named[k] = true;
		}
		if (!id_eq(&c->got, &c->want) && (ok || o->at.start + c->off < *where)) {
			*where = o->at.start + c->off;
			ok = false;
		}
	}
	return ok;
}

/* What two have of each other, by content. */
static int read_partly(struct comparing *x, const struct log_at *at, struct err *e)
{
	struct log_offer *o = x->o;
	uint64_t from = at->start > o->at.start ? at->start : o->at.start;
	uint64_t to = at->end < offer_end(o) ? at->end : offer_end(o);
	struct buf stored = {0}, plain = {0};
	char name[LOG_NAME_MAX];
	int rc;

	log_name(name, o->stream, at);
	rc = repo_get_named(x->r, name, &at->object, &stored, e);
	if (rc == 0)
		rc = log_open_bytes(x->r, x->lanes, o->stream, at, buf_span(&stored), &plain, e);
	if (rc == -1 && (e->kind == ERR_ABSENT || repo_is_bad(e))) {
		err_clear(e);
		x->unsure = true;
		rc = 0;
	} else if (rc == 0) {
		const uint8_t *a = plain.p + (from - at->start);
		const uint8_t *b = o->bytes.p + (from - o->at.start);
		uint64_t i = 0;

		if (memcmp(a, b, (size_t)(to - from)) != 0) {
			while (a[i] == b[i])
				i++;
			rc = differs(o, from + i, e);
		}
	}
	buf_fini(&stored);
	buf_fini(&plain);
	return rc;
}

/* Those with something of it, the longest first, and of these what was stored first. */
struct candidate {
	const struct log_at *at;
	uint64_t from, to;
	bool mute; /* damaged: it tells of nothing that it could differ in */
};

static int longest_first(const void *pa, const void *pb)
{
	const struct candidate *a = pa, *b = pb;
	uint64_t na = a->to - a->from, nb = b->to - b->from;

	if (na != nb)
		return na > nb ? -1 : 1;
	return (a->at > b->at) - (a->at < b->at); /* they are in order */
}

static size_t find(const struct log_known *k, const struct log_offer *o, struct candidate **out)
{
	struct candidate *v = NULL;
	size_t n = 0;

	for (size_t i = log_known_from(k, &o->at); i < k->n; i++) {
		const struct log_at *at = &k->v[i];

		if (at->kind != o->at.kind || at->timeline != o->at.timeline ||
		    at->start >= offer_end(o))
			break;
		if (at->end <= o->at.start)
			continue;
		v = mem_realloc(v, (n + 1) * sizeof *v);
		v[n++] = (struct candidate){at, at->start > o->at.start ? at->start : o->at.start,
		    at->end < offer_end(o) ? at->end : offer_end(o), false};
	}
	if (n > 1)
		qsort(v, n, sizeof *v, longest_first);
	*out = v;
	return n;
}

static int compare_range(struct comparing *x, const struct log_known *k, bool *same, struct err *e)
{
	struct candidate *v;
	size_t n = find(k, x->o, &v);
	uint64_t where;
	struct err no;
	int rc = 0;

	x->reads = repo_need(x->r, true, &no) == 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (!has(x, v[i].from, v[i].to))
			rc = take(x, v[i].at, &v[i].mute, e);
	if (rc == 0 && !run_checks(x, &where))
		rc = differs(x->o, where, e);
	for (size_t i = 0; rc == 0 && i < x->npartly; i++)
		rc = read_partly(x, x->partly[i], e);
	for (size_t i = 0; i < n && !x->reads; i++)
		x->o->untold = x->o->untold || (!v[i].mute && !has(x, v[i].from, v[i].to));
	*same = rc == 0 && !x->unsure && x->used <= PIECES_ENOUGH &&
		has(x, x->o->at.start, offer_end(x->o));
	free(v);
	return rc;
}

/*
 * Histories and partials: one at a time.  A timeline has one history; but its end is left behind by
 * each server that ever begins another one there, and no two are alike.
 */
static int compare_files(struct comparing *x, const struct log_known *k, bool *same, struct err *e)
{
	bool other = false, mute;
	uint64_t where;

	for (size_t i = log_known_from(k, &x->o->at); i < k->n && !*same; i++) {
		const struct log_at *at = &k->v[i];

		if (at->kind != x->o->at.kind || at->timeline != x->o->at.timeline ||
		    at->start > x->o->at.start)
			break;
		if (at->start != x->o->at.start || at->end != x->o->at.end)
			continue;
		x->nchecks = x->nfrom_memory = 0;
		if (take(x, at, &mute, e) == -1)
			return -1;
		if (x->nchecks == 0)
			continue;
		*same = run_checks(x, &where);
		other = true;
	}
	return other && !*same && x->o->at.kind == LOG_HISTORY ? differs(x->o, 0, e) : 0;
}

/* What is known by heart may be gone since: then it is known no more, and is stored again. */
static int look_at_them(
    const struct comparing *x, struct log_known *k, bool *all_there, struct err *e)
{
	char name[LOG_NAME_MAX];
	struct store_stat st;

	for (size_t i = 0; i < x->nfrom_memory; i++) {
		const struct log_at *at = &x->from_memory[i];
		int rc;

		log_name(name, x->o->stream, at);
		rc = store_stat(x->r->store, name, &st, e);
		if (rc == -1 && e->kind != ERR_ABSENT)
			return -1;
		if (rc == 0 && st.size == at->size)
			continue;
		err_clear(e);
		log_known_drop(k, at);
		*all_there = false;
	}
	return 0;
}

int log_compare(struct repo *r, struct log_lanes *lanes, struct log_known *k, struct log_offer *o,
    bool *same, struct err *e)
{
	struct comparing x = {.r = r, .lanes = lanes, .o = o};
	int rc;

	*same = false;
	rc = o->at.kind == LOG_SEGMENT ? compare_range(&x, k, same, e)
				       : compare_files(&x, k, same, e);
	if (rc == 0 && *same)
		rc = look_at_them(&x, k, same, e);
	free(x.checks);
	free(x.equal);
	free(x.partly);
	return rc;
}

bool log_known_any(const struct log_known *k, const struct log_at *at)
{
	for (size_t i = log_known_from(k, at); i < k->n; i++) {
		const struct log_at *x = &k->v[i];

		if (x->kind != at->kind || x->timeline != at->timeline)
			break;
		if (at->kind == LOG_SEGMENT ? x->start < at->end && x->end > at->start
					    : x->start == at->start && x->end == at->end)
			return true;
		if (x->start > at->end)
			break;
	}
	return false;
}

bool log_known_covers(const struct log_known *k, const struct log_at *at)
{
	uint64_t pos = at->start;

	for (size_t i = log_known_from(k, at); i < k->n; i++) {
		const struct log_at *x = &k->v[i];

		if (x->kind != at->kind || x->timeline != at->timeline || x->start > pos)
			break;
		if (at->kind != LOG_SEGMENT ? x->start == at->start && x->end == at->end
					    : x->end >= at->end)
			return true;
		if (at->kind == LOG_SEGMENT && x->end > pos)
			pos = x->end;
	}
	return false;
}

static bool same_place(const struct log_at *a, const struct log_at *b)
{
	return a->kind == b->kind && a->timeline == b->timeline && a->start == b->start &&
	       a->end == b->end;
}

/* Do both say that they are whole, and of other bytes?  1, 0, -1. */
static int differ(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *a,
    const struct log_at *b, struct err *e)
{
	struct pack_dir da = {0}, db = {0};
	int rc = log_read_dir(r, stream, a, &da, e);

	if (rc == 0)
		rc = log_read_dir(r, stream, b, &db, e);
	if (rc == 0 && da.nblobs > 0 && db.nblobs > 0) {
		rc = da.nblobs != db.nblobs;
		for (size_t i = 0; rc == 0 && i < da.nblobs; i++)
			rc = !id_eq(&da.blobs[i].id, &db.blobs[i].id);
	}
	pack_dir_fini(&da);
	pack_dir_fini(&db);
	return rc;
}

int log_beside(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *v, size_t n,
    bool *beside, struct err *e)
{
	size_t first = 0;

	for (size_t i = 0; i < n; i++) {
		int rc;

		beside[i] = false;
		if (!same_place(&v[first], &v[i]))
			first = i;
		if (first == i || v[i].kind == LOG_PARTIAL)
			continue;
		rc = differ(r, stream, &v[first], &v[i], e);
		if (rc == -1)
			return -1;
		beside[i] = rc == 1;
	}
	return 0;
}
