/* instant_set: see instant_set.h. */
#include "engine/instant_set.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct member {
	dev_t dev;
	ino_t ino;
	uint32_t n;
	char *path;
	struct instant_file *file;
};

struct instant_set {
	void (*dropped)(void *arg, uint32_t n);
	void *arg;

	pthread_mutex_t lock; /* guards the table, never held while a file works */
	struct member *v;
	size_t n, cap;
};

struct instant_set *instant_set_new(void)
{
	struct instant_set *s = mem_zalloc(sizeof *s);

	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void instant_set_free(struct instant_set *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++) {
		instant_file_unref(s->v[i].file);
		free(s->v[i].path);
	}
	pthread_mutex_destroy(&s->lock);
	free(s->v);
	free(s);
}

void instant_set_on_drop(struct instant_set *s, void (*dropped)(void *arg, uint32_t n), void *arg)
{
	s->dropped = dropped;
	s->arg = arg;
}

void instant_set_add(struct instant_set *s, const struct stat *st, uint32_t n, const char *path,
    struct instant_file *f)
{
	pthread_mutex_lock(&s->lock);
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->v = mem_realloc(s->v, s->cap * sizeof *s->v);
	}
	s->v[s->n++] = (struct member){st->st_dev, st->st_ino, n, mem_strdup(path), f};
	pthread_mutex_unlock(&s->lock);
}

/* A database has some hundred files of more than a few blocks: a walk through all is short. */
struct instant_file *instant_set_find(struct instant_set *s, const struct stat *st, uint32_t *n)
{
	struct instant_file *f = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n && f == NULL; i++)
		if (s->v[i].ino == st->st_ino && s->v[i].dev == st->st_dev) {
			f = instant_file_ref(s->v[i].file);
			*n = s->v[i].n;
		}
	pthread_mutex_unlock(&s->lock);
	return f;
}

static bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static bool is_named(const char *path, const char *name)
{
	return strcmp(path, name) == 0;
}

static struct instant_file *find_by(struct instant_set *s,
    bool (*is)(const char *path, const char *what), const char *what, uint32_t *n)
{
	struct instant_file *f = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n && f == NULL; i++)
		if (is(s->v[i].path, what)) {
			f = instant_file_ref(s->v[i].file);
			*n = s->v[i].n;
		}
	pthread_mutex_unlock(&s->lock);
	return f;
}

struct instant_file *instant_set_below(struct instant_set *s, const char *folder, uint32_t *n)
{
	return find_by(s, is_below, folder, n);
}

struct instant_file *instant_set_named(struct instant_set *s, const char *path, uint32_t *n)
{
	return find_by(s, is_named, path, n);
}

void instant_set_drop(struct instant_set *s, uint32_t n)
{
	struct instant_file *f = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].n == n) {
			f = s->v[i].file;
			free(s->v[i].path);
			s->v[i] = s->v[--s->n];
			break;
		}
	pthread_mutex_unlock(&s->lock);
	if (f != NULL && s->dropped != NULL)
		s->dropped(s->arg, n);
	instant_file_unref(f);
}

/* References to all of them, so that the lock need not be held while each is asked. */
static struct member *copy_all(struct instant_set *s, size_t *n)
{
	struct member *v;

	pthread_mutex_lock(&s->lock);
	v = mem_alloc((s->n + 1) * sizeof *v);
	*n = s->n;
	for (size_t i = 0; i < s->n; i++) {
		v[i] = s->v[i];
		instant_file_ref(v[i].file);
	}
	pthread_mutex_unlock(&s->lock);
	return v;
}

struct instant_file *instant_set_next(struct instant_set *s, uint32_t *n)
{
	struct instant_file *best = NULL;
	uint64_t best_left = 0;
	size_t count;
	struct member *v = copy_all(s, &count);

	for (size_t i = 0; i < count; i++) {
		uint64_t left = instant_file_left(v[i].file);
		unsigned a = instant_file_asked(v[i].file), b = best ? instant_file_asked(best) : 0;

		if (left > 0 && left == instant_file_bad(v[i].file))
			continue;
		if (best == NULL || a > b || (a == b && left < best_left)) {
			best = v[i].file;
			best_left = left;
			*n = v[i].n;
		}
	}
	for (size_t i = 0; i < count; i++)
		if (v[i].file != best)
			instant_file_unref(v[i].file);
	free(v);
	return best;
}

size_t instant_set_count(struct instant_set *s, uint64_t *left)
{
	size_t count;
	struct member *v = copy_all(s, &count);

	*left = 0;
	for (size_t i = 0; i < count; i++) {
		*left += instant_file_left(v[i].file);
		instant_file_unref(v[i].file);
	}
	free(v);
	return count;
}

void instant_set_bad(struct instant_set *s, instant_set_see *see, void *arg)
{
	size_t count;
	struct member *v = copy_all(s, &count);

	for (size_t i = 0; i < count; i++) {
		if (instant_file_bad(v[i].file) > 0)
			see(arg, v[i].n, v[i].file);
		instant_file_unref(v[i].file);
	}
	free(v);
}

static void forgive(void *arg, uint32_t n, struct instant_file *f)
{
	instant_file_forgive(f);
}

void instant_set_forgive(struct instant_set *s)
{
	instant_set_bad(s, forgive, NULL);
}
