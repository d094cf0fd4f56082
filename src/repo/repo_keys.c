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
#include "repo/config_lease.h"
#include "repo/late.h"
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

static void describe(struct repo *r, const struct key_info *info, struct repo_key *k)
{
	const struct config_writer *w = config_writer(&r->config, info->holder);

	hex_encode(k->holder, info->holder, FORMAT_UID);
	if (w != NULL && role_has_domain(w->role))
		hex_encode(k->domain, w->domain, FORMAT_UID);
	k->label = mem_strdup(info->label);
	k->role = mem_strdup(role_name(info->role));
	k->created = mem_strdup(info->created);
	k->key_file = info->key_file;
	k->current = memcmp(info->holder, r->keys->holder, FORMAT_UID) == 0;
}

static bool is_listed(const struct repo_key *v, size_t n, const char *holder)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].holder, holder) == 0)
			return true;
	return false;
}

/*
 * Holders without an object: config remembers those that were removed.  From
 * others it was taken away, and who has a copy of it can still use that.
 */
static size_t list_writers(struct repo *r, struct repo_key *v, size_t n)
{
	const struct config *c = &r->config;

	for (size_t i = 0; i < c->nwriters; i++) {
		const struct config_writer *w = &c->writers[i];
		const char *removed = config_writer_text(c, w->id, "removed");
		struct repo_key *k = &v[n];
		char holder[2 * FORMAT_UID + 1];

		if (!w->removed && is_listed(v, n, hex_encode(holder, w->id, FORMAT_UID)))
			continue;
		hex_encode(k->holder, w->id, FORMAT_UID);
		if (role_has_domain(w->role))
			hex_encode(k->domain, w->domain, FORMAT_UID);
		k->label = mem_strdup(config_writer_text(c, w->id, "label"));
		k->role = mem_strdup(role_name(w->role));
		k->created = mem_strdup(config_writer_text(c, w->id, "added"));
		k->removed = w->removed ? mem_strdup(removed) : NULL;
		k->gone = w->removed;
		k->missing = !w->removed;
		k->current = !w->removed && memcmp(w->id, r->keys->holder, FORMAT_UID) == 0;
		n++;
	}
	return n;
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
	v = mem_zalloc((ids.n + r->config.nwriters) * sizeof *v);
	for (size_t i = 0; i < ids.n; i++) {
		struct key_info info;
		char name[REPO_NAME_MAX];

		if (repo_get_object(r, FORMAT_KEY, &ids.v[i], &object, e) == -1 ||
		    key_read_info(buf_span(&object), &info, e) == -1) {
			if (!repo_is_bad(e))
				goto out;
			event_emit(r->ctx, EVENT_OBJECT_DAMAGED,
			    span_str(repo_object_name(name, FORMAT_KEY, &ids.v[i])), "%s", e->msg);
			continue;
		}
		v[*n].object = ids.v[i];
		describe(r, &info, &v[(*n)++]);
	}
	*n = list_writers(r, v, *n);
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
		free(k[i].removed);
	}
	free(k);
}

/* ---- Add. */

static bool begins(const uint8_t id[FORMAT_UID], const char *prefix)
{
	char hex[2 * FORMAT_UID + 1];

	return strncmp(hex_encode(hex, id, FORMAT_UID), prefix, strlen(prefix)) == 0;
}

/* The domain of that holder, or of that id. */
static int find_domain(struct repo *r, const char *prefix, uint8_t out[FORMAT_UID], struct err *e)
{
	const struct config *c = &r->config;
	bool some = false, several = false;

	if (strlen(prefix) < 4)
		return err_set(e, ERR_USAGE, "--domain '%s' is too short", prefix);
	for (size_t i = 0; i < c->nwriters + c->ndomains; i++) {
		const struct config_writer *w = i < c->nwriters ? &c->writers[i] : NULL;
		const uint8_t *domain = w ? w->domain : c->domains[i - c->nwriters];

		if (!begins(w ? w->id : domain, prefix) || (w && !role_has_domain(w->role)))
			continue;
		several = several || (some && memcmp(out, domain, FORMAT_UID) != 0);
		some = true;
		memcpy(out, domain, FORMAT_UID);
	}
	if (several)
		return err_set(e, ERR_USAGE, "--domain '%s' fits several domains", prefix);
	if (some)
		return 0;
	err_set(e, ERR_ABSENT, "--domain '%s' is no holder's or domain's id", prefix);
	return err_hint(e, "holdfast key list shows them");
}

