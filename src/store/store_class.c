/* store_class: see store_class.h. */
#include "store/store_class.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

enum { MINUTE = 60, HOUR = 3600 };

static const struct store_class_info table[STORE_CLASSES] = {
    [STORE_CLASS_USUAL] = {.scheme = "", .name = "usual"},
    [STORE_CLASS_S3_IA] = {"s3", "STANDARD_IA", .min_days = 30, .month = 0.0125, .read = 0.01},
    [STORE_CLASS_S3_ONEZONE_IA] = {"s3", "ONEZONE_IA", .min_days = 30, .month = 0.01, .read = 0.01},
    /* Only some of it is asleep, which HEAD tells; thawing is free but for expedited. */
    [STORE_CLASS_S3_INTELLIGENT] = {"s3", "INTELLIGENT_TIERING", .moves = true,
	.thaw = {[STORE_BULK] = {48 * HOUR, {0, 0}},
	    [STORE_STANDARD] = {12 * HOUR, {0, 0}},
	    [STORE_EXPEDITED] = {5 * MINUTE, {0.03, 10}}}},
    [STORE_CLASS_S3_GLACIER_IR] = {"s3", "GLACIER_IR", .min_days = 90, .month = 0.004,
	.read = 0.03},
    [STORE_CLASS_S3_GLACIER] = {"s3", "GLACIER", .asleep = true, .min_days = 90, .month = 0.0036,
	.thaw = {[STORE_BULK] = {12 * HOUR, {0, 0}},
	    [STORE_STANDARD] = {5 * HOUR, {0.01, 0.05}},
	    [STORE_EXPEDITED] = {5 * MINUTE, {0.03, 10}}}},
    [STORE_CLASS_S3_DEEP_ARCHIVE] = {"s3", "DEEP_ARCHIVE", .asleep = true, .min_days = 180,
	.month = 0.00099,
	.thaw = {[STORE_BULK] = {48 * HOUR, {0.0025, 0.025}},
	    [STORE_STANDARD] = {12 * HOUR, {0.02, 0.10}}}},
    [STORE_CLASS_AZURE_COOL] = {"azure", "Cool", .min_days = 30, .month = 0.01, .read = 0.01},
    [STORE_CLASS_AZURE_COLD] = {"azure", "Cold", .min_days = 90, .month = 0.0036, .read = 0.03},
    [STORE_CLASS_AZURE_ARCHIVE] = {"azure", "Archive", .asleep = true, .moves = true,
	.min_days = 180, .month = 0.002,
	.thaw = {[STORE_STANDARD] = {15 * HOUR, {0.022, 0.55}},
	    [STORE_EXPEDITED] = {1 * HOUR, {0.10, 5}}}},
    [STORE_CLASS_GCS_NEARLINE] = {"gcs", "NEARLINE", .min_days = 30, .month = 0.01, .read = 0.01},
    [STORE_CLASS_GCS_COLDLINE] = {"gcs", "COLDLINE", .min_days = 90, .month = 0.004, .read = 0.02},
    [STORE_CLASS_GCS_ARCHIVE] = {"gcs", "ARCHIVE", .min_days = 365, .month = 0.0012, .read = 0.05},
};

const struct store_class_info *store_class_info(unsigned class)
{
	assert(class < STORE_CLASSES);
	return &table[class];
}

/* Google's buckets are S3's too, by another of their interfaces. */
static bool is_of(const struct store_class_info *c, const char *scheme)
{
	return strcmp(c->scheme, scheme) == 0 ||
	       (strcmp(scheme, "s3") == 0 && strcmp(c->scheme, "gcs") == 0);
}

enum store_class store_class_find(const char *scheme, struct span name)
{
	for (unsigned i = STORE_CLASS_USUAL + 1; i < STORE_CLASSES; i++)
		if (is_of(&table[i], scheme) && strlen(table[i].name) == name.n &&
		    strncasecmp(table[i].name, (const char *)name.p, name.n) == 0)
			return (enum store_class)i;
	return STORE_CLASS_USUAL;
}

const char *store_speed_name(enum store_speed s)
{
	static const char *const names[STORE_SPEEDS] = {"bulk", "standard", "expedited"};

	return names[s];
}
