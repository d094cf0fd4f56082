/* op_tamper: see op_tamper.h. */
#include "engine/op_tamper.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/calendar.h"
#include "base/hex.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "repo/mark.h"
#include "repo/repo_object.h"
#include "store/store_rules.h"

enum { PACK_MAX = 80 << 20, OLDEST = 16 };

struct old_pack {
	struct id id;
	int64_t stored_ns;
};

struct tampering {
	struct repo *repo;
	struct store *store;
	struct ctx *ctx;
	struct tamper_result *out;
	char pack[REPO_NAME_MAX]; /* the smallest there is */
	struct id pack_id;
	uint64_t pack_size;
	struct mark_set marks;
	struct old_pack oldest[OLDEST]; /* by age */
	unsigned noldest;
};

static void take_old(struct tampering *t, const struct id *id, int64_t stored_ns)
{
	unsigned at = t->noldest;

	while (at > 0 && t->oldest[at - 1].stored_ns > stored_ns)
		at--;
	if (at == OLDEST || mark_has_pack(&t->marks, id))
		return;
	t->noldest += t->noldest < OLDEST;
	memmove(t->oldest + at + 1, t->oldest + at, (t->noldest - at - 1) * sizeof *t->oldest);
	t->oldest[at] = (struct old_pack){*id, stored_ns};
}

static int take_pack(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct tampering *t = arg;

	if (type != FORMAT_PACK)
		return 0;
	take_old(t, id, st->mtime_ns);
	if (t->pack[0] && st->size >= t->pack_size)
		return 0;
	repo_object_name(t->pack, type, id);
	t->pack_id = *id;
	t->pack_size = st->size;
	return 0;
}

/* A refusal is what we hope for; all other errors are malfunctions. */
static bool refused(const struct err *e)
{
	return e->kind == ERR_DENIED || e->kind == ERR_EXISTS;
}

static void finding(struct tampering *t, const char *key, const char *what)
{
	event_emit(t->ctx, EVENT_FINDING, span_str(key), "%s", what);
}

/* What is about to end protects nobody; with a period, prune should have made it longer by then. */
static int64_t least_lock(struct store *s)
{
	int64_t day = 86400 * CALENDAR_SECOND, most = store_lock_period(s) / 4 * 3;

	return most > day ? most : day;
}

/* A store that knows no locks says so; one that cannot be asked is a malfunction. */
static int lock_of(struct tampering *t, const char *key, int64_t *until, struct err *e)
{
	struct clock *clock = os_clock_of(t->ctx);

	if (store_lock_get(t->store, key, until, e) == -1 && e->kind != ERR_UNSUPPORTED &&
	    e->kind != ERR_DENIED)
		return -1;
	if (*until - clock->wall_ns(clock) < least_lock(t->store))
		*until = 0;
	return 0;
}

static int look_for_locks(struct tampering *t, struct err *e)
{
	char key[REPO_NAME_MAX], open[REPO_NAME_MAX];
	int64_t until;

	for (unsigned i = 0; i < t->noldest; i++) {
		repo_object_name(key, FORMAT_PACK, &t->oldest[i].id);
		if (lock_of(t, key, &until, e) == -1)
			return -1;
		t->out->looked++;
		if (until == 0)
			memcpy(open, key, sizeof open);
		t->out->unlocked += until == 0;
		if (until && (t->out->locked_until_ns == 0 || until < t->out->locked_until_ns))
			t->out->locked_until_ns = until;
	}
	if (t->out->locked_until_ns && t->out->unlocked)
		finding(t, open, "is not locked, as others are; prune makes locks longer");
	return 0;
}

static int put_decoy(struct tampering *t, struct err *e)
{
	char hex[33];
	uint8_t id[16];

	crypto_random(id, sizeof id);
	snprintf(t->out->object, sizeof t->out->object, "%.*s/tamper.%s",
	    (int)(strrchr(t->pack, '/') - t->pack), t->pack, hex_encode(hex, id, sizeof id));
	return store_put(t->store, t->out->object, span_str("before\n"), STORE_NEW, e);
}

/* A store may say yes and keep the old bytes: what counts is what it gives back. */
static int try_replace(struct tampering *t, struct err *e)
{
	struct buf b = {0};
	int rc;

	if (store_put(t->store, t->out->object, span_str("after!\n"), 0, e) == -1)
		return refused(e) ? 0 : -1;
	rc = store_get_all(t->store, t->out->object, 64, &b, e);
	t->out->replaced = rc == 0 && span_eq(buf_span(&b), span_str("after!\n"));
	buf_fini(&b);
	return rc;
}

static int try_delete(struct tampering *t, struct err *e)
{
	struct store_stat st;

	if (store_del(t->store, t->out->object, e) == -1)
		return refused(e) ? 0 : -1;
	if (store_stat(t->store, t->out->object, &st, e) == 0)
		return 0;
	if (e->kind != ERR_ABSENT)
		return -1;
	t->out->deleted = true;
	return 0;
}

static int judge_decoy(struct tampering *t, struct err *e)
{
	struct tamper_result *o = t->out;

	if ((o->replaced || o->deleted) &&
	    store_versions_kept(t->store, o->object, &o->versions_kept, e) == -1 &&
	    e->kind != ERR_DENIED)
		return -1;
	if (o->replaced && !o->versions_kept)
		finding(t, o->object, "could be replaced; made for this, nothing is lost");
	if (o->deleted && !o->versions_kept)
		finding(t, o->object, "could be deleted; made for this, nothing is lost");
	if (o->deleted)
		o->object[0] = '\0';
	return 0;
}

static int try_pack(struct tampering *t, struct err *e)
{
	struct buf b = {0};
	struct id id;
	int rc = store_get_all(t->store, t->pack, PACK_MAX, &b, e);

	if (rc == 0) {
		repo_object_id(t->repo, buf_span(&b), &id);
		if (memcmp(&id, &t->pack_id, sizeof id) != 0)
			rc = err_set(e, ERR_CORRUPT, "%s is damaged: it is left as it is", t->pack);
	}
	if (rc == 0) {
		t->out->pack_tried = true;
		if (store_put(t->store, t->pack, buf_span(&b), 0, e) == 0) {
			t->out->pack_replaced = true;
			finding(
			    t, t->pack, "could be replaced, by the same bytes: nothing is lost");
		} else if (!refused(e)) {
			rc = -1;
		}
	}
	buf_fini(&b);
	return rc;
}

int op_tamper(struct repo *r, struct ctx *ctx, struct tamper_result *out, struct err *e)
{
	struct tampering t = {.repo = r, .store = repo_store(r), .ctx = ctx, .out = out};
	int rc;

	memset(out, 0, sizeof *out);
	if (repo_may_write(r, e) == -1 || mark_load(r, &t.marks, e) == -1)
		return -1;
	rc = repo_list_packs(r, take_pack, &t, e);
	mark_set_fini(&t.marks);
	if (rc == -1)
		return -1;
	if (t.pack[0] == '\0') {
		err_set(e, ERR_ABSENT, "there is no pack yet to try it beside");
		return err_hint(e, "back something up first");
	}
	if (look_for_locks(&t, e) == -1)
		return -1;
	if (out->locked_until_ns)
		return 0;
	if (put_decoy(&t, e) == -1 || try_replace(&t, e) == -1 || try_delete(&t, e) == -1 ||
	    judge_decoy(&t, e) == -1)
		return -1;
	if (out->replaced || out->deleted)
		return 0;
	return try_pack(&t, e);
}
