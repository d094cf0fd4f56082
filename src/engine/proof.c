/* proof: see proof.h. */
#include "engine/proof.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/buf.h"
#include "os/os.h"

enum { FILE_MAX = 4096 };

static char *path_of(struct repo *r, enum proof_kind kind)
{
	static const char *const names[] = {
	    [PROOF_CHECK] = ".check.json",
	    [PROOF_TAMPER] = ".tamper.json",
	    [PROOF_LOCKS] = ".locks.json",
	};

	return repo_state_path(r, repo_place(r), names[kind]);
}

int proof_put(struct repo *r, enum proof_kind kind, const struct proof *p, struct err *e)
{
	char *path = path_of(r, kind), *text;
	json_t *o;
	int rc;

	if (path == NULL)
		return 0;
	o = json_pack("{s:I, s:I, s:b, s:I}", "when", (json_int_t)p->when_ns, "problems",
	    (json_int_t)p->problems, "whole", p->whole, "until", (json_int_t)p->until_ns);
	text = json_dumps(o, JSON_COMPACT);
	rc = os_file_replace(path, span_str(text), 0600, e);
	free(text);
	json_decref(o);
	free(path);
	return rc;
}

void proof_get(struct repo *r, enum proof_kind kind, struct proof *out)
{
	char *path = path_of(r, kind);
	struct buf b = {0};
	struct err ignored;
	json_t *o = NULL;
	json_int_t when, problems, until = 0;
	int whole;

	*out = (struct proof){0};
	if (path != NULL && os_read_file(path, FILE_MAX, &b, &ignored) == 0)
		o = json_loadb((const char *)b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
	if (o != NULL &&
	    json_unpack(o, "{s:I, s:I, s:b, s?I}", "when", &when, "problems", &problems, "whole",
		&whole, "until", &until) == 0 &&
	    when > 0 && problems >= 0)
		*out = (struct proof){true, when, (uint64_t)problems, until, whole != 0};
	json_decref(o);
	buf_fini(&b);
	free(path);
}
