/* evidence: the audit trail: verify it, show it, hand it on. */
#include "cli/cli_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "catalog/evidence_bundle.h"
#include "catalog/evidence_check.h"
#include "catalog/evidence_key.h"
#include "catalog/evidence_read.h"
#include "catalog/evidence_statement.h"
#include "config/world.h"
#include "os/os.h"
#include "store/store.h"

/* What is verified, and by what. */
struct job {
	struct cli *c;
	char *dir, *log, *pub;
	uint8_t keys[EVIDENCE_KEYS_MAX][CRYPTO_KEY];
	size_t nkeys;
	struct evidence_heads heads;
	struct evidence_verdict v;
};

static void job_init(struct job *j, struct cli *c, const char *file)
{
	*j = (struct job){.c = c, .dir = os_state_dir()};
	j->log = file ? mem_strdup(file) : evidence_path_log(j->dir);
	j->pub = c->opt.public_key ? mem_strdup(c->opt.public_key) : evidence_path_public(j->dir);
}

static void job_fini(struct job *j)
{
	evidence_heads_fini(&j->heads);
	free(j->dir);
	free(j->log);
	free(j->pub);
}

/* ---- Verifying. */

static int add_head_file(struct job *j, const char *path, struct err *e)
{
	struct evidence_head h;
	struct buf b = {0};
	int rc = os_read_file(path, EVIDENCE_LINE_MAX, &b, e);

	while (rc == 0 && b.n > 0 && b.p[b.n - 1] == '\n')
		b.n--;
	if (rc == 0 && (rc = evidence_head_read(buf_span(&b), &h, e)) == -1)
		err_wrap(e, "--head %s", path);
	if (rc == 0)
		evidence_heads_add(&j->heads, &h);
	buf_fini(&b);
	return rc;
}

/* No key is needed: heads are in the clear, and signed. */
static int add_heads_of_repo(struct job *j, struct err *e)
{
	struct store *s = NULL;
	const char *url = cli_repo_url(j->c, e);
	int rc;

	if (url == NULL || cli_store_open(j->c, url, false, &s, e) == -1)
		return -1;
	rc = evidence_heads_fetch(s, &j->heads, e);
	store_close(s);
	if (rc == 0 && j->heads.bad > 0)
		out_message(j->c, "%zu %s in %s: passed over", j->heads.bad,
		    text_plural(j->heads.bad, "head is none, or not rightly signed,",
			"heads are none, or not rightly signed,"),
		    j->c->opt.repo);
	return rc;
}

static int read_keys(struct job *j, struct err *e)
{
	if (evidence_public_read(j->pub, j->keys, EVIDENCE_KEYS_MAX, &j->nkeys, e) == 0)
		return 0;
	err_wrap(e, "evidence");
	if (e->kind == ERR_CORRUPT)
		e->kind = ERR_USAGE; /* of the chain nothing is known yet */
	return err_hint(e, e->kind == ERR_ABSENT
			       ? "no chain is kept here, or give its public key with --public-key"
			       : "'holdfast evidence key' prints it");
}

static int look(struct job *j, struct err *e)
{
	struct evidence_check *k;
	int rc;

	if (read_keys(j, e) == -1)
		return -1;
	k = evidence_check_new((const uint8_t(*)[CRYPTO_KEY])j->keys, j->nkeys, &j->heads);
	rc = evidence_check_file(k, j->log, &j->v, e);
	evidence_check_free(k);
	return rc == 0 ? 0 : err_wrap(e, "evidence");
}

static int fault(const struct job *j, struct err *e)
{
	const struct evidence_verdict *v = &j->v;

	if (v->fault == EVIDENCE_WHOLE)
		return 0;
	if (v->line == 0 || v->fault == EVIDENCE_CUT)
		return err_set(e, ERR_DAMAGE_FOUND, "evidence: %s: %s: %s", j->log,
		    evidence_fault_name(v->fault), v->text);
	return err_set(e, ERR_DAMAGE_FOUND, "evidence: %s: line %llu: %s: %s", j->log,
	    (unsigned long long)v->line, evidence_fault_name(v->fault), v->text);
}

/* Of a whole chain: what was cut off at its end. */
static void report_end(struct job *j)
{
	char a[TEXT_AMOUNT], hash[65];

	out_text(j->c, "It ends with record %llu, %s\n", (unsigned long long)j->v.end.sequence,
	    hex_encode(hash, j->v.end.hash, sizeof j->v.end.hash));
	if (j->v.heads > 0)
		out_text(j->c, "Nothing was cut off before record %llu: %s kept elsewhere agree\n",
		    (unsigned long long)j->heads.v[j->heads.n - 1].sequence,
		    text_amount(a, j->v.heads, "head", "heads"));
	else
		out_text(j->c, "Whether its end was cut off only a head that is kept elsewhere can "
			       "tell: -r REPO, or --head FILE\n");
}

