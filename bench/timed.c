/*
 * timed: run a command and say what it took.
 *
 *     timed FD COMMAND [ARGUMENT...]
 *
 * Writes "WALL USER SYSTEM PEAK\n" to descriptor FD (seconds, and bytes of
 * peak resident memory) and ends with the command's status, 128 and the signal
 * if one killed it, 127 if it could not be started.
 *
 * It is a program of its own because a process's peak memory begins with what
 * its parent had: this parent has almost nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct rusage u;
	double began = now();
	int status, fd;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: timed FD COMMAND [ARGUMENT...]\n");
		return 2;
	}
	fd = atoi(argv[1]);
	pid = fork();
	if (pid == 0) {
		close(fd);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid == -1 || wait4(pid, &status, 0, &u) == -1) {
		perror("timed");
		return 127;
	}
	dprintf(fd, "%.6f %.6f %.6f %ld\n", now() - began, seconds(u.ru_utime), seconds(u.ru_stime),
	    u.ru_maxrss * 1024);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
