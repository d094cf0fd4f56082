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
#include "engine/link_table.h"
#include "engine/restore_internal.h"
#include "os/os.h"

enum { WAITING_MAX = 256 };
enum state { BEING_MADE, MADE, FAILED, DAMAGED };

/* A copy. */
struct group {
	char *first; /* below the target; NULL: there is none */
	enum state state;
};

struct waiting {
	struct target_dir *dir; /* held */
	uint64_t group;
	char *name, *path;
};

struct rlinks {
	struct link_table *groups; /* guarded by restore.lock, with the condition `settled` */
	pthread_cond_t settled;
	struct waiting *waiting; /* the walk's */
	size_t n, max;
};

void restore_links_init(struct restore *rs)
{
	struct rlinks *l = mem_zalloc(sizeof *l);
	size_t fds = os_nofile() / 8;

	l->groups = link_table_new();
	l->max = fds < WAITING_MAX ? fds : WAITING_MAX;
	l->waiting = mem_alloc((l->max + 1) * sizeof *l->waiting);
	pthread_cond_init(&l->settled, NULL);
	rs->links = l;
}

void restore_links_free(struct restore *rs)
{
	struct rlinks *l = rs->links;

	link_table_free(l->groups);
	pthread_cond_destroy(&l->settled);
	free(l->waiting);
	free(l);
}

void restore_links_settle(struct restore *rs, const struct entry *en, enum restore_made made)
{
	struct link_table *groups = rs->links->groups;
	uint32_t at;

	if (!en->linked)
		return;
	pthread_mutex_lock(&rs->lock);
	at = link_table_find(groups, en->link_group);
	if (at != LINK_TABLE_NONE && *link_table_state(groups, at) == BEING_MADE)
		*link_table_state(groups, at) = made == RESTORE_MADE      ? MADE
						: made == RESTORE_DAMAGED ? DAMAGED
									  : FAILED;
	pthread_cond_broadcast(&rs->links->settled);
	pthread_mutex_unlock(&rs->lock);
}

/* With the lock. */
static struct group copy_of(struct rlinks *l, uint64_t group)
{
	uint32_t at = link_table_find(l->groups, group);

	if (at == LINK_TABLE_NONE)
		return (struct group){NULL, BEING_MADE};
	return (struct group){
	    link_table_first(l->groups, at), (enum state) * link_table_state(l->groups, at)};
}

/* The group as it was; where it had no first name, this one is it now. */
static struct group look_up(struct restore *rs, struct target_dir *d, const struct entry *en)
{
	struct group was;

	pthread_mutex_lock(&rs->lock);
	was = copy_of(rs->links, en->link_group);
	if (was.first == NULL)
		link_table_add(rs->links->groups, en->link_group, target_dir_path(d), en->name);
	pthread_mutex_unlock(&rs->lock);
	return was;
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
	struct group g;
	char *name;

	*same = false;
	if (!en->linked || d == NULL)
		return false;
	pthread_mutex_lock(&rs->lock);
	g = copy_of(rs->links, en->link_group);
	pthread_mutex_unlock(&rs->lock);
	if (g.first == NULL)
		return false;
	name = mem_strndup((const char *)en->name.p, en->name.n);
	/* While the first is being made, what is there is its predecessor. */
	*same = g.state != BEING_MADE && target_linked(d, name, g.first);
	free(name);
	free(g.first);
	return true;
}

static int make(struct restore *rs, struct target_dir *d, const char *name, const char *path,
    const struct group *g, struct err *e)
{
	if (g->state != MADE)
		return err_set(e, g->state == DAMAGED ? ERR_CORRUPT : ERR_FAILED,
		    "a hard link to %s, which %s", g->first,
		    g->state == DAMAGED ? "is damaged" : "could not be restored");
	if (target_link(d, name, g->first, e) == -1)
		return -1;
	atomic_fetch_add(&rs->files, 1);
	atomic_fetch_add(&rs->ctx->progress.files, 1);
	event_emit(rs->ctx, EVENT_FILE_DONE, span_str(path), "restored");
	return 0;
}

static struct group wait_for(struct restore *rs, uint64_t group)
{
	struct link_table *groups = rs->links->groups;
	struct group g;
	uint32_t at;

	pthread_mutex_lock(&rs->lock);
	at = link_table_find(groups, group);
	while (*link_table_state(groups, at) == BEING_MADE)
		pthread_cond_wait(&rs->links->settled, &rs->lock);
	g = copy_of(rs->links, group);
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
		struct group g = wait_for(rs, w->group);
		struct err e;

		if (!restore_stopping(rs) && make(rs, w->dir, w->name, w->path, &g, &e) == -1)
			restore_problem(rs, w->path, &e);
		free(g.first);
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
		    target_dir_ref(d), en->link_group, name, mem_strdup(path)};
		if (l->n >= l->max)
			restore_links_drain(rs);
	} else {
		rc = make(rs, d, name, path, &g, e);
		free(name);
	}
	free(g.first);
	return rc == -1 ? -1 : 1;
}
