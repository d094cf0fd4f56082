/* doctor_machine: this machine's side: versions, folders, configuration, catalog, trail, sources.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "catalog/catalog.h"
#include "catalog/evidence_check.h"
#include "catalog/evidence_key.h"
#include "config/mistakes.h"
#include "config/world.h"
#include "daemon/daemon.h"
#include "os/os.h"

enum { NOFILE_LEAST = 1024 };

json_t *doctor_versions(void)
{
	json_t *o = json_object();
	struct utsname u;

	out_json_str(o, "holdfast", HF_VERSION);
	out_json_str(o, "crypto", crypto_version());
	out_json_str(o, "zstd", ZSTD_versionString());
	out_json_str(o, "zlib", zlibVersion());
	out_json_str(o, "jansson", jansson_version_str());
	if (uname(&u) == 0) {
		out_json_str(o, "system", u.sysname);
		out_json_str(o, "kernel", u.release);
		out_json_str(o, "machine", u.machine);
	}
	return o;
}

static void versions(struct doctor *d)
{
	json_t *v = doctor_versions();

	doctor_good(d, "version", "holdfast", "%s, %s, zstd %s, %s %s",
	    json_string_value(json_object_get(v, "holdfast")),
	    json_string_value(json_object_get(v, "crypto")),
	    json_string_value(json_object_get(v, "zstd")),
	    json_string_value(json_object_get(v, "system")),
	    json_string_value(json_object_get(v, "kernel")));
	json_decref(v);
	if (os_nofile() < NOFILE_LEAST)
		doctor_bad(d, "limits", "open files",
		    "raise it: ulimit -n 65536, or LimitNOFILE= in the unit", "no more than %zu",
		    os_nofile());
}

/* The clock by itself: what is far off is seen without asking anybody. */
static void clock_sane(struct doctor *d)
{
	struct clock *k = os_clock_of(d->c->ctx);
	char text[CALENDAR_TEXT];
	int64_t now = k->wall_ns(k), y2024 = INT64_C(1704067200) * CALENDAR_SECOND;

	if (now < y2024)
		doctor_bad(d, "clock", "this machine", "set it: timedatectl set-ntp true",
		    "it says %s", calendar_format_utc(text, now));
}

/* A folder of ours: is it there, to be written to, and by nobody else? */
static void folder(struct doctor *d, const char *check, const char *path, bool secret)
{
	uint64_t left, all;
	struct stat st;
	char room[32];

	if (os_fstatat(AT_FDCWD, path, &st, 0) == -1) {
		if (errno == ENOENT)
			doctor_good(d, check, path, "not there yet: it is made when it is needed");
		else
			doctor_bad(d, check, path, "see to it that this user reaches it", "%s",
			    strerror(errno));
	} else if (!S_ISDIR(st.st_mode)) {
		doctor_bad(d, check, path, "move it away", "it is no folder");
	} else if (access(path, R_OK | W_OK | X_OK) == -1) {
		doctor_bad(d, check, path, "chown it to the user who runs holdfast, chmod 700",
		    "this user may not write to it");
	} else if (st.st_mode & (secret ? 022 : 002)) {
		doctor_bad(d, check, path, "chmod 700", "others may write to it (mode %o)",
		    st.st_mode & 07777);
	} else if (os_space(path, &left, &all) == 0 && left < UINT64_C(64) << 20) {
		doctor_bad(d, check, path, "make room", "only %s left", text_bytes(room, left));
	} else {
		doctor_good(d, check, path, "can be written to");
	}
}

static void folders(struct doctor *d)
{
	char *state = os_state_dir(), *cache = cli_cache_dir(d->c);

	folder(d, "state", state, true);
	if (cache != NULL)
		folder(d, "cache", cache, false);
	free(state);
	free(cache);
}

/* Every mistake, not the first one only. */
void doctor_configuration(struct doctor *d)
{
	struct cli *c = d->c;
	struct mistakes m = {0};
	struct err e;

	err_clear(&e);
	if (c->looked && c->world != NULL) {
		doctor_good(d, "configuration", c->world->files[0], "is good");
	} else if (world_load(c->opt.config, getenv, &m, &c->world, &e) == 0) {
		c->looked = true;
		if (c->world == NULL)
			doctor_good(d, "configuration", "none", "nothing is declared");
		else
			doctor_good(d, "configuration", c->world->files[0], "is good");
	} else {
		for (size_t i = 0; i < m.n && i < MISTAKES_MAX; i++)
			doctor_err(
			    d, "configuration", "holdfast.yaml", &m.v[i], "holdfast config check");
		if (m.n == 0)
			doctor_err(
			    d, "configuration", "holdfast.yaml", &e, "holdfast config check");
	}
	mistakes_fini(&m);
}

