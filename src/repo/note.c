/* note: see note.h. */
#include "repo/note.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/ahead.h"
#include "repo/gone.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"

static const int64_t PRUNE_NS = 3600 * INT64_C(1000000000); /* from `gone` to deleted, at most */

enum {
	FULL = 1 << ROLE_FULL,
	PRUNERS = FULL | 1 << ROLE_MAINTENANCE,
	ANYBODY = PRUNERS | 1 << ROLE_WRITE,
};

/*
 * What a note does to its snapshot's safety decides who may write it: everybody may
 * protect, who prunes may forget, and only full holders take a protection away.
 */
static const struct {
	const char *name;
	unsigned roles; /* a bit for each */
	bool protects;
} ops[NOTE_OPS] = {
    [NOTE_TAG] = {"tag", ANYBODY},
    [NOTE_UNTAG] = {"untag", FULL},
    [NOTE_FORGET] = {"forget", PRUNERS},
    [NOTE_RELEASE] = {"release", PRUNERS, true},
    [NOTE_PIN] = {"pin", ANYBODY, true},
    [NOTE_UNPIN] = {"unpin", FULL},
    [NOTE_HOLD] = {"hold", ANYBODY, true},
    [NOTE_UNHOLD] = {"unhold", FULL},
    [NOTE_GONE] = {"gone", PRUNERS},
    [NOTE_PRUNED] = {"pruned", PRUNERS},
};

const char *note_op_name(enum note_op op)
{
	return ops[op].name;
}

bool note_role_may(enum role role, enum note_op op)
{
	return ops[op].roles >> role & 1;
}

bool note_may(struct repo *r, enum note_op op)
{
	const struct config_writer *w = config_writer(&r->config, r->keys->holder);

	return w != NULL && note_role_may(w->role, op);
}

const char *note_value_delay(char out[NOTE_VALUE], int64_t delay_ns)
{
	snprintf(out, NOTE_VALUE, "%lld", (long long)(delay_ns / 1000000000));
	return out;
}

const char *note_value_until(char out[NOTE_VALUE], int64_t ns)
{
	out[0] = '\0';
	if (ns != 0)
		repo_time_text(ns, out);
	return out;
}

const char *note_name(char out[REPO_NAME_MAX], const struct id *snapshot, const struct id *id)
{
	char a[ID_HEX], b[ID_HEX];

	snprintf(out, REPO_NAME_MAX, "notes/%s.%s", id_hex(a, snapshot), id_hex(b, id));
	return out;
}

void note_list_fini(struct note_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].value);
	free(l->v);
	memset(l, 0, sizeof *l);
}

static int visit(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct note_list *l = arg;
	const char *leaf = strrchr(key, '/');
	struct note n = {.stored_ns = st->mtime_ns, .size = st->size};
	char first[ID_HEX];

	(void)e;
	if (leaf == NULL || strlen(leaf + 1) != 129 || leaf[65] != '.')
		return 0;
	memcpy(first, leaf + 1, 64);
	first[64] = '\0';
	if (!id_parse(&n.snapshot, first) || !id_parse(&n.id, leaf + 66))
		return 0;
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
	l->v[l->n++] = n;
	return 0;
}

int note_list_names(struct repo *r, struct note_list *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	if (store_list(r->store, repo_type_folder(FORMAT_NOTE), visit, out, e) == 0)
		return 0;
	note_list_fini(out);
	return -1;
}

/* The store's clock began to count when the note came: no other clock makes it due early. */
static bool parse_delay(const char *value, struct note *n)
{
	char *end;
	long long s;

	if (value == NULL || value[0] < '0' || value[0] > '9')
		return false;
	s = strtoll(value, &end, 10); /* too much is LLONG_MAX */
	if (__builtin_mul_overflow((int64_t)s, INT64_C(1000000000), &n->due_ns) ||
	    __builtin_add_overflow(n->due_ns, n->stored_ns, &n->due_ns))
		n->due_ns = INT64_MAX;
	return *end == '\0';
}

static bool parse_value(const char *value, struct note *n)
{
	if (n->op == NOTE_FORGET)
		return parse_delay(value, n);
	if (n->op == NOTE_HOLD && value != NULL && *value)
		return repo_time_parse(value, &n->due_ns);
	return true;
}

static int parse_json(struct span text, struct note *n, struct err *e)
{
	json_t *o = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	const char *snap = json_string_value(json_object_get(o, "snapshot"));
	const char *op = json_string_value(json_object_get(o, "op"));
	const char *time = json_string_value(json_object_get(o, "time"));
	const char *value = json_string_value(json_object_get(o, "value"));
	struct id id;
	bool ok = snap && op && time && strlen(snap) == 64 && id_parse(&id, snap) &&
		  repo_time_parse(time, &n->time_ns);

	/* Somebody put it under another name: it says nothing of that snapshot. */
	n->junk = ok && !id_eq(&id, &n->snapshot);
	ok = ok && !n->junk;

	n->op = NOTE_OPS;
	for (int i = 0; ok && i < NOTE_OPS; i++)
		if (strcmp(op, ops[i].name) == 0)
			n->op = (enum note_op)i;
	ok = ok && parse_value(value, n);
	if (ok && n->time_ns > n->stored_ns)
		n->time_ns = n->stored_ns;
	if (ok)
		n->value = mem_strdup(value ? value : "");
	json_decref(o);
	return ok ? 0 : err_set(e, ERR_CORRUPT, "note is malformed");
}

