/*
 * op_restore: the walk in tree order.  See restore_internal.h for how its
 * threads share the work.
 */
#include "engine/op_restore.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/restore_internal.h"
#include "engine/tree_path.h"
#include "os/os.h"
#include "source/dirlist.h"

/* A directory on the way down; made in the target only when something is. */
struct rdir {
	struct rdir *parent;
	const struct entry *entry; /* lives while we are below it */
	struct target_dir *dir;    /* NULL until made */
	bool inside;               /* below something that --include matched */
	bool partial;              /* not all that it held was read when it was backed up */
	unsigned depth;
	struct source_names names; /* for --delete, in order */
};

/* Make the directory and those above it. */
static int ensure(struct restore *rs, struct rdir *d, struct err *e)
{
	if (d->dir != NULL || rs->p->dry_run)
		return 0;
	if (ensure(rs, d->parent, e) == -1)
		return -1;
	return target_mkdir(d->parent->dir, d->entry, &d->dir, e);
}

/* ---- Files. */

struct planning {
	struct restore *rs;
	struct rfile *file;
	uint64_t data_off;
};

static int plan_blob(void *arg, const struct id *id, struct err *e)
{
	struct planning *pl = arg;
	uint64_t len;

	if (restore_segment(pl->rs, pl->file, id, pl->data_off, &len, e) == -1)
		return -1;
	pl->data_off += len;
	return restore_stopping(pl->rs) ? err_set(e, ERR_CANCELLED, "interrupted") : 0;
}

static int plan_file(struct restore *rs, struct rdir *d, const struct entry *en,
    const struct tree_ref *ref, const char *path, struct err *e)
{
	struct planning pl = {.rs = rs};
	int rc;

	pl.file = restore_file_new(rs, d->dir, en, path);
	pl.file->single = ref->tag == TREE_CONTENT && ref->n == 1;
	if (!pl.file->single && restore_file_begin(pl.file, e) == -1) {
		atomic_store(&pl.file->failed, true);
		restore_file_planned(pl.file);
		return -1;
	}
	rc = tree_content(reader_tree_get, rs->reader, ref, plan_blob, &pl, e);
	if (rc == 0 && pl.data_off != holes_data_size(en))
		rc = err_set(e, ERR_CORRUPT, "its blobs do not add up to its size");
	if (rc == -1) {
		atomic_store(&pl.file->damaged, e->kind == ERR_CORRUPT);
		atomic_store(&pl.file->failed, true);
	}
	restore_file_planned(pl.file);
	return rc;
}

static int restore_file(struct restore *rs, struct rdir *d, const struct entry *en,
    const struct tree_ref *ref, const char *path, struct err *e)
{
	uint64_t size;
	int rc = 0;

	if (!rs->p->delta || rs->p->dry_run)
		rc = restore_leave(rs, d->dir, en, ref, path, &size, e);
	if (rc == -1)
		return -1;
	if (rc == 1) {
		rs->skipped++;
		rs->skipped_bytes += size;
		event_emit(rs->ctx, EVENT_FILE_DONE, span_str(path), "left as it is");
		if (rs->p->overwrite == TARGET_NEVER || rs->p->dry_run)
			return 0;
		restore_links_first(rs, d->dir, en);
		return target_meta(d->dir, en, e);
	}
	if (rs->p->dry_run) {
		rs->files++;
		rs->bytes += en->size;
		event_emit(rs->ctx, EVENT_FILE_DONE, span_str(path), "would be restored");
		return 0;
	}
	if ((rc = restore_link(rs, d->dir, en, path, e)) != 0)
		return rc == 1 ? 0 : -1;
	if (rs->p->hollow_above && en->size > rs->p->hollow_above)
		return restore_hollow(rs, d->dir, en, path, e);
	return plan_file(rs, d, en, ref, path, e);
}

/* A node with several names: the first is made, the others are links to it. */
static int make_other(
    struct restore *rs, struct rdir *d, const struct entry *en, const char *path, struct err *e)
{
	int rc = restore_link(rs, d->dir, en, path, e);

