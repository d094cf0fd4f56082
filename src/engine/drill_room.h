/*
 * drill_room: the folder that a drill has for itself, and that is gone afterwards whatever happens.
 *
 * In the drills' folder (which has to be ours, and no link) each drill has drill-PID-XXXXXXXX,
 * locked for as long as its process lives.  One that is not locked is of a drill that was killed:
 * the next one ends what still runs in it and removes it.  Everything is done by descriptors, from
 * folder to folder and without following a link: what lies there was restored, or written by
 * another user, and is not to be believed.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_DRILL_ROOM_H
#define HF_ENGINE_DRILL_ROOM_H

#include <stdint.h>
#include <sys/types.h>

#include "base/ctx.h"

struct drill_room {
	char *base, *name, *path; /* path: base/name */
	int base_fd, fd;
	unsigned swept; /* rooms of killed drills that were removed before */
};

/* ERR_DENIED: somebody else could put things into that folder. */
int drill_room_open(struct drill_room *r, const char *base, struct ctx *ctx, struct err *e);

/* A folder of that user in it; 0 or -1. */
int drill_room_folder(
    const struct drill_room *r, const char *name, mode_t mode, uid_t uid, gid_t gid, struct err *e);

/* Room left on its file system. */
uint64_t drill_room_space(const struct drill_room *r);

/* It stays, under another name, which `path` is then. */
int drill_room_keep(struct drill_room *r, struct err *e);

/* Removed; -1: not all of it.  What is not open is not. */
int drill_room_close(struct drill_room *r, struct err *e);
void drill_room_fini(struct drill_room *r); /* frees texts, closes, removes nothing */

#endif
