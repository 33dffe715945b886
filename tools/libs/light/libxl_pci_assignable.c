/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Making PCI devices assignable, giving them back, and listing them.
 *
 *   add      lock, query, no guest has it?  remember the driver, ASSIGN
 *            (unbind, bind to pciback), name, quarantine
 *   remove   lock, query, no guest has it?  lift the quarantine, UNASSIGN,
 *            bind to the driver, forget name and driver
 *
 * The owner of the devices carries out each request completely.  The steps
 * before and after the request can be repeated if a command was
 * interrupted.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"
#include "libxl_pci_record.h"
#include "libxl_pci_assignable.h"

#define PCI_BDF LIBXL__SBDF_FMT

/* The longest name of a device */
#define NAME_MAX_LENGTH 64

static unsigned int machine_sbdf(const libxl_device_pci *pci)
{
    return (unsigned)pci->domain << 16 | pci->bus << 8 |
        (pci->dev & 0x1f) << 3 | (pci->func & 7);
}

static void request_init(libxl__hostpci_op *op, libxl__ao *ao,
                         libxl__hostpci_command command,
                         const libxl_device_pci *pci,
                         libxl__hostpci_callback *callback)
{
    libxl__hostpci_op_init(op);
    op->ao = ao;
    op->request.command = command;
    if (pci) {
        op->request.sbdf.domain = pci->domain;
        op->request.sbdf.bus = pci->bus;
        op->request.sbdf.dev = pci->dev;
        op->request.sbdf.func = pci->func;
    }
    op->callback = callback;
}

void libxl__pci_request(libxl__egc *egc, libxl__hostpci_op *op,
                        libxl__ao *ao, libxl_domid backend,
                        libxl__hostpci_command command,
                        const libxl_device_pci *pci,
                        libxl__hostpci_callback *callback)
{
    request_init(op, ao, command, pci, callback);
    op->backend = backend;
    libxl__hostpci_op_start(egc, op); /* must be last */
}

void libxl__pci_request_to(libxl__egc *egc, libxl__hostpci_op *op,
                           libxl__ao *ao, libxl_domid owner,
                           libxl__hostpci_command command,
                           const libxl_device_pci *pci,
                           libxl__hostpci_callback *callback)
{
    request_init(op, ao, command, pci, callback);
    op->decided = true;
    op->owner = owner;
    libxl__hostpci_op_start(egc, op); /* must be last */
}

int libxl__pci_assignable_name(libxl__gc *gc, libxl_device_pci *pci)
{
    char **nodes;
    unsigned int i, num;

    nodes = libxl__xs_directory(gc, XBT_NULL, LIBXL__PCI_INFO_DIR, &num);
    for (i = 0; nodes && i < num; i++) {
        unsigned int domain, bus, dev, func;
        const char *name = libxl__xs_read(gc, XBT_NULL,
            GCSPRINTF(LIBXL__PCI_INFO_DIR"/%s/name", nodes[i]));

        if (!name || strcmp(name, pci->name) ||
            sscanf(nodes[i], LIBXL__PCI_INFO_FMT, &domain, &bus, &dev,
                   &func) != 4)
            continue;
        pci->domain = domain;
        pci->bus = bus;
        pci->dev = dev;
        pci->func = func;
        LOG(DETAIL, "'%s' -> "PCI_BDF, pci->name, domain, bus, dev, func);
        return 0;
    }
    return ERROR_NOTFOUND;
}

/*
 * The list
 */

typedef struct {
    libxl_device_pci **pcis_r;
    int *num_r;
    libxl__hostpci_op op;
} list_state;

/* The nodes of a device in xenstore */
typedef struct {
    const char *node, *name;
    bool claimed;
} list_known;

/*
 * The owner's list can be as long as a message.  So look in xenstore once for
 * each device that has nodes there, not for each device in the list.
 */
