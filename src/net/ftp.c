/* ftp: see ftp.h. */
#include "net/ftp.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/secret.h"
#include "net/url.h"
#include "net/wire.h"

enum { IDLE_MAX = 32, LISTING_MAX = 64 << 20, POLL_MS = 5 };

/* A handle, and what keeps its connections. */
struct line {
	CURL *curl;
	CURLM *multi;
};

struct ftp {
	const struct wire *wire;
	struct ctx *ctx;
	char *origin; /* "ftp://host:21/" */
	char *user, *password, *ca_file;
	bool plain;
	long connect_ms, stall_s, deadline_ms;
	pthread_mutex_t lock; /* guards idle */
	struct line idle[IDLE_MAX];
	size_t nidle;
};

struct transfer {
	struct ftp *ftp;
	struct ftp_call *call;
	size_t sent;
	bool too_long, enough;
};

static char *secret_text(const char *s)
{
	char *p = secret_new(strlen(s) + 1);

	memcpy(p, s, strlen(s));
	return p;
}

struct ftp *ftp_new(const struct ftp_params *p, struct ctx *ctx, struct err *e)
{
	const struct wire *w = wire_open(e);
	struct ftp *f;

	if (w == NULL)
		return NULL;
	f = mem_zalloc(sizeof *f);
	f->wire = w;
	f->ctx = ctx;
	f->origin = mem_printf("ftp%s://%s/", p->implicit ? "s" : "", p->host);
	f->user = secret_text(p->user ? p->user : "anonymous");
	f->password = secret_text(p->password ? p->password : "holdfast@");
	f->ca_file = p->ca_file ? mem_strdup(p->ca_file) : NULL;
	f->plain = p->plain;
	f->connect_ms = p->connect_ns ? (long)(p->connect_ns / 1000000) : 15000;
	f->deadline_ms = p->deadline_ns ? (long)(p->deadline_ns / 1000000) : 300000;
	f->stall_s = p->stall_ns ? (long)((p->stall_ns + 999999999) / 1000000000) : 60;
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

static void line_free(struct ftp *f, struct line l)
{
	f->wire->easy_cleanup(l.curl);
	f->wire->multi_cleanup(l.multi);
}

void ftp_free(struct ftp *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->nidle; i++)
		line_free(f, f->idle[i]);
	pthread_mutex_destroy(&f->lock);
	free(f->origin);
	secret_free(f->user);
	secret_free(f->password);
	free(f->ca_file);
	free(f);
}

static struct line take_line(struct ftp *f)
{
	struct line l = {0};

	pthread_mutex_lock(&f->lock);
	if (f->nidle > 0)
		l = f->idle[--f->nidle];
	pthread_mutex_unlock(&f->lock);
	if (l.curl == NULL) {
		l.curl = mem_checked(f->wire->easy_init());
		l.multi = mem_checked(f->wire->multi_init());
	}
	return l;
}

static void give_line(struct ftp *f, struct line l)
{
	bool kept;

	f->wire->easy_reset(l.curl);
	pthread_mutex_lock(&f->lock);
	kept = f->nidle < IDLE_MAX;
	if (kept)
		f->idle[f->nidle++] = l;
	pthread_mutex_unlock(&f->lock);
	if (!kept)
		line_free(f, l);
}

/*
 * What easy_perform does, but never asleep for long: libcurl 7.88 waits for the
 * one of an FTP transfer's two sockets that has nothing to say.
 */
static CURLcode perform(struct ftp *f, struct line l)
{
	CURLcode rc = CURLE_FAILED_INIT;
	int running = 1, left;
	CURLMsg *m;

	if (f->wire->multi_add_handle(l.multi, l.curl) != CURLM_OK)
		return rc;
	while (f->wire->multi_perform(l.multi, &running) == CURLM_OK && running > 0)
		f->wire->multi_poll(l.multi, NULL, 0, POLL_MS, NULL);
	while ((m = f->wire->multi_info_read(l.multi, &left)) != NULL)
		if (m->msg == CURLMSG_DONE)
			rc = m->data.result;
	f->wire->multi_remove_handle(l.multi, l.curl);
	return rc;
}

