/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libxl__ev_child_fork() returns twice, first as if in the child; when that
 * exits, the parent goes on, and is told later that the child has ended.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <setjmp.h>
#include <sys/file.h>

#include "libxl_internal.h"
#include "libxl_pcid.h"
#include "libxl_vchan.h"

#include "server-inline.h"

static struct {
    int pid, status;
} ended[64];

static int num_ended, last_pid;

static jmp_buf child;
static int child_rc;

static pid_t start_process(void *user)
{
    return ++last_pid;
}

static void exits(int pid, int status)
{
    assert(num_ended < ARRAY_SIZE(ended));
    ended[num_ended].pid = pid;
    ended[num_ended++].status = status << 8;
}

const libxl_childproc_hooks inline_hooks = {
    .chldowner = libxl_sigchld_owner_mainloop,
    .fork_replacement = start_process,
};

void inline_reset(void)
{
    num_ended = 0;
}

bool inline_step(libxl_ctx *ctx)
{
    int pid, status;

    if (!num_ended) return false;
    pid = ended[0].pid;
    status = ended[0].status;
    memmove(ended, ended + 1, --num_ended * sizeof(*ended));
    if (libxl_childproc_reaped(ctx, pid, status)) abort();
    return true;
}

#define libxl__ev_child_fork(gc, ch, death)                             \
    (child_rc = libxl__ev_child_fork(gc, ch, death),                    \
     child_rc < 0 || setjmp(child) ? child_rc : 0)
/* It would close our own channels. */
#define libxl_postfork_child_noexec(ctx) ((void)(ctx))
#define libxl__hostpci_end_with(process) ((void)(process))
#define _exit(status) do {                                              \
        exits(child_rc, status);                                        \
        longjmp(child, 1);                                              \
    } while (0)

#include "libxl_pcid_server.c"

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
