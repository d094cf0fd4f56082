/* os: the clock, the machine and its user, and where files belong. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/mem.h"
#include "os/os.h"

static int64_t now_ns(clockid_t id)
{
	struct timespec t = {0};

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t wall_ns(struct clock *c)
{
	return now_ns(CLOCK_REALTIME);
}

static int64_t mono_ns(struct clock *c)
{
	return now_ns(CLOCK_BOOTTIME);
}

struct clock *os_clock(void)
{
	static struct clock c = {wall_ns, mono_ns};

	return &c;
}

struct clock *os_clock_of(const struct ctx *ctx)
{
	return ctx->clock ? ctx->clock : os_clock();
}

unsigned os_cpus(void)
{
	cpu_set_t set;
	long n;

	/* Machines with more processors than cpu_set_t holds refuse this one. */
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = CPU_COUNT(&set);
	else
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : (unsigned)n;
}

/* Each has buffers of some MiB, and a disk is busy long before it has more to do. */
unsigned os_workers(unsigned jobs)
{
	unsigned n = os_cpus();

	return jobs ? jobs : n < 8 ? n : 8;
}

static char host[256];

static void host_find(void)
{
	if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
		strcpy(host, "localhost");
}

const char *os_host(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, host_find);
	return host;
}

void os_user(char *out, size_t n)
{
	char tmp[4096];
	struct passwd pw, *found = NULL;

	if (getpwuid_r(geteuid(), &pw, tmp, sizeof tmp, &found) == 0 && found && *found->pw_name)
		snprintf(out, n, "%s", found->pw_name);
	else
		snprintf(out, n, "%lu", (unsigned long)geteuid());
}

bool os_login(char *out, size_t n)
{
	enum { NOBODY = -1 };
	struct buf b = {0};
	struct passwd pw, *found = NULL;
	struct err ignored;
	char tmp[4096];
	uid_t id = (uid_t)NOBODY;

	if (os_read_file("/proc/self/loginuid", 64, &b, &ignored) == 0)
		id = (uid_t)strtoul(buf_cstr(&b), NULL, 10);
	buf_fini(&b);
	if (id == (uid_t)NOBODY)
		return false;
	if (getpwuid_r(id, &pw, tmp, sizeof tmp, &found) == 0 && found && *found->pw_name)
		snprintf(out, n, "%s", found->pw_name);
	else
		snprintf(out, n, "%lu", (unsigned long)id);
	return true;
}

void os_raise_nofile(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

void os_settle_heap(void)
{
#ifdef __GLIBC__
	/*
	 * Without it the first large piece that is freed raises the limit to its size, and
	 * pieces below it are kept in heaps of each thread.
	 */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_TRIM_THRESHOLD, 256 << 10);
#endif
}

void os_sleep_ns(struct ctx *ctx, int64_t ns)
{
	enum { STEP = 50 * 1000 * 1000 }; /* how late a cancel may be seen */
	int64_t end = now_ns(CLOCK_BOOTTIME) + ns;

	while (!ctx_cancelled(ctx)) {
		int64_t left = end - now_ns(CLOCK_BOOTTIME);

		if (left <= 0)
			break;
		nanosleep(&(struct timespec){.tv_nsec = left < STEP ? left : STEP}, NULL);
	}
}

char *os_real_path(const char *path)
{
	return realpath(path, NULL);
}

/* The home directory: what the user says, else what the system says. */
static char *home_dir(void)
{
	const char *home = getenv("HOME");
	char tmp[4096];
	struct passwd pw, *found = NULL;

	if (home != NULL && home[0] == '/')
		return mem_strdup(home);
	if (getpwuid_r(geteuid(), &pw, tmp, sizeof tmp, &found) == 0 && found && *found->pw_dir)
		return mem_strdup(found->pw_dir);
	return mem_strdup("/");
}

static char *place(const char *own, const char *root, const char *xdg, const char *under_home)
{
	const char *v = getenv(own);
	char *home, *out;

	if (v != NULL && *v)
		return mem_strdup(v);
	if (geteuid() == 0)
		return mem_strdup(root);
	/* The XDG specification has relative paths ignored. */
	if ((v = getenv(xdg)) != NULL && v[0] == '/')
		return mem_printf("%s/holdfast", v);
	home = home_dir();
	out = mem_printf("%s/%s/holdfast", home, under_home);
	free(home);
	return out;
}

char *os_cache_dir(void)
{
	return place("HOLDFAST_CACHE_DIR", "/var/cache/holdfast", "XDG_CACHE_HOME", ".cache");
}

char *os_state_dir(void)
{
	return place("HOLDFAST_STATE_DIR", "/var/lib/holdfast", "XDG_STATE_HOME", ".local/state");
}

char *os_runtime_dir(void)
{
	return place("HOLDFAST_RUNTIME_DIR", "/run/holdfast", "XDG_RUNTIME_DIR", ".local/run");
}

struct deep {
	void (*f)(void *);
	void *arg;
};

static void *deep_main(void *arg)
{
	struct deep *d = arg;

	d->f(d->arg);
	return NULL;
}

void os_call_deep(void (*f)(void *), void *arg)
{
	struct deep d = {f, arg};
	pthread_attr_t attr;
	pthread_t t;
	bool started;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)512 << 20);
	started = pthread_create(&t, &attr, deep_main, &d) == 0;
	pthread_attr_destroy(&attr);
	if (started)
		pthread_join(t, NULL);
	else
		f(arg);
}

mode_t os_umask(void)
{
	/* It can only be asked for by setting it: to the safest for that moment. */
	mode_t mask = umask(077);

	umask(mask);
	return mask;
}

size_t os_nofile(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == -1)
		return 1024;
	return l.rlim_cur == RLIM_INFINITY || l.rlim_cur > 1 << 20 ? 1 << 20 : (size_t)l.rlim_cur;
}

void os_hide_core(void)
{
	int fd = os_open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC, 0);

	/* As good as it goes: where there is no /proc there is nothing to set. */
	if (fd == -1)
		return;
	(void)os_write_all(fd, "0", 1);
	os_close(fd);
}

int os_space(const char *path, uint64_t *left, uint64_t *all)
{
	struct statvfs st;

	if (statvfs(path, &st) == -1)
		return -1;
	*left = (uint64_t)st.f_bavail * st.f_frsize;
	*all = (uint64_t)st.f_blocks * st.f_frsize;
	return 0;
}

int os_is_mount_point(const char *path, bool *is)
{
	struct statx st;

	if (statx(AT_FDCWD, path, 0, STATX_TYPE, &st) == -1)
		return -1;
	*is = st.stx_attributes_mask & st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return 0;
}
