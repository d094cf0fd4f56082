/* catalog_words: see catalog_words.h. */
#include "catalog/catalog_words.h"

#include <ctype.h>
#include <string.h>

#include "catalog/catalog_text.h"

enum { LETTERS = 3 };

/* How many bytes its first letters are; 0: it has fewer. */
static size_t first_letters(struct span s)
{
	uint32_t code;
	size_t n = 0;

	for (int i = 0; i < LETTERS; i++) {
		size_t k = n < s.n ? catalog_text_step(span_of(s.p + n, s.n - n), &code) : 0;

		if (k == 0)
			return 0;
		n += k;
	}
	return n;
}

static struct span last_letters(struct span s)
{
	const uint8_t *p = s.p + s.n;

	for (int i = 0; i < LETTERS; i++)
		do
			p--;
		while ((*p & 0xc0) == 0x80);
	return span_of(p, (size_t)(s.p + s.n - p));
}

static void add(struct catalog_words *w, struct span word)
{
	if (w->n < CATALOG_WORDS)
		w->v[w->n++] = word;
}

/* Side by side; the last may overlap with the one before. */
static void cover(struct catalog_words *w, struct span s)
{
	struct span left = s;
	size_t k;

	if (first_letters(s) == 0)
		return;
	for (; (k = first_letters(left)) > 0; left = span_of(left.p + k, left.n - k))
		add(w, span_of(left.p, k));
	if (left.n > 0)
		add(w, last_letters(s));
}

static size_t word_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] >= 0x80 || isalnum(s.p[n])))
		n++;
	return n;
}

bool catalog_words_of(struct catalog_words *out, struct span text, bool server)
{
	out->n = 0;
	if (first_letters(text) == 0)
		return false;
	if (!server) {
		cover(out, text);
		return true;
	}
	for (struct span s = text; s.n > 0;) {
		size_t n = word_length(s), step = n ? n : 1;

		/* A short one is as good with where it begins. */
		if (n == 2 && s.p > text.p)
			add(out, span_of(s.p - 1, n + 1));
		cover(out, span_of(s.p, n));
		s = span_of(s.p + step, s.n - step);
	}
	if (out->n == 0)
		add(out, text);
	return true;
}

void catalog_words_match(struct buf *out, const struct catalog_words *w)
{
	for (size_t i = 0; i < w->n; i++) {
		buf_put_u8(out, '"');
		for (size_t k = 0; k < w->v[i].n; k++) {
			if (w->v[i].p[k] == '"')
				buf_put_u8(out, '"');
			buf_put_u8(out, w->v[i].p[k]);
		}
		buf_put(out, "\" ", 2);
	}
}

void catalog_words_like(struct buf *out, struct span word)
{
	buf_put_u8(out, '%');
	for (size_t i = 0; i < word.n; i++) {
		if (strchr("%_\\", word.p[i]))
			buf_put_u8(out, '\\');
		buf_put_u8(out, word.p[i]);
	}
	buf_put_u8(out, '%');
}
