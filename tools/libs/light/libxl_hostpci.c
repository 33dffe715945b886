/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Host PCI access: where a request is carried out.  See libxl_hostpci.h.
 *
 *   no owner is designated, or the guest that has the device has it from
 *   our own domain, which is not designated:     in this process
 *   otherwise:                                   by xl pcid in the owner
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"
#include "libxl_pcid.h"

void libxl__hostpci_log(libxl__gc *gc, const libxl__hostpci_op *op)
{
    uint32_t self;

    if (op->owner == INVALID_DOMID ||
        (!libxl__get_domid(gc, &self) && self == op->owner))
        LOG(ERROR, "%s", op->reply.desc);
    else
        LOGD(ERROR, op->owner, "%s", op->reply.desc);
}

bool libxl__hostpci_direct(libxl__gc *gc)
{
    libxl_domid owner;

    return !libxl__pci_owner_get(gc, &owner) && owner == INVALID_DOMID;
}

int libxl__hostpci_op_direct(libxl__gc *gc, libxl__hostpci_op *op)
{
    libxl__hostpci_perform(gc, &op->request, &op->reply);
    return op->reply.class ? ERROR_FAIL : 0;
}

/* Returns no error that the designation alone has if it does not matter. */
static int find_owner(libxl__gc *gc, libxl__hostpci_op *op)
{
    libxl_domid designated = INVALID_DOMID;
    uint32_t self;
    int rc;

    if (op->decided) return 0;

    rc = libxl__pci_owner_get(gc, &designated);
    if (op->backend == INVALID_DOMID || op->backend == designated) {
        op->owner = designated;
    } else {
        rc = libxl__get_domid(gc, &self);
        op->owner = op->backend == self ? INVALID_DOMID : op->backend;
    }
    return rc ? ERROR_PCI_OWNER_UNREACHABLE : 0;
}

void libxl__hostpci_op_start(libxl__egc *egc, libxl__hostpci_op *op)
{
    STATE_AO_GC(op->ao);
    int rc;

    rc = find_owner(gc, op);
    if (!rc && op->owner != INVALID_DOMID) {
        libxl__pcid_client_start(egc, op); /* must be last */
        return;
    }
    if (!rc) rc = libxl__hostpci_op_direct(gc, op);
    op->callback(egc, op, rc); /* must be last */
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
