/*
 * parts: what this machine can do of each part of a backup, on the data of
 * one tree: read, cut, hash, compress, seal, write; one thread and two.
 *
 *     parts TREE FOLDER [LEVEL]
 *
 * TREE's files should be in the page cache; FOLDER takes two files of 256 MiB
 * for a moment.  Prints one JSON object: MB/s (of 10^6 plaintext bytes) of
 * each part, best of three passes, and how well the data compresses.
 *
 * All but read work on a sample of up to 256 MiB taken evenly from the tree,
 * in blocks of 1 MiB, with the functions that the program itself uses.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "crypto/crypto.h"
#include "repo/chunker.h"

enum { MIB = 1 << 20, PIECE = 4 * MIB, SAMPLE_MAX = 256 * MIB, PASSES = 3, THREADS = 2 };

/* A stretch of a file: a large one is read by several threads. */
struct piece {
	char *path;
	uint64_t off;
	size_t n;
};

static struct piece *pieces;
static size_t npieces;
static uint64_t total;

static uint8_t *sample;
static size_t sample_n, blocks, bound;
static uint8_t *packed; /* each block compressed, at its number times bound */
static size_t *packed_n;
static int level = 3;
static const char *folder;

/* One thread with its tools. */
struct hand {
	struct chunker chunker;
	struct crypto_mac *mac;
	struct crypto_hash *hash;
	struct crypto_aead *aead;
	struct codec *codec;
	uint8_t *out; /* PIECE and some */
	int fd;
};

static struct hand hands[THREADS];

