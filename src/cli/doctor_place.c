/* doctor_place: a repository: is it reached, whole, opened by its key, and is there room? */
#include "cli/doctor.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/world.h"
#include "os/os.h"
#include "repo/repo_object.h"
#include "store/store.h"

enum { CLOCK_OFF_S = 60 }; /* beyond that a store may refuse what is signed; beyond 5 min, all do */

static const char CLOCK_FIX[] = "set this machine's clock: timedatectl set-ntp true; or is it the "
				"store's?";

/* The folder of a local place, or NULL. */
static const char *folder_of(const char *url)
{
	if (strncmp(url, "fs:", 3) == 0)
		return url + 3;
	return url[0] == '/' || url[0] == '.' ? url : NULL;
}

/* A secret that all can read is none. */
static void secret_file(struct doctor *d, const struct world_repository *r)
{
	const char *ref = r->key ? r->key : r->password;
	struct stat st;

	if (ref == NULL || strncmp(ref, "file:", 5) != 0)
		return;
	if (os_fstatat(AT_FDCWD, ref + 5, &st, 0) == 0 && st.st_mode & 004)
		doctor_bad(d, "secret", r->item.name, "chmod 600",
		    "everybody may read %s (mode %o)", ref + 5, st.st_mode & 07777);
}

static void space(struct doctor *d, const char *name, const char *url)
{
	enum { LEAST_PERCENT = 5 };
	uint64_t least = UINT64_C(1) << 30, left, all;
	const char *path = folder_of(url);
	char a[32], b[32];

	if (path == NULL || os_space(path, &left, &all) == -1)
		return;
	if (all / 100 * LEAST_PERCENT < least)
		least = all / 100 * LEAST_PERCENT;
	if (left < least)
		doctor_bad(d, "space", name,
		    "make room: holdfast forget and prune, or a larger disk", "%s left of %s",
		    text_bytes(a, left), text_bytes(b, all));
	else
		doctor_good(
		    d, "space", name, "%s left of %s", text_bytes(a, left), text_bytes(b, all));
}

/* By what the store says the time is; which takes the right to add. */
static void clock_and_rights(struct doctor *d, const char *name, struct store *s)
{
	struct clock *k = os_clock_of(d->c->ctx);
	int64_t there, before = k->wall_ns(k), after, off;
	struct err e;

	err_clear(&e);
	if (repo_store_clock(s, &there, &e) == -1) {
		doctor_err(d, "rights", name, &e, "see to it that this login may add there");
		return;
	}
	after = k->wall_ns(k);
	/* Anything within the time that asking took is right. */
	off = there < before ? there - before : there > after ? there - after : 0;
	off /= CALENDAR_SECOND;
	if (llabs(off) > CLOCK_OFF_S)
		doctor_bad(d, "clock", name, CLOCK_FIX, "the store's is %lld seconds %s",
		    (long long)llabs(off), off > 0 ? "ahead" : "behind");
	else
		doctor_good(d, "clock", name, "agrees with the store's");
}

/* As a backup opens it. */
static void opens(struct doctor *d, const char *name)
{
	struct other *o = other_new(d->c);
	struct err e;

	err_clear(&e);
	if (other_open(d->c, name, NULL, o, &e) == -1)
		doctor_err(d, "key", name, &e, "which key or password opens it?");
	else if (repo_may_write(o->repo, &e) == -1)
		doctor_err(d, "version", name, &e, "install a newer holdfast");
	else
		doctor_good(d, "key", name, "opens repository %.8s, role %s", repo_id_text(o->repo),
		    role_name(repo_role(o->repo)));
	other_free(o);
}

static void place(
    struct doctor *d, const char *name, const char *url, const struct world_repository *named)
{
	struct store *s = NULL;
	struct store_stat st;
	struct err e;

	err_clear(&e);
	if (cli_place_open(d->c, url, named, false, d->c->ctx, &s, &e) == -1 ||
	    store_stat(s, "config", &st, &e) == -1) {
		if (named != NULL && named->offline)
			doctor_good(d, "reach", name, "away, as it may be: %s", e.msg);
		else if (e.kind == ERR_ABSENT)
			doctor_bad(d, "reach", name, "make it: holdfast -r REPO init",
			    "there is no repository");
		else
			doctor_err(d, "reach", name, &e, "is it mounted, up, and its name right?");
		store_close(s);
		return;
	}
	doctor_good(d, "reach", name, "%s", s->url);
	/* A kit is only read. */
	if (strncmp(url, "kit:", 4) != 0)
		clock_and_rights(d, name, s);
	store_close(s);
	space(d, name, url);
	opens(d, name);
}

void doctor_places(struct doctor *d)
{
	struct cli *c = d->c;
	const struct world_repository *named = NULL;
	const char *word = c->opt.repo;
	bool given = word != NULL && word[0] != '\0';
	struct err e;

	err_clear(&e);
	/* As -o retries=2 where nothing else was said: who looks does not wait a minute for each.
	 */
	setenv("HOLDFAST_RETRIES", "2", 0);
	if (given && config_repository(c, word, &named, &e) == -1) {
		doctor_err(d, "reach", word, &e, "holdfast config check");
		return;
	}
	if (given) {
		place(d, word, named ? named->url : word, named);
		return;
	}
	for (size_t i = 0; c->world != NULL && i < c->world->repositories.n; i++) {
		const struct world_repository *r = world_repository_at(c->world, i);

		if (ctx_cancelled(c->ctx))
			return;
		secret_file(d, r);
		if (r->key == NULL && r->password == NULL)
			other_know_cred(c);
		place(d, r->item.name, r->url, r);
	}
}
