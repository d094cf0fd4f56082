/* evidence_bundle: see evidence_bundle.h. */
#include "catalog/evidence_bundle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"
#include "catalog/evidence_drill.h"
#include "catalog/evidence_key.h"
#include "catalog/evidence_read.h"
#include "catalog/evidence_statement.h"
#include "os/os.h"

/* ---- Checking one. */

struct said { /* of the chain: a drill's hash */
	char hash[EVIDENCE_DRILL_HASH];
	uint64_t line, sequence;
	bool there;
};

struct checking {
	struct evidence_bundle_verdict *out;
	const uint8_t (*trusted)[CRYPTO_KEY];
	size_t ntrusted;
	uint8_t own[EVIDENCE_KEYS_MAX][CRYPTO_KEY]; /* in it */
	struct evidence_heads *heads;
	struct evidence_check *chain; /* NULL: before it, or behind it */
	uint64_t line;
	struct said *said;
	size_t nsaid;
	uint8_t (*keys)[CRYPTO_KEY]; /* that signed the chain */
	size_t nkeys;
};

/* Only the first thing that is wrong counts. */
__attribute__((format(printf, 4, 5))) static void broken(
    struct checking *k, enum evidence_fault f, uint64_t line, const char *fmt, ...)
{
	struct evidence_verdict *v = &k->out->chain;
	va_list ap;

	if (v->fault != EVIDENCE_WHOLE)
		return;
	v->fault = f;
	v->line = line;
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof v->text, fmt, ap);
	va_end(ap);
}

static bool begins(struct span line, const char *type)
{
	char text[32];
	int n = snprintf(text, sizeof text, "{\"type\":\"%s\",", type);

	return line.n >= (size_t)n && memcmp(line.p, text, (size_t)n) == 0;
}

bool evidence_bundle_is(struct span text)
{
	return begins(text, "bundle");
}

static json_t *object_of(struct span line)
{
	json_t *o = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(o))
		return o;
	json_decref(o);
	return NULL;
}

static void check_header(struct checking *k, struct span line, bool ended)
{
	json_t *o = object_of(line);
	const char *pem = statement_text(o, "public_key");
	struct err ignored;
	size_t n = 0;

	if (!ended)
		broken(k, EVIDENCE_TORN, 1, "it has no end: it was cut");
	else if (o == NULL)
		broken(k, EVIDENCE_ALTERED, 1, "this is no header of a bundle");
	else if (pem == NULL || evidence_public_parse(
				    span_str(pem), k->own, EVIDENCE_KEYS_MAX, &n, &ignored) == -1)
		broken(k, EVIDENCE_ALTERED, 1, "the bundle names no key");
	json_decref(o);
	if (k->ntrusted == 0) {
		k->trusted = (const uint8_t(*)[CRYPTO_KEY])k->own;
		k->ntrusted = n;
	}
	k->chain = evidence_check_new(k->trusted, k->ntrusted, k->heads);
}

/* ---- The chain. */

static bool has_key(const struct checking *k, const uint8_t key[CRYPTO_KEY])
{
	for (size_t i = 0; i < k->nkeys; i++)
		if (memcmp(k->keys[i], key, CRYPTO_KEY) == 0)
			return true;
	return false;
}

static void add_key(struct checking *k, const uint8_t key[CRYPTO_KEY])
{
	if (has_key(k, key))
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
		if ((k->nsaid & (k->nsaid - 1)) == 0)
			k->said = mem_realloc(
			    k->said, (k->nsaid ? 2 * k->nsaid : 1) * sizeof *k->said);
		k->said[k->nsaid] = (struct said){.line = k->line, .sequence = r.sequence};
		snprintf(k->said[k->nsaid++].hash, EVIDENCE_DRILL_HASH, "%.64s", hash);
	}
	evidence_record_fini(&r);
}

/* Behind its last record: the verdict of it, by lines of the bundle. */
static void end_chain(struct checking *k)
{
	struct evidence_verdict v;

	evidence_check_end(k->chain, &v);
	evidence_check_free(k->chain);
	k->chain = NULL;
	v.line += v.line > 0; /* the header stands before it */
	if (k->out->chain.fault == EVIDENCE_WHOLE)
		k->out->chain = v;
}

