/*
 * Histories of writers, readers, forgetters, pruners and repairers on one repository, by
 * the real engine over a store that does the worst it may (store_sim.h), in an
 * order that a seed decides (turns.h).  In each, whatever happens:
 *
 *   - an acknowledged snapshot that nobody forgot restores, equal, always
 *   - check finds no damage: garbage and void snapshots are none, and prune removes both
 *   - what was never acknowledged is absent, whole, or void
 *
 * And each way of breaking prune (sim_break) must be found out.
 *
 *   HOLDFAST_SIM_SEED=n      just that history, told operation by operation
 *   HOLDFAST_SIM_HISTORIES=n so many, and no other test
 *   HOLDFAST_SIM_BREAK=n     all of them broken that way
 *   HOLDFAST_TEST_FULL=1     500 of them, else 50
 */
#include "../fault/fault.h"

#include "engine/op_forget.h"
#include "engine/op_prune.h"
#include "engine/op_repair.h"
#include "turns.h"
#include "store_sim.h"

enum { FILES = 4, VARIANTS = 4, KNOWN_MAX = 256, ACTORS_MAX = 8, CHECK = 50, FULL = 500 };

static const int64_t SECOND = 1000000000, GRACE = 86400 * INT64_C(1000000000);

static const char *const names[FILES] = {"a", "dir/b", "dir/sub/c", "d"};

/* What a tree holds: a variant of each file, 0: not there. */
struct content {
	uint8_t v[FILES];
};

/* What is known of a snapshot that was acknowledged. */
struct known {
	struct id id;
	struct content content;
	unsigned host;
	bool forgotten; /* or somebody was about to */
};

struct history {
	uint64_t seed;
	struct sim_weather weather;
	enum sim_break broken;
	struct sim_place *place;
	struct known known[KNOWN_MAX];
	size_t nknown;
	struct ctx ctx; /* the judge's */
	struct make_events events;
	char *failure;                  /* the first thing that must not be */
	struct content now[ACTORS_MAX]; /* what is in each host's tree */
	/* What happened, for the sum over all. */
	unsigned backups, acknowledged, restores, prunes, repairs, forgets, crashes, voids, deleted;
};

/* An actor: one after the other, processes of one kind on one host. */
struct actor {
	struct history *h;
	char name[16];
	enum { WRITER, READER, FORGETTER, PRUNER, REPAIRER, KINDS } kind;
	unsigned host, rounds;
	int64_t skew_ns;
	struct clock clock;
	struct ctx ctx;
};

static char *base;  /* the folder of all: HOST/src, HOST/cache, out */
static int base_fd; /* locked: ours */

__attribute__((format(printf, 2, 3))) static void broken_promise(
    struct history *h, const char *fmt, ...)
{
	va_list ap;

	if (h->failure)
		return;
	va_start(ap, fmt);
	if (vasprintf(&h->failure, fmt, ap) == -1)
		abort();
	va_end(ap);
	sim_place_note(h->place, "PROMISE BROKEN: %s", h->failure);
}

/* ---- Trees. */

static char *source_of(unsigned host)
{
	return mem_printf("%s/h%u/src", base, host);
}

/* Bytes of a file's variant: no two alike, but the same on every host. */
static size_t file_bytes(size_t file, uint8_t variant, uint8_t out[4096])
{
	uint64_t seed = file * 1000 + variant;
	size_t n = 100 + (size_t)(unit_rand(&seed) % 3000);

	unit_rand_fill(&seed, out, n);
	return n;
}

static void write_file(const char *path, const uint8_t *p, size_t n)
{
	struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0 ||
	    utimensat(AT_FDCWD, path, times, 0) != 0) {
		perror(path);
		abort();
	}
}

static void lay_out(const char *dir, const struct content *c)
{
	uint8_t bytes[4096];

	for (size_t i = 0; i < FILES; i++) {
		char *path = mem_printf("%s/%s", dir, names[i]);

		unlink(path);
		if (c->v[i])
			write_file(path, bytes, file_bytes(i, c->v[i], bytes));
		free(path);
	}
}

