/*
 * writer_set: one run that adds to several repositories of a family.  They share
 * the keys of ids and of cuts, so a blob has one id in all of them; each has
 * its own index, packs, data keys and snapshot.
 */
#include "repo/family.h"
#include "repo/writer_feed.h"
#include "repo/writer_internal.h"

static int feed(struct writer *w, const struct writer_params *p, struct err *e)
{
	if (w->feed == NULL && !p->dry_run)
		w->feed = writer_feed_new(w, p, e);
	return w->feed != NULL || p->dry_run ? 0 : -1;
}

int writer_follow(struct writer *w, struct writer *peer, struct err *e)
{
	if (w->nset == WRITER_SET_MAX)
		return err_set(
		    e, ERR_UNSUPPORTED, "more than %d repositories at once", WRITER_SET_MAX);
	if (!family_is_kin(w->repo, peer->repo))
		return err_set(e, ERR_UNSUPPORTED, "%s is of another family", repo_url(peer->repo));
	if (feed(w, &w->params, e) == -1 || feed(peer, &w->params, e) == -1)
		return -1;
	w->set[w->nset++] = peer;
	return 0;
}

enum writer_loss writer_lost(struct writer *w, struct err *why)
{
	return w->feed ? writer_feed_lost(w->feed, why) : WRITER_WHOLE;
}

bool writer_takes(const struct writer *w, unsigned d)
{
	return writer_lost(w->set[d], NULL) == WRITER_WHOLE;
}

int writer_lose(struct writer *w, unsigned d, struct err *e)
{
	if (w->set[d]->feed == NULL)
		return -1;
	writer_feed_lose(w->set[d]->feed, WRITER_FAILED, e);
	for (unsigned i = 0; i < w->nset; i++)
		if (writer_takes(w, i))
			return 0;
	return -1;
}

int writer_has(struct writer *w, const struct id *id, struct index_near *near, struct err *e)
{
	unsigned has = 0, asked = 0;

	for (unsigned d = 0; d < w->nset; d++) {
		int rc;

		if (!writer_takes(w, d))
			continue;
		rc = writer_has_own(w->set[d], id, d == 0 ? near : NULL, e);
		if (rc == 0)
			return 0;
		if (rc == -1 && writer_lose(w, d, e) == -1)
			return -1;
		has += rc == 1;
		asked++;
	}
	if (asked == 0) {
		writer_lost(w, e);
		return -1;
	}
	return has > 0;
}
