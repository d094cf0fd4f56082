/* evidence_check: see evidence_check.h. */
#include "catalog/evidence_check.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/mem.h"
#include "catalog/evidence_statement.h"
#include "os/os.h"

struct evidence_check {
	const uint8_t (*pubs)[CRYPTO_KEY];
	size_t npubs;
	struct evidence_heads *heads;
	size_t next_head;  /* the first whose number has not come yet */
	size_t chain_ends; /* of this chain's heads */
	bool trusted;      /* one of pubs is among the chain's keys */
	uint64_t line;
	struct evidence_verdict v;
};

static const char *const names[EVIDENCE_FAULTS] = {"whole", "empty", "torn", "altered", "wrong key",
    "another chain", "removed", "reordered", "relinked", "rewritten", "cut off", "unknown"};

const char *evidence_fault_name(enum evidence_fault f)
{
	return names[f];
}

static int by_chain_and_number(const void *a, const void *b)
{
	const struct evidence_head *x = a, *y = b;
	int c = memcmp(x->chain, y->chain, sizeof x->chain);

	return c ? c : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

struct evidence_check *evidence_check_new(
    const uint8_t (*pubs)[CRYPTO_KEY], size_t npubs, struct evidence_heads *heads)
{
	struct evidence_check *k = mem_zalloc(sizeof *k);

	k->pubs = pubs;
	k->npubs = npubs;
	k->heads = heads;
	if (heads != NULL && heads->n > 0)
		qsort(heads->v, heads->n, sizeof *heads->v, by_chain_and_number);
	return k;
}

struct evidence_check *evidence_check_copy(const struct evidence_check *k)
{
	struct evidence_check *copy = mem_alloc(sizeof *copy);

	*copy = *k;
	return copy;
}

void evidence_check_free(struct evidence_check *k)
{
	free(k);
}

/* Only the first thing that is wrong counts. */
__attribute__((format(printf, 4, 5))) static void broken(
    struct evidence_check *k, enum evidence_fault f, uint64_t sequence, const char *fmt, ...)
{
	va_list ap;

	if (k->v.fault != EVIDENCE_WHOLE)
		return;
	k->v.fault = f;
	k->v.line = k->line;
	k->v.sequence = sequence;
	va_start(ap, fmt);
	vsnprintf(k->v.text, sizeof k->v.text, fmt, ap);
	va_end(ap);
}

static void trust(struct evidence_check *k, const uint8_t key[CRYPTO_KEY])
{
	for (size_t i = 0; i < k->npubs; i++)
		k->trusted |= memcmp(k->pubs[i], key, CRYPTO_KEY) == 0;
}

/* The first line says which chain and key this is; whether to believe it the rest decides. */
static bool first_line(struct evidence_check *k, const struct evidence_record *r)
{
	static const uint8_t zeros[32];
	struct evidence_heads *h = k->heads;

	if (r->action != EVIDENCE_BEGIN && r->sequence > 1) {
		broken(k, EVIDENCE_REMOVED, r->sequence, "records 1 to %llu are missing",
		    (unsigned long long)r->sequence - 1);
		return false;
	}
	if (r->action != EVIDENCE_BEGIN || memcmp(r->previous, zeros, sizeof zeros) != 0) {
		broken(k, EVIDENCE_ALTERED, r->sequence, "this is no beginning of a chain");
		return false;
	}
	memcpy(k->v.end.chain, r->chain, sizeof r->chain);
	memcpy(k->v.end.key, r->key, sizeof r->key);
	trust(k, r->key);
	for (size_t i = 0; h != NULL && i < h->n; i++) {
		int c = memcmp(h->v[i].chain, r->chain, sizeof r->chain);

		k->next_head += c < 0;
		k->chain_ends += c <= 0;
	}
	return true;
}

static bool right_key(struct evidence_check *k, const struct evidence_record *r, struct span line)
{
	char a[17], b[17];

	if (memcmp(r->key, k->v.end.key, sizeof r->key) == 0) {
		if (statement_verify(line, k->v.end.key))
			return true;
		broken(k, EVIDENCE_ALTERED, r->sequence, "its signature does not fit");
		return false;
	}
	broken(k, EVIDENCE_OTHER_KEY, r->sequence, "it names key %s, where %s has to sign",
	    hex_encode(a, r->key, 8), hex_encode(b, k->v.end.key, 8));
	return false;
}

static bool right_place(struct evidence_check *k, const struct evidence_record *r)
{
	unsigned long long want = k->v.end.sequence + 1, is = r->sequence;

	if (memcmp(r->chain, k->v.end.chain, sizeof r->chain) != 0)
		broken(k, EVIDENCE_OTHER_CHAIN, r->sequence, "it is of another chain");
	else if (is < want)
		broken(k, EVIDENCE_REORDERED, is, "record %llu stands where %llu has to", is, want);
	else if (is > want)
		broken(k, EVIDENCE_REMOVED, is, "records %llu to %llu are missing", want, is - 1);
	else if (memcmp(r->previous, k->v.end.hash, sizeof r->previous) != 0)
		broken(
		    k, EVIDENCE_RELINKED, is, "it follows another record than the one before it");
	return k->v.fault == EVIDENCE_WHOLE;
}

/* What was kept elsewhere of this number has to say the same. */
static bool as_published(struct evidence_check *k, const uint8_t hash[32], uint64_t sequence)
{
	for (; k->next_head < k->chain_ends; k->next_head++) {
		const struct evidence_head *h = &k->heads->v[k->next_head];

		if (h->sequence > sequence)
			break;
		if (memcmp(h->hash, hash, 32) != 0) {
			broken(k, EVIDENCE_REWRITTEN, sequence,
			    "it is not the record whose head was kept elsewhere");
			return false;
		}
		k->v.heads++;
	}
	return true;
}

/* After the first broken link, one thing more is of use: what was missing may stand later. */
static void look_further(struct evidence_check *k, struct span line)
{
	struct evidence_record r;
	struct err ignored;

	if (k->v.fault != EVIDENCE_REMOVED || evidence_record_read(line, &r, &ignored) == -1)
		return;
	if (r.sequence == k->v.end.sequence + 1 && statement_verify(line, r.key)) {
		k->v.fault = EVIDENCE_REORDERED;
		snprintf(k->v.text, sizeof k->v.text,
		    "record %llu stands where %llu has to, which stands on line %llu",
		    (unsigned long long)k->v.sequence, (unsigned long long)r.sequence,
		    (unsigned long long)k->line);
	}
	evidence_record_fini(&r);
}

/* The chain goes on from this record. */
static void take(struct evidence_check *k, const struct evidence_record *r, struct span line)
{
	uint8_t hash[32], next[CRYPTO_KEY];

	crypto_sha256(line, hash);
	if (r->action == EVIDENCE_ROTATE && !evidence_rotation(r, next)) {
		broken(
		    k, EVIDENCE_OTHER_KEY, r->sequence, "the key that it names has not consented");
		return;
	}
	if (!as_published(k, hash, r->sequence))
		return;
	if (r->action == EVIDENCE_ROTATE) {
		memcpy(k->v.end.key, next, sizeof next);
		trust(k, next);
	}
	memcpy(k->v.end.hash, hash, sizeof hash);
	k->v.end.sequence = r->sequence;
	k->v.records++;
}

void evidence_check_line(struct evidence_check *k, struct span line, bool ended)
{
	struct evidence_record r;
	struct err why;

	k->line++;
	if (k->v.fault != EVIDENCE_WHOLE) {
		look_further(k, line);
		return;
	}
	if (!ended) {
		broken(k, EVIDENCE_TORN, 0, "it has no end: a crash left it, or it was cut");
		return;
	}
	if (evidence_record_read(line, &r, &why) == -1) {
		broken(k, EVIDENCE_ALTERED, 0, "%s", why.msg);
		return;
	}
	if ((k->v.records > 0 || first_line(k, &r)) && right_key(k, &r, line) && right_place(k, &r))
		take(k, &r, line);
	evidence_record_fini(&r);
}

/* Heads that our keys signed and that know of more than there is. */
static void heads_beyond(struct evidence_check *k)
{
	const struct evidence_heads *h = k->heads;
	char chain[2 * EVIDENCE_CHAIN + 1];

	if (k->next_head < k->chain_ends) {
		broken(k, EVIDENCE_CUT, k->v.records,
		    "it ends with record %llu; a head that was kept elsewhere knows of %llu",
		    (unsigned long long)k->v.records,
		    (unsigned long long)h->v[k->chain_ends - 1].sequence);
		return;
	}
	for (size_t i = 0; h != NULL && i < h->n; i++) {
		const struct evidence_head *x = &h->v[i];
		bool ours = memcmp(x->key, k->v.end.key, sizeof x->key) == 0;

		for (size_t j = 0; j < k->npubs; j++)
			ours |= memcmp(x->key, k->pubs[j], sizeof x->key) == 0;
		if (ours && memcmp(x->chain, k->v.end.chain, sizeof x->chain) != 0)
			broken(k, EVIDENCE_OTHER_CHAIN, 0,
			    "a head kept elsewhere is of chain %.8s with %llu records, by the same "
			    "key: this is another, begun anew",
			    hex_encode(chain, x->chain, sizeof x->chain),
			    (unsigned long long)x->sequence);
	}
}

void evidence_check_end(struct evidence_check *k, struct evidence_verdict *out)
{
	if (k->line == 0)
		broken(k, EVIDENCE_EMPTY, 0, "there is no record");
	if (k->v.fault == EVIDENCE_WHOLE && !k->trusted) {
		k->line = 1;
		broken(
		    k, EVIDENCE_OTHER_KEY, 1, "none of the chain's keys is the one that was given");
	}
	heads_beyond(k);
	*out = k->v;
}

bool evidence_check_is_whole(const struct evidence_check *k)
{
	return k->v.fault == EVIDENCE_WHOLE;
}

/* ---- Lines. */

void evidence_lines(struct span text, evidence_line_fed *each, void *arg)
{
	while (text.n > 0) {
		const uint8_t *nl = memchr(text.p, '\n', text.n);
		size_t n = nl ? (size_t)(nl - text.p) : text.n;

		each(arg, span_of(text.p, n), nl != NULL);
		n += nl != NULL;
		text = span_of(text.p + n, text.n - n);
	}
}

static void feed(struct buf *b, bool end, evidence_line_fed *each, void *arg)
{
	size_t at = 0;
	const uint8_t *nl;

	while (at < b->n && (nl = memchr(b->p + at, '\n', b->n - at)) != NULL) {
		each(arg, span_of(b->p + at, (size_t)(nl - b->p) - at), true);
		at = (size_t)(nl - b->p) + 1;
	}
	if (b->n - at > EVIDENCE_LINE_MAX || (end && at < b->n)) {
		each(arg, span_of(b->p + at, b->n - at), !end);
		at = b->n;
	}
	memmove(b->p, b->p + at, b->n - at);
	b->n -= at;
}

int evidence_open(const char *path, struct err *e)
{
	int fd = os_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd == -1 || os_fstat(fd, &st) == -1) {
		err_sys(e, "%s", path);
	} else if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_USAGE, "%s: this is no plain file", path);
		err_hint(e, "put what comes from elsewhere into a file first");
	} else {
		return fd;
	}
	os_close(fd);
	return -1;
}

