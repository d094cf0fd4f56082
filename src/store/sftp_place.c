/* sftp_place: where a store is, from its URL, and how ssh gets there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_sftp.h"

static int usage(struct err *e, const char *what)
{
	err_set(e, ERR_USAGE, "%s", what);
	return err_hint(e,
	    "an SFTP repository is sftp:USER@HOST:PATH or sftp://USER@HOST:PORT/PATH "
	    "(from the home folder: sftp:USER@HOST:PATH without a '/' in front)");
}

/* These become words of a command: nothing that ssh or a shell would take for more than a name. */
static bool word_good(const char *s, size_t n, const char *also)
{
	if (n == 0 || n > 255 || s[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			(s[i] >= '0' && s[i] <= '9') || strchr(also, s[i])))
			return false;
	return true;
}

static char *path_of(const char *s)
{
	char *p;

	if (strncmp(s, "/~/", 3) == 0)
		s += 3;
	p = mem_strdup(*s ? s : ".");
	for (size_t n = strlen(p); n > 1 && p[n - 1] == '/'; n--)
		p[n - 1] = '\0';
	return p;
}

/* [USER@]HOST of n bytes; an IPv6 address in brackets, which go. */
static int take_host(struct sftp_place *p, const char *s, size_t n, struct err *e)
{
	const char *at = memrchr(s, '@', n);

	if (at) {
		if (memchr(s, ':', (size_t)(at - s)))
			return usage(e, "passwords do not belong into the URL");
		if (!word_good(s, (size_t)(at - s), "._-+@\\"))
			return usage(e, "that is not a user's name");
		p->user = mem_strndup(s, (size_t)(at - s));
		n -= (size_t)(at + 1 - s);
		s = at + 1;
	}
	if (n > 2 && s[0] == '[' && s[n - 1] == ']')
		s++, n -= 2;
	if (!word_good(s, n, "._-:%"))
		return usage(e, "the host is missing or not a host's name");
	p->host = mem_strndup(s, n);
	return 0;
}

static int parse_url(struct sftp_place *p, const char *s, struct err *e)
{
	size_t all = strcspn(s, "/"), host = all;
	const char *colon = memrchr(s, ':', all);

	if (colon && !memchr(colon, ']', all - (size_t)(colon - s)) &&
	    !memchr(colon, '@', all - (size_t)(colon - s))) {
		host = (size_t)(colon - s);
		if (!word_good(colon + 1, all - host - 1, "") ||
		    strspn(colon + 1, "0123456789") != all - host - 1 || atoi(colon + 1) < 1 ||
		    atoi(colon + 1) > 65535)
			return usage(e, "that is not a port");
		p->port = mem_strndup(colon + 1, all - host - 1);
	}
	if (take_host(p, s, host, e) == -1)
		return -1;
	if (s[all] == '\0')
		return usage(e, "the path is missing");
	p->path = path_of(s + all);
	return 0;
}

static int parse_short(struct sftp_place *p, const char *s, struct err *e)
{
	const char *from = strchr(s, '[') ? strchr(s, ']') : s;
	const char *colon = from ? strchr(from, ':') : NULL;

	if (colon == NULL || colon[1] == '\0')
		return usage(e, "the path is missing");
	if (memchr(colon, '@', strcspn(colon, "/")))
		return usage(e, "passwords do not belong into the URL");
	if (take_host(p, s, (size_t)(colon - s), e) == -1)
		return -1;
	p->path = path_of(colon + 1);
	return 0;
}

int sftp_place_parse(struct sftp_place *p, const char *rest, struct err *e)
{
	int rc;

	memset(p, 0, sizeof *p);
	rc = strncmp(rest, "//", 2) == 0 ? parse_url(p, rest + 2, e) : parse_short(p, rest, e);
	if (rc == -1)
		sftp_place_fini(p);
	return rc;
}

void sftp_place_fini(struct sftp_place *p)
{
	free(p->host);
	free(p->user);
	free(p->port);
	free(p->path);
	memset(p, 0, sizeof *p);
}

void sftp_place_argv(
    const struct sftp_place *p, const char *command, int64_t connect_ns, struct sftp_argv *out)
{
	/* Whoever names a command of his own also chooses how strict it is. */
	const char *const ssh[] = {"ssh", "-oBatchMode=yes", "-oStrictHostKeyChecking=yes",
	    out->connect, "-oServerAliveInterval=20", "-oServerAliveCountMax=3",
	    "-oClearAllForwardings=yes", "-oForwardAgent=no", "-oPermitLocalCommand=no", NULL};
	const char *const own[] = {"sh", "-c",
	    "command=$1; shift; eval \"exec $command \\\"\\$@\\\"\"", "sh", command, NULL};
	const char *const *first = command ? own : ssh;
	size_t n = 0;

	snprintf(out->connect, sizeof out->connect, "-oConnectTimeout=%lld",
	    (long long)((connect_ns + 999999999) / 1000000000));
	while (*first)
		out->v[n++] = (char *)*first++;
	if (p->port) {
		out->v[n++] = (char *)"-p";
		out->v[n++] = p->port;
	}
	if (p->user) {
		out->v[n++] = (char *)"-l";
		out->v[n++] = p->user;
	}
	out->v[n++] = (char *)"-s";
	out->v[n++] = (char *)"--";
	out->v[n++] = p->host;
	out->v[n++] = (char *)"sftp";
	out->v[n] = NULL;
}
