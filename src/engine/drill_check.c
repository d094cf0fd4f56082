/* drill_check: what a system declares that it has to answer when it is back. */
#include "engine/drill_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"

enum { PATIENCE_S = 60, CHUNK = 1 << 18 };
static const int64_t second = 1000000000;

/* ---- What it says. */

static const char *trimmed(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL)
		s[--n] = '\0';
	return s + strspn(s, " \t\r\n");
}

static bool is_yes(const char *s)
{
	return strcmp(s, "true") == 0 || strcmp(s, "t") == 0 || strcmp(s, "yes") == 0;
}

static bool is_no(const char *s)
{
	return strcmp(s, "false") == 0 || strcmp(s, "f") == 0 || strcmp(s, "no") == 0;
}

/* PostgreSQL says t, people write true. */
static bool is_same(const char *said, const char *expected)
{
	return strcmp(said, expected) == 0 || (is_yes(said) && is_yes(expected)) ||
	       (is_no(said) && is_no(expected));
}

/* "" where it is as it has to be. */
static void judge_value(const struct drill_check *k, char *text, char why[400])
{
	const char *said = trimmed(text);
	char *end;
	double n = strtod(said, &end);

	why[0] = '\0';
	if (k->expect != NULL && !is_same(said, k->expect))
		snprintf(why, 400, "it says '%.120s', not '%.120s'", said, k->expect);
	else if ((k->min || k->max) && (*said == '\0' || *end != '\0'))
		snprintf(why, 400, "'%.200s' is no number", said);
	else if (k->min != NULL && n < strtod(k->min, NULL))
		snprintf(why, 400, "it says %.80s, less than %.80s", said, k->min);
	else if (k->max != NULL && n > strtod(k->max, NULL))
		snprintf(why, 400, "it says %.80s, more than %.80s", said, k->max);
}

/* ---- Each kind. */

static int ask_command(struct drill *d, const struct drill_check *k, char why[400], struct err *e)
{
	char *tmp = mem_printf("TMPDIR=%s/tmp", d->room.path);
	char *data = mem_printf("HOLDFAST_DATA=%s", d->data);
	char *system = mem_printf("HOLDFAST_SYSTEM=%s", d->p->system);
	const char *argv[] = {"/bin/sh", "-c", k->what, NULL};
	const char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	    tmp, data, system, NULL};
	struct os_isolate_child c = {.argv = argv, .env = env, .dir = d->data, .out = -1};
	int64_t patience = (k->timeout_s ? k->timeout_s : PATIENCE_S) * second;
	struct buf out = {0};
	int status, rc = os_isolate_run(d->isolate, &c, patience, d->ctx, &out, &status, e);

	why[0] = '\0';
	if (rc == -1 && e->kind == ERR_DENIED)
		err_hint(e,
		    "drill.user has to reach what is restored: see the modes of the folders "
		    "that lead to drill.directory");
	if (rc == -1 && e->kind == ERR_TIMEOUT) {
		snprintf(why, 400, "it took longer than %lld s",
		    (long long)(k->timeout_s ? k->timeout_s : PATIENCE_S));
		rc = 0;
	} else if (rc == 0 && status != 0) {
		buf_cstr(&out);
		snprintf(why, 400, "it exits with %d: %.300s", status,
		    out.n ? trimmed((char *)out.p) : "");
	} else if (rc == 0) {
		buf_cstr(&out);
		judge_value(k, (char *)out.p, why);
	}
	if (out.n >= OS_ISOLATE_OUT)
		drill_note(d, "only the first %d KiB of what '%.60s' writes are looked at",
		    OS_ISOLATE_OUT >> 10, k->what);
	buf_fini(&out);
	free(tmp);
	free(data);
	free(system);
	return rc;
}

static bool hash_of(int fd, struct ctx *ctx, char hex[65])
{
	struct crypto_hash *h = crypto_hash_new(CRYPTO_SHA2);
	uint8_t *room = mem_alloc(CHUNK), out[32];
	ssize_t n;

	while ((n = os_read(fd, room, CHUNK)) > 0 && !ctx_cancelled(ctx))
		crypto_hash_add(h, span_of(room, (size_t)n));
	crypto_hash_end(h, out);
	hex_encode(hex, out, sizeof out);
	crypto_hash_free(h);
	free(room);
	return n == 0;
}

static void ask_file(struct drill *d, const struct drill_check *k, char why[400])
{
	int dir = os_open(d->data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	int fd = dir == -1 ? -1 : os_open_beneath(dir, k->what + 1, O_RDONLY | O_NONBLOCK, 0);
	struct stat st = {0};
	char hex[65];

	why[0] = '\0';
	if (fd == -1 || os_fstat(fd, &st) == -1)
		snprintf(why, 400, "it did not come back");
	else if ((uint64_t)st.st_size < k->min_size)
		snprintf(why, 400, "it has %lld bytes, less than %llu", (long long)st.st_size,
		    (unsigned long long)k->min_size);
	else if (k->sha256 != NULL && (!S_ISREG(st.st_mode) || !hash_of(fd, d->ctx, hex)))
		snprintf(why, 400, "it cannot be read");
	else if (k->sha256 != NULL && strcmp(hex, k->sha256) != 0)
		snprintf(why, 400, "its sha256 is %s", hex);
	os_close(fd);
	os_close(dir);
}

static int ask_sql(struct drill *d, const struct drill_check *k, char why[400], struct err *e)
{
	char *text = NULL;

	why[0] = '\0';
	if (drill_source_for(d, k) == NULL) {
		snprintf(why, 400, "it was not asked: no server runs%s%s",
		    k->part ? " of a part called " : "; of a dump none is started",
		    k->part ? k->part : "");
		return 0;
	}
	if (drill_pg_ask(d, k, &text, e) == -1) {
		if (e->kind == ERR_CANCELLED)
			return -1;
		snprintf(why, 400, "%.399s", e->msg);
		return 0;
	}
	if (text == NULL)
		snprintf(why, 400, "it says nothing");
	else
		judge_value(k, text, why);
	free(text);
	return 0;
}

/* Of several sources the one that was asked answers for it as well, by the same name. */
static void add(struct drill *d, const struct drill_check *k, const char *why)
{
	struct drill_source *x = k->kind == DRILL_SQL && d->nsources > 1 ? drill_source_for(d, k)
									 : NULL;
	const char *said = why[0] ? why : NULL;
	struct drill_assertion *own;

	drill_score_add(&d->score, k->what, !k->optional, said == NULL, said);
	if (x == NULL)
		return;
	drill_score_add(&x->score, k->what, !k->optional, said == NULL, said);
	own = &x->score.v[x->score.n - 1];
	free(own->name);
	own->name = mem_strdup(d->score.v[d->score.n - 1].name);
	drill_score_sum(&x->score);
}

int drill_checks(struct drill *d, struct err *e)
{
	int rc = 0;

	if (d->p->level != DRILL_COMPREHENSIVE || d->p->nchecks == 0)
		return 0;
	drill_step(d, "checks");
	for (size_t i = 0; rc == 0 && i < d->p->nchecks; i++) {
		const struct drill_check *k = &d->p->checks[i];
		char why[400] = "";

		if (k->kind == DRILL_FILE)
			ask_file(d, k, why);
		else if (k->kind == DRILL_COMMAND)
			rc = ask_command(d, k, why, e);
		else
			rc = ask_sql(d, k, why, e);
		if (rc == 0)
			add(d, k, why);
	}
	if (rc == 0)
		drill_step_end(d, false);
	return rc;
}
