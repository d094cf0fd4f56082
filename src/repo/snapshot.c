/*
 * snapshot: objects of snapshots/: put, load, list.  Their JSON is in
 * snapshot_json.c.
 */
#include "repo/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/ahead.h"
#include "repo/late.h"
#include "repo/note.h"
#include "repo/repo_internal.h"
#include "repo/repo_parity.h"
#include "repo/snapshot_json.h"

const char *snapshot_strategy_name(enum snapshot_strategy s)
{
	static const char *const names[] = {"full", "incremental", "differential", "other"};

	return names[s];
}

const char *snapshot_outcome_name(enum snapshot_outcome o)
{
	static const char *const names[] = {"complete", "incomplete", "failed"};

	return names[o];
}

static void free_texts(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

void snapshot_facts_fini(struct snapshot *s)
{
	for (size_t i = 0; i < s->nparts; i++) {
		struct snapshot_part *p = &s->parts[i];

		free(p->name);
		free(p->kind);
		free_texts(p->paths, p->npaths);
		for (size_t j = 0; j < p->nerrors; j++) {
			free(p->errors[j].path);
			free(p->errors[j].message);
		}
		free(p->errors);
		free(p->facts);
	}
	free(s->parts);
	free_texts(s->excludes, s->nexcludes);
	free(s->anomalies);
	s->parts = NULL;
	s->excludes = NULL;
	s->anomalies = NULL;
	s->nparts = s->nexcludes = s->nanomalies = 0;
}

void snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	snapshot_facts_fini(s);
	free_texts(s->tags, s->ntags);
	free(s->host);
	free(s->user);
	free(s->system);
	free(s->producer);
	free(s);
}

void snapshot_list_fini(struct snapshot_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		snapshot_free(l->v[i]);
	free(l->v);
	free(l->riddles);
	gone_fini(&l->gone);
	pruned_list_fini(&l->pruned);
	memset(l, 0, sizeof *l);
}

/*
 * Classes of the two data keys are fixed: structure, content.  The head decides: facts that
 * cannot be opened, or understood, leave a snapshot that needs what its head says.
 */
static int open_sections(
    struct repo *r, const struct envelope *env, struct snapshot *s, struct err *e)
{
	bool full = r->keys->role == ROLE_FULL;
	const struct seal_key *structure, *content = NULL;
	struct buf head = {0}, facts = {0};
	uint8_t *signer = s->signer, named[FORMAT_UID];
	struct span read = span_of(NULL, 0);
	struct sealer sealer;
	struct err why;
	int rc = -1;

	sealer_init(&sealer, r->config.repo);
	if (env->nkeys != 2) {
		err_set(e, ERR_CORRUPT, "snapshot has %zu data keys, not 2", env->nkeys);
		goto out;
	}
	if ((structure = repo_data_key(r, env->keys, e)) == NULL ||
	    (full && (content = repo_data_key(r, env->keys + FORMAT_SEALED_KEY, e)) == NULL)) {
		if (e->kind == ERR_CORRUPT)
			repo_foreign(e, "none of the keys that config has opens it");
		goto out;
	}
	if (envelope_verify(&sealer, env, structure, config_writer_key, &r->config, signer, e) ==
	    -1) {
		repo_judge_signer(r, signer, e);
		goto out;
	}
	memcpy(named, signer, FORMAT_UID);
	if (full)
		read = envelope_open(&sealer, env, 1, content, PURPOSE_FACTS, &facts, &why) == 0 &&
			       facts.n > 0
			   ? buf_span(&facts)
			   : span_str("");
	if (envelope_open(&sealer, env, 0, structure, PURPOSE_HEAD, &head, e) == -1 ||
	    snapshot_json_decode(buf_span(&head), read, s, e) == -1) {
		memcpy(signer, named, FORMAT_UID);
		/* No junk, whatever it says: a later version may know what it means. */
		repo_later(&r->config, signer,
		    "its signature is right, but its head is not as this program knows it", e);
		goto out;
	}
	if (memcmp(signer, named, FORMAT_UID) != 0) {
		err_set(e, ERR_CORRUPT, "snapshot names another signer than signed it");
		goto out;
	}
	rc = repo_accept(r, signer, FORMAT_SNAPSHOT, s->domain, e);
out:
	sealer_fini(&sealer);
	buf_fini(&head);
	buf_fini(&facts);
	return rc;
}

/*
 * The next of `a`, or NULL: by itself.  `*as_put`: its bytes have the hash in its name; then
 * `signer`, if its signature is one.
 */
