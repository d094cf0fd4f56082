/* tree: every kind of entry comes back; what is hostile is corrupt. */
#include "../unit.h"

#include "base/mem.h"
#include "crypto/crypto.h"
#include "repo/tree.h"

/* ---- Blobs in memory, by hash. */

struct blobs {
	struct idmap *map; /* id -> struct blob */
	size_t fresh;
};

struct blob {
	uint8_t *p;
	size_t n;
	uint8_t kind;
};

static void blobs_init(struct blobs *b)
{
	b->map = idmap_new(sizeof(struct blob));
	b->fresh = 0;
}

static void blobs_fini(struct blobs *b)
{
	struct blob *v;
	struct id id;
	size_t pos = 0;

	while ((v = idmap_next(b->map, &pos, &id)) != NULL)
		free(v->p);
	idmap_free(b->map);
}

static int put(void *arg, enum format_purpose kind, struct span s, struct id *id, struct err *e)
{
	struct blobs *b = arg;
	struct blob *v;
	bool was;

	assert_true(s.n <= FORMAT_BLOB_MAX);
	crypto_sha256(s, id->b);
	v = idmap_put(b->map, id, &was);
	if (!was) {
		*v = (struct blob){mem_dup(s.p, s.n), s.n, (uint8_t)kind};
		b->fresh++;
	}
	return 0;
}

static int get(
    void *arg, enum format_purpose kind, const struct id *id, struct span *out, struct err *e)
{
	struct blobs *b = arg;
	struct blob *v = idmap_get(b->map, id);

	if (v == NULL || v->kind != kind)
		return err_set(e, ERR_CORRUPT, "no such blob");
	*out = span_of(v->p, v->n);
	return 0;
}

#define OK(call)                                                                                   \
	do {                                                                                       \
		if ((call) == -1)                                                                  \
			fail_msg("line %d: %s: %s", __LINE__, #call, e.msg);                       \
	} while (0)

static struct id number_id(uint64_t i)
{
	struct id id;

	crypto_sha256(span_of(&i, sizeof i), id.b);
	return id;
}

/* ---- What is written comes back. */

static void assert_entry_equal(const struct entry *a, const struct entry *b)
{
	assert_int_equal(a->type, b->type);
	assert_true(span_eq(a->name, b->name));
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_true(span_eq(a->user, b->user));
	assert_true(span_eq(a->group, b->group));
	assert_true(a->mtime == b->mtime);
	assert_int_equal(a->mtime_ns, b->mtime_ns);
	assert_int_equal(a->size, b->size);
	assert_true(span_eq(a->target, b->target));
	assert_int_equal(a->major, b->major);
	assert_int_equal(a->minor, b->minor);
	assert_int_equal(a->changed, b->changed);
	assert_int_equal(a->linked, b->linked);
	assert_int_equal(a->link_group, b->link_group);
	assert_int_equal(a->nxattrs, b->nxattrs);
	for (size_t i = 0; i < a->nxattrs; i++) {
		assert_true(span_eq(a->xattrs[i].name, b->xattrs[i].name));
		assert_true(span_eq(a->xattrs[i].value, b->xattrs[i].value));
	}
	assert_int_equal(a->nholes, b->nholes);
	for (size_t i = 0; i < a->nholes; i++) {
		assert_int_equal(a->holes[i].off, b->holes[i].off);
		assert_int_equal(a->holes[i].len, b->holes[i].len);
	}
}

static void every_kind_of_entry_comes_back(void **state)
{
	static uint8_t long_name[ENTRY_NAME_MAX], long_target[ENTRY_TARGET_MAX],
	    long_value[ENTRY_XATTR_MAX];
	const struct entry_xattr xattrs[] = {{span_str("user.a"), span_str("value")},
	    {span_str("user.b"), span_of("", 0)},
	    {span_str("user.c"), span_of(long_value, sizeof long_value)}};
	const struct entry_hole holes[] = {{0, 10}, {20, 1}, {100, 900}};
	const struct id ids[] = {number_id(1), number_id(2), number_id(3)};
	const struct {
		struct entry en;
		struct tree_ref ref;
	} rows[] = {
	    {{.type = ENTRY_FILE, .name = span_str("a empty"), .mode = 07777}, {.tag = TREE_NONE}},
	    {{.type = ENTRY_FILE,
		 .name = span_str("b"),
		 .mode = 0644,
		 .uid = UINT32_MAX,
		 .gid = UINT32_MAX,
		 .user = span_str("me"),
		 .group = span_str("us"),
		 .mtime = INT64_MIN,
		 .mtime_ns = 999999999,
		 .size = 1000,
		 .changed = true,
		 .linked = true,
		 .link_group = UINT64_MAX,
		 .xattrs = xattrs,
		 .nxattrs = 3,
		 .holes = holes,
		 .nholes = 3},
		{.tag = TREE_CONTENT, .n = 3, .ids = ids}},
	    {{.type = ENTRY_FILE,
		 .name = span_str("b\377\n"),
		 .size = INT64_MAX,
		 .uid = 5,
		 .user = span_str("someone"),
		 .mtime = INT64_MAX},
		{.tag = TREE_LIST, .depth = FORMAT_LIST_DEPTH, .n = 1, .ids = ids}},
	    {{.type = ENTRY_DIR, .name = span_str("c"), .mode = 01777, .mtime = -1},
		{.tag = TREE_DIR, .n = 1, .ids = ids}},
	    {{.type = ENTRY_SYMLINK,
		 .name = span_str("d"),
		 .target = span_of(long_target, sizeof long_target)},
		{.tag = TREE_NONE}},
	    {{.type = ENTRY_FIFO, .name = span_str("e"), .linked = true}, {.tag = TREE_NONE}},
	    {{.type = ENTRY_CHAR, .name = span_str("f"), .major = UINT32_MAX, .minor = 1},
		{.tag = TREE_NONE}},
	    {{.type = ENTRY_BLOCK, .name = span_str("g"), .major = 0, .minor = UINT32_MAX},
		{.tag = TREE_NONE}},
	    {{.type = ENTRY_FILE, .name = span_of(long_name, sizeof long_name)},
		{.tag = TREE_NONE}},
	};
	struct tree_writer *w;
	struct tree_reader *r;
	struct tree_ref ref;
	struct blobs b;
	struct entry en;
	struct id tree;
	struct err e;

	memset(long_name, 'x', sizeof long_name);
	memset(long_target, '/', sizeof long_target);
	blobs_init(&b);
	w = tree_writer_new(put, &b);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		OK(tree_writer_add(w, &rows[i].en, &rows[i].ref, &e));
	OK(tree_writer_end(w, &tree, &e));
	r = tree_reader_open(get, &b, &tree, &e);
	assert_non_null(r);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct entry want = rows[i].en;

		assert_int_equal(tree_reader_next(r, &en, &ref, &e), 1);
		assert_entry_equal(&en, &want);
		assert_int_equal(ref.tag, rows[i].ref.tag);
		assert_int_equal(ref.depth, rows[i].ref.depth);
		assert_int_equal(ref.n, rows[i].ref.n);
		if (ref.n)
			assert_memory_equal(ref.ids, rows[i].ref.ids, ref.n * ID_SIZE);
	}
	assert_int_equal(tree_reader_next(r, &en, &ref, &e), 0);
	assert_int_equal(tree_reader_next(r, &en, &ref, &e), 0);
	tree_reader_close(r);
	tree_writer_free(w);
	blobs_fini(&b);
}

