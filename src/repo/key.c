/* key: see key.h and doc/format.md 3.4. */
#include "repo/key.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "repo/domain.h"
#include "repo/envelope.h"

enum {
	FULL = 1 << ROLE_FULL,
	MAINTENANCE = 1 << ROLE_MAINTENANCE,
	WRITE = 1 << ROLE_WRITE,
	ALL = FULL | MAINTENANCE | WRITE,
};

/* Secrets in the sealed JSON: its keys, where they go, and in whose bundles they are. */
static const struct field {
	const char *name;
	size_t off, n;
	unsigned roles;
} fields[] = {
    {"repository", offsetof(struct key_bundle, repo), FORMAT_UID, ALL},
    {"domain", offsetof(struct key_bundle, domain), FORMAT_UID, FULL | WRITE},
    {"root_public", offsetof(struct key_bundle, root_public), CRYPTO_KEY, ALL},
    {"root", offsetof(struct key_bundle, root), CRYPTO_KEY, FULL},
    {"content", offsetof(struct key_bundle, content), CRYPTO_KEY, FULL},
    {"structure", offsetof(struct key_bundle, structure), CRYPTO_KEY, FULL | MAINTENANCE},
    {"master", offsetof(struct key_bundle, master), CRYPTO_KEY, FULL},
    {"index_master", offsetof(struct key_bundle, index_master), CRYPTO_KEY, MAINTENANCE},
    {"mark_key", offsetof(struct key_bundle, mark_key), CRYPTO_KEY, WRITE},
    {"id_key", offsetof(struct key_bundle, id_key), CRYPTO_KEY, WRITE},
    {"chunker_key", offsetof(struct key_bundle, chunker_key), CRYPTO_KEY, WRITE},
    {"index_key", offsetof(struct key_bundle, index_key), CRYPTO_KEY, WRITE},
    {"signing", offsetof(struct key_bundle, signing), CRYPTO_KEY, ALL},
    {"own", offsetof(struct key_bundle, own), CRYPTO_KEY, ALL},
};

enum { NFIELDS = sizeof fields / sizeof *fields };

static const uint64_t SCRYPT_N = 32768;
enum { SCRYPT_R = 8, SCRYPT_P = 3 };

/*
 * What a stored object may ask of us, whoever wrote it: memory is 128 bytes times the
 * first, 128 MiB; time goes with the second, five times what ours costs.
 */
enum { SCRYPT_NR_MAX = 1 << 20, SCRYPT_NRP_MAX = 1 << 22 };

/* What follows from what is stored, where the role has it. */
static void derive_masters(struct key_bundle *k)
{
	if (k->role == ROLE_FULL)
		crypto_hkdf(span_of(k->master, CRYPTO_KEY), span_of(NULL, 0),
		    span_str("holdfast/1 index master"), k->index_master);
	if (k->role != ROLE_WRITE)
		crypto_hkdf(span_of(k->index_master, CRYPTO_KEY), span_of(NULL, 0),
		    span_str("holdfast/1 mark key"), k->mark_key);
}

void key_bundle_generate(struct key_bundle *k)
{
	memset(k, 0, sizeof *k);
	k->role = ROLE_FULL;
	k->epoch = 1;
	crypto_random(k->root, CRYPTO_KEY);
	crypto_random(k->content, CRYPTO_KEY);
	crypto_random(k->structure, CRYPTO_KEY);
	crypto_random(k->master, CRYPTO_KEY);
	crypto_random(k->signing, CRYPTO_KEY);
	crypto_random(k->own, CRYPTO_KEY);
	crypto_random(k->holder, sizeof k->holder);
	crypto_random(k->domain, FORMAT_UID);
	crypto_sign_public(k->root, k->root_public);
	derive_masters(k);
}

void key_bundle_join(struct key_bundle *k, const struct key_bundle *family)
{
	memcpy(k->master, family->master, CRYPTO_KEY);
	memcpy(k->domain, family->domain, FORMAT_UID);
	derive_masters(k);
}

