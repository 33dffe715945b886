/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The toolstack's own record of which guest has which PCI device, and the
 * locks under which it is changed.  What libxl decides by, it reads here:
 * the directories of backend and frontend belong to other domains.
 *
 * In xenstore, where only privileged domains can write:
 *
 *   /libxl/GUEST/device/pci/0/dev-N  the guest's devices, N from 0 on
 *                                    without gaps, in the order in which
 *                                    they were attached: a JSON object each
 *   /libxl/pci/SBDF/domid            the guest that has the device
 *
 * A device is claimed for a guest, and given up, by writing both in one
 * transaction that checks what was there.  The second node alone means
 * nothing: it counts if that guest exists, and its record has the device.
 *
 * An entry tells how far a command has come, so that the next one can go on
 * from there if that was killed:
 *
 *   ATTACHING   access:   none, or perhaps granted, and assigned
 *               exported: never, except to a stubdomain
 *   ATTACHED    all of it
 *   DETACHING   what is still there of access, exported; the owner may still
 *               lend the device
 *
 * Entries change only under the guest's lock.  An entry that is ATTACHING or
 * DETACHING when a command gets the lock is left of one that was killed or
 * has failed.
 *
 * This is for libxl_pci*.c, after libxl_internal.h.
 */

#ifndef LIBXL_PCI_RECORD_H
#define LIBXL_PCI_RECORD_H

typedef enum {
    LIBXL__PCI_ATTACHING,
    LIBXL__PCI_ATTACHED,
    LIBXL__PCI_DETACHING,
} libxl__pci_progress;

typedef struct {
    libxl_device_pci pci;        /* what it points to is from the gc */
    libxl__pci_progress progress;
    bool has_access;             /* what the guest may have been granted: */
    libxl__hostpci_access access;
    bool exported;               /* has a number in the backend directory */
    bool in_dm;                  /* not in xenstore: the device model may
                                  * have it; as read, it may */
} libxl__pci_entry;

typedef struct {
    libxl_domid domid;           /* the guest */
    libxl_domid frontend;        /* the guest, or its stubdomain */
    libxl_domid owner;           /* the backend of all its devices, or
                                  * INVALID_DOMID if it has none */
    bool found;                  /* not found: of a guest that has no record
                                  * (libxl before it kept any), from Dom0's
                                  * backend directory; no access is known */
    libxl__pci_entry *entries;
    int num;
} libxl__pci_record;

/* So many entries fit into the default quota of xenstored. */
#define LIBXL__PCI_RECORD_MAX 256

/*
 * Reads the record of a guest.  If there is no record, that is not an error,
 * and num is 0.  The devices of a stubdomain are those of its guest, in the
 * guest's record.  An error is logged, and leaves *rec empty.
 */
_hidden int libxl__pci_record_read(libxl__gc *gc, xs_transaction_t t,
                                   libxl_domid domid,
                                   libxl__pci_record *rec);

/*
 * As libxl__pci_record_read, at the end of a guest: if its record cannot be
 * read, it loses its claims.
 */
_hidden int libxl__pci_record_read_last(libxl__gc *gc, libxl_domid domid,
                                        libxl__pci_record *rec);

/* Whether a domain is the stubdomain of another, *target_r */
_hidden bool libxl__pci_stubdom_of(libxl__gc *gc, libxl_domid domid,
                                   libxl_domid *target_r);

/* The entry of a device, or NULL. */
_hidden libxl__pci_entry *
libxl__pci_record_find(const libxl__pci_record *rec,
                       const libxl_device_pci *pci);

/* The number of an exported entry in the backend directory */
_hidden int libxl__pci_record_index(const libxl__pci_record *rec,
                                    const libxl__pci_entry *entry);
/* The number of devices in the backend directory */
_hidden int libxl__pci_record_exported(const libxl__pci_record *rec);

/*
 * Adds an entry, ATTACHING, at the end of *rec, for a device that no guest
 * has.
 *
 * ERROR_DEVICE_EXISTS: *holder_r has the device.  Other errors are logged.  On
 * error, nothing has changed.
 */
_hidden int libxl__pci_record_claim(libxl__gc *gc, libxl__pci_record *rec,
                                    const libxl_device_pci *pci,
                                    libxl_domid owner,
                                    libxl_domid *holder_r);

/*
 * Writes an entry as *rec has it, in a transaction of the caller's, or, if t
 * is XBT_NULL, one of its own.  ERROR_DOMAIN_NOTFOUND: the record is gone,
 * and so is the guest.
 */
_hidden int libxl__pci_record_update(libxl__gc *gc, xs_transaction_t t,
                                     libxl__pci_record *rec,
                                     const libxl__pci_entry *entry);

