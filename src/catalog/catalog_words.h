/*
 * catalog_words: what an index of three letters in a row is asked for a text.
 *
 * Some of its threes, side by side, and not all that overlap: each costs as much as there are
 * names that have it, and what is found is matched whole anyway.
 *
 * PostgreSQL's pg_trgm knows letters and digits alone, of words that anything else parts; there a
 * text whose words are all too short is asked for as it is.
 *
 * Threads: any; no state.
 */
#ifndef HF_CATALOG_WORDS_H
#define HF_CATALOG_WORDS_H

#include <stdbool.h>

#include "base/buf.h"

enum { CATALOG_WORDS = 12 };

struct catalog_words {
	struct span v[CATALOG_WORDS]; /* borrowed from the text */
	size_t n;
};

/* Of a text of catalog_text; false: it has fewer than three letters. */
bool catalog_words_of(struct catalog_words *out, struct span text, bool server);

/* "abc" "def": for FTS5. */
void catalog_words_match(struct buf *out, const struct catalog_words *w);
/* %abc%, for LIKE ... ESCAPE '\' */
void catalog_words_like(struct buf *out, struct span word);

#endif
