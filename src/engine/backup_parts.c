/*
 * backup_parts: the sources of a run, one after the other, each with its tree and its numbers; see
 * backup_internal.h.  Where there are several, one that fails is listed as failed, and the others
 * are stored; alone it fails the run.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/backup_internal.h"

char **backup_copy_texts(const char *const *v, size_t n)
{
	char **out = mem_zalloc(n * sizeof *out);

	for (size_t i = 0; i < n; i++)
		out[i] = mem_strdup(v[i]);
	return out;
}

static void name_files(struct snapshot_part *out, struct backup *b)
{
	const struct backup_params *p = b->p;
	char *name;

	out->name = mem_strdup(p->stdin_name ? "stdin" : "files");
	out->kind = mem_strdup(out->name);
	if (p->stdin_name != NULL) {
		name = mem_printf("/%s", p->stdin_name);
		out->paths = backup_copy_texts((const char *const *)&name, 1);
		out->npaths = 1;
		free(name);
		return;
	}
	out->paths = backup_copy_texts((const char *const *)b->paths->v, b->paths->n);
	out->npaths = b->paths->n;
}

void backup_parts_new(struct backup *b, struct snapshot *s, struct bpaths *paths)
{
	const struct backup_params *p = b->p;
	bool files = p->stdin_name != NULL || p->npaths > 0;

	b->paths = paths;
	b->nparts = s->nparts = files + p->npg;
	b->parts = mem_zalloc(b->nparts * sizeof *b->parts);
	s->parts = mem_zalloc(s->nparts * sizeof *s->parts);
	if (files)
		name_files(&s->parts[0], b);
	for (size_t i = 0; i < p->npg; i++) {
		bool dump = p->pg[i].ndump > 0;

		*(dump ? &b->parts[files + i].dump : &b->parts[files + i].pg) = &p->pg[i];
		s->parts[files + i].name = mem_strdup(p->pg[i].part);
		s->parts[files + i].kind = mem_strdup(dump ? "dump" : "postgresql");
	}
	b->part = &b->parts[0];
}

int backup_files_open(struct backup *b, struct err *e)
{
	const struct backup_params *p = b->p;
	const char *never[2 * WRITER_SET_MAX];
	struct files_params f = {
	    .paths = (const char *const *)b->paths->present,
	    .npaths = b->paths->npresent,
	    .exclude = p->exclude,
	    .exclude_caches = p->exclude_caches,
	    .one_file_system = p->one_file_system,
	    .never = never,
	    .places = p->places,
	    .nplaces = p->nplaces,
	};

	for (size_t i = 0; i < b->ntargets; i++) {
		const char *url = repo_url(b->targets[i]->repo);

		never[f.nnever++] = strncmp(url, "fs:", 3) == 0 ? url + 3 : url;
		if (repo_cache_dir(b->targets[i]->repo) != NULL)
			never[f.nnever++] = repo_cache_dir(b->targets[i]->repo);
	}
	if (p->stdin_name != NULL)
		return source_stream_open(p->stdin_fd, p->stdin_name, b->ctx, &b->source, e);
	if (f.npaths == 0)
		return err_set(e, ERR_ABSENT, "none of the paths to back up is there");
	if (p->count) {
		b->count_ctx.clock = b->ctx->clock;
		if (source_files_open(&f, &b->count_ctx, &b->counted, e) == -1)
			b->counted = NULL;
	}
	return source_files_open(&f, b->ctx, &b->source, e);
}

static int open_part(struct backup *b, const struct snapshot *s, struct err *e)
{
	writer_pages(b->writer, b->part->pg != NULL || b->part->dump != NULL);
	if (b->part->dump != NULL)
		return backup_dump_begin(b, b->part, e);
	if (b->part->pg == NULL)
		return b->source != NULL ? 0 : backup_files_open(b, e);
	/* Many small chunks go into one frame. */
	backup_blocks_begin(b);
	return backup_pg_begin(b, b->part, s, e);
}

