/* Runs store_suite over each driver and wrapper: store_suite_main NAME [threads|cold]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_drivers.h"
#include "suite/store_suite.h"

static struct store *open_fs(const char *place, bool create)
{
	struct store *s = NULL;
	struct err e;

	if (store_fs_open(place, create, &s, &e) == -1)
		fprintf(stderr, "%s\n", e.msg);
	return s;
}

/* Places are unique, so their paths do as names. */
static struct store *open_mem(const char *place, bool create)
{
	struct store *s = NULL;
	struct err e;

	if (store_mem_open(place, create, &s, &e) == -1)
		fprintf(stderr, "%s\n", e.msg);
	return s;
}

static struct store *open_retry(const char *place, bool create)
{
	return store_retry_new(open_fs(place, create), NULL);
}

static struct store *open_url(const char *place, bool create)
{
	struct store *s = NULL;
	struct err e;

	if (store_open(place, create, NULL, &s, &e) == -1)
		fprintf(stderr, "%s\n", e.msg);
	return s;
}

static enum err_kind never(void *arg, const char *op, const char *key, bool *after)
{
	return ERR_NONE;
}

static struct store *open_fault(const char *place, bool create)
{
	return store_fault_new(
	    open_mem(place, create), &(struct store_fault_plan){.decide = never});
}

/* Fast enough not to be felt, slow enough that every byte is counted. */
static struct store *open_limit(const char *place, bool create)
{
	struct store_limits l = {.upload = UINT64_C(1) << 40, .download = UINT64_C(1) << 40};

	return store_limit_new(open_fs(place, create), &l, NULL);
}

/* A driver that knows whole objects only. */
static struct store_ops plain;

static int (*mem_put)(struct store *, const char *, struct span, unsigned, struct err *);

static int plain_put(
    struct store *s, const char *key, struct span data, unsigned flags, struct err *e)
{
	return mem_put(s, key, data, flags & ~(unsigned)STORE_LAZY, e);
}

static struct store *open_spool(const char *place, bool create)
{
	struct store *s = open_mem(place, create);

	mem_put = s->ops->put;
	plain = *s->ops;
	plain.put = plain_put;
	plain.begin = NULL;
	plain.append = NULL;
	plain.commit = NULL;
	plain.sync = NULL;
	s->ops = &plain;
	return s;
}

static struct store *open_retry_spool(const char *place, bool create)
{
	return store_retry_new(open_spool(place, create), NULL);
}

/* A queue before a driver that knows whole objects only. */
static struct store *open_queue(const char *place, bool create)
{
	return store_queue_new(open_retry_spool(place, create), 3);
}

/*
 * Real servers: the variable has the URL of an empty place, below which each test has its own.
 * The key is the place's last two folders: unique in the run and free of odd characters.
 */
static struct store *open_remote(const char *place, bool create)
{
	static struct ctx ctx;
	const char *base = getenv("HOLDFAST_SUITE_URL"), *tail = strrchr(place, '/');
	struct store *s = NULL;
	char url[512];
	struct err e;

	if (base == NULL) {
		fprintf(stderr, "HOLDFAST_SUITE_URL is not set\n");
		return NULL;
	}
	while (tail > place && tail[-1] != '/')
		tail--;
	snprintf(url, sizeof url, "%s/%s", base, tail);
	if (store_open(url, create, &ctx, &s, &e) == -1)
		fprintf(stderr, "%s\n", e.msg);
	return s;
}

static const struct store_suite drivers[] = {
    {"fs", open_fs, true, true},
    {"mem", open_mem, true, true},
    {"retry", open_retry, true, true},
    {"url", open_url, true, true},
    {"fault", open_fault, true, true},
    {"limit", open_limit, true, true},
    {"spool", open_spool, false, false},
    {"retry-spool", open_retry_spool, false, false},
    {"queue", open_queue, false, false},
    {"remote", open_remote, false, false},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (argc > 1 && strcmp(argv[1], drivers[i].name) == 0)
			return store_suite_run(&drivers[i], argc > 2 ? argv[2] : NULL);
	fprintf(stderr, "usage: %s DRIVER [threads|cold]\n", argv[0]);
	return 2;
}
