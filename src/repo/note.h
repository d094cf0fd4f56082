/*
 * note: signed remarks on snapshots (format.md 8).  A snapshot never changes;
 * its tags, pins and forgetting are the fold of its notes.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_NOTE_H
#define HF_REPO_NOTE_H

#include "repo/repo.h"
#include "repo/repo_object.h"
#include "repo/role.h"
#include "repo/snapshot.h"

enum note_op {
	NOTE_TAG,
	NOTE_UNTAG,
	NOTE_FORGET, /* value: seconds until it is due, counted from the store's time of the note */
	NOTE_RELEASE, /* ends a forget */
	NOTE_PIN,
	NOTE_UNPIN,
	NOTE_HOLD, /* value: "" or until when, RFC 3339 */
	NOTE_UNHOLD,
	NOTE_GONE,   /* on no snapshot: see gone.h */
	NOTE_PRUNED, /* on no snapshot: see pruned.h */
	NOTE_OPS
};

struct note {
	struct id snapshot, id;
	enum note_op op;
	uint8_t signer[FORMAT_UID];
	int64_t time_ns;   /* as it says, but not later than stored_ns */
	int64_t stored_ns; /* the store's time */
	uint64_t size;     /* of its object */
	int64_t due_ns; /* of a forget, by the store's clock; until when, of a hold (0: no end) */
	char *value;
	bool damaged;
	bool junk; /* damaged: as it was put, and no note on this snapshot of anybody's */
	enum err_kind unread; /* of a damaged one: why */
	bool denied;          /* its signer's role does not allow it: told, and not applied */
};

struct note_list {
	struct note *v;
	size_t n;
};

/* "notes/<snapshot>.<id>"; returns out. */
const char *note_name(char out[REPO_NAME_MAX], const struct id *snapshot, const struct id *id);

/* Every note, in order of snapshot, time, id; damaged ones are told and kept as such. */
int note_load_all(struct repo *r, struct note_list *out, struct err *e);
/* Only snapshot, id and stored_ns of each: one LIST. */
int note_list_names(struct repo *r, struct note_list *out, struct err *e);
void note_list_fini(struct note_list *l);

int note_put(
    struct repo *r, const struct id *snapshot, enum note_op op, const char *value, struct err *e);

int note_put_id(struct repo *r, const struct id *snapshot, enum note_op op, const char *value,
    struct id *id, struct err *e); /* and its id */

/*
 * The same on a snapshot as it was loaded: dated after every note that it shows, whatever
 * this machine's clock says; ERR_ABSENT if it is gone by now, ERR_BUSY if a prune may be at it.
 */
int note_add(
    struct repo *r, const struct snapshot *s, enum note_op op, const char *value, struct err *e);

/* A delay or a time as a note's value. */
enum { NOTE_VALUE = 48 };
const char *note_value_delay(char out[NOTE_VALUE], int64_t delay_ns);
const char *note_value_until(char out[NOTE_VALUE], int64_t ns); /* 0: "" */

/* May the holder of this role write such a note, so that it counts? */
bool note_role_may(enum role role, enum note_op op);
const char *note_op_name(enum note_op op);
/* The role of the key in use. */
bool note_may(struct repo *r, enum note_op op);

/* Apply to a snapshot the notes that are its own (others are passed over). */
void note_fold(const struct note_list *l, struct snapshot *s);

int note_del(struct repo *r, const struct note *n, struct err *e);
/* Delete every note of a snapshot that is gone. */
int note_del_all(
    struct repo *r, const struct note_list *l, const struct id *snapshot, struct err *e);

#endif
