/*
 * client: see client.h.  The file is one line: id, sequence, last snapshot, and a sum over
 * them: what is damaged is no memory, rather than a wrong one.
 */
#include "repo/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "os/os.h"
#include "repo/repo_internal.h"

enum { SUM_TEXT = 17 };

static const char *line_sum(const char *id, uint64_t sequence, const char *last, char out[SUM_TEXT])
{
	char *line = mem_printf("%s %llu %s", id, (unsigned long long)sequence, last);
	uint8_t h[32];

	crypto_sha256(span_str(line), h);
	free(line);
	return hex_encode(out, h, (SUM_TEXT - 1) / 2);
}

static void parse(struct client *c, char *text)
{
	char *save = NULL, *id = strtok_r(text, " \n", &save);
	char *sequence = strtok_r(NULL, " \n", &save), *last = strtok_r(NULL, " \n", &save);
	char *is = strtok_r(NULL, " \n", &save), sum[SUM_TEXT];
	uint8_t uid[16];

	/* Anything else than what we wrote is no memory at all. */
	if (id == NULL || sequence == NULL || last == NULL || strlen(id) != 32 ||
	    !hex_decode(uid, sizeof uid, id) || is == NULL ||
	    strcmp(is, line_sum(id, strtoull(sequence, NULL, 10), last, sum)) != 0)
		return;
	memcpy(c->author.client, uid, sizeof uid);
	c->sequence = strtoull(sequence, NULL, 10);
	c->has_last = strlen(last) == ID_HEX - 1 && id_parse(&c->last, last);
}

int client_open(struct repo *r, struct client *c, struct err *e)
{
	char text[256] = "", *path;
	bool busy;
	ssize_t n;

	memset(c, 0, sizeof *c);
	c->fd = -1;
	memcpy(c->author.signer, r->keys->holder, FORMAT_UID);
	crypto_random(c->author.client, FORMAT_UID);
	if (r->cache_dir == NULL)
		return 0;
	path = mem_printf("%s/client.%.8s.%s", r->cache_dir, r->holder_text, r->place_text);
	if (os_mkdirs(r->cache_dir, 0700, e) == 0)
		c->fd = os_open(path, O_RDWR | O_CREAT, 0600);
	free(path);
	if (c->fd == -1)
		return 0; /* I5: an unusable cache costs memory of the past, no more */
	if (os_lock(c->fd, true, &busy, e) == -1) {
		client_close(c);
		return -1;
	}
	n = os_pread_full(c->fd, text, sizeof text - 1, 0);
	if (n > 0)
		parse(c, text);
	return 0;
}

int client_save(struct client *c, struct err *e)
{
	char text[256], id[33], last[ID_HEX] = "-", sum[SUM_TEXT];
	int n;

	if (c->fd == -1)
		return 0;
	if (c->has_last)
		id_hex(last, &c->last);
	hex_encode(id, c->author.client, FORMAT_UID);
	n = snprintf(text, sizeof text, "%s %llu %s %s\n", id, (unsigned long long)c->sequence,
	    last, line_sum(id, c->sequence, last, sum));
	if (os_pwrite_all(c->fd, text, (size_t)n, 0) == -1 || os_ftruncate(c->fd, n) == -1 ||
	    os_fsync(c->fd) == -1)
		return err_sys(e, "remember the client's sequence");
	return 0;
}

void client_close(struct client *c)
{
	os_close(c->fd);
	c->fd = -1;
}
