/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The server, with its child processes in this one.
 *
 * It starts a process for each request that writes, which takes a
 * millisecond with AddressSanitizer: some hundred times as long as all else
 * that an input does.  So here the part of the child is carried out in
 * place: libxl__ev_child_fork() returns twice, first as if in the child;
 * when that exits, the parent goes on.  That the child has ended the parent
 * is told when the fuzzer says so.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <setjmp.h>
#include <sys/file.h>

#include "libxl_internal.h"
#include "libxl_pcid.h"
#include "libxl_vchan.h"

#include "fuzz-inline.h"

static jmp_buf child;
static int child_rc;

#define libxl__ev_child_fork(gc, ch, death)                             \
    (child_rc = libxl__ev_child_fork(gc, ch, death),                    \
     child_rc < 0 || setjmp(child) ? child_rc : 0)
#define libxl_write_exactly(ctx, fd, text, len, ...)                    \
    libxl_write_exactly(ctx, fd, inline_child_result(text),             \
                        strlen(inline_child_result(text)), __VA_ARGS__)
/* It would close our own channels. */
#define libxl_postfork_child_noexec(ctx) ((void)(ctx))
#define libxl__hostpci_end_with(process) ((void)(process))
#define _exit(status) do {                                              \
        inline_child_exits(child_rc, status);                           \
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
