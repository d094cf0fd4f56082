/* daemon_log: what the daemon says of itself. */
#include "daemon/daemon_internal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/calendar.h"

static const char *const levels[] = {"debug", "info", "warning", "error"};

static void put(struct daemon *d, enum event_level level, const char *name, const char *system,
    int64_t run, const char *text)
{
	char when[CALENDAR_TEXT];
	json_t *o;
	char *line;

	calendar_format_utc(when, d->ctx->clock->wall_ns(d->ctx->clock));
	if (!d->p->log_json) {
		fprintf(stderr, "%s %s %s%s%s%s", when, levels[level], name ? name : "",
		    name ? " " : "", system ? "system=" : "", system ? system : "");
		if (run)
			fprintf(stderr, "%srun=%lld", system ? " " : "", (long long)run);
		fprintf(stderr, "%s%s\n", system || run ? " " : "", text);
		return;
	}
	o = json_pack("{s:s, s:s, s:s?, s:s?, s:s}", "time", when, "level", levels[level], "event",
	    name, "system", system, "message", text);
	if (o != NULL && run)
		json_object_set_new(o, "run", json_integer(run));
	line = o ? json_dumps(o, JSON_COMPACT) : NULL;
	fprintf(stderr, "%s\n", line ? line : "{}");
	free(line);
	json_decref(o);
}

void daemon_log(struct daemon *d, enum event_level level, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	put(d, level, NULL, NULL, 0, text);
}

void daemon_tell(struct daemon *d, const char *name, enum event_level level, const char *system,
    int64_t run, const char *fmt, ...)
{
	static const char *const severities[] = {"info", "info", "warning", "critical"};
	struct catalog_event ev = {
	    .run = run, .name = name, .severity = severities[level], .system = system};
	char text[2048];
	struct err e;
	int64_t id;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	put(d, level, name, system, run, text);
	ev.text = text;
	ev.at_ns = d->ctx->clock->wall_ns(d->ctx->clock);
	if (catalog_event_add(d->catalog, &ev, &id, &e) == -1)
		put(d, EVENT_WARN, NULL, NULL, 0, e.msg);
	daemon_notify_told(d->notify, name, level, system, run, text);
	if (d->p->hooks.told != NULL)
		d->p->hooks.told(d->p->hooks.arg, name, level, system, run, text);
}
