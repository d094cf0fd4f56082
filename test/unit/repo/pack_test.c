/* pack: what is written reads back; what was changed does not. */
#include "make_repo.h"

#include "repo/pack.h"

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	struct repo *r;
	uint8_t sealed[FORMAT_SEALED_KEY];
	struct err e;
};

static void begin(struct t *t)
{
	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
	memset(t->sealed, 1, sizeof t->sealed);
}

/* A pack of `n` frames of 300 opaque bytes with two blobs each. */
static void write_pack(struct t *t, size_t n, struct index_pack *out, struct id *id)
{
	const uint8_t *slots[2] = {t->sealed, t->sealed};
	uint8_t box[300];
	struct pack_writer *w;
	struct index_pack desc;
	struct err e;

	memset(box, 5, sizeof box);
	OK(pack_writer_open(t->r, t->r->domains[0].tag, FORMAT_PACK, slots, 2, &w, &e));
	for (size_t i = 0; i < n; i++) {
		struct pack_frame f = {.kind = PURPOSE_CONTENT,
		    .slot = (uint8_t)(i % 2),
		    .codec = CODEC_ZSTD,
		    .stored = sizeof box,
		    .plain = 500,
		    .nblobs = 2};
		struct pack_blob b[2] = {{.len = 200}, {.len = 300}};

		crypto_random(&b[0].id, ID_SIZE);
		crypto_random(&b[1].id, ID_SIZE);
		OK(pack_writer_add(w, &f, b, span_of(box, sizeof box), &e));
	}
	OK(pack_writer_close(w, &desc, &e));
	OK(store_sync(t->r->store, &e));
	*id = desc.id;
	if (out != NULL)
		*out = desc;
	assert_int_equal(desc.size, seal_padme(desc.size));
	pack_writer_free(w);
}

static void get_pack(struct t *t, const struct id *id, struct buf *b)
{
	char name[REPO_NAME_MAX];
	struct err e;

	repo_object_name(name, FORMAT_PACK, id);
	OK(store_get_all(t->r->store, name, FORMAT_PACK_MAX, b, &e));
}

static void a_pack_reads_back(void **state)
{
	static const size_t counts[] = {1, 2, 3, 100, 1000};

	for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
		struct pack_dir dir = {0}, whole_dir = {0};
		struct index_pack wrote, got;
		struct buf hold = {0}, whole = {0};
		struct id id, hash;
		struct err e;
		struct t t;

		begin(&t);
		write_pack(&t, counts[k], &wrote, &id);
		OK(pack_read_directory(t.r, FORMAT_PACK, &id, wrote.size, &dir, &hold, &got, &e));
		assert_int_equal(dir.nframes, counts[k]);
		assert_int_equal(dir.nblobs, 2 * counts[k]);
		assert_int_equal(got.first_off, wrote.first_off);
		assert_int_equal(got.nslots, 2);
		assert_memory_equal(got.slots[1], t.sealed, FORMAT_SEALED_KEY);
		assert_true(id_eq(&got.id, &id));

		get_pack(&t, &id, &whole);
		assert_int_equal(whole.n, wrote.size);
		repo_object_id(t.r, buf_span(&whole), &hash);
		assert_true(id_eq(&hash, &id));
		OK(pack_parse_directory(t.r, FORMAT_PACK, buf_span(&whole), &whole_dir, &got, &e));
		assert_int_equal(whole_dir.nblobs, dir.nblobs);
		assert_memory_equal(whole_dir.blobs, dir.blobs, dir.nblobs * sizeof *dir.blobs);
		pack_dir_fini(&dir);
		pack_dir_fini(&whole_dir);
		buf_fini(&hold);
		buf_fini(&whole);
		repo_close(t.r);
	}
}

