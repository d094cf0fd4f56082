/*
 * fuzz_object: notes and marks with any payload, sealed and signed as a hostile
 * holder of a key would.  Notes are on the snapshot whose id is zeros.
 */
#ifndef HF_TEST_FUZZ_OBJECT_H
#define HF_TEST_FUZZ_OBJECT_H

#include <stdio.h>

#include "fuzz_repo.h"

static inline void fuzz_put(
    struct repo *r, enum format_type type, struct span payload, char name[REPO_NAME_MAX])
{
	static const struct id snapshot;
	bool note = type == FORMAT_NOTE;
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
	envelope_begin(&object, type, keys, note);
	envelope_section(&sealer, &object, key, note ? PURPOSE_NOTE : PURPOSE_MARK, payload);
	envelope_sign(&sealer, &object, key, r->keys->holder, r->keys->signing);
	repo_object_id(r, buf_span(&object), &id);
	if (note)
		snprintf(name, REPO_NAME_MAX, "notes/%s.%s", id_hex(a, &snapshot), id_hex(b, &id));
	else
		repo_object_name(name, type, &id);
	if (store_put(r->store, name, buf_span(&object), 0, &e) == -1)
		abort();
	sealer_fini(&sealer);
	buf_fini(&object);
}

/* Else what is kept of each note looks like a leak to libFuzzer, which then searches for it. */
static inline void fuzz_forget_data_keys(struct repo *r)
{
	struct seal_key **k;
	struct id id;
	size_t pos = 0;

	while ((k = idmap_next(r->data_keys, &pos, &id)) != NULL)
		free(*k);
	idmap_free(r->data_keys);
	r->data_keys = idmap_new(sizeof(struct seal_key *));
}

#endif
