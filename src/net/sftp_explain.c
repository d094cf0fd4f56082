/* sftp_explain: see sftp_explain.h. */
#include "net/sftp_explain.h"

#include <string.h>

static const struct {
	const char *words;
	enum err_kind kind;
	const char *hint;
} meanings[] = {
    {"HOST IDENTIFICATION HAS CHANGED", ERR_DENIED,
	"the host's key is another than the known one: somebody is in between, or the host was "
	"set up anew. Only if you know it was: ssh-keygen -R HOST, then connect once by hand"},
    {"Host key verification failed", ERR_DENIED,
	"the host's key is not known: connect once by hand (ssh HOST), compare the fingerprint, "
	"and try again as the same user"},
    {"UNPROTECTED PRIVATE KEY FILE", ERR_DENIED, "chmod 600 the key file"},
    {"Too many authentication failures", ERR_DENIED,
	"the agent has many keys: name the right one in ~/.ssh/config (IdentityFile, "
	"IdentitiesOnly yes)"},
    {"Permission denied", ERR_DENIED,
	"log in with a key: is it in the server's authorized_keys, and loaded (ssh-add -l) or "
	"named in ~/.ssh/config? Passwords are not asked for"},
    {"subsystem request failed", ERR_UNSUPPORTED, "the server offers no sftp"},
    {"Could not resolve hostname", ERR_UNREACHABLE,
	"is the name right, and does this machine reach a name server?"},
    {"Connection refused", ERR_UNREACHABLE, "does ssh listen there? Is the port right?"},
    {"No route to host", ERR_UNREACHABLE, 0},
    {"Network is unreachable", ERR_UNREACHABLE, 0},
    {"timed out", ERR_TIMEOUT, 0},
    {"not responding", ERR_TIMEOUT, 0},
    {"Bad configuration option", ERR_USAGE, "see ~/.ssh/config"},
    {"Bad owner or permissions", ERR_USAGE, "see ~/.ssh/config"},
    {"command not found", ERR_UNSUPPORTED, "is sftp.command right?"},
    {": not found", ERR_UNSUPPORTED, "is sftp.command right?"},
};

/* The last line that says something, printable, into out. */
static void last_line(const char *said, char *out, size_t size)
{
	size_t end = strlen(said), begin, n = 0;

	while (end > 0 && strchr("\r\n ", said[end - 1]))
		end--;
	for (begin = end; begin > 0 && said[begin - 1] != '\n'; begin--)
		;
	for (; begin < end && n < size - 1; begin++)
		if ((unsigned char)said[begin] >= 0x20 && said[begin] != 0x7f)
			out[n++] = said[begin];
	out[n] = '\0';
}

int sftp_explain(const char *said, struct err *e)
{
	char line[256];

	last_line(said, line, sizeof line);
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (strstr(said, meanings[i].words)) {
			err_set(e, meanings[i].kind, "ssh: %s", line);
			return meanings[i].hint ? err_hint(e, "%s", meanings[i].hint) : -1;
		}
	return err_set(
	    e, ERR_UNREACHABLE, "the connection ended%s%s", line[0] ? ": ssh: " : "", line);
}
