/*
 * log: continuous logs (format.md 12): stretches of bytes at positions that
 * only grow, of a stream (one source of one system) and a timeline.
 *
 * A stretch is an object built like a pack, sealed and signed with its place.
 * No index names it: its name tells where it is.  A stretch is written once;
 * what is there already is LOG_SAME, also where another stretch, or two, have
 * it.  Small stretches may be covered by a large one that came later, and go
 * with the next prune.
 *
 * A position of a timeline has one content: other bytes for it are ERR_EXISTS,
 * and nothing is stored (a server that was put back from an image, a clone that
 * writes under the same name).  So it is with a timeline's history, but not
 * with partials, of which each server leaves its own.  A key that can't read
 * content can tell what differs by whole cuts (format.md 12) only.
 *
 * Positions are bytes; PostgreSQL's LSNs.
 *
 * Threads: a struct belongs to one thread at a time (and starts some of its own while it works);
 * functions on a repo any.
 */
#ifndef HF_REPO_LOG_H
#define HF_REPO_LOG_H

#include <sys/stat.h>

#include "base/buf.h"
#include "repo/repo.h"
#include "repo/repo_object.h"

enum { LOG_STREAM = FORMAT_UID };

/*
 * The stream that the key in use writes for this source of this system.  Each domain has its own,
 * so that no write key can put anything into another's: who reads takes the name from a snapshot's
 * head, or asks log_stream_in for each domain.
 */
void log_stream(struct repo *r, const char *system, const char *source, uint8_t out[LOG_STREAM]);
/* That of the i-th of repo_domains. */
void log_stream_in(
    struct repo *r, size_t i, const char *system, const char *source, uint8_t out[LOG_STREAM]);
/* The domain of a stream, by its tag; 0: none that we know. */
uint64_t log_stream_domain(struct repo *r, const uint8_t stream[LOG_STREAM]);

enum log_kind {
	LOG_SEGMENT, /* a range of the log */
	LOG_HISTORY, /* of a timeline: its file, start and end are 0 */
	LOG_PARTIAL, /* the end of a timeline, as PostgreSQL's NAME.partial: in no range */
	LOG_KINDS
};

struct log_piece {
	uint8_t stream[LOG_STREAM];
	uint32_t timeline;
	uint64_t start, end;
	enum log_kind kind;
	struct span bytes; /* end - start of them; at most 1 GiB, a history 1 MiB */
	/*
	 * Where bytes.p is NULL: the file that they are in, from its beginning on; read as they are
	 * taken, so that they pass through a processor's cache instead of through memory.  `was`:
	 * how it was before anything of it was read; nothing of a file that changed since is stored
	 * (PostgreSQL uses segments again that somebody else has archived).  NULL: nobody looked.
	 */
	int fd;
	const struct stat *was;
	/*
	 * Somebody waits for it: compared with what was there when the writer was opened, or looked
	 * anew, which it does each minute at most; not remembered.  Whoever puts such ones puts the
	 * whole range after the last: then what another has put there since is met at the latest.
	 * ERR_WRONG_KEY: this key cannot tell a part of what is there from a part of what is put;
	 * of what reaches further to both sides it may.
	 */
	bool at_once;
};

enum log_put_outcome {
	LOG_SAME,  /* it was there already */
	LOG_STORED /* durable; one part of it at least is new */
};

/*
 * Who puts much: knows what is there, and keeps keys and memory between puts.
 */
struct log_writer;
int log_writer_open(struct repo *r, struct log_writer **out, struct err *e);
void log_writer_close(struct log_writer *w); /* NULL does nothing */
/*
 * Durable when it returns 0.  After a failure the same may be put again, of which a beginning may
 * be there.  ERR_EXISTS, with a hint: there is other content at that place.  ERR_CANCELLED: the
 * rest of a long one was not begun.
 */
int log_writer_put(
    struct log_writer *w, const struct log_piece *p, enum log_put_outcome *out, struct err *e);
/* What comes is worth less of the processor, for more bytes: much of it waits. */
void log_writer_hurry(struct log_writer *w, bool hurry);
/* Were the repository's keys changed since?  What comes is stored by the old ones until the
 * repository is opened anew. */
bool log_writer_stale(const struct log_writer *w);

/* One piece. */
int log_put(struct repo *r, const struct log_piece *p, enum log_put_outcome *out, struct err *e);

/* One stored stretch. */
struct log_at {
	uint32_t timeline;
	enum log_kind kind;
	uint64_t start, end;
	struct id object;
	uint64_t size; /* stored */
	int64_t stored_ns;
};
enum { LOG_NAME_MAX = REPO_NAME_MAX };
const char *log_name(
    char out[LOG_NAME_MAX], const uint8_t stream[LOG_STREAM], const struct log_at *at);
bool log_name_parse(const char *key, uint8_t stream[LOG_STREAM], struct log_at *at);

/* The order of log_list. */
int log_at_cmp(const void *a, const void *b);

/* All of a stream, by kind, timeline, start, end, time; new, with free. */
int log_list(
    struct repo *r, const uint8_t stream[LOG_STREAM], struct log_at **v, size_t *n, struct err *e);

/*
 * Which of a list stand at the place of an earlier one with other content, as former programs kept
 * it: nobody reads them.  One that is damaged is none.
 */
int log_beside(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *v, size_t n,
    bool *beside, struct err *e);

