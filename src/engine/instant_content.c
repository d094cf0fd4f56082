/* instant_content: see instant_content.h. */
#include "engine/instant_content.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/mount_file.h"
#include "engine/tree_path.h"

struct asker {
	pthread_mutex_t lock; /* guards what follows: a reader has one owner */
	struct reader *reader;
	struct mount_blobs *blobs;
	struct mount_file **file; /* by number; NULL until it is asked for */
	size_t nfiles;
	unsigned seen; /* of what is done */

	_Atomic unsigned failures; /* to reach the repository; changed under the lock */
	struct err why;            /* of the last */
};

struct instant_content {
	struct repo *repo;
	const struct snapshot *snapshot;
	char *root;
	char **path;
	_Atomic bool *done;
	size_t n, cap;
	_Atomic unsigned ndone;
	struct asker asker[INSTANT_WHO];
};

struct instant_content *instant_content_new(
    struct repo *r, const struct snapshot *s, const char *root)
{
	struct instant_content *c = mem_zalloc(sizeof *c);

	c->repo = r;
	c->snapshot = s;
	c->root = mem_strdup(strcmp(root, "/") == 0 ? "" : root);
	for (int i = 0; i < INSTANT_WHO; i++)
		pthread_mutex_init(&c->asker[i].lock, NULL);
	return c;
}

void instant_content_free(struct instant_content *c)
{
	if (c == NULL)
		return;
	for (int i = 0; i < INSTANT_WHO; i++) {
		struct asker *a = &c->asker[i];

		for (size_t n = 0; n < a->nfiles; n++)
			mount_file_close(a->file[n]);
		free(a->file);
		mount_blobs_free(a->blobs);
		reader_free(a->reader);
		pthread_mutex_destroy(&a->lock);
	}
	for (size_t i = 0; i < c->n; i++)
		free(c->path[i]);
	free(c->path);
	free(c->done);
	free(c->root);
	free(c);
}

void instant_content_add(struct instant_content *c, const char *path)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->path = mem_realloc(c->path, c->cap * sizeof *c->path);
		c->done = mem_realloc(c->done, c->cap * sizeof *c->done);
	}
	atomic_init(&c->done[c->n], false);
	c->path[c->n++] = mem_printf("%s/%s", c->root, path);
}

void instant_content_done(void *arg, uint32_t n)
{
	struct instant_content *c = arg;

	if (n >= c->n)
		return;
	atomic_store(&c->done[n], true);
	atomic_fetch_add(&c->ndone, 1);
}

/* A file has 40 bytes for each of its blobs, and there may be many. */
static void close_done(struct instant_content *c, struct asker *a)
{
	unsigned now = atomic_load(&c->ndone);

	if (now == a->seen)
		return;
	a->seen = now;
	for (size_t n = 0; n < a->nfiles; n++)
		if (a->file[n] != NULL && atomic_load(&c->done[n])) {
			mount_file_close(a->file[n]);
			a->file[n] = NULL;
		}
}

const char *instant_content_path(const struct instant_content *c, uint32_t n)
{
	return n < c->n ? c->path[n] : "?";
}

static struct mount_file *open_file(
    struct instant_content *c, struct asker *a, uint32_t n, struct err *e)
{
	struct mount_file *f = NULL;
	struct mount_item *it;
	struct tree_path at;

	if (tree_path_find(a->reader, c->snapshot, c->path[n], &at, e) == -1)
		return NULL;
	it = mount_item_new(&at.entry, &at.ref);
	f = mount_file_open(a->reader, it, e);
	mount_item_unref(it);
	tree_path_fini(&at);
	return f;
}

static int fetch_locked(struct instant_content *c, struct asker *a, uint32_t n, uint64_t off,
    size_t len, struct buf *out, struct err *e)
{
	size_t before = out->n;

	if (a->reader == NULL) {
		a->reader = reader_new(c->repo);
		reader_keep_up(a->reader);
		a->blobs = mount_blobs_new(a->reader);
		a->nfiles = c->n;
		a->file = mem_zalloc(c->n * sizeof *a->file);
	}
	close_done(c, a);
	if (n >= a->nfiles)
		return err_set(e, ERR_BUG, "no file has the number %u", n);
	if (a->file[n] == NULL && (a->file[n] = open_file(c, a, n, e)) == NULL)
		return -1;
	if (mount_file_read(a->file[n], a->blobs, off, len, out, e) == -1)
		return -1;
	if (out->n - before != len)
		return err_set(e, ERR_CORRUPT, "it is shorter than it was said to be");
	return 0;
}

int instant_content_fetch(void *arg, enum instant_who who, uint32_t n, uint64_t off, size_t len,
    struct buf *out, struct err *e)
{
	struct instant_content *c = arg;
	struct asker *a = &c->asker[who];
	unsigned before = atomic_load(&a->failures);
	int rc = -1;

	pthread_mutex_lock(&a->lock);
	/* Who waited while it did not answer need not find that out once more. */
	if (atomic_load(&a->failures) != before) {
		*e = a->why;
	} else {
		rc = fetch_locked(c, a, n, off, len, out, e);
		if (rc == -1 && (e->kind == ERR_UNREACHABLE || e->kind == ERR_TIMEOUT)) {
			a->why = *e;
			atomic_fetch_add(&a->failures, 1);
		}
	}
	pthread_mutex_unlock(&a->lock);
	return rc == -1 ? err_wrap(e, "%s", instant_content_path(c, n)) : 0;
}
