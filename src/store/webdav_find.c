/* webdav_find: PROPFIND and its answer, a multistatus.  See webdav.h. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "net/xml.h"
#include "store/webdav.h"

enum { ANSWER_MAX = 32 << 20 };

struct finding {
	const struct webdav *d;
	webdav_visit *visit;
	void *arg;
	char href[2048];
	struct store_stat st;
	bool folder, any;
};

/* "D:response/D:href" -> "response/href": a server may call the namespace as it likes. */
static const char *local(const char *path, char out[256])
{
	size_t n = 0;

	while (*path && n < 254) {
		size_t k = strcspn(path, "/"), colon = strcspn(path, ":/");

		if (colon < k) {
			path += colon + 1;
			k -= colon + 1;
		}
		if (n + k > 254)
			break;
		memcpy(out + n, path, k);
		n += k;
		path += k;
		if (*path == '/')
			out[n++] = *path++;
	}
	out[n] = '\0';
	return out;
}

/* Of "%41" and so on; false if it is not text then. */
static bool decode(char *s)
{
	char *out = s;

	for (; *s; s++) {
		uint8_t c;
		char two[3] = {0};

		if (*s != '%') {
			*out++ = *s;
			continue;
		}
		if (s[1] == '\0' || s[2] == '\0')
			return false;
		two[0] = s[1];
		two[1] = s[2];
		if (!hex_decode(&c, 1, two) || c == 0)
			return false;
		*out++ = (char)c;
		s += 2;
	}
	*out = '\0';
	return true;
}

/* The key in a path or URL; NULL if that is not below our folder. */
static const char *key_of(const struct finding *f, char *href)
{
	char *p = strstr(href, "://");
	size_t n = strlen(f->d->path);

	p = p ? strchr(p + 3, '/') : href;
	if (p == NULL || !decode(p) || strncmp(p, f->d->path, n) != 0)
		return NULL;
	p += n;
	if (*p == '/')
		p++;
	else if (*p)
		return NULL;
	for (n = strlen(p); n > 0 && p[n - 1] == '/'; n--)
		p[n - 1] = '\0';
	return p;
}

static int on_element(void *arg, const char *path, struct span text, struct err *e)
{
	struct finding *f = arg;
	char name[256], word[64] = "";
	const char *key;

	local(path, name);
	if (text.n < sizeof word)
		memcpy(word, text.p, text.n);
	if (strcmp(name, "response/href") == 0) {
		f->href[0] = '\0';
		if (text.n < sizeof f->href) {
			memcpy(f->href, text.p, text.n);
			f->href[text.n] = '\0';
		}
		f->st = (struct store_stat){.mtime_ns = -1};
		f->folder = false;
	} else if (strcmp(name, "response/propstat/prop/getcontentlength") == 0) {
		f->st.size = strtoull(word, NULL, 10);
	} else if (strcmp(name, "response/propstat/prop/getlastmodified") == 0) {
		f->st.mtime_ns = http_date_ns(word);
	} else if (strcmp(name, "response/propstat/prop/resourcetype/collection") == 0) {
		f->folder = true;
	} else if (strcmp(name, "response") == 0) {
		f->any = true;
		if ((key = key_of(f, f->href)) == NULL)
			return 0;
		if (!f->folder && f->st.mtime_ns == -1)
			return err_set(e, ERR_CORRUPT, "the store tells no time of %s", key);
		return f->visit(f->arg, key, f->folder, &f->st, e);
	}
	return 0;
}

int webdav_read(
    const struct webdav *d, struct span body, webdav_visit *visit, void *arg, struct err *e)
{
	struct finding f = {.d = d, .visit = visit, .arg = arg};

	if (xml_read(body, on_element, &f, e) == -1)
		return -1;
	return f.any ? 0 : err_set(e, ERR_CORRUPT, "PROPFIND was answered with nothing");
}

int webdav_find(struct webdav *d, const char *key, const char *depth, webdav_visit *visit,
    void *arg, struct err *e)
{
	struct webdav_call c = {
	    .method = "PROPFIND", .key = key, .depth = depth, .max = ANSWER_MAX};
	struct http_answer a;
	int rc;

	if (webdav_do(d, &c, &a, e) == -1)
		return -1;
	if (a.status != 207)
		rc = err_set(e, ERR_UNSUPPORTED, "PROPFIND was answered with %d", a.status);
	else
		rc = webdav_read(d, buf_span(&a.body), visit, arg, e);
	http_answer_fini(&a);
	return rc;
}
