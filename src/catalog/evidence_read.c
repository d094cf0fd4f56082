/* evidence_read: see evidence_read.h. */
#include "catalog/evidence_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "catalog/evidence_key.h"

static int read_lines(
    FILE *in, uint64_t after, uint64_t most, evidence_line *each, void *arg, struct err *e)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int rc = 0;

	for (uint64_t i = 0; rc == 0 && (most == 0 || i < after + most); i++) {
		n = getline(&line, &cap, in);
		if (n <= 0 || line[n - 1] != '\n')
			break;
		if (i >= after)
			rc = each(arg, span_of(line, (size_t)n - 1), e);
	}
	free(line);
	return rc;
}

int evidence_read(
    const char *dir, uint64_t after, uint64_t most, evidence_line *each, void *arg, struct err *e)
{
	char *path = evidence_path_log(dir);
	FILE *in = fopen(path, "re");
	int rc = 0;

	if (in != NULL)
		rc = read_lines(in, after, most, each, arg, e);
	else if (errno != ENOENT)
		rc = err_sys(e, "%s", path);
	if (in != NULL)
		fclose(in);
	free(path);
	return rc;
}

int evidence_verify(const char *dir, struct evidence_verdict *out, struct err *e)
{
	char *log = evidence_path_log(dir), *pub = evidence_path_public(dir);
	uint8_t keys[EVIDENCE_KEYS_MAX][CRYPTO_KEY];
	struct evidence_heads none = {0};
	struct evidence_check *k;
	size_t n;
	int rc = evidence_public_read(pub, keys, EVIDENCE_KEYS_MAX, &n, e);

	if (rc == 0) {
		k = evidence_check_new((const uint8_t(*)[CRYPTO_KEY])keys, n, &none);
		rc = evidence_check_file(k, log, out, e);
		evidence_check_free(k);
	}
	free(log);
	free(pub);
	return rc == 0 ? 0 : err_wrap(e, "evidence");
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