static void an_empty_directory_comes_back(void **state)
{
	struct tree_writer *w;
	struct tree_reader *r;
	struct tree_ref ref;
	struct blobs b;
	struct entry en;
	struct id tree;
	struct err e;

	blobs_init(&b);
	w = tree_writer_new(put, &b);
	OK(tree_writer_end(w, &tree, &e));
	r = tree_reader_open(get, &b, &tree, &e);
	assert_non_null(r);
	assert_int_equal(tree_reader_next(r, &en, &ref, &e), 0);
	tree_reader_close(r);
	tree_writer_free(w);
	blobs_fini(&b);
}

static void names_out_of_order_are_our_own_bug(void **state)
{
	static const char *const rows[][2] = {
	    {"b", "a"}, {"a", "a"}, {"ab", "a"}, {"a", ""}, {"a", "b/c"}, {"+", ".."}, {"+", "."}};
	struct tree_ref none = {.tag = TREE_NONE};
	struct blobs b;
	struct tree_writer *w;
	struct err e;

	blobs_init(&b);
	w = tree_writer_new(put, &b);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct entry x = {.type = ENTRY_FIFO, .name = span_str(rows[i][0])};
		struct entry y = {.type = ENTRY_FIFO, .name = span_str(rows[i][1])};

		OK(tree_writer_add(w, &x, &none, &e));
		assert_int_equal(tree_writer_add(w, &y, &none, &e), -1);
		assert_int_equal(e.kind, ERR_BUG);
		tree_writer_reset(w);
	}
	tree_writer_free(w);
	blobs_fini(&b);
}

/* ---- Size. */

enum { MANY = 50000 };

/* A directory of MANY names and perhaps one more. */
static struct id big_directory(struct blobs *b, const char *extra)
{
	struct tree_writer *w = tree_writer_new(put, b);
	struct id tree;
	struct err e;

