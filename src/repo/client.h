/*
 * client: what this machine remembers, for each key and each copy of a
 * repository, between runs: its client id, the sequence of its snapshots, the
 * last one.  Lost, it starts a new client id.
 *
 * Threads: one owner; processes exclude each other by a lock on the file
 * from open to close.
 */
#ifndef HF_REPO_CLIENT_H
#define HF_REPO_CLIENT_H

#include "base/id.h"
#include "repo/author.h"
#include "repo/repo.h"

struct client {
	struct author author; /* the holder of the key in use, and this machine's memory of it */
	uint64_t sequence;    /* of the last snapshot; 0: none yet */
	bool has_last;
	struct id last;
	int fd; /* -1: no cache folder, nothing is remembered */
};

/* Waits for another process that commits just now. */
int client_open(struct repo *r, struct client *c, struct err *e);
int client_save(struct client *c, struct err *e);
void client_close(struct client *c);

#endif
