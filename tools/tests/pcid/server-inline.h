/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The server, with its child processes in this one: starting a process takes
 * longer than all else that a test does with the server.  See
 * server-inline.c.
 */

#ifndef SERVER_INLINE_H
#define SERVER_INLINE_H

#include "libxl_internal.h"

/* For libxl_childproc_setmode */
extern const libxl_childproc_hooks inline_hooks;
/* No server, no processes */
void inline_reset(void);
/* Tells the server which of its processes have ended.  Returns whether any
 * has. */
bool inline_step(libxl_ctx *ctx);

#endif /* SERVER_INLINE_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
