/* restore: write a snapshot's files back. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "cli/cli_thaw.h"
#include "engine/op_restore.h"

static void report(struct cli *c, const struct snapshot *s, const struct restore_result *r)
{
	char a[TEXT_AMOUNT], b[TEXT_AMOUNT], d[32];
	json_t *o;

	if (c->out.json) {
		o = json_object();
		out_json_id(o, "snapshot", &s->id);
		out_json_str(o, "target", c->opt.target);
		json_object_set_new(o, "dry_run", json_boolean(c->opt.dry_run));
		out_json_u64(o, "files", r->files);
		out_json_u64(o, "dirs", r->dirs);
		out_json_u64(o, "others", r->others);
		out_json_u64(o, "files_skipped", r->files_skipped);
		out_json_u64(o, "bytes_skipped", r->bytes_skipped);
		out_json_u64(o, "deleted", r->deleted);
		out_json_u64(o, "bytes", r->bytes);
		out_json_u64(o, "verified", r->verified);
		out_json_u64(o, "problems", r->problems);
		out_json_u64(o, "damaged", r->damaged);
		json_object_set_new(o, "seconds", json_real(r->seconds));
		out_json(c, "summary", o);
		return;
	}
	out_text(c, "%s %s, %s%s%s, %s in %s\n", c->opt.dry_run ? "Would restore" : "Restored",
	    text_amount(a, r->files, "file", "files"), text_amount(b, r->dirs, "folder", "folders"),
	    r->others ? ", others: " : "", r->others ? text_count(d, r->others) : "",
	    text_bytes((char[32]){0}, r->bytes), text_seconds((char[32]){0}, r->seconds));
	if (r->files_skipped)
		out_text(c, "Left as they were: %s, %s\n",
		    text_amount(a, r->files_skipped, "file", "files"),
		    text_bytes((char[32]){0}, r->bytes_skipped));
	if (r->deleted)
		out_text(c, "Deleted: %s\n", text_count(a, r->deleted));
	if (c->opt.verify)
		out_text(c, "Verified: %s\n", text_amount(a, r->verified, "file", "files"));
	out_text(c, "Snapshot %s %s %s\n", text_id(a, &s->id),
	    c->opt.dry_run ? "not written to" : "is in", out_str(c, c->opt.target));
}

static int outcome(const struct restore_result *r, struct err *e)
{
	unsigned long long n = r->problems, damaged = r->damaged;

	if (damaged)
		return err_set(e, ERR_DAMAGE_FOUND, "restore: %llu %s damaged in the repository",
		    damaged, damaged == 1 ? "thing is" : "things are");
	if (n)
		return err_set(e, ERR_INCOMPLETE, "restore: %llu %s", n,
		    text_plural(n, "problem", "problems"));
	return 0;
}

static int make_include(struct cli *c, struct exclude **out, struct err *e)
{
	*out = NULL;
	if (c->opt.include.n == 0)
		return 0;
	*out = exclude_new();
	for (size_t i = 0; i < c->opt.include.n; i++)
		if (exclude_add(*out, c->opt.include.v[i], "--include", e) == -1)
			return -1;
	return 0;
}

/* Do it, and say how it went. */
static int run(struct cli *c, const struct restore_params *p, struct err *e)
{
	struct restore_result r = {0};
	int rc;

	progress_start(c);
	rc = op_restore(c->repo, p, c->ctx, &r, e);
	progress_stop(c);
	if (rc == -1 && e->kind == ERR_CANCELLED && e->hint[0] == '\0')
		err_hint(e, "what is restored stays: again with --overwrite if-changed goes on");
	if (rc == -1)
		return -1;
	pick_warn_idle(c, p->include, true);
	pick_warn_idle(c, p->exclude, false);
	report(c, p->snapshot, &r);
	return outcome(&r, e);
}

int cmd_restore(struct cli *c, struct err *e)
{
	struct restore_params p;
	struct snapshot *s = NULL;
	struct exclude *include = NULL, *exclude = NULL;
	char *path = NULL;
	int rc = -1;

	if (c->opt.target == NULL || c->opt.target[0] == '\0') {
		err_set(e, ERR_USAGE, "restore: where to?");
		err_hint(e, "use --target FOLDER");
		goto out;
	}
	if (make_include(c, &include, e) == -1 || pick_exclude(c, &exclude, e) == -1 ||
	    pick_snapshot(c, c->args.v[0], true, &s, &path, e) == -1)
		goto out;
	p = (struct restore_params){
	    .snapshot = s,
	    .path = path,
	    .target = c->opt.target,
	    .overwrite = (enum target_overwrite)c->opt.overwrite,
	    .include = include,
	    .exclude = exclude,
	    .delete = c->opt.delete,
	    .verify = c->opt.verify,
	    .dry_run = c->opt.dry_run,
	    .jobs = (unsigned)c->opt.jobs,
	};
	if (thaw_options(c, &p.thaw, e) == 0)
		rc = run(c, &p, e);
out:
	exclude_free(include);
	exclude_free(exclude);
	snapshot_free(s);
	free(path);
	return rc;
}
