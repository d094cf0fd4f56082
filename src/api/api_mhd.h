/*
 * api_mhd: libmicrohttpd, opened when a daemon first serves: it brings GnuTLS, and no other command
 * pays for that.
 *
 * The members are its functions of these names.
 *
 * Threads: any.
 */
#ifndef HF_API_API_MHD_H
#define HF_API_API_MHD_H

#include <microhttpd.h>

#include "base/err.h"

struct api_mhd {
	struct MHD_Daemon *(*start_daemon)(unsigned, uint16_t, MHD_AcceptPolicyCallback, void *,
	    MHD_AccessHandlerCallback, void *, ...);
	MHD_socket (*quiesce_daemon)(struct MHD_Daemon *);
	void (*stop_daemon)(struct MHD_Daemon *);
	const char *(*lookup_connection_value)(
	    struct MHD_Connection *, enum MHD_ValueKind, const char *);
	const union MHD_ConnectionInfo *(*get_connection_info)(
	    struct MHD_Connection *, enum MHD_ConnectionInfoType, ...);
	struct MHD_Response *(*create_response_from_buffer)(
	    size_t, void *, enum MHD_ResponseMemoryMode);
	struct MHD_Response *(*create_response_from_callback)(
	    uint64_t, size_t, MHD_ContentReaderCallback, void *, MHD_ContentReaderFreeCallback);
	enum MHD_Result (*add_response_header)(struct MHD_Response *, const char *, const char *);
	enum MHD_Result (*queue_response)(struct MHD_Connection *, unsigned, struct MHD_Response *);
	void (*destroy_response)(struct MHD_Response *);
	void (*suspend_connection)(struct MHD_Connection *);
	void (*resume_connection)(struct MHD_Connection *);
};

/* NULL with ERR_UNSUPPORTED where the library is not installed. */
const struct api_mhd *api_mhd_open(struct err *e);

#endif
