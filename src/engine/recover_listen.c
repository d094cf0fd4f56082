/* recover_listen: will the server be able to listen?  See recover_internal.h. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mem.h"
#include "engine/recover_internal.h"
#include "os/os.h"

enum { PORT = 5432 };

/* As it would: 1 taken, 0 free or not to be known. */
static int is_taken(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, rc = 0;

	if (fd == -1)
		return 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (bind(fd, a->ai_addr, a->ai_addrlen) == -1)
		rc = errno == EADDRINUSE;
	os_close(fd);
	return rc;
}

static int in_use(const char *at, unsigned port, struct err *e)
{
	err_set(e, ERR_BUSY, "somebody listens on port %u already (%s)", port, at);
	return err_hint(e, "--port N takes another; or stop who listens there");
}

static int check_address(char *name, unsigned port, struct ctx *ctx, struct err *e)
{
	struct addrinfo how = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
	bool any = strcmp(name, "*") == 0, taken = false;
	char text[16];

	snprintf(text, sizeof text, "%u", port);
	/* No name is asked for but the one that is known: that may take long. */
	if (strcmp(name, "localhost") != 0)
		how.ai_flags |= AI_NUMERICHOST;
	if (getaddrinfo(any ? NULL : name, text, &how, &list) != 0)
		return 0;
	for (const struct addrinfo *a = list; a != NULL && !taken; a = a->ai_next)
		taken = is_taken(a);
	freeaddrinfo(list);
	return taken ? in_use(any ? "any address" : name, port, e) : 0;
}

/* Nobody but root may make anything in it. */
static bool is_roots_alone(const struct stat *st)
{
	return st->st_uid == 0 && !(st->st_mode & S_IWOTH) &&
	       (st->st_gid == 0 || !(st->st_mode & S_IWGRP));
}

static int check_folder(char *dir, unsigned port, struct ctx *ctx, struct err *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, rc = 0;

	if (dir[0] == '@')
		return 0;
	/* The original may have been told so when it was started, and this one will not be. */
	if (stat(dir, &st) == -1 || !S_ISDIR(st.st_mode)) {
		event_emit(ctx, EVENT_WARNING, span_of(NULL, 0),
		    "the original's socket was in %s, which is no folder here: if its "
		    "configuration says so, the server will not start",
		    dir);
		return 0;
	}
	if (geteuid() == 0 ? is_roots_alone(&st) : access(dir, W_OK | X_OK) == -1) {
		err_set(e, ERR_DENIED,
		    "the server's socket goes into %s, where its user may not write", dir);
		return err_hint(e, "give the folder to the user that the server runs as");
	}
	if (snprintf(to.sun_path, sizeof to.sun_path, "%s/.s.PGSQL.%u", dir, port) >=
	    (int)sizeof to.sun_path)
		return err_set(e, ERR_USAGE, "%s: too long a path for a socket", dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd != -1 && (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EAGAIN))
		rc = in_use(dir, port, e);
	os_close(fd);
	return rc;
}

/* "a, b": each of them, without spaces and quotes around it. */
static int each(const char *list, unsigned port,
    int (*check)(char *, unsigned, struct ctx *, struct err *), struct ctx *ctx, struct err *e)
{
	char *all = mem_strdup(list), *rest = all, *one;
	int rc = 0;

	while (rc == 0 && (one = strsep(&rest, ",")) != NULL) {
		one += strspn(one, " \t\"");
		for (size_t n = strlen(one); n > 0 && strchr(" \t\"", one[n - 1]);)
			one[--n] = '\0';
		if (*one)
			rc = check(one, port, ctx, e);
	}
	free(all);
	return rc;
}

int recover_check_listen(struct recovering *g, struct err *e)
{
	const json_t *settings = json_object_get(g->pl.facts, "settings");
	const char *addresses = recover_fact_text(settings, "listen_addresses"),
		   *folders = recover_fact_text(settings, "unix_socket_directories"),
		   *port = recover_fact_text(settings, "port");
	unsigned n = g->p->server.port;
	int pid;

	/* What is stopped first, or started by a command of others, is their matter. */
	if (!g->p->start || g->p->scratch || g->p->start_command != NULL ||
	    pg_server_runs(g->data, &pid))
		return 0;
	if (n == 0)
		n = port ? (unsigned)strtoul(port, NULL, 10) : PORT;
	if (g->p->server.socket_dir != NULL)
		folders = g->p->server.socket_dir;
	if (each(addresses ? addresses : "localhost", n, check_address, g->ctx, e) == -1)
		return -1;
	return folders ? each(folders, n, check_folder, g->ctx, e) : 0;
}
