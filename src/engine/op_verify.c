/* op_verify: see op_verify.h. */
#include "engine/verify_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "engine/select.h"
#include "engine/tree_path.h"
#include "os/os.h"
#include "repo/repo_object.h"

enum { DAY = 86400 };

void verify_pass(struct verifying *v, enum verify_id id)
{
	if (v->out->answers[id].state == VERIFY_NOT_JUDGED)
		v->out->answers[id].state = VERIFY_PASSED;
}

void verify_fail(struct verifying *v, enum verify_id id, const char *fmt, ...)
{
	struct verify_answer *a = &v->out->answers[id];
	va_list ap;

	if (a->state == VERIFY_FAILED)
		return;
	a->state = VERIFY_FAILED;
	va_start(ap, fmt);
	vsnprintf(a->why, sizeof a->why, fmt, ap);
	va_end(ap);
}

void verify_leave(struct verifying *v, enum verify_id id, const char *fmt, ...)
{
	struct verify_answer *a = &v->out->answers[id];
	va_list ap;

	if (a->state != VERIFY_NOT_JUDGED || a->why[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(a->why, sizeof a->why, fmt, ap);
	va_end(ap);
}

void verify_settle(struct verifying *v, enum verify_id id)
{
	if (v->out->answers[id].why[0] == '\0')
		verify_pass(v, id);
}

uint64_t verify_random(uint64_t *state) /* splitmix64 (Steele, Lea, Flood 2014) */
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* ---- Which snapshot. */

/* The newest that counts, of those with that system's name; NULL: none. */
static const struct snapshot *choose(struct verifying *v, const struct snapshot_list *all)
{
	const struct snapshot *newest = NULL;
	bool several = false;

	for (size_t i = 0; i < all->n; i++) {
		const struct snapshot *s = all->v[i];

		if (s->system == NULL || strcmp(s->system, v->p->system) != 0)
			continue;
		v->out->is_named = true;
		if (s->is_void || (s->forgotten && !snapshot_kept(s, v->now_ns)) ||
		    !select_counts(s))
			continue;
		several |= newest != NULL && memcmp(newest->group, s->group, FORMAT_UID) != 0;
		newest = s;
	}
	if (several)
		verify_fail(v, VERIFY_ONE_GROUP,
		    "several clients or hosts have stored snapshots of that name; the newest is "
		    "judged, of %s",
		    newest->host);
	else if (newest != NULL)
		verify_pass(v, VERIFY_ONE_GROUP);
	return newest;
}

static void judge_list(struct verifying *v, const struct snapshot_list *all)
{
	if (all->damaged > 0)
		verify_fail(v, VERIFY_READABLE,
		    "%zu of the repository's snapshots cannot be read%s", all->damaged,
		    all->foreign ? "; some are of keys that config does not know" : "");
	else
		verify_pass(v, VERIFY_READABLE);
}

/* A store that was set back, or an object that cannot be read, hides it. */
static void judge_newest(struct verifying *v, const struct snapshot_list *all)
{
	const struct id *id = &v->p->known.id;
	char hex[ID_HEX];

	if (v->p->known.start_ns == 0) {
		verify_leave(v, VERIFY_NEWEST, "%s",
		    v->p->known.why ? v->p->known.why : "the catalog knows none");
		return;
	}
	for (size_t i = 0; i < all->n; i++)
		if (id_eq(&all->v[i]->id, id)) {
			verify_pass(v, VERIFY_NEWEST);
			return;
		}
	if (v->snapshot != NULL && v->snapshot->start_ns >= v->p->known.start_ns)
		verify_pass(v, VERIFY_NEWEST);
	else
		verify_fail(v, VERIFY_NEWEST,
		    "%.8s, which was stored later, is not there or cannot be read (catalog "
		    "rebuild, if "
		    "it was removed rightly)",
		    id_hex(hex, id));
}

/* ---- What its facts say. */

static void judge_age(struct verifying *v, enum verify_id id, int64_t most_s)
{
	int64_t age_s = (v->now_ns - v->snapshot->start_ns) / CALENDAR_SECOND;

	if (most_s == 0)
		verify_leave(v, id, "no rpo is declared");
	else if (age_s > most_s)
		verify_fail(v, id, "it is %lld minutes old; %s %lld", (long long)age_s / 60,
		    id == VERIFY_RPO ? "borne are" : "promised are", (long long)most_s / 60);
	else
		verify_pass(v, id);
}

static void judge_outcome(struct verifying *v)
{
	const struct snapshot *s = v->snapshot;
	uint64_t errors = 0;

	if (s->head_only) {
		verify_leave(v, VERIFY_OUTCOME, "its facts are not for this key to read");
		verify_leave(v, VERIFY_ERRORS, "its facts are not for this key to read");
		return;
	}
	for (size_t i = 0; i < s->nparts; i++) {
		errors += s->parts[i].stats.errors;
		if (!s->parts[i].has_tree || s->parts[i].outcome == SNAPSHOT_FAILED)
			verify_fail(v, VERIFY_OUTCOME, "the backup of its part %s failed",
			    s->parts[i].name);
		else if (s->parts[i].outcome != SNAPSHOT_COMPLETE)
			verify_fail(v, VERIFY_ERRORS, "%s%s%s",
			    s->parts[i].nerrors ? s->parts[i].errors[0].path : "it is incomplete",
			    s->parts[i].nerrors ? ": " : "",
			    s->parts[i].nerrors ? s->parts[i].errors[0].message : "");
	}
	if (errors > 0)
		verify_fail(
		    v, VERIFY_ERRORS, "%llu entries were left out", (unsigned long long)errors);
	verify_pass(v, VERIFY_OUTCOME);
	verify_pass(v, VERIFY_ERRORS);
}

static void judge_paths(struct verifying *v)
{
	if (v->p->npaths == 0)
		verify_leave(v, VERIFY_SOURCES, "no paths are declared");
	else if (v->snapshot->head_only)
		verify_leave(v, VERIFY_SOURCES, "its names are not for this key to read");
	for (size_t i = 0; i < v->p->npaths && !v->snapshot->head_only; i++) {
		char *path = mem_strdup(v->p->paths[i]);
		struct tree_path at = {.reader = NULL};
		size_t n = strlen(path);
		struct err e;

		while (n > 1 && path[n - 1] == '/')
			path[--n] = '\0';
		err_clear(&e);
		if (tree_path_find(v->reader, v->snapshot, path, &at, &e) == -1)
			verify_fail(v, VERIFY_SOURCES, "%s %s", path,
			    e.kind == ERR_ABSENT ? "is declared, and not in it" : e.msg);
		tree_path_fini(&at);
		free(path);
	}
	verify_settle(v, VERIFY_SOURCES);
}

static void judge_facts(struct verifying *v)
{
	const struct snapshot *s = v->snapshot;

	if (s->head_only)
		verify_leave(v, VERIFY_FACTS, "its facts are not for this key to read");
	else if (s->end_ns < s->start_ns)
		verify_fail(v, VERIFY_FACTS, "it ended before it began");
	else if (s->stored_ns != 0 && s->start_ns > s->stored_ns + repo_lag_ns(v->repo))
		verify_fail(v, VERIFY_FACTS, "it began after it was stored, by the store's clock");
	for (size_t i = 0; i < s->nparts; i++) {
		const struct snapshot_stats *t = &s->parts[i].stats;

		if (t->files_new + t->files_changed + t->files_unchanged > t->files)
			verify_fail(v, VERIFY_FACTS,
			    "new, changed and unchanged files are more than its files");
	}
	verify_settle(v, VERIFY_FACTS);
}

/* ---- All of it. */

static uint64_t seed_of(const struct verifying *v)
{
	uint64_t seed;

	if (v->p->seed != 0)
		return v->p->seed;
	memcpy(&seed, v->snapshot->id.b, sizeof seed);
	seed ^= (uint64_t)(v->now_ns / CALENDAR_SECOND / DAY);
	return verify_random(&seed) >> 11; /* so that JSON holds it */
}

static int judge(struct verifying *v, struct err *e)
{
	const struct verify_params *p = v->p;

	verify_pass(v, VERIFY_SNAPSHOT);
	v->out->has_snapshot = true;
	v->out->snapshot = v->snapshot->id;
	v->out->start_ns = v->snapshot->start_ns;
	v->random = v->out->seed = seed_of(v);
	judge_outcome(v);
	judge_age(v, VERIFY_RPO_TARGET, p->rpo_target_s);
	judge_age(v, VERIFY_RPO, p->rpo_acceptable_s ? p->rpo_acceptable_s : p->rpo_target_s);
	if (verify_packs(v, e) == -1 || verify_data(v, e) == -1 || verify_walk(v, e) == -1)
		return -1;
	judge_paths(v);
	if (p->level != VERIFY_COMPREHENSIVE)
		return 0;
	judge_facts(v);
	return verify_sample(v, e);
}

static void no_snapshot(struct verifying *v)
{
	/* What cannot be read, or is known to have been there, is no copy that was not made yet. */
	v->out->empty = v->p->may_be_empty && !v->out->is_named &&
			v->out->answers[VERIFY_READABLE].state == VERIFY_PASSED &&
			v->out->answers[VERIFY_NEWEST].state == VERIFY_NOT_JUDGED;
	if (v->out->empty)
		v->out->answers[VERIFY_READABLE].state = VERIFY_NOT_JUDGED;
	else
		verify_fail(v, VERIFY_SNAPSHOT, "there is no snapshot of %s", v->p->system);
	for (int i = 0; i < VERIFY_IDS; i++)
		verify_leave(v, (enum verify_id)i, "%s",
		    v->out->empty ? "no copy has come here yet" : "there is no snapshot");
}

/* Those of another level are none of this one's. */
static void drop_others(struct verifying *v)
{
	for (size_t i = 0; i < VERIFY_IDS; i++)
		if (verify_rules[i].level > v->p->level)
			v->out->answers[i] = (struct verify_answer){.state = VERIFY_NOT_JUDGED};
}

static void fini(struct verifying *v)
{
	verify_picks_fini(&v->small);
	verify_picks_fini(&v->large);
	reach_free(v->reach);
	reader_free(v->reader);
	free(v->needed);
	free(v->bad);
}

int op_verify(struct repo *r, const struct verify_params *p, struct ctx *ctx,
    struct verify_result *out, struct err *e)
{
	struct verifying v = {.repo = r, .p = p, .ctx = ctx, .out = out, .now_ns = repo_now(r)};
	struct clock *clock = os_clock_of(ctx);
	int64_t began = clock->mono_ns(clock);
	struct snapshot_list all = {0};
	int rc = -1;

	memset(out, 0, sizeof *out);
	v.small.most = VERIFY_SMALL_FILES;
	v.large.most = VERIFY_LARGE_FILES;
	atomic_store(&ctx->progress.phase, "verifying");
	if (repo_index_load(r, false, e) == -1 || snapshot_load_all(r, &all, e) == -1)
		goto out;
	v.reader = reader_new(r);
	v.npacks = index_cache_packs(repo_index(r));
	v.needed = mem_zalloc(v.npacks + 1);
	v.bad = mem_zalloc(v.npacks + 1);
	judge_list(&v, &all);
	v.snapshot = choose(&v, &all);
	judge_newest(&v, &all);
	if (v.snapshot == NULL)
		no_snapshot(&v);
	else if (judge(&v, e) == -1)
		goto out;
	drop_others(&v);
	out->score = verify_score(verify_rules, out->answers, VERIFY_IDS);
	out->seconds = (double)(clock->mono_ns(clock) - began) / 1e9;
	rc = ctx_check(ctx, e);
out:
	fini(&v);
	snapshot_list_fini(&all);
	return rc;
}
