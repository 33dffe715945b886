/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which memory is RAM, Xen tells on x86 only.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"
#include "libxl_arch.h"

#include "standin.h"

/* Prototypes as libxl has them, so that the compiler sees what differs */
__typeof__(libxl__arch_memory_is_ram) __real_libxl__arch_memory_is_ram,
    __wrap_libxl__arch_memory_is_ram;

int __wrap_libxl__arch_memory_is_ram(libxl__gc *gc, uint64_t start,
                                     uint64_t end, bool *ram_r)
{
    if (arch_real())
        return __real_libxl__arch_memory_is_ram(gc, start, end, ram_r);

    *ram_r = false;
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
