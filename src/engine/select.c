/* select: see select.h. */
#include "engine/select.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"
#include "engine/history.h"
#include "engine/void.h"
#include "repo/domain.h"
#include "repo/repo_object.h"

static const int64_t FUTURE_NS = 300 * CALENDAR_SECOND;

bool select_from_future(const struct snapshot *s)
{
	return s->stored_ns != 0 && s->start_ns > s->stored_ns &&
	       s->start_ns - s->stored_ns > FUTURE_NS;
}

bool select_counts(const struct snapshot *s)
{
	return !select_from_future(s) && !s->late;
}

bool select_tell_late(struct repo *r, struct ctx *ctx, enum event_id as, const struct snapshot *s)
{
	char hex[ID_HEX];

	if (s->late)
		event_emit(ctx, as, span_of(NULL, 0),
		    "snapshot %.8s of %s came after its signer %s was removed: it counts for no "
		    "rule, nor as latest; if nobody wants it: holdfast forget --now %.8s",
		    id_hex(hex, &s->id), s->host, repo_signer_text(r, domain_tag(s->signer)), hex);
	return s->late;
}

/* ---- Filters. */

static bool has_text(char *const *v, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i], text) == 0)
			return true;
	return false;
}

static bool has_path(const struct snapshot *s, const char *path)
{
	for (size_t i = 0; i < s->nparts; i++)
		if (has_text(s->parts[i].paths, s->parts[i].npaths, path))
			return true;
	return false;
}

static bool is_system(const struct snapshot *s, const char *system)
{
	return s->system != NULL && strcmp(s->system, system) == 0;
}

static bool passes(const struct snapshot *s, const struct select_filter *f)
{
	if (f == NULL)
		return !s->forgotten;
	if ((s->forgotten && !f->forgotten) || (f->host && strcmp(s->host, f->host) != 0) ||
	    (f->system && !is_system(s, f->system)))
		return false;
	for (size_t i = 0; i < f->npaths; i++)
		if (!has_path(s, f->paths[i]))
			return false;
	for (size_t i = 0; i < f->ntags; i++)
		if (!has_text(s->tags, s->ntags, f->tags[i]))
			return false;
	return true;
}

bool select_warn_future(struct ctx *ctx, const struct snapshot *s)
{
	char hex[ID_HEX], start[CALENDAR_TEXT], stored[CALENDAR_TEXT];
	bool future = select_from_future(s);

	if (future)
		event_emit(ctx, EVENT_WARNING, span_of(NULL, 0),
		    "snapshot %.8s of %s is dated %s but was stored %s: it counts for no rule, "
		    "nor as latest",
		    id_hex(hex, &s->id), s->host, calendar_format_local(start, s->start_ns),
		    calendar_format_local(stored, s->stored_ns));
	return future;
}

void select_list_fini(struct select_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		snapshot_free(l->v[i]);
	free(l->v);
	memset(l, 0, sizeof *l);
}

int select_all(struct repo *r, const struct select_filter *f, struct ctx *ctx,
    struct select_list *out, struct err *e)
{
	struct snapshot_list all;
	uint64_t voids;
	size_t n = 0;

	memset(out, 0, sizeof *out);
	if (snapshot_load_all(r, &all, e) == -1)
		return -1;
	history_look(r, &all, ctx);
	if (void_judge(r, &all, ctx, &voids, e) == -1) {
		snapshot_list_fini(&all);
		return -1;
	}
	for (size_t i = 0; i < all.n; i++) {
		if (!all.v[i]->is_void && passes(all.v[i], f)) {
			select_warn_future(ctx, all.v[i]);
			select_tell_late(r, ctx, EVENT_WARNING, all.v[i]);
			all.v[n++] = all.v[i];
		} else {
			snapshot_free(all.v[i]);
		}
	}
	*out = (struct select_list){all.v, n, all.damaged + all.junk + all.nriddles};
	free(all.riddles);
	gone_fini(&all.gone);
	pruned_list_fini(&all.pruned);
	return 0;
}

/* ---- What is meant: a text, taken apart. */

enum spec_kind { SPEC_ID, SPEC_LATEST, SPEC_TIME };

struct spec {
	enum spec_kind kind;
	char *head;         /* what stands before the path; owned */
	char *path;         /* owned */
	const char *system; /* of latest, in head, or NULL */
	int64_t not_after;
};

