/* cli_run: parse, open, run, report. */
#include "cli/cli_audit.h"
#include "cli/cli_out.h"
#include "cli/cli_record.h"
#include "cli/cli_stay.h"
#include "cli/cmd_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/world.h"
#include "os/os.h"
#include "store/store.h"
#include "repo/repo_parity.h"

enum { PASSWORD_TRIES = 3, NAMES_MAX = 4 };

/* Where some are declared, their names; but no command fails for a configuration that it can do
 * without.
 */
static void which_repository(struct cli *c, struct err *e)
{
	struct err ignored;
	struct buf b = {0};

	if (config_load(c, false, &ignored) == 0 && c->world != NULL)
		for (size_t i = 0; i < c->world->repositories.n && i < NAMES_MAX; i++)
			buf_printf(&b, "%s-r %.60s", i ? ", " : "",
			    world_repository_at(c->world, i)->item.name);
	err_set(e, ERR_USAGE, "which repository?");
	if (b.n > 0)
		err_hint(e, "use one that is declared: %s", buf_cstr(&b));
	else
		err_hint(e, "use -r REPO, or set HOLDFAST_REPOSITORY");
	buf_fini(&b);
}

/* Who has declared one alone means that one. */
static void take_the_only_one(struct cli *c)
{
	struct err ignored;

	if (config_load(c, false, &ignored) == 0 && c->world != NULL &&
	    c->world->repositories.n == 1)
		c->opt.repo = world_repository_at(c->world, 0)->item.name;
}

const char *cli_repo_url(struct cli *c, struct err *e)
{
	if (c->args.cmd->id == CMD_RECOVER && config_place_of(c, c->args.v[0], e) == -1)
		return NULL;
	if (c->opt.repo == NULL || c->opt.repo[0] == '\0')
		take_the_only_one(c);
	if (c->opt.repo && c->opt.repo[0]) {
		if (config_repository(c, c->opt.repo, &c->named, e) == -1)
			return NULL;
		return c->named ? c->named->url : c->opt.repo;
	}
	which_repository(c, e);
	return NULL;
}

char *cli_cache_dir(struct cli *c)
{
	if (c->opt.no_cache)
		return NULL;
	return c->opt.cache_dir ? mem_strdup(c->opt.cache_dir) : os_cache_dir();
}

/* What is declared to be locked is locked as it is put.  A month has 31 days there: never less. */
static bool lock_option(const char *url, const struct calendar_duration *d, char out[48])
{
	int64_t s = d->ns / CALENDAR_SECOND + (int64_t)d->months * 31 * 86400;

	if (s == 0 || strncmp(url, "s3:", 3) != 0)
		return false;
	snprintf(out, 48, "s3.object-lock=%llds", (long long)s);
	return true;
}

static uint64_t limit_of(uint64_t given)
{
	return given == CLI_NO_LIMIT ? 0 : given;
}

static bool has_other_places(const struct cli *c)
{
	return c->opt.also.n > 0 || c->opt.from_repo != NULL || c->opt.family != NULL;
}

/*
 * "s3.region=x" is for "s3:...", "webdav.x" for "davs://..." too.  What has no dot, or is of no
 * store, goes to all: they refuse what they don't know.
 */
static bool is_for(const char *url, const char *option)
{
	static const char *const of[][2] = {{"s3", "s3"}, {"sftp", "sftp"}, {"azure", "azure"},
	    {"gcs", "gcs"}, {"gs", "gcs"}, {"ftp", "ftp"}, {"ftps", "ftp"}, {"webdav", "webdav"},
	    {"webdavs", "webdav"}, {"dav", "webdav"}, {"davs", "webdav"}, {"fs", "fs"}};
	size_t name = strcspn(option, ".="), n = strcspn(url, ":/");
	const char *scheme = "fs";
	bool known = false;

	for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
		known |= option[name] == '.' && strlen(of[i][1]) == name &&
			 strncmp(of[i][1], option, name) == 0;
		if (url[n] == ':' && strlen(of[i][0]) == n && strncmp(of[i][0], url, n) == 0)
			scheme = of[i][1];
	}
	return !known || (strlen(scheme) == name && strncmp(scheme, option, name) == 0);
}

