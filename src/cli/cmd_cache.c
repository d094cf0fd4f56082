/* cache: where it is, how large, and away with it. */
#include "cli/cli_out.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"

/* nftw has no argument for its visitor. */
static uint64_t walked_bytes, walked_files;

static int add_size(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (type == FTW_F) {
		walked_bytes += (uint64_t)st->st_blocks * 512;
		walked_files++;
	}
	return 0;
}

/* The folder itself stays: somebody may have made it a mount point. */
static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (ftw->level == 0)
		return 0;
	return remove(path) == -1 && errno != ENOENT ? -1 : 0;
}

typedef int visit_file(const char *, const struct stat *, int, struct FTW *);

/* Caches are folders named by a repository's id; nothing else is ours. */
static bool ours(const char *name)
{
	return strlen(name) == 32 && strspn(name, "0123456789abcdef") == 32;
}

static int each_cache(const char *dir, visit_file *visit, bool away, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int rc = 0;

	if (d == NULL)
		return errno == ENOENT ? 0 : err_sys(e, "%s", dir);
	while (rc == 0 && (de = readdir(d))) {
		char *path;

		if (!ours(de->d_name))
			continue;
		path = mem_printf("%s/%s", dir, de->d_name);
		if (nftw(path, visit, 16, FTW_PHYS | (away ? FTW_DEPTH : 0)) == -1 &&
		    errno != ENOENT)
			rc = err_sys(e, "%s", path);
		else if (away)
			os_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
		free(path);
	}
	closedir(d);
	return rc;
}

int cmd_cache(struct cli *c, struct err *e)
{
	char *dir = cli_cache_dir(c), a[TEXT_AMOUNT], b[32];
	bool clear = c->args.n && strcmp(c->args.v[0], "clear") == 0;
	int rc;

	walked_bytes = walked_files = 0;
	rc = each_cache(dir, add_size, false, e);
	if (rc == 0 && clear)
		rc = each_cache(dir, remove_one, true, e);
	if (rc == 0 && c->out.json) {
		json_t *o = json_object();

		out_json_path(o, "path", span_str(dir));
		out_json_u64(o, "files", walked_files);
		out_json_u64(o, "bytes", walked_bytes);
		json_object_set_new(o, "cleared", json_boolean(clear));
		out_json(c, "summary", o);
	} else if (rc == 0) {
		out_list(c, "%s%s: %s, %s\n", clear ? "cleared " : "", out_str(c, dir),
		    text_amount(a, walked_files, "file", "files"), text_bytes(b, walked_bytes));
	}
	free(dir);
	return rc;
}
