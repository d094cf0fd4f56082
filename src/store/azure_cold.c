/*
 * azure_cold: blobs in the archive tier.  Waking one is Set Blob Tier to Hot, where it stays:
 * for a copy that ends by itself a second blob would be needed.  See azure.h and store_cold.h.
 */
#include <stdlib.h>
#include <string.h>

#include "store/azure.h"

void azure_date_class(struct store_stat *st)
{
	if (st->class == STORE_CLASS_USUAL)
		st->class_ns = 0;
	else if (st->class_ns <= 0)
		st->class_ns = st->mtime_ns;
}

void azure_class(const struct http_answer *a, struct store_stat *st)
{
	const char *tier = http_header(a, "x-ms-access-tier");
	const char *date = http_header(a, "x-ms-access-tier-change-time");

	st->class = tier ? store_class_find("azure", span_str(tier)) : STORE_CLASS_USUAL;
	st->class_ns = date ? http_date_ns(date) : 0;
	azure_date_class(st);
}

static int look_once(struct azure *z, const char *key, struct store_cold *out, struct err *e)
{
	struct azure_call c = {.method = "HEAD", .key = key};
	struct http_answer a;
	struct store_stat st = {0};
	const char *status;
	int rc;

	if (azure_do(z, &c, &a, e) == -1)
		return -1;
	rc = web_stat(&a, &st, e);
	azure_class(&a, &st);
	status = http_header(&a, "x-ms-archive-status");
	*out = (struct store_cold){.class = st.class, .class_ns = st.class_ns, .size = st.size};
	if (status && strncmp(status, "rehydrate-pending", strlen("rehydrate-pending")) == 0)
		out->state = STORE_THAWING;
	else if (store_class_info(st.class)->asleep)
		out->state = STORE_COLD;
	http_answer_fini(&a);
	return rc;
}

static int azure_look(struct store *st, const char *key, struct store_cold *out, struct err *e)
{
	struct azure *z = &((struct store_azure *)st)->azure;

	for (int n = 1; look_once(z, key, out, e) == -1; n++)
		if (!store_backoff(&z->pace, z->ctx, n, "look", key, e))
			return -1;
	return 0;
}

static int thaw_once(struct azure *z, const char *key, const struct store_thaw *how, struct err *e)
{
	struct url_param comp = {"comp", "tier"};
	struct azure_call c = {.method = "PUT", .key = key, .params = &comp, .nparams = 1};
	struct http_answer a;

	http_headers_add(&c.headers, "x-ms-access-tier: Hot");
	http_headers_add(&c.headers, "x-ms-rehydrate-priority: %s",
	    how->speed == STORE_EXPEDITED ? "High" : "Standard");
	if (azure_do(z, &c, &a, e) == -1)
		return -1;
	http_answer_fini(&a);
	return 0;
}

static int azure_thaw(struct store *st, const char *key, const struct store_cold *now,
    const struct store_thaw *how, struct err *e)
{
	struct azure *z = &((struct store_azure *)st)->azure;

	(void)now;
	for (int n = 1; thaw_once(z, key, how, e) == -1; n++) {
		/* Somebody asked before us. */
		if (e->kind == ERR_COLD) {
			err_clear(e);
			return 0;
		}
		if (!store_backoff(&z->pace, z->ctx, n, "thaw", key, e))
			return -1;
	}
	return 0;
}

const struct store_cold_ops azure_cold_ops = {.look = azure_look, .thaw = azure_thaw};
