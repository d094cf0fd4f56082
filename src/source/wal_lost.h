/*
 * wal_lost: databases that a backup of a server's files has lost, as its log tells.
 *
 * CREATE DATABASE ... STRATEGY file_copy and ALTER DATABASE ... SET TABLESPACE write of a whole
 * database only that its folder was copied, and replay copies it again.  Where the folder that it
 * came from was dropped or moved before the backup ended, the backup may have nothing of it, or a
 * part: replay then makes a database that is empty or has holes, and says nothing (PostgreSQL 13
 * to 17; so it is with pg_basebackup).  What was itself made within the log is no such folder.
 * The server removes a folder first and writes of it then: who read it last may have seen it go,
 * and have no more of the log.  So the server is asked, too, what it has.
 *
 * Records of the log from where the backup begins to where it ends, in order.
 *
 * Threads: one owner.
 */
#ifndef HF_SOURCE_WAL_LOST_H
#define HF_SOURCE_WAL_LOST_H

#include "source/wal_record.h"

struct wal_lost;

struct wal_lost *wal_lost_new(void);
void wal_lost_free(struct wal_lost *l); /* NULL does nothing */
/* ERR_UNSUPPORTED: a record that is not known. */
int wal_lost_add(struct wal_lost *l, const struct wal_record *r, struct err *e);

/*
 * What the server had when the log had come to its end: databases that nobody was dropping or
 * moving then, by where they lie.  What was made of one that is not among them is lost.
 */
struct wal_lost_database {
	uint32_t oid, spc;
	bool settled;
};
void wal_lost_end(struct wal_lost *l, const struct wal_lost_database *v, size_t n);

/* The i-th folder that is there at the end, and may lack what it should have; false: no more. */
bool wal_lost_get(const struct wal_lost *l, size_t i, uint32_t *spc, uint32_t *db);

#endif
