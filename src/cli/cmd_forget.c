/* forget: drop snapshots by rules or by name. */
#include "cli/cli_audit.h"
#include "cli/cli_out.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "config/world.h"
#include "engine/op_forget.h"

struct state {
	struct cli *c;
	uint8_t group[FORMAT_UID], signer[FORMAT_UID];
	bool any;
	struct repo_key *keys; /* loaded at the first group, if they can be */
	size_t nkeys;
	struct id *gone, *back; /* for the catalog */
	size_t ngone, nback;
};

static void put_paths(struct buf *b, const struct snapshot *s)
{
	for (size_t i = 0; i < s->nparts; i++)
		for (size_t j = 0; j < s->parts[i].npaths; j++)
			buf_printf(b, " %s", s->parts[i].paths[j]);
}

/* Where several keys write, groups that look the same differ by the key. */
static void put_key(struct state *st, struct buf *b, const struct snapshot *s)
{
	char holder[2 * FORMAT_UID + 1];
	struct err ignored;

	if (st->keys == NULL && repo_keys_list(st->c->repo, &st->keys, &st->nkeys, &ignored) == -1)
		st->nkeys = 0;
	hex_encode(holder, s->signer, FORMAT_UID);
	if (st->nkeys == 1 && strcmp(st->keys[0].holder, holder) == 0)
		return;
	for (size_t i = 0; i < st->nkeys; i++)
		if (strcmp(st->keys[i].holder, holder) == 0 && st->keys[i].label &&
		    *st->keys[i].label) {
			buf_printf(b, ", key %s", st->keys[i].label);
			return;
		}
	buf_printf(b, ", key holder %.8s", holder);
}

static void new_group(struct state *st, const struct snapshot *s)
{
	struct buf b = {0};

	if (st->any && memcmp(st->group, s->group, FORMAT_UID) == 0 &&
	    memcmp(st->signer, s->signer, FORMAT_UID) == 0)
		return;
	if (s->system)
		buf_printf(&b, " system %s", s->system);
	else
		put_paths(&b, s);
	put_key(st, &b, s);
	out_text(st->c, "%sHost %s,%s:\n", st->any ? "\n" : "", out_str(st->c, s->host),
	    out_str(st->c, buf_cstr(&b)));
	buf_fini(&b);
	memcpy(st->group, s->group, FORMAT_UID);
	memcpy(st->signer, s->signer, FORMAT_UID);
	st->any = true;
}

static void note(struct id **v, size_t *n, const struct id *id)
{
	*v = mem_realloc(*v, (*n + 1) * sizeof **v);
	(*v)[(*n)++] = *id;
}

/* Also where it broke off: what was told is done. */
static void tell_catalog(struct state *st)
{
	struct cli *c = st->c;

	if (c->opt.dry_run)
		return;
	cli_catalog_gone(c, c->repo, st->gone, st->ngone);
	for (size_t i = 0; i < st->nback; i++)
		cli_catalog_note(
		    c, c->repo, c->named ? c->named->item.name : c->opt.repo, &st->back[i]);
}

static int decided(void *arg, const struct forget_decision *d, struct err *e)
{
	struct state *st = arg;
	const struct snapshot *s = d->snapshot;
	char id[32], when[CALENDAR_TEXT], hex[ID_HEX];
	json_t *o;

	if (!d->keep)
		audit_add(st->c, "forgotten", id_hex(hex, &s->id));
	if (!d->keep)
		note(&st->gone, &st->ngone, &s->id);
	else if (st->c->opt.undo && s->forgotten)
		note(&st->back, &st->nback, &s->id);
	if (st->c->out.json) {
		o = json_object();
		out_json_id(o, "snapshot", &s->id);
		out_json_time(o, "start", s->start_ns);
		json_object_set_new(o, "keep", json_boolean(d->keep));
		out_json_str(o, "reason", d->reason);
		out_json(st->c, "item", o);
		return 0;
	}
	new_group(st, s);
	out_text(st->c, "  %s  %s  %s  %s\n", d->keep ? "keep  " : "forget", text_id(id, &s->id),
	    calendar_format_local(when, s->start_ns), out_str(st->c, d->reason));
	return 0;
}

static void report(struct cli *c, const struct forget_result *r)
{
	char a[32], b[32], d[32], when[CALENDAR_TEXT];
	json_t *o;

	if (c->out.json) {
		o = json_object();
		json_object_set_new(o, "dry_run", json_boolean(c->opt.dry_run));
		out_json_u64(o, "groups", r->groups);
		out_json_u64(o, "kept", r->kept);
		out_json_u64(o, "dropped", r->dropped);
		out_json_u64(o, "refused", r->refused);
		out_json_u64(o, "unclear", r->unclear);
		out_json_u64(o, "undone", r->undone);
		out_json_u64(o, "groups_unkept", r->groups_unkept);
		out_json_u64(o, "groups_flooded", r->groups_flooded);
		out_json(c, "summary", o);
		return;
	}
	if (c->opt.undo) {
		out_text(c, "\n%s %s\n", c->opt.dry_run ? "Would bring back" : "Brought back",
		    text_count(a, r->undone));
		return;
	}
	out_text(c, "\n%s %s, kept %s", c->opt.dry_run ? "Would forget" : "Forgot",
	    text_count(a, r->dropped), text_count(b, r->kept));
	if (r->refused)
		out_text(c, ", refused %s", text_count(d, r->refused));
	out_text(c, "\n");
	if (r->dropped == 0 || c->opt.dry_run)
		return;
	if (c->opt.delay.ns && !c->opt.now)
		out_text(c,
		    "In the trash until %s; to bring one back:\nholdfast -r %s forget --undo "
		    "ID\n",
		    calendar_format_local(
			when, c->ctx->clock->wall_ns(c->ctx->clock) + c->opt.delay.ns),
		    out_str(c, c->opt.repo));
	else if (!c->opt.prune)
		out_text(c, "Next: holdfast -r %s prune\n", out_str(c, c->opt.repo));
}

