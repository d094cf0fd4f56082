/* target_unfinished: the word that a restore leaves while it is at work; see target.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"
#include "source/target_priv.h"

/* What an earlier restore that never ended left; false if there is nothing. */
static bool read_word(struct target *t, char *out, size_t max)
{
	int fd = os_open_beneath(t->root->fd, TARGET_UNFINISHED, O_RDONLY | O_NOFOLLOW, 0);
	ssize_t n;

	if (fd == -1)
		return false;
	n = os_pread_full(fd, out, max - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	os_close(fd);
	return true;
}

bool target_is_own(struct span name)
{
	return name.n == sizeof TARGET_UNFINISHED - 1 &&
	       memcmp(name.p, TARGET_UNFINISHED, name.n) == 0;
}

int target_begin(struct target *t, const char *what, bool *cut, struct err *e)
{
	char was[TARGET_WORD_MAX];
	int fd, rc = 0;

	*cut = read_word(t, was, sizeof was);
	/* It goes when the same is done to the end; by what leaves or asks less, it stays. */
	t->unfinished = !*cut || (strcmp(was, what) == 0 && t->overwrite != TARGET_NEVER);
	if (*cut)
		return 0;
	fd = os_open_beneath(
	    t->root->fd, TARGET_UNFINISHED, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd == -1)
		return err_sys(e, "%s in the target: create", TARGET_UNFINISHED);
	/* On disk before the first file that it may have to speak against. */
	if (os_write_all(fd, what, strlen(what)) == -1 || os_fsync(fd) == -1 ||
	    os_fsync(t->root->fd) == -1)
		rc = err_sys(e, "%s in the target: write", TARGET_UNFINISHED);
	os_close(fd);
	return rc;
}

int target_end(struct target *t, struct err *e)
{
	struct timespec times[2];
	struct stat st;

	if (!t->unfinished)
		return 0;
	if (os_fstat(t->root->fd, &st) == -1 ||
	    (os_unlinkat(t->root->fd, TARGET_UNFINISHED, 0) == -1 && errno != ENOENT))
		return err_sys(e, "%s in the target: remove", TARGET_UNFINISHED);
	/* The folder's own time was restored, too. */
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	futimens(t->root->fd, times);
	return 0;
}
