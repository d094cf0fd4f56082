/* near: see near.h. */
#include "base/near.h"

#include <string.h>

size_t near_distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), row[65];

	if (na > 64 || nb > 64)
		return 64;
	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[nb];
}

void near_consider(const char *word, const char *name, const char **best, size_t *least)
{
	size_t d = near_distance(word, name), n = strlen(word);

	if (n >= 2 && strncmp(name, word, n) == 0 && d > 1)
		d = 1;
	if (d < *least && d <= 1 + strlen(name) / 4) {
		*least = d;
		*best = name;
	}
}
