/*
 * sheet_import: what a sheet brings back, and what it must not replace.  See sheet.h.
 */
#include <stdlib.h>
#include <string.h>

#include "repo/config_lease.h"
#include "repo/repo_internal.h"
#include "repo/sheet.h"

struct belonging {
	struct store *store;
	const struct config *sheet;
	bool any, ours; /* key objects; one of a holder that the sheet knows */
};

static int look_at_key(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct belonging *b = arg;
	struct buf object = {0};
	struct key_info info;
	struct err ignored;

	if (store_get_all(b->store, key, FORMAT_SMALL_MAX, &object, &ignored) == 0 &&
	    key_read_info(buf_span(&object), &info, &ignored) == 0) {
		b->any = true;
		b->ours = b->ours || config_writer(b->sheet, info.holder) != NULL;
	}
	buf_fini(&object);
	return 0;
}

/* A config of another root key was swapped in, unless it is the sheet that is of elsewhere. */
static int refuse_elsewhere(struct store *s, const struct config *sheet, struct err *e)
{
	struct belonging b = {s, sheet, false, false};

	if (store_list(s, repo_type_folder(FORMAT_KEY), look_at_key, &b, e) == -1)
		return -1;
	if (!b.any || b.ours)
		return 0;
	err_set(e, ERR_EXISTS, "%s has a config and keys, none of them of this sheet: not replaced",
	    s->url);
	return err_hint(e, "is this the sheet of this repository?");
}

struct import {
	struct store *store;
	struct ctx *ctx;
	struct sheet_import *out;
	struct config_lease lease; /* held from looking at config until it is put */
	struct config_claim is;    /* what is there, by the same root key; else zeros */
	bool whole;                /* and it is no older */
	uint16_t epoch;            /* the sheet's */
};

/* Another root key's config was put there by somebody, or we are elsewhere. */
static int look_at_config(struct import *im, const struct config *sheet, struct err *e)
{
	struct config_claim is;
	struct buf text = {0};
	int rc = store_get_all(im->store, "config", CONFIG_MAX, &text, e);

	if (rc == -1 && e->kind == ERR_ABSENT) {
		rc = 0;
	} else if (rc == 0 && config_claim(buf_span(&text), &is)) {
		if (crypto_equal(is.root, sheet->root, CRYPTO_KEY)) {
			/* Whose epoch is higher opens what was made by either. */
			im->whole = is.epoch > sheet->epoch || is.revision > sheet->revision ||
				    (is.revision == sheet->revision && is.epoch == sheet->epoch);
			im->is = is;
		} else
			rc = refuse_elsewhere(im->store, sheet, e);
	}
	buf_fini(&text);
	return rc;
}

/* May this config be put?  Then it is our turn to. */
static int check_config(struct import *im, struct span text, struct err *e)
{
	struct config c;
	int rc;

	if (!config_is_signed(text))
		return err_set(e, ERR_USAGE, "sheet: its config is not signed by its root key");
	if (config_parse(text, &c, e) == -1)
		return -1;
	im->out->revision = c.revision;
	im->epoch = c.epoch;
	rc = config_lease_begin(&im->lease, im->store, im->ctx, config_lease_stored, im->store, e);
	if (rc == 0)
		rc = look_at_config(im, &c, e);
	config_fini(&c);
	return rc;
}

/* What is there is whole, and no older.  Returns -1. */
static int refuse_config(const struct import *im, struct span text, struct err *e)
{
	unsigned long long revision = im->out->revision;
	uint8_t self[32];

	crypto_sha256(text, self);
	if (memcmp(self, im->is.self, sizeof self) == 0 || im->is.revision > revision) {
		err_set(e, ERR_EXISTS, "%s has a config, and it is whole: not replaced",
		    im->store->url);
		if (im->is.revision > revision)
			err_hint(e,
			    "it is newer than this one, of revision %llu: if it cannot be read "
			    "here, use a newer holdfast",
			    revision);
		return -1;
	}
	err_set(e, ERR_EXISTS,
	    "%s has another config of revision %llu, epoch %llu, and this one has %llu, %u: not "
	    "replaced",
	    im->store->url, (unsigned long long)im->is.revision, (unsigned long long)im->is.epoch,
	    revision, im->epoch);
	return err_hint(e, "two holders changed it at the same time: with the one that is "
			   "there, do again what the other changed");
}

