/* index_cache: answers are right, or there is an error. */
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "make_index.h"
#include "os/os.h"
#include "repo/index_cache.h"
#include "repo/index_level.h"
#include "repo/siphash.h"

enum { PACKS = 5, BLOBS = 10, IN_ONE = PACKS * BLOBS };

static const uint8_t key[32] = {3, 1, 4};
static struct ctx ctx;
static int warnings, fetched;
static char folder[4200];

static void count_warning(struct ctx *c, const struct event *ev)
{
	warnings += ev->id == EVENT_WARNING;
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof folder, "%s/hf-index-XXXXXX", tmp ? tmp : "/tmp");
	ctx.sink = count_warning;
	warnings = fetched = 0;
	return mkdtemp(folder) ? 0 : -1;
}

static int each_level(int (*f)(const char *path))
{
	DIR *d = opendir(folder);
	struct dirent *en;
	char path[4500];
	int n = 0;

	while (d && (en = readdir(d)) != NULL) {
		if (en->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, en->d_name);
		n++;
		if (f)
			f(path);
	}
	if (d)
		closedir(d);
	return n;
}

static int teardown(void **state)
{
	each_level(unlink);
	return rmdir(folder);
}

/* Object i holds series i. */
static struct id object(uint64_t i)
{
	return make_id(77, i);
}

static const struct index_origin nobody = {0, 0};

static int fetch(
    void *arg, const struct id *id, struct buf *out, struct index_origin *origin, struct err *e)
{
	*origin = nobody;
	for (uint64_t i = 0; i < 100; i++) {
		struct id o = object(i);

		if (!id_eq(&o, id))
			continue;
		fetched++;
		make_payload(i, PACKS, BLOBS, out);
		return 0;
	}
	return err_set(e, ERR_ABSENT, "no such object");
}

static struct index_cache *open_cache(const char *dir)
{
	struct index_cache *c;
	struct err e = {0};

	assert_int_equal(index_cache_open(dir, key, &ctx, &c, &e), 0);
	return c;
}

static void sync_range(struct index_cache *c, uint64_t from, uint64_t to)
{
	struct id ids[100];
	struct err e = {0};

	for (uint64_t i = from; i < to; i++)
		ids[i - from] = object(i);
	assert_int_equal(index_cache_sync(c, ids, to - from, fetch, NULL, &e), 0);
}

static void add_one(struct index_cache *c, uint64_t i)
{
	struct id o = object(i);
	struct buf b = {0};
	struct err e = {0};

	make_payload(i, PACKS, BLOBS, &b);
	assert_int_equal(index_cache_add(c, &o, &nobody, buf_span(&b), &e), 0);
	buf_fini(&b);
}

/* Is what a place says what make_payload made? */
static bool place_is_right(uint64_t series, uint64_t i, const struct index_place *p)
{
	uint64_t k = i % BLOBS, first = k / MAKE_FRAME * MAKE_FRAME;
	struct id commitment = make_id(series + 1000000, i / BLOBS / 4);
	uint32_t off = 0;

	for (uint64_t b = first; b < k; b++)
		off += make_len(series, i - k + b);
	return p->blob_len == make_len(series, i) && p->blob_off == off && p->stored == 60 &&
	       p->off == 144 + 60 * (k / MAKE_FRAME) && p->kind == PURPOSE_CONTENT &&
	       p->codec == 1 && memcmp(p->sealed_key + 100, commitment.b, 32) == 0;
}

/* 1 all found and right, -1 an error; anything else fails the test. */
static int look_up_series(struct index_cache *c, uint64_t series, int want)
{
	for (uint64_t i = 0; i < IN_ONE; i++) {
		struct id id = make_id(series, i);
		struct index_place p;
		struct err e = {0};
		int rc = index_cache_find(c, &id, &p, &e);

		if (rc == -1) {
			assert_int_equal(e.kind, ERR_CORRUPT);
			return -1;
		}
		assert_int_equal(rc, want);
		if (rc == 1) {
			assert_true(place_is_right(series, i, &p));
			assert_true(p.blob < index_cache_blobs(c));
			assert_true(p.pack < index_cache_packs(c));
		}
	}
	return 1;
}

