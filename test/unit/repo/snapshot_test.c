/* snapshot: everything comes back; what was changed is told, and left out. */
#include "make_snapshot.h"

#include "repo/note.h"
#include "repo/snapshot_json.h"

struct t {
	struct ctx ctx;
	struct make_events events;
	char place[32];
	struct repo *r;
};

static void begin(struct t *t)
{
	memset(t, 0, sizeof *t);
	make_ctx(&t->ctx, &t->events);
	t->r = make_repo(&t->ctx, t->place, NULL);
}

static void assert_texts(char *const *a, size_t na, char *const *b, size_t nb)
{
	assert_int_equal(na, nb);
	for (size_t i = 0; i < na; i++)
		assert_string_equal(a[i], b[i]);
}

static void assert_same(const struct snapshot *a, const struct snapshot *b)
{
	assert_true(a->start_ns == b->start_ns && a->end_ns == b->end_ns);
	assert_string_equal(a->host, b->host);
	assert_string_equal(a->user, b->user);
	assert_int_equal(a->system == NULL, b->system == NULL);
	if (a->system)
		assert_string_equal(a->system, b->system);
	assert_int_equal(a->sequence, b->sequence);
	assert_int_equal(a->has_previous, b->has_previous);
	assert_int_equal(a->has_parent, b->has_parent);
	if (a->has_previous)
		assert_memory_equal(&a->previous, &b->previous, ID_SIZE);
	if (a->has_parent)
		assert_memory_equal(&a->parent, &b->parent, ID_SIZE);
	assert_memory_equal(a->client, b->client, FORMAT_UID);
	assert_memory_equal(a->group, b->group, FORMAT_UID);
	assert_int_equal(a->strategy, b->strategy);
	assert_texts(a->tags, a->ntags, b->tags, b->ntags);
	assert_texts(a->excludes, a->nexcludes, b->excludes, b->nexcludes);
	assert_int_equal(a->nparts, b->nparts);
	for (size_t i = 0; i < a->nparts; i++) {
		const struct snapshot_part *p = &a->parts[i], *q = &b->parts[i];

		assert_string_equal(p->name, q->name);
		assert_string_equal(p->kind, q->kind);
		assert_texts(p->paths, p->npaths, q->paths, q->npaths);
		assert_int_equal(p->has_tree, q->has_tree);
		if (p->has_tree)
			assert_memory_equal(&p->tree, &q->tree, ID_SIZE);
		assert_int_equal(p->outcome, q->outcome);
		assert_memory_equal(&p->stats, &q->stats, sizeof p->stats);
		assert_int_equal(p->nerrors, q->nerrors);
		for (size_t k = 0; k < p->nerrors; k++) {
			assert_string_equal(p->errors[k].path, q->errors[k].path);
			assert_string_equal(p->errors[k].message, q->errors[k].message);
		}
		assert_int_equal(p->facts == NULL, q->facts == NULL);
		if (p->facts)
			assert_string_equal(p->facts, q->facts);
		assert_int_equal(p->has_log, q->has_log);
		assert_memory_equal(p->stream, q->stream, FORMAT_UID);
		assert_int_equal(p->timeline, q->timeline);
		assert_true(p->log_start == q->log_start && p->log_end == q->log_end);
	}
}

static void json_comes_back(void **state)
{
	static const int64_t times[] = {
	    0, 1, -1, 1763700000123456789, -8000000000000000000, 6900000000000000001};

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		struct snapshot *s = make_snapshot(times[i]), *got = mem_zalloc(sizeof *got);
		char *head, *facts;
		struct err e;

		if (i % 2) {
			s->has_previous = s->has_parent = false;
			free(s->system);
			s->system = NULL;
		}
		snapshot_json_encode(s, &head, &facts);
		assert_non_null(head);
		assert_non_null(facts);
		OK(snapshot_json_decode(span_str(head), span_str(facts), got, &e));
		assert_same(s, got);
		free(head);
		free(facts);
		snapshot_free(s);
		snapshot_free(got);
	}
}

/* As every snapshot of before logs: not even the member is there. */
static void one_without_a_log_names_none(void **state)
{
	struct snapshot *s = make_snapshot(0), *got = mem_zalloc(sizeof *got);
	char *head, *facts;
	struct err e;

	s->parts[0].has_log = false;
	free(s->parts[0].facts);
	s->parts[0].facts = NULL;
	snapshot_json_encode(s, &head, &facts);
	assert_null(strstr(head, "logs"));
	assert_non_null(strstr(facts, "\"facts\":{}"));
	OK(snapshot_json_decode(span_str(head), span_str(facts), got, &e));
	assert_false(got->parts[0].has_log);
	assert_null(got->parts[0].facts);
	free(head);
	free(facts);
	snapshot_free(s);
	snapshot_free(got);
}

