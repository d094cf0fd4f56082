/* recover_watch: see recover_internal.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "codec/crc32c.h"
#include "engine/recover_internal.h"
#include "engine/recover_scan.h"

enum {
	TBLSPC_CREATE = 0x00,
	/* The log is read beforehand where it is short, or the data are so many times as large. */
	SHORT_SEGMENTS = 4,
	TIMES = 32,
	PAGE = 8192,
	PAGE_HEAD = 24,
	SEGMENT_HEAD = 40,
	RECORD_CRC = 20, /* where it stands, and how much of the head it is of */
	MAIN_PATH = 4    /* behind the OID */
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

/* ---- One that is put elsewhere. */

uint64_t recover_byte_at(uint64_t record, uint64_t byte, uint64_t segment)
{
	uint64_t at = record;

	for (;;) {
		uint64_t left;

		if (at % PAGE == 0)
			at += at % segment == 0 ? SEGMENT_HEAD : PAGE_HEAD;
		left = PAGE - at % PAGE;
		if (byte < left)
			return at + byte;
		byte -= left;
		at += left;
	}
}

static void change(struct recovering *g, const struct wal_record *r, uint64_t byte, uint8_t by)
{
	g->patches = mem_realloc(g->patches, (g->npatches + 1) * sizeof *g->patches);
	g->patches[g->npatches++] = (struct recover_patch){
	    recover_byte_at(r->lsn, byte, g->pl.segment), by};
}

/*
 * The record without a path: replay takes that for one inside the data directory, and what
 * stands there already, our link, for the tablespace's folder.  Its checksum is linear: it changes
 * by what the first letter of the path changes, whatever else is in it.
 */
static void take_path_away(struct recovering *g, const struct wal_record *r)
{
	size_t n = r->main.n - MAIN_PATH + RECORD_CRC;
	uint8_t *bytes = mem_zalloc(n);
	uint32_t sum = crc32c(0, bytes, n);

	bytes[0] = '/';
	sum ^= crc32c(0, bytes, n);
	free(bytes);
	change(g, r, r->size - r->main.n + MAIN_PATH, '/');
	for (unsigned i = 0; i < 4; i++)
		change(g, r, RECORD_CRC + i, (uint8_t)(sum >> 8 * i));
}

/*
 * It was made while the base backup was begun, so that both have it.  Where it was put elsewhere,
 * only the base's word counts.  true: no harm is left in the record.
 */
static bool is_of_the_base(
    struct recovering *g, const struct wal_record *r, uint32_t oid, const char *path)
{
	for (size_t i = 0; i < g->nspaces; i++) {
		struct recover_space *s = &g->spaces[i];

		if (s->oid != oid || s->later)
			continue;
		if (strcmp(s->location, path) == 0)
			return true;
		if (g->looking && !g->p->instant) {
			take_path_away(g, r);
			s->again = true;
		}
		return s->again;
	}
	return false;
}

/* Where it is to go; NULL: nobody said. */
static char *place_for(const struct recovering *g, uint32_t oid, const char *path)
{
	const char *to = NULL;
	char text[16];

	snprintf(text, sizeof text, "%u", (unsigned)oid);
	for (size_t i = 0; to == NULL && i < g->p->ntablespaces; i++)
		to = recover_map_for(g->p->tablespaces[i], text, path);
	if (to == NULL && g->p->scratch && !g->p->instant)
		return mem_printf("%s-tablespaces/%s", g->data, text);
	return to ? mem_strdup(to) : NULL;
}

/* 1: it goes elsewhere; 0: it does not. */
static int put_elsewhere(
    struct recovering *g, const struct wal_record *r, uint32_t oid, const char *path, struct err *e)
{
	char *to;
	bool empty;

	for (size_t i = 0; i < g->nspaces; i++)
		if (g->spaces[i].later && g->spaces[i].oid == oid)
			return 1;
	if (!g->looking || g->p->instant || (to = place_for(g, oid, path)) == NULL)
		return 0;
	if (to[0] != '/') {
		err_set(e, ERR_USAGE, "tablespace %u: '%s' is no absolute path", (unsigned)oid, to);
		free(to);
		return -1;
	}
	if (recover_is_empty(to, &empty, NULL, e) == -1 || !empty) {
		if (!empty)
			err_set(e, ERR_EXISTS,
			    "tablespace %u, which was made after the base backup: %s is not empty",
			    (unsigned)oid, to);
		free(to);
		return empty ? -1 : err_hint(e, "empty it: the log makes all that is in it");
	}
	g->spaces = mem_realloc(g->spaces, (g->nspaces + 1) * sizeof *g->spaces);
	g->spaces[g->nspaces++] = (struct recover_space){.oid = oid,
	    .name = mem_printf("%u", (unsigned)oid),
	    .location = to,
	    .mapped = true,
	    .later = true};
	take_path_away(g, r);
	return 1;
}

