/*
 * op_backup_many: which repositories take part in which pass.  Kin go together; one of
 * another family, and one that fell behind, goes after them, alone or with its own kin.
 */
#include <string.h>

#include "engine/backup_internal.h"
#include "repo/family.h"

struct passes {
	struct backup_target *v;
	size_t n;
	const struct backup_params *p;
	struct ctx *ctx;
	bool done[WRITER_SET_MAX];
};

/* The next ones that go together: 0 when all had their turn. */
static size_t choose(struct passes *s, size_t which[WRITER_SET_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->done[i] || (n > 0 && (s->v[which[0]].behind || s->v[i].behind)))
			continue;
		if (n > 0 && !family_is_kin(s->v[which[0]].repo, s->v[i].repo))
			continue;
		s->done[i] = true;
		which[n++] = i;
	}
	return n;
}

/* What fell behind has another turn, by itself; unless the data came by a pipe. */
static void look_for_laggards(struct passes *s, const size_t *which, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct backup_target *t = &s->v[which[i]];

		if (n > 1 && t->rc == -1 && t->behind && s->p->stdin_name == NULL)
			s->done[which[i]] = false;
	}
}

static void one_pass(struct passes *s, const size_t *which, size_t n, bool first)
{
	struct backup_target *targets[WRITER_SET_MAX];

	for (size_t i = 0; i < n; i++) {
		targets[i] = &s->v[which[i]];
		if (first)
			continue;
		if (s->p->stdin_name != NULL) {
			targets[i]->rc = err_set(&targets[i]->err, ERR_UNSUPPORTED, "%s: %s",
			    repo_url(targets[i]->repo),
			    "standard input is read once, for repositories of one family");
			continue;
		}
		event_emit(s->ctx, EVENT_NOTICE, span_str(repo_url(targets[i]->repo)),
		    targets[i]->behind ? "it fell behind: all is read once more for it"
				       : "of another family: all is read once more for it");
	}
	if (first || s->p->stdin_name == NULL)
		backup_pass(targets, n, s->p, s->ctx);
}

/* By two names it would be one copy that looks like two. */
static int refuse_twice(const struct backup_target *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (v[i].repo && v[j].repo &&
			    strcmp(repo_id_text(v[i].repo), repo_id_text(v[j].repo)) == 0)
				return err_set(e, ERR_USAGE, "%s and %s are one repository",
				    repo_url(v[j].repo), repo_url(v[i].repo));
	return 0;
}

static int result(const struct backup_target *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].rc == 0)
			return 0;
	*e = v[0].err;
	return -1;
}

int op_backup_many(struct backup_target *targets, size_t n, const struct backup_params *p,
    struct ctx *ctx, struct err *e)
{
	struct passes s = {.v = targets, .n = n, .p = p, .ctx = ctx};
	size_t which[WRITER_SET_MAX], m;
	bool first = true;

	if (n > WRITER_SET_MAX)
		return err_set(e, ERR_USAGE, "more than %d repositories at once", WRITER_SET_MAX);
	if (refuse_twice(targets, n, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		s.done[i] = targets[i].repo == NULL || targets[i].done;
		if (!s.done[i])
			targets[i].rc = err_set(&targets[i].err, ERR_CANCELLED, "interrupted");
	}
	while ((m = choose(&s, which)) > 0 && !atomic_load(&ctx->cancel)) {
		one_pass(&s, which, m, first);
		look_for_laggards(&s, which, m);
		first = false;
	}
	return result(targets, n, e);
}

int op_backup(struct repo *r, const struct backup_params *p, struct ctx *ctx,
    struct backup_result *out, struct err *e)
{
	struct backup_target t = {.repo = r, .rc = -1};
	int rc = op_backup_many(&t, 1, p, ctx, e);

	*out = t.result;
	return rc;
}
