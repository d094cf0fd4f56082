/* id: see id.h. */
#include "base/id.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"

struct idmap {
	size_t value_size, stride;
	size_t count, cap; /* cap is a power of two */
	uint8_t *used;     /* a byte a slot */
	uint8_t *slot;     /* id, then value */
};

char *id_hex(char *out, const struct id *id)
{
	return hex_encode(out, id->b, ID_SIZE);
}

bool id_parse(struct id *out, const char *hex64)
{
	return hex_decode(out->b, ID_SIZE, hex64);
}

static void alloc_slots(struct idmap *m, size_t cap)
{
	m->cap = cap;
	m->used = mem_zalloc(cap);
	m->slot = mem_alloc(cap * m->stride);
}

struct idmap *idmap_new(size_t value_size)
{
	struct idmap *m = mem_zalloc(sizeof *m);

	m->value_size = value_size;
	m->stride = (ID_SIZE + value_size + 7) & ~(size_t)7;
	alloc_slots(m, 64);
	return m;
}

void idmap_free(struct idmap *m)
{
	if (m == NULL)
		return;
	free(m->used);
	free(m->slot);
	free(m);
}

size_t idmap_count(const struct idmap *m)
{
	return m->count;
}

/* The slot of id, or the free one where it belongs. */
static size_t find(const struct idmap *m, const struct id *id)
{
	uint64_t h;
	size_t i;

	/* Bytes 8 to 15: the first ones also choose the pack's folder. */
	memcpy(&h, id->b + 8, sizeof h);
	for (i = h & (m->cap - 1); m->used[i]; i = (i + 1) & (m->cap - 1))
		if (memcmp(m->slot + i * m->stride, id, ID_SIZE) == 0)
			break;
	return i;
}

void *idmap_get(const struct idmap *m, const struct id *id)
{
	size_t i = find(m, id);

	return m->used[i] ? m->slot + i * m->stride + ID_SIZE : NULL;
}

static void grow(struct idmap *m)
{
	struct idmap old = *m;

	alloc_slots(m, old.cap * 2);
	for (size_t i = 0; i < old.cap; i++) {
		size_t j;

		if (!old.used[i])
			continue;
		j = find(m, (const struct id *)(old.slot + i * old.stride));
		m->used[j] = 1;
		memcpy(m->slot + j * m->stride, old.slot + i * old.stride, m->stride);
	}
	free(old.used);
	free(old.slot);
}

void *idmap_put(struct idmap *m, const struct id *id, bool *was)
{
	size_t i = find(m, id);

	if (was != NULL)
		*was = m->used[i];
	if (!m->used[i]) {
		if ((m->count + 1) * 4 > m->cap * 3) {
			grow(m);
			i = find(m, id);
		}
		m->used[i] = 1;
		m->count++;
		memcpy(m->slot + i * m->stride, id, ID_SIZE);
		memset(m->slot + i * m->stride + ID_SIZE, 0, m->stride - ID_SIZE);
	}
	return m->slot + i * m->stride + ID_SIZE;
}

void *idmap_next(const struct idmap *m, size_t *pos, struct id *id)
{
	while (*pos < m->cap) {
		size_t i = (*pos)++;

		if (m->used[i]) {
			memcpy(id, m->slot + i * m->stride, ID_SIZE);
			return m->slot + i * m->stride + ID_SIZE;
		}
	}
	return NULL;
}
