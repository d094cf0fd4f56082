/* pack: see pack.h and doc/format.md 5. */
#include "repo/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/parity.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"

struct pack_writer {
	struct repo *repo;
	const struct domain *domain;
	enum format_type type;
	struct store_upload *upload; /* or, of a log, */
	struct buf *into;
	uint8_t place[FORMAT_PLACE];
	struct crypto_hash *hash;
	struct buf header;
	size_t nslots;
	uint64_t off; /* bytes so far */
	struct pack_dir dir;
	size_t dir_bytes;              /* encoded size of dir's frames */
	struct parity_builder *parity; /* NULL: none is kept */
	uint64_t max;                  /* bytes, of what the parity has room for */
	uint64_t parity_bytes;
};

static int put(struct pack_writer *w, struct span s, struct err *e)
{
	crypto_hash_add(w->hash, s);
	w->off += s.n;
	if (w->parity != NULL)
		parity_builder_add(w->parity, s);
	if (w->into != NULL) {
		buf_put_span(w->into, s);
		return 0;
	}
	return store_append(w->upload, s, e);
}

int pack_writer_open(struct repo *r, uint64_t domain, enum format_type type,
    const uint8_t *const *slots, size_t nslots, struct pack_writer **out, struct err *e)
{
	struct pack_writer *w = mem_zalloc(sizeof *w);

	w->repo = r;
	w->domain = repo_domain(r, domain);
	w->type = type;
	w->nslots = nslots;
	w->hash = repo_object_hash(r);
	w->max = parity_pack_max(r->config.parity);
	if (r->config.parity)
		w->parity = parity_builder_new(r->config.parity, w->max);
	envelope_begin(&w->header, type, slots, nslots);
	if (w->domain == NULL) {
		pack_writer_free(w);
		return err_set(e, ERR_BUG, "pack for an unknown domain");
	}
	if (store_begin(r->store, &w->upload, e) == -1 || put(w, buf_span(&w->header), e) == -1) {
		pack_writer_abort(w);
		return -1;
	}
	*out = w;
	return 0;
}

int pack_writer_open_log(struct repo *r, uint64_t domain, const uint8_t place[FORMAT_PLACE],
    const uint8_t *sealed_key, struct buf *into, struct pack_writer **out, struct err *e)
{
	struct pack_writer *w = mem_zalloc(sizeof *w);

	w->repo = r;
	w->domain = repo_domain(r, domain);
	w->type = FORMAT_LOG;
	w->nslots = 1;
	w->hash = repo_object_hash(r);
	w->max = FORMAT_PACK_MAX;
	w->into = into;
	memcpy(w->place, place, FORMAT_PLACE);
	envelope_begin(&w->header, FORMAT_LOG, &sealed_key, 1);
	buf_reset(into);
	if (w->domain == NULL) {
		pack_writer_free(w);
		return err_set(e, ERR_BUG, "log for an unknown domain");
	}
	*out = w;
	return put(w, buf_span(&w->header), e);
}

void pack_writer_free(struct pack_writer *w)
{
	if (w == NULL)
		return;
	store_abort(w->upload); /* unless it was committed */
	crypto_hash_free(w->hash);
	parity_builder_free(w->parity);
	buf_fini(&w->header);
	pack_dir_fini(&w->dir);
	free(w);
}

void pack_writer_abort(struct pack_writer *w)
{
	pack_writer_free(w);
}

static size_t varint_len(uint64_t v)
{
	size_t n = 1;

	while (v >>= 7)
		n++;
	return n;
}

int pack_writer_add(struct pack_writer *w, const struct pack_frame *frame,
    const struct pack_blob *blobs, struct span box, struct err *e)
{
	if (put(w, box, e) == -1)
		return -1;
	pack_dir_add(&w->dir, frame, blobs);
	w->dir_bytes += 3 + varint_len(frame->stored) + varint_len(frame->plain) +
			varint_len(frame->nblobs);
	for (uint32_t i = 0; i < frame->nblobs; i++)
		w->dir_bytes += ID_SIZE + varint_len(blobs[i].len);
	return 0;
}

/* Size of the whole pack if it were closed now, without padding. */
static uint64_t closed_size(const struct pack_writer *w)
{
	return w->off + FORMAT_BOX + 4 + varint_len(w->dir.nframes) + w->dir_bytes + FORMAT_UID +
	       CRYPTO_SIG + FORMAT_TRAILER;
}

