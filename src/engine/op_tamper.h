/*
 * op_tamper: does the store keep us from replacing and deleting what it holds?
 *
 * A store with object lock keeps the old version behind every replacement, so to replace is no
 * proof there.  Where packs are locked for a day or more (and three quarters of the store's
 * period), locks are looked at: of the oldest and the newest packs that nobody means to delete, of
 * keys, snapshots, indexes and config.  One without beside others with one is a finding.  Then an
 * object of our own is put, locked, and its version deleted with all that our rights take a lock
 * off with: that must be refused.
 *
 * Else in this order, each only if what came before was refused:
 *   1. an object of our own, `packs/<xx>/tamper.<32 hex digits>` beside a pack, is put
 *   2. it is replaced by other bytes, and read back
 *   3. it is deleted, and asked for.  What was replaced or deleted may still be there as an older
 *      version: that one is deleted too.  Where this is refused nothing was lost to who tampers,
 * and that is no finding
 *   4. the pack beside it, which was read and is whole, is replaced by the same bytes
 *
 * Nothing that is needed is ever deleted, nor replaced by anything but itself.  What was
 * refused leaves the object of 1 behind: a few bytes that every reader passes over.
 *
 * Each that was not refused is an EVENT_FINDING.  -1 is a malfunction: it could not be tried.
 */
#ifndef HF_ENGINE_OP_TAMPER_H
#define HF_ENGINE_OP_TAMPER_H

#include "repo/repo.h"

struct tamper_result {
	bool replaced, deleted, pack_replaced; /* not refused */
	bool versions_kept;                    /* so that these lose nothing */
	bool pack_tried;
	int64_t
	    locked_until_ns; /* the first lock's end; 0: no pack is locked, and 1 to 4 were tried */
	unsigned looked, unlocked; /* objects whose locks were looked at; of these without one */
	bool unlockable;           /* a locked version could be deleted */
	char object[STORE_KEY_MAX + 1]; /* of 1; "" once it is gone */
};

int op_tamper(struct repo *r, struct ctx *ctx, struct tamper_result *out, struct err *e);

#endif
