/* s3_profile: values of a profile in the AWS files, ~/.aws/credentials and config.  See s3.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"
#include "store/s3.h"

enum { FILE_MAX = 1 << 20 };

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

static const char *usual_profile(void)
{
	const char *p = env("AWS_PROFILE") ? env("AWS_PROFILE") : env("AWS_DEFAULT_PROFILE");

	return p ? p : "default";
}

static struct span trim(struct span s)
{
	while (s.n > 0 && isspace(s.p[0]))
		s = span_of(s.p + 1, s.n - 1);
	while (s.n > 0 && isspace(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* "[default]", "[profile x]" or "[x]": is it the one? */
static bool is_section(struct span line, const char *name)
{
	struct span s;

	if (line.n < 2 || line.p[0] != '[' || line.p[line.n - 1] != ']')
		return false;
	s = trim(span_of(line.p + 1, line.n - 2));
	if (s.n > 8 && memcmp(s.p, "profile ", 8) == 0)
		s = trim(span_of(s.p + 8, s.n - 8));
	return span_eq(s, span_str(name));
}

char *s3_profile_find(struct span text, const char *section, const char *name)
{
	bool inside = false;

	while (text.n > 0) {
		const uint8_t *end = memchr(text.p, '\n', text.n), *eq;
		size_t n = end ? (size_t)(end - text.p) : text.n;
		struct span line = trim(span_of(text.p, n));

		text = span_of(text.p + n + (end != NULL), text.n - n - (end != NULL));
		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
			continue;
		if (line.p[0] == '[') {
			inside = is_section(line, section);
			continue;
		}
		eq = inside ? memchr(line.p, '=', line.n) : NULL;
		if (eq && span_eq(trim(span_of(line.p, (size_t)(eq - line.p))), span_str(name))) {
			struct span v = trim(span_of(eq + 1, line.n - (size_t)(eq + 1 - line.p)));
			char *out = mem_alloc(v.n + 1);

			memcpy(out, v.p, v.n);
			out[v.n] = '\0';
			return out;
		}
	}
	return NULL;
}

static char *value_in_file(
    const char *variable, const char *file, const char *profile, const char *name)
{
	const char *path = env(variable), *home = env("HOME");
	struct buf where = {0}, text = {0};
	char *v = NULL;
	struct err ignored;

	if (path)
		buf_printf(&where, "%s", path);
	else if (home)
		buf_printf(&where, "%s/.aws/%s", home, file);
	if (where.n > 0 && os_read_file(buf_cstr(&where), FILE_MAX, &text, &ignored) == 0)
		v = s3_profile_find(buf_span(&text), profile, name);
	if (text.p)
		crypto_wipe(text.p, text.cap);
	buf_fini(&text);
	buf_fini(&where);
	return v;
}

char *s3_profile_value(const char *profile, const char *name)
{
	char *v;

	if (profile == NULL)
		profile = usual_profile();
	v = value_in_file("AWS_SHARED_CREDENTIALS_FILE", "credentials", profile, name);
	return v ? v : value_in_file("AWS_CONFIG_FILE", "config", profile, name);
}
