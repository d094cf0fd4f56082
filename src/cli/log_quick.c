/* log_quick: see log_quick.h. */
#include "cli/log_quick.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd_log.h"
#include "cli/log_ahead.h"
#include "daemon/log_socket.h"
#include "os/os.h"
#include "source/wal_file.h"

static bool refused;
static struct err why;

/* Any option may stand in the environment; these change nothing here. */
static bool is_plain(const char *variable)
{
	static const char *const known[] = {"CONFIG=", "RUNTIME_DIR=", "STATE_DIR=", "CACHE_DIR=",
	    "KEY_FILE=", "PASSWORD=", "CATALOG="};
	static const char ours[] = "HOLDFAST_";

	if (strncmp(variable, ours, strlen(ours)) != 0)
		return true;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strncmp(variable + strlen(ours), known[i], strlen(known[i])) == 0)
			return true;
	return false;
}

static bool plain_environment(void)
{
	for (char **v = environ; *v != NULL; v++)
		if (!is_plain(*v))
			return false;
	return true;
}

static bool push(const char *system, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char outcome[LOG_OUTCOME_MAX], *at;
	struct wal_file f;
	int fd, rc = -1;

	if (wal_file_parse(name, &f, &why) == -1 || f.kind == WAL_FILE_BACKUP ||
	    (fd = os_open(path, O_RDONLY, 0)) == -1)
		return false;
	why.kind = ERR_ABSENT;
	for (unsigned i = 0; rc == -1 && why.kind == ERR_ABSENT; i++) {
		if ((at = cmd_log_socket(i)) == NULL)
			break;
		rc = log_socket_push(at, system, name, fd, outcome, &why);
		free(at);
	}
	os_close(fd);
	refused = rc == -1 && why.kind != ERR_ABSENT;
	return rc == 0;
}

bool log_quick(int argc, char *const *argv)
{
	bool is_push, named;

	if (argc < 4 || strcmp(argv[1], "log") != 0 || !plain_environment())
		return false;
	is_push = strcmp(argv[2], "push") == 0;
	if (!is_push && strcmp(argv[2], "get") != 0)
		return false;
	named = strcmp(argv[3], "--system") == 0;
	argv += named ? 5 : 3;
	argc -= named ? 5 : 3;
	for (int i = 0; i < argc; i++)
		if (argv[i][0] == '-' || argv[i][0] == '\0')
			return false;
	if (is_push)
		return argc == 1 && push(named ? argv[-1] : NULL, argv[0]);
	return argc == 2 && log_ahead_take(argv[0], argv[1]);
}

int log_quick_refused(struct err *e)
{
	if (!refused)
		return 0;
	*e = why;
	return -1;
}
