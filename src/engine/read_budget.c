/* read_budget: see read_budget.h. */
#include "engine/read_budget.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"

/* The file: head, rows, SHA-256 of both; of this machine, native byte order. */
enum { NAME = 16, HASH = 32 };
#define MAGIC    UINT64_C(0x3164616572646668) /* "hfdread1" */
#define FILE_MAX ((size_t)2 << 30)

struct head {
	uint64_t magic;
	int64_t last_s; /* the last choice; 0: none yet */
	double credit;  /* bytes; below 0 where the last pack was more than was left */
	uint64_t n;
};

struct row {
	uint8_t name[NAME]; /* the id's beginning */
	int64_t at_s;       /* when it was read, or first seen */
	uint32_t read, bad; /* flags */
};

struct read_memory {
	struct head head;
	struct row *v;        /* by name */
	struct head old_head; /* as they were loaded */
	struct row *old;
};

static int by_name(const void *a, const void *b)
{
	return memcmp(((const struct row *)a)->name, ((const struct row *)b)->name, NAME);
}

static bool decode(struct span file, struct read_memory *m)
{
	uint8_t hash[HASH];
	size_t rest;

	if (file.n < sizeof m->head + HASH)
		return false;
	rest = file.n - HASH;
	crypto_sha256(span_of(file.p, rest), hash);
	memcpy(&m->head, file.p, sizeof m->head);
	if (memcmp(hash, file.p + rest, HASH) != 0 || m->head.magic != MAGIC ||
	    m->head.n != (rest - sizeof m->head) / sizeof *m->v ||
	    (rest - sizeof m->head) % sizeof *m->v != 0)
		return false;
	m->v = mem_alloc((m->head.n + 1) * sizeof *m->v);
	memcpy(m->v, file.p + sizeof m->head, m->head.n * sizeof *m->v);
	return true;
}

struct read_memory *read_memory_load(const char *path, bool *lost)
{
	struct read_memory *m = mem_zalloc(sizeof *m);
	struct buf b = {0};
	struct err e;

	*lost = false;
	err_clear(&e);
	if (path != NULL && os_read_file(path, FILE_MAX, &b, &e) == -1)
		*lost = e.kind != ERR_ABSENT;
	else if (path != NULL)
		*lost = !decode(buf_span(&b), m);
	if (m->v == NULL)
		m->head = (struct head){.magic = MAGIC};
	m->old_head = m->head;
	m->old = mem_alloc((m->head.n + 1) * sizeof *m->old);
	if (m->head.n > 0)
		memcpy(m->old, m->v, m->head.n * sizeof *m->old);
	buf_fini(&b);
	return m;
}

void read_memory_free(struct read_memory *m)
{
	if (m == NULL)
		return;
	free(m->v);
	free(m->old);
	free(m);
}

static struct row *find_row(const struct row *v, uint64_t n, const uint8_t name[NAME])
{
	struct row key = {.at_s = 0};

	memcpy(key.name, name, NAME);
	return n > 0 ? bsearch(&key, v, n, sizeof key, by_name) : NULL;
}

static struct row *find(const struct read_memory *m, const struct id *pack)
{
	return find_row(m->v, m->head.n, pack->b);
}

/* ---- Saving, with what others have saved meanwhile. */

static bool is_same(const struct row *a, const struct row *b)
{
	return a != NULL && a->at_s == b->at_s && a->read == b->read && a->bad == b->bad;
}

static void merge_row(const struct row *old, struct row *mine, const struct row *theirs)
{
	if (is_same(old, theirs))
		return;
	if (is_same(old, mine) || (theirs->read && !mine->read)) {
		*mine = *theirs;
		return;
	}
	if (theirs->read && theirs->at_s > mine->at_s)
		mine->at_s = theirs->at_s;
	mine->bad |= theirs->bad;
}

/* Packs that they have seen first are added; those that we know to be gone are not. */
static void merge(struct read_memory *m, const struct read_memory *theirs)
{
	uint64_t known = m->head.n;

	m->v = mem_realloc(m->v, (known + theirs->head.n + 1) * sizeof *m->v);
	for (uint64_t i = 0; i < theirs->head.n; i++) {
		const struct row *row = &theirs->v[i];
		const struct row *old = find_row(m->old, m->old_head.n, row->name);
		struct row *mine = find_row(m->v, known, row->name);

		if (mine != NULL)
			merge_row(old, mine, row);
		else if (old == NULL)
			m->v[m->head.n++] = *row;
	}
	qsort(m->v, m->head.n, sizeof *m->v, by_name);
	/* Both took their turn from the same packs: what is left is what the one that read less
	 * has left, so that never less is read than was promised. */
	if (theirs->head.last_s != m->old_head.last_s && theirs->head.credit > m->head.credit)
		m->head.credit = theirs->head.credit;
	if (theirs->head.last_s > m->head.last_s)
		m->head.last_s = theirs->head.last_s;
}

