/* pq: see pq.h. */
#include "db/pq.h"

#include <string.h>

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
    SYMBOL(connectStartParams),
    SYMBOL(connectPoll),
    SYMBOL(setErrorVerbosity),
    SYMBOL(setnonblocking),
    SYMBOL(socket),
    SYMBOL(sendQuery),
    SYMBOL(sendQueryParams),
    SYMBOL(flush),
    SYMBOL(consumeInput),
    SYMBOL(isBusy),
    SYMBOL(getResult),
    SYMBOL(getCopyData),
    SYMBOL(putCopyData),
    SYMBOL(putCopyEnd),
    SYMBOL(freemem),
    SYMBOL(getCancel),
    SYMBOL(cancel),
    SYMBOL(freeCancel),
    SYMBOL(parameterStatus),
    SYMBOL(conninfoParse),
    SYMBOL(conninfoFree),
#undef SYMBOL
    {NULL},
};

static struct os_library library = {"libpq.so.5", "libpq5", symbols, &pq, OS_LIBRARY_INIT};

const struct pq *pq_open(struct err *e)
{
	return os_library_open(&library, e) == 0 ? &pq : NULL;
}

/* By as much of a code as matters. */
enum err_kind pq_kind(const char *state)
{
	static const struct {
		const char *state;
		enum err_kind kind;
	} kinds[] = {
	    {"23505", ERR_EXISTS},
	    {"40001", ERR_BUSY},
	    {"40P01", ERR_BUSY},
	    {"55P03", ERR_BUSY},
	    {"57014", ERR_TIMEOUT},
	    {"25P03", ERR_TIMEOUT},
	    {"57P", ERR_UNREACHABLE},
	    {"08", ERR_UNREACHABLE},
	    {"53100", ERR_NO_SPACE},
	    {"53", ERR_BUSY},
	    {"28", ERR_DENIED},
	    {"42501", ERR_DENIED},
	    {"25006", ERR_DENIED},
	    {"3D000", ERR_ABSENT},
	    {"58", ERR_IO},
	    {"XX001", ERR_CORRUPT},
	    {"XX002", ERR_CORRUPT},
	    {"0A", ERR_UNSUPPORTED},
	    {"22", ERR_BUG},
	    {"23", ERR_BUG},
	    {"25", ERR_BUG},
	    {"42", ERR_BUG},
	};

	for (size_t i = 0; state != NULL && i < sizeof kinds / sizeof *kinds; i++)
		if (strncmp(state, kinds[i].state, strlen(kinds[i].state)) == 0)
			return kinds[i].kind;
	return ERR_FAILED;
}
