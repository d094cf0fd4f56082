/* config_change: a new config, and what changes one.  See config.h. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/chunker.h"
#include "repo/config_internal.h"

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
	json_object_set_new(o, "required", json_pack("[s]", CONFIG_PAGES));
	json_object_set_new(o, "required_to_write", json_array());
	json_object_set_new(o, "optional", json_array());
	json_object_set_new(
	    o, "object_hash", json_string(config_families[object_hash].object_hash));
	json_object_set_new(o, "blob_id", json_string(config_families[blob_id].blob_id));
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
	out->pages = true;
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

void config_join(struct config *c, const struct config *family)
{
	json_object_set_new(c->json, "family", json_copy(json_object_get(family->json, "family")));
	json_object_set_new(
	    c->json, "chunker", json_deep_copy(json_object_get(family->json, "chunker")));
	c->chunk_min = family->chunk_min;
	c->chunk_avg = family->chunk_avg;
	c->chunk_max = family->chunk_max;
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

	if (a->domain != NULL && !config_has_domain(c, a->domain))
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
	config_name_writer(x, a->label);
	raise_revision(c);
}

bool config_remove_writer(struct config *c, const uint8_t id[FORMAT_UID], const char *when,
    json_t *newest, json_t *missing)
{
	for (size_t i = 0; i < c->nwriters; i++) {
		if (memcmp(c->writers[i].id, id, FORMAT_UID) != 0 || c->writers[i].removed)
			continue;
		c->writers[i].removed = true;
		json_object_set_new(config_writer_json(c, i), "removed", json_string(when));
		json_object_set(config_writer_json(c, i), "newest", newest);
		if (json_object_size(missing) > 0)
			json_object_set(config_writer_json(c, i), "missing", missing);
		raise_revision(c);
		return true;
	}
	return false;
}

bool config_writer_missed(const struct config *c, const uint8_t id[FORMAT_UID],
    const uint8_t client[FORMAT_UID], uint64_t number)
{
	const struct config_writer *w = config_writer(c, id);
	const json_t *all, *v;
	char hex[2 * FORMAT_UID + 1];

	if (w == NULL || !w->removed)
		return false;
	all = json_object_get(config_writer_json(c, (size_t)(w - c->writers)), "missing");
	v = json_object_get(all, hex_encode(hex, client, FORMAT_UID));
	for (size_t i = 0; i + 1 < json_array_size(v); i += 2)
		if (number >= (uint64_t)json_integer_value(json_array_get(v, i)) &&
		    number <= (uint64_t)json_integer_value(json_array_get(v, i + 1)))
			return true;
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
		json_object_set_new(config_writer_json(c, i), "grant", json_null());
	raise_revision(c);
}

void config_set_grant(struct config *c, size_t writer, struct span grant)
{
	set_hex(config_writer_json(c, writer), "grant", grant.p, grant.n);
}

bool config_grant(const struct config *c, size_t writer, struct buf *out)
{
	const char *s = json_string_value(json_object_get(config_writer_json(c, writer), "grant"));
	size_t n = s ? strlen(s) / 2 : 0;

	buf_reset(out);
	return n > 0 && n <= 1024 && strlen(s) == 2 * n && hex_decode(buf_extend(out, n), n, s);
}

void config_sign(struct config *c, const uint8_t root_key[CRYPTO_KEY], struct buf *out)
{
	static const uint8_t none[sizeof c->self];
	struct buf text = {0};
	uint8_t sig[CRYPTO_SIG];

	if (memcmp(c->self, none, sizeof none) != 0)
		set_hex(c->json, "previous", c->self, sizeof c->self);
	config_sign_text(c->json, &text);
	crypto_sign(root_key, buf_span(&text), sig);
	set_hex(c->json, "signature", sig, sizeof sig);
	buf_reset(&text);
	config_text(c, &text);
	crypto_sha256(buf_span(&text), c->self);
	buf_put_span(out, buf_span(&text));
	buf_fini(&text);
}
