/*
 * catalog: how fast the catalog answers.  bench/catalog FILE-OR-URL PATHS SNAPSHOTS RUNS fills an
 * empty one ("-": a file that goes away): so many paths in one series of so many snapshots, each of
 * which changes one path in a hundred thousand, and so many runs of 1,000 systems; then asks. Times
 * are milliseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog/catalog_files.h"
#include "db/db.h"
#include "os/os.h"

enum { SYSTEMS = 1000, TIMES = 20 };

static struct err e;

static void must(int rc)
{
	if (rc == 0)
		return;
	fprintf(stderr, "bench/catalog: %s\n", e.msg);
	exit(1);
}

static double now_ms(void)
{
	struct clock *clock = os_clock();

	return (double)clock->mono_ns(clock) / 1e6;
}

/* As on a file server: ten files a folder, folders of words, names of a word and a number. */
static void path_of(char *out, size_t size, unsigned i)
{
	static const char *const words[] = {"invoice", "report", "holiday", "backup", "letter",
	    "project", "meeting", "picture", "budget", "contract", "manual", "archive"};
	static const char *const ends[] = {"pdf", "docx", "jpg", "txt", "c", "h", "xlsx"};
	unsigned folder = i / 10;

	snprintf(out, size, "/srv/data/%s-%u/%s/%u/%s_%07u.%s", words[folder % 12], folder % 997,
	    words[folder / 12 % 12], folder, words[i * 7 % 12], i, ends[i % 7]);
}

static void fill_files(struct catalog *c, unsigned paths, unsigned snapshots)
{
	char hex[CATALOG_HEX], head[CATALOG_HEX], path[256];
	struct catalog_files *f;
	uint64_t left_out;

	for (unsigned s = 0; s < snapshots; s++) {
		struct catalog_snapshot x = {.repository = "aa",
		    .name = "main",
		    .snapshot = hex,
		    .group = "1",
		    .system = "data",
		    .host = "h",
		    .outcome = "complete",
		    .start_ns = s};

		snprintf(hex, sizeof hex, "%064x", s + 1);
		must(catalog_snapshot_put(c, &x, &e));
		must(catalog_files_begin(c, &x, false, &f, head, &e));
		for (unsigned i = s ? s : 0; i < paths; i += s ? 100000 : 1) {
			path_of(path, sizeof path, i);
			must(catalog_files_add(f, span_str(path), ENTRY_FILE, i + s, s, s > 0, &e));
		}
		must(catalog_files_commit(f, &left_out, &e));
	}
}

static void fill_runs(struct catalog *c, unsigned runs)
{
	char system[32];
	int64_t id;

	for (unsigned i = 0; i < runs; i++) {
		struct run r = {.system = system,
		    .kind = "backup",
		    .trigger = "schedule",
		    .due_ns = i + 1,
		    .queued_ns = i,
		    .started_ns = i,
		    .ended_ns = i + 1,
		    .status = i % 50 ? RUN_COMPLETED : RUN_FAILED,
		    .bytes = i};

		snprintf(system, sizeof system, "system-%03u", i % SYSTEMS);
		must(run_add(c, &r, &id, &e));
	}
}

static int count_hit(void *arg, const struct catalog_hit *h, struct err *err)
{
	++*(unsigned *)arg;
	return 0;
}

static int count_latest(void *arg, const struct run_latest *l, struct err *err)
{
	++*(unsigned *)arg;
	return 0;
}

static int count_run(void *arg, const struct run *r, struct err *err)
{
	++*(unsigned *)arg;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

static void told(const char *what, double *times, unsigned n)
{
	qsort(times, TIMES, sizeof *times, by_number);
	printf("%-28s %8u  median %9.3f  worst %9.3f ms\n", what, n, times[TIMES / 2],
	    times[TIMES - 1]);
}

static void ask_files(struct catalog *c)
{
	static const char *const patterns[] = {"_0123456", "invoice_0004", "holiday_00123*.pdf",
	    "/srv/data/report-7/*/*_0000*", "budget-99/manual", "*_4999999.*", "report", "n0such",
	    "/srv/data/*/manual/*/budget_00*", "7.x"};

	for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++) {
		struct catalog_find p = {.pattern = patterns[k], .limit = 1000};
		double times[TIMES];
		unsigned n = 0;

		for (int i = 0; i < TIMES; i++) {
			double start = now_ms();

			n = 0;
			must(catalog_find(c, &p, count_hit, &n, &e));
			times[i] = now_ms() - start;
		}
		told(patterns[k], times, n);
	}
}

static void ask_runs(struct catalog *c)
{
	double times[TIMES], pages[TIMES];
	unsigned n = 0, m = 0;

	for (int i = 0; i < TIMES; i++) {
		double start = now_ms();

		n = m = 0;
		must(run_latest(c, NULL, count_latest, &n, &e));
		times[i] = now_ms() - start;
		start = now_ms();
		must(run_list(c, &(struct run_filter){.system = "system-007", .limit = 50},
		    count_run, &m, &e));
		must(run_list(c, &(struct run_filter){.open = true}, count_run, &m, &e));
		pages[i] = now_ms() - start;
	}
	told("latest of all systems", times, n);
	told("a system's runs, and open ones", pages, m);
}

int main(int argc, char **argv)
{
	struct catalog *c;
	struct stat st;
	char dir[] = "/tmp/hf-bench-XXXXXX", path[64] = "", *rm = NULL;
	const char *url = argc > 1 ? argv[1] : "";
	double start;

	if (argc != 5) {
		fprintf(stderr, "usage: bench/catalog FILE-OR-URL PATHS SNAPSHOTS RUNS\n");
		return 2;
	}
	if (strcmp(url, "-") == 0 && mkdtemp(dir) != NULL) {
		snprintf(path, sizeof path, "%s/catalog.db", dir);
		url = path;
	}
	start = now_ms();
	must(catalog_open(url, &c, &e));
	fill_files(c, (unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
	printf("files taken in in %.1f s\n", (now_ms() - start) / 1000);
	start = now_ms();
	fill_runs(c, (unsigned)atoi(argv[4]));
	printf("runs taken in in %.1f s\n", (now_ms() - start) / 1000);
	catalog_close(c);
	if (stat(url, &st) == 0)
		printf("size %.1f MiB\n", (double)st.st_size / 1048576);
	start = now_ms();
	must(catalog_open(url, &c, &e));
	printf("opened in %.1f ms\n", now_ms() - start);
	ask_files(c);
	ask_runs(c);
	catalog_close(c);
	if (path[0] != '\0' && asprintf(&rm, "rm -r %s", dir) > 0)
		must(system(rm));
	free(rm);
	return 0;
}
