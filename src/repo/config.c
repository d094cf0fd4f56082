/* config: see config.h.  Reading is here, changing in config_change.c. */
#include "repo/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/config_internal.h"
#include "repo/parity.h"

const struct config_family config_families[] = {
    [CRYPTO_BLAKE3] = {"blake3", "blake3"},
    [CRYPTO_SHA2] = {"sha256", "hmac-sha256"},
};

enum { FAMILIES = sizeof config_families / sizeof *config_families };

static const size_t CANONICAL = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII;

void config_fini(struct config *c)
{
	json_decref(c->json);
	free(c->writers);
	free(c->domains);
	free(c->epochs);
	memset(c, 0, sizeof *c);
}

static int bad(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "config: %s is missing or malformed", what);
}

/* Lower case only: the signature is not signed itself, so its case would be anybody's choice. */
static bool get_hex(const json_t *o, const char *key, uint8_t *out, size_t n)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL && strlen(s) == 2 * n && strspn(s, "0123456789abcdef") == 2 * n &&
	       hex_decode(out, n, s);
}

static bool get_int(const json_t *o, const char *key, int64_t min, int64_t max, int64_t *out)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v))
		return false;
	*out = json_integer_value(v);
	return *out >= min && *out <= max;
}

static bool is_text(const json_t *o, const char *key, const char *want)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL && strcmp(s, want) == 0;
}

static int parse_chunker(struct config *c, const json_t *o, struct err *e)
{
	int64_t min, avg, max;

	if (!is_text(o, "name", "gear") || !get_int(o, "min", 4096, FORMAT_BLOB_MAX, &min) ||
	    !get_int(o, "avg", min, FORMAT_BLOB_MAX, &avg) ||
	    !get_int(o, "max", avg, FORMAT_BLOB_MAX, &max) || (avg & (avg - 1)) != 0)
		return bad(e, "chunker");
	c->chunk_min = (uint32_t)min;
	c->chunk_avg = (uint32_t)avg;
	c->chunk_max = (uint32_t)max;
	return 0;
}

static int parse_domains(struct config *c, const json_t *list, struct err *e)
{
	size_t n = json_array_size(list);

	if (n == 0)
		return bad(e, "domains");
	c->domains = mem_zalloc(n * sizeof *c->domains);
	c->ndomains = n;
	for (size_t i = 0; i < n; i++)
		if (!get_hex(json_array_get(list, i), "id", c->domains[i], FORMAT_UID))
			return bad(e, "domains");
	return 0;
}

bool config_has_domain(const struct config *c, const uint8_t id[FORMAT_UID])
{
	for (size_t i = 0; i < c->ndomains; i++)
		if (memcmp(c->domains[i], id, FORMAT_UID) == 0)
			return true;
	return false;
}

void config_name_writer(struct config_writer *w, const char *label)
{
	char hex[2 * FORMAT_UID + 1];
	size_t n = label ? strnlen(label, 60) : 0;

	hex_encode(hex, w->id, FORMAT_UID);
	while (n > 0 && !utf8_valid(span_of(label, n)))
		n--;
	if (n > 0)
		snprintf(w->text, sizeof w->text, "%.8s (%.*s)", hex, (int)n, label);
	else
		snprintf(w->text, sizeof w->text, "%.8s", hex);
}

static bool parse_writer(const struct config *c, const json_t *w, struct config_writer *out)
{
	const char *role = json_string_value(json_object_get(w, "role"));
	const json_t *removed = json_object_get(w, "removed");

	if (role == NULL || !get_hex(w, "id", out->id, FORMAT_UID) ||
	    (!json_is_null(removed) && !json_is_string(removed)))
		return false;
	out->removed = json_is_string(removed);
	if (!role_parse(role, &out->role)) {
		/* Of a later version: it signs nothing here, and the rest is not ours to judge. */
		out->role = ROLES;
		config_name_writer(out, json_string_value(json_object_get(w, "label")));
		return true;
	}
	if (out->role != ROLE_MAINTENANCE &&
	    (!get_hex(w, "domain", out->domain, FORMAT_UID) || !config_has_domain(c, out->domain)))
		return false;
	if (!get_hex(w, "key", out->key, CRYPTO_KEY) || !get_hex(w, "own", out->own, CRYPTO_KEY) ||
	    !crypto_x25519_good(out->own))
		return false;
	config_name_writer(out, json_string_value(json_object_get(w, "label")));
	return true;
}

static int parse_writers(struct config *c, const json_t *list, struct err *e)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list))
		return bad(e, "writers");
	c->writers = mem_zalloc(n * sizeof *c->writers);
	c->nwriters = n;
	for (size_t i = 0; i < n; i++)
		if (!parse_writer(c, json_array_get(list, i), &c->writers[i]))
			return bad(e, "writers");
	return 0;
}