/* Is what was restored below dir just that? */
static bool looks_like(const char *dir, const struct content *c)
{
	uint8_t want[4096], got[4096];
	bool same = true;

	for (size_t i = 0; i < FILES && same; i++) {
		char *path = mem_printf("%s/%s", dir, names[i]);
		size_t n = c->v[i] ? file_bytes(i, c->v[i], want) : 0;
		FILE *f = fopen(path, "r");

		same = (f != NULL) == (c->v[i] != 0);
		if (f && same)
			same = fread(got, 1, sizeof got, f) == n && memcmp(got, want, n) == 0;
		if (f)
			fclose(f);
		free(path);
	}
	return same;
}

static struct content some_content(const struct content *before)
{
	struct content c = *before;

	/* Often all of it as it once was: what was dead is needed again. */
	if (turns_chance(600))
		memset(c.v, 1 + (int)turns_below(VARIANTS - 1), sizeof c.v);
	for (size_t i = 0; i < FILES; i++)
		if (turns_chance(100))
			c.v[i] = (uint8_t)turns_below(VARIANTS);
	return c;
}

/* ---- What actors do. */

static int64_t actor_wall(struct clock *c)
{
	const struct actor *a = (const struct actor *)((char *)c - offsetof(struct actor, clock));

	return turns_now() + a->skew_ns;
}

static int64_t actor_mono(struct clock *c)
{
	return turns_now();
}

static struct repo *process_open(struct actor *a, struct sim_process *p, struct err *e)
{
	char *cache = mem_printf("%s/h%u/cache", base, a->host);
	struct repo_cred cred = make_cred();
	struct repo *r = NULL;

	*p = (struct sim_process){.name = a->name, .pruner = a->kind == PRUNER};
	if (repo_open(store_retry_new(sim_store_open(a->h->place, p), &a->ctx), &cred, cache,
		&a->ctx, &r, e) == -1)
		r = NULL;
	free(cache);
	return r;
}

static void run_backup(struct actor *a, struct repo *r, struct sim_process *p)
{
	struct history *h = a->h;
	struct content c = some_content(&h->now[a->host]);
	char *src = source_of(a->host);
	const char *paths[] = {src};
	struct backup_params bp = {.paths = paths,
	    .npaths = 1,
	    .strategy = turns_chance(200) ? SNAPSHOT_FULL : SNAPSHOT_INCREMENTAL,
	    .codec = CODEC_ZSTD,
	    .level = 1,
	    .jobs = 1};
	struct backup_result res;
	struct known *k;
	struct err e;

	h->now[a->host] = c;
	lay_out(src, &c);
	h->backups++;
	if (op_backup(r, &bp, &a->ctx, &res, &e) == 0 && !p->dead) {
		if (res.stats.errors)
			broken_promise(h, "a backup could not read its source");
		if (h->nknown == KNOWN_MAX)
			abort();
		k = &h->known[h->nknown++];
		*k = (struct known){.id = res.snapshot, .content = c, .host = a->host};
		sim_place_note(h->place, "%s acknowledges %02x%02x%02x%02x", a->name, k->id.b[0],
		    k->id.b[1], k->id.b[2], k->id.b[3]);
		h->acknowledged++;
	} else {
		sim_place_note(h->place, "%s: %s", a->name, p->dead ? "crashed" : e.msg);
	}
	free(src);
}

/* 0 equal, 1 not (why says how), -1 it could not be loaded at all. */
static int restore_equal(struct history *h, struct repo *r, struct ctx *ctx, const struct id *id,
    const struct content *c, unsigned host, struct err *e)
{
	/* A folder for each: readers take turns in the middle of it. */
	char *out = mem_printf("%s/out%u", base, h->restores), *src = source_of(host);
	struct restore_params p = {.path = src, .target = out, .jobs = 1};
	struct restore_result res;
	struct snapshot *s = NULL;
	int rc = -1;

	h->restores++;
	err_clear(e);
	if (snapshot_load(r, id, &s, e) == 0) {
		p.snapshot = s;
		rc = op_restore(r, &p, ctx, &res, e);
		if (rc == 0 && (res.problems || !looks_like(out, c))) {
			err_set(e, res.problems ? ERR_INCOMPLETE : ERR_CORRUPT,
			    "%llu problems, content %s", (unsigned long long)res.problems,
			    looks_like(out, c) ? "equal" : "differs");
			rc = 1;
		}
	}
	snapshot_free(s);
	dir_remove(out);
	free(src);
	return rc;
}

static struct known *some_known(struct history *h)
{
	struct known *k = h->nknown ? &h->known[turns_below(h->nknown)] : NULL;

	return k && !k->forgotten ? k : NULL;
}

