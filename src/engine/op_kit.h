/*
 * op_kit: one snapshot as a file that needs nothing else: a repository in a kit (store/kit.h) of
 * its own id and keys, so whoever gets file and key learns nothing that opens the repository it
 * came from.  It is read as any other, at kit:FILE.
 *
 * Threads: one owner.
 */
#ifndef HF_ENGINE_OP_KIT_H
#define HF_ENGINE_OP_KIT_H

#include "codec/codec.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

struct kit_params {
	struct repo_init_params init; /* credential, label, parity */
	enum codec_id codec;
	int level;
	unsigned jobs;
	const char *name; /* of the file, for messages */
};

struct kit_result {
	uint64_t size;
	uint8_t sha256[32]; /* of the whole file */
	struct id copy;     /* the snapshot's id in it */
	char repository[33];
	uint64_t bytes_read;
	double seconds;
};

/*
 * Into fd (borrowed, written from its place on, perhaps a pipe).  On failure what is in fd is no
 * kit.  ERR_DAMAGE_FOUND if damage reaches the snapshot.
 */
int op_kit_export(struct repo *r, const struct snapshot *s, const struct kit_params *p, int fd,
    struct ctx *ctx, struct kit_result *out, struct err *e);

#endif
