/* azure_list: the names in a container, in pages.  See azure.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/xml.h"
#include "store/azure.h"

enum { PAGE_MAX = 16 << 20 };

struct page {
	struct azure_page *out;
	const char *prefix; /* of the repository in the container */
	store_visit *visit;
	void *arg;
	char key[1100];
	struct store_stat st;
};

static const uint64_t UNTOLD = UINT64_MAX;

static int listed(struct page *p, struct err *e)
{
	size_t n = strlen(p->prefix);

	if (p->st.size == UNTOLD || p->st.mtime_ns == -1)
		return err_set(e, ERR_CORRUPT, "list: a blob without size or time");
	/* Whatever else is in the container is not ours, and no key. */
	if (strncmp(p->key, p->prefix, n) != 0 || !store_key_valid(p->key + n))
		return 0;
	return p->visit(p->arg, p->key + n, &p->st, e);
}

static int on_text(void *arg, const char *path, struct span text, struct err *e)
{
	struct page *p = arg;
	char word[64], *end;
	int rc = 0;

	if (strcmp(path, "Blobs/Blob/Name") == 0) {
		xml_copy(p->key, sizeof p->key, text);
	} else if (strcmp(path, "Blobs/Blob/Properties/Content-Length") == 0) {
		if (!xml_copy(word, sizeof word, text) || word[0] < '0' || word[0] > '9')
			return err_set(e, ERR_CORRUPT, "list: a size that is none");
		p->st.size = strtoull(word, &end, 10);
		if (*end != '\0')
			return err_set(e, ERR_CORRUPT, "list: a size that is none");
	} else if (strcmp(path, "Blobs/Blob/Properties/Last-Modified") == 0) {
		if (!xml_copy(word, sizeof word, text) ||
		    (p->st.mtime_ns = http_date_ns(word)) == -1)
			return err_set(e, ERR_CORRUPT, "list: a time that is none");
	} else if (strcmp(path, "Blobs/Blob/Properties/AccessTier") == 0) {
		p->st.class = store_class_find("azure", text);
	} else if (strcmp(path, "Blobs/Blob/Properties/AccessTierChangeTime") == 0) {
		p->st.class_ns = xml_copy(word, sizeof word, text) ? http_date_ns(word) : 0;
	} else if (strcmp(path, "Blobs/Blob") == 0) {
		azure_date_class(&p->st);
		rc = listed(p, e);
		p->key[0] = '\0';
		p->st = (struct store_stat){.size = UNTOLD, .mtime_ns = -1};
	} else if (strcmp(path, "NextMarker") == 0) {
		/* What was cut short would end the listing, or skip some of it. */
		if (!xml_copy(p->out->next, sizeof p->out->next, text))
			return err_set(e, ERR_CORRUPT, "list: the marker is too long");
	}
	return rc;
}

int azure_page_read(struct span xml, const char *prefix, store_visit *visit, void *arg,
    struct azure_page *out, struct err *e)
{
	struct page p = {.out = out,
	    .prefix = prefix,
	    .visit = visit,
	    .arg = arg,
	    .st = {.size = UNTOLD, .mtime_ns = -1}};

	memset(out, 0, sizeof *out);
	return xml_read(xml, on_text, &p, e);
}

static int ask_page(
    struct azure *z, const char *full, const char *marker, struct http_answer *a, struct err *e)
{
	struct url_param params[] = {
	    {"restype", "container"}, {"comp", "list"}, {"prefix", full}, {"marker", marker}};
	struct azure_call c = {.method = "GET",
	    .counted = COUNT_LIST,
	    .params = params,
	    .nparams = marker[0] ? 4 : 3,
	    .max = PAGE_MAX};

	return azure_do(z, &c, a, e);
}

int azure_list(struct azure *z, const char *prefix, store_visit *visit, void *arg, struct err *e)
{
	char *full = mem_printf("%s%s", z->place.prefix, prefix);
	struct azure_page page = {0}, last;
	struct http_answer a;
	int rc;

	do {
		last = page;
		/* Of the first page store_retry takes care; later ones are ours to repeat. */
		for (int n = 1; (rc = ask_page(z, full, page.next, &a, e)) == -1; n++) {
			if (!page.next[0] || !store_backoff(&z->pace, z->ctx, n, "list", prefix, e))
				break;
			err_clear(e);
		}
		if (rc == -1)
			break;
		rc = azure_page_read(buf_span(&a.body), z->place.prefix, visit, arg, &page, e);
		http_answer_fini(&a);
		if (rc == 0 && page.next[0] && strcmp(page.next, last.next) == 0)
			rc = err_set(e, ERR_CORRUPT, "list: the same page comes again and again");
	} while (rc == 0 && page.next[0]);
	free(full);
	return rc;
}