	for (size_t i = 0; i < MANY; i++) {
		struct id id = number_id(i);
		struct tree_ref ref = {TREE_CONTENT, 0, 1, &id};
		char name[32];
		struct entry en = {.type = ENTRY_FILE,
		    .mode = 0644,
		    .mtime = (int64_t)i,
		    .size = i,
		    .user = span_str("somebody")};

		snprintf(name, sizeof name, "name-%06zu", i);
		en.name = span_str(name);
		OK(tree_writer_add(w, &en, &ref, &e));
		if (extra != NULL && strncmp(name, extra, strlen(name)) == 0) {
			en.name = span_str(extra);
			OK(tree_writer_add(w, &en, &ref, &e));
		}
	}
	OK(tree_writer_end(w, &tree, &e));
	tree_writer_free(w);
	return tree;
}

static void a_directory_of_50000_entries_comes_back(void **state)
{
	struct tree_reader *r;
	struct tree_ref ref;
	struct blobs b;
	struct entry en;
	struct id tree;
	struct err e;

	blobs_init(&b);
	tree = big_directory(&b, NULL);
	/* In many leaves, with nodes above. */
	assert_in_range(b.fresh, 21, 2000);
	r = tree_reader_open(get, &b, &tree, &e);
	assert_non_null(r);
	for (size_t i = 0; i < MANY; i++) {
		struct id id = number_id(i);
		char name[32];

		OK(tree_reader_next(r, &en, &ref, &e));
		snprintf(name, sizeof name, "name-%06zu", i);
		assert_true(span_eq(en.name, span_str(name)));
		assert_true(span_eq(en.user, span_str("somebody")));
		assert_int_equal(en.size, i);
		assert_true(id_eq(&ref.ids[0], &id));
	}
	assert_int_equal(tree_reader_next(r, &en, &ref, &e), 0);
	tree_reader_close(r);
	blobs_fini(&b);
}

static void one_more_name_changes_few_blobs(void **state)
{
	static const char *const extras[] = {
	    "name-000000+", "name-025000+", "name-025001+", "name-049999+"};

	for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
		struct id before, after;
		struct blobs b;

		blobs_init(&b);
		before = big_directory(&b, NULL);
		b.fresh = 0;
		after = big_directory(&b, extras[i]);
		assert_false(id_eq(&before, &after));
		/* Names, refs and two nodes; twice the leaf where the cut moves. */
		assert_in_range(b.fresh, 2, 8);
		blobs_fini(&b);
	}
}

struct counted {
	uint64_t n;
};

static int count_id(void *arg, const struct id *id, struct err *e)
{
	struct counted *c = arg;
	struct id want = number_id(c->n++);

	return id_eq(id, &want) ? 0 : err_set(e, ERR_BUG, "id %llu", (unsigned long long)c->n);
}

static int visit_ref(
    void *arg, enum format_purpose kind, unsigned depth, const struct id *id, struct err *e);

struct ref_walk {
	struct blobs *b;
	uint64_t content;
};

static int walk_refs(struct ref_walk *w, const struct id *id, unsigned depth, struct err *e)
{
	struct span blob;

	if (get(w->b, PURPOSE_REFS, id, &blob, e) == -1)
		return -1;
	return tree_refs_visit(blob, depth, visit_ref, w, e);
}

static int visit_ref(
    void *arg, enum format_purpose kind, unsigned depth, const struct id *id, struct err *e)
{
	struct ref_walk *w = arg;

	if (kind == PURPOSE_CONTENT)
		w->content++;
	return kind == PURPOSE_REFS ? walk_refs(w, id, depth, e) : 0;
}

static void contents_of_any_length_come_back(void **state)
{
	static const struct {
		uint64_t n;
		enum tree_tag tag;
		unsigned depth_min, depth_max;
	} rows[] = {{0, TREE_NONE, 0, 0}, {1, TREE_CONTENT, 0, 0}, {2, TREE_CONTENT, 0, 0},
	    {1023, TREE_CONTENT, 0, 0}, {1024, TREE_CONTENT, 0, 0}, {1025, TREE_LIST, 2, 2},
	    {5000, TREE_LIST, 2, 2}, {300000, TREE_LIST, 2, 3}, {1048577, TREE_LIST, 3, 3},
	    {1200000, TREE_LIST, 3, 3}};
	struct content_writer *w;
	struct blobs b;
	struct err e;

	blobs_init(&b);
	w = content_writer_new(put, &b);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct counted c = {0};
		struct tree_ref ref;

		for (uint64_t k = 0; k < rows[i].n; k++) {
			struct id id = number_id(k);

			OK(content_writer_add(w, &id, &e));
		}
		OK(content_writer_end(w, &ref, &e));
		assert_int_equal(ref.tag, rows[i].tag);
		assert_in_range(ref.depth, rows[i].depth_min, rows[i].depth_max);
		OK(tree_content(get, &b, &ref, count_id, &c, &e));
		assert_int_equal(c.n, rows[i].n);
		if (ref.tag == TREE_LIST) {
			struct ref_walk walk = {&b, 0};

			OK(walk_refs(&walk, &ref.ids[0], ref.depth, &e));
			assert_int_equal(walk.content, rows[i].n);
		}
		content_writer_reset(w);
	}
	content_writer_free(w);
	blobs_fini(&b);
}

