/* version: print it. */
#include "cli/cli_out.h"

int cmd_version(struct cli *c, struct err *e)
{
	if (c->out.json) {
		json_t *o = json_object();

		out_json_str(o, "version", HF_VERSION);
		out_json_u64(o, "format", 0);
		out_json(c, "summary", o);
		return 0;
	}
	out_list(c, "holdfast %s (repository format 0)\n", HF_VERSION);
	return 0;
}
