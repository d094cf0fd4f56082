/* cli_out: see cli_out.h. */
#include "cli/cli_audit.h"
#include "cli/cli_out.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/mem.h"
#include "engine/instant_log.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void out_init(struct cli *c)
{
	c->out.out_tty = isatty(1);
	c->out.err_tty = isatty(2);
	c->out.json = c->opt.json;
	c->out.quiet = c->opt.quiet;
	c->out.verbose = c->opt.verbose;
}

int out_finish(struct cli *c, struct err *e)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		return err_sys(e, "write to standard output");
	return 0;
}

/* A message may come while a progress line stands there. */
static void clear_line(struct cli *c)
{
	if (c->out.drawn)
		fputs("\r\033[K", stderr);
	c->out.drawn = false;
}

__attribute__((format(printf, 2, 0))) static void put_stdout(
    struct cli *c, const char *fmt, va_list ap)
{
	pthread_mutex_lock(&lock);
	clear_line(c);
	vprintf(fmt, ap);
	pthread_mutex_unlock(&lock);
}

void out_text(struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->out.json || c->out.quiet)
		return;
	va_start(ap, fmt);
	put_stdout(c, fmt, ap);
	va_end(ap);
}

void out_list(struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->out.json)
		return;
	va_start(ap, fmt);
	put_stdout(c, fmt, ap);
	va_end(ap);
}

static void put_stderr(struct cli *c, const char *prefix, const char *text)
{
	struct buf b = {0};

	/* Not only for terminals: a name with a newline in it must not forge a line of a log. */
	text_escape(&b, span_str(text));
	pthread_mutex_lock(&lock);
	clear_line(c);
	/* stdout first, so that the two stay in order on a terminal */
	if (c->out.out_tty)
		fflush(stdout);
	fprintf(stderr, "%s%s\n", prefix, buf_cstr(&b));
	fflush(stderr);
	pthread_mutex_unlock(&lock);
	buf_fini(&b);
}

void out_message(struct cli *c, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	if (c->out.quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (c->out.json) {
		json_t *o = json_object();

		out_json_str(o, "event", "notice");
		out_json_str(o, "message", text);
		out_json(c, "item", o);
		return;
	}
	put_stderr(c, "holdfast: ", text);
}

/* What was asked of a store behind a wire, and for how much. */
static void add_requests(json_t *line, struct requests *r)
{
	json_t *o = json_object();
	uint64_t sum = 0, bytes = r->sent + r->received;

	for (int v = COUNT_GET; v < COUNT_VERBS; v++) {
		sum += r->n[v];
		out_json_u64(o, ctx_verb_name((enum count_verb)v), r->n[v]);
	}
	out_json_u64(o, "bytes_sent", r->sent);
	out_json_u64(o, "bytes_received", r->received);
	if (bytes > 0)
		json_object_set_new(
		    o, "per_gib", json_real((double)sum * (1 << 30) / (double)bytes));
	if (sum > 0)
		json_object_set(line, "requests", o);
	json_decref(o);
}

void out_json(struct cli *c, const char *type, json_t *o)
{
	json_t *line = json_object();
	char *text;

	json_object_set_new(line, "schema", json_integer(1));
	out_json_str(line, "type", type);
	json_object_update(line, o);
	json_decref(o);
	if (strcmp(type, "summary") == 0)
		add_requests(line, &c->ctx->requests);
	text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9));
	pthread_mutex_lock(&lock);
	if (text)
		puts(text);
	/* Somebody reads along: a line is of use when it is there. */
	fflush(stdout);
	pthread_mutex_unlock(&lock);
	free(text);
	json_decref(line);
}

static json_t *error_context(const struct err *e)
{
	json_t *list = json_array();
	size_t at = 0, len = strlen(e->msg);

	for (int i = 0; i < e->wraps && at < len; i++) {
		size_t n = (size_t)e->wrap_len[i];
		struct buf b = {0};

		if (n > len - at)
			n = len - at;
		buf_put(&b, e->msg + at, n);
		json_array_append_new(list, json_string(buf_cstr(&b)));
		buf_fini(&b);
		at += n + 2;
	}
	return list;
}

void out_error(struct cli *c, const struct err *e, int status)
{
	json_t *o;

	if (!c->out.json) {
		put_stderr(c, "holdfast: ", e->msg);
		if (e->hint[0])
			put_stderr(c, "hint: ", e->hint);
		return;
	}
	o = json_object();
	out_json_str(o, "kind", err_info(e->kind)->name);
	out_json_str(o, "message", e->msg);
	json_object_set_new(o, "context", error_context(e));
	out_json_str(o, "hint", e->hint[0] ? e->hint : NULL);
	json_object_set_new(o, "exit", json_integer(status));
	out_json(c, "error", o);
}

