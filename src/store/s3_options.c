/* s3_options: what -o s3.NAME=VALUE means.  See s3.h. */
#include <string.h>
#include <time.h>

#include "store/s3.h"

#define AT(member) offsetof(struct s3_options, member)

const struct store_option s3_option_table[] = {
    {"s3.region", STORE_OPTION_TEXT, AT(region), NULL, "the bucket's region"},
    {"s3.bucket-lookup", STORE_OPTION_CHOICE, AT(lookup), "auto|path|dns",
	"HOST/BUCKET or BUCKET.HOST"},
    {"s3.profile", STORE_OPTION_TEXT, AT(profile), NULL, "of ~/.aws/credentials"},
    {"s3.storage-class", STORE_OPTION_TEXT, AT(storage_class), NULL,
	"of packs with content, like STANDARD_IA"},
    {"s3.sse", STORE_OPTION_CHOICE, AT(sse), "AES256|aws:kms", "let the store encrypt as well"},
    {"s3.sse-kms-key-id", STORE_OPTION_TEXT, AT(kms_key), NULL, "with this key"},
    {"s3.tags", STORE_OPTION_TEXT, AT(tags), NULL, "of every object, like team=a&cost=b"},
    {"s3.object-lock", STORE_OPTION_TIME, AT(lock_ns), NULL,
	"keep every object locked for so long at any time: twice that when it is put, again by "
	"prune"},
    {"s3.object-lock-mode", STORE_OPTION_CHOICE, AT(lock_mode), "governance|compliance",
	"governance: who has the right may unlock; compliance (the default): nobody"},
    {"s3.expire-versions", STORE_OPTION_TIME, AT(expire_versions_ns), NULL,
	"rule of the bucket: versions that were deleted or replaced go so long after"},
    {"s3.expire-uploads", STORE_OPTION_TIME, AT(expire_uploads_ns), NULL,
	"rule of the bucket: what is left of an upload that did not end goes so long after"},
    {"s3.archive-after", STORE_OPTION_TIME, AT(archive_ns), NULL,
	"rule of the bucket: packs move to s3.archive-class when they are so old"},
    {"s3.archive-class", STORE_OPTION_TEXT, AT(archive_class), NULL, "like GLACIER"},
};
const size_t s3_option_table_n = sizeof s3_option_table / sizeof *s3_option_table;
const struct store_option_table store_s3_options = {
    s3_option_table, sizeof s3_option_table / sizeof *s3_option_table, sizeof(struct s3_options)};

int s3_options_read(struct s3_options *o, const struct store_given *given, struct err *e)
{
	memset(o, 0, sizeof *o);
	if (store_options_known(s3_option_table, s3_option_table_n, given, e) == -1 ||
	    store_options_read(s3_option_table, s3_option_table_n, given, o, e) == -1)
		return -1;
	if (o->kms_key && o->sse && strcmp(o->sse, "aws:kms") != 0)
		return err_set(e, ERR_USAGE, "s3.sse-kms-key-id belongs to s3.sse=aws:kms");
	if (o->kms_key && o->sse == NULL)
		o->sse = "aws:kms";
	if (o->lock_mode && o->lock_ns == 0)
		return err_set(e, ERR_USAGE, "s3.object-lock-mode needs s3.object-lock=DURATION");
	if ((o->archive_ns != 0) != (o->archive_class != NULL))
		return err_set(
		    e, ERR_USAGE, "s3.archive-after and s3.archive-class belong together");
	return 0;
}

const char *s3_lock_mode(const struct s3_options *o)
{
	return o->lock_mode && *o->lock_mode == 'g' ? "GOVERNANCE" : "COMPLIANCE";
}

static bool below(const char *key, const char *folder)
{
	return strncmp(key, folder, strlen(folder)) == 0;
}

/* What is made to be deleted soon is not locked. */
static bool locked(const char *key)
{
	return !below(key, "tmp/") && !below(key, "leases/") && !below(key, "marks/");
}

void s3_options_headers(
    const struct s3_options *o, const char *key, int64_t now_ns, struct http_headers *h)
{
	if (o->storage_class && below(key, "packs/"))
		http_headers_add(h, "x-amz-storage-class: %s", o->storage_class);
	if (o->sse)
		http_headers_add(h, "x-amz-server-side-encryption: %s", o->sse);
	if (o->kms_key)
		http_headers_add(h, "x-amz-server-side-encryption-aws-kms-key-id: %s", o->kms_key);
	if (o->tags)
		http_headers_add(h, "x-amz-tagging: %s", o->tags);
	if (o->lock_ns && locked(key)) {
		char until[32];

		s3_lock_time(until, now_ns + 2 * o->lock_ns);
		http_headers_add(h, "x-amz-object-lock-mode: %s", s3_lock_mode(o));
		http_headers_add(h, "x-amz-object-lock-retain-until-date: %s", until);
	}
}

void s3_lock_time(char out[32], int64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
