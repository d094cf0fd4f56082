/* api_internal: what the files of the server share. */
#ifndef HF_API_API_INTERNAL_H
#define HF_API_API_INTERNAL_H

#include <pthread.h>

#include "api/api_limit.h"
#include "api/api_mhd.h"
#include "api/api_route.h"
#include "api/api_token.h"

enum {
	API_BODY_MAX = 64 << 10,
	API_HEADERS_MAX = 16 << 10, /* memory of a connection: the request's head, and some more */
	API_CONNECTIONS_MAX = 256,
	API_PEER_MAX = 32, /* connections of one address */
	API_STREAMS_MAX = 64,
	API_STREAMS_OF_ONE = 16,
	API_IDLE_S = 30, /* without a byte */
	API_POOL = 16,
	API_RING = 256, /* published messages that are kept for who is slow */
};

struct api_listener {
	struct api *api;
	struct MHD_Daemon *mhd; /* NULL: none */
	bool local, loopback, tls;
	unsigned port;
};

/* A connection, and how long it has been at what it does. */
enum api_conn_state { CONN_READING, CONN_ANSWERING, CONN_STREAMING };
struct api_conn {
	struct api_conn *next, **link;
	struct api_listener *listener;
	int fd;
	enum api_conn_state state;
	int64_t since_ns;
	bool cut;
};

struct api_who {
	enum api_scope scope; /* 0: nobody */
	char by[96];          /* "user root", "token ci" */
	char peer[64];        /* "127.0.0.1", "uid 0"; of IPv6 its /64 */
};

struct api_stream;

struct api {
	struct api_params p;
	struct api_host host;
	const struct api_mhd *mhd;
	struct clock *clock;
	int64_t started_ns;
	struct api_listener socket, tcp;
	struct api_token_file *tokens;
	struct evidence_watch *evidence; /* NULL: no state folder */
	struct api_limit *rate, *wrong, *logged;
	struct api_counters counters;

	pthread_mutex_t pool_lock; /* guards pool */
	struct catalog *pool[API_POOL];
	size_t npool;

	pthread_mutex_t conns_lock; /* guards conns and what is in them */
	struct api_conn *conns;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	bool pumping, woken;
	_Atomic bool stopping;
	struct api_stream *streams;
	int64_t newest_event;
	struct {
		uint64_t seq;
		char *text;
	} ring[API_RING];
	uint64_t seq; /* of the last published */
	pthread_t pump;
};

/* api_server.c */
void api_log(struct api *a, enum event_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* api_pool.c: catalogs: one thread's at a time, kept open. */
struct catalog *api_pool_take(struct api *a, struct err *e);
void api_pool_give(struct api *a, struct catalog *c, bool good); /* one that failed is closed */
void api_pool_fini(struct api *a);

/* api_listen.c: a listening socket, or -1. */
int api_listen_local(const struct api_params *p, struct err *e);
int api_listen_tcp(const char *where, bool *loopback, unsigned *port, struct err *e);

/* api_conn.c */
void api_conn_notify(void *listener, struct MHD_Connection *c, void **context,
    enum MHD_ConnectionNotificationCode what);
struct api_conn *api_conn_of(struct api *a, struct MHD_Connection *c);
void api_conn_set(struct api *a, struct api_conn *c, enum api_conn_state state);
void api_conn_cut_slow(struct api *a);
bool api_conn_busy(struct api *a); /* is an answer under way? */

/* api_auth.c: 0, or the status that refuses, and e. */
int api_auth(struct api_listener *l, struct MHD_Connection *c, const struct api_route *r,
    struct api_who *who, struct err *e);
void api_auth_peer(struct api_listener *l, struct MHD_Connection *c, struct api_who *who);

/* api_answer.c */
void *api_answer_begin(void *listener, const char *uri, struct MHD_Connection *c);
enum MHD_Result api_answer(void *listener, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *data, size_t *n, void **exchange);
void api_answer_end(
    void *listener, struct MHD_Connection *c, void **exchange, enum MHD_RequestTerminationCode why);

/*
 * api_events.c: who listens.  A response whose content is all that happens from now on, or
 * after that event; NULL and e (ERR_USAGE, ERR_BUSY: too many listen).
 */
struct MHD_Response *api_events_response(struct api *a, struct MHD_Connection *c,
    const struct api_who *who, const char *after, struct err *e);
void api_events_pump(struct api *a); /* looks for new ones */
void api_events_stop(struct api *a); /* all of them end */
void api_events_fini(struct api *a);

/*
 * api_evidence.c: who asked for what, and whether it was done; calls that only read are not
 * recorded.  refused NULL: done.
 */
void api_record(struct api *a, const struct api_call *k, const struct err *refused);

#endif
