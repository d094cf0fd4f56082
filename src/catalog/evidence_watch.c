/*
 * evidence_watch: see evidence_watch.h.
 *
 * What was verified is kept as the check's state behind so many whole pieces of the file, and the
 * hash of each of these: who changed any of them makes all be verified anew.  What is behind the
 * last whole piece is verified each time.
 */
#include "catalog/evidence_watch.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "catalog/evidence_key.h"
#include "os/os.h"

enum { PIECE = 64 << 10, PLACES = 16 };

struct evidence_watch {
	const char *dir;
	struct clock *clock;

	pthread_mutex_t verifying; /* guards what follows */
	uint8_t keys[EVIDENCE_KEYS_MAX][CRYPTO_KEY];
	size_t nkeys;
	struct evidence_check *check; /* of the pieces; NULL: none yet */
	struct buf open;              /* the line that the last of them does not end */
	struct buf hashes;            /* of each, 32 bytes */

	pthread_mutex_t lock; /* guards what follows */
	bool known;
	struct evidence_verdict verdict;
	int64_t at_ns;
	struct evidence_place places[PLACES]; /* where pages ended */
	size_t next;
};

struct evidence_watch *evidence_watch_new(const char *dir, struct clock *clock)
{
	struct evidence_watch *w = mem_zalloc(sizeof *w);

	w->dir = dir;
	w->clock = clock;
	pthread_mutex_init(&w->verifying, NULL);
	pthread_mutex_init(&w->lock, NULL);
	return w;
}

static void begin_anew(struct evidence_watch *w)
{
	evidence_check_free(w->check);
	w->check = evidence_check_new((const uint8_t(*)[CRYPTO_KEY])w->keys, w->nkeys, NULL);
	buf_reset(&w->open);
	buf_reset(&w->hashes);
}

void evidence_watch_free(struct evidence_watch *w)
{
	if (w == NULL)
		return;
	evidence_check_free(w->check);
	buf_fini(&w->open);
	buf_fini(&w->hashes);
	pthread_mutex_destroy(&w->verifying);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* ---- The verdict. */

/* Another key to go by: all has to be verified by that. */
static int take_keys(struct evidence_watch *w, struct err *e)
{
	uint8_t keys[EVIDENCE_KEYS_MAX][CRYPTO_KEY] = {{0}};
	char *path = evidence_path_public(w->dir);
	size_t n;
	int rc = evidence_public_read(path, keys, EVIDENCE_KEYS_MAX, &n, e);

	free(path);
	if (rc == -1)
		return -1;
	if (w->check != NULL && n == w->nkeys && memcmp(keys, w->keys, sizeof keys) == 0)
		return 0;
	memcpy(w->keys, keys, sizeof keys);
	w->nkeys = n;
	begin_anew(w);
	return 0;
}

/* The next whole piece: 1; 0: it is another than it was. */
static int next_piece(struct evidence_watch *w, size_t i, struct span piece)
{
	uint8_t hash[32];

	crypto_sha256(piece, hash);
	if (32 * i < w->hashes.n)
		return memcmp(w->hashes.p + 32 * i, hash, sizeof hash) == 0;
	buf_put(&w->hashes, hash, sizeof hash);
	buf_put_span(&w->open, piece);
	evidence_check_feed(w->check, &w->open, false);
	return 1;
}

static int judge(struct evidence_watch *w, int fd, struct evidence_verdict *out, struct err *e)
{
	struct evidence_check *k;
	struct buf piece = {0}, rest = {0};
	ssize_t n;

	for (size_t i = 0;;) {
		buf_reset(&piece);
		n = os_pread_full(fd, buf_extend(&piece, PIECE), PIECE, (off_t)i * PIECE);
		if (n == PIECE && next_piece(w, i, buf_span(&piece)) == 1) {
			i++;
			continue;
		}
		if (n == -1 || (n < PIECE && 32 * i == w->hashes.n))
			break;
		begin_anew(w); /* it was changed, or cut off */
		i = 0;
	}
	if (n >= 0) {
		k = evidence_check_copy(w->check);
		piece.n = (size_t)n;
		buf_put_span(&rest, buf_span(&w->open));
		buf_put_span(&rest, buf_span(&piece));
		evidence_check_feed(k, &rest, true);
		evidence_check_end(k, out);
		evidence_check_free(k);
	}
	buf_fini(&rest);
	buf_fini(&piece);
	return n == -1 ? err_sys(e, "read") : 0;
}

static int verify(struct evidence_watch *w, struct evidence_verdict *out, struct err *e)
{
	char *path = evidence_path_log(w->dir);
	int rc = take_keys(w, e), fd = -1;

	if (rc == 0 && (fd = os_open(path, O_RDONLY, 0)) == -1)
		rc = err_sys(e, "%s", path);
	if (rc == 0)
		rc = judge(w, fd, out, e);
	os_close(fd);
	free(path);
	return rc == 0 ? 0 : err_wrap(e, "evidence");
}

int evidence_watch_verify(
    struct evidence_watch *w, struct evidence_verdict *out, int64_t *at_ns, struct err *e)
{
	int64_t now;
	int rc = 0;

	if (pthread_mutex_trylock(&w->verifying) == 0) {
		now = w->clock->wall_ns(w->clock);
		rc = verify(w, out, e);
		pthread_mutex_lock(&w->lock);
		if (rc == 0) {
			w->known = true;
			w->verdict = *out;
			w->at_ns = now;
		}
		pthread_mutex_unlock(&w->lock);
		pthread_mutex_unlock(&w->verifying);
		*at_ns = now;
		return rc;
	}
	pthread_mutex_lock(&w->lock);
	if (w->known) {
		*out = w->verdict;
		*at_ns = w->at_ns;
	} else {
		rc = err_set(
		    e, ERR_BUSY, "the chain is being verified, for the first time: ask again");
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

/* ---- Pages. */

int evidence_watch_read(struct evidence_watch *w, uint64_t after, uint64_t most,
    evidence_line *each, void *arg, struct err *e)
{
	struct evidence_place from = {0};
	int rc;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < PLACES; i++)
		if (w->places[i].line <= after && w->places[i].line > from.line)
			from = w->places[i];
	pthread_mutex_unlock(&w->lock);
	rc = evidence_read_from(w->dir, &from, after, most, each, arg, e);
	pthread_mutex_lock(&w->lock);
	w->places[w->next] = from;
	w->next = (w->next + 1) % PLACES;
	pthread_mutex_unlock(&w->lock);
	return rc;
}