	if (rc != 0)
		return rc == 1 ? 0 : -1;
	rc = target_node(d->dir, en, e);
	restore_links_settle(rs, en, rc == 0 ? RESTORE_MADE : RESTORE_FAILED);
	if (rc == -1)
		return -1;
	rs->others++;
	event_emit(rs->ctx, EVENT_FILE_DONE, span_str(path), "restored");
	return 0;
}

static int restore_other(
    struct restore *rs, struct rdir *d, const struct entry *en, const char *path, struct err *e)
{
	uint64_t size;
	int rc = restore_leave(rs, d->dir, en, NULL, path, &size, e);

	if (rc == -1)
		return -1;
	if (rc == 1) {
		rs->skipped++;
	} else if (!rs->p->dry_run) {
		return make_other(rs, d, en, path, e);
	} else {
		rs->others++;
		event_emit(rs->ctx, EVENT_FILE_DONE, span_str(path), "would be restored");
	}
	return 0;
}

bool restore_wanted(struct restore *rs, const char *path, bool is_dir, bool *inside)
{
	if (rs->p->exclude != NULL && exclude_match(rs->p->exclude, path, is_dir) != NULL)
		return false;
	if (rs->p->include == NULL || exclude_match(rs->p->include, path, is_dir) != NULL)
		*inside = true;
	return *inside || is_dir;
}

/* ---- --delete. */

struct deleting {
	struct restore *rs;
	struct rdir *d;
	const char *path;
};

static int delete_extra(void *arg, const char *name, struct err *e)
{
	struct deleting *del = arg;
	struct restore *rs = del->rs;
	bool inside = del->d->inside;
	struct target_stat st;
	char *path;
	int rc;

	if (dirlist_has(&del->d->names, name))
		return 0;
	path = mem_printf("%s/%s", del->path, name);
	rc = restore_look(rs, del->d->dir, path, &st, e);
	/* What was asked not to be restored is not asked to be deleted either. */
	if (rc == 0 && st.exists && restore_wanted(rs, path, st.type == ENTRY_DIR, &inside) &&
	    inside) {
		rs->deleted++;
		event_emit(rs->ctx, EVENT_FILE_DONE, span_str(path), "%s",
		    rs->p->dry_run ? "would be deleted" : "deleted");
		if (!rs->p->dry_run)
			rc = target_remove(del->d->dir, name, e);
	}
	free(path);
	return rc;
}

static void delete_extras(struct restore *rs, struct rdir *d, const char *path)
{
	struct deleting del = {rs, d, path};
	struct err e;

	/* Nothing outside of what --include asked for is touched. */
	if (!rs->p->delete || !d->inside || restore_stopping(rs))
		return;
	if (d->partial) {
		event_emit(rs->ctx, EVENT_NOTICE, span_str(*path ? path : "/"),
		    "not all in it could be read when it was backed up: nothing is deleted here");
		return;
	}
	if (restore_list(rs, d->dir, path, delete_extra, &del, &e) == -1)
		restore_problem(rs, path, &e);
}

/* ---- The walk. */

static int walk(
    struct restore *rs, struct rdir *d, const struct id *tree, const char *path, struct err *e);

static void walk_dir(struct restore *rs, struct rdir *up, const struct entry *en,
    const struct tree_ref *ref, const char *path, bool inside)
{
	struct rdir d = {.parent = up,
	    .entry = en,
	    .inside = inside,
	    .partial = en->changed,
	    .depth = up->depth + 1};
	struct id tree = ref->ids[0];
	struct err e;

	err_clear(&e);
	if (d.depth > ENTRY_DEPTH_MAX)
		err_set(&e, ERR_CORRUPT, "directories nested deeper than %d", ENTRY_DEPTH_MAX);
	if (d.depth > ENTRY_DEPTH_MAX || (inside && ensure(rs, &d, &e) == -1)) {
		restore_problem(rs, path, &e);
		goto out;
	}
	if (inside) {
		rs->dirs++;
		atomic_fetch_add(&rs->ctx->progress.dirs, 1);
	}
	if (walk(rs, &d, &tree, path, &e) == -1)
		restore_problem(rs, path, &e);
	else
		delete_extras(rs, &d, path);
out:
	source_names_fini(&d.names);
	target_dir_unref(d.dir);
}

