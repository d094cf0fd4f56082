/* api_auth: who asks, and whether they may (api_internal.h, api.h). */
#include <arpa/inet.h>
#include <pwd.h>
#include <sys/socket.h>

#include "api/api_internal.h"

static void local_peer(struct api *a, int fd, struct api_who *who)
{
	struct ucred u = {.uid = (uid_t)-1};
	socklen_t n = sizeof u;
	char tmp[4096];
	struct passwd pw, *found = NULL;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n) == -1 || u.uid == (uid_t)-1) {
		snprintf(who->peer, sizeof who->peer, "unknown");
		return;
	}
	snprintf(who->peer, sizeof who->peer, "uid %lu", (unsigned long)u.uid);
	if (getpwuid_r(u.uid, &pw, tmp, sizeof tmp, &found) == 0 && found != NULL)
		snprintf(who->by, sizeof who->by, "user %.80s", pw.pw_name);
	else
		snprintf(who->by, sizeof who->by, "%s", who->peer);
	if (u.uid == 0 || u.uid == geteuid())
		who->scope = API_ADMIN;
	else
		who->scope = a->p.socket_scope ? a->p.socket_scope : API_VIEWER;
}

/* An IPv6 host has a whole /64 to come from. */
static void tcp_peer(const struct sockaddr *at, struct api_who *who)
{
	if (at != NULL && at->sa_family == AF_INET6) {
		struct in6_addr net = ((const struct sockaddr_in6 *)at)->sin6_addr;

		if (!IN6_IS_ADDR_LOOPBACK(&net))
			memset(net.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &net, who->peer, sizeof who->peer);
	} else if (at != NULL && at->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)at)->sin_addr, who->peer,
		    sizeof who->peer);
	} else {
		snprintf(who->peer, sizeof who->peer, "unknown");
	}
}

void api_auth_peer(struct api_listener *l, struct MHD_Connection *c, struct api_who *who)
{
	const struct api_mhd *m = l->api->mhd;

	memset(who, 0, sizeof *who);
	if (l->local)
		local_peer(l->api,
		    m->get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd, who);
	else
		tcp_peer(m->get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
		    who);
}

/* A right token is never held up by wrong ones of its address: it cannot be guessed anyway. */
static int wrong(struct api_listener *l, struct api_who *who, const char *why, struct err *e)
{
	struct api *a = l->api;
	unsigned wait;

	who->scope = 0;
	who->by[0] = '\0';
	a->counters.refused_tokens++;
	err_set(e, ERR_DENIED, "%s", why);
	if (!api_limit_take(a->wrong, span_str(who->peer), a->clock->mono_ns(a->clock), &wait)) {
		err_set(e, ERR_DENIED, "too many requests without a valid token");
		return 429;
	}
	return 401;
}

static int bearer(struct api_listener *l, const char *header, struct api_who *who, struct err *e)
{
	struct api *a = l->api;
	struct api_token t;

	if (strncasecmp(header, "bearer ", 7) != 0)
		return wrong(l, who, "the authorization is no bearer token", e);
	header += 7;
	header += strspn(header, " ");
	if (api_token_file_find(a->tokens, span_str(header), a->clock->wall_ns(a->clock), &t, e) ==
	    -1) {
		if (e->kind != ERR_ABSENT)
			api_log(a, EVENT_ERROR, "tokens: %s", e->msg);
		return wrong(l, who, "there is no such token, or it has expired", e);
	}
	who->scope = t.scope;
	snprintf(who->by, sizeof who->by, "token %s", t.name);
	return 0;
}

/* Which would do, and how one comes by it. */
static int forbidden(
    const struct api_listener *l, const struct api_who *who, enum api_right right, struct err *e)
{
	char may[128] = "";

	for (int s = API_VIEWER; s < API_SCOPES; s++)
		if (api_may((enum api_scope)s, right)) {
			strncat(may, may[0] ? " or " : "", sizeof may - strlen(may) - 1);
			strncat(
			    may, api_scope_name((enum api_scope)s), sizeof may - strlen(may) - 1);
		}
	err_set(e, ERR_DENIED, "the scope %s does not allow this: it takes %s",
	    api_scope_name(who->scope), may);
	err_hint(e, "%s",
	    l->local
		? "root and the daemon's user are admin; server.socket_scope is everybody else's"
		: "holdfast token add NAME --scope SCOPE");
	return 403;
}

int api_auth(struct api_listener *l, struct MHD_Connection *c, const struct api_route *r,
    struct api_who *who, struct err *e)
{
	const char *header = l->api->mhd->lookup_connection_value(
	    c, MHD_HEADER_KIND, "Authorization");
	bool open = r != NULL && r->right == API_OPEN && (l->local || l->loopback);
	int status;

	if (header != NULL) {
		status = bearer(l, header, who, e);
		if (status != 0)
			return status;
	} else if (who->scope == 0 && !open) {
		err_set(e, ERR_DENIED, "a token is needed");
		status = wrong(l, who, "a token is needed", e);
		if (status == 401)
			err_hint(e, "authorization: Bearer TOKEN, of holdfast token add");
		return status;
	}
	if (r == NULL || open || api_may(who->scope, r->right))
		return 0;
	return forbidden(l, who, r->right, e);
}
