/* notify: see notify.h. */
#include "notify/notify.h"

#include <string.h>

#include "base/buf.h"
#include "notify/notify_text.h"
#include "os/os.h"

static const struct notify_ops *const drivers[] = {
    &notify_email,
    &notify_slack,
    &notify_webhook,
    &notify_sms,
    &notify_ntfy,
    &notify_ping,
};

static const char *const severities[] = {"", "info", "warning", "critical"};

const char *notify_severity_name(enum notify_severity s)
{
	return severities[s <= NOTIFY_CRITICAL ? s : 0];
}

int notify_severity_of(const char *name)
{
	for (int i = NOTIFY_INFO; i <= NOTIFY_CRITICAL; i++)
		if (strcmp(severities[i], name) == 0)
			return i;
	return 0;
}

const struct notify_ops *notify_ops_at(size_t i)
{
	return i < sizeof drivers / sizeof *drivers ? drivers[i] : NULL;
}

const struct notify_ops *notify_ops_of(const char *name)
{
	for (size_t i = 0; notify_ops_at(i) != NULL; i++)
		if (strcmp(drivers[i]->name, name) == 0)
			return drivers[i];
	return NULL;
}

int notify_check(const struct notify_channel *c, struct err *e)
{
	if (c->nto > NOTIFY_TO_MAX)
		return err_set(e, ERR_USAGE, "more than %d recipients", NOTIFY_TO_MAX);
	return c->ops->check(c, e);
}

int notify_deliver(const struct notify_channel *c, const struct notify_message *m,
    struct notify_result *r, struct ctx *ctx, struct err *e)
{
	struct notify_message *clean;
	int rc;

	r->retry_after_ns = 0;
	r->note[0] = '\0';
	if (ctx_check(ctx, e) == -1 || notify_check(c, e) == -1)
		return -1;
	clean = notify_text_message(m, c->ops->text_max);
	rc = c->ops->send(c, clean, r, ctx, e);
	if (rc == -1 && e->hint[0] == '\0' &&
	    (e->kind == ERR_UNREACHABLE || e->kind == ERR_TIMEOUT))
		err_hint(e, "is the server up, and may this machine reach it (firewall, proxy)?");
	notify_text_free(clean);
	return rc;
}
