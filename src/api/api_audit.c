/*
 * api_audit: the audit trail for who audits, and approvals (api_routes.c).
 *
 * An approval is a statement: who, of what as it is now, and why, signed into the chain.  Nothing
 * in this program waits for one yet.
 */
#include <stdlib.h>
#include <string.h>

#include "api/api_route.h"
#include "base/calendar.h"
#include "base/mem.h"
#include "catalog/catalog_snapshot.h"
#include "catalog/evidence_statement.h"
#include "catalog/evidence_watch.h"

static int no_chain(struct err *e)
{
	err_set(e, ERR_ABSENT, "no audit trail is kept here");
	return err_hint(e, "one begins with the first backup under a configuration, or with: "
			   "holdfast evidence key");
}

static bool is_kept(const struct api_call *c)
{
	return c->evidence != NULL && evidence_is_kept(c->state_dir);
}

/* ---- Records. */

struct shown {
	json_t *list;
	uint64_t most;             /* of approvals */
	char damaged[ERR_MSG_MAX]; /* what is wrong with the first line that is no record */
};

/* A line that is none ends what can be shown, and that is told: the verdict names it. */
static int append_record(void *arg, struct span line, struct err *e)
{
	struct shown *s = arg;
	struct evidence_record r;

	if (evidence_record_read(line, &r, e) == -1) {
		snprintf(s->damaged, sizeof s->damaged, "%s", e->msg);
		return -1;
	}
	json_array_append(s->list, r.json);
	evidence_record_fini(&r);
	return 0;
}

/* The answer, with the list by that name; rc is what reading came to. */
static int show(struct api_call *c, const char *name, struct shown *s, int rc)
{
	if (rc == -1 && s->damaged[0] == '\0') {
		json_decref(s->list);
		return -1;
	}
	c->json = json_pack("{s:i, s:o, s:s*}", "schema", 1, name, s->list, "damaged",
	    s->damaged[0] ? s->damaged : NULL);
	return 0;
}

static int append_line(void *arg, struct span line, struct err *e)
{
	buf_put_span(arg, line);
	buf_put_u8(arg, '\n');
	return 0;
}

static int page(struct api_call *c, evidence_line *each, void *arg, struct err *e)
{
	int64_t limit = api_value_number(c, "limit");

	if (!is_kept(c))
		return no_chain(e);
	return evidence_watch_read(c->evidence, (uint64_t)api_value_number(c, "after"),
	    limit ? (uint64_t)limit : API_PAGE, each, arg, e);
}

int api_get_evidence(struct api_call *c, struct err *e)
{
	struct shown s = {.list = json_array()};

	return show(c, "records", &s, page(c, append_record, &s, e));
}

int api_get_evidence_lines(struct api_call *c, struct err *e)
{
	return page(c, append_line, &c->text, e);
}

int api_get_evidence_verify(struct api_call *c, struct err *e)
{
	struct ctx ctx = {.clock = c->clock};
	struct evidence_verdict v;
	struct evidence_head h;
	char *head = NULL, when[CALENDAR_TEXT];
	int64_t at_ns;
	struct err why;

	if (!is_kept(c))
		return no_chain(e);
	if (evidence_watch_verify(c->evidence, &v, &at_ns, e) == -1)
		return -1;
	/* Of a chain that ends in what is no record there is no head to give. */
	if (evidence_head_now(c->state_dir, &ctx, &h, &head, &why) == -1)
		head = NULL;
	c->json = json_pack("{s:i, s:o, s:s, s:s?}", "schema", 1, "evidence",
	    evidence_verdict_json(&v), "verified", calendar_format_utc(when, at_ns), "head", head);
	free(head);
	return 0;
}

/* ---- Approvals. */

