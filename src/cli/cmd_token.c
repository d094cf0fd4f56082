/* token: bearer tokens of the daemon's API: add, list, remove. */
#include "cli/cli_out.h"

#include <stdlib.h>

#include "api/api_token.h"
#include "base/mem.h"
#include "crypto/crypto.h"
#include "os/os.h"

static int add(struct cli *c, const char *path, const char *name, struct err *e)
{
	enum api_scope scope = (enum api_scope)c->opt.scope;
	int64_t now = os_clock()->wall_ns(os_clock());
	int64_t expires = c->opt.expires.set ? c->opt.expires.t.ns : 0;
	char text[API_TOKEN_TEXT];

	if (scope == 0) {
		err_set(e, ERR_USAGE, "token add: what may it do?");
		return err_hint(e, "--scope viewer, operator, approver, auditor or admin");
	}
	if (c->opt.expires.set && expires <= now)
		return err_set(e, ERR_USAGE, "--expires: that time is over");
	if (api_token_add(path, name, scope, now, expires, text, e) == -1)
		return -1;
	if (c->out.json) {
		json_t *o = json_object();

		out_json_str(o, "name", name);
		out_json_str(o, "scope", api_scope_name(scope));
		out_json_time(o, "expires", expires);
		if (expires == 0)
			json_object_set_new(o, "expires", json_null());
		out_json_str(o, "token", text);
		out_json(c, "summary", o);
	} else {
		out_list(c, "%s\n", text);
		out_message(c, "this is shown once; of it only a hash is kept");
	}
	crypto_wipe(text, sizeof text);
	return 0;
}

static void show(struct cli *c, const struct api_token *t, int64_t now, struct text_table *table)
{
	char created[CALENDAR_TEXT], expires[CALENDAR_TEXT] = "never";
	bool over = t->expires_ns != 0 && t->expires_ns <= now;
	json_t *o;

	if (c->out.json) {
		o = json_object();
		out_json_str(o, "name", t->name);
		out_json_str(o, "scope", api_scope_name(t->scope));
		out_json_time(o, "created", t->created_ns);
		if (t->expires_ns)
			out_json_time(o, "expires", t->expires_ns);
		else
			json_object_set_new(o, "expires", json_null());
		json_object_set_new(o, "expired", json_boolean(over));
		out_json(c, "item", o);
		return;
	}
	if (t->expires_ns)
		calendar_format_local(expires, t->expires_ns);
	text_row(
	    table, (const char *[]){t->name, api_scope_name(t->scope),
		       calendar_format_local(created, t->created_ns), over ? "over" : expires});
}

static int list(struct cli *c, const char *path, struct err *e)
{
	struct text_table table = {.align = "<<<<", .ncols = 4, .head = true};
	int64_t now = os_clock()->wall_ns(os_clock());
	struct api_tokens t;
	struct buf b = {0};

	if (api_tokens_load(path, &t, e) == -1)
		return -1;
	text_row(&table, (const char *[]){"name", "scope", "added", "expires"});
	for (size_t i = 0; i < t.n; i++)
		show(c, &t.v[i], now, &table);
	if (!c->out.json && t.n == 0)
		out_text(c, "there are no tokens\n");
	else if (!c->out.json) {
		text_table_put(&b, &table);
		out_list(c, "%s", buf_cstr(&b));
	}
	text_table_fini(&table);
	buf_fini(&b);
	api_tokens_fini(&t);
	return 0;
}

static int away(struct cli *c, const char *path, const char *name, struct err *e)
{
	if (api_token_remove(path, name, e) == -1)
		return -1;
	if (c->out.json)
		out_json(c, "summary", json_pack("{s:s}", "removed", name));
	else
		out_text(c, "removed %s: nobody comes in with it any more\n", out_str(c, name));
	return 0;
}

int cmd_token(struct cli *c, struct err *e)
{
	const char *word = c->args.v[0], *name = c->args.n > 1 ? c->args.v[1] : NULL;
	char *dir = os_state_dir(), *path = mem_printf("%s/tokens.json", dir);
	bool lists = strcmp(word, "list") == 0;
	int rc;

	if (lists != (name == NULL)) {
		err_set(
		    e, ERR_USAGE, lists ? "token list takes no name" : "token %s: which?", word);
		rc = err_hint(e, "holdfast token add NAME --scope SCOPE | list | remove NAME");
	} else if (lists) {
		rc = list(c, path, e);
	} else if (strcmp(word, "add") == 0) {
		rc = add(c, path, name, e);
	} else {
		rc = away(c, path, name, e);
	}
	free(path);
	free(dir);
	return rc;
}
