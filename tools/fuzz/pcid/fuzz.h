/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What the fuzzers of "xl pcid" share.  They run in the world of the tests
 * (../../tests/pcid/harness.h), which lives on from one input to the next:
 * to make it anew takes a hundred times as long as what an input does.
 *
 * An input is text, so that a person can read and write it:
 *
 *   newline        the end of a message, CR LF
 *   %%             a percent sign
 *   %L             4000 letters
 *   %X             an action; each fuzzer says which there are
 *   anything else  itself
 *
 * Each message and action costs something, and what comes when the budget is
 * spent is ignored.  Without that, the fuzzer comes to prefer inputs that do
 * one thing over and over, as how often something happens is news to it too,
 * and these take a hundred times as long as others.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include "harness.h"

typedef struct {
    const uint8_t *at, *end;
    int budget;
    char text[8192]; /* what is to be sent */
    size_t len;
} fuzz_input;

void fuzz_begin(fuzz_input *in, const uint8_t *data, size_t size);
/* Adds to text, up to the next action, which it returns; 0: the end, or
 * text is full. */
int fuzz_next(fuzz_input *in);
/* What an action costs in addition if it takes as long as several */
#define FUZZ_DEAR 12
/* An argument of an action: one byte, or what is left of the line */
int fuzz_byte(fuzz_input *in);
const char *fuzz_line(fuzz_input *in);

/* What must hold, whatever the peer does. */
#define fuzz_check(cond) \
    ((cond) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #cond))
void fuzz_fail(const char *file, int line, const char *what)
    __attribute__((noreturn));
/* One line for people to read: not longer than max, not empty */
bool fuzz_printable(const char *s, size_t max);

/* Called once, when everything has been set up. */
void fuzz_ready(void);
/* After each input: nothing is left of it. */
void fuzz_clean(void);

/* One of the errors that the stand-ins can give strikes once. */
void fuzz_fault(int which);

/* An ao, and the end of it; there is one at most. */
libxl__ao *fuzz_ao(libxl_ctx *ctx);
void fuzz_ao_abort(libxl_ctx *ctx);
void fuzz_ao_end(libxl_ctx *ctx);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* FUZZ_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
