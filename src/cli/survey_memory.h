/*
 * survey_memory: what a declared repository held when it was last looked at, for one that is
 * declared to be offline and is away now: a small JSON file for each URL in the state folder.
 * Word of this machine to itself, as proof.h.
 */
#ifndef HF_CLI_SURVEY_MEMORY_H
#define HF_CLI_SURVEY_MEMORY_H

#include "cli/cli_survey.h"

/* Of the open place i.  Not being able to is a warning. */
void survey_remember(struct cli *c, const struct survey *v, size_t i, const char *url);

/* Into the place i and the systems' newest_ns; nothing where nothing is remembered. */
void survey_recall(struct survey *v, size_t i, const char *url);

#endif
