/* fuzz: a cron line; what is due next comes later than now. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const int64_t now = 1792900000; /* an hour before clocks are set back */
	char text[256];
	struct cron c;
	struct zone *z;
	struct err e = {0};
	int64_t next;

	if (n >= sizeof text)
		return 0;
	memcpy(text, p, n);
	text[n] = '\0';
	if (cron_parse(text, &c, &e) == -1)
		return 0;
	if (zone_of_rule("CET-1CEST,M3.5.0,M10.5.0/3", &z, &e) == -1)
		abort();
	if (cron_next(&c, z, now, &next) && next <= now)
		abort();
	zone_free(z);
	return 0;
}
