/* recover_prepare: see recover_internal.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/recover_internal.h"
#include "os/os.h"

enum { INSIDE_SINCE = 15 }; /* a tablespace may be a folder in pg_tblspc */

/* ---- Tablespaces. */

/* "16385=/srv/fast" or "fast=/srv/fast": the folder, if the key is one of these. */
const char *recover_map_for(const char *map, const char *oid, const char *name)
{
	const char *eq = strchr(map, '=');
	size_t n = eq ? (size_t)(eq - map) : 0;

	if (n == 0)
		return NULL;
	if ((strlen(oid) == n && strncmp(map, oid, n) == 0) ||
	    (name != NULL && strlen(name) == n && strncmp(map, name, n) == 0))
		return eq + 1;
	return NULL;
}

static int add_space(struct recovering *g, const json_t *t, struct err *e)
{
	uint64_t oid = recover_fact_number(t, "oid");
	const char *name = recover_fact_text(t, "name"), *location, *mapped = NULL;
	struct recover_space *s;
	char text[16];

	location = recover_fact_text(t, "location");
	/* pg_default and pg_global have no place of their own. */
	if (oid == 0 || oid > UINT32_MAX || location == NULL || location[0] != '/')
		return 0;
	snprintf(text, sizeof text, "%u", (unsigned)oid);
	for (size_t i = 0; i < g->p->ntablespaces; i++) {
		const char *to = recover_map_for(g->p->tablespaces[i], text, name);

		mapped = to ? to : mapped;
	}
	if (mapped != NULL && mapped[0] != '/') {
		err_set(e, ERR_USAGE, "tablespace %s: '%s' is no absolute path", text, mapped);
		return err_hint(e, "--tablespace %s=/FOLDER: its path from the root on", text);
	}
	g->spaces = mem_realloc(g->spaces, (g->nspaces + 1) * sizeof *g->spaces);
	s = &g->spaces[g->nspaces++];
	*s = (struct recover_space){.oid = (uint32_t)oid, .mapped = mapped != NULL};
	s->name = mem_strdup(name ? name : text);
	if (g->p->instant) /* inside: see check_space_folders */
		s->location = mem_printf("%s/pg_tblspc/%s", g->data, text);
	else if (mapped == NULL && g->p->scratch)
		s->location = mem_printf("%s-tablespaces/%s", g->data, text);
	else
		s->location = mem_strdup(mapped ? mapped : location);
	return 0;
}

static int check_maps(struct recovering *g, struct err *e)
{
	for (size_t i = 0; i < g->p->ntablespaces; i++) {
		const char *map = g->p->tablespaces[i];
		bool used = false;

		for (size_t j = 0; j < g->nspaces; j++) {
			char text[16];

			snprintf(text, sizeof text, "%u", (unsigned)g->spaces[j].oid);
			used |= recover_map_for(map, text, g->spaces[j].name) != NULL;
		}
		/* What the log made has no name there, but its number and its path. */
		if (!used && !g->p->instant && (map[0] == '/' || (map[0] >= '1' && map[0] <= '9')))
			g->maps_later = used = true;
		if (!used) {
			err_set(e, ERR_USAGE, "--tablespace %s: the backup has no such tablespace",
			    map);
			return err_hint(e, "OID=FOLDER or NAME=FOLDER");
		}
	}
	return 0;
}

int recover_spaces(struct recovering *g, struct err *e)
{
	const json_t *list = json_object_get(g->pl.facts, "tablespaces");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (add_space(g, json_array_get(list, i), e) == -1)
			return -1;
	return check_maps(g, e);
}

/* ---- Folders. */

int recover_is_empty(const char *path, bool *empty, bool *there, struct err *e)
{
	DIR *d = opendir(path);
	struct dirent *de;

	*empty = true;
	if (there != NULL)
		*there = d != NULL;
	if (d == NULL)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	while (*empty && (de = readdir(d)) != NULL)
		*empty = strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0;
	closedir(d);
	return 0;
}

