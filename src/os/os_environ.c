/* os_environ: see os_environ.h. */
#include "os/os_environ.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

extern char **environ;

static bool given(const char *const *more, size_t n, const char *variable)
{
	size_t len = strcspn(variable, "=") + 1;

	for (size_t i = 0; i < n; i++)
		if (strncmp(more[i], variable, len) == 0)
			return true;
	return false;
}

char **os_environ(const char *const *more, bool (*without)(const char *variable))
{
	size_t ours = 0, n = 0, m;
	char **v;

	while (environ[ours] != NULL)
		ours++;
	while (more != NULL && more[n] != NULL)
		n++;
	v = mem_alloc((ours + n + 1) * sizeof *v);
	for (m = 0; m < n; m++)
		v[m] = (char *)(uintptr_t)more[m];
	for (size_t i = 0; i < ours; i++)
		if (!given(more, n, environ[i]) && (without == NULL || !without(environ[i])))
			v[m++] = environ[i];
	v[m] = NULL;
	return v;
}
