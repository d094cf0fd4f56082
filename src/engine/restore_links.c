/*
 * restore_links: hard links.  The first name of a group is restored, the
 * others are made as links to it at once, for a file exists from the moment it
 * is begun.  Should its content turn out to be lost, the names that were linked
 * to it are taken away again: they would show what is not whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/restore_internal.h"
#include "os/os.h"

struct group {
	char *first;   /* below the target */
	char **others; /* below the target */
	char **paths;  /* of the others, for messages */
	size_t n, cap;
	bool failed;
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
	rs->links = idmap_new(sizeof(struct group));
}

void restore_links_free(struct restore *rs)
{
	struct group *g;
	struct id id;
	size_t pos = 0;

	while ((g = idmap_next(rs->links, &pos, &id)) != NULL) {
		for (size_t i = 0; i < g->n; i++) {
			free(g->others[i]);
			free(g->paths[i]);
		}
		free(g->first);
		free(g->others);
		free(g->paths);
	}
	idmap_free(rs->links);
}

/* The group's first name, or NULL if this one is it now. */
static char *first_of(struct restore *rs, struct target_dir *d, const struct entry *en)
{
	struct id key = key_of(en);
	struct group *g;
	char *first = NULL;

	pthread_mutex_lock(&rs->lock);
	g = idmap_put(rs->links, &key, NULL);
	if (g->first != NULL)
		first = mem_strdup(g->first);
	else
		g->first = below(d, en);
	pthread_mutex_unlock(&rs->lock);
	return first;
}

void restore_links_first(struct restore *rs, struct target_dir *d, const struct entry *en)
{
	if (en->linked)
		free(first_of(rs, d, en));
}

static void note_other(
    struct restore *rs, struct target_dir *d, const struct entry *en, const char *path)
{
	struct id key = key_of(en);
	struct group *g;

	pthread_mutex_lock(&rs->lock);
	g = idmap_put(rs->links, &key, NULL);
	if (g->n == g->cap) {
		g->cap = g->cap ? 2 * g->cap : 4;
		g->others = mem_realloc(g->others, g->cap * sizeof *g->others);
		g->paths = mem_realloc(g->paths, g->cap * sizeof *g->paths);
	}
	g->others[g->n] = below(d, en);
	g->paths[g->n++] = mem_strdup(path);
	pthread_mutex_unlock(&rs->lock);
}

int restore_link(struct restore *rs, struct target_dir *d, const struct entry *en, const char *path,
    struct err *e)
{
	char *first, *name;
	int rc;

	if (!en->linked || rs->p->dry_run || (first = first_of(rs, d, en)) == NULL)
		return 0;
	name = mem_strndup((const char *)en->name.p, en->name.n);
	rc = target_link(d, name, first, e);
	if (rc == 0)
		note_other(rs, d, en, path);
	free(name);
	free(first);
	return rc == -1 ? -1 : 1;
}

void restore_links_failed(struct restore *rs, const struct entry *en)
{
	struct id key = key_of(en);
	struct group *g;

	if (!en->linked)
		return;
	pthread_mutex_lock(&rs->lock);
	g = idmap_get(rs->links, &key);
	if (g != NULL)
		g->failed = true;
	pthread_mutex_unlock(&rs->lock);
}

static int remove_below(int root, char *path)
{
	char *slash = strrchr(path, '/');
	int dir, rc;

	if (slash == NULL)
		return os_unlinkat(root, path, 0);
	*slash = '\0';
	dir = os_open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0);
	if (dir == -1)
		return -1;
	rc = os_unlinkat(dir, slash + 1, 0);
	os_close(dir);
	return rc;
}

void restore_links_mend(struct restore *rs)
{
	int root = os_open(rs->p->target, O_RDONLY | O_DIRECTORY, 0);
	struct group *g;
	struct id id;
	size_t pos = 0;
	struct err e;

	while (root != -1 && (g = idmap_next(rs->links, &pos, &id)) != NULL)
		for (size_t i = 0; g->failed && i < g->n; i++) {
			err_set(&e, ERR_CORRUPT, "a hard link to %s, which is damaged", g->first);
			if (remove_below(root, g->others[i]) == -1 && errno != ENOENT)
				err_sys(&e, "remove a link to what is damaged");
			restore_problem(rs, g->paths[i], &e);
		}
	os_close(root);
}
