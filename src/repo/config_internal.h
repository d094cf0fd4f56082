/*
 * config_internal: what config.c (reading) and config_change.c share.
 *
 * Threads: as config.h.
 */
#ifndef HF_REPO_CONFIG_INTERNAL_H
#define HF_REPO_CONFIG_INTERNAL_H

#include "repo/config.h"

/* What config calls the algorithms of a crypto_family. */
struct config_family {
	const char *object_hash, *blob_id;
};
extern const struct config_family config_families[];

bool config_has_domain(const struct config *c, const uint8_t id[FORMAT_UID]);

/* Set w->text. */
void config_name_writer(struct config_writer *w, const char *label);

/* A writer's object in c->json; borrowed. */
json_t *config_writer_json(const struct config *c, size_t i);

/* What is signed: "holdfast/<format> config" and the canonical text of all but the signature. */
void config_sign_text(const json_t *json, struct buf *out);

#endif