/* Each that was mapped and is not in the base has to be met. */
static int check_met(const struct recovering *g, struct err *e)
{
	for (size_t i = 0; i < g->p->ntablespaces && !g->p->scratch; i++) {
		const char *map = g->p->tablespaces[i], *eq = strchr(map, '=');
		bool met = false;

		for (size_t j = 0; !met && eq != NULL && j < g->nspaces; j++)
			met = strcmp(g->spaces[j].location, eq + 1) == 0;
		if (met)
			continue;
		err_set(e, ERR_USAGE,
		    "--tablespace %s: there is no such tablespace, neither in the base backup nor "
		    "in "
		    "the log up to the target",
		    map);
		return err_hint(e,
		    "OID=FOLDER; of the base backup's also NAME=FOLDER, of the log's "
		    "PATH=FOLDER");
	}
	return 0;
}

/*
 * Replay makes the tablespace at the very path that it once had, whatever is there: the files of
 * the original, if that lives on this machine.  A scratch server has nothing to write there even
 * if it is empty: it is tried again, with all looked through beforehand.
 */
static int check_later(
    struct recovering *g, uint32_t oid, const char *path, uint64_t lsn, struct err *e)
{
	char at[RECOVER_LSN_TEXT];
	bool empty, there;

	if (accepted(g, path))
		return 0;
	if (recover_is_empty(path, &empty, &there, e) == -1)
		return err_wrap(e, "tablespace %" PRIu32, oid);
	if (there && empty && !g->p->scratch) {
		accept(g, path);
		return 0;
	}
	g->out->met_space = !g->looking;
	recover_lsn_text(lsn, at);
	if (!there) {
		err_set(e, ERR_ABSENT,
		    "tablespace %" PRIu32
		    " was made after the base backup (LSN %s) in %s, which is "
		    "not here: its replay would fail",
		    oid, at, path);
		return err_hint(e,
		    "--tablespace %" PRIu32 "=FOLDER puts it elsewhere; or make it, empty, for the "
		    "server's user; or a target before LSN %s",
		    oid, at);
	}
	err_set(e, ERR_EXISTS,
	    "tablespace %" PRIu32 " was made after the base backup (LSN %s) in %s, which is %s: "
	    "its replay would write %s",
	    oid, at, path, empty ? "not its own" : "not empty",
	    empty ? "there" : "over what is there");
	return err_hint(e,
	    "--tablespace %" PRIu32 "=FOLDER puts it elsewhere; or a target before LSN %s; if what "
	    "is there is nobody's, empty it",
	    oid, at);
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
	rc = is_of_the_base(g, r, oid, text) || g->base_only;
	if (rc == 0)
		rc = put_elsewhere(g, r, oid, text, e);
	if (rc == 0)
		rc = check_later(g, oid, text, r->lsn, e);
	free(text);
	return rc == -1 ? -1 : 0;
}

/* While the base backup was made: those that it has, and that go elsewhere, alone. */
static int look_at_base(struct recovering *g, struct err *e)
{
	struct recover_reach part = g->pl.reach;
	struct recover_log l = {g->repo, g->pl.reader, &part, g->pl.segment, g->ctx};
	bool elsewhere = false;
	int rc;

	for (size_t i = 0; i < g->nspaces; i++)
		elsewhere |= g->spaces[i].mapped || g->p->scratch;
	if (!elsewhere || g->p->instant)
		return 0;
	while (part.n > 1 && part.v[part.n - 1].start >= g->pl.base->end)
		part.n--;
	g->looking = g->base_only = true;
	rc = recover_scan_records(&l, recover_watch, g, e);
	g->looking = g->base_only = false;
	return rc;
}

int recover_watch_ahead(struct recovering *g, struct err *e)
{
	uint64_t log = g->pl.reach.n * g->pl.segment;
	struct recover_log l = {g->repo, g->pl.reader, &g->pl.reach, g->pl.segment, g->ctx};
	int rc;

	/* What is shown at once is thrown away as fast. */
	if (!g->p->dry_run && !g->maps_later && !g->p->look &&
	    (g->p->instant ||
		(g->pl.reach.n > SHORT_SEGMENTS && g->pl.base->part->stats.bytes / TIMES < log)))
		return look_at_base(g, e);
	g->looking = true;
	rc = recover_scan_records(&l, recover_watch, g, e);
	g->looking = false;
	return rc == -1 ? -1 : check_met(g, e);
}