static void report(struct job *j)
{
	const struct evidence_verdict *v = &j->v;
	char a[TEXT_AMOUNT];
	json_t *o;

	if (j->c->out.json) {
		o = evidence_verdict_json(v);
		out_json_str(o, "file", j->log);
		out_json(j->c, "summary", o);
		return;
	}
	if (v->fault != EVIDENCE_WHOLE) {
		out_text(j->c, "%s before it are whole\n",
		    text_amount(a, v->records, "record", "records"));
		return;
	}
	out_text(j->c, "%s: %s, each in its place and rightly signed\n", out_str(j->c, j->log),
	    text_amount(a, v->records, "record", "records"));
	report_end(j);
	if (j->c->opt.public_key == NULL)
		out_text(j->c,
		    "By the key beside it, %s: who could replace both is not caught; "
		    "keep a copy elsewhere and use --public-key\n",
		    out_str(j->c, j->pub));
}

/* ---- A bundle. */

static bool is_bundle(const char *path)
{
	uint8_t begin[64];
	struct err ignored;
	int fd = evidence_open(path, &ignored);
	ssize_t n = fd == -1 ? -1 : os_pread_full(fd, begin, sizeof begin, 0);

	os_close(fd);
	return n > 0 && evidence_bundle_is(span_of(begin, (size_t)n));
}

static void report_bundle(struct job *j, const struct evidence_bundle_verdict *v)
{
	char a[TEXT_AMOUNT], b[TEXT_AMOUNT];
	json_t *o;

	j->v = v->chain;
	if (j->c->out.json) {
		o = evidence_verdict_json(&v->chain);
		out_json_str(o, "file", j->log);
		out_json_u64(o, "drills", v->drills);
		out_json(j->c, "summary", o);
		return;
	}
	if (v->chain.fault != EVIDENCE_WHOLE)
		return;
	out_text(j->c, "%s: %s, each in its place and rightly signed; %s, each as the chain says\n",
	    out_str(j->c, j->log), text_amount(a, v->chain.records, "record", "records"),
	    text_amount(b, v->drills, "record of a drill", "records of drills"));
	report_end(j);
	if (j->c->opt.public_key == NULL)
		out_text(j->c, "By the key in it: who made it anew is not caught; use --public-key "
			       "with one that came another way\n");
}

static int verify_bundle(struct job *j, struct err *e)
{
	struct evidence_bundle_verdict v;

	if (j->c->opt.public_key != NULL && read_keys(j, e) == -1)
		return -1;
	if (evidence_bundle_verify_file(
		j->log, (const uint8_t(*)[CRYPTO_KEY])j->keys, j->nkeys, &j->heads, &v, e) == -1)
		return err_wrap(e, "evidence");
	report_bundle(j, &v);
	return fault(j, e);
}

static int verify(struct job *j, struct err *e)
{
	const char *repo = j->c->opt.repo;

	if ((j->c->opt.head != NULL && add_head_file(j, j->c->opt.head, e) == -1) ||
	    (repo != NULL && repo[0] && add_heads_of_repo(j, e) == -1))
		return -1;
	if (is_bundle(j->log))
		return verify_bundle(j, e);
	if (look(j, e) == -1)
		return -1;
	report(j);
	return fault(j, e);
}

/* ---- Showing. */

struct shown {
	struct cli *c;
	struct text_table t;
};

static void show_line(struct shown *s, struct span line)
{
	const struct cli_options *o = &s->c->opt;
	struct evidence_record r;
	struct err ignored;
	char number[32], when[CALENDAR_TEXT], with[512];

	if (evidence_record_read(line, &r, &ignored) == -1)
		return;
	if ((o->newer.set && r.time_ns < o->newer.t.ns) ||
	    (o->older.set && r.time_ns >= o->older.t.ns)) {
		evidence_record_fini(&r);
		return;
	}
	if (s->c->out.json) {
		out_json(s->c, "item", json_pack("{s:O}", "record", r.json));
	} else {
		snprintf(number, sizeof number, "%llu", (unsigned long long)r.sequence);
		snprintf(with, sizeof with, "%s", out_str(s->c, r.subject));
		text_row(&s->t,
		    (const char *const[]){number, calendar_format_local(when, r.time_ns),
			out_str(s->c, r.machine), out_str(s->c, r.actor),
			statement_text(r.json, "action"), statement_text(r.json, "outcome"), with});
	}
	evidence_record_fini(&r);
}

