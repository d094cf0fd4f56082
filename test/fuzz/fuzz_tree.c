/*
 * fuzz: a tree.  The input is blobs, each a u16 length and bytes; an id's
 * first byte is a blob's number.  What is read must be as tree.h promises.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "repo/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { BLOBS = 64, GETS_MAX = 2000 };

struct input {
	struct span blob[BLOBS];
	size_t n, gets;
	uint8_t *lent; /* the last one, in memory of its own */
};

static int get(
    void *arg, enum format_purpose kind, const struct id *id, struct span *out, struct err *e)
{
	struct input *in = arg;
	struct span s;

	/* Ids are hashes, so real trees have no cycles; these may. */
	if (in->n == 0 || in->gets++ == GETS_MAX)
		return err_set(e, ERR_CORRUPT, "enough");
	s = in->blob[id->b[0] % in->n];
	free(in->lent);
	in->lent = mem_alloc(s.n);
	if (s.n)
		memcpy(in->lent, s.p, s.n);
	*out = span_of(in->lent, s.n);
	return 0;
}

static int visit(void *arg, const struct id *id, struct err *e)
{
	return ++*(size_t *)arg > 10000 ? err_set(e, ERR_CORRUPT, "enough") : 0;
}

static void check_entry(const struct entry *en, const struct tree_ref *ref)
{
	uint64_t end = 0;

	if (!tree_name_valid(en->name) || en->mode > 07777 || en->mtime_ns > 999999999 ||
	    en->type < ENTRY_FILE || en->type > ENTRY_BLOCK)
		abort();
	if ((ref->tag == TREE_DIR) != (en->type == ENTRY_DIR))
		abort();
	for (size_t i = 0; i < en->nholes; i++) {
		if (en->holes[i].off < end || en->holes[i].len == 0 ||
		    en->holes[i].off > en->size || en->holes[i].len > en->size - en->holes[i].off)
			abort();
		end = en->holes[i].off + en->holes[i].len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_of(span_of(p, n));
	struct input in = {.n = 0};
	struct id root = {{0}};
	struct tree_reader *r;
	struct tree_ref ref;
	struct buf last = {0};
	struct entry en;
	struct err e = {0};
	size_t seen = 0;
	int rc = -1;

	while (in.n < BLOBS && cursor_left(&c) >= 2) {
		size_t len = cursor_u16(&c), left = cursor_left(&c);

		in.blob[in.n++] = cursor_bytes(&c, len < left ? len : left);
	}
	r = tree_reader_open(get, &in, &root, &e);
	while (r != NULL && (rc = tree_reader_next(r, &en, &ref, &e)) == 1) {
		check_entry(&en, &ref);
		if (last.n && span_cmp(buf_span(&last), en.name) >= 0)
			abort();
		buf_reset(&last);
		buf_put_span(&last, en.name);
		if (tree_content(get, &in, &ref, visit, &seen, &e) == -1 && e.kind != ERR_CORRUPT)
			abort();
	}
	if (rc == -1 && e.kind != ERR_CORRUPT && e.kind != ERR_UNSUPPORTED)
		abort();
	tree_reader_close(r);
	buf_fini(&last);
	free(in.lent);
	return 0;
}
