/* drill_what: see drill_what.h. */
#include "catalog/drill_what.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static bool is_one_of(const char *word, size_t n, const char *choices)
{
	while (*choices != '\0') {
		size_t len = strcspn(choices, "|");

		if (len == n && memcmp(choices, word, n) == 0)
			return true;
		choices += len + (choices[len] == '|');
	}
	return false;
}

static bool take(char *out, size_t room, const char *word, size_t n)
{
	if (n == 0 || n >= room || out[0] != '\0')
		return false;
	memcpy(out, word, n);
	out[n] = '\0';
	return true;
}

static bool parse(const char *p, struct drill_what *out)
{
	while (*p != '\0') {
		size_t n = strcspn(p, " ");

		if (strncmp(p, "to=", 3) == 0)
			return take(out->to, sizeof out->to, p + 3, strlen(p + 3));
		if (strncmp(p, "from=", 5) == 0) {
			if (!take(out->from, sizeof out->from, p + 5, n - 5))
				return false;
		} else if (is_one_of(p, n, "standard|comprehensive")) {
			if (out->point[0] || out->from[0] ||
			    !take(out->level, sizeof out->level, p, n))
				return false;
		} else if (!is_one_of(p, n, DRILL_WHAT_POINTS) || out->from[0] ||
			   !take(out->point, sizeof out->point, p, n)) {
			return false;
		}
		p += n;
		if (*p == ' ' && *++p == '\0')
			return false;
	}
	return true;
}

bool drill_what_parse(const char *text, struct drill_what *out)
{
	*out = (struct drill_what){.level = ""};
	if (text == NULL || parse(text, out))
		return true;
	*out = (struct drill_what){.level = ""};
	return false;
}

char *drill_what_text(const struct drill_what *w)
{
	struct buf b = {0};
	char *text = NULL;

	if (w->level[0])
		buf_printf(&b, "%s ", w->level);
	if (w->point[0])
		buf_printf(&b, "%s ", w->point);
	if (w->from[0])
		buf_printf(&b, "from=%s ", w->from);
	if (w->to[0])
		buf_printf(&b, "to=%s ", w->to);
	if (b.n > 0) {
		b.n--;
		text = mem_strdup(buf_cstr(&b));
	}
	buf_fini(&b);
	return text;
}
