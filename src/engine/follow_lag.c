/* follow_lag: see follow_lag.h. */
#include "engine/follow_lag.h"

#include <string.h>

static void thin(struct follow_lag *l)
{
	size_t n = 0;

	/* Of two, the earlier moment and the later position. */
	for (size_t i = 0; i < l->n; i += 2) {
		l->v[n] = l->v[i];
		if (i + 1 < l->n)
			l->v[n].end = l->v[i + 1].end;
		n++;
	}
	l->n = n;
	l->apart_ns = l->apart_ns ? 2 * l->apart_ns : 1000000;
}

void follow_lag_got(struct follow_lag *l, uint64_t end, int64_t now_ns)
{
	if (l->n > 0 && now_ns - l->v[l->n - 1].ns < l->apart_ns) {
		l->v[l->n - 1].end = end;
		return;
	}
	if (l->n == FOLLOW_LAG_KEPT)
		thin(l);
	l->v[l->n].end = end;
	l->v[l->n++].ns = now_ns;
}

int64_t follow_lag_age(struct follow_lag *l, uint64_t safe, int64_t now_ns)
{
	size_t gone = 0;

	while (gone < l->n && l->v[gone].end <= safe)
		gone++;
	l->n -= gone;
	memmove(l->v, l->v + gone, l->n * sizeof *l->v);
	if (l->n == 0) {
		l->apart_ns = 0;
		return 0;
	}
	return now_ns > l->v[0].ns ? now_ns - l->v[0].ns : 1;
}
