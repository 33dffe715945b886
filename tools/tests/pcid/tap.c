/* SPDX-License-Identifier: LGPL-2.1-only */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static int checks, failures;

/* One line, whatever the text has in it */
static void print_text(const char *text)
{
    const char *p;

    for (p = text; *p; p++) {
        if (*p == '\n')
            printf("\\n");
        else if (*p == '\r')
            printf("\\r");
        else if (*p == '#')
            printf("\\#");
        else
            putchar(*p);
    }
}

static bool report(bool passed, const char *file, int line,
                   const char *func, const char *fmt, va_list ap)
{
    char text[256];

    vsnprintf(text, sizeof(text), fmt, ap);
    printf("%sok %d - %s: ", passed ? "" : "not ", ++checks, func);
    print_text(text);
    printf("\n");
    if (!passed) {
        failures++;
        printf("# at %s:%d\n", file, line);
    }
    fflush(stdout);
    return passed;
}

static void print_value(const char *what, const char *value)
{
    printf("#   %s: ", what);
    if (value) {
        printf("\"");
        print_text(value);
        printf("\"\n");
    } else {
        printf("none\n");
    }
}

bool tap_ok(bool cond, const char *file, int line, const char *func,
            const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report(cond, file, line, func, fmt, ap);
    va_end(ap);
    return cond;
}

bool tap_int(int64_t got, int64_t want, const char *file, int line,
             const char *func, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (!report(got == want, file, line, func, fmt, ap))
        printf("#   got: %"PRId64", want: %"PRId64"\n", got, want);
    va_end(ap);
    return got == want;
}

bool tap_str(const char *got, const char *want, const char *file, int line,
             const char *func, const char *fmt, ...)
{
    bool same = got && want ? !strcmp(got, want) : got == want;
    va_list ap;

    va_start(ap, fmt);
    if (!report(same, file, line, func, fmt, ap)) {
        print_value("got", got);
        print_value("want", want);
    }
    va_end(ap);
    return same;
}

bool tap_has(const char *got, const char *want, const char *file, int line,
             const char *func, const char *fmt, ...)
{
    bool has = got && strstr(got, want);
    va_list ap;

    va_start(ap, fmt);
    if (!report(has, file, line, func, fmt, ap)) {
        print_value("got", got);
        print_value("want it to contain", want);
    }
    va_end(ap);
    return has;
}

int tap_failures(void)
{
    return failures;
}

int tap_done(void)
{
    printf("1..%d\n", checks);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
