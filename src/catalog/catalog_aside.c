/* catalog_aside: what cannot be read any more is kept under another name, and begun anew. */
#include "catalog/catalog_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"
#include "os/os.h"

/* SQLite's own files beside it belong to it: with another file they would be poison. */
static const char *const parts[] = {"-wal", "-shm", ""};

static int move_part(const char *path, const char *to, const char *part, struct err *e)
{
	char *a = mem_printf("%s%s", path, part), *b = mem_printf("%s%s", to, part);
	int rc = os_renameat(AT_FDCWD, a, AT_FDCWD, b);

	if (rc == -1 && (errno != ENOENT || part[0] == '\0'))
		err_sys(e, "%s", a);
	else
		rc = 0;
	free(a);
	free(b);
	return rc;
}

/* "20261121T204501Z", and which of that second where there was one before. */
static char *name_of(const char *path)
{
	struct clock *clock = os_clock();
	struct stat st;
	char when[CALENDAR_TEXT], *name = NULL;

	calendar_format_utc(when, clock->wall_ns(clock) / 1000000000 * 1000000000);
	for (int i = 0; name == NULL; i++) {
		name = i ? mem_printf("%s.damaged-%s.%d", path, when, i)
			 : mem_printf("%s.damaged-%s", path, when);
		if (os_fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			free(name);
			name = NULL;
		}
	}
	return name;
}

static int move(const char *path, char **aside, struct err *e)
{
	char *to = name_of(path);

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (move_part(path, to, parts[i], e) == -1) {
			free(to);
			return -1;
		}
	*aside = to;
	return 0;
}

int catalog_move_aside(const char *url, bool (*bad)(const char *url, void *arg), void *arg,
    char **aside, struct err *e)
{
	const char *path = strncmp(url, "sqlite:", 7) == 0 ? url + 7 : url;
	char *lock;
	bool busy;
	int fd, rc = -1;

	*aside = NULL;
	if (path[0] != '/')
		return 0;
	lock = mem_printf("%s.lock", path);
	fd = os_open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1)
		err_sys(e, "%s", lock);
	/* Whoever found it damaged at the same time has moved it, and it is another one now. */
	else if (os_lock(fd, true, &busy, e) == 0)
		rc = bad(url, arg) ? move(path, aside, e) : 0;
	os_close(fd);
	free(lock);
	return rc;
}

static bool is_corrupt(const char *url, void *arg)
{
	struct catalog *c;
	struct err e;
	int rc = catalog_open(url, &c, &e);

	if (rc == 0)
		catalog_close(c);
	return rc == -1 && e.kind == ERR_CORRUPT;
}

int catalog_open_anew(const char *url, struct catalog **out, char **aside, struct err *e)
{
	struct err why;

	*aside = NULL;
	if (catalog_open(url, out, e) == 0)
		return 0;
	if (e->kind != ERR_CORRUPT || strncmp(url, "postgres", 8) == 0)
		return -1;
	why = *e;
	if (catalog_move_aside(url, is_corrupt, NULL, aside, e) == -1) {
		*e = why;
		return -1;
	}
	return catalog_open(url, out, e);
}

static bool look(const struct catalog *c, struct stat *st)
{
	const char *path = strncmp(c->url, "sqlite:", 7) == 0 ? c->url + 7 : c->url;

	return os_fstatat(AT_FDCWD, path, st, 0) == 0;
}

void catalog_note_file(struct catalog *c)
{
	struct stat st;

	if (db_is_server(c->db) || !look(c, &st))
		return;
	c->device = st.st_dev;
	c->inode = st.st_ino;
}

bool catalog_is_moved(const struct catalog *c)
{
	struct stat st;

	return c->inode != 0 && (!look(c, &st) || st.st_dev != c->device || st.st_ino != c->inode);
}

static int take_verdict(void *arg, const struct db_value *v, size_t n, struct err *e)
{
	bool *sound = arg;

	*sound = v[0].type == DB_TEXT && span_eq(v[0].s, span_str("ok"));
	return 0;
}

bool catalog_is_sound(struct catalog *c)
{
	bool sound = false;
	struct err ignored;

	if (db_is_server(c->db))
		return true;
	return db_run(c->db, "PRAGMA quick_check(1)", NULL, 0, take_verdict, &sound, &ignored) ==
		   0 &&
	       sound;
}

static bool is_unsound(const char *url, void *arg)
{
	struct catalog *c;
	struct err e;
	bool bad;

	if (catalog_open(url, &c, &e) == -1)
		return e.kind == ERR_CORRUPT;
	bad = !catalog_is_sound(c);
	catalog_close(c);
	return bad;
}

int catalog_renew(const char *url, struct catalog **out, char **aside, struct err *e)
{
	if (catalog_move_aside(url, is_unsound, NULL, aside, e) == -1)
		return -1;
	return catalog_open(url, out, e);
}