static void siphash_gives_the_published_value(void **state)
{
	uint8_t k[16], m[15];

	for (int i = 0; i < 16; i++)
		k[i] = (uint8_t)i;
	memcpy(m, k, 15);
	assert_true(siphash(k, span_of(m, 15)) == UINT64_C(0xa129ca6149be45e5));
	assert_true(siphash_at(k, UINT64_C(0x0706050403020100), span_of(m + 8, 7)) ==
		    UINT64_C(0xa129ca6149be45e5));
}

static void what_was_synced_is_found_and_nothing_else(void **state)
{
	struct index_cache *c = open_cache(folder);

	sync_range(c, 0, 5);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(look_up_series(c, i, 1), 1);
	look_up_series(c, 5, 0);
	assert_int_equal(index_cache_blobs(c), 5 * IN_ONE);
	assert_int_equal(index_cache_packs(c), 5 * PACKS);
	index_cache_close(c);
}

static void sync_again_fetches_nothing(void **state)
{
	struct index_cache *c = open_cache(folder);

	sync_range(c, 0, 5);
	assert_int_equal(fetched, 5);
	sync_range(c, 0, 5);
	index_cache_close(c);
	c = open_cache(folder);
	sync_range(c, 0, 5);
	assert_int_equal(fetched, 5);
	look_up_series(c, 4, 1);
	index_cache_close(c);
}

static void what_the_repository_lost_is_forgotten(void **state)
{
	struct index_cache *c = open_cache(folder);

	sync_range(c, 0, 5);
	sync_range(c, 2, 7);
	look_up_series(c, 0, 0);
	look_up_series(c, 1, 0);
	for (uint64_t i = 2; i < 7; i++)
		look_up_series(c, i, 1);
	sync_range(c, 0, 0);
	assert_int_equal(index_cache_blobs(c), 0);
	assert_int_equal(each_level(NULL), 0);
	index_cache_close(c);
}

static void merging_keeps_answers_and_ordinals(void **state)
{
	struct index_cache *c = open_cache(folder);
	struct index_place before[60], after;
	struct err e = {0};

	for (uint64_t i = 0; i < 60; i++) {
		struct id id = make_id(i, 7);

		add_one(c, i);
		assert_int_equal(index_cache_find(c, &id, &before[i], &e), 1);
	}
	assert_true(each_level(NULL) < 20);
	for (uint64_t i = 0; i < 60; i++) {
		struct id id = make_id(i, 7);

		look_up_series(c, i, 1);
		assert_int_equal(index_cache_find(c, &id, &after, &e), 1);
		assert_true(after.blob == before[i].blob && after.pack == before[i].pack);
		assert_int_equal(after.frame, before[i].frame);
	}
	sync_range(c, 0, 60);
	assert_int_equal(fetched, 0);
	assert_true(each_level(NULL) <= 8);
	for (uint64_t i = 0; i < 60; i++)
		look_up_series(c, i, 1);
	index_cache_close(c);
}

static int count_place(void *arg, const struct index_place *p, struct err *e)
{
	++*(int *)arg;
	return 0;
}

static void hidden_packs_are_absent_but_listed(void **state)
{
	struct index_cache *c = open_cache(folder);
	struct id pack = make_id(2000000, 1), none = make_id(5, 5), id = make_id(0, BLOBS);
	struct index_cache_pack facts;
	struct index_place p;
	struct err e = {0};
	int n = 0;

	sync_range(c, 0, 2);
	index_cache_hide(c, &pack);
	index_cache_hide(c, &none);
	assert_int_equal(index_cache_find(c, &id, &p, &e), 0);
	assert_int_equal(index_cache_find_all(c, 0, &id, count_place, &n, &e), 0);
	assert_int_equal(n, 1);
	id = make_id(0, 0);
	assert_int_equal(index_cache_find(c, &id, &p, &e), 1);
	assert_int_equal(index_cache_pack(c, p.pack + 1, &facts, &e), 0);
	assert_true(facts.hidden && id_eq(&facts.id, &pack));
	for (uint64_t i = 0; i < 500; i++) {
		id = make_id(9, i);
		index_cache_hide(c, &id);
	}
	id = make_id(0, BLOBS);
	assert_int_equal(index_cache_find(c, &id, &p, &e), 0);
	index_cache_close(c);
}

