/* unread: see unread.h. */
#include "daemon/unread.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"

struct place {
	char *path, *name; /* name: of a file, whose folder the path is; else NULL */
	bool found;
	dev_t dev;
	ino_t ino;
};

struct unread {
	struct place *v;
	size_t n;
};

struct unread *unread_new(void)
{
	return mem_zalloc(sizeof(struct unread));
}

void unread_free(struct unread *u)
{
	for (size_t i = 0; u != NULL && i < u->n; i++) {
		free(u->v[i].path);
		free(u->v[i].name);
	}
	if (u != NULL)
		free(u->v);
	free(u);
}

static struct place *add(struct unread *u, const char *path)
{
	struct place *p;
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	u->v = mem_realloc(u->v, (u->n + 1) * sizeof *u->v);
	p = &u->v[u->n++];
	*p = (struct place){.path = mem_strndup(path, n)};
	return p;
}

void unread_add(struct unread *u, const char *path)
{
	if (path[0] != '\0')
		add(u, path);
}

void unread_add_url(struct unread *u, const char *url)
{
	unread_add(u, strncmp(url, "fs:", 3) == 0 ? url + 3 : url);
}

void unread_add_catalog(struct unread *u, const char *url)
{
	const char *path = strncmp(url, "sqlite:", 7) == 0 ? url + 7 : url;
	char *real = os_real_path(path), *slash;
	struct place *p;

	if (real == NULL)
		real = mem_strdup(path);
	slash = strrchr(real, '/');
	if (slash != NULL && strstr(path, "://") == NULL) {
		slash[0] = '\0';
		p = add(u, slash == real ? "/" : real);
		p->name = mem_strdup(slash + 1);
	}
	free(real);
}

static bool is_at_or_below(const char *path, const char *above)
{
	size_t n = strlen(above);

	return strncmp(path, above, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool is_same(struct place *p, const struct stat *st)
{
	struct stat own;

	/* Followed: a link to the repository leads to what is not read. */
	if (!p->found && os_fstatat(AT_FDCWD, p->path, &own, 0) == 0) {
		p->found = true;
		p->dev = own.st_dev;
		p->ino = own.st_ino;
	}
	return p->found && p->dev == st->st_dev && p->ino == st->st_ino;
}

static bool is_file_of(const char *name, const char *catalog)
{
	size_t n = strlen(catalog);

	return strncmp(name, catalog, n) == 0 && (name[n] == '\0' || name[n] == '-');
}

/* Is it a file of a catalog?  Its folder tells, for the file may be gone again. */
static bool has_file(struct unread *u, const char *path)
{
	const char *name = strrchr(path, '/');
	struct stat st;
	char *folder;
	bool has = false;

	for (size_t i = 0; name != NULL && i < u->n && !has; i++) {
		if (u->v[i].name == NULL || !is_file_of(name + 1, u->v[i].name))
			continue;
		folder = name == path ? mem_strdup("/") : mem_strndup(path, (size_t)(name - path));
		has = os_fstatat(AT_FDCWD, folder, &st, 0) == 0 && is_same(&u->v[i], &st);
		free(folder);
	}
	return has;
}

bool unread_has(struct unread *u, const char *path, bool is_dir)
{
	struct stat st;
	bool there;

	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].name == NULL && is_at_or_below(path, u->v[i].path))
			return true;
	if (!is_dir)
		return has_file(u, path);
	there = os_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	for (size_t i = 0; there && i < u->n; i++)
		if (u->v[i].name == NULL && is_same(&u->v[i], &st))
			return true;
	return false;
}