/*
 * A reader may fail where its store fails or a listing lags; what it may not
 * is say that all went well and give other bytes.
 */
static void run_restore(struct actor *a, struct repo *r, struct sim_process *p)
{
	struct history *h = a->h;
	struct known *k = some_known(h);
	bool calm = !h->weather.fail && !h->weather.lag_ns && !h->weather.sleep;
	struct err e;
	int rc;

	if (k == NULL)
		return;
	rc = restore_equal(h, r, &a->ctx, &k->id, &k->content, k->host, &e);
	if (p->dead || k->forgotten)
		return;
	if (rc == 1 && e.kind != ERR_INCOMPLETE)
		broken_promise(h, "a restore gave other bytes");
	if (rc != 0 && calm)
		broken_promise(h, "a restore failed: %s", e.msg);
}

static void forget_one(struct actor *a, struct repo *r, struct known *k)
{
	const struct snapshot *named[1];
	struct forget_params fp = {.named = named, .nnamed = 1};
	struct forget_result res;
	struct snapshot *s;
	struct err e;

	if (snapshot_load(r, &k->id, &s, &e) == -1)
		return;
	named[0] = s;
	k->forgotten = true;
	a->h->forgets++;
	op_forget(r, &fp, &a->ctx, NULL, NULL, &res, &e);
	snapshot_free(s);
}

/* Most of them, so that packs die. */
static void run_forget(struct actor *a, struct repo *r, struct sim_process *p)
{
	for (size_t i = 0; i < a->h->nknown && !p->dead; i++)
		if (!a->h->known[i].forgotten && turns_chance(700))
			forget_one(a, r, &a->h->known[i]);
}

static void run_prune(struct actor *a, struct repo *r, struct sim_process *p)
{
	struct prune_params pp = {.repack = turns_chance(500), .max_unused = 0};
	struct prune_result res;
	struct err e;

	a->h->prunes++;
	if (op_prune(r, &pp, &a->ctx, &res, &e) == -1)
		sim_place_note(a->h->place, "%s: %s", a->name, p->dead ? "crashed" : e.msg);
	a->h->deleted += (unsigned)res.packs_deleted;
}

/* A repair that was not needed must do no harm. */
static void run_repair(struct actor *a, struct repo *r, struct sim_process *p)
{
	struct repair_params rp = {.index = true, .jobs = 1};
	struct repair_result res;
	struct err e;

	a->h->repairs++;
	if (op_repair(r, &rp, &a->ctx, &res, &e) == -1)
		sim_place_note(a->h->place, "%s: %s", a->name, p->dead ? "crashed" : e.msg);
}

typedef void actor_run(struct actor *a, struct repo *r, struct sim_process *p);
static actor_run *const runs[KINDS] = {run_backup, run_restore, run_forget, run_prune, run_repair};
static const char *const kind_names[KINDS] = {
    "writer", "reader", "forgetter", "pruner", "repairer"};

static void actor_main(void *arg)
{
	struct actor *a = arg;

	for (unsigned i = 0; i < a->rounds; i++) {
		struct sim_process p;
		struct repo *r;
		struct err e;

		/* A good part of the grace, or anything from seconds to hours. */
		turns_park(
		    (int64_t)turns_below(turns_chance(600) ? (uint64_t)GRACE * 3 / 2
							   : (uint64_t)SECOND << turns_below(16)));
		r = process_open(a, &p, &e);
		if (r)
			runs[a->kind](a, r, &p);
		repo_close(r);
		a->h->crashes += p.dead;
	}
}

static void actor_init(struct actor *a, struct history *h, unsigned number)
{
	static const uint8_t mix[] = {
	    WRITER, PRUNER, FORGETTER, WRITER, PRUNER, REPAIRER, FORGETTER, READER};

	memset(a, 0, sizeof *a);
	a->h = h;
	a->kind = number < sizeof mix ? mix[number] : (uint8_t)turns_below(KINDS);
	/* Each on a machine of its own: to wait for a lock on a file would be to wait for real. */
	a->host = number;
	a->rounds = (a->kind == PRUNER ? 4 : 2) + (unsigned)turns_below(5);
	a->skew_ns = turns_chance(500) ? 0
				       : (int64_t)turns_below(7200) * 4 * SECOND - 14400 * SECOND;
	snprintf(a->name, sizeof a->name, "%s%u", kind_names[a->kind], number);
	a->clock = (struct clock){actor_wall, actor_mono};
	a->ctx.clock = &a->clock;
}

