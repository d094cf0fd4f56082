/* recover_room: is there room for what is restored, on each file system that gets some of it? */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/op_tree.h"
#include "engine/recover_internal.h"
#include "os/os.h"

/* Beside what is restored: what PostgreSQL itself writes when it starts. */
#define SPARE (UINT64_C(64) << 20)

struct room {
	char *at; /* the nearest folder that is there */
	dev_t device;
	uint64_t need;
	const char *space; /* the first tablespace that is to go there; NULL: the data */
};

/* The nearest folder above that is there. */
static char *there_above(const char *path)
{
	char *p = mem_strdup(path), *slash;

	while (access(p, F_OK) != 0 && (slash = strrchr(p, '/')) != NULL && slash != p)
		*slash = '\0';
	return p;
}

static dev_t device_of(const char *path)
{
	struct stat st = {0};

	return stat(path, &st) == -1 ? 0 : st.st_dev;
}

static int add_size(void *arg, struct span path, const struct entry *en, struct err *e)
{
	uint64_t *sum = arg;

	(void)path;
	(void)e;
	*sum += en->type == ENTRY_FILE ? en->size : 0;
	return 0;
}

static int size_of(
    struct recovering *g, const struct recover_space *s, uint64_t *bytes, struct err *e)
{
	const char *top = strcmp(g->pl.path, "/") == 0 ? "" : g->pl.path;
	char *path = mem_printf("%s/pg_tblspc/%u", top, (unsigned)s->oid);
	int rc;

	*bytes = 0;
	rc = op_ls(g->repo, g->pl.base->snapshot, path, true, g->ctx, add_size, bytes, e);
	if (rc == -1 && e->kind == ERR_ABSENT)
		rc = 0;
	free(path);
	return rc == -1 ? err_wrap(e, "tablespace %s", s->name) : 0;
}

static struct room *room_on(struct room *v, size_t n, dev_t device)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].device == device)
			return &v[i];
	return NULL;
}

/* A tablespace on a file system that is not the data's: its share goes over. */
static int move(struct recovering *g, const struct recover_space *s, struct room *v, size_t *n,
    uint64_t *data, struct err *e)
{
	char *at = there_above(s->location);
	dev_t device = device_of(at);
	struct room *room = room_on(v, *n, device);
	uint64_t bytes;
	bool empty;

	if (room == v || s->later) {
		free(at);
		return 0;
	}
	if (recover_is_empty(s->location, &empty, NULL, e) == -1 ||
	    size_of(g, s, &bytes, e) == -1) {
		free(at);
		return -1;
	}
	*data -= bytes < *data ? bytes : *data;
	if (room == NULL) {
		room = &v[(*n)++];
		*room = (struct room){.at = at, .device = device, .space = s->name};
		at = NULL;
	}
	/* What a delta finds there already is not needed again. */
	room->need += empty ? bytes : 0;
	free(at);
	return 0;
}

static int too_small(
    const struct recovering *g, const struct room *room, uint64_t left, uint64_t log, struct err *e)
{
	unsigned long long has = left >> 20, need = (room->need >> 20) + 1;

	if (room->space != NULL) {
		err_set(e, ERR_NO_SPACE,
		    "tablespace %s: %s has %llu MiB left, and %llu MiB are needed there",
		    room->space, room->at, has, need);
		return err_hint(e, "make room there, or --tablespace '%s=FOLDER' puts it elsewhere",
		    room->space);
	}
	err_set(e, ERR_NO_SPACE, "%s has %llu MiB left, and %llu MiB are needed (%llu of them log)",
	    room->at, has, need, (unsigned long long)log >> 20);
	return err_hint(e, "make room there, or take another --target%s",
	    g->p->instant ? "" : "; a younger base backup needs less log");
}

static int judge(
    const struct recovering *g, const struct room *v, size_t n, uint64_t log, struct err *e)
{
	uint64_t left, all;

	for (size_t i = 0; i < n; i++)
		if (os_space(v[i].at, &left, &all) == 0 && left < v[i].need)
			return too_small(g, &v[i], left, log, e);
	return 0;
}

int recover_check_room(struct recovering *g, struct err *e)
{
	uint64_t data = g->pl.base->part->stats.bytes, log = g->pl.reach.n * g->pl.segment;
	struct room *v = mem_zalloc((g->nspaces + 1) * sizeof *v);
	size_t n = 1;
	bool empty;
	int rc;

	v->at = there_above(g->data);
	v->device = device_of(v->at);
	rc = recover_is_empty(g->data, &empty, NULL, e);
	for (size_t i = 0; i < g->nspaces && rc == 0 && !g->p->instant; i++)
		rc = move(g, &g->spaces[i], v, &n, &data, e);
	if (rc == 0) {
		v->need = (empty ? data : 0) + log + SPARE;
		rc = judge(g, v, n, log, e);
	}
	for (size_t i = 0; i < n; i++)
		free(v[i].at);
	free(v);
	return rc;
}
