/* os_cgroup: see os_cgroup.h. */
#include "os/os_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "os/os.h"
#include "os/os_child.h"

enum { PLACES = 8, TEXT = 65536, TRIES = 100, TRY_NS = 20000000, PERIOD_US = 100000, PAGE = 65536 };

struct place { /* a hierarchy: where it is mounted, and where we are in it */
	char *mount, *own;
	bool v2, memory, cpu, pids;
};

struct places {
	struct place v[PLACES];
	size_t n;
};

struct os_cgroup {
	char *dir[PLACES]; /* of each hierarchy that has it */
	char *memory;      /* the one that keeps the memory */
	char *name;
	size_t n;
	bool v2;
};

/* ---- What there is. */

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p != '\0'; p += strcspn(p, ", \n")) {
		p += strspn(p, ", \n");
		if (strcspn(p, ", \n") == n && memcmp(p, word, n) == 0)
			return true;
	}
	return false;
}

static char *read_text(const char *path)
{
	struct buf b = {0};
	struct err ignored;

	if (os_read_file(path, TEXT, &b, &ignored) == -1)
		buf_fini(&b);
	return b.p ? (buf_cstr(&b), (char *)b.p) : NULL;
}

/* "4:memory:/a", "0::/a" in /proc/self/cgroup; new text. */
static char *own_path(const char *all, const struct place *p)
{
	for (const char *line = all; line != NULL && *line != '\0';
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *what = strchr(line, ':'), *path = what ? strchr(what + 1, ':') : NULL;
		char names[256];

		if (path == NULL)
			continue;
		snprintf(names, sizeof names, "%.*s", (int)(path - what - 1), what + 1);
		if (p->v2 ? names[0] == '\0'
			  : (p->memory && has_word(names, "memory")) ||
				(p->cpu && has_word(names, "cpu")) ||
				(p->pids && has_word(names, "pids")))
			return mem_printf("%.*s", (int)strcspn(path + 1, "\n"), path + 1);
	}
	return mem_strdup("/");
}

/* A line of mountinfo: "... MOUNT ... - cgroup2 cgroup2 OPTIONS". */
static void look_at(struct places *out, char *line, const char *self)
{
	struct place p = {0};
	char mount[512], type[64], options[512];
	char *dash = strstr(line, " - ");

	if (dash == NULL || out->n == PLACES || sscanf(line, "%*s %*s %*s %*s %511s", mount) != 1 ||
	    sscanf(dash, " - %63s %*s %511s", type, options) != 2 ||
	    strncmp(type, "cgroup", 6) != 0)
		return;
	p.v2 = strcmp(type, "cgroup2") == 0;
	p.memory = p.v2 || has_word(options, "memory");
	p.cpu = p.v2 || has_word(options, "cpu");
	p.pids = p.v2 || has_word(options, "pids");
	if (!p.memory && !p.cpu && !p.pids)
		return;
	p.mount = mem_strdup(mount);
	p.own = own_path(self, &p);
	out->v[out->n++] = p;
}

static void places_find(struct places *out)
{
	char *self = read_text("/proc/self/cgroup"), *info = read_text("/proc/self/mountinfo");
	char *rest = info, *line;

	while (self != NULL && rest != NULL && (line = strsep(&rest, "\n")) != NULL)
		look_at(out, line, self);
	free(self);
	free(info);
}

static void places_fini(struct places *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].mount);
		free(p->v[i].own);
	}
}

/* ---- A group. */

static bool put(const char *dir, const char *file, const char *text)
{
	char *path = mem_printf("%s/%s", dir, file);
	int fd = os_open(path, O_WRONLY, 0);
	bool done = fd != -1 && os_write_all(fd, text, strlen(text)) == 0;

	os_close(fd);
	free(path);
	return done;
}

/* Written, and there: memory to the page. */
static bool put_kept(const char *dir, const char *file, const char *text, uint64_t slack)
{
	char *path = mem_printf("%s/%s", dir, file), *is = NULL;
	bool kept = put(dir, file, text) && (is = read_text(path)) != NULL;

	if (kept && slack > 0)
		kept = strtoull(is, NULL, 10) <= strtoull(text, NULL, 10) &&
		       strtoull(text, NULL, 10) - strtoull(is, NULL, 10) <= slack;
	else if (kept)
		kept = strncmp(is, text, strlen(text)) == 0 && strchr("\n", is[strlen(text)]);
	free(is);
	free(path);
	return kept;
}

static char *make_in(const struct place *p, const char *parent, const char *name)
{
	char *dir = mem_printf("%s%s/%s", p->mount, strcmp(parent, "/") == 0 ? "" : parent, name);

	if (os_mkdirat(AT_FDCWD, dir, 0755) == 0)
		return dir;
	free(dir);
	return NULL;
}

static char *number(char out[64], uint64_t n)
{
	snprintf(out, 64, "%" PRIu64, n);
	return out;
}

static void limit(struct os_cgroup *g, const struct place *p, const char *dir,
    const struct os_cgroup_limits *l, struct os_cgroup_had *had)
{
	char t[64];

	if (p->memory && !had->memory && l->memory &&
	    put_kept(
		dir, p->v2 ? "memory.max" : "memory.limit_in_bytes", number(t, l->memory), PAGE)) {
		had->memory = true;
		put(dir, "memory.swap.max", "0");
		g->memory = mem_strdup(dir);
	}
	if (p->cpu && !had->cpu && l->cpu) {
		uint64_t quota = (uint64_t)l->cpu * PERIOD_US / 100;

		if (p->v2)
			snprintf(t, sizeof t, "%" PRIu64 " %d", quota, PERIOD_US);
		had->cpu = put_kept(
		    dir, p->v2 ? "cpu.max" : "cpu.cfs_quota_us", p->v2 ? t : number(t, quota), 0);
	}
	if (p->pids && !had->pids && l->pids)
		had->pids = put_kept(dir, "pids.max", number(t, l->pids), 0);
}

