/* pg_sync: see pg_sync.h. */
#include "db/pg_sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

enum { NAMES_MAX = 64, NAME_MAX_BYTES = 64 };

/* ---- The list, as syncrep_gram.y and syncrep_scanner.l of PostgreSQL take it. */

struct list {
	char v[NAMES_MAX][NAME_MAX_BYTES];
	size_t n;
	unsigned long needed;
};

enum token { END, NAME, NUMBER, ANY, FIRST, COMMA, OPEN, CLOSE, BAD };

static bool begins_word(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static enum token quoted(const char **p, char out[NAME_MAX_BYTES])
{
	size_t n = 0;

	for (;; (*p)++) {
		if (**p == '"' && *++*p != '"')
			break;
		if (**p == '\0' || n + 1 == NAME_MAX_BYTES)
			return BAD;
		out[n++] = **p;
	}
	out[n] = '\0';
	return n ? NAME : BAD;
}

static enum token word(const char **p, char out[NAME_MAX_BYTES])
{
	bool number = is_digit((unsigned char)**p);
	size_t n = 0;

	for (unsigned char c = (unsigned char)**p;
	     is_digit(c) || (!number && (begins_word(c) || c == '$')); c = (unsigned char)*++*p) {
		if (n + 1 == NAME_MAX_BYTES)
			return BAD;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return number                          ? NUMBER
	       : strcasecmp(out, "any") == 0   ? ANY
	       : strcasecmp(out, "first") == 0 ? FIRST
					       : NAME;
}

static enum token next(const char **p, char out[NAME_MAX_BYTES])
{
	unsigned char c;

	*p += strspn(*p, " \t\n\r\f\v");
	c = (unsigned char)**p;
	if (c == '\0')
		return END;
	if (begins_word(c) || is_digit(c))
		return word(p, out);
	++*p;
	if (c == '"')
		return quoted(p, out);
	snprintf(out, NAME_MAX_BYTES, "%c", c);
	return c == '*' ? NAME : c == ',' ? COMMA : c == '(' ? OPEN : c == ')' ? CLOSE : BAD;
}

/* Names after each other; *end is the token after them. */
static bool names(const char **p, struct list *l, enum token *end)
{
	for (;;) {
		char name[NAME_MAX_BYTES];
		enum token t = next(p, name);

		if ((t != NAME && t != NUMBER) || l->n == NAMES_MAX)
			return false;
		memcpy(l->v[l->n++], name, sizeof name);
		*end = next(p, name);
		if (*end != COMMA)
			return true;
	}
}

static bool parse(const char *text, struct list *l)
{
	char word[NAME_MAX_BYTES];
	const char *p = text;
	enum token t = next(&p, word), end;

	l->n = 0;
	l->needed = 1;
	if (t == ANY || t == FIRST) {
		t = next(&p, word);
		if (t != NUMBER)
			return false;
	}
	if (t == NUMBER) {
		char other[NAME_MAX_BYTES];

		if (next(&p, other) == OPEN) {
			l->needed = strtoul(word, NULL, 10);
			return l->needed > 0 && names(&p, l, &end) && end == CLOSE &&
			       next(&p, word) == END;
		}
	}
	p = text;
	return names(&p, l, &end) && end == END;
}

/* ---- What it says of one. */

static bool is_plain(const char *name)
{
	if (!begins_word((unsigned char)name[0]) || strcasecmp(name, "any") == 0 ||
	    strcasecmp(name, "first") == 0)
		return false;
	while (begins_word((unsigned char)*name) || is_digit((unsigned char)*name))
		name++;
	return *name == '\0';
}

static void put_identifier(struct buf *b, const char *name)
{
	buf_put_u8(b, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"')
			buf_put_u8(b, '"');
		buf_put_u8(b, (uint8_t)*name);
	}
	buf_put_u8(b, '"');
}

static void put_name(struct buf *b, const char *name)
{
	if (is_plain(name))
		buf_printf(b, "%s", name);
	else
		put_identifier(b, name);
}

/* All of them are needed: us, and those that are there. */
static void improve(const struct list *l, const char *application, char *out, size_t size)
{
	struct buf all = {0}, b = {0};
	size_t n = 1;

	put_name(&all, application);
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->v[i], "*") == 0 || strcasecmp(l->v[i], application) == 0)
			continue;
		buf_printf(&all, ", ");
		put_name(&all, l->v[i]);
		n++;
	}
	if (n > 1)
		buf_printf(&b, "FIRST %zu (%s)", n, buf_cstr(&all));
	if (n == 1 || b.n >= size) {
		buf_reset(&b);
		put_name(&b, application);
	}
	snprintf(out, size, "%s", buf_cstr(&b));
	buf_fini(&all);
	buf_fini(&b);
}

enum pg_sync pg_sync_names(
    const char *text, const char *application, char *better, size_t better_size)
{
	bool ours = false, anybody = false;
	struct list l = {.n = 0};

	if (text[strspn(text, " \t\n\r\f\v")] != '\0' && !parse(text, &l)) {
		l.n = 0;
		anybody = true;
	}
	if (better != NULL)
		improve(&l, application, better, better_size);
	if (anybody)
		return PG_SYNC_NONSENSE;
	if (l.n == 0)
		return PG_SYNC_NOBODY;
	for (size_t i = 0; i < l.n; i++) {
		ours = ours || strcasecmp(l.v[i], application) == 0;
		anybody = anybody || strcmp(l.v[i], "*") == 0;
	}
	if (!ours && !anybody)
		return PG_SYNC_OTHERS;
	return anybody || l.needed < l.n ? PG_SYNC_OPTIONAL : PG_SYNC_WAITS;
}

