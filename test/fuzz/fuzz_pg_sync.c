/* fuzz: a server's synchronous_standby_names; what is proposed instead makes it wait for us. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "db/pg_sync.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text = malloc(n + 1), better[256];

	if (text == NULL)
		return 0;
	memcpy(text, p, n);
	text[n] = '\0';
	pg_sync_names(text, "holdfast", better, sizeof better);
	if (pg_sync_names(better, "holdfast", NULL, 0) != PG_SYNC_WAITS)
		abort();
	free(text);
	return 0;
}
