/* copy: snapshots from another repository. */
#include "cli/cli_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/world.h"
#include "engine/op_copy.h"
#include "repo/repo_parity.h"

static const char *snapshots(char out[TEXT_AMOUNT], uint64_t n)
{
	return text_amount(out, n, "snapshot", "snapshots");
}

/* What the catalog is to know of it. */
struct changed {
	struct cli *c;
	struct id *come, *gone;
	size_t ncome, ngone;
};

static void note(struct id **v, size_t *n, const struct id *id)
{
	*v = mem_realloc(*v, (*n + 1) * sizeof **v);
	(*v)[(*n)++] = *id;
}

/* Also where it broke off: what was told is done. */
static void tell_catalog(struct changed *x)
{
	struct cli *c = x->c;

	for (size_t i = 0; i < x->ncome && !c->opt.dry_run; i++)
		cli_catalog_note(
		    c, c->repo, c->named ? c->named->item.name : c->opt.repo, &x->come[i]);
	if (!c->opt.dry_run)
		cli_catalog_gone(c, c->repo, x->gone, x->ngone);
	free(x->come);
	free(x->gone);
}

static int show_item(void *arg, const struct copy_item *it, struct err *e)
{
	static const char *const names[] = {"copied", "there", "failed"};
	struct changed *changed = arg;
	struct cli *c = changed->c;
	char id[32], to[32], when[CALENDAR_TEXT];
	json_t *o;

	(void)e;
	if (it->outcome == COPY_DONE && it->to != NULL)
		note(&changed->come, &changed->ncome, it->to);
	if (c->out.json) {
		o = json_object();
		out_json_str(o, "action", names[it->outcome]);
		out_json_id(o, "snapshot", &it->from->id);
		out_json_time(o, "start", it->from->start_ns);
		if (it->to)
			out_json_id(o, "copy", it->to);
		else
			out_json_str(o, "copy", NULL);
		out_json_str(o, "reason", it->why);
		out_json(c, "item", o);
		return 0;
	}
	if (it->outcome == COPY_FAILED || (it->outcome == COPY_THERE && !c->opt.verbose))
		return 0; /* told as an event; not news */
	out_text(c, "%s  %s  %s%s%s\n",
	    it->outcome == COPY_THERE ? "there "
	    : c->opt.dry_run          ? "would copy"
				      : "copied",
	    text_id(id, &it->from->id), calendar_format_local(when, it->from->start_ns),
	    it->to ? "  as " : "", it->to ? text_id(to, it->to) : "");
	return 0;
}

static int show_gone(void *arg, const struct snapshot *copy, bool kept, struct err *e)
{
	struct changed *changed = arg;
	struct cli *c = changed->c;
	char id[32], of[32];
	json_t *o;

	(void)e;
	if (!kept)
		note(&changed->gone, &changed->ngone, &copy->id);
	if (!c->out.json) {
		out_text(c, "%s  %s, a copy of %s\n", kept ? "keep  " : "forget",
		    text_id(id, &copy->id), text_id(of, &copy->original));
		return 0;
	}
	o = json_object();
	out_json_str(o, "action", kept ? "kept" : "forgotten");
	out_json_id(o, "snapshot", &copy->original);
	out_json_id(o, "copy", &copy->id);
	out_json(c, "item", o);
	return 0;
}

static void report(
    struct cli *c, const struct copy_result *r, const struct copy_follow_result *gone)
{
	char a[TEXT_AMOUNT], b[32], d[32];

	out_text(c, "%s %s (read %s, stored %s)", c->opt.dry_run ? "Would copy" : "Copied",
	    snapshots(a, r->copied), text_bytes(b, r->bytes_read), text_bytes(d, r->stored_bytes));
	if (r->there)
		out_text(c, ", there already: %s", text_count(b, r->there));
	if (r->failed)
		out_text(c, ", not copied: %s", text_count(b, r->failed));
	out_text(c, " in %s\n", text_seconds(b, r->seconds));
	if (c->opt.follow_retention)
		out_text(c, "%s %s\n", c->opt.dry_run ? "Would forget" : "Forgot",
		    snapshots(a, gone->forgotten));
}

static void report_json(
    struct cli *c, const struct copy_result *r, const struct copy_follow_result *gone)
{
	json_t *o = json_object();

	json_object_set_new(o, "dry_run", json_boolean(c->opt.dry_run));
	out_json_u64(o, "copied", r->copied);
	out_json_u64(o, "there", r->there);
	out_json_u64(o, "failed", r->failed);
	out_json_u64(o, "unreadable", r->unreadable);
	out_json_u64(o, "forgotten", gone->forgotten);
	out_json_u64(o, "refused", gone->refused);
	out_json_u64(o, "groups_held", gone->groups_held);
	out_json_u64(o, "blobs_read", r->blobs_read);
	out_json_u64(o, "bytes_read", r->bytes_read);
	out_json_u64(o, "frames_kept", r->frames_kept);
	out_json_u64(o, "added_bytes", r->added_bytes);
	out_json_u64(o, "stored_bytes", r->stored_bytes);
	out_json_u64(o, "object_bytes", r->object_bytes);
	json_object_set_new(o, "seconds", json_real(r->seconds));
	out_json(c, "summary", o);
}

