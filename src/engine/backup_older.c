/* backup_older: see backup_older.h.  Its server's past is in backup_older_past.c. */
#include "engine/backup_older.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "engine/tree_path.h"
#include "engine/tree_walk.h"
#include "source/pg_label.h"
#include "source/pg_layout.h"

enum { SLOTS = 16 };

/* A file that pages were taken of, and the chunk that was fetched last; one call has it at a time.
 */
struct slot {
	char *file; /* NULL: none */
	bool busy;
	uint64_t size, used;
	struct id *ids;
	uint64_t *at; /* where each begins, and the end: n + 1 */
	size_t n, cap;
	struct buf chunk;
	size_t which; /* of the ids; n: none */
};

struct backup_older {
	struct repo *repo;
	const struct snapshot *snapshot;
	const struct snapshot_part *part;
	struct reader *reader; /* of the manifest */
	/*
	 * The lock is for choosing alone: who reads has a slot and a reader for itself, of which
	 * there are no more than have been at work at once.
	 */
	struct slot slots[SLOTS];
	struct reader *idle[SLOTS];
	size_t nidle;
	uint64_t clock;
	pthread_mutex_t lock;
	pthread_cond_t given_back;
};

static struct reader *new_reader(const struct backup_older *o)
{
	struct reader *rd = reader_new(o->repo);

	reader_set_domain(rd, snapshot_domain(o->snapshot));
	return rd;
}

struct backup_older *backup_older_new(
    struct repo *r, const struct snapshot *s, const struct snapshot_part *part)
{
	struct backup_older *o = mem_zalloc(sizeof *o);

	o->repo = r;
	o->snapshot = s;
	o->part = part;
	o->reader = new_reader(o);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->given_back, NULL);
	return o;
}

static void forget(struct slot *s)
{
	free(s->file);
	free(s->ids);
	free(s->at);
	buf_fini(&s->chunk);
	s->file = NULL;
	s->ids = NULL;
	s->at = NULL;
	s->n = s->cap = s->which = 0;
}

void backup_older_free(struct backup_older *o)
{
	for (size_t i = 0; o != NULL && i < SLOTS; i++)
		forget(&o->slots[i]);
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->nidle; i++)
		reader_free(o->idle[i]);
	reader_free(o->reader);
	pthread_cond_destroy(&o->given_back);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

/* ---- The manifest. */

struct naming {
	struct buf *out;
	const json_t *without;
	bool any;
};

static bool is_without(const json_t *list, const char *file)
{
	const json_t *x;
	size_t i;

	json_array_foreach(list, i, x)
	{
		const char *other = json_string_value(json_object_get(x, "file"));

		if (other != NULL && strcmp(other, file) == 0)
			return true;
	}
	return false;
}

/* The server asks for relations' files alone, and of those only whether they were there. */
static bool is_named(const struct naming *m, char *file)
{
	char *slash = strrchr(file, '/');
	uint32_t segment;
	bool yes;

	if (slash == NULL ||
	    file[strspn(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "0123456789._/-")] != '\0')
		return false;
	*slash = '\0';
	yes = pg_layout_relation(file, slash + 1, &segment);
	*slash = '/';
	return yes && !is_without(m->without, file);
}

static int name_entry(
    void *arg, struct span path, const struct entry *en, const struct tree_ref *ref, struct err *e)
{
	struct naming *m = arg;
	char *file;

	if (en->type != ENTRY_FILE || path.n < 2)
		return 0;
	file = mem_strndup((const char *)path.p + 1, path.n - 1);
	if (is_named(m, file)) {
		buf_printf(m->out, "%s{ \"Path\": \"%s\", \"Size\": %llu }", m->any ? ",\n" : "",
		    file, (unsigned long long)en->size);
		m->any = true;
	}
	free(file);
	return 0;
}

/* Its last line is a checksum of those before. */
static void end_manifest(struct backup_older *o, struct buf *out)
{
	char start[PG_LSN_TEXT], end[PG_LSN_TEXT], hex[2 * 32 + 1];
	uint8_t sum[32];

	buf_printf(out,
	    "\n],\n\"WAL-Ranges\": [\n{ \"Timeline\": %u, \"Start-LSN\": \"%s\", "
	    "\"End-LSN\": \"%s\" }\n],\n",
	    (unsigned)o->part->timeline, pg_lsn_text(start, o->part->log_start),
	    pg_lsn_text(end, o->part->log_end));
	crypto_sha256(buf_span(out), sum);
	buf_printf(out, "\"Manifest-Checksum\": \"%s\"}\n", hex_encode(hex, sum, sizeof sum));
}

int backup_older_manifest(struct backup_older *o, uint64_t system, const json_t *without,
    struct ctx *ctx, struct buf *out, struct err *e)
{
	struct naming m = {.out = out, .without = without};
	struct tree_walk w = {
	    .reader = o->reader, .ctx = ctx, .recursive = true, .visit = name_entry, .arg = &m};

	buf_printf(out,
	    "{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n\"System-Identifier\": %llu,\n"
	    "\"Files\": [\n",
	    (unsigned long long)system);
	if (tree_walk(&w, &o->part->tree, "/", e) == -1)
		return -1;
	end_manifest(o, out);
	return 0;
}

