/* config_lease: see config_lease.h. */
#include "repo/config_lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "repo/config.h"
#include "repo/name_list.h"
#include "repo/repo_object.h"
#include "store/store.h"

static const int64_t SECOND_NS = 1000000000;

enum {
	LEASE_S = 60, /* so old, its holder is gone */
	HOLD_S = LEASE_S / 2,
	STEP_MS = 20,
	TRIES = 100,         /* each after 1 to 5 such steps: 5 s and more */
	NUMBER_MAX = 999999, /* what is beyond is none of ours */
	NAME_MAX_LEN = 64,
};

static const char FOLDER[] = "leases/", PREFIX[] = "leases/config.";

static char *lease_name(char out[NAME_MAX_LEN], uint64_t revision, unsigned number)
{
	snprintf(out, NAME_MAX_LEN, "%s%llu.%u", PREFIX, (unsigned long long)revision, number);
	return out;
}

static bool parse_name(const char *name, uint64_t *revision, unsigned *number)
{
	char again[NAME_MAX_LEN], *end;
	unsigned long n;

	if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
		return false;
	*revision = strtoull(name + sizeof PREFIX - 1, &end, 10);
	if (*end != '.')
		return false;
	n = strtoul(end + 1, NULL, 10);
	*number = (unsigned)n;
	return n <= NUMBER_MAX && strcmp(lease_name(again, *revision, *number), name) == 0;
}

/* The last lease on a revision. */
struct last {
	uint64_t revision;
	bool any;
	unsigned number;
	int64_t stored_ns;
};

static int find_last(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct last *l = arg;
	uint64_t revision;
	unsigned number;

	(void)e;
	if (!parse_name(key, &revision, &number) || revision != l->revision ||
	    (l->any && number < l->number))
		return 0;
	l->any = true;
	l->number = number;
	l->stored_ns = st->mtime_ns;
	return 0;
}

static int busy(struct err *e)
{
	err_set(e, ERR_BUSY, "somebody else is changing the repository's config");
	return err_hint(
	    e, "run this again; if nobody is, but was cut off in the middle, in a minute");
}

static int64_t boot_ns(struct ctx *ctx)
{
	struct clock *c = os_clock_of(ctx);

	return c->mono_ns(c);
}

/* One try: 0, or ERR_BUSY. */
static int take(struct config_lease *l, struct err *e)
{
	struct last last = {.revision = l->revision};
	char name[NAME_MAX_LEN];
	uint8_t who[16];
	int64_t now;

	if (store_list(l->store, FOLDER, find_last, &last, e) == -1)
		return -1;
	if (last.any) {
		if (repo_store_clock(l->store, &now, e) == -1)
			return -1;
		/* From the future: its store's clock was set back since. */
		if (llabs(now - last.stored_ns) < LEASE_S * SECOND_NS || last.number == NUMBER_MAX)
			return busy(e);
	}
	l->number = last.any ? last.number + 1 : 0;
	l->since_ns = boot_ns(l->ctx);
	/* Unlike any other, so that a put that is tried again knows its own. */
	crypto_random(who, sizeof who);
	hex_encode(l->who, who, sizeof who);
	if (store_put(l->store, lease_name(name, l->revision, l->number), span_str(l->who),
		STORE_NEW, e) == -1)
		return e->kind == ERR_EXISTS ? busy(e) : -1;
	l->held = true;
	return 0;
}

/* Of many that wait none is to be the last for ever. */
static void wait_a_bit(struct config_lease *l)
{
	uint8_t x;

	crypto_random(&x, sizeof x);
	os_sleep_ns(l->ctx, (STEP_MS + x % (4 * STEP_MS)) * (SECOND_NS / 1000));
}

int config_lease_begin(struct config_lease *l, struct store *s, struct ctx *ctx,
    config_lease_read *read, void *arg, struct err *e)
{
	uint64_t is;

	*l = (struct config_lease){.store = s, .ctx = ctx};
	for (int tries = 1;; tries++) {
		if (read(arg, &l->revision, e) == -1)
			return -1;
		if (take(l, e) == 0) {
			if (read(arg, &is, e) == -1) {
				config_lease_end(l, false);
				return -1;
			}
			if (is == l->revision)
				return 0;
			/* Who held it before us has replaced it in between. */
			config_lease_end(l, false);
			busy(e);
		} else if (e->kind != ERR_BUSY) {
			return -1;
		}
		if (tries == TRIES)
			return -1;
		wait_a_bit(l);
		if (ctx_check(ctx, e) == -1)
			return -1;
	}
}

static bool is_late(const struct config_lease *l)
{
	return boot_ns(l->ctx) - l->since_ns >= HOLD_S * SECOND_NS;
}

int config_lease_check(const struct config_lease *l, struct err *e)
{
	if (l->held && !is_late(l))
		return 0;
	err_set(
	    e, ERR_BUSY, "this was interrupted for too long: config may be another's to change");
	return err_hint(e, "nothing was changed; run this again");
}

int config_lease_confirm(struct config_lease *l, struct err *e)
{
	char name[NAME_MAX_LEN];
	struct buf text = {0};
	int rc = config_lease_check(l, e);

	if (rc == 0)
		rc = store_get_all(l->store, lease_name(name, l->revision, l->number),
		    2 * sizeof l->who, &text, e);
	if (rc == 0 && !span_eq(buf_span(&text), span_str(l->who))) {
		rc = busy(e);
		l->held = false; /* it is another's to take away */
	}
	buf_fini(&text);
	return rc;
}

struct over {
	const struct config_lease *mine;
	struct name_list names;
};

static int take_over(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct over *o = arg;
	uint64_t revision;
	unsigned number;

	if (!parse_name(key, &revision, &number) || revision > o->mine->revision)
		return 0;
	return name_list_take(&o->names, key, st, e);
}

/* Of revisions that are past: what crashes left, too. */
static void sweep(struct config_lease *l)
{
	struct over o = {.mine = l};
	struct err ignored;

	store_list(l->store, FOLDER, take_over, &o, &ignored);
	for (size_t i = 0; i < o.names.n; i++)
		store_del(l->store, o.names.v[i], &ignored);
	name_list_fini(&o.names);
}

void config_lease_end(struct config_lease *l, bool replaced)
{
	char name[NAME_MAX_LEN];
	struct err ignored;

	/* Late, its name may be another's: left, it is over in a minute. */
	if (l->held && replaced)
		sweep(l);
	else if (l->held && !is_late(l))
		store_del(l->store, lease_name(name, l->revision, l->number), &ignored);
	l->held = false;
}

int config_lease_stored(void *store, uint64_t *revision, struct err *e)
{
	struct buf text = {0};
	struct config_claim is;
	int rc = store_get_all(store, "config", CONFIG_MAX, &text, e);

	*revision = 0;
	if (rc == -1 && (e->kind == ERR_ABSENT || e->kind == ERR_CORRUPT || e->kind == ERR_IO))
		rc = 0;
	else if (rc == 0 && config_claim(buf_span(&text), &is))
		*revision = is.revision;
	buf_fini(&text);
	return rc;
}
