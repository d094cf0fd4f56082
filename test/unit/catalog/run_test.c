/* catalog: runs: added once, taken once, in their order, and never lost. */
#include "unit/catalog/place.h"

#include <sys/wait.h>

#include "catalog/catalog_share.h"
#include "os/os.h"

struct seen {
	size_t n;
	int64_t ids[64];
	struct run last; /* without texts */
	char system[32], message[128], status[16];
};

static int see(void *arg, const struct run *r, struct err *err)
{
	struct seen *s = arg;

	if (s->n < 64)
		s->ids[s->n] = r->id;
	s->n++;
	s->last = *r;
	snprintf(s->system, sizeof s->system, "%s", r->system ? r->system : "");
	snprintf(s->message, sizeof s->message, "%s", r->message ? r->message : "");
	snprintf(s->status, sizeof s->status, "%s", run_status_name(r->status));
	return 0;
}

static int64_t add(struct catalog *c, struct run r)
{
	int64_t id = 0;

	r.kind = r.kind ? r.kind : "backup";
	r.trigger = "schedule";
	OK(run_add(c, &r, &id, &e));
	assert_true(id > 0);
	return id;
}

static int64_t claim_as(struct catalog *c, struct run_claim p)
{
	struct seen s = {0};

	OK(run_claim(c, &p, see, &s, &e));
	assert_true(s.n <= 1);
	assert_true(s.n == 0 || s.last.status == RUN_RUNNING);
	return s.n ? s.ids[0] : 0;
}

static int64_t claim(struct catalog *c, int64_t now_ns)
{
	return claim_as(
	    c, (struct run_claim){.owner = "me", .now_ns = now_ns, .lease_ns = now_ns + 60});
}

static int end(struct catalog *c, int64_t id, enum run_status status, int64_t at)
{
	struct run r = {.id = id,
	    .status = status,
	    .ended_ns = at,
	    .bytes = 10,
	    .snapshot = "ab",
	    .message = status == RUN_FAILED ? "no space" : NULL};

	return run_end(c, &r, &e);
}

