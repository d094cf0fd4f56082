/* cli_thaw: see cli_thaw.h. */
#include "cli/cli_thaw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_out.h"

static const char *const state_names[THAW_STATES] = {
    [STORE_HOT] = "awake",
    [STORE_COLD] = "asleep",
    [STORE_THAWING] = "thawing",
    [STORE_THAWED] = "thawed",
};

/* ---- Options. */

static int bad_price(const char *text, struct err *e)
{
	err_set(e, ERR_USAGE, "--thaw-price %s", text);
	return err_hint(e,
	    "SPEED=PRICE or SPEED=PRICE:REQUESTS, like standard=0.02:0.10: what a GB "
	    "and a thousand requests cost at bulk, standard or expedited speed");
}

static bool number(const char *text, char end, double *out, const char **after)
{
	char *stop;

	*out = strtod(text, &stop);
	*after = stop;
	return stop != text && (*stop == '\0' || *stop == end) && isfinite(*out) && *out >= 0;
}

static int take_price(const char *text, struct thaw_prices *out, struct err *e)
{
	const char *at = strchr(text, '=');
	struct store_price p = {0};

	for (int i = 0; at && i < STORE_SPEEDS; i++) {
		const char *name = store_speed_name((enum store_speed)i);

		if (strlen(name) != (size_t)(at - text) || strncmp(name, text, strlen(name)) != 0)
			continue;
		if (!number(at + 1, ':', &p.gb, &at) ||
		    (*at == ':' && !number(at + 1, '\0', &p.requests, &at)))
			break;
		out->given[i] = true;
		out->price[i] = p;
		return 0;
	}
	return bad_price(text, e);
}

/* ---- What there is to decide. */

static void sum_json(json_t *o, const char *name, const struct thaw_sum *s)
{
	json_t *sum = json_object();

	out_json_u64(sum, "packs", s->packs);
	out_json_u64(sum, "bytes", s->bytes);
	json_object_set_new(o, name, sum);
}

static json_t *classes_json(const struct thaw_cost *cost)
{
	json_t *classes = json_array();

	for (unsigned i = STORE_CLASS_USUAL + 1; i < STORE_CLASSES; i++) {
		json_t *o = json_object();
		bool some = false;

		out_json_str(o, "class", store_class_info(i)->name);
		for (int k = 0; k < THAW_STATES; k++) {
			some = some || cost->of[i][k].packs;
			sum_json(o, state_names[k], &cost->of[i][k]);
		}
		if (some)
			json_array_append(classes, o);
		json_decref(o);
	}
	return classes;
}

static void tell_json(struct cli *c, const struct thaw_cost *cost)
{
	json_t *o = json_object(), *thaw = json_object(), *offers = json_array();

	sum_json(thaw, "needed", &cost->all);
	sum_json(thaw, "asleep", &cost->asleep);
	sum_json(thaw, "thawing", &cost->thawing);
	json_object_set_new(thaw, "classes", classes_json(cost));
	for (int i = 0; i < STORE_SPEEDS; i++) {
		const struct thaw_offer *f = &cost->offer[i];
		json_t *offer = json_object();

		out_json_str(offer, "speed", store_speed_name((enum store_speed)i));
		json_object_set_new(offer, "offered", json_boolean(f->offered));
		out_json_u64(offer, "seconds", (uint64_t)f->seconds);
		json_object_set_new(offer, "cost", json_real(f->cost));
		json_object_set_new(offer, "early_deletion", json_real(f->early));
		json_array_append_new(offers, offer);
	}
	json_object_set_new(thaw, "offers", offers);
	out_json_str(thaw, "currency", "USD");
	json_object_set_new(o, "thaw", thaw);
	out_json(c, "item", o);
}

static void class_row(struct text_table *t, unsigned class, const struct thaw_cost *cost)
{
	char a[32], b[32];

	for (int k = 0; k < THAW_STATES; k++)
		if (cost->of[class][k].packs)
			text_row(t, (const char *[]){store_class_info(class)->name, state_names[k],
					text_count(a, cost->of[class][k].packs),
					text_bytes(b, cost->of[class][k].bytes)});
}

