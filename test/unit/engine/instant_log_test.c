/* What nobody sees is written down: bounded, a line for each, and read on from where it was. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/instant_log.h"

struct world {
	struct clock clock;
	int64_t now;
	char dir[64], *target, *path;
	struct instant_log *log;
	uint64_t at;
};

static int64_t now_of(struct clock *c)
{
	return ((struct world *)c)->now;
}

static int setup(void **state)
{
	struct world *w = mem_zalloc(sizeof *w);
	char *work;

	w->clock = (struct clock){now_of, now_of};
	w->now = INT64_C(1795250467000000000);
	strcpy(w->dir, "/tmp/hf-log-XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		return -1;
	w->target = mem_printf("%s/target", w->dir);
	work = mem_printf("%s.holdfast", w->target);
	w->path = mem_printf("%s/log", work);
	assert_int_equal(mkdir(work, 0700), 0);
	w->log = instant_log_open(w->target, &w->clock);
	assert_non_null(w->log);
	free(work);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char *cmd = mem_printf("rm -rf '%s'", w->dir);

	instant_log_close(w->log);
	if (system(cmd) != 0)
		return -1;
	free(cmd);
	free(w->target);
	free(w->path);
	free(w);
	return 0;
}

static void tell(struct world *w, enum event_id id, const char *text)
{
	struct event ev = {.id = id, .text = text};

	instant_log_put(w->log, &ev);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text += strlen(what);
		n++;
	}
	return n;
}

static void each_is_a_line_and_is_read_once(void **state)
{
	struct world *w = *state;
	struct buf b = {.p = NULL};

	tell(w, EVENT_FILE_DONE, "of no interest");
	tell(w, EVENT_WARNING, "the place\nis\x1b[31m away");
	tell(w, EVENT_WARNING, "the place\nis\x1b[31m away");
	instant_log_read(w->target, &w->at, &b);
	assert_int_equal(count(buf_cstr(&b), "\n"), 1);
	assert_non_null(strstr(buf_cstr(&b), "2026-11-2"));
	assert_non_null(strstr(buf_cstr(&b), "warning: the place?is?[31m away\n"));
	buf_reset(&b);
	instant_log_read(w->target, &w->at, &b);
	assert_int_equal(b.n, 0);
	/* It still is. */
	w->now += INT64_C(60000000000);
	tell(w, EVENT_WARNING, "the place\nis\x1b[31m away");
	instant_log_read(w->target, &w->at, &b);
	assert_int_equal(count(buf_cstr(&b), "away\n"), 1);
	buf_fini(&b);
}

static void it_grows_to_its_bound_alone(void **state)
{
	struct world *w = *state;
	char text[100], *old = mem_printf("%s.1", w->path);
	struct buf b = {.p = NULL};
	struct stat st;

	for (int i = 0; i < 20000; i++) {
		snprintf(text, sizeof text, "block %d cannot be had", i);
		tell(w, EVENT_WARNING, text);
	}
	assert_int_equal(stat(w->path, &st), 0);
	assert_in_range(st.st_size, 1, INSTANT_LOG_MOST);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(old, &st), 0);
	assert_in_range(st.st_size, 1, INSTANT_LOG_MOST);
	/* Who comes late is told the end. */
	instant_log_read(w->target, &w->at, &b);
	assert_in_range(b.n, 1, 4000);
	assert_non_null(strstr(buf_cstr(&b), "block 19999 "));
	assert_int_equal(b.p[0], '2');
	buf_fini(&b);
	free(old);
}

static void without_a_place_for_it_nothing_fails(void **state)
{
	struct world *w = *state;
	struct buf b = {.p = NULL};
	char *none = mem_printf("%s/none", w->dir);

	assert_null(instant_log_open(none, &w->clock));
	instant_log_put(NULL, &(struct event){.id = EVENT_WARNING, .text = "x"});
	instant_log_read(none, &w->at, &b);
	assert_int_equal(b.n, 0);
	free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(each_is_a_line_and_is_read_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(it_grows_to_its_bound_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(without_a_place_for_it_nothing_fails, setup, teardown),
	};

	return cmocka_run_group_tests_name("instant_log", tests, NULL, NULL);
}
