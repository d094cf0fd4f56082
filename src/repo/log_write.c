/* log_write: stretches put (format.md 12). */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/secret.h"
#include "os/os.h"
#include "repo/log_internal.h"
#include "repo/repo_parity.h"

enum { BIND = 46, LOOK_EVERY_S = 60 };

/* What is known to be there of one stream. */
struct known {
	uint8_t stream[LOG_STREAM];
	struct log_at *v;
	size_t n, cap;
};

struct cut {
	struct pack_frame frame;
	struct pack_blob blob;
	struct buf box;
	uint64_t counter;
};

struct log_writer {
	struct repo *repo;
	const struct domain *domain;
	struct seal_key *content; /* secret memory */
	uint8_t sealed[FORMAT_SEALED_KEY];
	struct log_lanes lanes;
	struct known *known;
	size_t nknown;
	uint8_t random[32]; /* with the counter: a frame's own salt */
	uint64_t counter;
	int64_t looked_ns; /* when config was read last */
	bool stale;
	struct span bytes; /* of the stretch at work */
	struct cut cut[LOG_CUTS_MAX];
	struct buf object;
};

int log_writer_open(struct repo *r, struct log_writer **out, struct err *e)
{
	struct log_writer *w;

	if (repo_may_write(r, e) == -1)
		return -1;
	if (r->keys->role == ROLE_MAINTENANCE) {
		err_set(e, ERR_WRONG_KEY, "a maintenance key writes no logs");
		return err_hint(e, "use a key of role write or full");
	}
	w = mem_zalloc(sizeof *w);
	w->repo = r;
	w->domain = repo_own_domain(r);
	w->content = secret_new(sizeof *w->content);
	seal_data_key_new(r->config.repo, SEAL_CONTENT, (uint16_t)r->config.epoch,
	    r->config.content, w->content, w->sealed);
	log_lanes_init(&w->lanes, r, w->domain);
	crypto_random(w->random, sizeof w->random);
	w->looked_ns = os_clock()->mono_ns(os_clock());
	*out = w;
	return 0;
}

void log_writer_close(struct log_writer *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < w->nknown; i++)
		free(w->known[i].v);
	free(w->known);
	for (size_t i = 0; i < LOG_CUTS_MAX; i++)
		buf_fini(&w->cut[i].box);
	log_lanes_fini(&w->lanes);
	buf_fini(&w->object);
	secret_free(w->content);
	free(w);
}

bool log_writer_stale(const struct log_writer *w)
{
	return w->stale;
}

/* From time to time, whether this key may still write: who was removed is told within a minute. */
static int look_at_config(struct log_writer *w, struct err *e)
{
	int64_t now = os_clock()->mono_ns(os_clock());
	uint64_t revision = w->repo->config.revision;
	struct config c;

	if (now - w->looked_ns < LOOK_EVERY_S * INT64_C(1000000000))
		return 0;
	if (repo_may_go_on(w->repo, e) == -1 || repo_config_now(w->repo, &c, e) == -1)
		return -1;
	w->stale = w->stale || c.revision != revision;
	config_fini(&c);
	w->looked_ns = now;
	return 0;
}

static struct known *known_of(struct log_writer *w, const uint8_t stream[LOG_STREAM], struct err *e)
{
	struct known k = {.v = NULL};

	for (size_t i = 0; i < w->nknown; i++)
		if (memcmp(w->known[i].stream, stream, LOG_STREAM) == 0)
			return &w->known[i];
	if (log_stream_domain(w->repo, stream) != w->domain->tag) {
		err_set(e, ERR_WRONG_KEY, "this log is another key's to write");
		return NULL;
	}
	memcpy(k.stream, stream, LOG_STREAM);
	if (log_list(w->repo, stream, &k.v, &k.n, e) == -1)
		return NULL;
	k.cap = k.n;
	w->known = mem_realloc(w->known, (w->nknown + 1) * sizeof *w->known);
	w->known[w->nknown] = k;
	return &w->known[w->nknown++];
}

