/*
 * fuzz: a level file.  Input: rounds of u16 block-ish offset, u8 value, put
 * into a good level, after which all checksums are made right again: what is
 * left to hold is that nothing is read outside the file.  A byte behind the last
 * round: it is merged too, which takes long.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/repo/make_index.h"
#include "os/os.h"
#include "repo/index_level_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const uint8_t key[INDEX_LEVEL_KEY];
static struct buf good;

static void build_good(void)
{
	struct index_level_builder *b = index_level_builder_new();
	struct id source = make_id(1, 1);
	struct buf payload = {0};
	struct err e = {0};
	int fd = memfd_create("level", MFD_CLOEXEC);
	off_t size;

	make_payload(1, 3, 10, &payload);
	if (index_level_builder_add(
		b, &source, &(struct index_origin){1, 2}, buf_span(&payload), &e) == -1 ||
	    index_level_builder_write(b, fd, key, &e) == -1)
		abort();
	size = lseek(fd, 0, SEEK_END);
	if (pread(fd, buf_extend(&good, (size_t)size), (size_t)size, 0) != size)
		abort();
	close(fd);
	buf_fini(&payload);
	index_level_builder_free(b);
}

static void reseal(uint8_t *f)
{
	struct level_header *h = (struct level_header *)(void *)f;
	const struct level_header *was = (const struct level_header *)(void *)good.p;
	uint8_t sum_key[SIPHASH_KEY];

	level_sum_key(key, h->salt, sum_key);
	for (uint64_t b = 0; b < was->sums / LEVEL_BLOCK; b++) {
		uint64_t s = siphash_at(sum_key, b, span_of(f + b * LEVEL_BLOCK, LEVEL_BLOCK));

		memcpy(f + was->sums + 8 * b, &s, sizeof s);
	}
	h->sum = 0;
	h->sum = siphash_at(sum_key, UINT64_MAX, span_of(f, sizeof *h + ID_SIZE));
}

static void use(struct index_level *l)
{
	struct index_cache_pack facts;
	struct index_place place;
	struct index_pack pack;
	struct pack_dir dir = {0};
	struct err e = {0};
	uint32_t blob;

	for (uint64_t i = 0; i < 30; i++) {
		struct id id = make_id(1, i);
		uint64_t at = INDEX_LEVEL_FIRST;

		if (index_level_next(l, &id, &at, &blob, &e) == 1)
			index_level_place(l, blob, &place, &e);
	}
	for (uint32_t i = 0; i < index_level_packs(l) && i < 10; i++) {
		index_level_pack(l, i, &facts, &e);
		index_level_pack_dir(l, i, &dir, &pack, &e);
	}
	pack_dir_fini(&dir);
}

/* Two of it become one, whatever it says, or that is refused. */
static void merge(struct index_level *l)
{
	struct index_level *both[2] = {l, l}, *merged;
	struct err e = {0};
	int fd = memfd_create("merged", MFD_CLOEXEC);

	if (index_level_merge(both, 2, fd, key, &e) == -1) {
		if (e.kind != ERR_CORRUPT)
			abort();
		close(fd);
		return;
	}
	if ((merged = index_level_open(fd, key, &e)) != NULL) {
		if (index_level_verify(merged, &e) == -1)
			abort();
		use(merged);
	}
	index_level_close(merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct index_level *l;
	struct err e = {0};
	uint8_t *f;
	int fd = memfd_create("level", MFD_CLOEXEC);

	if (good.n == 0)
		build_good();
	f = mem_dup(good.p, good.n);
	for (; n >= 3; p += 3, n -= 3) {
		size_t at = (size_t)(p[0] & 15) * LEVEL_BLOCK + (size_t)(p[0] >> 4) * 256 + p[1];

		if (at < good.n)
			f[at] = p[2];
	}
	reseal(f);
	if (write(fd, f, good.n) == (ssize_t)good.n &&
	    (l = index_level_open(fd, key, &e)) != NULL) {
		use(l);
		if (n > 0)
			merge(l);
		index_level_close(l);
	}
	free(f);
	return 0;
}
