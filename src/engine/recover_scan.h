/*
 * recover_scan: what the stored log of a database tells of commits and restore points, so that it
 * is known before anything is restored whether a target is there.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_RECOVER_SCAN_H
#define HF_ENGINE_RECOVER_SCAN_H

#include "engine/recover_line.h"
#include "engine/recover_target.h"
#include "source/wal_record.h"

struct recover_log { /* borrowed */
	struct repo *repo;
	struct log_reader *reader;
	const struct recover_reach *reach;
	uint64_t segment;
	struct ctx *ctx;
};

struct recover_mark {
	bool there;
	bool point; /* a restore point, else a commit */
	uint64_t lsn, end;
	int64_t time_us; /* since 1970 */
	uint32_t xid;
	char name[RECOVER_NAME_MAX];
};

/*
 * Visit commits and restore points in files [from, to) of the reach, in order; visit returns 1 to
 * end.  *end: behind the last record that could be read; *broken: the log ends (or is no log)
 * before the last of the files does.
 */
typedef int recover_visit(void *arg, const struct recover_mark *m);
int recover_scan(const struct recover_log *l, size_t from, size_t to, recover_visit *visit,
    void *arg, uint64_t *end, bool *broken, struct err *e);

/* Every record of the reach, in order; `record` as wal_reader.h has it. */
typedef int recover_record(void *arg, const struct wal_record *r, struct err *e);
int recover_scan_records(
    const struct recover_log *l, recover_record *record, void *arg, struct err *e);

/* The last commit of all. */
int recover_scan_last(const struct recover_log *l, struct recover_mark *out, struct err *e);

/*
 * Where PostgreSQL stops for a time: the last commit not after it, and the first after it (`there`
 * false: none).
 */
int recover_scan_time(const struct recover_log *l, int64_t time_us, struct recover_mark *before,
    struct recover_mark *after, struct err *e);

/* The commit of a transaction, or a restore point (the first of its name); there: found. */
int recover_scan_find(const struct recover_log *l, const struct recover_target *t,
    struct recover_mark *out, struct err *e);

/* Does a record begin there or behind?  *end: behind the last record of all. */
int recover_scan_lsn(
    const struct recover_log *l, uint64_t lsn, bool *there, uint64_t *end, struct err *e);

#endif
