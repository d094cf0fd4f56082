/* os_isolate: see os_isolate.h. */
#include "os/os_isolate.h"

#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_isolate_internal.h"

enum { GROUPS_MOST = 65536 }; /* as the kernel has it */

/* ---- What can be had. */

static int spaces_of(unsigned set)
{
	int all = 0;

	for (unsigned k = 0; k < ISOLATE_SPACES; k++)
		all |= set & 1U << k ? os_isolate_spaces[k] : 0;
	return all;
}

/* Does a program start with what i says? */
static bool try(struct os_isolate *i)
{
	const char *argv[] = {"true", NULL}, *env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	struct os_isolate_child c = {.argv = argv, .env = env, .out = -1};
	struct err ignored;
	pid_t pid;
	int how = 0;

	if (os_isolate_start(i, &c, &pid, &ignored) == -1)
		return false;
	return os_isolate_end(pid, &how) == 0 && WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

/* All of them, or else as many as go. */
static void find_spaces(struct os_isolate *i, bool network)
{
	unsigned wanted = network ? 14 : 15, had = 0;

	i->user_space = geteuid() != 0;
	i->spaces = spaces_of(wanted);
	i->bits = ISOLATE_ALL;
	if (try(i))
		return;
	for (unsigned k = 0; k < ISOLATE_SPACES; k++) {
		if (!(wanted & 1U << k))
			continue;
		i->spaces = spaces_of(had | 1U << k);
		if (try(i))
			had |= 1U << k;
	}
	i->spaces = spaces_of(had);
	i->user_space = i->user_space && had != 0;
	i->bits = ISOLATE_ALL;
	if (!try(i))
		i->bits = 0;
}

/* ---- What is told. */

static void tell(struct os_isolate *i, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct os_isolate *i, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (i->nhad < ISOLATE_HAD)
		i->had[i->nhad++] = mem_strdup(text);
}

static void tell_limits(struct os_isolate *i)
{
	const struct os_cgroup_limits *l = &i->limits;
	struct os_cgroup_had by = {.version = 0};
	int v = i->limited.version;

	if (i->bits & ISOLATE_GROUPED)
		by = i->limited;
	if (l->memory && by.memory)
		tell(i, "memory: %llu MiB by cgroup v%d", (unsigned long long)(l->memory >> 20), v);
	else if (l->memory && !i->limited.memory)
		tell(i, "memory: %llu MiB a process by rlimit",
		    (unsigned long long)(l->memory >> 20));
	else if (l->memory)
		tell(i, "memory: not limited");
	if (l->cpu && by.cpu)
		tell(i, "cpu: %u %% of a processor by cgroup v%d", l->cpu, v);
	else if (l->cpu)
		tell(i, i->limited.cpu ? "cpu: not limited" : "cpu: not limited, but nice %d",
		    ISOLATE_NICE);
	if (l->pids)
		tell(i,
		    by.pids ? "number of processes: %u by cgroup v%d"
			    : "number of processes: not limited",
		    l->pids, v);
}

static void tell_user(struct os_isolate *i)
{
	if (!(i->bits & ISOLATE_USER))
		tell(i, "user: not known");
	else if (i->wanted != NULL)
		tell(i, "user: %s, the same user as who drills: only root becomes %s", i->user,
		    i->wanted);
	else
		tell(i, i->uid == geteuid() ? "user: %s, the same user as who drills" : "user: %s",
		    i->user);
}

static void tell_sockets(struct os_isolate *i)
{
	bool named = i->bits & ISOLATE_SOCKETS, abstract = i->bits & ISOLATE_NETWORK;

	tell(i, "sockets of the machine: %s",
	    named && abstract
		? "none in /run and /tmp, no abstract ones; others by its user's rights"
	    : named    ? "none in /run and /tmp; others and abstract ones by its user's rights"
	    : abstract ? "no abstract ones; others by its user's rights"
		       : "by its user's rights");
}

static void tell_all(struct os_isolate *i)
{
	static const char *const words[][2] = {
	    {"network: the machine's", "network: own, loopback only"},
	    {"processes: among the machine's", "processes: own, they end with the first"},
	    {"shared memory: the machine's", "shared memory: own"},
	    {"files: by its user's rights", "files: all but its folder read-only"}};

	while (i->nhad > 0)
		free(i->had[--i->nhad]);
	tell_user(i);
	if (i->folder != NULL)
		tell(i, "folder: its own");
	for (size_t k = 0; k < sizeof words / sizeof *words; k++)
		tell(i, "%s", words[k][i->bits >> k & 1]);
	tell_sockets(i);
	tell_limits(i);
	i->had[i->nhad] = NULL;
}

/* ---- Whom it is. */

/* Before fork: who looks for them may need a lock that nobody gives back after it. */
static void find_groups(struct os_isolate *i)
{
	for (int room = 64;; room *= 2) {
		i->groups = mem_realloc(i->groups, (size_t)room * sizeof *i->groups);
		i->ngroups = room;
		if (getgrouplist(i->user, i->gid, i->groups, &i->ngroups) != -1)
			return;
		if (room >= GROUPS_MOST)
			break;
	}
	i->groups[0] = i->gid;
	i->ngroups = 1;
}

static int find_user(struct os_isolate *i, const char *name, struct err *e)
{
	struct passwd p, *found = NULL;
	char room[4096], own[256];

	i->uid = geteuid();
	i->gid = getegid();
	os_user(own, sizeof own);
	if (name == NULL) {
		i->user = mem_strdup(own);
		return 0;
	}
	if (getpwnam_r(name, &p, room, sizeof room, &found) != 0 || found == NULL) {
		err_set(e, ERR_ABSENT, "there is no user '%.64s' here", name);
		return err_hint(e, "drill.user names one, or left out: as who drills");
	}
	i->becomes = p.pw_uid != i->uid && geteuid() == 0;
	if (p.pw_uid != i->uid && !i->becomes) {
		i->wanted = mem_strdup(name);
		i->user = mem_strdup(own);
		return 0;
	}
	i->user = mem_strdup(name);
	i->uid = p.pw_uid;
	i->gid = p.pw_gid;
	if (i->becomes)
		find_groups(i);
	return 0;
}

int os_isolate_new(const struct os_isolate_params *p, struct os_isolate **out, struct err *e)
{
	struct os_isolate *i = mem_zalloc(sizeof *i);

	/* Without links: it is looked for among the mounts. */
	i->folder = p->folder ? os_real_path(p->folder) : NULL;
	i->limits = p->limits;
	if (p->folder != NULL && i->folder == NULL) {
		err_sys(e, "%s", p->folder);
		os_isolate_free(i);
		return -1;
	}
	if (find_user(i, p->user, e) == -1) {
		os_isolate_free(i);
		return -1;
	}
	i->group = os_cgroup_new(p->name, &p->limits, &i->limited);
	os_isolate_see(i->folder, i->group, &i->ours);
	find_spaces(i, p->network);
	*out = i;
	return 0;
}

void os_isolate_free(struct os_isolate *i)
{
	if (i == NULL)
		return;
	os_cgroup_free(i->group);
	for (size_t k = 0; k < i->nhad; k++)
		free(i->had[k]);
	free(i->folder);
	free(i->user);
	free(i->wanted);
	free(i->groups);
	free(i);
}

const char *const *os_isolate_had(struct os_isolate *i)
{
	tell_all(i);
	return (const char *const *)i->had;
}

uid_t os_isolate_uid(const struct os_isolate *i)
{
	return i->uid;
}

gid_t os_isolate_gid(const struct os_isolate *i)
{
	return i->gid;
}

uint64_t os_isolate_memory_peak(const struct os_isolate *i)
{
	return os_cgroup_memory_peak(i->group);
}
