/*
 * doctor_bundle: one file for whoever helps: versions, the configuration and the environment
 * without their secrets, what doctor found, the last runs and their logs.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "catalog/catalog.h"
#include "catalog/shape.h"
#include "cli/redact.h"
#include "codec/targz.h"
#include "config/world.h"
#include "os/os.h"

enum { RUNS = 200, LOGS = 20, LOG_TAIL = 64 << 10 };

struct bundle {
	struct doctor *d;
	struct redact *redact;
	struct buf tar;
	int64_t now_s;
	size_t logs;
	struct buf runs;
};

static const char ABOUT[] =
    "A support bundle of holdfast. It holds no passwords, keys or other secrets: values of the\n"
    "configuration that are or may be some are left out, and whatever known secret stands in\n"
    "another file is replaced by <secret>. It does hold names: of this machine, of systems,\n"
    "repositories, paths and users. Look through it before you hand it on.\n\n"
    "  versions.json     of holdfast, its libraries, the kernel\n"
    "  doctor.json       what 'holdfast doctor' found, a finding a line\n"
    "  config.txt        the configuration in force, with where each value comes from\n"
    "  environment.txt   which variables of holdfast and of the stores are set, without values\n"
    "  folders.txt       files in the state folder\n"
    "  runs.json         the last runs, newest first, one a line\n"
    "  logs/             the ends of their logs\n";

/* Every file passes here: nothing goes in that was not looked through. */
static void add(struct bundle *b, const char *name, struct buf *text)
{
	redact_text(b->redact, text);
	targz_add(&b->tar, name, b->now_s, buf_span(text));
	buf_fini(text);
}

/* Takes o. */
static void put_line(struct buf *b, json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);

	buf_printf(b, "%s\n", text ? text : "{}");
	free(text);
	json_decref(o);
}

static void add_about(struct bundle *b)
{
	struct buf t = {0}, v = {0};

	buf_printf(&t, "%s", ABOUT);
	add(b, "README.txt", &t);
	put_line(&v, doctor_versions());
	add(b, "versions.json", &v);
}

static void add_findings(struct bundle *b)
{
	struct buf t = {0};

	for (size_t i = 0; i < b->d->n; i++)
		put_line(&t, doctor_finding_json(&b->d->v[i]));
	add(b, "doctor.json", &t);
}

/* A file that could not be understood may hold anything: of it only doctor's findings. */
static void add_config(struct bundle *b)
{
	const struct world *w = b->d->c->world;
	struct buf t = {0};

	if (w != NULL)
		redact_config(w->tree, &t);
	else
		buf_printf(&t, "none, or it is wrong: see doctor.json\n");
	add(b, "config.txt", &t);
}

static void add_environment(struct bundle *b)
{
	static const char *const ours[] = {"HOLDFAST_", "XDG_", "AWS_", "AZURE_", "GOOGLE_",
	    "RCLONE_", "TZ", "LANG", "LC_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
	    "https_proxy", "no_proxy", "SSL_", "CURL_", "NOTIFY_SOCKET", "WATCHDOG_",
	    "CREDENTIALS_DIRECTORY", "INVOCATION_ID"};
	struct buf t = {0};

	for (char **v = environ; *v != NULL; v++)
		for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
			if (strncmp(*v, ours[i], strlen(ours[i])) == 0) {
				buf_printf(&t, "%.*s\n", (int)strcspn(*v, "="), *v);
				break;
			}
	add(b, "environment.txt", &t);
}

static void add_folder(struct bundle *b)
{
	char *dir = os_state_dir(), when[CALENDAR_TEXT];
	DIR *d = opendir(dir);
	struct dirent *de;
	struct buf t = {0};
	struct stat st;

	buf_printf(&t, "%s%s%s\n", dir, d ? "" : ": ", d ? "" : strerror(errno));
	while (d != NULL && (de = readdir(d)) != NULL)
		if (os_fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    de->d_name[0] != '.')
			buf_printf(&t, "%06o %lu:%lu %12lld %s %s\n", st.st_mode,
			    (unsigned long)st.st_uid, (unsigned long)st.st_gid,
			    (long long)st.st_size,
			    calendar_format_utc(when, st.st_mtime * CALENDAR_SECOND), de->d_name);
	if (d != NULL)
		closedir(d);
	free(dir);
	add(b, "folders.txt", &t);
}

/* The end of a run's log. */
static void add_log(struct bundle *b, const struct run *r)
{
	char name[TARGZ_NAME_MAX + 1];
	struct buf t = {0};
	struct stat st;
	int fd = r->log ? os_open(r->log, O_RDONLY | O_NOFOLLOW, 0) : -1;

	if (fd == -1)
		return;
	if (os_fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		off_t from = st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0;
		ssize_t n = os_pread_full(fd, buf_extend(&t, LOG_TAIL), LOG_TAIL, from);

		t.n = n > 0 ? (size_t)n : 0;
		snprintf(name, sizeof name, "logs/%lld.log", (long long)r->id);
		add(b, name, &t);
		b->logs++;
	}
	buf_fini(&t);
	os_close(fd);
}

static int add_run(void *arg, const struct run *r, struct err *e)
{
	struct bundle *b = arg;

	put_line(&b->runs, shape_json(&shape_run, r));
	if (b->logs < LOGS)
		add_log(b, r);
	return 0;
}

/* As far as there is a catalog that opens: why not, doctor.json says. */
static void add_runs(struct bundle *b)
{
	const struct world *w = b->d->c->world;
	struct run_filter f = {.limit = RUNS};
	struct catalog *c = NULL;
	char *url = NULL;
	struct stat st;
	struct err e;

	if (w != NULL && world_catalog(w, getenv, &url, &e) == 0 &&
	    (strstr(url, "://") != NULL || os_fstatat(AT_FDCWD, url, &st, 0) == 0) &&
	    catalog_open(url, &c, &e) == 0)
		(void)run_list(c, &f, add_run, b, &e);
	catalog_close(c);
	free(url);
	add(b, "runs.json", &b->runs);
}

int doctor_bundle(struct doctor *d, const char *path, struct err *e)
{
	struct clock *clock = os_clock_of(d->c->ctx);
	const struct world *w = d->c->world;
	struct bundle b = {.d = d, .now_s = clock->wall_ns(clock) / CALENDAR_SECOND};
	struct buf out = {0};
	int fd, rc = 0;

	fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1) {
		err_sys(e, "--bundle %s", path);
		return err_hint(e, "name a file that isn't there yet");
	}
	b.redact = redact_new(w ? w->tree : NULL, environ);
	add_about(&b);
	add_findings(&b);
	add_config(&b);
	add_environment(&b);
	add_folder(&b);
	add_runs(&b);
	targz_end(&b.tar, &out);
	if (os_write_all(fd, out.p, out.n) == -1 || os_fsync(fd) == -1) {
		rc = err_sys(e, "--bundle %s", path);
		os_unlinkat(AT_FDCWD, path, 0);
	} else {
		out_text(
		    d->c, "Wrote %s: look through it before you hand it on\n", out_str(d->c, path));
	}
	os_close(fd);
	redact_free(b.redact);
	buf_fini(&b.tar);
	buf_fini(&out);
	return rc;
}
