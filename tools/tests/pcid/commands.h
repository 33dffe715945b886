/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Commands that run at the same time in domain 0, each as if in a process of
 * its own: with a ctx, and a thread, of which one at a time runs.
 *
 * A step of a command is a request to xenstore, a hypercall, a message to the
 * owner, a write to sysfs, or the taking of a lock.
 * The drivers of pciback.c run whenever there is something for them to do.
 * Before each step another command can come first, or the command be killed.
 */

#ifndef COMMANDS_H
#define COMMANDS_H

#include "harness.h"

typedef struct {
    /* filled by the caller */
    int (*run)(libxl_ctx *ctx, void *opaque);
    void *opaque;
    int kill_at; /* before that step, counted from 1; 0: never */
    /* results */
    int rc; /* of run() */
    int steps; /* that it has taken */
    bool ended, killed;
    char last[160]; /* the last step, in words */
    /* private */
    struct command_private *p;
} command;

/* Which command is to run, and for how many steps.  While it waits, the
 * domains' other programs run, and if these have nothing to do the other
 * commands: a step at a time, for as long as it waits. */
typedef struct {
    int which;
    int steps; /* 0: to its end */
} command_turn;

#define COMMANDS_MAX 3

/*
 * Runs all of them to their ends; those that the turns have not brought to
 * their ends, in the order in which they are.  False if that cannot be: each
 * of them waits for what is never going to happen.
 */
bool commands_run(command *commands, int num, const command_turn *turns,
                  int num_turns);

#endif /* COMMANDS_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