static void spec_fini(struct spec *p)
{
	free(p->head);
	free(p->path);
}

/* One '/' before each component and none behind; "/" if there are none. */
static char *clean_path(const char *path, struct err *e)
{
	struct buf b = {0};
	char *out = NULL;

	while (*path) {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if ((n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.')) {
			err_set(e, ERR_USAGE, "'.' and '..' mean nothing in a snapshot's path");
			goto out;
		}
		if (n > 0) {
			buf_put_u8(&b, '/');
			buf_put(&b, path, n);
		}
		path += n;
	}
	out = mem_strdup(b.n ? buf_cstr(&b) : "/");
out:
	buf_fini(&b);
	return out;
}

static int no_spec(const char *text, struct err *e)
{
	err_set(e, ERR_USAGE, "'%s' names no snapshot", text);
	return err_hint(e,
	    "an id (4 digits or more), latest, latest:SYSTEM or a time with a date in "
	    "it; then perhaps :/PATH");
}

static int parse_head(struct spec *p, struct err *e)
{
	size_t n = strlen(p->head), digits = strspn(p->head, "0123456789abcdefABCDEF");
	struct calendar_time t;

	if (strcmp(p->head, "latest") == 0 || strncmp(p->head, "latest:", 7) == 0) {
		p->kind = SPEC_LATEST;
		p->system = n > 6 ? p->head + 7 : NULL;
		return p->system && !*p->system ? no_spec(p->head, e) : 0;
	}
	if (n == 0 || n > 64)
		return no_spec(p->head, e);
	if (digits == n) {
		p->kind = SPEC_ID;
		for (size_t i = 0; i < n; i++)
			p->head[i] = (char)tolower((unsigned char)p->head[i]);
		return n >= 4 ? 0 : no_spec(p->head, e);
	}
	if (calendar_parse_time(p->head, &t, e) == -1) {
		no_spec(p->head, e);
		if (digits >= 4 && p->head[digits] == ':')
			err_hint(e, "a path begins with '/': %.*s:/%s", (int)digits, p->head,
			    p->head + digits + 1);
		return -1;
	}
	p->kind = SPEC_TIME;
	/* "09:41" is the whole minute, as it is when a snapshot's time is shown as that. */
	if (__builtin_add_overflow(t.ns, t.span_ns > 0 ? t.span_ns - 1 : 0, &p->not_after))
		p->not_after = INT64_MAX;
	return 0;
}

/* Neither ids, systems nor times hold ":/", so the first one begins the path. */
static int parse_spec(const char *text, struct spec *p, struct err *e)
{
	const char *colon = strstr(text, ":/");

	memset(p, 0, sizeof *p);
	p->head = colon ? mem_strndup(text, (size_t)(colon - text)) : mem_strdup(text);
	p->path = clean_path(colon ? colon + 1 : "/", e);
	if (p->path != NULL && parse_head(p, e) == 0)
		return 0;
	spec_fini(p);
	return -1;
}

/* ---- The one that fits. */

static bool fits(const struct snapshot *s, const struct spec *p, const struct select_filter *f)
{
	char hex[ID_HEX];

	if (p->kind == SPEC_ID)
		return strncmp(id_hex(hex, &s->id), p->head, strlen(p->head)) == 0;
	if (!passes(s, f) || (p->system && !is_system(s, p->system)))
		return false;
	return p->kind == SPEC_LATEST || s->start_ns <= p->not_after;
}

static bool same_group(const struct snapshot *a, const struct snapshot *b)
{
	return memcmp(a->signer, b->signer, sizeof a->signer) == 0 &&
	       memcmp(a->group, b->group, sizeof a->group) == 0;
}

static void describe(struct buf *b, const struct snapshot *s, bool key)
{
	char hex[ID_HEX];

	buf_printf(b, "%.8s %s", id_hex(hex, &s->id), s->host);
	if (key) {
		hex_encode(hex, s->signer, FORMAT_UID);
		buf_printf(b, " (key holder %.8s)", hex);
	}
	if (s->system != NULL)
		buf_printf(b, " %s", s->system);
	for (size_t i = 0; s->system == NULL && i < s->nparts; i++)
		for (size_t j = 0; j < s->parts[i].npaths; j++)
			buf_printf(b, " %s", s->parts[i].paths[j]);
}

static bool same_signer(struct snapshot *const *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (memcmp(v[0]->signer, v[i]->signer, sizeof v[0]->signer) != 0)
			return false;
	return true;
}

/* Name each item of a list, as many as a hint takes. */
static int hint_list(struct snapshot *const *v, size_t n, const char *lead, struct err *e)
{
	struct buf b = {0}, one = {0};
	bool key = !same_signer(v, n);
	size_t i;

	buf_printf(&b, "%s", lead);
	for (i = 0; i < n; i++) {
		buf_reset(&one);
		buf_printf(&one, "%s", i ? "; " : "");
		describe(&one, v[i], key);
		if (b.n + one.n + 24 > ERR_HINT_MAX)
			break;
		buf_put_span(&b, buf_span(&one));
	}
	if (i < n)
		buf_printf(&b, "%sand %zu more", i ? "; " : "", n - i);
	err_hint(e, "%s", buf_cstr(&b));
	buf_fini(&b);
	buf_fini(&one);
	return -1;
}

/* The newest of each group, newest first, moved to the front; how many. */
static size_t newest_of_groups(struct snapshot **v, size_t n)
{
	struct snapshot **heads = mem_alloc(n * sizeof *heads);
	size_t k = 0;

	for (size_t i = n; i-- > 0;) {
		size_t j = 0;

		while (j < k && !same_group(heads[j], v[i]))
			j++;
		if (j == k)
			heads[k++] = v[i];
	}
	memcpy(v, heads, k * sizeof *v);
	free(heads);
	return k;
}

static int choose(const struct spec *p, struct snapshot **v, size_t n, size_t damaged,
    bool one_group, const char *text, struct snapshot **out, struct err *e)
{
	size_t groups;

	if (n == 0 && damaged > 0) {
		err_set(e, ERR_CORRUPT, "no snapshot that can be read fits '%s'; %zu cannot", text,
		    damaged);
		return err_hint(e, "holdfast check names what is damaged");
	}
	if (n == 0) {
		const char *colon = strchr(text, ':');

		err_set(e, ERR_ABSENT, "no snapshot fits '%s'", text);
		if (p->kind == SPEC_LATEST && p->system && strchr(p->system, '/'))
			return err_hint(e, "a path begins with '/': %.*s:/%s", (int)(colon - text),
			    text, colon + 1);
		return err_hint(e, "holdfast snapshots lists them");
	}
	*out = v[n - 1];
	if (p->kind == SPEC_ID) {
		if (n == 1)
			return 0;
		err_set(e, ERR_USAGE, "'%s' fits %zu snapshots", p->head, n);
		return hint_list(v, n, "give more digits: ", e);
	}
	if (!one_group || (groups = newest_of_groups(v, n)) == 1)
		return 0;
	err_set(e, ERR_USAGE, "'%s' could be of %zu groups", text, groups);
	return hint_list(v, groups, "name one by id, or use --host, --system or --path: ", e);
}

int select_one(struct repo *r, const char *text, const struct select_filter *f, bool one_group,
    struct ctx *ctx, struct snapshot **out, char **path, struct err *e)
{
	struct snapshot_list all = {0};
	struct snapshot **v = NULL, *chosen = NULL;
	struct spec p;
	uint64_t voids;
	size_t n = 0;
	int rc = -1;

	if (parse_spec(text, &p, e) == -1)
		return -1;
	if (snapshot_load_all(r, &all, e) == -1)
		goto out;
	history_look(r, &all, ctx);
	if (void_judge(r, &all, ctx, &voids, e) == -1)
		goto out;
	v = mem_alloc(all.n * sizeof *v);
	for (size_t i = 0; i < all.n; i++) {
		if (!fits(all.v[i], &p, f) || (all.v[i]->is_void && p.kind != SPEC_ID))
			continue;
		select_warn_future(ctx, all.v[i]);
		select_tell_late(r, ctx, EVENT_WARNING, all.v[i]);
		if (p.kind == SPEC_ID || select_counts(all.v[i]))
			v[n++] = all.v[i];
	}
	if (choose(&p, v, n, all.damaged + all.junk + all.nriddles, one_group, text, &chosen, e) ==
	    -1)
		goto out;
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i] == chosen)
			all.v[i] = NULL;
	*out = chosen;
	*path = p.path;
	p.path = NULL;
	rc = 0;
out:
	free(v);
	snapshot_list_fini(&all);
	spec_fini(&p);
	return rc;
}
