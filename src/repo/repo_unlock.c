/*
 * repo_unlock: what an opened bundle and a verified config come to: the keys
 * of every epoch and domain that the holder's role has, and whose signatures
 * are good for what.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "os/os.h"
#include "repo/repo_internal.h"

/* Is the holder still one, in the role its bundle says? */
static int check_holder(struct repo *r, struct err *e)
{
	const struct config_writer *w = config_writer(&r->config, r->keys->holder);

	if (w == NULL || w->removed)
		return err_set(e, ERR_WRONG_KEY, "this key was removed from the repository");
	if (w->role != r->keys->role)
		return err_set(e, ERR_CORRUPT, "config: this key is listed with another role");
	return 0;
}

/* The newest keys: the bundle's, or those that were granted since. */
static int newest_epoch(struct repo *r, struct err *e)
{
	const struct config_writer *w = config_writer(&r->config, r->keys->holder);
	struct buf grant = {0};
	int rc = -1;

	if (r->keys->role == ROLE_WRITE || r->keys->epoch == r->config.epoch)
		return 0;
	if (r->keys->epoch > r->config.epoch) {
		err_set(e, ERR_CORRUPT, "config is older than this key: epoch %u, not %u",
		    r->config.epoch, r->keys->epoch);
		return err_hint(e, "somebody put an old config back; restore a newer one");
	}
	if (!config_grant(&r->config, (size_t)(w - r->config.writers), &grant))
		err_set(e, ERR_CORRUPT, "config: the keys of epoch %u were not granted to this key",
		    r->config.epoch);
	else
		rc = epoch_accept(r->keys, r->config.epoch, buf_span(&grant), e);
	buf_fini(&grant);
	return rc;
}

static bool fits(const uint8_t priv[CRYPTO_KEY], const uint8_t pub[CRYPTO_KEY])
{
	uint8_t got[CRYPTO_KEY];

	crypto_x25519_public(priv, got);
	return crypto_equal(got, pub, CRYPTO_KEY);
}

/* Back from the newest epoch to the first, each under its successor. */
static int open_epochs(struct repo *r, struct err *e)
{
	const struct config *c = &r->config;
	bool full = r->keys->role == ROLE_FULL;
	struct repo_epoch *x;

	secret_free(r->epochs);
	r->nepochs = c->epoch;
	r->epochs = secret_new(r->nepochs * sizeof *r->epochs);
	if (r->keys->role == ROLE_WRITE)
		return 0;
	x = &r->epochs[r->nepochs - 1];
	memcpy(x->content, r->keys->content, CRYPTO_KEY);
	memcpy(x->structure, r->keys->structure, CRYPTO_KEY);
	if (!fits(x->structure, c->structure) || (full && !fits(x->content, c->content)))
		return err_set(e, ERR_CORRUPT, "config: its public keys are not those of this key");
	for (size_t i = c->nepochs; i-- > 0;) {
		const struct config_epoch *old = &c->epochs[i];

		x = &r->epochs[i];
		if (epoch_open_old(c->repo, old->epoch, r->epochs[i + 1].structure,
			old->sealed_structure, x->structure, e) == -1 ||
		    (full && epoch_open_old(c->repo, old->epoch, r->epochs[i + 1].content,
				 old->sealed_content, x->content, e) == -1))
			return err_wrap(e, "config");
	}
	return 0;
}

static void open_domains(struct repo *r)
{
	const struct config *c = &r->config;

	secret_free(r->domains);
	r->own = 0;
	r->ndomains = r->keys->role == ROLE_WRITE ? 1 : c->ndomains;
	r->domains = secret_new(r->ndomains * sizeof *r->domains);
	if (r->keys->role == ROLE_WRITE)
		domain_init(&r->domains[0], r->keys, r->keys->domain);
	for (size_t i = 0; r->keys->role != ROLE_WRITE && i < c->ndomains; i++) {
		domain_init(&r->domains[i], r->keys, c->domains[i]);
		if (memcmp(c->domains[i], r->keys->domain, FORMAT_UID) == 0)
			r->own = i;
	}
	r->index_key = &r->domains[r->own].index_key;
}

int repo_refresh_keys(struct repo *r, struct err *e)
{
	if (check_holder(r, e) == -1 || newest_epoch(r, e) == -1 || open_epochs(r, e) == -1)
		return -1;
	open_domains(r);
	return 0;
}

void repo_name_place(struct repo *r)
{
	const char *url = r->store->url;
	char *path = strncmp(url, "fs:", 3) == 0 ? os_real_path(url + 3) : NULL;
	uint8_t h[32];

	crypto_sha256(span_str(path ? path : url), h);
	hex_encode(r->place_text, h, (sizeof r->place_text - 1) / 2);
	free(path);
}

int repo_unlocked(struct repo *r, const char *cache_dir, struct err *e)
{
	if (repo_refresh_keys(r, e) == -1)
		return -1;
	seal_key_init(r->mark_key, r->config.repo, r->keys->mark_key);
	hex_encode(r->id_text, r->config.repo, FORMAT_UID);
	hex_encode(r->holder_text, r->keys->holder, FORMAT_UID);
	repo_name_place(r);
	/* Holders that see different things must not share what they remember. */
	if (cache_dir != NULL && r->keys->role == ROLE_FULL)
		r->cache_dir = mem_printf("%s/%s", cache_dir, r->id_text);
	else if (cache_dir != NULL)
		r->cache_dir = mem_printf("%s/%s.%.8s", cache_dir, r->id_text, r->holder_text);
	return 0;
}

