/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The functions of libxenctrl that opening a ctx, assigning devices, giving
 * access to them and looking for a domain need.  Any other would get a
 * handle that is not one.
 *
 * It is known which domain a device is assigned to, and what each domain may
 * use.  After xc_strict(), what Xen refuses is refused, with its errors.
 */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xenctrl.h>

#include "standin.h"

char xc_log[4096];
uint64_t xc_domains;

/* Not in all versions of Xen that these tests are for */
int xc_domain_getinfo_single(xc_interface *xch, uint32_t domid,
                             xc_domaininfo_t *info);

#if defined(__i386__) || defined(__x86_64__)
bool arch_x86 = true;
#else
bool arch_x86;
#endif

static char handle;

#define DOMAINS_MAX 64
#define RANGES_MAX  64
#define DEVICES_MAX 32

/*
 * What a domain may use: numbers, in ranges that do not touch
 */

enum kind { PAGES, PORTS, IRQS, PIRQS, KINDS };

struct ranges {
    int num;
    struct {
        unsigned long first, last;
    } ranges[RANGES_MAX];
};

static struct {
    struct ranges may[KINDS];
    uint32_t flags; /* XEN_DOMINF_* */
} domains[DOMAINS_MAX];

static bool ranges_have(const struct ranges *rs, unsigned long first,
                        unsigned long last)
{
    int i;

    for (i = 0; i < rs->num; i++)
        if (rs->ranges[i].first <= first && last <= rs->ranges[i].last)
            return true;
    return false;
}

static void ranges_append(struct ranges *rs, unsigned long first,
                          unsigned long last)
{
    assert(rs->num < RANGES_MAX);
    rs->ranges[rs->num].first = first;
    rs->ranges[rs->num++].last = last;
}

static void ranges_remove(struct ranges *rs, unsigned long first,
                          unsigned long last)
{
    struct ranges old = *rs;
    int i;

    rs->num = 0;
    for (i = 0; i < old.num; i++) {
        unsigned long f = old.ranges[i].first, l = old.ranges[i].last;

        if (f < first)
            ranges_append(rs, f, l < first ? l : first - 1);
        if (l > last)
            ranges_append(rs, f > last ? f : last + 1, l);
    }
}

static void ranges_add(struct ranges *rs, unsigned long first,
                       unsigned long last)
{
    struct ranges old;
    int i;

    ranges_remove(rs, first, last);
    old = *rs;
    rs->num = 0;
    for (i = 0; i < old.num; i++) {
        unsigned long f = old.ranges[i].first, l = old.ranges[i].last;

        if (l + 1 == first)
            first = f;
        else if (last + 1 == f)
            last = l;
        else
            ranges_append(rs, f, l);
    }
    ranges_append(rs, first, last);
}

/*
 * Devices
 */

static struct {
    uint32_t sbdf;
    int domid;
    bool quarantine;
} devices[DEVICES_MAX];

static int num_devices;
static int hardware_domain; /* -1: nothing is refused */

static const char *sbdf_text(uint32_t sbdf, char text[32])
{
    snprintf(text, 32, "%04x:%02x:%02x.%x", sbdf >> 16, (sbdf >> 8) & 0xff,
             (sbdf >> 3) & 0x1f, sbdf & 7);
    return text;
}

/* -1 with errno set if there is no such device */
static int device_find(uint32_t sbdf)
{
    char text[32];
    int i;

    if (!sysfs_exists(sbdf_text(sbdf, text))) {
        errno = ENODEV;
        return -1;
    }
    for (i = 0; i < num_devices; i++)
        if (devices[i].sbdf == sbdf)
            return i;
    assert(num_devices < DEVICES_MAX);
    devices[i].sbdf = sbdf;
    devices[i].domid = hardware_domain;
    devices[i].quarantine = false;
    return num_devices++;
}

static bool is_domain(uint32_t domid)
{
    return domid < DOMAINS_MAX && (xc_domains & (1ULL << domid));
}

void xc_reset(void)
{
    memset(domains, 0, sizeof(domains));
    num_devices = 0;
    hardware_domain = -1;
    xc_log[0] = '\0';
    xc_domains = 1;
}

void xc_strict(int domid)
{
    int kind;

    hardware_domain = domid;
    for (kind = 0; kind < KINDS; kind++)
        ranges_add(&domains[domid].may[kind], 0, 0xffffffff);
}

void xc_add_domain(int domid, uint32_t flags)
{
    xc_domains |= 1ULL << domid;
    domains[domid].flags = flags;
}

void xc_set_flags(int domid, uint32_t flags)
{
    domains[domid].flags = flags;
}

/* Its devices go where Xen lets them go. */
void xc_remove_domain(int domid)
{
    int i;

    xc_domains &= ~(1ULL << domid);
    memset(&domains[domid], 0, sizeof(domains[domid]));
    for (i = 0; i < num_devices; i++)
        if (devices[i].domid == domid)
            devices[i].domid = DOMID_IO;
}

