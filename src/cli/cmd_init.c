/* init: make a repository. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "os/os.h"
#include "store/store.h"

static void report(struct cli *c, const char *durability, bool key_file)
{
	if (c->out.json) {
		json_t *o = json_object();

		out_json_str(o, "repository", repo_id_text(c->repo));
		out_json_str(o, "url", repo_url(c->repo));
		out_json_str(o, "durability", durability);
		out_json_str(o, "key_file", c->opt.new_key_file);
		out_json(c, "summary", o);
		return;
	}
	out_text(
	    c, "Made repository %s at %s\n", repo_id_text(c->repo), out_str(c, repo_url(c->repo)));
	if (durability && durability[0])
		out_text(c, "The store promises: %s\n", durability);
	out_text(c,
	    "\nKeep a copy of the %s somewhere else than on this machine:\n"
	    "without it nobody, ever, can read what is stored here.\n",
	    key_file ? "key file" : "password");
	if (c->opt.new_key_file)
		out_text(c, "The key file is %s\n", out_str(c, c->opt.new_key_file));
	out_text(c,
	    "\nNext:\n  holdfast -r %s%s%s backup PATH...\n  holdfast -r %s%s%s snapshots\n",
	    out_str(c, c->opt.repo), c->opt.new_key_file ? " --key-file " : "",
	    c->opt.new_key_file ? out_str(c, c->opt.new_key_file) : "", out_str(c, c->opt.repo),
	    c->opt.new_key_file ? " --key-file " : "",
	    c->opt.new_key_file ? out_str(c, c->opt.new_key_file) : "");
}

int cmd_init(struct cli *c, struct err *e)
{
	struct repo_init_params p = {.label = c->opt.label};
	const char *url = cli_repo_url(c, e), *durability;
	struct store *s = NULL;
	struct cred cred = {0};
	char *cache = NULL;
	bool key_file;
	int rc = -1;

	if (url == NULL)
		goto out;
	if (c->opt.grace.months) {
		err_set(e, ERR_USAGE, "--grace: months and years have no fixed length; use days");
		goto out;
	}
	if (c->opt.grace.ns < CALENDAR_SECOND) {
		err_set(e, ERR_USAGE, "--grace: it must be a second at least");
		err_hint(e, "prune --exclusive deletes at once");
		goto out;
	}
	if (store_open(url, true, c->ctx, &s, e) == -1)
		goto out;
	if (cred_new(c, &cred, e) == -1) {
		store_close(s);
		goto out;
	}
	durability = s->ops->durability;
	key_file = cred.cred.key_file;
	p.cred = cred.cred;
	p.grace_s = c->opt.grace.ns / CALENDAR_SECOND;
	cache = cli_cache_dir(c);
	rc = repo_init(s, &p, cache, c->ctx, &c->repo, e);
	if (rc == 0)
		report(c, durability, key_file);
	else if (c->opt.new_key_file)
		os_unlinkat(AT_FDCWD, c->opt.new_key_file, 0);
out:
	free(cache);
	cred_fini(&cred);
	return rc;
}
