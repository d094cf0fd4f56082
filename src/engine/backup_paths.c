/*
 * backup_paths: the paths of a run: absolute, without "." and "..", in order,
 * none twice.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/backup_internal.h"

static char *normalise(const char *path, struct err *e)
{
	char *abs, *out, *o, *save = NULL;

	if (path[0] == '/') {
		abs = mem_strdup(path);
	} else {
		char *cwd = getcwd(NULL, 0);

		if (cwd == NULL) {
			err_sys(e, "current directory");
			return NULL;
		}
		abs = mem_printf("%s/%s", cwd, path);
		free(cwd);
	}
	out = o = mem_alloc(strlen(abs) + 2);
	*o = '\0';
	for (char *c = strtok_r(abs, "/", &save); c != NULL; c = strtok_r(NULL, "/", &save)) {
		if (strcmp(c, ".") == 0)
			continue;
		if (strcmp(c, "..") == 0) {
			while (o > out && *--o != '/')
				;
			*o = '\0';
			continue;
		}
		o += sprintf(o, "/%s", c);
	}
	if (o == out)
		strcpy(out, "/");
	free(abs);
	return out;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A path named twice is one path: it makes no group of its own. */
static void drop_doubles(struct bpaths *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (n > 0 && strcmp(p->v[i], p->v[n - 1]) == 0)
			free(p->v[i]);
		else
			p->v[n++] = p->v[i];
	}
	p->n = n;
}

int backup_paths_gather(struct backup *b, struct bpaths *out, struct err *e)
{
	out->v = mem_zalloc(b->p->npaths * sizeof *out->v);
	out->present = mem_zalloc(b->p->npaths * sizeof *out->present);
	for (size_t i = 0; i < b->p->npaths; i++) {
		if ((out->v[out->n] = normalise(b->p->paths[i], e)) == NULL)
			return -1;
		out->n++;
	}
	if (out->n > 1)
		qsort(out->v, out->n, sizeof *out->v, by_text);
	drop_doubles(out);
	for (size_t i = 0; i < out->n; i++) {
		struct stat st;

		if (lstat(out->v[i], &st) == 0) {
			out->present[out->npresent++] = out->v[i];
			continue;
		}
		err_set(e, err_kind_of_errno(errno), "%s", strerror(errno));
		backup_problem(b, out->v[i], e);
	}
	if (out->npresent > 0)
		return 0;
	err_set(e, ERR_ABSENT, "none of the paths to back up is there");
	return err_hint(e, "check the paths; nothing was stored");
}

void backup_paths_fini(struct bpaths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
	free(p->present);
}
