/* follow_repo: see follow_repo.h. */
#include "engine/follow_repo.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/log.h"

struct follow_repo {
	struct repo *r;
	bool at_once; /* commits wait for small ones */
	uint8_t stream[LOG_STREAM];
	struct log_writer *writers[FOLLOW_LANES];
};

int follow_repo_open(struct repo *r, const char *system, const char *source, bool synchronous,
    struct follow_repo **out, struct err *e)
{
	struct follow_repo *f = mem_zalloc(sizeof *f);

	f->r = r;
	f->at_once = synchronous;
	log_stream(r, system, source, f->stream);
	for (unsigned i = 0; i < FOLLOW_LANES; i++)
		if (log_writer_open(r, &f->writers[i], e) == -1) {
			follow_repo_close(f);
			return -1;
		}
	*out = f;
	return 0;
}

void follow_repo_close(struct follow_repo *f)
{
	if (f == NULL)
		return;
	for (unsigned i = 0; i < FOLLOW_LANES; i++)
		log_writer_close(f->writers[i]);
	free(f);
}

int follow_repo_put(
    void *arg, unsigned lane, const struct follow_job *j, struct span bytes, struct err *e)
{
	struct follow_repo *f = arg;
	struct log_piece p = {.timeline = j->timeline,
	    .start = j->start,
	    .end = j->end,
	    .kind = j->what == FOLLOW_HISTORY ? LOG_HISTORY : LOG_SEGMENT,
	    .bytes = bytes,
	    .at_once = f->at_once && j->what == FOLLOW_SMALL};
	enum log_put_outcome outcome;

	if (p.kind == LOG_HISTORY)
		p.start = p.end = 0;
	memcpy(p.stream, f->stream, LOG_STREAM);
	return log_writer_put(f->writers[lane], &p, &outcome, e);
}

bool follow_repo_stale(const struct follow_repo *f)
{
	for (unsigned i = 0; i < FOLLOW_LANES; i++)
		if (log_writer_stale(f->writers[i]))
			return true;
	return false;
}

int follow_repo_covered(
    struct follow_repo *f, uint32_t timeline, uint64_t from, uint64_t *to, struct err *e)
{
	struct log_at *v;
	size_t n;

	*to = from;
	if (log_list(f->r, f->stream, &v, &n, e) == -1)
		return -1;
	/* By start: one that reaches further may come after one that begins where it does. */
	for (size_t i = 0; i < n; i++)
		if (v[i].kind == LOG_SEGMENT && v[i].timeline == timeline && v[i].start <= *to &&
		    v[i].end > *to)
			*to = v[i].end;
	free(v);
	return 0;
}

int follow_repo_read(struct follow_repo *f, uint32_t timeline, uint64_t from, uint64_t to,
    struct buf *out, struct err *e)
{
	struct log_reader *rd;
	uint64_t have;
	int rc;

	if (log_reader_open(f->r, f->stream, &rd, e) == -1)
		return -1;
	rc = log_reader_get(rd, timeline, from, to, out, &have, e);
	log_reader_close(rd);
	return rc;
}

int follow_repo_same(
    struct follow_repo *f, uint32_t timeline, uint64_t from, struct span bytes, struct err *e)
{
	struct log_piece p = {.timeline = timeline,
	    .start = from,
	    .end = from + bytes.n,
	    .kind = LOG_SEGMENT,
	    .bytes = bytes};
	enum log_put_outcome outcome;

	memcpy(p.stream, f->stream, LOG_STREAM);
	return log_put(f->r, &p, &outcome, e);
}

int follow_repo_fold(struct follow_repo *f, int64_t age_ns, size_t max, struct log_fold **fold,
    bool *left, struct err *e)
{
	size_t gone;

	if (repo_role(f->r) != ROLE_FULL)
		return err_set(e, ERR_WRONG_KEY, "only a full key deletes what it has put");
	if (*fold == NULL && log_fold_begin(f->r, f->stream, age_ns, fold, e) == -1)
		return -1;
	return log_fold_some(*fold, f->r, max, &gone, left, e);
}

int follow_repo_before(struct follow_repo *f, uint32_t timeline, uint64_t position, uint32_t *found,
    uint64_t *end, struct err *e)
{
	struct log_at *v;
	size_t n;

	*found = 0;
	*end = 0;
	if (log_list(f->r, f->stream, &v, &n, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (v[i].kind == LOG_SEGMENT && v[i].timeline <= timeline &&
		    v[i].start < position &&
		    (v[i].timeline > *found || (v[i].timeline == *found && v[i].end > *end))) {
			*found = v[i].timeline;
			*end = v[i].end;
		}
	free(v);
	return 0;
}