/* Past epochs: every one before the present, in order. */
static int parse_epochs(struct config *c, const json_t *list, struct err *e)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n + 1 != c->epoch)
		return bad(e, "epochs");
	c->epochs = mem_zalloc(n * sizeof *c->epochs);
	c->nepochs = n;
	for (size_t i = 0; i < n; i++) {
		const json_t *o = json_array_get(list, i);
		struct config_epoch *x = &c->epochs[i];
		int64_t number;

		if (!get_int(o, "epoch", (int64_t)i + 1, (int64_t)i + 1, &number) ||
		    !get_hex(o, "content", x->content, CRYPTO_KEY) ||
		    !get_hex(o, "structure", x->structure, CRYPTO_KEY) ||
		    !get_hex(o, "sealed_content", x->sealed_content, EPOCH_SEALED) ||
		    !get_hex(o, "sealed_structure", x->sealed_structure, EPOCH_SEALED))
			return bad(e, "epochs");
		x->epoch = (uint16_t)number;
	}
	return 0;
}

static int parse_families(struct config *c, struct err *e)
{
	bool hash = false, id = false;

	for (size_t i = 0; i < FAMILIES; i++) {
		if (is_text(c->json, "object_hash", config_families[i].object_hash)) {
			c->object_hash = (enum crypto_family)i;
			hash = true;
		}
		if (is_text(c->json, "blob_id", config_families[i].blob_id)) {
			c->blob_id = (enum crypto_family)i;
			id = true;
		}
	}
	if (hash && id)
		return 0;
	err_set(e, ERR_UNSUPPORTED, "config: %s names an algorithm that is unknown here",
	    hash ? "blob_id" : "object_hash");
	return err_hint(e, "a newer holdfast made this repository; use that one");
}

/* What a reader must know. */
static int parse_required(struct config *c, const json_t *required, struct err *e)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(required))
		return bad(e, "required");
	json_array_foreach(required, i, item)
	{
		const char *name = json_string_value(item);

		if (name == NULL || strcmp(name, CONFIG_PAGES) != 0) {
			err_set(e, ERR_UNSUPPORTED, "repository needs the feature '%s'",
			    name ? name : "?");
			return err_hint(e, "a newer holdfast made this repository; use that one");
		}
		c->pages = true;
	}
	return 0;
}

/* What decides whether the rest can be understood at all. */
static int parse_version(struct config *c, struct err *e)
{
	const json_t *o = c->json;
	int64_t v;

	if (!get_int(o, "format", 0, INT32_MAX, &v))
		return bad(e, "format");
	if (v != FORMAT_VERSION) {
		err_set(e, ERR_UNSUPPORTED, "repository has format version %lld", (long long)v);
		return err_hint(
		    e, "this program reads version %d; use a newer one", FORMAT_VERSION);
	}
	return parse_required(c, json_object_get(o, "required"), e) == -1 ? -1
									  : parse_families(c, e);
}

/* This version knows no feature that a writer must know. */
static int parse_to_write(struct config *c, struct err *e)
{
	const json_t *list = json_object_get(c->json, "required_to_write");
	const char *name = json_string_value(json_array_get(list, 0));

	if (list != NULL && !json_is_array(list))
		return bad(e, "required_to_write");
	if (json_array_size(list) > 0)
		snprintf(c->unwritable, sizeof c->unwritable, "%s", name && *name ? name : "?");
	return 0;
}

static int parse_keys(struct config *c, struct err *e)
{
	const json_t *o = c->json;

	if (!get_hex(o, "repository", c->repo, FORMAT_UID))
		return bad(e, "repository");
	if (!get_hex(o, "root", c->root, CRYPTO_KEY) ||
	    !get_hex(o, "content", c->content, CRYPTO_KEY) ||
	    !get_hex(o, "structure", c->structure, CRYPTO_KEY) || !crypto_x25519_good(c->content) ||
	    !crypto_x25519_good(c->structure))
		return bad(e, "public keys");
	return 0;
}

static int parse_numbers(struct config *c, struct err *e)
{
	const json_t *o = c->json;
	int64_t v;

	if (!get_int(o, "revision", 1, INT64_MAX, &v))
		return bad(e, "revision");
	c->revision = (uint64_t)v;
	if (!get_int(o, "epoch", 1, UINT16_MAX, &v))
		return bad(e, "epoch");
	c->epoch = (uint16_t)v;
	if (!get_int(o, "grace", 0, (int64_t)10 * 366 * 86400, &c->grace_s))
		return bad(e, "grace");
	v = 0;
	if (json_object_get(o, "parity") != NULL &&
	    !get_int(o, "parity", PARITY_SHARE_MIN, PARITY_SHARE_MAX, &v))
		return bad(e, "parity");
	c->parity = (unsigned)v;
	return 0;
}

static int parse_fields(struct config *c, struct err *e)
{
	const json_t *o = c->json;

	if (parse_version(c, e) == -1 || parse_to_write(c, e) == -1 || parse_numbers(c, e) == -1 ||
	    parse_keys(c, e) == -1 || parse_domains(c, json_object_get(o, "domains"), e) == -1 ||
	    parse_epochs(c, json_object_get(o, "epochs"), e) == -1 ||
	    parse_chunker(c, json_object_get(o, "chunker"), e) == -1)
		return -1;
	return parse_writers(c, json_object_get(o, "writers"), e);
}

