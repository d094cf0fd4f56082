/*
 * api_audit: the audit trail for who audits, and approvals (api_routes.c).
 *
 * An approval is a statement: who, of what as it is now, and why, signed into the chain.  Nothing
 * in this program waits for one yet.
 */
#include <stdlib.h>
#include <string.h>

#include "api/api_route.h"
#include "base/mem.h"
#include "catalog/catalog_snapshot.h"
#include "catalog/evidence_read.h"
#include "catalog/evidence_statement.h"

static int no_chain(struct err *e)
{
	err_set(e, ERR_ABSENT, "no audit trail is kept here");
	return err_hint(e, "one begins with the first backup under a configuration, or with: "
			   "holdfast evidence key");
}

static bool is_kept(const struct api_call *c)
{
	return c->state_dir != NULL && evidence_is_kept(c->state_dir);
}

/* ---- Records. */

/* A line that is none ends what can be shown: the verdict names it. */
static int append_record(void *arg, struct span line, struct err *e)
{
	struct evidence_record r;

	if (evidence_record_read(line, &r, e) == -1)
		return -1;
	json_array_append(arg, r.json);
	evidence_record_fini(&r);
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
	return evidence_read(c->state_dir, (uint64_t)api_value_number(c, "after"),
	    limit ? (uint64_t)limit : API_PAGE, each, arg, e);
}

int api_get_evidence(struct api_call *c, struct err *e)
{
	json_t *list = json_array();

	if (page(c, append_record, list, e) == -1) {
		json_decref(list);
		return -1;
	}
	c->json = json_pack("{s:i, s:o}", "schema", 1, "records", list);
	return 0;
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
	char *head = NULL;
	struct err why;

	if (!is_kept(c))
		return no_chain(e);
	if (evidence_verify(c->state_dir, &v, e) == -1)
		return -1;
	/* Of a chain that ends in what is no record there is no head to give. */
	if (evidence_head_now(c->state_dir, &ctx, &h, &head, &why) == -1)
		head = NULL;
	c->json = json_pack(
	    "{s:i, s:o, s:s?}", "schema", 1, "evidence", evidence_verdict_json(&v), "head", head);
	free(head);
	return 0;
}

/* ---- Approvals. */

static int append_approval(void *arg, struct span line, struct err *e)
{
	struct evidence_record r;

	if (evidence_record_read(line, &r, e) == -1)
		return -1;
	if (strcmp(evidence_action(r.action)->class, "approval") == 0)
		json_array_append(arg, r.json);
	evidence_record_fini(&r);
	return 0;
}

/* The newest first, so many. */
static json_t *newest(json_t *all, size_t most)
{
	json_t *list = json_array();

	for (size_t i = json_array_size(all); i > 0 && json_array_size(list) < most; i--)
		json_array_append(list, json_array_get(all, i - 1));
	json_decref(all);
	return list;
}

int api_get_approvals(struct api_call *c, struct err *e)
{
	int64_t limit = api_value_number(c, "limit");
	json_t *all = json_array();

	if (is_kept(c) && evidence_read(c->state_dir, 0, 0, append_approval, all, e) == -1) {
		json_decref(all);
		return -1;
	}
	c->json = json_pack(
	    "{s:i, s:o}", "schema", 1, "approvals", newest(all, limit ? (size_t)limit : API_PAGE));
	return 0;
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
	if (strncmp(what, "snapshot ", 9) != 0)
		return 0;
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
