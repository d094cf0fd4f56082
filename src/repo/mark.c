/* mark: see mark.h. */
#include "repo/mark.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"

void mark_set_fini(struct mark_set *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].packs);
	free(m->v);
	idmap_free(m->oldest);
	idmap_free(m->spared);
	memset(m, 0, sizeof *m);
}

static int parse(
    struct repo *r, const struct config *by, struct span object, struct mark *m, struct err *e)
{
	struct sealer sealer;
	struct envelope env;
	struct buf payload = {0};
	uint8_t signer[FORMAT_UID] = {0};
	struct cursor c;
	uint64_t kind;
	size_t n;
	int rc = -1;

	sealer_init(&sealer, r->config.repo);
	if (envelope_parse(object, FORMAT_MARK, 2, &env, e) == -1 ||
	    (envelope_verify(&sealer, &env, r->mark_key, config_writer_key, by, signer, e) == -1 &&
		repo_judge_signer(r, signer, e) == -1) ||
	    repo_accept_by(by, signer, FORMAT_MARK, NULL, e) == -1 ||
	    envelope_open(&sealer, &env, 0, r->mark_key, PURPOSE_MARK, &payload, e) == -1)
		goto out;
	c = cursor_of(buf_span(&payload));
	kind = cursor_varint(&c);
	n = cursor_count(&c, ID_SIZE, MARK_PACKS_MAX);
	/* Of a kind that we do not know more may follow. */
	if (c.bad || (kind < MARK_KINDS && cursor_left(&c) != n * ID_SIZE)) {
		err_set(e, ERR_CORRUPT, "mark is malformed");
		goto out;
	}
	m->kind = kind < MARK_KINDS ? (enum mark_kind)kind : MARK_KINDS;
	m->npacks = n;
	m->packs = mem_dup(c.p + c.off, n * ID_SIZE);
	rc = 0;
out:
	sealer_fini(&sealer);
	buf_fini(&payload);
	return rc;
}

struct listing {
	struct mark_set *set;
	struct config now; /* of a higher revision than the one in use, once it was needed */
	bool asked, newer;
};

/*
 * What the config in use cannot tell may be of a key that was added since: for who deletes, and
 * for who is about to rely on what is marked, it is a mark.  Only what is no mark by any
 * config stays one that cannot be read.
 */
static int read_mark(
    struct repo *r, struct listing *l, struct span object, struct mark *m, struct err *e)
{
	struct err why;

	if (parse(r, &r->config, object, m, e) == 0)
		return 0;
	if (!l->asked) {
		l->asked = true;
		if (repo_config_now(r, &l->now, &why) == -1) {
			/* Damaged or set back: the writer asks again, before its snapshot. */
			if (!repo_is_bad(&why) && why.kind != ERR_ABSENT) {
				*e = why;
				return -1;
			}
		} else if (l->now.revision > r->config.revision) {
			l->newer = true;
		} else {
			config_fini(&l->now);
		}
	}
	return l->newer ? parse(r, &l->now, object, m, e) : -1;
}

static int visit(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct mark_set *set = ((struct listing *)arg)->set;
	const char *leaf = strrchr(key, '/');
	struct id id;

	(void)e;
	if (leaf == NULL || !id_parse(&id, leaf + 1))
		return 0;
	set->v = mem_realloc(set->v, (set->n + 1) * sizeof *set->v);
	set->v[set->n++] = (struct mark){.id = id, .stored_ns = st->mtime_ns};
	return 0;
}

static void index_packs(struct mark_set *m)
{
	m->oldest = idmap_new(sizeof(int64_t));
	m->spared = idmap_new(0);
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->v[i].npacks; j++) {
			bool was;
			int64_t *t = idmap_put(m->oldest, &m->v[i].packs[j], &was);

			if (!was || m->v[i].stored_ns < *t)
				*t = m->v[i].stored_ns;
			if (m->v[i].kind == MARK_KINDS)
				idmap_put(m->spared, &m->v[i].packs[j], NULL);
		}
}

int mark_load(struct repo *r, struct mark_set *out, struct err *e)
{
	struct listing l = {.set = out};
	struct buf object = {0};
	char name[REPO_NAME_MAX];
	int rc = -1;

	memset(out, 0, sizeof *out);
	if (store_list(r->store, repo_type_folder(FORMAT_MARK), visit, &l, e) == -1)
		goto out;
	for (size_t i = 0; i < out->n; i++) {
		struct mark *m = &out->v[i];

		if (repo_get_object(r, FORMAT_MARK, &m->id, &object, e) == 0 &&
		    read_mark(r, &l, buf_span(&object), m, e) == 0)
			continue;
		if (e->kind == ERR_ABSENT) {
			out->v[i--] = out->v[--out->n];
			continue;
		}
		if (!repo_is_bad(e))
			goto out;
		m->unread = e->kind;
		event_emit(r->ctx, EVENT_OBJECT_DAMAGED,
		    span_str(repo_object_name(name, FORMAT_MARK, &m->id)), "%s", e->msg);
	}
	index_packs(out);
	rc = 0;
out:
	if (l.newer)
		config_fini(&l.now);
	buf_fini(&object);
	if (rc == -1)
		mark_set_fini(out);
	return rc;
}

bool mark_oldest(const struct mark_set *m, const struct id *pack, int64_t *ns)
{
	const int64_t *t = m->oldest ? idmap_get(m->oldest, pack) : NULL;

	if (t != NULL)
		*ns = *t;
	return t != NULL;
}

bool mark_has_pack(const struct mark_set *m, const struct id *pack)
{
	int64_t ns;

	return mark_oldest(m, pack, &ns);
}

bool mark_spares(const struct mark_set *m, const struct id *pack)
{
	return m->spared != NULL && idmap_get(m->spared, pack) != NULL;
}

bool mark_has(const struct mark_set *m, const struct id *mark)
{
	for (size_t i = 0; i < m->n; i++)
		if (id_eq(&m->v[i].id, mark))
			return true;
	return false;
}

int mark_put(struct repo *r, enum mark_kind kind, const struct id *packs, size_t n, struct id *id,
    struct err *e)
{
	struct buf payload = {0}, object = {0};
	struct sealer sealer;
	int rc;

	buf_put_varint(&payload, kind);
	buf_put_varint(&payload, n);
	buf_put(&payload, packs, n * ID_SIZE);
	sealer_init(&sealer, r->config.repo);
	envelope_begin(&object, FORMAT_MARK, NULL, 0);
	envelope_section(&sealer, &object, r->mark_key, PURPOSE_MARK, buf_span(&payload));
	envelope_sign(&sealer, &object, r->mark_key, r->keys->holder, r->keys->signing);
	rc = repo_put_object(r, FORMAT_MARK, buf_span(&object), id, e);
	sealer_fini(&sealer);
	buf_fini(&payload);
	buf_fini(&object);
	return rc;
}

int mark_del(struct repo *r, const struct id *id, struct err *e)
{
	char name[REPO_NAME_MAX];

	return repo_del_named(r, repo_object_name(name, FORMAT_MARK, id), e);
}

void mark_hide(struct repo *r, const struct mark_set *m)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < m->v[i].npacks; j++)
			index_cache_hide(r->index, &m->v[i].packs[j]);
}
