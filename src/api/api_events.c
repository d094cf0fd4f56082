/*
 * api_events: server-sent events: what is recorded in the catalog, each with its id, and what the
 * daemon publishes (progress), without one (api_internal.h).
 *
 * A stream that has nothing to tell is suspended; the pump wakes it when something happened, and
 * for a comment now and then, by which a client that is gone is noticed.  No stream holds more
 * than a page of events: a slow one reads on where it stopped, from the catalog; of what was
 * published it misses what the ring has lost.
 */
#include <poll.h>
#include <stdlib.h>

#include "api/api_internal.h"
#include "base/calendar.h"
#include "base/mem.h"
#include "catalog/catalog.h"

enum { PAGE = 100, BLOCK = 16384 };
#define ALIVE_NS (15 * CALENDAR_SECOND)

struct api_stream {
	struct api *api;
	struct MHD_Connection *c;
	struct api_stream *next, **link;
	char by[96];
	int64_t last_id; /* of the catalog's events that were told */
	uint64_t seq;    /* of those published */
	int64_t alive_ns;
	int fd;
	bool suspended, gone;
	struct buf out; /* to be sent, from `sent` */
	size_t sent;
};

static int put_event(void *to, const struct catalog_event *ev, struct err *e)
{
	struct api_stream *s = to;
	json_t *j = shape_json(&shape_event, ev);
	char *text = mem_checked(json_dumps(j, JSON_COMPACT));

	/* The name is ours, but a catalog may be damaged: no line of the stream is forged. */
	buf_printf(&s->out, "id: %lld\nevent: ", (long long)ev->id);
	for (const char *p = ev->name ? ev->name : "event"; *p; p++)
		buf_put_u8(&s->out, *p > ' ' && *p < 0x7f ? (uint8_t)*p : '?');
	buf_printf(&s->out, "\ndata: %s\n\n", text);
	s->last_id = ev->id;
	free(text);
	json_decref(j);
	return 0;
}

static int newest(void *to, const struct catalog_event *ev, struct err *e)
{
	*(int64_t *)to = ev->id;
	return 0;
}

static int newest_id(struct api *a, int64_t *id, struct err *e)
{
	struct catalog *k = api_pool_take(a, e);
	int rc;

	*id = 0;
	if (k == NULL)
		return -1;
	rc = catalog_event_list(k, 0, NULL, 1, newest, id, e);
	api_pool_give(a, k, rc == 0);
	return rc;
}

/* What is recorded since; -1: the catalog is away, and the stream ends. */
static int take_recorded(struct api_stream *s)
{
	struct err e = {0};
	struct catalog *k = api_pool_take(s->api, &e);
	int rc = -1;

	if (k != NULL) {
		/* Behind 0 are all of them, and not the newest. */
		rc = catalog_event_list(
		    k, s->last_id ? s->last_id : -1, NULL, PAGE, put_event, s, &e);
		api_pool_give(s->api, k, rc == 0);
	}
	if (rc == -1)
		api_log(s->api, EVENT_ERROR, "events: %s", e.msg);
	return rc;
}

/* With the lock held. */
static void take_published(struct api_stream *s)
{
	struct api *a = s->api;

	if (a->seq - s->seq > API_RING)
		s->seq = a->seq - API_RING;
	while (s->seq < a->seq)
		buf_printf(&s->out, "%s", a->ring[++s->seq % API_RING].text);
}

/* Something into s->out, or suspend it.  -1: it ends. */
static int fill(struct api_stream *s)
{
	struct api *a = s->api;
	int64_t now = a->clock->mono_ns(a->clock);
	bool recorded, end;

	buf_reset(&s->out);
	s->sent = 0;
	pthread_mutex_lock(&a->lock);
	if (a->newest_event < s->last_id) /* the catalog was made anew */
		s->last_id = a->newest_event;
	recorded = a->newest_event > s->last_id;
	take_published(s);
	if (s->out.n == 0 && !recorded && now >= s->alive_ns)
		buf_printf(&s->out, ": alive\n\n");
	end = a->stopping || s->gone;
	if (s->out.n == 0 && !recorded && !end) {
		s->suspended = true;
		a->mhd->suspend_connection(s->c);
	}
	pthread_mutex_unlock(&a->lock);
	if (recorded && take_recorded(s) == -1)
		return -1;
	if (s->out.n > 0)
		s->alive_ns = now + ALIVE_NS;
	return end ? -1 : 0;
}

static ssize_t read_stream(void *stream, uint64_t pos, char *out, size_t max)
{
	struct api_stream *s = stream;
	size_t n;

	if (s->sent == s->out.n && fill(s) == -1)
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = s->out.n - s->sent < max ? s->out.n - s->sent : max;
	if (n > 0)
		memcpy(out, s->out.p + s->sent, n);
	s->sent += n;
	return (ssize_t)n;
}

