/* log_place: see log_place.h. */
#include "cli/log_place_internal.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "config/world.h"
#include "crypto/secret.h"
#include "os/os.h"
#include "store/store.h"

/* What stands first in global/pg_control. */
static uint64_t system_of_data(const char *data)
{
	char *path = mem_printf("%s/global/pg_control", data);
	uint8_t b[8] = {0};
	int fd = os_open(path, O_RDONLY, 0);
	struct cursor c = cursor_of(span_of(b, sizeof b));
	bool ok = fd != -1 && os_pread_full(fd, b, sizeof b, 0) == sizeof b;

	os_close(fd);
	free(path);
	return ok ? cursor_u64(&c) : 0;
}

uint64_t log_place_here(void)
{
	return system_of_data(".");
}

static const struct world_source *pg_of(const struct world_system *s)
{
	return world_source_of(s, WORLD_POSTGRESQL);
}

static int find_system(struct cli *c, uint64_t wal, const struct world_system **out, struct err *e)
{
	const struct world_system *only = NULL, *fits = NULL;
	size_t n = 0, nfits = 0;

	for (size_t i = 0; i < c->world->systems.n; i++) {
		const struct world_system *s = world_system_at(c->world, i);
		const struct world_source *src = pg_of(s);
		const char *data = src ? src->postgresql.data_directory : NULL;

		if (src == NULL)
			continue;
		n++;
		only = s;
		if (wal != 0 && data != NULL && system_of_data(data) == wal) {
			fits = s;
			nfits++;
		}
	}
	*out = nfits == 1 ? fits : n == 1 ? only : NULL;
	if (*out != NULL)
		return 0;
	err_set(e, ERR_USAGE,
	    n == 0 ? "no system of %s is a server of PostgreSQL's" : "which system of %s is it?",
	    c->world->files[0]);
	return err_hint(e, "say --system NAME");
}

static void add_target(struct log_place *p, const char *word)
{
	struct log_target *t;

	p->targets = mem_realloc(p->targets, (p->n + 1) * sizeof *p->targets);
	t = &p->targets[p->n++];
	*t = (struct log_target){.word = mem_strdup(word)};
}

static void take_declared(struct log_place *p, const struct world_system *s)
{
	const struct world_tier *tier = world_tier(p->c->world, s->tier);
	const struct world_repository **to = mem_alloc((tier->destinations.n + 1) * sizeof(void *));
	size_t n = world_written(p->c->world, tier, to);
	const struct world_source *src = pg_of(s);

	for (size_t i = 0; i < n; i++)
		add_target(p, to[i]->item.name);
	free(to);
	p->system = mem_strdup(s->item.name);
	p->source = mem_strdup(src && src->part ? src->part : "postgresql");
	if (src != NULL && src->postgresql.data_directory != NULL) {
		p->data = mem_strdup(src->postgresql.data_directory);
		p->wal = system_of_data(p->data);
	}
}

static int of_world(struct log_place *p, const char *system, uint64_t wal, struct err *e)
{
	const struct world_system *s = NULL;

	if (config_load(p->c, true, e) == -1)
		return -1;
	if (system == NULL) {
		if (find_system(p->c, wal, &s, e) == -1)
			return -1;
	} else if ((s = world_system(p->c->world, system)) == NULL) {
		err_set(e, ERR_USAGE, "there is no system '%.200s' in %s", system,
		    p->c->world->files[0]);
		return err_hint(e, "holdfast config show prints what is declared");
	}
	take_declared(p, s);
	return 0;
}

int log_place_new(
    struct cli *c, const char *system, uint64_t wal, struct log_place **out, struct err *e)
{
	struct log_place *p = mem_zalloc(sizeof *p);
	int rc = 0;

	p->c = c;
	if (c->opt.repo == NULL || c->opt.repo[0] == '\0') {
		rc = of_world(p, system, wal, e);
	} else if (system == NULL) {
		err_set(e, ERR_USAGE, "which system's log is it?");
		rc = err_hint(e, "with --repo also say --system NAME");
	} else {
		const struct world_repository *named;

		rc = config_repository(c, c->opt.repo, &named, e);
		if (rc == 0 && c->world != NULL && world_system(c->world, system) != NULL) {
			take_declared(p, world_system(c->world, system));
			while (p->n > 0)
				free(p->targets[--p->n].word);
		} else if (rc == 0) {
			p->system = mem_strdup(system);
			p->source = mem_strdup("postgresql");
		}
		if (rc == 0)
			add_target(p, c->opt.repo);
	}
	if (rc == -1)
		log_place_free(p);
	else
		*out = p;
	return rc;
}

void log_target_close(struct log_target *t)
{
	log_writer_close(t->writer);
	t->writer = NULL;
	repo_close(t->other.repo);
	t->other.repo = NULL;
}

