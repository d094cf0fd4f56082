/*
 * redact: texts without the secrets that this process can know of: those that the configuration
 * refers to, those in the environment, passwords in URLs.
 *
 * It is the second net.  The first is that what is written holds none: values of the
 * configuration are let through by what they are.
 *
 * Threads: one owner.
 */
#ifndef HF_CLI_REDACT_H
#define HF_CLI_REDACT_H

#include "base/buf.h"
#include "config/node.h"

struct redact;

/* Of a configuration (may be NULL) and an environment.  No command is run for it. */
struct redact *redact_new(const struct node *config, char *const *environment);
void redact_free(struct redact *r); /* wipes; NULL does nothing */

/* Every known secret in it becomes "<secret>". */
void redact_text(const struct redact *r, struct buf *b);

/* Is a variable or option of this name a secret? */
bool redact_is_secret_name(const char *name);

/*
 * The configuration, a value a line with its path and place.  Commands, environments and what is
 * named like a secret are left out, but for references.
 */
void redact_config(const struct node *config, struct buf *out);

#endif
