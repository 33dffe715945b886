/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The hardware domain, as Xen names it, and the domain that is designated as
 * the owner of the PCI devices.  With a Xen that tells the roles of domains.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "harness.h"

static libxl_ctx *ctx;
static bool self;

/* Called by a domain; of 3 and 4, the other two, one may have the hardware. */
static void start(int domid, int hardware)
{
    world_reset();
    store_put("/libxl", "");
    store_add_domain(3);
    store_add_domain(4);
    xc_add_domain(3, 0);
    xc_add_domain(4, 0);
    xc_hardware_domain = hardware;
    ctx = world_ctx(domid);
    world_log_clear();
}

static void end(void)
{
    is_int(xenmanage_handles, 0, "libxenmanage is closed");
    xc_hardware_domain = -1;
    world_ctx_free(ctx);
    world_reset();
}

static libxl_domid hardware_domain(int *rc_r)
{
    libxl_domid domid = 99;

    world_call(ctx);
    *rc_r = libxl_hardware_domain_get(ctx, &domid, &self);
    world_return();
    return domid;
}

static int designate(libxl_domid domid)
{
    int rc;

    world_log_clear();
    world_call(ctx);
    rc = libxl_pci_owner_set(ctx, domid);
    world_return();
    return rc;
}

static void who_it_is(void)
{
    int rc;

    start(0, 3);
    is_int(hardware_domain(&rc), 3, "the hardware domain");
    is_int(rc, 0, "is told");
    ok(!self, "is not this one");
    fault_inject("xenmanage_get_domain_info", "", ESRCH, 0, 1);
    is_int(hardware_domain(&rc), 3, "also if another has just ended");
    xc_hardware_domain = 0;
    is_int(hardware_domain(&rc), 0, "it is dom0");
    ok(self, "which is this one");
    end();
}

static void not_told(void)
{
    int rc;

    start(0, -1);
    ok(hardware_domain(&rc) == INVALID_DOMID, "no domain has the role");
    is_int(rc, 0, "which is no error");

    fault_inject("xenmanage_get_domain_info", "", ENOSYS, 0, 99);
    ok(hardware_domain(&rc) == INVALID_DOMID, "Xen does not tell");
    is_int(rc, 0, "which is no error");
    is_int(designate(4), 0, "any domain can be designated");
    is_str(world_log(), "", "and nothing is said");
    faults_clear();

    fault_inject("getinfolist", "", EPERM, 0, 1);
    ok(hardware_domain(&rc) == INVALID_DOMID, "domains cannot be listed");
    ok(rc, "which is an error");
    fault_inject("xenmanage_open", "", EACCES, 0, 1);
    ok(hardware_domain(&rc) == INVALID_DOMID, "Xen cannot be asked");
    ok(rc, "which is an error");
    has_str(world_log(), "cannot ask Xen for the hardware domain",
            "it says so");
    end();

    start(3, 3);
    ok(hardware_domain(&rc) == INVALID_DOMID, "for a control domain only");
    is_int(rc, 0, "which is no error");
    end();
}

static void contradiction(void)
{
    start(0, 3);
    is_int(designate(3), 0, "the hardware domain is designated");
    is_str(world_log(), "", "nothing is said");
    is_int(designate(4), 0, "another one can be designated, too");
    has_str(world_log(), "domain 4 is now the owner of the PCI devices, but"
            " domain 3 is Xen's hardware domain", "it says so");
    has_str(world_log(), "run xl pci-owner 3", "and what to do");
    is_str(store_get(PCID_XS_OWNER), "4", "it is done all the same");

    fault_inject("xenmanage_open", "", EACCES, 0, 1);
    is_int(designate(3), 0, "also if Xen cannot be asked");
    is_str(store_get(PCID_XS_OWNER), "3", "it is done");
    end();
}

int main(void)
{
    who_it_is();
    not_told();
    contradiction();

    return tap_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