/* ---- Judging. */

static struct clock judge_clock = {actor_mono, actor_mono};

static struct repo *judge_open(struct history *h)
{
	static struct sim_process judge = {.name = "judge"};
	struct repo_cred cred = make_cred();
	struct repo *r;
	struct err e;

	make_ctx(&h->ctx, &h->events);
	h->ctx.clock = &judge_clock;
	if (repo_open(sim_store_open(h->place, &judge), &cred, NULL, &h->ctx, &r, &e) == -1) {
		broken_promise(h, "it cannot be opened: %s", e.msg);
		return NULL;
	}
	return r;
}

static void judge_known(struct history *h, struct repo *r, const char *when)
{
	struct err e;

	for (size_t i = 0; i < h->nknown && !h->failure; i++) {
		struct known *k = &h->known[i];

		if (!k->forgotten &&
		    restore_equal(h, r, &h->ctx, &k->id, &k->content, k->host, &e) != 0)
			broken_promise(h, "%s: acknowledged %02x%02x%02x%02x is lost: %s", when,
			    k->id.b[0], k->id.b[1], k->id.b[2], k->id.b[3], e.msg);
	}
}

/* What was acknowledged is never void, whatever it lacks; what is void is no damage. */
static void judge_void(struct ctx *ctx, const struct event *ev)
{
	struct history *h = (struct history *)((char *)ctx - offsetof(struct history, ctx));
	char hex[ID_HEX];

	if (ev->id == EVENT_SNAPSHOT_HURT)
		broken_promise(h, "check finds damage: %s", ev->text);
	if (ev->id != EVENT_WARNING || ev->path.n != 10 + ID_HEX - 1 ||
	    memcmp(ev->path.p, "snapshots/", 10) != 0)
		return;
	for (size_t i = 0; i < h->nknown; i++)
		if (memcmp(ev->path.p + 10, id_hex(hex, &h->known[i].id), ID_HEX - 1) == 0)
			broken_promise(h, "an acknowledged snapshot %s", ev->text);
	h->voids++;
}

static void judge_check(struct history *h, struct repo *r, bool last, const char *when)
{
	struct check_params p = {.read_data = true, .jobs = 1};
	struct check_result res;
	struct err e;

	h->ctx.sink = judge_void;
	if (op_check(r, &p, &h->ctx, &res, &e) == -1)
		broken_promise(h, "%s: check fails: %s", when, e.msg);
	else if (res.damaged_objects || res.hurt_snapshots)
		broken_promise(h, "%s: check finds %llu damaged objects, %llu snapshots hurt", when,
		    (unsigned long long)res.damaged_objects,
		    (unsigned long long)res.hurt_snapshots);
	else if (last && res.void_snapshots)
		broken_promise(h, "%s: %llu void snapshots are left", when,
		    (unsigned long long)res.void_snapshots);
}

static void judge(struct history *h, bool last, const char *when)
{
	struct repo *r;

	if (h->failure)
		return;
	if ((r = judge_open(h))) {
		judge_known(h, r, when);
		judge_check(h, r, last, when);
	}
	repo_close(r);
}

/* Prunes one after another, graces apart, as time will bring them. */
static void judge_main(void *arg)
{
	struct history *h = arg;
	struct prune_params pp = {.max_unused = 0};
	struct prune_result res;
	struct err e;

	turns_park(4 * 3600 * SECOND); /* what is late has landed, what lags is listed */
	sim_place_calm(h->place);
	sim_place_note(h->place, "all have ended");
	judge(h, false, "at the end");
	for (int i = 0; i < 4 && !h->failure; i++) {
		struct repo *r;

		turns_park(GRACE + GRACE / 10);
		r = judge_open(h);
		if (r && op_prune(r, &pp, &h->ctx, &res, &e) == -1)
			broken_promise(h, "a later prune: %s", e.msg);
		repo_close(r);
	}
	judge(h, true, "after later prunes");
}

static void init_main(void *arg)
{
	struct history *h = arg;
	struct repo_init_params p = {.cred = make_cred(), .label = "test", .grace_s = 86400};
	static struct sim_process judge = {.name = "init"};
	struct repo *r;
	struct err e;

	make_ctx(&h->ctx, &h->events);
	h->ctx.clock = &judge_clock;
	if (repo_init(sim_store_open(h->place, &judge), &p, NULL, &h->ctx, &r, &e) == -1)
		abort(); /* cmocka's ways to fail are the main thread's */
	repo_close(r);
}

