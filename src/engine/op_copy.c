/* op_copy: see op_copy.h; how its files share the work is in copy_internal.h. */
#include "engine/op_copy.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "engine/copy_internal.h"
#include "os/os.h"
#include "repo/family.h"
#include "repo/repo_object.h"

enum {
	WORKERS_MAX = 4, /* unless --jobs asks for more: each has a frame or two */
	WRITER_BLOBS =
	    256 << 10, /* new ones, after which a writer is made anew: it knows them all */
};

int copy_to(struct copying *c, int rc, struct err *e)
{
	if (rc != -1)
		return rc;
	if (!atomic_exchange(&c->to_failed, true))
		err_wrap(e, "destination");
	return -1;
}

int copy_put(void *arg, enum format_purpose kind, struct span blob, struct id *id, struct err *e)
{
	struct copying *c = arg;

	return copy_to(c, writer_tree_put(c->lane, kind, blob, id, e), e);
}

/* ---- What is there. */

/* In the domain of the key in use: what another domain's holder says was copied is no copy. */
static bool is_ours(const struct copying *c, const struct snapshot *s)
{
	return snapshot_domain(s) == repo_own_tag(c->to) && !s->unread;
}

static void know_origins(struct copying *c)
{
	for (size_t i = 0; i < c->have.n; i++) {
		const struct snapshot *s = c->have.v[i];

		if (is_ours(c, s))
			*(struct id *)idmap_put(c->origins, snapshot_origin(s), NULL) = s->id;
	}
}

static int look(struct copying *c, struct select_list *chosen, struct err *e)
{
	const struct select_filter any = {.forgotten = true};

	if (copy_to(c, select_all(c->to, &any, c->ctx, &c->have, e), e) == -1 ||
	    select_all(c->from, &any, c->ctx, &c->all, e) == -1)
		return -1;
	know_origins(c);
	c->out->unreadable = c->all.damaged;
	return c->p->nnamed ? 0 : select_all(c->from, &c->p->filter, c->ctx, chosen, e);
}

/* ---- One writer. */

static void end_writer(struct copying *c)
{
	const struct writer_stats *ws;

	if (c->writer == NULL)
		return;
	ws = writer_stats(c->writer);
	c->out->added_bytes += ws->added_bytes;
	c->out->stored_bytes += ws->stored_bytes;
	c->out->object_bytes += ws->object_bytes;
	writer_lane_free(c->lane);
	writer_free(c->writer);
	content_writer_free(c->content);
	idmap_free(c->trees);
	c->lane = NULL;
	c->writer = NULL;
	c->content = NULL;
	c->trees = NULL;
}

static int begin_writer(struct copying *c, struct err *e)
{
	struct writer_params p = {.codec = c->p->codec,
	    .level = c->p->level,
	    .dry_run = c->p->dry_run,
	    .lanes = c->workers + 1};

	if (copy_to(c, writer_begin(c->to, &p, &c->writer, e), e) == -1)
		return -1;
	c->lane = writer_lane_new(c->writer);
	c->content = content_writer_new(copy_put, c);
	c->trees = idmap_new(sizeof(struct id));
	c->near = (struct index_near){0};
	return 0;
}

/* A writer, and what it may take from earlier copies of the group. */
static int ready_writer(struct copying *c, const struct snapshot *s, struct err *e)
{
	uint64_t generation;

	if (c->writer != NULL && writer_stats(c->writer)->blobs > WRITER_BLOBS)
		end_writer(c);
	if (c->writer == NULL && begin_writer(c, e) == -1)
		return -1;
	generation = repo_index_generation(c->to);
	if (copy_pair(c, s, e) == -1)
		return -1;
	reader_shrink(c->there, 0);
	if (generation == repo_index_generation(c->to))
		return 0;
	/* The index was made anew under it: nothing that was looked up counts any more. */
	end_writer(c);
	return begin_writer(c, e);
}

/* ---- One snapshot. */

static void free_tags(struct snapshot *s)
{
	for (size_t i = 0; i < s->ntags; i++)
		free(s->tags[i]);
	free(s->tags);
	s->tags = NULL;
	s->ntags = 0;
}

