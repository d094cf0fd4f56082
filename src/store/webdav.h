/*
 * webdav: what the parts of the WebDAV driver share: a request (webdav_call)
 * and what the server says of files and folders (webdav_find).  The driver is
 * store_webdav.c.
 *
 * Threads: any, but init and fini.
 */
#ifndef HF_STORE_WEBDAV_H
#define HF_STORE_WEBDAV_H

#include "net/url.h"
#include "store/store_web.h"

struct webdav_options {
	const char *user, *password_file;
};

struct webdav {
	char *origin; /* "https://host:8443" */
	char *path;   /* "/dav/backup", decoded; "" is the server's root */
	char *login;  /* "Basic ...", secret memory; or NULL */
	struct http *http;
};

/* From what follows the scheme: //[USER@]HOST[:PORT]/PATH.  ERR_USAGE. */
int webdav_init(
    struct webdav *d, bool tls, const char *rest, const struct webdav_options *o, struct err *e);
void webdav_fini(struct webdav *d);

struct webdav_call {
	const char *method;
	const char *key; /* "" is the repository's folder; one with '/' at its end a folder */
	const char *destination; /* key, for MOVE */
	bool overwrite;
	const char *depth;
	uint64_t off; /* of the range, if there is `into` */
	struct span body;
	uint8_t *into;
	size_t into_n, max;
};

/* 0 if there was an answer of any status: give it to http_answer_fini. */
int webdav_ask(struct webdav *d, const struct webdav_call *c, struct http_answer *a, struct err *e);
/* The same, and what is no 2xx is an error. */
int webdav_do(struct webdav *d, const struct webdav_call *c, struct http_answer *a, struct err *e);
int webdav_refused(const struct http_answer *a, struct err *e);

/* What is at a key, or with depth "1" in a folder: of each its key and whether it is a folder. */
typedef int webdav_visit(
    void *arg, const char *key, bool folder, const struct store_stat *st, struct err *e);
/* The same from an answer's body, a multistatus; ERR_CORRUPT if it is none. */
int webdav_read(
    const struct webdav *d, struct span body, webdav_visit *visit, void *arg, struct err *e);
int webdav_find(struct webdav *d, const char *key, const char *depth, webdav_visit *visit,
    void *arg, struct err *e);

#endif
