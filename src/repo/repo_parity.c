/* repo_parity: see repo_parity.h. */
#include "repo/repo_parity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/name_list.h"
#include "repo/parity.h"
#include "repo/repo_internal.h"

bool repo_name_id(const char *object, struct id *id)
{
	size_t n = strlen(object);

	return n > 64 && id_parse(id, object + n - 64);
}

const char *repo_parity_name(char out[REPO_NAME_MAX], const char *object, const struct id *id)
{
	const char *slash = strchr(object, '/'), *leaf = strrchr(object, '/');
	char hex[ID_HEX];

	if (slash == NULL)
		snprintf(out, REPO_NAME_MAX, "parity/%s/%s", object, id_hex(hex, id));
	else if (strncmp(object, "logs/", 5) == 0)
		snprintf(out, REPO_NAME_MAX, "parity/%s", object); /* its place is in the name */
	else
		snprintf(out, REPO_NAME_MAX, "parity/%.*s%s", (int)(slash - object), object, leaf);
	return out;
}

/* Always SHA-256: what else names objects is only known once config was read. */
void repo_config_id(struct span text, struct id *id)
{
	crypto_sha256(text, id->b);
}

unsigned repo_parity(const struct repo *r)
{
	return r->config.parity;
}

/* ---- Putting and deleting. */

int repo_put_parity(
    struct repo *r, const char *object, const struct id *id, struct span bytes, struct err *e)
{
	/* The shape that a pack gets while it is written, when nobody knows its length. */
	uint64_t pack = parity_pack_max(r->config.parity), max = bytes.n > pack ? bytes.n : pack;
	struct parity_builder *b = parity_builder_new(r->config.parity, max);
	struct buf whole = {0};
	char name[REPO_NAME_MAX];
	struct span parts[3];
	int rc;

	parity_builder_add(b, bytes);
	parity_builder_end(b, id, parts);
	for (int i = 0; i < 3; i++)
		buf_put_span(&whole, parts[i]);
	parity_builder_free(b);
	rc = store_put(r->store, repo_parity_name(name, object, id), buf_span(&whole), 0, e);
	buf_fini(&whole);
	return rc;
}

int repo_put_named(struct repo *r, const char *object, struct span bytes, struct err *e)
{
	struct id id;

	if (repo_may_write(r, e) == -1)
		return -1;
	if (r->config.parity && repo_name_id(object, &id) &&
	    repo_put_parity(r, object, &id, bytes, e) == -1)
		return -1;
	return store_put(r->store, object, bytes, STORE_NEW, e);
}

int repo_del_named(struct repo *r, const char *object, struct err *e)
{
	char name[REPO_NAME_MAX];

	/* A key that was meant to be gone must not be made again from its parity. */
	bool first = strncmp(object, "keys/", 5) == 0;

	if (repo_may_write(r, e) == -1)
		return -1;
	if (r->config.parity == 0)
		return store_del(r->store, object, e);
	repo_parity_name(name, object, NULL);
	if (store_del(r->store, first ? name : object, e) == -1)
		return -1;
	return store_del(r->store, first ? object : name, e);
}

static int drop_old_config_parity(struct repo *r, const struct id *keep, struct err *e)
{
	struct name_list l = {0};
	struct id id;
	int rc = store_list(r->store, "parity/config/", name_list_take, &l, e);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (repo_name_id(l.v[i], &id) && !id_eq(&id, keep))
			rc = store_del(r->store, l.v[i], e);
	name_list_fini(&l);
	return rc;
}

int repo_config_parity(struct repo *r, struct span text, struct err *e)
{
	struct id id;

	if (r->config.parity == 0)
		return 0;
	repo_config_id(text, &id);
	return repo_put_parity(r, "config", &id, text, e);
}

int repo_config_parity_over(struct repo *r, struct span text, struct err *e)
{
	struct id id;

	if (r->config.parity == 0)
		return 0;
	repo_config_id(text, &id);
	return drop_old_config_parity(r, &id, e);
}

/* ---- Reading through damage. */

enum { PIECE = 4096, STRETCH = 1 << 20 };

/* A device that fails gives an error for its bad sectors, not zeros. */
static bool is_bad_sector(const struct err *e)
{
	return e->kind == ERR_IO || e->kind == ERR_CORRUPT;
}

/* Was any of it read?  `e` is the last failure; one that is no bad sector's ends it. */
static bool left_of(
    struct repo *r, const char *object, uint64_t off, uint8_t *p, size_t n, struct err *e)
{
	bool any = false;

	err_clear(e);
	if (store_get(r->store, object, off, p, n, e) == 0)
		return true;
	memset(p, 0, n);
	if (n <= PIECE || !is_bad_sector(e))
		return false;
	for (size_t at = 0, step = n > STRETCH ? STRETCH : PIECE; at < n; at += step) {
		any = left_of(r, object, off + at, p + at, n - at < step ? n - at : step, e) || any;
		if (e->kind != ERR_NONE && !is_bad_sector(e))
			return false;
	}
	return any;
}

int repo_get_left(struct repo *r, const char *object, uint64_t max, struct buf *out, struct err *e)
{
	struct store_stat st;
	size_t n;

	buf_reset(out);
	if (store_stat(r->store, object, &st, e) == -1)
		return -1;
	n = st.size < max ? st.size : max;
	buf_reserve(out, n + 1);
	if (left_of(r, object, 0, buf_extend(out, n), n, e))
		return 0;
	if (!is_bad_sector(e))
		buf_reset(out);
	return -1;
}

/* A small object may lie in one bad sector: its parity makes all of it again. */
static bool get_to_mend(struct repo *r, const char *object, uint64_t max, struct buf *out)
{
	struct err e;

	return repo_get_left(r, object, max, out, &e) == 0 || out->n > 0;
}

