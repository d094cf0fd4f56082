/* cli_servers: see cli_servers.h. */
#include "cli/cli_servers.h"

#include <stdlib.h>

#include "base/mem.h"

int cli_servers_collect(const struct world_system *s, struct cli_servers *out, struct err *e)
{
	size_t most = s ? s->sources.n : 0;

	out->pg = mem_zalloc((most + 1) * sizeof *out->pg);
	out->places = mem_zalloc((most + 1) * sizeof *out->places);
	for (size_t i = 0; i < most; i++) {
		const struct world_source *src = world_source_at(s, i);
		const struct world_postgresql *p = &src->postgresql;

		if (src->kind != WORLD_POSTGRESQL && src->kind != WORLD_DUMP)
			continue;
		if (world_postgresql_place(p, &out->places[out->n], e) == -1)
			return err_wrap(e, "%s", s->item.name);
		out->pg[out->n] = (struct backup_pg){.part = src->part,
		    .target = &out->places[out->n].target,
		    .stream = p->method == WORLD_PG_STREAM,
		    .direct = p->method == WORLD_PG_DIRECT,
		    .data_directory = p->data_directory,
		    .exact_rows = p->exact_rows,
		    .table_checksums = p->table_checksums,
		    .dump = (const char *const *)p->dump.v,
		    .ndump = p->dump.n,
		    .bin_directory = p->bin_directory};
		out->n++;
	}
	return 0;
}

void cli_servers_fini(struct cli_servers *v)
{
	for (size_t i = 0; i < v->n; i++)
		world_pg_place_fini(&v->places[i]);
	free(v->pg);
	free(v->places);
}
