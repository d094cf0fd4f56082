/*
 * follow_state: how a receiver of WAL is doing, as others read it: one small file a stream in the
 * state folder, replaced every few seconds, and when something changes.
 *
 * A file tells of now only while its receiver lives: follow_state_read says so.
 *
 * Threads: any.
 */
#ifndef HF_ENGINE_FOLLOW_STATE_H
#define HF_ENGINE_FOLLOW_STATE_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

enum follow_phase {
	FOLLOW_CONNECTING, /* to the server, again and again */
	FOLLOW_STREAMING,
	FOLLOW_SPOOLING, /* the repository cannot be written: WAL is kept in the spool */
	FOLLOW_HELD,     /* the spool is full: the server keeps what comes */
	FOLLOW_DIVERGED, /* the server writes other log than what is stored: nothing goes on */
	FOLLOW_STOPPED,  /* on purpose */
	FOLLOW_DEAD,     /* its process is gone (only read, never written) */
	FOLLOW_PHASES
};

const char *follow_phase_name(enum follow_phase p); /* "streaming" */

struct follow_state {
	char system[128], source[64], slot[64];
	enum follow_phase phase;
	bool synchronous;        /* promised... */
	bool sync_had;           /* ... and each commit waits, as the server says */
	char sync_why[256];      /* why it does not */
	bool spool_acks;         /* commits are acknowledged by this machine's disk alone */
	int64_t at_ns, since_ns; /* wall clock: of this; of this phase */
	int64_t pid;
	uint32_t timeline;
	uint64_t received, durable; /* positions; 0: none yet */
	uint64_t server;            /* end of what the server has */
	uint64_t lag_bytes;         /* what is not durable, of what the server has */
	int64_t lag_ns;             /* how long its oldest byte has been here, 0: there is none */
	uint64_t spool_bytes, spool_limit;
	uint64_t slot_bytes; /* that the server keeps for us */
	uint64_t segments;   /* put since it was started */
	uint64_t gaps;
	uint64_t gap_start, gap_end; /* the last one */
	int64_t gap_ns; /* when it was found (wall clock), by whichever receiver; 0: none */
	char why[256];  /* what is wrong, "" nothing */
};

/* PLACE/receivers/SYSTEM.SOURCE.json; the folder is made. */
int follow_state_write(const char *place, const struct follow_state *s, struct err *e);
/* ERR_ABSENT: none ever ran. */
int follow_state_read(const char *place, const char *system, const char *source,
    struct follow_state *out, struct err *e);

json_t *follow_state_json(const struct follow_state *s);
/* False: this is none. */
bool follow_state_parse(json_t *o, struct follow_state *out);

#endif
