/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Devices of guests: attaching and detaching them, and the end of a guest.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <sys/file.h>

#include "guest.h"

#define G1   7
#define G2   8
#define NONE 9 /* no domain */
#define S1   10 /* the stubdomain of G1, where it has one */

static topology t;
static const char *why; /* see whose() */
static int64_t since;

/* What a command asks of Xen and xenstored */
static const char *const fallible[] = {
    "xs_read", "xs_write", "xs_rm", "xs_mkdir", "xs_directory", "xs_watch",
    "xs_set_permissions", "xs_transaction_start", "xs_transaction_end",
    "grant", "revoke", "assign", "deassign",
};

static const request add1 = { .sbdf = DEV1, .rebind = true };
static const request add2 = { .sbdf = DEV2, .rebind = true };
static const request add3 = { .sbdf = DEV3, .rebind = true };
static const request g1_dev1 = { .domid = G1, .sbdf = DEV1 };
static const request g1_dev2 = { .domid = G1, .sbdf = DEV2 };
static const request g1_dev3 = { .domid = G1, .sbdf = DEV3 };
static const request g2_dev1 = { .domid = G2, .sbdf = DEV1 };

/* A name that is said with each check */
#define T host_name(t)

static void begin(void)
{
    since = world_ms();
    world_log_clear();
    xc_log[0] = '\0';
}

static int took(void)
{
    return world_ms() - since;
}

/* Whose it is, after everybody has done what he has to; complains if that is
 * not the same everywhere. */
static int owner_of(const char *sbdf)
{
    int domid;

    why = "";
    world_settle();
    domid = whose(sbdf, false, &why);
    if (domid == -2) ok(false, "%s: %s: %s", T, sbdf, why);
    return domid;
}

/* Three assignable devices, and two guests that run */
static void three_assignable(void)
{
    guest_add(G1, PCIFRONT_GOOD);
    guest_add(G2, PCIFRONT_GOOD);
    if (now(do_assignable_add, add1) || now(do_assignable_add, add2) ||
        now(do_assignable_add, add3))
        ok(false, "%s: the devices are assignable", T);
    begin();
}

static void one_attached(void)
{
    three_assignable();
    if (now(do_attach, g1_dev1)) ok(false, "%s: the device is attached", T);
    world_settle();
    begin();
}

static void three_attached(void)
{
    one_attached();
    if (now(do_attach, g1_dev2) || now(do_attach, g1_dev3))
        ok(false, "%s: the devices are attached", T);
    world_settle();
    begin();
}

/* Nothing is left of what has been done with a device: it is assignable. */
static void is_free(const char *sbdf, const char *what)
{
    is_int(owner_of(sbdf), -1, "%s: %s: nobody's", T, what);
    ok(is_assignable(sbdf), "%s: %s: assignable", T, what);
    is_int(pciback_guest(sbdf), -1, "%s: %s: pciback has let go", T, what);
    is_int(xc_device_domain(sbdf), DOMID_IO, "%s: %s: in quarantine", T,
           what);
}

/*
 * Attaching and detaching
 */

static void attaches_and_detaches(void)
{
    three_assignable();
    is_int(now(do_attach, g1_dev1), 0, "%s: attach", T);
    is_int(owner_of(DEV1), G1, "%s: the guest has it", T);
    is_int(pciback_guest(DEV1), G1, "%s: pciback has it for the guest", T);
    is_int(xc_device_domain(DEV1), G1, "%s: it is assigned", T);
    is_str(xc_rights(G1),
           here("pages feb00-feb1f, ports c000-c03f, irq 10-10, pirq 10-10"),
           "%s: the guest's rights", T);
    if (t == HWDOM)
        is_str(xc_rights(0),
               here("pages feb00-feb1f, ports c000-c03f,"
                    " irq 10-10, pirq 10-10"),
               "%s: lent to domain 0", T);
    ok(!is_assignable(DEV1), "%s: not assignable", T);
    ok(is_assignable(DEV2), "%s: another one still is", T);
    is_int(guest_devices(G1), 1, "%s: it has one", T);
    is_int(guest_devices(G2), 0, "%s: the other guest none", T);
    is_str(store_get("/libxl/pci/0000-03-00-0/domid"), "7", "%s: marked",
           T);

    is_int(now(do_detach, g1_dev1), 0, "%s: detach", T);
    is_free(DEV1, "after that");
    is_str(xc_rights(G1), "", "%s: the guest has no rights", T);
    if (t == HWDOM)
        is_str(xc_rights(0), "", "%s: nor has domain 0", T);
    is_int(guest_devices(G1), 0, "%s: it has none", T);
    is_str(store_get("/libxl/pci/0000-03-00-0/domid"), NULL,
           "%s: not marked", T);
    ok(took() < 1000, "%s: without waiting", T);

    is_int(now(do_attach, g2_dev1), 0, "%s: attach to another", T);
    is_int(owner_of(DEV1), G2, "%s: which has it", T);
}

static void several(void)
{
    three_attached();
    is_int(guest_devices(G1), 3, "%s: three", T);
    is_int(owner_of(DEV1), G1, "%s: the first", T);
    is_int(owner_of(DEV2), G1, "%s: the second", T);
    is_int(owner_of(DEV3), G1, "%s: the third", T);
    is_int(pciback_guest(DEV3), G1, "%s: pciback has it", T);

    is_int(now(do_detach, g1_dev2), 0, "%s: detach the second", T);
    is_free(DEV2, "after that");
    is_int(owner_of(DEV1), G1, "%s: the first stays", T);
    is_int(owner_of(DEV3), G1, "%s: the third stays", T);
    is_int(guest_devices(G1), 2, "%s: two", T);

    is_int(now(do_attach, g1_dev2), 0, "%s: attach it again", T);
    is_int(owner_of(DEV2), G1, "%s: the guest has it", T);
    is_int(now(do_detach, g1_dev1), 0, "%s: detach the first", T);
    is_int(now(do_detach, g1_dev3), 0, "%s: detach the third", T);
    is_int(now(do_detach, g1_dev2), 0, "%s: detach the last", T);
    is_free(DEV1, "the first");
    is_free(DEV2, "the second");
    is_free(DEV3, "the third");
    is_str(xc_rights(G1), "", "%s: no rights", T);
    ok(took() < 1000, "%s: without waiting", T);
}

static void names(void)
{
    request named = { .sbdf = DEV1, .name = "net", .rebind = true };
    request by_name = { .domid = G1, .sbdf = "=net", .rebind = true };
    libxl_device_pci *pcis;
    int num = 0;

    guest_add(G1, PCIFRONT_GOOD);
    is_int(now(do_assignable_add, named), 0, "%s: with a name", T);
    is_int(now(do_attach, by_name), 0, "%s: attach", T);
    is_int(owner_of(DEV1), G1, "%s: the guest has it", T);
    world_call(host_ctx);
    pcis = libxl_device_pci_list(host_ctx, G1, &num);
    world_return();
    is_str(num == 1 ? pcis[0].name : "", "net", "%s: listed with it", T);
    libxl_device_pci_list_free(pcis, num);
    is_int(now(do_detach, by_name), 0, "%s: detach", T);
    is_free(DEV1, "after that");
    is_int(now(do_assignable_remove, by_name), 0, "%s: remove", T);
    ok(now(do_attach, by_name), "%s: then it is unknown", T);
    ok(now(do_detach, by_name), "%s: to detach, too", T);
}

static void options(void)
{
    request r = { .domid = G1, .sbdf = DEV1, .permissive = true };
    libxl_device_pci *pcis;
    int num = 0;

    three_assignable();
    sysfs_writes();
    is_int(now(do_attach, r), 0, "%s: attach", T);
    has_str(sysfs_writes(), "drivers/pciback/permissive " DEV1,
            "%s: permissive", T);
    world_call(host_ctx);
    pcis = libxl_device_pci_list(host_ctx, G1, &num);
    world_return();
    ok(num == 1 && pcis[0].permissive, "%s: listed as that", T);
    libxl_device_pci_list_free(pcis, num);

    fault_inject("write", "permissive", EIO, 0, 1);
    r.sbdf = DEV2;
    ok(now(do_attach, r), "%s: that fails", T);
    is_free(DEV2, "after that");
    r.permissive = false;
    is_int(now(do_attach, r), 0, "%s: without", T);
}

