/*
 * notify_socket: telling the service manager how we are (sd_notify's protocol).
 *
 * One datagram to the socket that $NOTIFY_SOCKET names: a path, or with '@' in front a name in
 * Linux's abstract namespace.  Without that variable nobody asked, and nothing is sent.
 * The protocol is systemd's, which promises it to be stable; its library is not needed for it.
 *
 * Threads: any.
 */
#ifndef HF_OS_NOTIFY_SOCKET_H
#define HF_OS_NOTIFY_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NOTIFY_READY    "READY=1"
#define NOTIFY_STOPPING "STOPPING=1"
#define NOTIFY_WATCHDOG "WATCHDOG=1"

/* Does somebody want to be told? */
bool notify_socket_wanted(void);

/* State: lines of NAME=VALUE, e.g. NOTIFY_READY "\nSTATUS=3 jobs".  0 too where nobody asked. */
int notify_socket_send(const char *state, struct err *e);

/*
 * RELOADING=1 with the time that Type=notify-reload asks for; NOTIFY_READY follows when it is
 * done.
 */
int notify_socket_reloading(struct err *e);

/*
 * How often at least the manager wants NOTIFY_WATCHDOG of this process, in nanoseconds; 0: never.
 * Send it twice as often.
 */
int64_t notify_socket_watchdog_ns(void);

#endif
