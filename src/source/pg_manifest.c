/* pg_manifest: see pg_manifest.h. */
#include "source/pg_manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

struct pg_manifest_file *pg_manifest_add(struct pg_manifest *m, const char *path)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 1024;
		m->v = mem_realloc(m->v, m->cap * sizeof *m->v);
	}
	m->v[m->n] = (struct pg_manifest_file){.path = mem_strdup(path)};
	return &m->v[m->n++];
}

void pg_manifest_fini(struct pg_manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].path);
	free(m->v);
	*m = (struct pg_manifest){0};
}

static int by_path(const void *a, const void *b)
{
	const struct pg_manifest_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

size_t pg_manifest_find(const struct pg_manifest *m, const char *path)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(m->v[mid].path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* As the server wrote it: the bytes in the order of its memory, lowest first. */
static void crc_text(char out[9], uint32_t crc)
{
	snprintf(out, 9, "%02x%02x%02x%02x", crc & 255, crc >> 8 & 255, crc >> 16 & 255, crc >> 24);
}

/* Some names are no text: they are told in hex. */
static char *path_of(const json_t *o)
{
	const char *plain = json_string_value(json_object_get(o, "Path"));
	const char *hex = json_string_value(json_object_get(o, "Encoded-Path"));
	size_t n = hex ? strlen(hex) / 2 : 0;
	char *out;

	if (plain != NULL)
		return mem_strdup(plain);
	if (hex == NULL || n == 0)
		return NULL;
	out = mem_zalloc(n + 1);
	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1 || byte == 0) {
			free(out);
			return NULL;
		}
		out[i] = (char)byte;
	}
	return out;
}

/* Counts it, but for those of WAL: of them only some are named. */
static int check_one(const struct pg_manifest *m, const json_t *o, size_t *named, struct err *e)
{
	const char *kind = json_string_value(json_object_get(o, "Checksum-Algorithm"));
	const char *sum = json_string_value(json_object_get(o, "Checksum"));
	json_int_t size = json_integer_value(json_object_get(o, "Size"));
	struct pg_manifest_file key = {.path = path_of(o)}, *f = NULL;
	char crc[9];
	int rc = 0;

	if (key.path == NULL)
		return err_set(e, ERR_CORRUPT, "the backup's manifest: a file without a name");
	if (m->n > 0)
		f = bsearch(&key, m->v, m->n, sizeof *m->v, by_path);
	if (f == NULL)
		rc = err_set(
		    e, ERR_CORRUPT, "%s: it is in the manifest, and did not come", key.path);
	else if (size < 0 || f->size != (uint64_t)size)
		rc = err_set(e, ERR_CORRUPT, "%s: %llu bytes came, and it has %lld", key.path,
		    (unsigned long long)f->size, (long long)size);
	else if (kind == NULL || sum == NULL || strcmp(kind, "CRC32C") != 0)
		rc = err_set(
		    e, ERR_CORRUPT, "%s: without the checksum that was asked for", key.path);
	else {
		crc_text(crc, f->crc);
		if (strcmp(crc, sum) != 0)
			rc = err_set(e, ERR_CORRUPT, "%s: its checksum is %s, and came as %s",
			    key.path, sum, crc);
	}
	*named += strncmp(key.path, "pg_wal/", 7) != 0;
	free(key.path);
	return rc;
}

/* How many of what came ought to be named. */
static size_t to_be_named(const struct pg_manifest *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += strncmp(m->v[i].path, "pg_wal/", 7) != 0;
	return n;
}

int pg_manifest_check(struct pg_manifest *m, struct span text, struct err *e)
{
	json_error_t why;
	json_t *all = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &why);
	const json_t *files = json_object_get(all, "Files"), *o;
	int rc = 0;
	size_t i, named = 0;

	if (m->n > 0)
		qsort(m->v, m->n, sizeof *m->v, by_path);
	if (!json_is_array(files))
		rc = err_set(e, ERR_CORRUPT, "the backup's manifest is none");
	json_array_foreach(files, i, o) if (rc == 0) rc = check_one(m, o, &named, e);
	if (rc == 0 && named != to_be_named(m))
		rc = err_set(e, ERR_CORRUPT, "%zu files came, and the manifest names %zu",
		    to_be_named(m), named);
	json_decref(all);
	return rc;
}
