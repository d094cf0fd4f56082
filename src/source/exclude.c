/*
 * exclude: see exclude.h.
 *
 * A pattern is compiled to segments (what stands between slashes) of tokens.
 * Segments other than "**" match one path component each.  After a "*", or a
 * "**", only the last one is ever tried again, one step further on: what an
 * earlier one could reach by taking more, the later one reaches too.  So a
 * component costs at most tokens x bytes, and a path segments x components
 * of those, whatever the pattern.
 */
#include "source/exclude.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"
#include "os/os.h"

enum { PATTERN_MAX = 4096, FILE_MAX = 64 << 20 };

enum token_kind { TOKEN_BYTE, TOKEN_ANY, TOKEN_STAR, TOKEN_CLASS };

struct token {
	uint8_t kind, byte;
	uint32_t set; /* TOKEN_CLASS: which of the rule's sets */
};

struct set {
	uint8_t bits[32];
};

struct segment {
	size_t at, n; /* tokens */
	bool deep;    /* "**": any number of components */
};

struct rule {
	bool negated, dirs_only;
	bool anchored; /* else it matches the last component, wherever that is */
	struct token *token;
	size_t ntokens;
	struct segment *segment;
	size_t nsegments;
	struct set *set;
	size_t nsets;
	char *text; /* "ORIGIN: PATTERN" */
	size_t pattern_at;
	_Atomic bool hit; /* it decided about something */
};

struct exclude {
	struct rule *rule;
	size_t n, cap;
};

struct exclude *exclude_new(void)
{
	return mem_zalloc(sizeof(struct exclude));
}

static void rule_fini(struct rule *r)
{
	free(r->token);
	free(r->segment);
	free(r->set);
	free(r->text);
}

void exclude_free(struct exclude *x)
{
	if (x == NULL)
		return;
	for (size_t i = 0; i < x->n; i++)
		rule_fini(&x->rule[i]);
	free(x->rule);
	free(x);
}

/* Compiling.  Arrays are as big as the pattern, which bounds what goes in. */

static void set_add(struct set *s, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		s->bits[c / 8] |= (uint8_t)(1u << (c % 8));
}

static const struct {
	const char *name;
	int (*is)(int);
} named[] = {
    {"alnum", isalnum},
    {"alpha", isalpha},
    {"blank", isblank},
    {"cntrl", iscntrl},
    {"digit", isdigit},
    {"graph", isgraph},
    {"lower", islower},
    {"print", isprint},
    {"punct", ispunct},
    {"space", isspace},
    {"upper", isupper},
    {"xdigit", isxdigit},
};

/* [:NAME:]; bytes over 127 belong to none, whatever the locale. */
static bool set_add_named(struct set *s, const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
		if (strlen(named[i].name) != n || memcmp(named[i].name, name, n) != 0)
			continue;
		for (unsigned c = 0; c < 128; c++)
			if (named[i].is((int)c))
				set_add(s, c, c);
		return true;
	}
	return false;
}

/* One byte of a class, perhaps quoted; NULL at the pattern's end. */
static const char *class_byte(const char *p, unsigned *c)
{
	if (*p == '\\')
		p++;
	if (*p == '\0')
		return NULL;
	*c = (uint8_t)*p;
	return p + 1;
}

/* Is this "[:NAME:]"?  Without its ":]" it is only a "[" in the class. */
static const char *class_named(const char *p, struct set *s, bool *bad)
{
	const char *end;

	if (p[0] != '[' || p[1] != ':')
		return NULL;
	end = strchr(p + 2, ']');
	if (end == NULL) {
		*bad = true;
		return NULL;
	}
	if (end < p + 3 || end[-1] != ':')
		return NULL;
	if (!set_add_named(s, p + 2, (size_t)(end - 1 - (p + 2))))
		*bad = true;
	return end + 1;
}

/* After the "["; returns what follows the "]", NULL if the class is none. */
static const char *parse_class(const char *p, struct set *s)
{
	bool negated = *p == '!' || *p == '^', bad = false;
	const char *next;
	unsigned c, last;

	memset(s, 0, sizeof *s);
	p += negated;
	/* A "]" that comes first stands for itself. */
	for (bool first = true; *p != ']' || first; first = false) {
		next = class_named(p, s, &bad);
		if (bad)
			return NULL;
		if (next != NULL) {
			p = next;
			continue;
		}
		if ((p = class_byte(p, &c)) == NULL)
			return NULL;
		last = c;
		if (p[0] == '-' && p[1] != ']' && p[1] != '\0' &&
		    (p = class_byte(p + 1, &last)) == NULL)
			return NULL;
		set_add(s, c, last);
	}
	if (negated)
		for (size_t i = 0; i < sizeof s->bits; i++)
			s->bits[i] = (uint8_t)~s->bits[i];
	return p + 1;
}

