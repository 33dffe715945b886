/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libxenmanage, of which Xen has a part only from 4.21 on: which domain is the
 * hardware domain.
 */

#include <errno.h>

#include <xenmanage.h>

#include "standin.h"

int xc_hardware_domain = -1;
int xenmanage_handles;

xenmanage_handle *xenmanage_open(struct xentoollog_logger *logger,
                                 unsigned int open_flags)
{
    static char handle;

    if (fault_take("xenmanage_open", "")) return NULL;
    xenmanage_handles++;
    return (void *)&handle;
}

int xenmanage_close(xenmanage_handle *handle)
{
    xenmanage_handles--;
    return 0;
}

int xenmanage_get_domain_info(xenmanage_handle *handle, unsigned int domid,
                              unsigned int *state, unsigned int *caps,
                              uint64_t *unique_id)
{
    if (standin_domid) {
        errno = EPERM;
        return -1;
    }
    if (fault_take("xenmanage_get_domain_info", "")) return -1;
    *caps = domid ? 0 : XENMANAGE_GETDOMSTATE_CAP_CONTROL;
    if (xc_hardware_domain >= 0 && domid == xc_hardware_domain)
        *caps |= XENMANAGE_GETDOMSTATE_CAP_HARDWARE;
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
