/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * For versions of Xen that do not tell the roles of domains.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"

int libxl__hardware_domain_get(libxl__gc *gc, libxl_domid *domid_r)
{
    *domid_r = INVALID_DOMID;
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
