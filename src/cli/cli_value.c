/* cli_value: rates and priorities as people write them. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "os/os.h"

/* "500" (KiB/s), "2MiB", "20MB/s"; "0" is no limit. */
int value_rate(const char *text, uint64_t *out, struct err *e)
{
	size_t n = strlen(text);
	char amount[32];

	if (n > 2 && strcmp(text + n - 2, "/s") == 0)
		n -= 2;
	snprintf(amount, sizeof amount, "%.*s", (int)n, text);
	if (n < sizeof amount && calendar_parse_size(amount, out, e) == 0) {
		if (amount[strspn(amount, "0123456789")] != '\0')
			return 0;
		if (!__builtin_mul_overflow(*out, 1024, out))
			return 0;
	}
	err_set(e, ERR_USAGE, "'%s' is not a rate", text);
	return err_hint(e, "a bare number is KiB/s; or with a unit, a second: 2MiB, 20MB/s");
}

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
