/*
 * fuzz: small objects.  The first byte chooses: raw bytes as an object of a
 * type; or a mark or note with these bytes as its payload, sealed and signed,
 * as a hostile writer would.
 */
#include "fuzz_repo.h"

#include "repo/mark.h"
#include "repo/note.h"
#include "repo/snapshot.h"

static void raw(struct repo *r, enum format_type type, struct span s)
{
	struct buf payload = {0};
	uint8_t signer[FORMAT_UID];
	struct envelope env;
	struct sealer sealer;
	struct err e = {0};

	sealer_init(&sealer, r->config.repo);
	for (size_t sections = 1; sections <= 3; sections++) {
		if (envelope_parse(s, type, sections, &env, &e) == -1) {
			fuzz_kind(&e);
			continue;
		}
		if (envelope_verify(&sealer, &env, r->index_key, config_writer_key, &r->config,
			signer, &e) == -1)
			fuzz_kind(&e);
		for (size_t i = 0; i < sections; i++)
			if (envelope_open(
				&sealer, &env, i, r->index_key, PURPOSE_INDEX, &payload, &e) == -1)
				fuzz_kind(&e);
	}
	sealer_fini(&sealer);
	buf_fini(&payload);
}

static void put_sealed(struct repo *r, bool note, struct span s, char name[REPO_NAME_MAX])
{
	static const struct id snapshot;
	uint8_t sealed[FORMAT_SEALED_KEY];
	const uint8_t *keys[1] = {sealed};
	const struct seal_key *key = r->mark_key;
	char a[ID_HEX], b[ID_HEX];
	struct buf object = {0};
	struct seal_key k;
	struct sealer sealer;
	struct err e;
	struct id id;

	sealer_init(&sealer, r->config.repo);
	if (note) {
		seal_data_key_new(
		    r->config.repo, SEAL_STRUCTURE, 1, r->config.structure, &k, sealed);
		key = &k;
	}
	envelope_begin(&object, note ? FORMAT_NOTE : FORMAT_MARK, keys, note);
	envelope_section(&sealer, &object, key, note ? PURPOSE_NOTE : PURPOSE_MARK, s);
	envelope_sign(&sealer, &object, key, r->keys->holder, r->keys->signing);
	repo_object_id(r, buf_span(&object), &id);
	if (note)
		snprintf(name, REPO_NAME_MAX, "notes/%s.%s", id_hex(a, &snapshot), id_hex(b, &id));
	else
		repo_object_name(name, FORMAT_MARK, &id);
	if (store_put(r->store, name, buf_span(&object), 0, &e) == -1)
		abort();
	sealer_fini(&sealer);
	buf_fini(&object);
}

/* Else what is kept of each note looks like a leak to libFuzzer, which then searches for it. */
static void forget_data_keys(struct repo *r)
{
	struct seal_key **k;
	struct id id;
	size_t pos = 0;

	while ((k = idmap_next(r->data_keys, &pos, &id)) != NULL)
		free(*k);
	idmap_free(r->data_keys);
	r->data_keys = idmap_new(sizeof(struct seal_key *));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct repo *r = fuzz_repo();
	struct snapshot s = {.nparts = 0};
	char name[REPO_NAME_MAX];
	struct note_list notes;
	struct mark_set marks;
	struct err e = {0};
	struct span rest;

	if (n == 0)
		return 0;
	rest = span_of(p + 1, n - 1);
	if (p[0] < 8) {
		raw(r, (enum format_type)p[0], rest);
		return 0;
	}
	put_sealed(r, p[0] & 1, rest, name);
	if (p[0] & 1) {
		if (note_load_all(r, &notes, &e) == -1 || notes.n != 1)
			abort();
		note_fold(&notes, &s);
		for (size_t i = 0; i < s.ntags; i++)
			free(s.tags[i]);
		free(s.tags);
		note_list_fini(&notes);
	} else {
		if (mark_load(r, &marks, &e) == -1 || marks.n != 1)
			abort();
		mark_set_fini(&marks);
	}
	if (store_del(r->store, name, &e) == -1)
		abort();
	forget_data_keys(r);
	return 0;
}
