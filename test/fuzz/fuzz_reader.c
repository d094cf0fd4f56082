/*
 * fuzz: reading blobs by a lying index, of a pack whose frame is as the input has it,
 * both signed by a holder.  Input: kind, codec, u16 plain length, number of blobs, what
 * is added to the frame's offset and to its stored length; then the frame's bytes, as
 * compressed.  What is read has its id, whatever the index says.
 */
#include "fuzz_repo.h"

#include "repo/index.h"
#include "repo/reader.h"

enum { HEAD = 7, BLOBS = 3 };

struct lie {
	struct pack_frame frame;
	struct pack_blob blobs[BLOBS];
	uint8_t off;
};

/* Another handle each time: an index cache keeps what it had until it is closed. */
static struct repo *open_repo(void)
{
	static const uint8_t secret[32] = {1};
	static struct ctx ctx;
	struct repo_cred cred = {.key_file = true, .secret = span_of(secret, 32)};
	struct store *s;
	struct repo *r;
	struct err e;

	fuzz_repo();
	if (store_mem_open("fuzz", false, &s, &e) == -1 ||
	    repo_open(s, &cred, NULL, &ctx, &r, &e) == -1)
		abort();
	return r;
}

static void mac_of(struct repo *r, uint8_t kind, struct span s, struct id *out)
{
	struct crypto_mac *mac[BLOB_KINDS];

	domain_macs(repo_own_domain(r), r->config.blob_id, mac);
	crypto_mac(mac[kind - 1], s, out->b);
	domain_macs_free(mac);
}

/* Equal parts of the plaintext; where it is not compressed, by their right ids. */
static void describe(struct repo *r, const uint8_t *p, struct span bytes, struct lie *l)
{
	uint32_t n = p[4] % BLOBS + 1, plain = (uint32_t)p[2] | (uint32_t)p[3] << 8;

	memset(l, 0, sizeof *l);
	l->frame = (struct pack_frame){.kind = p[0] % 3 + 1, .codec = p[1] % 6, .nblobs = n};
	l->frame.plain = l->frame.codec == 0 ? (uint32_t)bytes.n : plain;
	l->frame.stored = (uint32_t)bytes.n + FORMAT_BOX + p[6];
	l->off = p[5];
	for (uint32_t i = 0, at = 0; i < n; i++) {
		uint32_t len = i + 1 < n ? l->frame.plain / n : l->frame.plain - at;

		l->blobs[i].len = len;
		l->blobs[i].id.b[0] = (uint8_t)i;
		if (l->frame.codec == 0)
			mac_of(r, l->frame.kind, span_of(bytes.p + at, len), &l->blobs[i].id);
		at += len;
	}
}

static void put(struct repo *r, const struct lie *l, struct span bytes, char name[2][REPO_NAME_MAX])
{
	bool refs = l->frame.kind == PURPOSE_REFS;
	uint8_t sealed[FORMAT_SEALED_KEY];
	struct pack_dir dir = {0};
	struct index_pack pack = {.type = FORMAT_PACK, .nslots = 1, .slots = {sealed}, .dir = &dir};
	struct index_builder *b = index_builder_new();
	struct buf object = {0}, payload = {0};
	struct seal_key key;
	struct sealer sealer;
	struct err e;
	struct id id;

	sealer_init(&sealer, r->config.repo);
	seal_data_key_new(r->config.repo, refs ? SEAL_STRUCTURE : SEAL_CONTENT, 1,
	    refs ? r->config.structure : r->config.content, &key, sealed);
	envelope_begin(&object, FORMAT_PACK, pack.slots, 1);
	pack.first_off = object.n + l->off;
	seal_box(&sealer, &key, (enum format_purpose)l->frame.kind, span_str("x"), span_of(NULL, 0),
	    bytes, buf_extend(&object, bytes.n + FORMAT_BOX));
	pack.size = object.n + 300;
	repo_object_id(r, buf_span(&object), &pack.id);
	pack_dir_add(&dir, &l->frame, l->blobs);
	index_builder_add(b, &pack);
	index_builder_finish(b, &payload);
	repo_object_name(name[0], FORMAT_PACK, &pack.id);
	if (store_put(r->store, name[0], buf_span(&object), 0, &e) == -1 ||
	    repo_put_index(r, repo_own_domain(r)->tag, buf_span(&payload), &id, &e) == -1)
		abort();
	repo_object_name(name[1], FORMAT_INDEX, &id);
	index_builder_free(b);
	pack_dir_fini(&dir);
	sealer_fini(&sealer);
	buf_fini(&object);
	buf_fini(&payload);
}

static void read_all(struct repo *r, const struct lie *l)
{
	struct reader *rd = reader_new(r);

	for (uint32_t i = 0; i < l->frame.nblobs; i++) {
		struct span got;
		struct err e;
		struct id id;

		if (reader_blob(rd, 0, &l->blobs[i].id, &got, &e) == -1) {
			fuzz_kind(&e);
			continue;
		}
		mac_of(r, l->frame.kind, got, &id);
		if (!id_eq(&id, &l->blobs[i].id))
			abort();
	}
	reader_free(rd);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char name[2][REPO_NAME_MAX];
	struct span bytes;
	struct repo *r;
	struct lie l;
	struct err e;

	if (n < HEAD)
		return 0;
	bytes = span_of(p + HEAD, n - HEAD);
	r = open_repo();
	describe(r, p, bytes, &l);
	put(r, &l, bytes, name);
	read_all(r, &l);
	for (int i = 0; i < 2; i++)
		if (store_del(r->store, name[i], &e) == -1)
			abort();
	repo_close(r);
	return 0;
}
