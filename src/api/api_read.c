/* api_read: what can be looked at (api_routes.c). */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api_route.h"
#include "api/api_survey.h"
#include "base/calendar.h"
#include "catalog/catalog.h"
#include "os/os.h"

static int missing(const char *what, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "this daemon tells no %s", what);
}

/* {"schema": 1, key: value}; value is taken. */
static void answer(struct api_call *c, const char *key, json_t *value)
{
	c->json = json_pack("{s:i, s:o}", "schema", 1, key, value);
}

static json_t *health_json(struct api_call *c, bool *ready, struct err *e)
{
	struct api_health h = {.ready = true};
	struct survey_health s;

	if (c->host->health != NULL && c->host->health(c->host->arg, &h, e) == -1)
		return NULL;
	*ready = h.ready;
	s = (struct survey_health){
	    h.ready, h.why[0] ? h.why : NULL, HF_VERSION, c->started_ns, getpid()};
	return shape_json(&shape_health, &s);
}

int api_get_health(struct api_call *c, struct err *e)
{
	bool ready;

	c->json = health_json(c, &ready, e);
	if (c->json == NULL)
		return -1;
	json_object_set_new(c->json, "schema", json_integer(1));
	c->status = ready ? 200 : 503;
	return 0;
}

static json_t *systems_json(const struct api_survey *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->nsystems; i++)
		json_array_append_new(list, shape_json(&shape_system, &s->systems[i]));
	return list;
}

static int append_run(void *to, const struct run *r, struct err *e)
{
	json_array_append_new(to, shape_json(&shape_run, r));
	return 0;
}

int api_get_status(struct api_call *c, struct err *e)
{
	uint64_t fields = shape_fields(&shape_system, api_value(c, "fields"), e);
	struct api_survey s;
	bool ready;
	json_t *health = fields ? health_json(c, &ready, e) : NULL;

	if (health == NULL)
		return -1;
	if (api_survey_make(c->catalog, c->host, c->now_ns, &s, e) == -1) {
		json_decref(health);
		return -1;
	}
	c->json = api_survey_json(&s, fields);
	json_object_set_new(c->json, "schema", json_integer(1));
	json_object_set_new(c->json, "daemon", health);
	api_survey_fini(&s);
	return 0;
}

int api_get_systems(struct api_call *c, struct err *e)
{
	struct api_survey s;

	if (api_survey_make(c->catalog, c->host, c->now_ns, &s, e) == -1)
		return -1;
	answer(c, "systems", systems_json(&s));
	api_survey_fini(&s);
	return 0;
}

int api_get_system(struct api_call *c, struct err *e)
{
	const struct survey_system *x;
	struct api_survey s;
	int rc = 0;

	if (api_survey_make(c->catalog, c->host, c->now_ns, &s, e) == -1)
		return -1;
	x = api_survey_find(&s, c->value[0]);
	if (x != NULL)
		answer(c, "system", shape_json(&shape_system, x));
	else
		rc = err_set(e, ERR_ABSENT, "there is no system '%.64s'", c->value[0]);
	api_survey_fini(&s);
	return rc;
}

int api_get_why(struct api_call *c, struct err *e)
{
	json_t *why = NULL;

	if (c->host->why == NULL)
		return missing("reasons", e);
	if (c->host->why(c->host->arg, c->value[0], &why, e) == -1)
		return -1;
	answer(c, "why", why);
	return 0;
}

int api_get_schedule(struct api_call *c, struct err *e)
{
	const char *from = api_value(c, "from"), *until = api_value(c, "until");
	int64_t limit = api_value_number(c, "limit");
	struct api_schedule q = {
	    .systems = api_value(c, "system"), .limit = limit ? (unsigned)limit : API_PAGE};
	struct calendar_time t;
	json_t *list = NULL;

	if (c->host->schedule == NULL)
		return missing("schedule", e);
	if (from != NULL && calendar_parse_time(from, &t, e) == 0)
		q.from_ns = t.ns;
	if (until != NULL && calendar_parse_time(until, &t, e) == 0)
		q.until_ns = t.ns;
	if (c->host->schedule(c->host->arg, &q, &list, e) == -1)
		return -1;
	answer(c, "schedule", list);
	return 0;
}

