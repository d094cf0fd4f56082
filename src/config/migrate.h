/*
 * migrate: a configuration of another kind as one of ours.
 *
 * Two are known: the simple form (schedule, retention in days, destination), and an object with
 * strategy, schedule {type, expression, timezone}, retention, destinations [{type, config,
 * priority, encryption}], compression and verification, alone or below "backup".  JSON is YAML.
 *
 * What needs a person is said in a comment that begins with TODO.  No secret is carried over: a
 * reference stands in its place, and of keys that are not known only the name.
 *
 * Threads: reentrant.
 */
#ifndef HF_CONFIG_MIGRATE_H
#define HF_CONFIG_MIGRATE_H

#include "base/buf.h"
#include "config/node.h"

/* YAML that world_of_text takes, appended.  ERR_USAGE with the place in `from`. */
int migrate_config(const struct node *from, struct buf *out, struct err *e);

/* ---- Shared by the files of it. */

/* One repository of `d` (a text: its URL; or a mapping with a type), as `name`. */
int migrate_repository(const struct node *d, const char *name, struct buf *out, struct err *e);

/* "s3", "gcs", "azure", "local", "ftp", "sftp", ...; NULL and an error for others. */
const char *migrate_type(const struct node *d, struct err *e);

/* A number as it is, all else in quotes. */
void migrate_put_text(struct buf *out, const char *text);

/* A comment for each child of a mapping that is none of `known` (NULL ends them). */
void migrate_put_others(
    struct buf *out, const char *indent, const struct node *map, const char *const *known);

/* The text of a mapping's child, or NULL. */
const char *migrate_text(const struct node *map, const char *name);

#endif
