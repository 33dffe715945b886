/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Where libxenvchan does not exist: this program is linked with
 * libxl_novchan.c in place of libxl_vchan.c.  And with libxl_noroles.c, for
 * a Xen that does not tell the roles of domains.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "server.h"

#define NIC  "0000:03:00.0" /* has its driver, e1000 */

static libxl_ctx *ctx;

static void start(const char *owner)
{
    world_reset();
    store_add_domain(3);
    store_put("/libxl", "");
    sysfs_add_device(NIC, "e1000", "e1000");
    ctx = world_ctx(0);
    if (owner) store_put(PCID_XS_OWNER, owner);
}

static void end(void)
{
    world_ctx_free(ctx);
    world_reset();
}

static int add(void)
{
    libxl_device_pci pci;
    int rc;

    libxl_device_pci_init(&pci);
    pci.bus = 3;
    world_call(ctx);
    rc = libxl_device_pci_assignable_add(ctx, &pci, true);
    world_return();
    libxl_device_pci_dispose(&pci);
    return rc;
}

static void server_is_not_supported(void)
{
    test_server server;

    start(NULL);
    is_int(server_start(&server, 3, NULL, 0), ERROR_NI, "does not start");
    has_str(world_log(), "cannot be served on this system: it has no"
            " libxenvchan", "and says why");
    is_str(store_child("/local/domain/3/data", 0), NULL,
           "clients are not led to believe that it has");
    world_log_clear();

    is_int(server_start(&server, 0, NULL, 0), ERROR_NI,
           "nor in the toolstack domain");
    is_str(store_get(PCID_XS_OWNER), NULL, "which is not designated");
    end();
}

static void owner_is_not_supported(void)
{
    start("3");
    is_int(add(), ERROR_PCI_OWNER_UNREACHABLE, "an error");
    has_str(world_log(), "cannot reach domain 3, which is designated as"
            " the owner of the PCI devices: libxl was built without"
            " libxenvchan", "it says why");
    has_str(world_log(), "xl pci-owner -c", "and what to do");
    is_int(sysfs_accesses(0), 0, "no other device is taken instead");
    end();
}

static void own_devices(void)
{
    start(NULL);
    is_int(add(), 0, "without a designation they can be used");
    is_str(sysfs_driver(NIC), "pciback", "as ever");
    end();
}

static void roles_are_not_told(void)
{
    libxl_domid domid = 0;
    bool self = true;

    start(NULL);
    is_int(libxl_hardware_domain_get(ctx, &domid, &self), 0, "no error");
    ok(!self, "this is not the hardware domain");
    ok(domid == INVALID_DOMID, "no hardware domain is told");
    end();
}

int main(void)
{
    roles_are_not_told();
    server_is_not_supported();
    owner_is_not_supported();
    own_devices();

    return tap_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