int evidence_lines_file(const char *path, evidence_line_fed *each, void *arg, struct err *e)
{
	enum { PIECE = 1 << 20 };
	int fd = evidence_open(path, e);
	struct buf b = {0};
	ssize_t n = -1;

	if (fd == -1)
		return -1;
	do {
		buf_reserve(&b, PIECE);
		n = os_read(fd, b.p + b.n, PIECE);
		if (n > 0)
			b.n += (size_t)n;
		if (n >= 0)
			feed(&b, n == 0, each, arg);
	} while (n > 0);
	if (n == -1)
		err_sys(e, "%s", path);
	os_close(fd);
	buf_fini(&b);
	return n == -1 ? -1 : 0;
}

static void check_line(void *k, struct span line, bool ended)
{
	evidence_check_line(k, line, ended);
}

void evidence_check_feed(struct evidence_check *k, struct buf *b, bool end)
{
	feed(b, end, check_line, k);
}

void evidence_check_text(struct evidence_check *k, struct span text, struct evidence_verdict *out)
{
	evidence_lines(text, check_line, k);
	evidence_check_end(k, out);
}

int evidence_check_file(
    struct evidence_check *k, const char *path, struct evidence_verdict *out, struct err *e)
{
	if (evidence_lines_file(path, check_line, k, e) == -1)
		return -1;
	evidence_check_end(k, out);
	return 0;
}
