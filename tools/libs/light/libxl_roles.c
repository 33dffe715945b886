/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The roles that Xen gives to domains, as libxenmanage tells them: from Xen
 * 4.21 on.  libxl_noroles.c takes the place of this file where that library
 * does not exist.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"

#include <xenmanage.h>

int libxl__hardware_domain_get(libxl__gc *gc, libxl_domid *domid_r)
{
    xenmanage_handle *manage = NULL;
    libxl_dominfo *list = NULL;
    int i, num = 0, rc;

    *domid_r = INVALID_DOMID;

    manage = xenmanage_open(CTX->lg, 0);
    if (!manage) {
        LOGE(ERROR, "cannot ask Xen for the hardware domain");
        rc = ERROR_FAIL;
        goto out;
    }

    list = libxl_list_domain(CTX, &num);
    if (!list) {
        rc = ERROR_FAIL;
        goto out;
    }

    for (i = 0; i < num; i++) {
        unsigned int caps;

        /* A domain may end meanwhile, or not be for us to ask about. */
        if (!xenmanage_get_domain_info(manage, list[i].domid, NULL, &caps,
                                       NULL) &&
            (caps & XENMANAGE_GETDOMSTATE_CAP_HARDWARE)) {
            *domid_r = list[i].domid;
            break;
        }
    }
    rc = 0;

 out:
    libxl_dominfo_list_free(list, num);
    if (manage) xenmanage_close(manage);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