static int choose_domain(
    struct repo *r, const struct repo_key_params *p, uint8_t out[FORMAT_UID], struct err *e)
{
	if (p->domain != NULL && p->role != ROLE_WRITE)
		return err_set(e, ERR_USAGE, "--domain is for write keys: a %s key has %s domains",
		    role_name(p->role), p->role == ROLE_FULL ? "all" : "no");
	if (p->domain != NULL)
		return find_domain(r, p->domain, out, e);
	if (p->role == ROLE_WRITE)
		crypto_random(out, FORMAT_UID);
	else
		memcpy(out, r->keys->domain, FORMAT_UID);
	return 0;
}

/* In config, and sealed into `out`: what the holder is given. */
static int make_holder(struct repo *r, const struct repo_key_params *p,
    const uint8_t domain[FORMAT_UID], struct buf *out, struct err *e)
{
	struct key_bundle *k = secret_new(sizeof *k);
	struct domain *d = secret_new(sizeof *d);
	uint8_t sign[CRYPTO_KEY], own[CRYPTO_KEY];
	const char *label = p->label ? p->label : "";
	char now[40];
	int rc;

	repo_time_text(repo_now(r), now);
	domain_init(d, r->keys, domain);
	key_bundle_for(r->keys, p->role, d, k);
	crypto_sign_public(k->signing, sign);
	crypto_x25519_public(k->own, own);
	config_add_writer(&r->config, &(struct config_add){.id = k->holder,
					  .key = sign,
					  .own = own,
					  .role = p->role,
					  .domain = p->role == ROLE_MAINTENANCE ? NULL : domain,
					  .label = label,
					  .when = now});
	rc = key_seal(k, &p->cred, label, now, out, e);
	secret_free(k);
	secret_free(d);
	return rc;
}

int repo_key_add(struct repo *r, const struct repo_key_params *p, struct id *object, struct err *e)
{
	uint8_t domain[FORMAT_UID];
	struct config_lease l;
	struct buf out = {0};
	int rc = -1;

	if (repo_config_begin(r, &l, e) == -1)
		return -1;
	if (choose_domain(r, p, domain, e) == 0 && make_holder(r, p, domain, &out, e) == 0 &&
	    repo_config_commit(r, &l, e) == 0)
		rc = repo_put_object(r, FORMAT_KEY, buf_span(&out), object, e);
	repo_config_abort(&l);
	buf_fini(&out);
	return rc;
}

/* ---- Remove, rotate. */

/* New keys in r->keys and config, granted to whoever is left and reads. */
static void new_epoch(struct repo *r)
{
	struct key_bundle *k = r->keys;
	struct config *c = &r->config;
	uint8_t content[CRYPTO_KEY], structure[CRYPTO_KEY], next[2][CRYPTO_KEY];
	uint8_t sealed[2][EPOCH_SEALED];

	crypto_random(next[0], CRYPTO_KEY);
	crypto_random(next[1], CRYPTO_KEY);
	epoch_seal_old(c->repo, c->epoch, next[0], k->content, sealed[0]);
	epoch_seal_old(c->repo, c->epoch, next[1], k->structure, sealed[1]);
	crypto_x25519_public(next[0], content);
	crypto_x25519_public(next[1], structure);
	config_new_epoch(c, content, structure, sealed[0], sealed[1]);
	memcpy(k->content, next[0], CRYPTO_KEY);
	memcpy(k->structure, next[1], CRYPTO_KEY);
	k->epoch = c->epoch;
	crypto_wipe(next, sizeof next);
	for (size_t i = 0; i < c->nwriters; i++) {
		const struct config_writer *w = &c->writers[i];
		struct buf grant = {0};

		if (w->removed || (w->role != ROLE_FULL && w->role != ROLE_MAINTENANCE))
			continue;
		epoch_grant(k, w->role == ROLE_FULL, w->id, w->own, &grant);
		config_set_grant(c, i, buf_span(&grant));
		buf_fini(&grant);
	}
}

int repo_key_rotate(struct repo *r, struct err *e)
{
	struct config_lease l;
	int rc = -1;

	if (repo_config_begin(r, &l, e) == -1)
		return -1;
	if (r->config.epoch == UINT16_MAX) {
		err_set(e, ERR_FAILED, "the keys were rotated too often");
	} else {
		new_epoch(r);
		rc = repo_config_commit(r, &l, e);
	}
	repo_config_abort(&l);
	return rc;
}

