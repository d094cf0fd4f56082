/* api_client: see api_client.h. */
#include "net/api_client.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/wire.h"

enum { ANSWER_MAX = 64 << 20, PATIENCE_S = 30 };

static size_t take(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	if (b->n + size * n > ANSWER_MAX)
		return 0;
	buf_put(b, p, size * n);
	return size * n;
}

static int explain(const struct wire *w, CURL *c, CURLcode code, const char *socket, struct err *e)
{
	long no = 0;

	w->easy_getinfo(c, CURLINFO_OS_ERRNO, &no);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return err_set(e, ERR_TIMEOUT, "%s: no answer in time", socket);
	if (code == CURLE_COULDNT_CONNECT && (no == EACCES || no == EPERM)) {
		err_set(e, ERR_DENIED, "%s: the daemon does not serve this user", socket);
		return err_hint(e, "root may, the user that it runs as, and server.socket_group");
	}
	if (code == CURLE_COULDNT_CONNECT) {
		err_set(e, ERR_UNREACHABLE, "%s: no daemon listens there", socket);
		return err_hint(e, "start it: holdfast serve");
	}
	/* It was ended while it answered, or has too many to answer. */
	if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
	    code == CURLE_PARTIAL_FILE)
		return err_set(e, ERR_UNREACHABLE, "%s: the daemon hung up", socket);
	return err_set(e, ERR_FAILED, "%s: %s", socket, w->easy_strerror(code));
}

static int perform(const struct wire *w, CURL *c, const char *socket, struct buf *got,
    struct api_answer *out, struct err *e)
{
	long status = 0;
	curl_off_t later = 0;
	CURLcode code = w->easy_perform(c);

	if (code != CURLE_OK)
		return explain(w, c, code, socket, e);
	w->easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	w->easy_getinfo(c, CURLINFO_RETRY_AFTER, &later);
	out->status = (int)status;
	out->retry_s = later > 0 && later < UINT_MAX ? (unsigned)later : 0;
	out->body = json_loadb((const char *)got->p, got->n, 0, NULL);
	out->n = got->n;
	out->text = mem_strndup(buf_cstr(got), got->n);
	return 0;
}

int api_client_request(const char *socket, const char *method, const char *path, const json_t *body,
    unsigned seconds, struct api_answer *out, struct err *e)
{
	const struct wire *w = wire_open(e);
	CURL *c = w ? w->easy_init() : NULL;
	struct curl_slist *headers = NULL;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	char *url = mem_printf("http://holdfast%s", path);
	struct buf got = {0};
	int rc = -1;

	memset(out, 0, sizeof *out);
	if (strlen(socket) >= sizeof((struct sockaddr_un *)0)->sun_path) {
		err_set(e, ERR_USAGE, "%s: too long for a socket's path", socket);
	} else if (c != NULL) {
		headers = w->slist_append(headers, "content-type: application/json");
		headers = w->slist_append(headers, "expect:");
		w->easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket);
		w->easy_setopt(c, CURLOPT_PROXY, "");
		w->easy_setopt(c, CURLOPT_URL, url);
		w->easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
		w->easy_setopt(c, CURLOPT_HTTPHEADER, headers);
		w->easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
		w->easy_setopt(c, CURLOPT_WRITEDATA, &got);
		w->easy_setopt(c, CURLOPT_TIMEOUT, (long)(seconds ? seconds : PATIENCE_S));
		if (strcmp(method, "GET") != 0) {
			w->easy_setopt(c, CURLOPT_POSTFIELDS, text ? text : "");
			w->easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
		}
		rc = perform(w, c, socket, &got, out, e);
	} else if (w != NULL) {
		err_set(e, ERR_FAILED, "libcurl gives no handle");
	}
	if (c != NULL)
		w->easy_cleanup(c);
	if (w != NULL)
		w->slist_free_all(headers);
	free(text);
	free(url);
	buf_fini(&got);
	return rc;
}

void api_answer_fini(struct api_answer *a)
{
	json_decref(a->body);
	free(a->text);
	memset(a, 0, sizeof *a);
}

int api_answer_check(const struct api_answer *a, struct err *e)
{
	const char *message = json_string_value(json_object_get(a->body, "message"));
	const char *hint = json_string_value(json_object_get(a->body, "hint"));
	enum err_kind kind = err_kind_of(json_string_value(json_object_get(a->body, "kind")));

	if (a->status >= 200 && a->status < 300)
		return 0;
	/* Of HTTP alone, not of err.h. */
	if (a->status == 401 || a->status == 403)
		kind = ERR_DENIED;
	if (message != NULL)
		err_set(e, kind, "%s", message);
	else
		err_set(e, ERR_FAILED, "the daemon answers %d", a->status);
	return hint != NULL ? err_hint(e, "%s", hint) : -1;
}
