/* mem: see mem.h. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int exit_status = 1;

void mem_set_exit_status(int status)
{
	exit_status = status;
}

void *mem_checked(void *p)
{
	if (p == NULL) {
		fputs("holdfast: out of memory\n", stderr);
		exit(exit_status);
	}
	return p;
}

void *mem_alloc(size_t n)
{
	return mem_checked(malloc(n ? n : 1));
}

void *mem_zalloc(size_t n)
{
	return mem_checked(calloc(1, n ? n : 1));
}

void *mem_realloc(void *p, size_t n)
{
	return mem_checked(realloc(p, n ? n : 1));
}

void *mem_dup(const void *p, size_t n)
{
	char *q = mem_alloc(n + 1);

	if (n)
		memcpy(q, p, n);
	q[n] = '\0';
	return q;
}

char *mem_strdup(const char *s)
{
	return mem_dup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t n)
{
	return mem_dup(s, strnlen(s, n));
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return mem_checked(n < 0 ? NULL : s);
}
