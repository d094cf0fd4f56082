/* doctor: look at all that a backup needs, and say what is wrong and what to do. */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct finding *add(struct doctor *d, const char *check, const char *subject, bool good)
{
	if ((d->n & (d->n - 1)) == 0)
		d->v = mem_realloc(d->v, (d->n ? 2 * d->n : 1) * sizeof *d->v);
	d->v[d->n] = (struct finding){.check = check, .subject = mem_strdup(subject), .good = good};
	d->bad += !good;
	return &d->v[d->n++];
}

__attribute__((format(printf, 1, 0))) static char *text_of(const char *fmt, va_list ap)
{
	char text[ERR_MSG_MAX + 256];

	vsnprintf(text, sizeof text, fmt, ap);
	return mem_strdup(text);
}

void doctor_good(struct doctor *d, const char *check, const char *subject, const char *fmt, ...)
{
	struct finding *f = add(d, check, subject, true);
	va_list ap;

	va_start(ap, fmt);
	f->text = text_of(fmt, ap);
	va_end(ap);
	f->fix = mem_strdup("");
}

void doctor_bad(
    struct doctor *d, const char *check, const char *subject, const char *fix, const char *fmt, ...)
{
	struct finding *f = add(d, check, subject, false);
	va_list ap;

	va_start(ap, fmt);
	f->text = text_of(fmt, ap);
	va_end(ap);
	f->fix = mem_strdup(fix);
}

void doctor_err(
    struct doctor *d, const char *check, const char *subject, const struct err *e, const char *fix)
{
	doctor_bad(d, check, subject, e->hint[0] ? e->hint : fix, "%s", e->msg);
}

void doctor_fini(struct doctor *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].subject);
		free(d->v[i].text);
		free(d->v[i].fix);
	}
	free(d->v);
}

json_t *doctor_finding_json(const struct finding *f)
{
	json_t *o = json_object();

	out_json_str(o, "check", f->check);
	out_json_str(o, "subject", f->subject);
	json_object_set_new(o, "good", json_boolean(f->good));
	out_json_str(o, "message", f->text);
	out_json_str(o, "fix", f->fix[0] ? f->fix : NULL);
	return o;
}

static void print(struct doctor *d)
{
	struct cli *c = d->c;
	char a[TEXT_AMOUNT], b[TEXT_AMOUNT];
	json_t *o;

	for (size_t i = 0; i < d->n; i++) {
		const struct finding *f = &d->v[i];

		if (c->out.json) {
			out_json(c, "item", doctor_finding_json(f));
			continue;
		}
		if (f->good && c->out.quiet)
			continue;
		out_list(c, "%s  %s %s: %s\n", f->good ? "good " : "WRONG", f->check,
		    out_str(c, f->subject), out_str(c, f->text));
		if (f->fix[0])
			out_list(c, "         to do: %s\n", out_str(c, f->fix));
	}
	if (c->out.json) {
		o = json_object();
		out_json_u64(o, "checks", d->n);
		out_json_u64(o, "findings", d->bad);
		out_json(c, "summary", o);
	}
	out_text(c, "\n%s, %s\n", text_amount(a, d->n, "check", "checks"),
	    d->bad ? text_amount(b, d->bad, "finding", "findings") : "nothing found");
}

static const struct area {
	const char *name;
	void (*look)(struct doctor *d);
} areas[] = {{"machine", doctor_machine}, {"postgresql", doctor_postgresql},
    {"repositories", doctor_places}};

int cmd_doctor(struct cli *c, struct err *e)
{
	struct doctor d = {.c = c};
	int rc = 0;

	doctor_configuration(&d);
	for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
		if (c->args.n == 0 || strcmp(c->args.v[0], areas[i].name) == 0)
			areas[i].look(&d);
	if (ctx_check(c->ctx, e) == -1) {
		doctor_fini(&d);
		return -1;
	}
	print(&d);
	if (c->opt.bundle != NULL)
		rc = doctor_bundle(&d, c->opt.bundle, e);
	if (rc == 0 && d.bad > 0)
		rc = err_set(e, ERR_INCOMPLETE, "doctor: %zu %s", d.bad,
		    text_plural(d.bad, "finding", "findings"));
	doctor_fini(&d);
	return rc;
}
