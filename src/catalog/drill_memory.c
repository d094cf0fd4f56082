/* drill_memory: see drill_memory.h. */
#include "catalog/drill_memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/evidence_drill.h"
#include "catalog/evidence_statement.h"
#include "os/os.h"

enum { YOUNG_S = 2 }; /* what comes within one tick of the clock is not seen by a folder's time */

struct drill_memory {
	struct timespec at; /* the folder's time when it was read; 0: it has to be read */
	json_t **v;         /* as it was listed: the newest first */
	size_t n;
};

struct drill_memory *drill_memory_new(void)
{
	return mem_zalloc(sizeof(struct drill_memory));
}

static void forget(struct drill_memory *m)
{
	for (size_t i = 0; i < m->n; i++)
		json_decref(m->v[i]);
	free(m->v);
	*m = (struct drill_memory){.n = 0};
}

void drill_memory_free(struct drill_memory *m)
{
	if (m == NULL)
		return;
	forget(m);
	free(m);
}

/* Of what may be 64 KiB some hundred bytes. */
static int note(void *arg, json_t *record, struct span line, struct err *e)
{
	static const char *const keys[] = {"system", "started", "verdict", "repository", "kind",
	    "asked", "pitr_unproven", "newest", "oldest", "seconds", "measured"};
	struct drill_memory *m = arg;
	json_t *o = json_object();

	(void)line;
	(void)e;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		json_t *v = json_object_get(record, keys[i]);

		if (v != NULL)
			json_object_set(o, keys[i], v);
	}
	if ((m->n & (m->n - 1)) == 0)
		m->v = mem_realloc(m->v, (m->n ? 2 * m->n : 1) * sizeof *m->v);
	m->v[m->n++] = o;
	return 0;
}

/* When something came into the folder last, or went; 0: it is not there. */
static struct timespec time_of(const char *state)
{
	char *dir = evidence_drill_dir(state);
	struct stat st;
	int rc = os_fstatat(AT_FDCWD, dir, &st, 0);

	free(dir);
	return rc == 0 ? st.st_mtim : (struct timespec){0};
}

int drill_memory_read(struct drill_memory *m, const char *state, int64_t now_s, struct err *e)
{
	struct timespec at = time_of(state);
	size_t bad;
	int rc;

	if (m->at.tv_sec != 0 && m->at.tv_sec == at.tv_sec && m->at.tv_nsec == at.tv_nsec)
		return 0;
	forget(m);
	rc = evidence_drill_list(state, NULL, note, m, &bad, e);
	if (rc == 0 && bad == 0 && at.tv_sec + YOUNG_S < now_s)
		m->at = at;
	return rc;
}

void drill_memory_tell(const struct drill_memory *m, const char *system, struct drill_look *l)
{
	struct err ignored;

	for (size_t i = 0; i < m->n; i++) {
		const char *of = statement_text(m->v[i], "system");

		if (of != NULL && strcmp(of, system) == 0)
			(void)!drill_look_record(l, m->v[i], span_str(""), &ignored);
	}
}
