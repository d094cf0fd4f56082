/* os_process: see os_process.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "os/os.h"
#include "os/os_process.h"

extern char **environ;

static int spawn(int *pid, char *const argv[], int talk, int error)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	int rc;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, talk, 0);
	posix_spawn_file_actions_adddup2(&files, talk, 1);
	posix_spawn_file_actions_adddup2(&files, error, 2);
	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGINT);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(
	    &attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	rc = posix_spawnp(pid, argv[0], &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

int os_process_start(struct os_process *p, char *const argv[], struct err *e)
{
	int talk[2], error[2], rc;

	*p = (struct os_process){.talk = -1, .error = -1};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk) == -1)
		return err_sys(e, "start %s", argv[0]);
	if (pipe2(error, O_CLOEXEC) == -1) {
		err_sys(e, "start %s", argv[0]);
		os_close(talk[0]);
		os_close(talk[1]);
		return -1;
	}
	rc = spawn(&p->pid, argv, talk[1], error[1]);
	os_close(talk[1]);
	os_close(error[1]);
	p->talk = talk[0];
	p->error = error[0];
	if (rc == 0)
		return 0;
	p->pid = 0;
	os_process_end(p);
	errno = rc;
	err_sys(e, "start %s", argv[0]);
	if (rc == ENOENT)
		e->kind = ERR_UNSUPPORTED;
	return -1;
}

void os_process_hang_up(struct os_process *p)
{
	shutdown(p->talk, SHUT_RDWR);
}

void os_process_end(struct os_process *p)
{
	const struct timespec step = {.tv_nsec = 10 * 1000000};
	int tries = 0;

	os_close(p->talk);
	os_close(p->error);
	p->talk = p->error = -1;
	if (p->pid == 0)
		return;
	kill(p->pid, SIGTERM);
	while (waitpid(p->pid, NULL, WNOHANG) == 0) {
		if (tries++ == 100)
			kill(p->pid, SIGKILL);
		nanosleep(&step, NULL);
	}
	p->pid = 0;
}

int os_send_all(int fd, const void *p, size_t n)
{
	for (const char *at = p; n > 0;) {
		ssize_t k = send(fd, at, n, MSG_NOSIGNAL);

		if (k == -1 && errno == EINTR)
			continue;
		if (k == -1)
			return -1;
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

int os_readable_two(int a, int b, int ms)
{
	struct pollfd fds[] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};

	if (poll(fds, 2, ms) <= 0)
		return 0;
	return (fds[0].revents ? 1 : 0) | (fds[1].revents ? 2 : 0);
}