/* A text often begins with the path, which stands before it anyway. */
static const char *event_text(const struct event *ev)
{
	size_t n = ev->path.n;

	if (n && strncmp(ev->text, (const char *)ev->path.p, n) == 0 &&
	    strncmp(ev->text + n, ": ", 2) == 0)
		return ev->text + n + 2;
	return ev->text;
}

static void event_json(struct cli *c, const struct event *ev)
{
	static const char *const levels[] = {"debug", "info", "warning", "error"};
	const struct event_info *info = event_info(ev->id);
	json_t *o = json_object();

	out_json_str(o, "event", info->name);
	out_json_str(o, "level", levels[info->level]);
	if (ev->path.n)
		out_json_path(o, "path", ev->path);
	if (ev->text[0])
		out_json_str(o, "message", ev->text);
	out_json(c, "item", o);
}

static bool wanted(struct cli *c, const struct event *ev)
{
	switch (event_info(ev->id)->level) {
	case EVENT_ERROR:
		return true;
	case EVENT_WARN:
		return !c->out.quiet;
	case EVENT_INFO:
		if (ev->id == EVENT_FILE_EXCLUDED || ev->id == EVENT_FILE_SKIPPED ||
		    ev->id == EVENT_OBJECT_REMOVED)
			return c->out.verbose;
		return !c->out.quiet;
	case EVENT_DEBUG:
		return c->out.verbose;
	}
	return true;
}

static const char *event_prefix(enum event_id id)
{
	switch (event_info(id)->level) {
	case EVENT_ERROR:
		return "error: ";
	case EVENT_WARN:
		return "warning: ";
	default:
		return id == EVENT_FILE_EXCLUDED    ? "excluded: "
		       : id == EVENT_FILE_SKIPPED   ? "skipped: "
		       : id == EVENT_OBJECT_REMOVED ? "removed: "
						    : "";
	}
}

void out_sink(struct ctx *ctx, const struct event *ev)
{
	struct cli *c = ctx->sink_arg;
	struct buf b = {0};

	audit_event(c, ev);
	instant_log_put(c->log, ev);
	if (!wanted(c, ev))
		return;
	if (c->out.json) {
		event_json(c, ev);
		return;
	}
	if (ev->id == EVENT_FILE_DONE) {
		buf_printf(&b, "%-10s ", ev->text);
		buf_put_span(&b, ev->path);
	} else {
		buf_put_span(&b, ev->path);
		buf_printf(&b, "%s%s", ev->path.n && ev->text[0] ? ": " : "", event_text(ev));
	}
	put_stderr(c, ev->id == EVENT_FILE_DONE ? "" : event_prefix(ev->id), buf_cstr(&b));
	buf_fini(&b);
}

/* JSON must be UTF-8: other bytes become U+FFFD. */
static json_t *lossy(struct span s)
{
	struct buf b = {0};
	json_t *v;

	for (size_t at = 0; at < s.n;) {
		size_t n = 1;

		while (n < 4 && at + n <= s.n && !utf8_valid(span_of(s.p + at, n)))
			n++;
		if (at + n <= s.n && utf8_valid(span_of(s.p + at, n))) {
			buf_put(&b, s.p + at, n);
			at += n;
		} else {
			buf_printf(&b, "\xef\xbf\xbd");
			at++;
		}
	}
	v = json_stringn((const char *)b.p, b.n);
	buf_fini(&b);
	return v ? v : json_string("");
}

void out_json_path(json_t *o, const char *key, struct span path)
{
	char name[64];
	char *b64;

	json_object_set_new(o, key, lossy(path));
	if (utf8_valid(path))
		return;
	b64 = base64_encode(path);
	snprintf(name, sizeof name, "%s_bytes", key);
	json_object_set_new(o, name, json_string(b64));
	free(b64);
}

void out_json_str(json_t *o, const char *key, const char *s)
{
	json_object_set_new(o, key, s ? lossy(span_str(s)) : json_null());
}

void out_json_id(json_t *o, const char *key, const struct id *id)
{
	char hex[ID_HEX];

	json_object_set_new(o, key, json_string(id_hex(hex, id)));
}

void out_json_time(json_t *o, const char *key, int64_t ns)
{
	char text[CALENDAR_TEXT];

	json_object_set_new(o, key, json_string(calendar_format_utc(text, ns)));
}

void out_json_u64(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

const char *out_name(struct cli *c, struct span name)
{
	static struct buf turn[4];
	static unsigned next;
	struct buf *b = &turn[next++ % 4];

	buf_reset(b);
	text_escape(b, name);
	return buf_cstr(b);
}

const char *out_str(struct cli *c, const char *s)
{
	return out_name(c, span_str(s));
}

void out_draw(struct cli *c, const char *text)
{
	pthread_mutex_lock(&lock);
	clear_line(c);
	if (text[0]) {
		fputs(text, stderr);
		c->out.drawn = true;
	}
	fflush(stderr);
	pthread_mutex_unlock(&lock);
}

void out_line(struct cli *c, const char *text)
{
	put_stderr(c, "", text);
}