static void end_stream(void *stream)
{
	struct api_stream *s = stream;
	struct api *a = s->api;

	pthread_mutex_lock(&a->lock);
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	pthread_mutex_unlock(&a->lock);
	a->counters.streams--;
	buf_fini(&s->out);
	free(s);
}

/* Is there room for one more, of them all and of his? */
static bool add(struct api *a, struct api_stream *s)
{
	unsigned all = 0, his = 0;

	pthread_mutex_lock(&a->lock);
	for (struct api_stream *x = a->streams; x != NULL; x = x->next) {
		all++;
		his += strcmp(x->by, s->by) == 0;
	}
	if (all >= API_STREAMS_MAX || his >= API_STREAMS_OF_ONE) {
		pthread_mutex_unlock(&a->lock);
		return false;
	}
	s->seq = a->seq;
	if (a->newest_event < s->last_id)
		a->newest_event = s->last_id;
	s->next = a->streams;
	s->link = &a->streams;
	if (s->next != NULL)
		s->next->link = &s->next;
	a->streams = s;
	a->woken = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	a->counters.streams++;
	return true;
}

struct MHD_Response *api_events_response(struct api *a, struct MHD_Connection *c,
    const struct api_who *who, const char *after, struct err *e)
{
	struct MHD_Response *r;
	struct api_stream *s;
	int64_t now_id, id = after ? api_uri_number(after) : 0;

	if (after != NULL && id == 0) {
		err_set(e, ERR_USAGE, "Last-Event-ID: a number from 1");
		return NULL;
	}
	if (newest_id(a, &now_id, e) == -1)
		return NULL;
	s = mem_zalloc(sizeof *s);
	s->api = a;
	s->c = c;
	s->fd = a->mhd->get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	s->last_id = after != NULL && id < now_id ? id : now_id;
	snprintf(s->by, sizeof s->by, "%s", who->by);
	buf_printf(&s->out, "retry: 3000\n\n");
	s->alive_ns = a->clock->mono_ns(a->clock) + ALIVE_NS;
	if (!add(a, s)) {
		buf_fini(&s->out);
		free(s);
		err_set(e, ERR_BUSY, "too many listen to events already");
		return NULL;
	}
	r = a->mhd->create_response_from_callback(
	    MHD_SIZE_UNKNOWN, BLOCK, read_stream, s, end_stream);
	if (r == NULL) {
		end_stream(s);
		err_set(e, ERR_FAILED, "libmicrohttpd gives no response");
	}
	return r;
}

/* Nobody reads from one that is suspended: that its client left has to be asked for. */
static bool left(const struct api_stream *s)
{
	struct pollfd p = {s->fd, POLLRDHUP, 0};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* With the lock held: those that may have something to tell. */
static void resume(struct api *a, bool all)
{
	int64_t now = a->clock->mono_ns(a->clock);

	for (struct api_stream *s = a->streams; s != NULL; s = s->next) {
		if (!s->suspended)
			continue;
		s->gone = left(s);
		if (!all && !s->gone && now < s->alive_ns && a->newest_event == s->last_id &&
		    s->seq == a->seq)
			continue;
		s->suspended = false;
		a->mhd->resume_connection(s->c);
	}
}

void api_events_pump(struct api *a)
{
	struct err e = {0};
	int64_t id;

	if (a->counters.streams == 0)
		return;
	if (newest_id(a, &id, &e) == -1) {
		api_log(a, EVENT_ERROR, "events: %s", e.msg);
		return;
	}
	pthread_mutex_lock(&a->lock);
	a->newest_event = id;
	resume(a, false);
	pthread_mutex_unlock(&a->lock);
}

void api_events_stop(struct api *a)
{
	pthread_mutex_lock(&a->lock);
	a->stopping = true;
	resume(a, true);
	pthread_mutex_unlock(&a->lock);
}

void api_events_fini(struct api *a)
{
	for (size_t i = 0; i < API_RING; i++)
		free(a->ring[i].text);
}

void api_publish(struct api *a, const char *event, json_t *data)
{
	char *text = mem_checked(json_dumps(data, JSON_COMPACT));

	json_decref(data);
	pthread_mutex_lock(&a->lock);
	if (a->streams != NULL) {
		char **slot = &a->ring[++a->seq % API_RING].text;

		free(*slot);
		*slot = mem_printf("event: %s\ndata: %s\n\n", event, text);
		resume(a, false);
	}
	pthread_mutex_unlock(&a->lock);
	free(text);
}
