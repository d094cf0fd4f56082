/*
 * drill_files: a drill's restore, and what of it can be said of any files: they are read back from
 * the disk and compared with what was stored, counted, and looked at whether they begin as their
 * names say, which tells of content that was made unreadable before it was backed up.
 */
#include "engine/drill_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/op_restore.h"
#include "os/os.h"

enum { LOOKED = 5000, HEAD = 16, SHOWN = 3 };

/* ---- Into the room. */

static void judge_counts(
    struct drill *d, const struct snapshot_part *part, const struct restore_result *r)
{
	const struct snapshot_stats *s = &part->stats;

	/* Names of one file are restored as one: its bytes once. */
	if (r->files != s->files || r->bytes > s->bytes)
		drill_break(&d->score, DRILL_COUNTS,
		    "%llu files with %llu bytes came back of %s; %llu with %llu were backed up",
		    (unsigned long long)r->files, (unsigned long long)r->bytes, part->name,
		    (unsigned long long)s->files, (unsigned long long)s->bytes);
}

static void judge_restore(struct drill *d, const struct restore_result *r)
{
	if (r->damaged > 0)
		drill_break(&d->score, DRILL_CONTENT, "%llu %s damaged in the repository",
		    (unsigned long long)r->damaged, r->damaged == 1 ? "thing is" : "things are");
	if (r->problems > r->damaged)
		drill_break(&d->score, DRILL_RESTORED, "%llu entries could not be restored",
		    (unsigned long long)(r->problems - r->damaged));
	if (r->damaged > 0)
		drill_break(&d->score, DRILL_RESTORED, "damage in the repository keeps %llu back",
		    (unsigned long long)r->damaged);
}

/* One part's files; of a snapshot of several each has a folder. */
static int restore_part(struct drill *d, const struct snapshot_part *part, struct err *e)
{
	bool only = d->snapshot->nparts == 1;
	char *path = only ? mem_strdup("/") : mem_printf("/%s", part->name);
	char *to = only ? mem_strdup(d->data) : mem_printf("%s/%s", d->data, part->name);
	struct restore_params p = {.snapshot = d->snapshot,
	    .path = path,
	    .target = to,
	    .verify = true,
	    .jobs = d->p->jobs};
	struct restore_result r;
	int rc = op_restore(d->repo, &p, d->ctx, &r, e);

	if (rc == 0) {
		judge_restore(d, &r);
		judge_counts(d, part, &r);
		d->files += r.files;
		d->dirs += r.dirs;
		d->bytes += r.bytes;
		d->verify_s += r.verify_seconds;
	}
	free(path);
	free(to);
	return rc;
}

static void put_facts(struct drill *d)
{
	json_object_set_new(d->facts, "files",
	    json_pack("{s:I, s:I, s:I}", "files", (json_int_t)d->files, "folders",
		(json_int_t)d->dirs, "bytes", (json_int_t)d->bytes));
}

int drill_restore_files(struct drill *d, bool *any, struct err *e)
{
	const struct snapshot *s = d->snapshot;
	int rc = 0;

	if (s->nparts > 1 && os_mkdirs(d->data, 0711, e) == -1)
		return -1;
	for (size_t i = 0; rc == 0 && i < s->nparts; i++)
		if (!drill_is_source(d, &s->parts[i]) && s->parts[i].has_tree) {
			*any = true;
			rc = restore_part(d, &s->parts[i], e);
		}
	return rc;
}

int drill_restore_end(struct drill *d, int rc, bool files, struct err *e)
{
	bool broken = d->broken;

	if (files) {
		put_facts(d);
		(void)!chmod(d->data, 0755); /* its checks are another user's */
	}
	if (rc == -1 && drill_is_finding(e)) {
		drill_break(&d->score, DRILL_RESTORED, "%s", e->msg);
		rc = 0;
	}
	if (rc == -1)
		return -1;
	/* Of several sources none is here yet, or one of them: see drill_sources.c. */
	if (files || d->nsources == 1)
		drill_hold(&d->score, DRILL_RESTORED);
	if (files && d->score.v[DRILL_RESTORED].state == DRILL_HELD) {
		drill_hold(&d->score, DRILL_CONTENT);
		drill_hold(&d->score, DRILL_COUNTS);
	}
	drill_step_end(d, d->score.v[DRILL_RESTORED].state == DRILL_BROKEN);
	/* The files that did come back are looked at all the same. */
	if (d->at == NULL && d->files > 0)
		d->broken = broken;
	d->steps[d->nsteps - 1].seconds -= d->verify_s;
	if (d->at != NULL)
		d->at->restore_s = d->steps[d->nsteps - 1].seconds;
	d->verify_s = 0;
	return 0;
}

