/* api_server: start and stop (api.h). */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "catalog/evidence_watch.h"
#include "config/secret_ref.h"
#include "crypto/secret.h"
#include "os/os.h"

enum { TICK_MS = 250, DRAIN_MS = 1000, TLS_FILE_MAX = 1 << 20 };

static void log_line(struct api *a, enum event_level level, const char *fmt, va_list ap)
{
	char line[1200];
	unsigned wait;

	if (a->host.log == NULL)
		return;
	/* Whoever wants to fill the log from outside gets ten lines a second of it. */
	if (level == EVENT_WARN &&
	    !api_limit_take(a->logged, span_str("log"), a->clock->mono_ns(a->clock), &wait))
		return;
	vsnprintf(line, sizeof line, fmt, ap);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	a->host.log(a->host.arg, level, line);
}

void api_log(struct api *a, enum event_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(a, level, fmt, ap);
	va_end(ap);
}

/* Of libmicrohttpd itself: what it refused before it came to us. */
static void mhd_log(void *api, const char *fmt, va_list ap)
{
	log_line(api, EVENT_WARN, fmt, ap);
}

/* ---- The pump: what happens without a request. */

static void *pump_main(void *api)
{
	struct api *a = api;

	pthread_mutex_lock(&a->lock);
	while (!a->stopping) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += TICK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		if (!a->woken)
			pthread_cond_timedwait(&a->wake, &a->lock, &until);
		a->woken = false;
		pthread_mutex_unlock(&a->lock);
		api_conn_cut_slow(a);
		api_events_pump(a);
		pthread_mutex_lock(&a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

void api_wake(struct api *a)
{
	pthread_mutex_lock(&a->lock);
	a->woken = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
}

/* ---- Listeners. */

static int tls_texts(const struct api_params *p, struct buf *cert, char **key, struct err *e)
{
	size_t n;

	if (os_read_file(p->tls_cert, TLS_FILE_MAX, cert, e) == -1 ||
	    secret_ref_read(p->tls_key, key, &n, e) == -1)
		return err_wrap(e, "server.tls");
	return 0;
}

static int start_mhd(
    struct api_listener *l, int fd, const char *cert, const char *key, struct err *e)
{
	struct api *a = l->api;
	unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			 MHD_USE_ERROR_LOG | (key ? MHD_USE_TLS : 0);
	struct MHD_OptionItem options[] = {
	    {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)mhd_log, a},
	    {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
	    {MHD_OPTION_CONNECTION_MEMORY_LIMIT, API_HEADERS_MAX, NULL},
	    {MHD_OPTION_CONNECTION_LIMIT, API_CONNECTIONS_MAX, NULL},
	    {MHD_OPTION_PER_IP_CONNECTION_LIMIT, l->local ? 0 : API_PEER_MAX, NULL},
	    {MHD_OPTION_CONNECTION_TIMEOUT, API_IDLE_S, NULL},
	    {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
	    {MHD_OPTION_THREAD_POOL_SIZE, a->p.threads > 1 ? a->p.threads : 0, NULL},
	    {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)api_answer_begin, l},
	    {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)api_answer_end, l},
	    {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)api_conn_notify, l},
	    {key ? MHD_OPTION_HTTPS_MEM_KEY : MHD_OPTION_END, 0, (void *)key},
	    {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)cert},
	    {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
	    {MHD_OPTION_END, 0, NULL},
	};

	l->tls = key != NULL;
	l->mhd = a->mhd->start_daemon(
	    flags, 0, NULL, NULL, api_answer, l, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (l->mhd != NULL)
		return 0;
	os_close(fd);
	err_set(e, ERR_FAILED, "libmicrohttpd does not start%s",
	    key ? ": is the certificate right, and its key?" : "");
	return -1;
}

static int start_local(struct api *a, struct err *e)
{
	int fd;

	if (a->p.socket == NULL)
		return 0;
	a->socket = (struct api_listener){.api = a, .local = true};
	fd = api_listen_local(&a->p, e);
	return fd == -1 ? -1 : start_mhd(&a->socket, fd, NULL, NULL, e);
}

/* Beyond this host nobody may read along, or come in unasked. */
static int may_listen(struct api *a, struct err *e)
{
	char *path = mem_printf("%s/tokens.json", a->p.state_dir);
	struct api_tokens t = {0};
	size_t n = 0;
	int rc = api_tokens_load(path, &t, e);

	n = t.n;
	api_tokens_fini(&t);
	free(path);
	if (rc == -1)
		return -1;
	if (a->p.tls_cert == NULL) {
		err_set(
		    e, ERR_USAGE, "server: %s is not loopback, and there is no tls", a->p.listen);
		return err_hint(e, "declare server.tls, or listen at 127.0.0.1");
	}
	if (n == 0) {
		err_set(
		    e, ERR_USAGE, "server: %s is not loopback, and there is no token", a->p.listen);
		return err_hint(e, "holdfast token add NAME --scope viewer");
	}
	return 0;
}

static int start_tcp(struct api *a, struct err *e)
{
	struct api_listener *l = &a->tcp;
	struct buf cert = {0};
	char *key = NULL;
	int fd, rc = -1;

	if (a->p.listen == NULL)
		return 0;
	*l = (struct api_listener){.api = a};
	fd = api_listen_tcp(a->p.listen, &l->loopback, &l->port, e);
	if (fd == -1)
		return err_wrap(e, "server.listen");
	if ((!l->loopback && may_listen(a, e) == -1) ||
	    (a->p.tls_cert && tls_texts(&a->p, &cert, &key, e) == -1))
		os_close(fd);
	else
		rc = start_mhd(l, fd, key ? buf_cstr(&cert) : NULL, key, e);
	secret_free(key);
	buf_fini(&cert);
	return rc;
}

/* ---- Start and stop. */

static struct api *api_new(const struct api_params *p, const struct api_host *host)
{
	struct api *a = mem_zalloc(sizeof *a);
	char *tokens = mem_printf("%s/tokens.json", p->state_dir);

	a->p = *p;
	a->host = *host;
	a->clock = p->clock ? p->clock : os_clock();
	a->started_ns = a->clock->wall_ns(a->clock);
	a->p.rate_limit = p->rate_limit ? p->rate_limit : 50;
	a->p.threads = p->threads ? p->threads : 4;
	a->p.request_ns = p->request_ns ? p->request_ns : INT64_C(30000000000);
	a->p.answer_ns = p->answer_ns ? p->answer_ns : INT64_C(120000000000);
	a->evidence = p->state_dir ? evidence_watch_new(p->state_dir, a->clock) : NULL;
	a->tokens = api_token_file_new(tokens);
	a->rate = api_limit_new(a->p.rate_limit, 2.0 * a->p.rate_limit);
	a->wrong = api_limit_new(1, 10);
	a->logged = api_limit_new(10, 100);
	pthread_mutex_init(&a->pool_lock, NULL);
	pthread_mutex_init(&a->conns_lock, NULL);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->wake, NULL);
	free(tokens);
	return a;
}

