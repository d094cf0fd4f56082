/*
 * writer_feed: sealed frames on their way to one of several repositories.
 *
 * A run that feeds several (writer_follow) gives each a queue and a thread, so
 * that one which is slow or dead holds up no other: if the lanes had to wait
 * for it for too long, or it fails, it is given up, and what still comes for it
 * is dropped.
 *
 * Threads: put from any; the rest by the run's own, end and free when no lane is at work.
 */
#ifndef HF_REPO_WRITER_FEED_H
#define HF_REPO_WRITER_FEED_H

#include "repo/pack.h"
#include "repo/writer.h"

struct writer_feed;

/* A thread that takes frames to `w`, of lanes of these parameters; NULL with *e if none can be had.
 */
struct writer_feed *writer_feed_new(struct writer *w, const struct writer_params *p, struct err *e);
void writer_feed_free(struct writer_feed *f); /* NULL does nothing */

/* Room for a sealed frame of n bytes: memory goes round, as fresh pages cost more than sealing. */
struct buf writer_feed_box(struct writer_feed *f, size_t n);

/* The frame is copied; `box` is taken, and empty then.  The sealed key outlives the feed. */
void writer_feed_put(struct writer_feed *f, const struct pack_frame *frame,
    const struct pack_blob *blobs, const uint8_t *sealed_key, struct buf *box);

/* Given up: from now on what comes is dropped.  The first reason stays. */
void writer_feed_lose(struct writer_feed *f, enum writer_loss loss, const struct err *why);
enum writer_loss writer_feed_lost(struct writer_feed *f, struct err *why);

/* Everything was put: wait until all of it is taken, or it is given up. */
void writer_feed_end(struct writer_feed *f);

#endif
