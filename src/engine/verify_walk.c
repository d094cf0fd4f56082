/* verify_walk: every entry of the snapshot once: is it what its facts say, and which are sampled?
 */
#include "engine/verify_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "engine/holes.h"
#include "engine/tree_walk.h"

/* Of longer paths none is sampled: the scratch folder's is in front of them. */
enum { PATH_SAMPLED = 2000 };

struct walking {
	struct verifying *v;
	bool contents;       /* look up each file's blobs */
	struct idmap *links; /* group -> uint64_t, of all that its names say */
	uint64_t files, dirs, others, bytes;
};

/* ---- The sample: each candidate has the same chance, by a reservoir (Vitter's algorithm R). */

static void pick(struct verifying *v, struct verify_picks *p, struct span path, uint64_t size)
{
	size_t at = p->n;

	p->met++;
	if (p->n == p->most) {
		uint64_t x = verify_random(&v->random) % p->met;

		if (x >= p->most)
			return;
		at = (size_t)x;
		free(p->v[at].path);
	} else {
		p->n++;
	}
	p->v[at].path = mem_strndup((const char *)path.p, path.n);
	p->v[at].size = size;
}

void verify_picks_fini(struct verify_picks *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].path);
	p->n = 0;
}

static void consider(struct verifying *v, struct span path, const struct entry *en)
{
	uint64_t most = v->p->sample_bytes, data = holes_data_size(en);
	bool large = en->type == ENTRY_FILE && en->size >= VERIFY_LARGE;

	v->large_files += large;
	v->large_bytes += large ? data : 0;
	v->small_files += !large;
	if (path.n > PATH_SAMPLED || memchr(path.p, '\0', path.n) != NULL)
		return;
	if (!large)
		pick(v, &v->small, path, en->size);
	else if (data <= most)
		pick(v, &v->large, path, data);
}

/* ---- What an entry says. */

struct summing {
	struct verifying *v;
	uint64_t bytes;
	bool bad;
};

static int sum_blob(void *arg, const struct id *id, struct err *e)
{
	struct summing *x = arg;
	struct index_place at;
	char hex[ID_HEX];
	int rc = reader_find_near(x->v->reader, id, &at, e);

	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "content blob %.16s is lost", id_hex(hex, id));
	x->bytes += at.blob_len;
	x->bad |= at.pack < x->v->npacks && x->v->bad[at.pack];
	return 0;
}

static void judge_content(
    struct verifying *v, struct span path, const struct entry *en, const struct tree_ref *ref)
{
	struct summing x = {.v = v};
	struct err e;

	err_clear(&e);
	if (tree_content(reader_tree_get, v->reader, ref, sum_blob, &x, &e) == -1) {
		verify_fail(v, VERIFY_TREE, "%.*s: %s", (int)path.n, (const char *)path.p, e.msg);
		event_emit(v->ctx, EVENT_SNAPSHOT_HURT, path, "%s", e.msg);
		return;
	}
	if (x.bad)
		event_emit(v->ctx, EVENT_SNAPSHOT_HURT, path, "lies in a damaged pack");
	if (x.bytes != holes_data_size(en))
		verify_fail(v, VERIFY_SIZES, "%.*s: its pieces have %llu bytes, and it %llu",
		    (int)path.n, (const char *)path.p, (unsigned long long)x.bytes,
		    (unsigned long long)holes_data_size(en));
}

/* All that has to be the same for every name of a file. */
static uint64_t print_of(const struct entry *en, const struct tree_ref *ref)
{
	uint64_t words[] = {en->size, en->mode, en->uid, en->gid, (uint64_t)en->mtime, en->mtime_ns,
	    ref->tag, ref->n};
	uint8_t hash[32];
	uint64_t print;
	struct buf b = {0};

	buf_put(&b, words, sizeof words);
	if (ref->n > 0)
		buf_put(&b, ref->ids, ref->n * sizeof *ref->ids);
	crypto_sha256(buf_span(&b), hash);
	memcpy(&print, hash, sizeof print);
	buf_fini(&b);
	return print;
}

static void judge_link(
    struct walking *k, struct span path, const struct entry *en, const struct tree_ref *ref)
{
	uint64_t print = print_of(en, ref), *first;
	struct id group = {{0}};
	bool was;