const struct domain *repo_domain(const struct repo *r, uint64_t tag)
{
	for (size_t i = 0; i < r->ndomains; i++)
		if (r->domains[i].tag == tag)
			return &r->domains[i];
	return NULL;
}

const struct domain *repo_own_domain(const struct repo *r)
{
	return &r->domains[r->own];
}

int repo_accept_by(const struct config *c, const uint8_t signer[FORMAT_UID], enum format_type type,
    const uint8_t *domain, struct err *e)
{
	const struct config_writer *w = config_writer(c, signer);

	if (w == NULL)
		return err_set(e, ERR_CORRUPT, "signed by nobody who is known");
	if (w->role == ROLES)
		return repo_later(c, signer, "its signer has a role that this program lacks", e);
	if (!role_may_sign(w->role, type))
		return err_set(e, ERR_CORRUPT, "signed by %s, whose role is %s: not accepted",
		    w->text, role_name(w->role));
	if (w->role == ROLE_WRITE && domain != NULL && memcmp(w->domain, domain, FORMAT_UID) != 0)
		return err_set(
		    e, ERR_CORRUPT, "signed by %s, a write key of another domain", w->text);
	return 0;
}

int repo_accept(const struct repo *r, const uint8_t signer[FORMAT_UID], enum format_type type,
    const uint8_t *domain, struct err *e)
{
	return repo_accept_by(&r->config, signer, type, domain, e);
}

int repo_foreign(struct err *e, const char *why)
{
	err_set(e, ERR_FOREIGN, "config is older than this object, or it is another's: %s", why);
	return err_hint(e, "put the newest config back, or import a newer sheet with key import");
}

int repo_later(
    const struct config *c, const uint8_t signer[FORMAT_UID], const char *why, struct err *e)
{
	const struct config_writer *w = config_writer(c, signer);

	if (w != NULL && w->removed) {
		err_set(e, ERR_FOREIGN, "%s, and its signer's key was removed", why);
		return err_hint(e, "use the newest holdfast; if that cannot read it either, "
				   "'holdfast repair snapshots --drop-foreign' removes it");
	}
	err_set(e, ERR_LATER, "%s: made by a newer holdfast?", why);
	return err_hint(e,
	    "use the newest holdfast. If that cannot read it either its key is in wrong hands: "
	    "after key remove, 'holdfast repair snapshots --drop-foreign' removes it");
}

int repo_judge_signer(const struct repo *r, const uint8_t signer[FORMAT_UID], struct err *e)
{
	static const uint8_t none[FORMAT_UID];
	const struct config_writer *w = config_writer(&r->config, signer);
	char why[80], hex[2 * FORMAT_UID + 1];

	if (e->kind != ERR_CORRUPT || memcmp(signer, none, FORMAT_UID) == 0)
		return -1;
	if (w != NULL && w->role == ROLES)
		return repo_later(
		    &r->config, signer, "its signer has a role that this program lacks", e);
	if (w != NULL)
		return -1;
	snprintf(why, sizeof why, "signed by %.8s, who is no writer that config knows",
	    hex_encode(hex, signer, FORMAT_UID));
	return repo_foreign(e, why);
}

static const struct config_writer *signer_of(const struct repo *r, uint64_t signer)
{
	for (size_t i = 0; i < r->config.nwriters; i++)
		if (domain_tag(r->config.writers[i].id) == signer)
			return &r->config.writers[i];
	return NULL;
}

const char *repo_signer_text(const struct repo *r, uint64_t signer)
{
	const struct config_writer *w = signer_of(r, signer);

	return w ? w->text : "unknown";
}

enum role repo_signer_role(const struct repo *r, uint64_t signer)
{
	const struct config_writer *w = signer_of(r, signer);

	return w ? w->role : ROLES;
}

enum role repo_role(const struct repo *r)
{
	return r->keys->role;
}

int repo_may_write_by(const struct config *c, struct err *e)
{
	if (c->unwritable[0] == '\0')
		return 0;
	err_set(e, ERR_UNSUPPORTED,
	    "who writes to this repository must know the feature '%s', and this program does not",
	    c->unwritable);
	return err_hint(e, "use the newer holdfast that added it; reading goes on with this one");
}

int repo_may_write(const struct repo *r, struct err *e)
{
	return repo_may_write_by(&r->config, e);
}

int repo_need(const struct repo *r, bool content, struct err *e)
{
	enum role role = r->keys->role;

	if (role == ROLE_FULL || (role == ROLE_MAINTENANCE && !content))
		return 0;
	err_set(e, ERR_WRONG_KEY, "this key's role is %s: it cannot read %s", role_name(role),
	    content ? "names and content" : "anything back");
	return err_hint(e, "use a key with the role %s", content ? "full" : "full or maintenance");
}
