/* fuzz: a message of a server that streams WAL, or a timeline's history; nothing leads outside. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "db/pg_wal_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void history(struct span text)
{
	struct pg_wal_switch *v;
	struct err e = {0};
	size_t n;

	if (pg_wal_history_read(text, 9, &v, &n, &e) == -1)
		return;
	for (size_t i = 0; i < n; i++)
		if (v[i].timeline == 0 || v[i].timeline >= 9 ||
		    (i > 0 && (v[i].timeline <= v[i - 1].timeline || v[i].at < v[i - 1].at)))
			abort();
	free(v);
}

static void position(struct span s)
{
	char text[64], back[PG_WAL_LSN_TEXT];
	struct err e = {0};
	uint64_t a, b;

	if (s.n >= sizeof text)
		return;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (pg_wal_lsn_read(text, &a, &e) == 0 &&
	    (pg_wal_lsn_read(pg_wal_lsn(a, back), &b, &e) == -1 || a != b))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct pg_wal_message m;
	struct err e = {0};

	if (n == 0)
		return 0;
	if (pg_wal_message_read(span_of(p, n), &m, &e) == 0 && m.kind == PG_WAL_DATA &&
	    (m.data.p < p || m.data.p + m.data.n != p + n || m.start + m.data.n < m.start))
		abort();
	history(span_of(p, n));
	position(span_of(p, n));
	return 0;
}