static bool policy(struct cli *c, struct forget_policy *p)
{
	const struct cli_options *o = &c->opt;

	*p = (struct forget_policy){
	    .last = o->keep_last,
	    .hourly = o->keep_hourly,
	    .daily = o->keep_daily,
	    .weekly = o->keep_weekly,
	    .monthly = o->keep_monthly,
	    .yearly = o->keep_yearly,
	    .within_ns = o->keep_within.ns,
	    .within_months = o->keep_within.months,
	    .tags = o->keep_tags.v,
	    .ntags = o->keep_tags.n,
	};
	return p->last || p->hourly || p->daily || p->weekly || p->monthly || p->yearly ||
	       p->within_ns || p->within_months || p->ntags;
}

static int named(struct cli *c, struct snapshot **v, struct err *e)
{
	for (size_t i = 0; i < c->args.n; i++) {
		char *path = NULL;
		int rc = pick_snapshot(c, c->args.v[i], true, &v[i], &path, e);
		bool whole = path == NULL || strcmp(path, "/") == 0;

		free(path);
		if (rc == -1)
			return -1;
		if (!whole)
			return err_set(
			    e, ERR_USAGE, "forget: '%s' is a part of a snapshot", c->args.v[i]);
	}
	return 0;
}

/* What the rules or names asked for and was not done. */
static int outcome(const struct forget_result *r, struct err *e)
{
	unsigned long long refused = r->refused, groups = r->groups_unkept;

	if (r->groups_flooded) {
		err_set(e, ERR_INCOMPLETE,
		    "forget: %llu %s out of its rhythm: nothing is dropped there",
		    (unsigned long long)r->groups_flooded,
		    text_plural(r->groups_flooded, "group grew", "groups grew"));
		return err_hint(e,
		    "is somebody pushing the older ones out? look at holdfast snapshots; "
		    "if all is well, --flooded-ok");
	}
	if (r->unclear) {
		err_set(e, ERR_INCOMPLETE, "forget: %llu %s: a note cannot be read",
		    (unsigned long long)r->unclear,
		    text_plural(r->unclear, "snapshot stays", "snapshots stay"));
		return err_hint(e, "holdfast check names it; 'holdfast repair' removes what is "
				   "damaged, with --drop-foreign nobody's too; one of a newer "
				   "holdfast may be a hold");
	}
	if (groups == 0 && refused == 0)
		return 0;
	if (groups == 0) {
		err_set(e, ERR_INCOMPLETE, "forget: %llu %s", refused,
		    text_plural(refused, "snapshot is pinned or held and stays",
			"snapshots are pinned or held and stay"));
		return err_hint(
		    e, "holdfast tag --unpin or --release, with a full key, lets them go");
	}
	err_set(e, ERR_INCOMPLETE,
	    "forget: the rules keep nothing of %llu %s: nothing is dropped there", groups,
	    text_plural(groups, "group", "groups"));
	return err_hint(e, "choose with --host, --system, --path or --tag what the rules are for, "
			   "or name the snapshots to drop");
}

/* Which options go with which. */
static int check_options(struct cli *c, bool any, struct err *e)
{
	if (c->opt.delay.months)
		return err_set(
		    e, ERR_USAGE, "--delay: months and years have no fixed length; use days");
	if (c->opt.undo && (any || c->args.n == 0))
		return err_set(e, ERR_USAGE, "forget --undo: name the snapshots to bring back"),
		       err_hint(e, "holdfast snapshots --trash lists them");
	if (any && c->args.n)
		return err_set(
		    e, ERR_USAGE, "forget: --keep options and named snapshots don't go together");
	if (!any && c->args.n == 0)
		return err_set(e, ERR_USAGE, "forget: nothing says what to keep"),
		       err_hint(e, "use --keep-last, --keep-daily ..., or name snapshots");
	return 0;
}

int cmd_forget(struct cli *c, struct err *e)
{
	struct forget_params p = {.dry_run = c->opt.dry_run,
	    .undo = c->opt.undo,
	    .flooded_ok = c->opt.flooded_ok,
	    .delay_ns = c->opt.now ? 0 : c->opt.delay.ns};
	struct forget_result r = {0};
	struct state st = {.c = c};
	struct snapshot **v = mem_zalloc((c->args.n + 1) * sizeof *v);
	bool any = policy(c, &p.policy);
	int rc = -1;

	if (check_options(c, any, e) == -1 || named(c, v, e) == -1)
		goto out;
	pick_filter(c, &p.filter);
	p.named = (const struct snapshot *const *)v;
	p.nnamed = c->args.n;
	rc = op_forget(c->repo, &p, c->ctx, decided, &st, &r, e);
	tell_catalog(&st);
	if (rc == 0)
		report(c, &r);
	if (rc == 0 && c->opt.prune)
		rc = cmd_prune(c, e);
	if (rc == 0)
		rc = outcome(&r, e);
out:
	for (size_t i = 0; i < c->args.n; i++)
		snapshot_free(v[i]);
	free(v);
	repo_keys_free(st.keys, st.nkeys);
	free(st.gone);
	free(st.back);
	return rc;
}