/* Tags as the notes have made them. */
static void set_tags(struct snapshot *s, const struct snapshot *from)
{
	free_tags(s);
	s->tags = mem_zalloc((from->ntags + 1) * sizeof *s->tags);
	for (s->ntags = 0; s->ntags < from->ntags; s->ntags++)
		s->tags[s->ntags] = mem_strdup(from->tags[s->ntags]);
}

static void set_parent(struct copying *c, struct snapshot *s)
{
	const struct id *to = NULL;

	for (size_t i = 0; i < c->all.n && s->has_parent; i++)
		if (id_eq(&c->all.v[i]->id, &s->parent))
			to = idmap_get(c->origins, snapshot_origin(c->all.v[i]));
	s->has_parent = to != NULL;
	if (to != NULL)
		s->parent = *to;
}

static void set_group(struct copying *c, struct snapshot *s)
{
	const char **paths = NULL;
	size_t n = 0;

	for (size_t i = 0; i < s->nparts; i++)
		for (size_t j = 0; j < s->parts[i].npaths; j++) {
			paths = mem_realloc(paths, (n + 1) * sizeof *paths);
			paths[n++] = s->parts[i].paths[j];
		}
	snapshot_group(c->to, s->host, s->system, paths, n, s->group);
	free(paths);
}

/* The snapshot as it is to be in `to`, but for its trees. */
static int make(
    struct copying *c, const struct snapshot *from, struct snapshot **out, struct err *e)
{
	struct snapshot *s;

	if (snapshot_load(c->from, &from->id, &s, e) == -1)
		return -1;
	if (s->unread) {
		snapshot_free(s);
		return repo_foreign(e, "its facts are not as this program knows them");
	}
	if (!s->has_original) {
		s->has_original = true;
		s->original = from->id;
		hex_decode(s->original_repo, FORMAT_UID, repo_id_text(c->from));
	}
	set_tags(s, from);
	set_parent(c, s);
	set_group(c, s);
	memset(s->domain, 0, FORMAT_UID);
	*out = s;
	return 0;
}

static int copy_parts(struct copying *c, struct snapshot *s, struct err *e)
{
	for (size_t i = 0; i < s->nparts; i++) {
		struct snapshot_part *p = &s->parts[i];

		if (p->has_tree && copy_tree(c, &p->tree, &p->tree, e) == -1)
			return -1;
	}
	return copy_to(c, writer_lane_flush(c->lane, e), e);
}

static int store(struct copying *c, struct snapshot *s, struct err *e)
{
	if (c->p->dry_run)
		return 0;
	if (copy_to(c, writer_finish(c->writer, e), e) == -1 || ctx_check(c->ctx, e) == -1)
		return -1;
	return copy_to(c, writer_commit(c->writer, s, e), e);
}

static int copy_one(struct copying *c, const struct snapshot *from, struct id *to, struct err *e)
{
	struct snapshot *s = NULL;
	int rc = -1;

	if (make(c, from, &s, e) == -1 || ready_writer(c, from, e) == -1)
		goto out;
	c->same = family_same_content(c->from, snapshot_domain(from), c->to);
	reader_set_domain(c->reader, snapshot_domain(from));
	c->near = (struct index_near){0};
	if ((!c->p->rechunk && copy_content(c, from, e) == -1) || copy_parts(c, s, e) == -1 ||
	    copy_logs(c, s, e) == -1 || store(c, s, e) == -1)
		goto out;
	*to = s->id;
	rc = 0;
out:
	snapshot_free(s);
	return rc;
}

static int tell(struct copying *c, const struct snapshot *from, enum copy_outcome outcome,
    const struct id *to, const char *why, struct err *e)
{
	const struct copy_item it = {from, outcome, to, why};

	return c->p->item ? c->p->item(c->p->item_arg, &it, e) : 0;
}

/* Damage of one snapshot is not the end of the others. */
static int hurt(struct copying *c, const struct snapshot *from, struct err *e)
{
	char name[REPO_NAME_MAX];
	struct err why = *e;

	if (c->to_failed || (!repo_is_bad(e) && e->kind != ERR_ABSENT))
		return -1;
	c->out->failed++;
	atomic_fetch_add(&c->ctx->progress.errors, 1);
	event_emit(c->ctx, EVENT_SNAPSHOT_HURT,
	    span_str(repo_object_name(name, FORMAT_SNAPSHOT, &from->id)), "not copied: %s",
	    why.msg);
	return tell(c, from, COPY_FAILED, NULL, why.msg, e);
}

