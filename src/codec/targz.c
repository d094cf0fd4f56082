/* targz: see targz.h. */
#include "codec/targz.h"

#include <assert.h>
#include <stdio.h>
#include <zlib.h>

enum { BLOCK = 512 };

struct header { /* ustar: texts, and numbers as octal digits */
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
	char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155];
	char zeros[12];
};
static_assert(sizeof(struct header) == BLOCK, "a header is a block");

void targz_add(struct buf *tar, const char *name, int64_t mtime_s, struct span content)
{
	struct header h = {.mode = "0000600",
	    .uid = "0000000",
	    .gid = "0000000",
	    .type = '0',
	    .magic = "ustar",
	    .version = {'0', '0'},
	    .user = "root",
	    .group = "root"};
	unsigned sum = 0;

	assert(strlen(name) <= TARGZ_NAME_MAX && content.n <= TARGZ_FILE_MAX);
	memcpy(h.name, name, strlen(name));
	snprintf(h.size, sizeof h.size, "%011llo", (unsigned long long)content.n);
	snprintf(h.mtime, sizeof h.mtime, "%011llo",
	    (unsigned long long)(mtime_s < 0 ? 0 : mtime_s) & 077777777777);
	memset(h.checksum, ' ', sizeof h.checksum);
	for (size_t i = 0; i < sizeof h; i++)
		sum += ((const unsigned char *)&h)[i];
	snprintf(h.checksum, sizeof h.checksum, "%06o", sum);
	buf_put(tar, &h, sizeof h);
	buf_put_span(tar, content);
	buf_put_zeros(tar, (BLOCK - content.n % BLOCK) % BLOCK);
}

void targz_end(struct buf *tar, struct buf *out)
{
	enum { GZIP = 16 }; /* added to zlib's window bits: with gzip's header */
	z_stream z = {0};
	uLong bound;

	buf_put_zeros(tar, 2 * BLOCK);
	/* In memory, with room for the worst case: nothing here can fail but for lack of memory. */
	if (deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + GZIP, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		assert(!"zlib: out of memory");
	bound = deflateBound(&z, tar->n);
	z.next_in = tar->p;
	z.avail_in = (uInt)tar->n;
	buf_reserve(out, bound);
	z.next_out = out->p + out->n;
	z.avail_out = (uInt)bound;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		assert(!"zlib: more than its bound");
	out->n += bound - z.avail_out;
	deflateEnd(&z);
}