void key_bundle_for(const struct key_bundle *full, enum role role, const struct domain *domain,
    struct key_bundle *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < NFIELDS; i++)
		if (fields[i].roles & 1U << role)
			memcpy((uint8_t *)out + fields[i].off,
			    (const uint8_t *)full + fields[i].off, fields[i].n);
	out->role = role;
	out->epoch = full->epoch;
	if (role == ROLE_WRITE) {
		memcpy(out->domain, domain->id, FORMAT_UID);
		memcpy(out->id_key, domain->id_key, CRYPTO_KEY);
		memcpy(out->chunker_key, domain->chunker_key, CRYPTO_KEY);
		memcpy(out->index_key, domain->index_key.key, CRYPTO_KEY);
	}
	crypto_random(out->holder, sizeof out->holder);
	crypto_random(out->signing, CRYPTO_KEY);
	crypto_random(out->own, CRYPTO_KEY);
	derive_masters(out);
}

static void key_file_hint(struct span secret, uint8_t out[32])
{
	crypto_hkdf(secret, span_of(NULL, 0), span_str("holdfast/1 key file hint"), out);
}

/* The key that seals the bundle; keyed by what the info says. */
static int derive(
    const struct repo_cred *cred, const struct key_info *info, uint8_t kek[32], struct err *e)
{
	if (cred->key_file) {
		crypto_hkdf(cred->secret, span_of(NULL, 0), span_str("holdfast/1 key file"), kek);
		return 0;
	}
	return crypto_scrypt(
	    cred->secret, span_of(info->salt, info->nsalt), info->n, info->r, info->p, kek, e);
}

static char *info_json(const struct key_info *info)
{
	char holder[33], hex[129], *s;
	json_t *kdf, *o;

	if (info->key_file)
		kdf = json_pack("{s:s,s:s}", "name", "key-file", "hint",
		    hex_encode(hex, info->hint, sizeof info->hint));
	else
		kdf = json_pack("{s:s,s:I,s:i,s:i,s:s}", "name", "scrypt", "n", (json_int_t)info->n,
		    "r", (int)info->r, "p", (int)info->p, "salt",
		    hex_encode(hex, info->salt, info->nsalt));
	o = json_pack("{s:s,s:s,s:s,s:s,s:o}", "holder",
	    hex_encode(holder, info->holder, FORMAT_UID), "role", role_name(info->role), "label",
	    info->label, "created", info->created, "kdf", kdf);
	s = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	json_decref(o);
	return s;
}

static char *bundle_json(const struct key_bundle *k)
{
	json_t *o = json_object();
	char hex[65], *s;

	json_object_set_new(o, "role", json_string(role_name(k->role)));
	json_object_set_new(o, "epoch", json_integer(k->epoch));
	for (size_t i = 0; i < NFIELDS; i++)
		if (fields[i].roles & 1U << k->role)
			json_object_set_new(o, fields[i].name,
			    json_string(
				hex_encode(hex, (const uint8_t *)k + fields[i].off, fields[i].n)));
	s = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	crypto_wipe(hex, sizeof hex);
	json_decref(o);
	return s;
}

/* As much of a label as there is room for, cut between letters; "" if it isn't UTF-8. */
static void cut_label(char out[128], const char *label)
{
	size_t n = strnlen(label, 127);

	if (!utf8_valid(span_str(label)))
		n = 0;
	while (!utf8_valid(span_of(label, n)))
		n--;
	memcpy(out, label, n);
	out[n] = '\0';
}

static void new_info(const struct key_bundle *k, const struct repo_cred *cred, const char *label,
    const char *created, struct key_info *out)
{
	uint8_t hint[32];

	*out = (struct key_info){.role = k->role,
	    .key_file = cred->key_file,
	    .n = SCRYPT_N,
	    .r = SCRYPT_R,
	    .p = SCRYPT_P,
	    .nsalt = 32};
	memcpy(out->holder, k->holder, FORMAT_UID);
	cut_label(out->label, label);
	snprintf(out->created, sizeof out->created, "%s", created);
	crypto_random(out->salt, out->nsalt);
	if (cred->key_file) {
		key_file_hint(cred->secret, hint);
		memcpy(out->hint, hint, sizeof out->hint);
	}
}

