/*
 * instant_set: the files of an instant recovery that are not complete yet, found by the inode of
 * their local file.
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_INSTANT_SET_H
#define HF_ENGINE_INSTANT_SET_H

#include <sys/stat.h>

#include "engine/instant_file.h"

struct instant_set;

struct instant_set *instant_set_new(void);
void instant_set_free(struct instant_set *s); /* NULL does nothing */

/* Who is told, without the lock, that a file was dropped; before anything else is done. */
void instant_set_on_drop(struct instant_set *s, void (*dropped)(void *arg, uint32_t n), void *arg);

/* Takes the reference.  `path` is below the folder, and stays its own until it is dropped. */
void instant_set_add(struct instant_set *s, const struct stat *st, uint32_t n, const char *path,
    struct instant_file *f);

/* A new reference, or NULL: it is complete, or was never of this.  *n: its number. */
struct instant_file *instant_set_find(struct instant_set *s, const struct stat *st, uint32_t *n);

/* Any that is below a folder, or the one that began with that name.  A new reference, or NULL. */
struct instant_file *instant_set_below(struct instant_set *s, const char *folder, uint32_t *n);
struct instant_file *instant_set_named(struct instant_set *s, const char *path, uint32_t *n);

/* The file of that number is complete, or its name is gone. */
void instant_set_drop(struct instant_set *s, uint32_t n);

/*
 * One to copy from next: most asked for, then smallest, and not one of which only damaged blocks
 * are left.  A new reference, or NULL: there is none.
 */
struct instant_file *instant_set_next(struct instant_set *s, uint32_t *n);

size_t instant_set_count(struct instant_set *s, uint64_t *left); /* bytes */

/* All of which blocks are damaged; and give up that opinion. */
typedef void instant_set_see(void *arg, uint32_t n, struct instant_file *f);
void instant_set_bad(struct instant_set *s, instant_set_see *see, void *arg);
void instant_set_forgive(struct instant_set *s);

#endif
