/*
 * cli_stay: a command that tells what came of it, and goes on working when nobody waits any more.
 *
 * It works in a child from the beginning, before there is anything that a fork would tear apart;
 * who was started waits for it, passes on what it is asked to end by, and ends with its status.
 *
 * Threads: stay_begin while there is one.
 */
#ifndef HF_CLI_CLI_STAY_H
#define HF_CLI_CLI_STAY_H

#include <stdbool.h>

/*
 * True in the child.  In who was started it returns when the child has told its status or has
 * ended: false, with that status.  -1 cannot happen to it: without a child it works itself, and
 * stays in the foreground.
 */
bool stay_begin(int *status);

/*
 * The result is told: nobody waits any more, standard files are /dev/null, and the terminal is no
 * longer ours.  Nothing where stay_begin was not called, or made no child.
 */
void stay_release(int status);

#endif
