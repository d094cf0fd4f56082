/* config: see config.h. */
#include "repo/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/chunker.h"

/* What config calls the algorithms. */
static const struct {
	const char *object_hash, *blob_id;
} families[] = {
    [CRYPTO_BLAKE3] = {"blake3", "blake3"},
    [CRYPTO_SHA2] = {"sha256", "hmac-sha256"},
};

static const size_t CANONICAL = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII;

void config_fini(struct config *c)
{
	json_decref(c->json);
	free(c->writers);
	memset(c, 0, sizeof *c);
}

static int bad(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "config: %s is missing or malformed", what);
}

static bool get_hex(const json_t *o, const char *key, uint8_t *out, size_t n)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL && strlen(s) == 2 * n && hex_decode(out, n, s);
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

static int parse_writers(struct config *c, const json_t *list, struct err *e)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list))
		return bad(e, "writers");
	c->writers = mem_zalloc(n * sizeof *c->writers);
	c->nwriters = n;
	for (size_t i = 0; i < n; i++) {
		const json_t *w = json_array_get(list, i);

		if (!get_hex(w, "id", c->writers[i].id, FORMAT_UID) ||
		    !get_hex(w, "key", c->writers[i].key, CRYPTO_KEY))
			return bad(e, "writers");
	}
	return 0;
}

