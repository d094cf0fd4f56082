/* pq: see pq.h. */
#include "db/pq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

static struct pq pq;
static char problem[256];

static const struct {
	const char *name;
	size_t at; /* of its pointer in struct pq */
} symbols[] = {
#define SYMBOL(name)                                                                               \
	{                                                                                          \
		"PQ" #name, offsetof(struct pq, name)                                              \
	}
    SYMBOL(connectdbParams),
    SYMBOL(finish),
    SYMBOL(status),
    SYMBOL(errorMessage),
    SYMBOL(connectionNeedsPassword),
    SYMBOL(connectionUsedPassword),
    SYMBOL(serverVersion),
    SYMBOL(setNoticeProcessor),
    SYMBOL(exec),
    SYMBOL(execParams),
    SYMBOL(resultStatus),
    SYMBOL(resultErrorField),
    SYMBOL(resultErrorMessage),
    SYMBOL(ntuples),
    SYMBOL(nfields),
    SYMBOL(ftype),
    SYMBOL(getvalue),
    SYMBOL(getlength),
    SYMBOL(getisnull),
    SYMBOL(cmdTuples),
    SYMBOL(clear),
#undef SYMBOL
};

static void load(void)
{
	void *lib = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL) {
		snprintf(problem, sizeof problem, "%s", dlerror());
		return;
	}
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *f = dlsym(lib, symbols[i].name);

		if (f == NULL) {
			snprintf(problem, sizeof problem, "libpq.so.5 lacks %s", symbols[i].name);
			return;
		}
		*(void **)((char *)&pq + symbols[i].at) = f;
	}
}

const struct pq *pq_open(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (problem[0] == '\0')
		return &pq;
	err_set(e, ERR_UNSUPPORTED, "%s", problem);
	err_hint(e, "install the package libpq5");
	return NULL;
}
