/*
 * A server of the test's own for drivers over HTTP: it answers what the test
 * says, and remembers what it was asked.  One connection at a time, one request
 * on each; no more than tests need.
 */
#ifndef HF_TEST_WEB_SERVER_H
#define HF_TEST_WEB_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "store_dir.h"

struct web_asked {
	char method[16];
	char target[2048]; /* path and query */
	struct buf head;   /* the request's header as it came, lower case */
	struct buf body;
};

struct web_reply {
	int status;
	char headers[512]; /* "name: value\r\n" each */
	struct buf body;
	size_t cut; /* so many bytes of the body are told and not sent */
};

struct web_server {
	int fd;
	char endpoint[40]; /* "http://127.0.0.1:PORT" */
	pthread_t thread;
	void (*answer)(void *arg, const struct web_asked *q, struct web_reply *r);
	void *arg;
	_Atomic int asked;
};

static inline bool web_asked_has(const struct web_asked *q, const char *header)
{
	return strstr((const char *)q->head.p, header) != NULL;
}

static inline void web_say(struct web_reply *r, int status, const char *body)
{
	r->status = status;
	buf_put_span(&r->body, span_str(body));
}

/* All of a request; false: there was none. */
static inline bool web_read(int c, struct web_asked *q)
{
	static const char end[] = "\r\n\r\n", length[] = "\r\ncontent-length: ";
	char piece[65536], *at;
	size_t head = 0, want = 0;
	ssize_t n;

	while (head == 0 || q->body.n < want) {
		if ((n = recv(c, piece, sizeof piece, 0)) <= 0)
			return false;
		buf_put(head ? &q->body : &q->head, piece, (size_t)n);
		if (head || (at = memmem(q->head.p, q->head.n, end, 4)) == NULL)
			continue;
		head = (size_t)(at - (char *)q->head.p) + 4;
		buf_put(&q->body, q->head.p + head, q->head.n - head);
		q->head.p[head - 1] = '\0';
		sscanf((char *)q->head.p, "%15s %2047s", q->method, q->target);
		for (char *s = (char *)q->head.p; *s; s++)
			*s = *s >= 'A' && *s <= 'Z' ? (char)(*s + 'a' - 'A') : *s;
		if ((at = strstr((char *)q->head.p, length)))
			want = strtoul(at + sizeof length - 1, NULL, 10);
	}
	return true;
}

static inline void web_write(int c, const struct web_asked *q, const struct web_reply *r)
{
	struct buf b = {0};

	buf_printf(&b, "HTTP/1.1 %d x\r\ncontent-length: %zu\r\nconnection: close\r\n%s\r\n",
	    r->status, r->body.n, r->headers);
	if (strcmp(q->method, "HEAD") != 0)
		buf_put(&b, r->body.p, r->body.n - r->cut);
	for (size_t at = 0; at < b.n;) {
		ssize_t n = send(c, b.p + at, b.n - at, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	buf_fini(&b);
}

static inline void *web_serve(void *arg)
{
	struct web_server *w = arg;
	int c;

	while ((c = accept(w->fd, NULL, NULL)) != -1) {
		struct web_asked q = {0};
		struct web_reply r = {.status = 200};

		if (web_read(c, &q)) {
			w->asked++;
			w->answer(w->arg, &q, &r);
			web_write(c, &q, &r);
		}
		close(c);
		buf_fini(&q.head);
		buf_fini(&q.body);
		buf_fini(&r.body);
	}
	return NULL;
}

static inline void web_start(struct web_server *w,
    void (*answer)(void *arg, const struct web_asked *q, struct web_reply *r), void *arg)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;

	memset(w, 0, sizeof *w);
	w->answer = answer;
	w->arg = arg;
	w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(w->fd != -1 && bind(w->fd, (struct sockaddr *)&a, n) == 0);
	assert_true(listen(w->fd, 64) == 0 && getsockname(w->fd, (struct sockaddr *)&a, &n) == 0);
	snprintf(w->endpoint, sizeof w->endpoint, "http://127.0.0.1:%d", ntohs(a.sin_port));
	assert_int_equal(pthread_create(&w->thread, NULL, web_serve, w), 0);
}

static inline void web_stop(struct web_server *w)
{
	shutdown(w->fd, SHUT_RDWR); /* ends accept */
	pthread_join(w->thread, NULL);
	close(w->fd);
}

#endif
