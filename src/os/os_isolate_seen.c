/* os_isolate_seen: see os_isolate_internal.h.  The child's part calls only what it may. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "os/os_isolate_internal.h"

enum { TEXT = 65536, FIELD_PLACE = 4, FIELD_OPTIONS = 5 };

const int os_isolate_spaces[ISOLATE_SPACES] = {
    CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWNS};
const char *const os_isolate_hidden[ISOLATE_HIDDEN] = {"/tmp", "/run"};

static const char *const space_files[ISOLATE_SPACES] = {
    "/proc/self/ns/net", "/proc/self/ns/pid", "/proc/self/ns/ipc", "/proc/self/ns/mnt"};

/* All of it, or NULL. */
static char *text_of(const char *path, char *room, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0, got = -1;

	while (fd != -1 && (size_t)n < size - 1 && (got = read(fd, room + n, size - 1 - n)) > 0)
		n += got;
	os_close(fd);
	room[n] = '\0';
	return got == 0 ? room : NULL;
}

static bool is_loopback_only(char *room)
{
	char *text = text_of("/proc/self/net/dev", room, TEXT);
	bool only = text != NULL;

	while (text != NULL && *text != '\0') {
		size_t n = strcspn(text, "\n");
		char *colon = memchr(text, ':', n);

		text += strspn(text, " ");
		only &= colon == NULL || strncmp(text, "lo:", 3) == 0;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return only;
}

/* As mountinfo writes them: a blank is \040. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s != '\0'; to++)
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to = *s++;
		}
	*to = '\0';
}

static char *field(char **line)
{
	char *f = *line;

	*line += strcspn(f, " ");
	if (**line != '\0')
		*(*line)++ = '\0';
	return f;
}

static bool is_own(const char *place, const char *folder)
{
	return strcmp(place, "/dev/shm") == 0 || strcmp(place, folder) == 0;
}

static bool is_read_only(const char *folder, char *room)
{
	char *text = text_of("/proc/self/mountinfo", room, TEXT), *line;
	bool only = text != NULL && folder != NULL;

	while (only && text != NULL && (line = strsep(&text, "\n")) != NULL) {
		char *place = NULL, *options = NULL;

		if (*line == '\0')
			continue;
		for (int k = 0; k <= FIELD_OPTIONS; k++) {
			char *f = field(&line);

			if (k == FIELD_PLACE)
				place = f;
			options = f;
		}
		unescape(place);
		only = strncmp(options, "ro", 2) == 0 || is_own(place, folder);
	}
	return only;
}

void os_isolate_see(const char *folder, const struct os_cgroup *group, struct os_isolate_seen *out)
{
	static char room[TEXT];
	uid_t u[3];
	gid_t g[3];
	struct stat st;

	memset(out, 0, sizeof *out);
	(void)!getresuid(&u[0], &u[1], &u[2]);
	(void)!getresgid(&g[0], &g[1], &g[2]);
	out->uid = u[1];
	out->gid = g[1];
	out->one_user = u[0] == u[1] && u[1] == u[2] && g[0] == g[1] && g[1] == g[2] &&
			prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	for (int k = 0; k < ISOLATE_SPACES; k++)
		if (stat(space_files[k], &st) == 0) {
			out->space[k].dev = st.st_dev;
			out->space[k].ino = st.st_ino;
		}
	for (int k = 0; k < ISOLATE_HIDDEN; k++)
		if (stat(os_isolate_hidden[k], &st) == 0) {
			out->hidden[k].dev = st.st_dev;
			out->hidden[k].ino = st.st_ino;
		}
	out->loopback_only = is_loopback_only(room);
	out->read_only = is_read_only(folder, room);
	out->grouped = os_cgroup_is_in(group);
}

/* ---- The parent's. */

unsigned os_isolate_judge(const struct os_isolate *i, const struct os_isolate_seen *s)
{
	unsigned bits = 0;
	bool hidden = true;

	for (int k = 0; k < ISOLATE_SPACES - 1; k++)
		if (s->space[k].ino != 0 && i->ours.space[k].ino != 0 &&
		    s->space[k].ino != i->ours.space[k].ino)
			bits |= 1U << k;
	if (!s->loopback_only)
		bits &= ~(unsigned)ISOLATE_NETWORK;
	for (int k = 0; k < ISOLATE_HIDDEN; k++)
		hidden &= s->hidden[k].ino == 0 || s->hidden[k].dev != i->ours.hidden[k].dev;
	if (s->space[ISOLATE_SPACES - 1].ino != i->ours.space[ISOLATE_SPACES - 1].ino) {
		bits |= s->read_only ? ISOLATE_FILES : 0;
		bits |= hidden ? ISOLATE_SOCKETS : 0;
	}
	bits |= s->one_user && s->uid == i->uid && s->gid == i->gid ? ISOLATE_USER : 0;
	return bits | (s->grouped ? ISOLATE_GROUPED : 0);
}
