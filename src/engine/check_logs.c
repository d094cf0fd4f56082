/* check_logs: see check_logs.h. */
#include "engine/check_logs.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/op_log.h"
#include "repo/repo_parity.h"

struct reading {
	struct repo *r;
	struct damage *d;
	bool read_data, content;
	double subset;
	struct ctx *ctx;
	uint64_t *n;
	struct buf stored, plain;
};

static int look_at(
    void *arg, const uint8_t stream[LOG_STREAM], const struct log_at *at, struct err *e)
{
	struct reading *x = arg;
	char name[LOG_NAME_MAX];

	++*x->n;
	/* Ids are random: their first byte chooses. */
	if (!x->read_data || (x->subset > 0 && at->object.b[0] * 100.0 / 256 >= x->subset))
		return ctx_check(x->ctx, e);
	log_name(name, stream, at);
	if (repo_get_named(x->r, name, &at->object, &x->stored, e) == 0 &&
	    log_check_bytes(
		x->r, stream, at, buf_span(&x->stored), x->content ? &x->plain : NULL, e) == 0)
		return ctx_check(x->ctx, e);
	if (e->kind == ERR_ABSENT) { /* pruned meanwhile */
		err_clear(e);
		return 0;
	}
	if (!repo_is_bad(e) && e->kind != ERR_IO)
		return -1;
	damage_object(x->d, name, e->msg);
	err_clear(e);
	return 0;
}

static int look_at_bases(struct repo *r, struct damage *d, const struct snapshot_list *all,
    const uint8_t stream[LOG_STREAM], struct err *e)
{
	char name[REPO_NAME_MAX], log[LOG_NAME_MAX], why[128];
	struct log_view v;

	if (log_view_make(r, stream, all, &v, e) == -1)
		return -1;
	for (size_t i = 0; i < v.nbases; i++) {
		const struct log_view_base *b = &v.bases[i];

		if (b->whole)
			continue;
		snprintf(why, sizeof why, "the log that it needs is missing from %X/%X on",
		    (unsigned)(b->missing >> 32), (unsigned)b->missing);
		damage_object(d, repo_object_name(name, FORMAT_SNAPSHOT, &b->snapshot), why);
	}
	for (size_t i = 0; i < v.n; i++)
		if (v.beside[i])
			repo_warn(r, log_name(log, stream, &v.at[i]),
			    "other log than the first of this place, never read: another server "
			    "wrote it, or this one was put back");
	log_view_fini(&v);
	return 0;
}

static bool looked_at(const struct snapshot_list *all, size_t i, size_t k)
{
	const struct snapshot_part *p = &all->v[i]->parts[k];

	for (size_t a = 0; a <= i; a++)
		for (size_t b = 0; b < (a == i ? k : all->v[a]->nparts); b++)
			if (all->v[a]->parts[b].has_log &&
			    memcmp(all->v[a]->parts[b].stream, p->stream, LOG_STREAM) == 0)
				return true;
	return false;
}

int check_logs(struct repo *r, struct damage *d, const struct snapshot_list *all, bool read_data,
    double subset, struct ctx *ctx, uint64_t *n, struct err *e)
{
	struct reading x = {
	    .r = r, .d = d, .read_data = read_data, .subset = subset, .ctx = ctx, .n = n};
	struct err no;
	int rc;

	x.content = repo_need(r, true, &no) == 0;
	rc = log_each(r, look_at, &x, e);
	for (size_t i = 0; rc == 0 && i < all->n; i++)
		for (size_t k = 0; rc == 0 && k < all->v[i]->nparts; k++)
			if (all->v[i]->parts[k].has_log && !looked_at(all, i, k))
				rc = look_at_bases(r, d, all, all->v[i]->parts[k].stream, e);
	buf_fini(&x.stored);
	buf_fini(&x.plain);
	return rc;
}
