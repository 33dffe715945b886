/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The directories of pciback and pcifront, and the handshake with them: see
 * libxl_pci_backend.h.
 *
 * WARNING - The owner or the guest may have written anything to these
 *           directories, with the intent to do harm.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"
#include "libxl_pci_record.h"
#include "libxl_pci_backend.h"

/* How often to try to change directories in which other domains write: each
 * of their writes may make a transaction fail. */
#define TRIES 20

/* Like libxl__domain_device_*_path(), but without asking xenstored each time
 * where a domain has its nodes */
char *libxl__pci_backend_path(libxl__gc *gc, const libxl__pci_record *rec)
{
    return GCSPRINTF("/local/domain/%u/backend/pci/%u/0", rec->owner,
                     rec->frontend);
}

static char *frontend_path(libxl__gc *gc, const libxl__pci_record *rec)
{
    return GCSPRINTF("/local/domain/%u/device/pci/0", rec->frontend);
}

bool libxl__pci_backend_answers(libxl__gc *gc, const libxl__pci_record *rec)
{
    return libxl__domain_type(gc, rec->frontend) == LIBXL_DOMAIN_TYPE_PV;
}

/*
 * Writing
 */

/* Makes a directory of `owner' that `reader' may read, in place of an old
 * one. */
static int make_directory(libxl__gc *gc, xs_transaction_t t, const char *path,
                          libxl_domid owner, libxl_domid reader)
{
    struct xs_permissions perms[2] = {
        { .id = owner, .perms = XS_PERM_NONE },
        { .id = reader, .perms = XS_PERM_READ },
    };
    int rc;

    rc = libxl__xs_rm_checked(gc, t, path);
    return rc ?: libxl__xs_mknod(gc, t, path, perms, ARRAY_SIZE(perms));
}

static int make_directories(libxl__gc *gc, xs_transaction_t t,
                            const libxl__pci_record *rec)
{
    const char *be = libxl__pci_backend_path(gc, rec);
    const char *fe = frontend_path(gc, rec);
    char *initialising = GCSPRINTF("%d", XenbusStateInitialising);
    char *back[] = {
        "frontend", (char *)fe,
        "frontend-id", GCSPRINTF("%u", rec->frontend),
        "online", "1",
        "state", initialising,
        "domain", libxl__domid_to_name(gc, rec->frontend),
        NULL, NULL,
    };
    char *front[] = {
        "backend", (char *)be,
        "backend-id", GCSPRINTF("%u", rec->owner),
        "state", initialising,
        NULL, NULL,
    };
    int rc;

    rc = make_directory(gc, t, be, rec->owner, rec->frontend);
    if (rc) return rc;
    rc = libxl__xs_writev(gc, t, be, back);
    if (rc) return rc;
    rc = make_directory(gc, t, fe, rec->frontend, rec->owner);
    return rc ?: libxl__xs_writev(gc, t, fe, front);
}

/* From now on, only `writer' can change the state of the frontend. */
static int set_writer(libxl__gc *gc, xs_transaction_t t,
                      const libxl__pci_record *rec, libxl_domid writer)
{
    struct xs_permissions perms[3] = {
        { .id = writer, .perms = XS_PERM_NONE },
        { .id = rec->frontend, .perms = XS_PERM_READ },
        { .id = rec->owner, .perms = XS_PERM_READ },
    };
    const char *fe = frontend_path(gc, rec);
    const char *path = GCSPRINTF("%s/state", fe);

    if (!xs_set_permissions(CTX->xsh, t, fe, perms, ARRAY_SIZE(perms)) ||
        !xs_set_permissions(CTX->xsh, t, path, perms, ARRAY_SIZE(perms))) {
        LOGED(ERROR, rec->domid, "cannot say who may write to %s", fe);
        return ERROR_FAIL;
    }
    return 0;
}

