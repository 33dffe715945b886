/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Host PCI access: what libxl asks of the domain that owns the PCI
 * devices, in terms of devices (SBDF) and keywords, never of paths.
 *
 *   libxl_pci*.c             policy: what to do with which device
 *        |
 *   libxl_hostpci.c          decides for each request, by the designation:
 *        |            \
 *        | direct      \ through the owner
 *        |              libxl_pcid_client.c ~~vchan~~ libxl_pcid_server.c
 *        |                                                 |
 *   libxl__hostpci_perform   (in this process, or in the owner's daemon)
 *        |
 *   libxl_pci_linux.c        requests to sysfs
 *
 * A request and the reply to it are the same structures all the way; what
 * they mean, and what can be asked, is specified in section 5 of
 * docs/misc/pcid-protocol.pandoc.
 *
 * This is a part of libxl_internal.h, which includes it.
 */

#ifndef LIBXL_HOSTPCI_H
#define LIBXL_HOSTPCI_H

#include <pcid.h>

typedef struct {
    uint16_t domain;    /* the PCI segment */
    uint8_t bus;
    uint8_t dev;        /* 0 to 31 */
    uint8_t func;       /* 0 to 7 */
} libxl__pci_sbdf;

#define LIBXL__SBDF_FMT "%04x:%02x:%02x.%x"
#define LIBXL__SBDF_ARG(s) (s).domain, (s).bus, (s).dev, (s).func

/*
 * Reads an SBDF, which has to be the whole string, in its one form
 * ("0000:03:1f.7", lower case).  Returns false, and leaves *sbdf_r alone,
 * if it is anything else.
 */
_hidden bool libxl__pci_sbdf_parse(const char *s, libxl__pci_sbdf *sbdf_r);

_hidden bool libxl__pci_sbdf_equal(const libxl__pci_sbdf *a,
                                   const libxl__pci_sbdf *b);

/*
 * Whether this can be the name of a driver: it is used as one component of
 * a path, so it must not be able to lead elsewhere.
 */
_hidden bool libxl__pci_driver_ok(const char *name);

typedef enum {
    LIBXL__HOSTPCI_CMD_LS,
    LIBXL__HOSTPCI_CMD_EXISTS,
    LIBXL__HOSTPCI_CMD_READ_HEX,
    LIBXL__HOSTPCI_CMD_READ_RESOURCES,
    LIBXL__HOSTPCI_CMD_WRITE,
    LIBXL__HOSTPCI_CMD_UNBIND,
    LIBXL__HOSTPCI_CMD_RESET,
    LIBXL__HOSTPCI_CMD_QUERY,
    LIBXL__HOSTPCI_CMD_ASSIGN,
    LIBXL__HOSTPCI_CMD_UNASSIGN,
    LIBXL__HOSTPCI_CMD_LEND,
    LIBXL__HOSTPCI_CMD_TAKE_BACK,
    LIBXL__HOSTPCI_COMMANDS /* how many there are */
} libxl__hostpci_command;

typedef enum {
    LIBXL__HOSTPCI_DIR_PCI_DEVICES,
    LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER,
    LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS,
} libxl__hostpci_dir;

typedef enum {
    LIBXL__HOSTPCI_ATTR_VENDOR,
    LIBXL__HOSTPCI_ATTR_DEVICE,
    LIBXL__HOSTPCI_ATTR_CLASS,
    LIBXL__HOSTPCI_ATTR_IRQ,
    LIBXL__HOSTPCI_ATTR_GSI,
} libxl__hostpci_attr;

typedef enum {
    LIBXL__HOSTPCI_FILE_NEW_SLOT,
    LIBXL__HOSTPCI_FILE_BIND,
    LIBXL__HOSTPCI_FILE_REMOVE_SLOT,
    LIBXL__HOSTPCI_FILE_PERMISSIVE,
    LIBXL__HOSTPCI_FILE_DRIVER_BIND,
} libxl__hostpci_file;

/* Classes of errors; 0 is none. */
typedef enum {
    LIBXL__HOSTPCI_OK,
    LIBXL__HOSTPCI_BAD_MESSAGE,
    LIBXL__HOSTPCI_BAD_COMMAND,
    LIBXL__HOSTPCI_BAD_ARGUMENT,
    LIBXL__HOSTPCI_NO_DEVICE,
    LIBXL__HOSTPCI_NO_PCIBACK,
    LIBXL__HOSTPCI_BUSY,
    LIBXL__HOSTPCI_UNSUPPORTED,
    LIBXL__HOSTPCI_FAILED,
} libxl__hostpci_class;

/* The step at which assign, unassign or lend failed. */
typedef enum {
    LIBXL__HOSTPCI_STEP_NONE, /* before anything was changed */
    LIBXL__HOSTPCI_STEP_UNBIND,
    LIBXL__HOSTPCI_STEP_FIND_SLOT,
    LIBXL__HOSTPCI_STEP_BIND,
    LIBXL__HOSTPCI_STEP_REMOVE_SLOT,
    LIBXL__HOSTPCI_STEP_PERMISSIVE,
    LIBXL__HOSTPCI_STEP_ACCESS,
} libxl__hostpci_step;

typedef struct {
    uint64_t start, end;     /* both 0 if there is no such resource */
    uint32_t flags;          /* PCID_RESOURCE_* */
} libxl__hostpci_resource;

/* What a guest must be allowed to use for it to drive a device. */
typedef struct {
    libxl__hostpci_resource resources[PCID_RESOURCES];
    uint32_t gsi;            /* legacy interrupt, as the hypervisor
                              * numbers it; 0 if there is none */
} libxl__hostpci_access;

typedef struct {
    libxl__hostpci_command command;
    libxl__hostpci_dir dir;      /* LS, EXISTS */
    libxl__hostpci_attr attr;    /* READ_HEX */
    libxl__hostpci_file file;    /* WRITE */
    libxl__pci_sbdf sbdf;        /* all but LS */
    const char *driver;          /* WRITE to DRIVER_BIND */
    bool reset;                  /* LEND, TAKE_BACK: the device, too */
    bool permissive;             /* LEND */
    bool interrupt_control;      /* LEND: let a device model enable the
                                  * device's interrupts, MSI included */
} libxl__hostpci_request;

typedef struct {
    /* If the request failed, these; the result is then undefined. */
    libxl__hostpci_class class;
    int errnoval;
    libxl__hostpci_step step;
    const char *desc;            /* one line, printable, not empty */
    /* The result: which member depends on the command. */
    libxl__pci_sbdf *sbdfs;      /* LS */
    int num_sbdfs;
    bool exists;                 /* EXISTS */
    uint64_t value;              /* READ_HEX */
    libxl__hostpci_access access; /* READ_RESOURCES (no gsi), LEND */
    const char *driver;          /* UNBIND, QUERY, ASSIGN: or NULL */
    bool assigned;               /* QUERY, ASSIGN, UNASSIGN: to pciback,
                                  * before the request was carried out */
    bool pciback;                /* QUERY: is it loaded? */
    uint32_t vendor, device, class_code; /* QUERY */
    unsigned functions;          /* QUERY: bit N: the function N of the same
                                  * device is there, ... */
    unsigned assigned_functions; /* QUERY: ... and assigned to pciback */
    const char *reset_failed;    /* LEND, TAKE_BACK: one line, printable,
                                  * why the device could not be reset; or
                                  * NULL */
    bool no_reset;               /* LEND, TAKE_BACK: a reset was asked for,
                                  * but the kernel has no way to do it */
    bool interrupt_control;      /* LEND: it was asked for, and the kernel
                                  * (Linux from 5.6 on) has it */
} libxl__hostpci_reply;

/*
 * Carries a request out on the devices of the domain we run in.  Blocks
 * for as long as the kernel does.  Every part of the request has been
 * checked.  What *reply points to comes from the gc.
 *
 * In two parts: `work' may be done in a process that was forked, where
 * neither hypercalls nor xenstore can be used; `finish' adds to its reply,
 * if that is no error, what takes them, and does not block.
 */
_hidden void libxl__hostpci_perform(libxl__gc *gc,
                                    const libxl__hostpci_request *request,
                                    libxl__hostpci_reply *reply);
_hidden void libxl__hostpci_work(libxl__gc *gc,
                                 const libxl__hostpci_request *request,
                                 libxl__hostpci_reply *reply);
_hidden void libxl__hostpci_finish(libxl__gc *gc,
                                   const libxl__hostpci_request *request,
                                   libxl__hostpci_reply *reply);

/* From now on the calling process, which `process' has forked for `work', ends
 * when that does, as soon as the kernel comes back. */
_hidden void libxl__hostpci_end_with(pid_t process);

/*
 * Lets domid use what a guest must be allowed to use for it to drive a
 * device: the memory, the ports and the legacy interrupt.  The domain we
 * run in has to have the right to that itself.
 *
 * Stops at the first error, revokes what has been granted of *own, and
 * returns ERROR_FAIL, with errno set; *what_r then says in one line what
 * failed.  That is not logged.
 * *own: *access without what domid may have for another device already: see
 * libxl__pci_access_subtract.
 */
_hidden int libxl__pci_access_grant(libxl__gc *gc, libxl_domid domid,
                                    const libxl__hostpci_access *access,
                                    const libxl__hostpci_access *own,
                                    const char **what_r);

/*
 * The reverse.  Does all it can: what fails is logged, and ERROR_FAIL
 * returned at the end.
 */
_hidden int libxl__pci_access_revoke(libxl__gc *gc, libxl_domid domid,
                                     const libxl__hostpci_access *access);

/*
 * Takes out of *access what another device needs, too: the interrupt, and
 * memory of less than a page, in the same page.
 */
_hidden void libxl__pci_access_subtract(libxl__hostpci_access *access,
                                        const libxl__hostpci_access *other);

/* The form in which the driver of a device is remembered in xenstore. */
_hidden char *libxl__hostpci_driver_path(libxl__gc *gc,
                                         const char *driver);

/*
 * Fills in the error of a reply: desc is the text, and, if errnoval is
 * not 0, ": " and what it stands for.
 */
_hidden void libxl__hostpci_fail(libxl__gc *gc,
                                 libxl__hostpci_reply *reply,
                                 libxl__hostpci_class class, int errnoval,
                                 const char *fmt, ...)
                                 PRINTF_ATTRIBUTE(5, 6);

/*
 * A request to the owner of the host's PCI devices, as an ao
 * sub-operation.
 *
 * If no owner is designated, the request is carried out at once, in this
 * process.  Otherwise it is sent to the designated domain, over a
 * connection that the ctx keeps; if that cannot be done, the request
 * fails: it is never carried out anywhere else.
 *
 * If the request is about a device that a guest has, the owner is the
 * domain that it has it from, whoever is designated by now: op->backend.
 * If that is our own domain, and it is not designated, the request is
 * carried out in this process.
 *
 * The requests of one command that belong together go to one owner, for whom
 * the caller has asked once: op->decided.
 *
 * libxl__hostpci_op_init:   Undefined/Idle -> Idle, with no backend set
 * libxl__hostpci_op_start:  Idle -> Active
 *    May call callback before it returns.
 * libxl__hostpci_op_stop:   Idle/Active -> Idle
 *    The callback will not be called any more.  A request that was sent is
 *    carried out nevertheless.
 * callback:                 When called: Active -> Idle
 *
 * How long it takes is bounded: see the times in pcid.h.
 *
 * rc in the callback:
 *   0              done; the result is in op->reply
 *   ERROR_FAIL     it was tried and failed; op->reply says how.  Nothing
 *                  has been logged: see libxl__hostpci_log.
 *   ERROR_PCI_OWNER_UNREACHABLE
 *                  the owner did not answer, or not as it should; this has
 *                  been logged.  If the request changes something, it is
 *                  not known whether that was done.
 *   ERROR_ABORTED  the ao is being aborted
 */
typedef struct libxl__hostpci_op libxl__hostpci_op;
typedef void libxl__hostpci_callback(libxl__egc *egc,
                                     libxl__hostpci_op *op, int rc);

typedef XEN_TAILQ_HEAD(libxl__hostpci_ops, libxl__hostpci_op)
    libxl__hostpci_ops;

struct libxl__hostpci_op {
    /* filled by the caller */
    libxl__ao *ao;
    libxl__hostpci_request request;
    libxl_domid backend;  /* or INVALID_DOMID: whoever is designated */
    bool decided;         /* by the caller, who has set owner */
    libxl__hostpci_callback *callback;
    /* results, valid from the callback on; memory from the ao */
    libxl__hostpci_reply reply;
    libxl_domid owner;    /* who was asked; INVALID_DOMID: we ourselves */
    /* private to libxl_pcid_client.c */
    struct libxl__pcid_client *client;
    libxl__hostpci_ops *list;
    XEN_TAILQ_ENTRY(libxl__hostpci_op) entry;
    libxl__ev_time deadline;
    struct timeval started;
    int64_t id;
    bool sent, retried;
};

_hidden void libxl__hostpci_op_init(libxl__hostpci_op *op);
_hidden void libxl__hostpci_op_start(libxl__egc *egc,
                                     libxl__hostpci_op *op);
_hidden void libxl__hostpci_op_stop(libxl__gc *gc, libxl__hostpci_op *op);

/*
 * For functions without an ao: whether no owner is designated, so that a
 * request can be carried out in place, with no need of the ctx lock; and
 * that.  Returns what the callback would get.
 */
_hidden bool libxl__hostpci_direct(libxl__gc *gc);
_hidden int libxl__hostpci_op_direct(libxl__gc *gc, libxl__hostpci_op *op);

/*
 * Logs the error that op->reply tells of, naming the owner if it is
 * another domain than ours.
 */
_hidden void libxl__hostpci_log(libxl__gc *gc,
                                const libxl__hostpci_op *op);

/* Closes the connections of a ctx; when it is freed. */
_hidden void libxl__pcid_clients_dispose(libxl__gc *gc);

/*
 * The designation of the owner: a node that only privileged domains can
 * write.  What any other domain says of itself is of no account.
 */

/* *owner_r: INVALID_DOMID if none is designated, or if we cannot see it
 * because our domain is no toolstack domain. */
_hidden int libxl__pci_owner_get(libxl__gc *gc, libxl_domid *owner_r);

/*
 * Whether a domain that does not exist yet could be designated:
 * ERROR_DEVICE_EXISTS if another is, which is then in *other_r.
 */
_hidden int libxl__pci_owner_vacant(libxl__gc *gc, libxl_domid *other_r);

/*
 * Designates a domain.  Unless `replace', refuses (ERROR_DEVICE_EXISTS) if
 * another domain, which exists, is designated; that one is then in
 * *other_r.  ERROR_NI: our domain is no toolstack domain.
 */
_hidden int libxl__pci_owner_designate(libxl__gc *gc, libxl_domid domid,
                                       bool replace, libxl_domid *other_r);

/* Withdraws the designation if it is that of this domain. */
_hidden int libxl__pci_owner_withdraw(libxl__gc *gc, libxl_domid domid);

/* The hardware domain; *domid_r: INVALID_DOMID if Xen does not tell */
_hidden int libxl__hardware_domain_get(libxl__gc *gc,
                                       libxl_domid *domid_r);

#endif /* LIBXL_HOSTPCI_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
