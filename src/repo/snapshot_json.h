/* snapshot_json: a snapshot's head and facts as JSON (format.md 8). */
#ifndef HF_REPO_SNAPSHOT_JSON_H
#define HF_REPO_SNAPSHOT_JSON_H

#include "repo/snapshot.h"

/* New texts, or NULL where a string that must be UTF-8 is not. */
void snapshot_json_encode(const struct snapshot *s, char **head, char **facts);

/*
 * Into a zeroed snapshot; what is filled is freed by snapshot_free also on -1.  The head decides:
 * facts that are not understood, or that name other trees, make it `unread` and head_only; with
 * facts.p NULL, which a key without names has, it is head_only alone.
 */
int snapshot_json_decode(struct span head, struct span facts, struct snapshot *s, struct err *e);

#endif