static void segment_end(struct rule *r)
{
	struct segment *s = &r->segment[r->nsegments++];
	bool stars = true;

	s->n = r->ntokens - s->at;
	for (size_t i = s->at; i < r->ntokens; i++)
		stars = stars && r->token[i].kind == TOKEN_STAR;
	s->deep = stars && s->n >= 2 && r->anchored;
	r->segment[r->nsegments].at = r->ntokens;
}

static const char *parse_token(struct rule *r, const char *p)
{
	struct token *t = &r->token[r->ntokens++];

	*t = (struct token){.kind = TOKEN_BYTE, .byte = (uint8_t)*p};
	switch (*p) {
	case '?':
		t->kind = TOKEN_ANY;
		return p + 1;
	case '*':
		t->kind = TOKEN_STAR;
		return p + 1;
	case '[':
		t->kind = TOKEN_CLASS;
		t->set = (uint32_t)r->nsets;
		r->set = mem_realloc(r->set, (r->nsets + 1) * sizeof *r->set);
		return parse_class(p + 1, &r->set[r->nsets++]);
	case '\\':
		t->byte = (uint8_t)p[1];
		return p[1] == '\0' ? NULL : p + 2;
	default:
		return p + 1;
	}
}

/* Everything but "!" and the slash at the end is off already. */
static bool parse_body(struct rule *r, const char *p)
{
	size_t n = strlen(p);

	r->anchored = strchr(p, '/') != NULL;
	p += *p == '/';
	r->token = mem_alloc((n + 1) * sizeof *r->token);
	r->segment = mem_zalloc((n + 2) * sizeof *r->segment);
	while (*p != '\0') {
		if (*p == '/' || (p[0] == '\\' && p[1] == '/')) {
			p += *p == '\\' ? 2 : 1;
			segment_end(r);
		} else if ((p = parse_token(r, p)) == NULL) {
			return false;
		}
	}
	segment_end(r);
	return true;
}

int exclude_add(struct exclude *x, const char *pattern, const char *origin, struct err *e)
{
	struct rule r = {0};
	const char *body = pattern;
	char *copy;
	size_t n;

	if (strlen(pattern) > PATTERN_MAX)
		return err_set(
		    e, ERR_USAGE, "%s: pattern longer than %d bytes", origin, PATTERN_MAX);
	r.negated = *body == '!';
	body += r.negated;
	copy = mem_strdup(body);
	n = strlen(copy);
	if (n > 0 && copy[n - 1] == '/') {
		r.dirs_only = true;
		copy[--n] = '\0';
	}
	if (!parse_body(&r, copy)) {
		free(copy);
		rule_fini(&r);
		err_set(e, ERR_USAGE, "%s: %s: never matches anything", origin, pattern);
		return err_hint(e, "a '[' without its ']', or a '\\' at the end; quote with '\\'");
	}
	free(copy);
	r.text = mem_printf("%s: %s", origin, pattern);
	r.pattern_at = strlen(origin) + 2;
	if (x->n == x->cap) {
		x->cap = x->cap ? 2 * x->cap : 16;
		x->rule = mem_realloc(x->rule, x->cap * sizeof *x->rule);
	}
	x->rule[x->n++] = r;
	return 0;
}

/* Spaces at the end don't count unless they are quoted. */
static void trim_spaces(char *line)
{
	char *cut = NULL;

	for (char *p = line; *p != '\0'; p++) {
		if (*p == ' ') {
			if (cut == NULL)
				cut = p;
			continue;
		}
		cut = NULL;
		if (*p == '\\' && p[1] != '\0')
			p++;
	}
	if (cut != NULL)
		*cut = '\0';
}

static int add_line(
    struct exclude *x, struct span line, const char *path, size_t number, struct err *e)
{
	char *text, *origin;
	int rc = 0;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0 || line.p[0] == '#')
		return 0;
	if (memchr(line.p, '\0', line.n) != NULL)
		return err_set(e, ERR_USAGE, "%s:%zu: a NUL byte in a pattern", path, number);
	text = mem_strndup((const char *)line.p, line.n);
	origin = mem_printf("%s:%zu", path, number);
	trim_spaces(text);
	if (text[0] != '\0')
		rc = exclude_add(x, text, origin, e);
	free(text);
	free(origin);
	return rc;
}