static void find_all_visits_every_copy(void **state)
{
	struct index_cache *c = open_cache(folder);
	struct id o = object(50), id = make_id(1, 3);
	struct buf b = {0};
	struct err e = {0};
	int n = 0;

	add_one(c, 1);
	make_payload(1, PACKS, BLOBS, &b);
	assert_int_equal(index_cache_add(c, &o, &nobody, buf_span(&b), &e), 0);
	assert_int_equal(index_cache_find_all(c, 0, &id, count_place, &n, &e), 0);
	assert_int_equal(n, 2);
	buf_fini(&b);
	index_cache_close(c);
}

static void a_pack_is_told_as_it_was_indexed(void **state)
{
	struct index_cache *c = open_cache(NULL);
	struct index_builder *b = index_builder_new();
	struct buf was = {0}, is = {0};
	struct pack_dir dir = {0};
	struct index_pack p;
	struct err e = {0};

	add_one(c, 0);
	for (uint32_t i = 0; i < index_cache_packs(c); i++) {
		assert_int_equal(index_cache_pack_dir(c, i, &dir, &p, &e), 0);
		index_builder_add(b, &p);
	}
	assert_int_equal(index_cache_pack_dir(c, PACKS, &dir, &p, &e), -1);
	index_builder_finish(b, &is);
	make_payload(0, PACKS, BLOBS, &was);
	index_set_deadline(&is, index_deadline(buf_span(&was)));
	assert_true(span_eq(buf_span(&was), buf_span(&is)));
	index_builder_free(b);
	pack_dir_fini(&dir);
	buf_fini(&was);
	buf_fini(&is);
	index_cache_close(c);
}

static void without_a_folder_it_works_and_warns_once(void **state)
{
	struct index_cache *c;

	c = open_cache("/proc/nowhere/at/all");
	sync_range(c, 0, 3);
	add_one(c, 3);
	look_up_series(c, 2, 1);
	look_up_series(c, 3, 1);
	assert_int_equal(warnings, 1);
	index_cache_close(c);
}