int cli_place_open(struct cli *c, const char *url, const struct world_repository *named,
    bool create, struct ctx *ctx, struct store **out, struct err *e)
{
	struct store_params p = {
	    .limits = {limit_of(c->opt.limit_upload), limit_of(c->opt.limit_download)},
	};
	const struct cli_list *given = &c->opt.options;
	const char **options = mem_alloc(
	    (1 + (named ? named->options.n : 0) + given->n) * sizeof *options);
	char lock[48];
	size_t n = 0;
	int rc;

	/* What is given with -o goes before what is declared. */
	if (named != NULL && lock_option(url, &named->object_lock, lock))
		options[n++] = lock;
	for (size_t i = 0; named != NULL && i < named->options.n; i++)
		options[n++] = named->options.v[i];
	for (size_t i = 0; i < given->n; i++)
		if (!has_other_places(c) || is_for(url, given->v[i]))
			options[n++] = given->v[i];
	p.options = options;
	p.noptions = n;
	if (named != NULL && c->opt.limit_upload == 0)
		p.limits.upload_in = &named->limit_upload;
	if (named != NULL && c->opt.limit_download == 0)
		p.limits.download_in = &named->limit_download;
	rc = store_open_with(url, create, &p, ctx, out, e);
	free(options);
	return rc;
}

int cli_store_open(struct cli *c, const char *url, bool create, struct store **out, struct err *e)
{
	return cli_place_open(c, url, c->named, create, c->ctx, out, e);
}

/* Once; *again says that a password was mistyped, on a terminal. */
static int try_open(struct cli *c, const char *url, const char *cache, bool *again, struct err *e)
{
	struct store *s = NULL;
	struct cred cred = {0};
	int rc;

	*again = false;
	if (cli_store_open(c, url, false, &s, e) == -1)
		return -1;
	if (cred_get(c, false, &cred, e) == -1) {
		store_close(s);
		return -1;
	}
	rc = repo_open(s, &cred.cred, cache, c->ctx, &c->repo, e);
	*again = rc == -1 && cred.asked && e->kind == ERR_WRONG_KEY;
	cred_fini(&cred);
	return rc;
}

/* What this machine has seen of the repository is no cache: it is remembered elsewhere. */
static void set_state_dir(struct repo *r)
{
	char *dir = os_state_dir();

	repo_set_state_dir(r, dir);
	free(dir);
}

/* What the command line says opens it, or else the configuration, or what opens --repo. */
static int from_cred(
    struct cli *c, const struct world_repository *named, struct cred *out, struct err *e)
{
	const struct cli_options *o = &c->opt;
	bool said = o->from_key_file || o->from_password_file || o->from_password_command ||
		    getenv("HOLDFAST_FROM_KEY_FILE") || getenv("HOLDFAST_FROM_PASSWORD") ||
		    getenv("HOLDFAST_FROM_PASSWORD_FILE") ||
		    getenv("HOLDFAST_FROM_PASSWORD_COMMAND");

	if (said || named == NULL || !(named->key || named->password))
		return cred_get_from(c, out, e);
	return config_cred(named, out, e);
}

int cli_open_from(struct cli *c, struct repo **out, struct err *e)
{
	const struct world_repository *named;
	const char *url = c->opt.from_repo;
	struct store *s = NULL;
	struct cred cred = {0};
	char *cache;
	int rc;

	if (config_repository(c, url, &named, e) == -1 ||
	    cli_place_open(c, named ? named->url : url, named, false, c->ctx, &s, e) == -1)
		return -1;
	if (from_cred(c, named, &cred, e) == -1) {
		store_close(s);
		return -1;
	}
	cache = cli_cache_dir(c);
	rc = repo_open(s, &cred.cred, cache, c->ctx, out, e);
	free(cache);
	cred_fini(&cred);
	if (rc == 0)
		set_state_dir(*out);
	return rc;
}

static int open_repo(struct cli *c, struct err *e)
{
	const char *url = cli_repo_url(c, e);
	char *cache = cli_cache_dir(c);
	bool again;
	int rc = -1;

	for (int tries = PASSWORD_TRIES; url && tries > 0; tries--) {
		rc = c->opt.also.n > 0 ? opening_first(c, &again, e)
				       : try_open(c, url, cache, &again, e);
		if (!again || tries == 1)
			break;
		out_message(c, "wrong password, try again");
		err_clear(e);
	}
	free(cache);
	if (rc == 0)
		set_state_dir(c->repo);
	if (rc == -1 && e->kind == ERR_NO_REPOSITORY && e->hint[0] == '\0')
		err_hint(e, "make one with: holdfast -r %s init", url);
	return rc;
}