static int seize_state(libxl__gc *gc, xs_transaction_t t,
                       const libxl__pci_record *rec, libxl_domid writer,
                       int state)
{
    const char *path = GCSPRINTF("%s/state", frontend_path(gc, rec));
    int rc;

    rc = libxl__xs_write_checked(gc, t, path, GCSPRINTF("%d", state));
    return rc ?: set_writer(gc, t, rec, writer);
}

static int write_device(libxl__gc *gc, xs_transaction_t t, const char *be,
                        int n, const libxl_device_pci *pci, const char *state)
{
    char *sbdf = GCSPRINTF(LIBXL__SBDF_FMT, LIBXL__PCI_ARG(pci));
    flexarray_t *nodes = flexarray_make(gc, 14, 1);

    flexarray_append_pair(nodes, GCSPRINTF("key-%d", n), sbdf);
    flexarray_append_pair(nodes, GCSPRINTF("dev-%d", n), sbdf);
    if (pci->vdevfn)
        flexarray_append_pair(nodes, GCSPRINTF("vdevfn-%d", n),
                              GCSPRINTF("%x", pci->vdevfn));
    if (pci->name)
        flexarray_append_pair(nodes, GCSPRINTF("name-%d", n), pci->name);
    flexarray_append_pair(nodes, GCSPRINTF("opts-%d", n),
        GCSPRINTF("msitranslate=%d,power_mgmt=%d,permissive=%d,rdm_policy=%s",
                  pci->msitranslate, pci->power_mgmt, pci->permissive,
                  libxl_rdm_reserve_policy_to_string(pci->rdm_policy)));
    flexarray_append_pair(nodes, GCSPRINTF("state-%d", n), (char *)state);

    return libxl__xs_writev(gc, t, be, libxl__xs_kvs_of_flexarray(gc, nodes));
}

static int remove_device(libxl__gc *gc, xs_transaction_t t, const char *be,
                         int n)
{
    static const char *const nodes[] = {
        "key", "dev", "vdevfn", "name", "opts", "state", "vdev",
    };
    int i, rc;

    for (i = 0; i < ARRAY_SIZE(nodes); i++) {
        rc = libxl__xs_rm_checked(gc, t,
                                  GCSPRINTF("%s/%s-%d", be, nodes[i], n));
        if (rc) return rc;
    }
    return 0;
}

/* Returns XenbusStateUnknown if the node is missing, or not a state. */
static int read_state(libxl__gc *gc, xs_transaction_t t, const char *path,
                      int *state_r)
{
    const char *text;
    int rc;

    rc = libxl__xs_read_checked(gc, t, path, &text);
    if (rc) return rc;
    *state_r = text && text[0] >= '0' && text[0] <= '8' && !text[1] ?
        text[0] - '0' : XenbusStateUnknown;
    return 0;
}

int libxl__pci_backend_add(libxl__gc *gc, xs_transaction_t t,
                           libxl__pci_record *rec, libxl__pci_entry *entry,
                           bool running)
{
    const char *be = libxl__pci_backend_path(gc, rec);
    int n = libxl__pci_record_exported(rec) - entry->exported, rc;

    if (!n) {
        rc = make_directories(gc, t, rec);
        if (rc) return rc;
    }
    rc = write_device(gc, t, be, n, &entry->pci,
                      GCSPRINTF("%d", XenbusStateInitialising));
    if (rc) return rc;
    rc = libxl__xs_write_checked(gc, t, GCSPRINTF("%s/num_devs", be),
                                 GCSPRINTF("%d", n + 1));
    if (rc) return rc;
    if (n && running) {
        rc = libxl__xs_write_checked(gc, t, GCSPRINTF("%s/state", be),
                                     GCSPRINTF("%d",
                                               XenbusStateReconfiguring));
        if (rc) return rc;
    }
    entry->exported = true;
    return 0;
}

/*
 * pciback gives up a reconfiguration, and stays Reconfiguring, if it is asked
 * for a device that no longer exists.  Now that the directory no longer has
 * the device, write the frontend's state again: pciback then starts over.
 */
