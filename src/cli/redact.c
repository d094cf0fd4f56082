/* redact: see redact.h. */
#include "cli/redact.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/cli_audit.h"
#include "config/secret_ref.h"
#include "crypto/crypto.h"
#include "crypto/secret.h"

/* Shorter ones would take ordinary words out of a text, and protect nothing. */
enum { SECRET_LEAST = 4 };

struct redact {
	char **v;
	size_t n;
};

bool redact_is_secret_name(const char *name)
{
	static const char *const parts[] = {"pass", "secret", "token", "credential", "auth",
	    "webhook", "key", "sas", "account_sid"};
	char low[128];
	size_t n = 0;

	for (; name[n] && n + 1 < sizeof low; n++)
		low[n] = (char)tolower((unsigned char)name[n]);
	low[n] = '\0';
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strstr(low, parts[i]) != NULL)
			return true;
	return false;
}

static void add_one(struct redact *r, const char *s, size_t n)
{
	if (n < SECRET_LEAST)
		return;
	r->v = mem_realloc(r->v, (r->n + 1) * sizeof *r->v);
	r->v[r->n++] = mem_strndup(s, n);
}

/* As JSON writes it, where that is not the same. */
static void add_quoted(struct redact *r, const char *secret, size_t flags)
{
	json_t *j = json_string(secret);
	char *quoted = j ? json_dumps(j, JSON_ENCODE_ANY | flags) : NULL;
	size_t n = quoted ? strlen(quoted) : 0;

	if (n > 2 && strncmp(quoted + 1, secret, n - 2) != 0)
		add_one(r, quoted + 1, n - 2);
	if (quoted != NULL)
		crypto_wipe(quoted, n);
	free(quoted);
	json_decref(j);
}

/* Its words too: of a key file the digits alone open everything. */
static void add(struct redact *r, const char *secret)
{
	size_t n = strlen(secret);

	while (n > 0 && isspace((unsigned char)secret[n - 1]))
		n--;
	add_one(r, secret, n);
	add_quoted(r, secret, 0);
	add_quoted(r, secret, JSON_ENSURE_ASCII);
	for (const char *p = secret; *p;) {
		size_t w = strcspn(p, " \t\r\n");

		if (w >= 8 && w < n)
			add_one(r, p, w);
		p += w + (p[w] != '\0');
	}
}

/* "scheme://user:password@host" */
static void add_url(struct redact *r, const char *text)
{
	const char *at = strstr(text, "://"), *end, *colon;
	char *s;

	if (at == NULL)
		return;
	at += 3;
	end = at + strcspn(at, "/?# ");
	while (end > at && *end != '@')
		end--;
	colon = memchr(at, ':', (size_t)(end - at));
	if (*end != '@' || colon == NULL)
		return;
	s = mem_strndup(colon + 1, (size_t)(end - colon - 1));
	add(r, s);
	free(s);
}

static bool is_reference(const char *s)
{
	return strncmp(s, "file:", 5) == 0 || strncmp(s, "env:", 4) == 0 ||
	       strncmp(s, "credential:", 11) == 0;
}

static void add_node(struct redact *r, const struct node *n)
{
	struct err ignored;
	char *secret;
	size_t len;

	for (const struct node *x = n->first; x != NULL; x = x->next)
		add_node(r, x);
	if (n->kind != NODE_TEXT)
		return;
	add_url(r, n->text);
	if (is_reference(n->text) && secret_ref_read(n->text, &secret, &len, &ignored) == 0) {
		char *text = mem_strndup(secret, len);

		add(r, text);
		crypto_wipe(text, strlen(text));
		free(text);
		secret_free(secret);
	}
}

/* The longest first: of one that stands in another no rest remains. */
static int by_length(const void *a, const void *b)
{
	size_t x = strlen(*(char *const *)a), y = strlen(*(char *const *)b);

	return (x < y) - (x > y);
}

