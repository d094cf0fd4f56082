/*
 * s3_put: objects into a bucket: whole, in parts, and never over another.
 *
 * Threads: any, but init and fini.
 */
#ifndef HF_STORE_S3_PUT_H
#define HF_STORE_S3_PUT_H

#include <pthread.h>

#include "store/s3.h"
#include "store/store_cold.h"

enum s3_conditional { S3_UNKNOWN, S3_HONOURED, S3_IGNORED };

struct s3_parts; /* a multipart upload that is not complete */

struct store_s3 {
	struct store base;
	struct s3 s3;
	pthread_mutex_t lock; /* guards what follows */
	enum s3_conditional if_none_match;
	struct s3_parts *unfinished; /* list */
};

void s3_put_init(struct store_s3 *s);
void s3_put_fini(struct store_s3 *s); /* aborts what is unfinished */

/* s3_cold.c: since when is it in its class?  And waking. */
void s3_date_class(const struct s3 *s, struct store_stat *st);
extern const struct store_cold_ops s3_cold_ops;

/* s3_list.c */
int s3_list(struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e);

int s3_put(struct store *st, const char *key, struct span data, unsigned flags, struct err *e);

/* One PUT; `conditional`: with If-None-Match, whatever that does. */
int s3_put_whole(
    struct store_s3 *s, const char *key, struct span data, bool conditional, struct err *e);

/* May objects of this name go in parts?  Their time must not matter (format.md 10.1). */
bool s3_key_in_parts(const char *key);

/* Uploads in parts that were begun and never ended, as ListMultipartUploads answers. */
struct s3_upload {
	char *key, *id; /* the key in the bucket: prefix and name */
};
struct s3_uploads {
	struct s3_upload *v;
	size_t n;
	char *next_key, *next_id; /* to ask for the next page with */
};
/* Adds those of a page that are the repository's and were begun then or before. */
int s3_uploads_read(struct span xml, const char *prefix, int64_t before_ns, struct s3_uploads *out,
    bool *more, struct err *e);
void s3_uploads_fini(struct s3_uploads *u);

/* Abort them. */
int s3_uploads_sweep(struct s3 *s, int64_t before_ns, uint64_t *removed, struct err *e);

/* Where s3_probe leaves word, and of which endpoint: a bucket may be copied to another's. */
#define S3_PROBE_NOTE "tmp/s3.json"

/*
 * Learn whether If-None-Match is honoured, by two puts of one object, and leave
 * word of it in the bucket (tmp/s3.json).  With `rights` also whether what is
 * needed is allowed: get and list; who may not delete is told that, no more.
 */
int s3_probe(struct store_s3 *s, bool rights, enum s3_conditional *out, struct err *e);
/* What such a word says of this endpoint; S3_UNKNOWN: nothing. */
enum s3_conditional s3_note_read(const struct store_s3 *s, const char *note);

/* s3_ask.c: about the bucket, or an object; what is asked is in the parameters. */
struct s3_ask {
	const char *method;
	const char *key; /* without the prefix; NULL: the bucket */
	const struct url_param *params;
	size_t nparams; /* 1 at least */
	struct span body;
	bool bypass; /* locks of governance, where the rights allow it */
};
int s3_ask(struct s3 *s, const struct s3_ask *q, struct http_answer *a, struct err *e);

/* The key in the bucket: prefix and name, in b. */
const char *s3_name(const struct s3 *s, const char *key, struct buf *b);

#endif
