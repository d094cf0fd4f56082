/* holes: see holes.h. */
#include "engine/holes.h"

uint64_t holes_data_size(const struct entry *en)
{
	uint64_t holes = 0;

	for (size_t i = 0; i < en->nholes; i++)
		holes += en->holes[i].len;
	return en->size - holes;
}

int holes_map(const struct entry *en, uint64_t data_off, uint64_t len,
    int (*visit)(void *, uint64_t file_off, uint64_t at, uint64_t n, struct err *), void *arg,
    struct err *e)
{
	uint64_t off = data_off, at = 0;
	size_t i = 0;

	/* Skip the holes that lie before this piece of data. */
	while (i < en->nholes && en->holes[i].off <= off)
		off += en->holes[i++].len;
	while (len > 0) {
		uint64_t n = len;

		if (i < en->nholes && en->holes[i].off - off < n)
			n = en->holes[i].off - off;
		if (visit(arg, off, at, n, e) == -1)
			return -1;
		at += n;
		len -= n;
		off += n;
		while (i < en->nholes && en->holes[i].off <= off)
			off += en->holes[i++].len;
	}
	return 0;
}