/* ---- What libcurl calls. */

static size_t on_send(char *out, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t left = t->call->body.n - t->sent, room = size * n;
	size_t k = left < room ? left : room;

	if (k > 0)
		memcpy(out, t->call->body.p + t->sent, k);
	t->sent += k;
	return k;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct transfer *t = arg;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->call->body.n)
		return CURL_SEEKFUNC_FAIL;
	t->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/*
 * A range of FTP has no end: once there is enough the transfer is broken off,
 * which costs the connection, but not where the file ends there too.
 */
static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct ftp_call *c = t->call;
	size_t k = size * n, room;

	if (c->op == FTP_GET) {
		room = c->into_n - c->got;
		t->enough = k > room;
		if (k > room)
			k = room;
		memcpy(c->into + c->got, p, k);
		c->got += k;
		return t->enough ? 0 : k;
	}
	if (c->op != FTP_LIST)
		return k;
	t->too_long = k > LISTING_MAX - c->listing->n;
	if (t->too_long)
		return 0;
	buf_put(c->listing, p, k);
	return k;
}

/* What the server says on its control connection, line by line. */
static size_t on_reply(char *p, size_t size, size_t n, void *arg)
{
	struct ftp_call *c = ((struct transfer *)arg)->call;
	size_t k = size * n, shown = 0;

	for (size_t i = 0; i < k && shown < sizeof c->reply - 1; i++)
		if (p[i] >= 0x20 && p[i] < 0x7f)
			c->reply[shown++] = p[i];
	c->reply[shown] = '\0';
	return k;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct transfer *t = arg;

	(void)a, (void)b, (void)c, (void)d;
	return t->ftp->ctx && ctx_cancelled(t->ftp->ctx);
}

/* ---- What went wrong. */

static int by_code(struct ftp_call *c, const char *text, struct err *e)
{
	if (c->op == FTP_LIST && c->code == 450) /* proftpd, of what is not there */
		return err_set(e, ERR_ABSENT, "the server answered 450: %s", text);
	switch (c->code) {
	case 452:
	case 552:
		err_set(
		    e, ERR_NO_SPACE, "the server answered %ld: its disk or quota is full", c->code);
		return err_hint(e, "make room there, or `holdfast prune`");
	case 530:
	case 532:
		err_set(e, ERR_DENIED, "the server answered %ld: not logged in", c->code);
		return err_hint(e, "are the user in the URL and HOLDFAST_FTP_PASSWORD right?");
	case 500:
	case 502:
	case 504:
		return err_set(e, ERR_UNSUPPORTED, "the server answered %ld: %s", c->code, text);
	case 550:
	case 551:
	case 553:
		if (c->op == FTP_COMMANDS || c->op == FTP_PUT)
			return err_set(e, ERR_FAILED, "the server answered %ld: %s", c->code, text);
		return err_set(e, ERR_ABSENT, "the server answered %ld: %s", c->code, text);
	default:
		return err_set(e, ERR_UNREACHABLE, "%s", text);
	}
}

