/* api_uri: see api_uri.h. */
#include "api/api_uri.h"

#include <stdlib.h>

#include "base/hex.h"

static int refuse(struct err *e, const char *why)
{
	err_set(e, ERR_USAGE, "the request's target: %s", why);
	return 400;
}

/* Decode [from, end) to *out, which gets a NUL behind it; NULL, or what is wrong with it. */
static const char *decode(const uint8_t *from, const uint8_t *end, bool query, char **out)
{
	char *begin = *out, *p = begin;

	for (; from < end; from++) {
		uint8_t c = *from;

		if (c == '%') {
			char digits[3] = {0};

			if (end - from < 3)
				return "'%' without two digits";
			memcpy(digits, from + 1, 2);
			if (!hex_decode(&c, 1, digits))
				return "'%' without two digits";
			from += 2;
			if (c == '/' && !query)
				return "an encoded '/'";
		} else if (c == '+' && query) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7f)
			return "a control character";
		*p++ = (char)c;
	}
	*p++ = '\0';
	*out = p;
	return utf8_valid(span_of(begin, (size_t)(p - begin - 1))) ? NULL : "it is no UTF-8";
}

static int path_parse(
    struct api_uri *u, const uint8_t *p, const uint8_t *end, char **out, struct err *e)
{
	while (p < end) {
		const uint8_t *begin = ++p; /* behind the '/' */
		char *text = *out;
		const char *bad;

		while (p < end && *p != '/')
			p++;
		if (u->nsegments == API_SEGMENTS_MAX)
			return refuse(e, "too many segments");
		bad = decode(begin, p, false, out);
		if (bad != NULL)
			return refuse(e, bad);
		if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
			return refuse(e, "'.' and '..' are not for paths here");
		if (text[0] == '\0' && (p < end || u->nsegments > 0))
			return refuse(e, "an empty segment ('//', or a '/' at the end)");
		u->segment[u->nsegments++] = text;
	}
	return 0;
}

static int query_parse(
    struct api_uri *u, const uint8_t *p, const uint8_t *end, char **out, struct err *e)
{
	while (p < end) {
		const uint8_t *stop = memchr(p, '&', (size_t)(end - p));
		const uint8_t *equal;
		const char *name = *out, *value, *bad;

		if (stop == NULL)
			stop = end;
		if (u->nquery == API_QUERY_MAX)
			return refuse(e, "too many parameters");
		equal = memchr(p, '=', (size_t)(stop - p));
		bad = decode(p, equal ? equal : stop, true, out);
		value = *out;
		if (bad == NULL)
			bad = decode(equal ? equal + 1 : stop, stop, true, out);
		if (bad != NULL)
			return refuse(e, bad);
		if (name[0] == '\0')
			return refuse(e, "a parameter without a name");
		for (size_t i = 0; i < u->nquery; i++)
			if (strcmp(u->query[i].name, name) == 0)
				return refuse(e, "a parameter stands there twice");
		u->query[u->nquery].name = name;
		u->query[u->nquery++].value = value;
		p = stop < end ? stop + 1 : end;
	}
	return 0;
}

int api_uri_parse(struct span raw, struct api_uri *u, struct err *e)
{
	const uint8_t *end = raw.p + raw.n, *mark;
	/* Each piece ends in a NUL where it had a separator, or one of two at the ends. */
	char *out = u->text;
	int status;

	u->nsegments = u->nquery = 0;
	if (raw.n > API_URI_MAX / 2) {
		err_set(e, ERR_USAGE, "the request's target is longer than %d", API_URI_MAX / 2);
		return 414;
	}
	if (raw.n == 0 || raw.p[0] != '/')
		return refuse(e, "it does not begin with '/'");
	mark = memchr(raw.p, '?', raw.n);
	status = path_parse(u, raw.p, mark ? mark : end, &out, e);
	if (status == 0 && mark != NULL)
		status = query_parse(u, mark + 1, end, &out, e);
	return status;
}

int64_t api_uri_number(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n <= 18 && strspn(text, "0123456789") == n ? strtoll(text, NULL, 10) : 0;
}
