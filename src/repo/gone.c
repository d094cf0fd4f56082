/* gone: see gone.h.  The value is "<signer>.<client>:<from>-<to>,...;..."; see
 * format.md 8. */
#include "repo/gone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/note.h"
#include "repo/repo_internal.h"

enum { NOTES_MAX = 16 }; /* side by side, before they are made one */

static const struct id nobody;

bool gone_is(const struct note *n)
{
	return id_eq(&n->snapshot, &nobody);
}

void gone_fini(struct gone *g)
{
	free(g->v);
	memset(g, 0, sizeof *g);
}

void gone_add(struct gone *g, const struct author *by, uint64_t from, uint64_t to)
{
	g->v = mem_realloc(g->v, (g->n + 1) * sizeof *g->v);
	g->v[g->n].by = *by;
	g->v[g->n].from = from;
	g->v[g->n++].to = to;
}

/* The first range of that author that begins after `number`, or what comes where it would. */
static size_t first_after(const struct gone *g, const struct author *by, uint64_t number)
{
	size_t lo = 0, hi = g->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = author_cmp(&g->v[mid].by, by);

		if (c < 0 || (c == 0 && g->v[mid].from <= number))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct gone_range *gone_find(const struct gone *g, const struct author *by, uint64_t sequence)
{
	size_t i = first_after(g, by, sequence);

	if (i == 0 || author_cmp(&g->v[i - 1].by, by) != 0 || sequence > g->v[i - 1].to)
		return NULL;
	return &g->v[i - 1];
}

uint64_t gone_next(const struct gone *g, const struct author *by, uint64_t at, uint64_t end)
{
	size_t i = first_after(g, by, at > 0 ? at - 1 : 0); /* none is 0 */

	if (i < g->n && author_cmp(&g->v[i].by, by) == 0 && g->v[i].from < end)
		return g->v[i].from;
	return end;
}

enum { AUTHOR_TEXT = 4 * FORMAT_UID + 1 };

static char *author_text(char out[AUTHOR_TEXT + 1], const struct author *by)
{
	hex_encode(out, by->signer, FORMAT_UID);
	out[2 * FORMAT_UID] = '.';
	hex_encode(out + 2 * FORMAT_UID + 1, by->client, FORMAT_UID);
	return out;
}

static bool parse_author(const char *text, struct author *out)
{
	char signer[2 * FORMAT_UID + 1];

	if (strlen(text) != AUTHOR_TEXT || text[2 * FORMAT_UID] != '.')
		return false;
	memcpy(signer, text, 2 * FORMAT_UID);
	signer[2 * FORMAT_UID] = '\0';
	return hex_decode(out->signer, FORMAT_UID, signer) &&
	       hex_decode(out->client, FORMAT_UID, text + 2 * FORMAT_UID + 1);
}

static void parse_ranges(struct gone *g, const struct author *by, const char *text)
{
	char *at = (char *)(uintptr_t)text;

	while (*at >= '0' && *at <= '9') {
		uint64_t from = strtoull(at, &at, 10), to = from;

		if (*at == '-')
			to = strtoull(at + 1, &at, 10);
		if (from > 0 && to >= from && to < UINT64_MAX)
			gone_add(g, by, from, to);
		at += *at == ',';
	}
}

/* What is malformed says nothing: then a gap is told that was none. */
static void parse(struct gone *g, const char *text)
{
	char *copy = mem_strdup(text), *save = NULL;

	for (char *c = strtok_r(copy, ";", &save); c; c = strtok_r(NULL, ";", &save)) {
		char *colon = strchr(c, ':');
		struct author by;

		if (colon == NULL)
			break;
		*colon = '\0';
		if (!parse_author(c, &by))
			break;
		parse_ranges(g, &by, colon + 1);
	}
	free(copy);
}

static int order(const void *a, const void *b)
{
	const struct gone_range *x = a, *y = b;
	int c = author_cmp(&x->by, &y->by);

	return c ? c : (x->from > y->from) - (x->from < y->from);
}

void gone_join(struct gone *g)
{
	size_t n = 0;

	if (g->n > 1)
		qsort(g->v, g->n, sizeof *g->v, order);
	for (size_t i = 0; i < g->n; i++) {
		struct gone_range *last = n ? &g->v[n - 1] : NULL;

		if (last && author_cmp(&last->by, &g->v[i].by) == 0 &&
		    g->v[i].from - 1 <= last->to) {
			if (g->v[i].to > last->to)
				last->to = g->v[i].to;
			continue;
		}
		g->v[n++] = g->v[i];
	}
	g->n = n;
}

void gone_of_notes(struct gone *g, const struct note_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].damaged && !l->v[i].denied && l->v[i].op == NOTE_GONE)
			parse(g, l->v[i].value);
	gone_join(g);
}

bool gone_is_many(const struct note_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += gone_is(&l->v[i]) && !l->v[i].damaged && l->v[i].op == NOTE_GONE;
	return n >= NOTES_MAX;
}

int gone_put(struct repo *r, struct gone *g, struct id *note, struct err *e)
{
	struct buf b = {0};
	char who[AUTHOR_TEXT + 1];
	int rc;

	if (!note_may(r, NOTE_GONE))
		return err_set(e, ERR_WRONG_KEY, "this key's role does not allow 'gone'");
	gone_join(g);
	for (size_t i = 0; i < g->n; i++) {
		const struct gone_range *x = &g->v[i];

		if (i == 0 || author_cmp(&x->by, &g->v[i - 1].by) != 0)
			buf_printf(&b, "%s%s:", i ? ";" : "", author_text(who, &x->by));
		else
			buf_printf(&b, ",");
		buf_printf(&b, "%llu-%llu", (unsigned long long)x->from, (unsigned long long)x->to);
	}
	rc = note_put_id(r, &nobody, NOTE_GONE, buf_cstr(&b), note, e);
	buf_fini(&b);
	return rc == -1 ? err_wrap(e, "say which snapshots are gone") : 0;
}

int gone_withdraw(struct repo *r, const struct id *note, struct err *e)
{
	struct note n = {.id = *note};
	struct note_list l = {&n, 1};

	return note_del_all(r, &l, &nobody, e);
}

int gone_sweep(struct repo *r, const struct note_list *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct note *n = &l->v[i];

		/* Other notes on no snapshot are none of ours (pruned.h), nor is one that
		 * a newer config or parity makes readable. */
		if (gone_is(n) && (n->junk || (!n->damaged && n->op == NOTE_GONE)) &&
		    gone_withdraw(r, &n->id, e) == -1)
			return -1;
	}
	return 0;
}