/* ---- Hostile trees, byte by byte. */

struct hostile {
	struct buf names, refs; /* after the counts */
	uint64_t names_count, refs_count;
};

static void h_fini(struct hostile *h)
{
	buf_fini(&h->names);
	buf_fini(&h->refs);
	memset(h, 0, sizeof *h);
}

/* The fields every entry begins with. */
static void h_entry(struct hostile *h, uint8_t type, uint64_t bits, struct span name)
{
	buf_put_u8(&h->names, type);
	buf_put_varint(&h->names, bits);
	buf_put_string(&h->names, name);
	buf_put_varint(&h->names, 0644);
	buf_put_varint(&h->names, 0);
	buf_put_varint(&h->names, 0);
	buf_put_svarint(&h->names, 0);
	buf_put_varint(&h->names, 0);
	h->names_count++;
}

static void h_file(struct hostile *h, struct span name, uint64_t size)
{
	h_entry(h, ENTRY_FILE, 0, name);
	buf_put_varint(&h->names, size);
}

static void h_ref(struct hostile *h, uint8_t tag)
{
	struct id id = number_id(1);

	buf_put_u8(&h->refs, tag);
	if (tag == TREE_CONTENT)
		buf_put_varint(&h->refs, 1);
	if (tag == TREE_LIST)
		buf_put_u8(&h->refs, 1);
	if (tag != TREE_NONE)
		buf_put(&h->refs, &id, ID_SIZE);
	h->refs_count++;
}

static struct id h_leaf(struct hostile *h, struct blobs *b)
{
	struct buf names = {0}, refs = {0};
	struct id id, tree;
	struct err e;

	buf_put_varint(&names, 0);
	buf_put_varint(&names, h->names_count);
	buf_put_span(&names, buf_span(&h->names));
	OK(put(b, PURPOSE_NAMES, buf_span(&names), &id, &e));
	buf_put_u8(&refs, 1);
	buf_put(&refs, &id, ID_SIZE);
	buf_put_varint(&refs, h->refs_count);
	buf_put_span(&refs, buf_span(&h->refs));
	OK(put(b, PURPOSE_REFS, buf_span(&refs), &tree, &e));
	buf_fini(&names);
	buf_fini(&refs);
	return tree;
}

static struct id node_of(struct blobs *b, const struct id *ids, size_t n)
{
	struct buf refs = {0};
	struct id id;
	struct err e;

	buf_put_u8(&refs, 2);
	buf_put_varint(&refs, n);
	buf_put(&refs, ids, n * ID_SIZE);
	OK(put(b, PURPOSE_REFS, buf_span(&refs), &id, &e));
	buf_fini(&refs);
	return id;
}

/* Read it all: entries, or -1 with the kind in e. */
static int read_tree(struct blobs *b, const struct id *tree, struct err *e)
{
	struct tree_reader *r = tree_reader_open(get, b, tree, e);
	struct tree_ref ref;
	struct entry en;
	int rc, n = 0;

	if (r == NULL)
		return -1;
	while ((rc = tree_reader_next(r, &en, &ref, e)) == 1)
		n++;
	tree_reader_close(r);
	return rc == -1 ? -1 : n;
}

static void assert_leaf(struct hostile *h, int want, enum err_kind kind, int line)
{
	struct blobs b;
	struct id tree;
	struct err e = {0};
	int got;

	blobs_init(&b);
	tree = h_leaf(h, &b);
	got = read_tree(&b, &tree, &e);
	if (got != want || (want == -1 && e.kind != kind))
		fail_msg("line %d: %d, not %d: %s", line, got, want, e.msg);
	blobs_fini(&b);
	h_fini(h);
}

#define GOOD(h, n) assert_leaf((h), (n), ERR_NONE, __LINE__)
#define BAD(h)     assert_leaf((h), -1, ERR_CORRUPT, __LINE__)

static void hostile_names_are_corrupt(void **state)
{
	static const char *const names[] = {"", ".", "..", "/", "a/b", "/a", "a/", "../x"};
	static const char *const good[] = {"...", "..a", ".a", "a\\b", "a b", "-", "\n", "\377"};
	struct hostile h = {0};
	uint8_t *big = mem_alloc(ENTRY_NAME_MAX + 1);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		h_file(&h, span_str(names[i]), 0);
		h_ref(&h, TREE_NONE);
		BAD(&h);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		h_file(&h, span_str(good[i]), 0);
		h_ref(&h, TREE_NONE);
		GOOD(&h, 1);
	}
	h_file(&h, span_of("a\0b", 3), 0);
	h_ref(&h, TREE_NONE);
	BAD(&h);
	memset(big, 'a', ENTRY_NAME_MAX + 1);
	h_file(&h, span_of(big, ENTRY_NAME_MAX), 0);
	h_ref(&h, TREE_NONE);
	GOOD(&h, 1);
	h_file(&h, span_of(big, ENTRY_NAME_MAX + 1), 0);
	h_ref(&h, TREE_NONE);
	BAD(&h);
	free(big);
}

