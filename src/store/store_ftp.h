/*
 * store_ftp, inside: what its files share.  ftp_place.c reads the URL,
 * store_ftp.c puts and reads objects, store_ftp_list.c walks the folders, of
 * which ftp_list.c reads what a server says of one.
 */
#ifndef HF_STORE_STORE_FTP_H
#define HF_STORE_STORE_FTP_H

#include <stdatomic.h>

#include "net/ftp.h"
#include "store/store_folders.h"
#include "store/store_web.h"

struct store_ftp {
	struct store base;
	struct ftp *ftp;
	char *path; /* "a/b/" or "" */
	struct ctx *ctx;
	struct store_pace pace; /* of an upload that goes on, and of folders of a list */
	_Atomic bool no_mlsd;   /* LIST instead */
	struct store_folders folders;
};

struct ftp_options {
	bool plain;
	const char *password_file;
};

/*
 * Where it is and who we are there, from what follows the scheme:
 * //[USER@]HOST[:PORT]/PATH.  ERR_USAGE; after fini, also of a failure, it is empty.
 */
struct ftp_place {
	char *host, *user; /* user NULL: anonymous */
	char *password;    /* secret memory; NULL: none */
	char *path;        /* as in struct store_ftp */
};
int ftp_place_parse(
    struct ftp_place *p, const char *rest, const struct ftp_options *o, struct err *e);
void ftp_place_fini(struct ftp_place *p);

/* Size and time of an object, both or an error. */
int ftp_look(struct store_ftp *s, const char *key, struct store_stat *out, struct err *e);

/*
 * Is the store's folder there?  ERR_ABSENT only if a listing of the one above
 * (or of one further up) does not name it; ERR_DENIED if it may not be listed.
 */
int ftp_find_folder(struct store_ftp *s, struct err *e);

int ftp_list(struct store *st, const char *prefix, store_visit *visit, void *arg, struct err *e);

#endif
