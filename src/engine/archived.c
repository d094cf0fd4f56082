/* archived: see archived.h. */
#include "engine/archived.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"

enum { FILE_MAX = 4096 };

static char *path_of(const char *place, const char *system, const char *source)
{
	return mem_printf("%s/archived/%s.%s.json", place, system, source);
}

static int64_t number(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

int archived_read(
    const char *place, const char *system, const char *source, struct archived *out, struct err *e)
{
	char *path = path_of(place, system, source);
	struct buf b = {0};
	json_t *o = NULL;
	int rc = os_read_file(path, FILE_MAX, &b, e);

	if (rc == 0) {
		o = json_loadb((const char *)b.p, b.n, 0, NULL);
		*out = (struct archived){(uint32_t)number(o, "timeline"),
		    (uint64_t)number(o, "end"), number(o, "first_ns"), number(o, "last_ns")};
		if (out->timeline == 0 || out->first_ns <= 0 || out->last_ns < out->first_ns)
			rc = err_set(e, ERR_CORRUPT, "%s: it does not say what was archived", path);
	}
	json_decref(o);
	buf_fini(&b);
	free(path);
	return rc;
}

/* Not synced: after a crash it says less than there is. */
static int write_file(const char *path, const struct archived *a, struct err *e)
{
	char *text = mem_printf(
	    "{\"timeline\":%lu,\"end\":%lld,\"first_ns\":%lld,\"last_ns\":%lld}\n",
	    (unsigned long)a->timeline, (long long)a->end, (long long)a->first_ns,
	    (long long)a->last_ns);
	int rc = os_file_note(path, span_str(text), e);

	free(text);
	return rc;
}

/* A new timeline's first segment has the old one's bytes up to where it began. */
static bool goes_on(const struct archived *was, uint32_t timeline, uint64_t start)
{
	return timeline == was->timeline ? start == was->end
					 : timeline > was->timeline && start <= was->end;
}

int archived_note(const char *place, const char *system, const char *source,
    const struct wal_file *f, uint32_t size, int64_t written_ns, struct err *e)
{
	struct archived a = {
	    .timeline = f->timeline, .first_ns = written_ns, .last_ns = written_ns};
	struct archived was;
	char *dir, *path;
	uint64_t start;
	int rc;

	if (f->kind != WAL_FILE_SEGMENT || !wal_file_start(f, size, &start))
		return 0;
	a.end = start + size;
	if (archived_read(place, system, source, &was, e) == 0) {
		if (was.timeline == a.timeline && was.end >= a.end)
			return 0; /* once more */
		if (goes_on(&was, a.timeline, start)) {
			a.first_ns = was.first_ns;
			a.last_ns = written_ns > was.last_ns ? written_ns : was.last_ns;
		}
	}
	dir = mem_printf("%s/archived", place);
	path = path_of(place, system, source);
	rc = os_mkdirs(dir, 0755, e) == 0 ? write_file(path, &a, e) : -1;
	free(path);
	free(dir);
	return rc;
}
