/*
 * op_prune: the order of things.
 *
 *   1  marks, then snapshots, what they reach, every pack's state
 *   2  snapshots that are forgotten and due go (no pack depends on them)
 *   3  marks that are the grace old are executed: what is reached after all
 *      is unmarked, the rest deleted.  A mark written anew stays as their
 *      tombstone, until it is twice the grace old and no index names them: so
 *      that none which somebody writes meanwhile can bring the packs back
 *   4  live frames of mostly dead packs are copied
 *   5  what nothing needs now is marked
 *
 *   6  the store is looked after: rules of its life cycle, locks (locks.h)
 *
 * With `exclusive` what would be marked is deleted at once, and tombstones go at once,
 * unless there is an index that cannot be read.
 */
#include "engine/op_prune.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/parity_look.h"
#include "engine/prune_internal.h"
#include "os/os.h"
#include "repo/gone.h"
#include "repo/seen.h"
#include "store/store_drivers.h"
#include "store/store_rules.h"

static const int64_t DAY_NS = 86400 * 1000000000LL;

static bool known(const struct note_list *l, const struct note *n)
{
	for (size_t i = 0; i < l->n; i++)
		if (id_eq(&l->v[i].id, &n->id))
			return true;
	return false;
}

/* A pin, a hold or a release that came after the plan was made. */
static int second_thoughts(struct prune *pr, struct err *e)
{
	struct note_list now;
	char hex[ID_HEX];
	int rc = 0;

	if (note_list_names(pr->repo, &now, e) == -1)
		return -1;
	for (size_t i = 0; i < now.n && rc == 0; i++)
		for (size_t j = 0; j < pr->snapshots.n && rc == 0; j++) {
			const struct snapshot *s = pr->snapshots.v[j];

			if (id_eq(&now.v[i].snapshot, &s->id) && snapshot_goes(s, pr->now_ns) &&
			    !known(&pr->notes, &now.v[i])) {
				err_set(e, ERR_BUSY, "a note on snapshot %.8s came meanwhile",
				    id_hex(hex, &s->id));
				rc = err_hint(e, "nothing was deleted; run prune again");
			}
		}
	note_list_fini(&now);
	return rc;
}

/* Before they go it is written that they are gone rightly. */
static int record_gone(struct prune *pr, struct id *note, struct err *e)
{
	struct gone gone = {0};
	int rc;

	if (gone_is_many(&pr->notes))
		gone_of_notes(&gone, &pr->notes);
	for (size_t i = 0; i < pr->snapshots.n; i++) {
		const struct snapshot *s = pr->snapshots.v[i];

		struct author by = snapshot_author(s);

		if (snapshot_goes(s, pr->now_ns))
			gone_add(&gone, &by, s->sequence, s->sequence);
	}
	rc = gone_put(pr->repo, &gone, note, e);
	gone_fini(&gone);
	return rc;
}

static int remove_snapshots(struct prune *pr, struct err *e)
{
	struct id note;
	struct err ignored;

	if (pr->out->snapshots_removed == 0)
		return 0;
	if (record_gone(pr, &note, e) == -1)
		return -1;
	/* In this order: see note_add. */
	if (second_thoughts(pr, e) == -1) {
		gone_withdraw(pr->repo, &note, &ignored);
		return -1;
	}
	for (size_t i = 0; i < pr->snapshots.n; i++) {
		struct snapshot *s = pr->snapshots.v[i];
		char hex[ID_HEX];

		if (!snapshot_goes(s, pr->now_ns))
			continue;
		if (snapshot_del(pr->repo, &s->id, e) == -1 ||
		    note_del_all(pr->repo, &pr->notes, &s->id, e) == -1)
			return -1;
		event_emit(pr->ctx, EVENT_OBJECT_REMOVED, span_str(id_hex(hex, &s->id)),
		    s->is_void ? "snapshot was void" : "snapshot was forgotten");
	}
	return gone_is_many(&pr->notes) ? gone_sweep(pr->repo, &pr->notes, e) : 0;
}

/* Anybody who can write to the store can make them, so they must not stay. */
static int remove_junk_notes(struct prune *pr, struct err *e)
{
	for (size_t i = 0; i < pr->notes.n; i++) {
		const struct note *n = &pr->notes.v[i];
		char hex[ID_HEX];

		if (!n->junk)
			continue;
		if (note_del(pr->repo, n, e) == -1)
			return -1;
		event_emit(pr->ctx, EVENT_OBJECT_REMOVED, span_str(id_hex(hex, &n->id)),
		    "note that is junk");
	}
	return 0;
}

