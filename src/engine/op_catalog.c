/* op_catalog: see op_catalog.h. */
#include "engine/op_catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "catalog/catalog_files.h"
#include "engine/op_tree.h"
#include "engine/select.h"

struct taking {
	struct repo *repo;
	const char *name;
	struct catalog *c;
	struct ctx *ctx;
	struct op_catalog_result *result;
	struct catalog_files *files;
};

/* ---- Files. */

static int64_t mtime_of(const struct entry *en)
{
	int64_t t;

	if (__builtin_mul_overflow(en->mtime, INT64_C(1000000000), &t) ||
	    __builtin_add_overflow(t, (int64_t)en->mtime_ns, &t))
		return en->mtime < 0 ? INT64_MIN : INT64_MAX;
	return t;
}

static int add(
    struct taking *t, struct span path, const struct entry *en, bool before, struct err *e)
{
	t->result->paths++;
	return catalog_files_add(t->files, path, en->type, en->type == ENTRY_FILE ? en->size : 0,
	    mtime_of(en), before, e);
}

static int differs(void *arg, enum diff_change change, struct span path, const struct entry *old,
    const struct entry *new, struct err *e)
{
	struct taking *t = arg;

	if (new == NULL) {
		t->result->paths++;
		return catalog_files_remove(t->files, path, e);
	}
	/* Owner and mode are not kept; nor is a folder's time. */
	if (change == DIFF_META && (new->type == ENTRY_DIR || mtime_of(old) == mtime_of(new)))
		return 0;
	return add(t, path, new, old != NULL, e);
}

static int is_there(void *arg, struct span path, const struct entry *en, struct err *e)
{
	return add(arg, path, en, false, e);
}

/* Can it be compared with that one, tree by tree? */
static bool is_alike(const struct snapshot *a, const struct snapshot *b)
{
	return a->nparts == 1 && b->nparts == 1 && a->parts[0].has_tree && b->parts[0].has_tree;
}

static bool has_tree(const struct snapshot *s)
{
	for (size_t i = 0; i < s->nparts; i++)
		if (s->parts[i].has_tree)
			return true;
	return false;
}

