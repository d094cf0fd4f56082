/* cli_freeze: see cli_freeze.h. */
#include "cli/cli_freeze.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/world.h"
#include "os/os.h"
#include "os/os_guard.h"

static const int64_t usual_timeout = 60 * CALENDAR_SECOND;

struct cli_frozen {
	struct freeze_params params;
	struct freeze *freeze;
	char *note, *name, *turn;
	const char *env[2];
};

static int begin(
    struct cli *c, const struct world_files *f, size_t i, struct cli_frozen *out, struct err *e)
{
	const struct world_freeze *z = &f->freeze;
	char *state = os_state_dir(), *dir = mem_printf("%s/freeze", state);
	int rc;

	out->note = mem_printf("%s/%s.%zu", dir, c->system->item.name, i);
	out->turn = mem_printf("%s/.btrfs", dir);
	out->name = mem_printf("HOLDFAST_SYSTEM=%s", c->system->item.name);
	out->env[0] = out->name;
	out->params = (struct freeze_params){
	    .paths = (const char *const *)f->paths.v,
	    .npaths = f->paths.n,
	    .btrfs = z->btrfs,
	    .one_file_system = f->one_file_system,
	    .freeze = z->freeze,
	    .thaw = z->thaw,
	    .timeout_ns = z->timeout.ns ? z->timeout.ns : usual_timeout,
	    .env = out->env,
	    .note = out->note,
	    .read = (const char *const *)z->read.v,
	    .nread = z->read.n,
	    .may_be_empty = c->system->may_be_empty,
	    .turn = out->turn,
	};
	rc = os_mkdirs(dir, 0700, e);
	if (rc == 0)
		rc = freeze_begin(&out->params, c->ctx, &out->freeze, e);
	free(dir);
	free(state);
	return rc;
}

/* Is it the note of a source whose next run looks at it? */
static bool is_declared(const struct cli *c, const char *name)
{
	const char *dot = strrchr(name, '.');
	char *system = mem_strndup(name, dot ? (size_t)(dot - name) : 0), end;
	const struct world_system *s = world_system(c->world, system);
	bool is = false;
	size_t i;

	if (s != NULL && sscanf(dot, ".%zu%c", &i, &end) == 1 && i < s->sources.n)
		is = ((const struct world_source *)s->sources.v + i)->files.freeze.freeze != NULL;
	free(system);
	return is;
}

/* What is declared no more has no next run: it is thawed by anyone's. */
static void thaw_strays(struct cli *c)
{
	char *state = os_state_dir(), *path = mem_printf("%s/freeze", state);
	DIR *dir = opendir(path);
	const struct dirent *en;

	while (dir != NULL && (en = readdir(dir)) != NULL) {
		char *note = mem_printf("%s/%s", path, en->d_name);
		bool lost = false;
		struct err e;

		if (en->d_name[0] != '.' && !is_declared(c, en->d_name) &&
		    os_guard_thaw_left(note, &lost, &e) == -1 && e.kind != ERR_BUSY)
			event_emit(
			    c->ctx, EVENT_WARNING, span_str(en->d_name), "%s (%s)", e.msg, e.hint);
		else if (lost)
			event_emit(c->ctx, EVENT_WARNING, span_str(en->d_name),
			    "an earlier run had left it frozen: it was thawed");
		free(note);
	}
	if (dir != NULL)
		closedir(dir);
	free(path);
	free(state);
}

static void take_places(struct cli_freeze *f, const struct cli_frozen *x)
{
	size_t n;
	const struct source_place *v = freeze_places(x->freeze, &n);

	f->places = mem_realloc(f->places, (f->nplaces + n + 1) * sizeof *f->places);
	for (size_t i = 0; i < n; i++)
		f->places[f->nplaces++] = v[i];
}

int cli_freeze_begin(struct cli *c, struct cli_freeze *out, struct err *e)
{
	size_t n = c->system ? c->system->sources.n : 0;
	struct err ignored;

	*out = (struct cli_freeze){.v = mem_zalloc((n + 1) * sizeof *out->v)};
	if (c->system != NULL && !c->opt.dry_run)
		thaw_strays(c);
	for (size_t i = 0; i < n && !c->opt.dry_run; i++) {
		const struct world_files *f =
		    &((const struct world_source *)c->system->sources.v + i)->files;

		if (!f->freeze.btrfs && f->freeze.freeze == NULL)
			continue;
		if (begin(c, f, i, &out->v[out->n++], e) == -1) {
			cli_freeze_end(c, out, &ignored);
			return -1;
		}
		take_places(out, &out->v[out->n - 1]);
	}
	return 0;
}

int cli_freeze_end(struct cli *c, struct cli_freeze *f, struct err *e)
{
	int rc = 0;

	while (f->n > 0) {
		struct cli_frozen *x = &f->v[--f->n];
		struct err why;

		if (freeze_end(x->freeze, &why) == -1) {
			event_emit(c->ctx, EVENT_WARNING, span_of(NULL, 0), "%s", why.msg);
			if (rc == 0)
				*e = why;
			e->kind = ERR_INCOMPLETE;
			rc = -1;
		}
		free(x->note);
		free(x->turn);
		free(x->name);
	}
	free(f->v);
	free(f->places);
	*f = (struct cli_freeze){0};
	return rc;
}
