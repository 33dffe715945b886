/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Making PCI devices assignable: for libxl_pci*.c, after libxl_internal.h.
 */

#ifndef LIBXL_PCI_ASSIGNABLE_H
#define LIBXL_PCI_ASSIGNABLE_H

/*
 * A command that makes a device assignable, or gives it back.  Without an
 * owner, it needs no ao: the request is then carried out at once, and the
 * callback is called before the function returns.
 */
typedef struct libxl__pci_assignable libxl__pci_assignable;
typedef void libxl__pci_assignable_callback(libxl__egc *egc,
                                            libxl__pci_assignable *pa,
                                            int rc);

struct libxl__pci_assignable {
    /* filled by the caller */
    libxl__ao *ao;             /* or NULL: then egc is not used */
    libxl__gc *gc;             /* of the ao, if any */
    libxl_device_pci *pci;
    bool rebind;
    libxl__pci_assignable_callback *callback;
    /* private */
    libxl__hostpci_op op;
    int lock;
    bool remembered;           /* by this command: which driver to rebind to */
    bool quarantine;           /* has been lifted */
    bool gone;                 /* the device is no longer there */
};

/*
 * Makes a device assignable.  The caller holds its lock, has checked that no
 * guest has it, and has the owner's answer to a query.
 */
_hidden void libxl__pci_assignable_seize(libxl__egc *egc,
                                         libxl__pci_assignable *pa,
                                         const libxl__hostpci_op *query);

/*
 * Fills in the device that has the name pci->name.  ERROR_NOTFOUND: no device
 * has that name; not logged.
 */
_hidden int libxl__pci_assignable_name(libxl__gc *gc, libxl_device_pci *pci);

/* A request about a device, as libxl__hostpci_op_start does it.  backend:
 * INVALID_DOMID, or that of the guest that has the device.  _to: to the owner
 * that the caller has found designated, or, if that is INVALID_DOMID, nobody
 * else. */
_hidden void libxl__pci_request(libxl__egc *egc, libxl__hostpci_op *op,
                                libxl__ao *ao, libxl_domid backend,
                                libxl__hostpci_command command,
                                const libxl_device_pci *pci,
                                libxl__hostpci_callback *callback);
_hidden void libxl__pci_request_to(libxl__egc *egc, libxl__hostpci_op *op,
                                   libxl__ao *ao, libxl_domid owner,
                                   libxl__hostpci_command command,
                                   const libxl_device_pci *pci,
                                   libxl__hostpci_callback *callback);

#endif /* LIBXL_PCI_ASSIGNABLE_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
