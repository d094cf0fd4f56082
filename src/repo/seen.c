/* seen: see seen.h.  Lines: "sum HEX" of what follows; "config N" (its revision), "epoch N",
 * "author SIGNER CLIENT N", "key HEX here|gone". */
#include "repo/seen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "os/os.h"
#include "repo/repo_internal.h"

enum { SEEN_MAX = 16 << 20, SUM_LINE = 4 + 64 + 1 };

void seen_fini(struct seen *s)
{
	free(s->clients);
	free(s->keys);
	memset(s, 0, sizeof *s);
}

void seen_add_client(struct seen *s, const struct author *by, uint64_t sequence)
{
	size_t i = 0;

	while (i < s->nclients && author_cmp(&s->clients[i].by, by) != 0)
		i++;
	if (i == s->nclients) {
		s->clients = mem_realloc(s->clients, ++s->nclients * sizeof *s->clients);
		s->clients[i] = (struct seen_client){*by, 0};
	}
	if (sequence <= s->clients[i].sequence)
		return;
	s->clients[i].sequence = sequence;
	s->changed = true;
}

static void add(struct seen *s, uint64_t *have, uint64_t now)
{
	if (now <= *have)
		return;
	*have = now;
	s->changed = true;
}

void seen_add_config(struct seen *s, const struct repo *r)
{
	add(s, &s->revision, r->config.revision);
	add(s, &s->epoch, r->config.epoch);
}

static bool parse_uid(const char *hex, uint8_t out[FORMAT_UID])
{
	return strlen(hex) == 2 * FORMAT_UID && hex_decode(out, FORMAT_UID, hex);
}

static void parse_line(struct seen *s, char *line)
{
	char *save = NULL, *word = strtok_r(line, " ", &save), *a = strtok_r(NULL, " ", &save);
	char *b = strtok_r(NULL, " ", &save), *c = strtok_r(NULL, " ", &save);
	struct author by;
	struct id id;

	if (word == NULL || a == NULL)
		return;
	if (strcmp(word, "config") == 0)
		add(s, &s->revision, strtoull(a, NULL, 10));
	else if (strcmp(word, "epoch") == 0)
		add(s, &s->epoch, strtoull(a, NULL, 10));
	else if (b == NULL)
		return;
	else if (strcmp(word, "author") == 0 && c != NULL && parse_uid(a, by.signer) &&
		 parse_uid(b, by.client))
		seen_add_client(s, &by, strtoull(c, NULL, 10));
	else if (strcmp(word, "key") == 0 && strlen(a) == ID_HEX - 1 && id_parse(&id, a)) {
		s->keys = mem_realloc(s->keys, (s->nkeys + 1) * sizeof *s->keys);
		s->keys[s->nkeys++] = (struct seen_key){id, strcmp(b, "gone") == 0};
	}
}

static char *place(struct repo *r)
{
	return mem_printf("%s/%s.seen", r->state_dir, r->id_text);
}

static void sum_line(struct span body, char out[SUM_LINE + 1])
{
	uint8_t h[32];
	char hex[65];

	crypto_sha256(body, h);
	snprintf(out, SUM_LINE + 1, "sum %s\n", hex_encode(hex, h, sizeof h));
}

static bool sum_fits(const struct buf *text)
{
	char sum[SUM_LINE + 1];

	if (text->n < SUM_LINE)
		return false;
	sum_line(span_of(text->p + SUM_LINE, text->n - SUM_LINE), sum);
	return memcmp(text->p, sum, SUM_LINE) == 0;
}

void seen_read(struct repo *r, struct seen *out)
{
	struct buf text = {0};
	char *path, *save = NULL;
	struct err ignored;

	memset(out, 0, sizeof *out);
	if (r->state_dir == NULL)
		return;
	path = place(r);
	if (os_read_file(path, SEEN_MAX, &text, &ignored) == 0 && sum_fits(&text))
		for (char *l = strtok_r((char *)buf_cstr(&text), "\n", &save); l;
		     l = strtok_r(NULL, "\n", &save))
			parse_line(out, l);
	out->changed = false;
	buf_fini(&text);
	free(path);
}

static void put_author(struct buf *b, const struct seen_client *c)
{
	char signer[2 * FORMAT_UID + 1], client[2 * FORMAT_UID + 1];

	buf_printf(b, "author %s %s %llu\n", hex_encode(signer, c->by.signer, FORMAT_UID),
	    hex_encode(client, c->by.client, FORMAT_UID), (unsigned long long)c->sequence);
}

int seen_write(struct repo *r, const struct seen *s, struct err *e)
{
	char hex[ID_HEX], sum[SUM_LINE + 1] = "", *path;
	struct buf b = {0};
	int rc;

	if (r->state_dir == NULL)
		return 0;
	buf_put(&b, sum, SUM_LINE);
	buf_printf(&b, "config %llu\nepoch %llu\n", (unsigned long long)s->revision,
	    (unsigned long long)s->epoch);
	for (size_t i = 0; i < s->nclients; i++)
		put_author(&b, &s->clients[i]);
	for (size_t i = 0; i < s->nkeys; i++)
		buf_printf(&b, "key %s %s\n", id_hex(hex, &s->keys[i].id),
		    s->keys[i].gone ? "gone" : "here");
	sum_line(span_of(b.p + SUM_LINE, b.n - SUM_LINE), sum);
	memcpy(b.p, sum, SUM_LINE);
	path = place(r);
	rc = os_mkdirs(r->state_dir, 0700, e);
	if (rc == 0)
		rc = os_file_replace(path, buf_span(&b), 0600, e);
	free(path);
	buf_fini(&b);
	return rc == -1 ? err_wrap(e, "remember what was seen of the repository") : 0;
}

/* What was seen was stored before: another process may have changed config since it was read. */
static bool is_older(struct repo *r, const struct seen *s, uint64_t revision, uint64_t epoch)
{
	struct err ignored;

	if (revision >= s->revision && epoch >= s->epoch)
		return false;
	return repo_peek_config(r, &revision, &epoch, &ignored) == -1 || revision < s->revision ||
	       epoch < s->epoch;
}

bool seen_newer_config(struct repo *r, const struct seen *s)
{
	return is_older(r, s, r->config.revision, r->config.epoch);
}

int seen_config(struct repo *r, uint64_t revision, uint64_t epoch, struct err *e)
{
	struct seen s;
	struct err why;
	int rc = 0;

	seen_read(r, &s);
	if (is_older(r, &s, revision, epoch)) {
		err_set(e, ERR_FAILED,
		    "config has revision %llu, and this machine has seen %llu: it was set back to "
		    "an older state",
		    (unsigned long long)revision, (unsigned long long)s.revision);
		rc = err_hint(e,
		    "if you know why, run 'holdfast repair snapshots --accept-history' here "
		    "with a full key, which takes the present state for right; if not, keys that "
		    "were removed may be valid again: look at the store's logs");
	}
	add(&s, &s.revision, revision);
	add(&s, &s.epoch, epoch);
	if (rc == 0 && s.changed && seen_write(r, &s, &why) == -1)
		event_emit(r->ctx, EVENT_WARNING, span_of(NULL, 0), "%s", why.msg);
	seen_fini(&s);
	return rc;
}

int seen_own_config(struct repo *r, struct err *e)
{
	return seen_config(r, r->config.revision, r->config.epoch, e);
}
