/* os_guard_note: see os_guard_note.h. */
#include "os/os_guard_note.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/os.h"

enum { NOTE_MAX = 1 << 20 };

int guard_note_write(int fd, const struct os_guard_params *p, struct err *e)
{
	struct buf body = {0}, all = {0};
	char *first;
	int rc = 0;

	for (size_t i = 0; p->env != NULL && p->env[i] != NULL; i++) {
		buf_put_span(&body, span_str(p->env[i]));
		buf_put_span(&body, span_str("\n"));
	}
	buf_put_span(&body, span_str("\n"));
	buf_put_span(&body, span_str(p->thaw));
	first = mem_printf("holdfast-freeze %" PRId64 " %zu\n", p->timeout_ns, body.n);
	buf_put_span(&all, span_str(first));
	buf_put_span(&all, buf_span(&body));
	if (os_ftruncate(fd, 0) == -1 || os_pwrite_all(fd, all.p, all.n, 0) == -1 ||
	    os_fsync(fd) == -1)
		rc = err_sys(e, "write");
	free(first);
	buf_fini(&body);
	buf_fini(&all);
	return rc;
}

static void parse(struct guard_note *out, size_t n)
{
	int64_t timeout;
	size_t len, vars = 0;
	int head = 0;
	char *s;

	if (sscanf(out->text, "holdfast-freeze %" SCNd64 " %zu%n", &timeout, &len, &head) != 2 ||
	    out->text[head] != '\n' || n - (size_t)head - 1 != len || timeout <= 0)
		return;
	s = out->text + head + 1;
	out->env = mem_zalloc((len + 1) * sizeof *out->env);
	while (*s != '\n') {
		char *end = strchr(s, '\n');

		if (end == NULL)
			return;
		out->env[vars++] = s;
		*end = '\0';
		s = end + 1;
	}
	out->p.thaw = s + 1;
	out->p.env = out->env;
	out->p.timeout_ns = timeout;
}

int guard_note_read(int fd, struct guard_note *out, struct err *e)
{
	struct stat st;
	ssize_t n;

	*out = (struct guard_note){0};
	if (os_fstat(fd, &st) == -1)
		return err_sys(e, "look at it");
	/* What it says is run. */
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0 ||
	    st.st_size > NOTE_MAX)
		return err_set(e, ERR_DENIED, "it is not ours alone: what it says is not run");
	out->text = mem_zalloc((size_t)st.st_size + 1);
	n = os_pread(fd, out->text, (size_t)st.st_size, 0);
	if (n == -1) {
		err_sys(e, "read");
		guard_note_fini(out);
		return -1;
	}
	parse(out, (size_t)n);
	return 0;
}

void guard_note_fini(struct guard_note *n)
{
	free(n->text);
	free(n->env);
	*n = (struct guard_note){0};
}
