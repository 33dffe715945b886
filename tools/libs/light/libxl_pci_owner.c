/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The designation of the domain that owns the host's PCI devices.
 *
 * It stands in xenstore, at PCID_XS_OWNER, where only privileged domains
 * can write.  See section 1 of docs/misc/pcid-protocol.pandoc.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"

static int read_owner(libxl__gc *gc, xs_transaction_t t,
                      libxl_domid *owner_r)
{
    unsigned long domid;
    const char *s;
    char *end;

    s = libxl__xs_read(gc, t, PCID_XS_OWNER);
    if (!s) {
        *owner_r = INVALID_DOMID;
        if (errno == ENOENT) return 0;
        if (errno == EACCES) return ERROR_NI;
        LOGE(ERROR, "cannot read %s", PCID_XS_OWNER);
        return ERROR_FAIL;
    }

    errno = 0;
    domid = strtoul(s, &end, 10);
    if (!CTYPE(isdigit, *s) || *end || errno ||
        domid >= DOMID_FIRST_RESERVED) {
        LOG(ERROR, "%s is \"%s\", not a domain ID: correct it with"
            " xl pci-owner", PCID_XS_OWNER, s);
        return ERROR_INVAL;
    }
    *owner_r = domid;
    return 0;
}

/*
 * Warns if the domain that designates another domain has PCI devices itself:
 * nothing checks that the owner's addresses and interrupts are not those of
 * these devices.
 */
static void mention_own_devices(libxl__gc *gc, libxl_domid owner)
{
    libxl__hostpci_request request = {
        .command = LIBXL__HOSTPCI_CMD_LS,
        .dir = LIBXL__HOSTPCI_DIR_PCI_DEVICES,
    };
    libxl__hostpci_reply reply;

    libxl__hostpci_perform(gc, &request, &reply);
    if (!reply.class && reply.num_sbdfs)
        LOG(WARN, "domain %u is now the owner of the PCI devices, but this"
            " domain has %d PCI devices, too: nothing keeps domain %u from"
            " giving a guest access to them", owner, reply.num_sbdfs, owner);
}

/* Says so if Xen has given the hardware to another domain than the owner. */
static void mention_hardware_domain(libxl__gc *gc, libxl_domid owner)
{
    libxl_domid hardware;

    if (libxl__hardware_domain_get(gc, &hardware) ||
        hardware == INVALID_DOMID || hardware == owner)
        return;

    LOG(WARN, "domain %u is now the owner of the PCI devices, but domain %u"
        " is Xen's hardware domain: if that one drives the PCI devices, run"
        " xl pci-owner %u", owner, hardware, hardware);
}

int libxl__pci_owner_get(libxl__gc *gc, libxl_domid *owner_r)
{
    int rc;

    rc = read_owner(gc, XBT_NULL, owner_r);
    return rc == ERROR_NI ? 0 : rc;
}

/* ERROR_DEVICE_EXISTS if a domain other than domid is designated */
static int check_vacant(libxl__gc *gc, xs_transaction_t t, libxl_domid domid,
                        libxl_domid *other_r)
{
    libxl_domid other;
    int rc;

    *other_r = INVALID_DOMID;
    rc = read_owner(gc, t, &other);
    if (rc) return rc;

    if (other == INVALID_DOMID || other == domid ||
        !xs_is_domain_introduced(CTX->xsh, other))
        return 0;

    *other_r = other;
    return ERROR_DEVICE_EXISTS;
}

int libxl__pci_owner_vacant(libxl__gc *gc, libxl_domid *other_r)
{
    return check_vacant(gc, XBT_NULL, INVALID_DOMID, other_r);
}

