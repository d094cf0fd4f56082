/* wal_dir: see wal_dir.h. */
#include "source/wal_dir.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "os/os.h"
#include "source/pg_label.h"

enum { PIECE = 256 << 10, PAGE_PLACE = 8 };

static int read_pieces(int fd, uint64_t at, uint64_t n,
    int (*piece)(void *arg, struct span bytes, struct err *e), void *arg, struct err *e)
{
	uint8_t *room = mem_alloc(PIECE);
	int rc = 0;

	while (n > 0 && rc == 0) {
		size_t want = n < PIECE ? (size_t)n : PIECE;
		ssize_t got = os_pread_full(fd, room, want, (off_t)at);

		if (got == -1)
			rc = err_sys(e, "read");
		else if ((size_t)got < want)
			rc = err_set(e, ERR_CORRUPT, "cut off while it was read");
		else
			rc = piece(arg, span_of(room, want), e);
		at += want;
		n -= want;
	}
	free(room);
	return rc;
}

/* The first page says which segment it is, whatever the file's name. */
static int check_first(int fd, uint64_t first, uint64_t length, struct err *e)
{
	uint8_t place[8];
	struct cursor c = cursor_of(span_of(place, sizeof place));
	struct stat st;

	if (os_fstat(fd, &st) == -1 || os_pread_full(fd, place, sizeof place, PAGE_PLACE) == -1)
		return err_sys(e, "read");
	if ((uint64_t)st.st_size < length || cursor_u64(&c) != first)
		return err_set(e, ERR_ABSENT, "it holds other log by now");
	return 0;
}

int wal_dir_read(const char *dir, uint32_t timeline, uint32_t segment, uint64_t start, uint64_t end,
    int (*piece)(void *arg, struct span bytes, struct err *e), void *arg, struct err *e)
{
	uint64_t first = start - start % segment;
	char name[PG_WAL_NAME];
	char *path = mem_printf("%s/%s", dir, pg_wal_name(name, timeline, start, segment));
	int fd = os_open(path, O_RDONLY, 0), rc;

	if (fd == -1)
		rc = err_sys(e, "open");
	else if ((rc = check_first(fd, first, end - first, e)) == 0)
		rc = read_pieces(fd, start - first, end - start, piece, arg, e);
	os_close(fd);
	if (rc == -1)
		err_wrap(e, "%s", path);
	free(path);
	return rc;
}
