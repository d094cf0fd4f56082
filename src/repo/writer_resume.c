/*
 * writer_resume: how much of a run was stored already by one that did not
 * finish.  Its packs are named in a local file, one id a line, from when their
 * index is written until a snapshot is; the file may be lost or wrong, for it
 * only tells what to say.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"
#include "repo/writer_internal.h"

enum { JOURNAL_MAX = 16 << 20 };

/* The set of ids in the file; what is no id is passed over. */
static struct idmap *read_journal(const char *path)
{
	struct idmap *packs = NULL;
	struct buf text = {0};
	struct err ignored;
	struct id id;

	if (os_read_file(path, JOURNAL_MAX, &text, &ignored) == 0) {
		char *save = NULL;

		packs = idmap_new(0);
		buf_cstr(&text);
		for (char *s = strtok_r((char *)text.p, "\n", &save); s != NULL;
		     s = strtok_r(NULL, "\n", &save))
			if (strlen(s) == ID_HEX - 1 && id_parse(&id, s))
				idmap_put(packs, &id, NULL);
	}
	buf_fini(&text);
	return packs;
}

void writer_resume(struct writer *w, const char *journal)
{
	struct idmap *packs = read_journal(journal);
	struct index_cache_pack p;
	struct err ignored;

	w->journal = mem_strdup(journal);
	if (packs == NULL)
		return;
	w->resumed = mem_zalloc(w->nrelied);
	for (uint32_t i = 0; i < w->nrelied; i++)
		if (index_cache_pack(w->repo->index, i, &p, &ignored) == 0)
			w->resumed[i] = idmap_get(packs, &p.id) != NULL;
	idmap_free(packs);
}

void writer_journal(struct writer *w, const struct id *packs, size_t n)
{
	struct buf text = {0};
	char hex[ID_HEX];
	int fd;

	if (w->journal == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%s\n", id_hex(hex, &packs[i]));
	fd = os_open(w->journal, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd != -1 && os_write_all(fd, text.p, text.n) == -1)
		os_ftruncate(fd, 0);
	os_close(fd);
	buf_fini(&text);
}

void writer_journal_end(struct writer *w)
{
	if (w->journal != NULL)
		os_unlinkat(AT_FDCWD, w->journal, 0);
}
