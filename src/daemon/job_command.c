/* job_command: a step that is one of our own commands. */
#include "daemon/job_internal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os_child.h"

enum { WORDS_MAX = 32 };

struct heard {
	struct job *j;
	bool take, told; /* the summary is ours; an error was told */
	struct err err;
};

static uint64_t number(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

static void take_summary(struct job_result *r, const json_t *o)
{
	const char *snapshot = json_string_value(json_object_get(o, "snapshot"));

	if (snapshot != NULL) {
		snprintf(r->snapshot, sizeof r->snapshot, "%s", snapshot);
		r->run.snapshot = r->snapshot;
	}
	r->run.files = number(o, "files");
	r->run.files_new = number(o, "files_new");
	r->run.files_changed = number(o, "files_changed");
	r->run.bytes = number(o, "bytes");
	r->run.bytes_read = number(o, "bytes_read");
	r->run.added = number(o, "added_bytes");
	r->run.stored = number(o, "stored_bytes");
	r->run.errors = number(o, "errors");
}

static void take_error(struct heard *h, const json_t *o)
{
	const char *message = json_string_value(json_object_get(o, "message"));
	const char *hint = json_string_value(json_object_get(o, "hint"));

	err_set(&h->err, err_kind_of(json_string_value(json_object_get(o, "kind"))), "%s",
	    message ? message : "failed");
	if (hint != NULL)
		err_hint(&h->err, "%s", hint);
	h->told = true;
}

static void hear(void *arg, const char *line)
{
	struct heard *h = arg;
	const struct job_params *p = h->j->p;
	json_t *o = json_loads(line, 0, NULL);
	const char *type = json_string_value(json_object_get(o, "type"));

	if (type != NULL && strcmp(type, "summary") == 0 && h->take)
		take_summary(h->j->r, o);
	if (type != NULL && strcmp(type, "error") == 0)
		take_error(h, o);
	if (type != NULL && strcmp(type, "item") == 0 && json_object_get(o, "assertions") != NULL)
		job_verify_hear(h->j, o);
	if (type != NULL && p->line != NULL)
		p->line(p->arg, line);
	json_decref(o);
}

static void idle(void *arg)
{
	const struct job_params *p = ((struct heard *)arg)->j->p;

	if (p->idle != NULL)
		p->idle(p->arg);
}

static int verdict(const struct heard *h, const char *what, int status, struct err *e)
{
	if (status == 0)
		return 0;
	if (h->told) {
		*e = h->err;
		return -1;
	}
	if (status > 128) {
		err_set(e, ERR_FAILED, "%s: ended by signal %d", what, status - 128);
		return err_hint(e, "9 is often the kernel's, where memory ran out: see dmesg");
	}
	return err_set(e, status == 3 ? ERR_INCOMPLETE : ERR_FAILED, "%s: exit %d", what, status);
}

int job_command(struct job *j, const char *const *words, bool take, struct err *e)
{
	/* Whoever runs the job records it; and what is declared says which repository. */
	char *run = mem_printf("HOLDFAST_RUN_ID=%lld", (long long)j->p->run);
	const char *argv[WORDS_MAX + 8] = {j->p->self, "--json"},
				     *env[] = {
					 run, "HOLDFAST_REPOSITORY=", "HOLDFAST_RUN_PARENT=", NULL};
	struct heard h = {.j = j, .take = take};
	struct os_child c = {.argv = argv, .env = env, .line = hear, .idle = idle, .arg = &h};
	size_t n = 2;
	int status, rc;

	if (j->p->config != NULL) {
		argv[n++] = "-c";
		argv[n++] = j->p->config;
	}
	for (size_t i = 0; words[i] != NULL && i < WORDS_MAX; i++)
		argv[n++] = words[i];
	rc = os_child_run(&c, j->ctx, &status, e);
	free(run);
	if (rc == -1)
		return err_wrap(e, "%s", words[0]);
	return verdict(&h, words[0], status, e);
}