/* What differs from what it was before the part: the writer counts the whole run. */
static void add_stored(struct backup *b, struct snapshot_stats *st, struct snapshot_stats *before)
{
	struct snapshot_stats now;

	backup_stored(b, 0, &now);
	st->added_bytes = now.added_bytes - before->added_bytes;
	st->stored_bytes = now.stored_bytes - before->stored_bytes;
	st->content_added = now.content_added - before->content_added;
	st->content_stored = now.content_stored - before->content_stored;
	*before = now;
}

static void fill_part(struct backup *b, struct snapshot_part *p, struct snapshot_stats *before)
{
	p->stats = (struct snapshot_stats){
	    .files = b->files,
	    .dirs = b->dirs,
	    .others = b->others,
	    .files_new = b->files_new,
	    .files_changed = b->files_changed,
	    .files_unchanged = b->files_unchanged,
	    .bytes = b->bytes,
	    .bytes_read = b->bytes_read,
	    .errors = b->nfailed,
	};
	add_stored(b, &p->stats, before);
	p->errors = mem_dup(b->errors, b->nerrors * sizeof *b->errors);
	p->nerrors = b->nerrors;
	p->outcome = b->part->failed ? SNAPSHOT_FAILED
		     : b->nfailed    ? SNAPSHOT_INCOMPLETE
				     : SNAPSHOT_COMPLETE;
	p->has_tree = !b->part->failed;
	p->tree = b->tree;
}

/* Its numbers are the part's now; the next begins with none. */
static void forget_part(struct backup *b)
{
	b->nerrors = 0; /* moved */
	b->files = b->dirs = b->others = 0;
	b->files_new = b->files_changed = b->files_unchanged = 0;
	b->bytes = b->bytes_read = b->nfailed = 0;
	b->has_parent_tree = b->done = false;
	file_cache_close(b->cache);
	b->cache = NULL;
	source_close(b->source);
	b->source = NULL;
	source_close(b->counted);
	b->counted = NULL;
	b->part->cache_out = b->cache_out;
	b->cache_out = NULL;
}

static void run_part(struct backup *b, struct snapshot *s, size_t i, struct snapshot_stats *before)
{
	struct backup_part *part = b->part = &b->parts[i];
	struct err e;

	backup_open_cache(b, s, i);
	if (open_part(b, s, &e) == 0) {
		/* A server's backups come often, and pages compress well as it is. */
		if (s->has_parent && part->pg == NULL)
			writer_increment(b->writer);
		if (part->pg != NULL && s->has_parent)
			backup_pg_changes(b, part, s);
		backup_create_cache(b, s, i);
		backup_run_threads(b);
		if (part->pg != NULL && !part->failed && !backup_stopping(b) &&
		    backup_pg_end(b, part, &s->parts[i], &part->err) == -1)
			part->failed = true;
		if (part->dump != NULL && !part->failed && !backup_stopping(b) &&
		    backup_dump_end(b, part, &s->parts[i], &part->err) == -1)
			part->failed = true;
	} else {
		part->failed = true;
		part->err = e;
	}
	if (part->failed)
		backup_problem(b,
		    part->pg     ? part->pg->part
		    : part->dump ? part->dump->part
				 : "files",
		    &part->err);
	fill_part(b, &s->parts[i], before);
	if (i == 0 && !part->failed)
		backup_anomalies(b, s);
	forget_part(b);
}

void backup_parts_run(struct backup *b, struct snapshot *s)
{
	struct snapshot_stats before = {0};
	size_t failed = 0;

	s->strategy = SNAPSHOT_FULL;
	for (size_t i = 0; i < b->nparts && !backup_stopping(b); i++) {
		run_part(b, s, i, &before);
		failed += b->parts[i].failed;
	}
	if (failed == b->nparts)
		backup_fail(b, &b->parts[0].err);
}

void backup_parts_free(struct backup *b)
{
	for (size_t i = 0; i < b->nparts; i++) {
		file_cache_abort(b->parts[i].cache_out);
		backup_pg_free(&b->parts[i]);
		backup_dump_free(&b->parts[i]);
	}
	free(b->parts);
}