/* The next of `a`, or NULL: by itself. */
static int load_one(struct repo *r, struct ahead *a, struct note *n, struct err *e)
{
	struct buf object = {0}, payload = {0};
	char name[REPO_NAME_MAX];
	const struct seal_key *key;
	struct sealer sealer;
	struct envelope env;
	int rc = -1;

	sealer_init(&sealer, r->config.repo);
	note_name(name, &n->snapshot, &n->id);
	if ((a ? ahead_next(a, &object, e) : repo_get_named(r, name, &n->id, &object, e)) == -1)
		goto out;
	n->junk = true;
	if (envelope_parse(buf_span(&object), FORMAT_NOTE, 2, &env, e) == -1)
		goto out;
	if (env.nkeys != 1) {
		err_set(e, ERR_CORRUPT, "note has %zu data keys", env.nkeys);
		goto out;
	}
	if ((key = repo_data_key(r, env.keys, e)) == NULL) {
		if (e->kind == ERR_CORRUPT)
			repo_foreign(e, "none of the keys that config has opens it");
		goto out;
	}
	if (envelope_verify(&sealer, &env, key, config_writer_key, &r->config, n->signer, e) ==
	    -1) {
		repo_judge_signer(r, n->signer, e);
		goto out;
	}
	n->junk = false; /* a later version may understand it */
	if (envelope_open(&sealer, &env, 0, key, PURPOSE_NOTE, &payload, e) == -1)
		goto out;
	rc = parse_json(buf_span(&payload), n, e);
	if (rc == -1 && !n->junk)
		repo_later(&r->config, n->signer,
		    "its signature is right, but the note is not understood", e);
out:
	sealer_fini(&sealer);
	buf_fini(&object);
	buf_fini(&payload);
	return rc;
}

