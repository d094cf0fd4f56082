/* ftp_list: see ftp_list.h. */
#include "store/ftp_list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/mem.h"

enum {
	LINE_MAX_BYTES = 8192, /* a link's line has its target too */
	WORDS_MAX = 24,
};

static bool number_of(const char *v, uint64_t *out)
{
	char *end;

	if (*v < '0' || *v > '9' || strlen(v) > 18)
		return false;
	*out = strtoull(v, &end, 10);
	return *end == '\0';
}

/* ---- MLSD. */

/* "20261121140000.123", in UTC. */
static bool time_of(const char *v, int64_t *out)
{
	struct tm tm = {0};
	const char *end = strptime(v, "%Y%m%d%H%M%S", &tm);

	*out = end ? (int64_t)timegm(&tm) : 0;
	return end && (*end == '\0' || *end == '.');
}

/* "type=file;size=5;modify=20261121140000; name" */
static bool take_facts(char *line, struct ftp_entry *out)
{
	static const struct {
		const char *type;
		enum ftp_kind kind;
	} types[] = {
	    {"file", FTP_FILE}, {"dir", FTP_FOLDER}, {"cdir", FTP_OTHER}, {"pdir", FTP_OTHER}};
	char *name = strchr(line, ' '), *fact, *rest = line;
	bool typed = false, sized = false, timed = false;

	if (name == NULL)
		return false;
	*name++ = '\0';
	out->name = name;
	while ((fact = strsep(&rest, ";")) != NULL) {
		if (strncasecmp(fact, "type=", 5) == 0) {
			typed = strncasecmp(fact + 5, "OS.", 3) == 0;
			out->kind = FTP_OTHER;
			for (size_t i = 0; !typed && i < sizeof types / sizeof *types; i++)
				if ((typed = strcasecmp(fact + 5, types[i].type) == 0))
					out->kind = types[i].kind;
		} else if (strncasecmp(fact, "size=", 5) == 0) {
			sized = number_of(fact + 5, &out->size);
		} else if (strncasecmp(fact, "modify=", 7) == 0) {
			timed = time_of(fact + 7, &out->mtime_s);
		}
	}
	out->whole = out->kind == FTP_FILE && sized && timed;
	return typed;
}

/* ---- LIST: of its times, without zone and year, none is taken. */

/* Where the words of a line begin and end. */
static size_t split(const char *line, struct span words[WORDS_MAX])
{
	size_t n = 0;

	while (n < WORDS_MAX) {
		line += strspn(line, " \t");
		if (*line == '\0')
			break;
		words[n] = span_of(line, strcspn(line, " \t"));
		line += words[n++].n;
	}
	return n;
}

/* A 9 of the shape is any digit. */
static bool is_like(struct span word, const char *shape)
{
	size_t n = strlen(shape);

	if (word.n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (shape[i] == '9' ? word.p[i] < '0' || word.p[i] > '9' : word.p[i] != shape[i])
			return false;
	return true;
}

static bool is_number(struct span word, uint64_t *out)
{
	char text[20] = "";

	if (word.n < sizeof text)
		memcpy(text, word.p, word.n);
	return number_of(text, out);
}

static bool is_month(struct span word)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (size_t i = 0; word.n == 3 && i < sizeof months - 1; i += 3)
		if (strncasecmp((const char *)word.p, months + i, 3) == 0)
			return true;
	return false;
}

/* "Nov 21 14:00", or a year instead of the time. */
static bool is_date(const struct span *w)
{
	return is_month(w[0]) && (is_like(w[1], "9") || is_like(w[1], "99")) &&
	       (is_like(w[2], "99:99") || is_like(w[2], "9:99") || is_like(w[2], "9999"));
}

/* What follows a word and the blank after it. */
static const char *after(struct span word)
{
	const char *p = (const char *)word.p + word.n;

	return *p ? p + 1 : p;
}

