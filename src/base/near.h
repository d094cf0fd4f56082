/*
 * near: which known word somebody may have meant by an unknown one.
 *
 * Threads: any.
 */
#ifndef HF_BASE_NEAR_H
#define HF_BASE_NEAR_H

#include <stddef.h>

/* Letters to insert, drop or exchange to make one word from the other; 64 is far. */
size_t near_distance(const char *a, const char *b);

/*
 * Keeps the better of two guesses, of which *least says how far it is (64 at first); near is at
 * most a quarter of the letters and one, or a prefix.
 */
void near_consider(const char *word, const char *name, const char **best, size_t *least);

#endif