/* Memory, and on x86 ports, pirq and irq */
static int kinds_of_rights(void)
{
    return arch_x86 ? 4 : 1;
}

/* The first device is not granted: what are the rights then? */
static void grant_fails_to(const char *rights)
{
    /* To domain 0 and to the guest */
    int steps = (t == HWDOM ? 2 : 1) * kinds_of_rights(), k;

    for (k = 0; k < steps; k++) {
        faults_clear();
        fault_inject("grant", "", EPERM, k, 1);
        ok(now(do_attach, g1_dev1), "%s: at step %d", T, k);
        is_str(xc_rights(G1), rights, "%s: the guest's rights", T);
        if (t == HWDOM) is_str(xc_rights(0), rights, "%s: domain 0's", T);
        ok(is_assignable(DEV1), "%s: the device is assignable", T);
    }
    faults_clear();
    fault_inject("grant", "", EPERM, steps, 1);
    is_int(now(do_attach, g1_dev1), 0, "%s: these were all", T);
}

/* Nobody keeps anything of it, */
static void grant_fails(void)
{
    three_assignable();
    grant_fails_to("");
}

/* nor loses what is needed for another one, with memory in the same page, and
 * the same interrupt. */
static void grant_fails_shared(void)
{
    const char *rights =
        here("pages feb00-feb00, ports c040-c07f, irq 10-10, pirq 10-10");
#define NO_MORE "0x0 0x0 0x0\n0x0 0x0 0x0\n0x0 0x0 0x0\n0x0 0x0 0x0\n" \
    "0x0 0x0 0x0\n"

    sysfs_put("devices/" DEV1 "/resource", "0xfeb00000 0xfeb003ff 0x200\n"
              "0xc000 0xc03f 0x101\n" NO_MORE);
    sysfs_put("devices/" DEV2 "/resource", "0xfeb00400 0xfeb007ff 0x200\n"
              "0xc040 0xc07f 0x101\n" NO_MORE);
    sysfs_put("devices/" DEV2 "/irq", "16\n");
    three_assignable();
    is_int(now(do_attach, g1_dev2), 0, "%s: attach the other", T);
    world_settle();
    is_str(xc_rights(G1), rights, "%s: the guest's rights", T);
    grant_fails_to(rights);
    is_int(now(do_detach, g1_dev1), 0, "%s: detach", T);
    is_str(xc_rights(G1), rights, "%s: the guest's rights, again", T);
}

static void in_another_segment(void)
{
    static const char far[] = "0001:82:1f.7";
    const request r = { .domid = G1, .sbdf = far };

    guest_add(G1, PCIFRONT_GOOD);
    sysfs_add_device(far, "e1000", "e1000");
    is_int(now(do_assignable_add, r), 0, "%s: add", T);
    is_int(now(do_attach, r), 0, "%s: attach", T);
    is_int(owner_of(far), G1, "%s: the guest has it", T);
    is_int(xc_device_domain(far), G1, "%s: it is assigned", T);
    is_int(now(do_detach, r), 0, "%s: detach", T);
    is_free(far, "after that");
}

static void seizes(void)
{
    request r = { .domid = G1, .sbdf = DEV1, .seize = true };

    guest_add(G1, PCIFRONT_GOOD);
    is_int(now(do_attach, r), 0, "%s: attach", T);
    is_int(owner_of(DEV1), G1, "%s: the guest has it", T);
    is_str(sysfs_driver(DEV1), "pciback", "%s: from its driver", T);
    is_int(now(do_detach, g1_dev1), 0, "%s: detach", T);
    is_free(DEV1, "after that");
    is_int(now(do_assignable_remove, add1), 0, "%s: remove", T);
    is_str(sysfs_driver(DEV1), "e1000", "%s: its driver again", T);

    fault_inject("write", "pciback/bind", EIO, 0, 1);
    ok(now(do_attach, r), "%s: that fails", T);
    is_int(guest_devices(G1), 0, "%s: no device", T);
    is_int(now(do_attach, r), 0, "%s: again", T);
    is_int(owner_of(DEV1), G1, "%s: the guest has it", T);
}

static void refused(void)
{
    request r = { .domid = G1, .sbdf = DEV3 };
    request gone = { .domid = G1, .sbdf = "0000:05:00.0" };
    request nobody = { .domid = NONE, .sbdf = DEV2 };

    one_attached();
    ok(now(do_attach, g2_dev1), "%s: of another guest", T);
    ok(now(do_attach, g1_dev1), "%s: twice", T);
    is_int(owner_of(DEV1), G1, "%s: it stays where it is", T);
    is_int(guest_devices(G1), 1, "%s: once", T);
    ok(now(do_detach, g2_dev1), "%s: detach from another", T);
    ok(now(do_detach_force, g2_dev1), "%s: with force", T);
    is_int(owner_of(DEV1), G1, "%s: it stays", T);
    is_int(xc_device_domain(DEV1), G1, "%s: assigned", T);
    ok(now(do_assignable_remove, add1), "%s: remove", T);
    is_int(owner_of(DEV1), G1, "%s: it stays", T);
    is_str(sysfs_driver(DEV1), "pciback", "%s: with pciback", T);

    now(do_assignable_remove, add3);
    ok(now(do_attach, r), "%s: not assignable", T);
    is_str(sysfs_driver(DEV3), "e1000", "%s: keeps its driver", T);
    ok(now(do_attach, gone), "%s: no device", T);
    ok(now(do_attach, nobody), "%s: no domain", T);
    is_free(DEV2, "after that");
    ok(now(do_detach, g1_dev2), "%s: detach what it has not", T);
    is_free(DEV2, "after that");

    world_log_clear();
    ok(now(do_detach, nobody), "%s: detach: no domain", T);
    has_str(world_log(), "there is no such domain", "%s: it says so", T);
    world_log_clear();
    fault_inject("getinfolist", "", EPERM, 0, 100);
    ok(now(do_detach, g1_dev1), "%s: detach: not told of domains", T);
    faults_clear();
    ok(!strstr(world_log(), "no such domain"), "%s: it does not say so", T);
    is_int(owner_of(DEV1), G1, "%s: it stays", T);

    if (t == HWDOM) {
        nobody.domid = HWDOM_DOMID;
        ok(now(do_attach, nobody), "%s: the owner itself", T);
        is_free(DEV2, "after that");
    }
}

/* A guest without a device model gets devices of any owner. */
static void types(void)
{
    three_assignable();
    guest_set_type(G1, "pvh");
    is_int(now(do_attach, g1_dev1), 0, "%s: attach to a PVH guest", T);
    is_int(xc_device_domain(DEV1), G1, "%s: PVH: it is assigned", T);
    has_str(xc_rights(G1), "pages feb00-feb1f", "%s: PVH: its rights", T);
    is_int(guest_devices(G1), 1, "%s: PVH: it has one", T);
    is_int(now(do_detach, g1_dev1), 0, "%s: PVH: detach", T);
    is_free(DEV1, "after that");
    is_str(xc_rights(G1), "", "%s: PVH: no rights", T);

    if (t != HWDOM) return;
    guest_set_type(G2, "hvm");
    is_int(now(do_attach, g2_dev1), ERROR_NI, "%s: HVM: refused", T);
    has_str(world_log(), "the device model of an HVM guest cannot reach the"
            " PCI devices of domain 3", "%s: HVM: it says why", T);
    is_free(DEV1, "after that");
    is_str(xc_rights(G2), "", "%s: HVM: no rights", T);
}

/* What creating a guest with devices of another domain comes to: rc */
static int created_as(libxl_domain_type type, bool stubdom, bool linux_image,
                      bool gfx)
{
    libxl_domain_config config;
    int rc;

    libxl_domain_config_init(&config);
    config.c_info.type = type;
    libxl_domain_build_info_init_type(&config.b_info, type);
    if (stubdom)
        libxl_defbool_set(&config.b_info.device_model_stubdomain, true);
    if (linux_image)
        config.b_info.device_model_version =
            LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN;
    if (gfx) libxl_defbool_set(&config.b_info.u.hvm.gfx_passthru, true);

    world_log_clear();
    world_call(host_ctx);
    {
        GC_INIT(host_ctx);

        rc = libxl__pci_owner_check_config(gc, G1, &config);
        GC_FREE;
    }
    world_return();
    libxl_domain_config_dispose(&config);
    return rc;
}

