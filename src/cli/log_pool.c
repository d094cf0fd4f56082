/* log_pool: see log_pool.h. */
#include "cli/log_pool.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/wal_file.h"

enum {
	PLACES = 2, /* so that one waits for the disk while another works */
	AHEAD = 6,
	MANY = 4, /* that wait: it falls behind */
	ITEMS = 16,
	IDLE_S = 5,
};

enum item_state { ITEM_FREE, ITEM_WAITING, ITEM_BUSY, ITEM_DONE };

struct item { /* a file that was, or will be, stored ahead */
	enum item_state state;
	char name[WAL_FILE_NAME];
	char *folder; /* which it is in */
	bool hurry;   /* it came with many */
	uid_t owner;
	struct stat st; /* of what was read */
	uint64_t number;
};

struct log_pool {
	struct cli *c;
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct log_place *place[PLACES]; /* the first is always there */
	bool taken[PLACES];
	struct item items[ITEMS];
	uint64_t count; /* of items, ever */
	bool hurry;     /* many waited when that was last looked at */
	pthread_t thread[PLACES];
	bool runs[PLACES], over[PLACES]; /* over: to be joined */
	bool stop;
};

struct log_pool *log_pool_new(struct cli *c, struct log_place *first)
{
	struct log_pool *p = mem_zalloc(sizeof *p);
	pthread_condattr_t a;

	p->c = c;
	p->place[0] = first;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&p->change, &a);
	pthread_condattr_destroy(&a);
	return p;
}

void log_pool_free(struct log_pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->change);
	pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < PLACES; i++)
		if (p->runs[i])
			pthread_join(p->thread[i], NULL);
	for (int i = 0; i < PLACES; i++)
		log_place_free(p->place[i]);
	for (int i = 0; i < ITEMS; i++)
		free(p->items[i].folder);
	pthread_cond_destroy(&p->change);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

const char *log_pool_system(const struct log_pool *p)
{
	return log_place_system(p->place[0]);
}

const char *log_pool_source(const struct log_pool *p)
{
	return log_place_source(p->place[0]);
}

/* With the lock, which is given up while none is free. */
static int take_place(struct log_pool *p)
{
	for (;;) {
		for (int i = 0; i < PLACES; i++) {
			struct err e;

			if (p->taken[i] ||
			    (p->place[i] == NULL &&
				log_place_new(p->c, log_pool_system(p), 0, &p->place[i], &e) == -1))
				continue;
			p->taken[i] = true;
			return i;
		}
		pthread_cond_wait(&p->change, &p->lock);
	}
}

static void give_place(struct log_pool *p, int i)
{
	p->taken[i] = false;
	pthread_cond_broadcast(&p->change);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static struct item *find_item(struct log_pool *p, const char *name)
{
	for (int i = 0; i < ITEMS; i++)
		if (p->items[i].state != ITEM_FREE && strcmp(p->items[i].name, name) == 0)
			return &p->items[i];
	return NULL;
}

static void drop_item(struct item *it)
{
	free(it->folder);
	*it = (struct item){.state = ITEM_FREE};
}

/* ---- Which come next. */

/* The folder of an open file, where it has this name there. */
static char *folder_of(int fd, const char *name)
{
	char link[64], path[4096];
	size_t len = strlen(name);
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= (ssize_t)len + 1 || path[0] != '/' || path[(size_t)n - len - 1] != '/' ||
	    memcmp(path + (size_t)n - len, name, len) != 0)
		return NULL;
	return mem_strndup(path, (size_t)n - len - 1);
}

/* "NAME.ready" of a whole segment. */
static bool is_ready(const char *entry, char name[WAL_FILE_NAME])
{
	static const char end[] = ".ready";
	size_t n = WAL_FILE_NAME - 1;
	struct wal_file f;
	struct err ignored;

	if (strlen(entry) != n + strlen(end) || strcmp(entry + n, end) != 0)
		return false;
	memcpy(name, entry, n);
	name[n] = '\0';
	return wal_file_parse(name, &f, &ignored) == 0 && f.kind == WAL_FILE_SEGMENT;
}

/* The first that are ready after this one, in the order in which they will come. */
static size_t find_ready(const char *folder, const char *after, char out[AHEAD][WAL_FILE_NAME])
{
	char *path = mem_printf("%s/archive_status", folder), name[WAL_FILE_NAME];
	DIR *d = opendir(path);
	size_t n = 0;

	free(path);
	for (struct dirent *x; d != NULL && (x = readdir(d)) != NULL;) {
		size_t at;

		if (!is_ready(x->d_name, name) || strcmp(name, after) <= 0 ||
		    (n == AHEAD && strcmp(name, out[n - 1]) >= 0))
			continue;
		n -= n == AHEAD;
		for (at = n; at > 0 && strcmp(out[at - 1], name) > 0; at--)
			memcpy(out[at], out[at - 1], WAL_FILE_NAME);
		memcpy(out[at], name, WAL_FILE_NAME);
		n++;
	}
	if (d != NULL)
		closedir(d);
	return n;
}

/* With the lock.  Of what nobody came for the oldest goes. */
static void add_item(struct log_pool *p, const char *folder, const char *name, uid_t owner)
{
	struct item *to = NULL;

	if (find_item(p, name) != NULL)
		return;
	for (int i = 0; i < ITEMS; i++) {
		struct item *it = &p->items[i];

		if (it->state == ITEM_FREE) {
			to = it;
			break;
		}
		if (it->state == ITEM_DONE && (to == NULL || it->number < to->number))
			to = it;
	}
	if (to == NULL)
		return;
	drop_item(to);
	to->state = ITEM_WAITING;
	to->folder = mem_strdup(folder);
	to->owner = owner;
	to->number = ++p->count;
	to->hurry = p->hurry;
	snprintf(to->name, sizeof to->name, "%s", name);
}

