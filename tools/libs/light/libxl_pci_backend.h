/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The directories of a guest's PCI devices that pciback and pcifront read,
 * and the handshake with these two.
 *
 *   /local/domain/OWNER/backend/pci/FRONTEND/0
 *   /local/domain/FRONTEND/device/pci/0
 *
 * FRONTEND is the guest, or its stubdomain.  The first can be written by the
 * owner of the devices, the second by the frontend: of both, only states are
 * read, and checked.  The record (libxl_pci_record.h) says what there is;
 * exported entries have the numbers 0, 1, ... in the backend's directory.
 *
 * What pciback does as the states of the two directories change (be, fe),
 * and of a device in the former (state-N):
 *
 *   a device more     toolstack: state-N=Initialising, be=Reconfiguring
 *   a device less     toolstack: state-N=Closing, be=Reconfiguring
 *      the guest sets fe=Reconfiguring, upon which pciback adds and removes
 *      devices and sets be=Reconfigured; the guest sets fe=Connected, and
 *      pciback be=Connected
 *   the end           fe=Closed and online=0: pciback sets be=Closed, and lets
 *                     go of all devices
 *
 * This is for libxl_pci*.c, after libxl_pci_record.h.
 */

#ifndef LIBXL_PCI_BACKEND_H
#define LIBXL_PCI_BACKEND_H

_hidden char *libxl__pci_backend_path(libxl__gc *gc,
                                      const libxl__pci_record *rec);

/*
 * Whether there is a frontend, of a PV guest or of a stubdomain.  Without one,
 * do not wait for pciback.
 */
_hidden bool libxl__pci_backend_answers(libxl__gc *gc,
                                        const libxl__pci_record *rec);

/*
 * Adds a device after the exported ones, in the caller's transaction, and
 * marks its entry as exported.  For the first device, makes the directories.
 * If `running', tells pciback and the frontend of any further device.
 */
_hidden int libxl__pci_backend_add(libxl__gc *gc, xs_transaction_t t,
                                   libxl__pci_record *rec,
                                   libxl__pci_entry *entry, bool running);

/*
 * Commits a transaction that has used nodes in these directories, as
 * libxl__xs_transaction_commit() does.  A guest or an owner that writes there
 * without end makes each try fail: so ERROR_FAIL, and a message, after many.
 * tries: how many have failed, 0 before the first.
 */
_hidden int libxl__pci_backend_commit(libxl__gc *gc,
                                      const libxl__pci_record *rec,
                                      xs_transaction_t *t, int *tries);

/*
 * The last step of detaching a device, when pciback has let go of it: removes
 * its nodes in the directory together with its record, and, with the last
 * device, the directories.  Without an entry: does so for all devices.
 *
 * A guest, or an owner that is another domain, can make each try fail by
 * writing there all the time, or by making the pciback of Dom0 do so.  After
 * many, this removes the directories before the record; or, if other devices
 * are still there, warns, and removes the record: libxl does not decide by
 * what is left in the directory.  In that of Dom0, nothing is left before
 * that has been tried as often, too.
 */
_hidden int libxl__pci_backend_forget(libxl__gc *gc,
                                      const libxl__pci_record *rec,
                                      const libxl__pci_entry *entry);

/*
 * Waiting for pciback, as ao sub-operations.  An op carries out one of them at
 * a time.  Each takes at most LIBXL__PCIBACK_MS; release and close take at
 * most twice that, and release with `force' four times that.
 *
 * libxl__pci_backend_init:     Undefined/Idle -> Idle
 * libxl__pci_backend_ready:    waits until pciback is connected.
 * libxl__pci_backend_release:  asks pciback to let go of a device, and waits
 *     until it has.  With `force', and a guest that does not take part, the
 *     toolstack sets the state of the frontend, and the guest cannot, until
 *     pciback has answered.
 * libxl__pci_backend_close:    makes pciback let go of all devices, whatever
 *     the guest does.  A guest that runs is asked first, and then paused: it
 *     is being destroyed.
 *     All three: Idle -> Active; may call callback before they return.
 * callback: Active -> Idle.  rc:
 *   0               done, or nothing to wait for: the backend does not exist
 *                   any more, or no domain is left to answer
 *   ERROR_INVAL     ready: the backend does not exist any more; not logged
 *   ERROR_TIMEDOUT  not in time; not logged
 *   ERROR_ABORTED   the ao is being aborted
 *   any other       has been logged
 */
#define LIBXL__PCIBACK_MS 10000

typedef struct libxl__pci_backend_op libxl__pci_backend_op;
typedef void libxl__pci_backend_callback(libxl__egc *egc,
                                         libxl__pci_backend_op *op, int rc);

struct libxl__pci_backend_op {
    /* filled by the caller */
    libxl__ao *ao;
    libxl__pci_record *rec;
    libxl__pci_entry *entry;   /* release */
    bool force;                /* release */
    libxl__pci_backend_callback *callback;
    /* private */
    libxl__ev_devstate ds;
    struct timeval deadline;
    bool asked, closed;
};

_hidden void libxl__pci_backend_init(libxl__pci_backend_op *op);
_hidden void libxl__pci_backend_ready(libxl__egc *egc,
                                      libxl__pci_backend_op *op);
_hidden void libxl__pci_backend_release(libxl__egc *egc,
                                        libxl__pci_backend_op *op);
_hidden void libxl__pci_backend_close(libxl__egc *egc,
                                      libxl__pci_backend_op *op);

#endif /* LIBXL_PCI_BACKEND_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