/* ---- Pages. */

static int add_id(void *arg, const struct id *id, struct err *e)
{
	struct slot *s = arg;

	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->ids = mem_realloc(s->ids, s->cap * sizeof *s->ids);
	}
	s->ids[s->n++] = *id;
	return 0;
}

/* How long each chunk is, the index says. */
static int measure(struct reader *rd, struct slot *s, struct err *e)
{
	struct index_place place;

	s->at = mem_zalloc((s->n + 1) * sizeof *s->at);
	for (size_t i = 0; i < s->n; i++) {
		int rc = reader_find_near(rd, &s->ids[i], &place, e);

		if (rc != 1)
			return rc == -1 ? -1 : err_set(e, ERR_CORRUPT, "a chunk of it is gone");
		s->at[i + 1] = s->at[i] + place.blob_len;
	}
	return s->at[s->n] == s->size ? 0 : err_set(e, ERR_CORRUPT, "its chunks are not its size");
}

static int open_slot(const struct backup_older *o, struct reader *rd, struct slot *s,
    const char *file, struct err *e)
{
	bool many = o->snapshot->nparts > 1;
	char *path = mem_printf("/%s%s%s", many ? o->part->name : "", many ? "/" : "", file);
	struct tree_path at;
	int rc = tree_path_find(rd, o->snapshot, path, &at, e);

	free(path);
	if (rc == -1)
		return -1;
	s->size = at.entry.size;
	if (at.entry.type != ENTRY_FILE)
		rc = err_set(e, ERR_CORRUPT, "it is no file");
	else if (at.ref.n > 0)
		rc = tree_content(reader_tree_get, rd, &at.ref, add_id, s, e);
	tree_path_fini(&at);
	if (rc == 0)
		rc = measure(rd, s, e);
	s->which = s->n;
	s->file = mem_strdup(file);
	return rc;
}

/* That of the file, else the one that was used longest ago; NULL: all are at work. */
static struct slot *free_slot(struct backup_older *o, const char *file)
{
	struct slot *oldest = NULL;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &o->slots[i];

		if (s->busy)
			continue;
		if (s->file != NULL && strcmp(s->file, file) == 0)
			return s;
		if (oldest == NULL || s->used < oldest->used)
			oldest = s;
	}
	return oldest;
}

static struct slot *take_slot(struct backup_older *o, const char *file, struct reader **rd)
{
	struct slot *s;

	pthread_mutex_lock(&o->lock);
	while ((s = free_slot(o, file)) == NULL)
		pthread_cond_wait(&o->given_back, &o->lock);
	s->busy = true;
	*rd = o->nidle > 0 ? o->idle[--o->nidle] : NULL;
	pthread_mutex_unlock(&o->lock);
	if (*rd == NULL)
		*rd = new_reader(o);
	return s;
}

static void give_back(struct backup_older *o, struct slot *s, struct reader *rd)
{
	pthread_mutex_lock(&o->lock);
	s->busy = false;
	s->used = ++o->clock;
	o->idle[o->nidle++] = rd;
	pthread_cond_signal(&o->given_back);
	pthread_mutex_unlock(&o->lock);
}

/* The chunk that holds this position. */
static int fetch(struct reader *rd, struct slot *s, uint64_t pos, struct err *e)
{
	size_t lo = 0, hi = s->n;
	struct span blob;

	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (s->at[mid] <= pos)
			lo = mid;
		else
			hi = mid;
	}
	if (s->which == lo)
		return 0;
	s->which = s->n;
	buf_reset(&s->chunk);
	if (reader_blob(rd, PURPOSE_CONTENT, &s->ids[lo], &blob, e) == -1)
		return -1;
	if (blob.n != s->at[lo + 1] - s->at[lo])
		return err_set(e, ERR_CORRUPT, "a chunk of it is of another size");
	buf_put_span(&s->chunk, blob);
	s->which = lo;
	return 0;
}

static int read_slot(
    struct reader *rd, struct slot *s, uint64_t from, size_t n, uint8_t *out, struct err *e)
{
	while (n > 0 && from < s->size) {
		uint64_t in, have;

		if (fetch(rd, s, from, e) == -1)
			return -1;
		in = from - s->at[s->which];
		have = s->chunk.n - in;
		have = have < n ? have : n;
		memcpy(out, s->chunk.p + in, have);
		out += have;
		from += have;
		n -= have;
	}
	memset(out, 0, n);
	return 0;
}

int backup_older_read(
    struct backup_older *o, const char *file, uint64_t from, size_t n, void *out, struct err *e)
{
	struct reader *rd;
	struct slot *s = take_slot(o, file, &rd);
	int rc = 0;

	if (s->file == NULL || strcmp(s->file, file) != 0) {
		forget(s);
		rc = open_slot(o, rd, s, file, e);
	}
	if (rc == 0)
		rc = read_slot(rd, s, from, n, out, e);
	else
		forget(s);
	give_back(o, s, rd);
	return rc;
}
