/* version: print it. */
#include "cli/cli_out.h"
#include "repo/format.h"

int cmd_version(struct cli *c, struct err *e)
{
	if (c->out.json) {
		json_t *o = json_object();

		out_json_str(o, "version", HF_VERSION);
		out_json_u64(o, "format", FORMAT_VERSION);
		out_json(c, "summary", o);
		return 0;
	}
	out_list(c, "holdfast %s (repository format %d)\n", HF_VERSION, FORMAT_VERSION);
	return 0;
}
