/* instant_look: an instant recovery as seen from outside: see instant.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/instant_priv.h"
#include "engine/instant_state.h"
#include "os/os.h"

char *instant_work(const char *target)
{
	size_t n = strlen(target);

	while (n > 1 && target[n - 1] == '/')
		n--;
	return mem_printf("%.*s.holdfast", (int)n, target);
}

char *instant_data(const char *target)
{
	char *work = instant_work(target), *data = mem_printf("%s/data", work);

	free(work);
	return data;
}

static void read_ready(const char *work, struct instant_seen *out)
{
	char *path = mem_printf("%s/ready", work);
	struct buf b = {.p = NULL};
	struct err ignored;

	out->ready = os_read_file(path, sizeof out->root - 1, &b, &ignored) == 0;
	if (out->ready)
		snprintf(out->root, sizeof out->root, "%s", buf_cstr(&b));
	buf_fini(&b);
	free(path);
}

static void read_lock(int fd, struct instant_seen *out)
{
	char text[80];
	ssize_t n = os_pread_full(fd, text, sizeof text - 1, 0);
	unsigned long long left, bad;
	long long pid;

	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%lld %llu %llu", &pid, &left, &bad) == 3) {
		out->pid = pid;
		out->left = left;
		out->bad = bad;
	}
}

int instant_look(const char *target, struct instant_seen *out, struct err *e)
{
	char *work = instant_work(target), *lock = mem_printf("%s/lock", work),
	     *state = mem_printf("%s/state", work);
	int fd = os_open(lock, O_RDWR | O_CLOEXEC, 0), rc = 0;
	bool busy = false;

	*out = (struct instant_seen){.left = UINT64_MAX};
	if (fd == -1)
		rc = errno == ENOENT ? 0 : err_sys(e, "%s", lock);
	else
		rc = os_lock(fd, false, &busy, e);
	if (rc == 0 && fd != -1)
		rc = instant_state_header(state, &out->snapshot, &out->begun, e);
	if (rc == 0 && busy)
		read_lock(fd, out);
	if (rc == 0 && out->begun)
		read_ready(work, out);
	if (rc == 0 && out->begun && !busy)
		out->settled = instant_is_settled(target);
	os_close(fd);
	free(work);
	free(lock);
	free(state);
	return rc;
}