static void duplicates_and_disorder_are_corrupt(void **state)
{
	static const char *const rows[][2] = {{"a", "a"}, {"b", "a"}, {"ab", "a"}, {"\377", "a"}};
	struct hostile h = {0};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t k = 0; k < 2; k++) {
			h_file(&h, span_str(rows[i][k]), 0);
			h_ref(&h, TREE_NONE);
		}
		BAD(&h);
	}
	/* Also over the border of two leaves. */
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct blobs b;
		struct id leaf[2], tree;
		struct err e;

		blobs_init(&b);
		for (size_t k = 0; k < 2; k++) {
			h_file(&h, span_str(rows[i][k]), 0);
			h_ref(&h, TREE_NONE);
			leaf[k] = h_leaf(&h, &b);
			h_fini(&h);
		}
		tree = node_of(&b, leaf, 2);
		assert_int_equal(read_tree(&b, &tree, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
		blobs_fini(&b);
	}
}

static void counts_that_differ_are_corrupt(void **state)
{
	static const int64_t rows[][2] = {
	    {1, 0}, {0, 1}, {-1, 0}, {0, -1}, {1, 1}, {-1, -1}, {INT64_MAX, INT64_MAX}, {-3, -3}};
	struct hostile h = {0};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		h_file(&h, span_str("a"), 0);
		h_ref(&h, TREE_NONE);
		h_file(&h, span_str("b"), 0);
		h_ref(&h, TREE_NONE);
		h.names_count += (uint64_t)rows[i][0];
		h.refs_count += (uint64_t)rows[i][1];
		BAD(&h);
	}
}

static void wrong_tags_are_corrupt(void **state)
{
	struct hostile h = {0};

	for (int type = 0; type <= ENTRY_SOCKET + 1; type++)
		for (int tag = 0; tag <= TREE_LIST + 1; tag++) {
			bool ok = type == ENTRY_FILE
				      ? tag == TREE_NONE || tag == TREE_CONTENT || tag == TREE_LIST
				  : type == ENTRY_DIR ? tag == TREE_DIR
						      : tag == TREE_NONE;

			h_entry(&h, (uint8_t)type, 0, span_str("a"));
			if (type == ENTRY_FILE || type == ENTRY_SYMLINK)
				buf_put_varint(&h.names, 0);
			if (type == ENTRY_CHAR || type == ENTRY_BLOCK) {
				buf_put_varint(&h.names, 1);
				buf_put_varint(&h.names, 1);
			}
			h_ref(&h, (uint8_t)tag);
			if (ok && type >= ENTRY_FILE && type <= ENTRY_BLOCK)
				GOOD(&h, 1);
			else
				BAD(&h);
		}
}

static void list_depths_and_counts_are_limited(void **state)
{
	static const uint8_t depths[] = {0, FORMAT_LIST_DEPTH + 1, 255};
	struct hostile h = {0};

	for (size_t i = 0; i < sizeof depths; i++) {
		h_file(&h, span_str("a"), 0);
		h_ref(&h, TREE_LIST);
		h.refs.p[1] = depths[i];
		BAD(&h);
	}
	h_file(&h, span_str("a"), 0);
	h.refs_count = 1;
	buf_put_u8(&h.refs, TREE_CONTENT);
	buf_put_varint(&h.refs, 0);
	BAD(&h);
	h_file(&h, span_str("a"), 0);
	h.refs_count = 1;
	buf_put_u8(&h.refs, TREE_CONTENT);
	buf_put_varint(&h.refs, FORMAT_LIST_INLINE + 1);
	buf_put_zeros(&h.refs, (FORMAT_LIST_INLINE + 1) * ID_SIZE);
	BAD(&h);
}

static void hostile_holes_are_corrupt(void **state)
{
	static const struct {
		uint64_t size, n, v[4];
		bool ok;
	} rows[] = {
	    {100, 1, {0, 100}, true},
	    {100, 2, {10, 10, 10, 70}, true},
	    {100, 2, {10, 10, 0, 80}, true},
	    {100, 1, {0, 101}, false},
	    {100, 1, {100, 1}, false},
	    {100, 1, {0, 0}, false},
	    {100, 2, {0, 60, 0, 41}, false},
	    {100, 1, {UINT64_MAX, 1}, false},
	    {100, 1, {1, UINT64_MAX}, false},
	    {100, 2, {50, 10, UINT64_MAX - 59, 60}, false},
	    {0, 1, {0, 1}, false},
	    {100, 3, {0, 1, 0, 1}, false},
	    {100, UINT64_MAX, {0, 1, 0, 1}, false},
	};
	struct hostile h = {0};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		h_entry(&h, ENTRY_FILE, 4, span_str("a"));
		buf_put_varint(&h.names, rows[i].size);
		buf_put_varint(&h.names, rows[i].n);
		for (size_t k = 0; k < 2 * rows[i].n && k < 4; k++)
			buf_put_varint(&h.names, rows[i].v[k]);
		h_ref(&h, TREE_NONE);
		if (rows[i].ok)
			GOOD(&h, 1);
		else
			BAD(&h);
	}
	/* Not a file. */
	h_entry(&h, ENTRY_FIFO, 4, span_str("a"));
	buf_put_varint(&h.names, 1);
	buf_put_varint(&h.names, 0);
	buf_put_varint(&h.names, 1);
	h_ref(&h, TREE_NONE);
	BAD(&h);
}

