/* world_monitor: see world_monitor.h; and what its table cannot say. */
#include "config/world_monitor.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/world_load.h"

static const char *const types[] = {"", "checksum", "record_count", "state_hash", "version_check"};
static const char *const actions[] = {
    "", "alert_on_mismatch", "alert_on_threshold", "block_on_mismatch"};

const char *world_monitor_type_name(int type)
{
	return types[type];
}

const char *world_monitor_action_name(int action)
{
	return actions[action];
}

/* ---- What both say. */

static int64_t seconds(const struct calendar_duration *d)
{
	return d->ns / CALENDAR_SECOND + (int64_t)d->months * 30 * 86400;
}

static bool is_said(const struct calendar_duration *d)
{
	return d->ns != 0 || d->months != 0;
}

static void lay_over(struct world_monitor *to, const struct world_monitor *own)
{
	to->item = own->item;
	to->type = own->type ? own->type : to->type;
	to->action = own->action ? own->action : to->action;
	to->every = is_said(&own->every) ? own->every : to->every;
	to->timeout = is_said(&own->timeout) ? own->timeout : to->timeout;
	to->threshold = own->threshold > 0 ? own->threshold : to->threshold;
	to->expect = own->expect ? own->expect : to->expect;
	/* Of what is one thing: who says other paths does not mean the tier's command. */
	if (own->paths.n > 0 || own->command != NULL) {
		to->paths = own->paths;
		to->command = own->command;
	}
}

static void fill(struct world_monitor *m)
{
	for (int i = 1; m->type == 0 && i <= WORLD_VERSION_CHECK; i++)
		if (strcmp(m->item.name, types[i]) == 0)
			m->type = i;
	if (m->action == 0)
		m->action = m->type == WORLD_RECORD_COUNT ? WORLD_ALERT_ON_THRESHOLD
							  : WORLD_ALERT_ON_MISMATCH;
	if (m->threshold <= 0)
		m->threshold = WORLD_MONITOR_THRESHOLD;
	if (!is_said(&m->timeout))
		m->timeout.ns = WORLD_MONITOR_TIMEOUT_S * CALENDAR_SECOND;
}

static void add_all(const struct field_items *items, struct world_monitor *out, size_t *n)
{
	for (size_t i = 0; i < items->n; i++) {
		const struct world_monitor *m = (const struct world_monitor *)items->v + i;
		size_t at = 0;

		while (at < *n && strcmp(out[at].item.name, m->item.name) != 0)
			at++;
		if (at == *n)
			out[(*n)++] = *m;
		else
			lay_over(&out[at], m);
	}
}

size_t world_monitors_max(const struct world *w, const struct world_system *s)
{
	return world_tier(w, s->tier)->monitors.n + s->monitors.n + 1;
}

size_t world_monitors(
    const struct world *w, const struct world_system *s, struct world_monitor *out)
{
	size_t n = 0;

	add_all(&world_tier(w, s->tier)->monitors, out, &n);
	add_all(&s->monitors, out, &n);
	for (size_t i = 0; i < n; i++)
		fill(&out[i]);
	return n;
}

const char *world_monitor_lacks(const struct world_monitor *m)
{
	if (m->type == 0)
		return "a type";
	if (!is_said(&m->every))
		return "every, how often";
	if (m->type == WORLD_CHECKSUM && m->paths.n == 0)
		return "paths, whose content does not change";
	if (m->type != WORLD_RECORD_COUNT && m->paths.n == 0 && m->command == NULL)
		return "paths or a command";
	return NULL;
}

/* ---- Mistakes. */

static bool of_profile(const struct world_monitor *m)
{
	return strncmp(m->item.at.file, "profile ", 8) == 0;
}

/* A checksum is of what is backed up. */
static bool is_stored(const struct world_system *s, const char *path)
{
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct world_source *src = (const struct world_source *)s->sources.v + i;

		for (size_t j = 0; j < src->files.paths.n; j++) {
			const char *root = src->files.paths.v[j];
			size_t n = strlen(root);

			while (n > 1 && root[n - 1] == '/')
				n--;
			if (strncmp(path, root, n) == 0 &&
			    (n == 1 || path[n] == '\0' || path[n] == '/'))
				return true;
		}
	}
	return false;
}