	memcpy(group.b, &en->link_group, sizeof en->link_group);
	first = idmap_put(k->links, &group, &was);
	if (!was)
		*first = print;
	else if (*first != print)
		verify_fail(k->v, VERIFY_LINKS, "%.*s is a hard link, and not the same as its file",
		    (int)path.n, (const char *)path.p);
}

static int visit(
    void *arg, struct span path, const struct entry *en, const struct tree_ref *ref, struct err *e)
{
	struct walking *k = arg;

	ctx_item(k->v->ctx, path);
	if (en->type == ENTRY_DIR) {
		k->dirs++;
		return 0;
	}
	if (en->type == ENTRY_FILE) {
		k->files++;
		k->bytes += en->size;
		if (k->contents)
			judge_content(k->v, path, en, ref);
	} else {
		k->others++;
	}
	if (en->type == ENTRY_FILE || en->type == ENTRY_SYMLINK)
		consider(k->v, path, en);
	if (en->linked)
		judge_link(k, path, en, ref);
	return 0;
}

/* ---- All of it. */

static void judge_counts(struct walking *k)
{
	static const char *const what[] = {"files", "other things", "bytes"};
	const struct snapshot *s = k->v->snapshot;
	uint64_t said[3] = {0}, found[] = {k->files, k->others, k->bytes};

	for (size_t i = 0; i < s->nparts; i++) {
		said[0] += s->parts[i].stats.files;
		said[1] += s->parts[i].stats.others;
		said[2] += s->parts[i].stats.bytes;
	}
	for (int i = 0; i < 3; i++)
		if (said[i] != found[i])
			verify_fail(k->v, VERIFY_COUNTS,
			    "it says that it has %llu %s, and has %llu",
			    (unsigned long long)said[i], what[i], (unsigned long long)found[i]);
	verify_pass(k->v, VERIFY_COUNTS);
}

static int walk_part(struct walking *k, const struct snapshot_part *part, struct err *e)
{
	struct verifying *v = k->v;
	struct tree_walk w = {
	    .reader = v->reader, .ctx = v->ctx, .recursive = true, .visit = visit, .arg = k};
	char *path = mem_printf("/%s", v->snapshot->nparts > 1 ? part->name : "");
	int rc = part->has_tree ? tree_walk(&w, &part->tree, path, e) : 0;

	free(path);
	if (rc == 0)
		return 0;
	if (e->kind != ERR_CORRUPT && e->kind != ERR_ABSENT)
		return -1;
	verify_fail(v, VERIFY_TREE, "%s", e->msg);
	verify_leave(v, VERIFY_COUNTS, "not all of it can be read");
	return 0;
}

static bool any_bad(const struct verifying *v)
{
	for (uint32_t i = 0; i < v->npacks; i++)
		if (v->bad[i])
			return true;
	return false;
}

static int leave_all(struct verifying *v, const char *why)
{
	static const enum verify_id ids[] = {VERIFY_COUNTS, VERIFY_SIZES, VERIFY_LINKS};

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		verify_leave(v, ids[i], "%s", why);
	return 0;
}

int verify_walk(struct verifying *v, struct err *e)
{
	bool deep = v->p->level == VERIFY_COMPREHENSIVE;
	struct walking k = {.v = v, .contents = deep || any_bad(v)};
	struct err why;
	int rc = 0;

	if (v->snapshot->head_only || repo_need(v->repo, true, &why) == -1)
		return leave_all(v, "names are not for this key to read");
	k.links = idmap_new(sizeof(uint64_t));
	for (size_t i = 0; i < v->snapshot->nparts && rc == 0; i++)
		rc = walk_part(&k, &v->snapshot->parts[i], e);
	idmap_free(k.links);
	if (rc == -1)
		return -1;
	v->out->files = k.files;
	v->out->dirs = k.dirs;
	v->out->bytes = k.bytes;
	if (v->out->answers[VERIFY_TREE].state == VERIFY_FAILED)
		return leave_all(v, "not all of it can be read");
	judge_counts(&k);
	verify_pass(v, VERIFY_SIZES);
	verify_pass(v, VERIFY_LINKS);
	return 0;
}