static void at_creation(void)
{
    const libxl_domain_type hvm = LIBXL_DOMAIN_TYPE_HVM;
    const int refused = t == HWDOM ? ERROR_NI : 0;

    is_int(created_as(LIBXL_DOMAIN_TYPE_PV, false, true, false), 0,
           "%s: at creation: PV", T);
    is_int(created_as(LIBXL_DOMAIN_TYPE_PVH, false, true, false), 0,
           "%s: at creation: PVH", T);
    is_int(created_as(hvm, false, true, false), refused,
           "%s: at creation: HVM", T);
    if (refused)
        has_str(world_log(), "device_model_stubdomain_override=1",
                "%s: at creation: what to write instead", T);
    is_int(created_as(hvm, true, false, false), refused,
           "%s: at creation: with a stubdomain that is not Linux", T);
    is_int(created_as(hvm, true, true, false), 0,
           "%s: at creation: with a Linux stubdomain", T);
    is_int(created_as(hvm, true, true, true), refused,
           "%s: at creation: with gfx_passthru", T);
    if (refused)
        has_str(world_log(), "gfx_passthru", "%s: at creation: because of"
                " that", T);
}

/*
 * HVM guests
 */

static void hvm(void)
{
    three_assignable();
    guest_remove(G1);
    guest_add_hvm(G1);
    begin();
    if (t == HWDOM) {
        is_int(now(do_attach, g1_dev1), ERROR_NI, "%s: refused", T);
        is_free(DEV1, "after that");
        is_int(dm_devices(G1), 0, "%s: the device model has none", T);
        return;
    }
    is_int(now(do_attach, g1_dev1), 0, "%s: attach", T);
    is_int(owner_of(DEV1), G1, "%s: the guest has it", T);
    is_int(dm_devices(G1), 1, "%s: the device model has it", T);
    is_int(now(do_detach, g1_dev1), 0, "%s: detach", T);
    is_free(DEV1, "after that");
    is_int(dm_devices(G1), 0, "%s: the device model has none", T);
    is_int(now(do_attach, g1_dev1), 0, "%s: attach again", T);
    is_int(now(do_destroy, g1_dev1), 0, "%s: the end", T);
    is_free(DEV1, "after that");
}

/* A guest with its device model in a stubdomain, two assignable devices */
static void with_stubdom(void)
{
    guest_add_stubdom(G1, S1, PCIFRONT_GOOD);
    guest_add(G2, PCIFRONT_GOOD);
    if (now(do_assignable_add, add1) || now(do_assignable_add, add2))
        ok(false, "%s: the devices are assignable", T);
    begin();
}

/* What has been given and taken since begin(), for instance
 * "grant 0xa, grant 0x7, assign 0x7": repetitions are left out. */
static const char *given(void)
{
    static const char *const ops[] = { "grant", "revoke", "assign",
                                       "deassign" };
    static char text[512];
    char op[16], domid[16], step[40], last[40] = "";
    const char *line, *end;
    int i;

    text[0] = '\0';
    for (line = xc_log; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (sscanf(line, "%15s", op) != 1) continue;
        for (i = 0; i < ARRAY_SIZE(ops); i++)
            if (!strcmp(op, ops[i])) break;
        if (i == ARRAY_SIZE(ops)) continue;
        /* It is the last word. */
        for (i = end - line; line[i - 1] != ' '; i--)
            ;
        if (sscanf(line + i, "%15s", domid) != 1) continue;
        snprintf(step, sizeof(step), "%s %s", op, domid);
        if (!strcmp(step, last)) continue;
        strcpy(last, step);
        if (*text) strcat(text, ", ");
        strcat(text, step);
    }
    return text;
}

/* What nobody but the owner's pciback has of a device that is free again */
static void is_free_of_stubdom(const char *sbdf, const char *what)
{
    is_free(sbdf, what);
    is_int(dm_devices(G1), 0, "%s: %s: the device model has none", T, what);
    is_str(xc_rights(G1), "", "%s: %s: the guest has no rights", T, what);
    is_str(xc_rights(S1), "", "%s: %s: nor has its stubdomain", T, what);
    if (t == HWDOM)
        is_str(xc_rights(0), "", "%s: %s: nor has domain 0", T, what);
    is_str(store_get("/local/domain/10/device/pci/0/state"), NULL,
           "%s: %s: no frontend", T, what);
}

static void stubdom(void)
{
    const char *rights =
        here("pages feb00-feb1f, ports c000-c03f, irq 10-10, pirq 10-10");

    with_stubdom();
    is_int(now(do_attach, g1_dev1), 0, "%s: attach", T);
    is_str(given(), t == HWDOM ?
           "grant 0, grant 0xa, grant 0x7, assign 0x7" :
           "grant 0xa, grant 0x7, assign 0x7",
           "%s: the stubdomain is first, and each is granted once", T);
    is_int(owner_of(DEV1), G1, "%s: the guest has it", T);
    is_int(guest_devices(G1), 1, "%s: and lists it", T);
    is_int(guest_devices(S1), 0, "%s: the stubdomain lists none", T);
    is_int(pciback_guest(DEV1), S1, "%s: pciback has it for the stubdomain",
           T);
    is_int(xc_device_domain(DEV1), G1, "%s: it is assigned to the guest", T);
    is_int(dm_devices(G1), 1, "%s: the device model has it", T);
    is_str(xc_rights(G1), rights, "%s: the guest's rights", T);
    is_str(xc_rights(S1), rights, "%s: the stubdomain's rights", T);

    is_int(now(do_attach, g1_dev2), 0, "%s: attach another", T);
    is_int(owner_of(DEV2), G1, "%s: the guest has it", T);
    is_int(dm_devices(G1), 2, "%s: the device model has both", T);
    is_int(now(do_detach, g1_dev2), 0, "%s: detach that", T);
    is_int(owner_of(DEV1), G1, "%s: the first one stays", T);
    is_str(xc_rights(S1), rights, "%s: the stubdomain's rights, again", T);

    begin();
    is_int(now(do_detach, g1_dev1), 0, "%s: detach", T);
    is_str(given(), t == HWDOM ?
           "revoke 0xa, revoke 0x7, deassign 0x7, revoke 0" :
           "revoke 0xa, revoke 0x7, deassign 0x7",
           "%s: revoked from both before it is taken back", T);
    is_free_of_stubdom(DEV1, "detached");

    is_int(now(do_attach, g2_dev1), 0, "%s: attach to a PV guest", T);
    is_int(owner_of(DEV1), G2, "%s: which has it", T);
    is_int(now(do_attach, g1_dev2), 0, "%s: and the other to the first", T);
    begin();
    is_int(now(do_destroy, g1_dev1), 0, "%s: its end", T);
    is_int(owner_of(DEV1), G2, "%s: the other guest keeps its device", T);
    is_free(DEV2, "after its end");
}

/* QEMU in a stubdomain enables interrupts through pciback, if that lets it. */
static void stubdom_interrupts(void)
{
    static const char file[] = "drivers/pciback/allow_interrupt_control";
    request permissive = { .domid = G1, .sbdf = DEV2, .permissive = true };

    with_stubdom();
    is_int(now(do_attach, g1_dev1), 0, "%s: attach, an older kernel", T);
    has_str(world_log(), "the guest cannot enable MSI", "%s: it says so", T);
    is_int(now(do_detach, g1_dev1), 0, "%s: detach", T);
    is_free_of_stubdom(DEV1, "detached");

    sysfs_put(file, "");
    sysfs_writes();
    begin();
    is_int(now(do_attach, g1_dev1), 0, "%s: attach", T);
    has_str(sysfs_writes(), "allow_interrupt_control " DEV1,
            "%s: the device's interrupts are for QEMU to enable", T);
    is_int(now(do_attach, permissive), 0, "%s: attach, permissive", T);
    ok(!strstr(sysfs_writes(), "allow_interrupt_control"),
       "%s: that includes it", T);
    ok(!strstr(world_log(), "MSI"), "%s: nothing is missing", T);
    is_int(now(do_detach, g1_dev1), 0, "%s: detach", T);
    is_free(DEV1, "detached");
    sysfs_writes();
    is_int(now(do_attach, g2_dev1), 0, "%s: attach to a PV guest", T);
    ok(!strstr(sysfs_writes(), "allow_interrupt_control"),
       "%s: pciback itself enables its interrupts", T);
}

