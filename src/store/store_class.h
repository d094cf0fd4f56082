/*
 * store_class: the classes of storage that are cheap to keep things in, and what else is said of
 * them: must what lies there be thawed, how long does that take, what does it cost, and how long
 * is paid for at least.
 *
 * Prices are list prices in US dollars, of the middle of 2026, in the cheapest common region (S3
 * us-east-1, Azure East US with LRS, Google us-central1), and only good for an estimate: who has
 * others says so (restore --thaw-price).  A month is 30 days, a GB 2^30 bytes, as on the bills.
 *
 * Threads: any.
 */
#ifndef HF_STORE_STORE_CLASS_H
#define HF_STORE_STORE_CLASS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum store_class {
	STORE_CLASS_USUAL, /* no fee for reading or deleting; also where nothing is told */
	STORE_CLASS_S3_IA,
	STORE_CLASS_S3_ONEZONE_IA,
	STORE_CLASS_S3_INTELLIGENT,
	STORE_CLASS_S3_GLACIER_IR,
	STORE_CLASS_S3_GLACIER,
	STORE_CLASS_S3_DEEP_ARCHIVE,
	STORE_CLASS_AZURE_COOL,
	STORE_CLASS_AZURE_COLD,
	STORE_CLASS_AZURE_ARCHIVE,
	STORE_CLASS_GCS_NEARLINE,
	STORE_CLASS_GCS_COLDLINE,
	STORE_CLASS_GCS_ARCHIVE,
	STORE_CLASSES
};

enum store_speed { STORE_BULK, STORE_STANDARD, STORE_EXPEDITED, STORE_SPEEDS };

struct store_price {
	double gb;       /* to get a GB out */
	double requests; /* a thousand requests to do so */
};

struct store_class_info {
	const char *scheme; /* of the stores that have it: "s3" */
	const char *name;   /* as they call it: "DEEP_ARCHIVE" */
	bool asleep;        /* it must be thawed before it can be read */
	bool moves;         /* thawed is moved to the usual class, for good */
	int min_days;       /* paid for at least */
	double month;       /* to keep a GB in it */
	double read;        /* to read a GB of what is not asleep */
	struct {
		int64_t seconds; /* until all is thawed, at the longest; 0: not offered */
		struct store_price price;
	} thaw[STORE_SPEEDS];
};

/* To keep a thawed copy of a GB for a month, besides what is in the archive. */
#define STORE_THAWED_MONTH 0.023

const struct store_class_info *store_class_info(unsigned class); /* never NULL */

/* By the store's name for it, in any case; STORE_CLASS_USUAL if it is none of them. */
enum store_class store_class_find(const char *scheme, struct span name);

const char *store_speed_name(enum store_speed s); /* "bulk" */

#endif
