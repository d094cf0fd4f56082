/*
 * verify_sample: some of its files restored into a scratch folder and compared with what the
 * snapshot has of them; and from the time that took, how long all of it would take.
 *
 * Small files cost by being one, large ones by their bytes, so each class is restored by itself;
 * what a restore of nothing takes (finding the way, syncing the disk) is measured too, and
 * counted once.
 */
#include "engine/verify_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/content_same.h"
#include "engine/op_restore.h"
#include "engine/tree_path.h"
#include "os/os.h"
#include "os/os_scratch.h"

struct sampling {
	struct verifying *v;
	char *scratch;
	struct ctx inner; /* of the restores: what becomes of each file is nobody's news */
	bool cold;
	double nothing_s, small_s, large_s;
	uint64_t large_bytes; /* restored */
};

static void sink(struct ctx *inner, const struct event *ev)
{
	struct ctx *outer = inner->sink_arg;

	if (ev->id != EVENT_FILE_DONE && outer->sink != NULL)
		outer->sink(outer, ev);
}

/* The path and nothing else: what patterns would take for their own is quoted. */
static int add_path(struct exclude *x, const char *path, struct err *e)
{
	struct buf b = {0};
	int rc;

	for (; *path != '\0'; path++) {
		if (strchr("\\*?[ ", *path) != NULL)
			buf_put_u8(&b, '\\');
		buf_put_u8(&b, (uint8_t)*path);
	}
	rc = exclude_add(x, buf_cstr(&b), "sample", e);
	buf_fini(&b);
	return rc;
}

/* These files into a folder of the scratch; none: all but that is done. */
static int restore(struct sampling *x, const struct verify_picks *picks, const char *name,
    double *seconds, struct err *e)
{
	struct exclude *only = exclude_new();
	struct restore_params p = {.snapshot = x->v->snapshot,
	    .path = "/",
	    .target = mem_printf("%s/%s", x->scratch, name),
	    .include = only,
	    .jobs = x->v->p->jobs};
	struct restore_result r;
	int rc = exclude_add(only, "/holdfast/restores/nothing/by/this", "sample", e);

	for (size_t i = 0; picks != NULL && i < picks->n && rc == 0; i++)
		rc = add_path(only, picks->v[i].path, e);
	if (rc == 0)
		rc = op_restore(x->v->repo, &p, &x->inner, &r, e);
	*seconds = rc == 0 ? r.seconds : 0;
	if (rc == 0 && r.problems > 0)
		verify_fail(x->v, VERIFY_SAMPLE, "%llu of the sample could not be restored",
		    (unsigned long long)r.problems);
	free((char *)(uintptr_t)p.target);
	exclude_free(only);
	return rc;
}

/* ---- Comparing. */

static void judge_attributes(
    struct verifying *v, const char *path, const struct entry *en, const struct stat *st)
{
	unsigned mode = geteuid() == 0 ? 07777 : 0777; /* others may be refused special bits */
	const char *what = NULL;

	if (os_entry_type(st->st_mode) != en->type)
		what = "type";
	else if (en->type == ENTRY_FILE && (st->st_mode & mode) != (en->mode & mode))
		what = "mode";
	else if (en->type == ENTRY_FILE && (uint64_t)st->st_size != en->size)
		what = "size";
	else if (st->st_mtim.tv_sec != en->mtime)
		what = "time";
	else if (geteuid() == 0 && en->user.n == 0 && st->st_uid != en->uid)
		what = "owner";
	if (what != NULL)
		verify_fail(v, VERIFY_ATTRIBUTES, "%s came back with another %s", path, what);
}

static void judge_symlink(
    struct verifying *v, const char *path, const char *at, const struct entry *en)
{
	char target[ENTRY_TARGET_MAX];
	ssize_t n = readlink(at, target, sizeof target);

	if (n < 0 || !span_eq(en->target, span_of(target, (size_t)n)))
		verify_fail(v, VERIFY_SAMPLE, "%s: the link leads elsewhere", path);
}

static void judge_file(struct verifying *v, const char *path, const char *at,
    const struct entry *en, const struct tree_ref *ref)
{
	struct err e;
	int fd = os_open(at, O_RDONLY | O_NOFOLLOW, 0);

	err_clear(&e);
	/* Its mode, which was compared, may keep even its owner from reading it. */
	if (fd == -1 && errno == EACCES && chmod(at, 0600) == 0)
		fd = os_open(at, O_RDONLY | O_NOFOLLOW, 0);
	if (fd == -1) {
		err_sys(&e, "read back");
		verify_fail(v, VERIFY_SAMPLE, "%s: %s", path, e.msg);
		return;
	}
	if (content_same(v->reader, fd, en, ref, v->ctx, &e) == -1)
		verify_fail(v, VERIFY_SAMPLE, "%s: %s", path, e.msg);
	os_close(fd);
}

