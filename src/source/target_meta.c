/*
 * target_meta: owner, mode, xattrs and times of what was restored.
 *
 * The order matters.  A change of owner clears setuid bits and capabilities,
 * so it comes first.  user.* xattrs need write permission, which the mode may
 * take away; a mode changes an ACL's mask, and an ACL says more than a mode,
 * so ACLs come after it.  Times are last, as all else moves them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/target_priv.h"

struct meta {
	struct target *target;
	const struct entry *en;
	const char *path;
	int fd;
	char proc[32]; /* "" or the way to an O_PATH descriptor's file */
	mode_t mode;
};

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int meta_setxattr(const struct meta *m, const char *name, struct span value)
{
	if (m->proc[0])
		return setxattr(m->proc, name, value.p, value.n, 0);
	return fsetxattr(m->fd, name, value.p, value.n, 0);
}

static int meta_removexattr(const struct meta *m, const char *name)
{
	return m->proc[0] ? removexattr(m->proc, name) : fremovexattr(m->fd, name);
}

static int meta_chown(const struct meta *m, uid_t uid, gid_t gid)
{
	return fchownat(m->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
}

static void set_owner(struct meta *m)
{
	struct target *t = m->target;

	if (meta_chown(m, m->en->uid, m->en->gid) == 0)
		return;
	/* Somebody else's setuid bit must not become ours. */
	if (m->en->type != ENTRY_DIR)
		m->mode &= ~(mode_t)06000;
	if (t->root_user || errno != EPERM) {
		target_problem(
		    t, m->path, "set owner %u:%u: %s", m->en->uid, m->en->gid, strerror(errno));
		return;
	}
	/* The group alone may be one of ours. */
	(void)!meta_chown(m, (uid_t)-1, m->en->gid);
	/* Said, not counted: who isn't root expects no more. */
	if (!atomic_flag_test_and_set(&t->owner_told))
		event_emit(t->ctx, EVENT_NOTICE, span_str(m->path),
		    "owners of others' files cannot be set without being root; "
		    "this is said only once");
}

static void set_mode(struct meta *m)
{
	int rc;

	if (m->en->type == ENTRY_SYMLINK)
		return;
	rc = m->proc[0] ? chmod(m->proc, m->mode) : fchmod(m->fd, m->mode);
	if (rc == -1)
		target_problem(m->target, m->path, "set mode %04o: %s", m->mode, strerror(errno));
}

static bool is_late(const char *name)
{
	return has_prefix(name, "system.posix_acl_") || has_prefix(name, "security.");
}

static void set_xattrs(struct meta *m, bool late)
{
	for (size_t i = 0; i < m->en->nxattrs; i++) {
		const struct entry_xattr *x = &m->en->xattrs[i];
		char name[XATTR_NAME_MAX + 1];

		if (x->name.n == 0 || x->name.n > XATTR_NAME_MAX ||
		    memchr(x->name.p, '\0', x->name.n) != NULL) {
			if (late)
				target_problem(
				    m->target, m->path, "hostile name of an extended attribute");
			continue;
		}
		memcpy(name, x->name.p, x->name.n);
		name[x->name.n] = '\0';
		if (is_late(name) == late && meta_setxattr(m, name, x->value) == -1)
			target_problem(m->target, m->path, "set extended attribute %s: %s", name,
			    strerror(errno));
	}
}

static bool wanted(const struct entry *en, const char *name)
{
	for (size_t i = 0; i < en->nxattrs; i++)
		if (span_eq(en->xattrs[i].name, span_str(name)))
			return true;
	return false;
}

/* Take away what it has and should not; security.* and trusted.* are the system's business. */
static void remove_others(struct meta *m)
{
	/* Each name has its NUL, if the file system keeps to that. */
	char *names = mem_zalloc(XATTR_LIST_MAX + 1);
	ssize_t n = m->proc[0] ? listxattr(m->proc, names, XATTR_LIST_MAX)
			       : flistxattr(m->fd, names, XATTR_LIST_MAX);

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		const char *name = names + at;

		if (!has_prefix(name, "user.") && !has_prefix(name, "system.posix_acl_"))
			continue;
		if (!wanted(m->en, name) && meta_removexattr(m, name) == -1 && errno != ENODATA)
			target_problem(m->target, m->path, "remove extended attribute %s: %s", name,
			    strerror(errno));
	}
	free(names);
}

static void set_times(struct meta *m)
{
	struct timespec ts[2] = {{0, UTIME_OMIT}, {m->en->mtime, m->en->mtime_ns}};
	int rc;

	/* Beyond a second lie UTIME_NOW and its like. */
	if (m->en->mtime_ns > 999999999)
		ts[1].tv_nsec = 0;
	rc = m->proc[0] ? utimensat(AT_FDCWD, m->proc, ts, 0) : futimens(m->fd, ts);
	if (rc == -1)
		target_problem(m->target, m->path, "set mtime: %s", strerror(errno));
}

void target_apply(struct target *t, int fd, bool by_path, unsigned flags, const struct entry *en,
    const char *path)
{
	struct meta m = {.target = t, .en = en, .path = path, .fd = fd, .mode = en->mode & 07777};
	struct entry given;

	if (t->given) {
		given = *en;
		given.uid = t->uid;
		given.gid = t->gid;
		m.en = &given;
	}
	if (by_path)
		snprintf(m.proc, sizeof m.proc, "/proc/self/fd/%d", fd);
	if (!(flags & TARGET_META_OWNED))
		set_owner(&m);
	if (flags & TARGET_META_OLD)
		remove_others(&m);
	if (en->nxattrs > 0)
		set_xattrs(&m, false);
	if (!(flags & TARGET_META_MODED))
		set_mode(&m);
	if (en->nxattrs > 0)
		set_xattrs(&m, true);
	set_times(&m);
}

bool target_has_default_acl(int fd)
{
	return fgetxattr(fd, "system.posix_acl_default", NULL, 0) > 0;
}

void target_problem(struct target *t, const char *path, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	atomic_fetch_add(&t->problems, 1);
	event_emit(t->ctx, EVENT_FILE_FAILED, span_str(path), "%s", text);
}
