/* index_level: opening and verifying; see index_level.h.  Lookups are in index_level_find.c. */
#include "repo/index_level.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "os/os.h"
#include "repo/index_level_file.h"

struct index_level {
	const uint8_t *p; /* mapped */
	struct level_header h;
	struct id *sources;
	uint8_t key[SIPHASH_KEY];
	_Atomic uint64_t *verified; /* a bit a block */
	_Atomic uint64_t *touched;  /* a bit a window, since the last trim */
	_Atomic uint32_t own_count, *count;
};

/* What one page fault brings in: the kernel maps neighbours that are in its cache too. */
enum { WINDOW_BLOCKS = INDEX_LEVEL_WINDOW / LEVEL_BLOCK };

uint64_t level_count(const struct index_level *l, enum level_section s)
{
	return l->h.count[s];
}

static bool verify_block(const struct index_level *l, uint64_t block)
{
	_Atomic uint64_t *word = &l->verified[block / 64];
	uint64_t bit = UINT64_C(1) << (block % 64), sum;

	if (atomic_load_explicit(word, memory_order_acquire) & bit)
		return true;
	memcpy(&sum, l->p + l->h.sums + 8 * block, sizeof sum);
	if (siphash_at(l->key, block, span_of(l->p + block * LEVEL_BLOCK, LEVEL_BLOCK)) != sum)
		return false;
	atomic_fetch_or_explicit(word, bit, memory_order_release);
	return true;
}

/* Words of a bitmap with so many bits. */
static size_t words(uint64_t bits)
{
	return (size_t)((bits + 63) / 64);
}

static uint64_t windows(const struct index_level *l)
{
	return l->h.sums / LEVEL_BLOCK / WINDOW_BLOCKS + 1;
}

static void touch(const struct index_level *l, uint64_t block)
{
	uint64_t window = block / WINDOW_BLOCKS, bit = UINT64_C(1) << (window % 64);
	_Atomic uint64_t *word = &l->touched[window / 64];

	if (atomic_load_explicit(word, memory_order_relaxed) & bit)
		return;
	if (!(atomic_fetch_or_explicit(word, bit, memory_order_relaxed) & bit))
		atomic_fetch_add_explicit(l->count, 1, memory_order_relaxed);
}

const void *level_at(
    const struct index_level *l, enum level_section s, uint64_t i, uint64_t n, struct err *e)
{
	uint64_t from, to;

	if (n > l->h.count[s] || i > l->h.count[s] - n) {
		err_set(e, ERR_CORRUPT, "index cache: a level points outside itself");
		return NULL;
	}
	from = l->h.off[s] + i * level_width((int)s);
	to = from + n * level_width((int)s);
	for (uint64_t b = from / LEVEL_BLOCK; b * LEVEL_BLOCK < to; b++) {
		touch(l, b);
		if (verify_block(l, b))
			continue;
		err_set(e, ERR_CORRUPT, "index cache: block %llu of a level is damaged",
		    (unsigned long long)b);
		return NULL;
	}
	return l->p + from;
}

void index_level_trim(const struct index_level *l)
{
	uint32_t n = 0;

	for (size_t i = 0; i < words(windows(l)); i++)
		n += (uint32_t)__builtin_popcountll(
		    atomic_exchange_explicit(&l->touched[i], 0, memory_order_relaxed));
	atomic_fetch_sub_explicit(l->count, n, memory_order_relaxed);
	madvise((void *)(uintptr_t)l->p, l->h.size, MADV_DONTNEED);
}

void index_level_count(struct index_level *l, _Atomic uint32_t *windows_touched)
{
	if (l->count == windows_touched)
		return;
	atomic_fetch_add_explicit(windows_touched,
	    atomic_load_explicit(l->count, memory_order_relaxed), memory_order_relaxed);
	l->count = windows_touched;
}

int index_level_verify(const struct index_level *l, struct err *e)
{
	/* The header has a checksum of its own. */
	for (uint64_t b = l->h.off[0] / LEVEL_BLOCK; b * LEVEL_BLOCK < l->h.sums; b++) {
		if (!verify_block(l, b))
			return err_set(e, ERR_CORRUPT,
			    "index cache: block %llu of a level is damaged", (unsigned long long)b);
		if (b % 64 == 63)
			index_level_trim(l);
	}
	index_level_trim(l);
	return 0;
}

void level_release(const struct index_level *l, enum level_section s, uint64_t i)
{
	uint64_t end = (l->h.off[s] + i * level_width((int)s)) / LEVEL_BLOCK * LEVEL_BLOCK;

	if (end > l->h.off[s])
		madvise((void *)(uintptr_t)(l->p + l->h.off[s]), end - l->h.off[s], MADV_DONTNEED);
}

