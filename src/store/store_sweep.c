/* store_sweep: what cut uploads left in tmp/ of stores behind a wire.  See store_drivers.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/s3_put.h"
#include "store/store_drivers.h"

static const char FOLDER[] = "tmp/";

enum { NAME_LEN = 16 };

/*
 * As the drivers name them, or a server that writes beside it (nginx:
 * NAME.0000000024): nothing else that somebody keeps there is ours to remove.
 */
static bool is_upload(const char *key)
{
	const char *name = key + sizeof FOLDER - 1;

	return strncmp(key, FOLDER, sizeof FOLDER - 1) == 0 && strlen(name) < STORE_KEY_MAX &&
	       strspn(name, "0123456789abcdef") == NAME_LEN &&
	       (name[NAME_LEN] == '\0' || (name[NAME_LEN] == '.' && store_key_valid(name)));
}

bool store_key_listed(const char *folder, const char *key)
{
	return store_key_valid(key) || (strcmp(folder, FOLDER) == 0 && is_upload(key));
}

struct sweep {
	int64_t before_ns;
	char **keys;
	size_t n;
};

static int take_old(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct sweep *s = arg;

	(void)e;
	if (!is_upload(key) || st->mtime_ns > s->before_ns)
		return 0;
	s->keys = mem_realloc(s->keys, (s->n + 1) * sizeof *s->keys);
	s->keys[s->n++] = mem_strdup(key);
	return 0;
}

int store_uploads_sweep(struct store *s, int64_t before_ns, uint64_t *removed, struct err *e)
{
	struct sweep sweep = {.before_ns = before_ns};
	struct store *driver = s;
	int rc;

	*removed = 0;
	while (driver->under)
		driver = driver->under;
	if (store_s3_of(s))
		return s3_uploads_sweep(store_s3_of(s), before_ns, removed, e) == 0
			   ? 0
			   : err_wrap(e, "%s: sweep", s->url);
	if (!driver->leaves_uploads)
		return 0;
	/* The ops themselves: no key of anybody's begins so. */
	rc = s->ops->list(s, FOLDER, take_old, &sweep, e);
	for (size_t i = 0; i < sweep.n; i++) {
		if (rc == 0 && (rc = s->ops->del(s, sweep.keys[i], e)) == 0)
			(*removed)++;
		free(sweep.keys[i]);
	}
	free(sweep.keys);
	return rc == 0 ? 0 : err_wrap(e, "%s: sweep", s->url);
}
