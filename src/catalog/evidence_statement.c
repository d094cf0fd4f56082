/* evidence_statement: see evidence_statement.h. */
#include "catalog/evidence_statement.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"

static const char MARK[] = ",\"signature\":\"";
enum { MARK_N = sizeof MARK - 1, TAIL = MARK_N + 2 * CRYPTO_SIG + 2 };

char *statement_sign(json_t *o, const uint8_t key[CRYPTO_KEY])
{
	char *text = mem_checked(json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII)), *out;
	size_t n = strlen(text) - 1; /* without its brace */
	uint8_t sig[CRYPTO_SIG];
	char hex[2 * CRYPTO_SIG + 1];

	crypto_sign(key, span_of(text, n), sig);
	out = mem_printf("%.*s%s%s\"}", (int)n, text, MARK, hex_encode(hex, sig, sizeof sig));
	free(text);
	return out;
}

/* Of one case only: another would be another line with the same signature. */
static bool hex_lower(void *out, size_t n, const char *s)
{
	return s[strspn(s, "0123456789abcdef")] == '\0' && hex_decode(out, n, s);
}

bool statement_split(struct span line, struct span *body, uint8_t sig[CRYPTO_SIG])
{
	char hex[2 * CRYPTO_SIG + 1];
	const char *tail;

	if (line.n <= TAIL || line.n > EVIDENCE_LINE_MAX)
		return false;
	*body = span_of(line.p, line.n - TAIL);
	tail = (const char *)line.p + body->n;
	memcpy(hex, tail + MARK_N, 2 * CRYPTO_SIG);
	hex[2 * CRYPTO_SIG] = '\0';
	return memcmp(tail, MARK, MARK_N) == 0 && memcmp(tail + TAIL - 2, "\"}", 2) == 0 &&
	       strlen(hex) == 2 * CRYPTO_SIG && hex_lower(sig, CRYPTO_SIG, hex);
}

bool statement_verify(struct span line, const uint8_t pub[CRYPTO_KEY])
{
	uint8_t sig[CRYPTO_SIG];
	struct span body;

	return statement_split(line, &body, sig) && crypto_verify(pub, body, sig);
}

const char *statement_text(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

bool statement_hex(const json_t *o, const char *name, void *out, size_t n)
{
	const char *s = statement_text(o, name);

	return s != NULL && hex_lower(out, n, s);
}

bool statement_number(const json_t *o, const char *name, uint64_t *out)
{
	json_t *v = json_object_get(o, name);

	*out = json_is_integer(v) && json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v)
							       : 0;
	return *out != 0;
}

void statement_put_hex(json_t *o, const char *name, const void *p, size_t n)
{
	char *hex = mem_alloc(2 * n + 1);

	json_object_set_new(o, name, json_string(hex_encode(hex, p, n)));
	free(hex);
}

json_t *statement_string(const char *s)
{
	struct buf b = {0};
	json_t *v;

	if (utf8_valid(span_str(s)))
		return json_string(s);
	for (; *s; s++)
		if ((unsigned char)*s < 0x80)
			buf_put_u8(&b, (uint8_t)*s);
		else
			buf_printf(&b, "\\x%02x", (unsigned char)*s);
	v = json_string(buf_cstr(&b));
	buf_fini(&b);
	return v;
}

static const char *word(const json_t *o, const char *name)
{
	const char *s = statement_text(o, name);

	return s ? s : "";
}

static bool fill(struct evidence_record *r)
{
	const json_t *o = r->json;
	struct calendar_time t;
	struct err ignored;
	uint64_t format;

	if (strcmp(word(o, "type"), "record") != 0 || !statement_number(o, "format", &format) ||
	    format != 1)
		return false;
	r->machine = statement_text(o, "machine");
	r->actor = statement_text(o, "actor");
	r->subject = statement_text(o, "subject");
	r->details = json_object_get(o, "details");
	r->action = evidence_action_of(word(o, "action"));
	r->outcome = evidence_outcome_of(word(o, "outcome"));
	if (calendar_parse_time(word(o, "time"), &t, &ignored) == -1)
		return false;
	r->time_ns = t.ns;
	return statement_hex(o, "chain", r->chain, sizeof r->chain) &&
	       statement_number(o, "sequence", &r->sequence) &&
	       statement_hex(o, "previous", r->previous, sizeof r->previous) &&
	       statement_hex(o, "key", r->key, sizeof r->key) && r->machine && r->actor &&
	       r->subject && json_is_object(r->details) && word(o, "action")[0] != '\0';
}

int evidence_record_read(struct span line, struct evidence_record *r, struct err *e)
{
	uint8_t sig[CRYPTO_SIG];
	struct span body;

	*r = (struct evidence_record){0};
	if (!statement_split(line, &body, sig))
		return err_set(e, ERR_CORRUPT, "this is no signed line");
	r->json = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(r->json) || !fill(r)) {
		evidence_record_fini(r);
		return err_set(e, ERR_CORRUPT, "this is no record");
	}
	return 0;
}

void evidence_record_fini(struct evidence_record *r)
{
	json_decref(r->json);
	*r = (struct evidence_record){0};
}

char *evidence_record_write(const struct evidence_record *r, const uint8_t key[CRYPTO_KEY])
{
	char when[CALENDAR_TEXT], *out;
	json_t *o = json_object();

	json_object_set_new(o, "type", json_string("record"));
	json_object_set_new(o, "format", json_integer(1));
	statement_put_hex(o, "chain", r->chain, sizeof r->chain);
	json_object_set_new(o, "sequence", json_integer((json_int_t)r->sequence));
	statement_put_hex(o, "previous", r->previous, sizeof r->previous);
	json_object_set_new(o, "time", json_string(calendar_format_utc(when, r->time_ns)));
	json_object_set_new(o, "machine", statement_string(r->machine));
	json_object_set_new(o, "actor", statement_string(r->actor));
	json_object_set_new(o, "action", json_string(evidence_action(r->action)->name));
	json_object_set_new(o, "outcome", json_string(evidence_outcome_name(r->outcome)));
	json_object_set_new(o, "subject", statement_string(r->subject));
	json_object_set(o, "details", r->details);
	statement_put_hex(o, "key", r->key, sizeof r->key);
	out = statement_sign(o, key);
	json_decref(o);
	return out;
}

char *evidence_consent_text(const struct evidence_record *r, const uint8_t next[CRYPTO_KEY])
{
	json_t *o = json_object();
	char *text;

	json_object_set_new(o, "type", json_string("consent"));
	statement_put_hex(o, "chain", r->chain, sizeof r->chain);
	json_object_set_new(o, "sequence", json_integer((json_int_t)r->sequence));
	statement_put_hex(o, "previous", r->previous, sizeof r->previous);
	statement_put_hex(o, "key", next, CRYPTO_KEY);
	text = mem_checked(json_dumps(o, JSON_COMPACT));
	json_decref(o);
	return text;
}

bool evidence_rotation(const struct evidence_record *r, uint8_t next[CRYPTO_KEY])
{
	uint8_t sig[CRYPTO_SIG];
	char *text;
	bool good;

	if (r->action != EVIDENCE_ROTATE ||
	    !statement_hex(r->details, "next_key", next, CRYPTO_KEY) ||
	    !statement_hex(r->details, "consent", sig, sizeof sig))
		return false;
	text = evidence_consent_text(r, next);
	good = crypto_verify(next, span_str(text), sig);
	free(text);
	return good;
}
