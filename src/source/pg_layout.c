/* pg_layout: see pg_layout.h. */
#include "source/pg_layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool among(const char *name, const char *const *v)
{
	for (; *v != NULL; v++)
		if (strcmp(name, *v) == 0)
			return true;
	return false;
}

/* Digits of an OID from s on; 0: none. */
static size_t digits(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n <= 10 ? n : 0;
}

static bool is_number(const char *s)
{
	size_t n = digits(s);

	return n > 0 && s[n] == '\0';
}

static enum pg_take take_of_root(const char *name)
{
	static const char *const emptied[] = {"pg_dynshmem", "pg_notify", "pg_replslot",
	    "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans", NULL};
	static const char *const left[] = {"postmaster.pid", "postmaster.opts", "backup_manifest",
	    "postgresql.auto.conf.tmp", "current_logfiles.tmp", NULL};
	static const char *const late[] = {"backup_label", "tablespace_map", NULL};

	if (among(name, emptied) || strcmp(name, "pg_wal") == 0)
		return PG_EMPTY;
	return among(name, left) ? PG_LEAVE : among(name, late) ? PG_LATE : PG_TAKE;
}

/* "t3_16384", with a fork and a segment or without: of a session, gone with it. */
static bool is_temporary(const char *name)
{
	size_t n, m;

	if (name[0] != 't' || (n = digits(name + 1)) == 0 || name[1 + n] != '_')
		return false;
	m = digits(name + 2 + n);
	name += 2 + n + m;
	return m > 0 && (name[0] == '\0' || name[0] == '_' || name[0] == '.');
}

/* A tablespace's folder may be used by servers of several versions. */
static enum pg_take take_of_tablespace(const char *name, int major)
{
	char own[24];

	snprintf(own, sizeof own, "PG_%d_", major);
	return starts(name, own) ? PG_TAKE : PG_LEAVE;
}

enum pg_take pg_layout_take(const char *folder, const char *name, int major)
{
	if (starts(name, "pgsql_tmp") || starts(name, "pg_internal.init"))
		return PG_LEAVE;
	if (folder[0] == '\0')
		return take_of_root(name);
	if (strcmp(folder, "global") == 0 && strcmp(name, "pg_control") == 0)
		return PG_LATE;
	if (strcmp(folder, "pg_tblspc") == 0)
		return is_number(name) ? PG_FOLLOWED : PG_TAKE;
	if (starts(folder, "pg_tblspc/") && strchr(folder + 10, '/') == NULL)
		return take_of_tablespace(name, major);
	if (pg_layout_has_relations(folder) && is_temporary(name))
		return PG_LEAVE;
	return PG_TAKE;
}

bool pg_layout_has_relations(const char *folder)
{
	size_t n;

	if (strcmp(folder, "global") == 0)
		return true;
	if (starts(folder, "base/"))
		return is_number(folder + 5);
	if (!starts(folder, "pg_tblspc/") || (n = digits(folder + 10)) == 0)
		return false;
	folder += 10 + n;
	if (!starts(folder, "/PG_"))
		return false;
	folder = strchr(folder + 1, '/');
	return folder != NULL && is_number(folder + 1);
}

/* "16384", "_fsm", ".1": how long each of them is; false if it is none of a relation's. */
static bool parts_of(const char *name, size_t *number, size_t *fork)
{
	static const char *const forks[] = {"_fsm", "_vm", "_init"};
	const char *rest;

	*number = digits(name);
	*fork = 0;
	if (*number == 0)
		return false;
	rest = name + *number;
	for (size_t i = 0; i < 3 && *fork == 0; i++)
		if (starts(rest, forks[i]))
			*fork = strlen(forks[i]);
	rest += *fork;
	return rest[0] == '\0' || (rest[0] == '.' && is_number(rest + 1));
}

bool pg_layout_relation(const char *folder, const char *name, uint32_t *segment)
{
	size_t number, fork;
	const char *dot;

	*segment = 0;
	if (!pg_layout_has_relations(folder) || !parts_of(name, &number, &fork))
		return false;
	dot = strchr(name, '.');
	if (dot != NULL)
		*segment = (uint32_t)strtoul(dot + 1, NULL, 10);
	return true;
}

static int by_number(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return (x > y) - (x < y);
}

void pg_layout_drop_unlogged(struct source_names *names)
{
	unsigned long *unlogged = NULL;
	size_t n = 0, kept = 0, number, fork;

	for (size_t i = 0; i < names->n; i++) {
		const char *name = source_name(names, i);

		if (!parts_of(name, &number, &fork) || !starts(name + number, "_init"))
			continue;
		if ((n & (n - 1)) == 0)
			unlogged = mem_realloc(unlogged, (n ? 2 * n : 1) * sizeof *unlogged);
		unlogged[n++] = strtoul(name, NULL, 10);
	}
	if (n > 0)
		qsort(unlogged, n, sizeof *unlogged, by_number);
	for (size_t i = 0; n > 0 && i < names->n; i++) {
		const char *name = source_name(names, i);
		unsigned long oid = strtoul(name, NULL, 10);
		bool goes = parts_of(name, &number, &fork) && !starts(name + number, "_init") &&
			    bsearch(&oid, unlogged, n, sizeof oid, by_number) != NULL;

		if (!goes)
			names->at[kept++] = names->at[i];
	}
	if (n > 0)
		names->n = kept;
	free(unlogged);
}
