/* log_socket: see log_socket.h. */
#include "daemon/log_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"

enum {
	PACKET_MAX = 8192,
	BACKLOG = 64,
	CONNECTIONS_MAX = 32,
	OF_ONE_MAX = 16, /* of one user */
	PATIENCE_S = 5,  /* for a packet, which who connects has at hand */
	NAME_MAX_BYTES = 255,
};

struct log_server {
	struct log_socket_host host;
	char *path;
	int fd, wake[2];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	unsigned busy; /* under lock, as the next */
	uid_t busy_of[CONNECTIONS_MAX];
};

struct connection {
	struct log_server *server;
	int fd;
	uid_t who;
};

static int address(const char *path, struct sockaddr_un *out, struct err *e)
{
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof out->sun_path)
		return err_set(e, ERR_USAGE, "%s: too long for a socket's path", path);
	strcpy(out->sun_path, path);
	return 0;
}

/* ---- Packets. */

static int send_json(int fd, json_t *o, int pass, struct err *e)
{
	char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.room = {0}};
	struct iovec v = {text, text ? strlen(text) : 0};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	int rc;

	json_decref(o);
	if (text == NULL || v.iov_len > PACKET_MAX) {
		free(text);
		return err_set(e, ERR_USAGE, "the request is no text, or too long");
	}
	if (pass != -1) {
		struct cmsghdr *c;

		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof pass);
	}
	do
		rc = sendmsg(fd, &m, MSG_NOSIGNAL) == -1 ? -1 : 0;
	while (rc == -1 && errno == EINTR);
	free(text);
	return rc == 0 ? 0 : err_sys(e, "log.sock");
}

/* Every descriptor that came, whatever came with it: one is kept, others are closed. */
static int take_passed(struct msghdr *m)
{
	int kept = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len < CMSG_LEN(0))
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (kept == -1)
				kept = fd;
			else
				close(fd);
		}
	}
	return kept;
}

