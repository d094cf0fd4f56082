/* catalog_internal: what the files of src/catalog share. */
#ifndef HF_CATALOG_INTERNAL_H
#define HF_CATALOG_INTERNAL_H

#include "base/buf.h"
#include "catalog/catalog.h"
#include "db/db.h"

struct catalog {
	struct db *db;
	char *url;
	uint64_t device, inode; /* of its file when it was opened; 0: a server's */
};

/* One step of the form, from the one before; `lite` or `server` after what both take. */
struct catalog_migration {
	const char *what;
	const char *both, *lite, *server; /* NULL: nothing */
};
extern const struct catalog_migration catalog_migrations[];
extern const int catalog_version; /* how many there are: this program's form */

/* The claim and the migrations of all who share a server: one after the other. */
enum { CATALOG_LOCK_MIGRATE = 0x686f6c64, CATALOG_LOCK_CLAIM };
int catalog_lock(struct catalog *c, int which, struct err *e);

/* The whole number that a statement answers; 0 where it answers no row. */
int catalog_int(struct catalog *c, const char *sql, const struct db_value *v, size_t n,
    int64_t *out, struct err *e);

/*
 * Rows are read by tables: a column's name, where it goes in a struct, and as what.  An array of
 * them ends with a NULL name.
 */
enum catalog_type {
	COLUMN_TEXT,  /* const char *; "" is read as NULL */
	COLUMN_INT,   /* int64_t */
	COLUMN_U64,   /* up to 2^63 - 1; what is more is told as that */
	COLUMN_SMALL, /* int */
	COLUMN_BOOL,
	COLUMN_REAL,
	COLUMN_STATUS, /* enum run_status, kept by name */
};
struct catalog_column {
	const char *name;
	enum catalog_type type;
	size_t at;
};
enum { CATALOG_COLUMNS = 64 };
size_t catalog_columns(const struct catalog_column *t);
/* "id, system, ..." */
void catalog_names(struct buf *sql, const struct catalog_column *t);
/* What is bound for the struct, in the table's order. */
void catalog_bind(const struct catalog_column *t, const void *from, struct db_value *v);
/* What a row says, into the struct; its texts are in `texts` until it is used again. */
void catalog_read(
    const struct catalog_column *t, const struct db_value *v, void *to, struct buf *texts);

/* catalog_aside.c: which file it is, to see when another is there. */
void catalog_note_file(struct catalog *c);

/* catalog_latest.c: a run is over: what is shown of its system and kind takes note of it. */
int catalog_latest_note(struct catalog *c, int64_t id, struct err *e);

/* catalog_snapshot.c: its number, made where there is none. */
struct catalog_snapshot;
int catalog_series_id(
    struct catalog *c, const struct catalog_snapshot *s, int64_t *series, struct err *e);
/* What a listing's "WHERE ... ORDER BY ..." of snapshot s, repository r, series g chooses. */
int catalog_snapshots_where(struct catalog *c, const char *rest, const struct db_value *v, size_t n,
    int (*each)(void *arg, const struct catalog_snapshot *s, struct err *e), void *arg,
    struct err *e);

#endif
