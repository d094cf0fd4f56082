/* cli_text: values as text for eyes.  Pure but for text_columns. */
#include "cli/cli_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/mem.h"

char *text_bytes(char out[32], uint64_t n)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)n;
	int u = 0;

	while (v >= 999.95 && u < 6) {
		v /= 1024;
		u++;
	}
	if (u == 0)
		snprintf(out, 32, "%d B", (int)n);
	else
		snprintf(out, 32, "%.*f %s", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, units[u]);
	return out;
}

char *text_count(char out[32], uint64_t n)
{
	char raw[24];
	int len = snprintf(raw, sizeof raw, "%llu", (unsigned long long)n), o = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[o++] = ',';
		out[o++] = raw[i];
	}
	out[o] = '\0';
	return out;
}

char *text_seconds(char out[32], double s)
{
	if (!(s >= 0 && s < 1e9))
		snprintf(out, 32, "?");
	else if (s < 59.95)
		snprintf(out, 32, "%.1f s", s);
	else if (s < 3600)
		snprintf(out, 32, "%d:%02d", (int)s / 60, (int)s % 60);
	else
		snprintf(out, 32, "%d:%02d:%02d", (int)s / 3600, (int)s / 60 % 60, (int)s % 60);
	return out;
}

char *text_id(char out[32], const struct id *id)
{
	char hex[ID_HEX];

	snprintf(out, 32, "%.8s", id_hex(hex, id));
	return out;
}

char *text_mode(char out[32], enum entry_type type, uint32_t mode)
{
	static const char types[] = {[ENTRY_FILE] = '-',
	    [ENTRY_DIR] = 'd',
	    [ENTRY_SYMLINK] = 'l',
	    [ENTRY_FIFO] = 'p',
	    [ENTRY_CHAR] = 'c',
	    [ENTRY_BLOCK] = 'b',
	    [ENTRY_SOCKET] = 's'};

	out[0] = type && (size_t)type < sizeof types ? types[type] : '?';
	for (int i = 0; i < 9; i++)
		out[1 + i] = mode >> (8 - i) & 1 ? "rwx"[i % 3] : '-';
	if (mode & 04000)
		out[3] = mode & 0100 ? 's' : 'S';
	if (mode & 02000)
		out[6] = mode & 0010 ? 's' : 'S';
	if (mode & 01000)
		out[9] = mode & 0001 ? 't' : 'T';
	out[10] = '\0';
	return out;
}

const char *text_plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

char *text_amount(char out[TEXT_AMOUNT], uint64_t n, const char *one, const char *many)
{
	char count[32];

	snprintf(out, TEXT_AMOUNT, "%s %s", text_count(count, n), text_plural(n, one, many));
	return out;
}

/* One character's bytes, 0 if they are no UTF-8. */
static size_t decode(struct span s, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t c = s.p[0];
	size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;

	if (n == 0 || n > s.n)
		return 0;
	*cp = n == 1 ? c : c & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s.p[i] & 0x3f);
	}
	return *cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000) ? 0 : n;
}

/* Controls, and marks that reorder what stands around them. */
static bool obeyed(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x202a && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f || cp == 0x2028 ||
	       cp == 0x2029;
}

void text_escape(struct buf *b, struct span s)
{
	while (s.n) {
		uint32_t cp;
		size_t n = decode(s, &cp);

		if (n && !obeyed(cp))
			buf_put(b, s.p, n);
		else
			for (size_t i = 0; i < (n ? n : 1); i++)
				buf_printf(b, "\\x%02x", s.p[i]);
		n = n ? n : 1;
		s.p += n;
		s.n -= n;
	}
}

/* Columns of one character: a coarse table, for alignment only. */
static size_t columns_of(uint32_t cp)
{
	static const struct {
		uint32_t from, to;
		size_t width;
	} ranges[] = {{0x300, 0x36f, 0}, {0x483, 0x489, 0}, {0x591, 0x5bd, 0}, {0x610, 0x61a, 0},
	    {0x64b, 0x65f, 0}, {0x1100, 0x115f, 2}, {0x1ab0, 0x1aff, 0}, {0x1dc0, 0x1dff, 0},
	    {0x200b, 0x200f, 0}, {0x20d0, 0x20ff, 0}, {0x2e80, 0x303e, 2}, {0x3041, 0xa4cf, 2},
	    {0xa960, 0xa97f, 2}, {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},
	    {0xfe20, 0xfe2f, 0}, {0xfe30, 0xfe6f, 2}, {0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2},
	    {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2},
	    {0x20000, 0x3fffd, 2}, {0xe0100, 0xe01ef, 0}};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (cp >= ranges[i].from && cp <= ranges[i].to)
			return ranges[i].width;
	return 1;
}

