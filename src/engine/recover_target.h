/*
 * recover_target: the moment that a database is to be brought back to.
 *
 * Threads: any; values.
 */
#ifndef HF_ENGINE_RECOVER_TARGET_H
#define HF_ENGINE_RECOVER_TARGET_H

#include "base/buf.h"
#include "base/err.h"

enum recover_kind {
	RECOVER_LATEST,    /* the end of what is there */
	RECOVER_IMMEDIATE, /* the end of the base backup */
	RECOVER_TIME,      /* every commit until then, that moment included */
	RECOVER_LSN,       /* what was written before, and the record that begins there */
	RECOVER_XID,       /* that transaction included */
	RECOVER_NAME,      /* a restore point: pg_create_restore_point */
	RECOVER_KINDS
};

enum { RECOVER_NAME_MAX = 64 }; /* PostgreSQL's, with the NUL */

struct recover_target {
	enum recover_kind kind;
	int64_t time_us; /* since 1970, UTC */
	uint64_t lsn;
	uint32_t xid;
	char name[RECOVER_NAME_MAX];
};

/*
 * "latest", "immediate", "16/B374D848" (or "lsn:..."), "xid:1234", "name:NAME", a time as
 * calendar.h has them (an offset may be "+01"), or the name of a restore point.  ERR_USAGE.
 */
int recover_target_parse(const char *text, struct recover_target *out, struct err *e);

enum { RECOVER_TARGET_TEXT = 128 };
/* For people: "2026-11-21 09:41:07.000 +01:00", "LSN 16/B374D848", ...; returns out. */
const char *recover_target_text(const struct recover_target *t, char out[RECOVER_TARGET_TEXT]);

/* "16/B374D848"; returns out. */
enum { RECOVER_LSN_TEXT = 24 };
const char *recover_lsn_text(uint64_t lsn, char out[RECOVER_LSN_TEXT]);

/* "2026-11-21 08:41:07.123456+00", as PostgreSQL reads it wherever it is; returns out. */
const char *recover_time_text(int64_t us, char out[RECOVER_TARGET_TEXT]);

/* "2026-11-21 09:41:07.123 +01:00": commits are close together; returns out. */
const char *recover_local_text(int64_t us, char out[RECOVER_TARGET_TEXT]);

enum recover_action { RECOVER_PROMOTE, RECOVER_PAUSE, RECOVER_SHUTDOWN };

struct recover_settings {
	struct recover_target to;
	uint32_t timeline;
	enum recover_action action;
	const char *restore_command;
	int major;          /* of the server; 0: not known */
	bool shown;         /* pages are not here before they are read */
	bool spaces_inside; /* tablespaces are folders in pg_tblspc */
};

/* The lines for postgresql.auto.conf that make PostgreSQL do it, whatever the others there say. */
void recover_settings_text(const struct recover_settings *s, struct buf *out);

/* The lines of a postgresql.auto.conf without such as were made so, by their marks; appended. */
void recover_settings_strip(const char *text, struct buf *out);

#endif
