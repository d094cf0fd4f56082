/* parity_look: see parity_look.h. */
#include "engine/parity_look.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/log.h"
#include "repo/name_list.h"
#include "repo/parity.h"
#include "repo/repo_parity.h"

struct named {
	char *name;
	struct id id;
	int64_t stored_ns;
};

struct look {
	struct repo *repo;
	struct ctx *ctx;
	struct damage *damage;
	bool read_data;
	uint64_t *lacking;
	struct named *v;
	size_t n;
	struct idmap *ids; /* of the other side: parity's, or objects' */
};

static int take_named(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct look *l = arg;
	struct named n = {.stored_ns = st->mtime_ns};

	if (!repo_name_id(key, &n.id))
		return 0;
	n.name = mem_strdup(key);
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
	l->v[l->n++] = n;
	return 0;
}

static int take_id(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct look *l = arg;
	struct id id;

	if (repo_name_id(key, &id))
		idmap_put(l->ids, &id, NULL);
	return 0;
}

/* Config's id is that of its bytes as they should be. */
static struct id config_id(struct repo *r)
{
	struct buf text = {0};
	struct id id;

	repo_config_text(r, &text);
	repo_config_id(buf_span(&text), &id);
	buf_fini(&text);
	return id;
}

static void look_fini(struct look *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
	idmap_free(l->ids);
}

/* ---- check */

/* Packs that an index names: others are garbage, with or without parity. */
static int take_packs(struct look *l, struct err *e)
{
	struct index_cache *c = repo_index(l->repo);
	char name[REPO_NAME_MAX];

	for (uint32_t i = 0; i < index_cache_packs(c); i++) {
		struct index_cache_pack p;

		if (index_cache_pack(c, i, &p, e) == -1)
			return -1;
		repo_object_name(name, (enum format_type)p.type, &p.id);
		take_named(l, name, &(struct store_stat){0}, e);
	}
	return 0;
}

static bool is_gone(struct look *l, const char *object)
{
	struct store_stat st;
	struct err e;

	return store_stat(repo_store(l->repo), object, &st, &e) == -1 && e.kind == ERR_ABSENT;
}

static void check_one(struct look *l, const struct named *n)
{
	char name[REPO_NAME_MAX];
	struct buf bytes = {0};
	struct parity p = {.m = 0};
	struct err e;

	repo_parity_name(name, n->name, &n->id);
	if (idmap_get(l->ids, &n->id) == NULL) {
		/* Deleted since it was listed, or lost: told by others. */
		if (!is_gone(l, n->name)) {
			++*l->lacking;
			event_emit(l->ctx, EVENT_WARNING, span_str(name),
			    "is missing; holdfast repair makes it again");
		}
		return;
	}
	if (repo_get_left(l->repo, name, l->read_data ? PARITY_BYTES_MAX : PARITY_BLOCK_MAX, &bytes,
		&e) == -1) {
		if (e.kind != ERR_ABSENT || !is_gone(l, n->name))
			damage_object(l->damage, name, e.msg);
	} else if (l->read_data) {
		if (parity_read(buf_span(&bytes), &n->id, &p, &e) == -1)
			damage_object(l->damage, name, e.msg);
		else if (!p.sound)
			damage_object(l->damage, name, "parts of it are damaged");
	} else if (!parity_begins(buf_span(&bytes), &n->id)) {
		damage_object(l->damage, name, "its beginning is damaged");
	}
	parity_fini(&p);
	buf_fini(&bytes);
}

int parity_check(struct repo *r, struct damage *d, bool read_data, struct ctx *ctx,
    uint64_t *lacking, struct err *e)
{
	struct look l = {
	    .repo = r, .ctx = ctx, .damage = d, .read_data = read_data, .lacking = lacking};
	int rc = -1;

	if (repo_parity(r) == 0)
		return 0;
	atomic_store(&ctx->progress.phase, "checking parity");
	l.ids = idmap_new(0);
	/* Objects before parity: what has its object has its parity already. */
	if (name_list_objects(repo_store(r), false, take_named, &l, e) == -1 ||
	    take_packs(&l, e) == -1 || store_list(repo_store(r), "parity/", take_id, &l, e) == -1)
		goto out;
	check_one(&l, &(struct named){.name = (char[]){"config"}, .id = config_id(r)});
	for (size_t i = 0; i < l.n; i++) {
		if (ctx_check(ctx, e) == -1)
			goto out;
		check_one(&l, &l.v[i]);
	}
	rc = 0;
out:
	look_fini(&l);
	return rc;
}

/* ---- prune */

/* Of a kind that a later version made we cannot tell whether its object is there. */
static int take_known(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	static const char folder[] = "parity/";

	const char *object = key + sizeof folder - 1;
	uint8_t stream[LOG_STREAM];
	struct log_at at;

	if (strncmp(key, folder, sizeof folder - 1) != 0 || !name_list_kind(object) ||
	    (strncmp(object, "logs/", 5) == 0 && !log_name_parse(object, stream, &at)))
		return 0;
	return take_named(arg, key, st, e);
}

int parity_sweep(
    struct repo *r, int64_t before_ns, struct ctx *ctx, uint64_t *removed, struct err *e)
{
	struct look l = {.repo = r, .ctx = ctx};
	struct id config = config_id(r);
	int rc = -1;

	*removed = 0;
	if (repo_parity(r) == 0)
		return 0;
	l.ids = idmap_new(0);
	idmap_put(l.ids, &config, NULL);
	/* Parity before objects: what is listed now has its object by then. */
	if (store_list(repo_store(r), "parity/", take_known, &l, e) == -1 ||
	    name_list_objects(repo_store(r), true, take_id, &l, e) == -1)
		goto out;
	for (size_t i = 0; i < l.n; i++) {
		if (idmap_get(l.ids, &l.v[i].id) != NULL || l.v[i].stored_ns > before_ns)
			continue;
		if (store_del(repo_store(r), l.v[i].name, e) == -1)
			goto out;
		++*removed;
		event_emit(ctx, EVENT_OBJECT_REMOVED, span_str(l.v[i].name), "its object is gone");
	}
	rc = 0;
out:
	look_fini(&l);
	return rc;
}
