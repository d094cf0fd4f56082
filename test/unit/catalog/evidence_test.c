#include "unit/unit.h"

#include <errno.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/mem.h"
#include "catalog/evidence_check.h"
#include "catalog/evidence_key.h"
#include "catalog/evidence_statement.h"
#include "catalog/evidence_watch.h"
#include "os/os.h"

static struct ctx ctx;
static struct err e;

/* ---- A state folder of its own for each test. */

struct place {
	char dir[64];
	char *log, *key, *pub;
};

static struct place place_new(void)
{
	struct place p = {.dir = "/tmp/evidence.XXXXXX"};

	assert_non_null(mkdtemp(p.dir));
	p.log = evidence_path_log(p.dir);
	p.key = evidence_path_key(p.dir);
	p.pub = evidence_path_public(p.dir);
	return p;
}

static void place_free(struct place *p)
{
	char next[96];

	snprintf(next, sizeof next, "%s.next", p->key);
	unlink(next);
	unlink(p->log);
	unlink(p->key);
	unlink(p->pub);
	assert_int_equal(rmdir(p->dir), 0);
	free(p->log);
	free(p->key);
	free(p->pub);
}

static void add_some(const struct place *p, int n)
{
	for (int i = 0; i < n; i++) {
		json_t *details = json_pack("{s:i}", "n", i);
		struct evidence_event ev = {
		    EVIDENCE_BACKUP, EVIDENCE_COMPLETED, "op", "/srv/b", details};

		assert_int_equal(evidence_append(p->dir, &ev, &ctx, NULL, &e), 0);
		json_decref(details);
	}
}

static struct buf content(const char *path)
{
	struct buf b = {0};

	assert_int_equal(os_read_file(path, 1 << 24, &b, &e), 0);
	return b;
}

static void put(const char *path, struct span s)
{
	assert_int_equal(os_file_replace(path, s, 0600, &e), 0);
}

static struct evidence_verdict verdict_of(
    struct span text, const char *pub, struct evidence_heads *heads)
{
	uint8_t keys[EVIDENCE_KEYS_MAX][CRYPTO_KEY];
	struct evidence_check *k;
	struct evidence_verdict v;
	size_t n;

	assert_int_equal(evidence_public_read(pub, keys, EVIDENCE_KEYS_MAX, &n, &e), 0);
	k = evidence_check_new((const uint8_t(*)[CRYPTO_KEY])keys, n, heads);
	evidence_check_text(k, text, &v);
	evidence_check_free(k);
	return v;
}

static struct evidence_verdict judge(const struct place *p)
{
	struct buf b = content(p->log);
	struct evidence_verdict v = verdict_of(buf_span(&b), p->pub, NULL);

	buf_fini(&b);
	return v;
}

static void is_whole(const struct place *p, uint64_t records)
{
	struct evidence_verdict v = judge(p);

	if (v.fault != EVIDENCE_WHOLE)
		print_error("line %llu: %s: %s\n", (unsigned long long)v.line,
		    evidence_fault_name(v.fault), v.text);
	assert_int_equal(v.fault, EVIDENCE_WHOLE);
	assert_int_equal(v.records, records);
}

static size_t line_of(struct span s, size_t at)
{
	size_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += s.p[i] == '\n';
	return line;
}

/* Line i of a text, from 0, its newline included. */
static struct span line_at(struct span s, size_t i)
{
	const uint8_t *p = s.p;

	for (; i > 0; i--)
		p = (const uint8_t *)memchr(p, '\n', s.n) + 1;
	return span_of(p, (size_t)((const uint8_t *)memchr(p, '\n', s.n) - p) + 1);
}

/* The lines in another order; -1 ends it. */
static struct buf arranged(struct span s, const int *order)
{
	struct buf b = {0};

	for (; *order >= 0; order++)
		buf_put_span(&b, line_at(s, (size_t)*order));
	return b;
}

/* ---- The promises. */

