/* monitor_value: see monitor_value.h. */
#include "engine/monitor_value.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "engine/select.h"
#include "engine/tree_path.h"
#include "engine/tree_walk.h"
#include "os/os.h"
#include "os/os_child.h"

enum { LINE_FILE_MAX = 1 << 20, PIECE = 1 << 16 };

static void put_hash(struct crypto_hash *h, char out[MONITOR_VALUE])
{
	struct id sum;

	crypto_hash_end(h, sum.b);
	snprintf(out, MONITOR_VALUE, "sha256:");
	id_hex(out + strlen(out), &sum);
}

/* Each part with its length before it, so that no two run together. */
static void add(struct crypto_hash *h, struct span s)
{
	uint64_t n = s.n;

	crypto_hash_add(h, span_of(&n, sizeof n));
	crypto_hash_add(h, s);
}

/* A line as it may be kept and shown. */
static void put_line(struct span s, char out[MONITOR_VALUE])
{
	size_t n = 0;

	while (s.n > 0 && (s.p[s.n - 1] == '\r' || s.p[s.n - 1] == ' '))
		s.n--;
	for (; n < s.n && n < MONITOR_VALUE - 1; n++)
		out[n] = s.p[n] >= ' ' && s.p[n] < 127 ? (char)s.p[n] : '?';
	out[n] = '\0';
}

/* ---- In a snapshot. */

static int add_id(void *arg, const struct id *id, struct err *e)
{
	crypto_hash_add(arg, span_of(id->b, sizeof id->b));
	return 0;
}

struct summing {
	struct crypto_hash *hash;
	struct reader *reader;
};

static int add_entry(
    void *arg, struct span path, const struct entry *en, const struct tree_ref *ref, struct err *e)
{
	struct summing *x = arg;
	uint64_t words[] = {en->type, en->mode, en->uid, en->gid, en->size, en->major, en->minor};

	add(x->hash, path);
	crypto_hash_add(x->hash, span_of(words, sizeof words));
	add(x->hash, en->target);
	for (size_t i = 0; i < en->nholes; i++)
		crypto_hash_add(x->hash, span_of(&en->holes[i], sizeof en->holes[i]));
	if (en->type != ENTRY_FILE)
		return 0;
	return tree_content(reader_tree_get, x->reader, ref, add_id, x->hash, e);
}

static int add_path(
    struct summing *x, const struct snapshot *s, const char *path, struct ctx *ctx, struct err *e)
{
	struct tree_walk w = {
	    .reader = x->reader, .ctx = ctx, .recursive = true, .visit = add_entry, .arg = x};
	struct tree_path at = {.reader = NULL};
	int rc = tree_path_find(x->reader, s, path, &at, e);

	if (rc == 0)
		rc = add_entry(x, span_str(path), &at.entry, &at.ref, e);
	if (rc == 0 && at.entry.type == ENTRY_DIR) {
		struct id tree = at.ref.ids[0];

		rc = tree_walk(&w, &tree, path, e);
	}
	tree_path_fini(&at);
	return rc == -1 ? err_wrap(e, "%s", path) : 0;
}

int monitor_checksum(struct repo *r, const char *system, const char *const *paths, size_t n,
    struct ctx *ctx, char out[MONITOR_VALUE], struct err *e)
{
	struct select_filter f = {.system = system};
	const struct snapshot *newest = NULL;
	struct select_list all = {0};
	struct summing x = {.reader = NULL};
	int rc = -1;

	if (repo_index_load(r, false, e) == -1 || select_all(r, &f, ctx, &all, e) == -1)
		return -1;
	for (size_t i = 0; i < all.n; i++)
		newest = select_counts(all.v[i]) ? all.v[i] : newest;
	if (newest == NULL) {
		err_set(e, ERR_ABSENT, "there is no snapshot of %s", system);
		goto out;
	}
	x.hash = crypto_hash_new(CRYPTO_SHA2);
	x.reader = reader_new(r);
	rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_path(&x, newest, paths[i], ctx, e);
	if (rc == 0)
		put_hash(x.hash, out);
	reader_free(x.reader);
	crypto_hash_free(x.hash);
out:
	select_list_fini(&all);
	return rc;
}

/* ---- As files are now. */

