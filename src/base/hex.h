/* hex, base64: bytes as text.  Values only. */
#ifndef HF_BASE_HEX_H
#define HF_BASE_HEX_H

#include "base/span.h"

/* Lower-case digits and a NUL into out, which has 2n + 1 bytes.  Returns out. */
char *hex_encode(char *out, const void *p, size_t n);

/* Exactly n bytes from 2n digits of either case; false if s is not that. */
bool hex_decode(void *out, size_t n, const char *s);

/* Standard base64 with padding; returns new text. */
char *base64_encode(struct span s);

/* Returns new bytes with *n set, or NULL if s is no base64. */
uint8_t *base64_decode(const char *s, size_t *n);

/* Is it well-formed UTF-8 (no surrogates, no overlong forms, no NUL)? */
bool utf8_valid(struct span s);

#endif
