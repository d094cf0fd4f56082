/*
 * client: what this machine remembers of a repository between runs: its
 * client id, the sequence of its snapshots, the last one, and the newest
 * revision of config it has seen.  Lost, it starts a new client id.
 *
 * Threads: one owner; processes exclude each other by a lock on the file
 * from open to close.
 */
#ifndef HF_REPO_CLIENT_H
#define HF_REPO_CLIENT_H

#include "base/id.h"
#include "repo/repo.h"

struct client {
	uint8_t id[16];
	uint64_t sequence; /* of the last snapshot; 0: none yet */
	bool has_last;
	struct id last;
	int fd; /* -1: no cache folder, nothing is remembered */
};

/* Waits for another process that commits just now. */
int client_open(struct repo *r, struct client *c, struct err *e);
int client_save(struct client *c, struct err *e);
void client_close(struct client *c);

#endif
