/*
 * fuzz: what recover reads of others: a timeline's history, a target, names of a table, settings.
 * A history that is taken has legs in order that begin where the one before ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/recover_line.h"
#include "engine/recover_only.h"
#include "engine/recover_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void history(const uint8_t *p, size_t n)
{
	struct recover_line l;
	struct err e;

	if (recover_line_parse(span_of(p, n), 99, &l, &e) == -1)
		return;
	for (size_t i = 0; i < l.n; i++) {
		const struct recover_leg *g = &l.legs[i];

		if (g->end < g->begin || g->timeline == 0 || g->timeline > 99)
			abort();
		if (i > 0 && (g->begin != g[-1].end || g->timeline <= g[-1].timeline))
			abort();
	}
	if (l.n == 0 || l.legs[l.n - 1].end != UINT64_MAX)
		abort();
	recover_line_fini(&l);
}

static void settings(const char *text)
{
	struct buf once = {0}, twice = {0};

	recover_settings_strip(text, &once);
	recover_settings_strip(buf_cstr(&once), &twice);
	if (strcmp(buf_cstr(&once), buf_cstr(&twice)) != 0)
		abort();
	buf_fini(&once);
	buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text = mem_strndup((const char *)p, n), out[RECOVER_TARGET_TEXT];
	struct recover_names names;
	struct recover_target t;
	struct err e;

	history(p, n);
	settings(text);
	if (recover_target_parse(text, &t, &e) == 0 && recover_target_text(&t, out)[0] == '\0')
		abort();
	if (recover_names_parse(text, &names, &e) == 0) {
		if (names.database == NULL || (names.table != NULL && names.schema == NULL))
			abort();
		recover_names_fini(&names);
	}
	free(text);
	return 0;
}
