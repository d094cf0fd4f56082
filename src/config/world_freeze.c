/* world_freeze: how what is read stands still: its keys, and their contradictions. */
#include <stddef.h>
#include <string.h>

#include "config/world_load.h"
#include "config/world_tables.h"

#define Z(member) offsetof(struct world_freeze, member)

/* clang-format off */
static const struct field freeze_rows[] = {
    {"btrfs", FIELD_FLAG, Z(btrfs), false, NULL, NULL, "a read-only snapshot of each subvolume, which is deleted afterwards"},
    {"freeze", FIELD_TEXT, Z(freeze), false, NULL, NULL, "for /bin/sh, before anything is read"},
    {"thaw", FIELD_TEXT, Z(thaw), false, NULL, NULL, "for /bin/sh: certain to follow, also where freeze failed half-way"},
    {"timeout", FIELD_DURATION, Z(timeout), false, NULL, NULL, "each of both is ended after so long; 1m"},
    {"read", FIELD_PAIRS, Z(read), false, NULL, NULL, "which folder is read where, by what freeze has made: /srv/db: /mnt/frozen"},
    {0},
};
/* clang-format on */
const struct field_table world_freeze_table = {freeze_rows, sizeof(struct world_freeze)};

/* Does the folder have something to do with what is backed up? */
static bool touches(const struct field_texts *paths, const char *folder, size_t n)
{
	for (size_t i = 0; i < paths->n; i++) {
		const char *p = paths->v[i];
		size_t len = strlen(p), least = len < n ? len : n;

		if (strncmp(p, folder, least) == 0 && (p[least] == '\0' || p[least] == '/') &&
		    (least == n || folder[least] == '/'))
			return true;
	}
	return n == 1 && folder[0] == '/';
}

static int check_read(const struct world_files *f, struct err *e)
{
	for (size_t i = 0; i < f->freeze.read.n; i++) {
		const char *pair = f->freeze.read.v[i];
		size_t n = strcspn(pair, "=");
		struct node_at at = f->freeze.read.at[i];

		if (pair[0] != '/' || pair[n + 1] != '/')
			return node_fail(
			    at, e, "read: '%.200s' and its place have to be absolute paths", pair);
		if ((n > 1 && pair[n - 1] == '/') || !touches(&f->paths, pair, n)) {
			node_fail(
			    at, e, "read: '%.*s' is no folder of what is backed up", (int)n, pair);
			return err_hint(e, "it is one of the paths, or a folder above or below it, "
					   "without a slash at its end");
		}
	}
	return 0;
}

int world_check_freeze(const struct world_source *src, struct err *e)
{
	const struct world_freeze *f = &src->files.freeze;
	struct node_at at = src->item.at;

	if ((f->freeze == NULL) != (f->thaw == NULL)) {
		node_fail(at, e, "freeze: %s without %s", f->freeze ? "freeze" : "thaw",
		    f->freeze ? "thaw" : "freeze");
		return err_hint(e, "what is frozen has to be thawed: doc/freeze.md has recipes");
	}
	if (f->freeze == NULL && f->timeout.ns)
		return node_fail(at, e, "freeze: timeout is for commands, and there are none");
	if (f->read.n > 0 && (f->btrfs || f->freeze == NULL)) {
		node_fail(at, e, "freeze: read goes with what a freeze command makes");
		return err_hint(e, "with btrfs: yes, where to read is known");
	}
	return check_read(&src->files, e);
}
