/* anomaly: see anomaly.h. */
#include "engine/anomaly.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * threshold        why
 * SHARES_MIN       what is usual takes two runs that had one before them
 * FILES_MIN        in a small tree a quarter is soon rewritten
 * SHARE_MIN        a quarter of all files: builds and updates of systems stay below, mostly
 * SHARE_TIMES      and five times what is usual here
 * WRITTEN_MIN      of the rewritten files' part of all bytes, a tenth at least is new content: so
 *                  chmod -R, touch and mv of a tree are none
 * TOUCHED_MIN      new photos and films do not compress either: ten files that were there before
 * ADDED_MIN        must be rewritten, with a MiB of new content
 * RATIO_MIN        ciphertext keeps all of its size; archives and media 0.95 and more
 * RATIO_JUMP       where new content took so much less of its size before
 */
enum { SHARES_MIN = 2, FILES_MIN = 100, TOUCHED_MIN = 10, ADDED_MIN = 1 << 20 };
static const double SHARE_MIN = 0.25, SHARE_TIMES = 5, WRITTEN_MIN = 0.1;
static const double RATIO_MIN = 0.9, RATIO_JUMP = 0.25;

static double part(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : 0;
}

struct anomaly_run anomaly_run_of(
    const struct snapshot_stats *s, const struct anomaly_run *before, bool compresses)
{
	struct anomaly_run r = {.files = s->files, .bytes = s->bytes};
	uint64_t found = s->files_changed + s->files_unchanged, gone;

	if (compresses) {
		r.added = s->content_added;
		r.stored = s->content_stored;
	}
	if (before == NULL)
		return r;
	/* Renamed while encrypted: gone, and as many came. */
	gone = before->files > found ? before->files - found : 0;
	r.known = before->files;
	r.rewritten = s->files_changed + (gone < s->files_new ? gone : s->files_new);
	if (part(s->content_added, s->bytes) < WRITTEN_MIN * part(r.rewritten, r.known))
		r.rewritten = 0;
	return r;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static bool usual_share(const struct anomaly_past *past, double *usual)
{
	double v[ANOMALY_RUNS];
	size_t n = 0;

	for (size_t i = 0; i < past->n; i++)
		if (past->v[i].known)
			v[n++] = part(past->v[i].rewritten, past->v[i].known);
	if (n < SHARES_MIN)
		return false;
	qsort(v, n, sizeof *v, by_size);
	*usual = v[n / 2];
	return true;
}

static bool share_stands_out(
    const struct anomaly_run *now, const struct anomaly_past *past, struct snapshot_anomaly *out)
{
	double share = part(now->rewritten, now->known), usual;

	if (now->known < FILES_MIN || share < SHARE_MIN || !usual_share(past, &usual) ||
	    share < SHARE_TIMES * usual)
		return false;
	*out = (struct snapshot_anomaly){.kind = "changed", .value = share, .usual = usual};
	snprintf(out->message, sizeof out->message,
	    "%llu of %llu files (%.1f %%) were rewritten since the last run; %.1f %% is usual",
	    (unsigned long long)now->rewritten, (unsigned long long)now->known, 100 * share,
	    100 * usual);
	return true;
}

static bool ratio_stands_out(
    const struct anomaly_run *now, const struct anomaly_past *past, struct snapshot_anomaly *out)
{
	double ratio = part(now->stored, now->added), usual;
	uint64_t added = 0, stored = 0;

	for (size_t i = 0; i < past->n; i++) {
		added += past->v[i].added;
		stored += past->v[i].stored;
	}
	usual = part(stored, added);
	if (now->rewritten < TOUCHED_MIN || now->added < ADDED_MIN || added < ADDED_MIN ||
	    ratio < RATIO_MIN || ratio - usual < RATIO_JUMP)
		return false;
	*out = (struct snapshot_anomaly){.kind = "entropy", .value = ratio, .usual = usual};
	snprintf(out->message, sizeof out->message,
	    "%.1f MB of new content kept %.0f %% of its size when compressed, as ciphertext does; "
	    "%.0f %% is usual, and %llu files were rewritten",
	    (double)now->added / 1e6, 100 * ratio, 100 * usual, (unsigned long long)now->rewritten);
	return true;
}

size_t anomaly_judge(const struct anomaly_run *now, const struct anomaly_past *past,
    struct snapshot_anomaly out[ANOMALY_KINDS])
{
	size_t n = 0;

	n += share_stands_out(now, past, &out[n]);
	n += ratio_stands_out(now, past, &out[n]);
	return n;
}
