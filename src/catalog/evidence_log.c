/* evidence_log: adding to the chain: its file, its lock, its end. */
#include "catalog/evidence.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "catalog/evidence_head.h"
#include "catalog/evidence_key.h"
#include "catalog/evidence_statement.h"
#include "os/os.h"

enum {
	WAIT_NS = 20 * 1000 * 1000,
	WAITS = 500,     /* 10 s: who holds the lock writes a line, and no more */
	TORN_KEPT = 4096 /* bytes of what a crash left that stand in the record */
};

/* The chain, locked. */
struct log {
	const char *dir;
	struct ctx *ctx;
	int fd;
	off_t end;                    /* of the last whole record: what comes goes there */
	struct buf torn;              /* what stood behind it */
	struct evidence_record *last; /* NULL: there is none */
	struct evidence_head head;    /* sequence 0: there is none */
	uint8_t priv[CRYPTO_KEY], pub[CRYPTO_KEY];
};

static char *in_dir(const char *dir, const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

char *evidence_path_log(const char *dir)
{
	return in_dir(dir, "evidence.log");
}

char *evidence_path_key(const char *dir)
{
	return in_dir(dir, "evidence.key");
}

char *evidence_path_public(const char *dir)
{
	return in_dir(dir, "evidence.pub");
}

static char *path_next(const char *dir)
{
	return in_dir(dir, "evidence.key.next");
}

bool evidence_is_kept(const char *dir)
{
	char *path = evidence_path_key(dir);
	struct stat st;
	bool kept = os_fstatat(AT_FDCWD, path, &st, 0) == 0;

	free(path);
	return kept;
}

static int lock_log(struct log *l, struct err *e)
{
	bool busy;

	for (int i = 0; i < WAITS; i++) {
		if (os_lock(l->fd, false, &busy, e) == -1)
			return -1;
		if (!busy)
			return 0;
		/* Not ended by a wish to stop: that a run was stopped is recorded too. */
		os_sleep_ns(&(struct ctx){0}, WAIT_NS);
	}
	return err_set(e, ERR_BUSY, "somebody holds its lock for more than 10 seconds");
}

/* ---- The end of the file. */

/* Where the line begins that ends before `end`; its bytes into out.  -1 if it is too long. */
static int line_before(struct log *l, off_t end, off_t *begin, struct buf *out, struct err *e)
{
	off_t from = end > EVIDENCE_LINE_MAX + 1 ? end - EVIDENCE_LINE_MAX - 1 : 0;
	size_t n = (size_t)(end - from), at = n;
	ssize_t got;

	buf_reset(out);
	got = os_pread_full(l->fd, buf_extend(out, n), n, from);
	if (got != (ssize_t)n)
		return got == -1 ? err_sys(e, "read")
				 : err_set(e, ERR_IO, "it became shorter while it was read");
	while (at > 0 && out->p[at - 1] != '\n')
		at--;
	*begin = from + (off_t)at;
	memmove(out->p, out->p + at, n - at);
	out->n = n - at;
	return at == 0 && from > 0 ? err_set(e, ERR_CORRUPT, "its last line is too long") : 0;
}

/* Is this a record of ours?  Then the chain ends there. */
static bool is_end(struct log *l, struct span line)
{
	struct evidence_record *r = mem_zalloc(sizeof *r);
	struct err ignored;

	if (evidence_record_read(line, r, &ignored) == -1 || !statement_verify(line, r->key)) {
		evidence_record_fini(r);
		free(r);
		return false;
	}
	l->last = r;
	l->head.sequence = r->sequence;
	memcpy(l->head.chain, r->chain, sizeof l->head.chain);
	crypto_sha256(line, l->head.hash);
	return true;
}

/*
 * The last line, or the one before if that one is torn: a crash leaves at most one, which was not
 * acknowledged, without its end or with a page of it missing.
 */
static int find_end(struct log *l, struct err *e)
{
	struct buf line = {0};
	struct stat st;
	off_t begin, torn;
	int rc = -1;

	if (os_fstat(l->fd, &st) == -1)
		return err_sys(e, "stat");
	if (st.st_size == 0)
		return 0;
	if (line_before(l, st.st_size, &begin, &line, e) == -1)
		goto out;
	l->end = st.st_size;
	torn = begin;
	if (line.n == 0) { /* the file ends with a newline */
		if (line_before(l, st.st_size - 1, &torn, &line, e) == -1)
			goto out;
		rc = 0;
		if (is_end(l, buf_span(&line)))
			goto out;
		rc = -1;
	}
	buf_put_span(&l->torn, buf_span(&line));
	l->end = torn;
	rc = 0;
	if (torn == 0)
		goto out;
	rc = line_before(l, torn - 1, &begin, &line, e);
	if (rc == 0 && !is_end(l, buf_span(&line))) {
		rc = err_set(e, ERR_CORRUPT, "it does not end with a record");
		err_hint(e,
		    "'holdfast evidence verify' says where it was changed; keep it, move it "
		    "away, and a new chain begins");
	}
out:
	buf_fini(&line);
	return rc;
}

/* ---- Keys. */

static int write_public(struct log *l, struct err *e)
{
	char *path = evidence_path_public(l->dir);
	struct buf b = {0};
	int rc;

	evidence_public_text(&b, l->pub);
	rc = os_file_replace(path, buf_span(&b), 0644, e);
	buf_fini(&b);
	free(path);
	return rc;
}

static int make_key(struct log *l, const char *path, struct err *e)
{
	crypto_random(l->priv, sizeof l->priv);
	crypto_sign_public(l->priv, l->pub);
	return evidence_key_write(path, l->priv, e) == -1 ? -1 : write_public(l, e);
}

/* A rotation that was cut short after its record: the record is the truth. */
static int take_next(struct log *l, const char *path, const uint8_t want[CRYPTO_KEY], struct err *e)
{
	char *next = path_next(l->dir);
	int rc = evidence_key_read(next, l->priv, e);

	crypto_sign_public(l->priv, l->pub);
	if (rc == 0 && memcmp(l->pub, want, CRYPTO_KEY) != 0)
		rc = err_set(e, ERR_WRONG_KEY, "%s: it is another key than the chain names", next);
	if (rc == 0 && os_renameat(AT_FDCWD, next, AT_FDCWD, path) == -1)
		rc = err_sys(e, "%s: rename", next);
	if (rc == 0)
		rc = write_public(l, e);
	free(next);
	return rc;
}

/* The key that signs what comes, as the chain's last record says. */
static int load_key(struct log *l, struct err *e)
{
	char *path = evidence_path_key(l->dir);
	uint8_t want[CRYPTO_KEY];
	int rc = evidence_key_read(path, l->priv, e);

	if (rc == -1 && e->kind == ERR_ABSENT && l->head.sequence == 0) {
		err_clear(e);
		rc = make_key(l, path, e);
	} else if (rc == -1 && e->kind == ERR_ABSENT) {
		err_hint(e, "there are records that it signed: put it back, or move evidence.log "
			    "away, and a new chain begins");
	}
	crypto_sign_public(l->priv, l->pub);
	if (rc == 0 && l->last != NULL) {
		memcpy(want, l->last->key, sizeof want);
		if (l->last->action == EVIDENCE_ROTATE && !evidence_rotation(l->last, want))
			rc = err_set(e, ERR_CORRUPT, "its last record rotates to no key");
		else if (memcmp(want, l->pub, sizeof want) != 0 &&
			 l->last->action == EVIDENCE_ROTATE)
			rc = take_next(l, path, want, e);
		else if (memcmp(want, l->pub, sizeof want) != 0)
			rc = err_set(
			    e, ERR_WRONG_KEY, "%s: another key signed the last record", path);
	}
	memcpy(l->head.key, l->pub, sizeof l->head.key);
	free(path);
	return rc;
}

/* ---- Adding. */

static int write_line(struct log *l, const char *line, struct err *e)
{
	char *text = mem_printf("%s\n", line);
	size_t n = strlen(text);
	int rc = 0;

	/* Over what a crash left torn: whatever stops this leaves one torn line again. */
	if (os_pwrite_all(l->fd, text, n, l->end) == -1 ||
	    os_ftruncate(l->fd, l->end + (off_t)n) == -1 || os_fsync(l->fd) == -1) {
		rc = err_sys(e, "write");
		(void)os_ftruncate(l->fd, l->end);
	} else {
		l->end += (off_t)n;
	}
	free(text);
	return rc;
}

/* One record behind the last. */
static int add(struct log *l, const struct evidence_event *ev, json_t *details, struct err *e)
{
	struct clock *clock = os_clock_of(l->ctx);
	struct evidence_record r = {.sequence = l->head.sequence + 1,
	    .time_ns = clock->wall_ns(clock),
	    .action = ev->action,
	    .outcome = ev->outcome,
	    .machine = os_host(),
	    .actor = ev->actor,
	    .subject = ev->subject ? ev->subject : "",
	    .details = details};
	char user[128], *line;
	int rc;

	if (r.actor == NULL) {
		os_user(user, sizeof user);
		r.actor = user;
	}
	memcpy(r.chain, l->head.chain, sizeof r.chain);
	memcpy(r.previous, l->head.hash, sizeof r.previous);
	memcpy(r.key, l->pub, sizeof r.key);
	line = evidence_record_write(&r, l->priv);
	rc = strlen(line) > EVIDENCE_LINE_MAX ? err_set(e, ERR_USAGE, "the record is too long")
					      : write_line(l, line, e);
	if (rc == 0) {
		l->head.sequence++;
		crypto_sha256(span_str(line), l->head.hash);
	}
	free(line);
	return rc;
}

/* Takes details. */
static int add_own(
    struct log *l, enum evidence_action a, const char *actor, json_t *details, struct err *e)
{
	struct evidence_event ev = {a, EVIDENCE_COMPLETED, actor, "evidence.log", NULL};
	int rc = add(l, &ev, details, e);

	json_decref(details);
	return rc;
}

/* The chain's first record. */
static int begin(struct log *l, struct err *e)
{
	char name[2 * EVIDENCE_CHAIN + 1];
	json_t *o = json_object();

	crypto_random(l->head.chain, sizeof l->head.chain);
	json_object_set_new(
	    o, "chain", json_string(hex_encode(name, l->head.chain, sizeof l->head.chain)));
	return add_own(l, EVIDENCE_BEGIN, NULL, o, e);
}

static int mend(struct log *l, struct err *e)
{
	struct span kept = {l->torn.p, l->torn.n < TORN_KEPT ? l->torn.n : TORN_KEPT};
	json_t *o = json_object();
	uint8_t hash[32];

	crypto_sha256(buf_span(&l->torn), hash);
	json_object_set_new(o, "bytes", json_integer((json_int_t)l->torn.n));
	statement_put_hex(o, "sha256", hash, sizeof hash);
	statement_put_hex(o, "torn", kept.p, kept.n);
	return add_own(l, EVIDENCE_MEND, NULL, o, e);
}

static void close_log(struct log *l)
{
	os_close(l->fd);
	if (l->last != NULL)
		evidence_record_fini(l->last);
	free(l->last);
	buf_fini(&l->torn);
	crypto_wipe(l->priv, sizeof l->priv);
}

/* A new file's name is durable once its folder is. */
static int sync_dir(const char *dir, struct err *e)
{
	int fd = os_open(dir, O_RDONLY | O_DIRECTORY, 0);
	int rc = fd == -1 || os_fsync(fd) == -1 ? err_sys(e, "%s", dir) : 0;

	os_close(fd);
	return rc;
}

/* Locked, with its key, begun and mended. */
static int open_log(const char *dir, struct ctx *ctx, struct log *l, struct err *e)
{
	char *path = evidence_path_log(dir);
	int rc = -1;

	*l = (struct log){.dir = dir, .ctx = ctx, .fd = -1};
	if (os_mkdirs(dir, 0700, e) == -1)
		goto out;
	if ((l->fd = os_open(path, O_RDWR | O_CREAT, 0600)) == -1) {
		err_sys(e, "open");
	} else if (lock_log(l, e) == 0 && find_end(l, e) == 0 && load_key(l, e) == 0) {
		rc = 0;
		if (l->head.sequence == 0)
			rc = sync_dir(dir, e) == -1 ? -1 : begin(l, e);
		if (rc == 0 && l->torn.n > 0)
			rc = mend(l, e);
	}
	if (rc == -1)
		err_wrap(e, "%s", path);
out:
	free(path);
	if (rc == -1)
		close_log(l);
	return rc;
}

int evidence_append(const char *dir, const struct evidence_event *ev, struct ctx *ctx,
    struct evidence_head *head, struct err *e)
{
	json_t *details = ev->details ? json_incref(ev->details) : json_object();
	struct log l;
	size_t n = json_dumpb(details, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII);
	int rc;

	if (n > EVIDENCE_DETAILS_MAX) {
		json_decref(details);
		details = json_pack("{s:I}", "left_out_bytes", (json_int_t)n);
	}
	rc = open_log(dir, ctx, &l, e);
	if (rc == 0) {
		rc = add(&l, ev, details, e);
		if (rc == 0 && head != NULL)
			*head = l.head;
		close_log(&l);
	}
	json_decref(details);
	return rc == 0 ? 0 : err_wrap(e, "record what was done");
}

/* The new key waits beside the old one until the chain names it. */
static int rotate(struct log *l, const char *actor, struct err *e)
{
	struct evidence_record r = {.sequence = l->head.sequence + 1};
	char *next = path_next(l->dir), *key = evidence_path_key(l->dir), *text = NULL;
	uint8_t priv[CRYPTO_KEY], pub[CRYPTO_KEY], sig[CRYPTO_SIG];
	json_t *o = json_object();
	int rc;

	memcpy(r.chain, l->head.chain, sizeof r.chain);
	memcpy(r.previous, l->head.hash, sizeof r.previous);
	crypto_random(priv, sizeof priv);
	crypto_sign_public(priv, pub);
	text = evidence_consent_text(&r, pub);
	crypto_sign(priv, span_str(text), sig);
	statement_put_hex(o, "next_key", pub, sizeof pub);
	statement_put_hex(o, "consent", sig, sizeof sig);
	rc = evidence_key_write(next, priv, e);
	if (rc == 0)
		rc = add_own(l, EVIDENCE_ROTATE, actor, json_incref(o), e);
	if (rc == 0)
		rc = take_next(l, key, pub, e);
	memcpy(l->head.key, pub, sizeof pub);
	crypto_wipe(priv, sizeof priv);
	json_decref(o);
	free(text);
	free(next);
	free(key);
	return rc;
}

int evidence_rotate(
    const char *dir, const char *actor, struct ctx *ctx, struct evidence_head *head, struct err *e)
{
	struct log l;
	int rc;

	if (open_log(dir, ctx, &l, e) == -1)
		return -1;
	rc = rotate(&l, actor, e);
	if (head != NULL)
		*head = l.head;
	close_log(&l);
	return rc;
}

int evidence_head_now(
    const char *dir, struct ctx *ctx, struct evidence_head *head, char **line, struct err *e)
{
	struct clock *clock = os_clock_of(ctx);
	struct log l;

	if (open_log(dir, ctx, &l, e) == -1)
		return -1;
	*head = l.head;
	*line = evidence_head_write(head, os_host(), clock->wall_ns(clock), l.priv);
	close_log(&l);
	return 0;
}
