/* world_server_table: the keys of `server:`, and its contradictions (world_server.h). */
#include "config/world_server.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config/world.h"

#define S(member) offsetof(struct world_server, member)
#define T(member) offsetof(struct world_tls, member)

/* clang-format off */
static const struct field tls_rows[] = {
    {"cert", FIELD_TEXT, T(cert), true, NULL, NULL, "the file of the certificate and those above it (PEM)"},
    {"key", FIELD_SECRET, T(key), true, NULL, NULL, "its key (PEM), by reference"},
    {0},
};
static const struct field_table tls_table = {tls_rows, sizeof(struct world_tls)};

static const struct field server_rows[] = {
    {"listen", FIELD_TEXT, S(listen), false, NULL, NULL, "the address and port of the API: 127.0.0.1:8420; left out: only the local socket"},
    {"tls", FIELD_STRUCT, S(tls), false, NULL, &tls_table, "what it proves itself with; beyond loopback it has to"},
    {"rate_limit", FIELD_COUNT, S(rate_limit), false, NULL, NULL, "requests a second of one token or address; 50 where it is not said"},
    {"socket_group", FIELD_TEXT, S(socket_group), false, NULL, NULL, "whose members may use the local socket, besides root and the daemon's user"},
    {"socket_scope", FIELD_CHOICE, S(socket_scope), false, "viewer|operator", NULL, "what they may; viewer where it is not said"},
    {0},
};
/* clang-format on */
const struct field_table world_server_table = {server_rows, sizeof(struct world_server)};

static struct node_at place(const struct world *w, const char *key)
{
	const struct node *n = node_get(node_get(w->tree, "server"), key);

	return n ? n->at : (struct node_at){"server", 0, 0};
}

/* The host and the port of "127.0.0.1:8420" or "[::1]:8420"; false: it is neither. */
static bool split(const char *listen, char host[64], unsigned long *port)
{
	const char *colon = strrchr(listen, ':'), *begin = listen, *end = colon;

	if (colon == NULL)
		return false;
	if (listen[0] == '[') {
		begin++;
		end = colon - 1;
		if (end <= begin || *end != ']')
			return false;
	}
	if (end - begin >= 64 || end == begin || colon[1] == '\0' || strlen(colon + 1) > 5 ||
	    colon[1 + strspn(colon + 1, "0123456789")] != '\0')
		return false;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	*port = strtoul(colon + 1, NULL, 10);
	return true;
}

static bool is_loopback(const char *host, bool *address)
{
	struct in_addr four;
	struct in6_addr six;

	*address = true;
	if (strcmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six);
	*address = false;
	return false;
}

static int check_listen(const struct world *w, const struct world_server *s, struct err *e)
{
	unsigned long port;
	char host[64];
	bool address, loopback;

	if (!split(s->listen, host, &port)) {
		node_fail(
		    place(w, "listen"), e, "listen: '%.80s' is no address and port", s->listen);
		return err_hint(e, "like 127.0.0.1:8420 or [::1]:8420");
	}
	loopback = is_loopback(host, &address);
	if (!address) {
		node_fail(place(w, "listen"), e, "listen: '%.64s' is no address", host);
		return err_hint(e, "an address in digits: what a name means may change");
	}
	if (port == 0 || port > 65535)
		return node_fail(
		    place(w, "listen"), e, "listen: a port is a number from 1 to 65535");
	if (!loopback && s->tls.cert == NULL) {
		node_fail(place(w, "listen"), e,
		    "listen: beyond loopback the API is served by TLS alone");
		return err_hint(e, "declare server.tls, or listen at 127.0.0.1:%lu", port);
	}
	return 0;
}

static int check_server(const struct world *w, const struct world_server *s, struct err *e)
{
	if (s->listen != NULL && check_listen(w, s, e) == -1)
		return -1;
	if (s->tls.cert != NULL && s->tls.cert[0] != '/')
		return node_fail(
		    place(w, "tls"), e, "tls: cert: '%.200s' is not an absolute path", s->tls.cert);
	if (s->tls.cert != NULL && s->listen == NULL) {
		node_fail(place(w, "tls"), e, "tls: there is nothing to serve by it");
		return err_hint(e, "say where: listen: 127.0.0.1:8420");
	}
	if (s->socket_scope && s->socket_group == NULL) {
		node_fail(place(w, "socket_scope"), e, "socket_scope: nobody has it");
		return err_hint(e, "name the group: socket_group");
	}
	if (node_get(node_get(w->tree, "server"), "rate_limit") != NULL && s->rate_limit == 0)
		return node_fail(place(w, "rate_limit"), e, "rate_limit: with 0 nobody is served");
	return 0;
}

void world_server_check(const struct world *w, struct mistakes *m)
{
	struct err e;

	if (check_server(w, &w->server, &e) == -1)
		mistakes_add(m, &e);
}