/* Frames are not the directory's: only their sum is. */
static void every_flipped_bit_outside_the_frames_is_corrupt(void **state)
{
	struct buf b = {0};
	struct id id;
	struct index_pack wrote;
	size_t from, to;
	struct err e;
	struct t t;

	begin(&t);
	write_pack(&t, 2, &wrote, &id);
	get_pack(&t, &id, &b);
	from = wrote.first_off;
	to = from + 600;
	for (size_t i = 0; i < 8 * b.n; i++) {
		struct pack_dir dir = {0};
		struct index_pack got;

		if (i / 8 >= from && i / 8 < to)
			continue;
		b.p[i / 8] ^= (uint8_t)(1 << i % 8);
		err_clear(&e);
		assert_int_equal(
		    pack_parse_directory(t.r, FORMAT_PACK, buf_span(&b), &dir, &got, &e), -1);
		assert_true(e.kind == ERR_CORRUPT || (i / 8 == 8 && e.kind == ERR_FOREIGN));
		b.p[i / 8] ^= (uint8_t)(1 << i % 8);
		pack_dir_fini(&dir);
	}
	buf_fini(&b);
	repo_close(t.r);
}

static void every_shortened_pack_is_corrupt(void **state)
{
	struct buf b = {0};
	struct id id;
	struct err e;
	struct t t;

	begin(&t);
	write_pack(&t, 2, NULL, &id);
	get_pack(&t, &id, &b);
	for (size_t n = 0; n < b.n; n++) {
		struct pack_dir dir = {0};
		struct index_pack got;
		uint8_t *copy = mem_alloc(n);

		memcpy(copy, b.p, n);
		FAILS(pack_parse_directory(t.r, FORMAT_PACK, span_of(copy, n), &dir, &got, &e),
		    ERR_CORRUPT);
		free(copy);
		pack_dir_fini(&dir);
	}
	buf_fini(&b);
	repo_close(t.r);
}

static void a_wrong_size_is_corrupt(void **state)
{
	struct index_pack wrote, got;
	struct id id;
	struct err e;
	struct t t;

	begin(&t);
	write_pack(&t, 2, &wrote, &id);
	for (int i = 0; i < 6; i++) {
		const uint64_t sizes[] = {
		    0, 75, wrote.size - 1, wrote.size + 1, FORMAT_PACK_MAX + 1, UINT64_MAX};
		struct pack_dir dir = {0};
		struct buf hold = {0};

		FAILS(pack_read_directory(t.r, FORMAT_PACK, &id, sizes[i], &dir, &hold, &got, &e),
		    ERR_CORRUPT);
		pack_dir_fini(&dir);
		buf_fini(&hold);
	}
	repo_close(t.r);
}

/* A pack with this directory, sealed properly, signed by `seed`. */
static void forge(struct t *t, const struct pack_dir *d, size_t frame_bytes, const uint8_t seed[32],
    uint64_t at_off, uint64_t len_off, struct buf *out)
{
	const uint8_t *slots[1] = {t->sealed};
	struct buf plain = {0}, covered = {0}, trailer = {0};
	uint8_t text[80], sig[CRYPTO_SIG];
	struct sealer s;
	size_t n, at;

	buf_reset(out);
	envelope_begin(out, FORMAT_PACK, slots, 1);
	buf_put_span(&covered, buf_span(out));
	buf_put_zeros(out, frame_bytes);
	at = out->n;
	buf_put_u32(&plain, 0);
	pack_dir_encode(d, &plain);
	buf_put(&covered, plain.p + 4, plain.n - 4);
	envelope_sign_text(t->r->config.repo, FORMAT_PACK, buf_span(&covered), text, &n);
	crypto_sign(seed, span_of(text, n), sig);
	buf_put(&plain, t->r->keys->holder, FORMAT_UID);
	buf_put(&plain, sig, sizeof sig);
	n = plain.n - 4;
	for (size_t i = 0; i < 4; i++)
		plain.p[i] = (uint8_t)(n >> (8 * i));
	sealer_init(&s, t->r->config.repo);
	seal_box(&s, t->r->index_key, PURPOSE_DIRECTORY, span_str("x"), span_of(NULL, 0),
	    buf_span(&plain), buf_extend(out, plain.n + FORMAT_BOX));
	buf_put_u64(&trailer, at + at_off);
	buf_put_u64(&trailer, plain.n + FORMAT_BOX + len_off);
	seal_box(&s, t->r->index_key, PURPOSE_TRAILER, span_str("x"), span_of(NULL, 0),
	    buf_span(&trailer), buf_extend(out, trailer.n + FORMAT_BOX));
	sealer_fini(&s);
	buf_fini(&plain);
	buf_fini(&covered);
	buf_fini(&trailer);
}

