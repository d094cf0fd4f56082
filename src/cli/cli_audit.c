/* cli_audit: see cli_audit.h. */
#include "cli/cli_audit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/evidence_head.h"
#include "cli/cli_out.h"
#include "config/world.h"
#include "os/os.h"

enum { LIST_MAX = 200 }; /* so that several fit into a record */

struct audit {
	char *dir;
	enum evidence_action action;
	char *subject;
	uint64_t begun;       /* the first record's number */
	pthread_mutex_t lock; /* guards did */
	json_t *did;          /* what the command told */
	bool failed;          /* something could not be recorded... */
	struct err why;       /* ...for this */
};

static const enum evidence_action actions[CMD_COUNT] = {
    [CMD_INIT] = EVIDENCE_INIT,
    [CMD_BACKUP] = EVIDENCE_BACKUP,
    [CMD_CAT] = EVIDENCE_CAT,
    [CMD_RESTORE] = EVIDENCE_RESTORE,
    [CMD_RECOVER] = EVIDENCE_RESTORE,
    [CMD_MOUNT] = EVIDENCE_MOUNT,
    [CMD_FORGET] = EVIDENCE_FORGET,
    [CMD_PRUNE] = EVIDENCE_PRUNE,
    [CMD_COPY] = EVIDENCE_COPY,
    [CMD_TAG] = EVIDENCE_TAG,
    [CMD_KIT] = EVIDENCE_KIT,
    [CMD_REPAIR] = EVIDENCE_REPAIR,
};

static enum evidence_action key_action(const char *word)
{
	static const struct {
		const char *word;
		enum evidence_action action;
	} rows[] = {{"add", EVIDENCE_KEY_ADD}, {"remove", EVIDENCE_KEY_REMOVE},
	    {"passwd", EVIDENCE_KEY_CHANGE}, {"rotate", EVIDENCE_KEY_ROTATE},
	    {"export", EVIDENCE_KEY_EXPORT}, {"import", EVIDENCE_KEY_IMPORT}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].word, word) == 0)
			return rows[i].action;
	return 0;
}

/* 0: it neither changes nor shows anything. */
static enum evidence_action action_of(const struct cli *c)
{
	const struct cli_options *o = &c->opt;

	if (o->dry_run)
		return 0;
	switch (c->args.cmd->id) {
	case CMD_KEY:
		return key_action(c->args.v[0]);
	case CMD_TOKEN:
		return strcmp(c->args.v[0], "list") == 0 ? 0 : EVIDENCE_TOKEN;
	case CMD_RUN: /* of the daemon's own each step records itself */
		return getenv("HOLDFAST_RUN_ID") ? 0 : EVIDENCE_JOB;
	case CMD_VERIFY: /* the same: each step says what it found */
		if (o->accept || o->monitors.n > 0)
			return o->accept ? EVIDENCE_APPROVE : 0;
		return c->repo != NULL             ? EVIDENCE_VERIFY
		       : getenv("HOLDFAST_RUN_ID") ? 0
						   : EVIDENCE_JOB;
	case CMD_DRILL:
		return c->repo != NULL             ? EVIDENCE_DRILL
		       : getenv("HOLDFAST_RUN_ID") ? 0
						   : EVIDENCE_JOB;
	case CMD_JOBS:
		return c->args.n && strcmp(c->args.v[0], "cancel") == 0 ? EVIDENCE_JOB : 0;
	case CMD_FORGET:
		return o->undo ? EVIDENCE_UNDO : EVIDENCE_FORGET;
	case CMD_TAG:
		return o->hold      ? EVIDENCE_HOLD
		       : o->release ? EVIDENCE_RELEASE
		       : o->pin     ? EVIDENCE_PIN
		       : o->unpin   ? EVIDENCE_UNPIN
				    : EVIDENCE_TAG;
	default:
		return actions[c->args.cmd->id];
	}
}

/* A chain is kept already, or somebody declared what is to be done here. */
static bool is_wanted(struct cli *c, const char *dir)
{
	struct err ignored;

	/* What a drill proves is nothing without its record. */
	if (evidence_is_kept(dir) || (c->args.cmd->id == CMD_DRILL && c->repo != NULL))
		return true;
	/* A configuration that is wrong is told by who needs it. */
	err_clear(&ignored);
	return config_load(c, false, &ignored) == 0 && c->world != NULL;
}

