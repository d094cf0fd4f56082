/* fuzz: a request of the API: its target in the first line, then its body; as GET and as POST. */
#include <stdint.h>
#include <stdlib.h>

#include "api/api_route.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What handlers rely on. */
static void check(const struct api_uri *u)
{
	for (size_t i = 0; i < u->nsegments; i++)
		if (strchr(u->segment[i], '/') != NULL || strcmp(u->segment[i], "..") == 0 ||
		    strcmp(u->segment[i], ".") == 0)
			abort();
	for (size_t i = 0; i < u->nquery; i++)
		if (u->query[i].name[0] == '\0' || api_uri_number(u->query[i].value) < 0)
			abort();
}

static void call(const char *method, const struct api_uri *u, struct span body)
{
	struct api_call c = {0};
	struct err e = {0};
	char allow[64];

	if (api_route_find(method, u, &c, allow) == NULL)
		return;
	if (api_route_bind(&c, u, body, &e) == -1 && (e.kind != ERR_USAGE || e.msg[0] == '\0'))
		abort();
	api_call_fini(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *line = n ? memchr(p, '\n', n) : NULL;
	size_t first = line ? (size_t)(line - p) : n;
	struct span body = line ? span_of(line + 1, n - first - 1) : span_of(p, 0);
	struct api_uri u;
	struct err e = {0};

	if (api_uri_parse(span_of(p, first), &u, &e) != 0) {
		if (e.kind == ERR_NONE)
			abort();
		return 0;
	}
	check(&u);
	call("GET", &u, body);
	call("POST", &u, body);
	return 0;
}
