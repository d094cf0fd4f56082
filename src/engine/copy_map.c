/* copy_map: see copy_map.h. */
#include "engine/copy_map.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "os/os.h"

enum {
	PROBES = 32,
	PLACES_MIN = 1 << 10,
	PLACES_MEMORY = 1 << 18, /* 16 MiB: where there is no file to put them */
	TRIM_EVERY = 1 << 16,    /* puts */
};
static const uint64_t PLACES_MAX = UINT64_C(1) << 28;

struct pair {
	struct id from, to;
};

struct copy_map {
	pthread_mutex_t lock;
	struct pair *v; /* an unused one is of zeros, which no id is */
	uint64_t places, puts;
	bool file;
};

/* A power of two, and at least twice as many as there are blobs. */
static uint64_t places_for(uint64_t blobs)
{
	uint64_t n = PLACES_MIN;

	while (n < PLACES_MAX && n / 2 < blobs)
		n *= 2;
	return n;
}

static size_t bytes(const struct copy_map *m)
{
	return (size_t)m->places * sizeof(struct pair);
}

static bool map_file(struct copy_map *m)
{
	const char *dir = getenv("TMPDIR");
	int fd = os_open(dir && *dir ? dir : "/var/tmp", O_TMPFILE | O_RDWR, 0600);
	void *p = MAP_FAILED;

	/* A disk that fills up under a mapping would be a signal: all of it is taken now. */
	if (fd != -1 && posix_fallocate(fd, 0, (off_t)bytes(m)) == 0)
		p = mmap(NULL, bytes(m), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	os_close(fd);
	m->v = p;
	m->file = p != MAP_FAILED;
	return m->file;
}

struct copy_map *copy_map_new(uint64_t blobs)
{
	struct copy_map *m = mem_zalloc(sizeof *m);

	pthread_mutex_init(&m->lock, NULL);
	m->places = places_for(blobs);
	if (m->places <= PLACES_MEMORY || !map_file(m)) {
		m->places = m->places < PLACES_MEMORY ? m->places : PLACES_MEMORY;
		m->v = mem_zalloc(bytes(m));
	}
	return m;
}

void copy_map_free(struct copy_map *m)
{
	if (m == NULL)
		return;
	if (m->file)
		munmap(m->v, bytes(m));
	else
		free(m->v);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* Where it is, or could be: the first free place after its own.  NULL: none near by. */
static struct pair *find(struct copy_map *m, const struct id *from)
{
	static const struct id none;
	uint64_t h;

	memcpy(&h, from->b, sizeof h);
	for (uint64_t i = 0; i < PROBES; i++) {
		struct pair *p = &m->v[(h + i) & (m->places - 1)];

		if (id_eq(&p->from, from) || id_eq(&p->from, &none))
			return p;
	}
	return NULL;
}

void copy_map_put(struct copy_map *m, const struct id *from, const struct id *to)
{
	struct pair *p;

	pthread_mutex_lock(&m->lock);
	p = find(m, from);
	if (p != NULL)
		*p = (struct pair){*from, *to};
	if (m->file && ++m->puts % TRIM_EVERY == 0)
		madvise(m->v, bytes(m), MADV_DONTNEED);
	pthread_mutex_unlock(&m->lock);
}

bool copy_map_get(struct copy_map *m, const struct id *from, struct id *to)
{
	const struct pair *p;
	bool found;

	pthread_mutex_lock(&m->lock);
	p = find(m, from);
	found = p != NULL && id_eq(&p->from, from);
	if (found)
		*to = p->to;
	pthread_mutex_unlock(&m->lock);
	return found;
}