static void stubdom_attach_fails(void)
{
    /* To domain 0, the stubdomain, the guest */
    const int steps = (t == HWDOM ? 3 : 2) * kinds_of_rights();
    int k;

    with_stubdom();
    for (k = 0; k < steps; k++) {
        faults_clear();
        fault_inject("grant", "", EPERM, k, 1);
        ok(now(do_attach, g1_dev1), "%s: grant %d fails", T, k);
        is_free_of_stubdom(DEV1, "after that");
    }
    faults_clear();
    fault_inject("grant", "", EPERM, steps, 1);
    is_int(now(do_attach, g1_dev1), 0, "%s: these were all", T);
    is_int(now(do_detach, g1_dev1), 0, "%s: detach", T);
    is_free_of_stubdom(DEV1, "detached");

    faults_clear();
    fault_inject("assign", DEV1, EIO, 0, 1);
    ok(now(do_attach, g1_dev1), "%s: assign fails", T);
    is_free_of_stubdom(DEV1, "after that");

    faults_clear();
    fault_inject("device_add", DEV1, EIO, 0, 2);
    is_int(now(do_attach, g1_dev1), 0, "%s: QEMU refuses at first", T);
    is_int(now(do_detach, g1_dev1), 0, "%s: detach", T);
    is_free_of_stubdom(DEV1, "detached");

    faults_clear();
    fault_inject("device_add", DEV1, EIO, 0, 100);
    begin();
    ok(now(do_attach, g1_dev1), "%s: QEMU refuses for good", T);
    has_str(world_log(), "passthrough=1", "%s: it says what may be missing",
            T);
    is_free_of_stubdom(DEV1, "after that");

    faults_clear();
    fault_inject("qmp", "device_add", EIO, 0, 1);
    begin();
    ok(now(do_attach, g1_dev1), "%s: QEMU takes it without a word", T);
    ok(took() <= 11000, "%s: in time (%d ms)", T, took());
    is_free_of_stubdom(DEV1, "after that");
    faults_clear();
    is_int(now(do_attach, g1_dev1), 0, "%s: again", T);
    is_int(owner_of(DEV1), G1, "%s: the guest has it", T);
}

static void stubdom_detach_fails(void)
{
    with_stubdom();
    is_int(now(do_attach, g1_dev1), 0, "%s: attach", T);
    fault_inject("device_del", "", EIO, 0, 1);
    begin();
    ok(now(do_detach, g1_dev1), "%s: the guest does not let go", T);
    ok(took() <= 11000, "%s: in time (%d ms)", T, took());
    is_int(owner_of(DEV1), G1, "%s: it keeps it", T);
    is_int(dm_devices(G1), 1, "%s: so does the device model", T);
    is_str(given(), "", "%s: nothing is revoked", T);
    faults_clear();
    is_int(now(do_detach, g1_dev1), 0, "%s: again", T);
    is_free_of_stubdom(DEV1, "after that");

    is_int(now(do_attach, g1_dev1), 0, "%s: attach", T);
    pcifront_set(S1, PCIFRONT_PAUSED);
    begin();
    ok(now(do_detach, g1_dev1), "%s: the stubdomain does not let go", T);
    is_str(given(), "", "%s: nothing is revoked", T);
    is_int(owner_of(DEV1), G1, "%s: it stays the guest's", T);
    pcifront_set(S1, PCIFRONT_GOOD);
    world_settle();
    is_int(now(do_detach, g1_dev1), 0, "%s: again", T);
    is_free_of_stubdom(DEV1, "after that");
}

/* Whatever the stubdomain does: its guest is paused before the reset. */
static void stubdom_ends(void)
{
    with_stubdom();
    is_int(now(do_attach, g1_dev1), 0, "%s: attach", T);
    world_settle();
    begin();
    is_int(now(do_destroy_running, g1_dev1), 0, "%s: destroy", T);
    has_str(xc_log, "pause domain 0x7", "%s: the guest is paused", T);
    ok(strstr(xc_log, "pause") < strstr(xc_log, "revoke"),
       "%s: before anything is revoked", T);
    is_free(DEV1, "after that");
    if (t == HWDOM)
        is_str(xc_rights(0), "", "%s: nothing is lent to domain 0", T);

    guest_add_stubdom(G1, S1, PCIFRONT_GOOD);
    is_int(now(do_attach, g1_dev1), 0, "%s: attach", T);
    world_settle();
    guest_remove(S1);
    begin();
    is_int(now(do_destroy, g1_dev1), 0,
           "%s: destroy, and the stubdomain is gone", T);
    is_free(DEV1, "after that");
    if (t == HWDOM)
        is_str(xc_rights(0), "", "%s: nothing is lent to domain 0", T);
}

/*
 * Guests that do not do what they should
 */

static void does_not_let_go(void)
{
    one_attached();
    pcifront_set(G1, PCIFRONT_PAUSED);
    ok(now(do_detach, g1_dev1), "%s: fails", T);
    ok(took() <= 11000, "%s: in time (%d ms)", T, took());
    is_int(owner_of(DEV1), G1, "%s: the guest has it", T);
    ok(!is_assignable(DEV1), "%s: not assignable", T);
    ok(now(do_attach, g2_dev1), "%s: nobody else gets it", T);
    ok(now(do_detach, g1_dev1), "%s: once more", T);
    is_int(owner_of(DEV1), G1, "%s: the guest has it", T);

    pcifront_set(G1, PCIFRONT_GOOD);
    world_settle();
    begin();
    is_int(now(do_detach, g1_dev1), 0, "%s: it lets go", T);
    ok(took() < 1000, "%s: at once", T);
    is_free(DEV1, "after that");
    is_int(now(do_attach, g2_dev1), 0, "%s: another gets it", T);
    is_int(owner_of(DEV1), G2, "%s: has it", T);
}

static void is_forced(void)
{
    three_attached();
    pcifront_set(G1, PCIFRONT_PAUSED);
    is_int(now(do_detach_force, g1_dev2), 0, "%s: with force", T);
    ok(took() <= 11000, "%s: in time (%d ms)", T, took());
    is_free(DEV2, "after that");
    is_int(owner_of(DEV1), G1, "%s: the first stays", T);
    is_int(owner_of(DEV3), G1, "%s: the third stays", T);
    is_int(now(do_attach, (request){ .domid = G2, .sbdf = DEV2 }), 0,
           "%s: another gets it", T);
    is_int(owner_of(DEV2), G2, "%s: has it", T);

    now(do_detach, g1_dev1);
    is_int(now(do_detach_force, g1_dev1), 0, "%s: after a detach", T);
    is_free(DEV1, "after that");
    is_int(now(do_detach_force, g1_dev3), 0, "%s: the last one", T);
    is_free(DEV3, "after that");
    is_str(xc_rights(G1), "", "%s: no rights", T);
}

static void no_frontend(void)
{
    three_assignable();
    pcifront_set(G1, PCIFRONT_NONE);
    is_int(now(do_attach, g1_dev1), 0, "%s: the first is attached", T);
    begin();
    ok(now(do_attach, g1_dev2), "%s: the second waits in vain", T);
    ok(took() <= 11000, "%s: in time (%d ms)", T, took());
    is_free(DEV2, "after that");
    is_int(owner_of(DEV1), G1, "%s: the first stays", T);
    is_int(now(do_destroy, g1_dev1), 0, "%s: destroy", T);
    is_free(DEV1, "after that");
}

/*
 * The end of a guest
 */

static void destroyed(pcifront_mood mood, const char *what)
{
    char path[64];

    three_attached();
    pcifront_set(G1, mood);
    is_int(now(do_destroy, g1_dev1), 0, "%s: %s: destroy", T, what);
    ok(took() <= 3000, "%s: %s: in time (%d ms)", T, what, took());
    is_free(DEV1, "the first");
    is_free(DEV2, "the second");
    is_free(DEV3, "the third");
    if (t == HWDOM)
        is_str(xc_rights(0), "", "%s: %s: nothing is lent", T, what);
    sprintf(path, "/local/domain/%d/backend/pci/%d", host_owner(), G1);
    is_str(store_get(path), NULL, "%s: %s: no backend", T, what);
    is_str(store_get("/libxl/pci/0000-03-00-0/domid"), NULL,
           "%s: %s: no marker", T, what);
    ok(!strstr(world_log(), "error"), "%s: %s: no error", T, what);
    is_int(now(do_attach, g2_dev1), 0, "%s: %s: another gets it", T, what);
    is_int(owner_of(DEV1), G2, "%s: %s: has it", T, what);
}

