/* os_library: see os_library.h. */
#include "os/os_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static void load(struct os_library *l)
{
	void *lib = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
	const char *wrong;

	if (lib == NULL) {
		snprintf(l->problem, sizeof l->problem, "%s", dlerror());
		return;
	}
	for (const struct os_symbol *s = l->symbols; s->name != NULL; s++) {
		void *f = dlsym(lib, s->name);

		if (f == NULL) {
			snprintf(l->problem, sizeof l->problem, "%s lacks %s", l->file, s->name);
			return;
		}
		memcpy((char *)l->table + s->at, &f, sizeof f);
	}
	wrong = l->begin ? l->begin() : NULL;
	if (wrong != NULL)
		snprintf(l->problem, sizeof l->problem, "%s: %s", l->file, wrong);
}

int os_library_open(struct os_library *l, struct err *e)
{
	pthread_mutex_lock(&l->lock);
	if (!l->tried)
		load(l);
	l->tried = true;
	pthread_mutex_unlock(&l->lock);
	if (l->problem[0] == '\0')
		return 0;
	err_set(e, ERR_UNSUPPORTED, "%s", l->problem);
	return err_hint(e, "install the package %s", l->package);
}