/* Do sections follow one another within the file, as a builder lays them out? */
static bool layout_fits(const struct level_header *h, uint64_t size)
{
	uint64_t at;

	if (h->magic != LEVEL_MAGIC || h->size != size || h->nsources > LEVEL_SOURCES_MAX)
		return false;
	at = level_round(sizeof *h + h->nsources * ID_SIZE);
	for (int s = 0; s < LEVEL_SECTIONS; s++) {
		if (h->off[s] != at || at > size || h->count[s] > (size - at) / level_width((int)s))
			return false;
		at += level_round(h->count[s] * level_width((int)s));
	}
	if (h->count[LEVEL_BLOBS] != h->count[LEVEL_TABLE] || h->count[LEVEL_BLOBS] > UINT32_MAX)
		return false;
	if (h->count[LEVEL_PACKS] > UINT32_MAX || h->count[LEVEL_FRAMES] > UINT32_MAX)
		return false;
	return h->sums == at && h->count[LEVEL_FILTER] > 0 &&
	       size == at + at / LEVEL_BLOCK * sizeof(uint64_t);
}

static int read_header(
    struct index_level *l, int fd, uint64_t size, const uint8_t key[INDEX_LEVEL_KEY], struct err *e)
{
	struct buf b = {0};
	uint64_t sum;
	size_t n;
	int rc = -1;

	if (os_pread_full(fd, &l->h, sizeof l->h, 0) != (ssize_t)sizeof l->h ||
	    !layout_fits(&l->h, size)) {
		err_set(e, ERR_CORRUPT, "index cache: not a level");
		goto out;
	}
	n = l->h.nsources * ID_SIZE;
	l->sources = mem_alloc(n);
	if (os_pread_full(fd, l->sources, n, sizeof l->h) != (ssize_t)n) {
		err_set(e, ERR_CORRUPT, "index cache: level cut short");
		goto out;
	}
	sum = l->h.sum;
	l->h.sum = 0;
	buf_put(&b, &l->h, sizeof l->h);
	buf_put(&b, l->sources, n);
	level_sum_key(key, l->h.salt, l->key);
	if (siphash_at(l->key, UINT64_MAX, buf_span(&b)) != sum) {
		err_set(e, ERR_CORRUPT, "index cache: header of a level is damaged");
		goto out;
	}
	rc = 0;
out:
	buf_fini(&b);
	return rc;
}

struct index_level *index_level_open(int fd, const uint8_t key[INDEX_LEVEL_KEY], struct err *e)
{
	struct index_level *l = mem_zalloc(sizeof *l);
	struct stat st;
	int rc = -1;

	l->count = &l->own_count;
	if (os_fstat(fd, &st) == -1) {
		err_sys(e, "index cache: level");
		goto out;
	}
	if (read_header(l, fd, (uint64_t)st.st_size, key, e) == -1)
		goto out;
	l->p = mmap(NULL, l->h.size, PROT_READ, MAP_SHARED, fd, 0);
	if (l->p == MAP_FAILED) {
		l->p = NULL;
		err_sys(e, "index cache: map level");
		goto out;
	}
	/* Lookups are spread evenly: reading ahead would only fill memory. */
	madvise((void *)(uintptr_t)(l->p + l->h.off[LEVEL_TABLE]),
	    l->h.sums - l->h.off[LEVEL_TABLE], MADV_RANDOM);
	l->verified = mem_zalloc(words(l->h.sums / LEVEL_BLOCK) * sizeof *l->verified);
	l->touched = mem_zalloc(words(windows(l)) * sizeof *l->touched);
	rc = 0;
out:
	os_close(fd);
	if (rc == 0)
		return l;
	index_level_close(l);
	return NULL;
}

void index_level_close(struct index_level *l)
{
	if (l == NULL)
		return;
	if (l->p != NULL)
		munmap((void *)(uintptr_t)l->p, l->h.size);
	crypto_wipe(l->key, sizeof l->key);
	free(l->sources);
	free((void *)(uintptr_t)l->verified);
	free((void *)(uintptr_t)l->touched);
	free(l);
}

size_t index_level_sources(const struct index_level *l)
{
	return l->h.nsources;
}

const struct id *index_level_source(const struct index_level *l, size_t i)
{
	return &l->sources[i];
}

uint32_t index_level_packs(const struct index_level *l)
{
	return (uint32_t)l->h.count[LEVEL_PACKS];
}

uint32_t index_level_frames(const struct index_level *l)
{
	return (uint32_t)l->h.count[LEVEL_FRAMES];
}

uint64_t index_level_blobs(const struct index_level *l)
{
	return l->h.count[LEVEL_BLOBS];
}
