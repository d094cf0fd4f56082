/* evidence_drill: see evidence_drill.h. */
#include "catalog/evidence_drill.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "catalog/evidence_key.h"
#include "catalog/evidence_named.h"
#include "catalog/evidence_statement.h"
#include "os/os.h"

char *evidence_drill_dir(const char *state)
{
	return mem_printf("%s/drills", state);
}

static int read_key(const char *state, uint8_t key[CRYPTO_KEY], struct err *e)
{
	char *path = evidence_path_key(state);
	int rc = evidence_key_read(path, key, e);

	free(path);
	return rc;
}

/* Names of our own making; a record that came from elsewhere may say what it likes. */
static bool is_id(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	return n > 0 && n < 100 && s[0] != '.' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

int evidence_drill_put(
    const char *state, json_t *record, char hash[EVIDENCE_DRILL_HASH], struct err *e)
{
	const char *id = statement_text(record, "id");
	char *dir = evidence_drill_dir(state), *path = NULL, *line = NULL, *text = NULL;
	uint8_t key[CRYPTO_KEY], pub[CRYPTO_KEY], sum[32];
	int rc = -1;

	if (!is_id(id)) {
		err_set(e, ERR_BUG, "a drill's record without an id");
		goto out;
	}
	if (os_mkdirs(dir, 0700, e) == -1 || read_key(state, key, e) == -1)
		goto out;
	crypto_sign_public(key, pub);
	statement_put_hex(record, "key", pub, sizeof pub);
	line = statement_sign(record, key);
	crypto_wipe(key, sizeof key);
	crypto_sha256(span_str(line), sum);
	hex_encode(hash, sum, sizeof sum);
	path = mem_printf("%s/%s.json", dir, id);
	text = mem_printf("%s\n", line);
	rc = strlen(line) > EVIDENCE_LINE_MAX
		 ? err_set(e, ERR_BUG, "a drill's record of %zu bytes", strlen(line))
		 : os_file_replace(path, span_str(text), 0600, e);
out:
	free(dir);
	free(path);
	free(line);
	free(text);
	return rc == 0 ? 0 : err_wrap(e, "keep the drill's record");
}

/* ---- Reading. */

static int newest_first(const void *a, const void *b)
{
	return strcmp(*(char *const *)b, *(char *const *)a);
}

/* Names begin with the time. */
static char **names_in(const char *dir, size_t *n)
{
	DIR *d = opendir(dir);
	char **v = mem_alloc(sizeof *v);
	struct dirent *de;

	*n = 0;
	while (d != NULL && (de = readdir(d)) != NULL) {
		size_t len = strlen(de->d_name);

		if (len <= 5 || de->d_name[0] == '.' || strcmp(de->d_name + len - 5, ".json") != 0)
			continue;
		v = mem_realloc(v, (*n + 1) * sizeof *v);
		v[(*n)++] = mem_strdup(de->d_name);
	}
	if (d != NULL)
		closedir(d);
	qsort(v, *n, sizeof *v, newest_first);
	return v;
}

static int read_one(const char *dir, const char *name, struct buf *b, json_t **out)
{
	char *path = mem_printf("%s/%s", dir, name);
	struct err ignored;
	int rc = os_read_file(path, EVIDENCE_LINE_MAX + 1, b, &ignored);

	free(path);
	while (rc == 0 && b->n > 0 && b->p[b->n - 1] == '\n')
		b->n--;
	*out = rc == 0 ? json_loadb((const char *)b->p, b->n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	return json_is_object(*out) ? 0 : -1;
}

static bool is_of(const json_t *o, const char *system)
{
	const char *of = statement_text(o, "system");

	return system == NULL || (of != NULL && strcmp(of, system) == 0);
}

/* The names first: a drill that ends meanwhile is not met before the chain names it. */
int evidence_drill_list(const char *state, const char *system, evidence_drill_row *each, void *arg,
    size_t *bad, struct err *e)
{
	char *dir = evidence_drill_dir(state);
	size_t n;
	char **v = names_in(dir, &n);
	struct evidence_named *named = n > 0 ? evidence_named_read(state) : NULL;
	int rc = 0;

	*bad = 0;
	for (size_t i = 0; i < n; i++) {
		struct buf b = {0};
		json_t *o = NULL;

		if (rc == 0 && read_one(dir, v[i], &b, &o) == -1)
			(*bad)++;
		else if (rc == 0 && is_of(o, system) && !evidence_named_has(named, o, buf_span(&b)))
			(*bad)++;
		else if (rc == 0 && is_of(o, system))
			rc = each(arg, o, buf_span(&b), e);
		json_decref(o);
		buf_fini(&b);
		free(v[i]);
	}
	evidence_named_free(named);
	free(v);
	free(dir);
	return rc;
}
