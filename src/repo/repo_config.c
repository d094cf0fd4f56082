/*
 * repo_config: `config` of an open repository: read, read anew, changed.
 *
 * Everything else is immutable; config is replaced whole, by one holder at a
 * time (config_lease.h), who reads it once more before: nobody's change is
 * undone by another's.
 */
#include <stdlib.h>
#include <string.h>

#include "repo/config_lease.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"
#include "repo/seen.h"

/* ---- Read first. */

/* Are there keys or snapshots?  1, 0, -1. */
static int holds_any(struct repo *r, struct err *e)
{
	static const enum format_type types[] = {FORMAT_KEY, FORMAT_SNAPSHOT};
	struct id_list ids = {0};
	int rc = 0;

	for (size_t i = 0; i < sizeof types / sizeof *types && rc == 0; i++)
		if (repo_list_ids(r, types[i], &ids, e) == -1)
			rc = -1;
		else if (ids.n > 0)
			rc = 1;
	id_list_fini(&ids);
	return rc;
}

/* A broken config alone: without keys and snapshots it is some other program's file. */
static bool is_foreign(struct repo *r)
{
	struct err ignored;

	return holds_any(r, &ignored) == 0;
}

static int not_ours(struct repo *r, struct err *e)
{
	err_set(e, ERR_NO_REPOSITORY, "%s is not a repository: its config is another program's",
	    r->store->url);
	return err_hint(e, "is this the right folder? a repository has keys/ beside its config");
}

/* By its parity, if it has one. */
static bool mended_config(struct repo *r)
{
	config_fini(&r->config);
	return repo_mend_config(r, &r->config);
}

static void hint_lost(struct repo *r, struct err *e)
{
	char *copy = seen_find_copy(r);

	if (copy != NULL)
		err_hint(e,
		    "its other objects are there: config was lost. This machine kept it: holdfast "
		    "-r %s key import %.200s",
		    r->store->url, copy);
	else
		err_hint(e,
		    "its other objects are there: config was lost. With the sheet that key "
		    "export printed: holdfast -r %s key import SHEET; every machine that used it "
		    "has one too, in its state folder: *.config",
		    r->store->url);
	free(copy);
}

/* Nothing was ever here, or the one file was lost that a sheet brings back. */
static void no_config(struct repo *r, struct err *e)
{
	struct err why;
	int any = holds_any(r, &why);

	if (any == -1) { /* not even the place is there: no such bucket */
		err_set(e, ERR_NO_REPOSITORY, "%s holds no repository: %s", r->store->url, why.msg);
		if (why.hint[0])
			err_hint(e, "%s", why.hint);
		return;
	}
	err_set(e, ERR_NO_REPOSITORY, "%s holds no repository (no config)", r->store->url);
	if (any == 0)
		err_hint(e, "to make one: holdfast -r %s init", r->store->url);
	else
		hint_lost(r, e);
}

static void damaged_config(struct err *e)
{
	err_set(e, ERR_CORRUPT, "config: signature is wrong");
	err_hint(e, "config was changed or damaged: restore it from a copy, or from its sheet with "
		    "key import");
}

int repo_load_config(struct repo *r, struct err *e)
{
	struct buf text = {0};
	int rc = -1;

	if (store_get_all(r->store, "config", CONFIG_MAX, &text, e) == -1) {
		if (e->kind == ERR_ABSENT) {
			no_config(r, e);
		} else if (mended_config(r)) {
			rc = 0;
		} else if (e->kind == ERR_CORRUPT && is_foreign(r)) {
			not_ours(r, e);
		}
		goto out;
	}
	/* By its own root key first: damage to config must not pass for a wrong key. */
	if (config_parse(buf_span(&text), &r->config, e) == -1 ||
	    config_verify(&r->config, r->config.root, e) == -1) {
		if (mended_config(r)) {
			rc = 0;
			goto out;
		}
		/* Nor for another version: only what is signed is worth believing. */
		if (e->kind == ERR_UNSUPPORTED && !config_is_signed(buf_span(&text)))
			damaged_config(e);
		if (e->kind == ERR_CORRUPT && is_foreign(r))
			not_ours(r, e);
		else
			err_wrap(e, "%s", r->store->url);
		goto out;
	}
	rc = 0;
out:
	buf_fini(&text);
	return rc;
}

/* ---- Read anew: another holder may have changed it. */

static int read_config(struct repo *r, struct config *out, struct err *e)
{
	struct buf text = {0};
	int rc = -1;

	if (store_get_all(r->store, "config", CONFIG_MAX, &text, e) == -1 ||
	    config_parse(buf_span(&text), out, e) == -1)
		goto out;
	rc = config_verify(out, r->keys->root_public, e);
	if (rc == -1)
		config_fini(out);
out:
	buf_fini(&text);
	return rc;
}

int repo_peek_config(struct repo *r, uint64_t *revision, uint64_t *epoch, struct err *e)
{
	struct config c;

	if (read_config(r, &c, e) == -1)
		return -1;
	*revision = c.revision;
	*epoch = c.epoch;
	config_fini(&c);
	return 0;
}

