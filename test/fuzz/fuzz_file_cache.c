/*
 * fuzz: the file cache.  With an odd first byte the rest is the file as it is;
 * else it is one record, all checksums right, as a neighbour could make them,
 * and the next four bytes move what the record and the footer say of it.
 */
#include <sys/mman.h>

#include "fuzz_folder.h"

#include "base/buf.h"
#include "base/mem.h"
#include "os/os.h"
#include "repo/file_cache.h"
#include "repo/siphash.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MAGIC UINT64_C(0x3330434644534948)

static uint64_t sum(struct span s)
{
	static const uint8_t key[SIPHASH_KEY];

	return siphash(key, s);
}

static uint64_t moved(uint64_t v, uint8_t by)
{
	return v + (uint64_t)(int64_t)(int8_t)by;
}

/* What a sound file begins with, and its footer too. */
static uint64_t magic_of(void)
{
	static uint64_t magic;
	struct file_cache_writer *w;
	struct file_cache_head head = {.time_ns = 0};
	char folder[64], path[80];
	struct buf file = {0};
	struct err e;

	if (magic != 0)
		return magic;
	fuzz_folder(folder);
	snprintf(path, sizeof path, "%s/files", folder);
	if ((w = file_cache_create(path, &e)) == NULL || file_cache_commit(w, &head, &e) == -1 ||
	    os_read_file(path, 4096, &file, &e) == -1)
		abort();
	memcpy(&magic, file.p, sizeof magic);
	buf_fini(&file);
	unlink(path);
	rmdir(folder);
	return magic;
}

static void put_file(struct buf *out, const uint8_t move[4], struct span record)
{
	size_t table, foot;

	buf_put_u64(out, magic_of());
	buf_put_u32(out, (uint32_t)moved(record.n, move[0]));
	buf_put_u32(out, 0);
	buf_put_u64(out, sum(record));
	buf_put_span(out, record);
	table = out->n;
	for (size_t i = 0; i < 8; i++) /* the table's keys are big-endian numbers */
		buf_put_u8(out, record.n >= 8 ? record.p[7 - i] : 0);
	buf_put_u64(out, moved(8, move[1]));
	foot = out->n;
	buf_put_u64(out, magic_of());
	buf_put_u64(out, moved(table, move[2]));
	buf_put_u64(out, moved(1, move[3]));
	buf_put_zeros(out, ID_SIZE + 8);
	buf_put_u64(out, sum(span_of(out->p + foot, out->n - foot)));
}

static void check(const struct file_cache_dir *d, unsigned *seen)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct file_cache_entry *en = &d->entries[i];

		if (en->tag > 3 || (en->tag == 0 && en->nids != 0) ||
		    ((en->tag == 1 || en->tag == 3) && en->nids != 1) ||
		    en->extra.n > FILE_CACHE_EXTRA)
			abort();
		for (uint32_t k = 0; k < en->nids; k++)
			*seen += ((const uint8_t *)en->ids)[k * ID_SIZE + ID_SIZE - 1];
		if (en->extra.n)
			*seen += en->extra.p[en->extra.n - 1];
	}
}

static void read_by(struct file_cache *c, struct span where)
{
	const struct file_cache_dir *d;
	unsigned seen = 0;

	for (size_t at = 0; at + FILE_CACHE_FP <= where.n && at < 64; at += 8)
		for (int i = 0; i < 2; i++)
			if ((d = file_cache_get(c, where.p + at)) != NULL)
				check(d, &seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span raw, record;
	struct file_cache *c;
	struct buf file = {0};
	struct err e;
	char *path;
	int fd;

	if (n < 5)
		return 0;
	raw = span_of(p + 1, n - 1);
	record = span_of(p + 5, n - 5);
	fd = memfd_create("files", MFD_CLOEXEC);
	path = mem_printf("/proc/self/fd/%d", fd);
	if (p[0] & 1)
		buf_put_span(&file, raw);
	else
		put_file(&file, p + 1, record);
	if (write(fd, file.p, file.n) != (ssize_t)file.n)
		abort();
	if ((c = file_cache_open(path, &e)) != NULL)
		read_by(c, p[0] & 1 ? raw : record);
	else if (e.kind != ERR_ABSENT)
		abort();
	file_cache_close(c);
	buf_fini(&file);
	close(fd);
	free(path);
	return 0;
}