int exclude_add_file(struct exclude *x, const char *path, struct err *e)
{
	struct buf b = {0};
	size_t at = 0, number = 0;
	int rc = -1;

	if (os_read_file(path, FILE_MAX, &b, e) == -1)
		goto out;
	if (b.n >= 3 && memcmp(b.p, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	while (at < b.n) {
		const uint8_t *end = memchr(b.p + at, '\n', b.n - at);
		size_t n = end ? (size_t)(end - (b.p + at)) : b.n - at;

		if (add_line(x, span_of(b.p + at, n), path, ++number, e) == -1)
			goto out;
		at += n + 1;
	}
	rc = 0;
out:
	buf_fini(&b);
	return rc;
}

/* Matching. */

static bool token_is(const struct rule *r, const struct token *t, uint8_t c)
{
	switch (t->kind) {
	case TOKEN_BYTE:
		return t->byte == c;
	case TOKEN_CLASS:
		return (r->set[t->set].bits[c / 8] >> (c % 8)) & 1;
	default:
		return t->kind == TOKEN_ANY;
	}
}

static bool match_component(const struct rule *r, const struct segment *s, struct span text)
{
	const struct token *t = r->token + s->at;
	size_t i = 0, j = 0, star = SIZE_MAX, from = 0;

	while (j < text.n) {
		if (i < s->n && t[i].kind == TOKEN_STAR) {
			star = i++;
			from = j;
		} else if (i < s->n && token_is(r, &t[i], text.p[j])) {
			i++;
			j++;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			j = ++from;
		} else {
			return false;
		}
	}
	while (i < s->n && t[i].kind == TOKEN_STAR)
		i++;
	return i == s->n;
}

/* Takes the first component off the path; false if there is none. */
static bool take_component(struct span *path, struct span *out)
{
	const uint8_t *slash;

	if (path->n == 0)
		return false;
	slash = memchr(path->p, '/', path->n);
	*out = span_of(path->p, slash ? (size_t)(slash - path->p) : path->n);
	path->p += out->n + (slash != NULL);
	path->n -= out->n + (slash != NULL);
	return true;
}

static bool match_path(const struct rule *r, struct span path)
{
	size_t i = 0, deep = SIZE_MAX;
	struct span retry = {0}, text;

	while (path.n > 0) {
		struct span rest = path;

		take_component(&rest, &text);
		if (i < r->nsegments && r->segment[i].deep) {
			/* At the end it stands for what is inside: one component or more. */
			if (i + 1 == r->nsegments)
				return true;
			deep = i++;
			retry = path;
		} else if (i < r->nsegments && match_component(r, &r->segment[i], text)) {
			i++;
			path = rest;
		} else if (deep != SIZE_MAX && take_component(&retry, &text)) {
			i = deep + 1;
			path = retry;
		} else {
			return false;
		}
	}
	return i == r->nsegments;
}

static bool rule_match(const struct rule *r, struct span path, struct span base, bool is_dir)
{
	if (r->dirs_only && !is_dir)
		return false;
	return r->anchored ? match_path(r, path) : match_component(r, &r->segment[0], base);
}

const char *exclude_match(const struct exclude *x, const char *path, bool is_dir)
{
	struct span whole = span_str(path), base;
	const char *slash;

	whole.p += *path == '/';
	whole.n -= *path == '/';
	if (whole.n == 0)
		return NULL;
	slash = strrchr(path, '/');
	base = slash ? span_str(slash + 1) : whole;
	for (size_t i = x->n; i-- > 0;) {
		struct rule *r = &x->rule[i];

		if (!rule_match(r, whole, base, is_dir))
			continue;
		if (!r->hit) /* only once: other threads read it */
			r->hit = true;
		return r->negated ? NULL : r->text;
	}
	return NULL;
}

bool exclude_next_idle(const struct exclude *x, size_t *at, struct exclude_idle *out)
{
	for (; x && *at < x->n; ++*at) {
		const struct rule *r = &x->rule[*at];
		const char *pattern = r->text + r->pattern_at;

		if (r->hit || r->negated)
			continue;
		out->text = r->text;
		out->pattern = pattern;
		out->relative = r->anchored && pattern[0] != '/' && strncmp(pattern, "**", 2) != 0;
		++*at;
		return true;
	}
	return false;
}