/* An object; `passed` is the caller's to close, -1 if none came.  NULL with *e. */
static json_t *receive_json(int fd, int *passed, struct err *e)
{
	char room[PACKET_MAX];
	union {
		char room[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec v = {room, sizeof room};
	struct msghdr m = {.msg_iov = &v,
	    .msg_iovlen = 1,
	    .msg_control = control.room,
	    .msg_controllen = sizeof control.room};
	json_t *o = NULL;
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	*passed = n == -1 ? -1 : take_passed(&m);
	if (n == -1)
		err_sys(e, "log.sock");
	else if (n == 0)
		err_set(e, ERR_UNREACHABLE, "log.sock: the other side has gone");
	else if (m.msg_flags & MSG_TRUNC)
		err_set(e, ERR_CORRUPT, "log.sock: a packet is too long");
	else if ((o = json_loadb(room, (size_t)n, JSON_REJECT_DUPLICATES, NULL)) == NULL ||
		 !json_is_object(o))
		err_set(e, ERR_CORRUPT, "log.sock: a packet is no JSON object");
	if (o != NULL && !json_is_object(o)) {
		json_decref(o);
		o = NULL;
	}
	return o;
}

/* ---- Who serves. */

static int serve(struct log_server *s, uid_t who, const json_t *o, int passed,
    char outcome[LOG_OUTCOME_MAX], struct err *e)
{
	const json_t *name = json_object_get(o, "file"), *system = json_object_get(o, "system");
	const char *text = json_string_value(name);
	struct stat st;

	if (json_integer_value(json_object_get(o, "v")) != 1 || text == NULL ||
	    json_string_length(name) > NAME_MAX_BYTES ||
	    json_string_length(system) > NAME_MAX_BYTES ||
	    (system != NULL && !json_is_string(system) && !json_is_null(system)))
		return err_set(e, ERR_USAGE, "log.sock: not a request that is known here");
	if (passed == -1 || os_fstat(passed, &st) == -1 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, "log.sock: no file came with the request");
	/* A kernel that lets nobody pass what he cannot read is not asked twice. */
	if ((fcntl(passed, F_GETFL) & O_ACCMODE) == O_WRONLY)
		return err_set(e, ERR_USAGE, "log.sock: the file cannot be read");
	return s->host.push(s->host.arg, who, json_string_value(system), text, passed, outcome, e);
}

static void send_error(int fd, const struct err *e)
{
	struct err ignored;

	send_json(fd,
	    json_pack("{s:{s:s,s:s,s:s}}", "error", "kind", err_info(e->kind)->name, "message",
		e->msg, "hint", e->hint),
	    -1, &ignored);
}

static void leave(struct log_server *s, uid_t who)
{
	unsigned i = 0;

	pthread_mutex_lock(&s->lock);
	while (s->busy_of[i] != who)
		i++;
	s->busy_of[i] = s->busy_of[--s->busy];
	pthread_cond_broadcast(&s->change);
	pthread_mutex_unlock(&s->lock);
}

static void *connection_main(void *arg)
{
	struct connection *c = arg;
	struct log_server *s = c->server;
	char outcome[LOG_OUTCOME_MAX] = "";
	struct err e, e2;
	int passed = -1;
	json_t *o;

	err_clear(&e);
	o = receive_json(c->fd, &passed, &e);
	if (o != NULL && serve(s, c->who, o, passed, outcome, &e) == 0)
		send_json(c->fd, json_pack("{s:s}", "outcome", outcome), -1, &e2);
	else
		send_error(c->fd, &e);
	json_decref(o);
	os_close(passed);
	close(c->fd);
	leave(s, c->who);
	free(c);
	return NULL;
}

/* A place for one more of this user; false where he has enough of them. */
static bool enter(struct log_server *s, uid_t who)
{
	unsigned his = 0;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->busy; i++)
		his += s->busy_of[i] == who;
	while (his < OF_ONE_MAX && s->busy >= CONNECTIONS_MAX)
		pthread_cond_wait(&s->change, &s->lock);
	if (his < OF_ONE_MAX)
		s->busy_of[s->busy++] = who;
	pthread_mutex_unlock(&s->lock);
	return his < OF_ONE_MAX;
}

static int admit(struct log_server *s, int fd, uid_t *out, struct err *e)
{
	struct ucred who;
	socklen_t n = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == -1)
		return err_sys(e, "log.sock: who asks");
	if (!s->host.may(s->host.arg, who.uid)) {
		err_set(e, ERR_DENIED, "user %u may not write the log of any system",
		    (unsigned)who.uid);
		return err_hint(e, "the owner of its data directory may, and root");
	}
	if (!enter(s, who.uid)) {
		err_set(e, ERR_BUSY, "user %u has %d files under way already", (unsigned)who.uid,
		    OF_ONE_MAX);
		return err_hint(e, "it is offered again");
	}
	*out = who.uid;
	return 0;
}

/* What came is taken, unread: who asks would otherwise see a broken connection, not the answer. */
static void refuse(int fd, const struct err *e)
{
	char room[64];

	send_error(fd, e);
	shutdown(fd, SHUT_RDWR);
	for (int i = 0; i < BACKLOG && recv(fd, room, sizeof room, MSG_DONTWAIT) > 0; i++)
		;
	close(fd);
}

static void begin(struct log_server *s, int fd)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct connection *c;
	pthread_attr_t attr;
	pthread_t thread;
	struct err e;
	uid_t who = 0;

	/* Who connects and says nothing holds a place for no longer than that. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (admit(s, fd, &who, &e) == -1) {
		refuse(fd, &e);
		return;
	}
	c = mem_alloc(sizeof *c);
	*c = (struct connection){s, fd, who};
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, connection_main, c) != 0)
		connection_main(c); /* then one after the other */
	pthread_attr_destroy(&attr);
}

static void *accept_main(void *arg)
{
	struct log_server *s = arg;

	for (;;) {
		struct pollfd p[2] = {{s->fd, POLLIN, 0}, {s->wake[0], POLLIN, 0}};
		int fd;

		if (poll(p, 2, -1) == -1 && errno != EINTR)
			return NULL;
		if (p[1].revents)
			return NULL;
		fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd != -1)
			begin(s, fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
			poll(NULL, 0, 100); /* somebody else's will be closed */
	}
}