static void offer_row(struct text_table *t, enum store_speed speed, const struct thaw_offer *o)
{
	char within[32], cost[64], how[32];

	if (!o->offered)
		return;
	if (o->seconds < 3600)
		snprintf(within, sizeof within, "%lld min", (long long)(o->seconds / 60));
	else
		snprintf(within, sizeof within, "%lld h", (long long)(o->seconds / 3600));
	snprintf(how, sizeof how, "--thaw %s", store_speed_name(speed));
	snprintf(cost, sizeof cost, "%.2f USD%s", ceil(o->cost * 100) / 100,
	    o->early > 0 ? ", some of it for leaving early" : "");
	text_row(t, (const char *[]){how, within, cost});
}

static void put_table(struct cli *c, struct text_table *t)
{
	struct buf b = {0};

	text_table_put(&b, t);
	out_text(c, "%s\n", buf_cstr(&b));
	text_table_fini(t);
	buf_fini(&b);
}

static void tell_text(struct cli *c, const struct thaw_cost *cost)
{
	struct text_table classes = {.align = "<<>>", .ncols = 4, .head = true};
	struct text_table offers = {.align = "<><", .ncols = 3, .head = true};
	char a[TEXT_AMOUNT], b[32];

	out_text(c, "This restore reads %s, %s:\n\n",
	    text_amount(a, cost->all.packs, "pack", "packs"), text_bytes(b, cost->all.bytes));
	text_row(&classes, (const char *[]){"Class", "State", "Packs", "Size"});
	for (unsigned i = 0; i < STORE_CLASSES; i++)
		class_row(&classes, i, cost);
	put_table(c, &classes);
	if (cost->asleep.packs == 0)
		return;
	text_row(&offers, (const char *[]){"To thaw", "Within", "Costs about"});
	for (int i = 0; i < STORE_SPEEDS; i++)
		offer_row(&offers, (enum store_speed)i, &cost->offer[i]);
	put_table(c, &offers);
	out_text(c,
	    "By list prices, for copies of %d days, without what leaves the cloud.\n"
	    "Your own: --thaw-price SPEED=PER_GB:PER_1000_REQUESTS\n",
	    c->opt.thaw_days ? c->opt.thaw_days : THAW_DAYS);
}

static int tell(void *arg, const struct thaw_cost *cost, struct err *e)
{
	struct cli *c = arg;

	(void)e;
	if (c->out.json) {
		tell_json(c, cost);
		return 0;
	}
	progress_stop(c);
	tell_text(c, cost);
	fflush(stdout); /* there may be hours between this and what follows */
	progress_start(c);
	return 0;
}

static int tell_pack(void *arg, const char *object, const struct store_cold *pack, struct err *e)
{
	struct cli *c = arg;
	json_t *o;

	(void)e;
	if (!c->out.json) {
		out_text(c, "%s %s in %s\n", object, state_names[pack->state],
		    store_class_info(pack->class)->name);
		return 0;
	}
	o = json_object();
	out_json_str(o, "object", object);
	out_json_str(o, "state", state_names[pack->state]);
	out_json_str(o, "class", store_class_info(pack->class)->name);
	out_json_u64(o, "bytes", pack->size);
	if (pack->until_ns)
		out_json_time(o, "until", pack->until_ns);
	out_json(c, "item", o);
	return 0;
}

int thaw_options(struct cli *c, struct thaw_params *out, struct err *e)
{
	const struct cli_options *opt = &c->opt;

	*out = (struct thaw_params){
	    .asked = opt->thaw != 0,
	    .speed = opt->thaw ? (enum store_speed)(opt->thaw - 1) : STORE_BULK,
	    .days = (unsigned)opt->thaw_days,
	    .no_wait = opt->no_wait,
	    .poll_ns = opt->thaw_poll.ns,
	    .tell = tell,
	    .tell_pack = opt->verbose ? tell_pack : NULL,
	    .arg = c,
	};
	if (opt->thaw_poll.months)
		return err_set(e, ERR_USAGE, "--thaw-poll: months have no fixed length");
	for (size_t i = 0; i < opt->thaw_price.n; i++)
		if (take_price(opt->thaw_price.v[i], &out->prices, e) == -1)
			return -1;
	return 0;
}
