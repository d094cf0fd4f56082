/*
 * pq: libpq, opened when it is first needed: linking it would cost every start a millisecond.
 *
 * Threads: any.
 */
#ifndef HF_DB_PQ_H
#define HF_DB_PQ_H

#include <libpq-fe.h>

#include "base/err.h"

/* Its functions, named without PQ. */
struct pq {
	__typeof__(PQconnectdbParams) *connectdbParams;
	__typeof__(PQfinish) *finish;
	__typeof__(PQstatus) *status;
	__typeof__(PQerrorMessage) *errorMessage;
	__typeof__(PQconnectionNeedsPassword) *connectionNeedsPassword;
	__typeof__(PQconnectionUsedPassword) *connectionUsedPassword;
	__typeof__(PQserverVersion) *serverVersion;
	__typeof__(PQsetNoticeProcessor) *setNoticeProcessor;
	__typeof__(PQexec) *exec;
	__typeof__(PQexecParams) *execParams;
	__typeof__(PQresultStatus) *resultStatus;
	__typeof__(PQresultErrorField) *resultErrorField;
	__typeof__(PQresultErrorMessage) *resultErrorMessage;
	__typeof__(PQntuples) *ntuples;
	__typeof__(PQnfields) *nfields;
	__typeof__(PQftype) *ftype;
	__typeof__(PQgetvalue) *getvalue;
	__typeof__(PQgetlength) *getlength;
	__typeof__(PQgetisnull) *getisnull;
	__typeof__(PQcmdTuples) *cmdTuples;
	__typeof__(PQclear) *clear;
	/* What waits with an end (pg.h). */
	__typeof__(PQconnectStartParams) *connectStartParams;
	__typeof__(PQconnectPoll) *connectPoll;
	__typeof__(PQsetErrorVerbosity) *setErrorVerbosity;
	__typeof__(PQsetnonblocking) *setnonblocking;
	__typeof__(PQsocket) *socket;
	__typeof__(PQsendQuery) *sendQuery;
	__typeof__(PQsendQueryParams) *sendQueryParams;
	__typeof__(PQflush) *flush;
	__typeof__(PQconsumeInput) *consumeInput;
	__typeof__(PQisBusy) *isBusy;
	__typeof__(PQgetResult) *getResult;
	__typeof__(PQgetCopyData) *getCopyData;
	__typeof__(PQputCopyData) *putCopyData;
	__typeof__(PQputCopyEnd) *putCopyEnd;
	__typeof__(PQfreemem) *freemem;
	__typeof__(PQgetCancel) *getCancel;
	__typeof__(PQcancel) *cancel;
	__typeof__(PQfreeCancel) *freeCancel;
	__typeof__(PQparameterStatus) *parameterStatus;
	__typeof__(PQconninfoParse) *conninfoParse;
	__typeof__(PQconninfoFree) *conninfoFree;
};

/* NULL: ERR_UNSUPPORTED, with what to install. */
const struct pq *pq_open(struct err *e);

/* What a five-letter code of an answer means; NULL: ERR_FAILED. */
enum err_kind pq_kind(const char *state);

#endif
