/* evidence_action: the closed lists of what is recorded, and how it came out. */
#include <string.h>

#include "catalog/evidence.h"

static const struct evidence_action_info actions[EVIDENCE_ACTIONS] = {
    [EVIDENCE_BEGIN] = {"evidence.begin", "chain", "the chain begins; names its first key"},
    [EVIDENCE_MEND] = {"evidence.mend", "chain", "replaces what a crash left torn at the end"},
    [EVIDENCE_ROTATE] = {"evidence.rotate", "chain", "names the key that signs from here on"},
    [EVIDENCE_INIT] = {"init", "change", "a repository was made"},
    [EVIDENCE_BACKUP] = {"backup", "change", "a snapshot was stored"},
    [EVIDENCE_COPY] = {"copy", "change", "snapshots went to another repository"},
    [EVIDENCE_REPAIR] = {"repair", "change", "a damaged repository was mended"},
    [EVIDENCE_TAG] = {"tag", "change", "tags of snapshots were changed"},
    [EVIDENCE_KEY_ADD] = {"key.add", "change", "somebody else can open the repository"},
    [EVIDENCE_KEY_REMOVE] = {"key.remove", "change", "somebody no longer can"},
    [EVIDENCE_KEY_CHANGE] = {"key.change", "change", "a password or key file was changed"},
    [EVIDENCE_KEY_ROTATE] = {"key.rotate", "change", "a repository has new keys"},
    [EVIDENCE_KEY_EXPORT] = {"key.export", "access", "a sheet with a repository's keys was made"},
    [EVIDENCE_KEY_IMPORT] = {"key.import", "change", "a sheet was put back"},
    [EVIDENCE_CONFIG] = {"config.load", "change", "another configuration is in force"},
    [EVIDENCE_TOKEN] = {"token", "change", "an access token was made or withdrawn"},
    [EVIDENCE_DAEMON] = {"daemon", "change", "the daemon began or ended"},
    [EVIDENCE_JOB] = {"job", "change", "a job was asked for, stopped or left out"},
    [EVIDENCE_RESTORE] = {"restore", "access", "files were written back"},
    [EVIDENCE_CAT] = {"cat", "access", "a file's content was read"},
    [EVIDENCE_MOUNT] = {"mount", "access", "snapshots were mounted"},
    [EVIDENCE_KIT] = {"kit.export", "access", "a snapshot was exported with a key of its own"},
    [EVIDENCE_FORGET] = {"forget", "retention", "what is kept was decided"},
    [EVIDENCE_UNDO] = {"forget.undo", "retention", "snapshots came back from the trash"},
    [EVIDENCE_PRUNE] = {"prune", "retention", "what nobody needs was deleted"},
    [EVIDENCE_PIN] = {"pin", "retention", "snapshots are kept whatever the rules say"},
    [EVIDENCE_UNPIN] = {"unpin", "retention", "and no longer are"},
    [EVIDENCE_HOLD] = {"hold", "retention", "a legal hold was laid on snapshots"},
    [EVIDENCE_RELEASE] = {"release", "retention", "a legal hold was ended"},
    [EVIDENCE_ASK] = {"approval.ask", "approval", "somebody's approval is waited for"},
    [EVIDENCE_APPROVE] = {"approval.grant", "approval", "it was given"},
    [EVIDENCE_REFUSE] = {"approval.refuse", "approval", "it was not"},
    [EVIDENCE_VERIFY] = {"verify", "proof", "a snapshot was judged"},
    [EVIDENCE_DRILL] = {"drill", "proof", "a recovery was rehearsed"},
};

static const char *const outcomes[EVIDENCE_OUTCOMES] = {
    [EVIDENCE_BEGUN] = "begun",
    [EVIDENCE_COMPLETED] = "completed",
    [EVIDENCE_PROBLEMS] = "problems",
    [EVIDENCE_FAILED] = "failed",
    [EVIDENCE_INTERRUPTED] = "interrupted",
};

const struct evidence_action_info *evidence_action(enum evidence_action a)
{
	return &actions[a];
}

enum evidence_action evidence_action_of(const char *name)
{
	for (int i = 1; i < EVIDENCE_ACTIONS; i++)
		if (strcmp(actions[i].name, name) == 0)
			return (enum evidence_action)i;
	return 0;
}

const char *evidence_outcome_name(enum evidence_outcome o)
{
	return outcomes[o];
}

enum evidence_outcome evidence_outcome_of(const char *name)
{
	for (int i = 1; i < EVIDENCE_OUTCOMES; i++)
		if (strcmp(outcomes[i], name) == 0)
			return (enum evidence_outcome)i;
	return 0;
}