static int go_on(libxl__gc *gc, xs_transaction_t t,
                 const libxl__pci_record *rec)
{
    const char *fe = GCSPRINTF("%s/state", frontend_path(gc, rec));
    int be_state, fe_state, rc;

    rc = read_state(gc, t, GCSPRINTF("%s/state",
                                     libxl__pci_backend_path(gc, rec)),
                    &be_state);
    if (rc || be_state != XenbusStateReconfiguring) return rc;
    rc = read_state(gc, t, fe, &fe_state);
    if (rc || fe_state != XenbusStateReconfiguring) return rc;
    return libxl__xs_write_checked(gc, t, fe, GCSPRINTF("%d", fe_state));
}

/* Gives the device with number n the number n - 1. */
static int move_device(libxl__gc *gc, xs_transaction_t t, const char *be,
                       int n, const libxl_device_pci *pci)
{
    const char *vdev;
    int state, rc;

    /* What pciback has written for the frontend, and reads again */
    rc = read_state(gc, t, GCSPRINTF("%s/state-%d", be, n), &state);
    if (rc) return rc;
    rc = libxl__xs_read_checked(gc, t, GCSPRINTF("%s/vdev-%d", be, n), &vdev);
    if (rc) return rc;

    rc = remove_device(gc, t, be, n);
    if (rc) return rc;
    rc = write_device(gc, t, be, n - 1, pci, GCSPRINTF("%d", state));
    if (rc || !vdev) return rc;
    return libxl__xs_write_checked(gc, t, GCSPRINTF("%s/vdev-%d", be, n - 1),
                                   vdev);
}

/* Which of the nodes outside of the record a transaction uses */
typedef enum {
    DIRS_ALL,
    /* Only those of Dom0, without the ones that its pciback writes all the
     * time, if the guest changes its state all the time. */
    DIRS_OURS,
    DIRS_NONE,
} dirs;

static int remove_directories(libxl__gc *gc, xs_transaction_t t,
                              const libxl__pci_record *rec, dirs which)
{
    int rc = 0;

    if (which == DIRS_ALL)
        rc = libxl__pci_remove_path(gc, t, frontend_path(gc, rec));
    if (!rc && which != DIRS_NONE)
        rc = libxl__pci_remove_path(gc, t, libxl__pci_backend_path(gc, rec));
    return rc;
}

static int remove_from_directory(libxl__gc *gc, xs_transaction_t t,
                                 const libxl__pci_record *rec,
                                 const libxl__pci_entry *entry, dirs which)
{
    const char *be = libxl__pci_backend_path(gc, rec), *there;
    int n, num, i, rc;

    if (which == DIRS_NONE) return 0;

    num = libxl__pci_record_exported(rec);
    if (num == 1) return remove_directories(gc, t, rec, which);

    /* An owner may have removed the directory: do not make it again. */
    rc = libxl__xs_read_checked(gc, t, be, &there);
    if (rc || !there) return rc;

    n = libxl__pci_record_index(rec, entry);
    rc = remove_device(gc, t, be, n);
    if (rc) return rc;
    for (i = entry + 1 - rec->entries; i < rec->num; i++) {
        if (!rec->entries[i].exported) continue;
        rc = move_device(gc, t, be, ++n, &rec->entries[i].pci);
        if (rc) return rc;
    }
    rc = libxl__xs_write_checked(gc, t, GCSPRINTF("%s/num_devs", be),
                                 GCSPRINTF("%d", num - 1));
    if (rc || which == DIRS_OURS) return rc;
    return go_on(gc, t, rec);
}

