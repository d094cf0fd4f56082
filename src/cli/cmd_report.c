/* report: what was proven, for readers; made from the records that were kept. */
#include "cli/cli_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "catalog/evidence_drill.h"
#include "catalog/evidence_statement.h"
#include "cli/cli_drill.h"
#include "cli/report.h"
#include "os/os.h"

enum format { TEXT = 1, HTML, JSON, OSCAL };

struct found {
	const char *word; /* a system, how a record's id begins or ends; NULL: the newest */
	json_t *record;
	char *line;
};

static bool fits(const char *id, const char *system, const char *word)
{
	size_t n = strlen(word), len = strlen(id);

	return strcmp(system, word) == 0 || strcmp(id, word) == 0 ||
	       (n >= 4 && len > n && strcmp(id + len - n, word) == 0);
}

static int look(void *arg, json_t *record, struct span line, struct err *e)
{
	struct found *f = arg;
	const char *id = statement_text(record, "id"), *system = statement_text(record, "system");

	(void)e;
	if (f->record != NULL || id == NULL || system == NULL ||
	    (f->word != NULL && !fits(id, system, f->word)))
		return 0;
	f->record = json_incref(record);
	f->line = mem_strndup((const char *)line.p, line.n);
	return 0;
}

/* A record that was changed is no proof: nothing is made of it. */
static int check(const struct found *f, struct err *e)
{
	uint8_t key[CRYPTO_KEY];

	if (statement_hex(f->record, "key", key, sizeof key) &&
	    statement_verify(span_str(f->line), key))
		return 0;
	return err_set(e, ERR_DAMAGE_FOUND, "report: the record %s is not as it was signed",
	    statement_text(f->record, "id"));
}

static void make(struct buf *out, const struct found *f, enum format format)
{
	char hash[65], *text;
	uint8_t sum[32];
	json_t *o;

	crypto_sha256(span_str(f->line), sum);
	hex_encode(hash, sum, sizeof sum);
	if (format == JSON) {
		buf_printf(out, "%s\n", f->line);
	} else if (format == HTML) {
		report_html(out, f->record, span_str(f->line), hash);
	} else {
		o = report_oscal(f->record, hash);
		text = json_dumps(o, JSON_INDENT(2));
		buf_printf(out, "%s\n", text ? text : "");
		free(text);
		json_decref(o);
	}
}

static int hand_out(struct cli *c, struct buf *b, struct err *e)
{
	const char *path = c->opt.output;
	int fd, rc = 0;

	if (path == NULL) {
		out_list(c, "%s", buf_cstr(b));
		return 0;
	}
	fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd == -1 && errno == EEXIST) {
		err_sys(e, "%s", path);
		return err_hint(e, "--output makes a new file: name another, or remove that one");
	}
	if (fd == -1)
		return err_sys(e, "%s", path);
	if (os_write_all(fd, b->p, b->n) == -1 || os_fsync(fd) == -1)
		rc = err_sys(e, "%s", path);
	if (os_close_written(fd) == -1 && rc == 0)
		rc = err_sys(e, "%s", path);
	if (rc == 0)
		out_text(c, "Wrote %s\n", out_str(c, path));
	return rc;
}

static int none(const struct found *f, size_t bad, struct err *e)
{
	char a[TEXT_AMOUNT];

	if (bad > 0) {
		err_set(e, ERR_CORRUPT,
		    "report: %s cannot be read, or not as the audit trail names %s",
		    text_amount(a, bad, "record of a drill", "records of drills"),
		    bad == 1 ? "it" : "them");
		return err_hint(e, "'holdfast evidence verify' says whether the trail is whole; a "
				   "record that it does not name proves nothing");
	}
	if (f->word != NULL)
		err_set(e, ERR_ABSENT, "report: no drill of '%.100s' is recorded here", f->word);
	else
		err_set(e, ERR_ABSENT, "report: no drill is recorded here");
	return err_hint(e, "'holdfast drill SYSTEM' makes one");
}

int cmd_report(struct cli *c, struct err *e)
{
	struct found f = {.word = c->args.n > 1 ? c->args.v[1] : NULL};
	char *state = os_state_dir();
	struct buf b = {0};
	char a[TEXT_AMOUNT];
	size_t bad = 0;
	int rc = evidence_drill_list(state, NULL, look, &f, &bad, e);

	if (rc == 0 && f.record == NULL)
		rc = none(&f, bad, e);
	if (rc == 0)
		rc = check(&f, e);
	if (rc == 0 && bad > 0)
		out_message(c, "%s passed over: not to be read, or not as the audit trail has it",
		    text_amount(a, bad, "record of a drill", "records of drills"));
	if (rc == 0 && c->out.json) {
		out_json(c, "summary", drill_item(f.record));
	} else if (rc == 0 && c->opt.report_format == TEXT) {
		drill_show(c, f.record);
	} else if (rc == 0) {
		make(&b, &f, (enum format)c->opt.report_format);
		rc = hand_out(c, &b, e);
	}
	buf_fini(&b);
	json_decref(f.record);
	free(f.line);
	free(state);
	return rc;
}
