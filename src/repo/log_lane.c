/* log_lane: see log_internal.h. */
#include <string.h>

#include "os/os.h"
#include "repo/log_internal.h"

void log_lanes_init(struct log_lanes *ls, struct repo *r, const struct domain *d)
{
	unsigned cpus = os_cpus();

	memset(ls, 0, sizeof *ls);
	ls->n = cpus < LOG_LANES_MAX ? cpus : LOG_LANES_MAX;
	for (unsigned i = 0; i < ls->n; i++) {
		struct log_lane *l = &ls->lane[i];
		struct crypto_mac *mac[BLOB_KINDS] = {NULL};

		l->all = ls;
		l->codec = codec_new();
		sealer_init(&l->sealer, r->config.repo);
		if (d != NULL)
			domain_macs(d, r->config.blob_id, mac);
		l->mac = mac[PURPOSE_CONTENT - 1];
		mac[PURPOSE_CONTENT - 1] = NULL;
		domain_macs_free(mac);
	}
}

void log_lanes_fini(struct log_lanes *ls)
{
	for (unsigned i = 0; i < ls->n; i++) {
		codec_free(ls->lane[i].codec);
		crypto_mac_free(ls->lane[i].mac);
		sealer_fini(&ls->lane[i].sealer);
		buf_fini(&ls->lane[i].scratch);
		buf_fini(&ls->lane[i].plain);
	}
	ls->n = 0;
}

static void *work(void *arg)
{
	struct log_lane *l = arg;
	struct log_lanes *ls = l->all;
	size_t i;

	while ((i = atomic_fetch_add(&ls->next, 1)) < ls->todo)
		ls->step(ls->arg, l, i);
	return NULL;
}

void log_lanes_run(struct log_lanes *ls, size_t n,
    void (*step)(void *arg, struct log_lane *l, size_t i), void *arg)
{
	pthread_t thread[LOG_LANES_MAX];
	unsigned started = 1;

	ls->step = step;
	ls->arg = arg;
	ls->todo = n;
	atomic_store(&ls->next, 0);
	/* Where no thread can be had the others do it. */
	while (started < ls->n && started < n &&
	       pthread_create(&thread[started], NULL, work, &ls->lane[started]) == 0)
		started++;
	work(&ls->lane[0]);
	while (--started > 0)
		pthread_join(thread[started], NULL);
}