struct redact *redact_new(const struct node *config, char *const *environment)
{
	struct redact *r = mem_zalloc(sizeof *r);

	if (config != NULL)
		add_node(r, config);
	for (; environment != NULL && *environment != NULL; environment++) {
		const char *eq = strchr(*environment, '=');
		char *name = eq ? mem_strndup(*environment, (size_t)(eq - *environment)) : NULL;

		if (eq != NULL)
			add_url(r, eq + 1);
		/* A path to a secret is none, and stands in many texts. */
		if (name != NULL && redact_is_secret_name(name) && eq[1] != '/')
			add(r, eq + 1);
		free(name);
	}
	if (r->n > 0)
		qsort(r->v, r->n, sizeof *r->v, by_length);
	return r;
}

void redact_free(struct redact *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n; i++) {
		crypto_wipe(r->v[i], strlen(r->v[i]));
		free(r->v[i]);
	}
	free(r->v);
	free(r);
}

static void replace(struct buf *b, const char *what)
{
	size_t n = strlen(what);
	struct buf out = {0};
	const uint8_t *p = b->p, *end = b->p + b->n, *hit;

	while (p < end && (hit = memmem(p, (size_t)(end - p), what, n)) != NULL) {
		buf_put(&out, p, (size_t)(hit - p));
		buf_printf(&out, "<secret>");
		p = hit + n;
	}
	if (p < end)
		buf_put(&out, p, (size_t)(end - p));
	if (b->p != NULL)
		crypto_wipe(b->p, b->n);
	buf_fini(b);
	*b = out;
}

void redact_text(const struct redact *r, struct buf *b)
{
	for (size_t i = 0; i < r->n; i++)
		if (b->n > 0 && memmem(b->p, b->n, r->v[i], strlen(r->v[i])) != NULL)
			replace(b, r->v[i]);
}

/* The host alone: the rest of many a URL that tells people is as good as a password. */
static char *host_of(const char *text)
{
	const char *host = strstr(text, "://") + 3;
	size_t n = strcspn(host, "/?#");

	if (memchr(host, '@', n) != NULL)
		return mem_strdup("<left out>");
	return mem_printf("%.*s%s", (int)(host + n - text), text, host[n] ? "/<left out>" : "");
}

/* What may be shown of a value, by its path, its own name and that of what it is in; new text. */
static char *shown(const char *at, const char *in, const char *name, const char *text)
{
	bool tells = strncmp(at, "notify.", 7) == 0;

	if (is_reference(text))
		return mem_strdup(text);
	if (strncmp(text, "command:", 8) == 0)
		return mem_strdup("command:<left out>");
	if (strcmp(in, "environment") == 0 || strcmp(name, "run") == 0 ||
	    strcmp(name, "command") == 0 || strcmp(name, "headers") == 0 ||
	    strcmp(in, "headers") == 0 || redact_is_secret_name(name))
		return mem_printf("<left out, %zu bytes>", strlen(text));
	if (tells && strstr(text, "://") != NULL)
		return host_of(text);
	return audit_clean(text);
}

static void put(const struct node *n, const char *in, const char *path, struct buf *out)
{
	size_t i = 0;

	for (const struct node *x = n->first; x != NULL; x = x->next, i++) {
		/* What is in a list is named like the list. */
		const char *name = x->name ? x->name : in;
		char *at = x->name ? mem_printf("%s%s%s", path, path[0] ? "." : "", x->name)
				   : mem_printf("%s[%zu]", path, i);

		if (x->kind == NODE_TEXT) {
			char *text = shown(at, in, name, x->text);

			buf_printf(out, "%s: %s  # %s:%d\n", at, text, x->at.file ? x->at.file : "",
			    x->at.line);
			free(text);
		} else {
			put(x, name, at, out);
		}
		free(at);
	}
}

void redact_config(const struct node *config, struct buf *out)
{
	put(config, "", "", out);
}
