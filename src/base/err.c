/* err: see err.h. */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct err_info table[ERR_KINDS] = {
    [ERR_NONE] = {ERR_NONE, "ok", 0, false, 200, "no error"},
    [ERR_FAILED] = {ERR_FAILED, "failed", 1, false, 500, "failed"},
    [ERR_USAGE] = {ERR_USAGE, "usage", 2, false, 400, "usage or configuration"},
    [ERR_ABSENT] = {ERR_ABSENT, "absent", 1, false, 404, "not there"},
    [ERR_EXISTS] = {ERR_EXISTS, "exists", 1, false, 409, "there already"},
    [ERR_CORRUPT] = {ERR_CORRUPT, "corrupt", 20, false, 500, "damaged data"},
    [ERR_FOREIGN] = {ERR_FOREIGN, "foreign", 1, false, 500, "of a newer config"},
    [ERR_LATER] = {ERR_LATER, "later", 1, false, 500, "of a newer program"},
    [ERR_BUSY] = {ERR_BUSY, "busy", 11, true, 409, "in use by another"},
    [ERR_UNREACHABLE] = {ERR_UNREACHABLE, "unreachable", 1, true, 503, "no answer"},
    [ERR_DENIED] = {ERR_DENIED, "denied", 1, false, 500, "access denied"},
    [ERR_WRONG_KEY] = {ERR_WRONG_KEY, "wrong_key", 12, false, 500, "wrong key"},
    [ERR_NO_REPOSITORY] = {ERR_NO_REPOSITORY, "no_repository", 10, false, 404, "no repository"},
    [ERR_NO_SPACE] = {ERR_NO_SPACE, "no_space", 1, false, 507, "no space left"},
    [ERR_TIMEOUT] = {ERR_TIMEOUT, "timeout", 1, true, 504, "timed out"},
    [ERR_CANCELLED] = {ERR_CANCELLED, "interrupted", 130, false, 503, "interrupted"},
    [ERR_UNSUPPORTED] = {ERR_UNSUPPORTED, "unsupported", 1, false, 501, "not supported"},
    [ERR_INCOMPLETE] = {ERR_INCOMPLETE, "incomplete", 3, false, 500, "completed with problems"},
    [ERR_DAMAGE_FOUND] = {ERR_DAMAGE_FOUND, "damage_found", 20, false, 500, "damage found"},
    [ERR_DRILL_FAILED] = {ERR_DRILL_FAILED, "drill_failed", 21, false, 500, "drill failed"},
    [ERR_OBJECTIVE_MISSED] = {ERR_OBJECTIVE_MISSED, "objective_missed", 40, false, 500,
	"an objective is missed"},
    [ERR_IO] = {ERR_IO, "io", 1, true, 500, "input or output error"},
    [ERR_COLD] = {ERR_COLD, "cold", 1, false, 409, "in cold storage"},
    [ERR_BUG] = {ERR_BUG, "bug", 1, false, 500, "a bug in holdfast"},
};

const struct err_info *err_info(enum err_kind kind)
{
	assert((unsigned)kind < ERR_KINDS);
	return &table[kind];
}

enum err_kind err_kind_of(const char *name)
{
	for (int k = ERR_FAILED; name != NULL && k < ERR_KINDS; k++)
		if (strcmp(table[k].name, name) == 0)
			return (enum err_kind)k;
	return ERR_FAILED;
}

enum err_kind err_kind_of_errno(int no)
{
	switch (no) {
	case ENOENT:
	case ENOTDIR:
		return ERR_ABSENT;
	case EEXIST:
	case ENOTEMPTY:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case EBUSY:
		return ERR_BUSY;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case EIO:
	case EREMOTEIO:
	case ESTALE:
		return ERR_IO;
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return ERR_UNREACHABLE;
	case ENOSYS:
	case EOPNOTSUPP:
		return ERR_UNSUPPORTED;
	default:
		return ERR_FAILED;
	}
}

void err_clear(struct err *e)
{
	memset(e, 0, sizeof *e);
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	char msg[ERR_MSG_MAX];
	va_list ap;

	/* The arguments may point into e. */
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	err_clear(e);
	e->kind = kind;
	memcpy(e->msg, msg, strlen(msg) + 1);
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int no = errno;
	char msg[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	err_set(e, err_kind_of_errno(no), "%s: %s", msg, strerror(no));
	e->sys = no;
	errno = no;
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char ctx[ERR_MSG_MAX / 2], old[ERR_MSG_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(ctx, sizeof ctx, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof ctx)
		n = sizeof ctx - 1;
	memcpy(old, e->msg, sizeof old);
	/* A message that grew too long loses its tail, never its context. */
	if (snprintf(e->msg, sizeof e->msg, "%s: %s", ctx, old) >= (int)sizeof e->msg)
		memcpy(e->msg + sizeof e->msg - 4, "...", 4);
	/* With too many, the innermost are told no more from the message. */
	if (e->wraps < ERR_WRAPS_MAX)
		e->wraps++;
	memmove(e->wrap_len + 1, e->wrap_len, sizeof(int) * (size_t)(e->wraps - 1));
	e->wrap_len[0] = n;
	return -1;
}

int err_hint(struct err *e, const char *fmt, ...)
{
	char hint[ERR_HINT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(hint, sizeof hint, fmt, ap);
	va_end(ap);
	memcpy(e->hint, hint, strlen(hint) + 1);
	return -1;
}
