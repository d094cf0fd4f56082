/*
 * daemon_share: beside other daemons, on other hosts, that share our catalog.
 *
 * Who is silent for as long as a lease is taken for dead: another takes its runs over, and begins
 * them anew.  One that was only stopped for a while (a machine asleep) finds that out when it
 * wakes, and stops what is not its own any more.  One that does not reach the catalog's server
 * stops its runs before their leases end: it cannot ask whose they are.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/mem.h"
#include "catalog/catalog_share.h"
#include "crypto/crypto.h"
#include "daemon/daemon_internal.h"
#include "db/db.h"
#include "os/os.h"

enum { ID = 8 };

/* Hosts may have one name, as containers do: the state folder has a number of its own. */
static int read_id(const char *path, char id[2 * ID + 1])
{
	struct buf text = {0};
	struct err ignored;
	uint8_t bytes[ID];
	bool good = os_read_file(path, 2 * ID + 1, &text, &ignored) == 0 && text.n >= 2 * ID;

	snprintf(id, 2 * ID + 1, "%.*s", (int)(good ? 2 * ID : 0), good ? buf_cstr(&text) : "");
	buf_fini(&text);
	return good && hex_decode(bytes, ID, id) ? 0 : -1;
}

/* Of two that make it at one time the first has made it. */
static int make_id(const char *path, char id[2 * ID + 1], struct err *e)
{
	char *mine = mem_printf("%s.%d", path, (int)getpid()), made[2 * ID + 1];
	uint8_t bytes[ID];
	int rc;

	crypto_random(bytes, ID);
	hex_encode(made, bytes, ID);
	rc = os_file_replace(mine, span_str(made), 0600, e);
	if (rc == 0)
		rc = os_linkat(AT_FDCWD, mine, AT_FDCWD, path);
	/* One that is damaged, or no links here. */
	if (rc == -1 && read_id(path, id) == 0)
		rc = 0;
	else if (rc == 0 || (rc = os_file_replace(path, span_str(made), 0600, e)) == 0)
		memcpy(id, made, sizeof made);
	os_unlinkat(AT_FDCWD, mine, 0);
	free(mine);
	return rc;
}

char *daemon_owner(const char *state_dir, struct err *e)
{
	char *path = mem_printf("%s/daemon.id", state_dir), id[2 * ID + 1], *owner = NULL;
	int rc = read_id(path, id) == 0 ? 0 : make_id(path, id, e);

	if (rc == 0)
		owner = mem_printf("%s:%s:%s", os_host(), state_dir, id);
	free(path);
	return owner;
}

bool daemon_owns(const char *state_dir, const char *owner)
{
	char *path = mem_printf("%s/daemon.id", state_dir), id[2 * ID + 1], *ours;
	bool known = owner != NULL && read_id(path, id) == 0;
	size_t n;

	ours = mem_printf("%s:%s:%s", os_host(), state_dir, known ? id : "");
	n = strlen(ours);
	known = known && strncmp(owner, ours, n) == 0 && (owner[n] == '\0' || owner[n] == ':');
	free(ours);
	free(path);
	return known;
}

struct lost {
	struct daemon *d;
	bool some;
};

static int told(void *arg, const struct run *r, struct err *e)
{
	struct lost *l = arg;

	l->some = true;
	daemon_log(l->d, EVENT_WARN, "run=%" PRId64 " %s: whoever ran it%s%s is silent", r->id,
	    r->system, r->node ? " on " : "", r->node ? r->node : "");
	return 0;
}

int daemon_take_lost(struct daemon *d, bool *some, struct err *e)
{
	struct lost l = {.d = d};
	int64_t now, mono_s = d->ctx->clock->mono_ns(d->ctx->clock) / CALENDAR_SECOND;

	/* After a jump of our clock, which a file's leases go by, its owners renew them first. */
	if (mono_s < d->patient_mono_s)
		return 0;
	if (catalog_now(d->catalog, &now, e) == -1)
		return -1;
	if (run_take_over(d->catalog, d->owner, now, now + DAEMON_LEASE_S * CALENDAR_SECOND, told,
		&l, e) == -1)
		return -1;
	*some = l.some;
	return 0;
}

int daemon_renew_leases(struct daemon *d, struct err *e)
{
	int64_t now, until, asked_s = d->ctx->clock->mono_ns(d->ctx->clock) / CALENDAR_SECOND;

	d->leads = false;
	if (catalog_now(d->catalog, &now, e) == -1)
		return -1;
	until = now + DAEMON_LEASE_S * CALENDAR_SECOND;
	if (run_renew(d->catalog, d->owner, until, e) == -1)
		return -1;
	d->unrenewed = false;
	d->leased_mono_s = asked_s;
	return catalog_lead(d->catalog, "watch", d->owner, now, until, &d->leads, e);
}

/* A file is asked by nobody but this host's. */
void daemon_fence(struct daemon *d)
{
	int64_t mono_s = d->ctx->clock->mono_ns(d->ctx->clock) / CALENDAR_SECOND;

	if (!d->unrenewed || mono_s - d->leased_mono_s < DAEMON_FENCE_S ||
	    !db_is_server(catalog_db(d->catalog)))
		return;
	for (struct child *c = d->children; c != NULL; c = c->next) {
		/* What was begun since was leased then. */
		if (c->asked_ms ||
		    (int64_t)uv_now(&d->loop) - c->started_ms < DAEMON_FENCE_S * 1000)
			continue;
		daemon_log(d, EVENT_WARN,
		    "run=%" PRId64 " %s: the catalog is away for so long that another daemon may "
		    "begin it: stopped here",
		    c->run.id, c->run.system);
		c->fenced = true;
		child_stop(c);
	}
}

struct whose {
	const struct daemon *d;
	bool lost;
};

static int look(void *arg, const struct run *r, struct err *e)
{
	struct whose *w = arg;

	w->lost = r->status == RUN_INTERRUPTED ||
		  (r->status == RUN_RUNNING && r->owner && strcmp(r->owner, w->d->owner) != 0);
	return 0;
}

int daemon_stop_lost(struct daemon *d, struct err *e)
{
	for (struct child *c = d->children; c != NULL; c = c->next) {
		struct whose w = {.d = d};

		if (c->asked_ms)
			continue;
		if (run_get(d->catalog, c->run.id, look, &w, e) == -1)
			return -1;
		if (!w.lost)
			continue;
		daemon_tell(d, "run.lost", EVENT_WARN, c->run.system, c->run.id,
		    "we were silent for so long that another daemon has it: stopped here");
		child_stop(c);
	}
	return 0;
}
