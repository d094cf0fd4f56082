/* fault: a small world for fault tests: a tree, a repository, and what must hold afterwards. */
#ifndef HF_TEST_FAULT_H
#define HF_TEST_FAULT_H

#include "../unit/store/store_dir.h"

#include "../unit/repo/make_repo.h"

#include "engine/op_backup.h"
#include "engine/op_check.h"
#include "engine/op_prune.h"
#include "engine/op_restore.h"
#include "repo/note.h"
#include "repo/snapshot.h"

struct world {
	char *dir; /* holds src, repo, cache, out */
	char *src, *repo, *cache, *out;
	struct ctx ctx;
	struct make_events events;
	unsigned jobs; /* threads of what is done to it; 0: one */
};

static inline unsigned world_jobs(const struct world *w)
{
	return w->jobs ? w->jobs : 1;
}

static inline void world_file(struct world *w, const char *name, size_t n, uint64_t seed)
{
	char *path = mem_printf("%s/%s", w->src, name);
	uint8_t *p = mem_alloc(n);
	FILE *f = fopen(path, "w");

	unit_rand_fill(&seed, p, n);
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	free(p);
	free(path);
}

static inline void world_mkdir(struct world *w, const char *name)
{
	char *path = mem_printf("%s/%s", w->src, name);

	assert_int_equal(mkdir(path, 0755), 0);
	free(path);
}

/* What every world's tree holds; `seed` makes its contents. */
static inline void world_fill(struct world *w, uint64_t seed)
{
	world_file(w, "empty", 0, seed);
	world_file(w, "small", 1000, seed + 1);
	world_file(w, "large", 400000, seed + 2);
	world_file(w, "sub/inner", 5000, seed + 3);
	world_file(w, "sub/deep/leaf", 70000, seed + 4);
}

static inline void world_begin(struct world *w)
{
	char *link;

	w->jobs = 0;
	make_ctx(&w->ctx, &w->events);
	/* These tests fail calls, not disks: to wait for real fsyncs tells nothing. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	w->dir = dir_make();
	w->src = mem_printf("%s/src", w->dir);
	w->repo = mem_printf("%s/repo", w->dir);
	w->cache = mem_printf("%s/cache", w->dir);
	w->out = mem_printf("%s/out", w->dir);
	assert_int_equal(mkdir(w->src, 0755), 0);
	world_mkdir(w, "sub");
	world_mkdir(w, "sub/deep");
	world_fill(w, 1);
	link = mem_printf("%s/link", w->src);
	assert_int_equal(symlink("sub/inner", link), 0);
	free(link);
}

static inline void world_end(struct world *w)
{
	free(w->src);
	free(w->repo);
	free(w->cache);
	free(w->out);
	dir_remove(w->dir);
}

static inline int world_backup(
    struct world *w, struct repo *r, struct backup_result *out, struct err *e)
{
	const char *paths[] = {w->src};
	struct backup_params p = {.paths = paths,
	    .npaths = 1,
	    .strategy = SNAPSHOT_INCREMENTAL,
	    .codec = CODEC_ZSTD,
	    .level = 1,
	    .jobs = world_jobs(w)};

	return op_backup(r, &p, &w->ctx, out, e);
}

static inline int world_forget(struct repo *r, const struct id *snapshot, struct err *e)
{
	return note_put(r, snapshot, NOTE_FORGET, "0", e);
}

static inline int world_prune(struct world *w, struct repo *r, struct err *e)
{
	struct prune_params p = {.exclusive = true, .repack = true, .max_unused = 0};
	struct prune_result res;

	return op_prune(r, &p, &w->ctx, &res, e);
}

static inline void world_check(struct world *w, struct repo *r, const char *when)
{
	struct check_params p = {.read_data = true, .jobs = world_jobs(w)};
	struct check_result res;
	struct err e;

	memset(&w->events, 0, sizeof w->events);
	if (op_check(r, &p, &w->ctx, &res, &e) == -1)
		fail_msg("%s: check: %s", when, e.msg);
	if (res.damaged_objects || res.hurt_snapshots || w->events.n[EVENT_OBJECT_DAMAGED])
		fail_msg("%s: check finds %llu damaged objects, %llu snapshots hurt", when,
		    (unsigned long long)res.damaged_objects,
		    (unsigned long long)res.hurt_snapshots);
}

/* Restore a snapshot's copy of the tree and compare. */
static inline void world_compare(
    struct world *w, struct repo *r, const struct id *id, const char *when)
{
	struct restore_params p = {.path = w->src, .target = w->out, .jobs = world_jobs(w)};
	struct restore_result res;
	struct snapshot *s;
	char *diff, *gone;
	struct err e;

	OK(snapshot_load(r, id, &s, &e));
	p.snapshot = s;
	if (op_restore(r, &p, &w->ctx, &res, &e) == -1)
		fail_msg("%s: restore: %s", when, e.msg);
	assert_int_equal(res.damaged, 0);
	diff = mem_printf("diff -r --no-dereference %s %s", w->src, w->out);
	if (system(diff) != 0)
		fail_msg("%s: what was restored differs", when);
	gone = mem_strdup(w->out);
	dir_remove(gone);
	free(diff);
	snapshot_free(s);
}

/* A fault is over: nothing is damaged, and the next backup is whole. */
static inline void world_holds(struct world *w, struct repo *r, const char *when)
{
	struct backup_result res;
	struct err e;

	world_check(w, r, when);
	if (world_backup(w, r, &res, &e) == -1)
		fail_msg("%s: next backup: %s", when, e.msg);
	assert_int_equal(res.stats.errors, 0);
	world_compare(w, r, &res.snapshot, when);
	world_check(w, r, when);
}

#endif
