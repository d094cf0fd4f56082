/*
 * world_server: the section `server:`: where the daemon's API listens besides its socket.
 *
 *     server:
 *       listen: 127.0.0.1:8420         # beyond loopback only with tls and a token
 *       tls: { cert: /etc/holdfast/tls.pem, key: "file:/etc/holdfast/tls.key" }
 *       rate_limit: 50                 # requests a second, of one token or address
 *       socket_group: holdfast         # who, besides root and the daemon's user, may use api.sock
 *       socket_scope: viewer           # and as what
 *
 * Threads: read-only once loaded.
 */
#ifndef HF_CONFIG_WORLD_SERVER_H
#define HF_CONFIG_WORLD_SERVER_H

#include "config/field.h"

struct world_tls {
	char *cert, *key; /* a path, and a reference (secret_ref.h); NULL: no TLS */
};

struct world_server {
	char *listen; /* NULL: no TCP */
	struct world_tls tls;
	unsigned rate_limit; /* 0: as api.h says */
	char *socket_group;  /* NULL: nobody else */
	int socket_scope;    /* 1: viewer, 2: operator (as enum api_scope); 0: not said */
};

extern const struct field_table world_server_table;

struct world;
/* What the table cannot say. */
void world_server_check(const struct world *w, struct mistakes *m);

#endif
