/* api_client: what came is told, and that nobody is there is not a refusal. */
#include "unit/unit.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/api_client.h"

static char dir[64], path[96];

/* One connection: the request is kept, the answer sent. */
struct served {
	int fd;
	const char *answer;
	char request[2048];
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct served *s = arg;
	int fd = accept(s->fd, NULL, NULL);
	size_t n = 0;
	ssize_t got;

	while (n < sizeof s->request - 1 && strstr(s->request, "\r\n\r\n") == NULL &&
	       (got = read(fd, s->request + n, sizeof s->request - 1 - n)) > 0)
		n += (size_t)got;
	if (write(fd, s->answer, strlen(s->answer)) == -1)
		s->request[0] = '\0';
	close(fd);
	close(s->fd);
	return NULL;
}

static void start(struct served *s, const char *answer)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	memset(s, 0, sizeof *s);
	s->answer = answer;
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(at.sun_path, path);
	unlink(path);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/hf-client.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/api.sock", dir);
	return 0;
}

static int remove_dir(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static void where_nobody_listens_it_is_unreachable(void **state)
{
	struct api_answer a;
	struct served s;
	struct err e = {0};

	assert_int_equal(api_client_request(path, "GET", "/health", NULL, 0, &a, &e), -1);
	assert_int_equal(e.kind, ERR_UNREACHABLE);
	assert_string_not_equal(e.hint, "");
	/* A socket that its daemon left behind. */
	start(&s, "");
	shutdown(s.fd, SHUT_RDWR);
	pthread_join(s.thread, NULL);
	assert_int_equal(api_client_request(path, "GET", "/health", NULL, 0, &a, &e), -1);
	assert_int_equal(e.kind, ERR_UNREACHABLE);
}

static void an_answer_is_json_and_a_body_is_sent(void **state)
{
	json_t *body = json_pack("{s:s}", "kind", "backup");
	struct api_answer a;
	struct served s;
	struct err e = {0};

	start(&s, "HTTP/1.1 202 Accepted\r\ncontent-length: 12\r\n\r\n{\"schema\":1}");
	assert_int_equal(
	    api_client_request(path, "POST", "/api/v1/systems/a/run", body, 0, &a, &e), 0);
	pthread_join(s.thread, NULL);
	assert_int_equal(a.status, 202);
	assert_int_equal(json_integer_value(json_object_get(a.body, "schema")), 1);
	assert_int_equal(api_answer_check(&a, &e), 0);
	assert_memory_equal(s.request, "POST /api/v1/systems/a/run HTTP/1.1\r\n", 37);
	assert_non_null(strstr(s.request, "content-type: application/json"));
	api_answer_fini(&a);
	json_decref(body);
}

static void a_refusal_tells_its_kind_message_and_hint(void **state)
{
	static const struct {
		const char *answer;
		enum err_kind kind;
		const char *message, *hint;
	} rows[] = {
	    {"HTTP/1.1 404 x\r\n\r\n"
	     "{\"kind\":\"absent\",\"message\":\"no such\",\"hint\":\"look\"} ",
		ERR_ABSENT, "no such", "look"},
	    {"HTTP/1.1 403 x\r\n\r\n"
	     "{\"kind\":\"forbidden\",\"message\":\"no\"} ",
		ERR_DENIED, "no", ""},
	    {"HTTP/1.1 500 x\r\ncontent-length: 4\r\n\r\noops", ERR_FAILED,
		"the daemon answers 500", ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct api_answer a;
		struct served s;
		struct err e = {0};

		start(&s, rows[i].answer);
		assert_int_equal(api_client_request(path, "GET", "/", NULL, 0, &a, &e), 0);
		pthread_join(s.thread, NULL);
		assert_int_equal(api_answer_check(&a, &e), -1);
		assert_int_equal(e.kind, rows[i].kind);
		assert_string_equal(e.msg, rows[i].message);
		assert_string_equal(e.hint, rows[i].hint);
		api_answer_fini(&a);
	}
}

static void what_is_no_http_is_no_answer(void **state)
{
	struct api_answer a;
	struct served s;
	struct err e = {0};

	start(&s, "SSH-2.0-nonsense\r\n");
	assert_int_equal(api_client_request(path, "GET", "/", NULL, 0, &a, &e), -1);
	pthread_join(s.thread, NULL);
	assert_int_equal(e.kind, ERR_FAILED);
}

/* Ended before it answered, or within: it may come back, and a refusal it is not. */
static void one_that_hangs_up_is_unreachable(void **state)
{
	static const char *const rows[] = {"", "HTTP/1.1 200 x\r\ncontent-length: 99\r\n\r\n{"};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct api_answer a;
		struct served s;
		struct err e = {0};

		start(&s, rows[i]);
		assert_int_equal(api_client_request(path, "GET", "/", NULL, 0, &a, &e), -1);
		pthread_join(s.thread, NULL);
		assert_int_equal(e.kind, ERR_UNREACHABLE);
	}
}

static void when_to_come_again_is_told(void **state)
{
	struct api_answer a;
	struct served s;
	struct err e = {0};

	start(&s, "HTTP/1.1 429 x\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}");
	assert_int_equal(api_client_request(path, "GET", "/", NULL, 0, &a, &e), 0);
	pthread_join(s.thread, NULL);
	assert_int_equal(a.retry_s, 7);
	api_answer_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		where_nobody_listens_it_is_unreachable, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(
		an_answer_is_json_and_a_body_is_sent, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(
		a_refusal_tells_its_kind_message_and_hint, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(what_is_no_http_is_no_answer, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(one_that_hangs_up_is_unreachable, make_dir, remove_dir),
	    cmocka_unit_test_setup_teardown(when_to_come_again_is_told, make_dir, remove_dir),
	};

	return cmocka_run_group_tests_name("api_client", tests, NULL, NULL);
}