static int parse_families(struct config *c, struct err *e)
{
	bool hash = false, id = false;

	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		if (is_text(c->json, "object_hash", families[i].object_hash)) {
			c->object_hash = (enum crypto_family)i;
			hash = true;
		}
		if (is_text(c->json, "blob_id", families[i].blob_id)) {
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

static int parse_fields(struct config *c, struct err *e)
{
	const json_t *o = c->json, *required = json_object_get(o, "required");
	int64_t v;

	if (!get_int(o, "format", 0, INT32_MAX, &v))
		return bad(e, "format");
	if (v != FORMAT_VERSION) {
		err_set(e, ERR_UNSUPPORTED, "repository has format version %lld", (long long)v);
		return err_hint(
		    e, "this program reads version %d; use a newer one", FORMAT_VERSION);
	}
	if (!json_is_array(required))
		return bad(e, "required");
	if (json_array_size(required) > 0) {
		const char *name = json_string_value(json_array_get(required, 0));

		return err_set(
		    e, ERR_UNSUPPORTED, "repository needs the feature '%s'", name ? name : "?");
	}
	if (parse_families(c, e) == -1)
		return -1;
	if (!get_int(o, "revision", 1, INT64_MAX, &v))
		return bad(e, "revision");
	c->revision = (uint64_t)v;
	if (!get_int(o, "epoch", 1, UINT16_MAX, &v))
		return bad(e, "epoch");
	c->epoch = (uint16_t)v;
	if (!get_int(o, "grace", 0, (int64_t)10 * 366 * 86400, &c->grace_s))
		return bad(e, "grace");
	if (!get_hex(o, "repository", c->repo, FORMAT_UID))
		return bad(e, "repository");
	if (!get_hex(o, "root", c->root, CRYPTO_KEY) ||
	    !get_hex(o, "content", c->content, CRYPTO_KEY) ||
	    !get_hex(o, "structure", c->structure, CRYPTO_KEY))
		return bad(e, "public keys");
	if (!get_hex(json_array_get(json_object_get(o, "domains"), 0), "id", c->domain, FORMAT_UID))
		return bad(e, "domains");
	if (parse_chunker(c, json_object_get(o, "chunker"), e) == -1)
		return -1;
	return parse_writers(c, json_object_get(o, "writers"), e);
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
	if (parse_fields(out, e) == -1) {
		config_fini(out);
		return -1;
	}
	return 0;
}

/* "holdfast/0 config" and the canonical text of all but the signature. */
static void sign_text(const struct config *c, struct buf *out)
{
	json_t *o = json_copy(c->json);
	char *s;

	json_object_del(o, "signature");
	s = json_dumps(o, CANONICAL);
	buf_put_span(out, span_str("holdfast/0 config"));
	buf_put_span(out, span_str(s));
	free(s);
	json_decref(o);
}

int config_verify(const struct config *c, const uint8_t root[CRYPTO_KEY], struct err *e)
{
	struct buf text = {0};
	uint8_t sig[CRYPTO_SIG];
	bool ok;

	if (!crypto_equal(root, c->root, CRYPTO_KEY)) {
		err_set(e, ERR_CORRUPT, "config: its root key is not the one in your key");
		return err_hint(e, "somebody replaced config; restore it from a copy");
	}
	sign_text(c, &text);
	ok = get_hex(c->json, "signature", sig, sizeof sig) &&
	     crypto_verify(root, buf_span(&text), sig);
	buf_fini(&text);
	if (!ok) {
		err_set(e, ERR_CORRUPT, "config: signature is wrong");
		return err_hint(e, "config was changed or damaged; restore it from a copy");
	}
	return 0;
}

static void set_hex(json_t *o, const char *key, const uint8_t *p, size_t n)
{
	char *hex = mem_alloc(2 * n + 1);

	json_object_set_new(o, key, json_string(hex_encode(hex, p, n)));
	free(hex);
}

void config_new(struct config *out, const uint8_t root[CRYPTO_KEY],
    const uint8_t content[CRYPTO_KEY], const uint8_t structure[CRYPTO_KEY], int64_t grace_s,
    enum crypto_family object_hash, enum crypto_family blob_id, const char *created)
{
	json_t *o = json_object(), *domain = json_object();

	memset(out, 0, sizeof *out);
	crypto_random(out->repo, FORMAT_UID);
	crypto_random(out->domain, FORMAT_UID);
	memcpy(out->root, root, CRYPTO_KEY);
	memcpy(out->content, content, CRYPTO_KEY);
	memcpy(out->structure, structure, CRYPTO_KEY);
	out->revision = 1;
	out->epoch = 1;
	out->grace_s = grace_s;
	out->object_hash = object_hash;
	out->blob_id = blob_id;
	out->chunk_min = CHUNKER_MIN;
	out->chunk_avg = CHUNKER_AVG;
	out->chunk_max = CHUNKER_MAX;

	json_object_set_new(o, "format", json_integer(FORMAT_VERSION));
	json_object_set_new(o, "revision", json_integer(1));
	json_object_set_new(o, "required", json_array());
	json_object_set_new(o, "optional", json_array());
	json_object_set_new(o, "object_hash", json_string(families[object_hash].object_hash));
	json_object_set_new(o, "blob_id", json_string(families[blob_id].blob_id));
	json_object_set_new(o, "epoch", json_integer(1));
	json_object_set_new(o, "grace", json_integer(grace_s));
	json_object_set_new(o, "created", json_string(created));
	json_object_set_new(o, "writers", json_array());
	json_object_set_new(o, "chunker",
	    json_pack("{s:s,s:i,s:i,s:i}", "name", "gear", "min", CHUNKER_MIN, "avg", CHUNKER_AVG,
		"max", CHUNKER_MAX));
	set_hex(o, "repository", out->repo, FORMAT_UID);
	set_hex(o, "family", out->repo, FORMAT_UID);
	set_hex(o, "root", root, CRYPTO_KEY);
	set_hex(o, "content", content, CRYPTO_KEY);
	set_hex(o, "structure", structure, CRYPTO_KEY);
	set_hex(domain, "id", out->domain, FORMAT_UID);
	json_object_set_new(o, "domains", json_pack("[o]", domain));
	out->json = o;
}

static void raise_revision(struct config *c)
{
	c->revision++;
	json_object_set_new(c->json, "revision", json_integer((json_int_t)c->revision));
}

void config_add_writer(struct config *c, const uint8_t id[FORMAT_UID],
    const uint8_t key[CRYPTO_KEY], const char *role, const char *label, const char *when)
{
	json_t *w = json_object();

	set_hex(w, "id", id, FORMAT_UID);
	set_hex(w, "key", key, CRYPTO_KEY);
	set_hex(w, "domain", c->domain, FORMAT_UID);
	json_object_set_new(w, "role", json_string(role));
	/* A label that isn't UTF-8 is dropped rather than refused. */
	json_object_set_new(
	    w, "label", utf8_valid(span_str(label)) ? json_string(label) : json_string(""));
	json_object_set_new(w, "added", json_string(when));
	json_object_set_new(w, "removed", json_null());
	json_array_append_new(json_object_get(c->json, "writers"), w);

	c->writers = mem_realloc(c->writers, (c->nwriters + 1) * sizeof *c->writers);
	memcpy(c->writers[c->nwriters].id, id, FORMAT_UID);
	memcpy(c->writers[c->nwriters].key, key, CRYPTO_KEY);
	c->nwriters++;
	raise_revision(c);
}

bool config_remove_writer(struct config *c, const uint8_t id[FORMAT_UID], const char *when)
{
	for (size_t i = 0; i < c->nwriters; i++) {
		json_t *w = json_array_get(json_object_get(c->json, "writers"), i);

		if (memcmp(c->writers[i].id, id, FORMAT_UID) != 0 ||
		    !json_is_null(json_object_get(w, "removed")))
			continue;
		json_object_set_new(w, "removed", json_string(when));
		raise_revision(c);
		return true;
	}
	return false;
}

void config_sign(struct config *c, const uint8_t root_key[CRYPTO_KEY], struct buf *out)
{
	struct buf text = {0};
	uint8_t sig[CRYPTO_SIG];
	char *s;

	sign_text(c, &text);
	crypto_sign(root_key, buf_span(&text), sig);
	set_hex(c->json, "signature", sig, sizeof sig);
	s = json_dumps(c->json, CANONICAL);
	buf_put_span(out, span_str(s));
	free(s);
	buf_fini(&text);
}

const uint8_t *config_writer_key(const void *config, const uint8_t signer[FORMAT_UID])
{
	const struct config *c = config;

	for (size_t i = 0; i < c->nwriters; i++)
		if (memcmp(c->writers[i].id, signer, FORMAT_UID) == 0)
			return c->writers[i].key;
	return NULL;
}
