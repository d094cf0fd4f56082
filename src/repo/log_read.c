/* log_read: stretches read, and ranges put together from them (format.md 12). */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/log_internal.h"
#include "repo/repo_parity.h"

/* Blobs of one stretch being opened. */
struct opening {
	struct repo *repo;
	const struct seal_key *key;
	const struct pack_dir *dir;
	const uint8_t *stored; /* of the first frame */
	uint64_t *stored_at, *plain_at;
	uint8_t *out;
	_Atomic bool bad;
};

static bool blobs_fit(const struct log_lane *l, const struct opening *o, const struct pack_frame *f,
    const uint8_t *plain)
{
	for (uint32_t i = 0; i < f->nblobs; i++) {
		const struct pack_blob *b = &o->dir->blobs[f->first + i];
		struct id id;

		crypto_mac(l->mac, span_of(plain, b->len), id.b);
		if (!id_eq(&id, &b->id))
			return false;
		plain += b->len;
	}
	return true;
}

static void open_frame(void *arg, struct log_lane *l, size_t i)
{
	struct opening *o = arg;
	const struct pack_frame *f = &o->dir->frames[i];
	uint8_t *out = o->out + o->plain_at[i];
	struct err e;

	buf_reset(&l->scratch);
	if (f->kind != PURPOSE_CONTENT || f->stored < FORMAT_BOX ||
	    seal_open(&l->sealer, o->key, PURPOSE_CONTENT,
		span_of(o->stored + o->stored_at[i], f->stored),
		buf_extend(&l->scratch, f->stored - FORMAT_BOX), &e) == -1 ||
	    codec_decompress(l->codec, (enum codec_id)f->codec, buf_span(&l->scratch), out,
		f->plain, &e) == -1 ||
	    !blobs_fit(l, o, f, out))
		atomic_store(&o->bad, true);
}

static int open_frames(struct repo *r, struct log_lanes *ls, const struct index_pack *p,
    struct span stored, struct buf *out, struct err *e)
{
	const struct pack_dir *dir = p->dir;
	struct opening o = {.repo = r, .dir = dir, .stored = stored.p + p->first_off};
	uint64_t n = 0, at = 0;

	if (p->nslots != 1)
		return err_set(e, ERR_CORRUPT, "a log has %zu data keys, not 1", p->nslots);
	if (ls->n == 0 || ls->lane[0].mac == NULL)
		return repo_need(r, true, e);
	if ((o.key = repo_data_key(r, p->slots[0], e)) == NULL)
		return -1;
	o.stored_at = mem_alloc(2 * (dir->nframes + 1) * sizeof *o.stored_at);
	o.plain_at = o.stored_at + dir->nframes + 1;
	for (size_t i = 0; i < dir->nframes; i++) {
		o.stored_at[i] = at;
		o.plain_at[i] = n;
		at += dir->frames[i].stored;
		n += dir->frames[i].plain;
	}
	buf_reset(out);
	buf_reserve(out, n);
	o.out = buf_extend(out, n);
	log_lanes_run(ls, dir->nframes, open_frame, &o);
	free(o.stored_at);
	return o.bad ? err_set(e, ERR_CORRUPT, "a frame does not hold what the directory says") : 0;
}

/* As long as its place says, and no longer than a stretch may be: before anything is allocated. */
static int check_length(const struct log_at *at, const struct pack_dir *dir, struct err *e)
{
	uint64_t n = 0, want = at->end - at->start;

	for (size_t i = 0; i < dir->nframes; i++)
		n += dir->frames[i].plain;
	if (at->kind == LOG_HISTORY ? n > FORMAT_LOG_HISTORY_MAX
				    : n != want || n > FORMAT_LOG_STRETCH)
		return err_set(e, ERR_CORRUPT, "its length does not fit its place");
	return 0;
}

int log_open_bytes(struct repo *r, struct log_lanes *ls, const uint8_t stream[LOG_STREAM],
    const struct log_at *at, struct span stored, struct buf *out, struct err *e)
{
	struct pack_dir dir = {0};
	struct index_pack desc;
	uint8_t place[FORMAT_PLACE];
	int rc = -1;

	log_place(place, stream, at);
	if (pack_parse_directory(r, FORMAT_LOG, stored, &dir, &desc, e) == -1)
		goto out;
	if (memcmp(place, desc.place, FORMAT_PLACE) != 0) {
		err_set(e, ERR_CORRUPT, "was made for another place");
		goto out;
	}
	if (desc.origin.domain != log_stream_domain(r, stream)) {
		err_set(e, ERR_CORRUPT, "was put into another domain's log");
		goto out;
	}
	if (check_length(at, &dir, e) == -1)
		goto out;
	rc = out ? open_frames(r, ls, &desc, stored, out, e) : 0;
out:
	pack_dir_fini(&dir);
	return rc;
}