static int put_config(struct import *im, struct span text, struct err *e)
{
	if (im->whole && im->out->key)
		return 0;
	if (im->whole)
		return refuse_config(im, text, e);
	if (config_lease_confirm(&im->lease, e) == -1 ||
	    store_put(im->store, "config", text, 0, e) == -1)
		return -1;
	im->out->config = true;
	return 0;
}

/*
 * By this config, what names objects, and may this program put one?  One that is damaged says
 * nothing; nor does none.
 */
static int ask_config(struct span text, enum crypto_family *hash, struct err *e)
{
	struct config_claim is;
	struct config c;
	int rc = config_parse(text, &c, e);

	if (rc == -1)
		return e->kind == ERR_UNSUPPORTED && config_claim(text, &is) ? -1 : 0;
	*hash = c.object_hash;
	rc = repo_may_write_by(&c, e);
	config_fini(&c);
	return rc;
}

/* The store's config, and the sheet's, which counts more; failing both, the default. */
static int may_import_key(
    struct store *s, struct span sheet, enum crypto_family *hash, struct err *e)
{
	struct buf text = {0};
	struct err ignored;
	int rc = 0;

	*hash = CRYPTO_BLAKE3;
	if (store_get_all(s, "config", CONFIG_MAX, &text, &ignored) == 0)
		rc = ask_config(buf_span(&text), hash, e);
	if (rc == 0 && sheet.n > 0)
		rc = ask_config(sheet, hash, e);
	buf_fini(&text);
	return rc;
}

static int import_key(struct store *s, struct span object, struct span config,
    struct sheet_import *out, struct err *e)
{
	enum crypto_family hash;
	char name[REPO_NAME_MAX];
	struct key_info info;
	struct store_stat st;
	struct id id;

	if (may_import_key(s, config, &hash, e) == -1)
		return -1;
	if (key_read_info(object, &info, e) == -1)
		return err_wrap(e, "sheet");
	crypto_digest(hash, object, id.b);
	repo_object_name(name, FORMAT_KEY, &id);
	if (store_stat(s, name, &st, e) == 0)
		return 0;
	if (e->kind != ERR_ABSENT || store_put(s, name, object, STORE_NEW, e) == -1)
		return -1;
	out->key = true;
	return 0;
}

/* The blocks; or a config itself, as machines that used the repository keep it (seen.h). */
static int read_blocks(struct span text, struct buf *config, struct buf *key, bool *has_config,
    bool *has_key, struct err *e)
{
	int c = 1, k = 0;

	if (config_is_signed(text)) {
		buf_put_span(config, text);
	} else if ((c = sheet_decode(SHEET_CONFIG, text, config, e)) == -1 ||
		   (k = sheet_decode(SHEET_KEY, text, key, e)) == -1) {
		return -1;
	}
	*has_config = c == 1;
	*has_key = k == 1;
	if (c == 1 || k == 1)
		return 0;
	return err_set(e, ERR_USAGE, "not a sheet: it has no line that begins with C01");
}

int sheet_import(
    struct store *s, struct span text, struct ctx *ctx, struct sheet_import *out, struct err *e)
{
	struct import im = {.store = s, .ctx = ctx, .out = out};
	struct buf config = {0}, key = {0};
	bool has_config, has_key;
	int rc = -1;

	memset(out, 0, sizeof *out);
	/* All is read and looked at before anything is written. */
	if (read_blocks(text, &config, &key, &has_config, &has_key, e) == -1)
		goto out;
	if (has_config && check_config(&im, buf_span(&config), e) == -1)
		goto out;
	/* The key first: config is what makes it a repository. */
	if (has_key && import_key(s, buf_span(&key), buf_span(&config), out, e) == -1)
		goto out;
	rc = has_config ? put_config(&im, buf_span(&config), e) : 0;
out:
	config_lease_end(&im.lease, out->config);
	buf_fini(&config);
	buf_fini(&key);
	return rc;
}
