/* world_load: files, the drop-in folder and the environment, merged and bound. */
#include "config/world_load.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/profile.h"
#include "os/os.h"

enum { DROP_INS_MAX = 1000 };

void world_free(struct world *w)
{
	if (w == NULL)
		return;
	field_fini(&world_table, w);
	node_free(w->tree);
	for (size_t i = 0; i < w->nfiles; i++)
		free(w->files[i]);
	free(w->files);
	free(w);
}

/* The world keeps the name: nodes point to it. */
static const char *remember(struct world *w, const char *name)
{
	w->files = mem_realloc(w->files, (w->nfiles + 1) * sizeof *w->files);
	return w->files[w->nfiles++] = mem_strdup(name);
}

static int add_text(struct world *w, struct span text, const char *name, struct err *e)
{
	struct node *n;

	if (node_parse(text, remember(w, name), &n, e) == -1)
		return -1;
	if (w->tree == NULL)
		w->tree = n;
	else
		node_merge(w->tree, n);
	return 0;
}

static int add_file(struct world *w, const char *path, struct err *e)
{
	struct buf b = {0};
	int rc = -1;

	if (os_read_file(path, NODE_FILE_MAX, &b, e) == 0) {
		rc = add_text(w, buf_span(&b), path, e);
	} else {
		err_wrap(e, "configuration %s", path);
		e->kind = ERR_USAGE; /* not there, a folder, too large: the choice was wrong */
	}
	buf_fini(&b);
	return rc;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A name of the folder that is one of ours: others (.bak, ~) are nobody's business. */
static bool is_drop_in(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".yaml") == 0;
}

/* One that somebody believes to be in force. */
static bool is_misnamed(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 4 && strcasecmp(name + n - 4, ".yml") == 0;
}

static int list_drop_ins(const char *dir, char ***out, size_t *n, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *de;

	if (d == NULL)
		return errno == ENOENT ? 0 : err_sys(e, "configuration: %s", dir);
	while ((de = readdir(d)) != NULL) {
		if (is_misnamed(de->d_name)) {
			closedir(d);
			err_set(e, ERR_USAGE, "configuration: %s/%s would not be read", dir,
			    de->d_name);
			return err_hint(e, "name it *.yaml, or put a dot in front");
		}
		if (!is_drop_in(de->d_name))
			continue;
		*out = mem_realloc(*out, (*n + 1) * sizeof **out);
		(*out)[(*n)++] = mem_printf("%s/%s", dir, de->d_name);
		if (*n > DROP_INS_MAX)
			break;
	}
	closedir(d);
	if (*n > DROP_INS_MAX)
		return err_set(e, ERR_USAGE, "%s: more than %d files", dir, DROP_INS_MAX);
	if (*n > 0)
		qsort(*out, *n, sizeof **out, by_text);
	return 0;
}

/* "holdfast.yaml" has "holdfast.d" beside it. */
static int add_drop_ins(struct world *w, const char *path, struct err *e)
{
	size_t n = strlen(path), count = 0;
	size_t stem = n > 5 && strcmp(path + n - 5, ".yaml") == 0 ? n - 5 : n;
	char *dir = mem_printf("%.*s.d", (int)stem, path), **v = NULL;
	int rc = list_drop_ins(dir, &v, &count, e);

	for (size_t i = 0; i < count; i++) {
		if (rc == 0)
			rc = add_file(w, v[i], e);
		free(v[i]);
	}
	free(v);
	free(dir);
	return rc;
}

/* HOLDFAST_REPOSITORIES_MAIN_URL and the like, for repositories that the files declare. */
static void add_env(struct world *w, char *(*env)(const char *))
{
	static const char *const keys[] = {"url", "password", "key"};
	struct node *all = node_get(w->tree, "repositories");

	for (struct node *r = all ? all->first : NULL; r != NULL; r = r->next)
		for (size_t i = 0; i < 3 && r->kind == NODE_MAP; i++) {
			char *var = mem_printf("HOLDFAST_REPOSITORIES_%s_%s", r->name, keys[i]);
			const char *v;

			for (char *p = var; *p != '\0'; p++)
				*p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p)
								: '_';
			v = env(var);
			if (v != NULL && v[0] != '\0')
				node_set(r, keys[i], v, (struct node_at){remember(w, var), 0, 0});
			free(var);
		}
}

static int finish(struct world *w, char *(*env)(const char *), struct mistakes *all,
    struct world **out, struct err *e)
{
	struct mistakes own = {0}, *m = all ? all : &own;
	int rc;

	if (env != NULL)
		add_env(w, env);
	if (profile_apply(&w->tree, e) == -1)
		mistakes_add(m, e);
	else
		field_bind(w->tree, &world_table, w, m);
	if (m->n == 0) {
		world_imply_destinations(w);
		world_imply_archive(w);
		world_imply_sources(w);
		world_check(w, m);
	}
	rc = mistakes_tell(m, e);
	mistakes_fini(&own);
	if (rc == -1)
		world_free(w);
	else
		*out = w;
	return rc;
}

/* The person's own, or else the machine's; it need not be there. */
static char *find_file(char *(*env)(const char *))
{
	const char *home = env ? env("HOME") : NULL;
	const char *xdg = env ? env("XDG_CONFIG_HOME") : NULL;
	char *path = NULL;

	if (xdg != NULL && xdg[0] == '/')
		path = mem_printf("%s/holdfast/holdfast.yaml", xdg);
	else if (home != NULL && home[0] == '/')
		path = mem_printf("%s/.config/holdfast/holdfast.yaml", home);
	if (path != NULL && access(path, F_OK) == 0)
		return path;
	free(path);
	return mem_strdup("/etc/holdfast/holdfast.yaml");
}

int world_load(const char *path, char *(*env)(const char *), struct mistakes *all,
    struct world **out, struct err *e)
{
	char *found = path ? mem_strdup(path) : find_file(env);
	struct world *w = NULL;
	int rc = -1;

	*out = NULL;
	if (path == NULL && access(found, F_OK) == -1 && errno == ENOENT) {
		free(found);
		return 0;
	}
	w = mem_zalloc(sizeof *w);
	if (add_file(w, found, e) == -1 || add_drop_ins(w, found, e) == -1)
		goto out;
	rc = finish(w, env, all, out, e);
	w = NULL;
out:
	world_free(w);
	free(found);
	return rc;
}

int world_of_text(struct span text, const char *name, struct world **out, struct err *e)
{
	struct world *w = mem_zalloc(sizeof *w);

	*out = NULL;
	if (add_text(w, text, name, e) == -1) {
		world_free(w);
		return -1;
	}
	return finish(w, NULL, NULL, out, e);
}
