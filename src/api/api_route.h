/*
 * api_route: the table of what can be asked for, and a call of one of its rows.
 *
 * The same rows find the handler, answer 404 and 405, check every parameter and make the OpenAPI
 * document.  A handler sees no HTTP: it has checked texts, and leaves JSON, text or an error.
 *
 * Threads: the table is read-only; a call is one thread's.
 */
#ifndef HF_API_API_ROUTE_H
#define HF_API_API_ROUTE_H

#include "api/api.h"
#include "api/api_shape.h"
#include "api/api_uri.h"
#include "base/buf.h"

enum {
	API_PARAMS_MAX = 8,
	API_TEXT_MAX = 1024,
	API_PAGE = 50,
	API_PAGE_MAX = 500,
	API_COMING_MAX = 100000
};

struct api_call;
struct catalog;
struct evidence_watch;

/* What the API counts of itself, by the hundreds of the status: 2xx, 3xx, 4xx, 5xx. */
struct api_counters {
	_Atomic uint64_t answers[6], refused_tokens, limited, slow, streams, connections;
};

enum api_right {  /* what a scope is asked for */
	API_OPEN, /* nobody is asked, on the socket and on loopback */
	API_READ,
	API_OPERATE,
	API_APPROVE, /* say yes or no */
	API_AUDIT,   /* read the audit trail */
	API_ADMINISTER,
};
bool api_may(enum api_scope scope, enum api_right right);

enum api_place { API_IN_PATH = 1, API_IN_QUERY, API_IN_BODY };

enum api_type {
	API_TEXT,   /* up to API_TEXT_MAX bytes */
	API_COUNT,  /* from 1 to max */
	API_NUMBER, /* an id: from 1 */
	API_TIME,   /* as calendar_parse_time */
	API_CHOICE, /* one of `choices`, "a|b" */
};

struct api_param {
	const char *name;
	enum api_place in;
	enum api_type type;
	const char *choices;
	unsigned max;
	const char *help;
};

enum api_answers { API_JSON, API_LIST, API_PLAIN, API_METRICS_TEXT, API_STREAM };

struct api_route {
	const char *method, *path; /* "{name}" stands for one segment */
	enum api_right right;
	int (*run)(struct api_call *c, struct err *e);
	const char *id, *summary;
	enum api_answers answers;
	const char *key; /* the answer's member that holds it, or NULL: it is the answer */
	const struct shape *shape; /* of it, or of each in the list; NULL: any object */
	struct api_param params[API_PARAMS_MAX]; /* name NULL ends them */
};

extern const struct api_route api_routes[];
extern const size_t api_routes_count;

struct api_call {
	const struct api_host *host;
	const char *log_dir, *state_dir; /* of api_params; may be NULL */
	struct evidence_watch *evidence; /* of state_dir; NULL without it */
	struct clock *clock;
	const struct api_counters *counters; /* for the metrics; NULL: none */
	int64_t started_ns;
	const struct api_route *route;
	const char *value[API_PARAMS_MAX]; /* of the route's params; NULL: not given */
	char number[API_PARAMS_MAX][24];   /* those of the body that are no texts */
	const char *by;                    /* who asks: "user root", "token ci" */
	int64_t now_ns;
	struct catalog *catalog;
	json_t *body; /* what came; the call's own */
	/* the answer */
	int status;   /* 0: 200 */
	json_t *json; /* or */
	struct buf text;
};
void api_call_fini(struct api_call *c);

/* Refusals that no kind of err.h tells. */
struct api_refusal {
	int status;
	const char *kind, *title;
};
const struct api_refusal *api_refusal_of(int status); /* NULL: none */

/*
 * The row, with its parameters of the path in c; or NULL, and *allow has the methods that the
 * path takes ("GET, HEAD"), or "" where there is no such path.  HEAD is GET.
 */
const struct api_route *api_route_find(
    const char *method, const struct api_uri *u, struct api_call *c, char allow[64]);

/* Query and body into c->value, each checked.  Body may be empty.  ERR_USAGE. */
int api_route_bind(struct api_call *c, const struct api_uri *u, struct span body, struct err *e);

/* By the parameter's name; NULL: not given. */
const char *api_value(const struct api_call *c, const char *name);
int64_t api_value_number(const struct api_call *c, const char *name); /* 0: not given */

/* A new object of what went wrong. */
json_t *api_problem(int status, const struct err *e);

/* The handlers: api_read.c, api_stored.c, api_act.c, api_audit.c; api_metrics.c, api_openapi.c. */
int api_get_health(struct api_call *c, struct err *e);
int api_get_status(struct api_call *c, struct err *e);
int api_get_systems(struct api_call *c, struct err *e);
int api_get_system(struct api_call *c, struct err *e);
int api_get_why(struct api_call *c, struct err *e);
int api_get_runs(struct api_call *c, struct err *e);
int api_get_run(struct api_call *c, struct err *e);
int api_get_log(struct api_call *c, struct err *e);
int api_get_snapshots(struct api_call *c, struct err *e);
int api_get_find(struct api_call *c, struct err *e);
int api_get_schedule(struct api_call *c, struct err *e);
int api_get_metrics(struct api_call *c, struct err *e);
int api_get_openapi(struct api_call *c, struct err *e);
int api_get_events(struct api_call *c, struct err *e); /* never called: api_events.h */
int api_post_run(struct api_call *c, struct err *e);
int api_post_cancel(struct api_call *c, struct err *e);
int api_post_reload(struct api_call *c, struct err *e);
int api_get_evidence(struct api_call *c, struct err *e);
int api_get_evidence_lines(struct api_call *c, struct err *e);
int api_get_evidence_verify(struct api_call *c, struct err *e);
int api_get_approvals(struct api_call *c, struct err *e);
int api_post_approval(struct api_call *c, struct err *e);

#endif