static void hostile_fields_are_refused(void **state)
{
	struct hostile h = {0};

	/* Sizes that off_t can't hold. */
	h_file(&h, span_str("a"), (uint64_t)INT64_MAX + 1);
	h_ref(&h, TREE_NONE);
	BAD(&h);
	/* Fields of a later version. */
	h_entry(&h, ENTRY_FIFO, 32, span_str("a"));
	h_ref(&h, TREE_NONE);
	assert_leaf(&h, -1, ERR_UNSUPPORTED, __LINE__);
	/* A link target with a NUL. */
	h_entry(&h, ENTRY_SYMLINK, 0, span_str("a"));
	buf_put_string(&h.names, span_of("x\0y", 3));
	h_ref(&h, TREE_NONE);
	BAD(&h);
	/* Hard links to directories. */
	h_entry(&h, ENTRY_DIR, 2, span_str("a"));
	buf_put_u64(&h.names, 1);
	h_ref(&h, TREE_DIR);
	BAD(&h);
	/* xattr names: empty, with a NUL, too long. */
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = {"", "a\0b", ""};
		static uint8_t long_name[256] = {1};

		h_entry(&h, ENTRY_FIFO, 1, span_str("a"));
		buf_put_varint(&h.names, 1);
		buf_put_string(
		    &h.names, i == 2 ? span_of(long_name, 256) : span_of(names[i], i == 1 ? 3 : 0));
		buf_put_string(&h.names, span_str("v"));
		h_ref(&h, TREE_NONE);
		BAD(&h);
	}
	/* Mode bits beyond twelve, nanoseconds beyond a second. */
	for (size_t i = 0; i < 2; i++) {
		buf_put_u8(&h.names, ENTRY_FIFO);
		buf_put_varint(&h.names, 0);
		buf_put_string(&h.names, span_str("a"));
		buf_put_varint(&h.names, i == 0 ? 010000 : 0);
		buf_put_varint(&h.names, 0);
		buf_put_varint(&h.names, 0);
		buf_put_svarint(&h.names, 0);
		buf_put_varint(&h.names, i == 1 ? 1000000000 : 0);
		h.names_count = 1;
		h_ref(&h, TREE_NONE);
		BAD(&h);
	}
	/* Bytes too many in either. */
	for (size_t i = 0; i < 2; i++) {
		h_file(&h, span_str("a"), 0);
		h_ref(&h, TREE_NONE);
		buf_put_u8(i ? &h.refs : &h.names, 0);
		BAD(&h);
	}
}

/* How many ids a walk that knows no names sees in the leaf. */
static int count_ref(
    void *arg, enum format_purpose kind, unsigned depth, const struct id *id, struct err *e)
{
	++*(int *)arg;
	return 0;
}

static void put_extensions(struct buf *b)
{
	struct buf all = {0};

	buf_put_varint(&all, 1);
	buf_put_string(&all, span_str("one"));
	buf_put_varint(&all, 1000000);
	buf_put_string(&all, span_str(""));
	buf_put_string(b, buf_span(&all));
	buf_fini(&all);
}

static void extensions_of_a_later_version_are_passed_over(void **state)
{
	struct hostile h = {0};
	struct buf leaf = {0};
	struct id id = number_id(1);
	struct err e;
	int n = 0;

	h_entry(&h, ENTRY_FILE, 16, span_str("a"));
	buf_put_varint(&h.names, 5);
	put_extensions(&h.names);
	h_ref(&h, TREE_CONTENT);
	h.refs.p[0] |= TREE_EXTENDED;
	put_extensions(&h.refs);
	h_file(&h, span_str("b"), 0);
	h_ref(&h, TREE_NONE);
	h.refs.p[h.refs.n - 1] |= TREE_EXTENDED;
	put_extensions(&h.refs);
	buf_put_u8(&leaf, 1);
	buf_put(&leaf, &id, ID_SIZE);
	buf_put_varint(&leaf, h.refs_count);
	buf_put_span(&leaf, buf_span(&h.refs));
	OK(tree_refs_visit(buf_span(&leaf), 0, count_ref, &n, &e));
	assert_int_equal(n, 2); /* names, content */
	buf_fini(&leaf);
	GOOD(&h, 2);
}

