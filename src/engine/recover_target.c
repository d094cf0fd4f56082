/* recover_target: see recover_target.h. */
#include "engine/recover_target.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "engine/pg_binaries.h"

#define SECOND_US INT64_C(1000000)

static int parse_xid(const char *text, struct recover_target *out, struct err *e)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	/* Below 3 are none of users'. */
	if (!isdigit((unsigned char)*text) || *end || errno || v < 3 || v > UINT32_MAX)
		return err_set(e, ERR_USAGE, "'%s' is not a transaction's number", text);
	out->kind = RECOVER_XID;
	out->xid = (uint32_t)v;
	return 0;
}

static int parse_name(const char *text, struct recover_target *out, struct err *e)
{
	if (*text == '\0' || strlen(text) >= RECOVER_NAME_MAX)
		return err_set(
		    e, ERR_USAGE, "a restore point's name has 1 to %d bytes", RECOVER_NAME_MAX - 1);
	out->kind = RECOVER_NAME;
	memcpy(out->name, text, strlen(text) + 1);
	return 0;
}

/* Is it meant as a time?  2026-... */
static bool looks_like_time(const char *s)
{
	for (int i = 0; i < 4; i++)
		if (!isdigit((unsigned char)s[i]))
			return false;
	return s[4] == '-' && isdigit((unsigned char)s[5]);
}

static int parse_time(const char *text, struct recover_target *out, struct err *e)
{
	size_t n = strlen(text);
	struct calendar_time t;
	char *whole;
	/* PostgreSQL writes an offset of whole hours so. */
	bool hours = n > 13 && (text[n - 3] == '+' || text[n - 3] == '-') && strchr(text, ':') &&
		     isdigit((unsigned char)text[n - 2]) && isdigit((unsigned char)text[n - 1]);
	int rc;

	whole = mem_printf("%s%s", text, hours ? ":00" : "");
	rc = calendar_parse_time(whole, &t, e);
	free(whole);
	out->kind = RECOVER_TIME;
	out->time_us = t.ns / 1000;
	return rc;
}

int recover_target_parse(const char *text, struct recover_target *out, struct err *e)
{
	*out = (struct recover_target){0};
	if (strcmp(text, "latest") == 0)
		return 0;
	if (strcmp(text, "immediate") == 0) {
		out->kind = RECOVER_IMMEDIATE;
		return 0;
	}
	if (strncmp(text, "xid:", 4) == 0)
		return parse_xid(text + 4, out, e);
	if (strncmp(text, "name:", 5) == 0)
		return parse_name(text + 5, out, e);
	out->kind = RECOVER_LSN;
	if (pg_lsn_parse(strncmp(text, "lsn:", 4) == 0 ? text + 4 : text, &out->lsn))
		return 0;
	if (strncmp(text, "lsn:", 4) == 0) {
		err_set(e, ERR_USAGE, "'%s' is not a position of the log", text + 4);
		return err_hint(e, "like 16/B374D848");
	}
	if (looks_like_time(text))
		return parse_time(text, out, e);
	return parse_name(text, out, e);
}

