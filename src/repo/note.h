/*
 * note: signed remarks on snapshots (format.md 8).  A snapshot never changes;
 * its tags, pins and forgetting are the fold of its notes.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_NOTE_H
#define HF_REPO_NOTE_H

#include "repo/repo.h"
#include "repo/snapshot.h"

enum note_op {
	NOTE_TAG,
	NOTE_UNTAG,
	NOTE_FORGET, /* value: due time */
	NOTE_RELEASE,
	NOTE_PIN,
	NOTE_UNPIN,
	NOTE_HOLD,
	NOTE_OPS
};

struct note {
	struct id snapshot, id;
	enum note_op op;
	int64_t time_ns, due_ns;
	char *value;
	bool damaged;
};

struct note_list {
	struct note *v;
	size_t n;
};

/* Every note, in order of snapshot, time, id; damaged ones are told and kept as such. */
int note_load_all(struct repo *r, struct note_list *out, struct err *e);
void note_list_fini(struct note_list *l);

int note_put(
    struct repo *r, const struct id *snapshot, enum note_op op, const char *value, struct err *e);

/* Apply to a snapshot the notes that are its own (others are passed over). */
void note_fold(const struct note_list *l, struct snapshot *s);

/* Delete every note of a snapshot that is gone. */
int note_del_all(
    struct repo *r, const struct note_list *l, const struct id *snapshot, struct err *e);

#endif
