/* The Azure driver before a server of the test's own: listings that could not end, or end too soon.
 */
#include "store/azure.h"
#include "store/store_options.h"
#include "web_server.h"

static struct ctx ctx;
static struct err e;

static struct service {
	const char *page; /* with one %s: where the marker goes */
	char marker[4096];
	int pages;
} service;

#define BLOB                                                                                       \
	"<Blob><Name>packs/a</Name><Properties>"                                                   \
	"<Last-Modified>Sat, 21 Nov 2026 09:41:07 GMT</Last-Modified>"                             \
	"<Content-Length>1</Content-Length></Properties></Blob>"
#define PAGE "<R><Blobs>" BLOB "</Blobs><NextMarker>%s</NextMarker></R>"

static void answer(void *arg, const struct web_asked *q, struct web_reply *r)
{
	bool last = strstr(q->target, "marker=last") != NULL;

	service.pages++;
	buf_printf(&r->body, PAGE, last ? "" : service.marker);
}

static struct web_server server;

static struct store *open_azure(void)
{
	static const struct store_far far;
	char *option = mem_printf("azure.endpoint=%s", server.endpoint);
	const char *options[] = {option};
	struct store *s;

	setenv("AZURE_STORAGE_KEY", "a2V5", 1);
	OK(store_azure_open(
	       "account/container", false, &(struct store_given){options, 1}, &far, &ctx, &s, &e),
	    &e);
	free(option);
	return s;
}

static int setup(void **state)
{
	memset(&service, 0, sizeof service);
	web_start(&server, answer, NULL);
	*state = open_azure();
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	web_stop(&server);
	return 0;
}

static int see(void *arg, const char *key, const struct store_stat *st, struct err *err)
{
	++*(int *)arg;
	return 0;
}

static int list(struct store *s, int *seen)
{
	*seen = 0;
	return s->ops->list(s, "packs/", see, seen, &e);
}

static void pages_are_followed_to_the_last(void **state)
{
	int seen;

	snprintf(service.marker, sizeof service.marker, "last");
	OK(list(*state, &seen), &e);
	assert_int_equal(seen, 2);
	assert_int_equal(service.pages, 2);
}

static void a_marker_that_is_too_long_is_not_the_end(void **state)
{
	int seen;

	memset(service.marker, 'm', sizeof service.marker - 1);
	FAILS(list(*state, &seen), ERR_CORRUPT, &e);
}

static void a_marker_that_leads_nowhere_is_not_followed_for_ever(void **state)
{
	int seen;

	snprintf(service.marker, sizeof service.marker, "round and round");
	FAILS(list(*state, &seen), ERR_CORRUPT, &e);
	assert_int_equal(service.pages, 2);
}

static int nobody(void *arg, const char *key, const struct store_stat *st, struct err *err)
{
	return 0;
}

#define PROPERTY(p) "<R><Blobs><Blob><Properties>" p "</Properties></Blob></Blobs></R>"

static void a_page_that_does_not_tell_all_is_corrupt(void **state)
{
	static const char *const bad[] = {"", "<R>",
	    "<R><Blobs><Blob><Name>packs/a</Name></Blob></Blobs></R>",
	    "<R><Blobs>" BLOB "<Blob><Name>packs/b</Name></Blob></Blobs></R>",
	    PROPERTY("<Content-Length>-1</Content-Length>"), PROPERTY("<Content-Length/>"),
	    PROPERTY("<Last-Modified/>")};
	struct azure_page p;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		FAILS(azure_page_read(span_str(bad[i]), "", nobody, NULL, &p, &e), ERR_CORRUPT, &e);
	OK(azure_page_read(span_str("<R><Blobs/><NextMarker/></R>"), "", nobody, NULL, &p, &e), &e);
	assert_string_equal(p.next, "");
}

/* The emulator minds no clock; Azure refuses who is a quarter of an hour off, like a wrong key. */
static void refused_at(int64_t off_s, const char *hint)
{
	struct http_answer a = {.status = 403};
	time_t t = time(NULL) - (time_t)off_s;
	char date[64];
	struct tm tm;

	strftime(date, sizeof date, "date: %a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
	buf_put(&a.headers, date, strlen(date) + 1);
	buf_put_span(&a.body,
	    span_str("<Error><Code>AuthenticationFailed</Code><Message>m</Message></Error>"));
	FAILS(azure_refused(&a, &e), ERR_DENIED, &e);
	if (strstr(e.hint, hint) == NULL)
		fail_msg("%lld s: hint: %s", (long long)off_s, e.hint);
	http_answer_fini(&a);
}

static void a_clock_that_is_off_is_named_when_it_is_refused(void **state)
{
	refused_at(3600, "60 minutes ahead of the store's");
	refused_at(-3600, "minutes behind the store's");
	refused_at(0, "AZURE_STORAGE_KEY");
	refused_at(-200, "AZURE_STORAGE_KEY");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    T(pages_are_followed_to_the_last),
	    T(a_marker_that_is_too_long_is_not_the_end),
	    T(a_marker_that_leads_nowhere_is_not_followed_for_ever),
	    cmocka_unit_test(a_page_that_does_not_tell_all_is_corrupt),
	    cmocka_unit_test(a_clock_that_is_off_is_named_when_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
