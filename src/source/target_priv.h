/* target_priv.h: what the parts of target share; nobody else includes it. */
#ifndef HF_SOURCE_TARGET_PRIV_H
#define HF_SOURCE_TARGET_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "source/target.h"

struct target {
	struct ctx *ctx; /* borrowed */
	enum target_overwrite overwrite;
	struct target_dir *root;
	_Atomic uint64_t problems;
	bool root_user;
	bool given; /* all belongs to: */
	uint32_t uid, gid;
	mode_t umask;
	atomic_flag owner_told; /* that owners can't be set, once is enough */
	pthread_mutex_t lock;   /* guards mounts and writing */
	struct target_mount {
		dev_t dev;
		int fd;
	} * mounts; /* file systems that we were led into, to be synced */
	size_t nmounts;
	struct target_file *writing; /* those with a name for the time being */
	bool unfinished;             /* target_end takes the word back */
};

struct target_dir {
	struct target *target;
	struct target_dir *parent; /* held; NULL for the root */
	_Atomic unsigned refs;
	int fd;
	dev_t dev;
	char *path;             /* below the target, "" for the root */
	struct entry *meta;     /* owned; NULL: leave as it is */
	bool existed;           /* before we came */
	bool inherits;          /* a default ACL is in force in it */
	_Atomic uint64_t owner; /* that new files in it get: target_owner */
};

#define TARGET_OWNER_UNKNOWN UINT64_MAX

static inline uint64_t target_owner(uint32_t uid, uint32_t gid)
{
	return (uint64_t)uid << 32 | gid;
}

static inline bool target_replaces(const struct target *t)
{
	return t->overwrite == TARGET_IF_CHANGED || t->overwrite == TARGET_ALWAYS;
}

/* A name from outside: one component, and nothing that leads elsewhere. */
int target_name_check(const struct target_dir *d, struct span name, struct err *e);

/* New text: below the target, without a "/" in front. */
char *target_path(const struct target_dir *d, struct span name);

/* A deep copy in one piece, freed by free(). */
struct entry *target_entry_copy(const struct entry *en);

/*
 * Put the name out of the way, with all that is below it, if the policy
 * allows; ERR_EXISTS if not.  That it isn't there is fine.
 */
int target_clear_name(struct target_dir *d, const char *name, struct err *e);

/* A piece of metadata could not be set: tell and count. */
void target_problem(struct target *t, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

enum target_meta_flag {
	TARGET_META_OLD = 1,   /* was there before, or inherited ACLs: other xattrs must go */
	TARGET_META_OWNED = 2, /* has the right owner and group already */
	TARGET_META_MODED = 4, /* and the right mode */
};

/* Give the thing at fd its metadata.  `by_path`: fd is O_PATH. */
void target_apply(struct target *t, int fd, bool by_path, unsigned flags, const struct entry *en,
    const char *path);

/* New text: what `name` is called until it is whole.  Always the same. */
char *target_temp_name(const char *name);

/* Is a file being written under that name?  With the target's lock held. */
bool target_temp_in_use(const struct target_dir *d, const char *name);

/* Is there a default ACL on this directory? */
bool target_has_default_acl(int fd);

/* How the names of files begin that are not finished yet. */
#define TARGET_TEMP_PREFIX ".holdfast-part-"
/* In the target's root, until all is on disk: what is restored, in so many bytes at most. */
#define TARGET_UNFINISHED ".holdfast-unfinished"
enum { TARGET_WORD_MAX = 8192 };

#endif
