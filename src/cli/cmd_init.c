/* init: make a repository. */
#include "cli/cli_out.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"
#include "store/store.h"
#include "store/store_rules.h"

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

/* What an interrupted init, or a new file system, has in it already. */
static bool may_be_there(const char *name)
{
	static const char *const names[] = {".", "..", "keys", "tmp", "lost+found"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* A folder with somebody's things in it becomes no repository. */
static int refuse_full(const char *url, struct err *e)
{
	const char *path = strncmp(url, "fs:", 3) == 0 ? url + 3 : url;
	DIR *d = strncmp(url, "mem:", 4) == 0 ? NULL : opendir(path);
	struct dirent *de;
	bool config = false, keys = false;
	char *stray = NULL;

	if (d == NULL) /* not there, or the store says why */
		return 0;
	while ((de = readdir(d)) != NULL) {
		config |= strcmp(de->d_name, "config") == 0;
		keys |= strcmp(de->d_name, "keys") == 0;
		if (stray == NULL && !may_be_there(de->d_name))
			stray = mem_strdup(de->d_name);
	}
	closedir(d);
	if (stray == NULL)
		return 0;
	if (config && keys) {
		err_set(e, ERR_EXISTS, "%s holds a repository already", path);
	} else {
		err_set(e, ERR_USAGE, "%s: is not empty: there is '%s'", path, stray);
		err_hint(e, "a repository is made in a folder that is empty, or not there yet");
	}
	free(stray);
	return -1;
}

/* The choices of --object-hash and --blob-id have the same order. */
static enum crypto_family family(int choice)
{
	static const enum crypto_family families[] = {CRYPTO_BLAKE3, CRYPTO_SHA2};

	return families[choice - 1];
}

/* What needs neither store nor key to be refused. */
static int check_options(struct cli *c, const char *url, unsigned *parity, struct err *e)
{
	if (pick_parity(c, "--parity", parity, e) == -1)
		return -1;
	if (c->opt.grace.months)
		return err_set(
		    e, ERR_USAGE, "--grace: months and years have no fixed length; use days");
	if (c->opt.grace.ns < CALENDAR_SECOND) {
		err_set(e, ERR_USAGE, "--grace: it must be a second at least");
		return err_hint(e, "prune --exclusive deletes at once");
	}
	return refuse_full(url, e);
}

/* The place, and what opens it: a key file first, lest a folder is left where it can't be. */
static int open_both(
    struct cli *c, const char *url, struct store **s, struct cred *cred, bool *made, struct err *e)
{
	if (c->opt.new_key_file && cred_new(c, cred, e) == -1)
		return -1;
	*made = c->opt.new_key_file != NULL;
	if (cli_store_open(c, url, true, s, e) == -1)
		return -1;
	if (*made || cred_new(c, cred, e) == 0)
		return 0;
	store_close(*s);
	return -1;
}

/* --family: that repository, whose ids the new one shares. */
static int join(struct cli *c, struct other **kin, struct repo_init_params *p, struct err *e)
{
	if (c->opt.family == NULL)
		return 0;
	*kin = other_new(c);
	if (other_open(c, c->opt.family, NULL, *kin, e) == -1)
		return -1;
	p->family = (*kin)->repo;
	return 0;
}

/* The rules that the store's options ask for.  The repository is whole without them. */
static int put_rules(struct store *s, struct err *e)
{
	struct store_rule rules[STORE_RULES_MAX];
	size_t n = store_rules_wanted(s, rules);
	struct err why;

	if (n == 0 || store_rules_put(s, rules, n, &why) == 0)
		return 0;
	err_set(e, ERR_INCOMPLETE, "the repository is made, but the bucket has not its rules: %s",
	    why.msg);
	return err_hint(e, "'holdfast prune' with the same options puts them");
}

int cmd_init(struct cli *c, struct err *e)
{
	struct repo_init_params p = {.label = c->opt.label,
	    .object_hash = family(c->opt.object_hash),
	    .blob_id = family(c->opt.blob_id),
	    .grace_s = c->opt.grace.ns / CALENDAR_SECOND};
	const char *url = cli_repo_url(c, e), *durability;
	struct store *s;
	struct cred cred = {0};
	struct other *kin = NULL;
	char *cache = NULL;
	bool made = false;
	int rc = -1;

	if (url == NULL || check_options(c, url, &p.parity, e) == -1 ||
	    join(c, &kin, &p, e) == -1 || open_both(c, url, &s, &cred, &made, e) == -1)
		goto out;
	durability = s->ops->durability;
	p.cred = cred.cred;
	cache = cli_cache_dir(c);
	rc = repo_init(s, &p, cache, c->ctx, &c->repo, e);
	if (rc == 0) {
		made = false;
		report(c, durability, cred.cred.key_file);
		rc = put_rules(repo_store(c->repo), e);
	}
out:
	other_free(kin);
	if (rc == -1 && made)
		os_unlinkat(AT_FDCWD, c->opt.new_key_file, 0);
	free(cache);
	cred_fini(&cred);
	return rc;
}