/* ---- What a server says. */

#define RELOAD "; select pg_reload_conf()"

struct asked {
	const char *application;
	struct pg_sync_state *out;
};

/* recovery, names, synchronous_commit, where that is from, how many of our name */
static int take_settings(void *arg, const char *const *v, size_t n, struct err *e)
{
	const struct asked *a = arg;
	struct pg_sync_state *s = a->out;
	char better[256];

	if (n < 5 || v[0] == NULL || v[1] == NULL || v[2] == NULL || v[3] == NULL || v[4] == NULL)
		return err_set(e, ERR_CORRUPT, "the server does not say for whom commits wait");
	s->how = pg_sync_names(v[1], a->application, better, sizeof better);
	if (v[0][0] == 't')
		s->how = PG_SYNC_STANDBY;
	else if (s->how == PG_SYNC_WAITS && strcmp(v[4], "0") != 0 && strcmp(v[4], "1") != 0)
		s->how = PG_SYNC_TWO;
	else if (s->how == PG_SYNC_WAITS && strncmp(v[3], "database", 8) != 0 &&
		 strcmp(v[3], "user") != 0 &&
		 (strcmp(v[2], "off") == 0 || strcmp(v[2], "local") == 0)) {
		s->how = PG_SYNC_LEVEL;
		snprintf(s->why, sizeof s->why, "synchronous_commit is %s: no commit waits", v[2]);
		snprintf(s->fix, sizeof s->fix, "alter system set synchronous_commit = on" RELOAD);
		return 0;
	}
	if (s->how == PG_SYNC_WAITS)
		return 0;
	snprintf(s->fix, sizeof s->fix, "alter system set synchronous_standby_names = '%s'" RELOAD,
	    better);
	switch (s->how) {
	case PG_SYNC_STANDBY:
		snprintf(s->why, sizeof s->why,
		    "the server is a standby: commits are made at its primary, and wait for "
		    "nobody who receives from here");
		snprintf(s->fix, sizeof s->fix, "receive from its primary, or: synchronous: no");
		break;
	case PG_SYNC_TWO:
		snprintf(s->why, sizeof s->why,
		    "%s have connected to it as %s: any of them can stand for the receiver", v[4],
		    a->application);
		snprintf(s->fix, sizeof s->fix, "receive: {application: NAME}, one of its own");
		break;
	case PG_SYNC_NOBODY:
		snprintf(s->why, sizeof s->why,
		    "synchronous_standby_names is empty: no commit waits for %s", a->application);
		break;
	default:
		snprintf(s->why, sizeof s->why,
		    s->how == PG_SYNC_OPTIONAL
			? "synchronous_standby_names (%.150s) names %s, but others can stand for it"
			: "synchronous_standby_names (%.150s) does not name %s",
		    v[1], a->application);
		break;
	}
	return 0;
}

/* Who goes on without waiting, by name: database, role, value.  The first is told. */
static int take_exception(void *arg, const char *const *v, size_t n, struct err *e)
{
	static const char *const waits[] = {
	    "on", "remote_apply", "remote_write", "true", "yes", "1"};
	struct pg_sync_state *s = arg;
	bool database, role;
	struct buf b = {0};

	if (n < 3 || v[2] == NULL)
		return err_set(e, ERR_CORRUPT, "the server does not say who waits");
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
		if (strcasecmp(v[2], waits[i]) == 0)
			return 0;
	if (s->how != PG_SYNC_WAITS)
		return 0;
	database = v[0] != NULL;
	role = v[1] != NULL;
	s->how = PG_SYNC_LEVEL;
	snprintf(s->why, sizeof s->why,
	    "synchronous_commit is %.20s for %s%.64s%s%s%.64s: its commits do not wait", v[2],
	    role ? "role " : "", role ? v[1] : "", role && database ? " in " : "",
	    database ? "database "
	    : role   ? ""
		     : "all",
	    database ? v[0] : "");
	buf_printf(&b, "alter ");
	if (role || !database) {
		buf_printf(&b, "role ");
		if (role)
			put_identifier(&b, v[1]);
		else
			buf_printf(&b, "all");
		buf_printf(&b, database ? " in " : "");
	}
	if (database) {
		buf_printf(&b, "database ");
		put_identifier(&b, v[0]);
	}
	buf_printf(&b, " reset synchronous_commit");
	snprintf(s->fix, sizeof s->fix, "%s", buf_cstr(&b));
	buf_fini(&b);
	return 0;
}

int pg_sync_look(struct pg *q, const char *application, struct pg_sync_state *out, struct err *e)
{
	const struct db_value name = db_text(application);
	struct asked a = {application, out};

	*out = (struct pg_sync_state){.how = PG_SYNC_NONSENSE};
	if (pg_query(q,
		"SELECT pg_is_in_recovery(), current_setting('synchronous_standby_names'), "
		"s.setting, "
		"s.source, (SELECT count(*) FROM pg_stat_replication WHERE "
		"application_name = $1 AND state IN ('streaming', 'catchup')) "
		"FROM pg_settings s WHERE s.name = 'synchronous_commit'",
		&name, 1, take_settings, &a, e) == -1)
		return -1;
	if (out->how != PG_SYNC_WAITS)
		return 0;
	return pg_query(q,
	    "SELECT d.datname, r.rolname, substr(c, length('synchronous_commit=') + 1) "
	    "FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c "
	    "LEFT JOIN pg_database d ON d.oid = s.setdatabase "
	    "LEFT JOIN pg_roles r ON r.oid = s.setrole "
	    "WHERE c LIKE 'synchronous\\_commit=%' ORDER BY 1, 2",
	    NULL, 0, take_exception, out, e);
}
