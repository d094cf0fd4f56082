/* fuzz: config; what parses can be changed, signed and parsed again. */
#include <stdlib.h>

#include "repo/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint64_t newest;
	static const uint8_t id[FORMAT_UID] = {1}, key[CRYPTO_KEY] = {2};
	struct config c, again;
	struct buf b = {0};
	struct err e = {0};

	if (config_parse(span_of(p, n), &c, &e) == -1) {
		if (e.kind != ERR_CORRUPT && e.kind != ERR_UNSUPPORTED)
			abort();
		return 0;
	}
	config_verify(&c, c.root, &e);
	config_add_writer(&c, &(struct config_add){.id = id,
				  .key = key,
				  .own = key,
				  .role = ROLE_WRITE,
				  .domain = id,
				  .label = "label",
				  .when = "now"});
	config_writer_newest(&c, id, id, &newest);
	config_writer_missed(&c, id, id, 7);
	config_remove_writer(&c, id, "now", NULL, NULL);
	config_sign(&c, key, &b);
	if (config_parse(buf_span(&b), &again, &e) == -1)
		abort();
	config_fini(&again);
	config_fini(&c);
	buf_fini(&b);
	return 0;
}
