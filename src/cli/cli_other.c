/*
 * cli_other: repositories that a command takes beside --repo.  The n-th is opened with the
 * n-th key file for it, if there is one, else with what opens --repo.
 */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "base/mem.h"
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

int other_open(struct cli *c, const char *url, const char *key_file, struct other *o, struct err *e)
{
	char *cache = cli_cache_dir(c), *state = os_state_dir();
	const struct repo_cred *use = NULL;
	struct cred own = {0};
	struct store *s;
	int rc = -1;

	if ((key_file ? cred_key_file(&own, key_file, e) : same_cred(c, &own, &use, e)) == -1)
		goto out;
	if (use == NULL)
		use = &own.cred;
	if (cli_store_open(c, url, false, &o->ctx, &s, e) == 0)
		rc = repo_open(s, use, cache, &o->ctx, &o->repo, e);
	if (rc == 0)
		repo_set_state_dir(o->repo, state);
out:
	cred_fini(&own);
	free(cache);
	free(state);
	return rc == -1 ? err_wrap(e, "%s", url) : 0;
}
