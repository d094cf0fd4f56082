/* fuzz: patterns, one a line, then a NUL and a path. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/exclude.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text = mem_dup(p, n), *save = NULL, *path;
	size_t first = strlen(text);
	struct exclude *x = exclude_new();
	struct err e = {0};

	path = mem_printf("/%s", first < n ? text + first + 1 : "");
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (exclude_add(x, l, "fuzz", &e) == -1 && e.kind != ERR_USAGE)
			abort();
	exclude_match(x, path, false);
	exclude_match(x, path, true);
	exclude_free(x);
	free(path);
	free(text);
	return 0;
}