static const struct domain *domain_of(struct repo *r, const uint8_t stream[LOG_STREAM])
{
	return repo_domain(r, log_stream_domain(r, stream));
}

int log_check_bytes(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *at,
    struct span stored, struct buf *out, struct err *e)
{
	struct log_lanes ls = {.n = 0};
	char name[LOG_NAME_MAX];
	int rc;

	if (out != NULL)
		log_lanes_init(&ls, r, domain_of(r, stream));
	rc = log_open_bytes(r, &ls, stream, at, stored, out, e);
	log_lanes_fini(&ls);
	return rc == 0 ? 0 : err_wrap(e, "%s", log_name(name, stream, at));
}

int log_read(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *at,
    struct buf *out, struct err *e)
{
	struct buf stored = {0};
	char name[LOG_NAME_MAX];
	int rc = repo_get_named(r, log_name(name, stream, at), &at->object, &stored, e);

	if (rc == 0)
		rc = log_check_bytes(r, stream, at, buf_span(&stored), out, e);
	buf_fini(&stored);
	return rc;
}

/* ---- Ranges. */

struct log_reader {
	struct repo *repo;
	uint8_t stream[LOG_STREAM];
	struct log_lanes lanes;
	struct log_at *v;
	size_t n;
	bool *tried; /* of this get: it was no good */
	struct buf stored, part;
};

static int look(struct log_reader *rd, struct err *e)
{
	struct log_at *v;
	size_t n;

	if (log_list(rd->repo, rd->stream, &v, &n, e) == -1)
		return -1;
	free(rd->v);
	free(rd->tried);
	rd->v = v;
	rd->n = n;
	rd->tried = mem_zalloc(n + 1);
	return 0;
}

int log_reader_open(
    struct repo *r, const uint8_t stream[LOG_STREAM], struct log_reader **out, struct err *e)
{
	struct log_reader *rd = mem_zalloc(sizeof *rd);

	rd->repo = r;
	memcpy(rd->stream, stream, LOG_STREAM);
	log_lanes_init(&rd->lanes, r, domain_of(r, stream));
	if (look(rd, e) == -1) {
		log_reader_close(rd);
		return -1;
	}
	*out = rd;
	return 0;
}

void log_reader_close(struct log_reader *rd)
{
	if (rd == NULL)
		return;
	log_lanes_fini(&rd->lanes);
	free(rd->v);
	free(rd->tried);
	buf_fini(&rd->stored);
	buf_fini(&rd->part);
	free(rd);
}

/* Checked content of the i-th, in rd->part. */
static int open_at(struct log_reader *rd, size_t i, struct err *e)
{
	char name[LOG_NAME_MAX];

	log_name(name, rd->stream, &rd->v[i]);
	if (repo_get_named(rd->repo, name, &rd->v[i].object, &rd->stored, e) == -1)
		return -1;
	if (log_open_bytes(rd->repo, &rd->lanes, rd->stream, &rd->v[i], buf_span(&rd->stored),
		&rd->part, e) == -1)
		return err_wrap(e, "%s", name);
	return 0;
}

/* Of those that have the byte at `pos` the one that goes farthest, and was there first; or n. */
static size_t best_at(const struct log_reader *rd, uint32_t timeline, uint64_t pos, uint64_t end)
{
	size_t best = rd->n;
	uint64_t reach = 0;

	for (size_t i = 0; i < rd->n; i++) {
		const struct log_at *at = &rd->v[i];
		uint64_t to = at->end < end ? at->end : end;

		if (at->kind != LOG_SEGMENT || at->timeline < timeline || rd->tried[i])
			continue;
		if (at->timeline > timeline || at->start > pos)
			break; /* they are in order */
		if (at->end > pos && to > reach) {
			best = i;
			reach = to;
		}
	}
	return best;
}

struct getting {
	uint32_t timeline;
	uint64_t end, pos;
	bool bad; /* something that was there could not be read: *why */
	struct err why;
};