bool pack_writer_fits(const struct pack_writer *w, const struct pack_frame *frame)
{
	uint64_t n = closed_size(w) + frame->stored + 3 + 15 +
		     (uint64_t)frame->nblobs * (ID_SIZE + 5);

	return w->dir.nframes == 0 || seal_padme(n) <= w->max;
}

bool pack_writer_full(const struct pack_writer *w)
{
	uint64_t n = closed_size(w);

	/* Who reads a directory holds all of it. */
	if (w->dir.nblobs >= FORMAT_PACK_BLOBS_AIM)
		return true;
	if (n < FORMAT_PACK_MIN && n < w->max / 2)
		return false;
	return n >= FORMAT_PACK_FULL || (seal_padme(n) - n) * 1024 <= n;
}

/* Directory: payload, signer, signature, zeros up to the padded size. */
static void make_directory(struct pack_writer *w, struct buf *plain)
{
	struct buf covered = {0};
	uint8_t text[80], sig[CRYPTO_SIG];
	uint64_t pad;
	size_t n;

	buf_put_u32(plain, 0);
	if (w->type == FORMAT_LOG)
		buf_put(plain, w->place, FORMAT_PLACE);
	pack_dir_encode(&w->dir, plain);
	buf_put_span(&covered, buf_span(&w->header));
	buf_put(&covered, plain->p + 4, plain->n - 4);
	envelope_sign_text(w->repo->config.repo, w->type, buf_span(&covered), text, &n);
	crypto_sign(w->repo->keys->signing, span_of(text, n), sig);
	buf_put(plain, w->repo->keys->holder, FORMAT_UID);
	buf_put(plain, sig, sizeof sig);
	n = plain->n - 4;
	for (size_t i = 0; i < 4; i++)
		plain->p[i] = (uint8_t)(n >> (8 * i));
	pad = w->off + plain->n + FORMAT_BOX + FORMAT_TRAILER;
	buf_put_zeros(plain, (size_t)(seal_padme(pad) - pad));
	buf_fini(&covered);
}

static int put_box(struct pack_writer *w, struct sealer *sealer, enum format_purpose purpose,
    struct span plain, struct err *e)
{
	struct buf box = {0};
	uint8_t h[32];
	int rc;

	crypto_sha256(plain, h);
	seal_box(sealer, &w->domain->index_key, purpose, span_of(h, 32), span_of(NULL, 0), plain,
	    buf_extend(&box, plain.n + FORMAT_BOX));
	rc = put(w, buf_span(&box), e);
	buf_fini(&box);
	return rc;
}

/* Before the pack, so that at the next sync it has its name first. */
static int put_parity(struct pack_writer *w, const char *pack, const struct id *id, struct err *e)
{
	struct store_upload *up = NULL;
	char name[REPO_NAME_MAX];
	struct span parts[3];

	if (w->parity == NULL)
		return 0;
	parity_builder_end(w->parity, id, parts);
	if (store_begin(w->repo->store, &up, e) == -1)
		return -1;
	for (int i = 0; i < 3; i++) {
		w->parity_bytes += parts[i].n;
		if (store_append(up, parts[i], e) == -1) {
			store_abort(up);
			return -1;
		}
	}
	return store_commit(up, repo_parity_name(name, pack, id), STORE_LAZY, e);
}

uint64_t pack_writer_parity(const struct pack_writer *w)
{
	return w->parity_bytes;
}

int pack_writer_close(struct pack_writer *w, struct index_pack *out, struct err *e)
{
	struct buf plain = {0}, trailer = {0};
	struct sealer sealer;
	char name[REPO_NAME_MAX];
	uint64_t at = w->off;
	int rc = -1;

	sealer_init(&sealer, w->repo->config.repo);
	memset(out, 0, sizeof *out);
	make_directory(w, &plain);
	if (put_box(w, &sealer, PURPOSE_DIRECTORY, buf_span(&plain), e) == -1)
		goto out;
	buf_put_u64(&trailer, at);
	buf_put_u64(&trailer, w->off - at);
	if (put_box(w, &sealer, PURPOSE_TRAILER, buf_span(&trailer), e) == -1)
		goto out;
	crypto_hash_end(w->hash, out->id.b);
	out->type = (uint8_t)w->type;
	out->size = w->off;
	out->first_off = w->header.n;
	out->nslots = w->nslots;
	for (size_t i = 0; i < w->nslots; i++)
		out->slots[i] = w->header.p + FORMAT_HEADER + i * FORMAT_SEALED_KEY;
	out->dir = &w->dir;
	if (w->into != NULL) {
		rc = 0;
		goto out;
	}
	repo_object_name(name, w->type, &out->id);
	if (put_parity(w, name, &out->id, e) == -1)
		goto out;
	rc = store_commit(w->upload, name, STORE_NEW | STORE_LAZY, e);
	w->upload = NULL;
out:
	sealer_fini(&sealer);
	buf_fini(&plain);
	buf_fini(&trailer);
	return rc;
}