static list_known *list_read_known(libxl__gc *gc, unsigned int *num_r)
{
    char **nodes = libxl__xs_directory(gc, XBT_NULL, LIBXL__PCI_INFO_DIR,
                                       num_r);
    list_known *known;
    unsigned int i;

    if (!nodes) *num_r = 0;
    GCNEW_ARRAY(known, *num_r + 1);
    for (i = 0; i < *num_r; i++) {
        libxl_domid holder = INVALID_DOMID;
        unsigned int domain, bus, dev, func;
        libxl_device_pci pci;

        known[i].node = nodes[i];
        known[i].name = libxl__xs_read(gc, XBT_NULL,
            GCSPRINTF(LIBXL__PCI_INFO_DIR"/%s/name", nodes[i]));
        if (sscanf(nodes[i], LIBXL__PCI_INFO_FMT, &domain, &bus, &dev,
                   &func) != 4)
            continue;
        pci.domain = domain;
        pci.bus = bus;
        pci.dev = dev;
        pci.func = func;
        /* If this is unknown, treat the device as not free. */
        known[i].claimed = libxl__pci_record_holder(gc, XBT_NULL, &pci,
                                                    &holder) ||
            holder != INVALID_DOMID;
    }
    return known;
}

static void list_fill(libxl__gc *gc, list_state *ls)
{
    const libxl__hostpci_reply *reply = &ls->op.reply;
    unsigned int num_known, k;
    list_known *known = list_read_known(gc, &num_known);
    libxl_device_pci *pcis;
    int i;

    if (!reply->num_sbdfs) return;

    *ls->pcis_r = pcis = libxl__calloc(NOGC, reply->num_sbdfs,
                                       sizeof(*pcis));
    for (i = 0; i < reply->num_sbdfs; i++) {
        const libxl__pci_sbdf *sbdf = &reply->sbdfs[i];
        char node[32];

        snprintf(node, sizeof(node), LIBXL__PCI_INFO_FMT,
                 LIBXL__SBDF_ARG(*sbdf));
        for (k = 0; k < num_known; k++)
            if (!strcmp(known[k].node, node)) break;
        if (k < num_known && known[k].claimed) continue;

        libxl_device_pci_init(pcis);
        pcis->domain = sbdf->domain;
        pcis->bus = sbdf->bus;
        pcis->dev = sbdf->dev;
        pcis->func = sbdf->func;
        if (k < num_known && known[k].name)
            pcis->name = libxl__strdup(NOGC, known[k].name);
        pcis++;
        (*ls->num_r)++;
    }
}

static void list_done(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    STATE_AO_GC(op->ao);
    list_state *ls = CONTAINER_OF(op, *ls, op);

    if (rc == ERROR_FAIL) libxl__hostpci_log(gc, op);
    if (!rc) list_fill(gc, ls);
    libxl__ao_complete(egc, ao, rc);
}

static int list(libxl_ctx *ctx, libxl_device_pci **pcis_r, int *num_r,
                const libxl_asyncop_how *ao_how)
{
    AO_CREATE(ctx, INVALID_DOMID, ao_how);
    list_state *ls;

    *pcis_r = NULL;
    *num_r = 0;
    GCNEW(ls);
    ls->pcis_r = pcis_r;
    ls->num_r = num_r;
    ls->op.request.dir = LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER;
    libxl__pci_request(egc, &ls->op, ao, INVALID_DOMID, LIBXL__HOSTPCI_CMD_LS,
                       NULL, list_done);

    return AO_INPROGRESS;
}

int libxl_pci_assignable_get(libxl_ctx *ctx, libxl_device_pci **pcis_r,
                             int *num_r, const libxl_asyncop_how *ao_how)
{
    return list(ctx, pcis_r, num_r, ao_how);
}

/*
 * Without an owner, the old functions neither wait for other events nor
 * hold the ctx lock while the kernel is at work.
 */
libxl_device_pci *libxl_device_pci_assignable_list(libxl_ctx *ctx, int *num)
{
    GC_INIT(ctx);
    libxl_device_pci *pcis = NULL;
    list_state ls = { .pcis_r = &pcis, .num_r = num };
    libxl__hostpci_op *op = &ls.op;
    bool direct = libxl__hostpci_direct(gc);

    *num = 0;
    if (direct) {
        libxl__hostpci_op_init(op);
        op->request.command = LIBXL__HOSTPCI_CMD_LS;
        op->request.dir = LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER;
        if (libxl__hostpci_op_direct(gc, op))
            libxl__hostpci_log(gc, op);
        else
            list_fill(gc, &ls);
    }
    GC_FREE;

    if (!direct) list(ctx, &pcis, num, NULL);
    return pcis;
}

