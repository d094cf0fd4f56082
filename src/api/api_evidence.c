/* api_evidence: what was asked of the daemon over the API, into the audit trail, where one is kept.
 */
#include "api/api_internal.h"
#include "catalog/evidence.h"

/* The values by their names: all of them were checked, and none is secret. */
static json_t *details_of(const struct api_call *k, const struct err *refused)
{
	const struct api_param *p = k->route->params;
	json_t *o = json_pack("{s:s, s:s}", "api", k->route->id, "path", k->route->path);

	for (size_t i = 0; i < API_PARAMS_MAX && p[i].name != NULL; i++)
		if (k->value[i] != NULL)
			json_object_set_new(o, p[i].name, json_string(k->value[i]));
	if (refused != NULL)
		json_object_set_new(o, "error", json_string(refused->msg));
	return o;
}

void api_record(struct api *a, const struct api_call *k, const struct err *refused)
{
	struct evidence_event ev = {
	    k->route->right == API_ADMINISTER ? EVIDENCE_CONFIG : EVIDENCE_JOB,
	    refused ? EVIDENCE_FAILED : EVIDENCE_COMPLETED, k->by, k->value[0] ? k->value[0] : "",
	    NULL};
	struct ctx ctx = {.clock = a->clock};
	struct err e;

	/* An approval is recorded as that. */
	if (k->route->right == API_APPROVE && refused == NULL)
		return;
	if (strcmp(k->route->method, "GET") == 0 || a->p.state_dir == NULL ||
	    !evidence_is_kept(a->p.state_dir))
		return;
	ev.details = details_of(k, refused);
	if (evidence_append(a->p.state_dir, &ev, &ctx, NULL, &e) == -1 && a->host.log != NULL)
		a->host.log(a->host.arg, EVENT_WARN, e.msg);
	json_decref(ev.details);
}
