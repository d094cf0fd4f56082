/* store_backoff: see store_backoff.h. */
#include "store/store_backoff.h"

#include "os/os.h"

static const int64_t MS = 1000000;

const struct store_pace store_pace_near = {.more = 5, .first_ns = 100 * MS};
const struct store_pace store_pace_far = {
    .more = 8, .timeouts = 2, .first_ns = 250 * MS, .most_ns = 15000 * MS};

/* Sleeping wants a context to be cancelled by: this one never is. */
static struct ctx uncancelled;

/* splitmix64 of the time: spreads clients that failed together; needs no quality. */
static uint64_t noise(void)
{
	struct clock *clock = os_clock();
	uint64_t z = (uint64_t)clock->mono_ns(clock) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static int64_t wait_of(const struct store_pace *p, int n)
{
	int64_t wait = p->first_ns << (n - 1 < 20 ? n - 1 : 20);

	if (p->most_ns && wait > p->most_ns)
		wait = p->most_ns;
	return wait / 2 + (wait > 1 ? (int64_t)(noise() % (uint64_t)(wait / 2 + 1)) : 0);
}

/* The last word on a store that does not answer. */
static bool give_up(int n, struct err *e)
{
	if (n > 1 && e->hint[0] == '\0' && (e->kind == ERR_UNREACHABLE || e->kind == ERR_TIMEOUT))
		err_hint(e,
		    "tried %d times; when the store answers again, run the same command "
		    "again: what it has stored is kept",
		    n);
	return false;
}

bool store_backoff(const struct store_pace *p, struct ctx *ctx, int n, const char *op,
    const char *key, struct err *e)
{
	int more = e->kind == ERR_TIMEOUT && p->timeouts && p->timeouts < p->more ? p->timeouts
										  : p->more;
	int64_t wait;
	struct err stop;

	if (!err_info(e->kind)->retry)
		return false;
	if (n > more)
		return give_up(n, e);
	wait = wait_of(p, n);
	if (ctx) {
		if (ctx_check(ctx, &stop) == -1) {
			*e = stop;
			return false;
		}
		event_emit(ctx, EVENT_STORE_RETRY, span_str(key),
		    "%s failed, attempt %d of %d in %lld ms: %s", op, n + 1, more + 1,
		    (long long)(wait / MS), e->msg);
	}
	if (wait)
		os_sleep_ns(ctx ? ctx : &uncancelled, wait);
	if (ctx && ctx_check(ctx, &stop) == -1) {
		*e = stop;
		return false;
	}
	return true;
}
