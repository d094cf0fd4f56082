/* evidence_head: see evidence_head.h. */
#include "catalog/evidence_head.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"
#include "catalog/evidence_statement.h"

static const char FOLDER[] = "evidence/";
enum { HEADS_MAX = 4 << 20 };

char *evidence_head_write(const struct evidence_head *h, const char *machine, int64_t now_ns,
    const uint8_t priv[CRYPTO_KEY])
{
	char when[CALENDAR_TEXT], *out;
	json_t *o = json_object();

	json_object_set_new(o, "type", json_string("head"));
	json_object_set_new(o, "format", json_integer(1));
	statement_put_hex(o, "chain", h->chain, sizeof h->chain);
	json_object_set_new(o, "sequence", json_integer((json_int_t)h->sequence));
	statement_put_hex(o, "hash", h->hash, sizeof h->hash);
	json_object_set_new(o, "time", json_string(calendar_format_utc(when, now_ns)));
	json_object_set_new(o, "machine", statement_string(machine));
	statement_put_hex(o, "key", h->key, sizeof h->key);
	out = statement_sign(o, priv);
	json_decref(o);
	return out;
}

int evidence_head_read(struct span line, struct evidence_head *h, struct err *e)
{
	json_t *o = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	const char *type = statement_text(o, "type");
	uint64_t format;
	bool good;

	good = type && strcmp(type, "head") == 0 && statement_number(o, "format", &format) &&
	       format == 1 && statement_hex(o, "chain", h->chain, sizeof h->chain) &&
	       statement_number(o, "sequence", &h->sequence) &&
	       statement_hex(o, "hash", h->hash, sizeof h->hash) &&
	       statement_hex(o, "key", h->key, sizeof h->key);
	json_decref(o);
	if (!good)
		return err_set(e, ERR_CORRUPT, "this is no head of a chain of evidence");
	if (!statement_verify(line, h->key))
		return err_set(e, ERR_CORRUPT, "the head's signature is not right");
	return 0;
}

static void name_of(const struct evidence_head *h, char out[STORE_KEY_MAX])
{
	char chain[2 * EVIDENCE_CHAIN + 1];

	snprintf(out, STORE_KEY_MAX, "%s%s.%llu", FOLDER,
	    hex_encode(chain, h->chain, sizeof h->chain), (unsigned long long)h->sequence);
}

static int fetch(struct store *s, const char *name, struct evidence_head *h, struct err *e)
{
	struct buf b = {0};
	int rc = store_get_all(s, name, EVIDENCE_LINE_MAX, &b, e);

	if (rc == 0 && b.n > 0 && b.p[b.n - 1] == '\n')
		b.n--;
	if (rc == 0)
		rc = evidence_head_read(buf_span(&b), h, e);
	buf_fini(&b);
	return rc;
}

int evidence_head_publish(
    struct store *s, const struct evidence_head *h, const char *line, struct err *e)
{
	char name[STORE_KEY_MAX], *text = mem_printf("%s\n", line);
	struct evidence_head there;
	int rc;

	name_of(h, name);
	rc = store_put(s, name, span_str(text), STORE_NEW, e);
	free(text);
	if (rc == 0 || e->kind != ERR_EXISTS)
		return rc;
	if (fetch(s, name, &there, e) == -1)
		return -1;
	if (memcmp(there.hash, h->hash, sizeof h->hash) == 0) {
		err_clear(e);
		return 0;
	}
	err_set(e, ERR_EXISTS, "%s: another head of this chain stands there", name);
	return err_hint(e, "a second machine goes on from the same state folder, or the chain was "
			   "rewritten: holdfast evidence verify");
}

void evidence_heads_add(struct evidence_heads *l, const struct evidence_head *h)
{
	if ((l->n & (l->n - 1)) == 0)
		l->v = mem_realloc(l->v, (l->n ? 2 * l->n : 1) * sizeof *l->v);
	l->v[l->n++] = *h;
}

void evidence_heads_fini(struct evidence_heads *l)
{
	free(l->v);
	*l = (struct evidence_heads){0};
}

struct names {
	char **v;
	size_t n;
};

static int note_name(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct names *l = arg;

	if (l->n == HEADS_MAX)
		return err_set(e, ERR_UNSUPPORTED, "more than %d heads", (int)HEADS_MAX);
	if ((l->n & (l->n - 1)) == 0)
		l->v = mem_realloc(l->v, (l->n ? 2 * l->n : 1) * sizeof *l->v);
	l->v[l->n++] = mem_strdup(key);
	return 0;
}

int evidence_heads_fetch(struct store *s, struct evidence_heads *out, struct err *e)
{
	struct names names = {0};
	int rc = store_list(s, FOLDER, note_name, &names, e);

	for (size_t i = 0; i < names.n && rc == 0; i++) {
		struct evidence_head h;
		char name[STORE_KEY_MAX];

		rc = fetch(s, names.v[i], &h, e);
		if (rc == 0)
			name_of(&h, name);
		if (rc == 0 && strcmp(name, names.v[i]) == 0) {
			evidence_heads_add(out, &h);
		} else if (rc == 0 || e->kind == ERR_CORRUPT) {
			out->bad++;
			err_clear(e);
			rc = 0;
		} else if (e->kind == ERR_ABSENT) {
			err_clear(e); /* it went since the listing */
			rc = 0;
		}
	}
	for (size_t i = 0; i < names.n; i++)
		free(names.v[i]);
	free(names.v);
	return rc;
}
