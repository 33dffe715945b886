/* SPDX-License-Identifier: LGPL-2.1-only */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "guest.h"
#include "libxl_pci_record.h"
#include "server-inline.h"

libxl_ctx *host_ctx;
test_server host_server;

static topology host_topology;

static const struct {
    const char *sbdf;
    unsigned long memory;
    unsigned int ports;
    const char *irq;
} devices[] = {
    { DEV1, 0xfeb00000, 0xc000, "16\n" },
    { DEV2, 0xfeb40000, 0xc040, "17\n" },
    { DEV3, 0xfeb80000, 0xc080, "18\n" },
};

const char *host_name(topology t)
{
    static const char *const names[] = { "direct", "loopback", "hwdom" };

    return names[t];
}

int host_owner(void)
{
    return host_topology == HWDOM ? HWDOM_DOMID : 0;
}

/* The server's processes are carried out in this one. */
static void inline_server(libxl_ctx *ctx)
{
    libxl_childproc_setmode(ctx, &inline_hooks, NULL);
    inline_reset();
}

static bool inline_server_step(void *opaque)
{
    bool did;

    if (!host_server.ctx) return false;
    world_call(host_server.ctx);
    did = inline_step(host_server.ctx);
    world_return();
    return did;
}

void host_server_start(void)
{
    if (server_start(&host_server, host_owner(), NULL, 0)) {
        printf("Bail out! the server does not start\n%s", world_log());
        exit(1);
    }
}

void host_start(topology t)
{
    char path[64];
    int i;

    world_reset();
    dm_reset();
    host_topology = t;
    server_created = inline_server;
    world_set_step(inline_server_step, NULL);
    store_put("/libxl", "");
    store_put("/vm", "");
    for (i = 0; i < ARRAY_SIZE(devices); i++) {
        sysfs_add_device(devices[i].sbdf, "e1000", "e1000");
        sysfs_set_bars(devices[i].sbdf, devices[i].memory,
                       devices[i].ports);
        sprintf(path, "devices/%s/irq", devices[i].sbdf);
        sysfs_put(path, devices[i].irq);
    }
    if (t == HWDOM) {
        store_add_domain(HWDOM_DOMID);
        xc_add_domain(HWDOM_DOMID, 0);
    }
    xc_strict(host_owner());
    pciback_start(host_owner());
    host_ctx = world_ctx(0);
    if (t != DIRECT) {
        sprintf(path, "%d", host_owner());
        store_put(PCID_XS_OWNER, path);
        host_server_start();
    }
    world_log_clear();
}

void host_end(void)
{
    world_ctx_free(host_ctx);
    if (host_server.ctx) server_stop(&host_server);
    world_reset();
}

void guest_set_type(int domid, const char *type)
{
    char path[64];

    sprintf(path, "/libxl/%d/type", domid);
    store_put(path, type);
    xc_set_flags(domid, strcmp(type, "pv") ? XEN_DOMINF_hvm_guest : 0);
}

void guest_add(int domid, pcifront_mood mood)
{
    libxl_domain_config config;
    char path[64];

    store_add_domain(domid);
    xc_add_domain(domid, 0);
    sprintf(path, "/local/domain/%d/name", domid);
    store_put(path, "guest");
    guest_set_type(domid, "pv");

    world_call(host_ctx);
    {
        GC_INIT(host_ctx);

        libxl_domain_config_init(&config);
        config.c_info.type = LIBXL_DOMAIN_TYPE_PV;
        config.c_info.name = libxl__strdup(NOGC, "guest");
        libxl_domain_build_info_init_type(&config.b_info,
                                          LIBXL_DOMAIN_TYPE_PV);
        if (libxl__set_domain_configuration(gc, domid, &config)) abort();
        libxl_domain_config_dispose(&config);
        GC_FREE;
    }
    world_return();
    if (mood != PCIFRONT_NONE) pcifront_set(domid, mood);
}

void guest_add_hvm(int domid)
{
    char path[64];

    guest_add(domid, PCIFRONT_NONE);
    guest_set_type(domid, "hvm");
    sprintf(path, "/libxl/%d/dm-version", domid);
    store_put(path, "qemu_xen");
}

void guest_add_stubdom(int domid, int stubdom, pcifront_mood mood)
{
    char path[64], value[16];

    guest_add_hvm(domid);
    guest_add(stubdom, mood);
    sprintf(path, "/local/domain/%d/image/device-model-domid", domid);
    sprintf(value, "%d", stubdom);
    store_put(path, value);
    sprintf(path, "/local/domain/%d/target", stubdom);
    sprintf(value, "%d", domid);
    store_put(path, value);
}

