/*
 * notify: a message to people (or to what wakes them), by one channel.
 *
 * A channel is a driver and its parameters, plain values in memory: secrets are resolved by the
 * caller.  Nothing is tried again and nothing remembered here: which channel is told what, when
 * and how often is the router's (notify_router.h).
 *
 *            needs                  may have
 *   email    url from to            user password plain ca_file        smtp[s]://HOST[:PORT]
 *   slack    url                    ca_file                            an incoming webhook
 *   webhook  url                    secret token user password ca_file JSON, signed with `secret`
 *   sms      user password from to  url ca_file                        as Twilio's Messages.json
 *   ntfy     url                    token user password ca_file        https://HOST/TOPIC
 *   ping     url                    start_url fail_url ca_file         a dead man's switch
 *
 * The webhook's signature: "X-Holdfast-Signature: t=SECONDS,v1=HEX", HEX the HMAC-SHA-256 under
 * the secret of SECONDS, '.', and the body: whoever gets it refuses what is old or wrong.
 *
 * Texts of a message may hold anything: what is no UTF-8, and control characters, become '?' and
 * blanks before a driver sees them, so that no header, line or field begins where none was meant.
 *
 * Threads: any; each call has a connection of its own.
 */
#ifndef HF_NOTIFY_NOTIFY_H
#define HF_NOTIFY_NOTIFY_H

#include "base/ctx.h"

enum notify_severity { NOTIFY_INFO = 1, NOTIFY_WARNING, NOTIFY_CRITICAL };
const char *notify_severity_name(enum notify_severity s); /* "info" */
int notify_severity_of(const char *name);                 /* 0: none */

/* What a run is at, for a ping; of everything else it is NOTIFY_NEWS. */
enum notify_state { NOTIFY_NEWS, NOTIFY_STARTED, NOTIFY_SUCCEEDED, NOTIFY_FAILED };

struct notify_field {
	const char *name, *value;
};

enum {
	NOTIFY_TO_MAX = 32,
	NOTIFY_FIELDS_MAX = 24,
	NOTIFY_SUBJECT_MAX = 200, /* bytes; longer ones are cut */
	NOTIFY_TEXT_MAX = 8192,
	NOTIFY_VALUE_MAX = 1024,
};

struct notify_message {
	const char *id;    /* the same at every try, so that whoever gets it twice can tell */
	const char *event; /* "run.failed" */
	enum notify_severity severity;
	enum notify_state state;
	const char *system; /* NULL: of none */
	const char *host;
	const char *subject, *text; /* a line; lines */
	const struct notify_field *fields;
	size_t nfields;
	int64_t at_ns;   /* wall clock, UTC */
	const char *key; /* what it is about; NULL: event and system */
	bool recovered;  /* what was told under that key is over */
};

struct notify_ops;

struct notify_channel {
	const char *name; /* "boss" */
	const struct notify_ops *ops;
	const char *url, *start_url, *fail_url;
	const char *user, *password, *token, *secret;
	const char *from;
	const char *const *to;
	size_t nto;
	bool plain;          /* email: without TLS where the server offers none */
	const char *ca_file; /* PEM; NULL: the system's */
	int64_t timeout_ns;  /* for a try; 0: 30 s */
};

struct notify_result {
	/*
	 * In and out: bit i: to[i] has it already.  Who keeps it between the tries of one message
	 * spares people the same text twice.
	 */
	uint32_t done;
	int64_t retry_after_ns; /* the other side asked to be left alone so long; 0: it did not */
	char note[256]; /* of what was sent, what is worth knowing: a recipient that was refused */
};

/*
 * 0: the other side has taken it.  Else err_info(e->kind)->retry says whether trying again may
 * help: ERR_UNREACHABLE, ERR_TIMEOUT, ERR_BUSY do; ERR_DENIED, ERR_ABSENT, ERR_USAGE, ERR_FAILED,
 * ERR_CORRUPT do not.
 */
int notify_deliver(const struct notify_channel *c, const struct notify_message *m,
    struct notify_result *r, struct ctx *ctx, struct err *e);

/* Is the channel's every parameter there and right, as far as one can tell?  ERR_USAGE. */
int notify_check(const struct notify_channel *c, struct err *e);

/* ---- Drivers. */

struct notify_ops {
	const char *name; /* "email" */
	bool states;      /* takes what runs are at, nothing else */
	size_t text_max;  /* bytes of text that the other side takes */
	int (*check)(const struct notify_channel *c, struct err *e);
	int (*send)(const struct notify_channel *c, const struct notify_message *m,
	    struct notify_result *r, struct ctx *ctx, struct err *e);
};

extern const struct notify_ops notify_email, notify_slack, notify_webhook, notify_sms, notify_ntfy,
    notify_ping;

const struct notify_ops *notify_ops_of(const char *name); /* NULL: none */
const struct notify_ops *notify_ops_at(size_t i);         /* NULL ends them */

#endif