static void ends(void)
{
    destroyed(PCIFRONT_GOOD, "running");
}

static void ends_dead(void)
{
    destroyed(PCIFRONT_NONE, "dead");
}

static void ends_paused(void)
{
    destroyed(PCIFRONT_PAUSED, "paused");
}

/* A guest that runs is asked first, and if it does not react, */
static int asked; /* how many devices it is asked for */

static void count_asked(const char *op, const char *what)
{
    if (!strcmp(op, "xs_write") && strstr(what, "/state-")) asked++;
}

static void ends_running(void)
{
    three_attached();
    asked = 0;
    standin_step = count_asked;
    is_int(now(do_destroy_running, g1_dev1), 0, "%s: destroy", T);
    standin_step = NULL;
    is_int(asked, 3, "%s: it is asked for all three", T);
    ok(took() < 1000, "%s: without waiting", T);
    is_free(DEV1, "the first");
    is_free(DEV2, "the second");
    is_free(DEV3, "the third");
    ok(!strstr(world_log(), "error"), "%s: no error", T);
}

/* it loses them all the same. */
static void loses_all(void)
{
    is_int(now(do_destroy_running, g1_dev1), 0, "%s: destroy", T);
    ok(took() <= 13000, "%s: in time (%d ms)", T, took());
    is_free(DEV1, "the first");
    is_free(DEV2, "the second");
    is_free(DEV3, "the third");
}

static void ends_hanging(void)
{
    three_attached();
    pcifront_set(G1, PCIFRONT_PAUSED);
    loses_all();
}

static void ends_writing(void)
{
    three_attached();
    pcifront_set(G1, PCIFRONT_PAUSED);
    store_writer(G1);
    loses_all();
}

/* Whatever fails, the guest ends, and another one gets the device. */
static void ends_with_errors(void)
{
    int op, k, n = 0, bad = 0, fault;

    for (op = 0; op < ARRAY_SIZE(fallible); op++)
        for (k = 0; ; k++, n++) {
            host_start(t);
            one_attached();
            fault_domid = 0;
            fault = fault_inject(fallible[op], "", EIO, k, 1);
            if (now(do_destroy_running, g1_dev1)) bad++;
            fault_domid = -1;
            if (!fault_hits(fault)) {
                host_end();
                break;
            }
            faults_clear();
            world_settle();
            if (guest_has(G2, DEV1) || now(do_attach, g2_dev1)) {
                bad++;
                printf("# %s: %s number %d fails: no other guest gets it\n%s",
                       T, fallible[op], k + 1, world_log());
            }
            host_end();
        }
    ok(!bad, "%s: the end with an error at each of %d steps", T, n);
}

static void ends_after_detach(void)
{
    three_attached();
    pcifront_set(G1, PCIFRONT_PAUSED);
    now(do_detach, g1_dev2);
    is_int(now(do_destroy, g1_dev1), 0, "%s: destroy", T);
    is_free(DEV1, "the first");
    is_free(DEV2, "the second");
    is_free(DEV3, "the third");
}

/* H2: a device of another guest by then */
static void ends_when_it_has_gone(void)
{
    one_attached();
    pcifront_set(G1, PCIFRONT_PAUSED);
    now(do_detach, g1_dev1);
    pcifront_set(G1, PCIFRONT_GOOD);
    world_settle();
    now(do_detach, g1_dev1);
    is_int(now(do_attach, g2_dev1), 0, "%s: another gets it", T);
    is_int(now(do_destroy, g1_dev1), 0, "%s: destroy", T);
    is_int(owner_of(DEV1), G2, "%s: it stays", T);
    is_int(now(do_detach, g2_dev1), 0, "%s: detach", T);
    is_str(xc_rights(G2), "", "%s: no rights", T);
    is_free(DEV1, "after that");
}

/* A guest that writes without end to its directory cannot keep a device. */
static void writes_without_end(void)
{
    three_attached();
    store_writer(G1);
    is_int(now(do_detach, g1_dev2), 0, "%s: detach the second", T);
    is_int(now(do_detach, g1_dev1), 0, "%s: detach the first", T);
    is_int(now(do_detach, g1_dev3), 0, "%s: detach the last", T);
    is_free(DEV1, "the first");
    is_free(DEV2, "the second");
    is_free(DEV3, "the third");
    is_str(store_get("/local/domain/7/device/pci/0"), NULL,
           "%s: its directory has gone", T);
    is_str(store_get(t == HWDOM ? "/local/domain/3/backend/pci/7"
                                : "/local/domain/0/backend/pci/7"), NULL,
           "%s: so has the owner's", T);
    is_int(now(do_attach, g1_dev1), 0, "%s: attach", T);
    is_int(owner_of(DEV1), G1, "%s: the guest has it", T);

    pcifront_set(G1, PCIFRONT_PAUSED);
    is_int(now(do_detach_force, g1_dev1), 0, "%s: by force", T);
    is_free(DEV1, "by force");
}

/* One that makes Dom0's pciback write without end, as soon as it has let go */
static void pciback_writes_without_end(void)
{
#define DIR "/local/domain/0/backend/pci/7/0/"
    if (t == HWDOM) return;
    three_attached();
    store_busy(DIR "state", DIR "key-0");
    is_int(now(do_detach, g1_dev1), 0, "%s: detach the first", T);
    ok(took() <= 25000, "%s: in time (%d ms)", T, took());
    is_free(DEV1, "the first");
    is_str(store_get(DIR "num_devs"), "2", "%s: its directory has two", T);
    is_str(store_get(DIR "dev-0"), DEV2, "%s: first the second", T);

    store_busy(DIR "num_devs", DIR "key-0");
    is_int(now(do_detach, g1_dev2), 0, "%s: detach the second", T);
    has_str(world_log(), "what other domains can write is left there",
            "%s: says so", T);
    is_free(DEV2, "the second");

    store_busy(DIR "num_devs", DIR "num_devs");
    ok(now(do_attach, g1_dev2), "%s: attach", T);
    has_str(world_log(), "domain 7 writes without end", "%s: says why", T);
    is_free(DEV2, "not attached");
    is_int(owner_of(DEV3), G1, "%s: the guest keeps the third", T);
    is_int(now(do_destroy, g1_dev1), 0, "%s: destroy", T);
    is_free(DEV3, "the third");
#undef DIR
}

/*
 * The owner
 */

/* One that writes without end to the directory of a guest's devices */
static void owner_writes_without_end(void)
{
    if (t != HWDOM) return;
    three_attached();
    store_writer(HWDOM_DOMID);
    begin();
    ok(now(do_detach, g1_dev1), "detach");
    has_str(world_log(), "domain 7 or domain 3 writes without end to its"
            " xenstore nodes", "says why");
    ok(guest_has(G1, DEV1), "the guest keeps it");
    is_int(now(do_destroy_running, g1_dev1), 0, "destroy");
    ok(took() <= 25000, "in time (%d ms)", took());
    is_str(xc_rights(G1), "", "the guest has no rights");
    ok(!guest_has(G1, DEV1), "nor a device");
    is_int(now(do_attach, g2_dev1), 0, "another guest gets its first device");
    begin();
    ok(now(do_attach, ((request){ .domid = G2, .sbdf = DEV2 })),
       "but not a second");
    has_str(world_log(), "writes without end", "says why");
    store_writer(0);
    is_int(now(do_detach, g2_dev1), 0, "detach, when the owner is quiet");
    is_free(DEV1, "after that");
    is_free(DEV2, "the second");
}

/* One that keeps a device in that directory, of several */
static void owner_keeps_nodes(void)
{
    if (t != HWDOM) return;
    three_attached();
    fault_inject("xs_rm", "backend/pci/7/0/key-0", EIO, 0, 1000);
    is_int(now(do_detach, g1_dev1), 0, "detach");
    has_str(world_log(), "what other domains can write is left there",
            "says so");
    faults_clear();
    is_int(guest_devices(G1), 2, "the guest has the others");
    is_int(owner_of(DEV2), G1, "the second");
    is_free(DEV1, "the first");
    is_int(now(do_destroy, g1_dev1), 0, "destroy");
    is_free(DEV2, "the second");
    is_free(DEV3, "the third");
}

