/*
 * backup_pg: a server of PostgreSQL's as a part: begun and ended on one connection, its files read
 * as a source, its facts gathered beside that, its WAL put where recovery looks for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_pg_logs.h"
#include "engine/backup_pg_priv.h"
#include "os/os.h"
#include "os/os_scratch.h"
#include "source/pg_facts.h"
#include "source/pg_source.h"

enum { LABEL_MAX = 1 << 20, CONNECT_S = 10 };

static void tell(struct backup_pg_run *run, bool *what)
{
	pthread_mutex_lock(&run->lock);
	*what = true;
	pthread_cond_broadcast(&run->turn);
	pthread_mutex_unlock(&run->lock);
}

void backup_pg_go(struct backup_pg_run *run)
{
	tell(run, &run->go);
}

/* Until there is a backup that facts are of; false: there will be none. */
static bool wait_for_go(struct backup_pg_run *run)
{
	pthread_mutex_lock(&run->lock);
	while (!run->go && !run->over)
		pthread_cond_wait(&run->turn, &run->lock);
	pthread_mutex_unlock(&run->lock);
	return run->go;
}

/*
 * Where the server has no connection left for them, by that of the backup: while files are read, or
 * once they came, it has little to do, and its slot is kept by the other, or needed no more.
 */
static void gather_by_session(struct backup_pg_run *run, const struct pg_facts_params *p)
{
	struct err e;
	bool idle;

	pthread_mutex_lock(&run->lock);
	while (!run->idle && !run->over)
		pthread_cond_wait(&run->turn, &run->lock);
	idle = run->idle;
	pthread_mutex_unlock(&run->lock);
	if (!idle || (run->beside == NULL && run->scratch == NULL))
		return;
	pthread_mutex_lock(&run->asks);
	if (pg_facts_gather_by(
		run->s.g, run->pg->target, p, &run->facts, &run->full, run->b->ctx, &e) == -1)
		run->facts_err = e;
	pthread_mutex_unlock(&run->asks);
}

/*
 * Facts go by a connection of their own: any error of a statement, and they run into some, takes a
 * connection's temporary slot away.
 */
static void *gather(void *arg)
{
	struct backup_pg_run *run = arg;
	struct pg_facts_params p = {.exact_rows = run->pg->exact_rows,
	    .table_checksums = run->pg->table_checksums,
	    .names = true};
	const struct pg_target *t = run->pg->target;
	struct pg *g;
	bool full;

	if (pg_open_for(t, false, CONNECT_S, run->b->ctx, &run->beside, &run->facts_err) == 0)
		run->kept = pg_session_keep(run->beside);
	tell(run, &run->looked);
	if (!wait_for_go(run))
		return NULL;
	if (pg_open_full(t, false, CONNECT_S, run->b->ctx, &g, &full, &run->facts_err) == 0) {
		pg_facts_gather_by(g, t, &p, &run->facts, &run->full, run->b->ctx, &run->facts_err);
		pg_close(g);
	} else if (full) {
		gather_by_session(run, &p);
	}
	return NULL;
}

static void begin_gathering(struct backup_pg_run *run)
{
	if (!run->gathering)
		run->gathering = pthread_create(&run->gatherer, NULL, gather, run) == 0;
}

static uint64_t kept(struct backup_pg_run *run)
{
	pthread_mutex_lock(&run->lock);
	while (!run->looked)
		pthread_cond_wait(&run->turn, &run->lock);
	pthread_mutex_unlock(&run->lock);
	return run->kept;
}

/*
 * The slot is first: this checkpoint is what lets go of the WAL before it, of which what follows
 * the parent is still to be read.
 */
static int start(struct backup_pg_run *run, struct err *e)
{
	uint64_t from = run->gathering ? kept(run) : 0;

	if (!run->gathering || run->beside == NULL)
		from = pg_session_keep(run->s.g);
	if (pg_session_start(&run->s, "holdfast", e) == -1)
		return -1;
	run->s.slot = from != 0 && from <= run->s.start;
	tell(run, &run->idle);
	return 0;
}

void backup_pg_end_gathering(struct backup_pg_run *run)
{
	if (run->gathering)
		pthread_join(run->gatherer, NULL);
	run->gathering = false;
}

static char *text_of(const struct backup_pg_run *run, const char *name, struct err *e)
{
	char *path = mem_printf("%s/%s", run->scratch, name), *out = NULL;
	struct buf b = {0};

	if (os_read_file(path, LABEL_MAX, &b, e) == 0)
		out = mem_strdup(buf_cstr(&b));
	buf_fini(&b);
	free(path);
	return out;
}

/* What is stored is no increment: of what it came as its label says nothing. */
static void drop_increment(char *label)
{
	static const char what[] = "INCREMENTAL FROM ";
	char *to = label;

	for (const char *line = label, *next; *line != '\0'; line = next) {
		next = line + strcspn(line, "\n");
		next += *next == '\n';
		if (strncmp(line, what, sizeof what - 1) == 0)
			continue;
		memmove(to, line, (size_t)(next - line));
		to += next - line;
	}
	*to = '\0';
}