static int explain(struct transfer *t, CURLcode code, const char *detail, struct err *e)
{
	const char *text = *detail ? detail : t->ftp->wire->easy_strerror(code);

	switch (code) {
	case CURLE_ABORTED_BY_CALLBACK:
		return err_set(e, ERR_CANCELLED, "interrupted");
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(e, ERR_TIMEOUT, "%s", text);
	case CURLE_URL_MALFORMAT:
		return err_set(e, ERR_USAGE, "%s", text);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		err_set(e, ERR_DENIED, "certificate not accepted: %s", text);
		return err_hint(e,
		    "is this the right host, and its clock and ours right? A certificate "
		    "authority of your own is named by HOLDFAST_CA_FILE=FILE.pem");
	case CURLE_SSL_CACERT_BADFILE:
		return err_set(e, ERR_USAGE, "%s", text);
	case CURLE_USE_SSL_FAILED:
		err_set(e, ERR_DENIED, "the server does not offer TLS: %s", text);
		return err_hint(e,
		    "HOLDFAST_FTP_PLAIN=true sends password and data so that anybody on "
		    "the way can read them");
	case CURLE_COULDNT_RESOLVE_HOST:
		err_set(e, ERR_UNREACHABLE, "%s", text);
		return err_hint(e, "is the name right, and does this machine reach a name server?");
	case CURLE_REMOTE_DISK_FULL:
		t->call->code = 452;
		return by_code(t->call, text, e);
	case CURLE_LOGIN_DENIED:
		t->call->code = 530;
		return by_code(t->call, text, e);
	case CURLE_REMOTE_FILE_NOT_FOUND:
		t->call->code = 550;
		return by_code(t->call, text, e);
	case CURLE_BAD_DOWNLOAD_RESUME:
	case CURLE_RANGE_ERROR:
		return err_set(e, ERR_CORRUPT, "the object ends before");
	case CURLE_WRITE_ERROR:
		if (t->too_long)
			return err_set(e, ERR_CORRUPT, "more came than was asked for");
		return err_set(e, ERR_FAILED, "%s", text);
	default: /* refused by the server, or the connection's end */
		return by_code(t->call, text, e);
	}
}

/* ---- One command or transfer. */

static struct curl_slist *commands(struct ftp *f, const struct ftp_call *c)
{
	struct curl_slist *l = NULL;

	for (size_t i = 0; c->op == FTP_COMMANDS && i < 3 && c->commands[i]; i++)
		l = mem_checked(f->wire->slist_append(l, c->commands[i]));
	return l;
}

/* Who sends a byte a minute for ever is no better than who is silent. */
static long deadline(const struct ftp *f, const struct ftp_call *c)
{
	enum { SLOWEST = 4096, LISTING_EXPECTED = 1 << 20 };
	uint64_t bytes = c->body.n + c->into_n + (c->op == FTP_LIST ? LISTING_EXPECTED : 0);

	return f->deadline_ms + (long)(bytes * 1000 / SLOWEST);
}

static void set_common(struct transfer *t, CURL *c, char *detail)
{
	CURLcode (*set)(CURL *, CURLoption, ...) = t->ftp->wire->easy_setopt;
	struct ftp *f = t->ftp;

	set(c, CURLOPT_PROTOCOLS_STR, "ftp,ftps");
	/* One of HTTP would be told user and password in clear (ftp_proxy, all_proxy). */
	set(c, CURLOPT_PROXY, "");
	set(c, CURLOPT_NOSIGNAL, 1L);
	set(c, CURLOPT_USERNAME, f->user);
	set(c, CURLOPT_PASSWORD, f->password);
	set(c, CURLOPT_USE_SSL, (long)(f->plain ? CURLUSESSL_TRY : CURLUSESSL_ALL));
	/*
	 * Servers want the data connection to go on with the control connection's
	 * session, which in TLS 1.3 is one of many tickets, each used once.
	 */
	set(c, CURLOPT_SSLVERSION, (long)(CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2));
	set(c, CURLOPT_FTP_FILEMETHOD, (long)CURLFTPMETHOD_NOCWD);
	set(c, CURLOPT_FTP_SKIP_PASV_IP, 1L);
	set(c, CURLOPT_ERRORBUFFER, detail);
	set(c, CURLOPT_CONNECTTIMEOUT_MS, f->connect_ms);
	set(c, CURLOPT_TIMEOUT_MS, deadline(f, t->call));
	set(c, CURLOPT_SERVER_RESPONSE_TIMEOUT, f->stall_s);
	set(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	set(c, CURLOPT_LOW_SPEED_TIME, f->stall_s);
	set(c, CURLOPT_TCP_KEEPALIVE, 1L);
	if (f->ca_file)
		set(c, CURLOPT_CAINFO, f->ca_file);
	set(c, CURLOPT_NOPROGRESS, 0L);
	set(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	set(c, CURLOPT_XFERINFODATA, t);
	set(c, CURLOPT_WRITEFUNCTION, on_body);
	set(c, CURLOPT_WRITEDATA, t);
}

static void set_op(struct transfer *t, CURL *c, struct curl_slist *list)
{
	CURLcode (*set)(CURL *, CURLoption, ...) = t->ftp->wire->easy_setopt;
	struct ftp_call *call = t->call;

	switch (call->op) {
	case FTP_COMMANDS:
		set(c, CURLOPT_NOBODY, 1L);
		set(c, CURLOPT_QUOTE, list);
		break;
	case FTP_LOOK:
		set(c, CURLOPT_NOBODY, 1L);
		set(c, CURLOPT_FILETIME, 1L);
		break;
	case FTP_GET:
		set(c, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)call->off);
		break;
	case FTP_PUT:
		set(c, CURLOPT_UPLOAD, 1L);
		set(c, CURLOPT_READFUNCTION, on_send);
		set(c, CURLOPT_READDATA, t);
		set(c, CURLOPT_SEEKFUNCTION, on_seek);
		set(c, CURLOPT_SEEKDATA, t);
		set(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->body.n);
		if (call->resume)
			set(c, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)-1);
		break;
	case FTP_LIST:
		set(c, CURLOPT_CUSTOMREQUEST, call->commands[0]);
		set(c, CURLOPT_HEADERFUNCTION, on_reply);
		set(c, CURLOPT_HEADERDATA, t);
		break;
	}
}

