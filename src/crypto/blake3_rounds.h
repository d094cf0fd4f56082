/*
 * blake3_rounds: the seven rounds of the compression function, once for words
 * and for vectors of words.  Whoever includes it defines ADD, XOR and the
 * rotations to the right ROT16, ROT12, ROT8 and ROT7.
 */
#ifndef HF_CRYPTO_BLAKE3_ROUNDS_H
#define HF_CRYPTO_BLAKE3_ROUNDS_H

/* The quarter round: two words of the message into one column or diagonal of v. */
#define BLAKE3_G(v, a, b, c, d, x, y)                                                              \
	do {                                                                                       \
		v[a] = ADD(ADD(v[a], v[b]), x);                                                    \
		v[d] = ROT16(XOR(v[d], v[a]));                                                     \
		v[c] = ADD(v[c], v[d]);                                                            \
		v[b] = ROT12(XOR(v[b], v[c]));                                                     \
		v[a] = ADD(ADD(v[a], v[b]), y);                                                    \
		v[d] = ROT8(XOR(v[d], v[a]));                                                      \
		v[c] = ADD(v[c], v[d]);                                                            \
		v[b] = ROT7(XOR(v[b], v[c]));                                                      \
	} while (0)

#define BLAKE3_ROUND(v, m, m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, ma, mb, mc, md, me, mf)         \
	do {                                                                                       \
		BLAKE3_G(v, 0, 4, 8, 12, m[m0], m[m1]);                                            \
		BLAKE3_G(v, 1, 5, 9, 13, m[m2], m[m3]);                                            \
		BLAKE3_G(v, 2, 6, 10, 14, m[m4], m[m5]);                                           \
		BLAKE3_G(v, 3, 7, 11, 15, m[m6], m[m7]);                                           \
		BLAKE3_G(v, 0, 5, 10, 15, m[m8], m[m9]);                                           \
		BLAKE3_G(v, 1, 6, 11, 12, m[ma], m[mb]);                                           \
		BLAKE3_G(v, 2, 7, 8, 13, m[mc], m[md]);                                            \
		BLAKE3_G(v, 3, 4, 9, 14, m[me], m[mf]);                                            \
	} while (0)

/* Each line is the one before, permuted (2.2 of the specification, table 2). */
#define BLAKE3_ROUNDS(v, m)                                                                        \
	do {                                                                                       \
		BLAKE3_ROUND(v, m, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);          \
		BLAKE3_ROUND(v, m, 2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8);          \
		BLAKE3_ROUND(v, m, 3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1);          \
		BLAKE3_ROUND(v, m, 10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6);          \
		BLAKE3_ROUND(v, m, 12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4);          \
		BLAKE3_ROUND(v, m, 9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7);          \
		BLAKE3_ROUND(v, m, 11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13);          \
	} while (0)

#endif
