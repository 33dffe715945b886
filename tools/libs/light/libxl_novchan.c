/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * For systems where libxenvchan does not exist.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"
#include "libxl_vchan.h"

bool libxl__vchan_supported(void)
{
    return false;
}

void libxl__vchan_init(libxl__vchan *vc)
{
}

void libxl__vchan_dispose(libxl__gc *gc, libxl__vchan *vc)
{
}

int libxl__vchan_listen(libxl__gc *gc, libxl__vchan *vc,
                        const char *xs_path)
{
    abort();
}

int libxl__vchan_connect(libxl__gc *gc, libxl__vchan *vc,
                         const char *xs_path)
{
    abort();
}

void libxl__vchan_send(libxl__gc *gc, libxl__vchan *vc, const char *text)
{
    abort();
}

bool libxl__vchan_alive(const libxl__vchan *vc)
{
    abort();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
