/*
 * mem: allocation that does not fail.
 *
 * Every size is bounded by the caller before it gets here, so running out
 * means the machine is out of memory: the process says so and exits with 1,
 * which the repository survives like any other crash (format.md I2).
 *
 * Threads: any.
 */
#ifndef HF_BASE_MEM_H
#define HF_BASE_MEM_H

#include <stddef.h>

/* What a process that runs out of memory exits with; 1 at first. */
void mem_set_exit_status(int status);

void *mem_alloc(size_t n); /* not cleared; n may be 0 */
void *mem_zalloc(size_t n);
void *mem_realloc(void *p, size_t n);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
void *mem_dup(const void *p, size_t n); /* n bytes and a NUL after them */
void *mem_checked(void *p);             /* p, from a library; NULL ends the process */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
