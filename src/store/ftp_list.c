/* ftp_list: see ftp_list.h. */
#include "store/ftp_list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { LINE_MAX_BYTES = 1024 };

/* "20261121140000.123", in UTC. */
static int64_t time_of(const char *v)
{
	struct tm tm = {0};
	const char *end = strptime(v, "%Y%m%d%H%M%S", &tm);

	return end && (*end == '\0' || *end == '.') ? (int64_t)timegm(&tm) : -1;
}

/* "type=file;size=5;modify=20261121140000; name" */
static bool take_facts(char *line, struct ftp_entry *out)
{
	char *name = strchr(line, ' '), *fact, *rest = line;
	bool file = false;

	*out = (struct ftp_entry){.mtime_s = -1};
	if (name == NULL)
		return false;
	*name++ = '\0';
	out->name = name;
	while ((fact = strsep(&rest, ";")) != NULL) {
		if (strncasecmp(fact, "type=", 5) == 0) {
			out->folder = strcasecmp(fact + 5, "dir") == 0;
			file = strcasecmp(fact + 5, "file") == 0;
		} else if (strncasecmp(fact, "size=", 5) == 0) {
			out->size = strtoull(fact + 5, NULL, 10);
		} else if (strncasecmp(fact, "modify=", 7) == 0) {
			out->mtime_s = time_of(fact + 7);
		}
	}
	return file || out->folder;
}

/* "-rw-------    1 107      65534           5 Nov 21 14:00 name" */
static bool take_ls(char *line, struct ftp_entry *out)
{
	char *rest = line, *word;
	int n = 0;

	*out = (struct ftp_entry){.folder = line[0] == 'd', .mtime_s = -1};
	if (line[0] != 'd' && line[0] != '-')
		return false;
	while (n < 8 && (word = strsep(&rest, " ")) != NULL) {
		if (*word == '\0')
			continue;
		if (++n == 5)
			out->size = strtoull(word, NULL, 10);
	}
	out->name = rest;
	return n == 8 && rest && *rest;
}

int ftp_list_read(struct span text, bool mlsd, ftp_visit *visit, void *arg, struct err *e)
{
	char line[LINE_MAX_BYTES];
	struct ftp_entry entry;

	for (size_t at = 0; at < text.n;) {
		const uint8_t *end = memchr(text.p + at, '\n', text.n - at);
		size_t n = end ? (size_t)(end - text.p) - at : text.n - at;
		size_t k = n > 0 && text.p[at + n - 1] == '\r' ? n - 1 : n;

		if (k < sizeof line && !memchr(text.p + at, '\0', k)) {
			memcpy(line, text.p + at, k);
			line[k] = '\0';
			if ((mlsd ? take_facts(line, &entry) : take_ls(line, &entry)) &&
			    visit(arg, &entry, e) == -1)
				return -1;
		}
		at += n + 1;
	}
	return 0;
}
