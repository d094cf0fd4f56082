/*
 * file_cache: see file_cache.h.
 *
 * The file (of this machine, native byte order): magic; records, each u32
 * length, u32 zero, u64 checksum, payload; a table of (first 8 bytes of key,
 * offset) in order of key; a footer.  The table needs no checksum: a wrong
 * row leads to a record of another key.
 */
#include "repo/file_cache.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "repo/siphash.h"

enum {
	RECORD_HEAD = 16,
	RECORD_MAX = 1 << 30,
	FLUSH_AT = 256 << 10,
	TAG_MAX = 3,
	TAG_RACY = 0x80,
};

#define MAGIC UINT64_C(0x3330434644534948)

struct row {
	uint64_t key, off;
};

struct footer {
	uint64_t magic, table, rows;
	struct file_cache_head head;
	uint64_t sum; /* of all before */
};

struct file_cache {
	int fd;
	struct footer foot;
	uint64_t next; /* where the record after the last one begins */
	struct buf record;
	struct file_cache_dir dir;
};

struct file_cache_writer {
	int fd;
	char *path, *tmp;
	struct buf out; /* not yet written */
	uint64_t off;   /* of out's end in the file */
	struct row *rows;
	size_t nrows, cap;
};

/* Against accidents only: the owner keys what the records hold. */
static uint64_t sum_of(const void *p, size_t n)
{
	static const uint8_t key[SIPHASH_KEY];

	return siphash(key, span_of(p, n));
}

static uint64_t row_key(const uint8_t key[FILE_CACHE_FP])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | key[i];
	return v;
}

static int read_footer(struct file_cache *c)
{
	struct stat st;
	uint64_t size, magic;
	struct footer *f = &c->foot;

	if (os_fstat(c->fd, &st) == -1 || (uint64_t)st.st_size < sizeof magic + sizeof *f)
		return -1;
	size = (uint64_t)st.st_size - sizeof *f;
	if (os_pread_full(c->fd, f, sizeof *f, (off_t)size) != (ssize_t)sizeof *f ||
	    os_pread_full(c->fd, &magic, sizeof magic, 0) != (ssize_t)sizeof magic)
		return -1;
	if (magic != MAGIC || f->magic != MAGIC ||
	    f->sum != sum_of(f, offsetof(struct footer, sum)))
		return -1;
	if (f->table < sizeof magic || f->table > size ||
	    f->rows != (size - f->table) / sizeof(struct row))
		return -1;
	return 0;
}

struct file_cache *file_cache_open(const char *path, struct err *e)
{
	struct file_cache *c = mem_zalloc(sizeof *c);

	c->fd = os_open(path, O_RDONLY, 0);
	c->next = sizeof(uint64_t);
	if (c->fd == -1 || read_footer(c) == -1) {
		err_set(e, ERR_ABSENT, "file cache: none, or damaged");
		file_cache_close(c);
		return NULL;
	}
	return c;
}

void file_cache_close(struct file_cache *c)
{
	if (c == NULL)
		return;
	os_close(c->fd);
	buf_fini(&c->record);
	free(c->dir.entries);
	free(c);
}

const struct file_cache_head *file_cache_head(const struct file_cache *c)
{
	return &c->foot.head;
}

static bool decode_entry(struct cursor *in, struct file_cache_entry *en)
{
	struct span fp = cursor_bytes(in, FILE_CACHE_FP), ids;
	size_t n;

	en->tag = cursor_u8(in);
	en->racy = en->tag & TAG_RACY;
	en->tag &= (uint8_t)~TAG_RACY;
	en->depth = cursor_u8(in);
	n = cursor_count(in, ID_SIZE, UINT32_MAX);
	ids = cursor_bytes(in, n * ID_SIZE);
	en->extra = cursor_string(in, FILE_CACHE_EXTRA);
	if (in->bad || en->tag > TAG_MAX || ((en->tag & 1) && n != 1) || (en->tag == 0 && n != 0))
		return false;
	memcpy(en->fp, fp.p, FILE_CACHE_FP);
	en->nids = (uint32_t)n;
	en->ids = (const struct id *)(const void *)ids.p;
	return true;
}

