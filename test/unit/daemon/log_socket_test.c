/* log_socket: an open file goes over, whoever asks; what is no request does no harm. */
#include "unit/unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/log_socket.h"

struct host {
	unsigned pushed;
	bool refuse, stranger;
	char name[64], system[64], text[16];
	uid_t who;
};

static int push(void *arg, uid_t who, const char *system, const char *name, int fd,
    char outcome[LOG_OUTCOME_MAX], struct err *e)
{
	struct host *h = arg;
	ssize_t n = pread(fd, h->text, sizeof h->text - 1, 0);

	h->pushed++;
	h->who = who;
	h->text[n > 0 ? n : 0] = '\0';
	snprintf(h->name, sizeof h->name, "%s", name);
	snprintf(h->system, sizeof h->system, "%s", system ? system : "(none)");
	if (h->refuse) {
		err_set(e, ERR_DENIED, "no \"luck\"");
		return err_hint(e, "try again");
	}
	snprintf(outcome, LOG_OUTCOME_MAX, "stored");
	return 0;
}

static bool may(void *arg, uid_t who)
{
	struct host *h = arg;

	return !h->stranger && who == geteuid();
}

struct t {
	char dir[32], path[48], file[48];
	struct host host;
	struct log_server *server;
	int fd;
};

static void begin(struct t *t)
{
	struct log_socket_host host = {.arg = &t->host, .may = may, .push = push};
	struct err e;

	memset(t, 0, sizeof *t);
	strcpy(t->dir, "/tmp/hflsXXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->path, sizeof t->path, "%s/s", t->dir);
	snprintf(t->file, sizeof t->file, "%s/f", t->dir);
	t->fd = open(t->file, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(t->fd, "content", 7), 7);
	assert_int_equal(log_server_start(t->path, &host, &t->server, &e), 0);
}

static void end(struct t *t)
{
	log_server_stop(t->server);
	close(t->fd);
	unlink(t->file);
	assert_int_equal(rmdir(t->dir), 0); /* its socket went with it */
}

static void a_file_goes_over_and_the_answer_comes_back(void **state)
{
	char outcome[LOG_OUTCOME_MAX];
	struct err e;
	struct t t;

	begin(&t);
	assert_int_equal(log_socket_push(t.path, "orders", "N", t.fd, outcome, &e), 0);
	assert_string_equal(outcome, "stored");
	assert_string_equal(t.host.text, "content");
	assert_string_equal(t.host.system, "orders");
	assert_int_equal(t.host.who, geteuid());
	assert_int_equal(log_socket_push(t.path, NULL, "N", t.fd, outcome, &e), 0);
	assert_string_equal(t.host.system, "(none)");
	t.host.refuse = true;
	assert_int_equal(log_socket_push(t.path, NULL, "N", t.fd, outcome, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_string_equal(e.msg, "no \"luck\"");
	assert_string_equal(e.hint, "try again");
	end(&t);
	assert_int_equal(log_socket_push(t.path, NULL, "N", 0, outcome, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT); /* nobody is there: then it is done without */
}

/* A packet with so many descriptors; does an answer come? */
static bool send_raw(struct t *t, const void *p, size_t n, int fd, size_t fds)
{
	char room[CMSG_SPACE(8 * sizeof(int))] = {0}, answer[9000];
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct iovec v = {(void *)(uintptr_t)p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ssize_t got;

	strcpy(at.sun_path, t->path);
	assert_int_equal(connect(s, (struct sockaddr *)&at, sizeof at), 0);
	if (fds > 0) {
		struct cmsghdr *c;

		m.msg_control = room;
		m.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds * sizeof(int));
		for (size_t i = 0; i < fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
	}
	assert_true(sendmsg(s, &m, 0) >= 0);
	got = recv(s, answer, sizeof answer - 1, 0);
	close(s);
	answer[got > 0 ? got : 0] = '\0';
	return strstr(answer, "\"outcome\"") != NULL;
}

static void what_is_no_request_is_refused(void **state)
{
	static const char good[] = "{\"v\":1,\"file\":\"N\",\"system\":null}";
	static const char *const bad[] = {"", "{", "[]", "1", "{}", "{\"v\":2,\"file\":\"N\"}",
	    "{\"v\":1,\"file\":7}", "{\"v\":1,\"file\":\"N\",\"system\":[]}",
	    "{\"v\":1,\"file\":\"N\",\"file\":\"M\"}", "\xff\xfe"};
	char *large = mem_alloc(100000);
	int dir, pipes[2], write_only;
	struct t t;

	begin(&t);
	dir = open(t.dir, O_RDONLY | O_DIRECTORY);
	write_only = open(t.file, O_WRONLY);
	assert_int_equal(pipe(pipes), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(send_raw(&t, bad[i], strlen(bad[i]), t.fd, 1));
	assert_false(send_raw(&t, good, strlen(good), -1, 0));
	assert_false(send_raw(&t, good, strlen(good), dir, 1));
	assert_false(send_raw(&t, good, strlen(good), pipes[0], 1));
	assert_false(send_raw(&t, good, strlen(good), write_only, 1));
	memset(large, ' ', 100000);
	assert_false(send_raw(&t, large, 100000, t.fd, 1));
	assert_int_equal(t.host.pushed, 0);
	assert_true(send_raw(&t, good, strlen(good), t.fd, 1));
	assert_true(send_raw(&t, good, strlen(good), t.fd, 3)); /* the first counts */
	assert_int_equal(t.host.pushed, 2);
	close(dir);
	close(write_only);
	close(pipes[0]);
	close(pipes[1]);
	free(large);
	end(&t);
}

/* Who may nothing is not listened to, and silence takes but a part of the places. */
static void nobody_keeps_others_away(void **state)
{
	char outcome[LOG_OUTCOME_MAX];
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int silent[16];
	struct err e;
	struct t t;

	begin(&t);
	t.host.stranger = true;
	assert_int_equal(log_socket_push(t.path, NULL, "N", t.fd, outcome, &e), -1);
	assert_true(e.kind == ERR_DENIED && strstr(e.msg, "may not write") != NULL);
	assert_int_equal(t.host.pushed, 0);
	t.host.stranger = false;
	strcpy(at.sun_path, t.path);
	for (size_t i = 0; i < 16; i++) {
		silent[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(silent[i], (struct sockaddr *)&at, sizeof at), 0);
	}
	assert_int_equal(log_socket_push(t.path, NULL, "N", t.fd, outcome, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	for (size_t i = 0; i < 16; i++)
		close(silent[i]);
	while (log_socket_push(t.path, NULL, "N", t.fd, outcome, &e) == -1)
		assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(t.host.pushed, 1);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_goes_over_and_the_answer_comes_back),
	    cmocka_unit_test(what_is_no_request_is_refused),
	    cmocka_unit_test(nobody_keeps_others_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