int libxl__pci_backend_commit(libxl__gc *gc, const libxl__pci_record *rec,
                              xs_transaction_t *t, int *tries)
{
    int rc = libxl__xs_transaction_commit(gc, t);

    if (rc <= 0 || ++*tries < TRIES) return rc;

    LOGD(ERROR, rec->domid, "domain %u%s writes without end to its xenstore"
         " nodes of PCI devices, so that they cannot be changed: find out what"
         " it does", rec->frontend, rec->owner == LIBXL_TOOLSTACK_DOMID ? "" :
         GCSPRINTF(" or domain %u", rec->owner));
    return ERROR_FAIL;
}

/* Unlike a transaction, this succeeds whoever writes there.  The directories
 * are all that those above them have. */
static void remove_at_once(libxl__gc *gc, const libxl__pci_record *rec)
{
    const char *path[] = {
        GCSPRINTF("/local/domain/%u/device/pci", rec->frontend),
        GCSPRINTF("/local/domain/%u/backend/pci/%u", rec->owner,
                  rec->frontend),
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(path); i++)
        libxl__xs_rm_checked(gc, XBT_NULL, path[i]); /* logs errors */
}

int libxl__pci_backend_forget(libxl__gc *gc, const libxl__pci_record *rec,
                              const libxl__pci_entry *entry)
{
    dirs which = entry && !entry->exported ? DIRS_NONE : DIRS_ALL;
    bool last = !entry || libxl__pci_record_exported(rec) == 1;
    xs_transaction_t t = XBT_NULL;
    int tries = 0, rc;

    for (;;) {
        rc = libxl__xs_transaction_start(gc, &t);
        if (rc) goto out;

        rc = entry ? remove_from_directory(gc, t, rec, entry, which) :
            remove_directories(gc, t, rec, which);
        if (rc && which == DIRS_OURS) {
            LOGED(ERROR, rec->domid, "cannot remove %s",
                  libxl__pci_backend_path(gc, rec));
            goto out;
        }
        if (!rc) {
            rc = entry ? libxl__pci_record_remove(gc, t, rec, entry) :
                libxl__pci_record_remove_all(gc, t, rec);
            if (rc) goto out;

            rc = libxl__xs_transaction_commit(gc, &t);
            if (!rc) break;
            if (rc < 0) goto out;
        }

        /* A node has vanished or changed under way. */
        libxl__xs_transaction_abort(gc, &t);
        if (which == DIRS_NONE || ++tries % TRIES) continue;
        if (last) remove_at_once(gc, rec);
        which = which == DIRS_ALL && rec->owner == LIBXL_TOOLSTACK_DOMID ?
            DIRS_OURS : DIRS_NONE;
        if (which == DIRS_NONE && !last)
            LOGD(WARN, rec->domid, "cannot remove the device from %s: what"
                 " other domains can write is left there",
                 libxl__pci_backend_path(gc, rec));
    }

 out:
    libxl__xs_transaction_abort(gc, &t);
    return rc;
}

/*
 * Waiting
 */

static void ready_waited(libxl__egc *egc, libxl__ev_devstate *ds, int rc);
static void release_connected(libxl__egc *egc, libxl__ev_devstate *ds,
                              int rc);
static void release_forced(libxl__egc *egc, libxl__ev_devstate *ds, int rc);
static void release_let_go(libxl__egc *egc, libxl__ev_devstate *ds, int rc);
static void close_let_go(libxl__egc *egc, libxl__ev_devstate *ds, int rc);
static void close_now(libxl__egc *egc, libxl__pci_backend_op *op);
static void op_waited(libxl__egc *egc, libxl__ev_devstate *ds, int rc);
static void op_done(libxl__egc *egc, libxl__pci_backend_op *op, int rc);

void libxl__pci_backend_init(libxl__pci_backend_op *op)
{
    libxl__ev_devstate_init(&op->ds);
    op->force = op->asked = false;
    op->entry = NULL;
}

static void op_set_deadline(libxl__gc *gc, libxl__pci_backend_op *op)
{
    libxl__gettimeofday(gc, &op->deadline);
    op->deadline.tv_sec += LIBXL__PCIBACK_MS / 1000;
}