/* The domain that a node of this one names, or itself */
static int named_in(int domid, const char *node)
{
    const char *other;
    char path[64];

    sprintf(path, "/local/domain/%d/%s", domid, node);
    other = store_get(path);
    return other ? atoi(other) : domid;
}

/* Of a stubdomain its guest, of a guest itself */
static int target_of(int domid)
{
    return named_in(domid, "target");
}

/* Of a guest with a stubdomain that, of another itself */
static int frontend_of(int domid)
{
    return named_in(domid, "image/device-model-domid");
}

void guest_remove(int domid)
{
    char path[64];

    dm_end(domid);
    if (frontend_of(domid) != domid) guest_remove(frontend_of(domid));
    pcifront_set(domid, PCIFRONT_NONE);
    xc_remove_domain(domid);
    store_remove_domain(domid);
    sprintf(path, "/libxl/%d", domid);
    store_rm(path);
}

/*
 * What can be asked for
 */

static void pci_of(const request *r, libxl_device_pci *pci)
{
    libxl__pci_sbdf s;

    libxl_device_pci_init(pci);
    if (r->sbdf[0] == '=') {
        pci->name = strdup(r->sbdf + 1);
    } else {
        libxl__pci_sbdf_parse(r->sbdf, &s);
        pci->domain = s.domain;
        pci->bus = s.bus;
        pci->dev = s.dev;
        pci->func = s.func;
        if (r->name) pci->name = strdup(r->name);
    }
    pci->vfunc_mask = 1;
    pci->seize = r->seize;
    pci->permissive = r->permissive;
    pci->rdm_policy = LIBXL_RDM_RESERVE_POLICY_STRICT;
}

int do_attach(libxl_ctx *ctx, void *opaque)
{
    const request *r = opaque;
    libxl_device_pci pci;
    int rc;

    pci_of(r, &pci);
    rc = libxl_device_pci_add(ctx, r->domid, &pci, NULL);
    libxl_device_pci_dispose(&pci);
    return rc;
}

int do_detach(libxl_ctx *ctx, void *opaque)
{
    const request *r = opaque;
    libxl_device_pci pci;
    int rc;

    pci_of(r, &pci);
    rc = libxl_device_pci_remove(ctx, r->domid, &pci, NULL);
    libxl_device_pci_dispose(&pci);
    return rc;
}

int do_detach_force(libxl_ctx *ctx, void *opaque)
{
    const request *r = opaque;
    libxl_device_pci pci;
    int rc;

    pci_of(r, &pci);
    rc = libxl_device_pci_destroy(ctx, r->domid, &pci, NULL);
    libxl_device_pci_dispose(&pci);
    return rc;
}

int do_assignable_add(libxl_ctx *ctx, void *opaque)
{
    const request *r = opaque;
    libxl_device_pci pci;
    int rc;

    pci_of(r, &pci);
    rc = libxl_device_pci_assignable_add(ctx, &pci, r->rebind);
    libxl_device_pci_dispose(&pci);
    return rc;
}

int do_assignable_remove(libxl_ctx *ctx, void *opaque)
{
    const request *r = opaque;
    libxl_device_pci pci;
    int rc;

    pci_of(r, &pci);
    rc = libxl_device_pci_assignable_remove(ctx, &pci, r->rebind);
    libxl_device_pci_dispose(&pci);
    return rc;
}

static void destroyed(libxl__egc *egc, libxl__multidev *multidev, int rc)
{
    libxl__ao_complete(egc, multidev->ao, rc);
}

static int destroy_devices(libxl_ctx *ctx, int domid)
{
    AO_CREATE(ctx, domid, NULL);
    libxl__multidev *multidev;

    GCNEW(multidev);
    libxl__multidev_begin(ao, multidev);
    multidev->callback = destroyed;
    libxl__device_pci_destroy_all(egc, domid, multidev);
    libxl__multidev_prepared(egc, multidev, 0);
    return AO_INPROGRESS;
}

static int destroy(libxl_ctx *ctx, const request *r, bool stop)
{
    int rc;

    if (libxl_domain_info(ctx, NULL, r->domid)) return ERROR_DOMAIN_NOTFOUND;
    if (stop) {
        pcifront_set(frontend_of(r->domid), PCIFRONT_PAUSED);
        xc_set_flags(frontend_of(r->domid), XEN_DOMINF_paused);
    }
    rc = destroy_devices(ctx, r->domid);
    if (!rc) guest_remove(r->domid);
    return rc;
}

int do_destroy(libxl_ctx *ctx, void *opaque)
{
    return destroy(ctx, opaque, true);
}

int do_destroy_running(libxl_ctx *ctx, void *opaque)
{
    return destroy(ctx, opaque, false);
}

