/*
 * daemon_catalog: a catalog whose file is another one now.
 *
 * Whoever finds it damaged moves it aside and begins a new one (catalog_open_anew); we would go on
 * to write into what nobody reads any more.  What the queue held is in the one that was moved;
 * what is due from now on, and how runs end that go on, is in the new one.
 */
#include "daemon/daemon_internal.h"

void daemon_look_at_catalog(struct daemon *d)
{
	struct catalog *fresh;
	struct err e;

	if (!catalog_is_moved(d->catalog))
		return;
	if (catalog_open(d->p->catalog, &fresh, &e) == -1) {
		daemon_log(d, EVENT_ERROR, "the catalog was moved away: %s", e.msg);
		return;
	}
	catalog_close(d->catalog);
	d->catalog = fresh;
	d->renewed_s = 0;
	daemon_tell(d, "catalog.replaced", EVENT_ERROR, NULL, 0,
	    "its file was moved away, and another is used; 'holdfast catalog rebuild' fills it");
}