/* The guest's state cannot be made the toolstack's. */
static void not_by_force(void)
{
    one_attached();
    pcifront_set(G1, PCIFRONT_PAUSED);
    fault_inject("xs_set_permissions", "device/pci/0", EIO, 0, 1000);
    ok(now(do_detach_force, g1_dev1), "%s: detach by force", T);
    has_str(world_log(), "cannot say who may write to", "%s: says why", T);
    faults_clear();
    ok(guest_has(G1, DEV1), "%s: the guest keeps it", T);
    is_int(now(do_detach_force, g1_dev1), 0, "%s: again", T);
    is_free(DEV1, "by force");
}

static void owner_away(void)
{
    one_attached();
    if (t == DIRECT) return;
    server_stop(&host_server);
    /* In loopback, a server that ends withdraws the designation. */
    store_put(PCID_XS_OWNER, t == HWDOM ? "3" : "0");
    is_int(now(do_attach, g1_dev2), ERROR_PCI_OWNER_UNREACHABLE,
           "%s: attach", T);
    is_int(guest_devices(G1), 1, "%s: no device", T);
    begin();
    ok(now(do_detach, g1_dev1), "%s: detach", T);
    ok(took() <= 21000, "%s: in time (%d ms)", T, took());
    ok(guest_has(G1, DEV1), "%s: it stays", T);
    is_int(guest_devices(G1), 0, "%s: but is not listed", T);
    is_str(xc_rights(G1), "", "%s: as it cannot be used", T);
    host_server_start();
    is_int(now(do_detach, g1_dev1), 0, "%s: with the owner again", T);
    is_free(DEV1, "after that");
    if (t == HWDOM) is_str(xc_rights(0), "", "%s: nothing is lent", T);
    is_int(now(do_attach, g1_dev2), 0, "%s: attach", T);
    is_int(owner_of(DEV2), G1, "%s: the guest has it", T);
}

static void owner_away_at_the_end(void)
{
    three_attached();
    if (t == DIRECT) return;
    server_stop(&host_server);
    store_put(PCID_XS_OWNER, t == HWDOM ? "3" : "0");
    begin();
    is_int(now(do_destroy, g1_dev1), 0, "%s: destroy", T);
    ok(took() <= 21000, "%s: in time (%d ms)", T, took());
    host_server_start();
    is_int(now(do_attach, g2_dev1), 0, "%s: attach", T);
    is_int(owner_of(DEV1), G2, "%s: another gets it", T);
    is_int(now(do_detach, g2_dev1), 0, "%s: detach", T);
    is_free(DEV1, "after that");
}

/*
 * Devices that vanish
 */

static void vanishes(void)
{
    three_attached();
    sysfs_remove_device(DEV2);
    ok(guest_lists(G1, DEV2), "%s: still listed", T);
    is_int(now(do_detach, g1_dev2), 0, "%s: detach", T);
    is_int(guest_devices(G1), 2, "%s: two", T);
    ok(!guest_lists(G1, DEV2), "%s: not listed", T);
    is_int(owner_of(DEV1), G1, "%s: the first stays", T);
    sysfs_remove_device(DEV3);
    is_int(now(do_destroy, g1_dev1), 0, "%s: destroy", T);
    is_free(DEV1, "the first");
    is_str(store_get("/libxl/pci/0000-04-00-0/domid"), NULL,
           "%s: no marker", T);

    sysfs_add_device(DEV3, "e1000", "e1000");
    sysfs_set_bars(DEV3, 0xfeb80000, 0xc080);
    is_int(now(do_assignable_add, add3), 0, "%s: back again", T);
    is_int(now(do_attach, (request){ .domid = G2, .sbdf = DEV3 }), 0,
           "%s: attach", T);
    is_int(owner_of(DEV3), G2, "%s: another has it", T);
}

static void vanishes_when_assignable(void)
{
    three_assignable();
    sysfs_remove_device(DEV1);
    ok(!is_assignable(DEV1), "%s: not listed", T);
    ok(is_assignable(DEV2), "%s: another one is", T);
    ok(now(do_attach, g1_dev1), "%s: attach fails", T);
    now(do_assignable_remove, add1);
    sysfs_add_device(DEV1, "e1000", "e1000");
    sysfs_set_bars(DEV1, 0xfeb00000, 0xc000);
    is_int(now(do_assignable_add, add1), 0, "%s: back again", T);
    is_free(DEV1, "after that");
    is_int(now(do_attach, g1_dev1), 0, "%s: attach", T);
}

/*
 * Locks
 */

/* Somebody has the lock of a guest, and does not come to his end. */
static void guest_lock_held(void)
{
    const char *path;
    int fd;

    if (t != DIRECT) return;
    one_attached();
    world_call(host_ctx);
    {
        GC_INIT(host_ctx);

        path = libxl__userdata_path(gc, G1, "libxl-pci-lock", "l");
        fd = open(path, O_RDWR | O_CREAT, 0600);
        GC_FREE;
    }
    world_return();
    ok(fd >= 0 && !flock(fd, LOCK_EX), "the guest is locked");
    begin();
    is_int(now(do_detach, g1_dev1), ERROR_NOT_READY, "detach");
    ok(took() <= 61000, "in time (%d ms)", took());
    is_int(now(do_attach, g1_dev2), ERROR_NOT_READY, "attach");
    is_int(owner_of(DEV1), G1, "it stays");
    is_free(DEV2, "the other");
    is_int(now(do_attach, (request){ .domid = G2, .sbdf = DEV2 }), 0,
           "another guest is not locked");
    close(fd);
    is_int(now(do_detach, g1_dev1), 0, "detach, unlocked");
    is_free(DEV1, "after that");
}

static void device_lock_held(void)
{
    char path[96];
    int fd;

    if (t != DIRECT) return;
    three_assignable();
    snprintf(path, sizeof(path), "%s/pci-" DEV1 ".lock",
             libxl__run_dir_path());
    fd = open(path, O_RDWR | O_CREAT, 0600);
    ok(fd >= 0 && !flock(fd, LOCK_EX), "the device is locked");
    is_int(now(do_attach, g1_dev1), ERROR_NOT_READY, "attach");
    is_int(now(do_assignable_remove, add1), ERROR_NOT_READY, "remove");
    is_int(now(do_assignable_add, add1), ERROR_NOT_READY, "add");
    ok(took() < 1000, "without waiting");
    is_free(DEV1, "it stays");
    is_int(now(do_attach, g1_dev2), 0, "another device is not locked");
    close(fd);
    is_int(now(do_attach, g1_dev1), 0, "attach, unlocked");
}

/*
 * Guests that have no record: libxl kept none
 */

static void no_record(void)
{
    if (t != DIRECT) return;
    three_attached();
    store_rm("/libxl/7/device");
    is_int(guest_devices(G1), 3, "three");
    ok(guest_has(G1, DEV2), "the second is one of them");
    ok(now(do_attach, g2_dev1), "nobody else gets one");
    is_int(now(do_detach, g1_dev2), 0, "detach");
    is_free(DEV2, "after that");
    is_int(guest_devices(G1), 2, "two");
    is_int(owner_of(DEV1), G1, "the first stays");
    is_int(now(do_attach, g1_dev2), 0, "attach again");
    is_int(guest_devices(G1), 3, "three again");
    store_rm("/libxl/7/device");
    is_int(now(do_destroy, g1_dev1), 0, "destroy");
    is_free(DEV1, "the first");
    is_free(DEV2, "the second");
    is_free(DEV3, "the third");
}

