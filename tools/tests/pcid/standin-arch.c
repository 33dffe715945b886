/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What libxl does about I/O ports and legacy interrupts depends on the
 * architecture.  On x86 it can be told to do as on any other.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <assert.h>

#include "libxl_internal.h"
#include "libxl_arch.h"

#include "standin.h"

/* Prototypes as libxl has them, so that the compiler sees what differs */
#define STANDS_IN(name) __typeof__(name) __real_##name, __wrap_##name

STANDS_IN(libxl__arch_gsi_grant);
STANDS_IN(libxl__arch_gsi_revoke);
STANDS_IN(libxl__arch_pci_gsi);
STANDS_IN(libxl__arch_ioport_permission);

bool arch_real(void)
{
#if defined(__i386__) || defined(__x86_64__)
    return arch_x86;
#else
    return true;
#endif
}

int __wrap_libxl__arch_gsi_grant(libxl__gc *gc, uint32_t domid, uint32_t gsi,
                                 bool shared, const char **what_r)
{
    return arch_real() ? __real_libxl__arch_gsi_grant(gc, domid, gsi, shared,
                                                 what_r) : 0;
}

int __wrap_libxl__arch_gsi_revoke(libxl__gc *gc, uint32_t domid,
                                  uint32_t gsi)
{
    return arch_real() ? __real_libxl__arch_gsi_revoke(gc, domid, gsi) : 0;
}

int __wrap_libxl__arch_pci_gsi(libxl__gc *gc, uint32_t sbdf, uint32_t irq,
                               uint32_t *gsi_r)
{
    if (arch_real()) return __real_libxl__arch_pci_gsi(gc, sbdf, irq, gsi_r);

    *gsi_r = 0;
    return 0;
}

int __wrap_libxl__arch_ioport_permission(libxl__gc *gc, uint32_t domid,
                                         uint32_t first, uint32_t nr,
                                         bool allow)
{
    return arch_real() ?
        __real_libxl__arch_ioport_permission(gc, domid, first, nr, allow) : 0;
}

/* Whether one of the words is one that only x86 has */
static bool only_x86(const char *item, size_t length)
{
    static const char *const words[] = { "ports", "irq", "pirq" };
    const char *end = item + length;
    size_t n;
    int i;

    while (item < end) {
        n = strcspn(item, " ,\n");
        for (i = 0; i < ARRAY_SIZE(words); i++)
            if (n == strlen(words[i]) && !strncmp(item, words[i], n))
                return true;
        item += n + 1;
    }
    return false;
}

const char *here(const char *all)
{
    static char text[2048];
    size_t used = 0, n;

    if (arch_x86) return all;

    for (; *all; all += n) {
        n = strcspn(all, ",\n");
        if (all[n] == ',') n++;
        if (all[n]) n++;
        if (only_x86(all, n)) continue;
        assert(used + n < sizeof(text));
        memcpy(text + used, all, n);
        used += n;
    }
    /* The last of a list with commas has none. */
    if (used && text[used - 1] == ' ') used -= 2;
    text[used] = '\0';
    return text;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