static void learn(struct transfer *t, CURL *c)
{
	CURLcode (*get)(CURL *, CURLINFO, ...) = t->ftp->wire->easy_getinfo;
	curl_off_t size = -1, time = -1;

	get(c, CURLINFO_RESPONSE_CODE, &t->call->code);
	get(c, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	get(c, CURLINFO_FILETIME_T, &time);
	t->call->size = size;
	t->call->mtime_s = time;
}

/* What a person would call it; each is a few commands. */
static void count(struct ftp *f, const struct transfer *t)
{
	static const enum count_verb verbs[] = {[FTP_COMMANDS] = COUNT_POST,
	    [FTP_LOOK] = COUNT_HEAD,
	    [FTP_GET] = COUNT_GET,
	    [FTP_PUT] = COUNT_PUT,
	    [FTP_LIST] = COUNT_LIST};
	const struct ftp_call *c = t->call;
	enum count_verb v = verbs[c->op];

	if (c->op == FTP_COMMANDS && c->commands[0] && strncmp(c->commands[0], "DELE", 4) == 0)
		v = COUNT_DELETE;
	ctx_count(f->ctx, v, t->sent, c->op == FTP_LIST ? c->listing->n : c->got);
}

int ftp_do(struct ftp *f, struct ftp_call *call, struct err *e)
{
	struct transfer t = {.ftp = f, .call = call};
	struct curl_slist *list = commands(f, call);
	char detail[CURL_ERROR_SIZE] = "";
	struct buf url = {0};
	struct line l;
	CURLcode rc;

	if (ctx_check(f->ctx, e) == -1) {
		f->wire->slist_free_all(list);
		return -1;
	}
	call->got = 0;
	call->code = 0;
	call->reply[0] = '\0';
	buf_printf(&url, "%s", f->origin);
	if (call->op != FTP_COMMANDS)
		url_encode(&url, span_str(call->path), true);
	l = take_line(f);
	set_common(&t, l.curl, detail);
	set_op(&t, l.curl, list);
	f->wire->easy_setopt(l.curl, CURLOPT_URL, buf_cstr(&url));
	rc = perform(f, l);
	count(f, &t);
	learn(&t, l.curl);
	give_line(f, l);
	f->wire->slist_free_all(list);
	buf_fini(&url);
	if (rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && t.enough))
		return 0;
	return explain(&t, rc, detail, e);
}
