/* late: see late.h. */
#include "repo/late.h"

#include <string.h>

#include "base/hex.h"
#include "repo/gone.h"
#include "repo/repo_object.h"

json_t *late_newest(const struct snapshot_list *l, const uint8_t signer[FORMAT_UID])
{
	json_t *out = json_object();

	for (size_t i = 0; i < l->n; i++) {
		const struct snapshot *s = l->v[i];
		char client[2 * FORMAT_UID + 1];

		if (memcmp(s->signer, signer, FORMAT_UID) != 0 || s->sequence > INT64_MAX)
			continue;
		hex_encode(client, s->client, FORMAT_UID);
		if ((json_int_t)s->sequence > json_integer_value(json_object_get(out, client)))
			json_object_set_new(out, client, json_integer((json_int_t)s->sequence));
	}
	return out;
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
	if (s->sequence > newest)
		return true;
	return repo_time_parse(config_writer_text(c, s->signer, "removed"), &removed_ns) &&
	       s->stored_ns > removed_ns && takes_a_number(l, s);
}

void late_judge(const struct config *c, struct snapshot_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		l->v[i]->late = is_late(c, l, l->v[i]);
}
