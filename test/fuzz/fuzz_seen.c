/*
 * fuzz: what a machine remembers of a repository: `seen` in the state folder, and the
 * client's line, as they are and with sums made right.  Junk is no memory; what was
 * understood is kept when it is written again.
 */
#include "fuzz_folder.h"
#include "fuzz_repo.h"

#include "base/hex.h"
#include "os/os.h"
#include "repo/client.h"
#include "repo/seen.h"

static char folder[64], seen_path[128], client_path[128];

static void clean(void)
{
	unlink(seen_path);
	unlink(client_path);
	rmdir(folder);
}

static void begin(struct repo *r)
{
	fuzz_folder(folder);
	snprintf(seen_path, sizeof seen_path, "%s/%s.seen", folder, r->id_text);
	snprintf(client_path, sizeof client_path, "%s/client.%.8s.%s", folder, r->holder_text,
	    r->place_text);
	r->cache_dir = r->state_dir = folder;
	atexit(clean);
}

static void put(const char *path, struct span s)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1 || os_write_all(fd, s.p, s.n) == -1)
		abort();
	close(fd);
}

/* In which an @ stands for the name of our repository's place. */
static void put_seen(struct repo *r, struct span s)
{
	struct buf body = {0}, text = {0};
	uint8_t h[32];
	char hex[65];

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '@')
			buf_printf(&body, "%s", r->place_text);
		else
			buf_put_u8(&body, s.p[i]);
	crypto_sha256(buf_span(&body), h);
	buf_printf(&text, "sum %s\n", hex_encode(hex, h, sizeof h));
	buf_put_span(&text, buf_span(&body));
	put(seen_path, buf_span(&text));
	buf_fini(&text);
	buf_fini(&body);
}

/* "ID SEQUENCE LAST", with the sum that client.c puts behind them. */
static void put_client(struct span s)
{
	char *text = mem_dup(s.p, s.n), *save = NULL, *id = strtok_r(text, " \n", &save);
	char *sequence = strtok_r(NULL, " \n", &save), *last = strtok_r(NULL, " \n", &save);
	struct buf b = {0};
	uint8_t h[32];
	char hex[17];

	if (last != NULL) {
		buf_printf(&b, "%s %llu %s", id, strtoull(sequence, NULL, 10), last);
		crypto_sha256(buf_span(&b), h);
		buf_printf(&b, " %s\n", hex_encode(hex, h, 8));
		put(client_path, buf_span(&b));
	}
	buf_fini(&b);
	free(text);
}

static bool same(const struct seen *a, const struct seen *b)
{
	if (a->revision != b->revision || a->epoch != b->epoch || a->nclients != b->nclients ||
	    a->nkeys != b->nkeys)
		return false;
	for (size_t i = 0; i < a->nclients; i++)
		if (author_cmp(&a->clients[i].by, &b->clients[i].by) != 0 ||
		    a->clients[i].sequence != b->clients[i].sequence)
			return false;
	for (size_t i = 0; i < a->nkeys; i++)
		if (!id_eq(&a->keys[i].id, &b->keys[i].id) || a->keys[i].gone != b->keys[i].gone)
			return false;
	return true;
}

static void look_seen(struct repo *r)
{
	struct seen s, again;
	struct err e;

	seen_read(r, &s);
	if (seen_write(r, &s, &e) == -1)
		abort();
	seen_read(r, &again);
	/* What was seen elsewhere only is not written as seen here. */
	if (s.elsewhere == NULL && !same(&s, &again))
		abort();
	seen_fini(&s);
	seen_fini(&again);
}

static void look_client(struct repo *r)
{
	struct client c, again;
	struct err e;

	if (client_open(r, &c, &e) == -1 || client_save(&c, &e) == -1)
		abort();
	client_close(&c);
	if (client_open(r, &again, &e) == -1 || author_cmp(&c.author, &again.author) != 0 ||
	    c.sequence != again.sequence || c.has_last != again.has_last ||
	    (c.has_last && !id_eq(&c.last, &again.last)))
		abort();
	client_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct repo *r = fuzz_repo();

	if (folder[0] == '\0')
		begin(r);
	put_seen(r, span_of(p, n));
	look_seen(r);
	put(client_path, span_of(p, n));
	look_client(r);
	put_client(span_of(p, n));
	look_client(r);
	return 0;
}