int key_seal(const struct key_bundle *k, const struct repo_cred *cred, const char *label,
    const char *created, struct buf *out, struct err *e)
{
	struct key_info info;
	struct seal_key kek;
	struct sealer sealer;
	uint8_t raw[32], h[32];
	char *clear = NULL, *secret = NULL;
	int rc = -1;

	new_info(k, cred, label, created, &info);
	sealer_init(&sealer, k->repo);
	if (derive(cred, &info, raw, e) == -1)
		goto out;
	seal_key_init(&kek, k->holder, raw);
	clear = info_json(&info);
	secret = bundle_json(k);
	if (clear == NULL || secret == NULL) {
		err_set(e, ERR_USAGE, "the key's label is not valid text");
		goto out;
	}
	crypto_sha256(span_str(secret), h);
	envelope_begin(out, FORMAT_KEY, NULL, 0);
	buf_put_u32(out, (uint32_t)strlen(clear));
	buf_put_span(out, span_str(clear));
	buf_put_u32(out, (uint32_t)(strlen(secret) + FORMAT_BOX));
	seal_box_aad(&sealer, &kek, PURPOSE_KEY, span_of(h, 32), span_str(clear), span_str(secret),
	    buf_extend(out, strlen(secret) + FORMAT_BOX));
	rc = 0;
out:
	crypto_wipe(raw, sizeof raw);
	crypto_wipe(&kek, sizeof kek);
	if (secret != NULL)
		crypto_wipe(secret, strlen(secret));
	free(secret);
	free(clear);
	sealer_fini(&sealer);
	return rc;
}

static bool get_text(const json_t *o, const char *key, char *out, size_t n)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (s == NULL)
		return false;
	snprintf(out, n, "%s", s);
	return true;
}

static bool get_bytes(const json_t *o, const char *key, uint8_t *out, size_t n)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL && strlen(s) == 2 * n && hex_decode(out, n, s);
}

/* NULL, or what is wrong. */
static const char *parse_scrypt(const json_t *kdf, struct key_info *out)
{
	static const char malformed[] = "key bundle is malformed";
	json_int_t n = json_integer_value(json_object_get(kdf, "n"));
	json_int_t r = json_integer_value(json_object_get(kdf, "r"));
	json_int_t p = json_integer_value(json_object_get(kdf, "p"));
	const char *salt = json_string_value(json_object_get(kdf, "salt"));

	/* Limits of format.md: a hostile bundle must not eat the machine. */
	if (n < 2 || (n & (n - 1)) || r < 1 || p < 1 || salt == NULL)
		return malformed;
	if (n > SCRYPT_NR_MAX || r > 32 || p > 16 || n * r > SCRYPT_NR_MAX ||
	    n * r * p > SCRYPT_NRP_MAX)
		return "key bundle asks for more work than any password may cost";
	out->nsalt = strlen(salt) / 2;
	if (out->nsalt < 8 || out->nsalt > sizeof out->salt || strlen(salt) % 2)
		return malformed;
	out->n = (uint64_t)n;
	out->r = (uint32_t)r;
	out->p = (uint32_t)p;
	return hex_decode(out->salt, out->nsalt, salt) ? NULL : malformed;
}

static int parse_info(struct span text, struct key_info *out, struct err *e)
{
	json_t *o = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	json_t *kdf = json_object_get(o, "kdf");
	const char *why = NULL;
	char name[16] = "", role[16] = "";
	bool ok;

	memset(out, 0, sizeof *out);
	ok = get_bytes(o, "holder", out->holder, FORMAT_UID) &&
	     get_text(o, "role", role, sizeof role) && role_parse(role, &out->role) &&
	     get_text(o, "label", out->label, sizeof out->label) &&
	     get_text(o, "created", out->created, sizeof out->created) &&
	     get_text(kdf, "name", name, sizeof name);
	if (ok && strcmp(name, "key-file") == 0) {
		out->key_file = true;
		ok = get_bytes(kdf, "hint", out->hint, sizeof out->hint);
	} else if (ok && strcmp(name, "scrypt") == 0) {
		why = parse_scrypt(kdf, out);
	} else {
		ok = false;
	}
	json_decref(o);
	if (ok && why == NULL)
		return 0;
	return err_set(e, ERR_CORRUPT, "%s", why ? why : "key bundle is malformed");
}

