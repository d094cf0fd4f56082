/* make_snapshot: a snapshot with something in every field. */
#ifndef HF_TEST_MAKE_SNAPSHOT_H
#define HF_TEST_MAKE_SNAPSHOT_H

#include "make_repo.h"

#include "repo/snapshot.h"

static inline char **make_texts(size_t n, const char *const *v)
{
	char **out = mem_zalloc(n * sizeof *out);

	for (size_t i = 0; i < n; i++)
		out[i] = mem_strdup(v[i]);
	return out;
}

static inline struct snapshot *make_snapshot(int64_t start_ns)
{
	static const char *const paths[] = {"/home", "/not\377utf-8", "/\303\244"};
	static const char *const excludes[] = {"*.o", "\200"};
	static const char *const tags[] = {"one", "two"};
	struct snapshot *s = mem_zalloc(sizeof *s);
	struct snapshot_part *p;

	s->start_ns = start_ns;
	s->end_ns = start_ns + 1500000001;
	s->host = mem_strdup("host");
	s->user = mem_strdup("user");
	s->system = mem_strdup("system");
	s->sequence = 7;
	s->has_previous = s->has_parent = true;
	memset(&s->previous, 1, sizeof s->previous);
	memset(&s->parent, 2, sizeof s->parent);
	memset(s->client, 3, sizeof s->client);
	memset(s->group, 4, sizeof s->group);
	s->strategy = SNAPSHOT_DIFFERENTIAL;
	s->tags = make_texts(2, tags);
	s->ntags = 2;
	s->excludes = make_texts(2, excludes);
	s->nexcludes = 2;
	s->parts = mem_zalloc(2 * sizeof *s->parts);
	s->nparts = 2;
	p = &s->parts[0];
	p->name = mem_strdup("files");
	p->kind = mem_strdup("files");
	p->paths = make_texts(3, paths);
	p->npaths = 3;
	p->has_tree = true;
	memset(&p->tree, 5, sizeof p->tree);
	p->outcome = SNAPSHOT_INCOMPLETE;
	p->stats = (struct snapshot_stats){1, 2, 3, 4, 5, 6, UINT64_C(1) << 60, 8, 9, 10, 11};
	p->errors = mem_zalloc(sizeof *p->errors);
	p->nerrors = 1;
	p->errors[0].path = mem_strdup("/bad\001\377");
	p->errors[0].message = mem_strdup("no \"luck\"");
	p->facts = mem_strdup("{\"a\":[1,2],\"b\":\"\303\244\"}");
	p->has_log = true;
	memset(p->stream, 6, sizeof p->stream);
	p->timeline = UINT32_MAX;
	p->log_start = UINT64_C(0xfedcba9800000028);
	p->log_end = UINT64_MAX;
	p = &s->parts[1];
	p->name = mem_strdup("stdin");
	p->kind = mem_strdup("stdin");
	p->outcome = SNAPSHOT_FAILED;
	return s;
}

#endif