/* Who prunes has no more than the head. */
static void the_log_is_in_the_head(void **state)
{
	struct snapshot *s = make_snapshot(0), *got = mem_zalloc(sizeof *got);
	char *head, *facts;
	struct err e;

	snapshot_json_encode(s, &head, &facts);
	OK(snapshot_json_decode(span_str(head), span_of(NULL, 0), got, &e));
	assert_true(got->head_only && got->parts[0].has_log && !got->parts[1].has_log);
	assert_int_equal(got->parts[0].timeline, UINT32_MAX);
	assert_true(got->parts[0].log_start == s->parts[0].log_start);
	assert_true(got->parts[0].log_end == UINT64_MAX);
	free(head);
	free(facts);
	snapshot_free(s);
	snapshot_free(got);
}

static void an_object_comes_back(void **state)
{
	struct snapshot *s = make_snapshot(1763700000000000000), *got;
	struct err e;
	struct t t;

	begin(&t);
	OK(snapshot_put(t.r, s, &e));
	OK(snapshot_load(t.r, &s->id, &got, &e));
	assert_same(s, got);
	assert_memory_equal(got->signer, t.r->keys->holder, FORMAT_UID);
	assert_int_equal(got->object_size, s->object_size);
	snapshot_free(got);
	OK(snapshot_del(t.r, &s->id, &e));
	FAILS(snapshot_load(t.r, &s->id, &got, &e), ERR_ABSENT);
	OK(snapshot_del(t.r, &s->id, &e));
	snapshot_free(s);
	repo_close(t.r);
}

static void a_host_that_is_not_text_is_refused(void **state)
{
	struct snapshot *s = make_snapshot(0);
	struct err e;
	struct t t;

	begin(&t);
	s->host[0] = '\377';
	FAILS(snapshot_put(t.r, s, &e), ERR_USAGE);
	snapshot_free(s);
	repo_close(t.r);
}

static void what_could_not_be_read_again_is_not_put(void **state)
{
	/* In 2255 the clock still counts nanoseconds, and the format's years are over. */
	struct snapshot *s = make_snapshot(9000000000000000000);
	struct err e;
	struct t t;

	begin(&t);
	FAILS(snapshot_put(t.r, s, &e), ERR_FAILED);
	assert_int_equal(make_count(t.r, "snapshots/"), 0);
	snapshot_free(s);
	repo_close(t.r);
}

static void every_damaged_byte_is_found(void **state)
{
	struct snapshot *s = make_snapshot(0), *got;
	char name[REPO_NAME_MAX];
	struct err e;
	struct t t;

	begin(&t);
	OK(snapshot_put(t.r, s, &e));
	repo_object_name(name, FORMAT_SNAPSHOT, &s->id);
	for (size_t i = 0; i < s->object_size; i++) {
		make_damage(t.r->store, name, i, 1);
		FAILS(snapshot_load(t.r, &s->id, &got, &e), ERR_CORRUPT);
		assert_non_null(strstr(e.msg, name));
		make_damage(t.r->store, name, i, 1);
	}
	OK(snapshot_load(t.r, &s->id, &got, &e));
	snapshot_free(got);
	snapshot_free(s);
	repo_close(t.r);
}