/* As far as it goes with what is known. */
static int gather(struct log_reader *rd, struct getting *g, struct buf *out, struct err *e)
{
	while (g->pos < g->end) {
		size_t i = best_at(rd, g->timeline, g->pos, g->end);
		uint64_t from, n;

		if (i == rd->n)
			return 0;
		if (open_at(rd, i, e) == -1) {
			if (e->kind != ERR_ABSENT && !repo_is_bad(e))
				return -1;
			if (e->kind != ERR_ABSENT) {
				g->bad = true;
				g->why = *e;
			}
			err_clear(e);
			rd->tried[i] = true;
			continue;
		}
		from = g->pos - rd->v[i].start;
		n = (rd->v[i].end < g->end ? rd->v[i].end : g->end) - g->pos;
		if (out->n == 0 && from == 0 && n == rd->part.n) {
			struct buf swap = *out;

			*out = rd->part;
			rd->part = swap;
		} else {
			buf_put(out, rd->part.p + from, n);
		}
		g->pos += n;
	}
	return 0;
}

int log_reader_get(struct log_reader *rd, uint32_t timeline, uint64_t start, uint64_t end,
    struct buf *out, uint64_t *have, struct err *e)
{
	struct getting g = {.timeline = timeline, .end = end, .pos = start};

	buf_reset(out);
	*have = 0;
	memset(rd->tried, 0, rd->n);
	if (gather(rd, &g, out, e) == -1)
		return -1;
	/* What came meanwhile, or took the place of small ones, is seen by looking again. */
	if (g.pos < end && (look(rd, e) == -1 || gather(rd, &g, out, e) == -1))
		return -1;
	*have = g.pos - start;
	if (g.pos >= end)
		return 0;
	if (g.bad) {
		*e = g.why;
		return -1;
	}
	return err_set(e, ERR_ABSENT, "timeline %u: the log has nothing at %X/%X", timeline,
	    (unsigned)(g.pos >> 32), (unsigned)g.pos);
}

bool log_reader_goes_on(const struct log_reader *rd, uint32_t timeline, uint64_t position)
{
	for (size_t i = 0; i < rd->n; i++)
		if (rd->v[i].kind == LOG_SEGMENT && rd->v[i].timeline == timeline &&
		    rd->v[i].end > position)
			return true;
	return false;
}

bool log_reader_comes_from(const struct log_reader *rd, uint32_t timeline, uint64_t position)
{
	for (size_t i = 0; i < rd->n; i++)
		if (rd->v[i].kind == LOG_SEGMENT && rd->v[i].timeline == timeline &&
		    rd->v[i].start < position)
			return true;
	return false;
}

const struct log_at *log_reader_list(const struct log_reader *rd, size_t *n)
{
	*n = rd->n;
	return rd->v;
}

int log_reader_history(struct log_reader *rd, uint32_t timeline, struct buf *out, struct err *e)
{
	struct err why = {.kind = ERR_NONE};

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < rd->n; i++) {
			if (rd->v[i].kind != LOG_HISTORY || rd->v[i].timeline != timeline)
				continue;
			if (open_at(rd, i, e) == 0) {
				buf_reset(out);
				buf_put_span(out, buf_span(&rd->part));
				return 0;
			}
			if (e->kind != ERR_ABSENT && !repo_is_bad(e))
				return -1;
			if (e->kind != ERR_ABSENT)
				why = *e;
			err_clear(e);
		}
		if (pass == 0 && look(rd, e) == -1)
			return -1;
	}
	if (why.kind != ERR_NONE) {
		*e = why;
		return -1;
	}
	return err_set(e, ERR_ABSENT, "the log has no history of timeline %u", timeline);
}

int log_get(struct repo *r, const uint8_t stream[LOG_STREAM], uint32_t timeline, uint64_t start,
    uint64_t end, struct buf *out, struct err *e)
{
	struct log_reader *rd;
	uint64_t have;
	int rc;

	if (log_reader_open(r, stream, &rd, e) == -1)
		return -1;
	rc = log_reader_get(rd, timeline, start, end, out, &have, e);
	log_reader_close(rd);
	return rc;
}

int log_get_history(struct repo *r, const uint8_t stream[LOG_STREAM], uint32_t timeline,
    struct buf *out, struct err *e)
{
	struct log_reader *rd;
	int rc;

	if (log_reader_open(r, stream, &rd, e) == -1)
		return -1;
	rc = log_reader_history(rd, timeline, out, e);
	log_reader_close(rd);
	return rc;
}