/* Waits for a state of the backend until the deadline.  On error, calls
 * back at once. */
static void op_wait(libxl__egc *egc, libxl__pci_backend_op *op,
                    int state, libxl__ev_devstate_callback *callback)
{
    STATE_AO_GC(op->ao);
    struct timeval now;
    int ms, rc;

    libxl__gettimeofday(gc, &now);
    ms = (op->deadline.tv_sec - now.tv_sec) * 1000 +
        (op->deadline.tv_usec - now.tv_usec) / 1000;
    /* The clock may have been set. */
    if (ms > LIBXL__PCIBACK_MS) ms = LIBXL__PCIBACK_MS;

    rc = ms <= 0 ? ERROR_TIMEDOUT :
        libxl__ev_devstate_wait(ao, &op->ds, callback,
            GCSPRINTF("%s/state", libxl__pci_backend_path(gc, op->rec)),
            state, ms);
    if (rc) callback(egc, &op->ds, rc); /* must be last */
}

/* Nothing to wait for: no domain is left to answer. */
static bool op_idle(libxl__gc *gc, const libxl__pci_backend_op *op)
{
    return !libxl__pci_record_exported(op->rec) ||
        !libxl__pci_backend_answers(gc, op->rec);
}

/* Waits until pciback is connected.  Usually it is already: then no watch is
 * needed. */
static void op_wait_connected(libxl__egc *egc, libxl__pci_backend_op *op,
                              libxl__ev_devstate_callback *callback)
{
    STATE_AO_GC(op->ao);
    int state, rc;

    op_set_deadline(gc, op);
    rc = read_state(gc, XBT_NULL,
                    GCSPRINTF("%s/state",
                              libxl__pci_backend_path(gc, op->rec)),
                    &state);
    if (rc || state == XenbusStateConnected)
        callback(egc, &op->ds, rc); /* must be last */
    else
        op_wait(egc, op, XenbusStateConnected, callback); /* must be last */
}

void libxl__pci_backend_ready(libxl__egc *egc, libxl__pci_backend_op *op)
{
    STATE_AO_GC(op->ao);

    if (op_idle(gc, op)) {
        op_done(egc, op, 0); /* must be last */
        return;
    }
    op_wait_connected(egc, op, ready_waited); /* must be last */
}

static void ready_waited(libxl__egc *egc, libxl__ev_devstate *ds, int rc)
{
    libxl__pci_backend_op *op = CONTAINER_OF(ds, *op, ds);

    op_done(egc, op, rc); /* must be last */
}

void libxl__pci_backend_release(libxl__egc *egc, libxl__pci_backend_op *op)
{
    STATE_AO_GC(op->ao);

    op->asked = false;
    if (!op->entry->exported || op_idle(gc, op)) {
        op_done(egc, op, 0); /* must be last */
        return;
    }
    op_wait_connected(egc, op, release_connected); /* must be last */
}

/*
 * Asks pciback for a device, or, without an entry, for all devices, unless it
 * was asked before.  It was asked if the state of the device is Closing.  Both
 * states are written at once, so pciback had read Closing before it became
 * connected again.
 *
 * *gone_r: pciback has let go.  If not, op->asked: whether pciback was ready
 * to be asked.  By force: asks on behalf of the guest, which then cannot
 * change its state; op->closed: pciback had no connection to the guest.
 */
