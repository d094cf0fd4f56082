/* cli_stay: see cli_stay.h. */
#include "cli/cli_stay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

static int tell = -1; /* to who waits; -1: nobody */
static volatile sig_atomic_t child;

/* Ctrl-C reaches both, other wishes only the one whose number is known. */
static void pass_on(int sig)
{
	if (sig != SIGINT && child > 0)
		kill((pid_t)child, sig);
}

static int wait_for(pid_t pid, int from)
{
	struct sigaction sa = {.sa_handler = pass_on};
	uint8_t status;
	ssize_t n;
	int how;

	child = pid;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	do
		n = read(from, &status, 1);
	while (n == -1 && errno == EINTR);
	if (n == 1)
		return status;
	while (waitpid(pid, &how, 0) == -1 && errno == EINTR)
		;
	return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

bool stay_begin(int *status)
{
	int end[2];
	pid_t pid;

	if (pipe2(end, O_CLOEXEC) == -1)
		return true;
	pid = fork();
	if (pid == 0)
		tell = end[1];
	close(end[pid > 0 ? 1 : 0]);
	if (pid == -1)
		close(end[1]);
	if (pid <= 0)
		return true;
	*status = wait_for(pid, end[0]);
	close(end[0]);
	return false;
}

void stay_release(int status)
{
	uint8_t byte = (uint8_t)status;
	int null;

	if (tell == -1)
		return;
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null != -1 && fd <= 2; fd++)
		dup2(null, fd);
	close(null);
	/* Only now: who waits for the end of our output has seen it. */
	while (write(tell, &byte, 1) == -1 && errno == EINTR)
		;
	close(tell);
	tell = -1;
}
