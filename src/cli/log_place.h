/*
 * log_place: where the log of a system goes: its repositories, opened when they are first needed,
 * and kept.
 *
 * The first of the system's written destinations decides: what is durable there is archived.  One
 * of the others that fails is told, and left alone for a while; `holdfast copy` fills it.
 *
 * Nothing is written but to the repositories: neither cache nor state is needed, so that user
 * postgres can do it.
 *
 * Threads: one at a time.
 */
#ifndef HF_CLI_LOG_PLACE_H
#define HF_CLI_LOG_PLACE_H

#include <sys/types.h>

#include "cli/cli_out.h"
#include "repo/log.h"

struct wal_file;
struct wal_file_head;

struct log_place;

/*
 * Of a declared system, or with --repo of that repository alone (then `system` is said).  NULL: the
 * only one declared that is PostgreSQL's, or of several the one whose data directory is of `wal`,
 * the log's system identifier (0: not known).
 */
int log_place_new(
    struct cli *c, const char *system, uint64_t wal, struct log_place **out, struct err *e);
void log_place_free(struct log_place *p); /* NULL does nothing */
const char *log_place_system(const struct log_place *p);
const char *log_place_source(const struct log_place *p);
/* May this user put something into it? */
bool log_place_may(const struct log_place *p, uid_t who);
/* Into that of any system that is declared? */
bool log_place_may_any(const struct cli *c, uid_t who);

/* More wait than can be stored: as log_writer_hurry. */
void log_place_hurry(struct log_place *p, bool hurry);
/* An open file of this name (wal_file.h): checked, and durable when it returns 0. */
int log_place_push(
    struct log_place *p, const char *name, int fd, enum log_put_outcome *out, struct err *e);

/* The database's identifier that an open file of the log names, or the data directory that is the
 * current one; 0: none. */
uint64_t log_file_system(int fd);
uint64_t log_place_here(void);

/*
 * To read: the repositories in the order in which they are asked, opened; ERR_ABSENT after the last
 * (`i` counts from 0).  The repository is the place's.
 */
int log_place_repo(struct log_place *p, size_t i, struct repo **out, struct err *e);
size_t log_place_repos(const struct log_place *p);
const char *log_place_repo_name(const struct log_place *p, size_t i);

#endif