static int order(const void *a, const void *b)
{
	const struct note *x = a, *y = b;
	int c = id_cmp(&x->snapshot, &y->snapshot);

	if (c == 0)
		c = (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
	if (c == 0)
		c = (x->stored_ns > y->stored_ns) - (x->stored_ns < y->stored_ns);
	return c ? c : id_cmp(&x->id, &y->id);
}

/* Its signer was found in config: a note carries no other's signature. */
static void judge_right(struct repo *r, struct note *n)
{
	enum role role = config_writer(&r->config, n->signer)->role;
	char name[REPO_NAME_MAX], hex[2 * FORMAT_UID + 1];

	n->denied = n->op < NOTE_OPS && !note_role_may(role, n->op);
	if (n->denied)
		event_emit(r->ctx, EVENT_FINDING, span_str(note_name(name, &n->snapshot, &n->id)),
		    "'%s' signed by %.8s, whose role (%s) does not allow it: left out of account",
		    ops[n->op].name, hex_encode(hex, n->signer, FORMAT_UID), role_name(role));
}

/* Damaged ones are kept as such.  1; 0: deleted with its snapshot; -1. */
static int load_next(struct repo *r, struct ahead *a, struct note *n, struct err *e)
{
	char name[REPO_NAME_MAX];

	if (load_one(r, a, n, e) == 0) {
		judge_right(r, n);
		return 1;
	}
	if (e->kind == ERR_ABSENT)
		return 0;
	if (!repo_is_bad(e))
		return -1;
	n->damaged = true;
	n->junk = n->junk && e->kind == ERR_CORRUPT;
	n->unread = e->kind;
	event_emit(r->ctx, EVENT_OBJECT_DAMAGED, span_str(note_name(name, &n->snapshot, &n->id)),
	    "%s", e->msg);
	return 1;
}

int note_load_all(struct repo *r, struct note_list *out, struct err *e)
{
	struct ahead *a = ahead_new(r);
	char name[REPO_NAME_MAX];
	size_t kept = 0;
	int rc = note_list_names(r, out, e);

	for (size_t i = 0; rc == 0 && i < out->n; i++)
		ahead_add(a, note_name(name, &out->v[i].snapshot, &out->v[i].id), &out->v[i].id,
		    out->v[i].size);
	for (size_t i = 0; rc != -1 && i < out->n; i++) {
		rc = load_next(r, a, &out->v[i], e);
		if (rc == 1) {
			struct note n = out->v[i];

			out->v[i].value = NULL;
			out->v[kept++] = n;
		}
	}
	ahead_free(a);
	if (rc == -1) {
		note_list_fini(out);
		return -1;
	}
	out->n = kept;
	if (out->n > 1)
		qsort(out->v, out->n, sizeof *out->v, order);
	return 0;
}

static int put(struct repo *r, const struct id *snapshot, enum note_op op, const char *value,
    int64_t time_ns, struct id *id, struct err *e)
{
	struct seal_key *key = mem_zalloc(sizeof *key);
	uint8_t sealed[FORMAT_SEALED_KEY];
	const uint8_t *keys[1] = {sealed};
	char hex[ID_HEX], now[40], name[REPO_NAME_MAX], *text;
	struct sealer sealer;
	struct buf object = {0};
	json_t *o;
	int rc;

	repo_time_text(time_ns, now);
	o = json_pack("{s:s,s:s,s:s,s:s,s:s}", "snapshot", id_hex(hex, snapshot), "op",
	    ops[op].name, "time", now, "value", value, "signer", r->holder_text);
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(o);
	if (text == NULL) {
		free(key);
		return err_set(e, ERR_USAGE, "the value of a note must be valid UTF-8");
	}
	seal_data_key_new(
	    r->config.repo, SEAL_STRUCTURE, r->config.epoch, r->config.structure, key, sealed);
	sealer_init(&sealer, r->config.repo);
	envelope_begin(&object, FORMAT_NOTE, keys, 1);
	envelope_section(&sealer, &object, key, PURPOSE_NOTE, span_str(text));
	envelope_sign(&sealer, &object, key, r->keys->holder, r->keys->signing);
	repo_object_id(r, buf_span(&object), id);
	rc = repo_put_named(r, note_name(name, snapshot, id), buf_span(&object), e);
	sealer_fini(&sealer);
	buf_fini(&object);
	crypto_wipe(key, sizeof *key);
	free(key);
	free(text);
	return rc;
}

int note_put(
    struct repo *r, const struct id *snapshot, enum note_op op, const char *value, struct err *e)
{
	struct id id;

	return put(r, snapshot, op, value, repo_now(r), &id, e);
}

int note_put_id(struct repo *r, const struct id *snapshot, enum note_op op, const char *value,
    struct id *id, struct err *e)
{
	return put(r, snapshot, op, value, repo_now(r), id, e);
}

/*
 * A prune says what it will delete, then looks for notes that came; who protects puts its
 * note, then looks here: one of the two sees the other.  An old `gone` note on a snapshot
 * that is there is of a prune that was cut short, and long over.
 */
static int no_prune_is_at_it(struct repo *r, const struct snapshot *s, struct err *e)
{
	struct note_list l;
	struct author by = snapshot_author(s);
	struct gone gone = {0};
	int64_t newest = 0;
	bool busy = false;

	if (note_list_names(r, &l, e) == -1)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		if (l.v[i].stored_ns > newest)
			newest = l.v[i].stored_ns;
	for (size_t i = 0; i < l.n; i++) {
		struct note *n = &l.v[i];
		struct err why = {0};

		n->damaged = !gone_is(n) || newest - n->stored_ns > PRUNE_NS ||
			     load_one(r, NULL, n, &why) == -1;
		if (!n->damaged)
			judge_right(r, n);
		else if (why.kind != ERR_NONE && !repo_is_bad(&why))
			busy = true; /* its place is taken by another; or we cannot tell */
	}
	gone_of_notes(&gone, &l);
	note_list_fini(&l);
	busy = busy || gone_find(&gone, &by, s->sequence) != NULL;
	gone_fini(&gone);
	if (!busy)
		return 0;
	err_set(e, ERR_BUSY, "a prune may be deleting it, or gave up just now");
	return err_hint(e, "look whether it is still there in a while, and run this again");
}

int note_add(
    struct repo *r, const struct snapshot *s, enum note_op op, const char *value, struct err *e)
{
	int64_t now = repo_now(r);
	char name[REPO_NAME_MAX];
	struct store_stat st;
	struct id id;

	if (!note_may(r, op))
		return err_set(
		    e, ERR_WRONG_KEY, "this key's role does not allow '%s'", ops[op].name);
	if (now <= s->noted_ns)
		now = s->noted_ns + 1;
	if (put(r, &s->id, op, value, now, &id, e) == -1)
		return -1;
	/* A prune may have been quicker. */
	if (store_stat(r->store, repo_object_name(name, FORMAT_SNAPSHOT, &s->id), &st, e) == 0)
		return ops[op].protects ? no_prune_is_at_it(r, s, e) : 0;
	return e->kind == ERR_ABSENT ? err_set(e, ERR_ABSENT, "a prune deleted it meanwhile") : -1;
}

int note_del(struct repo *r, const struct note *n, struct err *e)
{
	char name[REPO_NAME_MAX];

	return repo_del_named(r, note_name(name, &n->snapshot, &n->id), e);
}

int note_del_all(
    struct repo *r, const struct note_list *l, const struct id *snapshot, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (id_eq(&l->v[i].snapshot, snapshot) && note_del(r, &l->v[i], e) == -1)
			return -1;
	return 0;
}