/* ---- The head, which was made with the bundle: what was cut off or put in since is missed. */

static void check_head(struct checking *k, struct span line)
{
	const struct evidence_head *end = &k->out->chain.end;
	unsigned long long last = end->sequence;
	struct evidence_head h;
	struct err why;

	if (evidence_head_read(line, &h, &why) == -1)
		broken(k, EVIDENCE_ALTERED, k->line, "%s", why.msg);
	else if (memcmp(h.key, end->key, sizeof h.key) != 0)
		broken(k, EVIDENCE_OTHER_KEY, k->line, "not the chain's key signed its head");
	else if (memcmp(h.chain, end->chain, sizeof h.chain) != 0)
		broken(k, EVIDENCE_OTHER_CHAIN, k->line, "the head is of another chain");
	else if (h.sequence > last)
		broken(k, EVIDENCE_CUT, 0, "it ends with record %llu; its head knows of %llu", last,
		    (unsigned long long)h.sequence);
	else if (h.sequence < last || memcmp(h.hash, end->hash, sizeof h.hash) != 0)
		broken(k, EVIDENCE_REWRITTEN, k->line,
		    "record %llu, the last, is not what the head says", last);
}

static void no_head(struct checking *k)
{
	end_chain(k);
	broken(k, EVIDENCE_CUT, 0, "no head stands behind its records");
}

/* ---- Drills. */

static struct said *said_of(struct checking *k, struct span line)
{
	char hash[EVIDENCE_DRILL_HASH];
	uint8_t sum[32];

	crypto_sha256(line, sum);
	hex_encode(hash, sum, sizeof sum);
	for (size_t i = 0; i < k->nsaid; i++)
		if (strcmp(k->said[i].hash, hash) == 0)
			return &k->said[i];
	return NULL;
}

static void check_drill(struct checking *k, struct span line)
{
	uint8_t key[CRYPTO_KEY], sig[CRYPTO_SIG];
	struct span body;
	bool drill = begins(line, "drill") && statement_split(line, &body, sig);
	json_t *o = drill ? object_of(line) : NULL;
	struct said *said = said_of(k, line);

	if (o == NULL || !statement_hex(o, "key", key, sizeof key))
		broken(k, EVIDENCE_ALTERED, k->line, "this is no record of a drill");
	else if (!has_key(k, key))
		broken(k, EVIDENCE_OTHER_KEY, k->line, "it names a key that the chain does not");
	else if (!statement_verify(line, key))
		broken(k, EVIDENCE_ALTERED, k->line, "its signature does not fit");
	else if (said == NULL)
		broken(k, EVIDENCE_UNKNOWN, k->line, "the chain knows nothing of this drill");
	else if (said->there)
		broken(k, EVIDENCE_UNKNOWN, k->line, "this drill stands here twice");
	else
		said->there = true;
	k->out->drills += k->out->chain.fault == EVIDENCE_WHOLE;
	json_decref(o);
}

static void check_none_missing(struct checking *k)
{
	for (size_t i = 0; i < k->nsaid; i++)
		if (!k->said[i].there)
			broken(k, EVIDENCE_REMOVED, k->said[i].line,
			    "the drill that record %llu names is not in the bundle",
			    (unsigned long long)k->said[i].sequence);
}

/* ---- All of it. */

static void check_line(void *arg, struct span line, bool ended)
{
	struct checking *k = arg;
	bool head = begins(line, "head");

	if (++k->line == 1) {
		check_header(k, line, ended);
		return;
	}
	if (k->chain != NULL && !head && !begins(line, "drill")) {
		evidence_check_line(k->chain, line, ended);
		if (evidence_check_is_whole(k->chain))
			note_record(k, line);
		return;
	}
	if (k->chain != NULL && head)
		end_chain(k);
	else if (k->chain != NULL)
		no_head(k);
	else
		head = false;
	if (!ended)
		broken(k, EVIDENCE_TORN, k->line, "it has no end: it was cut");
	else if (head)
		check_head(k, line);
	else
		check_drill(k, line);
}

