/*
 * id: the name of a blob or of a stored object, 32 bytes; and sets of them.
 */
#ifndef HF_BASE_ID_H
#define HF_BASE_ID_H

#include "base/span.h"

enum { ID_SIZE = 32, ID_HEX = 65 };

struct id {
	uint8_t b[ID_SIZE];
};

static inline bool id_eq(const struct id *a, const struct id *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static inline int id_cmp(const struct id *a, const struct id *b)
{
	return memcmp(a, b, sizeof *a);
}

/* Whole, 64 digits, into out[ID_HEX]; returns out. */
char *id_hex(char *out, const struct id *id);
bool id_parse(struct id *out, const char *hex64);

/*
 * A hash map from ids to a value of the caller's, by open addressing.  Ids
 * are uniform, so their first bytes are the hash.  Values are found by
 * pointer, which the next put may move.
 *
 * Threads: one owner, or the owner's lock.
 */
struct idmap;

struct idmap *idmap_new(size_t value_size);
void idmap_free(struct idmap *m);
size_t idmap_count(const struct idmap *m);

/* The value, or NULL. */
void *idmap_get(const struct idmap *m, const struct id *id);

/* The value, made (zeroed) if absent; *was tells which (may be NULL). */
void *idmap_put(struct idmap *m, const struct id *id, bool *was);

/* Walk: start with *pos = 0; NULL at the end.  Not while putting. */
void *idmap_next(const struct idmap *m, size_t *pos, struct id *id);

#endif