/* ---- A history. */

static void clear_caches(void)
{
	for (unsigned i = 0; i < ACTORS_MAX; i++)
		dir_remove(mem_printf("%s/h%u/cache", base, i));
}

/* Some histories are stormy, others are so in one way only. */
static struct sim_weather some_weather(void)
{
	static const unsigned chances[] = {0, 0, 2, 10, 40};
	struct sim_weather w = {.grace_ns = GRACE};

	w.pace_ns = (SECOND / 5) << turns_below(14);
	w.fail = chances[turns_below(5)];
	w.late = chances[turns_below(5)];
	w.crash = chances[turns_below(4)];
	w.sleep = chances[turns_below(4)];
	w.lag_ns = turns_chance(500) ? 0 : (int64_t)turns_below(3600) * SECOND;
	return w;
}

/* What is broken shows where runs of many hours meet quick prunes, and nothing else is amiss. */
static struct sim_weather weather_for(enum sim_break b)
{
	struct sim_weather w = some_weather();

	if (b == SIM_NO_MARKS || b == SIM_NO_GRACE)
		w = (struct sim_weather){
		    .grace_ns = GRACE, .pace_ns = (SECOND / 5) << 12, .hurry = 256};
	return w;
}

static void history_run(struct history *h, uint64_t seed, enum sim_break broken, FILE *trace)
{
	struct actor actors[ACTORS_MAX];
	unsigned n;

	memset(h, 0, sizeof *h);
	h->seed = seed;
	h->broken = broken;
	turns_begin(seed, 2000000000 * SECOND);
	h->weather = weather_for(broken);
	n = 3 + (unsigned)turns_below(ACTORS_MAX - 2);
	h->place = sim_place_new(&(struct sim_weather){.grace_ns = GRACE}, SIM_SOUND);
	sim_place_trace(h->place, trace);
	clear_caches();
	turns_spawn(init_main, h);
	turns_run();
	sim_place_weather(h->place, &h->weather, broken);
	for (unsigned i = 0; i < n; i++) {
		actor_init(&actors[i], h, i);
		turns_spawn(actor_main, &actors[i]);
	}
	turns_run();
	turns_spawn(judge_main, h);
	turns_run();
}

static void history_end(struct history *h)
{
	sim_place_free(h->place);
	free(h->failure);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);

	return v && *v ? strtoull(v, NULL, 0) : otherwise;
}

static uint64_t histories(void)
{
	return number_from("HOLDFAST_SIM_HISTORIES", getenv("HOLDFAST_TEST_FULL") ? FULL : CHECK);
}

static void promises_hold_in_every_history(void **state)
{
	uint64_t only = number_from("HOLDFAST_SIM_SEED", 0), n = only ? 1 : histories(), bad = 0;
	uint64_t first = only ? only : number_from("HOLDFAST_TEST_SEED", (uint64_t)time(NULL));
	enum sim_break broken = (enum sim_break)number_from("HOLDFAST_SIM_BREAK", SIM_SOUND);
	struct history sum = {0};
	uint64_t ops = 0;

	print_message("# seeds from %llu\n", (unsigned long long)first);
	for (uint64_t i = 0; i < n; i++) {
		struct history h;

		history_run(&h, first + i, broken, only ? stderr : NULL);
		if (h.failure) {
			print_message("# HOLDFAST_SIM_SEED=%llu: %s\n", (unsigned long long)h.seed,
			    h.failure);
			bad++;
		}
		sum.backups += h.backups;
		sum.acknowledged += h.acknowledged;
		sum.restores += h.restores;
		sum.prunes += h.prunes;
		sum.repairs += h.repairs;
		sum.forgets += h.forgets;
		sum.crashes += h.crashes;
		sum.deleted += h.deleted;
		sum.voids += h.voids;
		ops += sim_place_ops(h.place);
		history_end(&h);
	}
	print_message(
	    "# %llu histories: %llu operations of the store, %u backups (%u acknowledged), %u "
	    "restores, %u forgets, %u prunes (%u packs deleted), %u repairs, %u crashes, %u void\n",
	    (unsigned long long)n, (unsigned long long)ops, sum.backups, sum.acknowledged,
	    sum.restores, sum.forgets, sum.prunes, sum.deleted, sum.repairs, sum.crashes,
	    sum.voids);
	assert_int_equal(bad, 0);
	assert_true(only || (sum.acknowledged > n && sum.deleted > n / 2));
}