static int add_content(struct crypto_hash *h, const char *path, struct ctx *ctx, struct err *e)
{
	int fd = os_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	uint8_t *piece = mem_alloc(PIECE);
	ssize_t n = fd == -1 ? -1 : 1;

	while (n > 0 && ctx_check(ctx, e) == 0)
		if ((n = os_read(fd, piece, PIECE)) > 0)
			crypto_hash_add(h, span_of(piece, (size_t)n));
	if (n < 0)
		err_sys(e, "%s", path);
	os_close(fd);
	free(piece);
	return n == 0 ? 0 : -1;
}

static int add_found(struct crypto_hash *h, const FTSENT *at, struct ctx *ctx, struct err *e)
{
	uint64_t words[] = {at->fts_statp->st_mode,
	    S_ISREG(at->fts_statp->st_mode) ? (uint64_t)at->fts_statp->st_size : 0};
	char target[ENTRY_TARGET_MAX];
	ssize_t n;

	if (at->fts_info == FTS_DP)
		return 0;
	if (at->fts_info == FTS_ERR || at->fts_info == FTS_DNR || at->fts_info == FTS_NS) {
		errno = at->fts_errno;
		return err_sys(e, "%s", at->fts_path);
	}
	add(h, span_str(at->fts_path));
	crypto_hash_add(h, span_of(words, sizeof words));
	if (at->fts_info == FTS_F)
		return add_content(h, at->fts_path, ctx, e);
	if (at->fts_info != FTS_SL && at->fts_info != FTS_SLNONE)
		return 0;
	if ((n = readlink(at->fts_path, target, sizeof target)) < 0)
		return err_sys(e, "%s", at->fts_path);
	add(h, span_of(target, (size_t)n));
	return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

int monitor_state(
    const char *const *paths, size_t n, struct ctx *ctx, char out[MONITOR_VALUE], struct err *e)
{
	char **v = mem_zalloc((n + 1) * sizeof *v);
	struct crypto_hash *h = crypto_hash_new(CRYPTO_SHA2);
	FTS *fts;
	FTSENT *at;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		v[i] = (char *)(uintptr_t)paths[i];
	fts = fts_open(v, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	if (fts == NULL)
		rc = err_sys(e, "%s", paths[0]);
	while (rc == 0 && (errno = 0, at = fts_read(fts)) != NULL)
		rc = add_found(h, at, ctx, e);
	if (rc == 0 && errno != 0)
		rc = err_sys(e, "%s", paths[0]);
	if (rc == 0)
		put_hash(h, out);
	if (fts != NULL)
		fts_close(fts);
	crypto_hash_free(h);
	free(v);
	return rc;
}

int monitor_line(const char *path, char out[MONITOR_VALUE], struct err *e)
{
	struct buf b = {0};
	int rc = os_read_file(path, LINE_FILE_MAX, &b, e);
	const uint8_t *end = rc == 0 && b.n > 0 ? memchr(b.p, '\n', b.n) : NULL;

	if (rc == 0)
		put_line(span_of(b.p, end ? (size_t)(end - b.p) : b.n), out);
	buf_fini(&b);
	return rc;
}

/* ---- A command. */

struct hearing {
	struct crypto_hash *hash; /* NULL: the first line is wanted */
	char *out;
};

static void hear(void *arg, const char *line)
{
	struct hearing *x = arg;

	if (x->hash != NULL)
		add(x->hash, span_str(line));
	else if (x->out[0] == '\0')
		put_line(span_str(line), x->out);
}

int monitor_command(
    const struct monitor_command *p, struct ctx *ctx, char out[MONITOR_VALUE], struct err *e)
{
	const char *argv[] = {"/bin/sh", "-c", p->command, NULL};
	char *system = mem_printf("HOLDFAST_SYSTEM=%s", p->system);
	const char *env[] = {system, NULL};
	struct hearing x = {p->hash ? crypto_hash_new(CRYPTO_SHA2) : NULL, out};
	struct os_child c = {.argv = argv,
	    .env = env,
	    .line = hear,
	    .arg = &x,
	    .timeout_ns = p->timeout_ns,
	    .grace_ns = INT64_C(5000000000)};
	int status = 0, rc;

	out[0] = '\0';
	rc = os_child_run(&c, ctx, &status, e);
	if (rc == 0 && status != 0)
		rc = err_set(e, ERR_FAILED, "the command ended with %d", status);
	if (rc == 0 && p->hash)
		put_hash(x.hash, out);
	crypto_hash_free(x.hash);
	free(system);
	return rc;
}