/* The hash in the name is no secret: the seals must hold without it. */
static void every_flipped_bit_is_found_though_the_name_fits(void **state)
{
	struct snapshot *s = make_snapshot(0), *got;
	struct buf b = {0};
	char name[REPO_NAME_MAX];
	struct err e;
	struct t t;

	begin(&t);
	OK(snapshot_put(t.r, s, &e));
	OK(store_get_all(
	    t.r->store, repo_object_name(name, FORMAT_SNAPSHOT, &s->id), FORMAT_SMALL_MAX, &b, &e));
	for (size_t i = 0; i < 8 * b.n; i += 5) {
		struct id id;

		b.p[i / 8] ^= (uint8_t)(1 << i % 8);
		OK(repo_put_object(t.r, FORMAT_SNAPSHOT, buf_span(&b), &id, &e));
		err_clear(&e);
		assert_int_equal(snapshot_load(t.r, &id, &got, &e), -1);
		/* Its signer or keys may be others now. */
		assert_true(
		    e.kind == ERR_CORRUPT || e.kind == ERR_UNSUPPORTED || e.kind == ERR_FOREIGN);
		OK(snapshot_del(t.r, &id, &e));
		b.p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	buf_fini(&b);
	snapshot_free(s);
	repo_close(t.r);
}

/* Sealed and signed properly, head and facts as given. */
static void put_raw(struct repo *r, const char *head, const char *facts, struct id *id)
{
	const struct config *c = &r->config;
	uint8_t sealed[2][FORMAT_SEALED_KEY];
	const uint8_t *keys[2] = {sealed[0], sealed[1]};
	struct seal_key k[2];
	struct buf b = {0};
	struct sealer s;
	struct err e;

	seal_data_key_new(c->repo, SEAL_STRUCTURE, c->epoch, c->structure, &k[0], sealed[0]);
	seal_data_key_new(c->repo, SEAL_CONTENT, c->epoch, c->content, &k[1], sealed[1]);
	sealer_init(&s, c->repo);
	envelope_begin(&b, FORMAT_SNAPSHOT, keys, 2);
	envelope_section(&s, &b, &k[0], PURPOSE_HEAD, span_str(head));
	envelope_section(&s, &b, &k[1], PURPOSE_FACTS, span_str(facts));
	envelope_sign(&s, &b, &k[0], r->keys->holder, r->keys->signing);
	OK(repo_put_object(r, FORMAT_SNAPSHOT, buf_span(&b), id, &e));
	sealer_fini(&s);
	buf_fini(&b);
}

static void replace(char *text, const char *from, const char *to)
{
	char *at = strstr(text, from);

	assert_non_null(at);
	assert_int_equal(strlen(from), strlen(to));
	memcpy(at, to, strlen(to));
}

static void what_a_writer_signed_is_no_junk_and_its_head_decides(void **state)
{
	static const struct {
		bool head;
		const char *from, *to;
		enum { READ, UNREAD, RIDDLE, JUNK } want;
	} rows[] = {
	    {true, "05050505", "05050506", UNREAD},
	    {false, "05050505", "06050505", UNREAD},
	    {true, ",null]", ", 123]", RIDDLE},
	    {true, "\"roots\"", "\"Roots\"", RIDDLE},
	    {true, "\"roots\":[\"0", "\"roots\":[\"x", RIDDLE},
	    {true, "\"end\":\"ffff", "\"end\":\"0000", RIDDLE},
	    {true, "\"end\":\"ffff", "\"end\":\"ffxf", RIDDLE},
	    {true, "\"stream\":\"06", "\"stream\":\"x6", RIDDLE},
	    {true, "\"logs\":[", "\"Logs\":[", READ},
	    {true, ":4294967295", ":4294967296", RIDDLE},
	    {false, "\"parts\"", "\"Parts\"", UNREAD},
	    {false, "incomplete", "Incomplete", READ},
	    {true, "differential", "Differential", READ},
	    {true, "\"start\"", "\"Start\"", RIDDLE},
	    {true, "1970-", "1970+", RIDDLE},
	    {true, "\"signer\":\"", "\"signer\":\"0", JUNK},
	    {false, "\"b64\"", "\"B64\"", UNREAD},
	    {false, "L25vd", "L25v*", UNREAD},
	    {true, "}", "]", RIDDLE},
	    {false, "\"errors\"", "\"Errors\"", READ},
	    {true, "\"host\"", "\"user\"", RIDDLE},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct snapshot *s = make_snapshot(0), *got;
		char *head, *facts;
		struct id id;
		struct err e;
		struct t t;

		begin(&t);
		memcpy(s->signer, t.r->keys->holder, FORMAT_UID);
		snapshot_json_encode(s, &head, &facts);
		put_raw(t.r, head, facts, &id);
		OK(snapshot_load(t.r, &id, &got, &e));
		snapshot_free(got);
		if (strlen(rows[i].from) == strlen(rows[i].to)) {
			replace(rows[i].head ? head : facts, rows[i].from, rows[i].to);
		} else {
			char *at = strstr(head, rows[i].from);

			at += strlen(rows[i].from);
			*at = *at == '0' ? '1' : '0'; /* a digit of the signer */
		}
		put_raw(t.r, head, facts, &id);
		err_clear(&e);
		if (snapshot_load(t.r, &id, &got, &e) == 0) {
			assert_int_equal(got->unread ? UNREAD : READ, rows[i].want);
			assert_int_equal(got->head_only, got->unread);
			assert_int_equal(got->nparts, 2);
			assert_true(got->parts[0].has_tree && !got->parts[1].has_tree);
			assert_int_equal(got->parts[0].outcome, SNAPSHOT_INCOMPLETE);
			if (strcmp(rows[i].from, "differential") == 0)
				assert_int_equal(got->strategy, SNAPSHOT_OTHER);
			snapshot_free(got);
		} else {
			assert_int_equal(e.kind == ERR_LATER ? RIDDLE : JUNK, rows[i].want);
			assert_true(e.kind == ERR_LATER || e.kind == ERR_CORRUPT);
		}
		free(head);
		free(facts);
		snapshot_free(s);
		repo_close(t.r);
	}
}

static void all_are_loaded_in_order_and_damage_is_told(void **state)
{
	static const int64_t starts[] = {5000000000, 1000000000, 3000000000, 3000000000};
	char name[REPO_NAME_MAX];
	struct snapshot_list l;
	struct id ids[4];
	struct err e;
	struct t t;

	begin(&t);
	for (size_t i = 0; i < 4; i++) {
		struct snapshot *s = make_snapshot(starts[i]);

		OK(snapshot_put(t.r, s, &e));
		ids[i] = s->id;
		snapshot_free(s);
	}
	OK(store_put(t.r->store, "snapshots/README", span_str("x"), 0, &e));
	OK(snapshot_load_all(t.r, &l, &e));
	assert_int_equal(l.n, 4);
	assert_int_equal(l.damaged, 0);
	assert_int_equal(t.events.n[EVENT_WARNING], 1);
	assert_true(id_eq(&l.v[0]->id, &ids[1]));
	assert_true(id_eq(&l.v[3]->id, &ids[0]));
	assert_true(id_cmp(&l.v[1]->id, &l.v[2]->id) < 0);
	assert_true(l.v[0]->stored_ns != 0);
	snapshot_list_fini(&l);

	make_damage(t.r->store, repo_object_name(name, FORMAT_SNAPSHOT, &ids[2]), 300, 8);
	OK(snapshot_load_all(t.r, &l, &e));
	assert_int_equal(l.n, 3);
	assert_int_equal(l.damaged, 1);
	assert_int_equal(t.events.n[EVENT_OBJECT_DAMAGED], 1);
	snapshot_list_fini(&l);
	repo_close(t.r);
}

static void groups_tell_hosts_systems_and_paths_apart(void **state)
{
	static const char *const ab[] = {"/a", "/b"}, *const ba[] = {"/b", "/a"};
	uint8_t g[6][FORMAT_UID], same[FORMAT_UID];
	struct t t;

	begin(&t);
	snapshot_group(t.r, "h", NULL, ab, 2, g[0]);
	snapshot_group(t.r, "h", NULL, ab, 1, g[1]);
	snapshot_group(t.r, "i", NULL, ab, 2, g[2]);
	snapshot_group(t.r, "h", "s", ab, 2, g[3]);
	snapshot_group(t.r, "h", "", ab, 2, g[4]);
	snapshot_group(t.r, "h", "t", ab, 2, g[5]);
	for (size_t i = 0; i < 6; i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(g[i], g[k], FORMAT_UID);
	snapshot_group(t.r, "h", NULL, ba, 2, same);
	assert_memory_equal(same, g[0], FORMAT_UID);
	snapshot_group(t.r, "h", "s", ba, 1, same);
	assert_memory_equal(same, g[3], FORMAT_UID);
	repo_close(t.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(json_comes_back),
	    cmocka_unit_test(one_without_a_log_names_none),
	    cmocka_unit_test(the_log_is_in_the_head),
	    cmocka_unit_test(an_object_comes_back),
	    cmocka_unit_test(a_host_that_is_not_text_is_refused),
	    cmocka_unit_test(every_damaged_byte_is_found),
	    cmocka_unit_test(every_flipped_bit_is_found_though_the_name_fits),
	    cmocka_unit_test(what_a_writer_signed_is_no_junk_and_its_head_decides),
	    cmocka_unit_test(what_could_not_be_read_again_is_not_put),
	    cmocka_unit_test(all_are_loaded_in_order_and_damage_is_told),
	    cmocka_unit_test(groups_tell_hosts_systems_and_paths_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
