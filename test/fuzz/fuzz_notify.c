/*
 * fuzz: what was pending of notifications, as a catalog keeps it.  What is taken is saved and
 * taken again as the same; then a year passes in which everything fails or goes well.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "notify/notify_router.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define S CALENDAR_SECOND

static const struct notify_route routes[] = {
    {.channel = "a", .dedupe_ns = 3600 * S, .max_per_hour = 2, .fallback = "b", .tries = 3},
    {.channel = "b"},
    {.channel = "p", .states = true, .every_ns = 86400 * S},
};

static void live(struct notify_router *r, int64_t now, unsigned luck)
{
	for (int i = 0; i < 400; i++, now += 86400 * S) {
		struct notify_delivery *d = notify_router_take(r, now);
		struct err e = {.kind = luck & 2 ? ERR_BUSY : ERR_DENIED};

		if (notify_router_next(r) < 0)
			abort();
		if (d != NULL)
			notify_router_done(r, d, (luck + (unsigned)i) % 3 ? NULL : &e, now);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct notify_router *a = notify_router_new(routes, 3, NULL, NULL),
			     *b = notify_router_new(routes, 3, NULL, NULL);
	char *text = mem_dup(p, n), *one, *two;
	struct err e = {0};

	if (notify_router_load(a, text, &e) == 0) {
		one = notify_router_save(a);
		if (notify_router_load(b, one, &e) == -1)
			abort();
		two = notify_router_save(b);
		if (strcmp(one, two) != 0)
			abort();
		free(one);
		free(two);
		live(a, INT64_C(1795208400) * S, n & 3);
	} else if (e.kind != ERR_CORRUPT && e.kind != ERR_LATER) {
		abort();
	}
	notify_router_free(a);
	notify_router_free(b);
	free(text);
	return 0;
}
