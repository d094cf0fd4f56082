/* evidence_bundle: see evidence_bundle.h. */
#include "cli/evidence_bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "catalog/evidence_drill.h"
#include "catalog/evidence_key.h"
#include "catalog/evidence_statement.h"
#include "os/os.h"

enum { CHAIN_MAX = 1 << 30 };
static const char first[] = "{\"type\":\"bundle\",";

/* ---- Making one. */

static int add_drill(void *arg, json_t *record, struct span line, struct err *e)
{
	(void)record;
	(void)e;
	buf_put_span(arg, line);
	buf_put_u8(arg, '\n');
	return 0;
}

static int add_chain(const char *state, struct buf *out, struct err *e)
{
	char *path = evidence_path_log(state);
	int rc = os_read_file(path, CHAIN_MAX, out, e);

	/* What a crash left at the end is no record. */
	while (rc == 0 && out->n > 0 && out->p[out->n - 1] != '\n')
		out->n--;
	free(path);
	return rc;
}

int bundle_make(struct cli *c, const char *state, struct buf *out, struct err *e)
{
	struct evidence_head head;
	struct buf pem = {0};
	char *line = NULL, *text, when[CALENDAR_TEXT];
	json_t *o;
	size_t bad = 0;
	int rc = -1;

	if (evidence_head_now(state, c->ctx, &head, &line, e) == -1)
		return -1;
	evidence_public_text(&pem, head.key);
	calendar_format_utc(when, c->ctx->clock->wall_ns(c->ctx->clock));
	o = json_pack("{s:s, s:i, s:s, s:s}", "type", "bundle", "format", 1, "made", when,
	    "public_key", buf_cstr(&pem));
	text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	buf_printf(out, "%s\n", text);
	if (add_chain(state, out, e) == 0) {
		buf_printf(out, "%s\n", line);
		rc = evidence_drill_list(state, NULL, add_drill, out, &bad, e);
	}
	if (rc == 0 && bad > 0)
		rc = err_set(e, ERR_CORRUPT, "%zu records of drills cannot be read", bad);
	free(text);
	json_decref(o);
	free(line);
	buf_fini(&pem);
	return rc;
}

/* ---- Checking one. */

bool bundle_is(struct span text)
{
	return text.n > sizeof first && memcmp(text.p, first, sizeof first - 1) == 0;
}

struct said { /* of the chain: a drill's hash */
	char hash[EVIDENCE_DRILL_HASH];
	bool there;
};

struct checking {
	struct bundle_verdict *out;
	struct said *said;
	size_t nsaid;
	uint8_t (*keys)[CRYPTO_KEY]; /* that signed the chain */
	size_t nkeys;
};

static void add_key(struct checking *k, const uint8_t key[CRYPTO_KEY])
{
	for (size_t i = 0; i < k->nkeys; i++)
		if (memcmp(k->keys[i], key, CRYPTO_KEY) == 0)
			return;
	k->keys = mem_realloc(k->keys, (k->nkeys + 1) * sizeof *k->keys);
	memcpy(k->keys[k->nkeys++], key, CRYPTO_KEY);
}

/* Only of a record that was found whole. */
static void note_record(struct checking *k, struct span line)
{
	struct evidence_record r;
	struct err ignored;
	const char *hash;

	if (evidence_record_read(line, &r, &ignored) == -1)
		return;
	add_key(k, r.key);
	hash = r.action == EVIDENCE_DRILL ? statement_text(r.details, "record_sha256") : NULL;
	if (hash != NULL) {
		k->said = mem_realloc(k->said, (k->nsaid + 1) * sizeof *k->said);
		k->said[k->nsaid] = (struct said){.there = false};
		snprintf(k->said[k->nsaid++].hash, EVIDENCE_DRILL_HASH, "%.64s", hash);
	}
	evidence_record_fini(&r);
}

static void wrong(struct checking *k, const char *id, const char *what)
{
	if (k->out->wrong[0] == '\0')
		snprintf(k->out->wrong, sizeof k->out->wrong, "drill %.100s: %s", id, what);
}

static bool is_signed(struct checking *k, const json_t *o, struct span line)
{
	uint8_t key[CRYPTO_KEY];

	if (!statement_hex(o, "key", key, sizeof key) || !statement_verify(line, key))
		return false;
	for (size_t i = 0; i < k->nkeys; i++)
		if (memcmp(k->keys[i], key, CRYPTO_KEY) == 0)
			return true;
	return false;
}