void libxl_device_pci_assignable_list_free(libxl_device_pci *list, int num)
{
    int i;

    for (i = 0; i < num; i++)
        libxl_device_pci_dispose(&list[i]);
    free(list);
}

/*
 * Adding and removing
 */

static void add_queried(libxl__egc *egc, libxl__hostpci_op *op, int rc);
static void add_query_ok(libxl__egc *egc, libxl__pci_assignable *pa);
static void add_assigned(libxl__egc *egc, libxl__hostpci_op *op, int rc);
static void add_name(libxl__egc *egc, libxl__pci_assignable *pa);

static void remove_queried(libxl__egc *egc, libxl__hostpci_op *op, int rc);
static void remove_slot_found(libxl__egc *egc, libxl__hostpci_op *op, int rc);
static void remove_known(libxl__egc *egc, libxl__pci_assignable *pa,
                         bool known);
static void remove_released(libxl__egc *egc, libxl__hostpci_op *op, int rc);
static void remove_rebound(libxl__egc *egc, libxl__hostpci_op *op, int rc);
static void remove_done(libxl__egc *egc, libxl__pci_assignable *pa, int rc);

static void done(libxl__egc *egc, libxl__pci_assignable *pa, int rc);

static void request(libxl__egc *egc, libxl__pci_assignable *pa,
                    libxl__hostpci_command command,
                    libxl__hostpci_callback *callback)
{
    libxl__hostpci_op *op = &pa->op;

    if (pa->ao) {
        libxl__pci_request(egc, op, pa->ao, INVALID_DOMID, command, pa->pci,
                           callback); /* must be last */
        return;
    }

    libxl__hostpci_op_init(op);
    op->request.command = command;
    op->request.sbdf.domain = pa->pci->domain;
    op->request.sbdf.bus = pa->pci->bus;
    op->request.sbdf.dev = pa->pci->dev;
    op->request.sbdf.func = pa->pci->func;
    callback(egc, op,
             libxl__hostpci_op_direct(pa->gc, op)); /* must be last */
}

/* Locks the device, and checks that no guest has it. */
static int lock_free_device(libxl__gc *gc, libxl__pci_assignable *pa)
{
    libxl_domid holder;
    int rc;

    rc = libxl__pci_lock_device(gc, pa->pci, &pa->lock);
    if (rc) return rc;
    rc = libxl__pci_record_holder(gc, XBT_NULL, pa->pci, &holder);
    if (rc) return rc;
    if (holder != INVALID_DOMID) {
        LOG(ERROR, "PCI device "PCI_BDF" is attached to domain %u: detach it"
            " first", LIBXL__PCI_ARG(pa->pci), holder);
        return ERROR_FAIL;
    }
    return 0;
}

/* Adding */

static int check_name(libxl__gc *gc, const char *name)
{
    const char *p;

    if (!name) return 0;
    if (strlen(name) > NAME_MAX_LENGTH) {
        LOG(ERROR, "Name too long");
        return ERROR_FAIL;
    }
    for (p = name; *p; p++)
        if (!CTYPE(isgraph, *p)) {
            LOG(ERROR, "Names may only include printable characters");
            return ERROR_FAIL;
        }
    return 0;
}

static void add(libxl__egc *egc, libxl__pci_assignable *pa)
{
    libxl__gc *gc = pa->gc;
    int rc;

    pa->lock = -1;
    pa->remembered = false;

    rc = check_name(gc, pa->pci->name);
    if (rc) goto out;
    rc = lock_free_device(gc, pa);
    if (rc) goto out;

    request(egc, pa, LIBXL__HOSTPCI_CMD_QUERY, add_queried); /* must be last */
    return;

 out:
    done(egc, pa, rc); /* must be last */
}

void libxl__pci_assignable_seize(libxl__egc *egc, libxl__pci_assignable *pa,
                                 const libxl__hostpci_op *query)
{
    pa->lock = -1; /* the caller holds the lock */
    pa->remembered = false;
    pa->op = *query;
    add_query_ok(egc, pa); /* must be last */
}

