/*
 * kit: a repository in one file (format.md 12), for what reads and what writes one.
 *
 *   header 16, objects one after another, directory, trailer 64
 *
 * Every byte of it is under some hash, and none is left over: so a kit that was torn, appended
 * to or changed is known without a key.  (That it is the right one, the repository in it says.)
 */
#ifndef HF_STORE_KIT_H
#define HF_STORE_KIT_H

#include "base/buf.h"
#include "store/store.h"

enum {
	KIT_HEADER = 16,
	KIT_TRAILER = 64,
	KIT_HASH = 32, /* SHA-256 */
	KIT_VERSION = 1,
	KIT_TYPE = 9,                  /* among the types of format.md 4 */
	KIT_OBJECTS_MAX = 4 << 20,     /* in a directory */
	KIT_DIRECTORY_MAX = 256 << 20, /* bytes */
};

struct kit_object {
	char *name;
	uint64_t off, size;
	uint8_t hash[KIT_HASH];
};

/* 16 bytes: "HOLDFAST", version, type, six zeros. */
void kit_header(uint8_t out[KIT_HEADER]);

/* The directory of objects in order of their places, and the trailer behind it. */
void kit_end(const struct kit_object *v, size_t n, uint64_t at, int64_t made_ns, struct buf *out);

/* What a trailer says, and whether that and the directory are as they were made. */
struct kit_trailer {
	uint64_t off, size; /* of the directory */
	int64_t made_ns;
	uint8_t hash[KIT_HASH];
};
bool kit_trailer_parse(const uint8_t bytes[KIT_TRAILER], struct kit_trailer *out);

/*
 * The objects of a directory, whose names end up in order; new.  ERR_CORRUPT where anything is
 * out of its place, twice there, or not as the trailer's hash has it.
 */
int kit_directory_parse(
    struct span dir, const struct kit_trailer *t, struct kit_object **v, size_t *n, struct err *e);
void kit_objects_free(struct kit_object *v, size_t n);

#endif
