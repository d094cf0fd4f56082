/* report_html: a drill as one page: no scripts, nothing from elsewhere, light and dark, for paper
 * too. */
#include "cli/report.h"

#include <stdio.h>
#include <string.h>

#include "base/calendar.h"
#include "cli/cli_out.h"

static const char style[] =
    ":root{--bg:#f6f7f9;--card:#fff;--ink:#1b2430;--soft:#5c6875;--line:#dfe4ea;--ok:#1b7f4b;"
    "--okbg:#e3f4ea;--bad:#b3261e;--badbg:#fbe6e4;--mid:#8a5a00;--midbg:#fdf1d8;--bar:#3b6fd4}"
    "@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1b212a;--ink:#e6eaf0;"
    "--soft:#9aa7b5;--line:#303947;--ok:#5bd394;--okbg:#15372a;--bad:#ff8a80;--badbg:#43211f;"
    "--mid:#f4c267;--midbg:#3d3116;--bar:#7aa5ff}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 "
    "system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif}"
    "main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 3rem}"
    "h1{font-size:1.7rem;margin:0 0 .2rem;line-height:1.25}h2{font-size:1.08rem;margin:2rem 0 "
    ".6rem}"
    "p{margin:.3rem 0}.soft{color:var(--soft)}.head{display:flex;gap:1rem;align-items:flex-start;"
    "justify-content:space-between;flex-wrap:wrap}"
    ".badge{font-weight:700;padding:.35rem .9rem;border-radius:2rem;white-space:nowrap}"
    ".passed{color:var(--ok);background:var(--okbg)}.failed{color:var(--bad);background:var(--"
    "badbg)}"
    ".missed{color:var(--mid);background:var(--midbg)}.not_judged{color:var(--soft)}"
    ".why{border-left:4px solid var(--bad);background:var(--card);padding:.6rem .9rem;margin:1rem "
    "0;"
    "overflow-wrap:anywhere}.why.missed{border-color:var(--mid)}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.8rem;"
    "margin:1.2rem 0}.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;"
    "padding:.8rem 1rem}.card b{display:block;font-size:1.45rem;line-height:1.3}"
    "table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--line);"
    "font-size:.93rem}th,td{text-align:left;padding:.42rem .7rem;border-bottom:1px solid "
    "var(--line);vertical-align:top;overflow-wrap:anywhere}th{color:var(--soft);font-weight:600}"
    "td.t{white-space:nowrap}td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:"
    "tabular-nums}"
    ".bar{height:.6rem;border-radius:.3rem;background:var(--bar);min-width:2px}"
    "td.w{width:38%;vertical-align:middle}code{font:.86em ui-monospace,'DejaVu Sans "
    "Mono',monospace;overflow-wrap:anywhere}"
    "ul{margin:.2rem 0;padding-left:1.2rem;columns:2 "
    "18rem}footer{margin-top:2.2rem;font-size:.87rem;"
    "color:var(--soft)}.dot{display:inline-block;white-space:nowrap;padding:0 "
    ".55rem;border-radius:1rem;font-size:.85em}"
    "@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--ok:#14633a;"
    "--okbg:#fff;--bad:#9c1d16;--badbg:#fff;--mid:#6d4700;--midbg:#fff;--bar:#555}"
    "main{max-width:none;padding:0}.badge,.dot{border:1px solid}.bar{print-color-adjust:exact;"
    "-webkit-print-color-adjust:exact}h2{break-after:avoid}tr,.card,.why{break-inside:avoid}"
    "@page{margin:16mm}}";

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static double real(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void esc(struct buf *b, const char *s)
{
	for (; s != NULL && *s != '\0'; s++)
		switch (*s) {
		case '<':
			buf_printf(b, "&lt;");
			break;
		case '>':
			buf_printf(b, "&gt;");
			break;
		case '&':
			buf_printf(b, "&amp;");
			break;
		case '"':
			buf_printf(b, "&quot;");
			break;
		default:
			buf_put_u8(b, (uint8_t)*s);
		}
}

/* A moment of a record, to the second. */
static void esc_time(struct buf *b, const char *s)
{
	char t[20];

	snprintf(t, sizeof t, "%.19s", s);
	esc(b, t);
}

/* The name of a style: of those that there are. */
static const char *class_of(const char *s)
{
	static const char *const all[] = {"passed", "failed", "missed"};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (strcmp(s, all[i]) == 0)
			return all[i];
	return "not_judged";
}

static const char *word(const char *s) /* of a state or verdict */
{
	return strcmp(s, "not_judged") == 0 ? "not judged" : s;
}

/* ---- Head. */

static void put_head(struct buf *b, const json_t *r)
{
	const char *verdict = text(r, "verdict");

	buf_printf(b, "<div class=\"head\"><div><h1>Recovery drill of ");
	esc(b, text(r, "system"));
	buf_printf(b, "</h1><p class=\"soft\">");
	esc(b, text(r, "source"));
	buf_printf(b, " from ");
	esc(b, text(r, "repository"));
	buf_printf(b, ", level ");
	esc(b, text(r, "level"));
	buf_printf(b, ", ");
	esc_time(b, text(r, "started"));
	buf_printf(b, " UTC, on ");
	esc(b, text(r, "host"));
	buf_printf(b, " by ");
	esc(b, text(r, "user"));
	buf_printf(b, "</p></div><span class=\"badge %s\">", class_of(verdict));
	esc(b, strcmp(verdict, "missed") == 0 ? "recovered, objective missed" : verdict);
	buf_printf(b, "</span></div>");
	if (text(r, "reason")[0]) {
		buf_printf(b, "<div class=\"why %s\">", class_of(verdict));
		esc(b, text(r, "reason"));
		buf_printf(b, "</div>");
	}
	if (text(r, "pitr_unproven")[0]) {
		buf_printf(b, "<div class=\"why missed\">No moment within its log is proven: ");
		esc(b, text(r, "pitr_unproven"));
		buf_printf(b, "</div>");
	}
}

static void put_objective(
    struct buf *b, const json_t *r, const char *key, const char *what, const char *name)
{
	const json_t *o = json_object_get(r, key);
	const char *met = text(o, "met");
	char a[32], t[32], m[32];

	buf_printf(b, "<div class=\"card\"><span class=\"soft\">%s</span><b>%s</b>", what,
	    json_is_number(json_object_get(o, "seconds")) ? text_seconds(a, real(o, "seconds"))
							  : "&ndash;");
	if (real(o, "target") > 0) {
		buf_printf(b, "%s promised %s%s%s<br><span class=\"dot %s\">", name,
		    text_seconds(t, real(o, "target")), real(o, "acceptable") > 0 ? ", borne " : "",
		    real(o, "acceptable") > 0 ? text_seconds(m, real(o, "acceptable")) : "",
		    strcmp(met, "missed") == 0       ? "failed"
		    : strcmp(met, "not_judged") == 0 ? "not_judged"
		    : strcmp(met, "acceptable") == 0 ? "missed"
						     : "passed");
		esc(b, strcmp(met, "target") == 0       ? "kept"
		       : strcmp(met, "acceptable") == 0 ? "over the target, borne"
							: word(met));
		buf_printf(b, "</span>");
	} else {
		buf_printf(b, "<span class=\"soft\">no %s is declared</span>", name);
	}
	buf_printf(b, "<br><span class=\"soft\">");
	esc(b, text(o, "basis"));
	buf_printf(b, "</span></div>");
}

static void put_cards(struct buf *b, const json_t *r)
{
	bool came = text(r, "point")[0] != '\0';
	char a[32], n[32];

	buf_printf(b, "<div class=\"cards\">");
	put_objective(b, r, "rto", "Recovery took", "RTO");
	put_objective(b, r, "rpo", "Would have been lost", "RPO");
	buf_printf(b,
	    "<div class=\"card\"><span class=\"soft\">Score</span><b>%.3f</b>passed from %.2f "
	    "on</div>"
	    "<div class=\"card\"><span class=\"soft\">Came back</span><b>%s</b>",
	    real(r, "score"), real(r, "pass_mark"),
	    text_bytes(n, (uint64_t)real(json_object_get(r, "measured"), "bytes")));
	if (came) {
		buf_printf(b, "back to ");
		esc_time(b, text(r, "point"));
		buf_printf(b,
		    " UTC<br><span class=\"soft\">as much again is expected to take %s</span>",
		    text_seconds(a, real(r, "predicted_rto")));
	}
	buf_printf(b, "%s</div></div>", came ? "" : "not all of it");
}

/* ---- Tables. */

static void put_steps(struct buf *b, const json_t *r)
{
	const json_t *list = json_object_get(r, "steps");
	double most = 0;
	size_t i;
	json_t *s;

	json_array_foreach(list, i, s) most = real(s, "seconds") > most ? real(s, "seconds") : most;
	buf_printf(b, "<h2>Steps</h2><table><tr><th>Step</th><th class=\"n\">Took</th><th></th>"
		      "<th>Outcome</th></tr>");
	json_array_foreach(list, i, s)
	{
		char a[32];

		buf_printf(b, "<tr><td class=\"t\">");
		esc(b, text(s, "name"));
		buf_printf(b,
		    "</td><td class=\"n\">%s</td><td class=\"w\"><div class=\"bar\" "
		    "style=\"width:%.1f%%\"></div></td><td>",
		    text_seconds(a, real(s, "seconds")),
		    most > 0 ? real(s, "seconds") * 100 / most : 0);
		esc(b, text(s, "outcome"));
		if (text(s, "note")[0]) {
			buf_printf(b, ": ");
			esc(b, text(s, "note"));
		}
		buf_printf(b, "</td></tr>");
	}
	buf_printf(b, "</table>");
}

static void put_assertion(struct buf *b, const json_t *a)
{
	const char *state = text(a, "state");

	buf_printf(b, "<tr><td><span class=\"dot %s\">", class_of(state));
	esc(b, word(state));
	buf_printf(b, "</span></td><td><code>");
	esc(b, text(a, "name"));
	buf_printf(b, "</code>%s</td><td>",
	    json_is_true(json_object_get(a, "critical"))
		? ""
		: " <span class=\"soft\">not critical</span>");
	esc(b, text(a, "says"));
	if (text(a, "why")[0]) {
		buf_printf(
		    b, "<br><span class=\"%s\">", strcmp(state, "failed") == 0 ? "failed" : "soft");
		esc(b, text(a, "why"));
		buf_printf(b, "</span>");
	}
	buf_printf(b, "</td><td class=\"n\">%.0f</td><td class=\"n\">%s%.3f</td></tr>",
	    real(a, "weight"), real(a, "deduction") > 0 ? "&minus;" : "", real(a, "deduction"));
}

/* What failed first, then what held, then what was not judged. */
static void put_assertions(struct buf *b, const json_t *r)
{
	static const char *const order[] = {"failed", "passed"};
	const char *before = "Not judged: ";
	size_t i;
	json_t *a;

	buf_printf(b, "<h2>What was asserted</h2><table><tr><th></th><th>Assertion</th><th></th>"
		      "<th class=\"n\">Weight</th><th class=\"n\">Deducted</th></tr>");
	for (size_t k = 0; k < 2; k++)
		json_array_foreach(json_object_get(r, "assertions"), i,
		    a) if (strcmp(text(a, "state"), order[k]) == 0) put_assertion(b, a);
	buf_printf(b, "</table><p class=\"soft\">");
	json_array_foreach(json_object_get(r, "assertions"), i, a)
	{
		if (strcmp(text(a, "state"), "not_judged") != 0)
			continue;
		buf_printf(b, "%s<code>", before);
		esc(b, text(a, "name"));
		buf_printf(b, "</code>%s", text(a, "why")[0] ? " (" : "");
		esc(b, text(a, "why"));
		buf_printf(b, "%s", text(a, "why")[0] ? ")" : "");
		before = ", ";
	}
	buf_printf(b, "</p>");
}

static void put_isolation(struct buf *b, const json_t *r)
{
	size_t i;
	json_t *s;

	buf_printf(b, "<h2>Isolation that was had</h2><ul>");
	json_array_foreach(json_object_get(r, "isolation"), i, s)
	{
		buf_printf(b, "<li>");
		esc(b, json_string_value(s));
		buf_printf(b, "</li>");
	}
	buf_printf(b, "</ul>");
}

static void put_row(struct buf *b, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	buf_printf(b, "<tr><th>%s</th><td><code>", name);
	esc(b, value);
	buf_printf(b, "</code></td></tr>");
}

static void put_one_recovery(struct buf *b, const json_t *o, const char *source)
{
	char segments[32];

	if (o == NULL)
		return;
	snprintf(segments, sizeof segments, "%.0f", real(o, "segments"));
	buf_printf(b, "<h2>Recovery of the database</h2><table>");
	put_row(b, "source", source);
	put_row(b, "asked for", text(o, "target"));
	put_row(b, "last commit kept", text(json_object_get(o, "kept"), "time"));
	put_row(b, "at", text(json_object_get(o, "kept"), "lsn"));
	put_row(b, "reached, by the server's word", text(json_object_get(o, "reached"), "lsn"));
	put_row(b, "log stored to", text(o, "log_end"));
	put_row(b, "segments replayed", segments);
	buf_printf(b, "</table>");
}

static void put_recovery(struct buf *b, const json_t *r)
{
	const json_t *o;
	size_t i;

	put_one_recovery(b, json_object_get(r, "recovery"), "");
	json_array_foreach(json_object_get(r, "sources"), i, o)
	    put_one_recovery(b, json_object_get(o, "recovery"), text(o, "name"));
}

static void put_evidence(struct buf *b, const json_t *r, struct span line, const char *hash)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = line.p;

	buf_printf(b, "<h2>Evidence</h2><table>");
	put_row(b, "record", text(r, "id"));
	put_row(b, "snapshot", text(r, "snapshot"));
	put_row(b, "repository", text(r, "repository_id"));
	put_row(b, "SHA-256 of the record", hash);
	put_row(b, "signed by (Ed25519)", text(r, "key"));
	put_row(b, "signature", text(r, "signature"));
	buf_printf(b,
	    "</table><footer><p>This page is made from a signed record, which the audit "
	    "trail names by its hash; <code>holdfast evidence export --records</code> hands "
	    "both on, and <code>evidence verify</code> or <code>tools/verify-evidence</code> "
	    "checks them offline. The record itself is within this page, in base64, as "
	    "<code>#record</code>.</p></footer><script type=\"text/plain\" id=\"record\">");
	for (size_t i = 0; i < line.n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < line.n ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < line.n ? p[i + 2] : 0);

		buf_put_u8(b, (uint8_t)digits[v >> 18]);
		buf_put_u8(b, (uint8_t)digits[v >> 12 & 63]);
		buf_put_u8(b, (uint8_t)(i + 1 < line.n ? digits[v >> 6 & 63] : '='));
		buf_put_u8(b, (uint8_t)(i + 2 < line.n ? digits[v & 63] : '='));
	}
	buf_printf(b, "</script>");
}

void report_html(struct buf *b, const json_t *r, struct span line, const char *hash)
{
	buf_printf(b, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
		      "name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
	esc(b, text(r, "system"));
	buf_printf(b, ": recovery drill, ");
	esc(b, text(r, "verdict"));
	buf_printf(b, "</title><style>%s</style></head><body><main>", style);
	put_head(b, r);
	put_cards(b, r);
	put_steps(b, r);
	put_assertions(b, r);
	put_isolation(b, r);
	put_recovery(b, r);
	put_evidence(b, r, line, hash);
	buf_printf(b, "</main></body></html>\n");
}
