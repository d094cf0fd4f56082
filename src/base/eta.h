/*
 * eta: how long the whole of a piece of work will take, from how far it is.
 *
 * Bytes alone predict badly: a tree's large files may compress five times
 * better than its small ones, and a file costs something however small it is.
 * So files are counted by class of size, with the time that threads spent on
 * each class; what is left of a class costs what its like did.  Time in which
 * threads had nothing to do is that of walking, and goes by the number of
 * files.  Files that needed no work (unchanged) count as done in no time, so
 * what is left is taken to have as many of them.
 *
 * A pure function: no clock, no state.
 *
 * Threads: any.
 */
#ifndef HF_BASE_ETA_H
#define HF_BASE_ETA_H

#include <stdbool.h>
#include <stdint.h>

enum { ETA_CLASSES = 8 };

struct eta_class {
	uint64_t files, bytes;             /* done */
	uint64_t total_files, total_bytes; /* of all */
	double busy;                       /* seconds of threads */
};

struct eta_input {
	double seconds;   /* since the work began */
	unsigned threads; /* that work on files */
	struct eta_class class[ETA_CLASSES];
};

/* The class of a file of this size: below 4 KiB, 16 KiB, ... 16 MiB, and above. */
unsigned eta_class_of(uint64_t size);

/* Seconds that the whole takes, counted from its beginning; -1 where nothing is known yet. */
double eta_total(const struct eta_input *in);

#endif
