/* note: see note.h. */
#include "repo/note.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/repo_internal.h"

static const char *const op_names[NOTE_OPS] = {
    "tag", "untag", "forget", "release", "pin", "unpin", "hold"};

static const char *note_name(
    char out[REPO_NAME_MAX], const struct id *snapshot, const struct id *id)
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
	struct note n = {.value = NULL};
	char first[ID_HEX];

	(void)st;
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

static int parse_json(struct span text, struct note *n, struct err *e)
{
	json_t *o = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	const char *snap = json_string_value(json_object_get(o, "snapshot"));
	const char *op = json_string_value(json_object_get(o, "op"));
	const char *time = json_string_value(json_object_get(o, "time"));
	const char *value = json_string_value(json_object_get(o, "value"));
	struct id id;
	bool ok = snap && op && time && strlen(snap) == 64 && id_parse(&id, snap) &&
		  id_eq(&id, &n->snapshot) && repo_time_parse(time, &n->time_ns);

	n->op = NOTE_OPS;
	for (int i = 0; ok && i < NOTE_OPS; i++)
		if (strcmp(op, op_names[i]) == 0)
			n->op = (enum note_op)i;
	if (ok && n->op == NOTE_FORGET)
		ok = value != NULL && repo_time_parse(value, &n->due_ns);
	if (ok)
		n->value = mem_strdup(value ? value : "");
	json_decref(o);
	return ok ? 0 : err_set(e, ERR_CORRUPT, "note is malformed");
}

static int load_one(struct repo *r, struct note *n, struct err *e)
{
	struct buf object = {0}, payload = {0};
	char name[REPO_NAME_MAX];
	uint8_t signer[FORMAT_UID];
	const struct seal_key *key;
	struct sealer sealer;
	struct envelope env;
	struct id got;
	int rc = -1;

	sealer_init(&sealer, r->config.repo);
	note_name(name, &n->snapshot, &n->id);
	if (store_get_all(r->store, name, FORMAT_SMALL_MAX, &object, e) == -1)
		goto out;
	repo_object_id(r, buf_span(&object), &got);
	if (!id_eq(&got, &n->id)) {
		err_set(e, ERR_CORRUPT, "its bytes do not have the hash in its name");
		goto out;
	}
	if (envelope_parse(buf_span(&object), FORMAT_NOTE, 2, &env, e) == -1)
		goto out;
	if (env.nkeys != 1) {
		err_set(e, ERR_CORRUPT, "note has %zu data keys", env.nkeys);
		goto out;
	}
	if ((key = repo_data_key(r, env.keys, e)) == NULL ||
	    envelope_verify(&sealer, &env, key, config_writer_key, &r->config, signer, e) == -1 ||
	    envelope_open(&sealer, &env, 0, key, PURPOSE_NOTE, &payload, e) == -1)
		goto out;
	rc = parse_json(buf_span(&payload), n, e);
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
	return c ? c : id_cmp(&x->id, &y->id);
}

int note_load_all(struct repo *r, struct note_list *out, struct err *e)
{
	char name[REPO_NAME_MAX];

	memset(out, 0, sizeof *out);
	if (store_list(r->store, repo_type_folder(FORMAT_NOTE), visit, out, e) == -1)
		goto out;
	for (size_t i = 0; i < out->n; i++) {
		struct note *n = &out->v[i];

		if (load_one(r, n, e) == 0)
			continue;
		if (e->kind == ERR_ABSENT) { /* deleted with its snapshot */
			out->v[i--] = out->v[--out->n];
			continue;
		}
		if (e->kind != ERR_CORRUPT)
			goto out;
		n->damaged = true;
		event_emit(r->ctx, EVENT_OBJECT_DAMAGED,
		    span_str(note_name(name, &n->snapshot, &n->id)), "%s", e->msg);
	}
	if (out->n > 1)
		qsort(out->v, out->n, sizeof *out->v, order);
	return 0;
out:
	note_list_fini(out);
	return -1;
}

int note_put(
    struct repo *r, const struct id *snapshot, enum note_op op, const char *value, struct err *e)
{
	struct seal_key *key = mem_zalloc(sizeof *key);
	uint8_t sealed[FORMAT_SEALED_KEY];
	const uint8_t *keys[1] = {sealed};
	char hex[ID_HEX], now[40], name[REPO_NAME_MAX], *text;
	struct sealer sealer;
	struct buf object = {0};
	struct id id;
	json_t *o;
	int rc;

	repo_time_text(repo_now(r), now);
	o = json_pack("{s:s,s:s,s:s,s:s,s:s}", "snapshot", id_hex(hex, snapshot), "op",
	    op_names[op], "time", now, "value", value, "signer", r->holder_text);
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
	repo_object_id(r, buf_span(&object), &id);
	rc = store_put(r->store, note_name(name, snapshot, &id), buf_span(&object), STORE_NEW, e);
	sealer_fini(&sealer);
	buf_fini(&object);
	crypto_wipe(key, sizeof *key);
	free(key);
	free(text);
	return rc;
}

static void add_tag(struct snapshot *s, const char *tag)
{
	for (size_t i = 0; i < s->ntags; i++)
		if (strcmp(s->tags[i], tag) == 0)
			return;
	s->tags = mem_realloc(s->tags, (s->ntags + 1) * sizeof *s->tags);
	s->tags[s->ntags++] = mem_strdup(tag);
}

static void remove_tag(struct snapshot *s, const char *tag)
{
	for (size_t i = 0; i < s->ntags; i++)
		if (strcmp(s->tags[i], tag) == 0) {
			free(s->tags[i]);
			memmove(s->tags + i, s->tags + i + 1, (s->ntags - i - 1) * sizeof *s->tags);
			s->ntags--;
			return;
		}
}

static void apply(struct snapshot *s, const struct note *n)
{
	switch (n->op) {
	case NOTE_TAG:
		add_tag(s, n->value);
		break;
	case NOTE_UNTAG:
		remove_tag(s, n->value);
		break;
	case NOTE_FORGET:
		s->forgotten = true;
		s->due_ns = n->due_ns;
		break;
	case NOTE_RELEASE:
		s->forgotten = false;
		break;
	case NOTE_PIN:
		s->pinned = true;
		break;
	case NOTE_UNPIN:
		s->pinned = false;
		break;
	case NOTE_HOLD:
		s->held = true;
		break;
	case NOTE_OPS:
		break; /* an op of a later version: not ours to judge */
	}
}

void note_fold(const struct note_list *l, struct snapshot *s)
{
	bool damaged = false;
	size_t lo = 0, hi = l->n;

	/* They are in order of snapshot: find the first of ours. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (id_cmp(&l->v[mid].snapshot, &s->id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = lo; i < l->n && id_eq(&l->v[i].snapshot, &s->id); i++) {
		if (l->v[i].damaged)
			damaged = true;
		else
			apply(s, &l->v[i]);
	}
	/* What can't be read may have been a release: keep it. */
	if (damaged)
		s->forgotten = false;
}

int note_del_all(
    struct repo *r, const struct note_list *l, const struct id *snapshot, struct err *e)
{
	char name[REPO_NAME_MAX];

	for (size_t i = 0; i < l->n; i++)
		if (id_eq(&l->v[i].snapshot, snapshot) &&
		    store_del(r->store, note_name(name, snapshot, &l->v[i].id), e) == -1)
			return -1;
	return 0;
}
