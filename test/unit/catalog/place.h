/* place: a new, empty catalog for each test, at HOLDFAST_SUITE_URL's server or in a folder. */
#ifndef HF_TEST_CATALOG_PLACE_H
#define HF_TEST_CATALOG_PLACE_H

#include "unit/unit.h"

#include <unistd.h>

#include "base/mem.h"
#include "catalog/catalog.h"
#include "db/db.h"

static struct err e;
static char dir[64];
static char *url;

#define OK(x)                                                                                      \
	do {                                                                                       \
		if ((x) != 0)                                                                      \
			fail_msg("%s: %s", #x, e.msg);                                             \
	} while (0)

/* A server's is emptied: a test has it for itself. */
static void empty_server(void)
{
	struct db *d;

	OK(db_open(url, &d, &e));
	OK(db_script(d, "DROP SCHEMA public CASCADE; CREATE SCHEMA public", &e));
	db_close(d);
}

static int place_new(void **state)
{
	const char *server = getenv("HOLDFAST_SUITE_URL");

	strcpy(dir, "/tmp/hf-catalog-XXXXXX");
	assert_non_null(mkdtemp(dir));
	url = server ? mem_strdup(server) : mem_printf("%s/catalog.db", dir);
	if (server != NULL)
		empty_server();
	return 0;
}

static int place_del(void **state)
{
	char *cmd = mem_printf("rm -rf %s", dir);
	int rc = system(cmd);

	free(cmd);
	free(url);
	return rc;
}

static struct catalog *place_open(void)
{
	struct catalog *c;

	OK(catalog_open(url, &c, &e));
	return c;
}

#define T(f) cmocka_unit_test_setup_teardown(f, place_new, place_del)

#endif