void xc_forget_device(const char *sbdf)
{
    char text[32];
    int i;

    for (i = 0; i < num_devices; i++)
        if (!strcmp(sbdf_text(devices[i].sbdf, text), sbdf)) {
            devices[i] = devices[--num_devices];
            return;
        }
}

int xc_device_domain(const char *sbdf)
{
    char text[32];
    int i;

    for (i = 0; i < num_devices; i++)
        if (!strcmp(sbdf_text(devices[i].sbdf, text), sbdf))
            return devices[i].domid;
    return hardware_domain;
}

bool xc_may_page(int domid, unsigned long page)
{
    return ranges_have(&domains[domid].may[PAGES], page, page);
}

const char *xc_rights(int domid)
{
    static const char *const names[KINDS] = { "pages", "ports", "irq",
                                              "pirq" };
    static char text[2048];
    size_t used = 0;
    int kind, i;

    text[0] = '\0';
    for (kind = 0; kind < KINDS; kind++) {
        const struct ranges *rs = &domains[domid].may[kind];

        for (i = 0; i < rs->num; i++)
            used += snprintf(text + used, sizeof(text) - used,
                             "%s%s %lx-%lx", used ? ", " : "", names[kind],
                             rs->ranges[i].first, rs->ranges[i].last);
        assert(used < sizeof(text));
    }
    return text;
}

/*
 * libxenctrl
 */

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

/* errnoval: what Xen says, 0 if it does what is asked */
static int result(const char *op, const char *what, uint32_t domid,
                  int errnoval)
{
    size_t used = strlen(xc_log);

    snprintf(xc_log + used, sizeof(xc_log) - used, "%s %s %#x%s\n", op, what,
             domid, errnoval ? " failed" : "");
    errno = errnoval;
    return errnoval ? -1 : 0;
}

/* Called for what is done to a domain; returns an errno value. */
static int access_change(const char *op, const char *what, uint32_t domid,
                         enum kind kind, unsigned long first,
                         unsigned long count, bool allow)
{
    struct ranges *may;

    if (fault_take(op, what)) return errno;
    if (hardware_domain < 0) return 0;
    if (!is_domain(domid)) return ESRCH;
    /* That is needed to take a right away, too. */
    if (!ranges_have(&domains[standin_domid].may[kind], first,
                     first + count - 1))
        return EPERM;
    may = &domains[domid].may[kind];
    if (allow)
        ranges_add(may, first, first + count - 1);
    else
        ranges_remove(may, first, first + count - 1);
    return 0;
}

static int change(const char *name, uint32_t domid, enum kind kind,
                  unsigned long first, unsigned long count, bool allow)
{
    const char *op = allow ? "grant" : "revoke";
    char what[64];

    snprintf(what, sizeof(what), "%s %lx+%lx", name, first, count);
    return result(op, what, domid, access_change(op, what, domid, kind,
                                                 first, count, allow));
}

int xc_domain_ioport_permission(xc_interface *xch, uint32_t domid,
                                uint32_t first_port, uint32_t nr_ports,
                                uint32_t allow_access)
{
    if (!arch_x86)
        return result(allow_access ? "grant" : "revoke", "ports", domid,
                      ENOSYS);
    return change("ports", domid, PORTS, first_port, nr_ports,
                  allow_access);
}

int xc_domain_iomem_permission(xc_interface *xch, uint32_t domid,
                               unsigned long first_mfn,
                               unsigned long nr_mfns, uint8_t allow_access)
{
    return change("pages", domid, PAGES, first_mfn, nr_mfns, allow_access);
}

/* The caller names an interrupt by a pirq of its own. */
int xc_domain_irq_permission(xc_interface *xch, uint32_t domid,
                             uint32_t pirq, bool allow_access)
{
    if (hardware_domain >= 0 &&
        !ranges_have(&domains[standin_domid].may[PIRQS], pirq, pirq)) {
        char what[64];

        snprintf(what, sizeof(what), "irq %x+1", pirq);
        return result(allow_access ? "grant" : "revoke", what, domid,
                      EPERM);
    }
    return change("irq", domid, IRQS, pirq, 1, allow_access);
}

/* To have an interrupt mapped is to have the right to it. */
int xc_physdev_map_pirq(xc_interface *xch, uint32_t domid, int index,
                        int *pirq)
{
    char what[64];
    int errnoval;

    snprintf(what, sizeof(what), "pirq %x+1", *pirq);
    errnoval = access_change("grant", what, domid, IRQS, index, 1, true);
    if (!errnoval && hardware_domain >= 0)
        ranges_add(&domains[domid].may[PIRQS], *pirq, *pirq);
    return result("grant", what, domid, errnoval);
}