/* The access of an entry, without what another entry needs, too */
_hidden libxl__hostpci_access
libxl__pci_record_own(const libxl__pci_record *rec,
                      const libxl__pci_entry *entry);

/*
 * Grants the access of an entry: to the frontend, and to the guest if that is
 * another domain.  As libxl__pci_access_grant.  If nothing was granted, clears
 * the access of the entry.
 */
_hidden int libxl__pci_record_grant(libxl__gc *gc,
                                    const libxl__pci_record *rec,
                                    libxl__pci_entry *entry,
                                    libxl_domid domid, const char **what_r);

/*
 * Removes an entry, and the claim with it, from xenstore, in the caller's
 * transaction; with the last one the record goes.  *rec is unchanged.
 */
_hidden int libxl__pci_record_remove(libxl__gc *gc, xs_transaction_t t,
                                     const libxl__pci_record *rec,
                                     const libxl__pci_entry *entry);
/* The same for all entries */
_hidden int libxl__pci_record_remove_all(libxl__gc *gc, xs_transaction_t t,
                                         const libxl__pci_record *rec);
/* Removes an entry from *rec. */
_hidden void libxl__pci_record_forget(libxl__pci_record *rec,
                                      libxl__pci_entry *entry);

/* The guest that has a device, or INVALID_DOMID */
_hidden int libxl__pci_record_holder(libxl__gc *gc, xs_transaction_t t,
                                     const libxl_device_pci *pci,
                                     libxl_domid *holder_r);

/*
 * The lock of a device that no guest has: only one command at a time can make
 * the device assignable, give it back or claim it.  The kernel releases the
 * lock when the process ends.
 *
 * libxl__pci_lock_device:    -> *fd_r.  Does not wait: ERROR_NOT_READY if
 *                            another command holds the lock; logged.
 * libxl__pci_unlock_device:  may be called if the lock is not held, *fd < 0
 */
_hidden int libxl__pci_lock_device(libxl__gc *gc, const libxl_device_pci *pci,
                                   int *fd_r);
_hidden void libxl__pci_unlock_device(libxl__gc *gc,
                                      const libxl_device_pci *pci, int *fd);

/*
 * The lock of a guest: only one command at a time attaches or detaches its
 * devices, or takes them from it at its end.
 *
 * libxl__ev_pcilock_init:     Undefined/Idle -> Idle
 * libxl__ev_pcilock_lock:     Idle -> Active.  May call callback before it
 *                             returns.
 * libxl__ev_pcilock_release:  any -> Idle
 * callback: once; Active -> Held, or, on error, which has been logged, Idle:
 *   ERROR_NOT_READY         another command has held it for too long
 *   ERROR_DOMAIN_NOTFOUND   there is no such domain
 */
typedef struct libxl__ev_pcilock libxl__ev_pcilock;
struct libxl__ev_pcilock {
    /* filled by the caller */
    libxl__ao *ao;
    libxl_domid domid;
    void (*callback)(libxl__egc *egc, libxl__ev_pcilock *lock, int rc);
    /* private */
    libxl__ev_slowlock slow;
    libxl__ev_time deadline;
};
_hidden void libxl__ev_pcilock_init(libxl__ev_pcilock *lock);
_hidden void libxl__ev_pcilock_lock(libxl__egc *egc,
                                    libxl__ev_pcilock *lock);
_hidden void libxl__ev_pcilock_release(libxl__gc *gc,
                                       libxl__ev_pcilock *lock);

/*
 * What else is known of a device, by its node below /libxl/pci/SBDF: "name",
 * "driver_path".  Reading returns NULL if there is none.
 */
_hidden int libxl__pci_info_write(libxl__gc *gc, const libxl_device_pci *pci,
                                  const char *node, const char *value);
_hidden char *libxl__pci_info_read(libxl__gc *gc,
                                   const libxl_device_pci *pci,
                                   const char *node);
_hidden void libxl__pci_info_remove(libxl__gc *gc,
                                    const libxl_device_pci *pci,
                                    const char *node);

/*
 * Removes a directory, if it exists, and then the empty directories above it.
 */
_hidden int libxl__pci_remove_path(libxl__gc *gc, xs_transaction_t t,
                                   const char *path);

/*
 * Whether xc_deassign_device() failed because the domain does not have the
 * device (it may be gone), or is not one that can have any.
 */
static inline bool libxl__pci_unassigned(int errnoval)
{
    return errnoval == ENODEV || errnoval == EOPNOTSUPP;
}

/* The directory that these, and the claim, are in */
#define LIBXL__PCI_INFO_DIR "/libxl/pci"
#define LIBXL__PCI_INFO_FMT "%04x-%02x-%02x-%01x"

#define LIBXL__PCI_ARG(pci) (pci)->domain, (pci)->bus, (pci)->dev, (pci)->func

#endif /* LIBXL_PCI_RECORD_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