static void walk_entry(struct restore *rs, struct rdir *d, const struct entry *en,
    const struct tree_ref *ref, const char *path)
{
	bool inside = d->inside;
	struct err e;
	int rc;

	err_clear(&e);
	if (rs->p->delete) {
		const char *slash = strrchr(path, '/');

		dirlist_add(&d->names, slash + 1);
	}
	if (!restore_wanted(rs, path, en->type == ENTRY_DIR, &inside))
		return;
	if (en->type == ENTRY_DIR) {
		walk_dir(rs, d, en, ref, path, inside);
		return;
	}
	ctx_item(rs->ctx, span_str(path));
	rc = d->parent ? 0 : restore_refuse_own(rs, en, path, &e);
	if (rc == 0)
		rc = ensure(rs, d, &e);
	if (rc == 0 && en->type == ENTRY_FILE)
		rc = restore_file(rs, d, en, ref, path, &e);
	else if (rc == 0)
		rc = restore_other(rs, d, en, path, &e);
	if (rc == -1)
		restore_problem(rs, path, &e);
}

static int walk(
    struct restore *rs, struct rdir *d, const struct id *tree, const char *path, struct err *e)
{
	struct tree_reader *t = tree_reader_open(reader_tree_get, rs->reader, tree, e);
	struct tree_ref ref;
	struct entry en;
	int rc = -1;

	while (
	    t != NULL && !restore_stopping(rs) && (rc = tree_reader_next(t, &en, &ref, e)) == 1) {
		char *child = mem_printf("%s/%.*s", path, (int)en.name.n, (const char *)en.name.p);

		walk_entry(rs, d, &en, &ref, child);
		free(child);
	}
	tree_reader_close(t);
	return t != NULL && restore_stopping(rs) ? 0 : rc;
}

/* One file or the like was asked for. */
static void restore_one(struct restore *rs, struct rdir *root, const struct tree_path *at)
{
	walk_entry(rs, root, &at->entry, &at->ref, rs->p->path);
}

/* The root has no entry to say so. */
static bool incomplete(const struct snapshot *s)
{
	for (size_t i = 0; i < s->nparts; i++)
		if (s->parts[i].outcome != SNAPSHOT_COMPLETE)
			return true;
	return false;
}

static int plan_all(struct restore *rs, const struct tree_path *at, struct err *e)
{
	struct rdir root = {.inside = rs->p->include == NULL};
	const char *prefix = strcmp(rs->p->path, "/") == 0 ? "" : rs->p->path;
	int rc = 0;

	root.partial = at->entry.changed || (*prefix == '\0' && incomplete(rs->p->snapshot));
	if (!rs->p->dry_run)
		root.dir = target_root(rs->target);
	if (at->entry.type == ENTRY_DIR) {
		if (root.dir != NULL && *prefix)
			target_root_meta(root.dir, &at->entry);
		rc = walk(rs, &root, &at->ref.ids[0], prefix, e);
		if (rc == 0)
			delete_extras(rs, &root, prefix);
	} else {
		restore_one(rs, &root, at);
	}
	restore_links_drain(rs);
	restore_window_flush(rs);
	target_dir_unref(root.dir);
	source_names_fini(&root.names);
	return rc;
}

static int run_threads(struct restore *rs, const struct tree_path *at, struct err *e)
{
	unsigned n = repo_workers(rs->repo, rs->p->jobs), started = 0;
	pthread_t *t = mem_zalloc(n * sizeof *t);

	/* Few workers keep what they need again at once. */
	rs->keep = n <= 4 ? SIZE_MAX : FRAMES_BYTES / 4 / n;
	int rc = 0;

	for (; started < n && rc == 0; started += rc == 0)
		if (pthread_create(&t[started], NULL, restore_worker_main, rs) != 0)
			rc = err_set(e, ERR_FAILED, "cannot start a thread");
	if (rc == 0)
		rc = plan_all(rs, at, e);
	pthread_mutex_lock(&rs->lock);
	rs->planned = true;
	pthread_cond_broadcast(&rs->more);
	pthread_mutex_unlock(&rs->lock);
	for (unsigned i = 0; i < started; i++)
		pthread_join(t[i], NULL);
	free(t);
	if (rc == 0 && atomic_load(&rs->failed)) {
		*e = rs->err;
		rc = -1;
	}
	return rc == 0 ? ctx_check(rs->ctx, e) : rc;
}