/* Trailer's plaintext: where the directory is.  The key that opens it tells the domain. */
static int open_trailer(struct repo *r, struct sealer *sealer, struct span box, uint64_t size,
    const struct domain **domain, uint64_t *at, uint64_t *len, struct err *e)
{
	uint8_t plain[16] = {0};
	struct cursor c = cursor_of(span_of(plain, sizeof plain));
	struct err not_this = {.kind = ERR_NONE};

	*domain = NULL;
	for (size_t i = 0; i < r->ndomains && *domain == NULL; i++) {
		/* Of another domain is no error: e says nothing of what came to a good end. */
		if (seal_open(sealer, &r->domains[i].index_key, PURPOSE_TRAILER, box, plain,
			&not_this) == 0)
			*domain = &r->domains[i];
	}
	if (*domain == NULL) {
		*e = not_this;
		return err_wrap(e, "trailer");
	}
	*at = cursor_u64(&c);
	*len = cursor_u64(&c);
	if (*len < FORMAT_BOX + 4 || *at > size || *len > size - *at ||
	    *at + *len + FORMAT_TRAILER != size)
		return err_set(e, ERR_CORRUPT, "trailer points outside the pack");
	return 0;
}

/* Frames must fill exactly what lies between header and directory. */
static int check_layout(
    const struct pack_dir *dir, const struct index_pack *p, uint64_t end, struct err *e)
{
	uint64_t off = p->first_off;

	for (size_t i = 0; i < dir->nframes; i++) {
		off += dir->frames[i].stored;
		if (dir->frames[i].slot >= p->nslots)
			return err_set(e, ERR_CORRUPT, "frame names a key that is not there");
	}
	return off == end ? 0 : err_set(e, ERR_CORRUPT, "frames do not fill the pack");
}

/* What c has left are signer and signature, of the header and all that c has read. */
static int check_signer(struct repo *r, const struct domain *d, enum format_type type,
    struct span header, struct cursor *c, struct index_origin *out, struct err *e)
{
	size_t n, frames_end = c->off;
	const uint8_t *pub, *signer = cursor_bytes(c, FORMAT_UID).p;
	struct buf covered = {0};
	uint8_t text[80];

	buf_put_span(&covered, header);
	buf_put(&covered, c->p, frames_end);
	envelope_sign_text(r->config.repo, type, buf_span(&covered), text, &n);
	buf_fini(&covered);
	pub = c->bad ? NULL : config_writer_key(&r->config, type, signer);
	if (pub == NULL || cursor_left(c) != CRYPTO_SIG ||
	    !crypto_verify(pub, span_of(text, n), c->p + c->off))
		return err_set(
		    e, ERR_CORRUPT, "directory: signature is wrong or of no known writer");
	if (repo_accept(r, signer, type, d->id, e) == -1)
		return err_wrap(e, "directory");
	*out = (struct index_origin){d->tag, domain_tag(signer)};
	return 0;
}

static int parse_directory(struct repo *r, const struct domain *d, enum format_type type,
    struct span header, struct span box, uint64_t at, struct sealer *sealer, struct pack_dir *dir,
    struct index_pack *out, struct err *e)
{
	struct buf plain = {0};
	struct cursor c;
	struct span payload;
	int rc = -1;

	if (seal_open(sealer, &d->index_key, PURPOSE_DIRECTORY, box,
		buf_extend(&plain, box.n - FORMAT_BOX), e) == -1) {
		err_wrap(e, "directory");
		goto out;
	}
	c = cursor_of(buf_span(&plain));
	payload = cursor_bytes(&c, cursor_u32(&c));
	if (c.bad || payload.n < FORMAT_UID + CRYPTO_SIG) {
		err_set(e, ERR_CORRUPT, "directory: bad length");
		goto out;
	}
	c = cursor_of(payload);
	if (type == FORMAT_LOG) {
		struct span place = cursor_bytes(&c, FORMAT_PLACE);

		if (place.n == FORMAT_PLACE)
			memcpy(out->place, place.p, FORMAT_PLACE);
	}
	if (pack_dir_decode(&c, dir, e) == -1 ||
	    check_signer(r, d, type, header, &c, &out->origin, e) == -1)
		goto out;
	out->dir = dir;
	rc = check_layout(dir, out, at, e);
out:
	buf_fini(&plain);
	return rc;
}

