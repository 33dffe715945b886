/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Test results in the form that the Test Anything Protocol has.
 *
 * A check is one line of a function whose name says what is tested; that
 * name, and the line's text, are in the output.  None of them ends the
 * program: a test that cannot go on returns.
 */

#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdint.h>

/* Each returns whether the check has passed. */
#define ok(cond, ...) \
    tap_ok(cond, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define is_int(got, want, ...) \
    tap_int(got, want, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define is_str(got, want, ...) \
    tap_str(got, want, __FILE__, __LINE__, __func__, __VA_ARGS__)
/* `got' contains `want' */
#define has_str(got, want, ...) \
    tap_has(got, want, __FILE__, __LINE__, __func__, __VA_ARGS__)

bool tap_ok(bool cond, const char *file, int line, const char *func,
            const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool tap_int(int64_t got, int64_t want, const char *file, int line,
             const char *func, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
bool tap_str(const char *got, const char *want, const char *file, int line,
             const char *func, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
bool tap_has(const char *got, const char *want, const char *file, int line,
             const char *func, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* Number of checks that have failed */
int tap_failures(void);

/* Prints the plan.  Returns the exit status of the program. */
int tap_done(void);

#endif /* TAP_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
