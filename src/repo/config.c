/* config: see config.h. */
#include "repo/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/chunker.h"
#include "repo/parity.h"

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
	free(c->domains);
	free(c->epochs);
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

static bool has_domain(const struct config *c, const uint8_t id[FORMAT_UID])
{
	for (size_t i = 0; i < c->ndomains; i++)
		if (memcmp(c->domains[i], id, FORMAT_UID) == 0)
			return true;
	return false;
}

static void set_text(struct config_writer *w, const char *label)
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

	if (role == NULL || !role_parse(role, &out->role) ||
	    (!json_is_null(removed) && !json_is_string(removed)))
		return false;
	out->removed = json_is_string(removed);
	if (out->role != ROLE_MAINTENANCE &&
	    (!get_hex(w, "domain", out->domain, FORMAT_UID) || !has_domain(c, out->domain)))
		return false;
	if (!get_hex(w, "id", out->id, FORMAT_UID) || !get_hex(w, "key", out->key, CRYPTO_KEY) ||
	    !get_hex(w, "own", out->own, CRYPTO_KEY) || !crypto_x25519_good(out->own))
		return false;
	set_text(out, json_string_value(json_object_get(w, "label")));
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
	v = 0;
	if (json_object_get(o, "parity") != NULL &&
	    !get_int(o, "parity", PARITY_SHARE_MIN, PARITY_SHARE_MAX, &v))
		return bad(e, "parity");
	c->parity = (unsigned)v;
	if (!get_hex(o, "repository", c->repo, FORMAT_UID))
		return bad(e, "repository");
	if (!get_hex(o, "root", c->root, CRYPTO_KEY) ||
	    !get_hex(o, "content", c->content, CRYPTO_KEY) ||
	    !get_hex(o, "structure", c->structure, CRYPTO_KEY) || !crypto_x25519_good(c->content) ||
	    !crypto_x25519_good(c->structure))
		return bad(e, "public keys");
	if (parse_domains(c, json_object_get(o, "domains"), e) == -1 ||
	    parse_epochs(c, json_object_get(o, "epochs"), e) == -1 ||
	    parse_chunker(c, json_object_get(o, "chunker"), e) == -1)
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

/* "holdfast/<format> config" and the canonical text of all but the signature. */
static void sign_text(const json_t *json, struct buf *out)
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

	sign_text(json, &text);
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

static void set_hex(json_t *o, const char *key, const uint8_t *p, size_t n)
{
	char *hex = mem_alloc(2 * n + 1);

	json_object_set_new(o, key, json_string(hex_encode(hex, p, n)));
	free(hex);
}

static void add_domain(struct config *c, const uint8_t id[FORMAT_UID])
{
	json_t *o = json_object();

	set_hex(o, "id", id, FORMAT_UID);
	json_array_append_new(json_object_get(c->json, "domains"), o);
	c->domains = mem_realloc(c->domains, (c->ndomains + 1) * sizeof *c->domains);
	memcpy(c->domains[c->ndomains++], id, FORMAT_UID);
}

static json_t *new_json(int64_t grace_s, enum crypto_family object_hash, enum crypto_family blob_id,
    const char *created)
{
	json_t *o = json_object();

	json_object_set_new(o, "format", json_integer(FORMAT_VERSION));
	json_object_set_new(o, "revision", json_integer(1));
	json_object_set_new(o, "required", json_array());
	json_object_set_new(o, "optional", json_array());
	json_object_set_new(o, "object_hash", json_string(families[object_hash].object_hash));
	json_object_set_new(o, "blob_id", json_string(families[blob_id].blob_id));
	json_object_set_new(o, "epoch", json_integer(1));
	json_object_set_new(o, "epochs", json_array());
	json_object_set_new(o, "grace", json_integer(grace_s));
	json_object_set_new(o, "created", json_string(created));
	json_object_set_new(o, "writers", json_array());
	json_object_set_new(o, "domains", json_array());
	json_object_set_new(o, "chunker",
	    json_pack("{s:s,s:i,s:i,s:i}", "name", "gear", "min", CHUNKER_MIN, "avg", CHUNKER_AVG,
		"max", CHUNKER_MAX));
	return o;
}

void config_new(struct config *out, const uint8_t root[CRYPTO_KEY],
    const uint8_t content[CRYPTO_KEY], const uint8_t structure[CRYPTO_KEY],
    const uint8_t domain[FORMAT_UID], int64_t grace_s, enum crypto_family object_hash,
    enum crypto_family blob_id, const char *created)
{
	memset(out, 0, sizeof *out);
	crypto_random(out->repo, FORMAT_UID);
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
	out->json = new_json(grace_s, object_hash, blob_id, created);
	set_hex(out->json, "repository", out->repo, FORMAT_UID);
	set_hex(out->json, "family", out->repo, FORMAT_UID);
	set_hex(out->json, "root", root, CRYPTO_KEY);
	set_hex(out->json, "content", content, CRYPTO_KEY);
	set_hex(out->json, "structure", structure, CRYPTO_KEY);
	add_domain(out, domain);
}

static void raise_revision(struct config *c)
{
	c->revision++;
	json_object_set_new(c->json, "revision", json_integer((json_int_t)c->revision));
}