/* What stands in the backend's directory then cannot be relied upon. */
static void no_record_but_rubbish(void)
{
    static const char *const rubbish[][2] = {
        { "num_devs", "2000000000" }, { "num_devs", "-1" },
        { "num_devs", "134217729" }, { "num_devs", "" },
        { "num_devs", "x" }, { "num_devs", NULL }, { "dev-0", NULL },
        { "dev-0", "" }, { "dev-0", "ffff:ff:ff.f" },
        { "dev-0", "0000:03:00.0:1" }, { "opts-0", NULL },
        { "opts-0", "" }, { "opts-0", "msitranslate" },
        { "opts-0", "rdm_policy=,=" }, { "state-0", "99" },
        { "state-0", NULL }, { "vdevfn-0", "zz" }, { "name-0", "nosuch" },
        { "state", "x" }, { "state", NULL },
    };
    char path[96];
    int i, num;

    t = DIRECT;
    for (i = 0; i < ARRAY_SIZE(rubbish); i++) {
        const char *node = rubbish[i][0], *value = rubbish[i][1];

        host_start(t);
        one_attached();
        store_rm("/libxl/7/device");
        sprintf(path, "/local/domain/0/backend/pci/7/0/%s", node);
        if (value)
            store_put(path, value);
        else
            store_rm(path);
        num = guest_devices(G1);
        ok(num == 0 || num == 1, "%s=%s: list", node, value);
        now(do_detach, g1_dev2);
        now(do_detach, g1_dev1);
        ok(took() < 40000, "%s=%s: in time (%d ms)", node, value, took());
        begin();
        is_int(now(do_destroy, g1_dev1), 0, "%s=%s: destroy", node, value);
        ok(took() < 20000, "%s=%s: in time (%d ms)", node, value, took());
        host_end();
    }
}

/* Then the guest loses its claims at its end, and nobody else does. */
static void no_record_at_the_end(void)
{
    static const struct {
        const char *node, *value;
        bool empty; /* a guest with no devices: all claims are void anyway */
    } rubbish[] = {
        { "num_devs", "2000000000" }, { "num_devs", "-1" },
        { "num_devs", "x" }, { "num_devs", "" }, { "num_devs", "3" },
        { "num_devs", NULL, true }, { "num_devs", "0", true },
        { "dev-0", "rubbish" }, { "dev-0", NULL }, { "dev-1", "../dev-1" },
        { "dev-0", DEV2 }, { "dev-1", DEV2 },
    };
    char path[96], what[64];
    int i;

    t = DIRECT;
    for (i = 0; i < ARRAY_SIZE(rubbish); i++) {
        const char *value = rubbish[i].value;

        host_start(t);
        one_attached();
        if (now(do_attach, g1_dev3) ||
            now(do_attach, (request){ .domid = G2, .sbdf = DEV2 }))
            ok(false, "the devices are attached");
        world_settle();
        store_rm("/libxl/7/device");
        snprintf(what, sizeof(what), "%s=%s", rubbish[i].node,
                 value ? value : "none");
        snprintf(path, sizeof(path), "/local/domain/0/backend/pci/7/0/%s",
                 rubbish[i].node);
        if (value)
            store_put(path, value);
        else
            store_rm(path);
        is_int(now(do_destroy, g1_dev1), 0, "%s: destroy", what);
        is_str(store_get("/libxl/pci/0000-03-00-1/domid"), "8",
               "%s: the other guest's claim stays", what);
        is_int(owner_of(DEV2), G2, "%s: so does its device", what);
        if (!rubbish[i].empty) {
            is_str(store_get("/libxl/pci/0000-03-00-0/domid"), NULL,
                   "%s: the guest's own claim goes", what);
            is_str(store_get("/libxl/pci/0000-04-00-0/domid"), NULL,
                   "%s: and the other", what);
        }
        is_int(now(do_attach, g2_dev1), 0, "%s: another gets it", what);
        is_int(owner_of(DEV1), G2, "%s: and has it", what);
        host_end();
    }
}

/*
 * Making devices assignable
 */

#define LONG_NAME "a-name-of-more-than-64-characters-" \
    "which-is-the-most-that-a-device-can-have"
#define UNBOUND "0000:05:00.0"

static void odd_names(void)
{
    request r = { .sbdf = DEV1, .name = LONG_NAME };

    ok(now(do_assignable_add, r), "%s: one that is too long", T);
    r.name = "with space";
    ok(now(do_assignable_add, r), "%s: one with a space", T);
    is_str(sysfs_driver(DEV1), "e1000", "%s: it keeps its driver", T);
    store_put("/libxl/pci/rubbish/name", "net");
    r.name = "net";
    is_int(now(do_assignable_add, r), 0, "%s: one that no device has", T);
    ok(is_assignable(DEV1), "%s: it is assignable", T);
}

static void remembered_driver(void)
{
    request r = { .sbdf = UNBOUND, .rebind = true };

    sysfs_add_device(UNBOUND, "e1000", NULL);
    store_put("/libxl/pci/0000-05-00-0/driver_path",
              "/sys/bus/pci/drivers/e1000");
    is_int(now(do_assignable_add, r), 0, "%s: without a driver", T);
    has_str(world_log(), "will be rebound to", "%s: to the one it had", T);
    is_int(now(do_assignable_remove, r), 0, "%s: remove", T);
    is_str(sysfs_driver(UNBOUND), "e1000", "%s: has it again", T);
}

static void slot_not_found(void)
{
    fault_inject("open", "slots", EIO, 0, 1);
    ok(now(do_assignable_add, add1), "%s: add fails", T);
    has_str(world_log(), "Error checking for pciback slot", "%s: why", T);
    is_int(now(do_assignable_add, add1), 0, "%s: and once more", T);
    is_free(DEV1, "after that");
}

/* What an owner cannot give back stays as it was; without one, such errors
 * have always been passed over. */
static void not_given_back(void)
{
    static const char *const files[] = { "pciback/unbind", "remove_slot" };
    static const char *const says[] = {
        "Couldn't unbind device", "Couldn't remove pciback slot",
    };
    int i, rc;

    for (i = 0; i < ARRAY_SIZE(files); i++) {
        now(do_assignable_add, add1);
        faults_clear();
        fault_inject("write", files[i], EIO, 0, 1);
        /* As it was not given back, it goes back into quarantine: or not. */
        if (i) fault_inject("assign", DEV1, EIO, 0, 1);
        world_log_clear();
        rc = now(do_assignable_remove, add1);
        ok(t == DIRECT || rc, "%s: %s: remove", T, files[i]);
        has_str(world_log(), says[i], "%s: %s: why", T, files[i]);
        if (t != DIRECT && i)
            has_str(world_log(), "failed to quarantine", "%s: and that", T);
        faults_clear();
        now(do_assignable_remove, add1);
        is_str(sysfs_driver(DEV1), "e1000", "%s: %s: once more", T,
               files[i]);
    }
}

/* pciback has a slot for it, though nobody remembers it. */
static void gone_and_forgotten(void)
{
    now(do_assignable_add, add1);
    sysfs_remove_device(DEV1);
    store_rm("/libxl/pci/0000-03-00-0");
    is_int(now(do_assignable_remove, add1), 0, "%s: remove", T);
    has_str(world_log(), "there is nothing to give back", "%s: it says so",
            T);
    ok(now(do_assignable_remove, add1), "%s: once more", T);
}

/*
 * Owners and guests that write what they should not
 */

static void rubbish_in(const char *dir, const char *whom)
{
    static const char *const rubbish[][2] = {
        { "num_devs", "2000000000" }, { "num_devs", "-1" },
        { "num_devs", "134217729" }, { "num_devs", NULL },
        { "dev-0", "0000:03:00.1" }, { "dev-0", NULL }, { "dev-0", "" },
        { "opts-0", "" }, { "opts-0", "msitranslate" },
        { "state-0", "99" }, { "state-0", NULL }, { "name-0", "nosuch" },
        { "state", "99" }, { "state", "-4" }, { "state", "x" },
        { "state", "" }, { "state", NULL }, { "state", "6" },
        { "state", "1" }, { "frontend", "/local/domain/8/device/pci/0" },
        { "backend", "/local/domain/8/backend/pci/7/0" }, { "", NULL },
    };
    char path[96];
    int i;

    for (i = 0; i < ARRAY_SIZE(rubbish); i++) {
        const char *node = rubbish[i][0], *value = rubbish[i][1];

        host_start(t);
        one_attached();
        if (now(do_attach, (request){ .domid = G2, .sbdf = DEV2 })) abort();
        world_settle();
        snprintf(path, sizeof(path), "%s%s%s", dir, *node ? "/" : "", node);
        if (value)
            store_put(path, value);
        else
            store_rm(path);
        world_settle();
        begin();
        is_int(guest_devices(G1), 1, "%s: %s, %s=%s: list", T, whom, node,
               value);
        now(do_attach, g1_dev3);
        now(do_detach, g1_dev1);
        now(do_detach_force, g1_dev1);
        ok(took() < 100000, "%s: %s, %s=%s: in time (%d ms)", T, whom, node,
           value, took());
        begin();
        is_int(now(do_destroy, g1_dev1), 0, "%s: %s, %s=%s: destroy", T,
               whom, node, value);
        ok(took() < 20000, "%s: %s, %s=%s: in time (%d ms)", T, whom, node,
           value, took());
        is_int(owner_of(DEV1), -1, "%s: %s, %s=%s: it is nobody's", T, whom,
               node, value);
        is_int(owner_of(DEV2), G2, "%s: %s, %s=%s: the other guest's stays",
               T, whom, node, value);
        is_int(guest_devices(G2), 1, "%s: %s, %s=%s: it has one", T, whom,
               node, value);
        host_end();
    }
}

