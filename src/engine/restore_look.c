/*
 * restore_look: what is in the target already.  A dry run has no target open
 * (opening one would make it), so it looks by path, and changes nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/restore_internal.h"
#include "os/os.h"
#include "repo/siphash.h"

/* Where a path of the snapshot would be. */
static char *in_target(const struct restore *rs, const char *path)
{
	return mem_printf("%s%s", rs->p->target, path + rs->skip);
}

int restore_look(struct restore *rs, struct target_dir *dir, const char *path,
    struct target_stat *out, struct err *e)
{
	struct stat st;
	char *full;
	int rc;

	memset(out, 0, sizeof *out);
	if (dir != NULL)
		return target_look(dir, strrchr(path, '/') + 1, out, e);
	if (!rs->p->dry_run)
		return 0;
	full = in_target(rs, path);
	rc = os_fstatat(AT_FDCWD, full, &st, AT_SYMLINK_NOFOLLOW);
	free(full);
	if (rc == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "look at the target");
	*out = (struct target_stat){
	    .exists = true,
	    .type = os_entry_type(st.st_mode),
	    .size = (uint64_t)st.st_size,
	    .mtime = st.st_mtim.tv_sec,
	    .mtime_ns = (uint32_t)st.st_mtim.tv_nsec,
	    .nlink = (uint64_t)st.st_nlink,
	};
	return 0;
}

/* Read what is there: 1 it has that content, 0 not, or not to be told. */
static int same_content(struct restore *rs, struct target_dir *dir, const struct entry *en,
    const struct tree_ref *ref, struct err *e)
{
	char *name = mem_strndup((const char *)en->name.p, en->name.n);
	int fd = target_read(dir, name), rc = 0;

	if (fd != -1 && restore_verify_fd(rs, fd, en, ref, e) == 0)
		rc = 1;
	/* Damage to the repository shows when it is restored. */
	else if (ctx_check(rs->ctx, e) == -1)
		rc = -1;
	os_close(fd);
	free(name);
	return rc;
}

static int same_file(struct restore *rs, struct target_dir *dir, const struct entry *en,
    const struct tree_ref *ref, const struct target_stat *st, struct err *e)
{
	bool always = rs->p->overwrite == TARGET_ALWAYS;

	if (st->size != en->size)
		return 0;
	if (!always && (st->mtime != en->mtime || st->mtime_ns != en->mtime_ns))
		return 0;
	if (!always && !rs->p->verify && !rs->cut)
		return 1;
	/* Another name may be somebody else's: a file that is replaced leaves it alone. */
	if (dir == NULL || (always && st->nlink > 1 && !en->linked))
		return !always;
	return same_content(rs, dir, en, ref, e);
}

/* A file of another size may be what a crash left of an earlier restore. */
static void never_tell(
    struct restore *rs, const struct entry *en, const struct target_stat *st, const char *path)
{
	struct err e;

	err_clear(&e);
	if (en->type != ENTRY_FILE || st->type != ENTRY_FILE || st->size == en->size)
		return;
	err_set(&e, ERR_EXISTS, "left as it is, but it has %llu bytes, in the snapshot %llu",
	    (unsigned long long)st->size, (unsigned long long)en->size);
	restore_problem(rs, path, &e);
}

int restore_leave(struct restore *rs, struct target_dir *dir, const struct entry *en,
    const struct tree_ref *ref, const char *path, uint64_t *size, struct err *e)
{
	struct target_stat st;
	bool linked;

	if (rs->p->overwrite == TARGET_REFUSE)
		return 0;
	if (restore_look(rs, dir, path, &st, e) == -1)
		return -1;
	*size = st.size;
	if (st.exists && rs->p->overwrite == TARGET_NEVER) {
		never_tell(rs, en, &st, path);
		restore_left_add(rs, path);
	}
	if (!st.exists || rs->p->overwrite == TARGET_NEVER)
		return st.exists;
	/* A further name of a file that was dealt with: all that counts is that it is one. */
	if (restore_links_known(rs, dir, en, &linked))
		return linked;
	if (st.type != en->type || en->type != ENTRY_FILE)
		return 0;
	return same_file(rs, dir, en, ref, &st, e);
}

static uint64_t left_key(const char *path)
{
	static const uint8_t key[SIPHASH_KEY];

	return siphash(key, span_str(path));
}