/* ---- What their names say. */

static const struct format {
	const char *end, *head;
	size_t n, at;
} formats[] = {{".gz", "\x1f\x8b", 2, 0}, {".tgz", "\x1f\x8b", 2, 0}, {".bz2", "BZh", 3, 0},
    {".xz",
	"\xfd"
	"7zXZ",
	5, 0},
    {".zst", "\x28\xb5\x2f\xfd", 4, 0}, {".zip", "PK", 2, 0}, {".jar", "PK", 2, 0},
    {".docx", "PK", 2, 0}, {".xlsx", "PK", 2, 0}, {".pptx", "PK", 2, 0}, {".odt", "PK", 2, 0},
    {".ods", "PK", 2, 0}, {".pdf", "%PDF-", 5, 0}, {".png", "\x89PNG", 4, 0},
    {".jpg", "\xff\xd8\xff", 3, 0}, {".jpeg", "\xff\xd8\xff", 3, 0}, {".gif", "GIF8", 4, 0},
    {".sqlite", "SQLite format 3", 15, 0}, {".sqlite3", "SQLite format 3", 15, 0}};

struct looking {
	struct drill *d;
	unsigned looked, wrong;
	char first[300];
};

static const struct format *format_of(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		size_t k = strlen(formats[i].end);

		if (n > k && strcmp(name + n - k, formats[i].end) == 0)
			return &formats[i];
	}
	return NULL;
}

static void look_at(struct looking *l, int dir, const char *name)
{
	const struct format *f = format_of(name);
	uint8_t head[HEAD];
	ssize_t n;
	int fd;

	if (f == NULL || l->looked == LOOKED)
		return;
	fd = os_openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	n = fd == -1 ? -1 : os_pread_full(fd, head, sizeof head, 0);
	os_close(fd);
	if (n <= 0) /* an empty one says nothing */
		return;
	l->looked++;
	if ((size_t)n >= f->n && memcmp(head, f->head, f->n) == 0)
		return;
	if (l->wrong++ == 0)
		snprintf(l->first, sizeof l->first, "%s", name);
}

static void look_in(struct looking *l, int dir)
{
	int copy = os_openat(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = copy == -1 ? NULL : fdopendir(copy);
	struct dirent *de;

	if (d == NULL)
		os_close(copy);
	while (d != NULL && (de = readdir(d)) != NULL && !ctx_cancelled(l->d->ctx)) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (de->d_type == DT_REG) {
			look_at(l, dir, de->d_name);
		} else if (de->d_type == DT_DIR) {
			int fd = os_openat(dir, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

			if (fd != -1)
				look_in(l, fd);
			os_close(fd);
		}
	}
	if (d != NULL)
		closedir(d);
}

void drill_compare_files(struct drill *d)
{
	struct looking l = {.d = d};
	int fd;

	if (d->files == 0)
		drill_leave(&d->score, DRILL_CONTENT, "no files were restored as such");
	if (d->p->level != DRILL_COMPREHENSIVE || d->files == 0)
		return;
	fd = os_open(d->data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd != -1)
		look_in(&l, fd);
	os_close(fd);
	/* One that never was what it is called is usual; one in twenty is not. */
	if (l.wrong * 20 > l.looked)
		drill_break(&d->score, DRILL_FORMATS,
		    "%u of %u do not, as %s: were they made unreadable before the backup?", l.wrong,
		    l.looked, l.first);
	else if (l.looked > 0)
		drill_hold(&d->score, DRILL_FORMATS);
	else
		drill_leave(&d->score, DRILL_FORMATS, "no file's name says one");
}
