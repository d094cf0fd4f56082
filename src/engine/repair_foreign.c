/*
 * repair_foreign: see repair_internal.h.  By an older config what is good
 * looks like damage; and what is lost for good by mending that is worse.
 */
#include "engine/repair_internal.h"
#include "repo/repo_parity.h"
#include "repo/seen.h"

int repair_look_back(struct repair *rp, struct err *e)
{
	uint64_t is = repo_config_revision(rp->repo);
	struct seen seen;

	if (rp->p->accept_history)
		return 0;
	seen_read(rp->repo, &seen);
	if (seen_newer_config(rp->repo, &seen)) {
		err_set(e, ERR_FOREIGN,
		    "repair: config has revision %llu, and this machine has seen %llu%s%.200s",
		    (unsigned long long)is, (unsigned long long)seen.revision,
		    seen.elsewhere ? " at " : "", seen.elsewhere ? seen.elsewhere : "");
		err_hint(e,
		    "put the newest config back, or import a newer sheet with key import; if this "
		    "one is right: holdfast repair snapshots --accept-history");
		seen_fini(&seen);
		return -1;
	}
	seen_fini(&seen);
	return 0;
}

int repair_refuse(uint64_t n, struct err *e)
{
	err_set(e, ERR_FOREIGN,
	    "repair: config is older than %llu object(s) here: what is lost cannot be told by it",
	    (unsigned long long)n);
	return err_hint(e,
	    "put the newest config back, or import a newer sheet with key import. If there is no "
	    "newer one, they are nobody's: 'holdfast repair snapshots --drop-foreign' removes "
	    "them, but for those that a newer holdfast made: use that");
}

/* The local cache may know more than config does. */
static int in_cache(struct repair *rp, uint64_t *n, struct err *e)
{
	struct index_cache *c = repo_index(rp->repo);

	for (uint32_t i = 0; i < index_cache_packs(c); i++) {
		struct index_cache_pack p;
		size_t k = 0;

		if (index_cache_pack(c, i, &p, e) == -1)
			return -1;
		while (
		    k < repo_domains(rp->repo) && repo_domain_tag(rp->repo, k) != p.origin.domain)
			k++;
		*n += k == repo_domains(rp->repo) ||
		      repo_signer_role(rp->repo, p.origin.signer) == ROLES;
	}
	return 0;
}

struct telling {
	bool tell;
	uint64_t *n;
};

static int take_foreign(
    struct repair *rp, const struct id *id, const char *name, void *arg, struct err *why)
{
	struct telling *t = arg;

	if (!repo_is_foreign(why))
		return why->kind == ERR_CORRUPT ? 0 : -1;
	++*t->n;
	if (t->tell)
		repo_warn(rp->repo, name, why->msg);
	return 0;
}

static int count(struct repair *rp, bool tell, uint64_t *n, struct err *e)
{
	*n = 0;
	if (repo_index_load(rp->repo, true, e) == -1)
		return -1;
	*n = repo_foreign_indexes(rp->repo);
	if (in_cache(rp, n, e) == -1)
		return -1;
	return repair_bad_snapshots(rp, take_foreign, &(struct telling){tell, n}, e);
}

/* Another holder may have changed config since we read it: once more, then. */
int repair_foreign(struct repair *rp, uint64_t *n, struct err *e)
{
	if (count(rp, false, n, e) == -1)
		return -1;
	if (*n == 0)
		return 0;
	return repo_reload_config(rp->repo, e) == -1 ? -1 : count(rp, true, n, e);
}

/* ---- Who says that config is the newest there is may have the rest removed. */

static int drop(
    struct repair *rp, enum format_type type, const struct id *id, uint64_t *removed, struct err *e)
{
	char name[REPO_NAME_MAX];

	repo_object_name(name, type, id);
	if (!rp->p->dry_run && repo_del_named(rp->repo, name, e) == -1)
		return -1;
	(*removed)++;
	event_emit(rp->ctx, EVENT_OBJECT_REMOVED, span_str(name), "of nobody whom config knows");
	return 0;
}

static int drop_snapshots(struct repair *rp, struct err *e)
{
	struct id_list ids = {0};
	int rc = repo_list_ids(rp->repo, FORMAT_SNAPSHOT, &ids, e);

	for (size_t i = 0; i < ids.n && rc == 0; i++) {
		struct snapshot *s;

		if (snapshot_load(rp->repo, &ids.v[i], &s, e) == 0)
			snapshot_free(s);
		else if (e->kind == ERR_FOREIGN)
			rc = drop(rp, FORMAT_SNAPSHOT, &ids.v[i], &rp->out->snapshots_removed, e);
		else if (!repo_is_bad(e) && e->kind != ERR_ABSENT)
			rc = -1;
	}
	id_list_fini(&ids);
	return rc;
}

static int drop_indexes(struct repair *rp, struct err *e)
{
	struct buf payload = {0};
	int rc = 0;

	for (size_t i = 0; i < repo_bad_indexes(rp->repo) && rc == 0; i++) {
		struct id id = *repo_bad_index(rp->repo, i);
		struct index_origin origin;

		if (repo_index_payload(rp->repo, &id, &payload, &origin, NULL, e) == -1 &&
		    e->kind == ERR_FOREIGN)
			rc = drop(rp, FORMAT_INDEX, &id, &rp->out->indexes_removed, e);
	}
	buf_fini(&payload);
	return rc;
}

int repair_drop_foreign(struct repair *rp, uint64_t *n, struct err *e)
{
	if (!rp->p->index && (drop_snapshots(rp, e) == -1 || repair_drop_notes(rp, e) == -1 ||
				 repair_drop_marks(rp, e) == -1))
		return -1;
	if (drop_indexes(rp, e) == -1)
		return -1;
	*n = 0;
	return rp->p->dry_run ? 0 : count(rp, true, n, e);
}
