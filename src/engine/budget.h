/*
 * budget: so many bytes of memory, shared by threads that each need a part for a while.
 *
 * Who takes more than all of it gets it when nobody else has any: so nothing
 * is too large, and nobody waits for ever.
 *
 * Threads: any; take waits.
 */
#ifndef HF_ENGINE_BUDGET_H
#define HF_ENGINE_BUDGET_H

#include <pthread.h>
#include <stdint.h>

struct budget {
	pthread_mutex_t lock;
	pthread_cond_t more;
	uint64_t size, taken;
};

void budget_init(struct budget *b, uint64_t size);
void budget_fini(struct budget *b);
void budget_take(struct budget *b, uint64_t n);
void budget_give(struct budget *b, uint64_t n); /* what was taken */

#endif