static int check_paths(const struct world_system *s, const struct world_monitor *m, struct err *e)
{
	for (size_t i = 0; i < m->paths.n; i++) {
		if (m->paths.v[i][0] != '/')
			return node_fail(
			    m->paths.at[i], e, "'%.200s' is not an absolute path", m->paths.v[i]);
		if (m->type == WORLD_CHECKSUM && s != NULL && !is_stored(s, m->paths.v[i]))
			return node_fail(m->paths.at[i], e,
			    "'%.200s' is not among the sources of %s", m->paths.v[i], s->item.name);
	}
	if (m->type == WORLD_VERSION_CHECK && m->paths.n > 1)
		return node_fail(m->paths.at[1], e, "a version is of one file");
	return 0;
}

static int check_words(const struct world_monitor *m, struct err *e)
{
	struct node_at at = m->item.at;

	if (m->paths.n > 0 && m->command != NULL)
		return node_fail(at, e, "%s: paths or a command, not both", m->item.name);
	if (m->type == WORLD_CHECKSUM && m->command != NULL) {
		node_fail(at, e, "%s: a checksum is of paths in the snapshot", m->item.name);
		return err_hint(e, "of what a command prints it is a state_hash");
	}
	if (m->type == WORLD_RECORD_COUNT && m->paths.n > 0) {
		node_fail(at, e, "%s: records are counted by a command", m->item.name);
		return err_hint(e, "without one it is the newest backup's files");
	}
	if (m->type != WORLD_VERSION_CHECK && m->expect != NULL)
		return node_fail(at, e, "%s: only a version_check expects", m->item.name);
	if (m->type != WORLD_RECORD_COUNT && m->action == WORLD_ALERT_ON_THRESHOLD) {
		node_fail(at, e, "%s: only a record_count has a threshold", m->item.name);
		return err_hint(e, "alert_on_mismatch, or block_on_mismatch");
	}
	return 0;
}

static int check_monitor(const struct world_system *s, const struct world_monitor *m, struct err *e)
{
	const char *lacks = world_monitor_lacks(m);

	if (m->type == 0) {
		node_fail(m->item.at, e, "monitors: what kind is '%.64s'?", m->item.name);
		return err_hint(e, "type: checksum, record_count, state_hash or version_check");
	}
	if (check_words(m, e) == -1 || check_paths(s, m, e) == -1)
		return -1;
	if (lacks != NULL && s != NULL && !of_profile(m))
		return node_fail(
		    m->item.at, e, "%s: %s needs %s", s->item.name, m->item.name, lacks);
	if (is_said(&m->every) && seconds(&m->every) < WORLD_MONITOR_EVERY_S)
		return node_fail(m->item.at, e, "%s: more often than every %ds", m->item.name,
		    WORLD_MONITOR_EVERY_S);
	return 0;
}

void world_check_monitors(const struct world *w, struct mistakes *m)
{
	struct err e;

	for (size_t i = 0; i < w->tiers.n; i++) {
		const struct world_tier *t = (const struct world_tier *)w->tiers.v + i;

		for (size_t k = 0; k < t->monitors.n; k++) {
			struct world_monitor one = ((const struct world_monitor *)t->monitors.v)[k];

			fill(&one);
			if (check_monitor(NULL, &one, &e) == -1)
				mistakes_add(m, &e);
		}
	}
	for (size_t i = 0; i < w->systems.n; i++) {
		const struct world_system *s = world_system_at(w, i);
		struct world_monitor *v;
		size_t n;

		if (s->tier == NULL || world_tier(w, s->tier) == NULL)
			continue;
		v = mem_alloc(world_monitors_max(w, s) * sizeof *v);
		n = world_monitors(w, s, v);
		for (size_t k = 0; k < n; k++)
			if (check_monitor(s, &v[k], &e) == -1)
				mistakes_add(m, &e);
		free(v);
	}
}
