/*
 * stream: a source of one file, read from a descriptor until it ends.
 *
 * Nothing is known of it beforehand: its size is what was read, its time is
 * when the source was opened.  The descriptor stays the caller's.
 */
#include "source/source.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"
#include "source/dirlist.h"

enum { LOOK_EVERY_MS = 200 };

struct stream {
	struct source base;
	int fd;
	char *name;
	struct source_stat st; /* of the file */
	atomic_bool taken;
};

struct stream_reader {
	struct source_reader base;
	uint64_t n; /* read so far */
};

static void dir_free(struct source_dir *d)
{
	free(d->path);
	free(d);
}

static struct source_dir *stream_root(struct source *src, struct source_stat *st, struct err *e)
{
	struct source_dir *d = source_dir_new(sizeof *d, src, NULL, mem_strdup("/"), dir_free);

	*st = ((struct stream *)src)->st;
	st->type = ENTRY_DIR;
	st->mode = 0755;
	return d;
}

static int stream_list(struct source_dir *d, struct source_names *out, struct err *e)
{
	buf_reset(&out->text);
	out->n = 0;
	dirlist_add(out, ((struct stream *)d->source)->name);
	return 0;
}

static int stream_look(struct source_dir *d, const char *name, struct source_stat *st,
    enum source_look *what, struct err *e)
{
	const struct stream *s = (const struct stream *)d->source;

	if (strcmp(name, s->name) != 0)
		return err_set(e, ERR_ABSENT, "/%s: not there", name);
	*st = s->st;
	*what = SOURCE_TAKE;
	return 0;
}

static int stream_open(struct source_dir *d, const char *name, const struct source_stat *st,
    struct source_reader **out, struct err *e)
{
	struct stream *s = (struct stream *)d->source;
	struct stream_reader *r;

	if (atomic_exchange(&s->taken, true))
		return err_set(e, ERR_FAILED, "/%s: a stream can be read only once", s->name);
	r = mem_zalloc(sizeof *r);
	r->base.source = d->source;
	r->base.st = s->st;
	*out = &r->base;
	return 0;
}

/* A producer may be silent for hours: the wish to stop is heard meanwhile. */
static int wait_for_data(struct stream *s, struct err *e)
{
	int rc;

	do {
		if (ctx_check(s->base.ctx, e) == -1)
			return -1;
		if ((rc = os_readable(s->fd, LOOK_EVERY_MS)) == -1)
			return err_sys(e, "/%s: wait for data", s->name);
	} while (rc == 0);
	return 0;
}

static int64_t stream_read(struct source_reader *reader, void *p, size_t n, struct err *e)
{
	struct stream_reader *r = (struct stream_reader *)reader;
	struct stream *s = (struct stream *)reader->source;
	size_t got = 0;

	while (got < n) {
		ssize_t more;

		if (wait_for_data(s, e) == -1)
			return -1;
		more = os_read(s->fd, (uint8_t *)p + got, n - got);
		if (more == -1)
			return err_sys(e, "/%s: read", s->name);
		if (more == 0)
			break;
		got += (size_t)more;
	}
	r->n += got;
	return (int64_t)got;
}

static int stream_finish(struct source_reader *reader, bool *changed, uint64_t *size, struct err *e)
{
	*changed = false;
	*size = ((struct stream_reader *)reader)->n;
	free(reader);
	return 0;
}

static void stream_close(struct source *src)
{
	free(((struct stream *)src)->name);
	free(src);
}

static const struct source_ops stream_ops = {
    .kind = "stdin",
    .root = stream_root,
    .list = stream_list,
    .look = stream_look,
    .enter = source_enter_none,
    .fill = source_fill_plain,
    .open = stream_open,
    .read = stream_read,
    .finish = stream_finish,
    .close = stream_close,
};

int source_stream_open(
    int fd, const char *name, struct ctx *ctx, struct source **out, struct err *e)
{
	struct stream *s;
	int64_t now = ctx->clock->wall_ns(ctx->clock);

	if (name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0 || strlen(name) > ENTRY_NAME_MAX)
		return err_set(e, ERR_USAGE, "%s: not a file name", name);
	s = mem_zalloc(sizeof *s);
	s->base = (struct source){&stream_ops, ctx};
	s->fd = fd;
	s->name = mem_strdup(name);
	s->st = (struct source_stat){
	    .type = ENTRY_FILE,
	    .mode = 0600,
	    .uid = geteuid(),
	    .gid = getegid(),
	    .mtime = now / 1000000000,
	    .mtime_ns = (uint32_t)(now % 1000000000),
	    .nlink = 1,
	};
	s->st.ctime = s->st.mtime;
	s->st.ctime_ns = s->st.mtime_ns;
	*out = &s->base;
	return 0;
}
