/* api_token: see api_token.h.  The file that the daemon reads again is in api_token_file.c. */
#include "api/api_token.h"

#include <errno.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"

enum { FILE_MAX = 1 << 20 };

static const char *const scopes[API_SCOPES] = {
    [API_VIEWER] = "viewer",
    [API_OPERATOR] = "operator",
    [API_APPROVER] = "approver",
    [API_AUDITOR] = "auditor",
    [API_ADMIN] = "admin",
};

const char *api_scope_name(enum api_scope s)
{
	return s > 0 && s < API_SCOPES ? scopes[s] : "";
}

enum api_scope api_scope_of(const char *name)
{
	for (int i = 1; name != NULL && i < API_SCOPES; i++)
		if (strcmp(scopes[i], name) == 0)
			return (enum api_scope)i;
	return 0;
}

void api_tokens_fini(struct api_tokens *t)
{
	free(t->v);
	t->v = NULL;
	t->n = 0;
}

static bool good_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= API_TOKEN_NAME && name[0] != '-' && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789._-") == n;
}

static bool time_of(const json_t *j, int64_t *ns)
{
	struct calendar_time t;
	struct err e;

	*ns = 0;
	if (j == NULL || json_is_null(j))
		return true;
	if (!json_is_string(j) || calendar_parse_time(json_string_value(j), &t, &e) == -1)
		return false;
	*ns = t.ns;
	return true;
}

static bool token_of(const json_t *j, struct api_token *t)
{
	const char *name = json_string_value(json_object_get(j, "name"));
	const char *hash = json_string_value(json_object_get(j, "sha256"));

	memset(t, 0, sizeof *t);
	t->scope = api_scope_of(json_string_value(json_object_get(j, "scope")));
	if (name == NULL || !good_name(name) || hash == NULL || t->scope == 0 ||
	    !hex_decode(t->hash, sizeof t->hash, hash))
		return false;
	memcpy(t->name, name, strlen(name) + 1);
	return time_of(json_object_get(j, "created"), &t->created_ns) &&
	       time_of(json_object_get(j, "expires"), &t->expires_ns);
}

static int tokens_of(const json_t *doc, struct api_tokens *out, struct err *e)
{
	const json_t *list = json_object_get(doc, "tokens");
	size_t n = json_array_size(list);

	if (json_integer_value(json_object_get(doc, "schema")) != 1 || !json_is_array(list) ||
	    n > API_TOKENS_MAX)
		return err_set(e, ERR_CORRUPT, "it is no list of tokens");
	out->v = mem_zalloc((n + 1) * sizeof *out->v);
	for (; out->n < n; out->n++)
		if (!token_of(json_array_get(list, out->n), &out->v[out->n]))
			return err_set(e, ERR_CORRUPT, "token %zu is none", out->n + 1);
	return 0;
}

int api_tokens_load(const char *path, struct api_tokens *out, struct err *e)
{
	struct buf b = {0};
	struct stat st;
	json_t *doc = NULL;
	int rc = -1;

	memset(out, 0, sizeof *out);
	if (os_fstatat(AT_FDCWD, path, &st, 0) == -1)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	if (st.st_mode & 077) {
		err_set(e, ERR_DENIED, "%s: others may read it (mode %04o)", path,
		    (unsigned)st.st_mode & 07777);
		return err_hint(e, "chmod 600 it, and replace its tokens");
	}
	if (os_read_file(path, FILE_MAX, &b, e) == -1)
		goto out;
	doc = json_loadb((const char *)b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
	rc = tokens_of(doc, out, e);
	if (rc == -1)
		err_hint(e, "make it anew: remove the file, then holdfast token add");
out:
	if (rc == -1) {
		err_wrap(e, "%s", path);
		api_tokens_fini(out);
	}
	json_decref(doc);
	buf_fini(&b);
	return rc;
}

static json_t *time_json(int64_t ns)
{
	char text[CALENDAR_TEXT];

	return ns ? json_string(calendar_format_utc(text, ns)) : json_null();
}

static int save(const char *path, const struct api_tokens *t, struct err *e)
{
	json_t *list = json_array();
	char *text, hash[65];
	int rc;

	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", t->v[i].name, "scope",
			api_scope_name(t->v[i].scope), "sha256", hex_encode(hash, t->v[i].hash, 32),
			"created", time_json(t->v[i].created_ns), "expires",
			time_json(t->v[i].expires_ns)));
	list = json_pack("{s:i, s:o}", "schema", 1, "tokens", list);
	text = json_dumps(list, JSON_INDENT(1));
	rc = os_file_replace(path, span_str(text), 0600, e);
	free(text);
	json_decref(list);
	return rc;
}

