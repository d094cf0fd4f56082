/* load: a configuration that has to be right, of a text. */
#ifndef HF_TEST_CONFIG_LOAD_H
#define HF_TEST_CONFIG_LOAD_H

#include "unit/unit.h"

#include "config/world.h"

static inline struct world *load(const char *text)
{
	struct world *w;
	struct err e = {0};

	if (world_of_text(span_str(text), "f", &w, &e) == -1)
		fail_msg("%s\n%s", e.msg, text);
	return w;
}

#endif