void config_add_writer(struct config *c, const struct config_add *a)
{
	json_t *w = json_object();
	struct config_writer *x;

	if (a->domain != NULL && !has_domain(c, a->domain))
		add_domain(c, a->domain);
	set_hex(w, "id", a->id, FORMAT_UID);
	set_hex(w, "key", a->key, CRYPTO_KEY);
	set_hex(w, "own", a->own, CRYPTO_KEY);
	json_object_set_new(w, "domain", json_null());
	if (a->domain != NULL)
		set_hex(w, "domain", a->domain, FORMAT_UID);
	json_object_set_new(w, "role", json_string(role_name(a->role)));
	/* A label that isn't UTF-8 is dropped rather than refused. */
	json_object_set_new(
	    w, "label", utf8_valid(span_str(a->label)) ? json_string(a->label) : json_string(""));
	json_object_set_new(w, "added", json_string(a->when));
	json_object_set_new(w, "removed", json_null());
	json_object_set_new(w, "grant", json_null());
	json_array_append_new(json_object_get(c->json, "writers"), w);

	c->writers = mem_realloc(c->writers, (c->nwriters + 1) * sizeof *c->writers);
	x = &c->writers[c->nwriters++];
	*x = (struct config_writer){.role = a->role};
	memcpy(x->id, a->id, FORMAT_UID);
	memcpy(x->key, a->key, CRYPTO_KEY);
	memcpy(x->own, a->own, CRYPTO_KEY);
	if (a->domain != NULL)
		memcpy(x->domain, a->domain, FORMAT_UID);
	set_text(x, a->label);
	raise_revision(c);
}

static json_t *writer_json(const struct config *c, size_t i)
{
	return json_array_get(json_object_get(c->json, "writers"), i);
}

bool config_remove_writer(struct config *c, const uint8_t id[FORMAT_UID], const char *when)
{
	for (size_t i = 0; i < c->nwriters; i++) {
		if (memcmp(c->writers[i].id, id, FORMAT_UID) != 0 || c->writers[i].removed)
			continue;
		c->writers[i].removed = true;
		json_object_set_new(writer_json(c, i), "removed", json_string(when));
		raise_revision(c);
		return true;
	}
	return false;
}

void config_set_parity(struct config *c, unsigned share)
{
	json_t *optional = json_object_get(c->json, "optional");

	if (share == 0 || share == c->parity)
		return;
	if (c->parity == 0)
		json_array_append_new(optional, json_string("parity"));
	json_object_set_new(c->json, "parity", json_integer(share));
	c->parity = share;
	raise_revision(c);
}

void config_text(const struct config *c, struct buf *out)
{
	char *s = json_dumps(c->json, CANONICAL);

	buf_put_span(out, span_str(s));
	free(s);
}

void config_new_epoch(struct config *c, const uint8_t content[CRYPTO_KEY],
    const uint8_t structure[CRYPTO_KEY], const uint8_t sealed_content[EPOCH_SEALED],
    const uint8_t sealed_structure[EPOCH_SEALED])
{
	json_t *o = json_object();
	struct config_epoch *x;

	json_object_set_new(o, "epoch", json_integer(c->epoch));
	set_hex(o, "content", c->content, CRYPTO_KEY);
	set_hex(o, "structure", c->structure, CRYPTO_KEY);
	set_hex(o, "sealed_content", sealed_content, EPOCH_SEALED);
	set_hex(o, "sealed_structure", sealed_structure, EPOCH_SEALED);
	json_array_append_new(json_object_get(c->json, "epochs"), o);
	c->epochs = mem_realloc(c->epochs, (c->nepochs + 1) * sizeof *c->epochs);
	x = &c->epochs[c->nepochs++];
	x->epoch = c->epoch;
	memcpy(x->content, c->content, CRYPTO_KEY);
	memcpy(x->structure, c->structure, CRYPTO_KEY);
	memcpy(x->sealed_content, sealed_content, EPOCH_SEALED);
	memcpy(x->sealed_structure, sealed_structure, EPOCH_SEALED);

	c->epoch++;
	json_object_set_new(c->json, "epoch", json_integer(c->epoch));
	memcpy(c->content, content, CRYPTO_KEY);
	memcpy(c->structure, structure, CRYPTO_KEY);
	set_hex(c->json, "content", content, CRYPTO_KEY);
	set_hex(c->json, "structure", structure, CRYPTO_KEY);
	for (size_t i = 0; i < c->nwriters; i++)
		json_object_set_new(writer_json(c, i), "grant", json_null());
	raise_revision(c);
}

void config_set_grant(struct config *c, size_t writer, struct span grant)
{
	set_hex(writer_json(c, writer), "grant", grant.p, grant.n);
}

bool config_grant(const struct config *c, size_t writer, struct buf *out)
{
	const char *s = json_string_value(json_object_get(writer_json(c, writer), "grant"));
	size_t n = s ? strlen(s) / 2 : 0;

	buf_reset(out);
	return n > 0 && n <= 1024 && strlen(s) == 2 * n && hex_decode(buf_extend(out, n), n, s);
}

void config_sign(struct config *c, const uint8_t root_key[CRYPTO_KEY], struct buf *out)
{
	struct buf text = {0};
	uint8_t sig[CRYPTO_SIG];

	sign_text(c->json, &text);
	crypto_sign(root_key, buf_span(&text), sig);
	set_hex(c->json, "signature", sig, sizeof sig);
	config_text(c, out);
	buf_fini(&text);
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

const char *config_writer_text(
    const struct config *c, const uint8_t id[FORMAT_UID], const char *field)
{
	const struct config_writer *w = config_writer(c, id);
	const char *s = NULL;

	if (w != NULL)
		s = json_string_value(
		    json_object_get(writer_json(c, (size_t)(w - c->writers)), field));
	return s ? s : "";
}