/* The lines that were found whole, and no other. */
static int each_line(
    struct job *j, void (*f)(struct shown *, struct span), struct shown *s, struct err *e)
{
	FILE *in = fopen(j->log, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (in == NULL)
		return err_sys(e, "%s", j->log);
	for (uint64_t i = 0; i < j->v.records && (n = getline(&line, &cap, in)) > 0; i++)
		f(s, span_of(line, (size_t)n - 1));
	free(line);
	fclose(in);
	return 0;
}

static int show(struct job *j, struct err *e)
{
	struct shown s = {j->c, {.align = "><<<<<<", .ncols = 7, .head = true}};
	struct buf b = {0};

	if (look(j, e) == -1)
		return -1;
	text_row(
	    &s.t, (const char *const[]){"No.", "Time", "Machine", "Who", "What", "Outcome", "Of"});
	if (each_line(j, show_line, &s, e) == 0) {
		text_table_put(&b, &s.t);
		out_list(j->c, "%s", buf_cstr(&b));
	}
	buf_fini(&b);
	text_table_fini(&s.t);
	return fault(j, e);
}

/* ---- Handing on. */

/* To a new file or standard output; with --json inside an object. */
static int hand_out(struct cli *c, const char *what, struct span text, struct err *e)
{
	const char *path = c->opt.output;
	struct buf b = {0};
	json_t *o;
	int fd, rc = 0;

	if (path != NULL) {
		fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd == -1 && errno == EEXIST) {
			err_sys(e, "%s", path);
			return err_hint(
			    e, "--output makes a new file: name another, or remove that one");
		}
		if (fd == -1)
			return err_sys(e, "%s", path);
		if (os_write_all(fd, text.p, text.n) == -1 || os_fsync(fd) == -1)
			rc = err_sys(e, "%s", path);
		os_close(fd);
		if (rc == 0)
			out_text(c, "Wrote %s\n", out_str(c, path));
		return rc;
	}
	buf_put_span(&b, text);
	if (c->out.json) {
		o = json_object();
		out_json_str(o, what, buf_cstr(&b));
		out_json(c, "summary", o);
	}
	out_list(c, "%s", buf_cstr(&b));
	buf_fini(&b);
	return 0;
}

static int bundle(struct job *j, struct buf *b, struct err *e)
{
	char a[TEXT_AMOUNT];
	size_t left = 0;

	if (evidence_bundle_make(j->dir, j->c->ctx, b, &left, e) == -1)
		return err_wrap(e, "evidence");
	if (left > 0)
		out_message(j->c,
		    "%s in %s/drills left out: not to be read, or not as the chain names it",
		    text_amount(a, left, "record of a drill", "records of drills"), j->dir);
	return 0;
}

/* As it is: only the whole chain can be verified by others.  A bundle is of a whole one. */
static int export(struct job *j, struct err *e)
{
	enum { EXPORT_MAX = 1 << 30 };
	bool records = j->c->opt.records;
	struct buf b = {0};
	int rc;

	if (records && j->c->args.v[1] != NULL)
		return err_set(e, ERR_USAGE,
		    "evidence export --records: of the trail that is kept here; '%s' is too much",
		    j->c->args.v[1]);
	if (look(j, e) == -1 || (records && fault(j, e) == -1))
		return -1;
	rc = records ? bundle(j, &b, e) : os_read_file(j->log, EXPORT_MAX, &b, e);
	if (rc == 0)
		rc = hand_out(j->c, "evidence", buf_span(&b), e);
	buf_fini(&b);
	return rc == 0 ? fault(j, e) : -1;
}

static int head(struct job *j, struct err *e)
{
	struct evidence_head h;
	char *line = NULL, *text;
	int rc;

	if (!evidence_is_kept(j->dir)) {
		err_set(e, ERR_ABSENT, "evidence: no chain is kept in %s", j->dir);
		return err_hint(e, "one begins with the first backup under a configuration, or "
				   "with: holdfast evidence key");
	}
	if (evidence_head_now(j->dir, j->c->ctx, &h, &line, e) == -1)
		return -1;
	text = mem_printf("%s\n", line);
	rc = hand_out(j->c, "head", span_str(text), e);
	free(text);
	free(line);
	return rc;
}

/* Where there is no chain yet this begins it. */
static int key(struct job *j, const char *word, struct err *e)
{
	struct evidence_head h;
	struct buf b = {0};
	char *line = NULL;
	int rc;

	if (word != NULL && strcmp(word, "rotate") != 0)
		return err_set(e, ERR_USAGE, "evidence key: '%s'? rotate, or nothing", word);
	rc = word ? evidence_rotate(j->dir, NULL, j->c->ctx, &h, e)
		  : evidence_head_now(j->dir, j->c->ctx, &h, &line, e);
	free(line);
	if (rc == -1)
		return err_wrap(e, "evidence");
	evidence_public_text(&b, h.key);
	rc = hand_out(j->c, "public_key", buf_span(&b), e);
	buf_fini(&b);
	return rc;
}

int cmd_evidence(struct cli *c, struct err *e)
{
	const char *word = c->args.v[0], *more = c->args.v[1];
	bool reads = strcmp(word, "verify") == 0 || strcmp(word, "show") == 0 ||
		     strcmp(word, "export") == 0;
	struct job j;
	int rc;

	if (more != NULL && !reads && strcmp(word, "key") != 0)
		return err_set(e, ERR_USAGE, "evidence %s: '%s' is too much", word, more);
	job_init(&j, c, reads ? more : NULL);
	rc = strcmp(word, "verify") == 0   ? verify(&j, e)
	     : strcmp(word, "show") == 0   ? show(&j, e)
	     : strcmp(word, "export") == 0 ? export(&j, e)
	     : strcmp(word, "head") == 0   ? head(&j, e)
					   : key(&j, more, e);
	job_fini(&j);
	return rc;
}
