/*
 * sftp_packet: the packets of SFTP (sftp.h) as bytes: fields, attributes, and
 * what an answer says to who asked.
 *
 * What comes is of a server that may be broken or hostile: nothing is read
 * beyond it, and an answer of another type than the request's is
 * none.  That is ERR_FAILED and not ERR_CORRUPT, which would speak of what is stored.
 *
 * Threads: any.
 */
#ifndef HF_NET_SFTP_PACKET_H
#define HF_NET_SFTP_PACKET_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"

enum sftp_type { /* of requests */
	SFTP_OPEN = 3,
	SFTP_CLOSE = 4,
	SFTP_READ = 5,
	SFTP_WRITE = 6,
	SFTP_FSTAT = 8,
	SFTP_OPENDIR = 11,
	SFTP_READDIR = 12,
	SFTP_REMOVE = 13,
	SFTP_MKDIR = 14,
	SFTP_STAT = 17,
	SFTP_RENAME = 18,
	SFTP_EXTENDED = 200,
};

enum sftp_status {
	SFTP_OK,
	SFTP_EOF,
	SFTP_NO_SUCH_FILE,
	SFTP_PERMISSION_DENIED,
	SFTP_FAILURE, /* which says nothing else */
	SFTP_BAD_MESSAGE,
	SFTP_OP_UNSUPPORTED = 8,
};

enum sftp_answer {
	SFTP_STATUS = 101,
	SFTP_HANDLE = 102,
	SFTP_DATA = 103,
	SFTP_NAME = 104,
	SFTP_ATTRS = 105,
	SFTP_EXTENDED_REPLY = 201,
};

/* A request under way, and then its answer. */
struct sftp_wait {
	uint32_t id;
	bool done;
	int64_t deadline_ns; /* by the monotonic clock */
	size_t bytes;        /* of data, that it asks for or brings */
	uint8_t wants;       /* enum sftp_answer; 0: by the request's type */
	uint32_t status;     /* SFTP_OK if it was answered as it wants */
	struct buf body;     /* else what follows the id; of DATA the bytes, if not `into` */
	uint8_t *into;       /* where bytes of DATA go, at most into_n */
	size_t into_n, got;
};

/* The text of a request: fields in the protocol's own encoding. */
void sftp_put_u32(struct buf *b, uint32_t v);
void sftp_put_u64(struct buf *b, uint64_t v);
void sftp_put_string(struct buf *b, struct span s);

/* The answer that a request wants: of SFTP_EXTENDED a status. */
enum sftp_answer sftp_answer_of(enum sftp_type type);

/* What follows the id of an answer, into w, which is done then.  ERR_FAILED if it is none to w. */
int sftp_answer_read(struct sftp_wait *w, uint8_t type, struct cursor *c, struct err *e);

/*
 * The next packet of `in`, which is moved behind it: 1; 0 if it is not whole
 * yet; -1, ERR_UNSUPPORTED, if that is none.
 */
int sftp_packet_next(struct span *in, struct span *packet, struct err *e);

/* Attributes as they stand in an answer; false if they are none. */
struct sftp_attrs {
	uint64_t size;
	int64_t mtime_s;
	uint32_t mode; /* 0: not told */
	bool whole;    /* all three were told */
};
bool sftp_read_attrs(struct cursor *c, struct sftp_attrs *a);
uint32_t sftp_read_u32(struct cursor *c);
uint64_t sftp_read_u64(struct cursor *c);
struct span sftp_read_string(struct cursor *c);

#endif