/* The command has what it was asked for: this is a problem beside it, told once. */
static void missed(struct cli *c, struct audit *a, const struct err *why)
{
	if (!a->failed)
		event_emit(c->ctx, EVENT_WARNING, span_of("", 0), "%s", why->msg);
	a->failed = true;
	a->why = *why;
}

static char *subject_of(struct cli *c)
{
	const char *word = c->opt.repo ? c->opt.repo : c->args.n ? c->args.v[c->args.n - 1] : "";

	if (c->repo != NULL)
		word = repo_url(c->repo);
	else if (c->named != NULL)
		word = c->named->url;
	return audit_clean(word);
}

/* Who logged in may be another than whose rights the process has. */
static void put_people(json_t *o)
{
	const char *run = getenv("HOLDFAST_RUN_ID");
	char login[128];

	if (os_login(login, sizeof login))
		out_json_str(o, "login", login);
	if (run != NULL && run[0] != '\0')
		out_json_str(o, "run", run);
	out_json_u64(o, "pid", (uint64_t)getpid());
}

static void record(struct cli *c, struct audit *a, enum evidence_outcome outcome, json_t *details)
{
	struct evidence_event ev = {a->action, outcome, NULL, a->subject, details};
	struct evidence_head head;
	struct err why;

	if (evidence_append(a->dir, &ev, c->ctx, &head, &why) == -1)
		missed(c, a, &why);
	else if (outcome == EVIDENCE_BEGUN)
		a->begun = head.sequence;
}

static struct audit *set_up(struct cli *c)
{
	enum evidence_action action = action_of(c);
	char *dir = action ? os_state_dir() : NULL;
	struct audit *a;

	if (action == 0 || !is_wanted(c, dir)) {
		free(dir);
		return NULL;
	}
	a = mem_zalloc(sizeof *a);
	a->dir = dir;
	a->action = action;
	a->subject = subject_of(c);
	a->did = json_object();
	pthread_mutex_init(&a->lock, NULL);
	return c->audit = a;
}

/* What was asked for, and by whom. */
static void put_asked(struct cli *c, json_t *o)
{
	json_object_set_new(o, "arguments", audit_arguments(c));
	json_object_set_new(o, "options", audit_options(c));
	put_people(o);
}

void audit_begin(struct cli *c)
{
	struct audit *a = set_up(c);
	json_t *o;

	if (a == NULL)
		return;
	o = json_object();
	put_asked(c, o);
	if (c->repo != NULL)
		out_json_str(o, "repository", repo_id_text(c->repo));
	record(c, a, EVIDENCE_BEGUN, o);
	json_decref(o);
}

static enum evidence_outcome outcome_of(const struct cli *c, int rc, const struct err *e)
{
	if (rc == 0 || c->wanted)
		return EVIDENCE_COMPLETED;
	return e->kind == ERR_INCOMPLETE  ? EVIDENCE_PROBLEMS
	       : e->kind == ERR_CANCELLED ? EVIDENCE_INTERRUPTED
					  : EVIDENCE_FAILED;
}

/* ---- Heads into the repositories that were written to. */

static bool publishes(const struct cli *c)
{
	switch (c->args.cmd->id) {
	case CMD_BACKUP:
	case CMD_FORGET:
	case CMD_PRUNE:
	case CMD_COPY:
		return true;
	default:
		return false;
	}
}

static void publish_also(struct cli *c, struct audit *a, const char *word,
    const struct evidence_head *h, const char *line)
{
	const struct world_repository *named;
	struct store *s = NULL;
	struct err why;

	if (config_repository(c, word, &named, &why) == -1 ||
	    cli_place_open(c, named ? named->url : word, named, false, c->ctx, &s, &why) == -1 ||
	    evidence_head_publish(s, h, line, &why) == -1)
		missed(c, a, &why);
	store_close(s);
}

