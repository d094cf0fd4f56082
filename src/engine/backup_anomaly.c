/*
 * backup_anomaly: what op_backup remembers of its runs, in the state folder, and what
 * it finds strange: anomaly.h, and canary files that changed or went.
 *
 * The file of a group has lines "run FILES KNOWN REWRITTEN BYTES ADDED STORED", newest
 * first, and "canary PATH CONTENT", keyed fingerprints both.  Junk is passed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "engine/anomaly.h"
#include "engine/backup_internal.h"
#include "os/os.h"

enum { CANARY_MAX = 1 << 20, PAST_MAX = 1 << 20, UID_HEX = 2 * FORMAT_UID + 1 };

struct canary {
	char path[UID_HEX], content[UID_HEX];
};

struct backup_past {
	char *place; /* NULL: nothing is remembered */
	struct anomaly_past past;
	struct anomaly_run now;
	struct canary *canaries; /* as remembered, then as found */
	size_t n;
};

static void parse_line(struct backup_past *bp, const char *line)
{
	struct anomaly_run *r = &bp->past.v[bp->past.n];
	unsigned long long v[6];
	struct canary c;

	if (bp->past.n < ANOMALY_RUNS && sscanf(line, "run %llu %llu %llu %llu %llu %llu", &v[0],
					     &v[1], &v[2], &v[3], &v[4], &v[5]) == 6) {
		*r = (struct anomaly_run){v[0], v[1], v[2], v[3], v[4], v[5]};
		bp->past.n++;
	} else if (sscanf(line, "canary %32[0-9a-f] %32[0-9a-f]", c.path, c.content) == 2) {
		bp->canaries = mem_realloc(bp->canaries, (bp->n + 1) * sizeof c);
		bp->canaries[bp->n++] = c;
	}
}

static struct backup_past *past_read(struct backup *b, const struct snapshot *s)
{
	struct backup_past *bp = mem_zalloc(sizeof *bp);
	char group[UID_HEX], *save = NULL;
	struct buf text = {0};
	struct err ignored;

	bp->place = repo_state_path(b->repo, hex_encode(group, s->group, FORMAT_UID), ".runs");
	if (bp->place != NULL && os_read_file(bp->place, PAST_MAX, &text, &ignored) == 0 &&
	    text.n > 0)
		for (char *l = strtok_r((char *)buf_cstr(&text), "\n", &save); l;
		     l = strtok_r(NULL, "\n", &save))
			parse_line(bp, l);
	buf_fini(&text);
	return bp;
}

static void add(struct snapshot *s, const struct snapshot_anomaly *a)
{
	s->anomalies = mem_realloc(s->anomalies, (s->nanomalies + 1) * sizeof *s->anomalies);
	s->anomalies[s->nanomalies++] = *a;
}

static void fingerprint(struct backup *b, struct span data, char out[UID_HEX])
{
	uint8_t fp[FORMAT_UID];

	writer_fingerprint(b->repo, data, fp);
	hex_encode(out, fp, sizeof fp);
}

/* Its first MiB and its size; false if it is not there, or no file any more. */
static bool canary_read(struct backup *b, const char *path, char out[UID_HEX])
{
	int fd = os_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	uint8_t *data = mem_alloc(CANARY_MAX + sizeof(uint64_t));
	struct stat st;
	ssize_t n = -1;

	if (fd != -1 && os_fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = os_pread_full(fd, data, CANARY_MAX, 0);
	if (n >= 0) {
		uint64_t size = (uint64_t)st.st_size;

		memcpy(data + n, &size, sizeof size);
		fingerprint(b, span_of(data, (size_t)n + sizeof size), out);
	}
	os_close(fd);
	free(data);
	return n >= 0;
}

static struct canary *remembered(struct backup_past *bp, const char *path)
{
	for (size_t i = 0; i < bp->n; i++)
		if (strcmp(bp->canaries[i].path, path) == 0)
			return &bp->canaries[i];
	return NULL;
}

/* A change is told once, a canary that is not there in every run. */
static void judge_canary(struct backup *b, struct snapshot *s, const char *path)
{
	struct snapshot_anomaly a = {.kind = "canary", .value = 1};
	struct canary now, *before;
	bool there;

	fingerprint(b, span_str(path), now.path);
	there = canary_read(b, path, now.content);
	before = remembered(b->past, now.path);
	if (!there || (before != NULL && strcmp(before->content, now.content) != 0)) {
		snprintf(a.message, sizeof a.message, "the canary file %.180s %s", path,
		    there ? "was changed" : "is not there");
		add(s, &a);
	}
	if (!there)
		return;
	if (before != NULL) {
		*before = now;
		return;
	}
	b->past->canaries = mem_realloc(b->past->canaries, (b->past->n + 1) * sizeof now);
	b->past->canaries[b->past->n++] = now;
}

void backup_anomalies(struct backup *b, struct snapshot *s)
{
	struct snapshot_anomaly found[ANOMALY_KINDS];
	struct backup_past *bp = b->past = past_read(b, s);
	/* A run that reads everything anew can't tell changed from unchanged. */
	bool compared = b->cache != NULL || b->has_parent_tree;
	size_t n;

	bp->now = anomaly_run_of(&s->parts[0].stats,
	    compared && bp->past.n > 0 ? &bp->past.v[0] : NULL, b->p->codec != CODEC_NONE);
	n = anomaly_judge(&bp->now, &bp->past, found);
	for (size_t i = 0; i < n; i++)
		add(s, &found[i]);
	for (size_t i = 0; i < b->p->ncanaries; i++)
		judge_canary(b, s, b->p->canaries[i]);
	for (size_t i = 0; i < s->nanomalies; i++)
		event_emit(b->ctx, EVENT_WARNING, span_of(NULL, 0), "anomaly: %s",
		    s->anomalies[i].message);
}

static void put_run(struct buf *out, const struct anomaly_run *r)
{
	buf_printf(out, "run %llu %llu %llu %llu %llu %llu\n", (unsigned long long)r->files,
	    (unsigned long long)r->known, (unsigned long long)r->rewritten,
	    (unsigned long long)r->bytes, (unsigned long long)r->added,
	    (unsigned long long)r->stored);
}

/* After the snapshot is acknowledged.  A strange run does not become what is usual at once: it is
 * one of eight. */
void backup_remember(struct backup *b)
{
	struct backup_past *bp = b->past;
	struct buf text = {0};
	struct err e;

	if (bp == NULL || bp->place == NULL)
		return;
	put_run(&text, &bp->now);
	for (size_t i = 0; i < bp->past.n && i + 1 < ANOMALY_RUNS; i++)
		put_run(&text, &bp->past.v[i]);
	for (size_t i = 0; i < bp->n; i++)
		buf_printf(&text, "canary %s %s\n", bp->canaries[i].path, bp->canaries[i].content);
	if (os_file_replace(bp->place, buf_span(&text), 0600, &e) == -1)
		event_emit(b->ctx, EVENT_WARNING, span_of(NULL, 0),
		    "remember what runs are usually like: %s", e.msg);
	buf_fini(&text);
}

void backup_past_free(struct backup_past *bp)
{
	if (bp == NULL)
		return;
	free(bp->place);
	free(bp->canaries);
	free(bp);
}
