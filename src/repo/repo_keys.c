/*
 * repo_keys: holders of keys: list, add, remove, change; and key files.
 *
 * A new bundle is durable before the old one goes, and config (which names
 * the writers) is replaced before a new bundle appears, so that a crash in
 * between leaves at worst a writer without a bundle.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "os/os.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"

static const char KEY_FILE_MAGIC[] = "holdfast-key-1 ";

void repo_key_file_new(uint8_t key[32], char text[96])
{
	char hex[65];

	crypto_random(key, 32);
	snprintf(text, 96, "%s%s\n", KEY_FILE_MAGIC, hex_encode(hex, key, 32));
	crypto_wipe(hex, sizeof hex);
}

int repo_key_file_parse(struct span text, uint8_t key[32], struct err *e)
{
	size_t magic = sizeof KEY_FILE_MAGIC - 1;
	char hex[65] = "";

	if (text.n >= magic + 64 && memcmp(text.p, KEY_FILE_MAGIC, magic) == 0) {
		size_t end = magic + 64;

		memcpy(hex, text.p + magic, 64);
		while (end < text.n && strchr("\r\n \t", text.p[end]) && text.p[end])
			end++;
		if (end == text.n && hex_decode(key, 32, hex)) {
			crypto_wipe(hex, sizeof hex);
			return 0;
		}
	}
	crypto_wipe(hex, sizeof hex);
	err_set(e, ERR_USAGE, "not a key file");
	return err_hint(e, "a key file is one line: holdfast-key-1 and 64 hex digits; "
			   "for a password use --password-file");
}

int repo_keys_list(struct repo *r, struct repo_key **out, size_t *n, struct err *e)
{
	struct id_list ids = {0};
	struct buf object = {0};
	struct repo_key *v = NULL;
	int rc = -1;

	*n = 0;
	if (repo_list_ids(r, FORMAT_KEY, &ids, e) == -1)
		goto out;
	v = mem_zalloc((ids.n + 1) * sizeof *v);
	for (size_t i = 0; i < ids.n; i++) {
		struct repo_key *k = &v[*n];
		struct key_info info;
		char name[REPO_NAME_MAX];

		if (repo_get_object(r, FORMAT_KEY, &ids.v[i], &object, e) == -1 ||
		    key_read_info(buf_span(&object), &info, e) == -1) {
			if (e->kind != ERR_CORRUPT)
				goto out;
			event_emit(r->ctx, EVENT_OBJECT_DAMAGED,
			    span_str(repo_object_name(name, FORMAT_KEY, &ids.v[i])), "%s", e->msg);
			continue;
		}
		k->object = ids.v[i];
		hex_encode(k->holder, info.holder, FORMAT_UID);
		k->label = mem_strdup(info.label);
		k->role = mem_strdup(info.role);
		k->created = mem_strdup(info.created);
		k->key_file = info.key_file;
		k->current = memcmp(info.holder, r->keys->holder, FORMAT_UID) == 0;
		(*n)++;
	}
	*out = v;
	v = NULL;
	rc = 0;
out:
	repo_keys_free(v, *n);
	id_list_fini(&ids);
	buf_fini(&object);
	return rc;
}

void repo_keys_free(struct repo_key *k, size_t n)
{
	for (size_t i = 0; k != NULL && i < n; i++) {
		free(k[i].label);
		free(k[i].role);
		free(k[i].created);
	}
	free(k);
}

/* Read config anew (another holder may have changed it) and verify it. */
static int reload_config(struct repo *r, struct err *e)
{
	struct buf text = {0};
	struct config c;
	int rc = -1;

	if (store_get_all(r->store, "config", CONFIG_MAX, &text, e) == -1 ||
	    config_parse(buf_span(&text), &c, e) == -1)
		goto out;
	if (config_verify(&c, r->keys->root_public, e) == -1) {
		config_fini(&c);
		goto out;
	}
	config_fini(&r->config);
	r->config = c;
	rc = 0;
out:
	buf_fini(&text);
	return rc;
}

static int write_config(struct repo *r, struct err *e)
{
	struct buf text = {0};
	int rc;

	config_sign(&r->config, r->keys->root, &text);
	rc = repo_put_config(r, buf_span(&text), 0, e);
	buf_fini(&text);
	return rc;
}