/* They came with the files. */
static int streamed_label(struct backup_pg_run *run, char **label, char **map, struct err *e)
{
	struct err none;

	*label = text_of(run, "backup_label", e);
	if (*label == NULL || pg_label_parse(span_str(*label), &run->s.label, e) == -1)
		return -1;
	drop_increment(*label);
	run->s.timeline = run->s.label.timeline;
	run->s.start = run->streamed.start;
	run->s.stop = run->streamed.stop;
	*map = text_of(run, "tablespace_map", &none);
	return 0;
}

/* All that is not late is read: the backup ends. */
static int stop(void *arg, char **label, char **map, struct err *e)
{
	struct backup_pg_run *run = arg;
	int rc;

	backup_pg_end_gathering(run);
	if (run->scratch != NULL)
		rc = streamed_label(run, label, map, e);
	else if ((rc = pg_session_stop(&run->s, label, map, e)) == -1)
		err_wrap(e, "end of the backup");
	if (rc == 0 && *map != NULL)
		run->map = mem_strdup(*map);
	if (rc == 0 && run->scratch == NULL)
		backup_pg_ask_databases(run);
	return rc;
}

static int older(void *arg, const char *file, uint64_t from, size_t n, void *out, struct err *e)
{
	struct backup_pg_run *run = arg;

	return backup_older_read(run->older, file, from, n, out, e);
}

/* What was streamed is all from before its end. */
static int written(void *arg, uint64_t *lsn, struct err *e)
{
	struct backup_pg_run *run = arg;
	int rc;

	*lsn = run->streamed.stop;
	if (run->scratch != NULL)
		return 0;
	pthread_mutex_lock(&run->asks);
	rc = pg_session_written(&run->s, lsn, e);
	pthread_mutex_unlock(&run->asks);
	return rc;
}

static int find_data(struct backup_pg_run *run, struct err *e)
{
	const char *data = run->pg->data_directory ? run->pg->data_directory
						   : run->s.data_directory;

	if (data == NULL) {
		err_set(e, ERR_DENIED, "this role is not told where the data directory is");
		return err_hint(e, "grant pg_read_all_settings to it, or say data_directory");
	}
	run->data = mem_strdup(data);
	return pg_session_is_here(&run->s, data, e);
}

static int open_source(struct backup *b, struct backup_pg_run *run, struct err *e)
{
	struct pg_source_params p = {.data = run->scratch ? run->scratch : run->data,
	    .major = run->s.version / 10000,
	    .checksums = run->s.checksums,
	    .since = run->scratch ? run->streamed.start : run->s.start,
	    .relation = run->s.relation,
	    .stop = stop,
	    .written = written,
	    .older = run->older ? older : NULL,
	    .spooled = run->scratch ? &run->streamed.files : NULL,
	    .spool = run->streamed.spool,
	    .arg = run};

	return source_pg_open(&p, b->ctx, &b->source, e);
}

/* The server sends the WAL last: it is to keep that until it is here, and no longer. */
static int stream(struct backup_pg_run *run, const struct snapshot *s, struct err *e)
{
	if (run->gathering)
		kept(run);
	if (backup_pg_stream(run, s, e) == -1)
		return -1;
	pg_close(run->beside);
	run->beside = NULL;
	backup_pg_ask_databases(run);
	tell(run, &run->idle);
	return 0;
}

/* Its files where they are, or a copy of them that came over the connection. */
static int fetch(struct backup_pg_run *run, const struct snapshot *s, struct err *e)
{
	const struct backup_pg *pg = run->pg;

	if (pg->stream)
		return stream(run, s, e);
	if (find_data(run, e) == 0) {
		backup_pg_go(run);
		return start(run, e);
	}
	if (pg->direct || pg->data_directory != NULL)
		return -1;
	event_emit(run->b->ctx, EVENT_NOTICE, span_str(pg->part),
	    "its files are not read here, but over the connection: %s", e->msg);
	return stream(run, s, e);
}

int backup_pg_begin(
    struct backup *b, struct backup_part *part, const struct snapshot *s, struct err *e)
{
	struct backup_pg_run *run = part->run = mem_zalloc(sizeof *run);

	pthread_mutex_init(&run->asks, NULL);
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->turn, NULL);
	run->b = b;
	run->pg = part->pg;
	run->incremental = "none";
	run->streamed.spool = -1;
	if (pg_session_connect(part->pg->target, b->ctx, &run->s, e) == -1)
		return err_wrap(e, "PostgreSQL");
	/* Beside all that follows: a slot is a dozen fsyncs of the server's. */
	begin_gathering(run);
	if (pg_session_ask(&run->s, e) == -1 || fetch(run, s, e) == -1 ||
	    open_source(b, run, e) == -1)
		return err_wrap(e, "PostgreSQL");
	return 0;
}

char *backup_pg_map_params(const struct backup_pg_run *run, struct backup_map_params *out)
{
	char *wal = mem_printf("%s/pg_wal", run->scratch ? run->scratch : run->data);

	*out = (struct backup_map_params){.wal = wal,
	    .system = run->s.system,
	    .timeline = run->s.timeline,
	    .segment = (uint32_t)run->s.segment_size,
	    .block_size = run->s.block_size,
	    .checksums = run->s.checksums,
	    .end = run->s.start};
	return wal;
}

