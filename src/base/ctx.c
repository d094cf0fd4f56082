/* ctx: see ctx.h. */
#include "base/ctx.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/hex.h"

static const struct event_info table[EVENT_COUNT] = {
    [EVENT_FILE_FAILED] = {EVENT_FILE_FAILED, "file.failed", EVENT_ERROR},
    [EVENT_FILE_CHANGED] = {EVENT_FILE_CHANGED, "file.changed", EVENT_WARN},
    [EVENT_FILE_SKIPPED] = {EVENT_FILE_SKIPPED, "file.skipped", EVENT_INFO},
    [EVENT_FILE_EXCLUDED] = {EVENT_FILE_EXCLUDED, "file.excluded", EVENT_INFO},
    [EVENT_FILE_DONE] = {EVENT_FILE_DONE, "file.done", EVENT_DEBUG},
    [EVENT_OBJECT_DAMAGED] = {EVENT_OBJECT_DAMAGED, "object.damaged", EVENT_ERROR},
    [EVENT_OBJECT_REMOVED] = {EVENT_OBJECT_REMOVED, "object.removed", EVENT_INFO},
    [EVENT_OBJECT_MENDED] = {EVENT_OBJECT_MENDED, "object.mended", EVENT_WARN},
    [EVENT_OBJECT_REPAIRED] = {EVENT_OBJECT_REPAIRED, "object.repaired", EVENT_INFO},
    [EVENT_SNAPSHOT_HURT] = {EVENT_SNAPSHOT_HURT, "snapshot.hurt", EVENT_ERROR},
    [EVENT_STORE_RETRY] = {EVENT_STORE_RETRY, "store.retry", EVENT_INFO},
    [EVENT_FINDING] = {EVENT_FINDING, "finding", EVENT_ERROR},
    [EVENT_WARNING] = {EVENT_WARNING, "warning", EVENT_WARN},
    [EVENT_NOTICE] = {EVENT_NOTICE, "notice", EVENT_INFO},
};

const struct event_info *event_info(enum event_id id)
{
	assert((unsigned)id < EVENT_COUNT);
	return &table[id];
}

void event_emit(struct ctx *ctx, enum event_id id, struct span path, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (ctx->sink == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	ctx->sink(ctx, &(struct event){id, path, text});
}

void ctx_done(struct ctx *ctx, uint64_t size, uint64_t bytes, bool whole, int64_t busy_ns)
{
	struct progress_class *c = &ctx->progress.class[eta_class_of(size)];

	atomic_fetch_add_explicit(&ctx->progress.bytes, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->bytes, bytes, memory_order_relaxed);
	if (busy_ns > 0)
		atomic_fetch_add_explicit(&c->busy_ns, (uint64_t)busy_ns, memory_order_relaxed);
	if (!whole)
		return;
	atomic_fetch_add_explicit(&ctx->progress.files, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->files, 1, memory_order_relaxed);
}

int ctx_check(struct ctx *ctx, struct err *e)
{
	if (ctx_cancelled(ctx))
		return err_set(e, ERR_CANCELLED, "interrupted");
	return 0;
}

void ctx_item(struct ctx *ctx, struct span path)
{
	struct progress *p = &ctx->progress;
	size_t n = path.n < sizeof p->item ? path.n : sizeof p->item - 1;

	if (atomic_flag_test_and_set_explicit(&p->item_busy, memory_order_acquire))
		return;
	if (n)
		memcpy(p->item, path.p, n);
	p->item[n] = '\0';
	atomic_flag_clear_explicit(&p->item_busy, memory_order_release);
}

/* Make the character at c one that is safe to show; its length. */
static size_t show_char(char *c)
{
	uint8_t b = (uint8_t)*c;
	size_t n = b < 0x80 ? 1 : b >> 5 == 6 ? 2 : b >> 4 == 14 ? 3 : 4;
	bool control = b < 0x20 || b == 0x7f || (b == 0xc2 && (uint8_t)c[1] < 0xa0);

	if (!control && strnlen(c, n) == n && utf8_valid(span_of(c, n)))
		return n;
	*c = '?';
	return 1;
}

void ctx_item_get(struct ctx *ctx, char *out, size_t size)
{
	struct progress *p = &ctx->progress;

	while (atomic_flag_test_and_set_explicit(&p->item_busy, memory_order_acquire))
		;
	snprintf(out, size, "%s", p->item);
	atomic_flag_clear_explicit(&p->item_busy, memory_order_release);
	for (char *c = out; *c;)
		c += show_char(c);
}

void ctx_count(struct ctx *ctx, enum count_verb v, uint64_t sent, uint64_t received)
{
	if (ctx == NULL)
		return;
	if (v != COUNT_NONE)
		ctx->requests.n[v]++;
	ctx->requests.sent += sent;
	ctx->requests.received += received;
}

const char *ctx_verb_name(enum count_verb v)
{
	static const char *const names[COUNT_VERBS] = {
	    "none", "get", "put", "list", "head", "post", "delete"};

	return names[v];
}