int key_read_info(struct span object, struct key_info *out, struct err *e)
{
	struct envelope env;

	if (envelope_parse(object, FORMAT_KEY, 2, &env, e) == -1)
		return -1;
	return parse_info(env.section[0], out, e);
}

static int parse_bundle(struct span text, struct key_bundle *out, struct err *e)
{
	json_t *o = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	const char *role = json_string_value(json_object_get(o, "role"));
	json_int_t epoch = json_integer_value(json_object_get(o, "epoch"));
	int rc = 0;

	memset(out, 0, sizeof *out);
	if (role == NULL || !role_parse(role, &out->role) || epoch < 1 || epoch > UINT16_MAX)
		rc = err_set(e, ERR_CORRUPT, "key bundle is of no known role or epoch");
	out->epoch = (uint16_t)epoch;
	for (size_t i = 0; i < NFIELDS && rc == 0; i++)
		if (fields[i].roles & 1U << out->role &&
		    !get_bytes(o, fields[i].name, (uint8_t *)out + fields[i].off, fields[i].n))
			rc = err_set(e, ERR_CORRUPT, "key bundle lacks '%s'", fields[i].name);
	json_decref(o);
	derive_masters(out);
	return rc;
}

/*
 * The repository id is inside the bundle, yet it is part of the seal's
 * associated data: config's, which is what the caller believes to be open.
 */
static int unseal(const struct envelope *env, const struct key_info *info, const uint8_t raw[32],
    const uint8_t repo[FORMAT_UID], struct key_bundle *out, struct err *e)
{
	struct span box = env->section[1];
	struct sealer sealer;
	struct seal_key kek;
	uint8_t *plain;
	int rc = -1;

	if (box.n < FORMAT_BOX)
		return err_set(e, ERR_CORRUPT, "key bundle is cut short");
	plain = secret_new(box.n);
	sealer_init(&sealer, repo);
	seal_key_init(&kek, info->holder, raw);
	if (seal_open_aad(&sealer, &kek, PURPOSE_KEY, env->section[0], box, plain, e) == -1) {
		err_set(e, ERR_WRONG_KEY, "the %s does not open this key",
		    info->key_file ? "key file" : "password");
		goto out;
	}
	rc = parse_bundle(span_of(plain, box.n - FORMAT_BOX), out, e);
	memcpy(out->holder, info->holder, FORMAT_UID);
	if (rc == 0 && memcmp(out->repo, repo, FORMAT_UID) != 0)
		rc = err_set(e, ERR_CORRUPT, "key bundle is of another repository");
out:
	crypto_wipe(&kek, sizeof kek);
	sealer_fini(&sealer);
	secret_free(plain);
	return rc;
}

int key_open(struct span object, const uint8_t repo[FORMAT_UID], const struct repo_cred *cred,
    struct key_bundle *out, struct err *e)
{
	struct envelope env;
	struct key_info info;
	uint8_t raw[32], hint[32];
	int rc;

	if (envelope_parse(object, FORMAT_KEY, 2, &env, e) == -1 ||
	    parse_info(env.section[0], &info, e) == -1)
		return -1;
	if (info.key_file != cred->key_file)
		return err_set(e, ERR_WRONG_KEY, "this key wants a %s",
		    info.key_file ? "key file" : "password");
	if (cred->key_file) {
		key_file_hint(cred->secret, hint);
		if (!crypto_equal(hint, info.hint, sizeof info.hint))
			return err_set(e, ERR_WRONG_KEY, "not the key file of this key");
	}
	if (derive(cred, &info, raw, e) == -1)
		return -1;
	rc = unseal(&env, &info, raw, repo, out, e);
	crypto_wipe(raw, sizeof raw);
	return rc;
}
