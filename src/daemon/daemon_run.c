/* daemon_run: runs that outlive the row they were read from. */
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "daemon/daemon_internal.h"

#define T(member) offsetof(struct run, member)
static const size_t texts[] = {T(system), T(node), T(kind), T(type), T(trigger), T(by), T(queue),
    T(owner), T(error_kind), T(message), T(hint), T(destinations), T(snapshot), T(verified),
    T(log)};

static const char **text_at(struct run *r, size_t i)
{
	return (const char **)((char *)r + texts[i]);
}

void run_copy(struct run *to, const struct run *r)
{
	*to = *r;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const char **s = text_at(to, i);

		*s = *s ? mem_strdup(*s) : NULL;
	}
}

void run_copy_fini(struct run *r)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		free((char *)(uintptr_t)*text_at(r, i));
	*r = (struct run){0};
}