static int adopt(struct repo *r, const struct config *c, struct err *e)
{
	config_fini(&r->config);
	r->config = *c;
	return repo_refresh_keys(r, e);
}

int repo_config_now(struct repo *r, struct config *out, struct err *e)
{
	struct config *old = &r->config;

	if (read_config(r, out, e) == -1 && !(e->kind == ERR_CORRUPT && repo_mend_config(r, out) &&
						config_verify(out, r->keys->root_public, e) == 0))
		return -1;
	if (out->revision >= old->revision && out->epoch >= old->epoch)
		return 0;
	config_fini(out);
	return repo_foreign(e, "it was set back while we worked");
}

int repo_may_go_on(struct repo *r, struct err *e)
{
	const struct config_writer *own;
	struct config now;
	int rc;

	if (repo_config_now(r, &now, e) == -1)
		return -1;
	rc = repo_may_write_by(&now, e);
	own = config_writer(&now, r->keys->holder);
	if (rc == 0 && (own == NULL || own->removed))
		rc = err_set(
		    e, ERR_WRONG_KEY, "this key was removed from the repository meanwhile");
	config_fini(&now);
	return rc;
}

int repo_reload_config(struct repo *r, struct err *e)
{
	struct config c;

	if (repo_config_now(r, &c, e) == -1)
		return -1;
	return adopt(r, &c, e);
}

/* ---- Changing config: only who has the root key can. */

static int read_to_change(void *arg, uint64_t *revision, struct err *e)
{
	struct repo *r = arg;
	struct config c;

	if (read_config(r, &c, e) == -1)
		return -1;
	if (seen_config(r, &c, e) == -1) {
		config_fini(&c);
		return -1;
	}
	*revision = c.revision;
	return adopt(r, &c, e);
}

int repo_config_begin(struct repo *r, struct config_lease *l, struct err *e)
{
	*l = (struct config_lease){0};
	if (repo_need(r, true, e) == -1 || repo_may_write(r, e) == -1)
		return -1;
	return config_lease_begin(l, r->store, r->ctx, read_to_change, r, e);
}

/*
 * The put took so long that another may have had its turn meanwhile.  Whose config is there
 * now, and whether it follows ours, nobody can tell from the store alone: `previous` and what
 * clients remember (seen.h) tell.  Returns -1.
 */
static int put_late(struct repo *r, struct err *e)
{
	char *copy = repo_state_path(r, r->place_text, ".config");

	if (seen_own_config(r, e) == -1)
		seen_keep_config(r);
	err_set(e, ERR_BUSY,
	    "config was put later than its turn: another holder may have changed it at the same "
	    "time, revision %llu",
	    (unsigned long long)r->config.revision);
	err_hint(e,
	    "look at 'holdfast key list' here and there; this machine's own is kept%s%.200s: "
	    "'holdfast key import' takes it back",
	    copy ? " in " : "", copy ? copy : "");
	free(copy);
	return -1;
}

int repo_config_commit(struct repo *r, struct config_lease *l, struct err *e)
{
	struct buf text = {0};
	struct err late;
	int rc = -1;

	config_sign(&r->config, r->keys->root, &text);
	if (text.n > CONFIG_MAX) {
		err_set(e, ERR_FAILED, "config would have %zu bytes, and nobody reads more than %d",
		    text.n, CONFIG_MAX);
		goto out;
	}
	/* All that takes time comes before the last look at the lease. */
	if (repo_config_parity(r, buf_span(&text), e) == -1 || config_lease_confirm(l, e) == -1 ||
	    store_put(r->store, "config", buf_span(&text), 0, e) == -1)
		goto out;
	if (config_lease_check(l, &late) == -1) {
		rc = put_late(r, e);
		goto out;
	}
	if (repo_config_parity_over(r, buf_span(&text), e) == -1)
		goto out;
	config_lease_end(l, true);
	rc = seen_own_config(r, e) == -1 ? -1 : repo_refresh_keys(r, e);
out:
	buf_fini(&text);
	return rc;
}

void repo_config_abort(struct config_lease *l)
{
	config_lease_end(l, false);
}

int repo_set_parity(struct repo *r, unsigned share, struct err *e)
{
	struct config_lease l;
	int rc = 0;

	if (repo_config_begin(r, &l, e) == -1)
		return -1;
	if (r->config.parity != share) {
		config_set_parity(&r->config, share);
		rc = repo_config_commit(r, &l, e);
	}
	repo_config_abort(&l);
	return rc;
}

int repo_put_back_config(struct repo *r, bool *mended, struct err *e)
{
	struct config_lease l;
	struct buf text = {0};
	int rc = -1;

	*mended = false;
	if (config_lease_begin(&l, r->store, r->ctx, config_lease_stored, r->store, e) == -1)
		return -1;
	/* Whole by now: another mended or replaced it. */
	if (l.revision > 0) {
		rc = 0;
		goto out;
	}
	config_text(&r->config, &text);
	if (config_lease_confirm(&l, e) == 0)
		rc = store_put_repair(r->store, "config", buf_span(&text), e);
	*mended = rc == 0;
out:
	config_lease_end(&l, *mended);
	buf_fini(&text);
	return rc;
}
