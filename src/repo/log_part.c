/* log_part: is what one stretch holds in another, so that it may go? (log.h) */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/log_internal.h"
#include "repo/repo_parity.h"

struct log_whole {
	bool looked, sound, reads; /* sound: as stored; reads: its content is here */
	struct id object;
	struct pack_dir dir;
	struct buf plain;
};

struct log_whole *log_whole_new(void)
{
	return mem_zalloc(sizeof(struct log_whole));
}

void log_whole_free(struct log_whole *w)
{
	if (w == NULL)
		return;
	pack_dir_fini(&w->dir);
	buf_fini(&w->plain);
	free(w);
}

/* Who cannot read it now proves nothing by it; nor does a bad sector. */
static bool proves_nothing(const struct err *e)
{
	return e->kind == ERR_ABSENT || e->kind == ERR_COLD || e->kind == ERR_IO || repo_is_bad(e);
}

/* All of its bytes are read: a directory alone says nothing of rotten frames. */
static int look(struct log_whole *w, struct repo *r, const uint8_t stream[LOG_STREAM],
    const struct log_at *whole, struct err *e)
{
	char name[LOG_NAME_MAX];
	struct err no;
	int rc;

	if (w->looked && id_eq(&w->object, &whole->object))
		return 0;
	w->looked = w->sound = false;
	w->object = whole->object;
	w->reads = repo_need(r, true, &no) == 0;
	buf_reset(&w->plain);
	rc = log_read(r, stream, whole, w->reads ? &w->plain : NULL, e);
	if (rc == 0)
		rc = log_read_dir(r, stream, whole, &w->dir, e);
	if (rc == -1 && !proves_nothing(e))
		return -1;
	/* What only its parity still tells is not to be the only one. */
	w->sound = rc == 0 && w->dir.nblobs > 0 &&
		   (!w->reads || w->plain.n == whole->end - whole->start) &&
		   !repo_was_mended(r, log_name(name, stream, whole));
	w->looked = true;
	err_clear(e);
	return 0;
}

/* Where cuts do not line up it takes the content. */
static bool has_cut(
    const struct log_whole *w, struct crypto_mac *mac, uint64_t off, const struct pack_blob *b)
{
	uint64_t k = off / FORMAT_LOG_CUT;
	struct id id;

	if (w->reads && mac != NULL && off + b->len <= w->plain.n) {
		crypto_mac(mac, span_of(w->plain.p + off, b->len), id.b);
		return id_eq(&id, &b->id);
	}
	return !w->reads && off % FORMAT_LOG_CUT == 0 && k < w->dir.nblobs &&
	       w->dir.blobs[k].len == b->len && id_eq(&w->dir.blobs[k].id, &b->id);
}

static bool has_all(struct repo *r, const struct log_whole *w, const uint8_t stream[LOG_STREAM],
    uint64_t off, uint64_t n, const struct pack_dir *dir)
{
	const struct domain *d = repo_domain(r, log_stream_domain(r, stream));
	struct crypto_mac *mac[BLOB_KINDS] = {NULL};
	uint64_t seen = 0;
	bool ok = d != NULL;

	if (ok)
		domain_macs(d, r->config.blob_id, mac);
	for (size_t i = 0; ok && i < dir->nblobs; i++) {
		ok = has_cut(w, mac[PURPOSE_CONTENT - 1], off + seen, &dir->blobs[i]);
		seen += dir->blobs[i].len;
	}
	domain_macs_free(mac);
	return ok && seen == n;
}

int log_is_part(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *at,
    const struct log_at *whole, struct log_whole *w, bool *part, struct err *e)
{
	struct pack_dir dir = {0};
	int rc;

	*part = false;
	if (at->kind != LOG_SEGMENT || whole->kind != LOG_SEGMENT ||
	    at->timeline != whole->timeline || at->start < whole->start || at->end > whole->end)
		return 0;
	if (look(w, r, stream, whole, e) == -1)
		return -1;
	if (!w->sound)
		return 0;
	rc = log_read_dir(r, stream, at, &dir, e);
	if (rc == 0)
		*part = has_all(r, w, stream, at->start - whole->start, at->end - at->start, &dir);
	else if (proves_nothing(e))
		rc = 0;
	pack_dir_fini(&dir);
	return rc;
}