/* All is right, but the store is not: nobody must learn that from silence. */
static int say_mended(struct cli *c, struct err *e)
{
	enum cmd_id id = c->args.cmd->id;
	size_t n = c->repo ? repo_mended(c->repo) : 0;

	if (n == 0 || id == CMD_REPAIR || id == CMD_CHECK)
		return 0;
	err_set(e, ERR_INCOMPLETE, "%s: done and right, but %zu damaged %s read by parity",
	    c->args.cmd->name, n, n == 1 ? "object was" : "objects were");
	return err_hint(e, "'holdfast repair' mends the repository");
}

/* A sheet is put back where nothing can be opened yet; rules are about all repositories. */
static bool opens(struct cli *c)
{
	bool import = c->args.cmd->id == CMD_KEY && strcmp(c->args.v[0], "import") == 0;

	/* Without --repo a verification is a job at every place. */
	if ((c->args.cmd->id == CMD_VERIFY || c->args.cmd->id == CMD_DRILL) &&
	    (c->opt.repo == NULL || c->opt.repo[0] == '\0'))
		return false;
	return c->args.cmd->flags & CMD_OPENS && !import && !c->opt.rules && !find_is_for_all(c);
}

/* With --also, one repository that is away is no reason to leave out the rest. */
static bool others_do(struct cli *c, const struct err *e)
{
	if (c->opt.also.n == 0 || e->kind == ERR_USAGE || e->kind == ERR_CANCELLED)
		return false;
	c->repo_err = mem_dup(e, sizeof *e);
	return true;
}

static int run(struct cli *c, struct err *e)
{
	const struct cmd_def *cmd = c->args.cmd;
	int rc;

	if (cmd == NULL || c->opt.help || c->opt.version) {
		/* help and version find out for themselves what was asked */
		return c->opt.version && !c->opt.help ? cmd_version(c, e) : cmd_help(c, e);
	}
	if (config_apply(c, e) == -1)
		return -1;
	if ((opens(c) && open_repo(c, e) == -1 && !others_do(c, e)) ||
	    (c->repo != NULL && cli_role_check(c, e) == -1))
		return audit_refused(c, e);
	record_begin(c);
	audit_begin(c);
	rc = cmd->run(c, e);
	progress_stop(c);
	if (rc == 0)
		rc = say_mended(c, e);
	rc = record_end(c, rc, e);
	return audit_end(c, rc, e);
}

/* Before any thread is started: it takes on its starter's priorities. */
static int set_priorities(struct cli *c, struct err *e)
{
	if (c->opt.nice != NICE_UNSET && os_set_nice(c->opt.nice, e) == -1)
		return -1;
	return c->opt.ionice ? os_set_ionice(c->opt.ionice, e) : 0;
}

struct running {
	struct cli *c;
	struct err *e;
	int rc;
};

static void run_deep(void *arg)
{
	struct running *r = arg;

	r->rc = run(r->c, r->e);
}

static int status_of(const struct cli *c, const struct err *e)
{
	int status = err_info(e->kind)->exit_status;

	return status == 3 && c->opt.strict ? 1 : status;
}

int cli_main(int argc, char **argv, struct ctx *ctx, atomic_bool *ask)
{
	struct cli c = {.ctx = ctx, .ask = ask};
	struct err e, e2;
	struct running r = {&c, &e, -1};
	bool gets = cmd_log_gets(argc, argv);
	int status = 0, rc;

	err_clear(&e);
	if (gets)
		mem_set_exit_status(CLI_STOP);
	ctx->sink = out_sink;
	ctx->sink_arg = &c;
	rc = cli_parse(argc, argv, getenv, &c.opt, &c.args, &e);
	if (rc == 0 && c.opt.instant && !stay_begin(&status)) {
		cli_parse_fini(&c.opt, &c.args);
		return status;
	}
	out_init(&c);
	if (rc == 0 && (rc = set_priorities(&c, &e)) == 0) {
		os_call_deep(run_deep, &r);
		rc = r.rc;
	}
	if (rc == -1) {
		status = status_of(&c, &e);
		if (!c.wanted || c.out.json)
			out_error(&c, &e, status);
	}
	if (out_finish(&c, &e2) == -1 && status == 0) {
		status = 1;
		out_error(&c, &e2, status);
	}
	if (c.opening != NULL)
		opening_end(c.opening, &e2);
	repo_close(c.repo);
	other_free(c.first);
	if (c.cred != NULL)
		cred_fini(c.cred);
	free(c.cred);
	free(c.repo_err);
	audit_free(&c);
	world_free(c.world);
	cli_parse_fini(&c.opt, &c.args);
	return gets ? cmd_log_status(&c, status) : status;
}
