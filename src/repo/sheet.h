/*
 * sheet: what a repository needs to be opened when `config` (or its key
 * objects) are lost, as lines that can be printed and typed in again
 * (format.md 3.6).  Each line has its own checksum, so that a typing error is
 * told by its line.  Nothing on it is secret; a bundle stays sealed.
 *
 * Threads: one owner.
 */
#ifndef HF_REPO_SHEET_H
#define HF_REPO_SHEET_H

#include "base/buf.h"
#include "base/ctx.h"
#include "base/err.h"

/* Lines of a block: its letter and number, groups of letters, a checksum. */
void sheet_encode(char block, struct span bytes, struct buf *out);

/*
 * The bytes of a block in a text; lines of other things are passed over.
 * 1, 0 there is no such block, -1 with the line that is wrong or missing.
 */
int sheet_decode(char block, struct span text, struct buf *out, struct err *e);

/* The blocks of a repository's sheet. */
enum { SHEET_CONFIG = 'C', SHEET_KEY = 'K' };

struct repo;
struct store;

/* The whole sheet; with `key`, the sealed bundle of the key in use too. */
int sheet_export(struct repo *r, bool key, struct buf *out, struct err *e);

/*
 * Put back what a store lacks of what the sheet holds; the text of a config is as good
 * as its sheet.  A config that is
 * there, whole, of the same root key and no older is not replaced: ERR_EXISTS.
 */
struct sheet_import {
	bool config, key; /* put back */
	unsigned long long revision;
};
int sheet_import(
    struct store *s, struct span text, struct ctx *ctx, struct sheet_import *out, struct err *e);

#endif
