/* repair: make the best of damage. */
#include "cli/cli_out.h"

#include "engine/op_repair.h"

static void report(struct cli *c, const struct repair_result *r)
{
	char a[TEXT_AMOUNT], b[32], d[32], amount[TEXT_AMOUNT];

	if (c->opt.dry_run)
		out_text(c, "Dry run: nothing was changed\n");
	if (r->objects_repaired)
		out_text(c, "Mended by parity, bit for bit: %s\n",
		    text_amount(a, r->objects_repaired, "object", "objects"));
	if (r->parity_written)
		out_text(c, "Parity written: for %s\n",
		    text_amount(a, r->parity_written, "object", "objects"));
	if (c->opt.parity > 0 && r->parity_kept)
		out_text(c, "That share or more already: %s\n",
		    text_amount(a, r->parity_kept, "object", "objects"));
	out_text(c, "Packs: %s read, %s listed anew, %s unreadable\n",
	    text_count(a, r->packs_scanned), text_count(b, r->packs_indexed),
	    text_count(d, r->packs_unreadable));
	out_text(c, "Indexes: %s written, %s removed\n", text_count(a, r->indexes_written),
	    text_count(b, r->indexes_removed));
	out_text(c, "Snapshots: %s checked, %s replaced, %s removed\n",
	    text_count(a, r->snapshots_checked), text_count(b, r->snapshots_rewritten),
	    text_count(d, r->snapshots_removed));
	if (r->notes_removed || r->marks_removed)
		out_text(c, "Notes: %s removed; marks: %s removed\n",
		    text_count(a, r->notes_removed), text_count(b, r->marks_removed));
	if (r->entries_dropped)
		out_text(c, "Lost: %s %s\n", text_count(a, r->entries_dropped),
		    text_plural(r->entries_dropped, "file or folder", "files and folders"));
	if (r->gaps_accepted)
		out_text(c, "Taken for right: %s\n",
		    text_amount(amount, r->gaps_accepted, "finding", "findings"));
}

static void report_json(struct cli *c, const struct repair_result *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "dry_run", json_boolean(c->opt.dry_run));
	out_json_u64(o, "objects_repaired", r->objects_repaired);
	out_json_u64(o, "parity_written", r->parity_written);
	out_json_u64(o, "packs_scanned", r->packs_scanned);
	out_json_u64(o, "packs_indexed", r->packs_indexed);
	out_json_u64(o, "packs_unreadable", r->packs_unreadable);
	out_json_u64(o, "indexes_written", r->indexes_written);
	out_json_u64(o, "indexes_removed", r->indexes_removed);
	out_json_u64(o, "snapshots_checked", r->snapshots_checked);
	out_json_u64(o, "snapshots_rewritten", r->snapshots_rewritten);
	out_json_u64(o, "snapshots_removed", r->snapshots_removed);
	out_json_u64(o, "notes_removed", r->notes_removed);
	out_json_u64(o, "notes_lost", r->notes_lost);
	out_json_u64(o, "marks_removed", r->marks_removed);
	out_json_u64(o, "parity_kept", r->parity_kept);
	out_json_u64(o, "asleep_packs", r->asleep);
	out_json_u64(o, "entries_dropped", r->entries_dropped);
	out_json_u64(o, "gaps_accepted", r->gaps_accepted);
	out_json(c, "summary", o);
}

int cmd_repair(struct cli *c, struct err *e)
{
	struct repair_params p = {.dry_run = c->opt.dry_run,
	    .accept_history = c->opt.accept_history,
	    .drop_foreign = c->opt.drop_foreign,
	    .jobs = (unsigned)c->opt.jobs};
	struct repair_result r = {0};
	int rc;

	if (pick_parity(c, "--add-parity", &p.parity, e) == -1)
		return -1;
	if (p.parity && c->args.n) {
		err_set(e, ERR_USAGE, "repair: --add-parity goes with no word");
		return -1;
	}
	if (c->args.n) {
		p.index = strcmp(c->args.v[0], "index") == 0;
		p.snapshots = !p.index;
	}
	if (p.accept_history && !p.snapshots) {
		err_set(e, ERR_USAGE, "repair: --accept-history goes with the word snapshots");
		return err_hint(e, "holdfast repair snapshots --accept-history");
	}
	progress_start(c);
	rc = op_repair(c->repo, &p, c->ctx, &r, e);
	progress_stop(c);
	if (rc == -1)
		return -1;
	if (c->out.json)
		report_json(c, &r);
	else
		report(c, &r);
	if (r.entries_dropped || r.notes_lost || r.snapshots_removed || r.packs_unreadable)
		return err_set(e, ERR_INCOMPLETE, "repair: not everything could be saved");
	if (r.asleep) {
		err_set(e, ERR_INCOMPLETE, "repair: %llu %s not looked at: asleep in cold storage",
		    (unsigned long long)r.asleep, text_plural(r.asleep, "pack was", "packs were"));
		return err_hint(e, "what has no parity gets it when it is awake");
	}
	return 0;
}