int libxl__pci_owner_designate(libxl__gc *gc, libxl_domid domid,
                               bool replace, libxl_domid *other_r)
{
    xs_transaction_t t = XBT_NULL;
    libxl_domid other;
    uint32_t self;
    int rc;

    rc = libxl__get_domid(gc, &self);
    if (rc) goto out;

    for (;;) {
        rc = libxl__xs_transaction_start(gc, &t);
        if (rc) goto out;

        rc = check_vacant(gc, t, domid, &other);
        if (rc == ERROR_DEVICE_EXISTS && !replace) *other_r = other;
        if (replace && (rc == ERROR_DEVICE_EXISTS || rc == ERROR_INVAL)) rc = 0;
        if (rc) goto out;

        rc = libxl__xs_write_checked(gc, t, PCID_XS_OWNER,
                                     GCSPRINTF("%u", domid));
        if (rc) goto out;

        rc = libxl__xs_transaction_commit(gc, &t);
        if (!rc) break;
        if (rc < 0) goto out;
    }
    LOG(DEBUG, "domain %u is now the owner of the PCI devices", domid);
    if (domid != self) mention_own_devices(gc, domid);
    mention_hardware_domain(gc, domid);

 out:
    libxl__xs_transaction_abort(gc, &t);
    return rc;
}

int libxl__pci_owner_withdraw(libxl__gc *gc, libxl_domid domid)
{
    xs_transaction_t t = XBT_NULL;
    libxl_domid owner;
    int rc;

    for (;;) {
        rc = libxl__xs_transaction_start(gc, &t);
        if (rc) goto out;

        rc = read_owner(gc, t, &owner);
        if (rc == ERROR_NI || rc == ERROR_INVAL ||
            (!rc && owner != domid)) {
            rc = 0;
            goto out;
        }
        if (rc) goto out;

        rc = libxl__xs_rm_checked(gc, t, PCID_XS_OWNER);
        if (rc) goto out;

        rc = libxl__xs_transaction_commit(gc, &t);
        if (!rc) break;
        if (rc < 0) goto out;
    }
    LOG(DEBUG, "domain %u is no longer the owner of the PCI devices",
        domid);

 out:
    libxl__xs_transaction_abort(gc, &t);
    return rc;
}

int libxl_pci_owner_get(libxl_ctx *ctx, libxl_domid *owner_r)
{
    GC_INIT(ctx);
    int rc;

    rc = libxl__pci_owner_get(gc, owner_r);

    GC_FREE;
    return rc;
}

int libxl_hardware_domain_get(libxl_ctx *ctx, libxl_domid *domid_r,
                              bool *self_r)
{
    GC_INIT(ctx);
    uint32_t self;
    int rc;

    *self_r = false;
    rc = libxl__hardware_domain_get(gc, domid_r);
    if (rc || *domid_r == INVALID_DOMID) goto out;

    rc = libxl__get_domid(gc, &self);
    if (!rc) *self_r = *domid_r == self;

 out:
    GC_FREE;
    return rc;
}

/*
 * A domain that designates itself needs a server: without one, it could no
 * longer use its devices.
 */
static int check_served(libxl__gc *gc, libxl_domid owner)
{
    uint32_t self;
    int rc;

    rc = libxl__get_domid(gc, &self);
    if (rc || owner != self) return rc;

    if (!libxl__xs_read(gc, XBT_NULL, GCSPRINTF("/local/domain/%u/%s", self,
                                                PCID_XS_DIR))) {
        LOG(ERROR, "domain %u cannot be designated as the owner of the PCI"
            " devices: xl pcid does not run in it; without an owner, its"
            " devices are used directly: see xl pci-owner -c", owner);
        return ERROR_INVAL;
    }
    return 0;
}

int libxl_pci_owner_set(libxl_ctx *ctx, libxl_domid owner)
{
    GC_INIT(ctx);
    int rc;

    rc = libxl_domain_info(ctx, NULL, owner);
    if (rc == ERROR_DOMAIN_NOTFOUND)
        LOG(ERROR, "domain %u cannot own the PCI devices: there is no such"
            " domain", owner);
    else if (rc)
        LOG(ERROR, "domain %u cannot own the PCI devices: the hypervisor does"
            " not tell whether it exists", owner);
    if (rc) goto out;

    rc = check_served(gc, owner);
    if (rc) goto out;

    rc = libxl__pci_owner_designate(gc, owner, true, NULL);
    if (rc)
        LOG(ERROR, "domain %u cannot be designated as the owner of the PCI"
            " devices%s", owner, rc == ERROR_NI ?
            ": this is not a toolstack domain" : "");

 out:
    GC_FREE;
    return rc;
}

int libxl_pci_owner_clear(libxl_ctx *ctx)
{
    GC_INIT(ctx);
    int rc;

    rc = libxl__xs_rm_checked(gc, XBT_NULL, PCID_XS_OWNER);

    GC_FREE;
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
