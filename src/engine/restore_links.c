/*
 * restore_links: hard links.  The first name of a group is restored, the
 * others are made as links to it, but not before its content is whole: what
 * stands under their names stays until then, and if the content turns out to
 * be lost they are not made at all.
 *
 * A link whose first name is still being written waits.  There are few such:
 * when the list is full, or at the end, the walk has the window that it fills
 * written and waits for them.  The walk alone makes links.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/restore_internal.h"
#include "os/os.h"

enum { WAITING_MAX = 256 };
enum state { BEING_MADE, MADE, FAILED };

struct group {
	char *first; /* below the target; NULL: none yet */
	enum state state;
	bool damaged;
};

struct waiting {
	struct target_dir *dir; /* held */
	struct id key;
	char *name, *path;
};

struct rlinks {
	struct idmap *groups; /* guarded by restore.lock, with the condition `settled` */
	pthread_cond_t settled;
	struct waiting *waiting; /* the walk's */
	size_t n, max;
};

static struct id key_of(const struct entry *en)
{
	struct id id = {{0}};

	memcpy(id.b, &en->link_group, sizeof en->link_group);
	memcpy(id.b + 8, &en->link_group, sizeof en->link_group);
	return id;
}

static char *below(struct target_dir *d, const struct entry *en)
{
	const char *dir = target_dir_path(d);

	return mem_printf(
	    "%s%s%.*s", dir, *dir ? "/" : "", (int)en->name.n, (const char *)en->name.p);
}

void restore_links_init(struct restore *rs)
{
	struct rlinks *l = mem_zalloc(sizeof *l);
	size_t fds = os_nofile() / 8;

	l->groups = idmap_new(sizeof(struct group));
	l->max = fds < WAITING_MAX ? fds : WAITING_MAX;
	l->waiting = mem_alloc((l->max + 1) * sizeof *l->waiting);
	pthread_cond_init(&l->settled, NULL);
	rs->links = l;
}

void restore_links_free(struct restore *rs)
{
	struct rlinks *l = rs->links;
	struct group *g;
	struct id id;
	size_t pos = 0;

	while ((g = idmap_next(l->groups, &pos, &id)) != NULL)
		free(g->first);
	idmap_free(l->groups);
	pthread_cond_destroy(&l->settled);
	free(l->waiting);
	free(l);
}

void restore_links_settle(struct restore *rs, const struct entry *en, enum restore_made made)
{
	struct id key = key_of(en);
	struct group *g;

	if (!en->linked)
		return;
	pthread_mutex_lock(&rs->lock);
	g = idmap_get(rs->links->groups, &key);
	if (g != NULL && g->state == BEING_MADE) {
		g->state = made == RESTORE_MADE ? MADE : FAILED;
		g->damaged = made == RESTORE_DAMAGED;
	}
	pthread_cond_broadcast(&rs->links->settled);
	pthread_mutex_unlock(&rs->lock);
}

/* A copy of the group's state with a new `first`, or NULL there if this one is it now. */
static struct group look_up(struct restore *rs, struct target_dir *d, const struct entry *en)
{
	struct id key = key_of(en);
	struct group *g, out;

	pthread_mutex_lock(&rs->lock);
	g = idmap_put(rs->links->groups, &key, NULL);
	out = *g;
	if (g->first != NULL)
		out.first = mem_strdup(g->first);
	else
		g->first = below(d, en);
	pthread_mutex_unlock(&rs->lock);
	return out;
}

void restore_links_first(struct restore *rs, struct target_dir *d, const struct entry *en)
{
	if (!en->linked)
		return;
	free(look_up(rs, d, en).first);
	restore_links_settle(rs, en, RESTORE_MADE);
}

bool restore_links_known(
    struct restore *rs, struct target_dir *d, const struct entry *en, bool *same)
{
	struct id key = key_of(en);
	char *first = NULL, *name;
	bool settled = false;
	struct group *g;

	*same = false;
	if (!en->linked || d == NULL)
		return false;
	pthread_mutex_lock(&rs->lock);
	g = idmap_get(rs->links->groups, &key);
	if (g != NULL) {
		first = mem_strdup(g->first);
		settled = g->state != BEING_MADE;
	}
	pthread_mutex_unlock(&rs->lock);
	if (first == NULL)
		return false;
	name = mem_strndup((const char *)en->name.p, en->name.n);
	/* While the first is being made, what is there is its predecessor. */
	*same = settled && target_linked(d, name, first);
	free(name);
	free(first);
	return true;
}

static int make(struct restore *rs, struct target_dir *d, const char *name, const char *path,
    const struct group *g, struct err *e)
{
	if (g->state != MADE)
		return err_set(e, g->damaged ? ERR_CORRUPT : ERR_FAILED,
		    "a hard link to %s, which %s", g->first,
		    g->damaged ? "is damaged" : "could not be restored");
	if (target_link(d, name, g->first, e) == -1)
		return -1;
	atomic_fetch_add(&rs->files, 1);
	atomic_fetch_add(&rs->ctx->progress.files, 1);
	event_emit(rs->ctx, EVENT_FILE_DONE, span_str(path), "restored");
	return 0;
}

static struct group wait_for(struct restore *rs, const struct id *key)
{
	struct group g;

	pthread_mutex_lock(&rs->lock);
	while ((g = *(struct group *)idmap_get(rs->links->groups, key)).state == BEING_MADE)
		pthread_cond_wait(&rs->links->settled, &rs->lock);
	pthread_mutex_unlock(&rs->lock);
	return g;
}

void restore_links_drain(struct restore *rs)
{
	struct rlinks *l = rs->links;

	if (l->n > 0)
		restore_window_flush(rs);
	for (size_t i = 0; i < l->n; i++) {
		struct waiting *w = &l->waiting[i];
		struct group g = wait_for(rs, &w->key);
		struct err e;

		if (!restore_stopping(rs) && make(rs, w->dir, w->name, w->path, &g, &e) == -1)
			restore_problem(rs, w->path, &e);
		target_dir_unref(w->dir);
		free(w->name);
		free(w->path);
	}
	l->n = 0;
}

int restore_link(struct restore *rs, struct target_dir *d, const struct entry *en, const char *path,
    struct err *e)
{
	struct rlinks *l = rs->links;
	struct group g;
	char *name;
	int rc = 0;

	if (!en->linked || rs->p->dry_run || (g = look_up(rs, d, en)).first == NULL)
		return 0;
	name = mem_strndup((const char *)en->name.p, en->name.n);
	if (g.state == BEING_MADE) {
		l->waiting[l->n++] = (struct waiting){
		    target_dir_ref(d), key_of(en), name, mem_strdup(path)};
		if (l->n >= l->max)
			restore_links_drain(rs);
	} else {
		rc = make(rs, d, name, path, &g, e);
		free(name);
	}
	free(g.first);
	return rc == -1 ? -1 : 1;
}
