/* freeze_look: is there what the freeze should have made?  See freeze.h. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/freeze_priv.h"

enum { DEPTH_MAX = 200 };

/* Is there anything but folders?  What cannot be read the backup will tell. */
static bool holds_file(int dir, const char *name, int depth)
{
	int fd = os_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *en;
	struct stat st;
	bool is = false;

	if (d == NULL) {
		os_close(fd);
		return os_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode);
	}
	while (!is && depth < DEPTH_MAX && (en = readdir(d)) != NULL)
		is = strcmp(en->d_name, ".") != 0 && strcmp(en->d_name, "..") != 0 &&
		     holds_file(dirfd(d), en->d_name, depth + 1);
	closedir(d);
	return is;
}

/* The rest of the path below a folder ("" for itself); NULL: it is elsewhere. */
static const char *below(const char *path, const char *folder)
{
	size_t n = strcmp(folder, "/") == 0 ? 0 : strlen(folder);

	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0') ? path + n
										    : NULL;
}

static int look(const char *live, const char *at, struct err *e)
{
	if (holds_file(AT_FDCWD, at, 0) || !holds_file(AT_FDCWD, live, 0))
		return 0;
	err_set(
	    e, ERR_ABSENT, "%s holds no file, and %s, which should be read there, does", at, live);
	return err_hint(
	    e, "has the freeze made and mounted it? If it may be empty: may_be_empty: yes");
}

int freeze_look(const struct freeze *f, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < f->nplaces; i++)
		for (size_t k = 0; k < f->p->npaths && rc == 0; k++) {
			const struct source_place *x = &f->place[i];
			char *path = freeze_tidy(f->p->paths[k]), *at;
			const char *rest = below(path, x->path);

			at = mem_printf("%s%s", x->at, rest ? rest : "");
			if (rest != NULL)
				rc = look(path, at, e);
			else if (below(x->path, path) != NULL)
				rc = look(x->path, at, e);
			free(path);
			free(at);
		}
	return rc;
}
