/*
 * op_check: damage_scan for objects and packs, then every snapshot's trees.
 * A tree that was found whole is not looked into again.
 */
#include "engine/op_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/check_logs.h"
#include "engine/check_refs.h"
#include "engine/damage.h"
#include "engine/history.h"
#include "engine/parity_look.h"
#include "engine/select.h"
#include "engine/void.h"
#include "os/os.h"
#include "repo/domain.h"
#include "repo/key.h"
#include "repo/mark.h"
#include "repo/reader.h"
#include "repo/repo_object.h"
#include "repo/repo_parity.h"
#include "repo/tree.h"

struct check {
	struct repo *repo;
	struct ctx *ctx;
	struct damage *damage;
	struct reader *reader;
	struct idmap *whole; /* trees that are as they should be */
	struct check_result *out;
	const struct snapshot *snapshot;
	bool hurt;        /* the snapshot at hand */
	int64_t now_ns;   /* the store's */
	struct ctx inner; /* ctx with our sink: damage is counted */
};

static void hurt(struct check *c, const char *path, const char *why)
{
	char hex[ID_HEX];

	c->hurt = true;
	c->out->hurt_paths++;
	event_emit(c->ctx, EVENT_SNAPSHOT_HURT, span_str(path), "snapshot %.8s, signed by %s: %s",
	    id_hex(hex, &c->snapshot->id),
	    repo_signer_text(c->repo, domain_tag(c->snapshot->signer)), why);
}

static bool check_content(
    struct check *c, const struct entry *en, const struct tree_ref *ref, const char *path)
{
	struct err e;

	if (damage_content(c->damage, c->reader, en, ref, &e) == 0)
		return true;
	hurt(c, path, e.msg);
	return false;
}

/* True if all of it is whole; otherwise every path that suffers was told. */
static bool check_tree(struct check *c, const struct id *tree, const char *path, unsigned depth)
{
	struct tree_reader *t;
	struct tree_ref ref;
	struct entry en;
	struct err e;
	bool whole = true;
	int rc = -1;

	if (idmap_get(c->whole, tree) != NULL || atomic_load(&c->ctx->cancel))
		return true;
	if (depth > ENTRY_DEPTH_MAX) {
		hurt(c, path, "directories nested too deep");
		return false;
	}
	err_clear(&e);
	ctx_item(c->ctx, span_str(path));
	t = tree_reader_open(reader_tree_get, c->reader, tree, &e);
	while (t != NULL && (rc = tree_reader_next(t, &en, &ref, &e)) == 1) {
		char *child = mem_printf("%s/%.*s", path, (int)en.name.n, (const char *)en.name.p);

		if (en.type == ENTRY_DIR) {
			struct id sub = ref.ids[0];

			whole = check_tree(c, &sub, child, depth + 1) && whole;
		} else {
			whole = check_content(c, &en, &ref, child) && whole;
		}
		free(child);
	}
	tree_reader_close(t);
	if (rc == -1) {
		hurt(c, *path ? path : "/", e.msg);
		return false;
	}
	c->out->trees++;
	if (whole)
		idmap_put(c->whole, tree, NULL);
	return whole;
}

/* Without names there are no paths to tell of. */
static void refs_hurt(void *arg, const char *why)
{
	hurt(arg, "", why);
}

static void check_snapshot(struct check *c, const struct snapshot *s)
{
	/* What is due is only waiting for prune; until then it can be brought back. */
	if (s->is_void || snapshot_goes(s, c->now_ns))
		return;
	c->snapshot = s;
	c->hurt = false;
	reader_set_domain(c->reader, snapshot_domain(s));
	for (size_t i = 0; i < s->nparts; i++)
		if (s->parts[i].has_tree && s->head_only)
			check_refs(c->damage, c->reader, c->whole, &s->parts[i].tree, refs_hurt, c);
		else if (s->parts[i].has_tree)
			check_tree(c, &s->parts[i].tree, "", 0);
	c->out->snapshots++;
	c->out->hurt_snapshots += c->hurt;
}

/* What readers of small objects tell goes through here: damage is counted. */
static void counting_sink(struct ctx *inner, const struct event *ev)
{
	struct check *c = inner->sink_arg;

	bool damage = ev->id == EVENT_OBJECT_DAMAGED || ev->id == EVENT_OBJECT_MENDED;

	if (damage && c->damage != NULL) {
		char *name = mem_strndup((const char *)ev->path.p, ev->path.n);

		damage_object(c->damage, name, ev->text);
		free(name);
	} else if (!damage) {
		c->out->findings += ev->id == EVENT_FINDING;
		if (c->ctx->sink == NULL)
			return;
		c->ctx->sink(c->ctx, ev);
	}
}

static int check_keys(struct check *c, struct err *e)
{
	struct id_list ids = {0};
	struct buf object = {0};
	struct key_info info;
	char name[REPO_NAME_MAX];
	int rc = -1;

	if (repo_list_ids(c->repo, FORMAT_KEY, &ids, e) == -1)
		goto out;
	for (size_t i = 0; i < ids.n; i++) {
		if (repo_get_object(c->repo, FORMAT_KEY, &ids.v[i], &object, e) == 0 &&
		    key_read_info(buf_span(&object), &info, e) == 0)
			continue;
		if (!repo_is_bad(e))
			goto out;
		damage_object(c->damage, repo_object_name(name, FORMAT_KEY, &ids.v[i]), e->msg);
	}
	rc = 0;
out:
	id_list_fini(&ids);
	buf_fini(&object);
	return rc;
}

