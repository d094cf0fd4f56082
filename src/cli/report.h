/*
 * report: a drill's record for readers: a page of HTML, and OSCAL's assessment results.
 *
 * Threads: any; no state.
 */
#ifndef HF_CLI_REPORT_H
#define HF_CLI_REPORT_H

#include <jansson.h>

#include "base/buf.h"

/* The page needs nothing from elsewhere; line: the signed record, hash: its SHA-256. */
void report_html(struct buf *out, const json_t *record, struct span line, const char *hash);

/* https://pages.nist.gov/OSCAL: assessment-results 1.1.2; new. */
json_t *report_oscal(const json_t *record, const char *hash);

#endif