static int find_key(
    const char *prefix, struct repo_key *v, size_t n, struct repo_key **out, struct err *e)
{
	size_t hits = 0;

	for (size_t i = 0; i < n; i++) {
		char hex[ID_HEX];

		id_hex(hex, &v[i].object);
		if (!v[i].gone && ((!v[i].missing && strncmp(hex, prefix, strlen(prefix)) == 0) ||
				      strncmp(v[i].holder, prefix, strlen(prefix)) == 0)) {
			*out = &v[i];
			hits++;
		}
	}
	if (strlen(prefix) >= 4 && hits == 1)
		return 0;
	if (strlen(prefix) >= 4 && hits == 0)
		err_set(e, ERR_ABSENT, "no key '%s'", prefix);
	else
		err_set(e, ERR_USAGE, "'%s' does not name one key", prefix);
	return err_hint(e, "'holdfast key list' shows their ids: four digits or more of a key's or "
			   "a holder's name it");
}

/*
 * What is damaged has no number that could be kept with the others: mended later, it would look
 * like what a thief stored after the removal.  Repair mends it, or removes it.
 */
static int refuse_damaged(const struct snapshot_list *all, struct err *e)
{
	if (all->damaged == all->foreign)
		return 0;
	err_set(e, ERR_FAILED,
	    "%zu snapshot(s) are damaged: whether they are of the key to be removed cannot be told",
	    (size_t)(all->damaged - all->foreign));
	return err_hint(
	    e, "'holdfast repair snapshots' mends or removes them; then remove the key");
}

/* In config, with what of its snapshots is there by now: later ones are told (late.h). */
static int strike_out(struct repo *r, const uint8_t holder[FORMAT_UID], struct err *e)
{
	struct snapshot_list all = {0};
	struct config_lease l = {0};
	const struct config_writer *w;
	json_t *newest = NULL, *missing = NULL;
	int64_t now_ns;
	char now[40];
	int rc = -1;

	/* Our turn is short, and waiting for it long: most before, what came since in it. */
	if (snapshot_load_all(r, &all, e) == -1 || refuse_damaged(&all, e) == -1 ||
	    repo_config_begin(r, &l, e) == -1 || late_look_again(r, &all, e) == -1 ||
	    repo_store_now(r, &now_ns, e) == -1)
		goto out;
	rc = 0;
	repo_time_text(now_ns, now);
	late_numbers(&all, holder, &newest, &missing);
	if (config_remove_writer(&r->config, holder, now, newest, missing)) {
		w = config_writer(&r->config, holder);
		/* A write key could never read: what it knew, others' keys don't hang on. */
		if (w->role != ROLE_WRITE && r->config.epoch < UINT16_MAX)
			new_epoch(r);
		rc = repo_config_commit(r, &l, e);
	}
out:
	repo_config_abort(&l);
	json_decref(newest);
	json_decref(missing);
	snapshot_list_fini(&all);
	return rc;
}

static int remove_holder(struct repo *r, const struct repo_key *k, struct err *e)
{
	uint8_t holder[FORMAT_UID];
	char name[REPO_NAME_MAX];

	hex_decode(holder, FORMAT_UID, k->holder);
	if (strike_out(r, holder, e) == -1)
		return -1;
	if (k->missing)
		return 0;
	return repo_del_named(r, repo_object_name(name, FORMAT_KEY, &k->object), e);
}

int repo_key_remove(struct repo *r, const char *prefix, struct err *e)
{
	struct repo_key *v = NULL, *k = NULL;
	size_t n = 0;
	int rc = -1;

	if (repo_need(r, true, e) == -1 || repo_keys_list(r, &v, &n, e) == -1 ||
	    find_key(prefix, v, n, &k, e) == -1)
		goto out;
	if (k->current) {
		err_set(e, ERR_USAGE, "key %s is the one in use", prefix);
		err_hint(e, "open the repository with another key to remove this one");
		goto out;
	}
	rc = remove_holder(r, k, e);
out:
	repo_keys_free(v, n);
	return rc;
}

/* ---- Change. */

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
		if (v[i].current && !v[i].missing &&
		    repo_del_named(r, repo_object_name(name, FORMAT_KEY, &v[i].object), e) == -1)
			goto out;
	rc = 0;
out:
	repo_keys_free(v, n);
	buf_fini(&out);
	return rc;
}