static void one_seed_is_one_history(void **state)
{
	uint64_t seed = number_from("HOLDFAST_TEST_SEED", (uint64_t)time(NULL));

	for (int i = 0; i < 5; i++) {
		uint64_t was = 0;

		for (int twice = 0; twice < 2; twice++) {
			struct history h;

			history_run(&h, seed + (uint64_t)i, SIM_SOUND, NULL);
			if (twice && sim_place_history(h.place) != was)
				fail_msg(
				    "seed %llu gives two histories", (unsigned long long)h.seed);
			was = sim_place_history(h.place);
			history_end(&h);
		}
	}
}

static void found_out(enum sim_break b)
{
	/* Where each was found soon when this was written: only time depends on it. */
	static const uint64_t first[SIM_BREAKS] = {[SIM_NO_GRACE] = 19,
	    [SIM_STALE_SNAPSHOTS] = 12,
	    [SIM_PACKS_FIRST] = 17,
	    [SIM_NO_MARKS] = 115,
	    [SIM_ACK_UNSYNCED] = 1};
	uint64_t n = 500, i = 0;
	bool caught = false;

	for (; i < n && !caught; i++) {
		struct history h;

		history_run(&h, first[b] + i, b, NULL);
		caught = h.failure != NULL;
		if (caught)
			print_message("# %s: history %llu: %s\n", sim_break_names[b],
			    (unsigned long long)i + 1, h.failure);
		history_end(&h);
	}
	if (!caught)
		fail_msg(
		    "%s: not noticed in %llu histories", sim_break_names[b], (unsigned long long)n);
}

static void a_broken_prune_is_found_out(void **state)
{
	for (int b = SIM_SOUND + 1; b < SIM_BREAKS; b++)
		found_out((enum sim_break)b);
}

/*
 * The folder's name is in every tree, so it must be the same each time for a
 * seed to give the same history: the first name that nobody else holds.
 */
static char *base_make(void)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp == NULL || *tmp == '\0')
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	for (int i = 0; i < 100; i++) {
		char *dir = mem_printf("%s/hf-sim-%02d", tmp, i);

		bool busy = true;
		struct err e;

		mkdir(dir, 0700);
		base_fd = os_open(dir, O_RDONLY | O_DIRECTORY, 0);
		if (base_fd != -1 && os_lock(base_fd, false, &busy, &e) == 0 && !busy)
			return dir;
		os_close(base_fd);
		free(dir);
	}
	fail_msg("no folder can be made in %s", tmp);
	return NULL;
}

/* A directory's times are the machine's doing, and would be in every tree. */
static void forget_times(struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		st->st_mtim = st->st_ctim = (struct timespec){.tv_sec = 1000000000};
}

int __real_os_fstat(int fd, struct stat *st);
int __real_os_fstatat(int dir, const char *path, struct stat *st, int flags);
int __wrap_os_fstat(int fd, struct stat *st);
int __wrap_os_fstatat(int dir, const char *path, struct stat *st, int flags);

int __wrap_os_fstat(int fd, struct stat *st)
{
	int rc = __real_os_fstat(fd, st);

	if (rc == 0)
		forget_times(st);
	return rc;
}

int __wrap_os_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	int rc = __real_os_fstatat(dir, path, st, flags);

	if (rc == 0)
		forget_times(st);
	return rc;
}

static int begin(void **state)
{
	base = base_make();
	for (unsigned i = 0; i < ACTORS_MAX; i++) {
		char *dir = mem_printf("%s/h%u/src/dir/sub", base, i);
		struct err e;

		OK(os_mkdirs(dir, 0755, &e));
		free(dir);
	}
	return 0;
}

static int end(void **state)
{
	dir_remove(base);
	os_close(base_fd);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(promises_hold_in_every_history),
	    cmocka_unit_test(one_seed_is_one_history),
	    cmocka_unit_test(a_broken_prune_is_found_out),
	};

	if (getenv("HOLDFAST_SIM_SEED") || getenv("HOLDFAST_SIM_HISTORIES"))
		cmocka_set_test_filter("promises*");
	return cmocka_run_group_tests(tests, begin, end);
}