/* Of two who change it at the same time one waits. */
static int locked_load(const char *path, struct api_tokens *t, int *lock, struct err *e)
{
	char *name = mem_printf("%s.lock", path), *slash;
	int rc = -1;
	bool busy;

	*lock = -1;
	slash = strrchr(name, '/');
	if (slash != NULL)
		*slash = '\0';
	if (slash == NULL || os_mkdirs(name, 0700, e) == 0) {
		if (slash != NULL)
			*slash = '/';
		*lock = os_open(name, O_RDWR | O_CREAT, 0600);
		rc = *lock == -1 ? err_sys(e, "%s", name) : os_lock(*lock, true, &busy, e);
	}
	free(name);
	return rc == -1 ? -1 : api_tokens_load(path, t, e);
}

static size_t named(const struct api_tokens *t, const char *name)
{
	size_t i = 0;

	while (i < t->n && strcmp(t->v[i].name, name) != 0)
		i++;
	return i;
}

int api_token_add(const char *path, const char *name, enum api_scope scope, int64_t now_ns,
    int64_t expires_ns, char text[API_TOKEN_TEXT], struct err *e)
{
	struct api_tokens t = {0};
	struct api_token *new;
	uint8_t bits[32];
	int lock = -1, rc = -1;

	if (!good_name(name)) {
		err_set(e, ERR_USAGE, "'%.64s' is not a name for a token", name);
		return err_hint(
		    e, "1 to 64 letters, digits, '_', '-' and '.', not begun by '-' or '.'");
	}
	if (locked_load(path, &t, &lock, e) == -1)
		goto out;
	if (named(&t, name) < t.n) {
		err_set(e, ERR_EXISTS, "there is a token '%s' already", name);
		err_hint(e, "remove it first: holdfast token remove %s", name);
		goto out;
	}
	if (t.n == API_TOKENS_MAX) {
		err_set(e, ERR_USAGE, "there are %d tokens already", API_TOKENS_MAX);
		goto out;
	}
	crypto_random(bits, sizeof bits);
	memcpy(text, "hft_", 4);
	hex_encode(text + 4, bits, sizeof bits);
	crypto_wipe(bits, sizeof bits);
	t.v = mem_realloc(t.v, (t.n + 1) * sizeof *t.v);
	new = &t.v[t.n++];
	memset(new, 0, sizeof *new);
	memcpy(new->name, name, strlen(name) + 1);
	new->scope = scope;
	new->created_ns = now_ns;
	new->expires_ns = expires_ns;
	crypto_sha256(span_str(text), new->hash);
	rc = save(path, &t, e);
out:
	os_close(lock);
	api_tokens_fini(&t);
	return rc;
}

int api_token_remove(const char *path, const char *name, struct err *e)
{
	struct api_tokens t = {0};
	int lock = -1, rc = -1;
	size_t i;

	if (locked_load(path, &t, &lock, e) == -1)
		goto out;
	i = named(&t, name);
	if (i == t.n) {
		err_set(e, ERR_ABSENT, "there is no token '%.64s'", name);
		goto out;
	}
	memmove(t.v + i, t.v + i + 1, (t.n - i - 1) * sizeof *t.v);
	t.n--;
	rc = save(path, &t, e);
out:
	os_close(lock);
	api_tokens_fini(&t);
	return rc;
}

const struct api_token *api_tokens_find(
    const struct api_tokens *t, struct span text, int64_t now_ns)
{
	const struct api_token *found = NULL;
	uint8_t hash[32];

	crypto_sha256(text, hash);
	for (size_t i = 0; i < t->n; i++)
		if (crypto_equal(hash, t->v[i].hash, sizeof hash))
			found = &t->v[i];
	return found && (found->expires_ns == 0 || now_ns < found->expires_ns) ? found : NULL;
}
