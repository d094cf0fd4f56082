/* link_table: see link_table.h. */
#include "engine/link_table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

enum { STEP = 8, SLOTS_MIN = 64 };

/* In `records`, each at a multiple of STEP, which is its place; the name follows, with a NUL. */
struct record {
	uint64_t group;
	uint32_t dir; /* offset in `dirs` */
	uint8_t state;
	char name[];
};

struct link_table {
	struct buf records, dirs;
	size_t dir;     /* offset of the last one */
	uint32_t *slot; /* place + 1; 0: free */
	size_t nslots, count;
	unsigned shift; /* 64 less the logarithm of nslots */
};

struct link_table *link_table_new(void)
{
	struct link_table *t = mem_zalloc(sizeof *t);

	t->nslots = SLOTS_MIN;
	t->shift = 64 - 6;
	t->slot = mem_zalloc(t->nslots * sizeof *t->slot);
	return t;
}

void link_table_free(struct link_table *t)
{
	if (t == NULL)
		return;
	buf_fini(&t->records);
	buf_fini(&t->dirs);
	free(t->slot);
	free(t);
}

static struct record *record_at(const struct link_table *t, uint32_t at)
{
	return (struct record *)(void *)(t->records.p + (size_t)at * STEP);
}

/* The slot of a group, or the free one where it belongs. */
static size_t slot_of(const struct link_table *t, uint64_t group)
{
	/* The upper bits of the product depend on all of the group's. */
	size_t mask = t->nslots - 1, i = (size_t)((group * 0x9e3779b97f4a7c15) >> t->shift);

	while (t->slot[i] != 0 && record_at(t, t->slot[i] - 1)->group != group)
		i = (i + 1) & mask;
	return i;
}

uint32_t link_table_find(const struct link_table *t, uint64_t group)
{
	return t->slot[slot_of(t, group)] - 1;
}

static void grow(struct link_table *t)
{
	uint32_t *old = t->slot;
	size_t n = t->nslots;

	t->nslots *= 2;
	t->shift--;
	t->slot = mem_zalloc(t->nslots * sizeof *t->slot);
	for (size_t i = 0; i < n; i++)
		if (old[i] != 0)
			t->slot[slot_of(t, record_at(t, old[i] - 1)->group)] = old[i];
	free(old);
}

static uint32_t dir_of(struct link_table *t, const char *dir)
{
	if (t->dirs.n == 0 || strcmp((const char *)t->dirs.p + t->dir, dir) != 0) {
		t->dir = t->dirs.n;
		buf_put(&t->dirs, dir, strlen(dir) + 1);
		assert(t->dir <= UINT32_MAX);
	}
	return (uint32_t)t->dir;
}

uint32_t link_table_add(
    struct link_table *t, uint64_t group, const char *dir, struct span first_name)
{
	size_t at = t->records.n / STEP, n = sizeof(struct record) + first_name.n + 1;
	struct record *r;

	assert(at < UINT32_MAX - 1); /* 32 GiB of memory are in use */
	if ((t->count + 1) * 4 > t->nslots * 3)
		grow(t);
	buf_put_zeros(&t->records, (n + STEP - 1) / STEP * STEP);
	r = record_at(t, (uint32_t)at);
	r->group = group;
	r->dir = dir_of(t, dir);
	memcpy(r->name, first_name.p, first_name.n);
	t->slot[slot_of(t, group)] = (uint32_t)at + 1;
	t->count++;
	return (uint32_t)at;
}

uint8_t *link_table_state(struct link_table *t, uint32_t at)
{
	return &record_at(t, at)->state;
}

char *link_table_first(const struct link_table *t, uint32_t at)
{
	const struct record *r = record_at(t, at);
	const char *dir = (const char *)t->dirs.p + r->dir;

	return mem_printf("%s%s%s", dir, *dir ? "/" : "", r->name);
}