/* A key that its thief deleted opens everything still: its holder must be removed. */
static int check_holders(struct check *c, struct err *e)
{
	struct repo_key *v;
	char name[64];
	size_t n;

	if (repo_keys_list(c->repo, &v, &n, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!v[i].missing)
			continue;
		c->out->warnings++;
		snprintf(name, sizeof name, "key of holder %.8s", v[i].holder);
		event_emit(c->ctx, EVENT_WARNING, span_str(name),
		    "is missing (%s, %s); if nobody removed it on purpose, holdfast key remove "
		    "%.8s ends what a copy of it may do",
		    v[i].role, v[i].label, v[i].holder);
	}
	repo_keys_free(v, n);
	return 0;
}

/* Damaged, or of a newer config than this one. */
static void check_bad_index(struct check *c, const struct id *id)
{
	struct index_origin origin;
	struct buf payload = {0};
	char name[REPO_NAME_MAX];
	struct err e;
	bool foreign = repo_index_payload(c->repo, id, &payload, &origin, NULL, &e) == -1 &&
		       repo_is_foreign(&e);

	damage_object(c->damage, repo_object_name(name, FORMAT_INDEX, id),
	    foreign ? e.msg
		    : "cannot be read; holdfast repair index makes a new one from the packs");
	buf_fini(&payload);
}

/* Small objects of every kind: each is read whole. */
static int check_objects(struct check *c, struct snapshot_list *snapshots, struct err *e)
{
	struct mark_set marks;

	for (size_t i = 0; i < repo_mended(c->repo); i++)
		damage_object(
		    c->damage, repo_mended_name(c->repo, i), "is damaged; its parity mends it");
	for (size_t i = 0; i < repo_bad_indexes(c->repo); i++)
		check_bad_index(c, repo_bad_index(c->repo, i));
	if (check_keys(c, e) == -1 || check_holders(c, e) == -1 ||
	    mark_load(c->repo, &marks, e) == -1)
		return -1;
	mark_set_fini(&marks);
	return snapshot_load_all(c->repo, snapshots, e);
}

/* The past; what is dated later than it was stored, or came later than it could. */
static int check_history(struct check *c, const struct snapshot_list *snapshots, struct err *e)
{
	for (size_t i = 0; i < snapshots->n; i++) {
		const struct snapshot *s = snapshots->v[i];

		c->out->warnings += select_warn_future(c->ctx, s);
		c->out->findings += !snapshot_goes(s, c->now_ns) &&
				    select_tell_late(c->repo, c->ctx, EVENT_FINDING, s);
	}
	return history_check(c->repo, snapshots, c->ctx, &c->out->findings, e);
}

static void take_counts(struct check_result *out, const struct damage_counts *n)
{
	out->packs = n->packs;
	out->packs_read = n->packs_read;
	out->asleep_packs = n->asleep_packs;
	out->indexes = n->indexes;
	out->blobs = n->blobs;
	out->bytes_read = n->bytes_read;
	out->unreferenced_packs = n->unreferenced_packs;
	out->damaged_objects = n->objects;
}

int op_check(struct repo *r, const struct check_params *p, struct ctx *ctx,
    struct check_result *out, struct err *e)
{
	struct check c = {.repo = r, .ctx = ctx, .out = out};
	struct damage_params dp = {p->read_data || p->subset > 0, p->subset, p->jobs};
	struct clock *clock = os_clock_of(ctx);
	int64_t began = clock->mono_ns(clock);
	struct snapshot_list snapshots = {0};
	struct ctx *outer;
	struct err ignored;
	int rc = -1;

	memset(out, 0, sizeof *out);
	c.whole = idmap_new(0);
	c.inner.sink = counting_sink;
	c.inner.sink_arg = &c;
	c.inner.clock = ctx->clock;
	/* Due by the store's clock, as for prune; where nothing can be written there, by ours. */
	if (repo_store_now(r, &c.now_ns, &ignored) == -1)
		c.now_ns = repo_now(r);
	outer = repo_set_ctx(r, &c.inner);
	if (damage_scan(r, &dp, ctx, &c.damage, e) == -1)
		goto out;
	atomic_store(&ctx->progress.phase, "checking snapshots");
	if (check_objects(&c, &snapshots, e) == -1)
		goto out;
	c.reader = reader_new(r);
	if (parity_check(r, c.damage, dp.read_data, ctx, &out->warnings, e) == -1)
		goto out;
	if (check_logs(r, c.damage, &snapshots, dp.read_data, p->subset, ctx, &out->logs, e) == -1)
		goto out;
	if (void_judge(r, &snapshots, ctx, &out->void_snapshots, e) == -1)
		goto out;
	out->warnings += out->void_snapshots;
	for (size_t i = 0; i < snapshots.n && !atomic_load(&ctx->cancel); i++)
		check_snapshot(&c, snapshots.v[i]);
	rc = ctx_check(ctx, e);
	if (rc == 0)
		rc = check_history(&c, &snapshots, e);
	take_counts(out, damage_counts(c.damage));
	out->foreign_objects = repo_foreign_indexes(r) + snapshots.foreign +
			       damage_counts(c.damage)->foreign_packs;
	out->late_packs = repo_late_gone(r);
	out->seconds = (double)(clock->mono_ns(clock) - began) / 1e9;
out:
	repo_set_ctx(r, outer);
	reader_free(c.reader);
	damage_free(c.damage);
	idmap_free(c.whole);
	snapshot_list_fini(&snapshots);
	return rc;
}
