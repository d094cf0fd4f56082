/* pg_label: see pg_label.h. */
#include "source/pg_label.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/mem.h"

static bool hex(const char **s, uint32_t *out)
{
	size_t n = strspn(*s, "0123456789ABCDEFabcdef");

	if (n == 0 || n > 8)
		return false;
	*out = (uint32_t)strtoul(*s, NULL, 16);
	*s += n;
	return true;
}

/* From *s on, which then stands behind it. */
static bool lsn_at(const char **s, uint64_t *out)
{
	uint32_t high, low;

	if (!hex(s, &high) || **s != '/')
		return false;
	++*s;
	if (!hex(s, &low))
		return false;
	*out = (uint64_t)high << 32 | low;
	return true;
}

bool pg_lsn_parse(const char *s, uint64_t *out)
{
	return lsn_at(&s, out) && *s == '\0';
}

const char *pg_lsn_text(char out[PG_LSN_TEXT], uint64_t lsn)
{
	snprintf(out, PG_LSN_TEXT, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
	return out;
}

const char *pg_wal_name(
    char out[PG_WAL_NAME], uint32_t timeline, uint64_t lsn, uint64_t segment_size)
{
	uint64_t each = (UINT64_C(1) << 32) / segment_size, n = lsn / segment_size;

	snprintf(out, PG_WAL_NAME, "%08" PRIX32 "%08" PRIX32 "%08" PRIX32, timeline,
	    (uint32_t)(n / each), (uint32_t)(n % each));
	return out;
}

/* What follows "KEY: " at a line's beginning; NULL if no line begins so. */
static const char *line_of(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text;; p++) {
		if (strncmp(p, key, n) == 0 && strncmp(p + n, ": ", 2) == 0)
			return p + n + 2;
		p = strchr(p, '\n');
		if (p == NULL)
			return NULL;
	}
}

static int lacks(const char *what, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "backup_label: %s is missing, or odd", what);
}

int pg_label_parse(struct span text, struct pg_label *out, struct err *e)
{
	char *s;
	const char *p;
	int rc = 0;

	*out = (struct pg_label){0};
	if (text.n > 65536 || memchr(text.p, '\0', text.n) != NULL)
		return err_set(e, ERR_CORRUPT, "backup_label: this is none");
	s = mem_strndup((const char *)text.p, text.n);
	if ((p = line_of(s, "START WAL LOCATION")) == NULL || !lsn_at(&p, &out->start))
		rc = lacks("START WAL LOCATION", e);
	else if ((p = line_of(s, "CHECKPOINT LOCATION")) == NULL || !lsn_at(&p, &out->checkpoint))
		rc = lacks("CHECKPOINT LOCATION", e);
	else if ((p = line_of(s, "START TIMELINE")) == NULL ||
		 (out->timeline = (uint32_t)strtoul(p, NULL, 10)) == 0)
		rc = lacks("START TIMELINE", e);
	p = line_of(s, "BACKUP FROM");
	out->from_standby = p != NULL && strncmp(p, "standby", 7) == 0;
	free(s);
	return rc;
}

/* "OID FOLDER" and the line's end; what would end it stands behind a backslash. */
static int map_line(struct cursor *c, struct buf *folder, uint32_t *oid)
{
	uint64_t number = 0;
	size_t digits = 0;
	uint8_t b;

	for (; (b = cursor_u8(c)) >= '0' && b <= '9' && digits < 10; digits++)
		number = number * 10 + (b - '0');
	if (digits == 0 || b != ' ' || number == 0 || number > UINT32_MAX)
		return -1;
	buf_reset(folder);
	for (*oid = (uint32_t)number; (b = cursor_u8(c)) != '\n' && !c->bad;) {
		if (b == '\\')
			b = cursor_u8(c);
		if (b == '\0')
			return -1;
		buf_put(folder, &b, 1);
	}
	return c->bad || folder->n == 0 ? -1 : 0;
}

int pg_map_parse(struct span text, pg_map_each *each, void *arg, struct err *e)
{
	struct cursor c = cursor_of(text);
	struct buf folder = {0};
	uint32_t oid;
	int rc = 0;

	while (rc == 0 && cursor_left(&c) > 0) {
		rc = map_line(&c, &folder, &oid);
		if (rc == 0)
			each(arg, oid, buf_cstr(&folder));
	}
	buf_fini(&folder);
	return rc == 0 ? 0 : err_set(e, ERR_CORRUPT, "tablespace_map: this is none");
}
