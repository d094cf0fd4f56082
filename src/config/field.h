/*
 * field: tables that say which YAML key fills which member of a plain struct.
 *
 * The same tables bind, refuse, print (config show) and make the JSON Schema.  A key that
 * no row names is refused with the nearest that one does.  A row of FIELD_LATER is a
 * key of the interface that this version does nothing with yet: it is refused too, and
 * says so.  To take it unread would be a promise (a schedule, a notification) that
 * nobody keeps and nobody notices until it is needed.
 *
 * Threads: one owner of what is bound; tables are read-only.
 */
#ifndef HF_CONFIG_FIELD_H
#define HF_CONFIG_FIELD_H

#include <jansson.h>

#include "base/calendar_rate.h"
#include "config/mistakes.h"
#include "config/node.h"

enum field_type {
	FIELD_TEXT,     /* char *; not empty */
	FIELD_TEXTS,    /* struct field_texts; one text stands for a list of one */
	FIELD_PAIRS,    /* struct field_texts, "NAME=VALUE" each: a mapping of names to texts */
	FIELD_CHOICE,   /* int, place in `choices` from 1; 0 if it is not there */
	FIELD_FLAG,     /* bool: yes, no, true, false */
	FIELD_COUNT,    /* unsigned, 0 to 1,000,000,000 */
	FIELD_DURATION, /* struct calendar_duration */
	FIELD_SIZE,     /* uint64_t, bytes: what calendar_parse_size takes */
	FIELD_PERCENT,  /* double, above 0 to 100 */
	FIELD_SCHEDULE, /* char *: what schedule_parse takes; { every: } and { cron: } too */
	FIELD_WINDOWS,  /* struct field_windows: a window of the week, or a list of them */
	FIELD_RATES,    /* struct calendar_rates: a rate, or windows with one each */
	FIELD_SECRET,   /* char *: a reference (secret_ref.h) */
	FIELD_STRUCT,   /* the struct of `of`, in place */
	FIELD_NAMED,    /* struct field_items: a mapping of names to structs of `of` */
	FIELD_LIST,     /* struct field_items: a list of structs of `of`, without names */
	FIELD_LATER,    /* nothing: not yet */
};

struct field_table;

struct field {
	const char *name;
	enum field_type type;
	size_t at; /* in the struct */
	bool required;
	const char *choices; /* "a|b" */
	const struct field_table *of;
	const char *help;
};

struct field_table {
	const struct field *rows; /* name NULL ends them */
	size_t size;              /* of the struct */
};

struct field_texts {
	char **v;
	struct node_at *at; /* of each */
	size_t n;
};

struct field_windows {
	struct calendar_window *v;
	size_t n;
};

/* What every struct of FIELD_NAMED and FIELD_LIST begins with. */
struct field_item {
	char *name; /* NULL in a list */
	struct node_at at;
};

struct field_items {
	void *v; /* n structs of the table's size */
	size_t n;
};

/*
 * Fill a zeroed struct, as far as it is right; what is not is added to m.  Something is there to
 * fini in any case.
 */
void field_bind(const struct node *n, const struct field_table *t, void *out, struct mistakes *m);
/*
 * Mark what rows of FIELD_LATER name.  Binding passes over what is marked: only for texts of our
 * own (profile.h), never for what somebody wrote and relies on.
 */
void field_mark_later(struct node *n, const struct field_table *t);
void field_fini(const struct field_table *t, void *s);

/* The JSON Schema of the table's struct; new. */
json_t *field_schema(const struct field_table *t);

#endif