size_t text_cut(struct span s, size_t columns)
{
	size_t at = 0, used = 0;

	while (at < s.n) {
		uint32_t cp = 0;
		size_t n = decode(span_of(s.p + at, s.n - at), &cp);
		size_t w = n ? columns_of(cp) : 1;

		if (used + w > columns)
			break;
		used += w;
		at += n ? n : 1;
	}
	return at;
}

size_t text_width(struct span s)
{
	size_t used = 0;

	for (size_t at = 0; at < s.n;) {
		uint32_t cp = 0;
		size_t n;

		/* Most are. */
		if (s.p[at] >= ' ' && s.p[at] < 0x7f) {
			used++;
			at++;
			continue;
		}
		n = decode(span_of(s.p + at, s.n - at), &cp);
		used += n ? columns_of(cp) : 1;
		at += n ? n : 1;
	}
	return used;
}

int text_columns(int fd)
{
	struct winsize ws;
	const char *env = getenv("COLUMNS");
	int n = env ? atoi(env) : 0;

	if (n <= 0 && ioctl(fd, TIOCGWINSZ, &ws) == 0)
		n = ws.ws_col;
	return n < 20 ? 80 : n;
}

void text_wrap(struct buf *b, const char *text, int at, int indent, int width)
{
	bool first = true;

	while (*text) {
		size_t n = strcspn(text, " \n");
		int w = (int)text_width(span_of(text, n));

		if (!first && at + 1 + w > width) {
			buf_printf(b, "\n%*s", indent, "");
			at = indent;
		} else if (!first) {
			buf_put(b, " ", 1);
			at++;
		}
		buf_put(b, text, n);
		at += w;
		first = false;
		text += n;
		if (strncmp(text, "\n\n", 2) == 0) {
			buf_printf(b, "\n\n%*s", indent, "");
			at = indent;
			first = true;
		}
		text += strspn(text, " \n");
	}
	buf_put(b, "\n", 1);
}

void text_row(struct text_table *t, const char *const *cells)
{
	t->cells = mem_realloc(t->cells, (t->nrows + 1) * t->ncols * sizeof *t->cells);
	for (size_t i = 0; i < t->ncols; i++)
		t->cells[t->nrows * t->ncols + i] = mem_strdup(cells[i] ? cells[i] : "");
	t->nrows++;
}

void text_table_put(struct buf *b, const struct text_table *t)
{
	size_t *widths = mem_zalloc(t->ncols * sizeof *widths);

	/* A column that only has a heading is left out: its width stays 0. */
	for (size_t i = t->head ? t->ncols : 0; i < t->nrows * t->ncols; i++) {
		size_t w = text_width(span_str(t->cells[i]));

		if (w > widths[i % t->ncols])
			widths[i % t->ncols] = w;
	}
	for (size_t i = 0; t->head && i < t->ncols; i++) {
		size_t w = text_width(span_str(t->cells[i]));

		if (widths[i] && w > widths[i])
			widths[i] = w;
	}
	for (size_t i = 0; i < t->nrows * t->ncols; i++) {
		size_t col = i % t->ncols, w = text_width(span_str(t->cells[i]));
		int pad = (int)(widths[col] - w);
		bool last = col == t->ncols - 1, right = t->align[col] == '>';

		if (widths[col])
			buf_printf(b, "%*s%s%*s%s", right ? pad : 0, "", t->cells[i],
			    right || last ? 0 : pad, "", last ? "" : "  ");
		if (last) {
			while (b->n && b->p[b->n - 1] == ' ')
				b->n--;
			buf_put(b, "\n", 1);
		}
	}
	free(widths);
}

void text_table_fini(struct text_table *t)
{
	for (size_t i = 0; i < t->nrows * t->ncols; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->nrows = 0;
}