static int load(struct repo *r, struct ahead *a, const struct id *id, struct snapshot **out,
    bool *as_put, uint8_t signer[FORMAT_UID], struct err *e)
{
	struct snapshot *s = mem_zalloc(sizeof *s);
	struct buf object = {0};
	struct envelope env;
	char name[REPO_NAME_MAX];
	int rc = -1;

	s->id = *id;
	*as_put = (a ? ahead_next(a, &object, e)
		     : repo_get_object(r, FORMAT_SNAPSHOT, id, &object, e)) == 0;
	if (!*as_put)
		goto out;
	s->object_size = object.n;
	if (envelope_parse(buf_span(&object), FORMAT_SNAPSHOT, 3, &env, e) == -1 ||
	    open_sections(r, &env, s, e) == -1) {
		err_wrap(e, "%s", repo_object_name(name, FORMAT_SNAPSHOT, id));
		goto out;
	}
	*out = s;
	rc = 0;
out:
	memcpy(signer, s->signer, FORMAT_UID);
	buf_fini(&object);
	if (rc == -1)
		snapshot_free(s);
	return rc;
}

int snapshot_load(struct repo *r, const struct id *id, struct snapshot **out, struct err *e)
{
	uint8_t signer[FORMAT_UID];
	bool as_put;

	return load(r, NULL, id, out, &as_put, signer, e);
}

struct found {
	struct id id;
	int64_t stored_ns;
};

struct listing {
	struct found *v;
	size_t n;
	struct repo *r;
	struct ahead *ahead;
};

static int visit(void *arg, const char *key, const struct store_stat *st, struct err *e)
{
	struct listing *l = arg;
	const char *leaf = strrchr(key, '/');
	struct found f = {.stored_ns = st->mtime_ns};

	(void)e;
	if (leaf == NULL || !id_parse(&f.id, leaf + 1)) {
		event_emit(l->r->ctx, EVENT_WARNING, span_str(key),
		    "not an object of this repository; left alone");
		return 0;
	}
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof *l->v);
	l->v[l->n++] = f;
	ahead_add(l->ahead, key, &f.id, st->size);
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct snapshot *x = *(struct snapshot *const *)a, *y = *(struct snapshot *const *)b;
	int c = (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);

	return c ? c : id_cmp(&x->id, &y->id);
}

/*
 * One that is not understood may need anything.  What a write key signed can only be of its
 * own domain: then no more than that is in doubt.
 */
static bool add_riddle(
    const struct repo *r, struct snapshot_list *l, const struct id *id, const uint8_t *signer)
{
	const struct config_writer *w = config_writer(&r->config, signer);
	struct snapshot_riddle *x;

	if (w == NULL || w->role != ROLE_WRITE)
		return false;
	l->riddles = mem_realloc(l->riddles, (l->nriddles + 1) * sizeof *l->riddles);
	x = &l->riddles[l->nriddles++];
	x->id = *id;
	memcpy(x->signer, signer, FORMAT_UID);
	memcpy(x->domain, w->domain, FORMAT_UID);
	return true;
}

/* One that is there: into the list, or counted as what it is. */
static int take(struct repo *r, struct ahead *a, const struct found *f,
    const struct note_list *notes, struct snapshot_list *out, struct err *e)
{
	char name[REPO_NAME_MAX];
	uint8_t signer[FORMAT_UID];
	struct snapshot *s;
	bool as_put;

	if (load(r, a, &f->id, &s, &as_put, signer, e) == 0) {
		s->stored_ns = f->stored_ns;
		if (s->unread)
			event_emit(r->ctx, EVENT_WARNING,
			    span_str(repo_object_name(name, FORMAT_SNAPSHOT, &f->id)),
			    "its facts are not as this program knows them: made by a newer "
			    "holdfast?");
		note_fold(notes, s);
		out->v[out->n++] = s;
		return 0;
	}
	if (e->kind == ERR_ABSENT)
		return 0;
	if (!repo_is_bad(e))
		return -1;
	/* What is as it was put, and still wrong, was never a snapshot. */
	if (as_put && e->kind == ERR_CORRUPT) {
		out->junk++;
	} else if (!repo_is_foreign(e) || !add_riddle(r, out, &f->id, signer)) {
		out->damaged++;
		out->foreign += e->kind == ERR_FOREIGN;
		out->later += e->kind == ERR_LATER;
	}
	event_emit(r->ctx, EVENT_OBJECT_DAMAGED,
	    span_str(repo_object_name(name, FORMAT_SNAPSHOT, &f->id)), "%s", e->msg);
	return 0;
}

int snapshot_load_noted(
    struct repo *r, struct snapshot_list *out, struct note_list *notes, struct err *e)
{
	struct listing l = {.r = r, .ahead = ahead_new(r)};
	int rc = -1;

	memset(out, 0, sizeof *out);
	memset(notes, 0, sizeof *notes);
	/* Notes after snapshots: a note that is seen has its snapshot seen. */
	if (store_list(r->store, repo_type_folder(FORMAT_SNAPSHOT), visit, &l, e) == -1)
		goto out;
	ahead_start(l.ahead);
	if (note_load_all(r, notes, e) == -1)
		goto out;
	gone_of_notes(&out->gone, notes);
	pruned_of_notes(&out->pruned, notes);
	out->v = mem_zalloc(l.n * sizeof *out->v);
	for (size_t i = 0; i < l.n; i++)
		if (take(r, l.ahead, &l.v[i], notes, out, e) == -1)
			goto out;
	if (out->n > 1)
		qsort(out->v, out->n, sizeof *out->v, by_start);
	late_judge(&r->config, out);
	rc = 0;
out:
	ahead_free(l.ahead);
	free(l.v);
	if (rc == -1) {
		snapshot_list_fini(out);
		note_list_fini(notes);
	}
	return rc;
}

