/* restore_parts: a snapshot of several parts, each into a folder of its name; see op_restore.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/restore_internal.h"
#include "os/os.h"

static void add(struct restore_result *sum, const struct restore_result *x)
{
	sum->files += x->files;
	sum->dirs += x->dirs;
	sum->others += x->others;
	sum->files_skipped += x->files_skipped;
	sum->bytes_skipped += x->bytes_skipped;
	sum->deleted += x->deleted;
	sum->bytes += x->bytes;
	sum->compared += x->compared;
	sum->verified += x->verified;
	sum->problems += x->problems;
	sum->damaged += x->damaged;
	sum->seconds += x->seconds;
	sum->verify_seconds += x->verify_seconds;
}

/* Each part is a folder of its name; one that failed when it was backed up is a problem. */
static int restore_parts(struct repo *r, const struct restore_params *p, struct ctx *ctx,
    struct restore_result *out, struct err *e)
{
	int rc = p->dry_run ? 0 : os_mkdirs(p->target, 0777, e);

	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < p->snapshot->nparts && rc == 0; i++) {
		const struct snapshot_part *part = &p->snapshot->parts[i];
		char *path = mem_printf("/%s", part->name);
		char *target = p->target ? mem_printf("%s/%s", p->target, part->name) : NULL;
		struct restore_params one = *p;
		struct restore_result res = {0};

		one.path = path;
		one.target = target;
		if (part->has_tree) {
			rc = restore_tree(r, &one, ctx, &res, e);
		} else {
			res.problems = 1;
			event_emit(ctx, EVENT_FILE_FAILED, span_str(path),
			    "this part was not backed up: it failed");
		}
		add(out, &res);
		free(target);
		free(path);
	}
	return rc;
}

int op_restore(struct repo *r, const struct restore_params *p, struct ctx *ctx,
    struct restore_result *out, struct err *e)
{
	if (p->snapshot->nparts > 1 && strcmp(p->path, "/") == 0)
		return restore_parts(r, p, ctx, out, e);
	return restore_tree(r, p, ctx, out, e);
}