const struct snapshot_part *backup_pg_same_part(
    const struct snapshot *s, const struct backup_pg_run *run)
{
	for (size_t i = 0; i < s->nparts; i++)
		if (strcmp(s->parts[i].kind, "postgresql") == 0 &&
		    strcmp(s->parts[i].name, run->pg->part) == 0 && s->parts[i].has_tree)
			return &s->parts[i];
	return NULL;
}

bool backup_pg_take_bad(struct backup_pg_run *run, const struct snapshot_part *old)
{
	json_t *facts = json_loads(old->facts, 0, NULL);
	json_t *bad = json_object_get(json_object_get(facts, "postgresql"), "bad_pages");

	json_decref(run->was_bad);
	run->was_bad = json_incref(bad);
	json_decref(facts);
	return json_array_size(run->was_bad) < PG_BAD_MAX;
}

static int make_map(
    struct backup *b, struct backup_part *part, const struct snapshot *parent, struct err *e)
{
	const struct snapshot_part *old = backup_pg_same_part(parent, part->run);
	struct backup_map_params p;
	char *wal;

	if (old == NULL)
		return err_set(e, ERR_ABSENT, "the parent has nothing of this server");
	wal = backup_pg_map_params(part->run, &p);
	part->map = backup_map_make(b->repo, old, &p, b->ctx, e);
	free(wal);
	if (part->map == NULL)
		return -1;
	if (!backup_pg_take_bad(part->run, old)) {
		wal_map_free(part->map);
		part->map = NULL;
		return err_set(e, ERR_FAILED, "too many of its pages were wrong");
	}
	part->relation = part->run->s.relation;
	b->has_parent_tree = true;
	b->parent_tree = old->tree;
	return 0;
}

/* What came differs from the parent; what did not, and what is in no increment, does not. */
static void take_increment(struct backup *b, struct backup_part *part)
{
	struct backup_pg_run *run = part->run;

	part->map = run->streamed.map;
	run->streamed.map = NULL;
	part->relation = run->s.relation;
	b->has_parent_tree = true;
	b->parent_tree = backup_pg_same_part(run->parent, run)->tree;
	run->incremental = "server";
}

void backup_pg_changes(struct backup *b, struct backup_part *part, const struct snapshot *s)
{
	struct snapshot *parent = NULL;
	struct err e;

	if (part->run->older != NULL)
		take_increment(b, part);
	else
		part->run->incremental = "scan";
	if (part->run->scratch != NULL)
		return; /* what came over the connection is here */
	err_clear(&e);
	if (snapshot_load(b->repo, &s->parent, &parent, &e) == 0 &&
	    make_map(b, part, parent, &e) == 0)
		part->run->incremental = "map";
	else if (!backup_stopping(b))
		event_emit(b->ctx, EVENT_NOTICE, span_str(part->pg->part),
		    "files that look changed are read whole: %s", e.msg);
	snapshot_free(parent);
}

bool backup_pg_was_bad(const struct backup_part *part, const char *path)
{
	const json_t *x;
	size_t i;

	json_array_foreach(part->run->was_bad, i, x)
	{
		const char *file = json_string_value(json_object_get(x, "file"));

		if (file != NULL && strcmp(file, path) == 0)
			return true;
	}
	return false;
}

int backup_pg_logs(struct backup *b, struct backup_part *part, struct snapshot_part *out,
    struct repo *r, struct err *e)
{
	const struct backup_pg_run *run = part->run;
	struct backup_pg_wal wal = {.data = run->scratch ? run->scratch : run->data,
	    .system = b->p->system,
	    .part = part->pg->part,
	    .timeline = out->timeline,
	    .start = out->log_start,
	    .stop = out->log_end,
	    .segment_size = run->s.segment_size,
	    .whole = !run->s.standby,
	    .slot = run->s.slot || run->scratch != NULL};

	if (backup_pg_logs_put(&wal, r, out->stream, b->ctx, e) == -1)
		return err_wrap(e, "WAL of the backup");
	return 0;
}

void backup_pg_free(struct backup_part *part)
{
	struct backup_pg_run *run = part->run;
	struct err e;

	if (run == NULL)
		return;
	tell(run, &run->over);
	backup_pg_end_gathering(run);
	json_decref(run->facts);
	json_decref(run->was_bad);
	wal_map_free(part->map);
	pg_streamed_fini(&run->streamed);
	backup_older_free(run->older);
	snapshot_free(run->parent);
	pg_session_close(&run->s);
	pg_close(run->beside);
	pthread_cond_destroy(&run->turn);
	pthread_mutex_destroy(&run->lock);
	pthread_mutex_destroy(&run->asks);
	if (run->scratch != NULL && os_scratch_remove(run->scratch, &e) == -1)
		event_emit(run->b->ctx, EVENT_WARNING, span_str(run->scratch), "%s", e.msg);
	free(run->scratch);
	backup_pg_free_databases(run);
	free(run->map);
	free(run->data);
	free(run);
}
