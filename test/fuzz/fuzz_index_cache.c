/*
 * fuzz: a damaged level in the index cache's folder costs time, never an answer
 * (format.md I5).  Input: how many KiB the file keeps if that is below its size,
 * then rounds of u16 block-ish place and u8 value that are put into it.
 */
#include "fuzz_folder.h"

#include "../unit/repo/make_index.h"
#include "os/os.h"
#include "repo/index_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { OBJECTS = 2, PACKS = 2, BLOBS = 6, BLOCK = 16 << 10 };

static const uint8_t key[32] = {3, 1, 4};
static struct ctx ctx;
static char folder[64], level[400];
static struct buf good;

static int fetch(
    void *arg, const struct id *id, struct buf *out, struct index_origin *origin, struct err *e)
{
	for (uint64_t i = 0; i < OBJECTS; i++) {
		struct id object = make_id(77, i);

		if (!id_eq(&object, id))
			continue;
		*origin = (struct index_origin){1, 2};
		make_payload(i, PACKS, BLOBS, out);
		return 0;
	}
	abort();
}

static void sync_all(struct index_cache *c)
{
	struct id ids[OBJECTS];
	struct err e;

	for (uint64_t i = 0; i < OBJECTS; i++)
		ids[i] = make_id(77, i);
	if (index_cache_sync(c, ids, OBJECTS, fetch, NULL, &e) == -1)
		abort();
}

static struct index_cache *open_cache(void)
{
	struct index_cache *c;
	struct err e;

	if (index_cache_open(folder, key, &ctx, &c, &e) == -1)
		abort();
	return c;
}

static void clean(void)
{
	unlink(level);
	rmdir(folder);
}

static void find_level(void)
{
	DIR *d = opendir(folder);
	struct dirent *en;

	while (d != NULL && (en = readdir(d)) != NULL)
		if (strncmp(en->d_name, "level-", 6) == 0)
			snprintf(level, sizeof level, "%s/%s", folder, en->d_name);
	closedir(d);
}

/* The one level that a sound cache has. */
static void make_good(void)
{
	struct index_cache *c;
	struct err e;

	fuzz_folder(folder);
	c = open_cache();
	sync_all(c);
	index_cache_close(c);
	find_level();
	if (os_read_file(level, 1 << 20, &good, &e) == -1)
		abort();
	atexit(clean);
}

/* 1 there and right, 0 not there, -1 something is damaged. */
static int look_up(struct index_cache *c, uint64_t series, uint64_t k)
{
	struct id id = make_id(series, k);
	struct index_place place;
	struct err e;
	int rc = index_cache_find(c, &id, &place, &e);

	if (rc == -1 && e.kind != ERR_CORRUPT)
		abort();
	if (rc == 1 &&
	    (place.blob_len != make_len(series, k) || place.stored != 60 || place.domain != 1))
		abort();
	return rc;
}

/* Every blob that there is and no other, or a word that something is damaged. */
static bool all_right(struct index_cache *c)
{
	for (uint64_t i = 0; i < OBJECTS; i++)
		for (uint64_t k = 0; k < PACKS * BLOBS; k++) {
			int there = look_up(c, i, k), other = look_up(c, i + 1000, k);

			if (there == -1 || other == -1)
				return false;
			if (there == 0 || other == 1)
				abort();
		}
	return true;
}

static void put_level(const uint8_t *p, size_t n)
{
	size_t keep = (size_t)p[0] << 10;
	uint8_t *f = mem_dup(good.p, good.n);
	int fd = open(level, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (p++, n--; n >= 3; p += 3, n -= 3) {
		size_t at = (size_t)(p[0] & 15) * BLOCK + (size_t)(p[0] >> 4) * 256 + p[1];

		if (at < good.n)
			f[at] = p[2];
	}
	if (fd == -1 || os_write_all(fd, f, keep < good.n ? keep : good.n) == -1)
		abort();
	close(fd);
	free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct index_cache *c;
	struct err e;

	if (n == 0)
		return 0;
	if (good.n == 0)
		make_good();
	put_level(p, n);
	c = open_cache();
	sync_all(c);
	if (!all_right(c)) {
		/* As repo_index_load does when it is told: all are thrown away. */
		if (index_cache_drop(c, &e) == -1)
			abort();
		sync_all(c);
		if (!all_right(c))
			abort();
	}
	index_cache_drop(c, &e);
	index_cache_close(c);
	return 0;
}
