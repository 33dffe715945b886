/* SPDX-License-Identifier: LGPL-2.1-only */
/* The server's child processes: see fuzz-inline.c. */

#ifndef FUZZ_INLINE_H
#define FUZZ_INLINE_H

/* What the child would write for its parent; returns what it is to. */
const char *inline_child_result(const char *text);
/* The part of the child has been carried out. */
void inline_child_exits(int pid, int status);

#endif /* FUZZ_INLINE_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
