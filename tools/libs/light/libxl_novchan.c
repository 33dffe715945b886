/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * For systems where libxenvchan does not exist: no channel is ever open.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"
#include "libxl_vchan.h"

void libxl__vchan_init(libxl__vchan *vc)
{
}

void libxl__vchan_dispose(libxl__gc *gc, libxl__vchan *vc)
{
}

int libxl__vchan_listen(libxl__gc *gc, libxl__vchan *vc,
                        const char *xs_path)
{
    LOG(ERROR, "cannot offer domain %u a channel: libxenvchan is not"
        " available on this system", vc->peer);
    return ERROR_NI;
}

int libxl__vchan_connect(libxl__gc *gc, libxl__vchan *vc,
                         const char *xs_path)
{
    LOG(ERROR, "cannot connect to a channel of domain %u: libxenvchan is"
        " not available on this system", vc->peer);
    return ERROR_NI;
}

void libxl__vchan_send(libxl__gc *gc, libxl__vchan *vc, const char *text)
{
    abort();
}

bool libxl__vchan_alive(const libxl__vchan *vc)
{
    return false;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