static void compare(struct sampling *x, const struct verify_pick *pick, const char *name)
{
	struct verifying *v = x->v;
	char *at = mem_printf("%s/%s%s", x->scratch, name, pick->path);
	struct tree_path in = {.reader = NULL};
	struct stat st;
	struct err e;

	err_clear(&e);
	if (tree_path_find(v->reader, v->snapshot, pick->path, &in, &e) == -1) {
		verify_fail(v, VERIFY_SAMPLE, "%s: %s", pick->path, e.msg);
	} else if (os_fstatat(AT_FDCWD, at, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		verify_fail(v, VERIFY_SAMPLE, "%s did not come back", pick->path);
	} else {
		judge_attributes(v, pick->path, &in.entry, &st);
		if (in.entry.type == ENTRY_SYMLINK)
			judge_symlink(v, pick->path, at, &in.entry);
		else
			judge_file(v, pick->path, at, &in.entry, &in.ref);
		v->out->sample_files++;
		v->out->sample_bytes += pick->size;
	}
	tree_path_fini(&in);
	free(at);
}

/* ---- How long all of it would take. */

static void judge_time(struct verifying *v, enum verify_id id, int64_t most_s)
{
	if (most_s == 0)
		verify_leave(v, id, "no rto is declared");
	else if (v->out->restore_seconds > (double)most_s)
		verify_fail(v, id, "all of it would take %.0f s; %s %lld s",
		    v->out->restore_seconds, id == VERIFY_RTO ? "borne are" : "promised are",
		    (long long)most_s);
	else
		verify_pass(v, id);
}

static double over(double seconds, double nothing)
{
	return seconds > nothing ? seconds - nothing : 0;
}

static void estimate(struct sampling *x)
{
	struct verifying *v = x->v;
	struct verify_result *out = v->out;

	if (out->sample_files == 0)
		return;
	out->restore_seconds = x->nothing_s;
	if (v->small.n > 0)
		out->restore_seconds += (double)v->small_files * over(x->small_s, x->nothing_s) /
					(double)v->small.n;
	if (x->large_bytes > 0)
		out->restore_seconds += (double)v->large_bytes * over(x->large_s, x->nothing_s) /
					(double)x->large_bytes;
	if (x->small_s + x->large_s > 0)
		out->restore_bytes_per_s = (double)out->sample_bytes / (x->small_s + x->large_s);
	/* Of large files none fitted into the sample: nothing is known of what they take. */
	if (v->large_files > 0 && x->large_bytes == 0)
		return;
	judge_time(v, VERIFY_RTO_TARGET, v->p->rto_target_s);
	judge_time(
	    v, VERIFY_RTO, v->p->rto_acceptable_s ? v->p->rto_acceptable_s : v->p->rto_target_s);
}

/* ---- All of it. */

/* Of the large ones so many as the size allows. */
static void cut(struct sampling *x)
{
	struct verify_picks *p = &x->v->large;
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (x->large_bytes + p->v[i].size > x->v->p->sample_bytes) {
			free(p->v[i].path);
			continue;
		}
		x->large_bytes += p->v[i].size;
		p->v[n++] = p->v[i];
	}
	p->n = n;
}

static int restore_both(struct sampling *x, struct err *e)
{
	struct verifying *v = x->v;

	if (restore(x, NULL, "nothing", &x->nothing_s, e) == -1 ||
	    (v->small.n > 0 && restore(x, &v->small, "small", &x->small_s, e) == -1) ||
	    (v->large.n > 0 && restore(x, &v->large, "large", &x->large_s, e) == -1))
		return -1;
	if (os_scratch_open(x->scratch, e) == -1)
		return -1;
	for (size_t i = 0; i < v->small.n; i++)
		compare(x, &v->small.v[i], "small");
	for (size_t i = 0; i < v->large.n; i++)
		compare(x, &v->large.v[i], "large");
	return ctx_check(v->ctx, e);
}

static int take(struct sampling *x, struct err *e)
{
	struct verifying *v = x->v;
	int rc;

	x->scratch = os_scratch_new(v->p->scratch, "verify", e);
	if (x->scratch == NULL)
		return -1;
	rc = restore_both(x, e);
	if (rc == -1 && e->kind == ERR_COLD) {
		verify_leave(v, VERIFY_SAMPLE, "its files sleep in cold storage");
		rc = 0;
	} else if (rc == -1 && e->kind == ERR_CORRUPT) {
		verify_fail(v, VERIFY_SAMPLE, "%s", e->msg);
		rc = 0;
	}
	if (rc == 0)
		estimate(x);
	return rc;
}

static int clean(struct sampling *x, int rc, struct err *e)
{
	struct err why;

	if (x->scratch != NULL && os_scratch_remove(x->scratch, &why) == -1 && rc == 0) {
		*e = why;
		rc = -1;
	}
	free(x->scratch);
	return rc;
}

int verify_sample(struct verifying *v, struct err *e)
{
	static const enum verify_id ids[] = {
	    VERIFY_SAMPLE, VERIFY_ATTRIBUTES, VERIFY_RTO_TARGET, VERIFY_RTO};
	struct sampling x = {.v = v};
	int rc = 0;

	x.inner.clock = v->ctx->clock;
	x.inner.above = v->ctx;
	x.inner.sink = sink;
	x.inner.sink_arg = v->ctx;
	atomic_store(&v->ctx->progress.phase, "restoring a sample");
	if (v->p->scratch == NULL)
		verify_leave(v, VERIFY_SAMPLE, "there is nowhere to restore it to");
	else if (repo_need(v->repo, true, e) == -1)
		verify_leave(v, VERIFY_SAMPLE, "content is not for this key to read");
	cut(&x);
	if (v->out->answers[VERIFY_SAMPLE].why[0] == '\0' && v->small.n + v->large.n == 0)
		verify_leave(v, VERIFY_SAMPLE, "no file is small enough for it");
	if (v->out->answers[VERIFY_SAMPLE].why[0] == '\0')
		rc = clean(&x, take(&x, e), e);
	if (v->out->sample_files > 0) {
		verify_settle(v, VERIFY_SAMPLE);
		verify_settle(v, VERIFY_ATTRIBUTES);
	}
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		verify_leave(v, ids[i], "no sample was restored");
	return rc;
}
