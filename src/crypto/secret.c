/*
 * secret: see secret.h.  Each secret has pages of its own, which begin with
 * the length of the mapping: the system locks and leaves out whole pages.
 */
#include "crypto/secret.h"

#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/crypto.h"

enum { HEAD = 64 }; /* keeps what follows aligned for anything */

void *secret_new(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = (HEAD + n + page - 1) / page * page;
	char *m = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		abort();
	/* Neither is worth failing for: limits on locked memory are common. */
	mlock(m, len);
	madvise(m, len, MADV_DONTDUMP);
	*(size_t *)m = len;
	return m + HEAD;
}

void secret_free(void *p)
{
	char *m;
	size_t len;

	if (p == NULL)
		return;
	m = (char *)p - HEAD;
	len = *(size_t *)m;
	crypto_wipe(m, len);
	munmap(m, len);
}

char *secret_copy(const char *s)
{
	char *p = s ? secret_new(strlen(s) + 1) : NULL;

	if (p)
		memcpy(p, s, strlen(s));
	return p;
}