static void one_frame(struct pack_dir *d, uint8_t slot)
{
	struct pack_frame f = {
	    .kind = 1, .slot = slot, .codec = 1, .stored = 100, .plain = 9, .nblobs = 1};
	struct pack_blob b = {.len = 9};

	pack_dir_add(d, &f, &b);
}

static int parse(struct t *t, const struct buf *b, struct err *e)
{
	struct pack_dir dir = {0};
	struct index_pack got;
	int rc = pack_parse_directory(t->r, FORMAT_PACK, buf_span(b), &dir, &got, e);

	pack_dir_fini(&dir);
	return rc;
}

static void a_signature_by_somebody_else_is_corrupt(void **state)
{
	static const uint8_t other[32] = {99};
	struct pack_dir d = {0};
	struct buf b = {0};
	struct err e;
	struct t t;

	begin(&t);
	one_frame(&d, 0);
	forge(&t, &d, 100, t.r->keys->signing, 0, 0, &b);
	OK(parse(&t, &b, &e));
	forge(&t, &d, 100, other, 0, 0, &b);
	FAILS(parse(&t, &b, &e), ERR_CORRUPT);
	/* The key that signs is known, but the signer's name is not a writer's. */
	t.r->keys->holder[0] ^= 1;
	forge(&t, &d, 100, t.r->keys->signing, 0, 0, &b);
	FAILS(parse(&t, &b, &e), ERR_CORRUPT);
	pack_dir_fini(&d);
	buf_fini(&b);
	repo_close(t.r);
}

static void frames_that_do_not_fill_the_pack_are_corrupt(void **state)
{
	static const size_t bytes[] = {0, 99, 101, 200};
	struct pack_dir d = {0};
	struct buf b = {0};
	struct err e;
	struct t t;

	begin(&t);
	one_frame(&d, 0);
	for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
		forge(&t, &d, bytes[i], t.r->keys->signing, 0, 0, &b);
		FAILS(parse(&t, &b, &e), ERR_CORRUPT);
	}
	pack_dir_fini(&d);
	buf_fini(&b);
	repo_close(t.r);
}

static void a_frame_with_a_key_that_is_not_there_is_corrupt(void **state)
{
	struct pack_dir d = {0};
	struct buf b = {0};
	struct err e;
	struct t t;

	begin(&t);
	one_frame(&d, 1);
	forge(&t, &d, 100, t.r->keys->signing, 0, 0, &b);
	FAILS(parse(&t, &b, &e), ERR_CORRUPT);
	pack_dir_fini(&d);
	buf_fini(&b);
	repo_close(t.r);
}

static void a_trailer_that_points_elsewhere_is_corrupt(void **state)
{
	static const int64_t rows[][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, -1}, {-1, 1},
	    {INT64_MAX, 0}, {0, INT64_MAX}, {-1000000, 1000000}, {INT64_MIN, INT64_MIN}};
	struct pack_dir d = {0};
	struct buf b = {0};
	struct err e;
	struct t t;

	begin(&t);
	one_frame(&d, 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		forge(&t, &d, 100, t.r->keys->signing, (uint64_t)rows[i][0], (uint64_t)rows[i][1],
		    &b);
		FAILS(parse(&t, &b, &e), ERR_CORRUPT);
	}
	pack_dir_fini(&d);
	buf_fini(&b);
	repo_close(t.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pack_reads_back),
	    cmocka_unit_test(every_flipped_bit_outside_the_frames_is_corrupt),
	    cmocka_unit_test(every_shortened_pack_is_corrupt),
	    cmocka_unit_test(a_wrong_size_is_corrupt),
	    cmocka_unit_test(a_signature_by_somebody_else_is_corrupt),
	    cmocka_unit_test(frames_that_do_not_fill_the_pack_are_corrupt),
	    cmocka_unit_test(a_frame_with_a_key_that_is_not_there_is_corrupt),
	    cmocka_unit_test(a_trailer_that_points_elsewhere_is_corrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