void log_place_free(struct log_place *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++) {
		log_target_close(&p->targets[i]);
		free(p->targets[i].word);
	}
	free(p->targets);
	free(p->system);
	free(p->source);
	free(p->data);
	buf_fini(&p->bytes);
	free(p);
}

const char *log_place_system(const struct log_place *p)
{
	return p->system;
}

const char *log_place_source(const struct log_place *p)
{
	return p->source;
}

/* Who owns the data; where that is not said, user postgres. */
static bool may(const char *data, uid_t who)
{
	struct passwd pw, *found = NULL;
	char room[8192];
	struct stat st;

	if (who == 0 || who == geteuid())
		return true;
	if (data != NULL)
		return stat(data, &st) == 0 && st.st_uid == who;
	return getpwnam_r("postgres", &pw, room, sizeof room, &found) == 0 && found != NULL &&
	       pw.pw_uid == who;
}

bool log_place_may(const struct log_place *p, uid_t who)
{
	return may(p->data, who);
}

bool log_place_may_any(const struct cli *c, uid_t who)
{
	for (size_t i = 0; c->world != NULL && i < c->world->systems.n; i++) {
		const struct world_source *src = pg_of(world_system_at(c->world, i));

		if (src != NULL && may(src->postgresql.data_directory, who))
			return true;
	}
	return who == 0 || who == geteuid();
}

/* ---- Opening. */

/* In the daemon: its children need the environment as it is, and nobody sits at its terminal. */
static int daemon_cred(const struct world_repository *named, struct cred *own, struct err *e)
{
	const char *file = getenv("HOLDFAST_KEY_FILE"), *password = getenv("HOLDFAST_PASSWORD");

	if (file != NULL && file[0] != '\0')
		return cred_key_file(own, file, e);
	if (password != NULL && password[0] != '\0') {
		own->secret = secret_copy(password);
		own->cred = (struct repo_cred){.secret = span_str(own->secret)};
		return 0;
	}
	err_set(e, ERR_USAGE, "no key and no password is declared");
	return err_hint(e, "declare key: or password: of %s, by reference",
	    named ? named->item.name : "the repository");
}

/* Of a place that is declared its own; else what was given, which is there once only. */
static int find_cred(struct cli *c, const struct world_repository *named, struct cred *own,
    const struct repo_cred **use, struct err *e)
{
	bool given = c->opt.repo != NULL && c->opt.repo[0] != '\0';

	if (!given && named != NULL && (named->key || named->password))
		return config_cred(named, own, e);
	if (c->args.cmd == NULL)
		return daemon_cred(named, own, e);
	if (given)
		c->named = named;
	other_know_cred(c);
	if (c->cred == NULL)
		return cred_get(c, false, own, e);
	*use = &c->cred->cred;
	return 0;
}

int log_target_open(struct log_place *p, struct log_target *t, struct err *e)
{
	const struct world_repository *named;
	struct cred own = {0};
	const struct repo_cred *use = &own.cred;
	struct store *s;
	int rc = -1;

	t->other.ctx.above = p->c->ctx;
	t->other.ctx.clock = p->c->ctx->clock;
	t->other.ctx.sink = p->c->ctx->sink;
	t->other.ctx.sink_arg = p->c->ctx->sink_arg;
	if (config_repository(p->c, t->word, &named, e) == -1)
		goto out;
	if (find_cred(p->c, named, &own, &use, e) == -1)
		goto out;
	if (cli_place_open(
		p->c, named ? named->url : t->word, named, false, &t->other.ctx, &s, e) == 0)
		rc = repo_open(s, use, NULL, &t->other.ctx, &t->other.repo, e);
	if (rc == 0)
		log_stream(t->other.repo, p->system, p->source, t->stream);
out:
	cred_fini(&own);
	if (rc == -1 && e->kind == ERR_DENIED && e->hint[0] == '\0')
		err_hint(e,
		    "holdfast serve does it by rights of its own, and none is at hand; else "
		    "this user needs the key and the repository");
	return rc == 0 ? 0 : err_wrap(e, "%s", t->word);
}

size_t log_place_repos(const struct log_place *p)
{
	return p->n;
}

const char *log_place_repo_name(const struct log_place *p, size_t i)
{
	return p->targets[i].word;
}

int log_place_repo(struct log_place *p, size_t i, struct repo **out, struct err *e)
{
	if (i >= p->n)
		return err_set(e, ERR_ABSENT, "there is no other repository of %s", p->system);
	if (p->targets[i].other.repo == NULL && log_target_open(p, &p->targets[i], e) == -1)
		return -1;
	*out = p->targets[i].other.repo;
	return 0;
}