int now(int (*run)(libxl_ctx *ctx, void *opaque), request r)
{
    int rc;

    world_call(host_ctx);
    rc = run(host_ctx, &r);
    world_return();
    return rc;
}

/*
 * What has come of it
 */

static bool same(const libxl_device_pci *pci, const char *sbdf)
{
    libxl__pci_sbdf s;

    libxl__pci_sbdf_parse(sbdf, &s);
    return pci->domain == s.domain && pci->bus == s.bus &&
        pci->dev == s.dev && pci->func == s.func;
}

static libxl_device_pci *list_of(int domid, int *num)
{
    libxl_device_pci *pcis;

    world_call(host_ctx);
    pcis = libxl_device_pci_list(host_ctx, domid, num);
    world_return();
    return pcis;
}

bool guest_lists(int domid, const char *sbdf)
{
    libxl_device_pci *pcis;
    bool found = false;
    int i, num = 0;

    pcis = list_of(domid, &num);
    for (i = 0; i < num; i++)
        if (same(&pcis[i], sbdf))
            found = true;
    libxl_device_pci_list_free(pcis, num);
    return found;
}

int guest_devices(int domid)
{
    libxl_device_pci *pcis;
    int num = 0;

    pcis = list_of(domid, &num);
    libxl_device_pci_list_free(pcis, num);
    return num;
}

bool guest_has(int domid, const char *sbdf)
{
    libxl__pci_record rec;
    bool found = false;
    int i;

    world_call(host_ctx);
    {
        GC_INIT(host_ctx);

        /* Nothing is in *rec if it cannot be read. */
        libxl__pci_record_read(gc, XBT_NULL, domid, &rec);
        for (i = 0; i < rec.num; i++)
            if (same(&rec.entries[i].pci, sbdf))
                found = true;
        GC_FREE;
    }
    world_return();
    return found;
}

bool is_assignable(const char *sbdf)
{
    libxl_device_pci *pcis = NULL;
    bool found = false;
    int i, num = 0;

    world_call(host_ctx);
    if (libxl_pci_assignable_get(host_ctx, &pcis, &num, NULL))
        num = 0;
    world_return();
    for (i = 0; i < num; i++)
        if (same(&pcis[i], sbdf))
            found = true;
    libxl_device_pci_assignable_list_free(pcis, num);
    return found;
}

int whose(const char *sbdf, bool on_its_way, const char **why_r)
{
    static char why[1024];
    int domid, lister = -1, xen = xc_device_domain(sbdf), user = -1, i;
    int back = pciback_guest(sbdf), lists = 0;
    unsigned long page = 0;
    bool assignable = is_assignable(sbdf), lent;
    size_t used = 0;

    for (i = 0; i < ARRAY_SIZE(devices); i++)
        if (!strcmp(devices[i].sbdf, sbdf))
            page = devices[i].memory >> 12;
    for (domid = 1; domid < 64; domid++) {
        if (domid == host_owner()) continue;
        if (xc_may_page(domid, page)) user = target_of(domid);
        if (!(xc_domains & (1ULL << domid))) continue;
        if (guest_has(domid, sbdf)) {
            lister = domid;
            lists++;
        } else if (guest_lists(domid, sbdf)) {
            standin_crime("domain %d lists what it has not", domid);
        }
    }
    lent = host_topology == HWDOM && xc_may_page(0, page);
    if (xen == DOMID_IO || xen == host_owner()) xen = -1;
    if (back != -1) back = target_of(back);

    why[0] = '\0';
#define WRONG(...) \
    used += snprintf(why + used, sizeof(why) - used, __VA_ARGS__)
    if (lists > 1)
        WRONG("%d guests have it; ", lists);
    if (xen != -1 && xen != lister)
        WRONG("it is assigned to domain %d, and %d has it; ", xen, lister);
    if (user != -1 && user != lister)
        WRONG("domain %d may use it, and %d has it; ", user, lister);
    if (back != -1 && back != lister)
        WRONG("pciback has it for domain %d, and %d has it; ", back,
              lister);
    if (lister != -1 && assignable)
        WRONG("domain %d has it, and it is assignable; ", lister);
    if (lent && lister == -1)
        WRONG("it is lent to domain 0, and no guest has it; ");
    if (!strcmp(sysfs_driver(sbdf), "pciback") && lister == -1 &&
        !assignable)
        WRONG("it is with pciback, and yet neither a guest's nor"
              " assignable; ");
    if (assignable && !on_its_way && xc_device_domain(sbdf) != DOMID_IO)
        WRONG("it is assignable, and not in quarantine; ");
#undef WRONG
    if (*standin_crimes()) {
        snprintf(why + used, sizeof(why) - used, "%s", standin_crimes());
        used = strlen(why);
    }
    if (!used) return lister;
    *why_r = why;
    return -2;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
