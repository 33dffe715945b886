/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The functions of libxenctrl that opening a ctx, assigning devices, giving
 * access to them and looking for a domain need.  Any other would get a
 * handle that is not one.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <xenctrl.h>

#include "standin.h"

char xc_log[4096];
uint64_t xc_domains;

/* Not in all versions of Xen that these tests are for */
int xc_domain_getinfo_single(xc_interface *xch, uint32_t domid,
                             xc_domaininfo_t *info);

static char handle;

xc_interface *xc_interface_open(xentoollog_logger *logger,
                                xentoollog_logger *dombuild_logger,
                                unsigned open_flags)
{
    return (xc_interface *)&handle;
}

int xc_interface_close(xc_interface *xch)
{
    return 0;
}

static int record(const char *op, const char *what, uint32_t domid)
{
    size_t used = strlen(xc_log);

    snprintf(xc_log + used, sizeof(xc_log) - used, "%s %s %#x%s\n", op, what,
             domid, fault_take(op, what) ? " failed" : "");
    return strstr(xc_log + used, "failed") ? -1 : 0;
}

static int record_device(const char *op, uint32_t machine_sbdf,
                         uint32_t domid)
{
    char what[32];

    snprintf(what, sizeof(what), "%04x:%02x:%02x.%x", machine_sbdf >> 16,
             (machine_sbdf >> 8) & 0xff, (machine_sbdf >> 3) & 0x1f,
             machine_sbdf & 7);
    return record(op, what, domid);
}

static int record_access(const char *what, unsigned long first,
                         unsigned long count, bool allow, uint32_t domid)
{
    char text[64];

    snprintf(text, sizeof(text), "%s %lx+%lx", what, first, count);
    return record(allow ? "grant" : "revoke", text, domid);
}

int xc_domain_ioport_permission(xc_interface *xch, uint32_t domid,
                                uint32_t first_port, uint32_t nr_ports,
                                uint32_t allow_access)
{
    return record_access("ports", first_port, nr_ports, allow_access,
                         domid);
}

int xc_domain_iomem_permission(xc_interface *xch, uint32_t domid,
                               unsigned long first_mfn,
                               unsigned long nr_mfns, uint8_t allow_access)
{
    return record_access("pages", first_mfn, nr_mfns, allow_access, domid);
}

int xc_domain_irq_permission(xc_interface *xch, uint32_t domid,
                             uint32_t pirq, bool allow_access)
{
    return record_access("irq", pirq, 1, allow_access, domid);
}

int xc_physdev_map_pirq(xc_interface *xch, uint32_t domid, int index,
                        int *pirq)
{
    return record_access("pirq", *pirq, 1, true, domid);
}

int xc_physdev_unmap_pirq(xc_interface *xch, uint32_t domid, int pirq)
{
    return record_access("pirq", pirq, 1, false, domid);
}

int xc_assign_device(xc_interface *xch, uint32_t domid,
                     uint32_t machine_sbdf, uint32_t flag)
{
    return record_device("assign", machine_sbdf, domid);
}

int xc_deassign_device(xc_interface *xch, uint32_t domid,
                       uint32_t machine_sbdf)
{
    return record_device("deassign", machine_sbdf, domid);
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first_domain,
                          unsigned int max_domains, xc_domaininfo_t *info)
{
    unsigned int n = 0;
    uint32_t domid;

    for (domid = first_domain; domid < 64 && n < max_domains; domid++) {
        if (!(xc_domains & (1ULL << domid)) && domid != standin_domid)
            continue;
        memset(&info[n], 0, sizeof(info[n]));
        info[n++].domain = domid;
    }
    return n;
}

int xc_domain_getinfo_single(xc_interface *xch, uint32_t domid,
                             xc_domaininfo_t *info)
{
    xc_domaininfo_t found;

    if (xc_domain_getinfolist(xch, domid, 1, &found) != 1 ||
        found.domain != domid) {
        errno = ESRCH;
        return -1;
    }
    if (info) *info = found;
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
