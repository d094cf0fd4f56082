/* eta: see eta.h. */
#include "base/eta.h"

/* What a file costs besides its bytes, as bytes; and how much of a class has to be seen to be
 * believed. */
static const double file_cost = 4096, enough = 1 << 20;

unsigned eta_class_of(uint64_t size)
{
	unsigned c = 0;

	for (uint64_t limit = 4096; c + 1 < ETA_CLASSES && size >= limit; limit *= 4)
		c++;
	return c;
}

static double amount(uint64_t files, uint64_t bytes)
{
	return (double)bytes + file_cost * (double)files;
}

double eta_total(const struct eta_input *in)
{
	double busy = 0, done = 0, all = 0, files = 0, all_files = 0, work = 0, unit, idle;

	for (int i = 0; i < ETA_CLASSES; i++) {
		const struct eta_class *c = &in->class[i];

		busy += c->busy;
		done += amount(c->files, c->bytes);
		all += amount(c->total_files, c->total_bytes);
		files += (double)c->files;
		all_files += (double)(c->files > c->total_files ? c->files : c->total_files);
	}
	if (in->threads == 0 || in->seconds <= 0 || done <= 0)
		return -1;
	unit = busy / done;
	for (int i = 0; i < ETA_CLASSES; i++) {
		const struct eta_class *c = &in->class[i];
		double here = amount(c->files, c->bytes);
		double whole = amount(c->total_files, c->total_bytes);

		/* A class of which little was seen costs what all do. */
		work += (whole > here ? whole : here) * (c->busy + unit * enough) / (here + enough);
	}
	idle = in->seconds * in->threads - busy;
	if (idle > 0)
		work += idle * (files > 0 ? all_files / files : all / done);
	return work / in->threads > in->seconds ? work / in->threads : in->seconds;
}