static int take_all(struct taking *t, const struct snapshot *s, struct err *e)
{
	for (size_t i = 0; i < s->nparts; i++) {
		char *path = mem_printf("/%s", s->nparts > 1 ? s->parts[i].name : "");
		int rc = 0;

		if (s->parts[i].has_tree)
			rc = op_ls(t->repo, s, path, true, t->ctx, is_there, t, e);
		free(path);
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* The one before, where it is there and can be compared with; NULL: it can't. */
static struct snapshot *load_head(struct taking *t, const char *hex, const struct snapshot *s)
{
	struct snapshot *head = NULL;
	struct err ignored;
	struct id id;

	if (hex[0] == '\0' || !id_parse(&id, hex) ||
	    snapshot_load(t->repo, &id, &head, &ignored) == -1)
		return NULL;
	if (is_alike(head, s))
		return head;
	snapshot_free(head);
	return NULL;
}

/*
 * Begun again as a whole where the one before cannot be compared with: as when what only it
 * needs was deleted while we read.
 */
static int take_files(struct taking *t, const struct catalog_snapshot *as, const struct snapshot *s,
    bool whole, struct err *e)
{
	struct snapshot *head;
	struct diff_result counts;
	char hex[CATALOG_HEX];
	uint64_t left_out = 0;
	bool compared;
	int rc;

	if (catalog_files_begin(t->c, as, whole, &t->files, hex, e) == -1)
		return e->kind == ERR_EXISTS ? 0 : -1;
	head = whole ? NULL : load_head(t, hex, s);
	if (head == NULL && hex[0] != '\0' && !whole) {
		catalog_files_abort(t->files);
		return take_files(t, as, s, true, e);
	}
	compared = head != NULL;
	rc = head ? op_diff(t->repo, head, s, "/", "/", t->ctx, differs, t, &counts, e)
		  : take_all(t, s, e);
	snapshot_free(head);
	if (rc == 0)
		rc = catalog_files_commit(t->files, &left_out, e);
	else
		catalog_files_abort(t->files);
	t->files = NULL;
	t->result->left_out += left_out;
	if (rc == 0)
		t->result->searchable++;
	if (rc == -1 && compared && e->kind != ERR_CANCELLED && e->kind != ERR_BUSY)
		return take_files(t, as, s, true, e);
	return rc;
}

/* ---- Snapshots. */

struct texts {
	char id[ID_HEX], group[2 * FORMAT_UID + 1];
};

static struct catalog_snapshot facts(
    const struct taking *t, const struct snapshot *s, struct texts *texts)
{
	struct catalog_snapshot x = {.repository = repo_id_text(t->repo),
	    .name = t->name,
	    .snapshot = id_hex(texts->id, &s->id),
	    .group = hex_encode(texts->group, s->group, FORMAT_UID),
	    .system = s->system,
	    .host = s->host,
	    .outcome = snapshot_outcome_name(SNAPSHOT_COMPLETE),
	    .start_ns = s->start_ns,
	    .end_ns = s->end_ns};

	for (size_t i = 0; i < s->nparts; i++) {
		x.files += s->parts[i].stats.files;
		x.bytes += s->parts[i].stats.bytes;
		x.stored += s->parts[i].stats.stored_bytes;
		if (s->parts[i].outcome != SNAPSHOT_COMPLETE)
			x.outcome = snapshot_outcome_name(s->parts[i].outcome);
	}
	return x;
}

/* The run that made it, where it is not known: after a loss. */
static int recall_run(
    struct taking *t, const struct catalog_snapshot *x, const struct snapshot *s, struct err *e)
{
	struct run r = {.system = x->system,
	    .node = s->host,
	    .kind = "backup",
	    .type = snapshot_strategy_name(s->strategy),
	    .trigger = "recalled",
	    .status = strcmp(x->outcome, "complete") == 0     ? RUN_COMPLETED
		      : strcmp(x->outcome, "incomplete") == 0 ? RUN_PROBLEMS
							      : RUN_FAILED,
	    .queued_ns = s->start_ns,
	    .started_ns = s->start_ns,
	    .ended_ns = s->end_ns,
	    .destinations = t->name,
	    .snapshot = x->snapshot,
	    .encrypted = true,
	    .files = x->files,
	    .bytes = x->bytes,
	    .stored = x->stored,
	    .score = -1};
	bool added;

	if (s->system == NULL || s->has_original)
		return 0;
	for (size_t i = 0; i < s->nparts; i++) {
		const struct snapshot_stats *n = &s->parts[i].stats;

		r.files_new += n->files_new;
		r.files_changed += n->files_changed;
		r.bytes_read += n->bytes_read;
		r.added += n->added_bytes;
		r.errors += n->errors;
	}
	r.exit_status = r.status == RUN_COMPLETED ? 0 : r.status == RUN_PROBLEMS ? 3 : 1;
	if (run_recall(t->c, &r, &added, e) == -1)
		return -1;
	t->result->runs += added;
	return 0;
}

static int take(struct taking *t, const struct snapshot *s, bool recall, struct err *e)
{
	struct texts texts;
	struct catalog_snapshot x = facts(t, s, &texts);

	if (catalog_snapshot_put(t->c, &x, e) == -1 || (recall && recall_run(t, &x, s, e) == -1))
		return -1;
	t->result->snapshots++;
	if (s->unread || s->head_only || !has_tree(s))
		return 0;
	if (take_files(t, &x, s, false, e) == 0)
		return 0;
	/* A key that only writes reads nothing back. */
	if (e->kind != ERR_WRONG_KEY && e->kind != ERR_DENIED)
		return err_wrap(e, "snapshot %.8s", texts.id);
	err_clear(e);
	return 0;
}

int op_catalog_snapshot(struct repo *repo, const char *name, const struct id *id, struct catalog *c,
    struct ctx *ctx, struct op_catalog_result *r, struct err *e)
{
	struct taking t = {.repo = repo, .name = name, .c = c, .ctx = ctx, .result = r};
	struct snapshot *s = NULL;
	int rc;

	if (snapshot_load(repo, id, &s, e) == -1)
		return -1;
	rc = take(&t, s, false, e);
	snapshot_free(s);
	return rc;
}

/* ---- A whole repository. */

struct known {
	struct idmap *there; /* in the repository */
	struct id *gone;
	size_t n;
};

static int note_gone(void *arg, const struct catalog_snapshot *s, struct err *e)
{
	struct known *k = arg;
	struct id id;

	if (!id_parse(&id, s->snapshot) || idmap_get(k->there, &id) != NULL)
		return 0;
	k->gone = mem_realloc(k->gone, (k->n + 1) * sizeof *k->gone);
	k->gone[k->n++] = id;
	return 0;
}

static int drop_gone(struct taking *t, const struct select_list *l, struct err *e)
{
	const char *repository = repo_id_text(t->repo);
	struct known k = {.there = idmap_new(1)};
	char hex[ID_HEX];
	int rc;

	for (size_t i = 0; i < l->n; i++)
		idmap_put(k.there, &l->v[i]->id, NULL);
	rc = catalog_snapshot_list(
	    t->c, &(struct catalog_snapshot_filter){.repository = repository}, note_gone, &k, e);
	for (size_t i = 0; rc == 0 && i < k.n; i++)
		rc = catalog_snapshot_del(t->c, repository, id_hex(hex, &k.gone[i]), e);
	t->result->gone += k.n;
	idmap_free(k.there);
	free(k.gone);
	return rc;
}

int op_catalog_repository(struct repo *repo, const char *name, struct catalog *c, struct ctx *ctx,
    struct op_catalog_result *r, struct err *e)
{
	struct taking t = {.repo = repo, .name = name, .c = c, .ctx = ctx, .result = r};
	struct select_filter every = {0};
	struct select_list l;
	size_t hurt;
	int rc = 0;

	if (select_all(repo, &every, ctx, &l, e) == -1)
		return -1;
	hurt = l.damaged;
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		rc = take(&t, l.v[i], true, e);
		if (rc == -1 && e->kind == ERR_CORRUPT) {
			event_emit(ctx, EVENT_SNAPSHOT_HURT, span_str("/"), "%s", e->msg);
			hurt++;
			err_clear(e);
			rc = 0;
		}
	}
	/* A damaged one may be there, unread: then it is not known what is gone. */
	if (rc == 0 && l.damaged == 0)
		rc = drop_gone(&t, &l, e);
	select_list_fini(&l);
	if (rc == 0 && hurt)
		rc = err_set(e, ERR_INCOMPLETE, "%zu damaged %s could not be taken in whole", hurt,
		    hurt == 1 ? "snapshot" : "snapshots");
	return rc;
}
