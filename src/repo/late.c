/* late: see late.h. */
#include "repo/late.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "repo/gone.h"
#include "repo/repo_object.h"

/* More stretches than a client has by accident: what is beyond them counts as late. */
enum { MISSING_MAX = 64 };

/* All numbers of this signer that are there or were deleted rightly. */
static void collect(
    const struct snapshot_list *l, const uint8_t signer[FORMAT_UID], struct gone *out)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct snapshot *s = l->v[i];
		struct author by = snapshot_author(s);

		if (memcmp(s->signer, signer, FORMAT_UID) == 0 && s->sequence <= INT64_MAX)
			gone_add(out, &by, s->sequence, s->sequence);
	}
	for (size_t i = 0; i < l->gone.n; i++)
		if (memcmp(l->gone.v[i].by.signer, signer, FORMAT_UID) == 0 &&
		    l->gone.v[i].to <= INT64_MAX)
			gone_add(out, &l->gone.v[i].by, l->gone.v[i].from, l->gone.v[i].to);
	gone_join(out);
}

/* The stretches of one client begin at v[0]: its newest number and what is missing; how many. */
static size_t take_client(const struct gone_range *v, size_t n, json_t *newest, json_t *missing)
{
	json_t *gaps = json_array();
	uint64_t last = 0;
	char client[2 * FORMAT_UID + 1];
	size_t i = 0;

	hex_encode(client, v[0].by.client, FORMAT_UID);
	for (; i < n && author_cmp(&v[i].by, &v[0].by) == 0; i++) {
		bool gap = v[i].from > last + 1;

		if (gap && json_array_size(gaps) == 2 * MISSING_MAX)
			continue;
		if (gap) {
			json_array_append_new(gaps, json_integer((json_int_t)last + 1));
			json_array_append_new(gaps, json_integer((json_int_t)v[i].from - 1));
		}
		last = v[i].to;
	}
	json_object_set_new(newest, client, json_integer((json_int_t)last));
	if (json_array_size(gaps) > 0)
		json_object_set(missing, client, gaps);
	json_decref(gaps);
	return i;
}

void late_numbers(const struct snapshot_list *l, const uint8_t signer[FORMAT_UID], json_t **newest,
    json_t **missing)
{
	struct gone there = {0};

	*newest = json_object();
	*missing = json_object();
	collect(l, signer, &there);
	for (size_t i = 0; i < there.n;)
		i += take_client(there.v + i, there.n - i, *newest, *missing);
	gone_fini(&there);
}

static bool has(const struct snapshot_list *l, size_t n, const struct id *id)
{
	for (size_t i = 0; i < n; i++)
		if (id_eq(&l->v[i]->id, id))
			return true;
	return false;
}

int late_look_again(struct repo *r, struct snapshot_list *l, struct err *e)
{
	struct id_list ids = {0};
	size_t before = l->n;
	int rc = repo_list_ids(r, FORMAT_SNAPSHOT, &ids, e);

	for (size_t i = 0; i < ids.n && rc == 0; i++) {
		struct snapshot *s;

		if (has(l, before, &ids.v[i]))
			continue;
		if (snapshot_load(r, &ids.v[i], &s, e) == 0) {
			l->v = mem_realloc(l->v, (l->n + 1) * sizeof(struct snapshot *));
			l->v[l->n++] = s;
		} else if (e->kind != ERR_ABSENT && !repo_is_bad(e)) {
			rc = -1;
		}
	}
	id_list_fini(&ids);
	return rc;
}

/* Is its number that of another which is there longer, or that prune deleted? */
static bool takes_a_number(const struct snapshot_list *l, const struct snapshot *s)
{
	struct author by = snapshot_author(s);

	if (gone_find(&l->gone, &by, s->sequence) != NULL && !s->forgotten)
		return true;
	for (size_t i = 0; i < l->n; i++) {
		struct author other = snapshot_author(l->v[i]);

		if (author_cmp(&by, &other) == 0 && l->v[i]->sequence == s->sequence &&
		    l->v[i]->stored_ns < s->stored_ns)
			return true;
	}
	return false;
}

static bool is_late(const struct config *c, const struct snapshot_list *l, const struct snapshot *s)
{
	uint64_t newest;
	int64_t removed_ns;

	if (!config_writer_newest(c, s->signer, s->client, &newest))
		return false;
	if (s->sequence > newest || config_writer_missed(c, s->signer, s->client, s->sequence))
		return true;
	return repo_time_parse(config_writer_text(c, s->signer, "removed"), &removed_ns) &&
	       s->stored_ns > removed_ns && takes_a_number(l, s);
}

void late_judge(const struct config *c, struct snapshot_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		l->v[i]->late = is_late(c, l, l->v[i]);
}