static void set_slots(struct index_pack *out, const struct envelope *env)
{
	out->first_off = env->header_len;
	out->nslots = env->nkeys;
	for (size_t i = 0; i < env->nkeys; i++)
		out->slots[i] = env->keys + i * FORMAT_SEALED_KEY;
}

int pack_parse_directory(struct repo *r, enum format_type type, struct span whole,
    struct pack_dir *dir, struct index_pack *out, struct err *e)
{
	struct envelope env;
	struct sealer sealer;
	const struct domain *d;
	uint64_t at, len;
	int rc = -1;

	memset(out, 0, sizeof *out);
	sealer_init(&sealer, r->config.repo);
	if (envelope_parse_header(whole, type, &env, e) == -1)
		goto out;
	if (whole.n < env.header_len + FORMAT_TRAILER) {
		err_set(e, ERR_CORRUPT, "pack is cut short");
		goto out;
	}
	out->type = (uint8_t)type;
	out->size = whole.n;
	set_slots(out, &env);
	if (open_trailer(r, &sealer, span_of(whole.p + whole.n - FORMAT_TRAILER, FORMAT_TRAILER),
		whole.n, &d, &at, &len, e) == -1)
		goto out;
	rc = parse_directory(r, d, type, span_of(whole.p, env.header_len),
	    span_of(whole.p + at, len), at, &sealer, dir, out, e);
out:
	sealer_fini(&sealer);
	return rc;
}

int pack_read_directory(struct repo *r, enum format_type type, const struct id *id, uint64_t size,
    struct pack_dir *dir, struct buf *hold, struct index_pack *out, struct err *e)
{
	char name[REPO_NAME_MAX];
	int rc = pack_read_directory_of(
	    r, type, repo_object_name(name, type, id), size, dir, hold, out, e);

	out->id = *id;
	return rc;
}

int pack_read_directory_of(struct repo *r, enum format_type type, const char *name, uint64_t size,
    struct pack_dir *dir, struct buf *hold, struct index_pack *out, struct err *e)
{
	struct buf box = {0};
	uint8_t trailer[FORMAT_TRAILER];
	struct envelope env;
	struct sealer sealer;
	const struct domain *d;
	uint64_t at, len;
	size_t head;
	int rc = -1;

	memset(out, 0, sizeof *out);
	sealer_init(&sealer, r->config.repo);
	buf_reset(hold);
	if (size < FORMAT_HEADER + FORMAT_TRAILER || size > FORMAT_PACK_MAX) {
		err_set(e, ERR_CORRUPT, "%s: impossible size %llu", name, (unsigned long long)size);
		goto out;
	}
	if (store_get(r->store, name, 0, buf_extend(hold, FORMAT_HEADER), FORMAT_HEADER, e) == -1)
		goto out;
	head = (size_t)hold->p[10] * FORMAT_SEALED_KEY;
	if (head > 0 &&
	    store_get(r->store, name, FORMAT_HEADER, buf_extend(hold, head), head, e) == -1)
		goto out;
	if (store_get(r->store, name, size - FORMAT_TRAILER, trailer, sizeof trailer, e) == -1)
		goto out;
	if (envelope_parse_header(buf_span(hold), type, &env, e) == -1 ||
	    open_trailer(r, &sealer, span_of(trailer, sizeof trailer), size, &d, &at, &len, e) ==
		-1) {
		err_wrap(e, "%s", name);
		goto out;
	}
	if (store_get(r->store, name, at, buf_extend(&box, len), len, e) == -1)
		goto out;
	out->type = (uint8_t)type;
	out->size = size;
	set_slots(out, &env);
	rc = parse_directory(r, d, type, buf_span(hold), buf_span(&box), at, &sealer, dir, out, e);
	if (rc == -1)
		err_wrap(e, "%s", name);
out:
	sealer_fini(&sealer);
	buf_fini(&box);
	return rc;
}