static int release_ask(libxl__gc *gc, libxl__pci_backend_op *op,
                       const libxl__pci_entry *entry, bool force,
                       bool *gone_r)
{
    const char *be = libxl__pci_backend_path(gc, op->rec), *there;
    const char *be_state = GCSPRINTF("%s/state", be);
    int first = entry ? libxl__pci_record_index(op->rec, entry) : 0;
    int end = entry ? first + 1 : libxl__pci_record_exported(op->rec);
    xs_transaction_t t = XBT_NULL;
    int state, n, tries = 0, rc;

    for (;;) {
        *gone_r = op->asked = false;

        rc = libxl__xs_transaction_start(gc, &t);
        if (rc) goto out;

        rc = libxl__xs_read_checked(gc, t, be, &there);
        if (rc) goto out;
        if (!there) {
            *gone_r = true;
            goto out;
        }
        rc = read_state(gc, t, be_state, &state);
        if (rc) goto out;
        if (state == XenbusStateConnected) {
            for (n = first; n < end; n++) {
                rc = read_state(gc, t, GCSPRINTF("%s/state-%d", be, n),
                                &state);
                if (rc) goto out;
                if (state != XenbusStateClosing) break;
            }
            *gone_r = n == end;
            if (*gone_r) goto out;
        } else if (!force) {
            goto out;
        }
        op->closed = state == XenbusStateClosed;

        for (n = first; n < end; n++) {
            rc = libxl__xs_write_checked(gc, t,
                GCSPRINTF("%s/state-%d", be, n),
                GCSPRINTF("%d", XenbusStateClosing));
            if (rc) goto out;
        }
        rc = libxl__xs_write_checked(gc, t, be_state,
            GCSPRINTF("%d", XenbusStateReconfiguring));
        if (rc) goto out;
        if (force) {
            rc = seize_state(gc, t, op->rec, LIBXL_TOOLSTACK_DOMID,
                             XenbusStateReconfiguring);
            if (rc) goto out;
        }
        op->asked = true;

        rc = libxl__pci_backend_commit(gc, op->rec, &t, &tries);
        if (!rc) break;
        if (rc < 0) goto out;
        /* The guest is not to come between again. */
        if (force && tries == 1)
            set_writer(gc, XBT_NULL, op->rec, LIBXL_TOOLSTACK_DOMID);
    }

 out:
    libxl__xs_transaction_abort(gc, &t);
    return rc;
}

static void release_connected(libxl__egc *egc, libxl__ev_devstate *ds, int rc)
{
    libxl__pci_backend_op *op = CONTAINER_OF(ds, *op, ds);
    STATE_AO_GC(op->ao);
    bool gone, was_asked = op->asked;

    if (rc == ERROR_TIMEDOUT && op->force) {
        rc = release_ask(gc, op, op->entry, true, &gone);
        if (!rc && !gone) {
            op_set_deadline(gc, op);
            op_wait(egc, op, XenbusStateReconfigured,
                    release_forced); /* must be last */
            return;
        }
    }
    if (rc) goto out;

    rc = release_ask(gc, op, op->entry, false, &gone);
    if (rc || gone) goto out;

    /* Restart the deadline, but only once. */
    if (op->asked && !was_asked) op_set_deadline(gc, op);
    op->asked |= was_asked;
    op_wait(egc, op, XenbusStateConnected,
            release_connected); /* must be last */
    return;

 out:
    op_waited(egc, ds, rc); /* must be last */
}

/*
 * If the frontend's state is invalid, the kernel takes the backend away from
 * pciback.  pciback then lets go of all devices and sets be=Closed, and no
 * longer answers.
 */
static int release_closed(libxl__gc *gc, libxl__pci_backend_op *op)
{
    int rc = seize_state(gc, XBT_NULL, op->rec, op->rec->frontend,
                         XenbusStateClosed);

    return rc ?: libxl__xs_write_checked(gc, XBT_NULL,
        GCSPRINTF("%s/state", libxl__pci_backend_path(gc, op->rec)),
        GCSPRINTF("%d", XenbusStateClosed));
}

static void release_forced(libxl__egc *egc, libxl__ev_devstate *ds, int rc)
{
    libxl__pci_backend_op *op = CONTAINER_OF(ds, *op, ds);
    STATE_AO_GC(op->ao);

    if (rc == ERROR_TIMEDOUT && op->closed) {
        op_done(egc, op, release_closed(gc, op)); /* must be last */
        return;
    }
    if (!rc)
        rc = seize_state(gc, XBT_NULL, op->rec, op->rec->frontend,
                         XenbusStateConnected);
    if (rc) {
        op_waited(egc, ds, rc); /* must be last */
        return;
    }
    op_wait(egc, op, XenbusStateConnected,
            release_let_go); /* must be last */
}

