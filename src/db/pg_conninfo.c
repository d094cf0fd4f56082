/* pg_conninfo: see pg_conninfo.h. */
#include "db/pg_conninfo.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "db/pq.h"

/* In quotes, as a conninfo string has values. */
static void put_value(struct buf *b, const char *keyword, const char *value)
{
	buf_printf(b, "%s%s='", b->n ? " " : "", keyword);
	for (; *value; value++)
		buf_printf(b, *value == '\'' || *value == '\\' ? "\\%c" : "%c", *value);
	buf_printf(b, "'");
}

static bool is_plain(const char *value)
{
	return *value && value[strcspn(value, " '\\")] == '\0';
}

static int take_apart(
    const PQconninfoOption *o, const char *typed, struct pg_conninfo *out, struct err *e)
{
	struct buf b = {0}, shown = {0};
	int rc = 0;

	for (; rc == 0 && o->keyword != NULL; o++) {
		if (o->val == NULL)
			continue;
		if (strcmp(o->keyword, "sslpassword") == 0) {
			err_set(e, ERR_USAGE,
			    "a client key's password is not passed on to other programs");
			rc = err_hint(e, "put it into a service file, and say service=NAME");
		} else if (strcmp(o->keyword, "password") == 0) {
			out->env = mem_printf("PGPASSWORD=%s", o->val);
		} else {
			put_value(&b, o->keyword, o->val);
			if (is_plain(o->val))
				buf_printf(
				    &shown, "%s%s=%s", shown.n ? " " : "", o->keyword, o->val);
			else
				put_value(&shown, o->keyword, o->val);
		}
	}
	out->text = mem_strdup(buf_cstr(&b));
	out->shown = mem_strdup(out->env ? buf_cstr(&shown) : typed);
	buf_fini(&b);
	buf_fini(&shown);
	return rc;
}

int pg_conninfo_parse(const char *typed, struct pg_conninfo *out, struct err *e)
{
	bool name = strchr(typed, '=') == NULL && strstr(typed, "://") == NULL;
	PQconninfoOption *o;
	const struct pq *pq;
	char *said = NULL;
	int rc;

	*out = (struct pg_conninfo){0};
	if (name) {
		out->text = mem_strdup(typed);
		out->shown = mem_strdup(typed);
		return 0;
	}
	if ((pq = pq_open(e)) == NULL)
		return -1;
	o = pq->conninfoParse(typed, &said);
	if (o == NULL) {
		/* What libpq says of it may hold any part of it. */
		pq->freemem(said);
		err_set(e, ERR_USAGE, "that is no URL and no conninfo string");
		return err_hint(e, "postgresql://user@host/name, or 'host=... dbname=...'");
	}
	rc = take_apart(o, typed, out, e);
	pq->conninfoFree(o);
	if (rc == -1)
		pg_conninfo_fini(out);
	return rc;
}

void pg_conninfo_fini(struct pg_conninfo *i)
{
	if (i->env != NULL)
		explicit_bzero(i->env, strlen(i->env));
	free(i->text);
	free(i->shown);
	free(i->env);
	*i = (struct pg_conninfo){0};
}