const char *recover_lsn_text(uint64_t lsn, char out[RECOVER_LSN_TEXT])
{
	snprintf(
	    out, RECOVER_LSN_TEXT, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
	return out;
}

const char *recover_time_text(int64_t us, char out[RECOVER_TARGET_TEXT])
{
	time_t s = (time_t)(us / SECOND_US);
	int64_t rest = us % SECOND_US;
	struct tm tm;

	if (rest < 0) {
		rest += SECOND_US;
		s--;
	}
	gmtime_r(&s, &tm);
	snprintf(out, RECOVER_TARGET_TEXT, "%04d-%02d-%02d %02d:%02d:%02d.%06d+00",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (int)rest);
	return out;
}

const char *recover_local_text(int64_t us, char out[RECOVER_TARGET_TEXT])
{
	char text[CALENDAR_TEXT];
	char *zone = strrchr(calendar_format_local(text, us * 1000), ' ');

	snprintf(out, RECOVER_TARGET_TEXT, "%.*s.%03d%s", zone ? (int)(zone - text) : 40, text,
	    (int)((us / 1000 % 1000 + 1000) % 1000), zone ? zone : "");
	return out;
}

const char *recover_target_text(const struct recover_target *t, char out[RECOVER_TARGET_TEXT])
{
	char lsn[RECOVER_LSN_TEXT];

	switch (t->kind) {
	case RECOVER_IMMEDIATE:
		return strcpy(out, "the end of the base backup");
	case RECOVER_TIME:
		return recover_local_text(t->time_us, out);
	case RECOVER_LSN:
		snprintf(out, RECOVER_TARGET_TEXT, "LSN %s", recover_lsn_text(t->lsn, lsn));
		return out;
	case RECOVER_XID:
		snprintf(out, RECOVER_TARGET_TEXT, "transaction %" PRIu32, t->xid);
		return out;
	case RECOVER_NAME:
		snprintf(out, RECOVER_TARGET_TEXT, "restore point %s", t->name);
		return out;
	case RECOVER_LATEST:
	case RECOVER_KINDS:
		break;
	}
	return strcpy(out, "the latest");
}

/* ---- Settings. */

static void put_setting(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s = '", name);
	for (; *value; value++)
		buf_printf(out, *value == '\'' || *value == '\\' ? "%c%c" : "%c", *value, *value);
	buf_printf(out, "'\n");
}

static const char begins[] = "# Set by holdfast recover for the time of a recovery, from here\n";
static const char ends[] = "# to here: end of what holdfast recover has set\n";

/* What the server's own files may say for a recovery of its own counts for nothing in ours. */
static void put_nothing_else(struct buf *out)
{
	static const char *const none[] = {"recovery_target", "recovery_target_time",
	    "recovery_target_lsn", "recovery_target_xid", "recovery_target_name",
	    "recovery_end_command", "archive_cleanup_command", "primary_slot_name",
	    "primary_conninfo"};

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		put_setting(out, none[i], "");
	put_setting(out, "recovery_min_apply_delay", "0");
}

/*
 * Of several lines for one setting the last counts, and PostgreSQL takes settings in the order of
 * the lines that count: the target has to come after all that are none.
 */
static void put_target(const struct recover_settings *s, struct buf *out)
{
	static const char *const actions[] = {"promote", "pause", "shutdown"};
	char text[RECOVER_TARGET_TEXT], number[16];

	switch (s->to.kind) {
	case RECOVER_IMMEDIATE:
		put_setting(out, "recovery_target", "immediate");
		break;
	case RECOVER_TIME:
		put_setting(out, "recovery_target_time", recover_time_text(s->to.time_us, text));
		break;
	case RECOVER_LSN:
		put_setting(out, "recovery_target_lsn", recover_lsn_text(s->to.lsn, text));
		break;
	case RECOVER_XID:
		snprintf(number, sizeof number, "%" PRIu32, s->to.xid);
		put_setting(out, "recovery_target_xid", number);
		break;
	case RECOVER_NAME:
		put_setting(out, "recovery_target_name", s->to.name);
		break;
	case RECOVER_LATEST:
	case RECOVER_KINDS:
		return;
	}
	put_setting(out, "recovery_target_inclusive", "on");
	put_setting(out, "recovery_target_action", actions[s->action]);
}

void recover_settings_text(const struct recover_settings *s, struct buf *out)
{
	char number[16];

	buf_printf(out, "%s", begins);
	put_setting(out, "restore_command", s->restore_command);
	put_setting(out, "wal_recycle", "off"); /* no file of another segment's bytes */
	snprintf(number, sizeof number, "%" PRIu32, s->timeline);
	put_setting(out, "recovery_target_timeline", number);
	/* All that was restored is on disk: one call says so instead of one for each file. */
	if (s->major >= 14)
		put_setting(out, "recovery_init_sync_method", "syncfs");
	/* It would have pages brought that the log holds whole, a few records before their use. */
	if (s->shown && s->major >= 15)
		put_setting(out, "recovery_prefetch", "off");
	/* Through the mount a write is a way: replay is not to wait for each page it gives up. */
	if (s->shown) {
		put_setting(out, "bgwriter_delay", "10ms");
		put_setting(out, "bgwriter_lru_maxpages", "1000");
		put_setting(out, "bgwriter_lru_multiplier", "10");
	}
	if (s->spaces_inside)
		put_setting(out, "allow_in_place_tablespaces", "on");
	put_nothing_else(out);
	put_target(s, out);
	buf_printf(out, "%s", ends);
}

void recover_settings_strip(const char *text, struct buf *out)
{
	while (*text) {
		const char *end = NULL;
		size_t n = strcspn(text, "\n");

		n += text[n] == '\n';
		if (strncmp(text, begins, sizeof begins - 1) == 0) {
			end = strstr(text, ends);
			/* One that was left without its end is but a line. */
			text += end ? 0 : n;
			n = end ? (size_t)(end - text) + sizeof ends - 1 : 0;
		} else {
			buf_put(out, text, n);
		}
		text += n;
	}
}