static int start_all(struct api *a, struct err *e)
{
	struct catalog *c = api_pool_take(a, e);

	if (c == NULL)
		return -1;
	api_pool_give(a, c, true);
	if (start_local(a, e) == -1 || start_tcp(a, e) == -1)
		return -1;
	if (pthread_create(&a->pump, NULL, pump_main, a) != 0)
		return err_set(e, ERR_FAILED, "no thread");
	a->pumping = true;
	return 0;
}

int api_start(
    const struct api_params *p, const struct api_host *host, struct api **out, struct err *e)
{
	const struct api_mhd *mhd = api_mhd_open(e);
	sigset_t all, before;
	int rc;

	*out = NULL;
	if (mhd == NULL)
		return -1;
	*out = api_new(p, host);
	(*out)->mhd = mhd;
	/* Signals are the daemon's: no thread of ours takes one. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = start_all(*out, e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == -1) {
		api_stop(*out);
		*out = NULL;
	}
	return rc;
}

static void stop_accepting(struct api *a, struct api_listener *l)
{
	int fd = l->mhd ? a->mhd->quiesce_daemon(l->mhd) : -1;

	os_close(fd);
}

void api_stop(struct api *a)
{
	if (a == NULL)
		return;
	if (a->socket.mhd != NULL)
		unlink(a->p.socket);
	stop_accepting(a, &a->socket);
	stop_accepting(a, &a->tcp);
	api_events_stop(a);
	api_wake(a);
	if (a->pumping)
		pthread_join(a->pump, NULL);
	for (int ms = 0; ms < DRAIN_MS && api_conn_busy(a); ms += 10)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	if (a->socket.mhd != NULL)
		a->mhd->stop_daemon(a->socket.mhd);
	if (a->tcp.mhd != NULL)
		a->mhd->stop_daemon(a->tcp.mhd);
	api_events_fini(a);
	api_pool_fini(a);
	api_token_file_free(a->tokens);
	evidence_watch_free(a->evidence);
	api_limit_free(a->rate);
	api_limit_free(a->wrong);
	api_limit_free(a->logged);
	free(a);
}

unsigned api_port(const struct api *a)
{
	return a->tcp.port;
}