int api_get_runs(struct api_call *c, struct err *e)
{
	int64_t limit = api_value_number(c, "limit");
	const char *since = api_value(c, "since"), *status = api_value(c, "status");
	struct run_filter f = {.system = api_value(c, "system"),
	    .kind = api_value(c, "kind"),
	    .status = status ? run_status_of(status) : 0,
	    .before_id = api_value_number(c, "cursor")};
	json_t *list = json_array(), *next = json_null();
	struct calendar_time t = {0};

	if (since != NULL && calendar_parse_time(since, &t, e) == -1)
		goto bad;
	f.since_ns = t.ns;
	limit = limit ? limit : API_PAGE;
	f.limit = (unsigned)limit + 1; /* one more tells whether there is another page */
	if (run_list(c->catalog, &f, append_run, list, e) == -1)
		goto bad;
	if (json_array_size(list) > (size_t)limit) {
		json_t *last = json_array_get(list, (size_t)limit - 1);

		json_array_remove(list, (size_t)limit);
		next = json_sprintf(
		    "%lld", (long long)json_integer_value(json_object_get(last, "id")));
	}
	c->json = json_pack("{s:i, s:o, s:o}", "schema", 1, "runs", list, "next", next);
	return 0;
bad:
	json_decref(list);
	return -1;
}

static int set_run(void *to, const struct run *r, struct err *e)
{
	answer(to, "run", shape_json(&shape_run, r));
	return 0;
}

int api_get_run(struct api_call *c, struct err *e)
{
	return run_get(c->catalog, api_value_number(c, "id"), set_run, c, e);
}

/* Its log's path and host, as far as they are told. */
struct where {
	char path[4096], node[256];
};

static int set_where(void *to, const struct run *r, struct err *e)
{
	struct where *w = to;

	snprintf(w->path, sizeof w->path, "%s", r->log ? r->log : "");
	snprintf(w->node, sizeof w->node, "%s", r->node ? r->node : "");
	return 0;
}

/* A catalog may be others' too: it says which log to show, and not any file of this host. */
static bool is_log(struct api_call *c, const char *path)
{
	const char *dir = c->log_dir;
	char *real = os_real_path(path), *ours = dir ? os_real_path(dir) : NULL;
	size_t n = ours ? strlen(ours) : 0;
	bool good = real && ours && strncmp(real, ours, n) == 0 && real[n] == '/';

	free(real);
	free(ours);
	return good;
}

static int read_end(const char *path, size_t max, struct buf *out, struct err *e)
{
	int fd = os_open(path, O_RDONLY | O_NOFOLLOW, 0);
	struct stat st;
	ssize_t n = -1;

	if (fd == -1)
		return err_sys(e, "%s", path);
	if (os_fstat(fd, &st) == 0) {
		off_t from = (size_t)st.st_size > max ? st.st_size - (off_t)max : 0;

		n = os_pread_full(fd, buf_extend(out, max), max, from);
		out->n = n > 0 ? (size_t)n : 0;
	}
	if (n == -1)
		err_sys(e, "%s", path);
	os_close(fd);
	return n == -1 ? -1 : 0;
}

int api_get_log(struct api_call *c, struct err *e)
{
	int64_t max = api_value_number(c, "bytes");
	struct where w = {0};

	if (run_get(c->catalog, api_value_number(c, "id"), set_where, &w, e) == -1)
		return -1;
	if (w.path[0] == '\0')
		return err_set(e, ERR_ABSENT, "run %s has no log", c->value[0]);
	if (!is_log(c, w.path)) {
		err_set(e, ERR_ABSENT, "the log of run %s is not on this host", c->value[0]);
		return w.node[0] ? err_hint(e, "it ran on %s", w.node) : -1;
	}
	return read_end(w.path, max ? (size_t)max : 65536, &c->text, e);
}

int api_get_events(struct api_call *c, struct err *e)
{
	return err_set(e, ERR_BUG, "events are streamed");
}