/* Remarks on snapshots that are gone, as a crash may leave them. */
static int remove_stray_notes(struct prune *pr, struct err *e)
{
	for (size_t i = 0; i < pr->notes.n; i++) {
		const struct note *n = &pr->notes.v[i];
		char name[REPO_NAME_MAX];
		struct store_stat st;

		if (gone_is(n) || (i > 0 && id_eq(&n->snapshot, &pr->notes.v[i - 1].snapshot)))
			continue;
		/* Asked, not looked up: the snapshot may be newer than our list. */
		repo_object_name(name, FORMAT_SNAPSHOT, &n->snapshot);
		if (store_stat(repo_store(pr->repo), name, &st, e) == 0)
			continue;
		if (e->kind != ERR_ABSENT ||
		    note_del_all(pr->repo, &pr->notes, &n->snapshot, e) == -1)
			return -1;
	}
	return 0;
}

static bool expired(const struct prune *pr, const struct mark *m)
{
	return pr->p->exclusive || pr->now_ns - m->stored_ns >= pr->grace_ns;
}

static void wait_until(struct prune *pr, int64_t due)
{
	pr->out->waiting++;
	if (pr->out->next_ns == 0 || due < pr->out->next_ns)
		pr->out->next_ns = due;
}

/* Decide for each pack of each mark. */
static void judge_marks(struct prune *pr)
{
	for (size_t i = 0; i < pr->marks.n; i++) {
		const struct mark *m = &pr->marks.v[i];
		bool old = expired(pr, m);

		for (size_t j = 0; j < m->npacks; j++) {
			struct ppack *pk = idmap_get(pr->packs, &m->packs[j]);

			if (pk == NULL || !pk->present || pk->spared)
				continue;
			if (pk->live) {
				pr->out->packs_unmarked++;
			} else if (old) {
				pk->doomed = true;
			} else {
				wait_until(pr, m->stored_ns + pr->grace_ns);
			}
		}
	}
}

/*
 * What nothing needs: mark it, or with --exclusive doom it at once; that is marked too where
 * an index that we cannot read may name it.
 */
static void find_dead(struct prune *pr, struct id_list *dead)
{
	struct ppack *pk;
	struct id id;
	size_t pos = 0;

	while ((pk = idmap_next(pr->packs, &pos, &id)) != NULL) {
		bool young = pr->now_ns - pk->stored_ns < pr->grace_ns;

		if (pk->marked || pk->doomed || !pk->present || (pk->live && !pk->repack)) {
			pr->out->packs_kept += pk->live && !pk->repack && !pk->paid_ns;
			continue;
		}
		/* Perhaps a run is at it that has made no snapshot yet. */
		if (!pr->p->exclusive && young && !pk->repack) {
			wait_until(pr, pk->stored_ns + pr->grace_ns);
			continue;
		}
		if (pr->p->exclusive) {
			pk->doomed = true;
			pk->live = false;
			if (pr->unread)
				id_list_add(dead, &id);
			continue;
		}
		id_list_add(dead, &id);
		pr->out->packs_marked++;
		pr->out->bytes_marked += pk->size;
	}
}

static int mark_dead(struct prune *pr, const struct id_list *dead, struct err *e)
{
	struct id id;

	if (dead->n == 0)
		return 0;
	if (pr->out->next_ns == 0)
		pr->out->next_ns = pr->now_ns + pr->grace_ns;
	return mark_put(pr->repo, MARK_DOOMED, dead->v, dead->n, &id, e);
}

static bool any_doomed(const struct prune *pr)
{
	struct ppack *pk;
	struct id id;
	size_t pos = 0;

	while ((pk = idmap_next(pr->packs, &pos, &id)) != NULL)
		if (prune_drops(pk) && (pk->present || pk->indexed))
			return true;
	return repo_index_objects(pr->repo) > 16 || repo_late_gone(pr->repo) > 0;
}

static void count_doomed(struct prune *pr)
{
	struct ppack *pk;
	struct id id;
	size_t pos = 0;

	while ((pk = idmap_next(pr->packs, &pos, &id)) != NULL)
		if (pk->doomed && pk->present) {
			pr->out->packs_deleted++;
			pr->out->bytes_deleted += pk->size;
		}
}

/* What was cut, before anything is written: on a full disk that may be all the room there is. */
static int sweep(struct prune *pr, struct err *e)
{
	/* A run that is slow holds temporary files for long: a day at least. */
	int64_t age = pr->p->exclusive ? 0 : pr->grace_ns > DAY_NS ? pr->grace_ns : DAY_NS;
	uint64_t swept;

	if (repo_clock_sweep(pr->repo, pr->now_ns - age, e) == -1 ||
	    store_uploads_sweep(repo_store(pr->repo), pr->now_ns - age, &swept, e) == -1)
		return -1;
	return store_tmp_sweep(repo_store(pr->repo), age, &swept, e);
}

