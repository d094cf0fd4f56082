/* world_catalog: where our own record is; see world.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/secret_ref.h"
#include "config/world_load.h"
#include "crypto/secret.h"
#include "os/os.h"

static bool is_server(const char *text)
{
	return strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
}

/* In the part before the '@', as in postgresql://user:password@host/name. */
static bool has_password(const char *url)
{
	const char *at = strstr(url, "://") + 3, *end = at + strcspn(at, "/?#");
	const char *user = memrchr(at, '@', (size_t)(end - at));

	return (user != NULL && memchr(at, ':', (size_t)(user - at)) != NULL) ||
	       strstr(end, "password=") != NULL;
}

static int from_reference(const char *ref, char **url, struct err *e)
{
	char *secret;
	size_t n;

	if (secret_ref_read(ref, &secret, &n, e) == -1)
		return err_wrap(e, "catalog");
	while (n > 0 && strchr("\r\n ", secret[n - 1]))
		n--;
	*url = mem_strndup(secret, n);
	secret_free(secret);
	return 0;
}

static bool is_place(const char *text)
{
	static const char *const places[] = {"sqlite:/", "/", "postgresql://", "postgres://"};

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strncmp(text, places[i], strlen(places[i])) == 0)
			return true;
	return false;
}

static int check(const char *text, struct err *e)
{
	if (is_server(text) && has_password(text)) {
		err_set(e, ERR_USAGE, "catalog: a password does not stand here");
		return err_hint(e, "write catalog: file:PATH, with the URL in that file, "
				   "or use ~/.pgpass");
	}
	if (is_place(text) || secret_ref_check(text, e) == 0)
		return 0;
	err_set(e, ERR_USAGE, "catalog: this is no place for it");
	return err_hint(e, "an absolute path, postgresql://HOST/DATABASE, or file:PATH or the like "
			   "where such a URL stands");
}

void world_check_catalog(const struct world *w, struct mistakes *m)
{
	struct err why, e;

	if (w->catalog == NULL || check(w->catalog, &why) == 0)
		return;
	node_fail(node_get(w->tree, "catalog")->at, &e, "%s", why.msg);
	err_hint(&e, "%s", why.hint);
	mistakes_add(m, &e);
}

static int declared(const char *text, char **url, struct err *e)
{
	if (check(text, e) == -1)
		return -1;
	if (!is_place(text))
		return from_reference(text, url, e);
	*url = mem_strdup(text);
	return 0;
}

static int usual(char **url, struct err *e)
{
	char *dir = os_state_dir();
	int rc = os_mkdirs(dir, 0700, e);

	if (rc == 0)
		*url = mem_printf("%s/catalog.db", dir);
	free(dir);
	return rc == 0 ? 0 : err_wrap(e, "catalog");
}

int world_catalog(const struct world *w, char *(*env)(const char *), char **url, struct err *e)
{
	const char *given = env ? env("HOLDFAST_CATALOG") : NULL;

	*url = NULL;
	if (given != NULL && given[0] != '\0') {
		*url = mem_strdup(given);
		return 0;
	}
	if (w != NULL && w->catalog != NULL)
		return declared(w->catalog, url, e);
	return usual(url, e);
}
