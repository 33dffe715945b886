/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * For the stand-ins: libFuzzer takes what strcmp() and its like compare for
 * what is worth to be in an input, wherever they are called.
 */

#ifndef PLAIN_H
#define PLAIN_H

#define _GNU_SOURCE
#include <string.h>

static inline int plain_strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

static inline int plain_strncmp(const char *a, const char *b, size_t n)
{
    while (n && *a && *a == *b) a++, b++, n--;
    return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

#define strcmp  plain_strcmp
#define strncmp plain_strncmp

#endif /* PLAIN_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
