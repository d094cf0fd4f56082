/* prune: free what no snapshot needs. */
#include "cli/cli_audit.h"
#include "cli/cli_out.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/world.h"
#include "engine/op_prune.h"

static const char *packs(char out[TEXT_AMOUNT], uint64_t n)
{
	return text_amount(out, n, "pack", "packs");
}

static void report_upkeep(struct cli *c, const struct prune_result *r)
{
	const struct locks_result *l = &r->locks;
	char a[TEXT_AMOUNT], when[CALENDAR_TEXT];

	if (r->rules)
		out_text(c, "The bucket's life cycle: %s put\n",
		    text_amount(a, r->rules, "rule", "rules"));
	if (l->until_ns)
		out_text(c, "Locked until %s or longer: %s\n",
		    calendar_format_local(when, l->until_ns),
		    text_amount(a, l->objects, "object", "objects"));
	else if (l->period_ns && !c->opt.dry_run)
		out_text(c, "Locks are made longer from %s on\n",
		    calendar_format_local(when, l->next_ns));
}

static void report(struct cli *c, const struct prune_result *r)
{
	char a[TEXT_AMOUNT], b[32], when[CALENDAR_TEXT];
	bool dry = c->opt.dry_run;

	out_text(c, "%s: %s, %s\n", dry ? "Would delete" : "Deleted", packs(a, r->packs_deleted),
	    text_bytes(b, r->bytes_deleted));
	out_text(c, "%s: %s, %s\n", dry ? "Would mark" : "Marked", packs(a, r->packs_marked),
	    text_bytes(b, r->bytes_marked));
	if (r->packs_unmarked)
		out_text(c, "Unmarked, in use again: %s\n", packs(a, r->packs_unmarked));
	if (r->packs_repacked)
		out_text(c, "%s: %s, %s\n", dry ? "Would write again" : "Written again",
		    packs(a, r->packs_repacked), text_bytes(b, r->bytes_repacked));
	if (r->logs_deleted)
		out_text(c, "%s of logs: %s, %s\n", dry ? "Would delete" : "Deleted",
		    text_amount(a, r->logs_deleted, "stretch", "stretches"),
		    text_bytes(b, r->log_bytes_deleted));
	if (r->snapshots_removed)
		out_text(c, "%s: %s\n", dry ? "Snapshots that would go" : "Snapshots removed",
		    text_count(a, r->snapshots_removed));
	out_text(c, "In use: %s, %s; unused within them: %s\n", packs(a, r->packs_kept),
	    text_bytes(b, r->bytes_live), text_bytes((char[32]){0}, r->bytes_dead));
	if (r->paid_packs)
		out_text(c,
		    "Unused, but kept: %s, %s, in cold storage that is paid for until %s\n"
		    "at least; deleting them now costs about %.2f USD (--pay-for-cold)\n",
		    packs(a, r->paid_packs), text_bytes(b, r->paid_bytes),
		    calendar_format_local(when, r->paid_until_ns), ceil(r->paid_fee * 100) / 100);
	if (r->waiting && r->next_ns)
		out_text(c,
		    "Unused %s wait, lest a running backup needs them: prune again after\n"
		    "%s, or with --exclusive where nobody else uses the repository\n",
		    packs(a, r->waiting), calendar_format_local(when, r->next_ns));
	report_upkeep(c, r);
}

static void report_json(struct cli *c, const struct prune_result *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "dry_run", json_boolean(c->opt.dry_run));
	out_json_u64(o, "snapshots_kept", r->snapshots_kept);
	out_json_u64(o, "snapshots_removed", r->snapshots_removed);
	out_json_u64(o, "packs_kept", r->packs_kept);
	out_json_u64(o, "packs_marked", r->packs_marked);
	out_json_u64(o, "packs_deleted", r->packs_deleted);
	out_json_u64(o, "packs_unmarked", r->packs_unmarked);
	out_json_u64(o, "packs_repacked", r->packs_repacked);
	out_json_u64(o, "logs_deleted", r->logs_deleted);
	out_json_u64(o, "log_bytes_deleted", r->log_bytes_deleted);
	out_json_u64(o, "bytes_marked", r->bytes_marked);
	out_json_u64(o, "bytes_deleted", r->bytes_deleted);
	out_json_u64(o, "bytes_repacked", r->bytes_repacked);
	out_json_u64(o, "bytes_live", r->bytes_live);
	out_json_u64(o, "bytes_dead", r->bytes_dead);
	out_json_u64(o, "domains_held", r->domains_held);
	out_json_u64(o, "passed_over", r->passed_over);
	out_json_u64(o, "waiting", r->waiting);
	out_json_u64(o, "paid_packs", r->paid_packs);
	out_json_u64(o, "paid_bytes", r->paid_bytes);
	json_object_set_new(o, "early_deletion", json_real(r->paid_fee));
	if (r->paid_until_ns)
		out_json_time(o, "paid_until", r->paid_until_ns);
	if (r->next_ns)
		out_json_time(o, "next", r->next_ns);
	else
		out_json_str(o, "next", NULL);
	out_json_u64(o, "locks_extended", r->locks.extended);
	if (r->locks.until_ns)
		out_json_time(o, "locked_until", r->locks.until_ns);
	else
		out_json_str(o, "locked_until", NULL);
	out_json_u64(o, "rules", r->rules);
	json_object_set_new(o, "seconds", json_real(r->seconds));
	out_json(c, "summary", o);
}