/* ---- Storing ahead. */

static bool store(
    struct log_place *place, const char *folder, const char *name, uid_t owner, struct stat *st)
{
	char *path = mem_printf("%s/%s", folder, name);
	int fd = os_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	enum log_put_outcome out;
	struct stat after;
	struct err ignored; /* who offers it is told when it fails again */
	bool ok = fd != -1 && os_fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
		  st->st_uid == owner && log_place_push(place, name, fd, &out, &ignored) == 0 &&
		  os_fstat(fd, &after) == 0 && same_file(st, &after);

	os_close(fd);
	free(path);
	return ok;
}

static struct item *next_item(struct log_pool *p)
{
	struct item *next = NULL;

	for (int i = 0; i < ITEMS; i++)
		if (p->items[i].state == ITEM_WAITING &&
		    (next == NULL || p->items[i].number < next->number))
			next = &p->items[i];
	return next;
}

/* With the lock: true if there is something to do. */
static bool wait_for_item(struct log_pool *p)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	while (!p->stop && next_item(p) == NULL)
		if (pthread_cond_timedwait(&p->change, &p->lock, &until) != 0)
			return false;
	return !p->stop;
}

/* With the lock, which is given up meanwhile. */
static void store_next(struct log_pool *p)
{
	int i = take_place(p);
	struct item *it = next_item(p);
	struct log_place *place;
	struct item now;
	bool ok;

	if (it == NULL || p->stop) {
		give_place(p, i);
		return;
	}
	it->state = ITEM_BUSY;
	now = *it; /* nobody touches one that is busy, but what it is in may move */
	place = p->place[i];
	pthread_mutex_unlock(&p->lock);
	log_place_hurry(place, now.hurry);
	ok = store(place, now.folder, now.name, now.owner, &now.st);
	pthread_mutex_lock(&p->lock);
	if (ok) {
		it->st = now.st;
		it->state = ITEM_DONE;
	} else {
		drop_item(it);
	}
	give_place(p, i);
}

struct worker {
	struct log_pool *p;
	int i;
};

static void *worker_main(void *arg)
{
	struct worker w = *(struct worker *)arg;

	free(arg);
	pthread_mutex_lock(&w.p->lock);
	while (wait_for_item(w.p))
		store_next(w.p);
	w.p->over[w.i] = true;
	pthread_mutex_unlock(&w.p->lock);
	return NULL;
}

/* With the lock. */
static void start_workers(struct log_pool *p)
{
	for (int i = 0; i < PLACES; i++) {
		struct worker *w;

		if (p->runs[i] && !p->over[i])
			continue;
		if (p->runs[i])
			pthread_join(p->thread[i], NULL); /* it is at its last step */
		w = mem_alloc(sizeof *w);
		*w = (struct worker){p, i};
		p->over[i] = false;
		p->runs[i] = pthread_create(&p->thread[i], NULL, worker_main, w) == 0;
		if (!p->runs[i])
			free(w);
	}
}

/* With the lock: what comes after this one is begun, unless enough of it is at hand. */
static void look_ahead(struct log_pool *p, uid_t who, const char *name, int fd)
{
	char names[AHEAD][WAL_FILE_NAME];
	struct stat st;
	unsigned after = 0;
	size_t n;
	char *folder;

	for (int i = 0; i < ITEMS; i++)
		after += p->items[i].state != ITEM_FREE && strcmp(p->items[i].name, name) > 0;
	if (p->stop || after >= AHEAD / 2 || strlen(name) != WAL_FILE_NAME - 1 ||
	    os_fstat(fd, &st) == -1 || (who != 0 && st.st_uid != who) ||
	    (folder = folder_of(fd, name)) == NULL)
		return;
	n = find_ready(folder, name, names);
	p->hurry = n >= MANY;
	for (size_t i = 0; i < n; i++)
		add_item(p, folder, names[i], st.st_uid);
	free(folder);
	if (next_item(p) == NULL)
		return;
	start_workers(p);
	pthread_cond_broadcast(&p->change);
}

/* With the lock: was it stored ahead, as it is? */
static bool take_stored(struct log_pool *p, const char *name, int fd)
{
	struct item *it;
	struct stat st;
	bool same;

	while ((it = find_item(p, name)) != NULL && it->state == ITEM_BUSY)
		pthread_cond_wait(&p->change, &p->lock);
	if (it == NULL)
		return false;
	same = it->state == ITEM_DONE && os_fstat(fd, &st) == 0 && same_file(&st, &it->st);
	drop_item(it);
	return same;
}

int log_pool_push(struct log_pool *p, uid_t who, const char *name, int fd,
    enum log_put_outcome *out, struct err *e)
{
	struct log_place *place;
	int i, rc = 0;

	*out = LOG_STORED;
	if (!log_place_may(p->place[0], who)) {
		err_set(e, ERR_DENIED, "user %u may not write the log of %s", (unsigned)who,
		    log_pool_system(p));
		return err_hint(e, "the owner of its data directory may, and root");
	}
	pthread_mutex_lock(&p->lock);
	look_ahead(p, who, name, fd);
	if (!take_stored(p, name, fd)) {
		i = take_place(p);
		place = p->place[i];
		log_place_hurry(place, p->hurry);
		pthread_mutex_unlock(&p->lock);
		rc = log_place_push(place, name, fd, out, e);
		pthread_mutex_lock(&p->lock);
		give_place(p, i);
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}
