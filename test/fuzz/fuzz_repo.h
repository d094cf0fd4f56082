/* fuzz_repo: one repository in memory, for targets that need its keys. */
#ifndef HF_TEST_FUZZ_REPO_H
#define HF_TEST_FUZZ_REPO_H

#include <stdlib.h>

#include "base/mem.h"
#include "repo/repo_internal.h"
#include "store/store_drivers.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static inline struct repo *fuzz_repo(void)
{
	static const uint8_t secret[32] = {1};
	static struct ctx ctx;
	static struct repo *r;
	struct repo_init_params p = {
	    .cred = {.key_file = true, .secret = span_of(secret, 32)}, .label = "fuzz"};
	struct store *s;
	struct err e;

	if (r == NULL && (store_mem_open("fuzz", true, &s, &e) == -1 ||
			     repo_init(s, &p, NULL, &ctx, &r, &e) == -1))
		abort();
	return r;
}

/* Outcomes that stored bytes may have. */
static inline void fuzz_kind(const struct err *e)
{
	if (e->kind != ERR_CORRUPT && e->kind != ERR_UNSUPPORTED && e->kind != ERR_FOREIGN)
		abort();
}

#endif
