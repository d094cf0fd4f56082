/* recover_watch: see recover_internal.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "engine/recover_internal.h"
#include "engine/recover_scan.h"

enum {
	TBLSPC_CREATE = 0x00,
	/* The log is read beforehand where it is short, or the data are so many times as large. */
	SHORT_SEGMENTS = 4,
	TIMES = 32
};

static bool accepted(const struct recovering *g, const char *path)
{
	for (size_t i = 0; i < g->nlater; i++)
		if (strcmp(g->later[i], path) == 0)
			return true;
	return false;
}

static void accept(struct recovering *g, const char *path)
{
	g->later = mem_realloc(g->later, (g->nlater + 1) * sizeof *g->later);
	g->later[g->nlater++] = mem_strdup(path);
}

/* It was made while the base was copied, and stands where the base has it. */
static bool is_of_the_base(const struct recovering *g, uint32_t oid, const char *path)
{
	for (size_t i = 0; i < g->nspaces; i++)
		if (g->spaces[i].oid == oid)
			return strcmp(g->spaces[i].location, path) == 0;
	return false;
}

/*
 * Replay makes the tablespace at the very path that it once had, whatever is there: the files of
 * the original, if that lives on this machine.
 */
static int check_later(
    struct recovering *g, uint32_t oid, const char *path, uint64_t lsn, struct err *e)
{
	char at[RECOVER_LSN_TEXT];
	bool empty, there;

	if (accepted(g, path) || is_of_the_base(g, oid, path))
		return 0;
	if (recover_is_empty(path, &empty, &there, e) == -1)
		return err_wrap(e, "tablespace %" PRIu32, oid);
	if (there && empty) {
		accept(g, path);
		return 0;
	}
	recover_lsn_text(lsn, at);
	if (!there) {
		err_set(e, ERR_ABSENT,
		    "tablespace %" PRIu32
		    " was made after the base backup (LSN %s) in %s, which is "
		    "not here: its replay would fail",
		    oid, at, path);
		return err_hint(e,
		    "make it, empty, for the server's user; or a target before LSN %s; or a base "
		    "backup that has the tablespace, then --tablespace puts it elsewhere",
		    at);
	}
	err_set(e, ERR_EXISTS,
	    "tablespace %" PRIu32 " was made after the base backup (LSN %s) in %s, which is not "
	    "empty: its replay would write over what is there",
	    oid, at, path);
	return err_hint(e,
	    "if that is the original's, recover on another machine or in a container, or to a "
	    "target "
	    "before LSN %s, or from a base backup that has the tablespace (--tablespace puts it "
	    "elsewhere); if it is nobody's, empty it",
	    at);
}

int recover_watch(void *arg, const struct wal_record *r, struct err *e)
{
	struct recovering *g = arg;
	struct cursor c = cursor_of(r->main);
	struct span rest;
	const char *path;
	uint32_t oid;
	char *text;
	int rc;

	if (r->rmgr != WAL_RMGR_TBLSPC || (r->info & WAL_INFO_MASK) != TBLSPC_CREATE ||
	    r->lsn < g->pl.base->start || r->lsn >= g->pl.stop)
		return 0;
	oid = cursor_u32(&c);
	rest = cursor_bytes(&c, cursor_left(&c));
	path = (const char *)rest.p;
	/* One inside the data directory (allow_in_place_tablespaces) has no path. */
	if (c.bad || rest.n == 0 || path[0] != '/')
		return 0;
	text = mem_strndup(path, strnlen(path, rest.n));
	rc = check_later(g, oid, text, r->lsn, e);
	free(text);
	return rc;
}

int recover_watch_ahead(struct recovering *g, struct err *e)
{
	uint64_t log = g->pl.reach.n * g->pl.segment;
	struct recover_log l = {g->repo, g->pl.reader, &g->pl.reach, g->pl.segment, g->ctx};

	/* What is shown at once is thrown away as fast. */
	if (!g->p->dry_run && (g->p->instant || (g->pl.reach.n > SHORT_SEGMENTS &&
						    g->pl.base->part->stats.bytes / TIMES < log)))
		return 0;
	return recover_scan_records(&l, recover_watch, g, e);
}
