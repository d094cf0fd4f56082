/* budget: see budget.h. */
#include "engine/budget.h"

void budget_init(struct budget *b, uint64_t size)
{
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->more, NULL);
	b->size = size;
	b->taken = 0;
}

void budget_fini(struct budget *b)
{
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->more);
}

void budget_take(struct budget *b, uint64_t n)
{
	pthread_mutex_lock(&b->lock);
	while (b->taken > 0 && b->taken + n > b->size)
		pthread_cond_wait(&b->more, &b->lock);
	b->taken += n;
	pthread_mutex_unlock(&b->lock);
}

void budget_give(struct budget *b, uint64_t n)
{
	pthread_mutex_lock(&b->lock);
	b->taken -= n;
	pthread_cond_broadcast(&b->more);
	pthread_mutex_unlock(&b->lock);
}
