/*
 * api_token: bearer tokens: who may come over TCP, and what for.
 *
 * A token is "hft_" and 256 random bits in hex.  Only its SHA-256 is kept (nothing is gained by
 * a slow hash of what cannot be guessed), in tokens.json in the state folder, mode 0600.  The
 * daemon reads it again whenever it changes; with a file that is damaged nobody comes in.
 *
 * Threads: an api_tokens is one owner's; an api_token_file any thread's.
 */
#ifndef HF_API_API_TOKEN_H
#define HF_API_API_TOKEN_H

#include "api/api.h"
#include "base/span.h"

enum { API_TOKEN_NAME = 64, API_TOKEN_TEXT = 4 + 64 + 1, API_TOKENS_MAX = 1000 };

struct api_token {
	char name[API_TOKEN_NAME + 1];
	enum api_scope scope;
	uint8_t hash[32];
	int64_t created_ns, expires_ns; /* 0: never */
};

struct api_tokens {
	struct api_token *v;
	size_t n;
};

/* A file that is not there has none.  ERR_CORRUPT; ERR_DENIED: others may read it. */
int api_tokens_load(const char *path, struct api_tokens *out, struct err *e);
void api_tokens_fini(struct api_tokens *t);

/* Make one; its text, which is shown once.  ERR_EXISTS, ERR_USAGE: the name is none. */
int api_token_add(const char *path, const char *name, enum api_scope scope, int64_t now_ns,
    int64_t expires_ns, char text[API_TOKEN_TEXT], struct err *e);
/* ERR_ABSENT */
int api_token_remove(const char *path, const char *name, struct err *e);

/* Whose is it?  NULL: nobody's, or it has expired.  All are compared, each in constant time. */
const struct api_token *api_tokens_find(
    const struct api_tokens *t, struct span text, int64_t now_ns);

/* The file as it is now. */
struct api_token_file;
struct api_token_file *api_token_file_new(const char *path); /* path is copied */
void api_token_file_free(struct api_token_file *f);          /* NULL does nothing */
/* 0 and *out, or ERR_ABSENT for any that is none; else of api_tokens_load. */
int api_token_file_find(struct api_token_file *f, struct span text, int64_t now_ns,
    struct api_token *out, struct err *e);

#endif
