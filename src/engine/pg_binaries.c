/* pg_binaries: see pg_binaries.h. */
#include "engine/pg_binaries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_child.h"

enum { OLDEST = 13, NEWEST = 20 };

#define RUN_FOR (INT64_C(30) * 1000000000)

int pg_version_of(const char *data, int *major, struct err *e)
{
	char *path = mem_printf("%s/PG_VERSION", data);
	struct buf b = {0};
	unsigned a = 0, minor = 0;
	int rc = os_read_file(path, 64, &b, e), n;

	if (rc == 0) {
		n = sscanf(buf_cstr(&b), "%3u.%3u", &a, &minor);
		*major = (int)(n == 2 ? a * 100 + minor : a);
		if (n < 1 || a == 0)
			rc = err_set(e, ERR_CORRUPT, "%s: no version of PostgreSQL", path);
	}
	if (rc == -1 && e->kind == ERR_ABSENT)
		err_hint(e, "is %s a data directory of PostgreSQL?", data);
	buf_fini(&b);
	free(path);
	return rc;
}

/* ---- Finding programs. */

static void first_line(void *arg, const char *line)
{
	char *out = arg;

	if (*out == '\0')
		snprintf(out, 128, "%s", line);
}

/* Does `postgres --version` of this folder say that it is this one? */
static bool fits(const char *dir, int major)
{
	char *path = mem_printf("%s/postgres", dir), line[128] = "";
	const char *argv[] = {path, "--version", NULL};
	struct os_child c = {.argv = argv, .line = first_line, .arg = line, .timeout_ns = RUN_FOR};
	unsigned a = 0, minor = 0;
	struct err e;
	int status;
	bool ok = access(path, X_OK) == 0 && os_child_run(&c, NULL, &status, &e) == 0 &&
		  status == 0 && sscanf(line, "postgres (PostgreSQL) %3u.%3u", &a, &minor) >= 1;

	free(path);
	return ok && (int)(a < 10 ? a * 100 + minor : a) == major;
}

/* The first folder of a list with colons that fits, or that folder of a `bin` in it. */
static char *in_list(const char *list, int major)
{
	while (list != NULL && *list != '\0') {
		size_t n = strcspn(list, ":");
		char *dir = mem_printf("%.*s", (int)n, list);

		if (n > 0 && fits(dir, major))
			return dir;
		free(dir);
		list += n + (list[n] == ':');
	}
	return NULL;
}

char *pg_binaries_find(int major, const char *wanted, struct err *e)
{
	char version[16], *found, *usual;

	if (wanted != NULL && *wanted != '\0') {
		if (fits(wanted, major))
			return mem_strdup(wanted);
		err_set(e, ERR_UNSUPPORTED, "%s: no programs of PostgreSQL %d", wanted, major);
		return NULL;
	}
	if (major < 1000 && major > 100)
		snprintf(version, sizeof version, "%d.%d", major / 100, major % 100);
	else
		snprintf(version, sizeof version, "%d", major);
	found = in_list(getenv("HOLDFAST_POSTGRESQL_BIN"), major);
	if (found != NULL)
		return found;
	usual = mem_printf("/usr/lib/postgresql/%s/bin:/usr/pgsql-%s/bin:/usr/lib/postgresql%s/bin:"
			   "/opt/postgresql/%s/bin:/usr/local/pgsql/bin:/usr/local/bin:/usr/bin",
	    version, version, version, version);
	found = in_list(usual, major);
	free(usual);
	if (found == NULL)
		found = in_list(getenv("PATH"), major);
	if (found != NULL)
		return found;
	err_set(e, ERR_UNSUPPORTED, "the programs of PostgreSQL %s are not here", version);
	err_hint(e,
	    "install postgresql-%s, or name their folder: HOLDFAST_POSTGRESQL_BIN or "
	    "bin_directory",
	    version);
	return NULL;
}

char *pg_binaries_any(const char *wanted, struct err *e)
{
	char *found = NULL;

	for (int major = NEWEST; found == NULL && major >= OLDEST; major--)
		found = pg_binaries_find(major, wanted, e);
	return found;
}

/* ---- pg_controldata. */

enum control_type { TEXT, NUMBER, BIG, LSN, FLAG, TIMELINE };

static const struct {
	const char *name;
	enum control_type type;
	size_t at;
} control_lines[] = {
    {"Database cluster state", TEXT, offsetof(struct pg_control, state)},
    {"Database system identifier", BIG, offsetof(struct pg_control, system_identifier)},
    {"Latest checkpoint's TimeLineID", TIMELINE, offsetof(struct pg_control, timeline)},
    {"Latest checkpoint location", LSN, offsetof(struct pg_control, checkpoint)},
    {"Latest checkpoint's REDO location", LSN, offsetof(struct pg_control, redo)},
    {"Minimum recovery ending location", LSN, offsetof(struct pg_control, minimum_recovery)},
    {"Bytes per WAL segment", BIG, offsetof(struct pg_control, segment_size)},
    {"Database block size", BIG, offsetof(struct pg_control, block_size)},
    {"max_connections setting", NUMBER, offsetof(struct pg_control, max_connections)},
    {"max_worker_processes setting", NUMBER, offsetof(struct pg_control, max_worker_processes)},
    {"max_wal_senders setting", NUMBER, offsetof(struct pg_control, max_wal_senders)},
    {"max_prepared_xacts setting", NUMBER, offsetof(struct pg_control, max_prepared)},
    {"max_locks_per_xact setting", NUMBER, offsetof(struct pg_control, max_locks)},
    {"Data page checksum version", FLAG, offsetof(struct pg_control, checksums)},
};

static void set(struct pg_control *c, size_t i, const char *value)
{
	char *at = (char *)c + control_lines[i].at;

	switch (control_lines[i].type) {
	case TEXT:
		snprintf(at, sizeof c->state, "%s", value);
		return;
	case LSN:
		pg_lsn_parse(value, (uint64_t *)(void *)at);
		return;
	case FLAG:
		*(bool *)at = strtoul(value, NULL, 10) != 0;
		return;
	case BIG:
		*(uint64_t *)(void *)at = strtoull(value, NULL, 10);
		return;
	case NUMBER:
	case TIMELINE:
		*(uint32_t *)(void *)at = (uint32_t)strtoul(value, NULL, 10);
		return;
	}
}

static void control_line(void *arg, const char *line)
{
	const char *colon = strchr(line, ':'), *value;

	if (colon == NULL)
		return;
	value = colon + 1 + strspn(colon + 1, " \t");
	for (size_t i = 0; i < sizeof control_lines / sizeof *control_lines; i++)
		if (strlen(control_lines[i].name) == (size_t)(colon - line) &&
		    strncmp(line, control_lines[i].name, (size_t)(colon - line)) == 0)
			set(arg, i, value);
}

int pg_control_read(
    const char *bin, const char *data, struct ctx *ctx, struct pg_control *out, struct err *e)
{
	static const char *const env[] = {"LC_ALL=C", "LANGUAGE=C", NULL};
	char *path = mem_printf("%s/pg_controldata", bin);
	const char *argv[] = {path, "-D", data, NULL};
	struct os_child c = {
	    .argv = argv, .env = env, .line = control_line, .arg = out, .timeout_ns = RUN_FOR};
	int status = 0, rc;

	*out = (struct pg_control){0};
	rc = os_child_run(&c, ctx, &status, e);
	if (rc == 0 && (status != 0 || out->segment_size == 0))
		rc = err_set(e, ERR_CORRUPT, "%s/global/pg_control cannot be read", data);
	free(path);
	return rc;
}
