/* world_load: what the files of config/world share. */
#ifndef HF_CONFIG_WORLD_LOAD_H
#define HF_CONFIG_WORLD_LOAD_H

#include "config/world.h"

/* Names that refer to nothing, and contradictions. */
void world_check(const struct world *w, struct mistakes *m);

#endif
