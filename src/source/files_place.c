/* files_place: folders that are read at another place than that of their name; see files.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/files.h"

int files_places_set(struct files *f, const struct files_params *p, struct err *e)
{
	const char **paths = mem_zalloc((p->nplaces + 1) * sizeof *paths);
	int rc = 0;

	f->place = mem_zalloc(p->nplaces * sizeof *f->place);
	f->nplaces = p->nplaces;
	for (size_t i = 0; i < p->nplaces && rc == 0; i++) {
		struct files_place *x = &f->place[i];
		struct stat live, at;

		paths[i] = p->places[i].path;
		x->path = mem_strdup(p->places[i].path);
		x->at = mem_strdup(p->places[i].at);
		if (os_fstatat(AT_FDCWD, x->path, &live, 0) == -1)
			rc = err_sys(e, "%s", x->path);
		else if (os_fstatat(AT_FDCWD, x->at, &at, 0) == -1)
			rc = err_sys(e, "%s, which is read at %s", x->path, x->at);
		else if (!S_ISDIR(live.st_mode) || !S_ISDIR(at.st_mode))
			rc = err_set(e, ERR_USAGE, "%s is read at %s: both have to be folders",
			    x->path, x->at);
		x->dev = live.st_dev;
		x->dev_at = at.st_dev;
	}
	if (rc == 0 && p->nplaces > 0)
		f->places = ask_new(paths, p->nplaces);
	free(paths);
	return rc;
}

void files_places_fini(struct files *f)
{
	for (size_t i = 0; i < f->nplaces; i++) {
		free(f->place[i].path);
		free(f->place[i].at);
	}
	free(f->place);
	ask_free(f->places);
}

const struct files_place *files_place_find(const struct files *f, const char *path)
{
	for (size_t i = 0; i < f->nplaces; i++)
		if (strcmp(f->place[i].path, path) == 0)
			return &f->place[i];
	return NULL;
}

uint64_t files_dev(const struct files *f, dev_t dev)
{
	for (size_t i = 0; i < f->nplaces; i++)
		if (f->place[i].dev_at == dev)
			return f->place[i].dev;
	return dev;
}

struct files_at files_at(const struct files_dir *d, const char *name)
{
	const struct ask *a = d->places ? ask_child(d->places, name) : NULL;
	const struct files_place *place;
	char *path;

	if (a == NULL || !a->whole)
		return (struct files_at){d->fd, name};
	path = files_path(&d->base, name);
	place = files_place_find((const struct files *)d->base.source, path);
	free(path);
	return place ? (struct files_at){AT_FDCWD, place->at} : (struct files_at){d->fd, name};
}
