/* key export, key import: the sheet that brings a lost config back. */
#include "cli/cli_out.h"

#include <fcntl.h>
#include <stdio.h>

#include "os/os.h"
#include "repo/sheet.h"
#include "store/store.h"

enum { SHEET_MAX = 16 << 20 };

static int write_file(const char *path, struct span text, struct err *e)
{
	int fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	int rc = 0;

	if (fd == -1)
		return err_sys(e, "%s", path);
	if (os_pwrite_all(fd, text.p, text.n, 0) == -1 || os_fsync(fd) == -1)
		rc = err_sys(e, "%s", path);
	os_close(fd);
	return rc;
}

int cmd_key_export(struct cli *c, struct err *e)
{
	struct buf text = {0};
	int rc = -1;

	if (sheet_export(c->repo, c->opt.secret, &text, e) == -1)
		goto out;
	if (c->opt.output != NULL) {
		rc = write_file(c->opt.output, buf_span(&text), e);
		if (rc == 0)
			out_text(c, "Wrote %s: print it, and keep it elsewhere\n",
			    out_str(c, c->opt.output));
		goto out;
	}
	if (c->out.json) {
		json_t *o = json_object();

		out_json_str(o, "sheet", buf_cstr(&text));
		out_json(c, "summary", o);
	}
	out_list(c, "%s", buf_cstr(&text));
	rc = 0;
out:
	buf_fini(&text);
	return rc;
}

static void report(struct cli *c, const struct sheet_import *done)
{
	json_t *o;

	if (c->out.json) {
		o = json_object();
		json_object_set_new(o, "config", json_boolean(done->config));
		json_object_set_new(o, "key", json_boolean(done->key));
		out_json(c, "summary", o);
	}
	if (done->config)
		out_text(
		    c, "Put config back, revision %llu; run holdfast check next\n", done->revision);
	if (done->key)
		out_text(c, "Put a key back\n");
	if (!done->config && !done->key)
		out_text(c, "Nothing was missing\n");
}

int cmd_key_import(struct cli *c, const char *path, struct err *e)
{
	const char *url = cli_repo_url(c, e);
	struct sheet_import done;
	struct buf text = {0};
	struct store *s = NULL;
	int rc = -1;

	if (url == NULL || os_read_file(path, SHEET_MAX, &text, e) == -1 ||
	    cli_store_open(c, url, false, &s, e) == -1)
		goto out;
	rc = sheet_import(s, buf_span(&text), c->ctx, &done, e);
	if (rc == 0)
		report(c, &done);
	else
		err_wrap(e, "%s", path);
out:
	store_close(s);
	buf_fini(&text);
	return rc;
}
