/* log_place: see log_place.h. */
#include "cli/log_place.h"

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
#include "source/wal_file.h"
#include "store/store.h"

enum { REST_S = 60 };

struct target {
	char *word; /* as declared, or a URL */
	struct other other;
	struct log_writer *writer;
	uint8_t stream[LOG_STREAM];
	int64_t rests_until_ns; /* it failed */
};

struct log_place {
	struct cli *c;
	char *system, *source, *data; /* data: the directory; NULL: not said */
	uint64_t wal;                 /* the database's identifier; 0: not known yet */
	struct target *targets;
	size_t n;
	struct buf bytes;
	struct stat was; /* the file at hand, before anything of it was read */
	bool hurry;
};

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
	struct target *t;

	p->targets = mem_realloc(p->targets, (p->n + 1) * sizeof *p->targets);
	t = &p->targets[p->n++];
	*t = (struct target){.word = mem_strdup(word)};
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

static void close_target(struct target *t)
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
		close_target(&p->targets[i]);
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

/* As other_open, but without caches, and without what this machine remembers. */
static int open_target(struct log_place *p, struct target *t, struct err *e)
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
	if (p->targets[i].other.repo == NULL && open_target(p, &p->targets[i], e) == -1)
		return -1;
	*out = p->targets[i].other.repo;
	return 0;
}

/* ---- Pushing. */

uint64_t log_file_system(int fd)
{
	uint8_t first[WAL_FILE_HEAD];
	struct wal_file_head h;
	struct err ignored;

	if (os_pread_full(fd, first, sizeof first, 0) != sizeof first ||
	    wal_file_head(span_of(first, sizeof first), &h, &ignored) == -1)
		return 0;
	return h.system;
}

static int no_size(const char *name, struct err *e)
{
	err_set(e, ERR_USAGE, "%s: no file of a size that it could have", name);
	return err_hint(
	    e, "a whole segment of the server's pg_wal: archive_command has %%p for it");
}

static int size_of(
    struct log_place *p, const char *name, int fd, uint64_t max, size_t *out, struct err *e)
{
	struct stat *st = &p->was;

	if (os_fstat(fd, st) == -1)
		return err_sys(e, "%s", name);
	if (!S_ISREG(st->st_mode) || st->st_size <= 0 || (uint64_t)st->st_size > max)
		return no_size(name, e);
	*out = (size_t)st->st_size;
	return 0;
}

/* n bytes from its beginning, into memory that is used again. */
static int read_file(struct log_place *p, const char *name, int fd, size_t n, struct err *e)
{
	ssize_t got;

	buf_reset(&p->bytes);
	buf_reserve(&p->bytes, n);
	got = os_pread_full(fd, buf_extend(&p->bytes, n), n, 0);
	if (got == -1)
		return err_sys(e, "%s", name);
	return (size_t)got == n
		   ? 0
		   : err_set(e, ERR_FAILED, "%s: became shorter while it was read", name);
}

/* By its first bytes; the rest is read when it is stored. */
static int check_segment(struct log_place *p, const struct wal_file *f, const char *name, int fd,
    struct log_piece *out, struct err *e)
{
	struct wal_file_head h;
	size_t n = 0;

	if (size_of(p, name, fd, WAL_FILE_MAX, &n, e) == -1 ||
	    read_file(p, name, fd, n < WAL_FILE_HEAD ? n : WAL_FILE_HEAD, e) == -1)
		return -1;
	if (wal_file_head(buf_span(&p->bytes), &h, e) == -1 || wal_file_fits(f, &h, n, e) == -1)
		return err_wrap(e, "%s", name);
	if (p->wal != 0 && h.system != p->wal) {
		err_set(e, ERR_USAGE,
		    "%s is of another database (%llu) than %s's (%llu): it is not stored", name,
		    (unsigned long long)h.system, p->system, (unsigned long long)p->wal);
		return err_hint(e, "was the cluster made anew? Declare it as another system");
	}
	p->wal = h.system;
	out->start = h.start;
	out->end = h.start + h.size;
	out->bytes = span_of(NULL, n);
	out->fd = fd;
	out->was = &p->was;
	return 0;
}