static void begin(struct checking *k, const uint8_t (*keys)[CRYPTO_KEY], size_t nkeys,
    struct evidence_heads *heads, struct evidence_bundle_verdict *out)
{
	*out = (struct evidence_bundle_verdict){.drills = 0};
	*k = (struct checking){.out = out, .trusted = keys, .ntrusted = nkeys, .heads = heads};
}

static void end(struct checking *k)
{
	if (k->line == 0)
		broken(k, EVIDENCE_EMPTY, 0, "there is no record");
	if (k->chain != NULL)
		no_head(k);
	check_none_missing(k);
	free(k->said);
	free(k->keys);
}

void evidence_bundle_verify(struct span text, const uint8_t (*keys)[CRYPTO_KEY], size_t nkeys,
    struct evidence_heads *heads, struct evidence_bundle_verdict *out)
{
	struct checking k;

	begin(&k, keys, nkeys, heads, out);
	evidence_lines(text, check_line, &k);
	end(&k);
}

int evidence_bundle_verify_file(const char *path, const uint8_t (*keys)[CRYPTO_KEY], size_t nkeys,
    struct evidence_heads *heads, struct evidence_bundle_verdict *out, struct err *e)
{
	struct checking k;
	int rc;

	begin(&k, keys, nkeys, heads, out);
	rc = evidence_lines_file(path, check_line, &k, e);
	end(&k);
	return rc;
}

/* ---- Making one: what is put into it is checked on the way. */

struct making {
	struct checking k;
	struct buf *out;
};

static void put_line(struct making *m, struct span line)
{
	buf_put_span(m->out, line);
	buf_put_u8(m->out, '\n');
	check_line(&m->k, line, true);
}

static void put_header(struct making *m, const struct evidence_head *head, struct clock *clock)
{
	char when[CALENDAR_TEXT], *text;
	struct buf pem = {0};
	json_t *o;

	evidence_public_text(&pem, head->key);
	calendar_format_utc(when, clock->wall_ns(clock));
	o = json_pack("{s:s, s:i, s:s, s:s}", "type", "bundle", "format", 1, "made", when,
	    "public_key", buf_cstr(&pem));
	text = mem_checked(json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII));
	put_line(m, span_str(text));
	free(text);
	json_decref(o);
	buf_fini(&pem);
}

static int put_record(void *arg, struct span line, struct err *e)
{
	(void)e;
	put_line(arg, line);
	return 0;
}

/* One that is newer than the head is for the next bundle. */
static int put_drill(void *arg, json_t *record, struct span line, struct err *e)
{
	struct making *m = arg;

	(void)record;
	(void)e;
	if (said_of(&m->k, line) != NULL)
		put_line(m, line);
	return 0;
}

static int is_whole(const struct evidence_bundle_verdict *v, struct err *e)
{
	if (v->chain.fault == EVIDENCE_WHOLE)
		return 0;
	err_set(e, ERR_DAMAGE_FOUND, "the bundle would not be whole: line %llu: %s: %s",
	    (unsigned long long)v->chain.line, evidence_fault_name(v->chain.fault), v->chain.text);
	return err_hint(e, "without --records the trail alone is handed on");
}

/* The chain as far as the head goes: others may add to it meanwhile. */
int evidence_bundle_make(
    const char *state, struct ctx *ctx, struct buf *out, size_t *left_out, struct err *e)
{
	struct evidence_place from = {0};
	struct evidence_bundle_verdict v;
	struct making m = {.out = out};
	struct evidence_head head;
	char *line = NULL;
	int rc;

	if (evidence_head_now(state, ctx, &head, &line, e) == -1)
		return -1;
	begin(&m.k, NULL, 0, NULL, &v);
	put_header(&m, &head, os_clock_of(ctx));
	rc = evidence_read_from(state, &from, 0, head.sequence, put_record, &m, e);
	put_line(&m, span_str(line));
	if (rc == 0)
		rc = evidence_drill_list(state, NULL, put_drill, &m, left_out, e);
	end(&m.k);
	free(line);
	return rc == 0 ? is_whole(&v, e) : -1;
}
