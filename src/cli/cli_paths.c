/* cli_paths: see cli_paths.h. */
#include "cli/cli_paths.h"

#include <stdlib.h>

#include "base/mem.h"
#include "config/world.h"
#include "os/os.h"

enum { PATHS_MAX = 256 << 20 };

static void paths_add(struct cli_paths *p, const char *s, size_t n)
{
	p->v = mem_realloc(p->v, (p->n + 1) * sizeof *p->v);
	p->v[p->n++] = mem_strndup(s, n);
}

void cli_paths_fini(struct cli_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
}

/* A line of a list of lines: comments are left out. */
static bool is_comment(char end, const char *line, size_t n)
{
	return end == '\n' && n && line[0] == '#';
}

static int paths_from(struct cli_paths *p, const char *file, char end, struct err *e)
{
	struct buf b = {0};
	const char *at;
	size_t left;

	if (os_read_file(strcmp(file, "-") == 0 ? "/dev/stdin" : file, PATHS_MAX, &b, e) == -1) {
		buf_fini(&b);
		return err_wrap(e, "--files-from%s %s", end ? "" : "0", file);
	}
	at = buf_cstr(&b);
	left = b.n;
	while (left) {
		const char *stop = memchr(at, end, left);
		size_t n = stop ? (size_t)(stop - at) : left;

		if (n && !is_comment(end, at, n))
			paths_add(p, at, n);
		at += n + (stop != NULL);
		left -= n + (stop != NULL);
	}
	buf_fini(&b);
	return 0;
}

/* A declared system says itself what belongs to it. */
static void add_declared(const struct world_system *s, struct cli_paths *p)
{
	for (size_t i = 0; s != NULL && i < s->sources.n; i++) {
		const struct world_source *src = (const struct world_source *)s->sources.v + i;

		for (size_t j = 0; j < src->files.paths.n; j++)
			paths_add(p, src->files.paths.v[j], strlen(src->files.paths.v[j]));
	}
}

static bool has_server(const struct world_system *s)
{
	return s != NULL && (world_source_of(s, WORLD_POSTGRESQL) != NULL ||
				world_source_of(s, WORLD_DUMP) != NULL);
}

int cli_paths_collect(struct cli *c, struct cli_paths *p, struct err *e)
{
	bool listed = c->opt.files_from.n || c->opt.files_from0.n;

	add_declared(c->system, p);
	for (size_t i = 0; i < c->args.n; i++)
		paths_add(p, c->args.v[i], strlen(c->args.v[i]));
	for (size_t i = 0; i < c->opt.files_from.n; i++)
		if (paths_from(p, c->opt.files_from.v[i], '\n', e) == -1)
			return -1;
	for (size_t i = 0; i < c->opt.files_from0.n; i++)
		if (paths_from(p, c->opt.files_from0.v[i], '\0', e) == -1)
			return -1;
	if (c->opt.stdin_data && (p->n || listed))
		return err_set(e, ERR_USAGE, "backup: --stdin and paths don't go together");
	if (!c->opt.stdin_data && p->n == 0 && !has_server(c->system)) {
		err_set(e, ERR_USAGE,
		    listed ? "backup: the list of paths is empty" : "backup: which paths?");
		return err_hint(e, "usage: holdfast backup PATH...");
	}
	return 0;
}
