/* xml: see xml.h. */
#include "net/xml.h"

#include <expat.h>
#include <string.h>

#include "base/buf.h"

enum { DEPTH_MAX = 16, PATH_MAX_BYTES = 256, TEXT_MAX = 4096 };

struct reading {
	XML_Parser parser;
	xml_visit *visit;
	void *arg;
	struct err *e;
	bool stopped; /* by visit, or by us, with e set */
	unsigned depth;
	char path[PATH_MAX_BYTES];
	size_t ends[DEPTH_MAX]; /* length of path above each open element */
	struct buf text;
};

static void stop(struct reading *r)
{
	r->stopped = true;
	XML_StopParser(r->parser, XML_FALSE);
}

static void refuse(struct reading *r, const char *why)
{
	err_set(r->e, ERR_CORRUPT, "XML: %s", why);
	stop(r);
}

static void on_start(void *arg, const char *name, const char **attributes)
{
	struct reading *r = arg;
	size_t at = strlen(r->path), n = strlen(name);

	(void)attributes;
	if (r->stopped)
		return;
	if (r->depth == DEPTH_MAX || at + n + 2 > sizeof r->path) {
		refuse(r, "too deep");
		return;
	}
	r->ends[r->depth++] = at;
	if (r->depth > 1) { /* the root has no name in paths */
		if (at > 0)
			r->path[at++] = '/';
		memcpy(r->path + at, name, n + 1);
	}
	buf_reset(&r->text);
}

static void on_end(void *arg, const char *name)
{
	struct reading *r = arg;

	(void)name;
	if (r->stopped)
		return;
	buf_cstr(&r->text); /* there, even if it is empty */
	if (r->visit(r->arg, r->path, buf_span(&r->text), r->e) == -1) {
		stop(r);
		return;
	}
	r->path[r->ends[--r->depth]] = '\0';
	buf_reset(&r->text);
}

static void on_text(void *arg, const char *s, int n)
{
	struct reading *r = arg;
	size_t room = TEXT_MAX - r->text.n;

	buf_put(&r->text, s, (size_t)n < room ? (size_t)n : room);
}

static void on_doctype(
    void *arg, const char *name, const char *sysid, const char *pubid, int internal)
{
	(void)name, (void)sysid, (void)pubid, (void)internal;
	refuse(arg, "a document type is not expected");
}

int xml_read(struct span document, xml_visit *visit, void *arg, struct err *e)
{
	struct reading r = {.parser = XML_ParserCreate(NULL), .visit = visit, .arg = arg, .e = e};
	int rc = 0;

	if (r.parser == NULL)
		return err_set(e, ERR_FAILED, "XML: out of memory");
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	if (XML_Parse(r.parser, (const char *)document.p, (int)document.n, 1) != XML_STATUS_OK) {
		rc = -1;
		if (!r.stopped)
			err_set(
			    e, ERR_CORRUPT, "XML: %s", XML_ErrorString(XML_GetErrorCode(r.parser)));
	}
	XML_ParserFree(r.parser);
	buf_fini(&r.text);
	return rc;
}

bool xml_copy(char *out, size_t size, struct span text)
{
	bool fits = text.n < size && !memchr(text.p, '\0', text.n);

	if (fits)
		memcpy(out, text.p, text.n);
	out[fits ? text.n : 0] = '\0';
	return fits;
}
