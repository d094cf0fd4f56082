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

enum { PACK_MAX = 80 << 20, SAMPLE = 8, OTHERS = 8 };

struct sample {
	struct {
		struct id id;
		int64_t ns;
	} v[SAMPLE]; /* those with the least, in order */
	unsigned n;
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
	struct sample old, new; /* of packs that nobody means to delete */
	unsigned others;
	char open[STORE_KEY_MAX + 1]; /* one that should have a lock, and has none */
};

static void sample_take(struct sample *s, const struct id *id, int64_t ns)
{
	unsigned at = s->n;

	while (at > 0 && s->v[at - 1].ns > ns)
		at--;
	if (at == SAMPLE)
		return;
	s->n += s->n < SAMPLE;
	memmove(s->v + at + 1, s->v + at, (s->n - at - 1) * sizeof *s->v);
	s->v[at].id = *id;
	s->v[at].ns = ns;
}

static int take_pack(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e)
{
	struct tampering *t = arg;

	if (type != FORMAT_PACK)
		return 0;
	if (!mark_has_pack(&t->marks, id)) {
		sample_take(&t->old, id, st->mtime_ns);
		sample_take(&t->new, id, -st->mtime_ns);
	}
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
static int look_at_lock(struct tampering *t, const char *key, struct err *e)
{
	struct clock *clock = os_clock_of(t->ctx);
	struct store_lock lock;

	if (store_lock_get(t->store, key, NULL, &lock, e) == -1 && e->kind != ERR_UNSUPPORTED &&
	    e->kind != ERR_DENIED)
		return -1;
	t->out->looked++;
	if (lock.until_ns - clock->wall_ns(clock) < least_lock(t->store)) {
		if (t->out->unlocked++ == 0)
			snprintf(t->open, sizeof t->open, "%s", key);
	} else if (t->out->locked_until_ns == 0 || lock.until_ns < t->out->locked_until_ns) {
		t->out->locked_until_ns = lock.until_ns;
	}
	return 0;
}

static int look_at_packs(struct tampering *t, struct err *e)
{
	char key[REPO_NAME_MAX];

	for (unsigned i = 0; i < t->old.n + t->new.n; i++) {
		repo_object_name(
		    key, FORMAT_PACK, i < t->old.n ? &t->old.v[i].id : &t->new.v[i - t->old.n].id);
		if (look_at_lock(t, key, e) == -1)
			return -1;
	}
	return 0;
}

/* Without these packs are noise. */
static int take_first(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct tampering *t = arg;

	if (t->others == OTHERS)
		return 0;
	t->others++;
	return look_at_lock(t, key, e);
}

static int look_at_others(struct tampering *t, struct err *e)
{
	static const char *const folders[] = {"keys/", "snapshots/", "index/"};

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		t->others = 0;
		if (store_list(t->store, folders[i], take_first, t, e) == -1)
			return -1;
	}
	return look_at_lock(t, "config", e);
}

static int look_for_locks(struct tampering *t, struct err *e)
{
	if (look_at_packs(t, e) == -1 || (t->out->locked_until_ns && look_at_others(t, e) == -1))
		return -1;
	if (t->out->locked_until_ns && t->out->unlocked)
		finding(t, t->open, "is not locked, as others are; prune makes locks longer");
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

/* What a store says of locks is one thing: is one of our own kept from us? */
static int try_lock(struct tampering *t, struct err *e)
{
	struct clock *clock = os_clock_of(t->ctx);
	int64_t until = clock->wall_ns(clock) + 2 * 86400 * CALENDAR_SECOND;
	bool done, kept;

	if (put_decoy(t, e) == -1)
		return -1;
	if (store_lock_extend(t->store, t->out->object, NULL, until, until, &done, e) == -1 &&
	    !refused(e))
		return -1;
	if (store_versions_kept(t->store, t->out->object, true, &kept, e) == -1) {
		if (!refused(e))
			return -1;
		kept = true; /* who may not even list them cannot delete them */
	}
	t->out->unlockable = !kept;
	if (!kept)
		finding(t, t->out->object,
		    "could be deleted though it was locked; made for this, nothing is lost");
	return 0;
}

static int judge_decoy(struct tampering *t, struct err *e)
{
	struct tamper_result *o = t->out;

	if ((o->replaced || o->deleted) &&
	    store_versions_kept(t->store, o->object, false, &o->versions_kept, e) == -1 &&
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
		return try_lock(&t, e);
	if (put_decoy(&t, e) == -1 || try_replace(&t, e) == -1 || try_delete(&t, e) == -1 ||
	    judge_decoy(&t, e) == -1)
		return -1;
	if (out->replaced || out->deleted)
		return 0;
	return try_pack(&t, e);
}
