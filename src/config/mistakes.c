/* mistakes: see mistakes.h. */
#include "config/mistakes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void mistakes_add(struct mistakes *m, const struct err *e)
{
	if (m->n < MISTAKES_MAX) {
		m->v = mem_realloc(m->v, (m->n + 1) * sizeof *m->v);
		m->v[m->n] = *e;
	}
	m->n++;
}

void mistakes_fini(struct mistakes *m)
{
	free(m->v);
	*m = (struct mistakes){0};
}

int mistakes_tell(const struct mistakes *m, struct err *e)
{
	size_t n;

	if (m->n == 0)
		return 0;
	*e = m->v[0];
	n = strlen(e->msg);
	if (m->n > 1)
		snprintf(e->msg + n, sizeof e->msg - n, " (and %zu more: holdfast config check)",
		    m->n - 1);
	return -1;
}
