/* key: who can open the repository. */
#include "cli/cli_audit.h"
#include "cli/cli_out.h"

#include <stdio.h>

#include "os/os.h"

static void print_json(struct cli *c, const struct repo_key *k)
{
	json_t *o = json_object();

	if (k->gone || k->missing)
		json_object_set_new(o, "key", json_null());
	else
		out_json_id(o, "key", &k->object);
	out_json_str(o, "holder", k->holder);
	out_json_str(o, "label", k->label);
	out_json_str(o, "role", k->role);
	if (k->domain[0])
		out_json_str(o, "domain", k->domain);
	out_json_str(o, "created", k->created);
	if (k->gone)
		out_json_str(o, "removed", k->removed);
	else if (k->missing)
		out_json_str(o, "kind", "missing");
	else
		out_json_str(o, "kind", k->key_file ? "key-file" : "password");
	json_object_set_new(o, "current", json_boolean(k->current));
	out_json(c, "item", o);
}

/* RFC 3339 as stored, shown in local time where it can be read. */
static const char *local(const char *stored, char text[CALENDAR_TEXT])
{
	struct calendar_time t;
	struct err ignored;

	if (stored == NULL || calendar_parse_time(stored, &t, &ignored) == -1)
		return "";
	return calendar_format_local(text, t.ns);
}

static void put_row(struct cli *c, struct text_table *t, const struct repo_key *k)
{
	char id[32], when[CALENDAR_TEXT], gone[CALENDAR_TEXT], holder[9], domain[9];

	snprintf(holder, sizeof holder, "%.8s", k->holder);
	snprintf(domain, sizeof domain, "%.8s", k->domain);
	text_row(t, (const char *[]){k->current ? "*" : "",
			k->gone || k->missing ? "" : text_id(id, &k->object), holder,
			k->gone       ? ""
			: k->missing  ? "missing"
			: k->key_file ? "key file"
				      : "password",
			out_str(c, k->role), domain, local(k->created, when),
			local(k->removed, gone), out_str(c, k->label)});
}

static int key_list(struct cli *c, struct err *e)
{
	static const char *const head[] = {
	    "", "Key", "Holder", "Kind", "Role", "Domain", "Added", "Removed", "Label"};
	struct text_table t = {.align = "<<<<<<<<<", .ncols = 9, .head = true};
	struct buf b = {0};
	struct repo_key *keys;
	size_t n;

	if (repo_keys_list(c->repo, &keys, &n, e) == -1)
		return -1;
	text_row(&t, head);
	for (size_t i = 0; i < n; i++) {
		if (c->out.json)
			print_json(c, &keys[i]);
		put_row(c, &t, &keys[i]);
	}
	text_table_put(&b, &t);
	out_list(c, "%s", buf_cstr(&b));
	text_table_fini(&t);
	buf_fini(&b);
	repo_keys_free(keys, n);
	return 0;
}

static int key_new(struct cli *c, bool replace, struct err *e)
{
	struct repo_key_params p = {.label = c->opt.label,
	    .role = (enum role)(c->opt.key_role ? c->opt.key_role - 1 : 0),
	    .domain = c->opt.key_domain};
	struct cred cred = {0};
	struct id object;
	char text[32], hex[ID_HEX];
	int rc;

	/* Said before a new password is asked for. */
	if ((!replace && repo_need(c->repo, true, e) == -1) || cred_new(c, &cred, e) == -1)
		return -1;
	p.cred = cred.cred;
	rc = replace ? repo_key_passwd(c->repo, &cred.cred, &object, e)
		     : repo_key_add(c->repo, &p, &object, e);
	cred_fini(&cred);
	if (rc == -1) {
		if (c->opt.new_key_file)
			os_unlinkat(AT_FDCWD, c->opt.new_key_file, 0);
		return -1;
	}
	audit_put(c, "key", id_hex(hex, &object));
	if (c->out.json) {
		json_t *o = json_object();

		out_json_id(o, "key", &object);
		out_json(c, "summary", o);
	}
	out_text(c, "%s key %s\n", replace ? "Changed to" : "Added", text_id(text, &object));
	if (c->opt.new_key_file)
		out_text(c, "The key file is %s; keep a copy of it somewhere else\n",
		    out_str(c, c->opt.new_key_file));
	return 0;
}

/* Without config there are no keys of this epoch, whoever has a password. */
static const char SHEET_OLD[] = "A sheet printed before is out of date: holdfast key export\n";

static int key_rotate(struct cli *c, struct err *e)
{
	if (repo_key_rotate(c->repo, e) == -1)
		return -1;
	out_text(c, "New keys for what comes; every holder has them\n%s", SHEET_OLD);
	return 0;
}

int cmd_key(struct cli *c, struct err *e)
{
	const char *word = c->args.v[0], *which = c->args.v[1];

	if (strcmp(word, "remove") == 0) {
		if (which == NULL) {
			err_set(e, ERR_USAGE, "key remove: which one?");
			return err_hint(e, "'holdfast key list' shows them");
		}
		if (repo_key_remove(c->repo, which, e) == -1)
			return -1;
		out_text(c, "Removed key %s\n%s", out_str(c, which), SHEET_OLD);
		return 0;
	}
	if (strcmp(word, "import") == 0) {
		if (which != NULL)
			return cmd_key_import(c, which, e);
		err_set(e, ERR_USAGE, "key import: which file?");
		return err_hint(e, "the sheet that 'holdfast key export' printed, as text");
	}
	if (which)
		return err_set(e, ERR_USAGE, "key %s: '%s' is too much", word, which);
	if (strcmp(word, "export") == 0)
		return cmd_key_export(c, e);
	if (strcmp(word, "list") == 0)
		return key_list(c, e);
	if (strcmp(word, "rotate") == 0)
		return key_rotate(c, e);
	return key_new(c, strcmp(word, "passwd") == 0, e);
}
