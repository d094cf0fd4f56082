/*
 * engine_unit: a repository in memory and a folder on disk, for tests of what
 * looks at snapshots.
 */
#ifndef HF_TEST_ENGINE_UNIT_H
#define HF_TEST_ENGINE_UNIT_H

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "engine/op_backup.h"
#include "repo/repo.h"
#include "store/store.h"
#include "unit/unit.h"

struct world {
	struct ctx ctx;
	struct repo *repo;
	char dir[64];
	unsigned warnings;
};

#define OK(call)                                                                                   \
	do {                                                                                       \
		if ((call) != 0)                                                                   \
			fail_msg("%s: %s", #call, e.msg);                                          \
	} while (0)

static inline void world_sink(struct ctx *ctx, const struct event *ev)
{
	struct world *w = ctx->sink_arg;

	if (ev->id == EVENT_WARNING)
		w->warnings++;
}

static inline struct world *world_new(const char *store)
{
	struct world *w = mem_zalloc(sizeof *w);
	struct repo_init_params p = {.cred = {true, span_str("0123456789abcdef0123456789abcdef")}};
	struct store *s;
	struct err e;

	w->ctx.sink = world_sink;
	w->ctx.sink_arg = w;
	snprintf(w->dir, sizeof w->dir, "/tmp/hf-engine-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	OK(store_open(store, true, &w->ctx, &s, &e));
	OK(repo_init(s, &p, NULL, &w->ctx, &w->repo, &e));
	return w;
}

static inline void world_free(struct world *w)
{
	char *cmd = mem_printf("rm -rf '%s'", w->dir);

	repo_close(w->repo);
	assert_int_equal(system(cmd), 0);
	free(cmd);
	free(w);
}

static inline char *world_path(struct world *w, const char *name)
{
	return mem_printf("%s/%s", w->dir, name);
}

static inline void world_mkdir(struct world *w, const char *name)
{
	char *path = world_path(w, name);

	assert_int_equal(mkdir(path, 0755), 0);
	free(path);
}

static inline void world_write(struct world *w, const char *name, const void *p, size_t n)
{
	char *path = world_path(w, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	free(path);
}

/* Back up the folder as of a host and system; the snapshot's id. */
static inline struct id world_backup(struct world *w, const char *host, const char *system)
{
	const char *paths[] = {w->dir};
	struct backup_params p = {.paths = paths,
	    .npaths = 1,
	    .host = host,
	    .system = system,
	    .codec = CODEC_NONE,
	    .jobs = 1};
	struct backup_result r;
	struct err e;

	OK(op_backup(w->repo, &p, &w->ctx, &r, &e));
	assert_true(r.has_snapshot);
	return r.snapshot;
}

#endif
