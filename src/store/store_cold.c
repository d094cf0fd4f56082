/* store_cold: see store_cold.h. */
#include "store/store_cold.h"

static struct store *driver_of(struct store *s)
{
	while (s->under)
		s = s->under;
	return s;
}

bool store_can_sleep(const struct store *s)
{
	while (s->under)
		s = s->under;
	return s->cold != NULL;
}

/* The driver, for a key that is one; NULL with e set. */
static struct store *ask(struct store *s, const char *key, struct err *e)
{
	struct store *d = driver_of(s);

	if (!store_key_valid(key))
		err_set(e, ERR_USAGE, "%s: look: not a valid object name", s->url);
	else if (d->cold == NULL)
		err_set(e, ERR_UNSUPPORTED, "%s: has no cold storage", s->url);
	else
		return d;
	return NULL;
}

int store_cold_look(struct store *s, const char *key, struct store_cold *out, struct err *e)
{
	struct store *d = ask(s, key, e);

	*out = (struct store_cold){.state = STORE_HOT};
	if (d == NULL)
		return -1;
	if (d->cold->look(d, key, out, e) == -1)
		return err_wrap(e, "%s: look at %s", s->url, key);
	return 0;
}

int store_cold_thaw(struct store *s, const char *key, const struct store_cold *now,
    const struct store_thaw *how, struct err *e)
{
	struct store *d = ask(s, key, e);
	const struct store_class_info *class = store_class_info(now->class);

	if (d == NULL)
		return -1;
	if (now->state != STORE_COLD)
		return 0;
	if (class->thaw[how->speed].seconds == 0) {
		err_set(e, ERR_USAGE, "%s has no %s retrieval", class->name,
		    store_speed_name(how->speed));
		return err_hint(e, "use another --thaw");
	}
	if (d->cold->thaw(d, key, now, how, e) == -1)
		return err_wrap(e, "%s: thaw %s", s->url, key);
	return 0;
}
