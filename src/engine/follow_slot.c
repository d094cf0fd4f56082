/* follow_slot: the replication slot that a receiver of WAL holds (follow_internal.h). */
#include "engine/follow_internal.h"

static int look_at_slot(struct follow *f, struct pg_wal_slot *out, struct err *e)
{
	struct pg_wal_held held;
	struct pg *q;

	if (pg_wal_slot_look(f->g, f->p->slot, out, e) == -1)
		return -1;
	if (out->known || (q = follow_questions(f)) == NULL)
		return 0;
	if (pg_wal_slot_held(q, f->p->slot, &held, e) == -1)
		return -1;
	*out = (struct pg_wal_slot){true, held.there, held.reserved, held.restart, 0};
	return 0;
}

/* Before which nothing is asked of the server. */
int follow_kept_from(struct follow *f, struct follow_place *out, struct err *e)
{
	struct pg_wal_slot slot;

	if (look_at_slot(f, &slot, e) == -1)
		return -1;
	out->timeline = slot.timeline ? slot.timeline : f->server.timeline;
	out->lsn = slot.reserved ? slot.restart : f->server.flushed;
	return 0;
}

int follow_slot_make(struct follow *f, bool *made, struct err *e)
{
	if (pg_wal_slot_make(f->g, f->p->slot, made, e) == -1)
		return err_wrap(e, "make replication slot %s", f->p->slot);
	return 0;
}

int follow_slot_renew(struct follow *f, struct err *e)
{
	bool made;

	if (pg_wal_slot_drop(f->g, f->p->slot, e) == -1)
		return err_wrap(e, "drop replication slot %s, which has lost its WAL", f->p->slot);
	return follow_slot_make(f, &made, e);
}

/* One that has lost what it should keep is made anew. */
int follow_slot_mend(struct follow *f, struct err *e)
{
	struct pg_wal_slot slot;
	bool made;

	if (look_at_slot(f, &slot, e) == -1)
		return -1;
	return slot.there && !slot.reserved ? follow_slot_renew(f, e)
					    : follow_slot_make(f, &made, e);
}

/* One that the server has taken the WAL from keeps nothing, and cannot be streamed by. */
int follow_slot_lost(struct follow *f, struct err *e)
{
	struct pg_wal_slot slot;

	if (look_at_slot(f, &slot, e) == -1)
		return -1;
	if (!slot.there || slot.reserved)
		return 0;
	follow_tell(f, "log.warning", EVENT_WARN,
	    "replication slot %s has lost its WAL, and is made anew", f->p->slot);
	return follow_slot_mend(f, e);
}
