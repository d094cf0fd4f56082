/* notify_text: see notify_text.h. */
#include "notify/notify_text.h"

#include <stdlib.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "base/mem.h"

/* Bytes of the letter at s, or 0 where there is none that is well formed. */
static size_t letter(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (n == 0 || strnlen(s, n) < n)
		return 0;
	return utf8_valid(span_of(s, n)) ? n : 0;
}

/* Of the two bytes' worth of controls that UTF-8 has, U+0080 to U+009F, too; and what ends lines
 * elsewhere: U+2028, U+2029. */
static bool is_control(const char *s, size_t n)
{
	const unsigned char *c = (const unsigned char *)s;

	return (n == 1 && (c[0] < ' ' || c[0] == 0x7f)) ||
	       (n == 2 && c[0] == 0xc2 && c[1] < 0xa0) ||
	       (n == 3 && c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9));
}

void notify_text_clean(struct buf *b, const char *s, size_t max, bool lines)
{
	size_t begin = b->n, last = b->n; /* last: room for the dots is left after it */

	for (s = s ? s : ""; *s != '\0';) {
		size_t n = letter(s);
		const char *out = n ? s : "?";
		size_t k = n ? n : 1;

		if (n && is_control(s, n)) {
			out = lines && (*s == '\n' || *s == '\t') ? s : " ";
			k = 1;
			if (lines && s[0] == '\r' && s[1] == '\n')
				k = 0;
		}
		if (b->n - begin + k > max) {
			b->n = last;
			buf_put(b, "...", max >= 3 ? 3 : 0);
			return;
		}
		buf_put(b, out, k);
		if (b->n - begin + 3 <= max)
			last = b->n;
		s += n ? n : 1;
	}
}

char *notify_text_copy(const char *s, size_t max, bool lines)
{
	struct buf b = {0};

	notify_text_clean(&b, s, max, lines);
	return mem_checked((void *)(buf_cstr(&b), b.p));
}

struct notify_message *notify_text_message(const struct notify_message *m, size_t text_max)
{
	struct notify_message *c = mem_zalloc(sizeof *c);
	size_t n = m->nfields < NOTIFY_FIELDS_MAX ? m->nfields : NOTIFY_FIELDS_MAX;
	struct notify_field *fields = mem_zalloc((n + 1) * sizeof *fields);

	*c = *m;
	c->id = notify_text_copy(m->id, 64, false);
	c->event = notify_text_copy(m->event ? m->event : "notice", 64, false);
	c->system = m->system ? notify_text_copy(m->system, 128, false) : NULL;
	c->host = notify_text_copy(m->host, 256, false);
	c->subject = notify_text_copy(m->subject, NOTIFY_SUBJECT_MAX, false);
	c->text = notify_text_copy(m->text, text_max, true);
	c->key = m->key ? notify_text_copy(m->key, 256, false) : NULL;
	for (size_t i = 0; i < n; i++) {
		fields[i].name = notify_text_copy(m->fields[i].name, 64, false);
		fields[i].value = notify_text_copy(m->fields[i].value, NOTIFY_VALUE_MAX, false);
	}
	c->fields = fields;
	c->nfields = n;
	if (c->severity < NOTIFY_INFO || c->severity > NOTIFY_CRITICAL)
		c->severity = NOTIFY_WARNING;
	return c;
}

void notify_text_free(struct notify_message *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->nfields; i++) {
		free((void *)m->fields[i].name);
		free((void *)m->fields[i].value);
	}
	free((void *)m->fields);
	free((void *)m->id);
	free((void *)m->event);
	free((void *)m->system);
	free((void *)m->host);
	free((void *)m->subject);
	free((void *)m->text);
	free((void *)m->key);
	free(m);
}

void notify_text_facts(struct buf *b, const struct notify_message *m)
{
	char when[CALENDAR_TEXT];

	buf_printf(b, "severity: %s\n", notify_severity_name(m->severity));
	if (m->system)
		buf_printf(b, "system: %s\n", m->system);
	if (m->host[0])
		buf_printf(b, "host: %s\n", m->host);
	buf_printf(b, "time: %s\n", calendar_format_local(when, m->at_ns));
	for (size_t i = 0; i < m->nfields; i++)
		buf_printf(b, "%s: %s\n", m->fields[i].name, m->fields[i].value);
}

char *notify_text_key(const struct notify_message *m)
{
	char *raw, *key;

	if (m->key != NULL && m->key[0] != '\0')
		return notify_text_copy(m->key, 256, false);
	raw = mem_printf("%s/%s", m->event ? m->event : "", m->system ? m->system : "");
	key = notify_text_copy(raw, 256, false);
	free(raw);
	return key;
}