/* Few lines are one: the others are not worth reading as JSON. */
static int append_approval(void *arg, struct span line, struct err *e)
{
	static const char SIGN[] = "\"approval.";
	struct shown *s = arg;
	struct evidence_record r;

	if (memmem(line.p, line.n, SIGN, strlen(SIGN)) == NULL)
		return 0;
	if (evidence_record_read(line, &r, e) == -1) {
		snprintf(s->damaged, sizeof s->damaged, "%s", e->msg);
		return 0; /* newer ones stand behind it */
	}
	if (strcmp(evidence_action(r.action)->class, "approval") == 0)
		json_array_insert(s->list, 0, r.json);
	json_array_remove(s->list, s->most);
	evidence_record_fini(&r);
	return 0;
}

/* The newest first, so many. */
int api_get_approvals(struct api_call *c, struct err *e)
{
	int64_t limit = api_value_number(c, "limit");
	struct shown s = {.list = json_array(), .most = limit ? (uint64_t)limit : API_PAGE};
	int rc = 0;

	if (is_kept(c))
		rc = evidence_watch_read(c->evidence, 0, 0, append_approval, &s, e);
	return show(c, "approvals", &s, rc);
}

static int put_run(void *arg, const struct run *r, struct err *e)
{
	json_object_set_new(arg, "run", shape_json(&shape_run, r));
	return 0;
}

static int put_snapshot(void *arg, const struct catalog_snapshot *s, struct err *e)
{
	json_object_set_new(arg, "snapshot", shape_json(&shape_snapshot, s));
	return 0;
}

/* What is approved, as the catalog has it now: the record is of that, whatever comes later. */
static int put_named(struct api_call *c, const char *what, json_t *details, struct err *e)
{
	if (strncmp(what, "run ", 4) == 0) {
		if (api_uri_number(what + 4) == 0)
			return err_set(e, ERR_USAGE, "what: '%.64s' is no run", what);
		return run_get(c->catalog, api_uri_number(what + 4), put_run, details, e);
	}
	if (strncmp(what, "other: ", 7) == 0 && what[7 + strspn(what + 7, " ")] != '\0')
		return 0;
	if (strncmp(what, "snapshot ", 9) != 0) {
		err_set(e, ERR_USAGE, "what: '%.64s' is nothing that is known here", what);
		return err_hint(
		    e, "'run 42', 'snapshot ID', or of another's: 'other: change 4711'");
	}
	if (catalog_snapshot_find(c->catalog, what + 9, put_snapshot, details, e) == -1)
		return -1;
	if (json_object_get(details, "snapshot") == NULL)
		return err_set(e, ERR_ABSENT, "the catalog knows no %.80s", what);
	return 0;
}

static int record(struct api_call *c, const char *what, json_t *details, struct err *e)
{
	const char *decision = api_value(c, "decision");
	bool refused = decision != NULL && strcmp(decision, "refuse") == 0;
	struct evidence_event ev = {
	    refused ? EVIDENCE_REFUSE : EVIDENCE_APPROVE, EVIDENCE_COMPLETED, c->by, what, details};
	struct ctx ctx = {.clock = c->clock};
	struct evidence_head h;

	if (evidence_append(c->state_dir, &ev, &ctx, &h, e) == -1)
		return err_wrap(e, "the approval is not recorded, and so not given");
	c->status = 201;
	c->json = json_pack("{s:i, s:{s:s, s:s, s:s, s:I}}", "schema", 1, "approval", "action",
	    evidence_action(ev.action)->name, "subject", what, "actor", c->by, "sequence",
	    (json_int_t)h.sequence);
	return 0;
}

int api_post_approval(struct api_call *c, struct err *e)
{
	const char *what = api_value(c, "what"), *reason = api_value(c, "reason");
	json_t *details;
	int rc;

	if (what == NULL || reason == NULL)
		return err_set(
		    e, ERR_USAGE, "%s: it has to be said", what == NULL ? "what" : "reason");
	if (c->state_dir == NULL)
		return no_chain(e);
	details = json_pack("{s:s}", "reason", reason);
	rc = put_named(c, what, details, e) == -1 ? -1 : record(c, what, details, e);
	json_decref(details);
	return rc;
}