static void catalog(struct doctor *d)
{
	struct catalog *cat = NULL;
	char *url = NULL;
	struct stat st;
	struct err e;

	err_clear(&e);
	if (d->c->world == NULL)
		return;
	if (world_catalog(d->c->world, getenv, &url, &e) == -1) {
		doctor_err(d, "catalog", "catalog", &e, "holdfast config check");
	} else if (strstr(url, "://") == NULL && os_fstatat(AT_FDCWD, url, &st, 0) == -1) {
		doctor_good(d, "catalog", url, "not there yet: the first run makes it");
	} else if (catalog_open(url, &cat, &e) == -1) {
		/* Of a server's URL only what is no secret. */
		doctor_err(d, "catalog", strstr(url, "://") ? "the server's" : url, &e,
		    "holdfast catalog rebuild fills a new one from the repositories");
	} else {
		doctor_good(d, "catalog", strstr(url, "://") ? "the server's" : url, "opens");
	}
	catalog_close(cat);
	free(url);
}

static void trail_key(struct doctor *d, const char *dir)
{
	char *path = evidence_path_key(dir);
	struct stat st;

	if (os_fstatat(AT_FDCWD, path, &st, 0) == 0 && st.st_mode & 077)
		doctor_bad(d, "evidence", path,
		    "chmod 600; who has read it can sign: holdfast evidence key rotate",
		    "others may read the key that signs the audit trail (mode %o)",
		    st.st_mode & 07777);
	free(path);
}

/* By the key beside it: what happens by mistake shows; for the rest there is evidence verify. */
static void trail(struct doctor *d)
{
	char *dir = os_state_dir(), *log = evidence_path_log(dir), *pub = evidence_path_public(dir);
	uint8_t keys[EVIDENCE_KEYS_MAX][CRYPTO_KEY];
	struct evidence_check *k = NULL;
	struct evidence_verdict v;
	struct err e;
	size_t n;

	err_clear(&e);
	if (!evidence_is_kept(dir))
		goto out;
	trail_key(d, dir);
	if (evidence_public_read(pub, keys, EVIDENCE_KEYS_MAX, &n, &e) == -1) {
		doctor_err(d, "evidence", pub, &e, "put your copy of it back");
		goto out;
	}
	k = evidence_check_new((const uint8_t(*)[CRYPTO_KEY])keys, n, NULL);
	if (evidence_check_file(k, log, &v, &e) == -1)
		doctor_err(d, "evidence", log, &e,
		    e.kind == ERR_ABSENT ? "put it back: else the next record begins another chain"
					 : "see to it that this user may read it");
	else if (v.fault == EVIDENCE_WHOLE)
		doctor_good(
		    d, "evidence", log, "%llu records, whole", (unsigned long long)v.records);
	else
		doctor_bad(d, "evidence", log,
		    "find out who; 'holdfast evidence verify -r REPO' tells more",
		    "line %llu: %s: %s", (unsigned long long)v.line, evidence_fault_name(v.fault),
		    v.text);
out:
	evidence_check_free(k);
	free(dir);
	free(log);
	free(pub);
}

/* A declared path that cannot be read is a backup that will not be whole. */
static void sources(struct doctor *d)
{
	const struct world *w = d->c->world;

	for (size_t i = 0; w != NULL && i < w->systems.n; i++) {
		const struct world_system *s = world_system_at(w, i);
		size_t bad = d->bad, paths = 0;

		if (world_source_of(s, WORLD_FILES) == NULL)
			continue;

		for (size_t j = 0; j < s->sources.n; j++) {
			const struct field_texts *p =
			    &((const struct world_source *)s->sources.v + j)->files.paths;

			paths += p->n;
			for (size_t k = 0; k < p->n; k++)
				if (access(p->v[k], R_OK) == -1)
					doctor_bad(d, "source", s->item.name,
					    "is it mounted, and may this user read it?", "%s: %s",
					    p->v[k], strerror(errno));
		}
		if (d->bad == bad)
			doctor_good(d, "source", s->item.name, "its %zu %s can be read", paths,
			    text_plural(paths, "path", "paths"));
	}
}

static bool is_scheduled(const struct world_schedule *s)
{
	return s->full || s->differential || s->incremental;
}

/* A schedule that nobody follows is a backup that nobody makes. */
static void daemon_runs(struct doctor *d)
{
	const struct world *w = d->c->world;
	char *dir = os_state_dir();
	bool scheduled = false, lives;
	int64_t pid;
	struct err e;

	err_clear(&e);
	for (size_t i = 0; w != NULL && i < w->systems.n; i++) {
		const struct world_system *s = world_system_at(w, i);
		const struct world_tier *t = world_tier(w, s->tier);

		scheduled |= !s->paused &&
			     (is_scheduled(&s->schedule) || is_scheduled(&t->schedule));
	}
	if (!scheduled)
		goto out;
	if (daemon_lives(dir, &lives, &pid, &e) == -1)
		doctor_err(d, "daemon", dir, &e, "systemctl status holdfast");
	else if (lives)
		doctor_good(d, "daemon", dir, "runs, pid %lld", (long long)pid);
	else
		doctor_bad(d, "daemon", dir, "systemctl enable --now holdfast, or: holdfast serve",
		    "there are schedules, and no daemon runs: nothing is begun by itself");
out:
	free(dir);
}

void doctor_machine(struct doctor *d)
{
	versions(d);
	clock_sane(d);
	folders(d);
	catalog(d);
	trail(d);
	daemon_runs(d);
	sources(d);
}