static int copy_next(struct copying *c, const struct snapshot *from, struct err *e)
{
	struct id *there = idmap_get(c->origins, snapshot_origin(from));
	struct id to = {{0}};

	if (there != NULL) {
		if (copy_logs_again(c, from, e) == -1)
			return -1;
		c->out->there++;
		return tell(c, from, COPY_THERE, there, "", e);
	}
	if (copy_one(c, from, &to, e) == -1)
		return hurt(c, from, e);
	c->out->copied++;
	if (c->p->dry_run)
		return tell(c, from, COPY_DONE, NULL, "", e);
	*(struct id *)idmap_put(c->origins, snapshot_origin(from), NULL) = to;
	return tell(c, from, COPY_DONE, &to, "", e);
}

/* Cut short, it keeps what is stored for the next run. */
static void keep(struct copying *c)
{
	struct err later;

	if (c->writer != NULL && !c->p->dry_run && writer_finish(c->writer, &later) == -1)
		event_emit(c->ctx, EVENT_WARNING, span_of(NULL, 0), "%s", later.msg);
}

static int copy_all(struct copying *c, const struct select_list *chosen, struct err *e)
{
	size_t n = c->p->nnamed ? c->p->nnamed : chosen->n;

	for (size_t i = 0; i < n; i++)
		if (ctx_check(c->ctx, e) == -1 ||
		    copy_next(c, c->p->nnamed ? c->p->named[i] : chosen->v[i], e) == -1)
			return -1;
	return 0;
}

/* ---- All of it. */

static int refuse(struct copying *c, struct err *e)
{
	if (repo_need(c->from, true, e) == -1)
		return err_wrap(e, "source");
	if (repo_need(c->to, true, e) == -1) {
		err_wrap(e, "destination");
		return err_hint(e, "what was copied before can only be seen with a full key");
	}
	if (strcmp(repo_id_text(c->from), repo_id_text(c->to)) != 0)
		return repo_may_write(c->to, e);
	err_set(e, ERR_USAGE, "source and destination are the same repository");
	return err_hint(e, "to have it twice, copy its folder: every object is good there as well");
}

static unsigned workers(unsigned jobs)
{
	unsigned n = os_workers(jobs);

	return jobs == 0 && n > WORKERS_MAX ? WORKERS_MAX : n;
}

static int run(struct copying *c, struct err *e)
{
	struct select_list chosen = {0};
	int rc = -1;

	if (look(c, &chosen, e) == -1 || repo_index_load(c->from, false, e) == -1)
		goto out;
	c->map = copy_map_new(index_cache_blobs(repo_index(c->from)));
	c->reader = reader_new(c->from);
	c->there = reader_new(c->to);
	if (c->p->rechunk)
		writer_chunker(c->to, c->p->chunker, &c->chunker);
	atomic_store(&c->ctx->progress.phase, "copying");
	rc = copy_all(c, &chosen, e);
	if (rc == -1)
		keep(c);
out:
	end_writer(c);
	select_list_fini(&chosen);
	return rc;
}

int op_copy(struct repo *from, struct repo *to, const struct copy_params *p, struct ctx *ctx,
    struct copy_result *out, struct err *e)
{
	struct copying c = {.from = from, .to = to, .p = p, .ctx = ctx, .out = out};
	struct clock *clock = os_clock_of(ctx);
	int64_t began = clock->mono_ns(clock);
	int rc;

	memset(out, 0, sizeof *out);
	if (refuse(&c, e) == -1)
		return -1;
	c.workers = workers(p->jobs);
	c.origins = idmap_new(sizeof(struct id));
	rc = run(&c, e);
	out->seconds = (double)(clock->mono_ns(clock) - began) / 1e9;
	reader_free(c.reader);
	reader_free(c.there);
	copy_map_free(c.map);
	log_writer_close(c.logs);
	idmap_free(c.origins);
	select_list_fini(&c.all);
	select_list_fini(&c.have);
	buf_fini(&c.cut);
	return rc;
}
