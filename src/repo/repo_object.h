/*
 * repo_object: names of a repository's objects, for those above who list and
 * name them.
 */
#ifndef HF_REPO_REPO_OBJECT_H
#define HF_REPO_REPO_OBJECT_H

#include "base/id.h"
#include "repo/format.h"
#include "repo/index_cache.h"
#include "repo/repo.h"

/* Are the bytes at fault (damaged, junk, or foreign), and not the reading of them? */
bool repo_is_bad(const struct err *e);
/*
 * Whole, and config or this program is too old for it, or it is nobody's.  ERR_LATER if a
 * writer in good standing signed it: then it is somebody's, whatever config comes.
 */
bool repo_is_foreign(const struct err *e);

/* A growing list of ids. */
struct id_list {
	struct id *v;
	size_t n, cap;
};
void id_list_add(struct id_list *l, const struct id *id);
void id_list_fini(struct id_list *l);

/* What names an object: the hash of its bytes, by the repository's algorithm. */
void repo_object_id(const struct repo *r, struct span bytes, struct id *out);
struct crypto_hash *repo_object_hash(const struct repo *r); /* the same as a stream, returns new */

/* "index/<id>" or "packs/ab/<id>"; returns out. */
enum { REPO_NAME_MAX = 192 };
const char *repo_object_name(char out[REPO_NAME_MAX], enum format_type type, const struct id *id);
const char *repo_type_folder(enum format_type type); /* "index/" */

/* Names below a folder; anything that isn't an id is told and left out. */
int repo_list_ids(struct repo *r, enum format_type type, struct id_list *out, struct err *e);

typedef int repo_pack_visit(void *arg, enum format_type type, const struct id *id,
    const struct store_stat *st, struct err *e);
/* The same with what the listing tells of each. */
int repo_list_each(
    struct repo *r, enum format_type type, repo_pack_visit *visit, void *arg, struct err *e);

/* Every pack in the store, of both types, whether or not an index names it. */
int repo_list_packs(struct repo *r, repo_pack_visit *visit, void *arg, struct err *e);

/* Fetch a small object whole; its hash is checked, and damage mended by its parity. */
struct buf;
int repo_get_named(
    struct repo *r, const char *name, const struct id *id, struct buf *out, struct err *e);
int repo_get_object(
    struct repo *r, enum format_type type, const struct id *id, struct buf *out, struct err *e);

/*
 * Payload of an index object, verified, and whose it is; and a new index
 * object.  To a write key, other domains' index objects are empty (origin 0).
 * If it was stored after its deadline, packs that are not there are left out:
 * *gone of them (may be NULL).
 */
int repo_index_payload(struct repo *r, const struct id *id, struct buf *out,
    struct index_origin *origin, uint64_t *gone, struct err *e);
int repo_put_index(
    struct repo *r, uint64_t domain, struct span payload, struct id *id, struct err *e);

/* Tell of an object as EVENT_WARNING. */
void repo_warn(struct repo *r, const char *name, const char *why);

/* Who is behind the tag of an index object: id and label, "unknown"; and its role. */
const char *repo_signer_text(const struct repo *r, uint64_t signer);
enum role repo_signer_role(const struct repo *r, uint64_t signer); /* ROLES: unknown */

/* Tags of the domains whose keys the key in use has: all, or a writer's own. */
size_t repo_domains(const struct repo *r);
uint64_t repo_own_tag(const struct repo *r); /* of the key in use; not for maintenance */
uint64_t repo_domain_tag(const struct repo *r, size_t i);

/* The index objects that the loaded index holds; damaged ones are left out of it. */
size_t repo_index_objects(const struct repo *r);
const struct id *repo_index_object(const struct repo *r, size_t i);
const struct id *repo_bad_index(const struct repo *r, size_t i); /* < repo_bad_indexes */

/* Times as RFC 3339 in UTC with nanoseconds. */
void repo_time_text(int64_t ns, char out[40]);
bool repo_time_parse(const char *s, int64_t *ns);

int64_t repo_now(struct repo *r); /* wall clock of ctx, or the machine's */

/* The store's clock: as it tells it, or by writing a small object and looking at its time. */
int repo_store_now(struct repo *r, int64_t *ns, struct err *e);

/* Delete what asking for the clock left behind, where it was cut short, before that time. */
int repo_clock_sweep(struct repo *r, int64_t before_ns, struct err *e);
int repo_store_clock(struct store *s, int64_t *ns, struct err *e);

#endif