static int put(const struct read_memory *m, const char *path, struct err *e)
{
	struct buf b = {0};
	uint8_t hash[HASH];
	int rc;

	buf_put(&b, &m->head, sizeof m->head);
	buf_put(&b, m->v, m->head.n * sizeof *m->v);
	crypto_sha256(buf_span(&b), hash);
	buf_put(&b, hash, sizeof hash);
	rc = os_file_replace(path, buf_span(&b), 0600, e);
	buf_fini(&b);
	return rc;
}

/* Held for as long as the file is read and written; it is a file of its own, for that one is
 * replaced. */
static int lock(const char *path, struct err *e)
{
	char *name = mem_printf("%s.lock", path);
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool busy;

	if (fd == -1)
		err_sys(e, "%s", name);
	else if (os_lock(fd, true, &busy, e) == -1)
		close(fd), fd = -1;
	free(name);
	return fd;
}

int read_memory_save(struct read_memory *m, const char *path, struct err *e)
{
	struct read_memory *theirs;
	int fd = lock(path, e), rc;
	bool lost;

	if (fd == -1)
		return -1;
	theirs = read_memory_load(path, &lost);
	merge(m, theirs);
	read_memory_free(theirs);
	rc = put(m, path, e);
	close(fd);
	return rc;
}

/* ---- Choosing. */

/* Those that there are now, with what is known of them. */
static void renew(struct read_memory *m, const struct read_pack *packs, size_t n, int64_t now_s)
{
	struct row *v = mem_alloc((n + 1) * sizeof *v);

	for (size_t i = 0; i < n; i++) {
		const struct row *was = find(m, &packs[i].id);

		v[i] = (struct row){.at_s = now_s};
		if (was != NULL)
			v[i] = *was;
		if (v[i].at_s > now_s) /* of a clock that was wrong */
			v[i].at_s = now_s;
		memcpy(v[i].name, packs[i].id.b, NAME);
	}
	free(m->v);
	m->v = v;
	m->head.n = n;
	if (n > 0)
		qsort(v, n, sizeof *v, by_name);
}

struct turn {
	const struct row *row;
	struct read_pack *pack;
};

/* What was read longest ago goes first, and what never was before what was at that moment. */
static int by_age(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->row->at_s != y->row->at_s)
		return x->row->at_s < y->row->at_s ? -1 : 1;
	if (x->row->read != y->row->read)
		return x->row->read < y->row->read ? -1 : 1;
	return memcmp(x->row->name, y->row->name, NAME);
}

static void spend(struct read_memory *m, struct turn *v, size_t n, int64_t too_late_s)
{
	for (size_t i = 0; i < n; i++) {
		if (m->head.credit <= 0 && v[i].row->at_s >= too_late_s && !v[i].row->bad)
			continue;
		v[i].pack->chosen = true;
		m->head.credit -= (double)v[i].pack->size;
	}
}

void read_budget_choose(
    struct read_memory *m, struct read_pack *packs, size_t n, const struct read_times *t)
{
	int64_t passed = m->head.last_s ? t->now_s - m->head.last_s : t->every_s;
	struct turn *v = mem_alloc((n + 1) * sizeof *v);
	double total = 0;

	if (passed < 0)
		passed = 0;
	renew(m, packs, n, t->now_s);
	for (size_t i = 0; i < n; i++) {
		packs[i].chosen = false;
		v[i] = (struct turn){find(m, &packs[i].id), &packs[i]};
		total += (double)packs[i].size;
	}
	m->head.credit += total * (double)passed / (double)t->within_s;
	if (m->head.credit > total)
		m->head.credit = total;
	if (n > 0)
		qsort(v, n, sizeof *v, by_age);
	spend(m, v, n, t->now_s + passed - t->within_s);
	if (m->head.credit < -total) /* what is bad is read each time */
		m->head.credit = -total;
	m->head.last_s = t->now_s;
	free(v);
}

void read_memory_note(
    struct read_memory *m, const struct id *pack, int64_t now_s, enum read_found found)
{
	struct row *r = find(m, pack);

	if (r == NULL)
		return;
	r->at_s = now_s;
	r->read = found != READ_ASLEEP;
	r->bad = found == READ_BAD;
}

uint64_t read_memory_sound(const struct read_memory *m, int64_t since_s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->head.n; i++)
		n += m->v[i].read && !m->v[i].bad && m->v[i].at_s >= since_s;
	return n;
}

uint64_t read_memory_bad(const struct read_memory *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->head.n; i++)
		n += m->v[i].bad;
	return n;
}
