/*
 * pack: one pack being written: frames in, an object out (format.md 5).
 * And the header and directory of one that exists, read back.
 *
 * Threads: one owner, or the owner's lock.
 */
#ifndef HF_REPO_PACK_H
#define HF_REPO_PACK_H

#include "repo/index.h"
#include "repo/repo.h"

struct pack_writer;

/*
 * `slots` are the sealed data keys that its frames will name, in order; the
 * directory is sealed for the domain of that tag.
 */
int pack_writer_open(struct repo *r, uint64_t domain, enum format_type type,
    const uint8_t *const *slots, size_t nslots, struct pack_writer **out, struct err *e);
/*
 * The same for a stretch of a log: it grows in `into`, which is reset first and is whole, but not
 * stored, after close; `place` is signed with it.  The caller names and stores it.
 */
int pack_writer_open_log(struct repo *r, uint64_t domain, const uint8_t place[FORMAT_PLACE],
    const uint8_t *sealed_key, struct buf *into, struct pack_writer **out, struct err *e);
void pack_writer_abort(struct pack_writer *w); /* NULL does nothing */

/* Append a sealed frame. */
int pack_writer_add(struct pack_writer *w, const struct pack_frame *frame,
    const struct pack_blob *blobs, struct span box, struct err *e);

/* Is there room for one more?  There is always for the first. */
bool pack_writer_fits(const struct pack_writer *w, const struct pack_frame *frame);

/* Is this a good place to close: large enough, and little padding needed? */
bool pack_writer_full(const struct pack_writer *w);

/*
 * Close it: directory, padding, trailer, name.  Durable at the store's next
 * sync.  `out` describes it for the index; it borrows from w, which is freed
 * by pack_writer_free.
 */
int pack_writer_close(struct pack_writer *w, struct index_pack *out, struct err *e);
uint64_t pack_writer_parity(const struct pack_writer *w); /* bytes of its parity, once closed */
void pack_writer_free(struct pack_writer *w);

/*
 * Read header and directory of a stored pack of `size` bytes, check seal and
 * signature; `hold` keeps the header's bytes that out->slots point to.  Whose
 * it is stands in out->origin.
 */
int pack_read_directory(struct repo *r, enum format_type type, const struct id *id, uint64_t size,
    struct pack_dir *dir, struct buf *hold, struct index_pack *out, struct err *e);

/* The same of an object of that name: a log's has more in it than the id. */
int pack_read_directory_of(struct repo *r, enum format_type type, const char *name, uint64_t size,
    struct pack_dir *dir, struct buf *hold, struct index_pack *out, struct err *e);

/* The same from the pack's whole bytes, e.g. after they were hashed. */
int pack_parse_directory(struct repo *r, enum format_type type, struct span whole,
    struct pack_dir *dir, struct index_pack *out, struct err *e);

#endif
