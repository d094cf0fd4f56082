/* kit: what is needed when everything else is gone.  So far: one snapshot as one file. */
#include "cli/cli_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "engine/op_kit.h"
#include "os/os.h"

static void report(struct cli *c, const struct snapshot *s, const struct kit_result *r)
{
	const char *file = c->opt.output;
	char hash[65], id[32], size[32];
	json_t *o;

	hex_encode(hash, r->sha256, sizeof r->sha256);
	if (c->out.json) {
		o = json_object();
		out_json_id(o, "snapshot", &s->id);
		out_json_id(o, "copy", &r->copy);
		out_json_str(o, "repository", r->repository);
		out_json_str(o, "file", file);
		out_json_u64(o, "bytes", r->size);
		out_json_str(o, "sha256", hash);
		json_object_set_new(o, "seconds", json_real(r->seconds));
		out_json(c, "summary", o);
	} else if (file == NULL) { /* stdout is the kit's */
		out_message(c, "wrote snapshot %s as a kit of %s, SHA-256 %s", text_id(id, &s->id),
		    text_bytes(size, r->size), hash);
	} else {
		out_text(c,
		    "Wrote snapshot %s to %s: %s, SHA-256 %s\n"
		    "Keep its key or password elsewhere. To look into it:\n"
		    "  holdfast -r kit:%s check\n  holdfast -r kit:%s restore latest --target "
		    "DIR\n",
		    text_id(id, &s->id), out_str(c, file), text_bytes(size, r->size), hash,
		    out_str(c, file), out_str(c, file));
	}
}

static int check_options(struct cli *c, struct err *e)
{
	if (!c->opt.single_file) {
		err_set(e, ERR_USAGE, "kit export: what is to be exported?");
		return err_hint(e, "--single-file exports one snapshot as one file");
	}
	if (c->opt.output != NULL)
		return 0;
	if (c->out.json)
		return err_set(e, ERR_USAGE, "kit export: --json needs --output");
	if (!c->out.out_tty)
		return 0;
	err_set(e, ERR_USAGE, "kit export: a kit is not written to a terminal");
	return err_hint(e, "use --output FILE, or redirect standard output");
}

/* The file is on disk, and its name. */
static int settle(const char *path, int fd, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL   ? mem_strdup(".")
		    : slash == path ? mem_strdup("/")
				    : mem_strndup(path, (size_t)(slash - path));
	int at = os_open(dir, O_RDONLY | O_DIRECTORY, 0);
	int rc = 0;

	if (os_fsync(fd) == -1 || at == -1 || os_fsync(at) == -1)
		rc = err_sys(e, "%s", path);
	os_close(at);
	free(dir);
	return rc;
}

static int write_kit(struct cli *c, const struct snapshot *s, const struct kit_params *p,
    struct kit_result *r, struct err *e)
{
	const char *path = c->opt.output;
	int fd = STDOUT_FILENO, rc;

	if (path != NULL && (fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600)) == -1)
		return err_sys(e, "%s", path);
	progress_start(c);
	rc = op_kit_export(c->repo, s, p, fd, c->ctx, r, e);
	progress_stop(c);
	if (path == NULL)
		return rc;
	if (rc == 0)
		rc = settle(path, fd, e);
	os_close(fd);
	if (rc == -1)
		os_unlinkat(AT_FDCWD, path, 0);
	return rc;
}

static int pick_whole(struct cli *c, const char *spec, struct snapshot **s, struct err *e)
{
	char *path = NULL;
	int rc = pick_snapshot(c, spec, true, s, &path, e);

	if (rc == 0 && strcmp(path, "/") != 0)
		rc = err_set(e, ERR_USAGE, "kit export: '%s' is a part of a snapshot", spec);
	free(path);
	return rc;
}

int cmd_kit(struct cli *c, struct err *e)
{
	struct kit_params p = {.init = {.label = c->opt.label},
	    .codec = c->opt.compression.id,
	    .level = c->opt.compression.level,
	    .jobs = (unsigned)c->opt.jobs,
	    .name = c->opt.output ? c->opt.output : "-"};
	struct snapshot *s = NULL;
	struct kit_result r;
	struct cred cred = {0};
	bool made = false;
	int rc = -1;

	if (check_options(c, e) == -1 || pick_parity(c, "--parity", &p.init.parity, e) == -1 ||
	    pick_whole(c, c->args.v[1], &s, e) == -1 || cred_new(c, &cred, e) == -1)
		goto out;
	made = c->opt.new_key_file != NULL;
	p.init.cred = cred.cred;
	rc = write_kit(c, s, &p, &r, e);
	if (rc == 0)
		report(c, s, &r);
out:
	if (rc == -1 && made)
		os_unlinkat(AT_FDCWD, c->opt.new_key_file, 0);
	cred_fini(&cred);
	snapshot_free(s);
	return rc;
}