static void add_queried(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    libxl__pci_assignable *pa = CONTAINER_OF(op, *pa, op);
    libxl__gc *gc = pa->gc;

    if (rc == ERROR_FAIL) libxl__hostpci_log(gc, op);
    if (rc)
        done(egc, pa, rc); /* must be last */
    else
        add_query_ok(egc, pa); /* must be last */
}

/* Remember the driver before taking the device from it. */
static void add_query_ok(libxl__egc *egc, libxl__pci_assignable *pa)
{
    libxl__gc *gc = pa->gc;
    libxl_device_pci *pci = pa->pci;
    const libxl__hostpci_reply *reply = &pa->op.reply;
    const char *driver_path;

    if (!reply->pciback) {
        LOG(ERROR, "Looks like pciback driver is not loaded");
        done(egc, pa, ERROR_FAIL); /* must be last */
        return;
    }
    if (reply->assigned) {
        LOG(WARN, PCI_BDF" already assigned to pciback", LIBXL__PCI_ARG(pci));
        add_name(egc, pa); /* must be last */
        return;
    }

    if (!pa->rebind) {
        libxl__pci_info_remove(gc, pci, "driver_path");
    } else if (reply->driver) {
        driver_path = libxl__hostpci_driver_path(gc, reply->driver);
        libxl__pci_info_write(gc, pci, "driver_path", driver_path);
        pa->remembered = true;
    } else if ((driver_path =
                libxl__pci_info_read(gc, pci, "driver_path"))) {
        LOG(INFO, PCI_BDF" not bound to a driver, will be rebound to %s",
            LIBXL__PCI_ARG(pci), driver_path);
    } else {
        LOG(WARN, PCI_BDF" not bound to a driver, will not be rebound.",
            LIBXL__PCI_ARG(pci));
    }

    request(egc, pa, LIBXL__HOSTPCI_CMD_ASSIGN,
            add_assigned); /* must be last */
}

static void add_assigned(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    libxl__pci_assignable *pa = CONTAINER_OF(op, *pa, op);
    libxl__gc *gc = pa->gc;

    if (rc == ERROR_FAIL) {
        libxl__hostpci_log(gc, op);
        switch (op->reply.step) {
        case LIBXL__HOSTPCI_STEP_UNBIND:
            LOGEV(ERROR, op->reply.errnoval, "Couldn't unbind device");
            LOG(ERROR, "Couldn't unbind "PCI_BDF" from driver",
                LIBXL__PCI_ARG(pa->pci));
            /* The device still has its driver. */
            if (pa->remembered)
                libxl__pci_info_remove(gc, pa->pci, "driver_path");
            break;
        case LIBXL__HOSTPCI_STEP_FIND_SLOT:
            LOGEV(ERROR, op->reply.errnoval,
                  "Error checking for pciback slot");
            LOG(ERROR, "Couldn't bind device to pciback!");
            break;
        default:
            LOGEV(ERROR, op->reply.errnoval,
                  "Couldn't bind device to pciback!");
            LOG(ERROR, "Couldn't bind device to pciback!");
            break;
        }
    }
    if (rc)
        done(egc, pa, rc); /* must be last */
    else
        add_name(egc, pa); /* must be last */
}

static void add_name(libxl__egc *egc, libxl__pci_assignable *pa)
{
    libxl__gc *gc = pa->gc;
    libxl_device_pci *pci = pa->pci;
    int rc = 0;

    if (pci->name)
        libxl__pci_info_write(gc, pci, "name", pci->name);
    else
        libxl__pci_info_remove(gc, pci, "name");

    /* DOMID_IO has no mappings that reserved memory could be in the way of. */
    if (xc_assign_device(CTX->xch, DOMID_IO, machine_sbdf(pci),
                         XEN_DOMCTL_DEV_RDM_RELAXED)) {
        LOG(ERROR, "failed to quarantine "PCI_BDF, LIBXL__PCI_ARG(pci));
        rc = ERROR_FAIL;
    }
    done(egc, pa, rc); /* must be last */
}

/* Removing */

