/* dirlist: the names in a directory, all at once, sorted as bytes. */
#ifndef HF_SOURCE_DIRLIST_H
#define HF_SOURCE_DIRLIST_H

#include "source/source.h"

/* One name more at the end. */
void dirlist_add(struct source_names *names, const char *name);

/* Appends what is in the directory open at fd, from its start, without "." and "..". */
int dirlist_read(int fd, struct source_names *names, struct err *e);

void dirlist_sort(struct source_names *names);

/* Is the name among these sorted ones? */
bool dirlist_has(const struct source_names *names, const char *name);

#endif
