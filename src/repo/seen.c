/* seen: see seen.h.  Lines: "sum HEX" of what follows; for each place "at HEX URL" (or
 * "new HEX URL": only its config was looked at yet), then "config N" (its revision), "epoch N",
 * "text HEX" (that config's hash), "author SIGNER CLIENT N", "key HEX here|gone". */
#include "repo/seen.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "os/os.h"
#include "repo/repo_internal.h"

enum { SEEN_MAX = 256 << 20, SUM_LINE = 4 + 64 + 1 };

void seen_settle(struct seen *s)
{
	s->changed = s->changed || s->elsewhere != NULL;
	free(s->elsewhere);
	s->elsewhere = NULL;
}

void seen_fini(struct seen *s)
{
	free(s->clients);
	free(s->keys);
	free(s->elsewhere);
	free(s->rest);
	memset(s, 0, sizeof *s);
}

/* They are kept in order: machines without a cache make a new client every run. */
static size_t place_of_client(const struct seen *s, const struct author *by)
{
	size_t lo = 0, hi = s->nclients;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (author_cmp(&s->clients[mid].by, by) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void seen_add_client(struct seen *s, const struct author *by, uint64_t sequence)
{
	size_t i = place_of_client(s, by);

	if (i == s->nclients || author_cmp(&s->clients[i].by, by) != 0) {
		s->clients = mem_realloc(s->clients, (s->nclients + 1) * sizeof *s->clients);
		memmove(
		    &s->clients[i + 1], &s->clients[i], (s->nclients++ - i) * sizeof *s->clients);
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

static void add_config(struct seen *s, const struct config *c)
{
	/* What was seen of it elsewhere is no measure of this copy. */
	if (c->revision > s->revision ||
	    (c->revision == s->revision && (!s->has_config || s->elsewhere != NULL))) {
		memcpy(s->config.b, c->self, sizeof c->self);
		s->has_config = s->changed = true;
	}
	add(s, &s->revision, c->revision);
	add(s, &s->epoch, c->epoch);
}

void seen_add_config(struct seen *s, const struct repo *r)
{
	add_config(s, &r->config);
}

static void add_key(struct seen *s, const struct id *id, bool gone)
{
	size_t i = 0;

	while (i < s->nkeys && !id_eq(&s->keys[i].id, id))
		i++;
	if (i == s->nkeys) {
		s->keys = mem_realloc(s->keys, ++s->nkeys * sizeof *s->keys);
		s->keys[i] = (struct seen_key){*id, false};
	}
	s->keys[i].gone = s->keys[i].gone || gone;
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
	else if (strcmp(word, "text") == 0)
		s->has_config = strlen(a) == ID_HEX - 1 && id_parse(&s->config, a);
	else if (b == NULL)
		return;
	else if (strcmp(word, "author") == 0 && c != NULL && parse_uid(a, by.signer) &&
		 parse_uid(b, by.client))
		seen_add_client(s, &by, strtoull(c, NULL, 10));
	else if (strcmp(word, "key") == 0 && strlen(a) == ID_HEX - 1 && id_parse(&id, a))
		add_key(s, &id, strcmp(b, "gone") == 0);
}

static char *file_name(struct repo *r)
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

/* A line that begins a place: its HEX, and behind that its URL; NULL. */
static const char *place_of(const char *line)
{
	const char *hex = strncmp(line, "at ", 3) == 0    ? line + 3
			  : strncmp(line, "new ", 4) == 0 ? line + 4
							  : NULL;

	return hex != NULL && strchr(hex, ' ') != NULL ? hex : NULL;
}

static void read_text(struct repo *r, char *text, struct seen *out)
{
	char *mine = mem_printf("\nat %s ", r->place_text), *save = NULL;
	bool known = strstr(text, mine) != NULL, here = false, begun = known;
	size_t n = strlen(r->place_text);
	struct buf rest = {0};

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		const char *hex = place_of(l);

		if (hex != NULL)
			here = strncmp(hex, r->place_text, n) == 0 && hex[n] == ' ';
		if (hex != NULL && !here && !known) {
			free(out->elsewhere);
			out->elsewhere = mem_strdup(strchr(hex, ' ') + 1);
		}
		begun = begun || here;
		if (!here)
			buf_printf(&rest, "%s\n", l);
		if (here || !known)
			parse_line(out, l);
	}
	out->changed = !begun;
	out->rest = mem_strdup(buf_cstr(&rest));
	buf_fini(&rest);
	free(mine);
}

void seen_read(struct repo *r, struct seen *out)
{
	struct buf text = {0};
	struct err ignored;
	char *path;

	memset(out, 0, sizeof *out);
	if (r->state_dir == NULL)
		return;
	path = file_name(r);
	if (os_read_file(path, SEEN_MAX, &text, &ignored) == 0 && sum_fits(&text)) {
		char *copy = mem_strdup(buf_cstr(&text));

		/* From the end of the first line, the sum's. */
		read_text(r, copy + SUM_LINE - 1, out);
		free(copy);
	}
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
	buf_printf(&b, "%s%s %s %s\nconfig %llu\nepoch %llu\n", s->rest ? s->rest : "",
	    s->elsewhere ? "new" : "at", r->place_text, r->store->url,
	    (unsigned long long)s->revision, (unsigned long long)s->epoch);
	if (s->has_config && s->elsewhere == NULL)
		buf_printf(&b, "text %s\n", id_hex(hex, &s->config));
	for (size_t i = 0; i < s->nclients && s->elsewhere == NULL; i++)
		put_author(&b, &s->clients[i]);
	for (size_t i = 0; i < s->nkeys && s->elsewhere == NULL; i++)
		buf_printf(&b, "key %s %s\n", id_hex(hex, &s->keys[i].id),
		    s->keys[i].gone ? "gone" : "here");
	sum_line(span_of(b.p + SUM_LINE, b.n - SUM_LINE), sum);
	memcpy(b.p, sum, SUM_LINE);
	path = file_name(r);
	rc = b.n > SEEN_MAX ? err_set(e, ERR_FAILED, "too much was seen to be read again")
			    : os_mkdirs(r->state_dir, 0700, e);
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

static bool is_other(const struct seen *s, const struct config *c)
{
	return s->has_config && s->elsewhere == NULL && c->revision == s->revision &&
	       memcmp(s->config.b, c->self, sizeof c->self) != 0;
}

bool seen_other_config(const struct repo *r, const struct seen *s)
{
	return is_other(s, &r->config);
}

int seen_forget(struct repo *r, struct err *e)
{
	struct seen now, none = {0};
	int rc;

	seen_read(r, &now);
	none.rest = now.rest;
	rc = seen_write(r, &none, e);
	seen_fini(&now);
	return rc;
}

int seen_hint(const struct seen *s, struct err *e)
{
	if (s->elsewhere != NULL)
		return err_hint(e,
		    "new here: this machine knows a newer state of it at %.100s. If this is an "
		    "older copy of that: 'holdfast repair snapshots --accept-history' here, with a "
		    "full key, lets it go its own way; if it was moved here, it was set back",
		    s->elsewhere);
	return err_hint(e,
	    "if you know why, run 'holdfast repair snapshots --accept-history' here "
	    "with a full key, which takes the present state for right; if not, keys that "
	    "were removed may be valid again: look at the store's logs");
}

int seen_config(struct repo *r, const struct config *c, struct err *e)
{
	struct seen s;
	struct err why;
	int rc = 0;

	seen_read(r, &s);
	if (is_other(&s, c)) {
		err_set(e, ERR_FAILED,
		    "config of revision %llu is another than the one that this machine has seen: "
		    "two "
		    "holders changed it at the same time, and one change is lost",
		    (unsigned long long)c->revision);
		rc = err_hint(e, "a machine that made the other keeps it in its state folder, "
				 "*.config: if its epoch "
				 "is higher, 'holdfast key import' takes it back; else do the lost "
				 "change again, after "
				 "'holdfast repair snapshots --accept-history' here");
	} else if (is_older(r, &s, c->revision, c->epoch)) {
		err_set(e, ERR_FAILED,
		    "config has revision %llu, and this machine has seen %llu%s: it %s",
		    (unsigned long long)c->revision, (unsigned long long)s.revision,
		    s.elsewhere ? " elsewhere" : "",
		    s.elsewhere ? "is an older copy, or was set back"
				: "was set back to an older state");
		rc = seen_hint(&s, e);
	}
	add_config(&s, c);
	if (rc == 0 && s.changed && seen_write(r, &s, &why) == -1)
		event_emit(r->ctx, EVENT_WARNING, span_of(NULL, 0), "%s", why.msg);
	seen_fini(&s);
	return rc;
}

void seen_keep_config(struct repo *r)
{
	char *path = repo_state_path(r, r->place_text, ".config");
	struct buf had = {0}, text = {0};
	struct err ignored;

	if (path == NULL)
		return;
	config_text(&r->config, &text);
	if (os_read_file(path, CONFIG_MAX, &had, &ignored) == -1 || had.n != text.n ||
	    memcmp(had.p, text.p, text.n) != 0)
		(void)!os_file_replace(path, buf_span(&text), 0600, &ignored);
	buf_fini(&had);
	buf_fini(&text);
	free(path);
}

char *seen_find_copy(struct repo *r)
{
	char *folder = os_state_dir(), *suffix, *path = NULL;
	DIR *d = folder ? opendir(folder) : NULL;
	struct dirent *entry;

	repo_name_place(r);
	suffix = mem_printf(".%s.config", r->place_text);
	while (d != NULL && path == NULL && (entry = readdir(d)) != NULL) {
		size_t n = strlen(entry->d_name), end = strlen(suffix);

		if (n > end && strcmp(entry->d_name + n - end, suffix) == 0)
			path = mem_printf("%s/%s", folder, entry->d_name);
	}
	if (d != NULL)
		closedir(d);
	free(folder);
	free(suffix);
	return path;
}

int seen_own_config(struct repo *r, struct err *e)
{
	if (seen_config(r, &r->config, e) == -1)
		return -1;
	seen_keep_config(r);
	return 0;
}
