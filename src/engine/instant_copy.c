/* instant_copy: see instant.h and instant_priv.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/instant_priv.h"
#include "engine/op_keep.h"
#include "engine/select.h"
#include "os/os.h"
#include "repo/note.h"

#define HOUR INT64_C(3600000000000)

enum {
	COPY_AT_A_TIME = 8 << 20,
	IN_VAIN_MOST = 64 << 20, /* bytes in a row, all damaged: is the place there? */
	LIST_MOST = 1000,        /* damaged stretches that are named */
	KEEP_HOURS = 48,
	LOOK_HOURS = 24
};

int instant_tell(struct instant *in, uint64_t left, uint64_t bad, struct err *e)
{
	struct buf b = {.p = NULL};
	int rc;

	buf_printf(&b, "%-20ld %-20llu %-20llu\n", (long)getpid(), (unsigned long long)left,
	    (unsigned long long)bad);
	rc = os_pwrite_all(in->lock, b.p, b.n, 0) == -1 ? err_sys(e, "%s/lock", in->work) : 0;
	buf_fini(&b);
	return rc;
}

size_t instant_left(struct instant *in, uint64_t *bytes)
{
	return instant_set_count(in->set, bytes);
}

/* ---- Damage. */

struct listing {
	struct instant *in;
	struct buf text;
	uint64_t bytes;
	size_t files, stretches;
};

static void list_file(void *arg, uint32_t n, struct instant_file *f)
{
	struct listing *l = arg;

	l->files++;
	l->bytes += instant_file_bad(f);
	for (uint64_t off = 0, len; instant_file_bad_next(f, &off, &len); off += len)
		if (l->stretches++ < LIST_MOST)
			buf_printf(&l->text, "%s: %" PRIu64 " KiB from %" PRIu64 " KiB on\n",
			    instant_content_path(l->in->content, n), len >> 10, off >> 10);
}

/* Where the place is away nothing can be had, which is no damage. */
static int is_there(struct instant *in, struct err *e)
{
	struct store_stat st;

	if (store_stat(repo_store(in->repo), "config", &st, e) == -1)
		return err_wrap(e, "the repository is away");
	return 0;
}

/* What is left is damaged in the repository: it is listed beside what is here. */
static int say_damage(struct instant *in, struct err *e)
{
	struct listing l = {.in = in};
	char *path = mem_printf("%s/damaged", in->work);
	int rc = 0;

	instant_set_bad(in->set, list_file, &l);
	if (l.files == 0) {
		if (os_unlinkat(AT_FDCWD, path, 0) == -1 && errno != ENOENT)
			rc = err_sys(e, "remove %s", path);
	} else if (is_there(in, e) == -1 ||
		   os_file_replace(path, buf_span(&l.text), 0600, e) == -1) {
		rc = -1;
	}
	if (rc == 0)
		rc = instant_tell(in, l.bytes, l.bytes, e);
	if (rc == 0 && l.files > 0) {
		err_set(e, ERR_DAMAGE_FOUND,
		    "%" PRIu64
		    " KiB in %zu files are damaged in the repository, everything else is "
		    "here: %.*s%s",
		    l.bytes >> 10, l.files, (int)strcspn(buf_cstr(&l.text), "\n"),
		    buf_cstr(&l.text), l.stretches > 1 ? ", ..." : "");
		rc = err_hint(e,
		    "%s lists them; mend the repository (holdfast check, repair), or drop or "
		    "truncate what these files belong to",
		    path);
	}
	buf_fini(&l.text);
	free(path);
	return rc;
}

/* ---- Bringing it. */

static int copy_next(struct instant *in, uint64_t *in_vain, bool *more, struct err *e)
{
	struct instant_file *f;
	uint64_t left, before;
	uint32_t n;
	int rc;

	instant_keep(in);
	*more = (f = instant_set_next(in->set, &n)) != NULL;
	if (!*more)
		return 0;
	instant_left(in, &left);
	before = instant_file_left(f);
	rc = ctx_check(in->ctx, e);
	if (rc == 0)
		rc = instant_tell(in, left, 0, e);
	left = before;
	if (rc == 0)
		rc = instant_file_copy(f, COPY_AT_A_TIME, &left, INSTANT_BACK, e);
	*in_vain = rc == -1 && left == before
		       ? *in_vain + (before < COPY_AT_A_TIME ? before : COPY_AT_A_TIME)
		       : 0;
	if (rc == 0 && left == 0)
		instant_set_drop(in->set, n);
	if (rc == -1 && e->kind == ERR_DAMAGE_FOUND) {
		rc = *in_vain < IN_VAIN_MOST ? 0 : is_there(in, e);
		if (*in_vain >= IN_VAIN_MOST)
			*in_vain = 0;
	}
	if (rc == -1 && e->kind == ERR_IO && instant_file_lost(f))
		rc = 0; /* the others can be; it is told at the end */
	instant_file_unref(f);
	return rc;
}

/* A sync that failed holds until it is begun again. */
static int say_lost(struct instant *in, struct err *e)
{
	uint64_t left;
	size_t files = instant_left(in, &left);

	if (files == 0)
		return 0;
	err_set(e, ERR_IO, "all is here, and %zu files could not be synced", files);
	return err_hint(e, "stop the server, and type the same command again");
}

int instant_copy(struct instant *in, struct err *e)
{
	uint64_t in_vain = 0;
	bool more = true;

	instant_set_forgive(in->set);
	while (more)
		if (copy_next(in, &in_vain, &more, e) == -1)
			return -1;
	return say_damage(in, e) == -1 ? -1 : say_lost(in, e);
}

/* ---- The snapshot. */

static int hold(struct instant *in, int64_t now, struct err *e)
{
	struct keep_params p = {KEEP_HOLD, now + KEEP_HOURS * HOUR};
	struct snapshot *s;
	char hex[ID_HEX], *path;
	size_t changed;
	int rc = 0;

	if (select_one(
		in->repo, id_hex(hex, &in->snapshot->id), NULL, false, in->ctx, &s, &path, e) == -1)
		return -1;
	free(path);
	if (!s->held || (s->held_until_ns != 0 && s->held_until_ns < p.until_ns))
		rc = note_may(in->repo, NOTE_HOLD)
			 ? op_keep(in->repo, s, &p, &changed, e)
			 : err_set(e, ERR_DENIED, "this key may hold no snapshot");
	snapshot_free(s);
	return rc;
}

void instant_keep(struct instant *in)
{
	int64_t now = repo_now(in->repo);
	char hex[ID_HEX];
	struct err why;

	if (now < in->kept_until_ns)
		return;
	in->kept_until_ns = now + LOOK_HOURS * HOUR;
	if (hold(in, now, &why) == 0 || why.kind == ERR_CANCELLED)
		return;
	if (why.kind != ERR_DENIED)
		in->kept_until_ns = now + HOUR;
	event_emit(in->ctx, EVENT_WARNING, span_of(NULL, 0),
	    "snapshot %.12s is not held (%s): should it be forgotten and pruned before all of it "
	    "is "
	    "here, the rest is lost",
	    id_hex(hex, &in->snapshot->id), why.msg);
}