static int check_history(
    struct log_place *p, const char *name, int fd, struct log_piece *out, struct err *e)
{
	struct log_line *lines;
	size_t n = 0;

	if (size_of(p, name, fd, FORMAT_LOG_HISTORY_MAX, &n, e) == -1 ||
	    read_file(p, name, fd, n, e) == -1)
		return -1;
	if (log_history_parse(buf_span(&p->bytes), &lines, &n, e) == -1)
		return err_wrap(e, "%s", name);
	free(lines);
	out->bytes = buf_span(&p->bytes);
	return 0;
}

static int make_piece(
    struct log_place *p, const char *name, int fd, struct log_piece *out, struct err *e)
{
	struct wal_file f;

	if (wal_file_parse(name, &f, e) == -1)
		return -1;
	*out = (struct log_piece){.timeline = f.timeline,
	    .kind = f.kind == WAL_FILE_HISTORY   ? LOG_HISTORY
		    : f.kind == WAL_FILE_PARTIAL ? LOG_PARTIAL
						 : LOG_SEGMENT};
	return f.kind == WAL_FILE_HISTORY ? check_history(p, name, fd, out, e)
					  : check_segment(p, &f, name, fd, out, e);
}

static int push_to(struct log_place *p, struct target *t, struct log_piece *piece,
    enum log_put_outcome *out, struct err *e)
{
	if (t->writer != NULL && log_writer_stale(t->writer))
		close_target(t);
	if (t->other.repo == NULL && open_target(p, t, e) == -1)
		return -1;
	if (t->writer == NULL && log_writer_open(t->other.repo, &t->writer, e) == -1)
		return err_wrap(e, "%s", t->word);
	memcpy(piece->stream, t->stream, LOG_STREAM);
	log_writer_hurry(t->writer, p->hurry);
	if (log_writer_put(t->writer, piece, out, e) == 0)
		return 0;
	if (e->kind != ERR_EXISTS)
		close_target(t); /* by then its keys, or its way, may be others */
	return err_wrap(e, "%s", t->word);
}

static void push_to_others(struct log_place *p, const char *name, struct log_piece *piece)
{
	struct clock *clock = os_clock_of(p->c->ctx);

	for (size_t i = 1; i < p->n; i++) {
		struct target *t = &p->targets[i];
		enum log_put_outcome out;
		struct err e;

		if (clock->mono_ns(clock) < t->rests_until_ns)
			continue;
		t->rests_until_ns = 0;
		if (push_to(p, t, piece, &out, &e) == 0)
			continue;
		if (ctx_cancelled(p->c->ctx))
			return; /* who waits for it offers it again */
		t->rests_until_ns = clock->mono_ns(clock) + REST_S * CALENDAR_SECOND;
		event_emit(p->c->ctx, EVENT_WARNING, span_str(name),
		    "not stored there, which has a gap until 'holdfast copy' fills it: %s", e.msg);
	}
}

void log_place_hurry(struct log_place *p, bool hurry)
{
	p->hurry = hurry;
}

static int no_destination(const struct log_place *p, struct err *e)
{
	err_set(e, ERR_USAGE, "%s has no destination that is written", p->system);
	return err_hint(e, "name one in destinations of its tier: holdfast config show");
}

int log_place_push(
    struct log_place *p, const char *name, int fd, enum log_put_outcome *out, struct err *e)
{
	struct log_piece piece;

	if (p->n == 0)
		return no_destination(p, e);
	if (make_piece(p, name, fd, &piece, e) == -1) {
		/* It is the file that is at fault: nothing that is stored. */
		e->kind = e->kind == ERR_CORRUPT ? ERR_FAILED : e->kind;
		return -1;
	}
	if (push_to(p, &p->targets[0], &piece, out, e) == -1)
		return -1;
	push_to_others(p, name, &piece);
	return 0;
}
