/*
 * instant_content: where the blocks of an instant recovery come from: the files of a snapshot, read
 * at any offset, each found again by its path.
 *
 * Threads: any; who asks waits for others of his kind (enum instant_who).
 */
#ifndef HF_ENGINE_INSTANT_CONTENT_H
#define HF_ENGINE_INSTANT_CONTENT_H

#include "engine/instant_file.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

struct instant_content;

/* Borrows both; `root` is the directory in the snapshot that paths are below, "/" or "/name". */
struct instant_content *instant_content_new(
    struct repo *r, const struct snapshot *s, const char *root);
void instant_content_free(struct instant_content *c); /* NULL does nothing */

/* The next number's path, below root; before anything is fetched. */
void instant_content_add(struct instant_content *c, const char *path);

/* Nobody needs that one any more: what is known of it is given up.  arg is the instant_content. */
void instant_content_done(void *arg, uint32_t n);

const char *instant_content_path(const struct instant_content *c, uint32_t n); /* in the snapshot */

instant_fetch instant_content_fetch; /* arg is the instant_content */

#endif