static void check_drill(struct checking *k, const json_t *o, struct span line)
{
	const char *id = statement_text(o, "id") ? statement_text(o, "id") : "?";
	char hash[EVIDENCE_DRILL_HASH];
	uint8_t sum[32];
	bool found = false;

	crypto_sha256(line, sum);
	hex_encode(hash, sum, sizeof sum);
	for (size_t i = 0; i < k->nsaid; i++)
		if (strcmp(k->said[i].hash, hash) == 0)
			found = k->said[i].there = true;
	if (!is_signed(k, o, line))
		wrong(k, id, "altered, or signed by a key that the chain does not name");
	else if (!found)
		wrong(k, id, "the chain knows nothing of it, or of another");
	else
		k->out->drills++;
}

/* The next line, and the rest behind it; false: there is none. */
static bool cut(struct span *rest, struct span *line)
{
	const uint8_t *p = rest->p, *end = rest->n ? memchr(p, '\n', rest->n) : NULL;
	size_t n = end ? (size_t)(end - p) : rest->n;

	if (rest->n == 0)
		return false;
	*line = span_of(p, n);
	*rest = span_of(p + n + (end != NULL), rest->n - n - (end != NULL));
	return true;
}

static bool is_type(const json_t *o, const char *type)
{
	const char *s = statement_text(o, "type");

	return s != NULL && strcmp(s, type) == 0;
}

/* The chain's n-th record is told by its line of the bundle. */
static void place_fault(struct evidence_verdict *v, struct span text)
{
	struct span rest = text, line;
	uint64_t n = 0;

	cut(&rest, &line);
	for (uint64_t at = 2; v->line > 0 && cut(&rest, &line); at++) {
		json_t *o = json_loadb((const char *)line.p, line.n, 0, NULL);

		n += o == NULL || is_type(o, "record");
		json_decref(o);
		if (n == v->line) {
			v->line = at;
			return;
		}
	}
}

/* The chain first: what its records say of drills counts as far as it is whole. */
static void check_chain(struct checking *k, struct evidence_check *chain, struct span text,
    struct evidence_heads *heads)
{
	struct span rest = text, line;
	uint64_t n = 0;

	cut(&rest, &line);
	while (cut(&rest, &line)) {
		json_t *o = json_loadb((const char *)line.p, line.n, 0, NULL);
		struct evidence_head h;
		struct err ignored;

		if (is_type(o, "head") && evidence_head_read(line, &h, &ignored) == 0 && heads)
			evidence_heads_add(heads, &h);
		if (o == NULL || is_type(o, "record"))
			evidence_check_line(chain, line, true);
		json_decref(o);
	}
	evidence_check_end(chain, &k->out->chain);
	place_fault(&k->out->chain, text);
	rest = text;
	while (cut(&rest, &line) && n < k->out->chain.records) {
		json_t *o = json_loadb((const char *)line.p, line.n, 0, NULL);

		if (is_type(o, "record")) {
			note_record(k, line);
			n++;
		}
		json_decref(o);
	}
}

static void check_drills(struct checking *k, struct span text)
{
	struct span rest = text, line;

	while (cut(&rest, &line)) {
		json_t *o = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);

		if (is_type(o, "drill"))
			check_drill(k, o, line);
		json_decref(o);
	}
	for (size_t i = 0; i < k->nsaid; i++)
		if (!k->said[i].there)
			wrong(k, k->said[i].hash,
			    "the chain has its hash, and it is not in the bundle");
}

static int key_in(struct span text, uint8_t out[][CRYPTO_KEY], size_t *n, struct err *e)
{
	struct span rest = text, line = {NULL, 0};
	json_t *o;
	const char *pem;
	int rc;

	cut(&rest, &line);
	o = json_loadb((const char *)line.p, line.n, 0, NULL);
	pem = statement_text(o, "public_key");
	rc = pem ? evidence_public_parse(span_str(pem), out, 1, n, e)
		 : err_set(e, ERR_CORRUPT, "the bundle names no key");
	json_decref(o);
	return rc;
}

int bundle_verify(struct span text, const uint8_t (*keys)[CRYPTO_KEY], size_t nkeys,
    struct evidence_heads *heads, struct bundle_verdict *out, struct err *e)
{
	struct checking k = {.out = out};
	struct evidence_check *chain;
	uint8_t own[1][CRYPTO_KEY];

	*out = (struct bundle_verdict){.drills = 0};
	if (nkeys == 0 && key_in(text, own, &nkeys, e) == -1)
		return -1;
	chain = evidence_check_new(keys ? keys : (const uint8_t(*)[CRYPTO_KEY])own, nkeys, heads);
	check_chain(&k, chain, text, NULL);
	evidence_check_free(chain);
	check_drills(&k, text);
	free(k.said);
	free(k.keys);
	return 0;
}