static bool decode_record(struct file_cache *c)
{
	struct cursor in = cursor_of(buf_span(&c->record));
	struct span key = cursor_bytes(&in, FILE_CACHE_FP);
	size_t n = cursor_count(&in, FILE_CACHE_FP + 3, SIZE_MAX);
	struct file_cache_dir *d = &c->dir;

	if (in.bad)
		return false;
	memcpy(d->key, key.p, FILE_CACHE_FP);
	if (n > d->cap) {
		d->entries = mem_realloc(d->entries, n * sizeof *d->entries);
		d->cap = n;
	}
	d->n = n;
	for (size_t i = 0; i < n; i++)
		if (!decode_entry(&in, &d->entries[i]))
			return false;
	return cursor_done(&in);
}

/* Read the record at off into c->dir; false if it has another key. */
static bool read_record(struct file_cache *c, uint64_t off, const uint8_t key[FILE_CACHE_FP])
{
	struct {
		uint32_t len, zero;
		uint64_t sum;
		uint8_t key[FILE_CACHE_FP];
	} head;
	uint8_t *p;

	if (off > c->foot.table || c->foot.table - off < sizeof head)
		return false;
	if (os_pread_full(c->fd, &head, sizeof head, (off_t)off) != (ssize_t)sizeof head)
		return false;
	if (memcmp(head.key, key, FILE_CACHE_FP) != 0)
		return false;
	if (head.len > RECORD_MAX || head.len > c->foot.table - off - RECORD_HEAD)
		return false;
	buf_reset(&c->record);
	p = buf_extend(&c->record, head.len);
	if (os_pread_full(c->fd, p, head.len, (off_t)(off + RECORD_HEAD)) != (ssize_t)head.len ||
	    sum_of(p, head.len) != head.sum || !decode_record(c))
		return false;
	c->next = off + RECORD_HEAD + head.len;
	return true;
}

/* The offset of a record by the table; 0 if there is none. */
static uint64_t look_up(struct file_cache *c, const uint8_t fp[FILE_CACHE_FP])
{
	uint64_t lo = 0, hi = c->foot.rows, key = row_key(fp);
	uint64_t at = (uint64_t)(((unsigned __int128)key * hi) >> 64), step = 16;

	/* Keys are uniform hashes: begin where it should be, widen, halve. */
	while (lo < hi) {
		struct row row;

		if (at < lo || at >= hi)
			at = lo + (hi - lo) / 2;
		if (os_pread_full(c->fd, &row, sizeof row,
			(off_t)(c->foot.table + at * sizeof row)) != (ssize_t)sizeof row)
			return 0;
		if (row.key == key)
			return row.off;
		if (row.key < key) {
			lo = at + 1;
			at += step;
		} else {
			hi = at;
			at -= step < at ? step : at;
		}
		step *= 4;
	}
	return 0;
}

const struct file_cache_dir *file_cache_get(struct file_cache *c, const uint8_t key[FILE_CACHE_FP])
{
	uint64_t off;

	if (read_record(c, c->next, key))
		return &c->dir;
	off = look_up(c, key);
	return off != 0 && read_record(c, off, key) ? &c->dir : NULL;
}

struct file_cache_writer *file_cache_create(const char *path, struct err *e)
{
	struct file_cache_writer *w = mem_zalloc(sizeof *w);
	uint64_t magic = MAGIC;
	uint8_t r[8];
	char hex[17];