static void an_absent_object_is_reported_as_such(void **state)
{
	struct index_cache *c = open_cache(folder);
	struct id id = make_id(1, 1);
	struct err e = {0};

	assert_int_equal(index_cache_sync(c, &id, 1, fetch, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	index_cache_close(c);
}

static char the_level[4500];
static int remember(const char *path)
{
	snprintf(the_level, sizeof the_level, "%s", path);
	return 0;
}

/* One damaged byte: right answers, or none.  1: it was noticed. */
static int try_flipped(const struct buf *file, size_t at)
{
	int fd = os_open(the_level, O_RDWR | O_CREAT, 0600), noticed;
	struct index_cache *c;
	uint8_t v = file->p[at] ^ 0x40;

	assert_int_equal(os_pwrite_all(fd, file->p, file->n, 0), 0);
	assert_int_equal(os_pwrite_all(fd, &v, 1, (off_t)at), 0);
	os_close(fd);
	c = open_cache(folder);
	noticed = index_cache_blobs(c) == 0;
	if (!noticed)
		noticed = look_up_series(c, 0, 1) == -1;
	index_cache_close(c);
	return noticed;
}

static void a_damaged_byte_never_gives_a_wrong_answer(void **state)
{
	struct index_cache *c = open_cache(folder);
	struct buf file = {0};
	struct err e = {0};
	int noticed = 0;

	sync_range(c, 0, 1);
	index_cache_close(c);
	assert_int_equal(each_level(remember), 1);
	assert_int_equal(os_read_file(the_level, 16 << 20, &file, &e), 0);
	for (size_t at = 0; at < file.n; at += 97)
		noticed += try_flipped(&file, at);
	/* All of the seven sections' blocks are read by these lookups. */
	assert_true(noticed > 7 * 16384 / 97);
	buf_fini(&file);
}

struct race {
	struct index_cache *c;
	_Atomic uint64_t ready;
	_Atomic int wrong;
};

static void *look_up_what_is_ready(void *arg)
{
	struct race *r = arg;
	uint64_t n = 0;

	while (n < 30) {
		n = atomic_load(&r->ready);
		for (uint64_t s = 0; s < n; s++) {
			struct id id = make_id(s, s);
			struct index_place p;
			struct err e = {0};

			if (index_cache_find(r->c, &id, &p, &e) != 1 || !place_is_right(s, s, &p))
				atomic_fetch_add(&r->wrong, 1);
		}
	}
	return NULL;
}

static void what_is_added_is_seen_at_once_by_others(void **state)
{
	struct race r = {.c = open_cache(folder)};
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, look_up_what_is_ready, &r), 0);
	for (uint64_t i = 0; i < 30; i++) {
		struct id none = make_id(123, i);

		add_one(r.c, i);
		index_cache_hide(r.c, &none);
		atomic_store(&r.ready, i + 1);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(r.wrong, 0);
	index_cache_close(r.c);
}

static void *look_up_until_told(void *arg)
{
	struct race *r = arg;

	while (!atomic_load(&r->ready)) {
		for (uint64_t i = 0; i < IN_ONE; i++) {
			struct id id = make_id(0, i);
			struct index_place p;
			struct err e = {0};

			if (index_cache_find(r->c, &id, &p, &e) != 1)
				atomic_fetch_add(&r->wrong, 1);
		}
	}
	return NULL;
}

/*
 * Ids that would all stand where the asked one would: each is written to the
 * very slot that a lookup may just have found empty.
 */
static void hiding_some_packs_hides_no_others(void **state)
{
	struct race r = {.c = open_cache(NULL)};
	struct index_cache_pack pack;
	struct err e = {0};
	pthread_t t[2];

	add_one(r.c, 0);
	assert_int_equal(index_cache_pack(r.c, 0, &pack, &e), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, look_up_until_told, &r), 0);
	for (uint64_t i = 0; i < 3000; i++) {
		struct id other = make_id(123, i);

		memcpy(other.b + 8, pack.id.b + 8, 8);
		index_cache_hide(r.c, &other);
	}
	atomic_store(&r.ready, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(r.wrong, 0);
	index_cache_close(r.c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* What one domain's index objects say is not seen by lookups in another. */
static void a_lookup_in_a_domain_sees_that_domain_alone(void **state)
{
	const struct index_origin honest = {7, 70}, liar = {8, 80};
	struct index_cache *c = open_cache(NULL);
	struct id o[2] = {object(1), object(2)}, id = make_id(1, 0);
	struct index_cache_pack pack;
	struct index_place p;
	struct buf b = {0};
	struct err e = {0};
	size_t n = 0;

	make_payload(1, PACKS, BLOBS, &b);
	/* The liar names the same blobs, and comes first. */
	assert_int_equal(index_cache_add(c, &o[0], &liar, buf_span(&b), &e), 0);
	assert_int_equal(index_cache_find_in(c, 7, &id, &p, &e), 0);
	assert_int_equal(index_cache_add(c, &o[1], &honest, buf_span(&b), &e), 0);
	for (uint64_t domain = 7; domain < 9; domain++) {
		assert_int_equal(index_cache_find_in(c, domain, &id, &p, &e), 1);
		assert_int_equal(p.domain, domain);
		assert_int_equal(index_cache_pack(c, p.pack, &pack, &e), 0);
		assert_int_equal(pack.origin.signer, 10 * domain);
	}
	assert_int_equal(index_cache_find_in(c, 9, &id, &p, &e), 0);
	assert_int_equal(index_cache_find_all(c, 7, &id, count_place, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(index_cache_find_all(c, 0, &id, count_place, &n, &e), 0);
	assert_int_equal(n, 3);
	buf_fini(&b);
	index_cache_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(siphash_gives_the_published_value),
	    T(what_was_synced_is_found_and_nothing_else),
	    T(sync_again_fetches_nothing),
	    T(what_the_repository_lost_is_forgotten),
	    T(merging_keeps_answers_and_ordinals),
	    T(hidden_packs_are_absent_but_listed),
	    T(find_all_visits_every_copy),
	    T(a_pack_is_told_as_it_was_indexed),
	    T(without_a_folder_it_works_and_warns_once),
	    T(an_absent_object_is_reported_as_such),
	    T(a_damaged_byte_never_gives_a_wrong_answer),
	    T(what_is_added_is_seen_at_once_by_others),
	    T(hiding_some_packs_hides_no_others),
	    cmocka_unit_test(a_lookup_in_a_domain_sees_that_domain_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