static void die(const char *what)
{
	fprintf(stderr, "parts: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int gather(const char *path, const struct stat *st, int what, struct FTW *at)
{
	(void)at;
	if (what != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	for (uint64_t off = 0; off < (uint64_t)st->st_size; off += PIECE) {
		uint64_t left = (uint64_t)st->st_size - off;

		if ((npieces & (npieces - 1)) == 0)
			pieces = mem_realloc(pieces, (npieces ? npieces * 2 : 1) * sizeof *pieces);
		pieces[npieces++] = (struct piece){
		    mem_strdup(path), off, left < PIECE ? left : PIECE};
		total += pieces[npieces - 1].n;
	}
	return 0;
}

static void read_piece(const struct piece *p, uint8_t *out)
{
	int fd = open(p->path, O_RDONLY | O_CLOEXEC);

	if (fd == -1 || pread(fd, out, p->n, (off_t)p->off) != (ssize_t)p->n)
		die(p->path);
	close(fd);
}

/* Every so many pieces one, up to SAMPLE_MAX bytes. */
static void take_sample(void)
{
	double share = (double)SAMPLE_MAX / (double)(total > SAMPLE_MAX ? total : SAMPLE_MAX),
	       due = 1;

	sample = mem_alloc(SAMPLE_MAX + PIECE);
	for (size_t i = 0; i < npieces && sample_n < SAMPLE_MAX; i++, due += share) {
		if (due < 1)
			continue;
		due -= 1;
		read_piece(&pieces[i], sample + sample_n);
		sample_n += pieces[i].n;
	}
	blocks = sample_n / MIB; /* what is over is left out */
	bound = codec_bound(MIB);
	packed = mem_alloc((blocks + 1) * bound);
	packed_n = mem_zalloc((blocks + 1) * sizeof *packed_n);
}

static struct span block(size_t i)
{
	return span_of(sample + i * MIB, MIB);
}

/* ---- The parts: the i-th piece or block by one hand. */

static void do_read(struct hand *h, size_t i)
{
	read_piece(&pieces[i], h->out);
}

static void do_gear(struct hand *h, size_t i)
{
	/* Four blocks at a time: a cut is found after about one. */
	size_t n = i + 4 <= blocks ? 4 * MIB : (blocks - i) * MIB;

	if (i % 4)
		return;
	for (size_t off = 0; off < n;)
		off += chunker_next(&h->chunker, span_of(sample + i * MIB + off, n - off), true);
}

static void do_hash(struct hand *h, size_t i)
{
	uint8_t id[32];

	crypto_hash_reset(h->hash);
	crypto_hash_add(h->hash, block(i));
	crypto_hash_end(h->hash, id);
}

static void do_id(struct hand *h, size_t i)
{
	uint8_t id[32];

	crypto_mac(h->mac, block(i), id);
}

static void do_seal(struct hand *h, size_t i)
{
	static const uint8_t key[CRYPTO_KEY];
	uint8_t tag[CRYPTO_TAG];

	crypto_aead_seal(h->aead, key, span_of(NULL, 0), block(i), h->out, tag);
}

static void do_compress(struct hand *h, size_t i)
{
	packed_n[i] = codec_compress(h->codec, CODEC_ZSTD, level, block(i), packed + i * bound);
}

static void do_decompress(struct hand *h, size_t i)
{
	struct err e;

	if (packed_n[i] == 0)
		memcpy(h->out, block(i).p, MIB);
	else if (codec_decompress(h->codec, CODEC_ZSTD, span_of(packed + i * bound, packed_n[i]),
		     h->out, MIB, &e) == -1)
		die(e.msg);
}

static void do_write(struct hand *h, size_t i)
{
	if (write(h->fd, block(i).p, MIB) != MIB)
		die("write");
}

/* ---- Timing. */

struct crew {
	void (*work)(struct hand *, size_t);
	atomic_size_t next;
	size_t n;
};

struct member {
	struct crew *crew;
	struct hand *hand;
};

static void *member_main(void *arg)
{
	struct member *m = arg;
	size_t i;

	while ((i = atomic_fetch_add(&m->crew->next, 4)) < m->crew->n)
		for (size_t k = i; k < i + 4 && k < m->crew->n; k++)
			m->crew->work(m->hand, k);
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double once(void (*work)(struct hand *, size_t), size_t n, int threads)
{
	struct crew c = {.work = work, .n = n};
	struct member m[THREADS];
	pthread_t th[THREADS];
	double began = now();

	for (int t = 0; t < threads; t++) {
		m[t] = (struct member){&c, &hands[t]};
		if (pthread_create(&th[t], NULL, member_main, &m[t]) != 0)
			die("thread");
	}
	for (int t = 0; t < threads; t++)
		pthread_join(th[t], NULL);
	return now() - began;
}

static void open_files(int threads)
{
	for (int t = 0; t < threads; t++) {
		char *path = mem_printf("%s/parts.%d", folder, t);

		hands[t].fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (hands[t].fd == -1)
			die(path);
		unlink(path);
		free(path);
	}
}

/* Best write to the page cache, and with the fsync after it. */
static void time_write(int threads, double *plain, double *synced)
{
	*plain = *synced = 1e9;
	for (int pass = 0; pass < PASSES; pass++) {
		double began, took;

		open_files(threads);
		began = now();
		took = once(do_write, blocks, threads);
		*plain = took < *plain ? took : *plain;
		for (int t = 0; t < threads; t++)
			if (fsync(hands[t].fd) == -1)
				die("fsync");
		took = now() - began;
		*synced = took < *synced ? took : *synced;
		for (int t = 0; t < threads; t++)
			close(hands[t].fd);
	}
}

static void print(const char *name, const double seconds[THREADS], uint64_t bytes)
{
	printf("\"%s\": [", name);
	for (int t = 0; t < THREADS; t++)
		printf(
		    "%s%.1f", t ? ", " : "", seconds[t] > 0 ? (double)bytes / seconds[t] / 1e6 : 0);
	printf("], ");
}

static const struct part {
	const char *name;
	void (*work)(struct hand *, size_t);
} parts[] = {
    {"read", do_read},
    {"gear", do_gear},
    {"id", do_id},
    {"hash", do_hash},
    {"aes256gcm", do_seal},
    {"zstd", do_compress},
    {"unzstd", do_decompress},
};

static void hands_init(void)
{
	static const uint8_t key[CRYPTO_KEY] = {1};

	for (int t = 0; t < THREADS; t++) {
		struct hand *h = &hands[t];

		chunker_init(&h->chunker, CHUNKER_GEAR, key, 0, 0, 0);
		h->mac = crypto_mac_new(CRYPTO_BLAKE3, key);
		h->hash = crypto_hash_new(CRYPTO_BLAKE3);
		h->aead = crypto_aead_new();
		h->codec = codec_new();
		h->out = mem_alloc(PIECE);
	}
}

int main(int argc, char **argv)
{
	double plain[THREADS], synced[THREADS];
	uint64_t all, kept = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: parts TREE FOLDER [LEVEL]\n");
		return 2;
	}
	folder = argv[2];
	level = argc > 3 ? atoi(argv[3]) : level;
	if (nftw(argv[1], gather, 64, FTW_PHYS) == -1)
		die(argv[1]);
	take_sample();
	if (blocks == 0) {
		fprintf(stderr, "parts: %s: less than 1 MiB of data\n", argv[1]);
		return 1;
	}
	hands_init();
	all = (uint64_t)blocks * MIB;
	printf("{");
	for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
		bool whole = parts[p].work == do_read;
		double best[THREADS];

		for (int t = 0; t < THREADS; t++) {
			best[t] = 1e9;
			for (int pass = 0; pass < PASSES; pass++) {
				double took = once(parts[p].work, whole ? npieces : blocks, t + 1);

				best[t] = took < best[t] ? took : best[t];
			}
		}
		print(parts[p].name, best, whole ? total : all);
	}
	for (int t = 0; t < THREADS; t++)
		time_write(t + 1, &plain[t], &synced[t]);
	print("write", plain, all);
	print("write_fsync", synced, all);
	for (size_t i = 0; i < blocks; i++)
		kept += packed_n[i] ? packed_n[i] : MIB;
	printf("\"ratio\": %.4f, \"level\": %d}\n", (double)all / (double)kept, level);
	return 0;
}
