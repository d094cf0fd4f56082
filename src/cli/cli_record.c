/* cli_record: see cli_record.h. */
#include "cli/cli_record.h"

#include <stdlib.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "cli/cli_out.h"
#include "config/world.h"
#include "os/os.h"

static bool is_recorded(enum cmd_id id)
{
	static const enum cmd_id ids[] = {CMD_BACKUP, CMD_CHECK, CMD_FORGET, CMD_PRUNE, CMD_COPY,
	    CMD_RESTORE, CMD_RECOVER, CMD_REPAIR, CMD_VERIFY, CMD_DRILL};

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		if (ids[i] == id)
			return true;
	return false;
}

static bool is_a_step(void)
{
	const char *run = getenv("HOLDFAST_RUN_ID");

	return run != NULL && run[0] != '\0';
}

void record_begin(struct cli *c)
{
	struct err ignored;

	/* A configuration that is wrong is told by who needs it. */
	err_clear(&ignored);
	c->ran.wanted = is_recorded(c->args.cmd->id) && !c->opt.dry_run && !is_a_step() &&
			((c->args.cmd->id != CMD_VERIFY && c->args.cmd->id != CMD_DRILL) ||
			    c->repo != NULL) && /* else it is a job */
			config_load(c, false, &ignored) == 0 &&
			c->world != NULL;
	c->ran.begun_ns = c->ctx->clock->wall_ns(c->ctx->clock);
}

static enum run_status status_of(int rc, const struct err *e)
{
	if (rc == 0)
		return RUN_COMPLETED;
	return e->kind == ERR_INCOMPLETE  ? RUN_PROBLEMS
	       : e->kind == ERR_CANCELLED ? RUN_INTERRUPTED
					  : RUN_FAILED;
}

static int put(struct cli *c, int rc, const struct err *e, struct err *why)
{
	static const char *const types[] = {"incremental", "full", "incremental", "differential"};
	const struct cli_ran *ran = &c->ran;
	bool backup = c->args.cmd->id == CMD_BACKUP;
	char user[64];
	struct run r = {.system = ran->judged ? c->args.v[0] : c->opt.system,
	    .node = os_host(),
	    .kind = c->args.cmd->name,
	    .trigger = "command",
	    .by = user,
	    .status = status_of(rc, e),
	    .started_ns = ran->begun_ns,
	    .queued_ns = ran->begun_ns,
	    .ended_ns = c->ctx->clock->wall_ns(c->ctx->clock),
	    .destinations = c->named ? c->named->item.name : c->opt.repo,
	    .pid = getpid(),
	    .type = backup ? types[c->opt.type] : ran->level,
	    .encrypted = true,
	    .compressed = true,
	    .snapshot = ran->snapshot[0] ? ran->snapshot : NULL,
	    .files = ran->files,
	    .files_new = ran->files_new,
	    .files_changed = ran->files_changed,
	    .bytes = ran->bytes,
	    .bytes_read = ran->bytes_read,
	    .added = ran->added,
	    .stored = ran->stored,
	    .errors = ran->errors,
	    .verified = ran->verified,
	    .score = ran->judged ? ran->score : -1};
	struct catalog *cat;
	int64_t id;

	if (rc == -1) {
		r.error_kind = err_info(e->kind)->name;
		r.message = e->msg;
		r.hint = e->hint[0] ? e->hint : NULL;
		r.exit_status = err_info(e->kind)->exit_status;
	}
	os_user(user, sizeof user);
	return cli_catalog_share(c, &cat, why) == -1 ? -1 : run_add(cat, &r, &id, why);
}

int record_end(struct cli *c, int rc, struct err *e)
{
	struct err why;
	bool noted = !c->ran.wanted || put(c, rc, e, &why) == 0;

	cli_catalog_unshare(c);
	if (noted)
		return rc;
	if (rc == -1) {
		out_message(c, "the run is not recorded: %s", why.msg);
		return -1;
	}
	err_set(e, ERR_INCOMPLETE, "%s: done, but not recorded in the catalog: %s",
	    c->args.cmd->name, why.msg);
	return err_hint(e, "%s", why.hint[0] ? why.hint : "holdfast catalog status");
}
