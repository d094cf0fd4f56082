/* check: is the repository whole? */
#include "cli/cli_out.h"

#include "engine/op_check.h"
#include "engine/proof.h"
#include "os/os.h"
#include "store/store_drivers.h"

static void report(struct cli *c, const struct check_result *r)
{
	char a[TEXT_AMOUNT], b[TEXT_AMOUNT], d[TEXT_AMOUNT];

	out_text(c, "Checked %s, %s, %s", text_amount(a, r->snapshots, "snapshot", "snapshots"),
	    text_amount(b, r->trees, "folder", "folders"),
	    text_amount(d, r->packs, "pack", "packs"));
	if (r->packs_read)
		out_text(c, ", read %s of them (%s)", text_count(a, r->packs_read),
		    text_bytes(b, r->bytes_read));
	out_text(c, " in %s\n", text_seconds(a, r->seconds));
	if (r->asleep_packs)
		out_text(c, "Not read, for they sleep in cold storage: %s\n",
		    text_amount(a, r->asleep_packs, "pack", "packs"));
	if (r->unreferenced_packs)
		out_text(c, "In no index, so that prune removes them: %s\n",
		    text_amount(a, r->unreferenced_packs, "pack", "packs"));
	if (r->late_packs)
		out_text(c, "Gone, and named only by an index that came too late: %s\n",
		    text_amount(a, r->late_packs, "pack", "packs"));
	if (r->damaged_objects || r->hurt_snapshots)
		out_text(c, "Damaged: %s; reached by it: %s, %s\n",
		    text_amount(a, r->damaged_objects, "object", "objects"),
		    text_amount(b, r->hurt_snapshots, "snapshot", "snapshots"),
		    text_amount(d, r->hurt_paths, "path", "paths"));
	else
		out_text(c, r->findings ? "Tampering: %llu %s\n" : "No damage found\n",
		    (unsigned long long)r->findings,
		    text_plural(r->findings, "finding", "findings"));
}

static void report_json(struct cli *c, const struct check_result *r)
{
	json_t *o = json_object();

	out_json_u64(o, "snapshots", r->snapshots);
	out_json_u64(o, "trees", r->trees);
	out_json_u64(o, "packs", r->packs);
	out_json_u64(o, "packs_read", r->packs_read);
	out_json_u64(o, "asleep_packs", r->asleep_packs);
	out_json_u64(o, "indexes", r->indexes);
	out_json_u64(o, "blobs", r->blobs);
	out_json_u64(o, "bytes_read", r->bytes_read);
	out_json_u64(o, "unreferenced_packs", r->unreferenced_packs);
	out_json_u64(o, "late_packs", r->late_packs);
	out_json_u64(o, "damaged_objects", r->damaged_objects);
	out_json_u64(o, "hurt_snapshots", r->hurt_snapshots);
	out_json_u64(o, "hurt_paths", r->hurt_paths);
	out_json_u64(o, "void_snapshots", r->void_snapshots);
	out_json_u64(o, "findings", r->findings);
	out_json_u64(o, "warnings", r->warnings);
	json_object_set_new(o, "seconds", json_real(r->seconds));
	out_json(c, "summary", o);
}

/* Of a kit every byte is looked at: what no snapshot needs is a part of the file too. */
static int check_kit(struct cli *c, struct check_result *r, struct err *e)
{
	uint64_t damaged;

	if (r->damaged_objects || r->hurt_snapshots)
		return 0; /* told already */
	if (store_kit_verify(repo_store(c->repo), c->ctx, &damaged, e) == -1)
		return -1;
	r->damaged_objects += damaged;
	return 0;
}

/* For rules to count by.  Where it cannot be kept, the check is no worse for it. */
static void remember(struct cli *c, const struct check_params *params, const struct check_result *r)
{
	struct clock *clock = os_clock_of(c->ctx);
	struct proof p = {
	    .when_ns = clock->wall_ns(clock),
	    .problems = r->damaged_objects + r->hurt_snapshots + r->hurt_paths + r->findings,
	    .whole = params->read_data && params->subset <= 0 && r->asleep_packs == 0,
	};
	struct err why;

	if (proof_put(c->repo, PROOF_CHECK, &p, &why) == -1)
		event_emit(c->ctx, EVENT_WARNING, span_of(NULL, 0), "the result cannot be kept: %s",
		    why.msg);
}

/* What was found as a result, and what to do. */
static int judge(const struct check_result *r, struct err *e)
{
	if (r->damaged_objects || r->hurt_snapshots || r->hurt_paths) {
		err_set(e, ERR_DAMAGE_FOUND, "check: the repository is damaged");
		if (r->foreign_objects)
			return err_hint(e,
			    "make a copy of it; config is older than some objects, or they are "
			    "another's: put the newest config back, or bring it with 'holdfast key "
			    "import SHEET' (every machine that used the repository keeps one too, "
			    "in its state folder: *.config), before anything else");
		return err_hint(e,
		    "make a copy of it; where packs are missing, 'holdfast repair index' and a "
		    "new backup store again what is still there; 'holdfast repair' saves the "
		    "rest");
	}
	if (r->findings) {
		err_set(e, ERR_DAMAGE_FOUND, "check: %llu %s of tampering",
		    (unsigned long long)r->findings,
		    text_plural(r->findings, "finding", "findings"));
		return err_hint(e,
		    "keep a copy of the store and look at who could delete or write there; when "
		    "you know why, 'holdfast repair snapshots --accept-history' takes what is "
		    "there for right");
	}
	if (r->asleep_packs) {
		err_set(e, ERR_INCOMPLETE, "check: %llu %s not read: asleep in cold storage",
		    (unsigned long long)r->asleep_packs,
		    text_plural(r->asleep_packs, "pack was", "packs were"));
		return err_hint(e,
		    "thaw what a snapshot needs with holdfast restore SNAPSHOT --target FOLDER "
		    "--thaw SPEED --no-wait, and check again when it is awake; or check without "
		    "--read-data");
	}
	if (r->warnings == 0)
		return 0;
	err_set(e, ERR_INCOMPLETE, "check: %llu %s", (unsigned long long)r->warnings,
	    text_plural(r->warnings, "warning", "warnings"));
	if (r->void_snapshots)
		err_hint(e, "'holdfast prune' removes void snapshots; run their backup again");
	return -1;
}

int cmd_check(struct cli *c, struct err *e)
{
	struct check_params p = {.read_data = c->opt.read_data, .jobs = (unsigned)c->opt.jobs};
	struct check_result r = {0};
	bool kit;
	int rc;

	if (c->opt.rules && c->opt.tamper)
		return err_set(e, ERR_USAGE, "check: --rules and --tamper don't go together");
	if (c->opt.rules)
		return cmd_check_rules(c, e);
	if (c->opt.tamper)
		return cmd_check_tamper(c, e);
	kit = store_is_kit(repo_store(c->repo));
	p.read_data |= kit;
	if (c->opt.read_subset == 0)
		return err_set(e, ERR_USAGE, "check: --read-data-subset 0%% would read nothing");
	if (c->opt.read_subset > 0)
		p.subset = c->opt.read_subset;
	progress_start(c);
	rc = op_check(c->repo, &p, c->ctx, &r, e);
	if (rc == 0 && kit)
		rc = check_kit(c, &r, e);
	progress_stop(c);
	if (rc == -1)
		return -1;
	remember(c, &p, &r);
	if (c->out.json)
		report_json(c, &r);
	else
		report(c, &r);
	return judge(&r, e);
}
