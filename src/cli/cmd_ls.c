/* ls: list a folder of a snapshot. */
#include "cli/cli_out.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/op_tree.h"

json_t *entry_json(struct span path, const struct entry *en)
{
	static const char *const types[] = {[ENTRY_FILE] = "file",
	    [ENTRY_DIR] = "dir",
	    [ENTRY_SYMLINK] = "symlink",
	    [ENTRY_FIFO] = "fifo",
	    [ENTRY_CHAR] = "char",
	    [ENTRY_BLOCK] = "block",
	    [ENTRY_SOCKET] = "socket"};
	json_t *o = json_object();

	out_json_path(o, "path", path);
	out_json_str(o, "entry", en->type < 8 ? types[en->type] : NULL);
	out_json_u64(o, "mode", en->mode);
	out_json_u64(o, "uid", en->uid);
	out_json_u64(o, "gid", en->gid);
	if (en->user.n)
		out_json_path(o, "user", en->user);
	if (en->group.n)
		out_json_path(o, "group", en->group);
	if (en->type == ENTRY_FILE)
		out_json_u64(o, "size", en->size);
	if (en->type == ENTRY_SYMLINK)
		out_json_path(o, "target", en->target);
	out_json_time(o, "mtime", en->mtime * CALENDAR_SECOND + en->mtime_ns);
	return o;
}

static void owner(struct cli *c, struct buf *b, struct span name, uint32_t number)
{
	char text[16];
	struct span s = name;

	if (s.n == 0)
		s = span_of(text, (size_t)snprintf(text, sizeof text, "%u", number));
	buf_printf(b, " %s%*s", out_name(c, s), s.n < 8 ? (int)(8 - text_width(s)) : 0, "");
}

void entry_print(struct cli *c, struct span path, const struct entry *en, bool detail)
{
	char mode[32], when[CALENDAR_TEXT];
	struct buf b = {0};

	if (detail) {
		buf_printf(&b, "%s", text_mode(mode, en->type, en->mode));
		owner(c, &b, en->user, en->uid);
		owner(c, &b, en->group, en->gid);
		if (en->type == ENTRY_CHAR || en->type == ENTRY_BLOCK)
			buf_printf(&b, " %7u,%4u", en->major, en->minor);
		else
			buf_printf(&b, " %12llu", (unsigned long long)en->size);
		calendar_format_local(when, en->mtime * CALENDAR_SECOND + en->mtime_ns);
		buf_printf(&b, " %.19s ", when);
	}
	buf_printf(&b, "%s", out_name(c, path));
	if (detail && en->type == ENTRY_SYMLINK)
		buf_printf(&b, " -> %s", out_name(c, en->target));
	out_list(c, "%s\n", buf_cstr(&b));
	buf_fini(&b);
}

static int visit(void *arg, struct span path, const struct entry *en, struct err *e)
{
	struct cli *c = arg;

	if (c->out.json)
		out_json(c, "item", entry_json(path, en));
	else
		entry_print(c, path, en, c->opt.long_list);
	return 0;
}

int cmd_ls(struct cli *c, struct err *e)
{
	struct snapshot *s = NULL;
	char *path = NULL;
	int rc = pick_snapshot(c, c->args.v[0], false, &s, &path, e);

	if (rc == 0)
		rc = op_ls(c->repo, s, path, c->opt.recursive, c->ctx, visit, c, e);
	snapshot_free(s);
	free(path);
	return rc;
}
