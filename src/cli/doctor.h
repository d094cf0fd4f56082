/*
 * doctor: is everything that a backup needs as it has to be?  Each thing that is looked at is a
 * finding: good, or not and then with what to do.
 *
 * It changes nothing, but that the clock of some stores is asked by putting an empty object under
 * leases/ and deleting it, as every backup does.
 *
 * Threads: the command's.
 */
#ifndef HF_CLI_DOCTOR_H
#define HF_CLI_DOCTOR_H

#include "cli/cli_out.h"

struct finding {
	const char *check; /* "clock"; static */
	char *subject;     /* a repository's name, a path, ... */
	bool good;
	char *text, *fix; /* fix "": nothing to do */
};

struct doctor {
	struct cli *c;
	struct finding *v;
	size_t n, bad;
};

void doctor_good(struct doctor *d, const char *check, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* What is wrong, and what to do about it. */
void doctor_bad(struct doctor *d, const char *check, const char *subject, const char *fix,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* What is wrong as an error tells it; `fix` where it has no hint. */
void doctor_err(
    struct doctor *d, const char *check, const char *subject, const struct err *e, const char *fix);
void doctor_fini(struct doctor *d);
json_t *doctor_finding_json(const struct finding *f);

/* doctor_machine.c: what is declared, which the others go by; versions, folders, catalog, audit
 * trail, sources. */
void doctor_configuration(struct doctor *d);
void doctor_machine(struct doctor *d);
json_t *doctor_versions(void); /* of us, the libraries and the kernel */

/* doctor_place.c: each declared repository, and --repo. */
void doctor_places(struct doctor *d);

/* doctor_postgresql.c: each declared server of PostgreSQL's. */
void doctor_postgresql(struct doctor *d);

/* doctor_bundle.c: what who helps needs, in one file, without secrets. */
int doctor_bundle(struct doctor *d, const char *path, struct err *e);

#endif
