/* catalog_row: between structs and rows, by tables (catalog_internal.h). */
#include "catalog/catalog_internal.h"

size_t catalog_columns(const struct catalog_column *t)
{
	size_t n = 0;

	while (t[n].name != NULL)
		n++;
	return n;
}

void catalog_names(struct buf *sql, const struct catalog_column *t)
{
	for (size_t i = 0; t[i].name != NULL; i++)
		buf_printf(sql, "%s%s", i ? ", " : "", t[i].name);
}

static struct db_value value_of(enum catalog_type type, const void *p)
{
	uint64_t u;

	switch (type) {
	case COLUMN_TEXT:
		return db_text(*(const char *const *)p);
	case COLUMN_INT:
		return db_int(*(const int64_t *)p);
	case COLUMN_U64:
		u = *(const uint64_t *)p;
		return db_int(u > INT64_MAX ? INT64_MAX : (int64_t)u);
	case COLUMN_SMALL:
		return db_int(*(const int *)p);
	case COLUMN_BOOL:
		return db_int(*(const bool *)p);
	case COLUMN_REAL:
		return db_real(*(const double *)p);
	case COLUMN_STATUS:
		return db_text(run_status_name(*(const enum run_status *)p));
	}
	return db_null();
}

void catalog_bind(const struct catalog_column *t, const void *from, struct db_value *v)
{
	for (size_t i = 0; t[i].name != NULL; i++)
		v[i] = value_of(t[i].type, (const char *)from + t[i].at);
}

static const char *text_of(const struct db_value *v, struct buf *texts)
{
	const char *start = (const char *)texts->p + texts->n;

	if (v->type != DB_TEXT || v->s.n == 0)
		return NULL;
	buf_put_span(texts, v->s);
	buf_put_u8(texts, 0);
	return start;
}

static void put(enum catalog_type type, const struct db_value *v, void *p, struct buf *texts)
{
	const char *text = text_of(v, texts);

	switch (type) {
	case COLUMN_TEXT:
		*(const char **)p = text;
		break;
	case COLUMN_INT:
		*(int64_t *)p = v->i;
		break;
	case COLUMN_U64:
		*(uint64_t *)p = v->i < 0 ? 0 : (uint64_t)v->i;
		break;
	case COLUMN_SMALL:
		*(int *)p = (int)v->i;
		break;
	case COLUMN_BOOL:
		*(bool *)p = v->i != 0;
		break;
	case COLUMN_REAL:
		*(double *)p = v->type == DB_INT ? (double)v->i : v->d;
		break;
	case COLUMN_STATUS:
		*(enum run_status *)p = text ? run_status_of(text) : 0;
		break;
	}
}

void catalog_read(
    const struct catalog_column *t, const struct db_value *v, void *to, struct buf *texts)
{
	size_t room = 0;

	buf_reset(texts);
	for (size_t i = 0; t[i].name != NULL; i++)
		room += v[i].type == DB_TEXT ? v[i].s.n + 1 : 0;
	buf_reserve(texts, room); /* from here on it does not move */
	for (size_t i = 0; t[i].name != NULL; i++)
		put(t[i].type, &v[i], (char *)to + t[i].at, texts);
}
