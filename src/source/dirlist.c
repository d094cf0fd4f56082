/* dirlist: see dirlist.h. */
#include "source/dirlist.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

enum { BLOCK = 64 << 10 };

void dirlist_add(struct source_names *names, const char *name)
{
	if (names->n == names->cap) {
		names->cap = names->cap ? 2 * names->cap : 64;
		names->at = mem_realloc(names->at, names->cap * sizeof *names->at);
	}
	names->at[names->n++] = (uint32_t)names->text.n;
	buf_put(&names->text, name, strlen(name) + 1);
}

static int compare(const void *a, const void *b, void *text)
{
	const uint32_t *i = a, *j = b;

	return strcmp((const char *)text + *i, (const char *)text + *j);
}

static int take_block(const char *p, size_t n, struct source_names *names, struct err *e)
{
	for (size_t off = 0; off < n;) {
		const struct dirent64 *d = (const struct dirent64 *)(p + off);

		off += d->d_reclen;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (names->text.n > UINT32_MAX - 2 * BLOCK)
			return err_set(e, ERR_UNSUPPORTED, "more than 4 GiB of names");
		dirlist_add(names, d->d_name);
	}
	return 0;
}

void dirlist_sort(struct source_names *names)
{
	if (names->n > 1)
		qsort_r(names->at, names->n, sizeof *names->at, compare, names->text.p);
}

int dirlist_read(int fd, struct source_names *names, struct err *e)
{
	char *block = mem_alloc(BLOCK);
	ssize_t n = -1;
	int rc = -1;

	if (lseek(fd, 0, SEEK_SET) == -1) {
		err_sys(e, "rewind");
		goto out;
	}
	for (;;) {
		n = getdents64(fd, block, BLOCK);
		if (n == -1 && errno == EINTR)
			continue;
		/* A directory that was removed meanwhile has no names any more. */
		if (n == -1 && errno == ENOENT)
			n = 0;
		if (n == -1) {
			err_sys(e, "list");
			goto out;
		}
		if (n == 0)
			break;
		if (take_block(block, (size_t)n, names, e) == -1)
			goto out;
	}
	dirlist_sort(names);
	rc = 0;
out:
	free(block);
	return rc;
}

bool dirlist_has(const struct source_names *names, const char *name)
{
	size_t lo = 0, hi = names->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(source_name(names, mid), name);

		if (c == 0)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}
