/* check --rules, check --tamper: what a repository cannot say of itself by being whole. */
#include "cli/cli_survey.h"

#include "engine/op_tamper.h"
#include "os/os.h"

int cmd_check_rules(struct cli *c, struct err *e)
{
	struct survey *s;
	json_t *o;
	int rc;

	if (survey_new(c, &s, e) == -1)
		return -1;
	if (c->out.json) {
		survey_rules_json(c, s);
		o = json_object();
		out_json_u64(o, "rules", s->nsystems * RULE_COUNT);
		out_json_u64(o, "missed", s->missed);
		json_object_set_new(o, "repositories", survey_places_json(s));
		out_json(c, "summary", o);
	} else {
		survey_places_text(c, s);
		out_list(c, "\n");
		survey_rules_text(c, s);
	}
	rc = survey_result(s, "check", e);
	survey_free(s);
	return rc;
}

static void report(struct cli *c, const struct tamper_result *r)
{
	char until[CALENDAR_TEXT], n[TEXT_AMOUNT];
	json_t *o;

	if (c->out.json) {
		o = json_object();
		json_object_set_new(o, "replaced", json_boolean(r->replaced));
		json_object_set_new(o, "deleted", json_boolean(r->deleted));
		json_object_set_new(o, "versions_kept", json_boolean(r->versions_kept));
		json_object_set_new(o, "pack_tried", json_boolean(r->pack_tried));
		json_object_set_new(o, "pack_replaced", json_boolean(r->pack_replaced));
		if (r->locked_until_ns)
			out_json_time(o, "locked_until", r->locked_until_ns);
		else
			out_json_str(o, "locked_until", NULL);
		out_json_u64(o, "objects_unlocked", r->locked_until_ns ? r->unlocked : 0);
		json_object_set_new(o, "lock_broken", json_boolean(r->unlockable));
		out_json_str(o, "object", r->object[0] ? r->object : NULL);
		out_json(c, "summary", o);
		return;
	}
	if (r->locked_until_ns) {
		out_text(c, "Locks of %s objects looked at: %s, until %s or longer\n",
		    text_count(n, r->looked), r->unlocked ? "NOT ALL ARE LOCKED" : "all are locked",
		    calendar_format_local(until, r->locked_until_ns));
		out_text(c, "Deleting a locked one of our own: %s\n",
		    r->unlockable ? "DONE" : "refused");
		return;
	}
	out_text(c, "Replacing an object of our own: %s\n", r->replaced ? "DONE" : "refused");
	out_text(c, "Deleting it:                    %s\n", r->deleted ? "DONE" : "refused");
	if (r->versions_kept) {
		out_text(
		    c, "Deleting the version before:    refused, so nothing is lost by these\n");
		return;
	}
	out_text(c, "Replacing a pack by itself:     %s\n",
	    r->pack_replaced ? "DONE"
	    : r->pack_tried  ? "refused"
			     : "not tried");
}

int cmd_check_tamper(struct cli *c, struct err *e)
{
	struct clock *clock = os_clock_of(c->ctx);
	struct tamper_result r;
	struct err why;
	struct proof p = {.known = true};

	if (op_tamper(c->repo, c->ctx, &r, e) == -1)
		return err_wrap(e, "check --tamper");
	p.when_ns = clock->wall_ns(clock);
	p.problems = r.versions_kept ? 0 : (uint64_t)r.replaced + r.deleted + r.pack_replaced;
	p.until_ns = r.locked_until_ns;
	if (r.locked_until_ns)
		p.problems += r.unlocked + r.unlockable;
	report(c, &r);
	if (proof_put(c->repo, PROOF_TAMPER, &p, &why) == -1)
		event_emit(c->ctx, EVENT_WARNING, span_of(NULL, 0), "the result cannot be kept: %s",
		    why.msg);
	if (p.problems == 0)
		return 0;
	err_set(e, ERR_DAMAGE_FOUND, "check: with these rights what is stored can be changed");
	return err_hint(e, "nothing was lost; give backups rights to add only, or a lock, "
			   "and try again");
}