/*
 * Has a whole one, all of whose stored bytes are sound, the very bytes of a part of it?  Where cuts
 * do not line up only a key that reads content can tell; who cannot is told that it is no part.
 * What was read of a whole is kept for the next question.
 */
struct log_whole;
struct log_whole *log_whole_new(void);
void log_whole_free(struct log_whole *w); /* NULL does nothing */
int log_is_part(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *at,
    const struct log_at *whole, struct log_whole *w, bool *part, struct err *e);

/*
 * Of log_list's result: which lie within another that is the only one at its place, where both were
 * stored no later than that?  cover[i] NULL: none.  Whether they have the same bytes log_is_part
 * tells.
 */
void log_covered(const struct log_at *v, size_t n, int64_t before_ns, const struct log_at **cover);

/*
 * Those of a stream that are part of another, deleted by who may (ROLE_FULL, where the store lets
 * it): none that is, or is covered by what is, younger than the age.  At most so many are looked at
 * each time, and no more after a second; `left` says that some are yet.  The repository may be
 * another opening each time.
 */
enum { LOG_FOLD_AGE_S = 600 }; /* who listed before, and reads after, has come to an end */
struct log_fold;
int log_fold_begin(struct repo *r, const uint8_t stream[LOG_STREAM], int64_t age_ns,
    struct log_fold **out, struct err *e);
int log_fold_some(
    struct log_fold *x, struct repo *r, size_t max, size_t *gone, bool *left, struct err *e);
bool log_fold_refused(const struct log_fold *x); /* the store lets nothing be deleted */
/* Why the first of those was left that the store lets nobody, or not this key, read; NULL: none
 * was.  *all: all that were looked at. */
const struct err *log_fold_denied(const struct log_fold *x, bool *all);
void log_fold_end(struct log_fold *x); /* NULL does nothing */

/* Every stretch of every stream, in no order; what is no name of one is told. */
typedef int log_visit(
    void *arg, const uint8_t stream[LOG_STREAM], const struct log_at *at, struct err *e);
int log_each(struct repo *r, log_visit *visit, void *arg, struct err *e);

/* The streams that are there; new, with free. */
int log_streams(struct repo *r, uint8_t (**v)[LOG_STREAM], size_t *n, struct err *e);

/* Those of them that are of this source of this system: the own domain's first; new, with free. */
int log_find(struct repo *r, const char *system, const char *source, uint8_t (**v)[LOG_STREAM],
    size_t *n, struct err *e);

/*
 * One stretch, whole and checked, into out (reset first).  Damage is read through where its parity
 * allows.
 */
int log_read(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *at,
    struct buf *out, struct err *e);
/* The same with its stored bytes at hand; without `out` all but the content is checked (a
 * maintenance key can do no more). */
int log_check_bytes(struct repo *r, const uint8_t stream[LOG_STREAM], const struct log_at *at,
    struct span stored, struct buf *out, struct err *e);

/*
 * A range, put together from whatever covers it.  ERR_ABSENT: after looking anew nothing that is
 * there covers its first byte (`have` 0) or the rest (`have`: so many from the beginning are in
 * out).  Anything else says that it could not be told, or is damaged.
 */
struct log_reader; /* knows what is there between gets */
int log_reader_open(
    struct repo *r, const uint8_t stream[LOG_STREAM], struct log_reader **out, struct err *e);
void log_reader_close(struct log_reader *rd); /* NULL does nothing */
int log_reader_get(struct log_reader *rd, uint32_t timeline, uint64_t start, uint64_t end,
    struct buf *out, uint64_t *have, struct err *e);
int log_reader_history(struct log_reader *rd, uint32_t timeline, struct buf *out, struct err *e);
/* Is anything of the timeline known that ends beyond this?  And that begins before? */
bool log_reader_goes_on(const struct log_reader *rd, uint32_t timeline, uint64_t position);
bool log_reader_comes_from(const struct log_reader *rd, uint32_t timeline, uint64_t position);
/* What is known to be there, as log_list gives it; the reader's, until its next get. */
const struct log_at *log_reader_list(const struct log_reader *rd, size_t *n);

/* ---- What a list of stretches reaches. */

/* A range without a gap. */
struct log_span {
	uint32_t timeline;
	uint64_t start, end;
	bool gap; /* between this and the one before it, of the same timeline, something is missing
		   */
	size_t stretches;
	int64_t first_ns, last_ns; /* when they were stored */
};
/* Of log_list's result; new, with free, by timeline and start. */
void log_reach(const struct log_at *v, size_t n, struct log_span **out, size_t *spans);

/* A line of a timeline's history: that timeline ended there, and the next began. */
struct log_line {
	uint32_t timeline;
	uint64_t end;
};
/* Of PostgreSQL's history file; new, with free; ERR_CORRUPT where the file is none. */
int log_history_parse(struct span text, struct log_line **out, size_t *n, struct err *e);

/*
 * Is everything there from a position to another, on this timeline and those that it came from?
 * False, with the first position that is missing.  Where a timeline ended inside a segment its
 * child's segment has those bytes too.
 */
bool log_reaches(const struct log_span *v, size_t n, const struct log_line *history, size_t lines,
    uint32_t timeline, uint64_t from, uint64_t to, uint64_t *missing);

int log_get(struct repo *r, const uint8_t stream[LOG_STREAM], uint32_t timeline, uint64_t start,
    uint64_t end, struct buf *out, struct err *e);
int log_get_history(struct repo *r, const uint8_t stream[LOG_STREAM], uint32_t timeline,
    struct buf *out, struct err *e);

#endif