/* The first that is at the same place, or NULL; *n of them. */
static const struct log_at *at_place(const struct known *k, const struct log_at *at, size_t *n)
{
	size_t lo = 0, hi = k->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		struct log_at x = k->v[mid];

		x.stored_ns = at->stored_ns;
		x.object = at->object;
		if (log_at_cmp(&x, at) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (*n = 0; lo + *n < k->n; (*n)++) {
		const struct log_at *x = &k->v[lo + *n];

		if (x->kind != at->kind || x->timeline != at->timeline || x->start != at->start ||
		    x->end != at->end)
			break;
	}
	return *n ? &k->v[lo] : NULL;
}

static struct span cut_of(const struct log_writer *w, size_t i)
{
	size_t at = i * FORMAT_LOG_CUT, left = w->bytes.n - at;

	return span_of(w->bytes.p + at, left < FORMAT_LOG_CUT ? left : FORMAT_LOG_CUT);
}

static void name_cut(void *arg, struct log_lane *l, size_t i)
{
	struct log_writer *w = arg;
	struct span s = cut_of(w, i);

	crypto_mac(l->mac, s, w->cut[i].blob.id.b);
	w->cut[i].blob.len = (uint32_t)s.n;
}

/* Named, compressed and sealed while it is in this processor's cache. */
static void seal_cut(void *arg, struct log_lane *l, size_t i)
{
	struct log_writer *w = arg;
	struct cut *c = &w->cut[i];
	struct span plain = cut_of(w, i);
	uint8_t *out;
	size_t n;

	name_cut(arg, l, i);
	buf_reset(&c->box);
	buf_reserve(&c->box, FORMAT_BOX + codec_bound(plain.n));
	out = c->box.p + FORMAT_BOX_HEAD;
	n = codec_compress(l->codec, CODEC_ZSTD, CODEC_QUICK, plain, out);
	c->frame = (struct pack_frame){.kind = PURPOSE_CONTENT,
	    .codec = n ? CODEC_ZSTD : CODEC_NONE,
	    .plain = (uint32_t)plain.n,
	    .nblobs = 1};
	c->frame.stored = (uint32_t)((n ? n : plain.n) + FORMAT_BOX);
	buf_reset(&l->scratch);
	buf_put(&l->scratch, w->random, sizeof w->random);
	buf_put_u64(&l->scratch, c->counter);
	buf_put_u8(&l->scratch, c->frame.codec);
	buf_put_u8(&l->scratch, 0);
	buf_put_u32(&l->scratch, c->frame.stored);
	seal_box(&l->sealer, w->content, PURPOSE_CONTENT, buf_span(&l->scratch),
	    span_of(&c->blob.id, ID_SIZE), n ? span_of(out, n) : plain,
	    buf_extend(&c->box, c->frame.stored));
}

static size_t cuts(const struct log_writer *w)
{
	return (w->bytes.n + FORMAT_LOG_CUT - 1) / FORMAT_LOG_CUT;
}

/* Is the one that is there of these very bytes?  Its directory has their keyed hashes.  1, 0, -1 */
static int same_as(
    struct log_writer *w, const uint8_t stream[LOG_STREAM], const struct log_at *at, struct err *e)
{
	struct pack_dir dir = {0};
	struct buf hold = {0};
	struct index_pack desc;
	char name[LOG_NAME_MAX];
	uint8_t place[FORMAT_PLACE];
	int rc;

	log_name(name, stream, at);
	log_place(place, stream, at);
	rc = pack_read_directory_of(w->repo, FORMAT_LOG, name, at->size, &dir, &hold, &desc, e);
	if (rc == 0)
		rc = memcmp(place, desc.place, FORMAT_PLACE) == 0 &&
		     desc.origin.domain == w->domain->tag && dir.nblobs == cuts(w);
	for (size_t i = 0; rc == 1 && i < dir.nblobs; i++)
		rc = id_eq(&dir.blobs[i].id, &w->cut[i].blob.id);
	/* One that is damaged is no proof of anything: the bytes are stored beside it. */
	if (rc == -1 && (e->kind == ERR_ABSENT || repo_is_bad(e))) {
		err_clear(e);
		rc = 0;
	}
	pack_dir_fini(&dir);
	buf_fini(&hold);
	return rc;
}

/* The object, whole, in w->object. */
static int build(
    struct log_writer *w, const uint8_t stream[LOG_STREAM], struct log_at *at, struct err *e)
{
	struct pack_writer *pw = NULL;
	struct index_pack desc;
	uint8_t place[FORMAT_PLACE];
	int rc = -1;

	for (size_t i = 0; i < cuts(w); i++)
		w->cut[i].counter = w->counter++;
	log_lanes_run(&w->lanes, cuts(w), seal_cut, w);
	log_place(place, stream, at);
	if (pack_writer_open_log(w->repo, w->domain->tag, place, w->sealed, &w->object, &pw, e) ==
	    -1)
		goto out;
	for (size_t i = 0; i < cuts(w); i++)
		if (pack_writer_add(
			pw, &w->cut[i].frame, &w->cut[i].blob, buf_span(&w->cut[i].box), e) == -1)
			goto out;
	if (pack_writer_close(pw, &desc, e) == -1)
		goto out;
	at->object = desc.id;
	at->size = desc.size;
	rc = 0;
out:
	pack_writer_free(pw);
	return rc;
}

static int put_one(struct log_writer *w, const uint8_t stream[LOG_STREAM], struct log_at *at,
    enum log_put_outcome *out, struct err *e)
{
	struct known *k = known_of(w, stream, e);
	const struct log_at *there;
	char name[LOG_NAME_MAX];
	size_t n;

	if (k == NULL)
		return -1;
	there = at_place(k, at, &n);
	if (n > 0)
		log_lanes_run(&w->lanes, cuts(w), name_cut, w);
	for (size_t i = 0; i < n; i++) {
		int same = same_as(w, stream, &there[i], e);

		if (same != 0) {
			*out = LOG_SAME;
			return same == 1 ? 0 : -1;
		}
	}
	if (build(w, stream, at, e) == -1 ||
	    repo_put_named(w->repo, log_name(name, stream, at), buf_span(&w->object), e) == -1)
		return -1;
	at->stored_ns = INT64_MAX; /* after all that was there before */
	log_at_insert(&k->v, &k->n, &k->cap, at);
	*out = n > 0 ? LOG_OTHER : LOG_STORED;
	if (n > 0)
		repo_warn(w->repo, name,
		    "other content is there already for this place of the log; kept beside it");
	return 0;
}

static int check(const struct log_piece *p, struct err *e)
{
	uint64_t max = p->kind == LOG_HISTORY ? FORMAT_LOG_HISTORY_MAX : UINT64_C(1) << 30;
	uint64_t want = p->kind == LOG_HISTORY ? p->bytes.n : p->end - p->start;

	if (p->kind >= LOG_KINDS || p->bytes.n == 0 || p->bytes.n > max || p->bytes.n != want ||
	    (p->kind == LOG_HISTORY ? p->start != 0 || p->end != 0 : p->start >= p->end))
		return err_set(e, ERR_FAILED, "impossible stretch of a log: %zu bytes at %llX/%llX",
		    p->bytes.n, (unsigned long long)(p->start >> 32),
		    (unsigned long long)(p->start & UINT32_MAX));
	return 0;
}

int log_writer_put(
    struct log_writer *w, const struct log_piece *p, enum log_put_outcome *out, struct err *e)
{
	*out = LOG_SAME;
	if (check(p, e) == -1 || look_at_config(w, e) == -1)
		return -1;
	for (size_t off = 0; off < p->bytes.n; off += FORMAT_LOG_STRETCH) {
		size_t n = p->bytes.n - off;
		struct log_at at = {.timeline = p->timeline, .kind = p->kind};
		enum log_put_outcome one;

		if (n > FORMAT_LOG_STRETCH)
			n = FORMAT_LOG_STRETCH;
		if (p->kind != LOG_HISTORY) {
			at.start = p->start + off;
			at.end = at.start + n;
		}
		w->bytes = span_of(p->bytes.p + off, n);
		if (put_one(w, p->stream, &at, &one, e) == -1)
			return -1;
		*out = one > *out ? one : *out;
	}
	return 0;
}

int log_put(struct repo *r, const struct log_piece *p, enum log_put_outcome *out, struct err *e)
{
	struct log_writer *w;
	int rc;

	if (log_writer_open(r, &w, e) == -1)
		return -1;
	rc = log_writer_put(w, p, out, e);
	log_writer_close(w);
	return rc;
}
