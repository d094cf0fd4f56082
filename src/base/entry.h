/*
 * entry: what is kept of one file, directory or other thing in a tree.
 *
 * A source fills it in, the repository encodes it, a target is made from
 * it.  Strings are spans that the maker of the entry owns: each function
 * that hands one out says how long they live.
 */
#ifndef HF_BASE_ENTRY_H
#define HF_BASE_ENTRY_H

#include "base/span.h"

enum entry_type {
	ENTRY_FILE = 1,
	ENTRY_DIR,
	ENTRY_SYMLINK,
	ENTRY_FIFO,
	ENTRY_CHAR,
	ENTRY_BLOCK,
	ENTRY_SOCKET, /* met by sources, never stored */
};

struct entry_xattr {
	struct span name, value;
};

struct entry_hole {
	uint64_t off, len; /* in rising order, not touching */
};

struct entry {
	enum entry_type type;
	struct span name; /* one path component */
	uint32_t mode;    /* 12 bits: permissions, setuid, ... */
	uint32_t uid, gid;
	struct span user, group; /* names, empty if unknown */
	int64_t mtime;           /* seconds, may be negative */
	uint32_t mtime_ns;
	uint64_t size;         /* files */
	struct span target;    /* symlinks */
	uint32_t major, minor; /* devices */
	bool changed;          /* while it was read */
	bool linked;           /* has a link group */
	uint64_t link_group;   /* equal for names of one inode */
	const struct entry_xattr *xattrs;
	size_t nxattrs;
	const struct entry_hole *holes;
	size_t nholes;
};

enum {
	ENTRY_NAME_MAX = 4096,
	ENTRY_TARGET_MAX = 65536,
	ENTRY_XATTR_MAX = 65536,
	ENTRY_XATTRS_MAX = 1024,
	ENTRY_HOLES_MAX = 16384,
	ENTRY_DEPTH_MAX = 4096,
};

#endif