static int act(struct prune *pr, const struct id_list *dead, struct err *e)
{
	uint64_t swept;

	/* That mark outlives its packs: the next prune makes a tombstone of it. */
	if (pr->p->exclusive && mark_dead(pr, dead, e) == -1)
		return -1;
	if (any_doomed(pr) && prune_delete_doomed(pr, e) == -1)
		return -1;
	if (prune_settle_marks(pr, e) == -1 ||
	    (!pr->p->exclusive && mark_dead(pr, dead, e) == -1) || remove_junk_notes(pr, e) == -1 ||
	    remove_stray_notes(pr, e) == -1)
		return -1;
	return parity_sweep(pr->repo, pr->now_ns - pr->grace_ns, pr->ctx, &swept, e);
}

/* Without a plan all that is there is needed. */
static bool is_needed(void *arg, const struct id *pack)
{
	const struct prune *pr = arg;
	const struct ppack *pk = pr->planned ? idmap_get(pr->packs, pack) : NULL;

	if (!pr->planned)
		return true;
	/* One that came after the plan was locked as it was put. */
	return pk != NULL && pk->live && !pk->repack && !pk->doomed && pk->paid_ns == 0;
}

static int put_rules(struct prune *pr, struct err *e)
{
	struct store_rule rules[STORE_RULES_MAX];
	size_t n = store_rules_wanted(repo_store(pr->repo), rules);

	pr->out->rules = n;
	return n > 0 ? store_rules_put(repo_store(pr->repo), rules, n, e) : 0;
}

/*
 * What the store's options ask of somebody who looks after it, however the rest went: a
 * snapshot that somebody damaged must not let all locks end.  The first error is kept, others
 * are told as they come.
 */
static int upkeep(struct prune *pr, int rc, struct err *e)
{
	struct err why[2];
	bool failed[2] = {false, false};

	if (ctx_cancelled(pr->ctx))
		return rc;
	failed[0] = locks_extend(pr->repo, is_needed, pr, pr->now_ns, pr->ctx, &pr->out->locks,
			&why[0]) == -1;
	failed[1] = put_rules(pr, &why[1]) == -1;
	for (int i = 0; i < 2; i++) {
		if (failed[i] && rc == -1)
			event_emit(pr->ctx, EVENT_WARNING, span_of(NULL, 0), "%s", why[i].msg);
		else if (failed[i])
			*e = why[i];
		rc = failed[i] ? -1 : rc;
	}
	return rc;
}

/* What was planned holds only for the index that it was planned with. */
static int same_index(struct prune *pr, struct err *e)
{
	if (pr->generation == repo_index_generation(pr->repo))
		return 0;
	err_set(e, ERR_BUSY, "the local index was made anew meanwhile; nothing is deleted");
	return err_hint(e, "run prune again");
}

static int run(struct prune *pr, struct err *e)
{
	struct id_list dead = {0};
	int rc = -1;

	if (prune_plan(pr, e) == -1)
		return -1;
	pr->planned = true;
	prune_choose(pr);
	judge_marks(pr);
	if (pr->p->dry_run) {
		find_dead(pr, &dead);
		count_doomed(pr);
		rc = prune_show(pr, e);
		if (rc == 0)
			rc = prune_logs(pr, e);
		goto out;
	}
	if (same_index(pr, e) == -1 || sweep(pr, e) == -1 || remove_snapshots(pr, e) == -1 ||
	    prune_logs(pr, e) == -1 || prune_repack(pr, e) == -1 || same_index(pr, e) == -1)
		goto out;
	find_dead(pr, &dead);
	rc = act(pr, &dead, e);
out:
	id_list_fini(&dead);
	return rc;
}

static void prune_fini(struct prune *pr)
{
	reader_free(pr->reader);
	mark_set_fini(&pr->marks);
	snapshot_list_fini(&pr->snapshots);
	note_list_fini(&pr->notes);
	reach_free(pr->reach);
	idmap_free(pr->packs);
	free(pr->held);
}

int op_prune(struct repo *r, const struct prune_params *p, struct ctx *ctx,
    struct prune_result *out, struct err *e)
{
	struct clock *clock = os_clock_of(ctx);
	struct prune pr = {.repo = r, .ctx = ctx, .p = p, .out = out};
	int rc = -1;

	memset(out, 0, sizeof *out);
	/* By a config that was set back, what others stored looks like nobody's. */
	if (!p->dry_run && (repo_may_write(r, e) == -1 || seen_own_config(r, e) == -1))
		return -1;
	pr.began_ns = clock->mono_ns(clock);
	pr.grace_ns = p->exclusive ? 0 : repo_grace_s(r) * 1000000000;
	pr.packs = idmap_new(sizeof(struct ppack));
	pr.reader = reader_new(r);
	pr.now_ns = clock->wall_ns(clock);
	if (!p->dry_run && repo_store_now(r, &pr.now_ns, e) == -1)
		goto out;
	rc = run(&pr, e);
	if (!p->dry_run)
		rc = upkeep(&pr, rc, e);
	out->seconds = (double)(clock->mono_ns(clock) - pr.began_ns) / 1e9;
out:
	prune_fini(&pr);
	return rc;
}
