/* job_verify: one system judged at each of its destinations, each by a process of its own. */
#include "daemon/job_internal.h"

#include <stdio.h>
#include <string.h>

/* The least score counts, and the first place's snapshot is told. */
void job_verify_hear(struct job *j, const json_t *o)
{
	struct job_result *r = j->r;
	const char *snapshot = json_string_value(json_object_get(o, "snapshot"));
	const char *verified = json_string_value(json_object_get(o, "verified"));
	double score = json_number_value(json_object_get(o, "score"));

	if (verified == NULL)
		return;
	if (strcmp(verified, "not_judged") == 0) {
		j->empty++;
		return;
	}
	j->judged++;
	if (strcmp(verified, "failed") == 0)
		r->run.verified = verified = "failed";
	if (r->run.score < 0 || score < r->run.score)
		r->run.score = score;
	r->run.bytes_read += (uint64_t)json_integer_value(json_object_get(o, "bytes_read"));
	if (snapshot == NULL || r->snapshot[0] != '\0')
		return;
	snprintf(r->snapshot, sizeof r->snapshot, "%s", snapshot);
	r->run.snapshot = r->snapshot;
	r->run.files = (uint64_t)json_integer_value(json_object_get(o, "files"));
	r->run.bytes = (uint64_t)json_integer_value(json_object_get(o, "bytes"));
}

static void judge_at(struct job *j, const char *repository)
{
	const struct job_params *p = j->p;
	const char *words[12] = {"-r", repository, "verify"};
	size_t n = 3;
	struct err e;

	if (p->type != NULL) {
		words[n++] = "--level";
		words[n++] = p->type;
	}
	if (p->seed != NULL) {
		words[n++] = "--seed";
		words[n++] = p->seed;
	}
	if (p->read_data)
		words[n++] = "--read-data";
	words[n] = p->system->item.name;
	if (job_command(j, words, false, &e) == -1)
		job_settle(j, repository, &e);
}

/* Damage in one place is a failure; a place that is away is one too: nothing was proven there. */
void job_verify(struct job *j)
{
	const struct field_texts *to = &j->tier->destinations;

	j->r->run.type = j->p->type                                     ? j->p->type
			 : j->tier->verify.level == WORLD_COMPREHENSIVE ? "comprehensive"
									: "standard";
	for (size_t i = 0; i < to->n && !ctx_cancelled(j->ctx); i++)
		judge_at(j, to->v[i]);
	if (j->judged > 0 && j->judged + j->empty == to->n && j->r->run.verified == NULL)
		j->r->run.verified = "passed";
}
