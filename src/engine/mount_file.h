/*
 * mount_file: a file's content, read from any offset.
 *
 * Opening looks up where each blob begins.  A few whole blobs are kept,
 * verified, for all files together, because the kernel asks for 128 KiB at a
 * time.
 *
 * Threads: one owner, the reader's.
 */
#ifndef HF_ENGINE_MOUNT_FILE_H
#define HF_ENGINE_MOUNT_FILE_H

#include "engine/mount_tree.h"

struct mount_blobs;
struct mount_blobs *mount_blobs_new(struct reader *rd); /* borrows */
void mount_blobs_free(struct mount_blobs *b);           /* NULL does nothing */

struct mount_file;

/* NULL, with ERR_CORRUPT, if the blobs are not what the entry says. */
struct mount_file *mount_file_open(struct reader *rd, struct mount_item *it, struct err *e);
void mount_file_close(struct mount_file *f); /* NULL does nothing */

/* Append n bytes from off, less at the end of the file, to out. */
int mount_file_read(struct mount_file *f, struct mount_blobs *blobs, uint64_t off, size_t n,
    struct buf *out, struct err *e);

#endif
