/* cli_value: priorities as people write them. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "os/os.h"

int value_nice(const char *text, int *out, struct err *e)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || *end || v < -20 || v > 19)
		return err_set(
		    e, ERR_USAGE, "'%s' is not a number from -20 (soon) to 19 (last)", text);
	*out = (int)v;
	return 0;
}

/* "idle", "best-effort" or "best-effort:0" (soon) to "best-effort:7" (last). */
int value_ionice(const char *text, int *out, struct err *e)
{
	static const char best[] = "best-effort";
	size_t n = sizeof best - 1;

	if (strcmp(text, "idle") == 0)
		return *out = os_ioprio_idle(), 0;
	if (strncmp(text, best, n) == 0) {
		if (text[n] == '\0')
			return *out = os_ioprio_best(4), 0;
		if (text[n] == ':' && text[n + 1] >= '0' && text[n + 1] <= '7' && !text[n + 2])
			return *out = os_ioprio_best(text[n + 1] - '0'), 0;
	}
	err_set(e, ERR_USAGE, "'%s' is not a class of disk access", text);
	return err_hint(e, "it can be idle, best-effort, or best-effort:0 to best-effort:7");
}
