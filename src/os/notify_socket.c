/* notify_socket: see notify_socket.h. */
#include "os/notify_socket.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "os/os.h"

static const char *place(void)
{
	const char *v = getenv("NOTIFY_SOCKET");

	return v && v[0] ? v : NULL;
}

bool notify_socket_wanted(void)
{
	return place() != NULL;
}

/* The address's length counts: an abstract name has no end but that. */
static int address(const char *at, struct sockaddr_un *a, socklen_t *len, struct err *e)
{
	size_t n = strlen(at);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if ((at[0] != '/' && at[0] != '@') || n < 2 || n >= sizeof a->sun_path)
		return err_set(e, ERR_USAGE, "NOTIFY_SOCKET: '%.80s' is no socket", at);
	memcpy(a->sun_path, at, n);
	if (at[0] == '@')
		a->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (at[0] == '/'));
	return 0;
}

int notify_socket_send(const char *state, struct err *e)
{
	const char *at = place();
	struct sockaddr_un a;
	socklen_t len = 0;
	ssize_t n;
	int fd;

	if (at == NULL)
		return 0;
	if (address(at, &a, &len, e) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_sys(e, "NOTIFY_SOCKET: socket");
	do
		n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a, len);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		err_sys(e, "NOTIFY_SOCKET: %s", at);
	os_close(fd);
	return n == -1 ? -1 : 0;
}

int notify_socket_reloading(struct err *e)
{
	struct timespec t = {0};
	char text[80];

	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	return notify_socket_send(text, e);
}

/* A whole number that is nothing else, or 0. */
static int64_t number(const char *text)
{
	char *end;
	long long v;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	v = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' ? v : 0;
}

int64_t notify_socket_watchdog_ns(void)
{
	int64_t us = number(getenv("WATCHDOG_USEC"));
	const char *pid = getenv("WATCHDOG_PID");

	/* A child inherits the variables, but it is not whom they are for. */
	if (pid != NULL && number(pid) != (int64_t)getpid())
		return 0;
	return us > 0 && us <= INT64_MAX / 1000 ? us * 1000 : 0;
}
