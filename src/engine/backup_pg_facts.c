/* backup_pg_facts: what the snapshot says of a server; see backup_pg.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_pg_priv.h"
#include "source/pg_facts.h"
#include "source/pg_source.h"

/* By which the next run sees that this server's log is still the same. */
static void set_mark(json_t *o, const struct backup_pg_run *run)
{
	struct backup_map_params p;
	char *wal = backup_pg_map_params(run, &p), text[12];
	uint32_t mark;
	struct err e;

	if (backup_map_mark(&p, run->s.start, run->s.stop, &mark, &e) == 0) {
		snprintf(text, sizeof text, "%08x", mark);
		json_object_set_new(o, "log_mark", json_string(text));
	}
	free(wal);
}

static void set_lsn(json_t *o, const char *key, uint64_t lsn)
{
	char text[PG_LSN_TEXT];

	json_object_set_new(o, key, json_string(pg_lsn_text(text, lsn)));
}

static void set_server(json_t *o, struct backup_pg_run *run)
{
	const struct pg_session *s = &run->s;
	char system[24];

	snprintf(system, sizeof system, "%llu", (unsigned long long)s->system);
	json_object_set_new(o, "version", json_string(s->version_text));
	json_object_set_new(o, "version_num", json_integer(s->version));
	json_object_set_new(o, "system_identifier", json_string(system));
	json_object_set_new(o, "timeline", json_integer(s->label.timeline));
	set_lsn(o, "start_lsn", s->label.start);
	set_lsn(o, "stop_lsn", s->stop);
	json_object_set_new(o, "segment_size", json_integer((json_int_t)s->segment_size));
	json_object_set_new(o, "block_size", json_integer(s->block_size));
	json_object_set_new(o, "checksums", json_boolean(s->checksums));
	json_object_set_new(o, "standby", json_boolean(s->standby));
	json_object_set_new(o, "method", json_string(run->scratch ? "stream" : "direct"));
	json_object_set_new(o, "incremental", json_string(run->incremental));
	set_mark(o, run);
	json_object_set_new(o, "data_directory", run->data ? json_string(run->data) : json_null());
	json_object_set_new(o, "bytes", json_integer((json_int_t)run->b->bytes));
}

/* Each bad page is one of the run's problems: the file is stored as it is. */
static void set_bad(json_t *o, struct backup_pg_run *run)
{
	json_t *list = json_array();
	uint64_t all;
	size_t n;
	const struct pg_bad_page *bad = source_pg_bad(run->b->source, &n, &all);

	for (size_t i = 0; i < n; i++) {
		json_t *x = json_object();
		struct err e;

		json_object_set_new(x, "file", json_string(bad[i].file));
		json_object_set_new(x, "block", json_integer(bad[i].block));
		json_array_append_new(list, x);
		err_set(&e, ERR_CORRUPT, "block %u: the page's checksum is wrong", bad[i].block);
		backup_problem(run->b, bad[i].file, &e);
	}
	if (all > n)
		atomic_fetch_add(&run->b->nfailed, all - n);
	json_object_set_new(o, "bad_pages", list);
}

struct spaces {
	json_t *known, *out;
};

static void take_space(void *arg, uint32_t oid, const char *location)
{
	struct spaces *x = arg;
	json_t *o = json_object(), *old, *name = NULL;
	char number[12];
	size_t i;

	json_array_foreach(x->known, i, old)
	{
		if (json_integer_value(json_object_get(old, "oid")) == oid)
			name = json_object_get(old, "name");
	}
	snprintf(number, sizeof number, "%u", (unsigned)oid);
	json_object_set_new(o, "oid", json_integer(oid));
	json_object_set_new(o, "name", name ? json_incref(name) : json_string(number));
	json_object_set_new(o, "location", pg_facts_string(location));
	json_array_append_new(x->out, o);
}

/* Recovery puts them where this says: it is the backup's own word, whatever became of the facts. */
static int set_spaces(json_t *o, const struct backup_pg_run *run, struct err *e)
{
	struct spaces x = {json_object_get(o, "tablespaces"), json_array()};
	int rc = 0;

	if (run->map != NULL)
		rc = pg_map_parse(span_str(run->map), take_space, &x, e);
	json_object_set_new(o, "tablespaces", x.out);
	return rc;
}

/* Where connections were missing: what is not known of whom. */
static void tell_left(struct backup_pg_run *run)
{
	json_t *o;
	size_t i;

	json_array_foreach(json_object_get(run->facts, "databases"), i, o)
	{
		const char *why = json_string_value(json_object_get(o, "error"));

		if (why != NULL)
			event_emit(run->b->ctx, EVENT_WARNING, span_str(run->pg->part),
			    "facts of its database %s are not noted: %s",
			    json_string_value(json_object_get(o, "name")), why);
	}
}

/* What was gathered, or why nothing was; new. */
static json_t *gathered(struct backup_pg_run *run)
{
	json_t *o;

	backup_pg_end_gathering(run);
	if (run->full)
		tell_left(run);
	o = run->facts;
	run->facts = NULL;
	if (o != NULL)
		return o;
	o = json_object();
	json_object_set_new(o, "error", pg_facts_string(run->facts_err.msg));
	event_emit(run->b->ctx, EVENT_WARNING, span_str(run->pg->part),
	    "its facts are not noted: %s", run->facts_err.msg);
	return o;
}

int backup_pg_end(
    struct backup *b, struct backup_part *part, struct snapshot_part *out, struct err *e)
{
	struct backup_pg_run *run = part->run;
	json_t *o = gathered(run), *all = json_object();

	json_object_set_new(all, "postgresql", o);
	set_server(o, run);
	set_bad(o, run);
	if (set_spaces(o, run, e) == -1 || backup_pg_find_lost(run, e) == -1) {
		json_decref(all);
		return -1;
	}
	out->facts = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	out->npaths = run->data != NULL;
	out->paths = backup_copy_texts((const char *const *)&run->data, out->npaths);
	out->has_log = true;
	out->timeline = run->s.label.timeline;
	out->log_start = run->s.label.start;
	out->log_end = run->s.stop;
	return 0;
}