static bool has_id(
    const struct repo *r, const char *object, const struct buf *bytes, const struct id *id)
{
	struct id got;

	if (strcmp(object, "config") == 0)
		repo_config_id(buf_span(bytes), &got);
	else
		repo_object_id(r, buf_span(bytes), &got);
	return id_eq(&got, id);
}

bool repo_mend_bytes(
    struct repo *r, const char *object, const struct id *id, struct buf *bytes, struct err *why)
{
	struct buf stored = {0};
	struct parity p = {.m = 0};
	char name[REPO_NAME_MAX];
	struct err e;
	bool ok = false;

	err_clear(&e);
	repo_parity_name(name, object, id);
	if (repo_get_left(r, name, PARITY_BYTES_MAX, &stored, &e) == -1)
		goto out;
	if (parity_read(buf_span(&stored), id, &p, &e) == -1) {
		err_wrap(&e, "%s", name);
		goto out;
	}
	buf_fini(&stored);
	if (parity_mend(&p, bytes, &e) == 0) {
		ok = has_id(r, object, bytes, id);
		if (!ok)
			err_set(&e, ERR_CORRUPT, "%s: leads to other bytes than the id's", name);
	}
out:
	parity_fini(&p);
	buf_fini(&stored);
	if (why != NULL)
		*why = e;
	return ok;
}

/* Tell of each object once. */
static void note_mended(struct repo *r, const char *object)
{
	bool told = false;

	pthread_mutex_lock(&r->mend_lock);
	for (size_t i = 0; i < r->nmended; i++)
		told = told || strcmp(r->mended[i], object) == 0;
	if (!told) {
		r->mended = mem_realloc(r->mended, (r->nmended + 1) * sizeof *r->mended);
		r->mended[r->nmended++] = mem_strdup(object);
	}
	pthread_mutex_unlock(&r->mend_lock);
	if (!told)
		event_emit(r->ctx, EVENT_OBJECT_MENDED, span_str(object),
		    "is damaged; read all the same, by its parity");
}

size_t repo_mended(struct repo *r)
{
	return r->nmended;
}

const char *repo_mended_name(struct repo *r, size_t i)
{
	return r->mended[i];
}

bool repo_mend_object(
    struct repo *r, const char *object, const struct id *id, uint64_t max, struct buf *out)
{
	char name[REPO_NAME_MAX];
	struct store_stat st;
	struct err e;

	/* Most damage is found where there is no parity: then nothing more is read. */
	if (store_stat(r->store, repo_parity_name(name, object, id), &st, &e) == -1 ||
	    !get_to_mend(r, object, max, out) || !repo_mend_bytes(r, object, id, out, NULL))
		return false;
	note_mended(r, object);
	return true;
}

bool repo_was_mended(struct repo *r, const char *object)
{
	bool was = false;

	pthread_mutex_lock(&r->mend_lock);
	for (size_t i = 0; i < r->nmended && !was; i++)
		was = strcmp(r->mended[i], object) == 0;
	pthread_mutex_unlock(&r->mend_lock);
	return was;
}

void repo_config_text(struct repo *r, struct buf *out)
{
	config_text(&r->config, out);
}

/*
 * The last object that was mended is kept, for damage lies close together;
 * so is the name of the last that could not be.
 */
bool repo_mend_range(
    struct repo *r, const char *object, const struct id *id, uint64_t off, void *buf, size_t n)
{
	bool ok;

	pthread_mutex_lock(&r->mending_lock);
	if (!id_eq(&r->mending_id, id)) {
		r->mending_id = *id;
		r->mending_ok = repo_mend_object(r, object, id, FORMAT_PACK_MAX, &r->mending);
		if (!r->mending_ok)
			buf_fini(&r->mending);
	}
	ok = r->mending_ok && off <= r->mending.n && n <= r->mending.n - off;
	if (ok && n > 0)
		memcpy(buf, r->mending.p + off, n);
	pthread_mutex_unlock(&r->mending_lock);
	return ok;
}

/* ---- Config, whose parity is named by what it leads to. */

static bool mend_config_by(struct repo *r, const char *name, struct span stored, struct buf *text)
{
	struct id id;

	buf_reset(text);
	buf_put_span(text, stored);
	return repo_name_id(name, &id) && repo_mend_bytes(r, "config", &id, text, NULL);
}

bool repo_mend_config(struct repo *r, struct config *out)
{
	struct buf stored = {0}, text = {0}, best = {0};
	struct config_claim is, newest = {0};
	struct name_list l = {0};
	struct err e;
	bool ok = false;

	/* Whole, it is of a later version: an older one's parity mends nothing there. */
	if (!get_to_mend(r, "config", CONFIG_MAX, &stored) || config_claim(buf_span(&stored), &is))
		goto out;
	if (store_list(r->store, "parity/config/", name_list_take, &l, &e) == -1)
		l.n = 0;
	for (size_t i = 0; i < l.n; i++)
		if (mend_config_by(r, l.v[i], buf_span(&stored), &text) &&
		    config_claim(buf_span(&text), &is) &&
		    (best.n == 0 || is.revision > newest.revision)) {
			newest = is;
			buf_reset(&best);
			buf_put_span(&best, buf_span(&text));
		}
	/* The newest one or none: also one that this program cannot read makes others old. */
	ok = best.n > 0 && config_parse(buf_span(&best), out, &e) == 0;
	if (ok)
		note_mended(r, "config");
out:
	name_list_fini(&l);
	buf_fini(&stored);
	buf_fini(&text);
	buf_fini(&best);
	return ok;
}
