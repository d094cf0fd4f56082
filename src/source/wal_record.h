/*
 * wal_record: one record of PostgreSQL's write-ahead log (13 to 17), as bytes from outside, taken
 * apart.
 *
 * A record says which blocks of which files it changes, in its head; what it does to them is for
 * PostgreSQL alone. The facts are those of PostgreSQL's documentation ("WAL internals") and of its
 * headers xlogrecord.h, xact.h, storage_xlog.h and dbcommands_xlog.h: 24 bytes of head (total
 * length, transaction, the record before, info, resource manager, CRC-32C), then heads of blocks,
 * then their images and data, then the main data.  All little-endian.
 *
 * Threads: any; values.
 */
#ifndef HF_SOURCE_WAL_RECORD_H
#define HF_SOURCE_WAL_RECORD_H

#include "base/err.h"
#include "base/span.h"

enum {
	WAL_RECORD_HEAD = 24,
	WAL_RECORD_REFS = 33,      /* blocks that one record can name */
	WAL_RECORD_MAX = 64 << 20, /* longer ones (logical messages only) are not read */
};

/* Resource managers: whose record it is. */
enum wal_rmgr {
	WAL_RMGR_XLOG = 0,
	WAL_RMGR_XACT = 1,
	WAL_RMGR_SMGR = 2,
	WAL_RMGR_DBASE = 4,
	WAL_RMGR_TBLSPC = 5,
};

/* What a record is, in the upper four bits of its info; WAL_INFO_MASK leaves them. */
enum {
	WAL_INFO_MASK = 0xf0,
	WAL_XLOG_SHUTDOWN = 0x00,
	WAL_XLOG_ONLINE = 0x10,
	WAL_XLOG_SWITCH = 0x40,
	WAL_XLOG_BACKUP_END = 0x50,
	WAL_XLOG_PARAMETERS = 0x60,
	WAL_XLOG_RESTORE_POINT = 0x70,
	WAL_SMGR_CREATE = 0x10,
	WAL_SMGR_TRUNCATE = 0x20,
	WAL_XACT_MASK = 0x70, /* bit 0x80: has further parts */
	WAL_XACT_COMMIT = 0x00,
	WAL_XACT_ABORT = 0x20,
	WAL_XACT_COMMIT_PREPARED = 0x30,
	WAL_XACT_ABORT_PREPARED = 0x40,
};

enum wal_fork { WAL_FORK_MAIN, WAL_FORK_FSM, WAL_FORK_VM, WAL_FORK_INIT, WAL_FORKS };

/* A relation's files: tablespace, database (0: shared), number.  Not the oid of the table. */
struct wal_rel {
	uint32_t spc, db, rel;
};

struct wal_ref {
	struct wal_rel rel;
	uint32_t block;
	uint8_t fork; /* below WAL_FORKS */
};

struct wal_record {
	uint64_t lsn, end, prev; /* end: after it, aligned to 8 */
	uint32_t size;           /* without heads of pages; `main` stands at its end */
	int version;             /* 13 to 18, from the page's magic */
	uint32_t xid;
	uint8_t rmgr, info;
	size_t nrefs;
	struct wal_ref refs[WAL_RECORD_REFS];
	struct span main; /* borrowed: valid until the next record is read */
};

/*
 * Take a whole record apart: bytes as they follow one another without page heads, of the length
 * that the first four bytes tell.  Fills all but lsn, end and version, which the caller has set.
 * ERR_CORRUPT: its check does not match, or it does not say what a record can say.
 */
int wal_record_parse(struct span bytes, struct wal_record *out, struct err *e);

/* The end of a transaction: from a commit or an abort, also of a prepared one. */
struct wal_xact {
	bool commit;
	uint32_t xid;     /* the transaction's own; of a prepared one: that which prepared it */
	int64_t time;     /* microseconds since 2000-01-01 UTC */
	struct span rels; /* relations dropped, 12 bytes each: wal_xact_rel */
	size_t nrels;
};

/* 1: it ends a transaction, 0: it does not, -1: it cannot be understood. */
int wal_xact_of(const struct wal_record *r, struct wal_xact *out, struct err *e);
struct wal_rel wal_xact_rel(const struct wal_xact *x, size_t i);

#endif
