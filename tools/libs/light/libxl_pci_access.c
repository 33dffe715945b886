/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What a domain must be allowed to use for it to drive a PCI device.
 *
 * The toolstack domain gives it to a guest, and, where it has no right to
 * it itself, the owner of the devices lends it to the toolstack domain
 * first: the hypervisor lets a domain give only what it has.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"
#include "libxl_arch.h"

static int ports_permission(libxl__gc *gc, libxl_domid domid,
                            const libxl__hostpci_resource *res, bool allow)
{
    return libxl__arch_ioport_permission(gc, domid, res->start,
                                         res->end - res->start + 1, allow);
}

static int memory_permission(libxl__gc *gc, libxl_domid domid,
                             const libxl__hostpci_resource *res, bool allow)
{
    uint64_t size = res->end - res->start + 1;

    return xc_domain_iomem_permission(CTX->xch, domid,
                                      res->start >> XC_PAGE_SHIFT,
                                      (size + (XC_PAGE_SIZE - 1))
                                          >> XC_PAGE_SHIFT,
                                      allow);
}

int libxl__pci_access_revoke(libxl__gc *gc, libxl_domid domid,
                             const libxl__hostpci_access *access)
{
    int i, r, rc = 0;

    for (i = 0; i < PCID_RESOURCES; i++) {
        const libxl__hostpci_resource *res = &access->resources[i];
        bool io = res->flags & PCID_RESOURCE_IO;

        if (!res->start) continue;

        r = io ? ports_permission(gc, domid, res, false)
               : memory_permission(gc, domid, res, false);
        if (r < 0) {
            LOGED(ERROR, domid,
                  "xc_domain_%s_permission error %#"PRIx64"/%#"PRIx64,
                  io ? "ioport" : "iomem", res->start,
                  res->end - res->start + 1);
            rc = ERROR_FAIL;
        }
    }

    if (access->gsi && libxl__arch_gsi_revoke(gc, domid, access->gsi))
        rc = ERROR_FAIL;
    return rc;
}

int libxl__pci_access_grant(libxl__gc *gc, libxl_domid domid,
                            const libxl__hostpci_access *access,
                            const libxl__hostpci_access *own,
                            const char **what_r)
{
    libxl__hostpci_access granted = { 0 };
    int i, r, rc, errnoval;

    for (i = 0; i < PCID_RESOURCES; i++) {
        const libxl__hostpci_resource *res = &access->resources[i];
        bool io = res->flags & PCID_RESOURCE_IO;

        if (!res->start) continue;

        r = io ? ports_permission(gc, domid, res, true)
               : memory_permission(gc, domid, res, true);
        if (r < 0) {
            *what_r = GCSPRINTF("xc_domain_%s_permission"
                                " 0x%"PRIx64"/0x%"PRIx64" (error %d)",
                                io ? "ioport" : "iomem", res->start,
                                res->end - res->start + 1, r);
            rc = ERROR_FAIL;
            goto out;
        }
        granted.resources[i] = own->resources[i];
    }

    rc = access->gsi ?
        libxl__arch_gsi_grant(gc, domid, access->gsi, !own->gsi, what_r) : 0;

 out:
    if (rc) {
        errnoval = errno;
        libxl__pci_access_revoke(gc, domid, &granted);
        errno = errnoval;
    }
    return rc;
}

static bool overlap(const libxl__hostpci_resource *a,
                    const libxl__hostpci_resource *b)
{
    uint64_t unit = a->flags & PCID_RESOURCE_IO ? 1 : XC_PAGE_SIZE;

    return a->start && b->start &&
        (a->flags & PCID_RESOURCE_IO) == (b->flags & PCID_RESOURCE_IO) &&
        a->start / unit <= b->end / unit && b->start / unit <= a->end / unit;
}

void libxl__pci_access_subtract(libxl__hostpci_access *access,
                                const libxl__hostpci_access *other)
{
    int i, k;

    if (other->gsi == access->gsi)
        access->gsi = 0;
    for (i = 0; i < PCID_RESOURCES; i++)
        for (k = 0; k < PCID_RESOURCES; k++)
            if (overlap(&access->resources[i], &other->resources[k]))
                memset(&access->resources[i], 0,
                       sizeof(access->resources[i]));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
