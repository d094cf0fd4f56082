/*
 * prune_cold: what is charged for in cold storage is left alone, unless somebody said that he
 * pays.  A pack that nothing needs, in a class that is paid for a minimum time anyway, is kept
 * for that time as if it were needed: it costs nothing, and a backup that brings its content
 * back finds it there.  See prune_internal.h.
 */
#include "engine/prune_internal.h"
#include "engine/thaw_cost.h"

void prune_keep_paid(struct prune *pr)
{
	struct prune_result *out = pr->out;
	struct ppack *pk;
	struct id id;
	size_t pos = 0;

	while (!pr->p->pay_for_cold && (pk = idmap_next(pr->packs, &pos, &id)) != NULL) {
		int64_t free_ns = thaw_cost_free_ns(pk->class, pk->class_ns);

		if (!pk->present || pk->live || pk->class == STORE_CLASS_USUAL ||
		    free_ns <= pr->now_ns)
			continue;
		pk->live = true;
		pk->paid_ns = free_ns;
		out->paid_packs++;
		out->paid_bytes += pk->size;
		out->paid_fee += thaw_cost_early(pk->class, pk->class_ns, pk->size, pr->now_ns);
		if (out->paid_until_ns == 0 || free_ns < out->paid_until_ns)
			out->paid_until_ns = free_ns;
	}
}

bool prune_may_read(const struct prune *pr, const struct ppack *pk)
{
	if (pk->class == STORE_CLASS_USUAL)
		return true;
	return pr->p->pay_for_cold && !store_class_info(pk->class)->asleep;
}