	crypto_random(r, sizeof r);
	w->path = mem_strdup(path);
	w->tmp = mem_printf("%s.tmp-%s", path, hex_encode(hex, r, sizeof r));
	w->fd = os_open(w->tmp, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (w->fd == -1) {
		err_sys(e, "file cache: create %s", w->tmp);
		file_cache_abort(w);
		return NULL;
	}
	buf_put(&w->out, &magic, sizeof magic);
	w->off = sizeof magic;
	return w;
}

static int flush(struct file_cache_writer *w, struct err *e)
{
	if (os_write_all(w->fd, w->out.p, w->out.n) == -1)
		return err_sys(e, "file cache: write");
	buf_reset(&w->out);
	return 0;
}

static void add_row(struct file_cache_writer *w, const uint8_t key[FILE_CACHE_FP], uint64_t off)
{
	if (w->nrows == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 256;
		w->rows = mem_realloc(w->rows, w->cap * sizeof *w->rows);
	}
	w->rows[w->nrows++] = (struct row){row_key(key), off};
}

int file_cache_put(struct file_cache_writer *w, const struct file_cache_dir *d, struct err *e)
{
	size_t start = w->out.n;
	uint64_t sum;
	uint32_t len;

	buf_put_zeros(&w->out, RECORD_HEAD);
	buf_put(&w->out, d->key, FILE_CACHE_FP);
	buf_put_varint(&w->out, d->n);
	for (size_t i = 0; i < d->n; i++) {
		const struct file_cache_entry *en = &d->entries[i];

		buf_put(&w->out, en->fp, FILE_CACHE_FP);
		buf_put_u8(&w->out, en->tag | (en->racy ? TAG_RACY : 0));
		buf_put_u8(&w->out, en->depth);
		buf_put_varint(&w->out, en->nids);
		buf_put(&w->out, en->ids, (size_t)en->nids * ID_SIZE);
		buf_put_string(&w->out, en->extra);
	}
	/* Such a directory is read again each time; nothing worse. */
	if (w->out.n - start - RECORD_HEAD > RECORD_MAX) {
		w->out.n = start;
		return 0;
	}
	len = (uint32_t)(w->out.n - start - RECORD_HEAD);
	sum = sum_of(w->out.p + start + RECORD_HEAD, len);
	memcpy(w->out.p + start, &len, sizeof len);
	memcpy(w->out.p + start + 8, &sum, sizeof sum);
	add_row(w, d->key, w->off);
	w->off += RECORD_HEAD + (uint64_t)len;
	return w->out.n >= FLUSH_AT ? flush(w, e) : 0;
}

static int by_key(const void *pa, const void *pb)
{
	uint64_t a = ((const struct row *)pa)->key, b = ((const struct row *)pb)->key;

	return (a > b) - (a < b);
}

int file_cache_commit(
    struct file_cache_writer *w, const struct file_cache_head *head, struct err *e)
{
	struct footer f;
	int rc = -1;

	memset(&f, 0, sizeof f); /* padding is summed too */
	f.magic = MAGIC;
	f.table = w->off;
	f.rows = w->nrows;
	f.head.snapshot = head->snapshot;
	f.head.time_ns = head->time_ns;
	f.sum = sum_of(&f, offsetof(struct footer, sum));
	if (w->nrows > 0)
		qsort(w->rows, w->nrows, sizeof *w->rows, by_key);
	if (flush(w, e) == -1)
		goto out;
	if (os_write_all(w->fd, w->rows, w->nrows * sizeof *w->rows) == -1 ||
	    os_write_all(w->fd, &f, sizeof f) == -1 ||
	    os_renameat(AT_FDCWD, w->tmp, AT_FDCWD, w->path) == -1) {
		err_sys(e, "file cache: write");
		goto out;
	}
	os_close(w->fd);
	w->fd = -1;
	rc = 0;
out:
	file_cache_abort(w);
	return rc;
}

void file_cache_abort(struct file_cache_writer *w)
{
	if (w == NULL)
		return;
	if (w->fd != -1) {
		os_unlinkat(AT_FDCWD, w->tmp, 0);
		os_close(w->fd);
	}
	buf_fini(&w->out);
	free(w->rows);
	free(w->path);
	free(w->tmp);
	free(w);
}
