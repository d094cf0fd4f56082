/*
 * os_process: a helper program that we talk with.
 *
 * Threads: any; a process belongs to who started it.
 */
#ifndef HF_OS_OS_PROCESS_H
#define HF_OS_OS_PROCESS_H

#include <stddef.h>

#include "base/err.h"

struct os_process {
	int pid;   /* 0: none */
	int talk;  /* a socket: its standard input and output */
	int error; /* what it says on standard error */
};

/*
 * Start argv[0], looked for in PATH, in a session of its own: Ctrl-C on our
 * terminal is not for it, and it cannot ask there.  ERR_UNSUPPORTED: there is
 * no such program.
 */
int os_process_start(struct os_process *p, char *const argv[], struct err *e);

/* Stop talking: who waits on its sockets, which stay, is woken. */
void os_process_hang_up(struct os_process *p);

/* End it (SIGTERM, and SIGKILL after a second), reap it, close its sockets. */
void os_process_end(struct os_process *p);

/* Bytes into the socket, without SIGPIPE: 0 or -1. */
int os_send_all(int fd, const void *p, size_t n);

/* Wait for something to read on any of two, at most so many ms; bits 1 and 2 say where. */
int os_readable_two(int a, int b, int ms);

#endif
