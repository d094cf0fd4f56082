/* thaw_cost: see thaw_cost.h. */
#include "engine/thaw_cost.h"

#include "base/calendar.h"

static const int64_t DAY = 86400 * CALENDAR_SECOND;
static const double GB = 1 << 30, MONTH_DAYS = 30;

int64_t thaw_cost_free_ns(unsigned class, int64_t class_ns)
{
	return class_ns + store_class_info(class)->min_days * DAY;
}

double thaw_cost_early(unsigned class, int64_t class_ns, uint64_t bytes, int64_t now_ns)
{
	int64_t left = thaw_cost_free_ns(class, class_ns) - now_ns;

	if (left <= 0 || store_class_info(class)->min_days == 0)
		return 0;
	return (double)left / (double)DAY / MONTH_DAYS * store_class_info(class)->month *
	       (double)bytes / GB;
}

static void sum_add(struct thaw_sum *s, uint64_t bytes)
{
	s->packs++;
	s->bytes += bytes;
}

void thaw_cost_add(struct thaw_cost *c, const struct store_cold *pack, int64_t now_ns)
{
	const struct store_class_info *class = store_class_info(pack->class);

	sum_add(&c->of[pack->class][pack->state], pack->size);
	sum_add(&c->all, pack->size);
	if (pack->state == STORE_COLD)
		sum_add(&c->asleep, pack->size);
	else if (pack->state == STORE_THAWING)
		sum_add(&c->thawing, pack->size);
	else
		c->read += class->read * (double)pack->size / GB;
	if (pack->state == STORE_COLD && class->moves)
		c->early += thaw_cost_early(pack->class, pack->class_ns, pack->size, now_ns);
}

static double to_thaw(const struct store_class_info *class, const struct thaw_sum *asleep,
    const struct store_price *price, unsigned days)
{
	double gb = (double)asleep->bytes / GB;
	double keep = class->moves ? 0 : gb * STORE_THAWED_MONTH * days / MONTH_DAYS;

	return gb * price->gb + (double)asleep->packs / 1000 * price->requests + keep;
}

static void offer(
    struct thaw_cost *c, enum store_speed speed, const struct thaw_prices *prices, unsigned days)
{
	struct thaw_offer *o = &c->offer[speed];

	*o = (struct thaw_offer){.offered = true, .cost = c->early, .early = c->early};
	for (unsigned i = 0; i < STORE_CLASSES; i++) {
		const struct thaw_sum *asleep = &c->of[i][STORE_COLD];
		const struct store_class_info *class = store_class_info(i);

		if (asleep->packs == 0)
			continue;
		if (class->thaw[speed].seconds == 0) {
			*o = (struct thaw_offer){.offered = false};
			return;
		}
		if (class->thaw[speed].seconds > o->seconds)
			o->seconds = class->thaw[speed].seconds;
		o->cost += to_thaw(class, asleep,
		    prices->given[speed] ? &prices->price[speed] : &class->thaw[speed].price, days);
	}
}

void thaw_cost_offers(struct thaw_cost *c, const struct thaw_prices *prices, unsigned days)
{
	for (int i = 0; i < STORE_SPEEDS; i++)
		offer(c, (enum store_speed)i, prices, days);
}