/* The guest may change its state at once, and pciback follows. */
static void release_let_go(libxl__egc *egc, libxl__ev_devstate *ds, int rc)
{
    op_waited(egc, ds, rc == ERROR_TIMEDOUT ? 0 : rc); /* must be last */
}

/* Whether the guest can react */
static bool frontend_runs(libxl__gc *gc, const libxl__pci_record *rec)
{
    libxl_dominfo info;
    bool runs;

    libxl_dominfo_init(&info);
    runs = !libxl_domain_info(CTX, &info, rec->frontend) && !info.paused &&
        !info.shutdown && !info.dying;
    libxl_dominfo_dispose(&info);
    return runs;
}

/*
 * Ask a running guest first, so that its drivers stop the devices.  Otherwise
 * a device that cannot be reset would continue what it was doing.
 */
void libxl__pci_backend_close(libxl__egc *egc, libxl__pci_backend_op *op)
{
    STATE_AO_GC(op->ao);
    bool gone;

    if (op_idle(gc, op)) {
        op_done(egc, op, 0); /* must be last */
        return;
    }
    if (frontend_runs(gc, op->rec) &&
        !release_ask(gc, op, NULL, false, &gone) && op->asked) {
        op_set_deadline(gc, op);
        op_wait(egc, op, XenbusStateConnected,
                close_let_go); /* must be last */
        return;
    }
    close_now(egc, op); /* must be last */
}

static void close_let_go(libxl__egc *egc, libxl__ev_devstate *ds, int rc)
{
    libxl__pci_backend_op *op = CONTAINER_OF(ds, *op, ds);

    /* Even if the guest has not let go, do not wait any longer. */
    close_now(egc, op); /* must be last */
}

static void close_now(libxl__egc *egc, libxl__pci_backend_op *op)
{
    STATE_AO_GC(op->ao);
    const char *be = libxl__pci_backend_path(gc, op->rec), *there;
    xs_transaction_t t = XBT_NULL;
    int tries = 0, rc;

    /* It is being destroyed, and is not to come between. */
    if (xc_domain_pause(CTX->xch, op->rec->frontend))
        LOGED(ERROR, op->rec->frontend, "xc_domain_pause failed");

    for (;;) {
        rc = libxl__xs_transaction_start(gc, &t);
        if (rc) goto out;
        rc = libxl__xs_read_checked(gc, t, be, &there);
        if (rc || !there) goto out;

        rc = libxl__xs_write_checked(gc, t, GCSPRINTF("%s/online", be), "0");
        if (rc) goto out;
        rc = libxl__xs_write_checked(gc, t,
            GCSPRINTF("%s/state", frontend_path(gc, op->rec)),
            GCSPRINTF("%d", XenbusStateClosed));
        if (rc) goto out;

        rc = libxl__pci_backend_commit(gc, op->rec, &t, &tries);
        if (!rc) break;
        if (rc < 0) goto out;
    }
    op_set_deadline(gc, op);
    op_wait(egc, op, XenbusStateClosed, op_waited); /* must be last */
    return;

 out:
    libxl__xs_transaction_abort(gc, &t);
    op_done(egc, op, rc); /* must be last */
}

static void op_waited(libxl__egc *egc, libxl__ev_devstate *ds, int rc)
{
    libxl__pci_backend_op *op = CONTAINER_OF(ds, *op, ds);

    /* Without a directory, pciback has let go of all devices. */
    op_done(egc, op, rc == ERROR_INVAL ? 0 : rc); /* must be last */
}

static void op_done(libxl__egc *egc, libxl__pci_backend_op *op, int rc)
{
    op->callback(egc, op, rc); /* must be last */
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