int xc_physdev_unmap_pirq(xc_interface *xch, uint32_t domid, int pirq)
{
    char what[64];
    int errnoval = 0;

    snprintf(what, sizeof(what), "pirq %x+1", pirq);
    if (fault_take("revoke", what)) {
        errnoval = errno;
    } else if (hardware_domain >= 0) {
        if (!is_domain(domid))
            errnoval = ESRCH;
        else if (!ranges_have(&domains[domid].may[PIRQS], pirq, pirq))
            errnoval = EINVAL;
        else {
            ranges_remove(&domains[domid].may[PIRQS], pirq, pirq);
            ranges_remove(&domains[domid].may[IRQS], pirq, pirq);
        }
    }
    return result("revoke", what, domid, errnoval);
}

static int assign(const char *op, uint32_t domid, uint32_t sbdf, bool test)
{
    char what[32];
    int errnoval = 0, i;

    if (fault_take(op, sbdf_text(sbdf, what)))
        return result(op, what, domid, errno);
    if (hardware_domain < 0)
        return result(op, what, domid, 0);

    i = device_find(sbdf);
    if (domid == standin_domid)
        errnoval = EINVAL;
    else if (domid != DOMID_IO && !is_domain(domid))
        errnoval = ESRCH;
    else if (i < 0)
        errnoval = test ? EINVAL : ENODEV;
    else if (devices[i].domid != hardware_domain &&
             devices[i].domid != DOMID_IO)
        errnoval = test ? EINVAL : EBUSY;
    else if (!test && domid != DOMID_IO &&
             (domains[domid].flags & XEN_DOMINF_dying))
        errnoval = EINVAL;
    else if (!test) {
        devices[i].domid = domid;
        if (domid == DOMID_IO) devices[i].quarantine = true;
    }
    return result(op, what, domid, errnoval);
}

int xc_assign_device(xc_interface *xch, uint32_t domid,
                     uint32_t machine_sbdf, uint32_t flag)
{
    return assign("assign", domid, machine_sbdf, false);
}

int xc_test_assign_device(xc_interface *xch, uint32_t domid,
                          uint32_t machine_sbdf)
{
    return assign("test_assign", domid, machine_sbdf, true);
}

int xc_deassign_device(xc_interface *xch, uint32_t domid,
                       uint32_t machine_sbdf)
{
    char what[32];
    int errnoval = 0, i;

    if (fault_take("deassign", sbdf_text(machine_sbdf, what)))
        return result("deassign", what, domid, errno);
    if (hardware_domain < 0)
        return result("deassign", what, domid, 0);

    i = device_find(machine_sbdf);
    if (domid == standin_domid) {
        errnoval = EINVAL;
    } else if (domid != DOMID_IO && !is_domain(domid)) {
        errnoval = ESRCH;
    } else if (i < 0 || devices[i].domid != domid) {
        errnoval = ENODEV;
    } else if (domid == DOMID_IO) {
        devices[i].domid = hardware_domain;
        devices[i].quarantine = false;
    } else {
        /* As with iommu=quarantine, which is the default */
        devices[i].domid = DOMID_IO;
    }
    return result("deassign", what, domid, errnoval);
}

int xc_domain_pause(xc_interface *xch, uint32_t domid)
{
    if (is_domain(domid)) domains[domid].flags |= XEN_DOMINF_paused;
    return result("pause", "domain", domid, is_domain(domid) ? 0 : ESRCH);
}

bool xc_paused(int domid)
{
    return domains[domid].flags & XEN_DOMINF_paused;
}

#if defined(__i386__) || defined(__x86_64__)
int xc_get_machine_memory_map(xc_interface *xch, struct e820entry entries[],
                              uint32_t max_entries)
{
    static const struct e820entry ram = { 0x100000, 0x3ff00000, E820_RAM };

    if (fault_take("memory_map", "")) return -1;
    entries[0] = ram;
    return 1;
}
#endif

/* As without XSM */
int xc_flask_sid_to_context(xc_interface *xch, int sid, char *buf,
                            uint32_t size)
{
    errno = ENOSYS;
    return -1;
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first_domain,
                          unsigned int max_domains, xc_domaininfo_t *info)
{
    unsigned int n = 0;
    uint32_t domid;

    if (fault_take("getinfolist", "")) return -1;
    for (domid = first_domain; domid < DOMAINS_MAX && n < max_domains;
         domid++) {
        if (!is_domain(domid) && domid != standin_domid)
            continue;
        memset(&info[n], 0, sizeof(info[n]));
        info[n].flags = domains[domid].flags;
        info[n].handle[0] = domid;
        info[n++].domain = domid;
    }
    return n;
}

int xc_domain_getinfo_single(xc_interface *xch, uint32_t domid,
                             xc_domaininfo_t *info)
{
    xc_domaininfo_t found;
    int n = xc_domain_getinfolist(xch, domid, 1, &found);

    if (n < 0) return -1;
    if (n != 1 || found.domain != domid) {
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