static void rubbish(void)
{
    char dir[64];

    for (t = 0; t < TOPOLOGIES; t++) {
        if (t == LOOPBACK) continue;
        sprintf(dir, "/local/domain/%d/backend/pci/%d/0",
                t == HWDOM ? HWDOM_DOMID : 0, G1);
        rubbish_in(dir, "owner");
        sprintf(dir, "/local/domain/%d/device/pci/0", G1);
        rubbish_in(dir, "guest");
    }
}

/* Who can write to a directory gets in the way of each transaction that
 * removes it, or of some. */
static void directory_stays(const char *whose, const char *dir,
                            const char *what,
                            int (*op)(libxl_ctx *ctx, void *opaque),
                            int times)
{
    const bool stays = times == 1000;
    char match[64]; /* also the directory above it */
    int fault;

    snprintf(match, strlen(dir) - 1, "%s", dir);
    host_start(t);
    one_attached();
    fault = fault_inject("xs_rm", match, EIO, 0, times);
    begin();
    is_int(now(op, g1_dev1), 0, "%s: %s, %s: succeeds", T, whose, what);
    ok(took() < 20000, "%s: %s, %s: in time", T, whose, what);
    ok(fault_hits(fault) > 2 && fault_hits(fault) < 100,
       "%s: %s, %s: is tried again, but not for ever", T, whose, what);
    faults_clear();
    is_int(guest_devices(G1), 0, "%s: %s, %s: the record is gone", T, whose,
           what);
    is_int(owner_of(DEV1), -1, "%s: %s, %s: it is nobody's", T, whose, what);
    is_str(store_get("/libxl/pci/0000-03-00-0/domid"), NULL,
           "%s: %s, %s: the claim is gone", T, whose, what);
    ok(!store_get(dir) == !stays, "%s: %s, %s: the directory %s", T, whose,
       what, stays ? "stays" : "is gone");
    host_end();
}

static void directories_stay(void)
{
    char backend[64], frontend[64];

    sprintf(frontend, "/local/domain/%d/device/pci/0", G1);
    for (t = 0; t < TOPOLOGIES; t++) {
        sprintf(backend, "/local/domain/%d/backend/pci/%d/0",
                t == HWDOM ? HWDOM_DOMID : 0, G1);
        directory_stays("backend", backend, "detach", do_detach, 3);
        directory_stays("backend", backend, "destroy", do_destroy, 3);
        directory_stays("frontend", frontend, "detach", do_detach, 3);
        directory_stays("frontend", frontend, "detach, ever", do_detach, 1000);
        directory_stays("frontend", frontend, "detach -f, ever",
                        do_detach_force, 1000);
        /* Only another domain can do so for ever. */
        if (t != HWDOM) continue;
        directory_stays("backend", backend, "detach, ever", do_detach, 1000);
        directory_stays("backend", backend, "detach -f, ever",
                        do_detach_force, 1000);
        directory_stays("backend", backend, "destroy, ever", do_destroy, 1000);
    }
}

/*
 * Whatever fails, at each step
 */

/* Returns NULL, or what is wrong after the command has met a fault. */
static const char *after_fault(int (*run)(libxl_ctx *ctx, void *opaque),
                               request r, int before, int want, int first)
{
    int has;

    world_settle();
    has = whose(DEV1, false, &why);
    if (has == -2) return why;
    if (has == want) return NULL;
    if (!first) return "it has failed, and succeeds";
    if (has != before) return "somebody else has it";
    if (now(run, r)) return "the same again fails";
    world_settle();
    has = whose(DEV1, false, &why);
    return has == want ? NULL : has == -2 ? why : "the same again fails";
}

/* A command fails, or does what it should, with an error at each of its
 * steps; afterwards it can be repeated. */
static void fails(int (*run)(libxl_ctx *ctx, void *opaque), request r,
                  bool attached, const char *what)
{
    int op, k, n = 0, bad = 0, fault, first;
    const char *wrong;

    for (op = 0; op < ARRAY_SIZE(fallible); op++)
        for (k = 0; ; k++, n++) {
            host_start(t);
            if (attached)
                one_attached();
            else
                three_assignable();
            fault_domid = 0;
            fault = fault_inject(fallible[op], "", EIO, k, 1);
            first = now(run, r);
            fault_domid = -1;
            if (!fault_hits(fault)) {
                host_end();
                break;
            }
            faults_clear();
            wrong = after_fault(run, r, attached ? G1 : -1,
                                attached ? -1 : G1, first);
            if (wrong && ++bad < 6)
                printf("# %s: %s, %s number %d fails: %s\n", T, what,
                       fallible[op], k + 1, wrong);
            host_end();
        }
    ok(!bad, "%s: %s with an error at each of %d steps", T, what, n);
}

static void each_step_fails(void)
{
    for (t = 0; t < TOPOLOGIES; t++) {
        fails(do_attach, g1_dev1, false, "attach");
        fails(do_detach, g1_dev1, true, "detach");
        fails(do_detach_force, g1_dev1, true, "detach -f");
        ends_with_errors();
    }
}

static void each_topology(void (*test)(void))
{
    for (t = 0; t < TOPOLOGIES; t++) {
        host_start(t);
        test();
        if (t == HWDOM)
            is_int(sysfs_accesses(0), 0, "%s: no file of domain 0's has"
                   " been looked at", T);
        host_end();
    }
}

/* Where there are neither ports nor GSIs, all of it is about memory. */
static void without_ports(void)
{
    const bool x86 = arch_x86;

    arch_x86 = false;
    each_topology(attaches_and_detaches);
    each_topology(several);
    each_topology(grant_fails);
    each_topology(grant_fails_shared);
    each_topology(stubdom_attach_fails);
    each_topology(ends);
    arch_x86 = x86;
}

int main(void)
{
    each_topology(attaches_and_detaches);
    each_topology(several);
    each_topology(names);
    each_topology(options);
    each_topology(grant_fails);
    each_topology(grant_fails_shared);
    each_topology(in_another_segment);
    each_topology(seizes);
    each_topology(refused);
    each_topology(types);
    each_topology(at_creation);
    each_topology(hvm);
    each_topology(stubdom);
    each_topology(stubdom_interrupts);
    each_topology(stubdom_attach_fails);
    each_topology(stubdom_detach_fails);
    each_topology(stubdom_ends);
    each_topology(does_not_let_go);
    each_topology(is_forced);
    each_topology(no_frontend);
    each_topology(ends);
    each_topology(ends_dead);
    each_topology(ends_paused);
    each_topology(ends_running);
    each_topology(ends_hanging);
    each_topology(ends_writing);
    each_topology(ends_after_detach);
    each_topology(ends_when_it_has_gone);
    each_topology(writes_without_end);
    each_topology(pciback_writes_without_end);
    each_topology(owner_writes_without_end);
    each_topology(owner_keeps_nodes);
    each_topology(not_by_force);
    each_topology(owner_away);
    each_topology(owner_away_at_the_end);
    each_topology(vanishes);
    each_topology(vanishes_when_assignable);
    each_topology(guest_lock_held);
    each_topology(device_lock_held);
    each_topology(no_record);
    each_topology(odd_names);
    each_topology(remembered_driver);
    each_topology(slot_not_found);
    each_topology(not_given_back);
    each_topology(gone_and_forgotten);
    no_record_but_rubbish();
    no_record_at_the_end();
    rubbish();
    directories_stay();
    without_ports();
    each_step_fails();
    return tap_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