static void remove_device(libxl__egc *egc, libxl__pci_assignable *pa)
{
    libxl__gc *gc = pa->gc;
    int rc;

    pa->lock = -1;
    pa->quarantine = pa->gone = false;

    if (pa->pci->name) {
        rc = libxl__pci_assignable_name(gc, pa->pci);
        if (rc) goto out;
    }
    rc = lock_free_device(gc, pa);
    if (rc) goto out;

    /* Query first: if the owner cannot be reached, there is nothing to
     * undo. */
    request(egc, pa, LIBXL__HOSTPCI_CMD_QUERY,
            remove_queried); /* must be last */
    return;

 out:
    done(egc, pa, rc); /* must be last */
}

static void remove_queried(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    libxl__pci_assignable *pa = CONTAINER_OF(op, *pa, op);
    libxl__gc *gc = pa->gc;
    bool known;

    if (rc && rc != ERROR_FAIL) {
        remove_done(egc, pa, rc); /* must be last */
        return;
    }

    pa->gone = rc && op->reply.class == LIBXL__HOSTPCI_NO_DEVICE;
    /* By an earlier command, or bound to pciback when the kernel started */
    known = libxl__pci_info_read(gc, pa->pci, "driver_path") ||
        (!rc && op->reply.assigned);
    if (pa->gone && !known) {
        /* pciback keeps the slot of a device that vanishes. */
        op->request.dir = LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS;
        request(egc, pa, LIBXL__HOSTPCI_CMD_EXISTS,
                remove_slot_found); /* must be last */
        return;
    }
    remove_known(egc, pa, known); /* must be last */
}

static void remove_slot_found(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    libxl__pci_assignable *pa = CONTAINER_OF(op, *pa, op);

    if (rc && rc != ERROR_FAIL)
        remove_done(egc, pa, rc); /* must be last */
    else
        remove_known(egc, pa, !rc && op->reply.exists); /* must be last */
}

static void remove_known(libxl__egc *egc, libxl__pci_assignable *pa,
                         bool known)
{
    libxl__gc *gc = pa->gc;
    libxl_device_pci *pci = pa->pci;

    if (!xc_deassign_device(CTX->xch, DOMID_IO, machine_sbdf(pci))) {
        pa->quarantine = true;
    } else if (errno != ENODEV || !known) {
        LOGE(ERROR, "failed to de-quarantine "PCI_BDF"%s", LIBXL__PCI_ARG(pci),
             known ? "" : pa->gone ? ": there is no such PCI device" :
             ": it is not assignable");
        remove_done(egc, pa, ERROR_FAIL); /* must be last */
        return;
    }

    /* Unbind from pciback */
    request(egc, pa, LIBXL__HOSTPCI_CMD_UNASSIGN,
            remove_released); /* must be last */
}

static void remove_released(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    libxl__pci_assignable *pa = CONTAINER_OF(op, *pa, op);
    libxl__gc *gc = pa->gc;
    const char *driver_path, *driver;

    if (rc == ERROR_FAIL) {
        libxl__hostpci_log(gc, op);
        switch (op->reply.step) {
        case LIBXL__HOSTPCI_STEP_UNBIND:
            LOGEV(ERROR, op->reply.errnoval, "Couldn't unbind device");
            LOG(ERROR, "Couldn't unbind device!");
            break;
        case LIBXL__HOSTPCI_STEP_REMOVE_SLOT:
            LOGEV(ERROR, op->reply.errnoval,
                  "Couldn't remove pciback slot");
            break;
        default:
            break;
        }
        /* Without an owner, libxl has always ignored these errors. */
        if (op->owner == INVALID_DOMID &&
            op->reply.step != LIBXL__HOSTPCI_STEP_NONE)
            rc = 0;
    } else if (!rc && pa->gone) {
        LOG(WARN, "PCI device "PCI_BDF" is gone: there is nothing to give back",
            LIBXL__PCI_ARG(pa->pci));
    } else if (!rc && !op->reply.assigned) {
        LOG(WARN, "Not bound to pciback");
    }
    if (rc) goto out;

    driver_path = libxl__pci_info_read(gc, pa->pci, "driver_path");

    if (driver_path && pa->rebind && !pa->gone) {
        LOG(INFO, "Rebinding to driver at %s", driver_path);

        driver = strrchr(driver_path, '/');
        op->request.file = LIBXL__HOSTPCI_FILE_DRIVER_BIND;
        op->request.driver = driver ? driver + 1 : driver_path;
        request(egc, pa, LIBXL__HOSTPCI_CMD_WRITE,
                remove_rebound); /* must be last */
        return;
    }
    if (pa->rebind && !pa->gone)
        LOG(WARN, "Couldn't find path for original driver; not rebinding");
    if (pa->gone) libxl__pci_info_remove(gc, pa->pci, "driver_path");
    libxl__pci_info_remove(gc, pa->pci, "name");

 out:
    remove_done(egc, pa, rc); /* must be last */
}

