/* follow_state: see follow_state.h. */
#include "engine/follow_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "db/pg_wal_message.h"
#include "os/os.h"
#include "os/os_child.h"

enum { FILE_MAX = 16384 };

static const char *const phases[FOLLOW_PHASES] = {
    "connecting", "streaming", "spooling", "held", "diverged", "stopped", "dead"};

const char *follow_phase_name(enum follow_phase p)
{
	return phases[p];
}

/* ---- As JSON.  One table for both ways. */

enum type { TEXT, BOOL, NUMBER, LSN };

struct key {
	const char *name;
	enum type type;
	size_t at, size;
};

#define KEY(name, type)                                                                            \
	{                                                                                          \
#name, type, offsetof(struct follow_state, name),                                  \
		    sizeof((struct follow_state *)0)->name                                         \
	}

static const struct key keys[] = {
    KEY(system, TEXT),
    KEY(source, TEXT),
    KEY(slot, TEXT),
    KEY(synchronous, BOOL),
    KEY(sync_had, BOOL),
    KEY(sync_why, TEXT),
    KEY(spool_acks, BOOL),
    KEY(at_ns, NUMBER),
    KEY(since_ns, NUMBER),
    KEY(pid, NUMBER),
    KEY(received, LSN),
    KEY(durable, LSN),
    KEY(server, LSN),
    KEY(lag_bytes, NUMBER),
    KEY(lag_ns, NUMBER),
    KEY(spool_bytes, NUMBER),
    KEY(spool_limit, NUMBER),
    KEY(slot_bytes, NUMBER),
    KEY(segments, NUMBER),
    KEY(gaps, NUMBER),
    KEY(gap_start, LSN),
    KEY(gap_end, LSN),
    KEY(gap_ns, NUMBER),
    KEY(why, TEXT),
};

/* A server's words may be in any encoding, and may have been cut: its bytes beyond ASCII are '?'.
 */
static json_t *text_of(const char *text)
{
	json_t *o = json_string(text);
	char *copy;

	if (o != NULL)
		return o;
	copy = mem_strdup(text);
	for (char *p = copy; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	o = json_string(copy);
	free(copy);
	return o;
}

static json_t *value_of(const struct follow_state *s, const struct key *k)
{
	const void *p = (const char *)s + k->at;
	char lsn[PG_WAL_LSN_TEXT];
	uint64_t v;

	if (k->type == TEXT)
		return text_of(p);
	if (k->type == BOOL)
		return json_boolean(*(const bool *)p);
	memcpy(&v, p, sizeof v);
	return k->type == LSN ? json_string(pg_wal_lsn(v, lsn)) : json_integer((json_int_t)v);
}

json_t *follow_state_json(const struct follow_state *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "state", json_string(phases[s->phase]));
	json_object_set_new(o, "timeline", json_integer(s->timeline));
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		json_object_set_new(o, keys[i].name, value_of(s, &keys[i]));
	return o;
}

static bool take(struct follow_state *s, const struct key *k, const json_t *v)
{
	void *p = (char *)s + k->at;
	struct err e;
	uint64_t n;

	if (k->type == TEXT) {
		if (!json_is_string(v))
			return false;
		snprintf(p, k->size, "%s", json_string_value(v));
		return true;
	}
	if (k->type == BOOL) {
		*(bool *)p = json_is_true(v);
		return json_is_boolean(v);
	}
	if (k->type == LSN) {
		if (!json_is_string(v) || pg_wal_lsn_read(json_string_value(v), &n, &e) == -1)
			return false;
	} else if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	else
		n = (uint64_t)json_integer_value(v);
	memcpy(p, &n, sizeof n);
	return true;
}

bool follow_state_parse(json_t *o, struct follow_state *out)
{
	const char *name = json_string_value(json_object_get(o, "state"));
	const json_t *timeline = json_object_get(o, "timeline");

	*out = (struct follow_state){.phase = FOLLOW_PHASES};
	for (unsigned i = 0; name != NULL && i < FOLLOW_PHASES; i++)
		if (strcmp(name, phases[i]) == 0)
			out->phase = i;
	if (out->phase == FOLLOW_PHASES || !json_is_integer(timeline))
		return false;
	out->timeline = (uint32_t)json_integer_value(timeline);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (!take(out, &keys[i], json_object_get(o, keys[i].name)))
			return false;
	return true;
}

/* ---- In its file. */

static char *path_of(const char *place, const char *system, const char *source)
{
	return mem_printf("%s/receivers/%s.%s.json", place, system, source);
}

int follow_state_write(const char *place, const struct follow_state *s, struct err *e)
{
	char *dir = mem_printf("%s/receivers", place), *path = path_of(place, s->system, s->source);
	json_t *o = follow_state_json(s);
	char *text = json_dumps(o, JSON_COMPACT);
	int rc = os_mkdirs(dir, 0755, e) == 0 ? os_file_note(path, span_str(text), e) : -1;

	free(text);
	json_decref(o);
	free(path);
	free(dir);
	return rc;
}

int follow_state_read(const char *place, const char *system, const char *source,
    struct follow_state *out, struct err *e)
{
	char *path = path_of(place, system, source);
	struct buf b = {0};
	json_t *o = NULL;
	int rc = os_read_file(path, FILE_MAX, &b, e);

	if (rc == 0) {
		o = json_loadb((const char *)b.p, b.n, 0, NULL);
		if (!follow_state_parse(o, out))
			rc = err_set(e, ERR_CORRUPT, "%s: this is no state of a receiver", path);
		else if (out->phase != FOLLOW_STOPPED &&
			 !os_process_lives(out->pid, out->at_ns + INT64_C(1000000000)))
			out->phase = FOLLOW_DEAD;
	}
	json_decref(o);
	buf_fini(&b);
	free(path);
	return rc;
}
