/*
 * api_conn: connections, and who is too slow (api_internal.h).
 *
 * libmicrohttpd closes one that is silent; a client that sends a byte now and then would hold its
 * place for ever.  So each has a deadline for its whole request, and one for taking the answer.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "api/api_internal.h"
#include "base/mem.h"

static void add(struct api_listener *l, struct MHD_Connection *c, void **context)
{
	struct api *a = l->api;
	struct api_conn *x = mem_zalloc(sizeof *x);

	x->listener = l;
	x->fd = a->mhd->get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	x->since_ns = a->clock->mono_ns(a->clock);
	pthread_mutex_lock(&a->conns_lock);
	x->next = a->conns;
	x->link = &a->conns;
	if (x->next != NULL)
		x->next->link = &x->next;
	a->conns = x;
	pthread_mutex_unlock(&a->conns_lock);
	a->counters.connections++;
	*context = x;
}

void api_conn_notify(void *listener, struct MHD_Connection *c, void **context,
    enum MHD_ConnectionNotificationCode what)
{
	struct api_listener *l = listener;
	struct api_conn *x = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		add(l, c, context);
		return;
	}
	if (x == NULL)
		return;
	pthread_mutex_lock(&l->api->conns_lock);
	*x->link = x->next;
	if (x->next != NULL)
		x->next->link = x->link;
	pthread_mutex_unlock(&l->api->conns_lock);
	l->api->counters.connections--;
	free(x);
	*context = NULL;
}

struct api_conn *api_conn_of(struct api *a, struct MHD_Connection *c)
{
	return a->mhd->get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void api_conn_set(struct api *a, struct api_conn *c, enum api_conn_state state)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&a->conns_lock);
	c->state = state;
	c->since_ns = a->clock->mono_ns(a->clock);
	pthread_mutex_unlock(&a->conns_lock);
}

/* It belongs to another thread, which sees the end of it and closes it. */
static void cut(struct api *a, struct api_conn *c)
{
	static const char late[] = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"
				   "content-length: 0\r\n\r\n";

	/* Nothing of ours is on its way to who has not finished asking. */
	if (c->state == CONN_READING && !c->listener->tls)
		send(c->fd, late, sizeof late - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(c->fd, SHUT_RDWR);
	c->cut = true;
	a->counters.slow++;
}

void api_conn_cut_slow(struct api *a)
{
	int64_t now = a->clock->mono_ns(a->clock);
	unsigned n = 0;

	pthread_mutex_lock(&a->conns_lock);
	for (struct api_conn *c = a->conns; c != NULL; c = c->next) {
		int64_t may = c->state == CONN_READING ? a->p.request_ns : a->p.answer_ns;

		if (c->cut || c->state == CONN_STREAMING || now - c->since_ns <= may)
			continue;
		cut(a, c);
		n++;
	}
	pthread_mutex_unlock(&a->conns_lock);
	if (n > 0)
		api_log(a, EVENT_WARN, "closed=%u reason=slow", n);
}

bool api_conn_busy(struct api *a)
{
	bool busy = false;

	pthread_mutex_lock(&a->conns_lock);
	for (struct api_conn *c = a->conns; c != NULL; c = c->next)
		busy |= c->state == CONN_ANSWERING;
	pthread_mutex_unlock(&a->conns_lock);
	return busy;
}