static void remove_rebound(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    libxl__pci_assignable *pa = CONTAINER_OF(op, *pa, op);
    libxl__gc *gc = pa->gc;

    if (rc == ERROR_FAIL) {
        libxl__hostpci_log(gc, op);
        LOGEV(ERROR, op->reply.errnoval, "Couldn't bind device to %s",
              libxl__hostpci_driver_path(gc, op->request.driver));
        rc = ERROR_NONSPECIFIC;
    }
    if (!rc) {
        libxl__pci_info_remove(gc, pa->pci, "driver_path");
        libxl__pci_info_remove(gc, pa->pci, "name");
    }
    remove_done(egc, pa, rc); /* must be last */
}

static void remove_done(libxl__egc *egc, libxl__pci_assignable *pa, int rc)
{
    libxl__gc *gc = pa->gc;

    /* Restore the state, so that the command can be repeated. */
    if (rc && pa->quarantine && pa->op.owner != INVALID_DOMID &&
        xc_assign_device(CTX->xch, DOMID_IO, machine_sbdf(pa->pci),
                         XEN_DOMCTL_DEV_RDM_RELAXED))
        LOGE(ERROR, "failed to quarantine "PCI_BDF" again",
             LIBXL__PCI_ARG(pa->pci));

    done(egc, pa, rc); /* must be last */
}

static void done(libxl__egc *egc, libxl__pci_assignable *pa, int rc)
{
    libxl__gc *gc = pa->gc;

    libxl__pci_unlock_device(gc, pa->pci, &pa->lock);
    pa->callback(egc, pa, rc); /* must be last */
}

/* The public functions */

typedef struct {
    libxl__pci_assignable pa;
    int rc;
} direct_state;

static void direct_done(libxl__egc *egc, libxl__pci_assignable *pa, int rc)
{
    direct_state *ds = CONTAINER_OF(pa, *ds, pa);

    ds->rc = rc;
}

static void ao_done(libxl__egc *egc, libxl__pci_assignable *pa, int rc)
{
    libxl__ao_complete(egc, pa->ao, rc);
}

typedef void command_fn(libxl__egc *egc, libxl__pci_assignable *pa);

static int command_by_owner(libxl_ctx *ctx, libxl_device_pci *pci, int rebind,
                            command_fn *command)
{
    AO_CREATE(ctx, INVALID_DOMID, NULL);
    libxl__pci_assignable *pa;

    GCNEW(pa);
    pa->ao = ao;
    pa->gc = gc;
    pa->pci = pci;
    pa->rebind = rebind;
    pa->callback = ao_done;
    command(egc, pa);

    return AO_INPROGRESS;
}

static int run_command(libxl_ctx *ctx, libxl_device_pci *pci, int rebind,
                       command_fn *command)
{
    GC_INIT(ctx);
    direct_state ds = {
        .pa.gc = gc,
        .pa.pci = pci,
        .pa.rebind = rebind,
        .pa.callback = direct_done,
    };
    bool direct = libxl__hostpci_direct(gc);

    if (direct) command(NULL, &ds.pa);
    GC_FREE;
    return direct ? ds.rc : command_by_owner(ctx, pci, rebind, command);
}

int libxl_device_pci_assignable_add(libxl_ctx *ctx, libxl_device_pci *pci,
                                    int rebind)
{
    return run_command(ctx, pci, rebind, add);
}

int libxl_device_pci_assignable_remove(libxl_ctx *ctx, libxl_device_pci *pci,
                                       int rebind)
{
    return run_command(ctx, pci, rebind, remove_device);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
