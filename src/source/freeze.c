/* freeze: see freeze.h. */
#include "source/freeze.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/freeze_priv.h"

void freeze_add_place(struct freeze *f, const char *path, char *at)
{
	for (size_t i = 0; i < f->nplaces; i++)
		if (strcmp(f->place[i].path, path) == 0) {
			free(at);
			return;
		}
	f->place = mem_realloc(f->place, (f->nplaces + 1) * sizeof *f->place);
	f->place[f->nplaces++] = (struct source_place){mem_strdup(path), at};
}

const struct source_place *freeze_places(const struct freeze *f, size_t *n)
{
	*n = f ? f->nplaces : 0;
	return f ? f->place : NULL;
}

char *freeze_tidy(const char *path)
{
	char *out = mem_alloc(strlen(path) + 2), *o = out;

	while (*path != '\0') {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (o > out && *--o != '/')
				;
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			*o++ = '/';
			memcpy(o, path, n);
			o += n;
		}
		path += n;
	}
	if (o == out)
		*o++ = '/';
	*o = '\0';
	return out;
}

static void freeze_free(struct freeze *f)
{
	for (size_t i = 0; i < f->nplaces; i++) {
		free((char *)(uintptr_t)f->place[i].path);
		free((char *)(uintptr_t)f->place[i].at);
	}
	free(f->place);
	free(f->root);
	free(f);
}

static int run_command(struct freeze *f, struct err *e)
{
	const struct freeze_params *p = f->p;
	struct os_guard_params g = {.freeze = p->freeze,
	    .thaw = p->thaw,
	    .env = p->env,
	    .timeout_ns = p->timeout_ns,
	    .note = p->note};
	bool lost = false;
	int rc = os_guard_begin(&g, f->ctx, &f->guard, &lost, e);

	if (lost && rc == 0)
		event_emit(f->ctx, EVENT_WARNING, span_of(NULL, 0),
		    "an earlier run had left it frozen: it was thawed first");
	return rc;
}

static void read_elsewhere(struct freeze *f)
{
	for (size_t i = 0; i < f->p->nread; i++) {
		const char *pair = f->p->read[i], *eq = strchr(pair, '=');
		char *raw = mem_strndup(pair, (size_t)(eq - pair)), *path = freeze_tidy(raw);

		freeze_add_place(f, path, mem_strdup(eq + 1));
		free(path);
		free(raw);
	}
}

/* The snapshot stands still by itself: whoever was told to wait need wait no longer. */
static void thaw_early(struct freeze *f)
{
	struct err why;

	f->failed = os_guard_end(f->guard, &why) == -1;
	f->guard = NULL;
	if (f->failed)
		event_emit(f->ctx, EVENT_WARNING, span_of(NULL, 0),
		    "%s: it is tried again after the backup (%s)", why.msg, why.hint);
}

/* Commands first: what they keep still is still when the snapshot is made. */
int freeze_begin(const struct freeze_params *p, struct ctx *ctx, struct freeze **out, struct err *e)
{
	struct freeze *f = mem_zalloc(sizeof *f);
	struct err ignored;

	f->p = p;
	f->ctx = ctx;
	if ((p->freeze != NULL && run_command(f, e) == -1) ||
	    (p->btrfs && freeze_btrfs_begin(f, e) == -1)) {
		freeze_end(f, &ignored);
		return -1;
	}
	if (p->btrfs && f->guard != NULL)
		thaw_early(f);
	read_elsewhere(f);
	if (p->nread > 0 && !p->may_be_empty && freeze_look(f, e) == -1) {
		freeze_end(f, &ignored);
		return -1;
	}
	*out = f;
	return 0;
}

int freeze_end(struct freeze *f, struct err *e)
{
	struct err why;
	bool lost;
	int rc = 0;

	if (f == NULL)
		return 0;
	rc = freeze_btrfs_end(f, e);
	if (f->guard != NULL && os_guard_end(f->guard, &why) == -1) {
		*e = why;
		rc = -1;
	}
	if (f->failed && os_guard_thaw_left(f->p->note, &lost, &why) == -1) {
		*e = why;
		rc = -1;
	}
	freeze_free(f);
	return rc;
}
