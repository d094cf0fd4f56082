/* verify_data: packs read byte for byte: those that are due, and with read_data all it needs. */
#include "engine/verify_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/damage_pack.h"
#include "engine/read_budget.h"
#include "repo/repo_object.h"
#include "store/store_cold.h"

enum { DAY = 86400 };
#define NS INT64_C(1000000000)

struct reading {
	struct verifying *v;
	struct read_memory *memory; /* NULL: no budget */
	struct damage_pack *dp;
	uint32_t *ordinals; /* of each pack in the list, the first */
	struct read_pack *packs;
	size_t n;
};

static void bad_blob(void *arg, const struct id *blob)
{
}

/* Each pack once, though several indexes may name it; it is needed if any of them is. */
static int list_packs(struct reading *x, struct err *e)
{
	struct verifying *v = x->v;
	struct idmap *seen = idmap_new(sizeof(uint32_t));

	x->packs = mem_zalloc((v->npacks + 1) * sizeof *x->packs);
	x->ordinals = mem_alloc((v->npacks + 1) * sizeof *x->ordinals);
	for (uint32_t i = 0; i < v->npacks; i++) {
		struct index_cache_pack p;
		uint32_t *first;
		bool was;

		if (index_cache_pack(repo_index(v->repo), i, &p, e) == -1) {
			idmap_free(seen);
			return -1;
		}
		first = idmap_put(seen, &p.id, &was);
		if (was) {
			v->needed[*first] |= v->needed[i];
			continue;
		}
		*first = i;
		x->ordinals[x->n] = i;
		x->packs[x->n++] = (struct read_pack){.id = p.id, .size = p.size};
	}
	idmap_free(seen);
	return 0;
}

static void note(struct reading *x, size_t i, enum read_found found)
{
	if (x->memory != NULL)
		read_memory_note(x->memory, &x->packs[i].id, x->v->now_ns / NS, found);
}

/* Of this snapshot it is a failure; of others it is told, for it is theirs. */
static void tell_damage(struct reading *x, size_t i, const char *name, const struct err *e)
{
	struct verifying *v = x->v;
	uint32_t at = x->ordinals[i];

	note(x, i, READ_BAD);
	event_emit(v->ctx, EVENT_OBJECT_DAMAGED, span_str(name), "%s", e->msg);
	if (!v->needed[at]) {
		v->out->damaged_elsewhere++;
		return;
	}
	v->bad[at] = true;
	verify_fail(v, VERIFY_DATA, "%s: %s", name, e->msg);
}

static bool is_asleep(struct verifying *v, const char *name, const struct store_stat *st)
{
	struct store_cold now;
	struct err e;

	return st->class != STORE_CLASS_USUAL && store_can_sleep(repo_store(v->repo)) &&
	       store_cold_look(repo_store(v->repo), name, &now, &e) == 0 &&
	       now.state != STORE_HOT && now.state != STORE_THAWED;
}

static int read_one(struct reading *x, size_t i, struct err *e)
{
	struct verifying *v = x->v;
	struct index_cache_pack p;
	char name[REPO_NAME_MAX];
	struct store_stat st;
	bool lie;

	if (index_cache_pack(repo_index(v->repo), x->ordinals[i], &p, e) == -1)
		return -1;
	repo_object_name(name, (enum format_type)p.type, &p.id);
	if (store_stat(repo_store(v->repo), name, &st, e) == 0) {
		if (is_asleep(v, name, &st)) {
			v->out->packs_asleep++;
			note(x, i, READ_ASLEEP);
			return 0;
		}
		if (damage_pack_read(x->dp, x->ordinals[i], st.size, bad_blob, NULL, &lie, e) ==
		    0) {
			v->out->packs_read++;
			v->out->bytes_read += st.size;
			atomic_fetch_add(&v->ctx->progress.bytes, st.size);
			note(x, i, READ_SOUND);
			return 0;
		}
	}
	if (!repo_is_bad(e) && !repo_is_foreign(e) && e->kind != ERR_ABSENT && e->kind != ERR_IO)
		return -1;
	tell_damage(x, i, name, e);
	return 0;
}

static int read_chosen(struct reading *x, struct err *e)
{
	struct verifying *v = x->v;

	atomic_store(&v->ctx->progress.phase, "reading packs");
	x->dp = damage_pack_new(v->repo);
	for (size_t i = 0; i < x->n; i++) {
		bool mine = v->p->read_data && v->needed[x->ordinals[i]];

		if (!mine && !x->packs[i].chosen)
			continue;
		if (ctx_check(v->ctx, e) == -1 || read_one(x, i, e) == -1)
			return -1;
	}
	return 0;
}

static void sum_up(struct reading *x)
{
	struct verifying *v = x->v;

	if (x->memory != NULL) {
		v->out->repository_packs = x->n;
		v->out->repository_read = read_memory_sound(
		    x->memory, v->now_ns / NS - v->p->all_data_within_s);
	}
	if (x->memory == NULL && !v->p->read_data)
		verify_leave(v, VERIFY_DATA, "no data were read: all_data_within is not declared");
	else if (v->out->packs_read == 0 && v->out->packs_asleep == 0)
		verify_leave(v, VERIFY_DATA, "no pack was due to be read");
	else if (v->out->packs_read == 0)
		verify_leave(v, VERIFY_DATA, "what was due sleeps in cold storage");
	verify_settle(v, VERIFY_DATA);
}

static void choose(struct reading *x)
{
	const struct verify_params *p = x->v->p;
	const struct read_times t = {
	    x->v->now_ns / NS, p->all_data_within_s, p->every_s ? p->every_s : DAY};

	read_budget_choose(x->memory, x->packs, x->n, &t);
}

int verify_data(struct verifying *v, struct err *e)
{
	char *path = repo_state_path(v->repo, repo_place(v->repo), ".reads");
	struct reading x = {.v = v};
	bool lost = false;
	struct err why;
	int rc = 0;

	if (v->p->all_data_within_s > 0)
		x.memory = read_memory_load(path, &lost);
	if (lost)
		event_emit(v->ctx, EVENT_WARNING, span_str(path),
		    "is damaged: what was read before is not known, and is read again");
	if (x.memory != NULL || v->p->read_data)
		rc = list_packs(&x, e);
	if (rc == 0 && x.memory != NULL)
		choose(&x);
	if (rc == 0)
		rc = read_chosen(&x, e);
	/* What was read is known, also where the rest was not. */
	if (x.memory != NULL && path != NULL && read_memory_save(x.memory, path, &why) == -1)
		event_emit(v->ctx, EVENT_WARNING, span_str(path), "%s", why.msg);
	if (rc == 0)
		sum_up(&x);
	damage_pack_free(x.dp);
	read_memory_free(x.memory);
	free(x.ordinals);
	free(x.packs);
	free(path);
	return rc;
}