static void publish(struct cli *c, struct audit *a, int rc)
{
	struct evidence_head h;
	struct err why;
	char *line;

	if (evidence_head_now(a->dir, c->ctx, &h, &line, &why) == -1) {
		missed(c, a, &why);
		return;
	}
	/* Who may not write there at all was told so already. */
	if (c->repo != NULL && repo_may_write(c->repo, &why) == 0 &&
	    evidence_head_publish(repo_store(c->repo), &h, line, &why) == -1)
		missed(c, a, &why);
	/* With problems it is not known which of the others could be reached. */
	for (size_t i = 0; rc == 0 && i < c->opt.also.n; i++)
		publish_also(c, a, c->opt.also.v[i], &h, line);
	free(line);
}

int audit_end(struct cli *c, int rc, struct err *e)
{
	struct audit *a = c->audit;
	json_t *o;

	if (a == NULL)
		return rc;
	o = json_object();
	if (a->begun)
		out_json_u64(o, "begun", a->begun);
	else
		put_asked(c, o);
	if (rc == -1 && !c->wanted) {
		out_json_u64(o, "exit", (uint64_t)err_info(e->kind)->exit_status);
		out_json_str(o, "kind", err_info(e->kind)->name);
		out_json_str(o, "error", e->msg);
	}
	if (c->repo != NULL)
		out_json_str(o, "repository", repo_id_text(c->repo));
	json_object_update(o, a->did);
	record(c, a, outcome_of(c, rc, e), o);
	json_decref(o);
	if (publishes(c) && (rc == 0 || e->kind == ERR_INCOMPLETE))
		publish(c, a, rc);
	if (!a->failed || rc == -1)
		return rc;
	err_set(e, ERR_INCOMPLETE, "%s: done, but the record of it is not: %s", c->args.cmd->name,
	    a->why.msg);
	return err_hint(e, "%s", a->why.hint[0] ? a->why.hint : "holdfast doctor");
}

int audit_refused(struct cli *c, struct err *e)
{
	if (e->kind != ERR_WRONG_KEY)
		return -1;
	set_up(c);
	return audit_end(c, -1, e);
}

void audit_free(struct cli *c)
{
	struct audit *a = c->audit;

	if (a == NULL)
		return;
	pthread_mutex_destroy(&a->lock);
	json_decref(a->did);
	free(a->subject);
	free(a->dir);
	free(a);
	c->audit = NULL;
}

void audit_put(struct cli *c, const char *name, const char *value)
{
	struct audit *a = c->audit;

	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	out_json_str(a->did, name, value);
	pthread_mutex_unlock(&a->lock);
}

void audit_put_number(struct cli *c, const char *name, double value)
{
	struct audit *a = c->audit;

	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	json_object_set_new(a->did, name, json_real(value));
	pthread_mutex_unlock(&a->lock);
}

void audit_count(struct cli *c, const char *name, uint64_t n)
{
	struct audit *a = c->audit;

	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	out_json_u64(a->did, name, n);
	pthread_mutex_unlock(&a->lock);
}

/* Of a list that is too long, how many there are besides. */
static void add_more(json_t *did, const char *name)
{
	char more[64];

	snprintf(more, sizeof more, "%s_more", name);
	json_object_set_new(
	    did, more, json_integer(1 + json_integer_value(json_object_get(did, more))));
}

void audit_add(struct cli *c, const char *name, const char *value)
{
	struct audit *a = c->audit;
	json_t *list;

	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	list = json_object_get(a->did, name);
	if (list == NULL) {
		list = json_array();
		json_object_set_new(a->did, name, list);
	}
	if (json_array_size(list) < LIST_MAX)
		json_array_append_new(list, json_string(value));
	else
		add_more(a->did, name);
	pthread_mutex_unlock(&a->lock);
}

void audit_event(struct cli *c, const struct event *ev)
{
	char id[ID_HEX] = "";

	/* Packs go by thousands, and are nothing that anybody asked for by name. */
	if (c->audit == NULL || ev->id != EVENT_OBJECT_REMOVED || ev->path.n >= sizeof id ||
	    strncmp(ev->text, "snapshot ", 9) != 0)
		return;
	memcpy(id, ev->path.p, ev->path.n);
	audit_add(c, "removed", id);
}