/* The signature is of what is said; a flipped bit may say the same in other bytes. */
static bool is_canonical(const json_t *json, struct span text)
{
	char *s = json_dumps(json, CANONICAL);
	bool same = s != NULL && span_eq(span_str(s), text);

	free(s);
	return same;
}

static int check_canonical(const struct config *c, struct span text, struct err *e)
{
	if (is_canonical(c->json, text))
		return 0;
	return err_set(e, ERR_CORRUPT, "config: not written as Holdfast writes it");
}

int config_parse(struct span text, struct config *out, struct err *e)
{
	json_error_t je;

	memset(out, 0, sizeof *out);
	out->json = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &je);
	if (!json_is_object(out->json)) {
		err_set(e, ERR_CORRUPT, "config: not a JSON object");
		config_fini(out);
		return -1;
	}
	if (parse_fields(out, e) == -1 || check_canonical(out, text, e) == -1) {
		config_fini(out);
		return -1;
	}
	crypto_sha256(text, out->self);
	return 0;
}

/* "holdfast/<format> config" and the canonical text of all but the signature. */
void config_sign_text(const json_t *json, struct buf *out)
{
	json_t *o = json_copy((json_t *)(uintptr_t)json);
	char *s;

	json_object_del(o, "signature");
	s = json_dumps(o, CANONICAL);
	buf_printf(out, "holdfast/%lld config",
	    (long long)json_integer_value(json_object_get(o, "format")));
	buf_put_span(out, span_str(s));
	free(s);
	json_decref(o);
}

static bool is_signed_by(const json_t *json, const uint8_t root[CRYPTO_KEY])
{
	struct buf text = {0};
	uint8_t sig[CRYPTO_SIG];
	bool ok;

	config_sign_text(json, &text);
	ok = get_hex(json, "signature", sig, sizeof sig) &&
	     crypto_verify(root, buf_span(&text), sig);
	buf_fini(&text);
	return ok;
}

bool config_is_signed(struct span text)
{
	json_t *o = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	uint8_t root[CRYPTO_KEY];
	bool ok = json_is_object(o) && get_hex(o, "root", root, sizeof root) &&
		  is_signed_by(o, root);

	json_decref(o);
	return ok;
}

static uint64_t claimed(const json_t *o, const char *key)
{
	int64_t v;

	return get_int(o, key, 0, INT64_MAX, &v) ? (uint64_t)v : UINT64_MAX;
}

bool config_claim(struct span text, struct config_claim *out)
{
	json_t *o = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	bool ok = json_is_object(o) && get_hex(o, "root", out->root, sizeof out->root) &&
		  is_signed_by(o, out->root) && is_canonical(o, text);

	out->revision = claimed(o, "revision");
	out->epoch = claimed(o, "epoch");
	crypto_sha256(text, out->self);
	json_decref(o);
	return ok;
}

int config_verify(const struct config *c, const uint8_t root[CRYPTO_KEY], struct err *e)
{
	if (!crypto_equal(root, c->root, CRYPTO_KEY)) {
		err_set(e, ERR_CORRUPT, "config: its root key is not the one in your key");
		return err_hint(e, "somebody replaced config; restore it from a copy");
	}
	if (!is_signed_by(c->json, root)) {
		err_set(e, ERR_CORRUPT, "config: signature is wrong");
		return err_hint(e, "config was changed or damaged: restore it from a copy, or from "
				   "its sheet with key import");
	}
	return 0;
}

void config_text(const struct config *c, struct buf *out)
{
	char *s = json_dumps(c->json, CANONICAL);

	buf_put_span(out, span_str(s));
	free(s);
}

const struct config_writer *config_writer(const struct config *c, const uint8_t signer[FORMAT_UID])
{
	for (size_t i = 0; i < c->nwriters; i++)
		if (memcmp(c->writers[i].id, signer, FORMAT_UID) == 0)
			return &c->writers[i];
	return NULL;
}

const uint8_t *config_writer_key(
    const void *config, enum format_type type, const uint8_t signer[FORMAT_UID])
{
	const struct config_writer *w = config_writer(config, signer);

	return w && role_may_sign(w->role, type) ? w->key : NULL;
}

json_t *config_writer_json(const struct config *c, size_t i)
{
	return json_array_get(json_object_get(c->json, "writers"), i);
}

const char *config_writer_text(
    const struct config *c, const uint8_t id[FORMAT_UID], const char *field)
{
	const struct config_writer *w = config_writer(c, id);
	const char *s = NULL;

	if (w != NULL)
		s = json_string_value(
		    json_object_get(config_writer_json(c, (size_t)(w - c->writers)), field));
	return s ? s : "";
}

bool config_writer_newest(const struct config *c, const uint8_t id[FORMAT_UID],
    const uint8_t client[FORMAT_UID], uint64_t *newest)
{
	const struct config_writer *w = config_writer(c, id);
	const json_t *all;
	char hex[2 * FORMAT_UID + 1];

	if (w == NULL || !w->removed)
		return false;
	all = json_object_get(config_writer_json(c, (size_t)(w - c->writers)), "newest");
	hex_encode(hex, client, FORMAT_UID);
	*newest = (uint64_t)json_integer_value(json_object_get(all, hex));
	return json_is_object(all);
}
