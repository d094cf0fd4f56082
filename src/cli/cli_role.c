/*
 * cli_role: which commands need a key that reads.  The keys themselves hold:
 * this only says it before anything is begun, and with the command's name.
 */
#include "cli/cli.h"

static const enum {
	ANYBODY,
	STRUCTURE,
	CONTENT
} needs[CMD_COUNT] = {
    [CMD_SNAPSHOTS] = STRUCTURE,
    [CMD_CHECK] = STRUCTURE,
    [CMD_PRUNE] = STRUCTURE,
    [CMD_VERIFY] = CONTENT,
    [CMD_DRILL] = CONTENT,
    [CMD_LS] = CONTENT,
    [CMD_FIND] = CONTENT,
    [CMD_CAT] = CONTENT,
    [CMD_DIFF] = CONTENT,
    [CMD_RESTORE] = CONTENT,
    [CMD_RECOVER] = CONTENT,
    [CMD_MOUNT] = CONTENT,
    [CMD_FORGET] = CONTENT, /* its rules are by host and paths */
    [CMD_STATS] = CONTENT,
    [CMD_COPY] = CONTENT, /* what was copied before is to be seen */
    [CMD_KIT] = CONTENT,
    [CMD_TAG] = CONTENT,
};

int cli_role_check(const struct cli *c, struct err *e)
{
	int need = needs[c->args.cmd->id];

	/* With whose rights things are tried is what a tamper test is about. */
	if (c->repo == NULL || (c->args.cmd->id == CMD_CHECK && c->opt.tamper))
		return 0;
	/* Maintenance adds nothing: it has no names for what it would add. */
	if (c->args.cmd->id == CMD_BACKUP && repo_role(c->repo) == ROLE_MAINTENANCE) {
		err_set(e, ERR_WRONG_KEY, "backup: this key's role is maintenance");
		return err_hint(e, "use a key with the role full or write");
	}
	if (need == ANYBODY || repo_need(c->repo, need == CONTENT, e) == 0)
		return 0;
	return err_wrap(e, "%s", c->args.cmd->name);
}
