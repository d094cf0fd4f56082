/* log: continuous logs: push, get, list, verify. */
#include "cli/cmd_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/log_place.h"
#include "cli/log_quick.h"
#include "daemon/log_socket.h"
#include "os/os.h"
#include "source/wal_file.h"

enum { STATUS_ABSENT = 1 };

char *cmd_log_socket(unsigned i)
{
	static const char system[] = "/run/holdfast";
	char *own = os_runtime_dir(), *path = NULL;

	/* Who archives is another user than the daemon, whose place is the machine's. */
	if (i == 0)
		path = mem_printf("%s/log.sock", own);
	else if (i == 1 && strcmp(own, system) != 0 && getenv("HOLDFAST_RUNTIME_DIR") == NULL)
		path = mem_printf("%s/log.sock", system);
	free(own);
	return path;
}

static const char *outcome_text(enum log_put_outcome o)
{
	return o == LOG_SAME ? "same" : "stored";
}

static int push_by_daemon(
    struct cli *c, const char *name, int fd, char outcome[LOG_OUTCOME_MAX], struct err *e)
{
	char *path;

	for (unsigned i = 0; (path = cmd_log_socket(i)) != NULL; i++) {
		int rc = log_socket_push(path, c->opt.system, name, fd, outcome, e);

		free(path);
		if (rc == 0 || e->kind != ERR_ABSENT)
			return rc;
	}
	return -1;
}

static int push_here(
    struct cli *c, const char *name, int fd, char outcome[LOG_OUTCOME_MAX], struct err *e)
{
	enum log_put_outcome out;
	struct log_place *p;
	int rc;

	if (log_place_new(c, c->opt.system, log_file_system(fd), &p, e) == -1)
		return -1;
	rc = log_place_push(p, name, fd, &out, e);
	log_place_free(p);
	if (rc == 0)
		snprintf(outcome, LOG_OUTCOME_MAX, "%s", outcome_text(out));
	return rc;
}

static void tell(struct cli *c, const char *name, const char *outcome)
{
	if (c->out.json) {
		json_t *o = json_object();

		out_json_str(o, "file", name);
		out_json_str(o, "outcome", outcome);
		out_json(c, "summary", o);
	} else if (c->opt.verbose) {
		out_text(c, "%s: %s\n", out_str(c, name), outcome);
	}
}

int cmd_log_push(struct cli *c, struct err *e)
{
	const char *path = c->args.v[1], *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char outcome[LOG_OUTCOME_MAX] = "";
	struct wal_file f;
	int fd, rc = -1;

	if (wal_file_parse(name, &f, e) == -1)
		return -1;
	/* What pg_basebackup leaves beside the log is of use to nobody here. */
	if (f.kind == WAL_FILE_BACKUP) {
		tell(c, name, "passed over");
		return 0;
	}
	fd = os_open(path, O_RDONLY, 0);
	if (fd == -1)
		return err_sys(e, "%s", path);
	if (log_quick_refused(e) == -1)
		rc = -1;
	else if (c->opt.repo == NULL && !c->opt.foreground)
		rc = push_by_daemon(c, name, fd, outcome, e);
	else
		e->kind = ERR_ABSENT;
	if (rc == -1 && e->kind == ERR_ABSENT) {
		err_clear(e);
		rc = push_here(c, name, fd, outcome, e);
	}
	os_close(fd);
	if (rc == 0)
		tell(c, name, outcome);
	return rc;
}

/* By the words themselves: a mistake in them must not end a recovery early either. */
bool cmd_log_gets(int argc, char *const *argv)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "log") == 0)
			return strcmp(argv[i + 1], "get") == 0;
	return false;
}

int cmd_log_status(const struct cli *c, int status)
{
	return c->proven_absent ? STATUS_ABSENT : status == 0 ? 0 : CLI_STOP;
}

int cmd_log(struct cli *c, struct err *e)
{
	static const struct {
		const char *word;
		size_t least, most;
		int (*run)(struct cli *c, struct err *e);
	} words[] = {{"push", 2, 2, cmd_log_push}, {"get", 3, 3, cmd_log_get},
	    {"list", 1, 2, cmd_log_list}, {"verify", 1, 2, cmd_log_verify},
	    {"follow", 1, 2, cmd_log_follow}};
	const char *word = c->args.v[0];

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(word, words[i].word) != 0)
			continue;
		if (c->args.n >= words[i].least && c->args.n <= words[i].most)
			return words[i].run(c, e);
		err_set(e, ERR_USAGE, "log %s: %s", word,
		    c->args.n < words[i].least ? "something is missing" : "that is too much");
		return err_hint(e, "log push FILE | get NAME DEST | list [SYSTEM] | verify "
				   "[SYSTEM] | follow [SYSTEM]");
	}
	return err_set(e, ERR_BUG, "log %s", word);
}
