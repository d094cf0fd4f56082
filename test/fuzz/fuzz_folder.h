/* fuzz_folder: a folder of a target's own, in memory where there is any, for it fsyncs a lot. */
#ifndef HF_TEST_FUZZ_FOLDER_H
#define HF_TEST_FUZZ_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void fuzz_folder(char out[64])
{
	snprintf(out, 64, "%s/holdfast-fuzz-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(out) == NULL)
		abort();
}

#endif
