/* api_token_file: the tokens as they are now: read again when the file is another (api_token.h). */
#include "api/api_token.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"

struct api_token_file {
	char *path;
	pthread_mutex_t lock;
	bool read; /* it was, as st says */
	struct stat st;
	struct api_tokens tokens;
};

struct api_token_file *api_token_file_new(const char *path)
{
	struct api_token_file *f = mem_zalloc(sizeof *f);

	f->path = mem_strdup(path);
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

void api_token_file_free(struct api_token_file *f)
{
	if (f == NULL)
		return;
	api_tokens_fini(&f->tokens);
	pthread_mutex_destroy(&f->lock);
	free(f->path);
	free(f);
}

/* Every change makes a new file (os_file_replace), so one of these differs. */
static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int refresh(struct api_token_file *f, struct err *e)
{
	struct stat st = {0};

	if (os_fstatat(AT_FDCWD, f->path, &st, 0) == -1 && errno != ENOENT)
		return err_sys(e, "%s", f->path);
	if (f->read && same(&st, &f->st))
		return 0;
	api_tokens_fini(&f->tokens);
	f->read = false;
	if (api_tokens_load(f->path, &f->tokens, e) == -1)
		return -1;
	f->st = st;
	f->read = true;
	return 0;
}

int api_token_file_find(struct api_token_file *f, struct span text, int64_t now_ns,
    struct api_token *out, struct err *e)
{
	const struct api_token *t = NULL;
	int rc;

	pthread_mutex_lock(&f->lock);
	rc = refresh(f, e);
	if (rc == 0)
		t = api_tokens_find(&f->tokens, text, now_ns);
	if (t != NULL)
		*out = *t;
	pthread_mutex_unlock(&f->lock);
	if (rc == 0 && t == NULL)
		return err_set(e, ERR_ABSENT, "no such token");
	return rc;
}
