/*
 * turns: threads that run one at a time, in an order that a seed decides, by
 * a clock that only the simulation moves.
 *
 * A simulated thread runs until it parks, waits for a lock, a condition or
 * another thread, or ends; then the next is chosen.  Between these points it
 * is alone, so a history depends on nothing but its seed.  The linker hands
 * us what the engine asks of pthreads, of the clock, of sleep and of
 * randomness (--wrap, see meson.build); what other threads ask goes through.
 *
 * A parked thread sleeps by the virtual clock: the one that wakes first is
 * next, and the clock leaps there.  Nothing ever waits for real.
 *
 * Threads: simulated ones, and one that calls turns_run.
 */
#ifndef HF_TEST_SIM_TURNS_H
#define HF_TEST_SIM_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void turns_begin(uint64_t seed, int64_t now_ns);
/* A thread of a group of its own; threads that it makes belong to its group. */
void turns_spawn(void (*f)(void *), void *arg);
void turns_run(void); /* until every thread has ended */

bool turns_inside(void); /* is the caller simulated? */
void turns_park(int64_t ns);
int64_t turns_now(void);
uint64_t turns_rand(void);
uint64_t turns_below(uint64_t n); /* 0 to n - 1 */
bool turns_chance(unsigned per_mille);

/* Called whenever the clock has moved, before anybody runs. */
void turns_on_time(void (*f)(void *), void *arg);

#endif
