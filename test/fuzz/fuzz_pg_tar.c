/* pg_tar: a server's tar stream, in pieces of any size, with headers made right around the input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/pg_tar.h"

static uint64_t named, came;
static int open_files;

static int on_entry(void *arg, const struct pg_tar_entry *en, struct err *e)
{
	const char *n = en->name;

	/* Nothing may lead out of the folder. */
	if (n[0] == '\0' || n[0] == '/' || strcmp(n, "..") == 0 || strncmp(n, "../", 3) == 0 ||
	    strstr(n, "/../") != NULL || strlen(n) >= PG_TAR_NAME ||
	    (strlen(n) > 3 && strcmp(n + strlen(n) - 3, "/..") == 0))
		abort();
	if (open_files != 0)
		abort();
	if (en->type == ENTRY_FILE) {
		open_files = 1;
		named += en->size;
	}
	return 0;
}

static int on_data(void *arg, struct span s, struct err *e)
{
	if (open_files != 1 || s.n == 0)
		abort();
	came += s.n;
	return 0;
}

static int on_end(void *arg, struct err *e)
{
	if (open_files != 1)
		abort();
	open_files = 0;
	if (named != came)
		abort();
	return 0;
}

/* Their checksum is made right, and half of them are headers at all. */
static void mend(uint8_t *p, size_t n)
{
	for (size_t at = 0; at + PG_TAR_BLOCK <= n; at += PG_TAR_BLOCK) {
		uint8_t *h = p + at;
		unsigned sum = 0;

		if (h[257] != 'u')
			continue;
		memcpy(h + 257, "ustar", 5);
		memset(h + 148, ' ', 8);
		for (int i = 0; i < PG_TAR_BLOCK; i++)
			sum += h[i];
		snprintf((char *)h + 148, 8, "%06o", sum);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pg_tar_ops ops = {on_entry, on_data, on_end};
	struct pg_tar t = {.ops = &ops};
	size_t step = size ? 1 + data[0] * 7u : 1;
	uint8_t *copy = malloc(size + 1);
	struct err e;
	int rc = 0;

	named = came = 0;
	open_files = 0;
	memcpy(copy, data, size);
	mend(copy, size);
	for (size_t at = 0; rc == 0 && at < size; at += step)
		rc = pg_tar_feed(&t, span_of(copy + at, size - at < step ? size - at : step), &e);
	if (rc == 0)
		rc = pg_tar_finish(&t, &e);
	if (rc == -1 && e.kind != ERR_CORRUPT)
		abort();
	if (rc == 0 && named != came)
		abort();
	free(copy);
	return 0;
}
