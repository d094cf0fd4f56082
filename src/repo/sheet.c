/* sheet: see sheet.h. */
#include "repo/sheet.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "repo/config_lease.h"
#include "repo/repo_internal.h"

enum {
	LINE = 30,
	LINE_MAX = 64,
	CHECK = 4,
	HEAD = 17,
	BYTES_MAX = CONFIG_MAX,
	LINES = (HEAD + BYTES_MAX) / LINE + 1
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* 20 bits of a hash of the line's name and bytes. */
static void checksum(char block, size_t number, struct span s, char out[CHECK + 1])
{
	struct buf b = {0};
	uint8_t h[32];

	buf_printf(&b, "%c%zu ", block, number);
	buf_put_span(&b, s);
	crypto_sha256(buf_span(&b), h);
	for (size_t i = 0; i < CHECK; i++) {
		unsigned bits = (unsigned)(h[0] << 16 | h[1] << 8 | h[2]) >> (19 - 5 * i);

		out[i] = digits[bits & 31];
	}
	out[CHECK] = '\0';
	buf_fini(&b);
}

/* 5 bytes are 8 letters; s is a multiple of that. */
static void put_line(char block, size_t number, struct span s, struct buf *out)
{
	char check[CHECK + 1];

	buf_printf(out, "%c%02zu ", block, number);
	for (size_t i = 0; i < s.n; i += 5) {
		uint64_t v = 0;

		for (size_t k = 0; k < 5; k++)
			v = v << 8 | s.p[i + k];
		for (size_t k = 0; k < 8; k++) {
			if (k % 4 == 0)
				buf_put_u8(out, ' ');
			buf_put_u8(out, (uint8_t)digits[v >> (35 - 5 * k) & 31]);
		}
	}
	checksum(block, number, s, check);
	buf_printf(out, "  %s\n", check);
}

/* A head (codec, hash, lengths), then the bytes, compressed if that helps. */
void sheet_encode(char block, struct span bytes, struct buf *out)
{
	struct codec *codec = codec_new();
	struct buf all = {0}, packed = {0};
	uint8_t h[32];
	size_t n;

	buf_reserve(&packed, codec_bound(bytes.n));
	n = codec_compress(codec, CODEC_GZIP, 9, bytes, packed.p);
	packed.n = n;
	crypto_sha256(bytes, h);
	buf_put_u8(&all, n ? CODEC_GZIP : CODEC_NONE);
	buf_put(&all, h, 8);
	buf_put_u32(&all, (uint32_t)bytes.n);
	buf_put_u32(&all, (uint32_t)(n ? n : bytes.n));
	buf_put_span(&all, n ? buf_span(&packed) : bytes);
	buf_put_zeros(&all, (5 - all.n % 5) % 5);
	for (size_t at = 0, line = 1; at < all.n; at += LINE, line++)
		put_line(
		    block, line, span_of(all.p + at, all.n - at < LINE ? all.n - at : LINE), out);
	buf_fini(&all);
	buf_fini(&packed);
	codec_free(codec);
}

/* ---- Back again. */

/* What is easily mistaken for a letter is that letter. */
static int digit_of(int c)
{
	const char *at;

	c = toupper(c);
	c = c == '0' ? 'O' : c == '1' ? 'I' : c == '8' ? 'B' : c;
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* "C07" at the beginning of a line, and a space: its number, or 0. */
static size_t line_number(char block, const char *line)
{
	char *end;
	unsigned long n;

	if (toupper((unsigned char)line[0]) != block || !isdigit((unsigned char)line[1]))
		return 0;
	n = strtoul(line + 1, &end, 10);
	return isspace((unsigned char)*end) && n <= LINES ? n : 0;
}

/* The bytes of a line; false if it is not as it was printed. */
static bool get_line(char block, size_t number, const char *line, uint8_t out[LINE], size_t *n)
{
	uint8_t v[LINE_MAX];
	char check[CHECK + 1];
	size_t k = 0;

	for (line += strcspn(line, " \t"); *line; line++) {
		int d = digit_of((unsigned char)*line);

		if (isspace((unsigned char)*line) || *line == '-')
			continue;
		if (d < 0 || k == LINE_MAX)
			return false;
		v[k++] = (uint8_t)d;
	}
	if (k < CHECK + 8 || (k - CHECK) % 8 != 0 || (k - CHECK) / 8 * 5 > LINE)
		return false;
	*n = (k - CHECK) / 8 * 5;
	for (size_t i = 0; i < *n; i += 5) {
		uint64_t x = 0;

		for (size_t j = 0; j < 8; j++)
			x = x << 5 | v[i / 5 * 8 + j];
		for (size_t j = 0; j < 5; j++)
			out[i + j] = (uint8_t)(x >> (32 - 8 * j));
	}
	checksum(block, number, span_of(out, *n), check);
	for (size_t i = 0; i < CHECK; i++)
		if (digits[v[k - CHECK + i]] != check[i])
			return false;
	return true;
}

static int unpack(char block, struct span all, struct buf *out, struct err *e)
{
	struct cursor c = cursor_of(all);
	struct codec *codec;
	uint8_t id = cursor_u8(&c), h[32];
	struct span hash = cursor_bytes(&c, 8), data;
	uint32_t raw = cursor_u32(&c), n = cursor_u32(&c);
	int rc = 0;

	data = cursor_bytes(&c, n);
	if (c.bad)
		return err_set(e, ERR_USAGE, "sheet: line %c%02zu is missing", block,
		    (all.n + LINE - 1) / LINE + 1);
	if (raw > BYTES_MAX || (id != CODEC_NONE && id != CODEC_GZIP) ||
	    (id == CODEC_NONE && raw != n))
		return err_set(e, ERR_USAGE, "sheet: block %c is not one", block);
	buf_reset(out);
	if (id == CODEC_NONE) {
		buf_put_span(out, data);
	} else {
		codec = codec_new();
		rc = codec_decompress(codec, CODEC_GZIP, data, buf_extend(out, raw), raw, e);
		codec_free(codec);
	}
	crypto_sha256(buf_span(out), h);
	if (rc == -1 || memcmp(h, hash.p, 8) != 0)
		return err_set(e, ERR_USAGE, "sheet: block %c does not fit its checksum", block);
	return 0;
}

int sheet_decode(char block, struct span text, struct buf *out, struct err *e)
{
	char *copy = mem_strndup((const char *)text.p, text.n), *save = NULL;
	struct buf all = {0};
	size_t want = 1;
	int rc = -1;

	for (char *l = strtok_r(copy, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		uint8_t bytes[LINE];
		size_t number, n;

		l += strspn(l, " \t\r");
		number = line_number(block, l);
		if (number == 0 || number < want)
			continue;
		if (number > want) {
			err_set(e, ERR_USAGE, "sheet: line %c%02zu is missing", block, want);
			goto out;
		}
		if (!get_line(block, number, l, bytes, &n)) {
			err_set(
			    e, ERR_USAGE, "sheet: line %c%02zu has a typing error", block, want);
			err_hint(e, "compare that line letter by letter with the sheet");
			goto out;
		}
		buf_put(&all, bytes, n);
		want++;
	}
	rc = all.n == 0 ? 0 : unpack(block, buf_span(&all), out, e) == 0 ? 1 : -1;
out:
	buf_fini(&all);
	free(copy);
	return rc;
}

/* ---- A repository's sheet. */

static const char head[] =
    "HOLDFAST RECOVERY SHEET\n"
    "\n"
    "repository  %s\n"
    "location    %s\n"
    "config      revision %llu, epoch %u, %zu holder(s)\n"
    "printed     %s\n"
    "\n"
    "If the file `config` of this repository is lost, the lines below bring it back:\n"
    "  1. type or scan them into a file, each as it stands (case and spaces do not matter)\n"
    "  2. holdfast -r REPOSITORY key import FILE\n"
    "A line that is mistyped is told by its name. The password or key file is needed as\n"
    "before: nothing on this sheet opens the repository without it. Print a new sheet\n"
    "whenever keys were added, removed or rotated.\n"
    "\n";

/* What is printed must come back one day: better told now that it would not. */
static int read_back(char block, struct span bytes, const struct buf *sheet, struct err *e)
{
	struct buf got = {0};
	int rc = sheet_decode(block, buf_span(sheet), &got, e);

	if (rc == 1 && (got.n != bytes.n || memcmp(got.p, bytes.p, got.n) != 0))
		rc = err_set(e, ERR_BUG, "reads as something else");
	buf_fini(&got);
	return rc == 1 ? 0 : err_wrap(e, "this sheet could not be read again");
}

static int put_key(struct repo *r, struct buf *out, struct err *e)
{
	struct repo_key *keys = NULL;
	struct buf object = {0};
	size_t n = 0;
	int rc = -1;

	if (repo_keys_list(r, &keys, &n, e) == -1)
		goto out;
	err_set(e, ERR_ABSENT, "the key in use has no object in keys/");
	for (size_t i = 0; i < n && rc == -1; i++)
		if (keys[i].current && !keys[i].missing)
			rc = repo_get_object(r, FORMAT_KEY, &keys[i].object, &object, e);
	if (rc == 0) {
		buf_printf(out, "\nThe sealed key of holder %.8s:\n\n", r->holder_text);
		sheet_encode(SHEET_KEY, buf_span(&object), out);
		rc = read_back(SHEET_KEY, buf_span(&object), out, e);
	}
out:
	repo_keys_free(keys, n);
	buf_fini(&object);
	return rc;
}

int sheet_export(struct repo *r, bool key, struct buf *out, struct err *e)
{
	struct buf text = {0};
	struct config c;
	char now[40];
	int rc = -1;

	if (store_get_all(r->store, "config", CONFIG_MAX, &text, e) == -1 ||
	    config_parse(buf_span(&text), &c, e) == -1)
		goto out;
	rc = config_verify(&c, r->keys->root_public, e);
	if (rc == 0) {
		repo_time_text(repo_now(r), now);
		buf_printf(out, head, r->id_text, r->store->url, (unsigned long long)c.revision,
		    c.epoch, c.nwriters, now);
		sheet_encode(SHEET_CONFIG, buf_span(&text), out);
		rc = read_back(SHEET_CONFIG, buf_span(&text), out, e);
		if (rc == 0 && key)
			rc = put_key(r, out, e);
	}
	config_fini(&c);
out:
	buf_fini(&text);
	return rc;
}

struct belonging {
	struct store *store;
	const struct config *sheet;
	bool any, ours; /* key objects; one of a holder that the sheet knows */
};

static int look_at_key(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct belonging *b = arg;
	struct buf object = {0};
	struct key_info info;
	struct err ignored;

	if (store_get_all(b->store, key, FORMAT_SMALL_MAX, &object, &ignored) == 0 &&
	    key_read_info(buf_span(&object), &info, &ignored) == 0) {
		b->any = true;
		b->ours = b->ours || config_writer(b->sheet, info.holder) != NULL;
	}
	buf_fini(&object);
	return 0;
}

/* A config of another root key was swapped in, unless it is the sheet that is of elsewhere. */
static int refuse_elsewhere(struct store *s, const struct config *sheet, struct err *e)
{
	struct belonging b = {s, sheet, false, false};

	if (store_list(s, repo_type_folder(FORMAT_KEY), look_at_key, &b, e) == -1)
		return -1;
	if (!b.any || b.ours)
		return 0;
	err_set(e, ERR_EXISTS, "%s has a config and keys, none of them of this sheet: not replaced",
	    s->url);
	return err_hint(e, "is this the sheet of this repository?");
}

struct import {
	struct store *store;
	struct ctx *ctx;
	struct sheet_import *out;
	struct config_lease lease; /* held from looking at config until it is put */
	struct config_claim is;    /* what is there, by the same root key; else zeros */
	bool whole;                /* and it is no older */
	uint16_t epoch;            /* the sheet's */
};

/* Another root key's config was put there by somebody, or we are elsewhere. */
static int look_at_config(struct import *im, const struct config *sheet, struct err *e)
{
	struct config_claim is;
	struct buf text = {0};
	int rc = store_get_all(im->store, "config", CONFIG_MAX, &text, e);

	if (rc == -1 && e->kind == ERR_ABSENT) {
		rc = 0;
	} else if (rc == 0 && config_claim(buf_span(&text), &is)) {
		if (crypto_equal(is.root, sheet->root, CRYPTO_KEY)) {
			/* Whose epoch is higher opens what was made by either. */
			im->whole = is.epoch > sheet->epoch || is.revision > sheet->revision ||
				    (is.revision == sheet->revision && is.epoch == sheet->epoch);
			im->is = is;
		} else
			rc = refuse_elsewhere(im->store, sheet, e);
	}
	buf_fini(&text);
	return rc;
}

/* May this config be put?  Then it is our turn to. */
static int check_config(struct import *im, struct span text, struct err *e)
{
	struct config c;
	int rc;

	if (!config_is_signed(text))
		return err_set(e, ERR_USAGE, "sheet: its config is not signed by its root key");
	if (config_parse(text, &c, e) == -1)
		return -1;
	im->out->revision = c.revision;
	im->epoch = c.epoch;
	rc = config_lease_begin(&im->lease, im->store, im->ctx, config_lease_stored, im->store, e);
	if (rc == 0)
		rc = look_at_config(im, &c, e);
	config_fini(&c);
	return rc;
}

/* What is there is whole, and no older.  Returns -1. */
static int refuse_config(const struct import *im, struct span text, struct err *e)
{
	unsigned long long revision = im->out->revision;
	uint8_t self[32];

	crypto_sha256(text, self);
	if (memcmp(self, im->is.self, sizeof self) == 0 || im->is.revision > revision) {
		err_set(e, ERR_EXISTS, "%s has a config, and it is whole: not replaced",
		    im->store->url);
		if (im->is.revision > revision)
			err_hint(e,
			    "it is newer than this one, of revision %llu: if it cannot be read "
			    "here, use a newer holdfast",
			    revision);
		return -1;
	}
	err_set(e, ERR_EXISTS,
	    "%s has another config of revision %llu, epoch %llu, and this one has %llu, %u: not "
	    "replaced",
	    im->store->url, (unsigned long long)im->is.revision, (unsigned long long)im->is.epoch,
	    revision, im->epoch);
	return err_hint(e, "two holders changed it at the same time: with the one that is "
			   "there, do again what the other changed");
}

static int put_config(struct import *im, struct span text, struct err *e)
{
	if (im->whole && im->out->key)
		return 0;
	if (im->whole)
		return refuse_config(im, text, e);
	if (config_lease_check(&im->lease, e) == -1 ||
	    store_put(im->store, "config", text, 0, e) == -1)
		return -1;
	im->out->config = true;
	return 0;
}

/*
 * By this config, what names objects, and may this program put one?  One that is damaged says
 * nothing; nor does none.
 */
static int ask_config(struct span text, enum crypto_family *hash, struct err *e)
{
	struct config_claim is;
	struct config c;
	int rc = config_parse(text, &c, e);

	if (rc == -1)
		return e->kind == ERR_UNSUPPORTED && config_claim(text, &is) ? -1 : 0;
	*hash = c.object_hash;
	rc = repo_may_write_by(&c, e);
	config_fini(&c);
	return rc;
}

/* The store's config, and the sheet's, which counts more; failing both, the default. */
static int may_import_key(
    struct store *s, struct span sheet, enum crypto_family *hash, struct err *e)
{
	struct buf text = {0};
	struct err ignored;
	int rc = 0;

	*hash = CRYPTO_BLAKE3;
	if (store_get_all(s, "config", CONFIG_MAX, &text, &ignored) == 0)
		rc = ask_config(buf_span(&text), hash, e);
	if (rc == 0 && sheet.n > 0)
		rc = ask_config(sheet, hash, e);
	buf_fini(&text);
	return rc;
}

static int import_key(struct store *s, struct span object, struct span config,
    struct sheet_import *out, struct err *e)
{
	enum crypto_family hash;
	char name[REPO_NAME_MAX];
	struct key_info info;
	struct store_stat st;
	struct id id;

	if (may_import_key(s, config, &hash, e) == -1)
		return -1;
	if (key_read_info(object, &info, e) == -1)
		return err_wrap(e, "sheet");
	crypto_digest(hash, object, id.b);
	repo_object_name(name, FORMAT_KEY, &id);
	if (store_stat(s, name, &st, e) == 0)
		return 0;
	if (e->kind != ERR_ABSENT || store_put(s, name, object, STORE_NEW, e) == -1)
		return -1;
	out->key = true;
	return 0;
}

/* The blocks; or a config itself, as machines that used the repository keep it (seen.h). */
static int read_blocks(struct span text, struct buf *config, struct buf *key, bool *has_config,
    bool *has_key, struct err *e)
{
	int c = 1, k = 0;

	if (config_is_signed(text)) {
		buf_put_span(config, text);
	} else if ((c = sheet_decode(SHEET_CONFIG, text, config, e)) == -1 ||
		   (k = sheet_decode(SHEET_KEY, text, key, e)) == -1) {
		return -1;
	}
	*has_config = c == 1;
	*has_key = k == 1;
	if (c == 1 || k == 1)
		return 0;
	return err_set(e, ERR_USAGE, "not a sheet: it has no line that begins with C01");
}

int sheet_import(
    struct store *s, struct span text, struct ctx *ctx, struct sheet_import *out, struct err *e)
{
	struct import im = {.store = s, .ctx = ctx, .out = out};
	struct buf config = {0}, key = {0};
	bool has_config, has_key;
	int rc = -1;

	memset(out, 0, sizeof *out);
	/* All is read and looked at before anything is written. */
	if (read_blocks(text, &config, &key, &has_config, &has_key, e) == -1)
		goto out;
	if (has_config && check_config(&im, buf_span(&config), e) == -1)
		goto out;
	/* The key first: config is what makes it a repository. */
	if (has_key && import_key(s, buf_span(&key), buf_span(&config), out, e) == -1)
		goto out;
	rc = has_config ? put_config(&im, buf_span(&config), e) : 0;
out:
	config_lease_end(&im.lease, out->config);
	buf_fini(&config);
	buf_fini(&key);
	return rc;
}