int snapshot_load_all(struct repo *r, struct snapshot_list *out, struct err *e)
{
	struct note_list notes;

	if (snapshot_load_noted(r, out, &notes, e) == -1)
		return -1;
	note_list_fini(&notes);
	return 0;
}

/* What is put must be readable: a clock far beyond the years that the format has, say. */
static bool comes_back(const char *head, const char *facts)
{
	struct snapshot *s = mem_zalloc(sizeof *s);
	struct err why;
	bool ok = snapshot_json_decode(span_str(head), span_str(facts), s, &why) == 0 && !s->unread;

	snapshot_free(s);
	return ok;
}

int snapshot_put(struct repo *r, struct snapshot *s, struct err *e)
{
	const struct config *c = &r->config;
	struct seal_key *k = mem_zalloc(2 * sizeof *k);
	uint8_t sealed[2][FORMAT_SEALED_KEY];
	const uint8_t *keys[2] = {sealed[0], sealed[1]};
	struct buf object = {0};
	struct sealer sealer;
	char *head, *facts;
	int rc = -1;

	static const uint8_t none[FORMAT_UID];

	memcpy(s->signer, r->keys->holder, FORMAT_UID);
	if (memcmp(s->domain, none, FORMAT_UID) == 0)
		memcpy(s->domain, repo_own_domain(r)->id, FORMAT_UID);
	snapshot_json_encode(s, &head, &facts);
	seal_data_key_new(c->repo, SEAL_STRUCTURE, c->epoch, c->structure, &k[0], sealed[0]);
	seal_data_key_new(c->repo, SEAL_CONTENT, c->epoch, c->content, &k[1], sealed[1]);
	sealer_init(&sealer, c->repo);
	if (head == NULL || facts == NULL) {
		err_set(e, ERR_USAGE, "host, system or tag is not valid UTF-8");
		goto out;
	}
	if (!comes_back(head, facts)) {
		err_set(e, ERR_FAILED, "the snapshot could not be read again: is the clock right?");
		goto out;
	}
	envelope_begin(&object, FORMAT_SNAPSHOT, keys, 2);
	envelope_section(&sealer, &object, &k[0], PURPOSE_HEAD, span_str(head));
	envelope_section(&sealer, &object, &k[1], PURPOSE_FACTS, span_str(facts));
	envelope_sign(&sealer, &object, &k[0], r->keys->holder, r->keys->signing);
	s->object_size = object.n;
	rc = repo_put_object(r, FORMAT_SNAPSHOT, buf_span(&object), &s->id, e);
out:
	sealer_fini(&sealer);
	crypto_wipe(k, 2 * sizeof *k);
	free(k);
	free(head);
	free(facts);
	buf_fini(&object);
	return rc;
}

int snapshot_del(struct repo *r, const struct id *id, struct err *e)
{
	char name[REPO_NAME_MAX];

	return repo_del_named(r, repo_object_name(name, FORMAT_SNAPSHOT, id), e);
}

struct author snapshot_author(const struct snapshot *s)
{
	return author_of(s->signer, s->client);
}

const struct id *snapshot_origin(const struct snapshot *s)
{
	return s->has_original ? &s->original : &s->id;
}

uint64_t snapshot_domain(const struct snapshot *s)
{
	return domain_tag(s->domain);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void snapshot_group(struct repo *r, const char *host, const char *system, const char *const *paths,
    size_t npaths, uint8_t group[FORMAT_UID])
{
	const char **sorted = mem_alloc(npaths * sizeof *sorted);
	struct buf b = {0};
	uint8_t h[32];

	buf_put(&b, "group", 6);
	buf_put(&b, r->holder_text, strlen(r->holder_text) + 1);
	buf_put(&b, host, strlen(host) + 1);
	if (system != NULL) {
		buf_put(&b, "system", 7);
		buf_put(&b, system, strlen(system));
	} else {
		for (size_t i = 0; i < npaths; i++)
			sorted[i] = paths[i];
		if (npaths > 1)
			qsort(sorted, npaths, sizeof *sorted, by_text);
		buf_put(&b, "paths", 5);
		for (size_t i = 0; i < npaths; i++) {
			buf_put_u8(&b, 0);
			buf_put(&b, sorted[i], strlen(sorted[i]));
		}
	}
	crypto_mac3(
	    repo_own_domain(r)->id_key, buf_span(&b), span_of(NULL, 0), span_of(NULL, 0), h);
	memcpy(group, h, FORMAT_UID);
	free(sorted);
	buf_fini(&b);
}