/* Its name is there only when it can be connected to by everybody. */
static int bind_at(int fd, const char *path, struct err *e)
{
	char *temp = mem_printf("%s.new", path);
	struct sockaddr_un at;
	int rc = address(temp, &at, e);

	if (rc == 0) {
		unlink(temp);
		if (bind(fd, (struct sockaddr *)&at, sizeof at) == -1 || chmod(temp, 0666) == -1 ||
		    listen(fd, BACKLOG) == -1 || rename(temp, path) == -1)
			rc = err_sys(e, "%s", path);
		if (rc == -1)
			unlink(temp);
	}
	free(temp);
	return rc;
}

int log_server_start(
    const char *path, const struct log_socket_host *host, struct log_server **out, struct err *e)
{
	struct log_server *s = mem_zalloc(sizeof *s);
	int rc;

	*s = (struct log_server){.host = *host, .path = mem_strdup(path), .wake = {-1, -1}};
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->change, NULL);
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = s->fd == -1 || pipe2(s->wake, O_CLOEXEC) == -1 ? err_sys(e, "log.sock")
							    : bind_at(s->fd, path, e);
	if (rc == 0 && pthread_create(&s->thread, NULL, accept_main, s) != 0)
		rc = err_set(e, ERR_FAILED, "log.sock: no thread can be had");
	if (rc == 0) {
		*out = s;
		return 0;
	}
	os_close(s->fd);
	os_close(s->wake[0]);
	os_close(s->wake[1]);
	free(s->path);
	free(s);
	return -1;
}

void log_server_stop(struct log_server *s)
{
	if (s == NULL)
		return;
	(void)!os_write_all(s->wake[1], "x", 1);
	pthread_join(s->thread, NULL);
	unlink(s->path);
	close(s->fd);
	pthread_mutex_lock(&s->lock);
	while (s->busy > 0)
		pthread_cond_wait(&s->change, &s->lock);
	pthread_mutex_unlock(&s->lock);
	close(s->wake[0]);
	close(s->wake[1]);
	pthread_cond_destroy(&s->change);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
}

/* ---- Who asks. */

static int take_answer(const json_t *o, char outcome[LOG_OUTCOME_MAX], struct err *e)
{
	const char *text = json_string_value(json_object_get(o, "outcome"));
	const json_t *error = json_object_get(o, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *hint = json_string_value(json_object_get(error, "hint"));
	size_t n;

	if (text != NULL) {
		n = strlen(text) < LOG_OUTCOME_MAX ? strlen(text) : LOG_OUTCOME_MAX - 1;
		memcpy(outcome, text, n);
		outcome[n] = '\0';
		return 0;
	}
	err_set(e, err_kind_of(json_string_value(json_object_get(error, "kind"))), "%s",
	    message ? message : "log.sock: an answer that is not understood");
	if (hint != NULL && hint[0] != '\0')
		err_hint(e, "%s", hint);
	return -1;
}

int log_socket_push(const char *path, const char *system, const char *name, int fd,
    char outcome[LOG_OUTCOME_MAX], struct err *e)
{
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), passed = -1, rc = -1;
	struct sockaddr_un at;
	json_t *o;

	if (s == -1)
		return err_sys(e, "log.sock");
	if (address(path, &at, e) == -1)
		goto out;
	if (connect(s, (struct sockaddr *)&at, sizeof at) == -1) {
		int no = errno;

		err_sys(e, "%s", path);
		if (no == ENOENT || no == ECONNREFUSED || no == ENOTDIR)
			e->kind = ERR_ABSENT;
		goto out;
	}
	o = json_pack("{s:i,s:s,s:s?}", "v", 1, "file", name, "system", system);
	if (o == NULL) {
		err_set(e, ERR_USAGE, "the file's name is no text");
		goto out;
	}
	/* Who is refused unheard has an answer all the same. */
	(void)send_json(s, o, fd, e);
	if ((o = receive_json(s, &passed, e)) == NULL)
		goto out;
	rc = take_answer(o, outcome, e);
	json_decref(o);
out:
	os_close(passed);
	close(s);
	return rc;
}
