/*
 * repair_parity: see repair_internal.h.  Every object is read; what does not
 * have its hash is mended by its parity and put back, bit for bit; parity
 * that is missing or damaged is made again from sound objects.
 */
#include <string.h>

#include "engine/repair_internal.h"
#include "repo/name_list.h"
#include "repo/parity.h"
#include "repo/repo_parity.h"

static int mend(struct repair *rp, const char *object, const struct id *id, struct buf *bytes,
    bool *sound, struct err *e)
{
	struct err why;

	*sound = repo_mend_bytes(rp->repo, object, id, bytes, &why);
	if (!*sound) {
		/* What follows makes the best of it; without parity that is all there is. */
		if (why.kind != ERR_NONE && why.kind != ERR_ABSENT)
			event_emit(rp->ctx, EVENT_OBJECT_DAMAGED, span_str(object), "%s", why.msg);
		return 0;
	}
	rp->out->objects_repaired++;
	if (!rp->p->dry_run &&
	    store_put_repair(repo_store(rp->repo), object, buf_span(bytes), e) == -1)
		return e->kind == ERR_ABSENT ? 0 : -1; /* deleted meanwhile */
	event_emit(rp->ctx, EVENT_OBJECT_REPAIRED, span_str(object), "%s",
	    rp->p->dry_run ? "would be mended, bit for bit" : "mended, bit for bit");
	return 0;
}

/* Is its parity there, sound, and of the share that is wanted? */
static bool has_parity(struct repair *rp, const char *name, const struct id *id)
{
	struct buf bytes = {0};
	struct parity p = {.m = 0};
	struct err e;
	unsigned share = rp->p->parity;
	bool ok = repo_get_left(rp->repo, name, PARITY_BYTES_MAX, &bytes, &e) == 0 &&
		  parity_read(buf_span(&bytes), id, &p, &e) == 0 && p.sound &&
		  (uint64_t)p.m * (1000 - share) >= (uint64_t)p.k * share;

	parity_fini(&p);
	buf_fini(&bytes);
	return ok;
}

static int keep_parity(
    struct repair *rp, const char *object, const struct id *id, struct span bytes, struct err *e)
{
	char name[REPO_NAME_MAX];

	if (repo_parity(rp->repo) == 0 && rp->p->parity == 0)
		return 0;
	if (has_parity(rp, repo_parity_name(name, object, id), id)) {
		rp->out->parity_kept++;
		return 0;
	}
	rp->out->parity_written++;
	return rp->p->dry_run ? 0 : repo_put_parity(rp->repo, object, id, bytes, e);
}

static int look_at(struct repair *rp, const char *object, const struct id *id, struct err *e)
{
	struct buf bytes = {0};
	struct id got;
	bool sound;
	int rc = repo_get_left(rp->repo, object, FORMAT_SMALL_MAX, &bytes, e);

	if (rc == -1 && e->kind == ERR_COLD) {
		rp->out->asleep++;
		rc = 0;
		goto out;
	}
	if (rc == -1 && bytes.n == 0) {
		rc = e->kind == ERR_ABSENT ? 0 : -1; /* pruned meanwhile */
		goto out;
	}
	rc = 0;
	atomic_fetch_add(&rp->ctx->progress.bytes, bytes.n);
	atomic_fetch_add(&rp->ctx->progress.files, 1);
	repo_object_id(rp->repo, buf_span(&bytes), &got);
	sound = id_eq(&got, id);
	if (!sound)
		rc = mend(rp, object, id, &bytes, &sound, e);
	if (rc == 0 && sound)
		rc = keep_parity(rp, object, id, buf_span(&bytes), e);
out:
	buf_fini(&bytes);
	return rc;
}

/* What was read, mended, when the repository was opened, is what belongs there.  0 also if nothing
 * was to be done: then *whole is false. */
static int put_back_config(struct repair *rp, bool *whole, struct err *e)
{
	bool mended = rp->p->dry_run;

	*whole = false;
	/* Another holder may have changed it since; that is no damage. */
	if (!repo_was_mended(rp->repo, "config"))
		return 0;
	if (!mended && repo_put_back_config(rp->repo, &mended, e) == -1)
		return -1;
	*whole = mended;
	if (!mended)
		return 0;
	rp->out->objects_repaired++;
	event_emit(rp->ctx, EVENT_OBJECT_REPAIRED, span_str("config"), "%s",
	    rp->p->dry_run ? "would be mended, bit for bit" : "mended, bit for bit");
	return 0;
}

static int repair_config(struct repair *rp, struct err *e)
{
	struct buf text = {0}, now = {0};
	bool whole = true;
	struct id id;
	int rc = -1;

	repo_config_text(rp->repo, &text);
	if (repo_get_left(rp->repo, "config", FORMAT_SMALL_MAX, &now, e) == -1 && now.n == 0)
		goto out;
	rc = 0;
	if (now.n != text.n || memcmp(now.p, text.p, text.n) != 0)
		rc = put_back_config(rp, &whole, e);
	/* Of the config as it is now, whoever changed it since. */
	if (rc == 0 && rp->p->parity != 0 && !rp->p->dry_run) {
		rc = repo_set_parity(rp->repo, rp->p->parity, e);
		whole = true;
	}
	if (rc == 0 && whole) {
		buf_reset(&text);
		repo_config_text(rp->repo, &text);
		repo_config_id(buf_span(&text), &id);
		rc = keep_parity(rp, "config", &id, buf_span(&text), e);
	}
out:
	buf_fini(&text);
	buf_fini(&now);
	return rc;
}

static int any_name(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	*(bool *)arg = true;
	return 0;
}

int repair_parity(struct repair *rp, struct err *e)
{
	bool any = rp->p->parity != 0 || repo_parity(rp->repo) != 0;
	struct name_list l = {0};
	int rc = -1;

	if (!any && store_list(repo_store(rp->repo), "parity/", any_name, &any, e) == -1)
		return -1;
	if (!any)
		return 0;
	atomic_store(&rp->ctx->progress.phase, "mending by parity");
	if (repair_config(rp, e) == -1)
		goto out;
	if (name_list_objects(repo_store(rp->repo), true, name_list_take, &l, e) == -1)
		goto out;
	for (size_t i = 0; i < l.n; i++) {
		struct id id;

		if (!repo_name_id(l.v[i], &id))
			continue;
		if (ctx_check(rp->ctx, e) == -1 || look_at(rp, l.v[i], &id, e) == -1)
			goto out;
	}
	rc = 0;
out:
	name_list_fini(&l);
	return rc;
}