static void fill_result(struct restore *rs, struct restore_result *out)
{
	out->files = rs->files;
	out->dirs = rs->dirs;
	out->others = rs->others;
	out->files_skipped = rs->skipped + rs->again;
	out->bytes_skipped = rs->skipped_bytes + rs->again_bytes;
	out->compared = rs->compared;
	out->deleted = rs->deleted;
	out->bytes = rs->bytes;
	out->verified = rs->verified;
	out->damaged = rs->damaged, out->problems = rs->problems;
}

static void restore_free(struct restore *rs)
{
	restore_links_free(rs);
	thaw_free(rs->thaw);
	buf_fini(&rs->left);
	reader_free(rs->reader);
	pthread_mutex_destroy(&rs->lock);
	pthread_cond_destroy(&rs->more);
	pthread_cond_destroy(&rs->less);
	budget_fini(&rs->frames);
	free(rs);
}

int restore_tree(struct repo *r, const struct restore_params *p, struct ctx *ctx,
    struct restore_result *out, struct err *e)
{
	struct restore *rs = mem_zalloc(sizeof *rs);
	struct clock *clock = os_clock_of(ctx);
	int64_t began = clock->mono_ns(clock);
	struct tree_path at = {.reader = NULL};
	int rc = -1;

	memset(out, 0, sizeof *out);
	rs->repo = r;
	rs->ctx = ctx;
	rs->p = p;
	restore_links_init(rs);
	os_raise_nofile();
	rs->far = store_parallel(repo_store(r));
	rs->window_bytes = WINDOW_BYTES;
	rs->window_segments = rs->far > 1 ? WINDOW_SEGMENTS_FAR : WINDOW_SEGMENTS;
	rs->window_held = os_nofile() / 8;
	pthread_mutex_init(&rs->lock, NULL);
	pthread_cond_init(&rs->more, NULL);
	pthread_cond_init(&rs->less, NULL);
	budget_init(&rs->frames, rs->far > 1 ? FRAMES_FAR : FRAMES_BYTES);
	if (repo_index_load(r, false, e) == -1)
		goto out;
	rs->reader = reader_new(r);
	/* Before the target is touched: the path must be there. */
	if (tree_path_find(rs->reader, p->snapshot, p->path, &at, e) == -1)
		goto out;
	rs->skip = strcmp(p->path, "/") == 0 ? 0 : strlen(p->path);
	if (at.entry.type != ENTRY_DIR)
		rs->skip = (size_t)(strrchr(p->path, '/') - p->path);
	if (restore_cold_begin(rs, &at, e) == -1)
		goto out;
	if (p->dry_run ? restore_dry_open(rs, e) == -1
		       : target_open(p->target, p->overwrite, ctx, &rs->target, e) == -1)
		goto out;
	if (!p->dry_run && p->give)
		target_give(rs->target, p->uid, p->gid);
	if (!p->dry_run && restore_begin(rs, e) == -1)
		goto out;
	rc = run_threads(rs, &at, e);
	if (rc == 0 && !p->dry_run)
		rc = restore_end(rs, e);
	if (rc == 0 && p->verify && !p->dry_run) {
		int64_t from = clock->mono_ns(clock);

		rc = restore_verify_all(rs, &at, e);
		out->verify_seconds = (double)(clock->mono_ns(clock) - from) / 1e9;
	}
	fill_result(rs, out);
	if (rs->target != NULL)
		out->problems += out->bare = target_problems(rs->target);
	out->seconds = (double)(clock->mono_ns(clock) - began) / 1e9;
out:
	tree_path_fini(&at);
	target_close(rs->target);
	restore_free(rs);
	return rc;
}
