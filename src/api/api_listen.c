/* api_listen: where the API listens (api_internal.h). */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "os/os.h"

enum { BACKLOG = 128 };

/* Somebody who still listens there is another daemon. */
static int taken(const struct sockaddr_un *where, struct err *e)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd == -1)
		return err_sys(e, "socket");
	rc = connect(fd, (const struct sockaddr *)where, sizeof *where);
	close(fd);
	return rc == 0 ? err_set(e, ERR_BUSY, "%s: another daemon listens there", where->sun_path)
		       : 0;
}

static int group_of(const char *name, gid_t *gid, struct err *e)
{
	char tmp[8192];
	struct group g, *found = NULL;

	if (getgrnam_r(name, &g, tmp, sizeof tmp, &found) != 0 || found == NULL)
		return err_set(e, ERR_USAGE, "there is no group '%.64s'", name);
	*gid = g.gr_gid;
	return 0;
}

/* Nobody comes in before its mode and group are right: it gets its name then. */
static int bind_local(int fd, const struct api_params *p, struct err *e)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	mode_t mode = p->socket_group ? 0660 : 0600;
	char *temp = mem_printf("%s.new", p->socket);
	gid_t gid = (gid_t)-1;
	int rc = -1;

	if (strlen(temp) >= sizeof where.sun_path) {
		err_set(e, ERR_USAGE, "%s: too long for a socket's path", p->socket);
		goto out;
	}
	if (p->socket_group && group_of(p->socket_group, &gid, e) == -1)
		goto out;
	strcpy(where.sun_path, p->socket);
	if (taken(&where, e) == -1)
		goto out;
	strcpy(where.sun_path, temp);
	unlink(temp);
	if (bind(fd, (struct sockaddr *)&where, sizeof where) == -1 || chmod(temp, 0600) == -1 ||
	    (gid != (gid_t)-1 && chown(temp, (uid_t)-1, gid) == -1) || chmod(temp, mode) == -1 ||
	    listen(fd, BACKLOG) == -1 || rename(temp, p->socket) == -1)
		err_sys(e, "%s", p->socket);
	else
		rc = 0;
	if (rc == -1)
		unlink(temp);
out:
	free(temp);
	return rc;
}

int api_listen_local(const struct api_params *p, struct err *e)
{
	char *dir = mem_strdup(p->socket), *slash = strrchr(dir, '/');
	int fd = -1;

	if (slash != NULL && slash != dir)
		*slash = '\0';
	if (slash != NULL && os_mkdirs(dir, 0755, e) == -1)
		goto out;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		err_sys(e, "socket");
	else if (bind_local(fd, p, e) == -1) {
		os_close(fd);
		fd = -1;
	}
out:
	free(dir);
	return fd;
}

/* "127.0.0.1:8420", "[::1]:8420", "localhost:8420": addresses, for names may change. */
static int split(const char *where, char host[64], char port[8], struct err *e)
{
	const char *colon = strrchr(where, ':'), *end = colon, *begin = where;

	if (where[0] == '[') {
		begin++;
		end = strchr(where, ']');
		if (end == NULL || end + 1 != colon)
			colon = NULL;
	}
	if (colon == NULL || end - begin >= 64 || end == begin || strlen(colon + 1) > 5 ||
	    colon[1] == '\0' || colon[1 + strspn(colon + 1, "0123456789")] != '\0') {
		err_set(e, ERR_USAGE, "'%.80s' is no address to listen at", where);
		return err_hint(e, "like 127.0.0.1:8420 or [::1]:8420");
	}
	snprintf(host, 64, "%.*s", (int)(end - begin), begin);
	snprintf(port, 8, "%s", colon + 1);
	if (strcmp(host, "localhost") == 0)
		strcpy(host, "127.0.0.1");
	return 0;
}

static bool is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

static int listen_at(const struct addrinfo *at, const char *where, unsigned *port, struct err *e)
{
	struct sockaddr_storage got;
	socklen_t n = sizeof got;
	int one = 1, fd;

	fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_sys(e, "%s", where);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (bind(fd, at->ai_addr, at->ai_addrlen) == -1 || listen(fd, BACKLOG) == -1 ||
	    getsockname(fd, (struct sockaddr *)&got, &n) == -1) {
		err_sys(e, "%s", where);
		if (errno == EADDRINUSE) {
			e->kind = ERR_BUSY;
			err_hint(e, "another program listens there");
		}
		os_close(fd);
		return -1;
	}
	*port = ntohs(got.ss_family == AF_INET ? ((struct sockaddr_in *)&got)->sin_port
					       : ((struct sockaddr_in6 *)&got)->sin6_port);
	return fd;
}

int api_listen_tcp(const char *where, bool *loopback, unsigned *port, struct err *e)
{
	struct addrinfo hints = {
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *at = NULL;
	char host[64], number[8];
	int fd;

	if (split(where, host, number, e) == -1)
		return -1;
	if (strtol(number, NULL, 10) > 65535 || getaddrinfo(host, number, &hints, &at) != 0) {
		err_set(e, ERR_USAGE, "'%.80s' is no address to listen at", where);
		return err_hint(e, "an address of this host, and a port up to 65535");
	}
	*loopback = is_loopback(at->ai_addr);
	fd = listen_at(at, where, port, e);
	freeaddrinfo(at);
	return fd;
}
