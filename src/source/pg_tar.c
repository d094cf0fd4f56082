/* pg_tar: see pg_tar.h. */
#include "source/pg_tar.h"

#include <stdio.h>
#include <string.h>

enum {
	NAME = 0,
	MODE = 100,
	SIZE = 124,
	CHECKSUM = 148,
	TYPE = 156,
	MAGIC = 257,
	PREFIX = 345,
	PREFIX_MAX = 155,
	NAME_LENGTH = 100
};

static int corrupt(const char *what, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the server's tar stream: %s", what);
}

/* Octal digits, ended by a blank, a NUL or the field's end. */
static bool octal(const uint8_t *p, size_t n, uint64_t *out)
{
	size_t i = 0;

	*out = 0;
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		*out = *out << 3 | (uint64_t)(p[i] - '0');
	return i == n || p[i] == ' ' || p[i] == '\0';
}

/* Of all bytes, its own field counting as blanks. */
static bool checksum_fits(const uint8_t head[PG_TAR_BLOCK])
{
	uint64_t said, sum = 0;

	for (int i = 0; i < PG_TAR_BLOCK; i++)
		sum += i >= CHECKSUM && i < CHECKSUM + 8 ? ' ' : head[i];
	return octal(head + CHECKSUM, 8, &said) && said == sum;
}

/* Does every component lead down?  A slash may end it. */
static bool leads_down(const char *name)
{
	if (name[0] == '\0')
		return false;
	for (const char *p = name;;) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
		if (p[0] == '\0' || p[1] == '\0')
			return true;
		p++;
	}
}

static int take_name(const uint8_t *head, struct pg_tar_entry *en, struct err *e)
{
	const char *p = (const char *)head;
	size_t n, m = strnlen(p + PREFIX, PREFIX_MAX);
	char name[PG_TAR_NAME];

	snprintf(name, sizeof name, "%.*s%s%.*s", (int)m, p + PREFIX, m ? "/" : "", NAME_LENGTH,
	    p + NAME);
	/* Some of a server's begin with "./". */
	snprintf(en->name, sizeof en->name, "%s", name + (strncmp(name, "./", 2) == 0 ? 2 : 0));
	if (!leads_down(en->name))
		return corrupt("a name that leads elsewhere", e);
	n = strlen(en->name);
	if (en->name[n - 1] == '/')
		en->name[n - 1] = '\0';
	return 0;
}

static int take_head(struct pg_tar *t, struct err *e)
{
	struct pg_tar_entry en = {0};
	uint64_t mode;

	if (!checksum_fits(t->head))
		return corrupt("a header's checksum is wrong", e);
	if (memcmp(t->head + MAGIC, "ustar", 5) != 0)
		return corrupt("this is no header", e);
	if (!octal(t->head + SIZE, 12, &en.size) || !octal(t->head + MODE, 8, &mode))
		return corrupt("a number that is none", e);
	if (take_name(t->head, &en, e) == -1)
		return -1;
	en.mode = (uint32_t)(mode & 07777);
	switch (t->head[TYPE]) {
	case '0':
	case '\0':
		en.type = ENTRY_FILE;
		break;
	case '5':
		en.type = ENTRY_DIR;
		break;
	case '2':
		en.type = ENTRY_SYMLINK;
		break;
	default:
		return corrupt("something that is no file, folder or link", e);
	}
	if (en.type != ENTRY_FILE && en.size != 0)
		return corrupt("a folder with content", e);
	t->left = en.size;
	t->pad = -en.size % PG_TAR_BLOCK;
	if (t->ops->entry(t->arg, &en, e) == -1)
		return -1;
	return en.type == ENTRY_FILE && en.size == 0 ? t->ops->end(t->arg, e) : 0;
}

static int head_full(struct pg_tar *t, struct err *e)
{
	static const uint8_t none[PG_TAR_BLOCK];

	t->nhead = 0;
	if (memcmp(t->head, none, sizeof none) == 0) {
		t->zeroes++;
		return 0;
	}
	if (t->zeroes > 0)
		return corrupt("something follows its end", e);
	return take_head(t, e);
}

int pg_tar_feed(struct pg_tar *t, struct span s, struct err *e)
{
	while (s.n > 0) {
		size_t n = s.n;

		if (t->left > 0) {
			n = n < t->left ? n : (size_t)t->left;
			t->left -= n;
			if (t->ops->data(t->arg, span_of(s.p, n), e) == -1 ||
			    (t->left == 0 && t->ops->end(t->arg, e) == -1))
				return -1;
		} else if (t->pad > 0) {
			n = n < t->pad ? n : (size_t)t->pad;
			t->pad -= n;
		} else {
			n = n < PG_TAR_BLOCK - t->nhead ? n : PG_TAR_BLOCK - t->nhead;
			memcpy(t->head + t->nhead, s.p, n);
			t->nhead += n;
			if (t->nhead == PG_TAR_BLOCK && head_full(t, e) == -1)
				return -1;
		}
		s = span_of(s.p + n, s.n - n);
	}
	return 0;
}

int pg_tar_finish(const struct pg_tar *t, struct err *e)
{
	if (t->left > 0 || t->pad > 0 || t->nhead > 0)
		return corrupt("it stops half-way", e);
	return 0;
}
