/*
 * backup_cache: what a run knows of the one before: file caches of the group's last
 * snapshot and of its last full one, else the parent's trees; and the word that a run
 * leaves while it is unfinished.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "engine/backup_internal.h"
#include "os/os.h"
#include "repo/repo_object.h"

/* Each source has its own; that of files has no name. */
static char *cache_path(struct backup *b, const struct snapshot *s, size_t i, const char *kind)
{
	const char *part = b->parts[i].pg || b->parts[i].dump ? s->parts[i].name : "";
	char hex[2 * FORMAT_UID + 1], *dir, *path;
	struct err e;

	if (repo_cache_dir(b->repo) == NULL)
		return NULL;
	hex_encode(hex, s->group, FORMAT_UID);
	dir = mem_printf("%s/files", repo_cache_dir(b->repo));
	path = mem_printf("%s/%s%s%s.%s", dir, hex, part[0] ? "." : "", part, kind);
	if (os_mkdirs(dir, 0700, &e) == -1) {
		free(path);
		path = NULL;
	}
	free(dir);
	return path;
}

/* The newest complete snapshot of the group; a full one if that is asked for. */
static const struct snapshot_part *part_of(
    const struct snapshot *x, const struct snapshot_part *part, size_t nparts)
{
	for (size_t i = 0; i < x->nparts; i++)
		if (x->nparts == nparts && strcmp(x->parts[i].kind, part->kind) == 0 &&
		    strcmp(x->parts[i].name, part->name) == 0)
			return &x->parts[i];
	return NULL;
}

static void find_parent(struct backup *b, struct snapshot *s, size_t part, bool full)
{
	struct snapshot_list l;
	const struct snapshot_part *p, *tree = NULL;
	struct err e;

	if (repo_need(b->repo, true, &e) == -1 || snapshot_load_all(b->repo, &l, &e) == -1)
		return; /* a run without a parent is a good run */
	for (size_t i = 0; i < l.n; i++) {
		const struct snapshot *x = l.v[i];

		if (memcmp(x->group, s->group, FORMAT_UID) != 0 || x->forgotten ||
		    (full && x->strategy != SNAPSHOT_FULL) ||
		    (p = part_of(x, &s->parts[part], s->nparts)) == NULL ||
		    p->outcome != SNAPSHOT_COMPLETE || !p->has_tree)
			continue;
		tree = p;
		s->parent = x->id;
	}
	if (tree != NULL) {
		s->has_parent = true;
		b->has_parent_tree = true;
		b->parent_tree = tree->tree;
	}
	snapshot_list_fini(&l);
}

/*
 * What to compare with.  With a cache that is the snapshot it was made with,
 * if that is still there; it costs one look.  Without one everything is read,
 * and the parent's trees only tell new from changed.
 */
void backup_open_cache(struct backup *b, struct snapshot *s, size_t part)
{
	bool differential = b->p->strategy == SNAPSHOT_DIFFERENTIAL;
	struct store_stat st;
	char name[REPO_NAME_MAX], *path;
	struct err e;

	if (b->p->stdin_name != NULL || b->p->strategy == SNAPSHOT_FULL)
		return;
	path = cache_path(b, s, part, differential ? "full" : "last");
	if (path != NULL)
		b->cache = file_cache_open(path, &e);
	free(path);
	if (b->cache == NULL) {
		find_parent(b, s, part, differential);
	} else {
		s->parent = file_cache_head(b->cache)->snapshot;
		s->has_parent = store_stat(repo_store(b->repo),
				    repo_object_name(name, FORMAT_SNAPSHOT, &s->parent), &st,
				    &e) == 0;
	}
	if (s->has_parent || b->cache != NULL)
		s->strategy = b->p->strategy;
	else if (differential)
		event_emit(b->ctx, EVENT_NOTICE, span_of(NULL, 0),
		    "there is no full backup of these paths yet; this is one");
}

void backup_create_cache(struct backup *b, const struct snapshot *s, size_t part)
{
	char *path;
	struct err e;

	if (b->p->dry_run || b->p->stdin_name != NULL)
		return;
	path = cache_path(b, s, part, "last");
	if (path != NULL && (b->cache_out = file_cache_create(path, &e)) == NULL)
		event_emit(b->ctx, EVENT_WARNING, span_of(NULL, 0), "file cache: %s", e.msg);
	free(path);
}

/* What a run of this group left unfinished; the next one says so. */
void backup_keep_journal(struct backup *b, const struct snapshot *s)
{
	char *path = b->p->dry_run ? NULL : cache_path(b, s, 0, "unfinished");

	if (path != NULL)
		writer_resume(b->writer, path);
	free(path);
}

static void remember_full(struct backup *b, const char *last, const char *full)
{
	char *tmp = mem_printf("%s.new", full);

	os_unlinkat(AT_FDCWD, tmp, 0);
	if (os_linkat(AT_FDCWD, last, AT_FDCWD, tmp) == -1 ||
	    os_renameat(AT_FDCWD, tmp, AT_FDCWD, full) == -1)
		event_emit(b->ctx, EVENT_WARNING, span_of(NULL, 0),
		    "file cache of the full backup: %s", strerror(errno));
	free(tmp);
}

static void commit_part(struct backup *b, const struct snapshot *s, size_t i)
{
	struct file_cache_head head = {s->id, s->start_ns};
	struct backup_part *part = &b->parts[i];
	struct file_cache_writer *out = part->cache_out;
	char *last, *full;
	struct err e;

	part->cache_out = NULL;
	if (out == NULL)
		return;
	if (part->failed) {
		file_cache_abort(out);
		return;
	}
	if (file_cache_commit(out, &head, &e) == -1) {
		event_emit(b->ctx, EVENT_WARNING, span_of(NULL, 0), "file cache: %s", e.msg);
		return;
	}
	if (s->strategy != SNAPSHOT_FULL)
		return;
	last = cache_path(b, s, i, "last");
	full = cache_path(b, s, i, "full");
	if (last != NULL && full != NULL)
		remember_full(b, last, full);
	free(last);
	free(full);
}

/* After the snapshot is acknowledged; a full one is remembered twice. */
void backup_commit_cache(struct backup *b, const struct snapshot *s)
{
	for (size_t i = 0; i < b->nparts; i++)
		commit_part(b, s, i);
}
