/* evidence_read: see evidence_read.h. */
#include "catalog/evidence_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "catalog/evidence_key.h"
#include "os/os.h"

/* It may be another file by now, or have been changed before that line. */
static bool is_there(FILE *in, const struct stat *st, const struct evidence_place *p)
{
	return p->offset > 0 && p->dev == st->st_dev && p->ino == st->st_ino &&
	       p->offset <= st->st_size && fseeko(in, p->offset - 1, SEEK_SET) == 0 &&
	       getc(in) == '\n';
}

static int read_lines(FILE *in, struct evidence_place *p, uint64_t after, uint64_t most,
    evidence_line *each, void *arg, struct err *e)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int rc = 0;

	while (most == 0 || p->line < after + most) {
		n = getline(&line, &cap, in);
		if (n <= 0 || line[n - 1] != '\n')
			break;
		if (p->line >= after && (rc = each(arg, span_of(line, (size_t)n - 1), e)) == -1)
			break;
		p->line++;
		p->offset += n;
	}
	free(line);
	return rc;
}

int evidence_read_from(const char *dir, struct evidence_place *from, uint64_t after, uint64_t most,
    evidence_line *each, void *arg, struct err *e)
{
	char *path = evidence_path_log(dir);
	FILE *in = fopen(path, "re");
	struct stat st;
	int rc = 0;

	if (in == NULL && errno != ENOENT)
		rc = err_sys(e, "%s", path);
	if (in != NULL && os_fstat(fileno(in), &st) == -1) {
		rc = err_sys(e, "%s", path);
	} else if (in != NULL) {
		if (!is_there(in, &st, from)) {
			*from = (struct evidence_place){.dev = st.st_dev, .ino = st.st_ino};
			rewind(in);
		}
		rc = read_lines(in, from, after, most, each, arg, e);
	}
	if (in != NULL)
		fclose(in);
	free(path);
	return rc;
}

json_t *evidence_verdict_json(const struct evidence_verdict *v)
{
	char chain[2 * EVIDENCE_CHAIN + 1], hash[65];

	return json_pack("{s:s, s:s?, s:I, s:I, s:I, s:I, s:s, s:s}", "verdict",
	    evidence_fault_name(v->fault), "message", v->text[0] ? v->text : NULL, "line",
	    (json_int_t)v->line, "sequence", (json_int_t)v->sequence, "records",
	    (json_int_t)v->records, "heads", (json_int_t)v->heads, "chain",
	    hex_encode(chain, v->end.chain, sizeof v->end.chain), "hash",
	    hex_encode(hash, v->end.hash, sizeof v->end.hash));
}