struct showing {
	struct cli *c;
	struct text_table table;
};

/* A dry run's item: a line of JSON, or a row. */
static int show_item(void *arg, const struct prune_item *it, struct err *e)
{
	struct showing *sh = arg;
	char size[32];
	json_t *o;

	(void)e;
	if (!sh->c->out.json) {
		if (sh->table.nrows == 0)
			text_row(&sh->table, (const char *[]){"Would", "Object", "Size", "Why"});
		text_row(&sh->table, (const char *[]){prune_action_name(it->action), it->object,
					 text_bytes(size, it->size), out_str(sh->c, it->why)});
		return 0;
	}
	o = json_object();
	out_json_str(o, "action", prune_action_name(it->action));
	out_json_str(o, "object", it->object);
	out_json_u64(o, "bytes", it->size);
	out_json_str(o, "reason", it->why);
	if (it->since_ns)
		out_json_time(o, "since", it->since_ns);
	else
		out_json_str(o, "since", NULL);
	out_json_time(o, "due", it->due_ns);
	if (it->action == PRUNE_REPACK)
		json_object_set_new(o, "dead_percent", json_real(it->dead));
	out_json(sh->c, "item", o);
	return 0;
}

static void show_table(struct showing *sh)
{
	struct buf b = {0};

	if (sh->table.nrows) {
		text_table_put(&b, &sh->table);
		out_list(sh->c, "%s\n", buf_cstr(&b));
	}
	text_table_fini(&sh->table);
	buf_fini(&b);
}

/* What was left as it is, and what clears that. */
static int judge(const struct prune_result *r, struct err *e)
{
	if (r->domains_held) {
		err_set(e, ERR_INCOMPLETE, "prune: of %llu %s nothing was pruned",
		    (unsigned long long)r->domains_held,
		    text_plural(r->domains_held, "domain", "domains"));
		return err_hint(e,
		    "'holdfast check' names what suffers; forget that snapshot, or let 'holdfast "
		    "repair snapshots' save what can be read of it, and prune again");
	}
	if (r->passed_over == 0)
		return 0;
	err_set(e, ERR_INCOMPLETE, "prune: passed over %llu %s that cannot be read",
	    (unsigned long long)r->passed_over, text_plural(r->passed_over, "object", "objects"));
	return err_hint(e,
	    "'holdfast check' names them; 'holdfast repair' removes snapshots, indexes and packs "
	    "that are damaged or nonsense, with --drop-foreign nobody's too; marks go by "
	    "themselves");
}

static int64_t length(const struct calendar_duration *d)
{
	return d->ns + (int64_t)d->months * 31 * 86400 * CALENDAR_SECOND;
}

/* Where systems are declared their tiers say how long logs are kept. */
static int log_rules(struct cli *c, struct prune_params *p, struct err *e)
{
	struct prune_log_rule *v;

	if (config_load(c, false, e) == -1)
		return -1;
	if (c->world == NULL)
		return 0;
	v = mem_alloc((c->world->systems.n + 1) * sizeof *v);
	for (size_t i = 0; i < c->world->systems.n; i++) {
		const struct world_system *s = world_system_at(c->world, i);
		int64_t keep = length(&world_tier(c->world, s->tier)->retention.logs);

		if (keep > 0)
			v[p->nlogs++] = (struct prune_log_rule){s->item.name, keep};
	}
	p->logs = v;
	return 0;
}

int cmd_prune(struct cli *c, struct err *e)
{
	struct showing sh = {c, {.align = "<<><", .ncols = 4, .head = true}};
	struct prune_params p = {.dry_run = c->opt.dry_run,
	    .exclusive = c->opt.exclusive,
	    .repack = c->opt.repack,
	    .max_unused = c->opt.max_unused,
	    .pay_for_cold = c->opt.pay_for_cold,
	    .item = show_item,
	    .item_arg = &sh};
	struct prune_result r = {0};
	int rc = log_rules(c, &p, e);

	if (rc == -1)
		return -1;
	progress_start(c);
	rc = op_prune(c->repo, &p, c->ctx, &r, e);
	progress_stop(c);
	show_table(&sh);
	free((void *)(uintptr_t)p.logs);
	if (rc == -1)
		return -1;
	audit_count(c, "packs_marked", r.packs_marked);
	audit_count(c, "packs_deleted", r.packs_deleted);
	audit_count(c, "bytes_deleted", r.bytes_deleted);
	if (c->out.json)
		report_json(c, &r);
	else
		report(c, &r);
	return judge(&r, e);
}