static void a_chain_is_whole_and_begins_itself(void **state)
{
	struct place p = place_new();
	struct stat st;

	assert_false(evidence_is_kept(p.dir));
	add_some(&p, 3);
	assert_true(evidence_is_kept(p.dir));
	is_whole(&p, 4);
	assert_int_equal(os_fstatat(AT_FDCWD, p.key, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(os_fstatat(AT_FDCWD, p.log, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	place_free(&p);
}

/* Every byte, to any other value: found, and on its line. */
static void no_byte_changes_unseen(void **state)
{
	struct place p = place_new();
	uint64_t seed = (uint64_t)os_clock()->mono_ns(os_clock());
	struct buf b;

	print_message("seed %llu\n", (unsigned long long)seed);
	add_some(&p, 1);
	assert_int_equal(evidence_rotate(p.dir, NULL, &ctx, NULL, &e), 0);
	add_some(&p, 1);
	is_whole(&p, 4);
	b = content(p.log);
	for (size_t i = 0; i < b.n; i++) {
		uint8_t was = b.p[i];
		struct evidence_verdict v;

		do
			b.p[i] = (uint8_t)unit_rand(&seed);
		while (b.p[i] == was);
		if (i % 3 == 0)
			b.p[i] = was ^ 0x20; /* the other case */
		v = verdict_of(buf_span(&b), p.pub, NULL);
		b.p[i] = was;
		if (v.fault == EVIDENCE_WHOLE || v.line != line_of(buf_span(&b), i))
			print_error("byte %zu, line %llu\n", i, (unsigned long long)v.line);
		assert_int_not_equal(v.fault, EVIDENCE_WHOLE);
		assert_int_equal(v.line, line_of(buf_span(&b), i));
	}
	buf_fini(&b);
	place_free(&p);
}

static void what_is_missing_or_moved_is_named(void **state)
{
	static const struct {
		int order[8];
		enum evidence_fault fault;
		uint64_t line, sequence;
	} rows[] = {
	    {{0, 1, 3, 4, -1}, EVIDENCE_REMOVED, 3, 4},
	    {{1, 2, 3, 4, -1}, EVIDENCE_REMOVED, 1, 2},
	    {{0, 4, -1}, EVIDENCE_REMOVED, 2, 5},
	    {{0, 2, 1, 3, 4, -1}, EVIDENCE_REORDERED, 2, 3},
	    {{1, 0, 2, 3, 4, -1}, EVIDENCE_REORDERED, 1, 2},
	    {{0, 1, 2, 2, 3, 4, -1}, EVIDENCE_REORDERED, 4, 3},
	    {{0, 1, 2, 3, 4, 1, -1}, EVIDENCE_REORDERED, 6, 2},
	    {{0, 1, 0, 2, -1}, EVIDENCE_REORDERED, 3, 1},
	    {{0, 1, 2, -1}, EVIDENCE_WHOLE, 0, 0}, /* nobody can tell: see heads */
	    {{-1}, EVIDENCE_EMPTY, 0, 0},
	};
	struct place p = place_new();
	struct buf b;

	add_some(&p, 4);
	b = content(p.log);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf x = arranged(buf_span(&b), rows[i].order);
		struct evidence_verdict v = verdict_of(buf_span(&x), p.pub, NULL);

		assert_int_equal(v.fault, rows[i].fault);
		assert_int_equal(v.line, rows[i].line);
		assert_int_equal(v.sequence, rows[i].sequence);
		buf_fini(&x);
	}
	buf_fini(&b);
	place_free(&p);
}

/* Same key, another folder: one record of it in the place of ours, or all of it. */
static void another_chain_of_the_same_key_is_not_ours(void **state)
{
	struct place p = place_new(), q = place_new();
	struct buf key, a, b, x = {0};
	struct evidence_heads heads = {0};
	struct evidence_head h;
	struct evidence_verdict v;
	char *line;

	add_some(&p, 3);
	key = content(p.key);
	put(q.key, buf_span(&key));
	put(q.pub, buf_span(&key));
	add_some(&q, 3);
	a = content(p.log);
	b = content(q.log);
	for (size_t i = 0; i < 4; i++)
		buf_put_span(&x, line_at(buf_span(i == 2 ? &b : &a), i));
	v = verdict_of(buf_span(&x), p.pub, NULL);
	assert_int_equal(v.fault, EVIDENCE_OTHER_CHAIN);
	assert_int_equal(v.line, 3);
	assert_int_equal(verdict_of(buf_span(&b), p.pub, NULL).fault, EVIDENCE_WHOLE);
	assert_int_equal(evidence_head_now(p.dir, &ctx, &h, &line, &e), 0);
	evidence_heads_add(&heads, &h);
	assert_int_equal(verdict_of(buf_span(&b), p.pub, &heads).fault, EVIDENCE_OTHER_CHAIN);
	assert_int_equal(verdict_of(buf_span(&a), p.pub, &heads).fault, EVIDENCE_WHOLE);
	evidence_heads_fini(&heads);
	free(line);
	buf_fini(&key);
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&x);
	place_free(&p);
	place_free(&q);
}

static void another_key_proves_nothing(void **state)
{
	struct place p = place_new(), q = place_new();
	struct buf b;
	struct evidence_verdict v;

	add_some(&p, 2);
	add_some(&q, 2);
	b = content(p.log);
	v = verdict_of(buf_span(&b), q.pub, NULL);
	assert_int_equal(v.fault, EVIDENCE_OTHER_KEY);
	assert_int_equal(v.line, 1);
	buf_fini(&b);
	place_free(&p);
	place_free(&q);
}

/* Cut after any record but the last, or rewritten by who has the key: a head knows. */
static void a_head_shows_a_cut_and_a_rewriting(void **state)
{
	struct place p = place_new();
	struct evidence_heads heads = {0};
	struct evidence_head h[2];
	struct evidence_verdict v;
	struct buf b, key;
	char *line;

	add_some(&p, 2);
	for (int i = 0; i < 2; i++) {
		struct evidence_head read;

		assert_int_equal(evidence_head_now(p.dir, &ctx, &h[i], &line, &e), 0);
		assert_int_equal(evidence_head_read(span_str(line), &read, &e), 0);
		assert_memory_equal(&read, &h[i], sizeof read);
		evidence_heads_add(&heads, &read);
		free(line);
		add_some(&p, 1);
	}
	b = content(p.log);
	v = verdict_of(buf_span(&b), p.pub, &heads);
	assert_int_equal(v.fault, EVIDENCE_WHOLE);
	assert_int_equal(v.heads, 2);
	for (size_t i = 1; i < 4; i++) {
		size_t n = (size_t)(line_at(buf_span(&b), i).p - b.p);

		v = verdict_of(span_of(b.p, n), p.pub, &heads);
		assert_int_equal(v.fault, EVIDENCE_CUT);
		assert_int_equal(v.records, i);
	}
	/* The key's holder takes back two records and goes on otherwise. */
	key = content(p.key);
	put(p.log, span_of(b.p, (size_t)(line_at(buf_span(&b), 2).p - b.p)));
	add_some(&p, 5);
	is_whole(&p, 7);
	buf_fini(&b);
	b = content(p.log);
	v = verdict_of(buf_span(&b), p.pub, &heads);
	assert_int_equal(v.fault, EVIDENCE_REWRITTEN);
	assert_int_equal(v.line, 3);
	evidence_heads_fini(&heads);
	buf_fini(&b);
	buf_fini(&key);
	place_free(&p);
}

/* A crash leaves any part of the last line, or pages of zeros: the next record says so. */
static void what_a_crash_left_torn_is_mended_and_told(void **state)
{
	struct place p = place_new();
	struct buf b;
	size_t last;

	add_some(&p, 2);
	b = content(p.log);
	last = (size_t)(line_at(buf_span(&b), 2).p - b.p);
	for (size_t n = last + 4; n < b.n; n += 37) {
		struct evidence_record r;
		struct buf x;

		put(p.log, span_of(b.p, n));
		assert_int_equal(judge(&p).fault, EVIDENCE_TORN);
		add_some(&p, 1);
		is_whole(&p, 4);
		x = content(p.log);
		x.p[x.n - 1] = '\n';
		assert_int_equal(evidence_record_read(span_of(line_at(buf_span(&x), 2).p,
							  line_at(buf_span(&x), 2).n - 1),
				     &r, &e),
		    0);
		assert_int_equal(r.action, EVIDENCE_MEND);
		assert_int_equal(json_integer_value(json_object_get(r.details, "bytes")),
		    (json_int_t)(n - last));
		assert_memory_equal(statement_text(r.details, "torn"), "7b227479", 8);
		evidence_record_fini(&r);
		buf_fini(&x);
	}
	/* With its end, but without a page of its middle. */
	memset(b.p + last + 10, 0, 60);
	put(p.log, buf_span(&b));
	add_some(&p, 1);
	is_whole(&p, 4);
	buf_fini(&b);
	place_free(&p);
}

/* Longer than the record that comes in its place: nothing of it stays behind. */
static void a_long_torn_line_goes_whole(void **state)
{
	struct place p = place_new();
	struct buf b;

	add_some(&p, 1);
	b = content(p.log);
	for (int i = 0; i < 20000; i++)
		buf_put_u8(&b, 'x');
	put(p.log, buf_span(&b));
	add_some(&p, 1);
	is_whole(&p, 4);
	buf_fini(&b);
	place_free(&p);
}

/* Two went on from one state folder: what one wrote does not follow what the other did. */
static void a_record_of_a_fork_does_not_fit(void **state)
{
	struct place p = place_new();
	struct buf before, a, b, x = {0};
	struct evidence_verdict v;

	add_some(&p, 2);
	before = content(p.log);
	add_some(&p, 2);
	a = content(p.log);
	put(p.log, buf_span(&before));
	add_some(&p, 2);
	b = content(p.log);
	for (size_t i = 0; i < 5; i++)
		buf_put_span(&x, line_at(buf_span(i == 3 ? &b : &a), i));
	v = verdict_of(buf_span(&x), p.pub, NULL);
	assert_int_equal(v.fault, EVIDENCE_RELINKED);
	assert_int_equal(v.line, 5);
	buf_fini(&before);
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&x);
	place_free(&p);
}

/* Who stole an old key cannot name a key that has not agreed to what stands before. */
static void a_key_is_named_only_with_its_consent(void **state)
{
	struct place p = place_new();
	uint8_t priv[CRYPTO_KEY], next[CRYPTO_KEY], sig[CRYPTO_SIG] = {0};
	struct evidence_record r;
	struct evidence_verdict v;
	struct buf b;
	struct span first;
	char *line;

	assert_int_equal(evidence_rotate(p.dir, NULL, &ctx, NULL, &e), 0);
	assert_int_equal(evidence_key_read(p.key, next, &e), 0);
	crypto_sign_public(next, next);
	/* Another history, by another first key, that names this one. */
	unlink(p.log);
	unlink(p.key);
	add_some(&p, 1);
	assert_int_equal(evidence_key_read(p.key, priv, &e), 0);
	b = content(p.log);
	first = line_at(buf_span(&b), 1);
	assert_int_equal(evidence_record_read(span_of(first.p, first.n - 1), &r, &e), 0);
	crypto_sha256(span_of(first.p, first.n - 1), r.previous);
	r.sequence = 3;
	r.action = EVIDENCE_ROTATE;
	statement_put_hex(r.details, "next_key", next, sizeof next);
	statement_put_hex(r.details, "consent", sig, sizeof sig);
	line = evidence_record_write(&r, priv);
	buf_printf(&b, "%s\n", line);
	v = verdict_of(buf_span(&b), p.pub, NULL);
	assert_int_equal(v.fault, EVIDENCE_OTHER_KEY);
	assert_int_equal(v.line, 3);
	evidence_record_fini(&r);
	free(line);
	buf_fini(&b);
	place_free(&p);
}

/* More than a crash can do: nothing is built on it. */
static void nothing_is_added_to_what_is_no_chain(void **state)
{
	struct place p = place_new();
	struct evidence_event ev = {EVIDENCE_PRUNE, EVIDENCE_COMPLETED, NULL, "x", NULL};
	struct buf b, was;

	add_some(&p, 2);
	b = content(p.log);
	b.p[line_at(buf_span(&b), 1).p - b.p + 5] ^= 1;
	b.p[line_at(buf_span(&b), 2).p - b.p + 5] ^= 1;
	put(p.log, buf_span(&b));
	assert_int_equal(evidence_append(p.dir, &ev, &ctx, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	was = content(p.log);
	assert_true(span_eq(buf_span(&was), buf_span(&b)));
	/* The key is gone: no other one goes on. */
	unlink(p.key);
	b.p[line_at(buf_span(&b), 1).p - b.p + 5] ^= 1;
	b.p[line_at(buf_span(&b), 2).p - b.p + 5] ^= 1;
	put(p.log, buf_span(&b));
	assert_int_equal(evidence_append(p.dir, &ev, &ctx, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	buf_fini(&b);
	buf_fini(&was);
	place_free(&p);
}

static void a_rotation_is_followed_from_either_key(void **state)
{
	struct place p = place_new();
	struct buf first, b;
	char old[96];

	snprintf(old, sizeof old, "%s.old", p.pub);
	add_some(&p, 1);
	first = content(p.pub);
	put(old, buf_span(&first));
	assert_int_equal(evidence_rotate(p.dir, "root", &ctx, NULL, &e), 0);
	add_some(&p, 1);
	assert_int_equal(evidence_rotate(p.dir, "root", &ctx, NULL, &e), 0);
	add_some(&p, 1);
	is_whole(&p, 6);
	b = content(p.log);
	assert_int_equal(verdict_of(buf_span(&b), old, NULL).fault, EVIDENCE_WHOLE);
	unlink(old);
	buf_fini(&b);
	buf_fini(&first);
	place_free(&p);
}

/* Its record is there, its key is not in place yet: the next to come puts it there. */
static void a_rotation_that_was_cut_short_is_finished(void **state)
{
	struct place p = place_new();
	struct buf before, after;
	char next[96];

	snprintf(next, sizeof next, "%s.next", p.key);
	add_some(&p, 1);
	before = content(p.key);
	assert_int_equal(evidence_rotate(p.dir, NULL, &ctx, NULL, &e), 0);
	after = content(p.key);
	assert_false(span_eq(buf_span(&before), buf_span(&after)));
	put(next, buf_span(&after));
	put(p.key, buf_span(&before));
	add_some(&p, 1);
	is_whole(&p, 4);
	assert_int_equal(access(next, F_OK), -1);
	/* Without it nobody can go on. */
	assert_int_equal(evidence_rotate(p.dir, NULL, &ctx, NULL, &e), 0);
	put(p.key, buf_span(&before));
	assert_int_equal(evidence_rotate(p.dir, NULL, &ctx, NULL, &e), -1);
	buf_fini(&before);
	buf_fini(&after);
	place_free(&p);
}

static void many_processes_make_one_chain(void **state)
{
	enum { PROCESSES = 4, EACH = 20 };
	struct place p = place_new();

	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0) {
			add_some(&p, EACH);
			_exit(0);
		}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	is_whole(&p, 1 + PROCESSES * EACH);
	place_free(&p);
}

/* Each call to the system fails in its turn: an error, and the chain goes on afterwards. */
static void any_fault_leaves_a_chain_that_goes_on(void **state)
{
	struct place p = place_new();
	struct evidence_event ev = {EVIDENCE_FORGET, EVIDENCE_COMPLETED, NULL, "x", NULL};

	add_some(&p, 1);
	for (unsigned nth = 1;; nth++) {
		uint64_t had = judge(&p).records;
		int rc;

		os_fault_arm(nth, ENOSPC);
		rc = evidence_append(p.dir, &ev, &ctx, NULL, &e);
		if (!os_fault_fired()) {
			assert_int_equal(rc, 0);
			assert_true(nth > 6);
			break;
		}
		assert_true(judge(&p).records >= had);
		add_some(&p, 1);
		assert_int_equal(judge(&p).fault, EVIDENCE_WHOLE);
		if (rc == 0) /* what failed was no more than the closing */
			assert_true(judge(&p).records == had + 2);
	}
	place_free(&p);
}

static void heads_go_to_a_store_and_come_back(void **state)
{
	struct place p = place_new();
	struct evidence_heads heads = {0};
	struct evidence_head h;
	struct store *s;
	char *line, *other;

	ctx.clock = os_clock();
	add_some(&p, 1);
	assert_int_equal(store_open("mem:evidence", true, &ctx, &s, &e), 0);
	assert_int_equal(evidence_head_now(p.dir, &ctx, &h, &line, &e), 0);
	assert_int_equal(evidence_head_publish(s, &h, line, &e), 0);
	assert_int_equal(evidence_head_publish(s, &h, line, &e), 0);
	/* Another head of that number, and things that are none. */
	other = mem_strdup(line);
	h.hash[0] ^= 1;
	assert_int_equal(evidence_head_publish(s, &h, other, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	h.hash[0] ^= 1;
	assert_int_equal(store_put(s, "evidence/rubbish", span_str("{}"), STORE_NEW, &e), 0);
	assert_int_equal(store_put(s, "evidence/misnamed.1", span_str(line), STORE_NEW, &e), 0);
	other[60] ^= 1;
	assert_int_equal(store_put(s, "evidence/altered.1", span_str(other), STORE_NEW, &e), 0);
	assert_int_equal(evidence_heads_fetch(s, &heads, &e), 0);
	assert_int_equal(heads.n, 1);
	assert_int_equal(heads.bad, 3);
	assert_memory_equal(&heads.v[0], &h, sizeof h);
	evidence_heads_fini(&heads);
	store_close(s);
	free(line);
	free(other);
	place_free(&p);
}

static void texts_of_any_bytes_are_recorded(void **state)
{
	struct place p = place_new();
	struct evidence_event ev = {
	    EVIDENCE_CAT, EVIDENCE_BEGUN, "n\xffo", "a\n\"\x01\xc3\xa9", NULL};
	struct evidence_record r;
	struct buf b;
	struct span line;
	char *large = mem_alloc(EVIDENCE_DETAILS_MAX + 1);

	assert_int_equal(evidence_append(p.dir, &ev, &ctx, NULL, &e), 0);
	b = content(p.log);
	line = line_at(buf_span(&b), 1);
	assert_int_equal(evidence_record_read(span_of(line.p, line.n - 1), &r, &e), 0);
	assert_string_equal(r.actor, "n\\xffo");
	assert_string_equal(r.subject, "a\n\"\x01\xc3\xa9");
	assert_int_equal(r.action, EVIDENCE_CAT);
	assert_int_equal(r.outcome, EVIDENCE_BEGUN);
	evidence_record_fini(&r);
	/* Details that are too long are left out, and that is told. */
	memset(large, 'x', EVIDENCE_DETAILS_MAX);
	large[EVIDENCE_DETAILS_MAX] = '\0';
	ev.details = json_pack("{s:s}", "x", large);
	assert_int_equal(evidence_append(p.dir, &ev, &ctx, NULL, &e), 0);
	json_decref(ev.details);
	is_whole(&p, 3);
	free(large);
	buf_fini(&b);
	place_free(&p);
}

static void the_list_of_actions_is_well_formed(void **state)
{
	for (int i = 1; i < EVIDENCE_ACTIONS; i++) {
		const struct evidence_action_info *a = evidence_action((enum evidence_action)i);

		assert_non_null(a->name);
		assert_non_null(a->class);
		assert_non_null(a->what);
		assert_int_equal(evidence_action_of(a->name), i);
	}
	for (int i = 1; i < EVIDENCE_OUTCOMES; i++)
		assert_int_equal(
		    evidence_outcome_of(evidence_outcome_name((enum evidence_outcome)i)), i);
	assert_int_equal(evidence_action_of("nonsense"), 0);
}

/* ---- Of who asks again and again. */

/* It asks itself while a verification is under way. */
struct asking {
	struct clock clock;
	struct evidence_watch *watch;
	int64_t now;
	bool asks;
	int rc;
	struct evidence_verdict v;
	int64_t at_ns;
};

static int64_t ask_meanwhile(struct clock *c)
{
	struct asking *a = (struct asking *)c;

	if (a->asks)
		a->rc = evidence_watch_verify(a->watch, &a->v, &a->at_ns, &e);
	return ++a->now;
}

static void watched_is(struct asking *a, const struct place *p, enum evidence_fault fault)
{
	struct evidence_verdict v, all = judge(p);
	int64_t at_ns;

	assert_int_equal(evidence_watch_verify(a->watch, &v, &at_ns, &e), 0);
	assert_int_equal(at_ns, a->now);
	assert_int_equal(v.fault, fault);
	assert_int_equal(v.fault, all.fault);
	assert_int_equal(v.line, all.line);
	assert_int_equal(v.records, all.records);
	assert_string_equal(v.text, all.text);
	assert_memory_equal(&v.end, &all.end, sizeof v.end);
}

/* Of 130 records the first pieces are not verified again, but looked at. */
static void a_chain_that_was_verified_is_not_believed(void **state)
{
	struct asking a = {.clock.wall_ns = ask_meanwhile};
	struct place p = place_new(), q = place_new();
	struct buf b, key;
	size_t at;

	a.watch = evidence_watch_new(p.dir, &a.clock);
	add_some(&p, 130);
	watched_is(&a, &p, EVIDENCE_WHOLE);
	add_some(&p, 1);
	watched_is(&a, &p, EVIDENCE_WHOLE);
	b = content(p.log);
	assert_true(b.n > 65536);
	at = (size_t)(line_at(buf_span(&b), 3).p - b.p) + 40;
	b.p[at] ^= 1;
	put(p.log, buf_span(&b));
	watched_is(&a, &p, judge(&p).fault);
	assert_true(judge(&p).line == 4);
	b.p[at] ^= 1;
	put(p.log, buf_span(&b));
	watched_is(&a, &p, EVIDENCE_WHOLE);
	put(p.log, span_of(b.p, b.n - 5));
	watched_is(&a, &p, EVIDENCE_TORN);
	put(p.log, span_of(b.p, (size_t)(line_at(buf_span(&b), 5).p - b.p)));
	watched_is(&a, &p, EVIDENCE_WHOLE);
	put(p.log, buf_span(&b));
	add_some(&q, 1);
	key = content(q.pub);
	put(p.pub, buf_span(&key));
	watched_is(&a, &p, EVIDENCE_OTHER_KEY);
	evidence_watch_free(a.watch);
	buf_fini(&key);
	buf_fini(&b);
	place_free(&p);
	place_free(&q);
}

static void one_verification_is_under_way_at_a_time(void **state)
{
	struct asking a = {.clock.wall_ns = ask_meanwhile, .asks = true};
	struct place p = place_new();

	a.watch = evidence_watch_new(p.dir, &a.clock);
	add_some(&p, 2);
	watched_is(&a, &p, EVIDENCE_WHOLE);
	assert_int_equal(a.rc, -1);
	assert_int_equal(e.kind, ERR_BUSY);
	/* Later who comes meanwhile is given what was found before. */
	add_some(&p, 2);
	watched_is(&a, &p, EVIDENCE_WHOLE);
	assert_int_equal(a.rc, 0);
	assert_int_equal(a.v.records, 3);
	assert_int_equal(a.at_ns, 1);
	evidence_watch_free(a.watch);
	place_free(&p);
}

static int put_line(void *arg, struct span line, struct err *err)
{
	buf_put_span(arg, line);
	buf_put_u8(arg, '\n');
	return 0;
}

static void page_is(struct evidence_watch *w, const struct place *p, size_t after, size_t most)
{
	struct buf b = content(p->log), got = {0}, want = {0};
	size_t lines = 0;

	assert_int_equal(evidence_watch_read(w, after, most, put_line, &got, &e), 0);
	for (size_t i = 0; i < b.n; i++)
		lines += b.p[i] == '\n';
	for (size_t i = after; i < after + most && i < lines; i++)
		buf_put_span(&want, line_at(buf_span(&b), i));
	assert_true(span_eq(buf_span(&got), buf_span(&want)));
	buf_fini(&b);
	buf_fini(&got);
	buf_fini(&want);
}

/* Wherever others have ended before, and whatever became of the file since. */
static void a_page_is_what_stands_there(void **state)
{
	struct asking a = {.clock.wall_ns = ask_meanwhile};
	struct place p = place_new();
	struct evidence_place at = {0};
	struct buf b, none = {0};

	a.watch = evidence_watch_new(p.dir, &a.clock);
	add_some(&p, 9);
	for (size_t i = 0; i < 12; i += 3)
		page_is(a.watch, &p, i, 3);
	page_is(a.watch, &p, 4, 2);
	add_some(&p, 4);
	page_is(a.watch, &p, 9, 3);
	page_is(a.watch, &p, 10, 9);
	b = content(p.log);
	/* A line more before: no place that was known is the begin of one. */
	put(p.log, span_str("{}\n"));
	page_is(a.watch, &p, 3, 3);
	page_is(a.watch, &p, 0, 3);
	/* What is known is made use of. */
	put(p.log, buf_span(&b));
	assert_int_equal(evidence_read_from(p.dir, &at, 0, 3, put_line, &none, &e), 0);
	assert_int_equal(at.line, 3);
	assert_int_equal(at.offset, line_at(buf_span(&b), 3).p - b.p);
	at.line = 1;
	buf_reset(&none);
	assert_int_equal(evidence_read_from(p.dir, &at, 1, 1, put_line, &none, &e), 0);
	assert_true(span_eq(buf_span(&none), line_at(buf_span(&b), 3)));
	evidence_watch_free(a.watch);
	buf_fini(&b);
	buf_fini(&none);
	place_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_chain_is_whole_and_begins_itself),
	    cmocka_unit_test(no_byte_changes_unseen),
	    cmocka_unit_test(what_is_missing_or_moved_is_named),
	    cmocka_unit_test(another_chain_of_the_same_key_is_not_ours),
	    cmocka_unit_test(another_key_proves_nothing),
	    cmocka_unit_test(a_head_shows_a_cut_and_a_rewriting),
	    cmocka_unit_test(what_a_crash_left_torn_is_mended_and_told),
	    cmocka_unit_test(a_long_torn_line_goes_whole),
	    cmocka_unit_test(a_record_of_a_fork_does_not_fit),
	    cmocka_unit_test(a_key_is_named_only_with_its_consent),
	    cmocka_unit_test(nothing_is_added_to_what_is_no_chain),
	    cmocka_unit_test(a_rotation_is_followed_from_either_key),
	    cmocka_unit_test(a_rotation_that_was_cut_short_is_finished),
	    cmocka_unit_test(many_processes_make_one_chain),
	    cmocka_unit_test(any_fault_leaves_a_chain_that_goes_on),
	    cmocka_unit_test(heads_go_to_a_store_and_come_back),
	    cmocka_unit_test(texts_of_any_bytes_are_recorded),
	    cmocka_unit_test(a_chain_that_was_verified_is_not_believed),
	    cmocka_unit_test(one_verification_is_under_way_at_a_time),
	    cmocka_unit_test(a_page_is_what_stands_there),
	    cmocka_unit_test(the_list_of_actions_is_well_formed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
