/*
 * notify_text: what a message's texts become before they are sent.
 *
 * Threads: any.
 */
#ifndef HF_NOTIFY_NOTIFY_TEXT_H
#define HF_NOTIFY_NOTIFY_TEXT_H

#include "base/buf.h"
#include "notify/notify.h"

/*
 * Well-formed UTF-8 of at most `max` bytes, cut between letters, "..." where it was cut; control
 * characters are blanks, but for line ends where `lines`.  NULL is "".  Appended.
 */
void notify_text_clean(struct buf *b, const char *s, size_t max, bool lines);

/* The same as new text. */
char *notify_text_copy(const char *s, size_t max, bool lines);

/* A message of clean texts, all of it its own; notify_text_free frees it. */
struct notify_message *notify_text_message(const struct notify_message *m, size_t text_max);
void notify_text_free(struct notify_message *m); /* NULL does nothing */

/* "NAME: VALUE" lines: system, host, time, and the fields. */
void notify_text_facts(struct buf *b, const struct notify_message *m);

/* "run.failed/www", or the key that was given; new text. */
char *notify_text_key(const struct notify_message *m);

#endif