/*
 * "-rw-------    1 107      65534           5 Nov 21 14:00 name".  Owner and
 * group may be of several words: what counts is where size and date are.
 */
static bool take_ls(const char *line, struct ftp_entry *out)
{
	struct span w[WORDS_MAX];
	size_t n = split(line, w);

	if (strchr("-dlbcps", line[0]) == NULL || n == 0 || w[0].n < 10)
		return false;
	out->kind = line[0] == '-' ? FTP_FILE : line[0] == 'd' ? FTP_FOLDER : FTP_OTHER;
	for (size_t i = 1; i + 4 < n; i++)
		if (is_number(w[i], &out->size) && is_date(w + i + 1)) {
			out->name = after(w[i + 3]);
			return *out->name != '\0';
		}
	return false;
}

/* "11-21-26  02:00PM       <DIR>          name" */
static bool take_dos(const char *line, struct ftp_entry *out)
{
	struct span w[WORDS_MAX];
	size_t n = split(line, w);

	if (n < 4 || !(is_like(w[0], "99-99-99") || is_like(w[0], "99-99-9999")) ||
	    !(is_like(w[1], "99:99PM") || is_like(w[1], "99:99AM") || is_like(w[1], "99:99")))
		return false;
	if (span_eq(w[2], span_str("<DIR>")))
		out->kind = FTP_FOLDER;
	else if (is_number(w[2], &out->size))
		out->kind = FTP_FILE;
	else
		return false;
	out->name = (const char *)w[3].p;
	return true;
}

static bool take_list(char *line, struct ftp_entry *out)
{
	char *arrow;

	if (!take_ls(line, out) && !take_dos(line, out))
		return false;
	if (line[0] == 'l' && (arrow = strstr(out->name, " -> ")) != NULL)
		*arrow = '\0';
	return true;
}

/* ---- Lines. */

static int not_understood(const char *line, struct err *e)
{
	char shown[80];
	size_t n = 0;

	for (; line[n] && n < sizeof shown - 1; n++)
		shown[n] = line[n] >= 0x20 && line[n] < 0x7f ? line[n] : '?';
	shown[n] = '\0';
	err_set(
	    e, ERR_UNSUPPORTED, "a line of the server's listing is not understood: \"%s\"", shown);
	return err_hint(e, "can the server be told to offer MLSD, or to list like Unix?");
}

static int take_line(char *line, enum ftp_format format, ftp_visit *visit, void *arg, struct err *e)
{
	struct ftp_entry entry = {.name = ""};
	uint64_t blocks;

	if (*line == '\0')
		return 0;
	if (format == FTP_LS && strncasecmp(line, "total ", 6) == 0 &&
	    number_of(line + 6 + strspn(line + 6, " "), &blocks))
		return 0;
	if (format == FTP_MLSD ? !take_facts(line, &entry) : !take_list(line, &entry))
		return not_understood(line, e);
	/* A server that answers with whole paths would have nothing that looks like an object. */
	if (entry.kind != FTP_OTHER && strchr(entry.name, '/'))
		return not_understood(entry.name, e);
	return visit(arg, &entry, e);
}

int ftp_list_read(
    struct span text, enum ftp_format format, ftp_visit *visit, void *arg, struct err *e)
{
	char *line = mem_alloc(LINE_MAX_BYTES);
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < text.n;) {
		const uint8_t *end = memchr(text.p + at, '\n', text.n - at);
		size_t n = end ? (size_t)(end - text.p) - at : text.n - at;
		size_t k = n > 0 && text.p[at + n - 1] == '\r' ? n - 1 : n;

		if (k < LINE_MAX_BYTES && !memchr(text.p + at, '\0', k)) {
			memcpy(line, text.p + at, k);
			line[k] = '\0';
			rc = take_line(line, format, visit, arg, e);
		} else {
			rc = not_understood("(too long, or no text)", e);
		}
		at += n + 1;
	}
	free(line);
	return rc;
}