static void malformed_extensions_are_corrupt(void **state)
{
	struct hostile h = {0};

	/* A string that goes on beyond them, in names and in refs. */
	h_entry(&h, ENTRY_FIFO, 16, span_str("a"));
	buf_put_string(&h.names, span_str("\1\7x"));
	h_ref(&h, TREE_NONE);
	BAD(&h);
	h_entry(&h, ENTRY_FIFO, 0, span_str("a"));
	h_ref(&h, TREE_EXTENDED);
	h.refs.n -= ID_SIZE; /* no id follows a ref that is none */
	buf_put_string(&h.refs, span_str("\1\7x"));
	BAD(&h);
	/* None at all. */
	h_entry(&h, ENTRY_FIFO, 16, span_str("a"));
	h_ref(&h, TREE_NONE);
	BAD(&h);
}

static void every_shortened_leaf_is_corrupt(void **state)
{
	struct blobs b;
	struct hostile h = {0};
	struct id tree;
	struct span blob = {NULL, 0}, names = {NULL, 0};
	struct id names_id;
	struct err e;

	blobs_init(&b);
	h_file(&h, span_str("a"), 1);
	h_ref(&h, TREE_CONTENT);
	h_entry(&h, ENTRY_DIR, 0, span_str("b"));
	h_ref(&h, TREE_DIR);
	tree = h_leaf(&h, &b);
	assert_int_equal(read_tree(&b, &tree, &e), 2);
	OK(get(&b, PURPOSE_REFS, &tree, &blob, &e));
	memcpy(&names_id, blob.p + 1, ID_SIZE);
	OK(get(&b, PURPOSE_NAMES, &names_id, &names, &e));
	for (size_t n = 0; n < blob.n; n++) {
		struct id id;

		OK(put(&b, PURPOSE_REFS, span_of(blob.p, n), &id, &e));
		assert_int_equal(read_tree(&b, &id, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
	}
	for (size_t n = 0; n < names.n; n++) {
		struct id id, refs_id;
		struct buf refs = {0};

		OK(put(&b, PURPOSE_NAMES, span_of(names.p, n), &id, &e));
		buf_put_span(&refs, blob);
		memcpy(refs.p + 1, &id, ID_SIZE);
		OK(put(&b, PURPOSE_REFS, buf_span(&refs), &refs_id, &e));
		assert_int_equal(read_tree(&b, &refs_id, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
		buf_fini(&refs);
	}
	h_fini(&h);
	blobs_fini(&b);
}

static void nodes_nest_to_a_limit(void **state)
{
	struct hostile h = {0};
	struct blobs b;
	struct id id;
	struct err e;

	blobs_init(&b);
	h_file(&h, span_str("a"), 0);
	h_ref(&h, TREE_NONE);
	id = h_leaf(&h, &b);
	for (int depth = 1; depth < 100; depth++) {
		id = node_of(&b, &id, 1);
		if (depth <= FORMAT_LIST_DEPTH) {
			assert_int_equal(read_tree(&b, &id, &e), 1);
		} else if (depth > FORMAT_LIST_DEPTH + 1) {
			assert_int_equal(read_tree(&b, &id, &e), -1);
			assert_int_equal(e.kind, ERR_CORRUPT);
		}
	}
	id = node_of(&b, NULL, 0);
	assert_int_equal(read_tree(&b, &id, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	h_fini(&h);
	blobs_fini(&b);
}

/* A few small blobs must not stand for 1024^8 steps. */
static void nodes_of_empty_leaves_are_corrupt(void **state)
{
	struct id *ids = mem_alloc(FORMAT_LIST_INLINE * sizeof *ids), id;
	struct hostile h = {0};
	struct blobs b;
	struct err e;

	blobs_init(&b);
	id = h_leaf(&h, &b);
	for (int depth = 1; depth <= FORMAT_LIST_DEPTH; depth++) {
		for (size_t i = 0; i < FORMAT_LIST_INLINE; i++)
			ids[i] = id;
		id = node_of(&b, ids, FORMAT_LIST_INLINE);
	}
	assert_int_equal(read_tree(&b, &id, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	free(ids);
	blobs_fini(&b);
}

static struct id list_of(struct blobs *b, const struct id *ids, size_t n)
{
	struct buf refs = {0};
	struct id id;
	struct err e;

	buf_put_u8(&refs, 3);
	buf_put_varint(&refs, n);
	buf_put(&refs, ids, n * ID_SIZE);
	OK(put(b, PURPOSE_REFS, buf_span(&refs), &id, &e));
	buf_fini(&refs);
	return id;
}

static void lists_of_empty_lists_are_corrupt(void **state)
{
	struct id *ids = mem_alloc(FORMAT_LIST_INLINE * sizeof *ids), id;
	struct tree_ref ref = {TREE_LIST, FORMAT_LIST_DEPTH, 1, &id};
	struct counted c = {0};
	struct blobs b;
	struct err e;

	blobs_init(&b);
	id = list_of(&b, NULL, 0);
	for (int depth = 2; depth <= FORMAT_LIST_DEPTH; depth++) {
		for (size_t i = 0; i < FORMAT_LIST_INLINE; i++)
			ids[i] = id;
		id = list_of(&b, ids, FORMAT_LIST_INLINE);
	}
	assert_int_equal(tree_content(get, &b, &ref, count_id, &c, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	free(ids);
	blobs_fini(&b);
}

static void a_list_is_no_directory_and_back(void **state)
{
	struct hostile h = {0};
	struct id id = number_id(0), list, leaf;
	struct tree_ref ref = {TREE_LIST, 1, 1, &leaf};
	struct counted c = {0};
	struct blobs b;
	struct err e;

	blobs_init(&b);
	list = list_of(&b, &id, 1);
	leaf = h_leaf(&h, &b);
	assert_int_equal(read_tree(&b, &list, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(tree_content(get, &b, &ref, count_id, &c, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	ref.ids = &list;
	OK(tree_content(get, &b, &ref, count_id, &c, &e));
	blobs_fini(&b);
}

static void random_changes_are_corrupt_or_well_formed(void **state)
{
	uint64_t seed = 42;
	struct hostile h = {0};
	struct blobs b;
	struct id tree, names_id;
	struct span refs = {NULL, 0}, names = {NULL, 0};
	struct err e;

	blobs_init(&b);
	for (int i = 0; i < 20; i++) {
		char name[8];

		snprintf(name, sizeof name, "n%02d", i);
		h_entry(&h, ENTRY_FILE, 4, span_str(name));
		buf_put_varint(&h.names, 1000);
		buf_put_varint(&h.names, 1);
		buf_put_varint(&h.names, 5);
		buf_put_varint(&h.names, 10);
		h_ref(&h, (uint8_t)(i % 2 ? TREE_CONTENT : TREE_LIST));
	}
	tree = h_leaf(&h, &b);
	OK(get(&b, PURPOSE_REFS, &tree, &refs, &e));
	memcpy(&names_id, refs.p + 1, ID_SIZE);
	OK(get(&b, PURPOSE_NAMES, &names_id, &names, &e));
	for (int i = 0; i < 20000; i++) {
		uint8_t *copy = mem_dup(names.p, names.n), *r = mem_dup(refs.p, refs.n);
		struct id id;

		for (uint64_t k = unit_rand(&seed) % 3; k < 3; k++) {
			copy[unit_rand(&seed) % names.n] ^= (uint8_t)(1 << unit_rand(&seed) % 8);
			r[33 + unit_rand(&seed) % (refs.n - 33)] ^= (uint8_t)(unit_rand(&seed) %
										  4 ==
									      0);
		}
		OK(put(&b, PURPOSE_NAMES, span_of(copy, names.n), &id, &e));
		memcpy(r + 1, &id, ID_SIZE);
		OK(put(&b, PURPOSE_REFS, span_of(r, refs.n), &id, &e));
		if (read_tree(&b, &id, &e) == -1)
			assert_true(e.kind == ERR_CORRUPT || e.kind == ERR_UNSUPPORTED);
		free(copy);
		free(r);
	}
	h_fini(&h);
	blobs_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_of_entry_comes_back),
	    cmocka_unit_test(an_empty_directory_comes_back),
	    cmocka_unit_test(names_out_of_order_are_our_own_bug),
	    cmocka_unit_test(a_directory_of_50000_entries_comes_back),
	    cmocka_unit_test(one_more_name_changes_few_blobs),
	    cmocka_unit_test(contents_of_any_length_come_back),
	    cmocka_unit_test(hostile_names_are_corrupt),
	    cmocka_unit_test(duplicates_and_disorder_are_corrupt),
	    cmocka_unit_test(counts_that_differ_are_corrupt),
	    cmocka_unit_test(wrong_tags_are_corrupt),
	    cmocka_unit_test(list_depths_and_counts_are_limited),
	    cmocka_unit_test(hostile_holes_are_corrupt),
	    cmocka_unit_test(hostile_fields_are_refused),
	    cmocka_unit_test(extensions_of_a_later_version_are_passed_over),
	    cmocka_unit_test(malformed_extensions_are_corrupt),
	    cmocka_unit_test(every_shortened_leaf_is_corrupt),
	    cmocka_unit_test(nodes_nest_to_a_limit),
	    cmocka_unit_test(nodes_of_empty_leaves_are_corrupt),
	    cmocka_unit_test(lists_of_empty_lists_are_corrupt),
	    cmocka_unit_test(a_list_is_no_directory_and_back),
	    cmocka_unit_test(random_changes_are_corrupt_or_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