int repo_set_parity(struct repo *r, unsigned share, struct err *e)
{
	if (reload_config(r, e) == -1)
		return -1;
	if (r->config.parity == share)
		return 0;
	config_set_parity(&r->config, share);
	return write_config(r, e);
}

int repo_key_add(struct repo *r, const struct repo_cred *cred, const char *label, struct id *object,
    struct err *e)
{
	struct key_bundle *k = secret_new(sizeof *k);
	uint8_t sign[CRYPTO_KEY];
	char now[40], user[128], *made = NULL;
	struct buf out = {0};
	int rc = -1;

	if (label == NULL) {
		os_user(user, sizeof user);
		label = made = mem_printf("%s@%s", user, os_host());
	}
	repo_time_text(repo_now(r), now);
	*k = *r->keys;
	crypto_random(k->holder, sizeof k->holder);
	crypto_random(k->signing, sizeof k->signing);
	crypto_sign_public(k->signing, sign);
	if (reload_config(r, e) == -1)
		goto out;
	config_add_writer(&r->config, k->holder, sign, "full", label, now);
	if (key_seal(k, cred, label, now, &out, e) == -1 || write_config(r, e) == -1 ||
	    repo_put_object(r, FORMAT_KEY, buf_span(&out), object, e) == -1)
		goto out;
	rc = 0;
out:
	free(made);
	secret_free(k);
	buf_fini(&out);
	return rc;
}

static int find_key(struct repo *r, const char *prefix, struct repo_key *v, size_t n,
    struct repo_key **out, struct err *e)
{
	size_t hits = 0;

	for (size_t i = 0; i < n; i++) {
		char hex[ID_HEX];

		id_hex(hex, &v[i].object);
		if (strncmp(hex, prefix, strlen(prefix)) == 0 ||
		    strncmp(v[i].holder, prefix, strlen(prefix)) == 0) {
			*out = &v[i];
			hits++;
		}
	}
	if (strlen(prefix) < 4 || hits > 1)
		return err_set(e, ERR_USAGE, "'%s' does not name one key", prefix);
	if (hits == 0)
		return err_set(e, ERR_ABSENT, "no key '%s'", prefix);
	(void)r;
	return 0;
}

int repo_key_remove(struct repo *r, const char *prefix, struct err *e)
{
	struct repo_key *v = NULL, *k = NULL;
	uint8_t holder[FORMAT_UID];
	char name[REPO_NAME_MAX], now[40];
	size_t n = 0, others = 0;
	int rc = -1;

	if (repo_keys_list(r, &v, &n, e) == -1 || find_key(r, prefix, v, n, &k, e) == -1)
		goto out;
	if (k->current) {
		err_set(e, ERR_USAGE, "key %s is the one in use", prefix);
		err_hint(e, "open the repository with another key to remove this one");
		goto out;
	}
	for (size_t i = 0; i < n; i++)
		others += &v[i] != k;
	if (others == 0) {
		err_set(e, ERR_USAGE, "key %s is the last one", prefix);
		goto out;
	}
	repo_time_text(repo_now(r), now);
	hex_decode(holder, FORMAT_UID, k->holder);
	if (reload_config(r, e) == -1)
		goto out;
	if (config_remove_writer(&r->config, holder, now) && write_config(r, e) == -1)
		goto out;
	rc = repo_del_named(r, repo_object_name(name, FORMAT_KEY, &k->object), e);
out:
	repo_keys_free(v, n);
	return rc;
}

int repo_key_passwd(struct repo *r, const struct repo_cred *cred, struct id *object, struct err *e)
{
	struct repo_key *v = NULL;
	struct buf out = {0};
	char now[40], name[REPO_NAME_MAX];
	const char *label = "";
	size_t n = 0;
	int rc = -1;

	if (repo_keys_list(r, &v, &n, e) == -1)
		goto out;
	for (size_t i = 0; i < n; i++)
		if (v[i].current)
			label = v[i].label;
	repo_time_text(repo_now(r), now);
	if (key_seal(r->keys, cred, label, now, &out, e) == -1 ||
	    repo_put_object(r, FORMAT_KEY, buf_span(&out), object, e) == -1)
		goto out;
	for (size_t i = 0; i < n; i++)
		if (v[i].current &&
		    repo_del_named(r, repo_object_name(name, FORMAT_KEY, &v[i].object), e) == -1)
			goto out;
	rc = 0;
out:
	repo_keys_free(v, n);
	buf_fini(&out);
	return rc;
}
