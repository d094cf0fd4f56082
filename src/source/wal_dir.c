/* wal_dir: see wal_dir.h. */
#include "source/wal_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"

enum { PIECE = 256 << 10 };

const char *wal_dir_name(uint32_t timeline, uint64_t lsn, uint32_t segment, char out[WAL_NAME])
{
	uint64_t number = lsn / segment, in_file = ((uint64_t)1 << 32) / segment;

	snprintf(out, WAL_NAME, "%08X%08X%08X", timeline, (unsigned)(number / in_file),
	    (unsigned)(number % in_file));
	return out;
}

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
			rc = err_set(e, ERR_ABSENT, "it ends too early");
		else
			rc = piece(arg, span_of(room, want), e);
		at += want;
		n -= want;
	}
	free(room);
	return rc;
}

int wal_dir_read(const char *dir, uint32_t timeline, uint32_t segment, uint64_t start, uint64_t end,
    int (*piece)(void *arg, struct span bytes, struct err *e), void *arg, struct err *e)
{
	char name[WAL_NAME],
	    *path = mem_printf("%s/%s", dir, wal_dir_name(timeline, start, segment, name));
	int fd = os_open(path, O_RDONLY | O_CLOEXEC, 0), rc;

	if (fd == -1) {
		rc = err_sys(e, "open");
	} else {
		rc = read_pieces(fd, start % segment, end - start, piece, arg, e);
		os_close(fd);
	}
	if (rc == -1)
		err_wrap(e, "%s", path);
	free(path);
	return rc;
}
