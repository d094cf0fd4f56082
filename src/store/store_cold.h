/*
 * store_cold: is an object awake, and waking it.
 *
 * In some classes of storage (store_class.h) an object sleeps: it is listed and can be asked
 * about, and whoever reads it gets ERR_COLD.  Asked to thaw, which costs money, the store makes
 * it readable after some hours; for some days, or (Azure) for good.
 *
 * Not an op of each driver, for few have it: a driver that does sets `cold` in its struct
 * store.  Wrappers have no part in it; a driver tries again by itself what may help.
 *
 * Threads: any.
 */
#ifndef HF_STORE_STORE_COLD_H
#define HF_STORE_STORE_COLD_H

#include "store/store.h"
#include "store/store_class.h"

enum store_cold_state {
	STORE_HOT,     /* readable, and stays so */
	STORE_COLD,    /* asleep */
	STORE_THAWING, /* asked to thaw */
	STORE_THAWED,  /* readable until then */
};

struct store_cold {
	enum store_cold_state state;
	enum store_class class;
	int64_t class_ns; /* as in struct store_stat */
	int64_t until_ns; /* of STORE_THAWED; 0: not told */
	uint64_t size;
};

struct store_thaw {
	enum store_speed speed;
	unsigned days; /* for how long, where that can be said; at least 1 */
};

struct store_cold_ops {
	int (*look)(struct store *, const char *key, struct store_cold *out, struct err *);
	/* Of an object that is asleep.  One that thaws already: success. */
	int (*thaw)(struct store *, const char *key, const struct store_cold *now,
	    const struct store_thaw *how, struct err *);
};

/* Can anything be asleep there? */
bool store_can_sleep(const struct store *s);

/* One request.  ERR_UNSUPPORTED where nothing can be asleep, ERR_ABSENT. */
int store_cold_look(struct store *s, const char *key, struct store_cold *out, struct err *e);

/*
 * Ask for it, unless it is awake or thawing already: who asks twice pays once.  `now` is what a
 * look gave.  ERR_USAGE where its class has no such speed: nothing was asked for then.
 */
int store_cold_thaw(struct store *s, const char *key, const struct store_cold *now,
    const struct store_thaw *how, struct err *e);

#define STORE_COLD_HINT                                                                            \
	"what a snapshot needs is thawed by holdfast restore SNAPSHOT --target FOLDER --thaw "     \
	"SPEED (with --no-wait it only asks); --dry-run shows time and cost"

#endif
