/*
 * cli_survey: what the declared repositories hold, looked at now, for check --rules.
 *
 * Each repository is opened and its snapshots listed; one that cannot be is told with why
 * and counts for nothing.
 */
#ifndef HF_CLI_CLI_SURVEY_H
#define HF_CLI_CLI_SURVEY_H

#include "cli/cli_out.h"
#include "engine/rules.h"

struct survey {
	struct rules_place *places; /* of each declared repository, in order */
	size_t n;
	char **whys; /* why each could not be opened, or NULL */
	struct survey_system {
		struct rules_system rules;
		bool *meant;
		int64_t *newest_ns;
		bool *some;
		struct rules_verdict verdicts[RULE_COUNT];
	} * systems; /* declared ones, or one without a name */
	size_t nsystems;
	size_t missed; /* rules, of all systems */
	int64_t now_ns;
};

/* ERR_USAGE where nothing is declared. */
int survey_new(struct cli *c, struct survey **out, struct err *e);
void survey_free(struct survey *s); /* NULL does nothing */

/* The repositories: what they hold, when they were checked, why one could not be opened. */
void survey_places_text(struct cli *c, const struct survey *s);
json_t *survey_places_json(const struct survey *s); /* new */
/* One item of JSON, or one table of all systems. */
void survey_rules_json(struct cli *c, const struct survey *s);
void survey_rules_text(struct cli *c, const struct survey *s);
/* 0, or ERR_OBJECTIVE_MISSED. */
int survey_result(const struct survey *s, const char *command, struct err *e);

#endif