static bool has(const char *dir, const char *name)
{
	char *path = mem_printf("%s/%s", dir, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* The first thing in pg_control, of every version and on every machine that it may be read on. */
static uint64_t system_of(const char *data)
{
	char *path = mem_printf("%s/global/pg_control", data);
	int fd = os_open(path, O_RDONLY | O_CLOEXEC, 0);
	uint64_t system = 0;

	if (fd != -1 && os_pread_full(fd, &system, sizeof system, 0) != sizeof system)
		system = 0;
	os_close(fd);
	free(path);
	return system;
}

/* What is there is this very database, or what an earlier recovery has left unfinished. */
static int check_delta(struct recovering *g, struct err *e)
{
	const char *id = recover_fact_text(g->pl.facts, "system_identifier");
	uint64_t system = system_of(g->data);

	if (!has(g->data, "PG_VERSION") && !has(g->data, "global/pg_control") &&
	    !has(g->data, ".holdfast-unfinished")) {
		err_set(
		    e, ERR_EXISTS, "%s is not empty, and no data directory of PostgreSQL", g->data);
		return err_hint(
		    e, "a delta removes what the backup does not have: empty it yourself");
	}
	if (id == NULL || system == 0 || system == strtoull(id, NULL, 10))
		return 0;
	err_set(e, ERR_EXISTS, "%s holds another database (system %llu, not %s)", g->data,
	    (unsigned long long)system, id);
	return err_hint(e, "recover into another folder, or empty this one yourself");
}

static int check_target(struct recovering *g, struct err *e)
{
	bool empty;
	int pid;

	if (pg_server_runs(g->data, &pid) && g->p->stop_command == NULL) {
		err_set(e, ERR_BUSY, "a server (process %d) runs on %s", pid, g->data);
		return err_hint(e, "stop it first");
	}
	if (recover_refuse_shown(g, e) == -1 || recover_is_empty(g->data, &empty, NULL, e) == -1)
		return -1;
	if (empty)
		return 0;
	if (g->p->delta)
		return check_delta(g, e);
	err_set(e, ERR_EXISTS, "%s is not empty", g->data);
	return err_hint(e, "--delta makes of a data directory what the backup has");
}

/* What is shown at once has them in the target: one file system, and no links out of it. */
static int check_inside(struct recovering *g, struct err *e)
{
	if (g->nspaces > 0 && g->pl.major < INSIDE_SINCE) {
		err_set(e, ERR_UNSUPPORTED,
		    "the backup has tablespaces: they can be shown at once from PostgreSQL %d on",
		    INSIDE_SINCE);
		return err_hint(e, "recover without --instant");
	}
	if (g->p->ntablespaces == 0)
		return 0;
	err_set(e, ERR_USAGE, "--tablespace: with --instant tablespaces are inside the target");
	return err_hint(e, "move what is in them later: ALTER TABLE ... SET TABLESPACE");
}

static int check_space_folders(struct recovering *g, struct err *e)
{
	if (g->p->instant)
		return check_inside(g, e);
	for (size_t i = 0; i < g->nspaces; i++) {
		const struct recover_space *s = &g->spaces[i];
		char *link = mem_printf("%s/pg_tblspc/%u", g->data, (unsigned)s->oid);
		char *was = os_real_path(link), *is = os_real_path(s->location);
		bool same = was != NULL && is != NULL && strcmp(was, is) == 0, empty = true;
		int rc = recover_is_empty(s->location, &empty, NULL, e);

		free(link);
		free(was);
		free(is);
		if (rc == -1)
			return -1;
		if (empty || (g->p->delta && same))
			continue;
		err_set(e, ERR_EXISTS, "tablespace %s: %s is not empty", s->name, s->location);
		return err_hint(
		    e, "--tablespace '%s=FOLDER' puts it elsewhere, by an absolute path", s->name);
	}
	return 0;
}

/* ---- Configuration. */

/* Distributions keep it elsewhere: then it has to be here before the server can be started. */
static int check_config(struct recovering *g, struct err *e)
{
	const json_t *settings = json_object_get(g->pl.facts, "settings");
	const char *file = recover_fact_text(settings, "config_file");
	const char *data = recover_fact_text(g->pl.facts, "data_directory");
	size_t n = data ? strlen(data) : 0;

	/* A scratch server has one of its own. */
	if (g->p->scratch || !g->p->start || g->p->start_command != NULL || file == NULL ||
	    n == 0 || (strncmp(file, data, n) == 0 && file[n] == '/'))
		return 0;
	g->config = file;
	if (access(file, R_OK) == 0)
		return 0;
	err_set(e, ERR_ABSENT, "its server's configuration was %s, which is not here", file);
	return err_hint(e, "bring it back first, or recover without --start and put one into the "
			   "target");
}

/* ---- All of it. */

int recover_prepare(struct recovering *g, struct err *e)
{
	bool must = g->p->start || g->p->scratch;
	struct err why;
	int major = g->pl.major;

	if (major > 0)
		g->bin = pg_binaries_find(major, g->p->server.bin, must ? e : &why);
	if (major > 0 && g->bin == NULL && must)
		return -1;
	recover_warn_only(g);
	if (check_config(g, e) == -1 || check_target(g, e) == -1 ||
	    check_space_folders(g, e) == -1 || recover_check_room(g, e) == -1 ||
	    recover_check_listen(g, e) == -1 || recover_watch_ahead(g, e) == -1)
		return -1;
	recover_say(g, "%s, %zu segment%s of the log%s", g->bin ? g->bin : "no programs of it here",
	    g->pl.reach.n, g->pl.reach.n == 1 ? "" : "s", g->p->delta ? ", delta" : "");
	return 0;
}