void restore_left_add(struct restore *rs, const char *path)
{
	uint64_t h = left_key(path);

	if (rs->p->verify)
		buf_put(&rs->left, &h, sizeof h);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void restore_left_sort(struct restore *rs)
{
	if (rs->left.n > 0)
		qsort(rs->left.p, rs->left.n / sizeof(uint64_t), sizeof(uint64_t), by_value);
}

bool restore_left(const struct restore *rs, const char *path)
{
	uint64_t h = left_key(path);

	return rs->left.n > 0 && bsearch(&h, rs->left.p, rs->left.n / sizeof h, sizeof h, by_value);
}

/* Visit the names in a directory that may not be there. */
static int list_path(
    const char *path, int (*visit)(void *, const char *, struct err *), void *arg, struct err *e)
{
	DIR *dir = opendir(path);
	struct dirent *de;
	int rc = 0;

	if (dir == NULL)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "list the target");
	while (rc == 0 && (de = readdir(dir)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			rc = visit(arg, de->d_name, e);
	closedir(dir);
	return rc;
}

int restore_list(struct restore *rs, struct target_dir *dir, const char *path,
    int (*visit)(void *, const char *name, struct err *), void *arg, struct err *e)
{
	char *full;
	int rc;

	if (dir != NULL)
		return target_list(dir, visit, arg, e);
	if (!rs->p->dry_run)
		return 0;
	full = in_target(rs, path);
	rc = list_path(full, visit, arg, e);
	free(full);
	return rc;
}

static int refuse_any(void *arg, const char *name, struct err *e)
{
	err_set(e, ERR_USAGE, "%s is not empty", (const char *)arg);
	return err_hint(e, "restore into an empty folder, or say --overwrite "
			   "never, if-changed or always");
}

int restore_dry_open(struct restore *rs, struct err *e)
{
	if (rs->p->overwrite != TARGET_REFUSE)
		return 0;
	return list_path(rs->p->target, refuse_any, (void *)(uintptr_t)rs->p->target, e);
}

/* In the place of our own word it would be taken for that, and removed at the end. */
int restore_refuse_own(struct restore *rs, const struct entry *en, const char *path, struct err *e)
{
	if (!target_is_own(en->name))
		return 0;
	restore_left_add(rs, path);
	return err_set(e, ERR_EXISTS,
	    "left out: a restore keeps a file of its own of that name in its target; restore the "
	    "folder above, or use holdfast cat");
}

/*
 * What is being done: only the same, done to the end, makes up for what a power cut
 * may have spoilt.  A selection is never the same as another.
 */
int restore_begin(struct restore *rs, struct err *e)
{
	const struct restore_params *p = rs->p;
	struct clock *clock = os_clock_of(rs->ctx);
	bool some = p->include != NULL || p->exclude != NULL;
	char hex[ID_HEX], *what;
	int rc;

	what = mem_printf("%s %.*s %lld\n", id_hex(hex, &p->snapshot->id), 4096, p->path,
	    some ? (long long)clock->wall_ns(clock) : 0LL);
	rc = target_begin(rs->target, what, &rs->cut, e);
	free(what);
	if (rc == 0 && rs->cut && p->overwrite == TARGET_IF_CHANGED)
		event_emit(rs->ctx, EVENT_NOTICE, span_of(NULL, 0),
		    "an earlier restore into this target did not end: files are compared by "
		    "content");
	return rc;
}

/* What is reported as restored survives a power cut. */
int restore_end(struct restore *rs, struct err *e)
{
	atomic_store(&rs->ctx->progress.phase, "writing to disk");
	return target_sync(rs->target, e) == -1 ? -1 : target_end(rs->target, e);
}

int restore_hollow(struct restore *rs, struct target_dir *dir, const struct entry *en,
    const char *path, struct err *e)
{
	struct target_file *f;
	struct entry bare = *en;
	struct entry_hole all = {0, en->size};

	bare.holes = &all; /* nothing is written: nothing is allocated */
	bare.nholes = 1;
	if (target_file_begin(dir, &bare, &f, e) == -1 || target_file_end(f, e) == -1)
		return -1;
	rs->files++;
	return rs->p->hollow(rs->p->hollow_arg, path, en->size, e);
}
