/*
 * cli_other: repositories that a command takes beside --repo.  The n-th is opened with the
 * n-th key file for it, if there is one, else with what the configuration says of it, else with
 * what opens --repo.
 */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "base/mem.h"
#include "config/world.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "store/store.h"

struct other *other_new(struct cli *c)
{
	struct other *o = mem_zalloc(sizeof *o);

	o->ctx.above = c->ctx;
	o->ctx.clock = c->ctx->clock;
	o->ctx.sink = c->ctx->sink;
	o->ctx.sink_arg = c->ctx->sink_arg;
	return o;
}

void other_count(struct cli *c, struct other *o)
{
	struct requests *to = &c->ctx->requests, *from = &o->ctx.requests;

	for (int v = 0; v < COUNT_VERBS; v++)
		atomic_fetch_add(&to->n[v], atomic_exchange(&from->n[v], 0));
	atomic_fetch_add(&to->sent, atomic_exchange(&from->sent, 0));
	atomic_fetch_add(&to->received, atomic_exchange(&from->received, 0));
}

void other_free(struct other *o)
{
	if (o == NULL)
		return;
	repo_close(o->repo);
	free(o);
}

void other_know_cred(struct cli *c)
{
	struct cred cred = {0};
	struct err told_later;

	if (c->cred == NULL && cred_get(c, false, &cred, &told_later) == 0)
		c->cred = mem_dup(&cred, sizeof cred);
}

/* With what opened --repo: a password was asked for once, and its variable is wiped. */
static int same_cred(struct cli *c, struct cred *own, const struct repo_cred **use, struct err *e)
{
	if (c->cred != NULL) {
		*use = &c->cred->cred;
		return 0;
	}
	*use = &own->cred;
	return cred_get(c, false, own, e);
}

/* What opens it: an own key file, the configuration, or what opens --repo. */
static int find_cred(struct cli *c, const struct world_repository *named, const char *key_file,
    struct cred *own, const struct repo_cred **use, struct err *e)
{
	*use = &own->cred;
	if (key_file != NULL)
		return cred_key_file(own, key_file, e);
	if (named != NULL && (named->key || named->password))
		return config_cred(named, own, e);
	return same_cred(c, own, use, e);
}

int other_open(
    struct cli *c, const char *word, const char *key_file, struct other *o, struct err *e)
{
	const struct world_repository *named;
	char *cache = cli_cache_dir(c), *state = os_state_dir();
	const struct repo_cred *use = NULL;
	struct cred own = {0};
	struct store *s;
	int rc = -1;

	if (o->first) {
		named = c->named;
		use = &c->cred->cred;
	} else if (config_repository(c, word, &named, e) == -1 ||
		   find_cred(c, named, key_file, &own, &use, e) == -1) {
		goto out;
	}
	if (cli_place_open(c, named ? named->url : word, named, false, &o->ctx, &s, e) == 0)
		rc = repo_open(s, use, cache, &o->ctx, &o->repo, e);
	if (rc == 0)
		repo_set_state_dir(o->repo, state);
out:
	cred_fini(&own);
	free(cache);
	free(state);
	return rc == -1 && !o->first ? err_wrap(e, "%s", word) : rc;
}
