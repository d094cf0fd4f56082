/* stats: how much there is. */
#include "cli/cli_out.h"

#include <stdio.h>

#include "engine/op_tree.h"

static void put_bytes(struct text_table *t, const char *name, uint64_t n)
{
	char text[32];

	text_row(t, (const char *[]){name, text_bytes(text, n)});
}

static void put_count(struct text_table *t, const char *name, uint64_t n)
{
	char text[32];

	text_row(t, (const char *[]){name, text_count(text, n)});
}

static void report(struct cli *c, const struct stats_result *r)
{
	struct text_table t = {.align = "<>", .ncols = 2};
	struct buf b = {0};

	put_count(&t, "Snapshots", r->snapshots);
	put_count(&t, "  files in them", r->files);
	put_count(&t, "  folders in them", r->dirs);
	put_bytes(&t, "  size if restored", r->logical_bytes);
	put_count(&t, "Pieces of data", r->blobs);
	put_bytes(&t, "  before compression", r->plain_bytes);
	put_count(&t, "Stored objects", r->objects);
	put_bytes(&t, "  size", r->stored_bytes);
	put_count(&t, "  packs", r->packs);
	put_bytes(&t, "  size of packs", r->pack_bytes);
	put_count(&t, "  indexes", r->indexes);
	put_bytes(&t, "  size of indexes", r->index_bytes);
	if (r->logs) {
		put_count(&t, "  stretches of logs", r->logs);
		put_bytes(&t, "  size of logs", r->log_bytes);
	}
	if (r->parity) {
		char name[64];

		snprintf(name, sizeof name, "  size of parity (%g %%)", r->parity / 10.0);
		put_bytes(&t, name, r->parity_bytes);
	}
	put_bytes(&t, "Unused, prune frees", r->dead_bytes);
	text_table_put(&b, &t);
	out_list(c, "%s", buf_cstr(&b));
	/* Of next to nothing it is all overhead, which says nothing. */
	if (r->stored_bytes && r->stored_bytes <= r->logical_bytes)
		out_list(c, "Stored is %.1f %% of the size if restored\n",
		    100.0 * (double)r->stored_bytes / (double)r->logical_bytes);
	text_table_fini(&t);
	buf_fini(&b);
}

static void report_json(struct cli *c, const struct stats_result *r)
{
	json_t *o = json_object();

	out_json_u64(o, "snapshots", r->snapshots);
	out_json_u64(o, "files", r->files);
	out_json_u64(o, "dirs", r->dirs);
	out_json_u64(o, "logical_bytes", r->logical_bytes);
	out_json_u64(o, "blobs", r->blobs);
	out_json_u64(o, "frames", r->frames);
	out_json_u64(o, "plain_bytes", r->plain_bytes);
	out_json_u64(o, "objects", r->objects);
	out_json_u64(o, "stored_bytes", r->stored_bytes);
	out_json_u64(o, "packs", r->packs);
	out_json_u64(o, "pack_bytes", r->pack_bytes);
	out_json_u64(o, "indexes", r->indexes);
	out_json_u64(o, "index_bytes", r->index_bytes);
	out_json_u64(o, "logs", r->logs);
	out_json_u64(o, "log_bytes", r->log_bytes);
	out_json_u64(o, "parity_bytes", r->parity_bytes);
	json_object_set_new(o, "parity_percent", json_real(r->parity / 10.0));
	out_json_u64(o, "dead_bytes", r->dead_bytes);
	out_json_u64(o, "dead_in_live", r->dead_in_live);
	out_json(c, "summary", o);
}

int cmd_stats(struct cli *c, struct err *e)
{
	struct select_filter f;
	struct stats_result r = {0};

	pick_filter(c, &f);
	progress_start(c);
	if (op_stats(c->repo, &f, c->ctx, &r, e) == -1)
		return -1;
	progress_stop(c);
	if (c->out.json)
		report_json(c, &r);
	else
		report(c, &r);
	return 0;
}