static int check_options(struct cli *c, struct err *e)
{
	const struct cli_options *o = &c->opt;

	if (o->from_repo == NULL || o->from_repo[0] == '\0') {
		err_set(e, ERR_USAGE, "copy: from which repository?");
		return err_hint(e, "use --from-repo REPO; --repo is where the copies go");
	}
	if (o->follow_retention && c->args.n)
		return err_set(
		    e, ERR_USAGE, "copy: --follow-retention and named snapshots don't go together");
	if (o->force && !o->follow_retention)
		return err_set(e, ERR_USAGE, "copy: --force goes with --follow-retention");
	if (o->delay.months)
		return err_set(
		    e, ERR_USAGE, "--delay: months and years have no fixed length; use days");
	return 0;
}

static int named(struct cli *c, struct repo *from, const struct select_filter *f,
    struct snapshot **v, struct err *e)
{
	for (size_t i = 0; i < c->args.n; i++) {
		char *path = NULL;
		int rc = select_one(from, c->args.v[i], f, true, c->ctx, &v[i], &path, e);
		bool whole = path == NULL || strcmp(path, "/") == 0;

		free(path);
		if (rc == -1)
			return -1;
		if (!whole)
			return err_set(
			    e, ERR_USAGE, "copy: '%s' is a part of a snapshot", c->args.v[i]);
	}
	return 0;
}

/* What was left out, and what follows from it. */
static int judge(const struct copy_result *r, struct err *e)
{
	if (r->failed) {
		err_set(e, ERR_DAMAGE_FOUND, "copy: %llu %s not copied: the source is damaged",
		    (unsigned long long)r->failed,
		    text_plural(r->failed, "snapshot was", "snapshots were"));
		return err_hint(e, "'holdfast check' at the source names what is damaged");
	}
	if (r->unreadable == 0)
		return 0;
	err_set(e, ERR_INCOMPLETE, "copy: %llu %s of the source could not be read",
	    (unsigned long long)r->unreadable, text_plural(r->unreadable, "snapshot", "snapshots"));
	return err_hint(e, "'holdfast check' at the source names them");
}

/* The copies are right, but nobody must learn from silence that the source is not. */
static int say_mended(struct repo *from, struct err *e)
{
	size_t n = repo_mended(from);

	if (n == 0)
		return 0;
	err_set(e, ERR_INCOMPLETE, "copy: done and right, but %zu damaged %s read by parity", n,
	    text_plural(n, "object of the source was", "objects of the source were"));
	return err_hint(e, "'holdfast repair' mends the source");
}

static int follow(struct changed *changed, struct repo *from, const struct select_filter *f,
    struct copy_follow_result *r, struct err *e)
{
	struct cli *c = changed->c;
	const struct copy_follow_params p = {.filter = *f,
	    .dry_run = c->opt.dry_run,
	    .force = c->opt.force,
	    .delay_ns = c->opt.delay.ns,
	    .item = show_gone,
	    .item_arg = changed};

	return op_copy_follow(from, c->repo, &p, c->ctx, r, e);
}

static int copy(struct changed *changed, struct repo *from, struct snapshot **v, struct err *e)
{
	struct cli *c = changed->c;
	struct copy_params p = {.nnamed = c->args.n,
	    .named = (const struct snapshot *const *)v,
	    .dry_run = c->opt.dry_run,
	    .rechunk = c->opt.rechunk,
	    .chunker = c->opt.chunker == 2 ? CHUNKER_FIXED : CHUNKER_GEAR,
	    .codec = c->opt.compression.id,
	    .level = c->opt.compression.level,
	    .jobs = (unsigned)c->opt.jobs,
	    .item = show_item,
	    .item_arg = changed};
	struct copy_follow_result gone = {0};
	struct copy_result r = {0};
	struct err left;
	int rc;

	pick_filter(c, &p.filter);
	if (named(c, from, &p.filter, v, e) == -1)
		return -1;
	progress_start(c);
	rc = op_copy(from, c->repo, &p, c->ctx, &r, e);
	progress_stop(c);
	if (rc == -1)
		return -1;
	err_clear(&left);
	if (c->opt.follow_retention)
		rc = follow(changed, from, &p.filter, &gone, &left);
	if (rc == -1 && left.kind != ERR_INCOMPLETE) {
		*e = left;
		return -1;
	}
	if (c->out.json)
		report_json(c, &r, &gone);
	else
		report(c, &r, &gone);
	if (judge(&r, e) == -1)
		return -1;
	*e = left;
	return rc == 0 ? say_mended(from, e) : rc;
}

int cmd_copy(struct cli *c, struct err *e)
{
	struct snapshot **v = mem_zalloc((c->args.n + 1) * sizeof *v);
	struct changed changed = {.c = c};
	struct repo *from = NULL;
	int rc = -1;

	if (check_options(c, e) == 0 && cli_open_from(c, &from, e) == 0)
		rc = copy(&changed, from, v, e);
	tell_catalog(&changed);
	for (size_t i = 0; i < c->args.n; i++)
		snapshot_free(v[i]);
	free(v);
	repo_close(from);
	return rc;
}
