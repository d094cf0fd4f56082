/* pq: see pq.h. */
#include "db/pq.h"

#include "os/os_library.h"

static struct pq pq;

static const struct os_symbol symbols[] = {
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
    {NULL},
};

static struct os_library library = {"libpq.so.5", "libpq5", symbols, &pq, OS_LIBRARY_INIT};

const struct pq *pq_open(struct err *e)
{
	return os_library_open(&library, e) == 0 ? &pq : NULL;
}
