/*
 * cli_audit: commands that change something, or show content, record themselves in the chain of
 * evidence (catalog/evidence.h), where one is kept or a configuration is found.
 *
 * What takes long has two records: that it was begun, before the first byte is read or
 * changed, and how it ended.  A dry run has none.  Where recording fails the work is done all
 * the same; that is said, and the exit status is 3.
 *
 * Threads: the command's; what it did, any.
 */
#ifndef HF_CLI_CLI_AUDIT_H
#define HF_CLI_CLI_AUDIT_H

#include <jansson.h>

#include "cli/cli.h"

/* Before the command's work; and after it, whatever came of it.  Returns rc, or -1. */
void audit_begin(struct cli *c);
int audit_end(struct cli *c, int rc, struct err *e);
/* It was asked for with a key that does not fit, or not do that: a record of its own.  Returns -1.
 */
int audit_refused(struct cli *c, struct err *e);
void audit_free(struct cli *c);

/* What the command did, for its record: a text, or one of a list.  Nothing where none is kept. */
void audit_put(struct cli *c, const char *name, const char *value);
void audit_put_number(struct cli *c, const char *name, double value);
void audit_count(struct cli *c, const char *name, uint64_t n);
void audit_add(struct cli *c, const char *name, const char *value);

/* Of all that happens, what belongs into the record: snapshots that were removed for good. */
void audit_event(struct cli *c, const struct event *ev);

/* cli_audit_options.c: the words and options that were given, without secrets; new. */
json_t *audit_arguments(const struct cli *c);
json_t *audit_options(const struct cli *c);
/* A text without the password of a URL in it; new. */
char *audit_clean(const char *text);

#endif