static void a_run_comes_back_as_it_was_added_and_ended(void **state)
{
	struct catalog *c = place_open();
	struct seen s = {0};
	struct run r = {.system = "orders-db",
	    .node = "db1",
	    .kind = "backup",
	    .type = "full",
	    .trigger = "manual",
	    .by = "eve",
	    .queue = "main",
	    .priority = -3,
	    .attempt = 2,
	    .due_ns = 1700000000000000000,
	    .not_before_ns = 5,
	    .queued_ns = 6};
	int64_t id = add(c, r);

	assert_int_equal(claim(c, 7), id);
	OK(run_started(c, id, "me", 4711, "/var/log/1.log", &e));
	assert_int_equal(run_started(c, id, "you", 1, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	r = (struct run){.id = id,
	    .owner = "me",
	    .status = RUN_PROBLEMS,
	    .ended_ns = 9,
	    .exit_status = 3,
	    .error_kind = "incomplete",
	    .message = "M\xc3\xbcll ' ; --",
	    .hint = "h",
	    .destinations = "main,offsite",
	    .snapshot = "ab12",
	    .encrypted = true,
	    .files = 1,
	    .files_new = 2,
	    .files_changed = 3,
	    .bytes = UINT64_MAX,
	    .bytes_read = 5,
	    .added = 6,
	    .stored = 7,
	    .warnings = 8,
	    .errors = 9,
	    .score = 0.95,
	    .verified = "passed"};
	OK(run_end(c, &r, &e));
	OK(run_get(c, id, see, &s, &e));
	assert_string_equal(s.system, "orders-db");
	assert_string_equal(s.message, "M\xc3\xbcll ' ; --");
	assert_true(s.last.status == RUN_PROBLEMS && s.last.priority == -3 &&
		    s.last.due_ns == 1700000000000000000 && s.last.started_ns == 7 &&
		    s.last.ended_ns == 9 && s.last.pid == 4711 && s.last.encrypted &&
		    !s.last.compressed && s.last.bytes == INT64_MAX && s.last.errors == 9 &&
		    s.last.score == 0.95 && s.last.attempt == 2);
	assert_int_equal(run_get(c, id + 1, see, &s, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	catalog_close(c);
}

static void a_due_run_is_added_once_whoever_adds_it(void **state)
{
	struct catalog *c = place_open(), *d = place_open();
	struct run r = {.system = "a", .kind = "backup", .due_ns = 100};
	int64_t id;

	add(c, r);
	assert_int_equal(run_add(d, &r, &id, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	r.attempt = 1; /* tried again: another */
	add(d, r);
	r.due_ns = 0; /* nobody's schedule: as often as somebody asks */
	add(c, r);
	add(d, r);
	catalog_close(c);
	catalog_close(d);
}

static void the_first_by_priority_then_by_time_is_taken(void **state)
{
	struct catalog *c = place_open();
	int64_t late = add(c, (struct run){.system = "a", .due_ns = 30});
	int64_t soon = add(c, (struct run){.system = "b", .due_ns = 20});
	int64_t vital = add(c, (struct run){.system = "c", .due_ns = 40, .priority = 9});
	int64_t later = add(c, (struct run){.system = "d", .due_ns = 10, .not_before_ns = 1000});

	assert_int_equal(claim(c, 50), vital);
	assert_int_equal(claim(c, 50), soon);
	assert_int_equal(claim(c, 50), late);
	assert_int_equal(claim(c, 50), 0);
	assert_int_equal(claim(c, 1000), later);
	catalog_close(c);
}

static void a_run_waits_for_what_it_comes_after(void **state)
{
	struct catalog *c = place_open();
	int64_t a = add(c, (struct run){.system = "a"});
	int64_t b = add(c, (struct run){.system = "b", .after = a, .priority = 5});

	assert_int_equal(claim(c, 1), a);
	assert_int_equal(claim(c, 2), 0);
	assert_int_equal(end(c, a, RUN_FAILED, 3), 0);
	assert_int_equal(claim(c, 4), b);
	catalog_close(c);
}

static void what_comes_after_a_run_comes_after_its_next_try(void **state)
{
	struct catalog *c = place_open();
	struct run first = {.system = "a", .kind = "backup", .due_ns = 7};
	int64_t b, again;

	first.id = add(c, first);
	b = add(c, (struct run){.system = "b", .after = first.id, .priority = 5});
	assert_int_equal(claim(c, 7), first.id);
	assert_int_equal(run_follow(c, &first, &e), 0); /* there is no next try */
	assert_int_equal(claim(c, 8), 0);
	assert_int_equal(end(c, first.id, RUN_FAILED, 9), 0);
	again = add(c,
	    (struct run){
		.system = "a", .kind = "backup", .due_ns = 7, .attempt = 1, .not_before_ns = 50});
	assert_int_equal(run_follow(c, &first, &e), 0);
	assert_int_equal(claim(c, 10), 0);
	assert_int_equal(claim(c, 50), again);
	assert_int_equal(claim(c, 60), 0);
	assert_int_equal(end(c, again, RUN_COMPLETED, 61), 0);
	assert_int_equal(claim(c, 62), b);
	catalog_close(c);
}

static void a_queue_has_so_many_running_and_harms_no_other(void **state)
{
	struct catalog *c = place_open();
	int64_t a = add(c, (struct run){.system = "a", .queue = "main"});
	int64_t b = add(c, (struct run){.system = "b", .queue = "main"});
	int64_t d = add(c, (struct run){.system = "d", .queue = "offsite"});
	struct run_claim p = {.owner = "me", .now_ns = 1, .lease_ns = 9, .per_queue = 1};

	assert_int_equal(claim_as(c, p), a);
	assert_int_equal(claim_as(c, p), d);
	assert_int_equal(claim_as(c, p), 0);
	assert_int_equal(end(c, a, RUN_COMPLETED, 3), 0);
	assert_int_equal(claim_as(c, p), b);
	catalog_close(c);
}

static void a_node_takes_its_own_and_what_is_no_ones(void **state)
{
	struct catalog *c = place_open();
	int64_t theirs = add(c, (struct run){.system = "a", .node = "n2"});
	int64_t any = add(c, (struct run){.system = "b"});
	struct run_claim p = {.owner = "me", .node = "n1", .now_ns = 1, .lease_ns = 9};

	assert_int_equal(claim_as(c, p), any);
	assert_int_equal(claim_as(c, p), 0);
	p.node = "n2";
	assert_int_equal(claim_as(c, p), theirs);
	catalog_close(c);
}

static void what_is_over_is_over_and_only_its_owner_ends_it(void **state)
{
	struct catalog *c = place_open();
	int64_t a = add(c, (struct run){.system = "a"});
	struct run r = {.id = a, .owner = "you", .status = RUN_COMPLETED, .ended_ns = 2};

	assert_int_equal(end(c, a, RUN_COMPLETED, 1), -1); /* it is queued */
	assert_int_equal(e.kind, ERR_ABSENT);
	claim(c, 1);
	assert_int_equal(run_end(c, &r, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_int_equal(run_drop(c, a, RUN_CANCELLED, "no", 2, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	OK(end(c, a, RUN_COMPLETED, 2));
	assert_int_equal(end(c, a, RUN_FAILED, 3), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	catalog_close(c);
}

static void a_run_whose_lease_ended_is_taken_over_by_one(void **state)
{
	struct catalog *c = place_open(), *d = place_open();
	int64_t a = add(c, (struct run){.system = "a"}), b = add(c, (struct run){.system = "b"});
	struct seen s = {0};
	struct run r;

	claim(c, 100); /* leased until 160 */
	claim_as(c, (struct run_claim){.owner = "you", .now_ns = 100, .lease_ns = 160});
	OK(run_renew(c, "you", 500, &e));
	OK(run_started(c, a, "me", 4711, NULL, &e));
	OK(run_take_over(d, "they", 160, 220, see, &s, &e));
	assert_int_equal(s.n, 0);
	OK(run_take_over(d, "me", 161, 221, see, &s, &e)); /* its own: nobody has to */
	assert_int_equal(s.n, 0);
	OK(run_take_over(d, "they", 161, 221, see, &s, &e));
	assert_int_equal(s.n, 1);
	assert_int_equal(s.ids[0], a);
	assert_true(s.last.pid == 0 && s.last.lease_ns == 221);
	OK(run_take_over(c, "others", 161, 221, see, &s, &e));
	assert_int_equal(s.n, 1);
	/* Who comes back too late changes nothing any more. */
	OK(run_renew(c, "me", 900, &e));
	r = (struct run){.id = a, .owner = "me", .status = RUN_COMPLETED, .ended_ns = 163};
	assert_int_equal(run_end(c, &r, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	r = (struct run){.id = a, .owner = "they", .status = RUN_INTERRUPTED, .ended_ns = 164};
	OK(run_end(c, &r, &e));
	OK(run_take_over(c, "they", 501, 600, see, &s, &e));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.ids[1], b);
	catalog_close(c);
	catalog_close(d);
}

static void leases_go_by_one_clock(void **state)
{
	struct catalog *c = place_open(), *d = place_open();
	struct clock *clock = os_clock();
	int64_t a, b, here = clock->wall_ns(clock);

	OK(catalog_now(c, &a, &e));
	OK(catalog_now(d, &b, &e));
	assert_true(a <= b);
	/* Here both are on one host. */
	assert_true(a > here - INT64_C(3600000000000) && a < here + INT64_C(3600000000000));
	catalog_close(c);
	catalog_close(d);
}

static void what_all_would_add_one_adds(void **state)
{
	struct catalog *c = place_open(), *d = place_open();
	struct run r = {.system = "a", .kind = "backup", .due_ns = 5};
	struct seen s = {0};
	char *value = NULL;
	int64_t id;

	OK(run_add_once(c, &r, "settled", "5", &id, &e));
	r.due_ns = 6; /* its clock is another */
	assert_int_equal(run_add_once(d, &r, "settled", "6", &id, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	/* Neither is there where one of both cannot be. */
	r.due_ns = 5;
	assert_int_equal(run_add_once(d, &r, "other", "7", &id, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	OK(catalog_get(c, "other", &value, &e));
	assert_null(value);
	OK(catalog_get(c, "settled", &value, &e));
	assert_string_equal(value, "5");
	free(value);
	OK(run_list(c, &(struct run_filter){.system = "a"}, see, &s, &e));
	assert_int_equal(s.n, 1);
	catalog_close(c);
	catalog_close(d);
}

static bool leads(struct catalog *c, const char *owner, int64_t now_ns)
{
	bool ours;

	OK(catalog_lead(c, "watch", owner, now_ns, now_ns + 60, &ours, &e));
	return ours;
}

static void what_one_does_for_all_is_anothers_when_it_is_silent(void **state)
{
	struct catalog *c = place_open(), *d = place_open();

	assert_true(leads(c, "me", 100));
	assert_false(leads(d, "you", 150));
	assert_true(leads(c, "me", 150)); /* until 210 */
	assert_false(leads(d, "you", 210));
	assert_true(leads(d, "you", 211));
	assert_false(leads(c, "me", 212));
	catalog_close(c);
	catalog_close(d);
}

struct latest {
	size_t n;
	struct run_latest last;
	char message[64];
};

static int see_latest(void *arg, const struct run_latest *l, struct err *err)
{
	struct latest *x = arg;

	x->n++;
	x->last = *l;
	snprintf(x->message, sizeof x->message, "%s", l->message ? l->message : "");
	return 0;
}

static int64_t ran(struct catalog *c, const char *system, enum run_status s, int64_t at)
{
	int64_t id = add(c, (struct run){.system = system});

	assert_int_equal(claim(c, at), id);
	OK(end(c, id, s, at + 1));
	return id;
}

static void the_latest_is_known_of_each_system_and_kind(void **state)
{
	struct catalog *c = place_open();
	struct latest l = {0};
	int64_t good, bad;

	good = ran(c, "a", RUN_COMPLETED, 10);
	ran(c, "a", RUN_FAILED, 20);
	bad = ran(c, "a", RUN_FAILED, 30);
	ran(c, "b", RUN_PROBLEMS, 40);
	run_drop(c, add(c, (struct run){.system = "a"}), RUN_SKIPPED, "asleep", 50, &e);
	OK(run_latest(c, "a", see_latest, &l, &e));
	assert_int_equal(l.n, 1);
	assert_true(l.last.last_id == bad && l.last.last_status == RUN_FAILED &&
		    l.last.success_id == good && l.last.success_started_ns == 10 &&
		    l.last.success_ended_ns == 11 && l.last.runs == 3 && l.last.failures == 2 &&
		    l.last.failed_in_row == 2 && l.last.bytes == 10);
	assert_string_equal(l.message, "no space");
	/* One of long ago, found again, changes no more than the counts. */
	add(c,
	    (struct run){.system = "a", .status = RUN_COMPLETED, .started_ns = 1, .ended_ns = 2});
	OK(run_latest(c, "a", see_latest, &l, &e));
	assert_true(l.last.last_id == bad && l.last.success_id == good && l.last.runs == 4 &&
		    l.last.failed_in_row == 2);
	l.n = 0;
	OK(run_latest(c, NULL, see_latest, &l, &e));
	assert_int_equal(l.n, 2);
	assert_int_equal(l.last.last_status, RUN_PROBLEMS);
	good = ran(c, "a", RUN_COMPLETED, 60);
	OK(run_latest(c, "a", see_latest, &l, &e));
	assert_true(l.last.failed_in_row == 0 && l.last.success_id == good &&
		    l.last.success_ended_ns == 61 && l.last.failures == 2);
	catalog_close(c);
}

static void runs_are_listed_newest_first_by_what_is_asked(void **state)
{
	struct catalog *c = place_open();
	struct seen s = {0};

	for (int i = 0; i < 5; i++)
		ran(c, i % 2 ? "odd" : "even", i == 4 ? RUN_FAILED : RUN_COMPLETED, i);
	add(c, (struct run){.system = "even", .queued_ns = 77});
	OK(run_list(c, &(struct run_filter){.system = "even", .over = true}, see, &s, &e));
	assert_int_equal(s.n, 3);
	assert_true(s.ids[0] > s.ids[1] && s.ids[1] > s.ids[2]);
	s.n = 0;
	OK(run_list(c, &(struct run_filter){.limit = 2, .before_id = 4}, see, &s, &e));
	assert_int_equal(s.n, 2);
	assert_true(s.ids[0] == 3 && s.ids[1] == 2);
	s.n = 0;
	OK(run_list(c, &(struct run_filter){.open = true}, see, &s, &e));
	assert_int_equal(s.n, 1);
	s.n = 0;
	OK(run_list(c, &(struct run_filter){.status = RUN_FAILED, .kind = "backup"}, see, &s, &e));
	assert_int_equal(s.n, 1);
	s.n = 0;
	OK(run_list(c, &(struct run_filter){.since_ns = 77}, see, &s, &e));
	assert_int_equal(s.n, 1);
	catalog_close(c);
}

enum { RUNS = 200, DAEMONS = 3 };

/* A daemon: takes runs and ends them.  The one that is killed has its first in its hands. */
static void daemon_main(int which, int done, const int go[2])
{
	struct catalog *c = place_open();
	char owner[16];
	struct run_claim p = {.owner = owner, .now_ns = 1, .lease_ns = 100, .per_queue = 4};
	struct seen s;
	char byte;

	snprintf(owner, sizeof owner, "d%d", which);
	if (which != 0) { /* the first has one before the others begin */
		close(go[1]);
		assert_int_equal(read(go[0], &byte, 1), 0);
	}
	for (int n = 0;; n++) {
		s.n = 0;
		if (run_claim(c, &p, see, &s, &e) == -1)
			_exit(1);
		if (which == 0 && (n == 20 || s.n == 0))
			raise(SIGKILL);
		if (s.n == 0)
			break;
		if (which == 0 && n == 0) {
			close(go[1]);
			continue;
		}
		/* What it does outside: it must be there once. */
		if (write(done, &s.ids[0], sizeof s.ids[0]) != sizeof s.ids[0] ||
		    end(c, s.ids[0], RUN_COMPLETED, 2) == -1)
			_exit(1);
	}
	catalog_close(c);
	_exit(0);
}

static void count_done(int fd, unsigned *times)
{
	int64_t id;

	while (read(fd, &id, sizeof id) == sizeof id)
		times[id]++;
}

static void three_that_share_a_queue_lose_no_run_and_run_none_twice(void **state)
{
	static const char *const queues[] = {"a", "b", "c", "d", NULL};
	struct catalog *c = place_open();
	unsigned times[RUNS + 1] = {0}, killed = 0;
	struct seen s = {0};
	int fd[2], go[2], status;

	for (int i = 0; i < RUNS; i++)
		add(c, (struct run){.system = "s", .queue = queues[i % 5], .due_ns = i + 1});
	catalog_close(c);
	assert_true(pipe(fd) == 0 && pipe(go) == 0);
	for (int i = 0; i < DAEMONS; i++)
		if (fork() == 0)
			daemon_main(i, fd[1], go);
	close(fd[1]);
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < DAEMONS; i++) {
		assert_true(wait(&status) > 0);
		killed += WIFSIGNALED(status);
		assert_true(WIFSIGNALED(status) || status == 0);
	}
	assert_int_equal(killed, 1);
	count_done(fd[0], times);
	close(fd[0]);
	c = place_open();
	/* All but what the dead one held were done, once; those are found, and told. */
	OK(run_take_over(c, "heir", 101, 200, see, &s, &e));
	assert_true(s.n == 1 || s.n == 2);
	for (size_t i = 0; i < s.n; i++)
		assert_int_equal(times[s.ids[i]]++, 0);
	for (int i = 1; i <= RUNS; i++)
		assert_int_equal(times[i], 1);
	catalog_close(c);
}

static void what_waits_already_is_what_is_asked_for(void **state)
{
	static const struct {
		const char *system, *kind, *type;
		int64_t at, not_before;
		bool added;
		int64_t id;
	} rows[] = {
	    {"www", "backup", NULL, 10, 0, true, 1},
	    {"www", "backup", NULL, 11, 0, false, 1},
	    {"www", "backup", "incremental", 11, 0, false, 1},
	    {"www", "backup", "full", 12, 0, true, 2}, /* that one does less */
	    {"www", "backup", "full", 13, 0, false, 2},
	    {"www", "verify", NULL, 13, 0, true, 3},
	    {"db", "backup", NULL, 13, 500, true, 4}, /* waits for a window */
	    {"db", "backup", NULL, 14, 0, true, 5},
	    {"db", "backup", NULL, 15, 0, false, 5},
	};
	struct catalog *c = place_open();
	int64_t id;
	bool added;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct run r = {.system = rows[i].system,
		    .kind = rows[i].kind,
		    .type = rows[i].type,
		    .due_ns = rows[i].at,
		    .queued_ns = rows[i].at,
		    .not_before_ns = rows[i].not_before};

		OK(run_ask(c, &r, &id, &added, &e));
		assert_int_equal(added, rows[i].added);
		assert_int_equal(id, rows[i].id);
	}
	/* One that runs has read already: what was asked after it has to come after it. */
	assert_int_equal(claim(c, 20), 1);
	OK(run_ask(c,
	    &(struct run){.system = "www", .kind = "verify", .due_ns = 21, .queued_ns = 21}, &id,
	    &added, &e));
	assert_false(added);
	assert_int_equal(claim(c, 22), 2);
	OK(run_ask(c,
	    &(struct run){.system = "www", .kind = "backup", .due_ns = 23, .queued_ns = 23}, &id,
	    &added, &e));
	assert_true(added);
	catalog_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_run_comes_back_as_it_was_added_and_ended),
	    T(what_waits_already_is_what_is_asked_for),
	    T(a_due_run_is_added_once_whoever_adds_it),
	    T(the_first_by_priority_then_by_time_is_taken),
	    T(a_run_waits_for_what_it_comes_after),
	    T(what_comes_after_a_run_comes_after_its_next_try),
	    T(a_queue_has_so_many_running_and_harms_no_other),
	    T(a_node_takes_its_own_and_what_is_no_ones),
	    T(what_is_over_is_over_and_only_its_owner_ends_it),
	    T(a_run_whose_lease_ended_is_taken_over_by_one),
	    T(leases_go_by_one_clock),
	    T(what_all_would_add_one_adds),
	    T(what_one_does_for_all_is_anothers_when_it_is_silent),
	    T(the_latest_is_known_of_each_system_and_kind),
	    T(runs_are_listed_newest_first_by_what_is_asked),
	    T(three_that_share_a_queue_lose_no_run_and_run_none_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
