/* log_write: stretches put (format.md 12). */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/secret.h"
#include "os/os.h"
#include "repo/log_internal.h"
#include "repo/repo_parity.h"

enum { BIND = 46, LOOK_EVERY_S = 60 };

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
	struct log_known *known;
	size_t nknown;
	uint8_t random[32]; /* with the counter: a frame's own salt */
	uint64_t counter;
	int64_t looked_ns; /* when config was read last */
	bool stale, hurry;
	_Atomic bool ended;     /* a file, before all of it was read */
	struct buf whole;       /* one that is to be compared */
	struct log_offer offer; /* at work */
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
	buf_fini(&w->whole);
	secret_free(w->content);
	free(w);
}

void log_writer_hurry(struct log_writer *w, bool hurry)
{
	w->hurry = hurry;
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

static int is_ours(const struct log_writer *w, const uint8_t stream[LOG_STREAM], struct err *e)
{
	return log_stream_domain(w->repo, stream) == w->domain->tag
		   ? 0
		   : err_set(e, ERR_WRONG_KEY, "this log is another key's to write");
}

static struct log_known *known_of(
    struct log_writer *w, const uint8_t stream[LOG_STREAM], bool *fresh, struct err *e)
{
	struct log_known k;

	*fresh = false;
	for (size_t i = 0; i < w->nknown; i++)
		if (memcmp(w->known[i].stream, stream, LOG_STREAM) == 0)
			return &w->known[i];
	if (is_ours(w, stream, e) == -1)
		return NULL;
	if (log_known_open(w->repo, stream, &k, e) == -1)
		return NULL;
	*fresh = true;
	w->known = mem_realloc(w->known, (w->nknown + 1) * sizeof *w->known);
	w->known[w->nknown] = k;
	return &w->known[w->nknown++];
}

/* The bytes of a cut; of a file into the lane's memory.  Nothing (n 0) where that has ended. */
static struct span cut_of(const struct log_writer *w, struct log_lane *l, size_t i)
{
	const struct log_offer *o = &w->offer;
	size_t at = i * FORMAT_LOG_CUT, left = o->bytes.n - at;
	size_t n = left < FORMAT_LOG_CUT ? left : FORMAT_LOG_CUT;

	if (o->bytes.p != NULL)
		return span_of(o->bytes.p + at, n);
	buf_reset(&l->plain);
	buf_reserve(&l->plain, FORMAT_LOG_CUT);
	if (os_pread_full(o->fd, l->plain.p, n, (off_t)(o->off + at)) != (ssize_t)n)
		n = 0;
	return span_of(l->plain.p, n);
}

/* Named, compressed and sealed while it is in this processor's cache. */
static void seal_cut(void *arg, struct log_lane *l, size_t i)
{
	struct log_writer *w = arg;
	struct cut *c = &w->cut[i];
	struct span plain = cut_of(w, l, i);
	enum codec_id codec = w->hurry ? CODEC_LZ4 : CODEC_ZSTD;
	uint8_t *out;
	size_t n;

	if (plain.n == 0) {
		atomic_store(&w->ended, true);
		return;
	}
	if (!w->offer.named[i])
		crypto_mac(l->mac, plain, w->offer.ids[i].b);
	c->blob = (struct pack_blob){w->offer.ids[i], (uint32_t)plain.n};
	buf_reset(&c->box);
	buf_reserve(&c->box, FORMAT_BOX + codec_bound(plain.n));
	out = c->box.p + FORMAT_BOX_HEAD;
	n = codec_compress(
	    l->codec, codec, w->hurry ? codec_info(codec)->dflt : CODEC_LOG, plain, out);
	c->frame = (struct pack_frame){.kind = PURPOSE_CONTENT,
	    .codec = (uint8_t)(n ? codec : CODEC_NONE),
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
	return (w->offer.bytes.n + FORMAT_LOG_CUT - 1) / FORMAT_LOG_CUT;
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
	atomic_store(&w->ended, false);
	log_lanes_run(&w->lanes, cuts(w), seal_cut, w);
	if (atomic_load(&w->ended))
		return err_set(e, ERR_FAILED, "the file became shorter while it was read");
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

/* What was read of a file is its content only if it is the same file after. */
static int is_as_it_was(const struct log_offer *o, struct err *e)
{
	const struct stat *a = o->was;
	struct stat b;

	if (a == NULL)
		return 0;
	if (os_fstat(o->fd, &b) == -1)
		return err_sys(e, "the file");
	if (a->st_size == b.st_size && a->st_mtim.tv_sec == b.st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b.st_mtim.tv_nsec && a->st_ctim.tv_sec == b.st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b.st_ctim.tv_nsec)
		return 0;
	return err_set(e, ERR_FAILED, "the file was changed while it was read");
}

/* What is to be compared is read at once. */
static int load(struct log_writer *w, struct err *e)
{
	struct log_offer *o = &w->offer;

	buf_reset(&w->whole);
	buf_reserve(&w->whole, o->bytes.n);
	if (os_pread_full(o->fd, w->whole.p, o->bytes.n, (off_t)o->off) != (ssize_t)o->bytes.n)
		return err_set(e, ERR_FAILED, "the file became shorter while it was read");
	o->bytes.p = w->whole.p;
	return is_as_it_was(o, e);
}

/* Nothing that is known at its place makes a look worth while; for who waits, not each time. */
static int look_again(struct log_writer *w, struct log_known *k, struct err *e)
{
	if (w->offer.at_once)
		return log_known_at_times(w->repo, k, e);
	return log_known_covers(k, &w->offer.at) ? 0 : log_known_again(w->repo, k, e);
}

/* Somebody else may have stored it, or something else, since this was looked at. */
static int compare(struct log_writer *w, struct log_known **k, bool *same, struct err *e)
{
	bool fresh;

	*k = NULL;
	*same = false;
	*k = known_of(w, w->offer.stream, &fresh, e);
	if (*k == NULL || (!fresh && look_again(w, *k, e) == -1))
		return -1;
	if (w->offer.bytes.p == NULL && log_known_any(*k, &w->offer.at) && load(w, e) == -1)
		return -1;
	if (w->offer.bytes.p == NULL)
		return 0;
	return log_compare(w->repo, &w->lanes, *k, &w->offer, same, e);
}

static int put_one(struct log_writer *w, enum log_put_outcome *out, struct err *e)
{
	struct log_offer *o = &w->offer;
	struct log_known *k;
	char name[LOG_NAME_MAX];
	bool same;

	memset(o->named, 0, sizeof o->named);
	o->untold = false;
	*out = LOG_SAME;
	if (compare(w, &k, &same, e) == -1)
		return -1;
	if (same)
		return 0;
	if (o->at_once && o->untold)
		return err_set(e, ERR_WRONG_KEY,
		    "at %u/%X/%X something is stored that this key can compare only as a whole",
		    o->at.timeline, (unsigned)(o->at.start >> 32), (unsigned)o->at.start);
	if (build(w, o->stream, &o->at, e) == -1 || is_as_it_was(o, e) == -1 ||
	    repo_put_named(w->repo, log_name(name, o->stream, &o->at), buf_span(&w->object), e) ==
		-1)
		return -1;
	if (!o->at_once) /* there are many, and no other of them is at its place */
		log_known_add(k, &o->at);
	log_ids_put(log_ids_of(w->repo), &o->at.object, o->ids, cuts(w));
	*out = LOG_STORED;
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
		struct log_at *at = &w->offer.at;
		enum log_put_outcome one;

		if (off > 0 && ctx_check(w->repo->ctx, e) == -1)
			return -1;
		if (n > FORMAT_LOG_STRETCH)
			n = FORMAT_LOG_STRETCH;
		*at = (struct log_at){.timeline = p->timeline, .kind = p->kind};
		if (p->kind != LOG_HISTORY) {
			at->start = p->start + off;
			at->end = at->start + n;
		}
		w->offer.stream = p->stream;
		w->offer.at_once = p->at_once;
		w->offer.bytes = span_of(p->bytes.p ? p->bytes.p + off : NULL, n);
		w->offer.fd = p->fd;
		w->offer.was = p->bytes.p ? NULL : p->was;
		w->offer.off = off;
		if (put_one(w, &one, e) == -1)
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