static bool lacks(const struct os_cgroup_limits *l, const struct os_cgroup_had *had)
{
	return (l->memory && !had->memory) || (l->cpu && !had->cpu) || (l->pids && !had->pids);
}

/* Below our own group or, where its controllers are not for its children, below the root's. */
static void add(struct os_cgroup *g, const struct place *p, const char *name,
    const struct os_cgroup_limits *l, struct os_cgroup_had *had)
{
	const char *parents[] = {p->own, "/"};

	for (size_t i = 0; i < 2; i++) {
		char *dir = make_in(p, parents[i], name);
		struct os_cgroup_had before = *had;

		if (dir == NULL)
			continue;
		limit(g, p, dir, l, had);
		if (memcmp(&before, had, sizeof before) != 0 || (i == 1 && g->n == 0)) {
			had->version = p->v2 && had->version != 1 ? 2 : 1;
			g->dir[g->n++] = dir;
			return;
		}
		(void)!rmdir(dir);
		free(dir);
	}
}

struct os_cgroup *os_cgroup_new(
    const char *name, const struct os_cgroup_limits *l, struct os_cgroup_had *had)
{
	struct os_cgroup *g = mem_zalloc(sizeof *g);
	char *full = mem_printf("%s-%d", name, (int)getpid());
	struct places p = {.n = 0};

	memset(had, 0, sizeof *had);
	places_find(&p);
	for (int v2 = 1; v2 >= 0; v2--)
		for (size_t i = 0; i < p.n && (g->n == 0 || lacks(l, had)); i++)
			if (p.v[i].v2 == (bool)v2)
				add(g, &p.v[i], full, l, had);
	places_fini(&p);
	g->name = full;
	return g;
}

void os_cgroup_enter(const struct os_cgroup *g)
{
	for (size_t i = 0; g != NULL && i < g->n; i++) {
		char path[1024];
		int fd;

		snprintf(path, sizeof path, "%s/cgroup.procs", g->dir[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd != -1)
			(void)!write(fd, "0", 1);
		os_close(fd);
	}
}

/* "N:CONTROLLERS:PATH", PATH as seen from outside. */
bool os_cgroup_is_in(const struct os_cgroup *g)
{
	char text[8192], end[160];
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof text - 1);
	size_t found = 0;

	os_close(fd);
	if (n <= 0 || g == NULL || g->n == 0)
		return false;
	text[n] = '\0';
	snprintf(end, sizeof end, "/%s\n", g->name);
	for (const char *p = strstr(text, end); p != NULL; p = strstr(p + 1, end))
		found++;
	return found >= g->n;
}

uint64_t os_cgroup_memory_peak(const struct os_cgroup *g)
{
	static const char *const files[] = {"memory.peak", "memory.max_usage_in_bytes"};
	uint64_t n = 0;

	for (size_t i = 0; i < 2 && g != NULL && g->memory != NULL && n == 0; i++) {
		char *path = mem_printf("%s/%s", g->memory, files[i]), *t = read_text(path);

		n = t ? strtoull(t, NULL, 10) : 0;
		free(t);
		free(path);
	}
	return n;
}

/* ---- Its end. */

static void kill_all(const char *dir)
{
	char *path = mem_printf("%s/cgroup.procs", dir), *t = read_text(path);

	for (char *p = t; p != NULL && *p != '\0'; p = strchr(p, '\n') + 1) {
		long pid = strtol(p, NULL, 10);

		if (pid > 1 && pid != getpid())
			kill((pid_t)pid, SIGKILL);
		if (strchr(p, '\n') == NULL)
			break;
	}
	free(t);
	free(path);
}

static void end(const char *dir)
{
	const struct timespec wait = {0, TRY_NS};

	for (int i = 0; i < TRIES; i++) {
		if (rmdir(dir) == 0 || (errno != EBUSY && errno != EINTR))
			return;
		if (!put(dir, "cgroup.kill", "1"))
			kill_all(dir);
		nanosleep(&wait, NULL);
	}
}

void os_cgroup_free(struct os_cgroup *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n; i++) {
		end(g->dir[i]);
		free(g->dir[i]);
	}
	free(g->memory);
	free(g->name);
	free(g);
}

static unsigned sweep_in(const char *dir, const char *name)
{
	DIR *d = opendir(dir);
	size_t n = strlen(name);
	struct dirent *de;
	unsigned found = 0;

	while (d != NULL && (de = readdir(d)) != NULL) {
		char *last, *path;
		long long pid;

		if (strncmp(de->d_name, name, n) != 0 || de->d_name[n] != '-')
			continue;
		pid = strtoll(de->d_name + n + 1, &last, 10);
		if (*last != '\0' || pid <= 1 || os_process_lives(pid, INT64_MAX))
			continue;
		path = mem_printf("%s/%s", dir, de->d_name);
		end(path);
		free(path);
		found++;
	}
	if (d != NULL)
		closedir(d);
	return found;
}

unsigned os_cgroup_sweep(const char *name)
{
	struct places p = {.n = 0};
	unsigned found = 0;

	places_find(&p);
	for (size_t i = 0; i < p.n; i++) {
		char *own = mem_printf("%s%s", p.v[i].mount, p.v[i].own);

		found += sweep_in(p.v[i].mount, name);
		if (strcmp(p.v[i].own, "/") != 0)
			found += sweep_in(own, name);
		free(own);
	}
	places_fini(&p);
	return found;
}
