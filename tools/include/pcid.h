/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Constants of the pcid protocol: how a toolstack domain asks the domain
 * that owns the PCI devices to act on them.
 *
 * docs/misc/pcid-protocol.pandoc is the authority; section numbers below
 * refer to it.  Nothing here depends on an operating system.
 */

#ifndef PCID_H
#define PCID_H

/* Version (section 4).  A client and a server must agree on the major. */
#define PCID_VERSION_MAJOR       1
#define PCID_VERSION_MINOR       0

/* Xenstore (section 2).  Nodes below a domain's home, and the designation. */
#define PCID_XS_DIR              "data/pcid"
#define PCID_XS_LENT             "data/pcid-lent"
#define PCID_XS_REQUESTED        "requested"
#define PCID_XS_OFFERED          "offered"
#define PCID_XS_REFUSED          "refused: "     /* followed by the reason */
#define PCID_XS_OWNER            "/libxl/pcid/domid"

/*
 * Limits (section 6).
 *
 * The longest request that the commands below can make is under 300 bytes.
 * A reply lists at most some ten thousand devices, 15 bytes each.
 */
#define PCID_REQUEST_MAX         4096            /* bytes, with the end */
#define PCID_REPLY_MAX           (512 * 1024)    /* bytes, with the end */
#define PCID_DEPTH_MAX           8               /* nesting of JSON values */
#define PCID_DRIVER_MAX          64              /* bytes in a driver name */
#define PCID_DESC_MAX            512             /* bytes in an error's text */
#define PCID_CONN_NAME_MAX       12              /* bytes in a channel name */
#define PCID_CONNS_MAX           256             /* connections, in all */
#define PCID_CONNS_PER_CLIENT     64             /* and for each domain */
#define PCID_IN_FLIGHT_MAX       16              /* requests a connection */
#define PCID_PENDING_PER_CLIENT  1024            /* and for each domain */

/*
 * Times (section 6), in milliseconds.  A server that is dead is reported
 * within 10 s; one that serves many clients at once needs some of that.
 */
#define PCID_SILENCE_MS          7000            /* without a sign of life */
#define PCID_PROGRESS_MS         1000            /* between two signs */
#define PCID_OPERATION_MS        120000          /* request to its reply */
#define PCID_STALL_MS            10000           /* peer takes no byte */
#define PCID_IDLE_MS             600000          /* peer says nothing */

/* Keys of messages (sections 3 to 5) */
#define PCID_MSG_GREETING        "pcid"
#define PCID_MSG_VERSION         "version"
#define PCID_MSG_MAJOR           "major"
#define PCID_MSG_MINOR           "minor"
#define PCID_MSG_FEATURES        "features"
#define PCID_MSG_EXECUTE         "execute"
#define PCID_MSG_ARGUMENTS       "arguments"
#define PCID_MSG_ID              "id"
#define PCID_MSG_RETURN          "return"
#define PCID_MSG_PROGRESS        "progress"
#define PCID_MSG_ERROR           "error"
#define PCID_MSG_CLASS           "class"
#define PCID_MSG_ERRNO           "errno"
#define PCID_MSG_STEP            "step"
#define PCID_MSG_DESC            "desc"

/* Commands (section 5) */
#define PCID_CMD_LS              "ls"
#define PCID_CMD_EXISTS          "exists"
#define PCID_CMD_READ_HEX        "read_hex"
#define PCID_CMD_READ_RESOURCES  "read_resources"
#define PCID_CMD_WRITE           "write"
#define PCID_CMD_UNBIND          "unbind"
#define PCID_CMD_RESET           "reset"
/* ... and those that are features of the greeting */
#define PCID_CMD_QUERY           "query"
#define PCID_CMD_ASSIGN          "assign"
#define PCID_CMD_UNASSIGN        "unassign"
#define PCID_CMD_LEND            "lend"
#define PCID_CMD_TAKE_BACK       "take_back"

/* Features that are no commands: an argument of lend */
#define PCID_FEATURE_INTERRUPT_CONTROL "interrupt_control"

/* Arguments */
#define PCID_ARG_SBDF            "sbdf"
#define PCID_ARG_DIR_ID          "dir_id"
#define PCID_ARG_ATTR_ID         "attr_id"
#define PCID_ARG_FILE_ID         "file_id"
#define PCID_ARG_DRIVER          "driver"
#define PCID_ARG_RESET           "reset"
#define PCID_ARG_PERMISSIVE      "permissive"
#define PCID_ARG_INTERRUPT_CONTROL "interrupt_control"

/* Keywords: dir_id */
#define PCID_DIR_PCI_DEVICES     "pci_devices"
#define PCID_DIR_PCIBACK_DRIVER  "pciback_driver"
#define PCID_DIR_PCIBACK_SLOTS   "pciback_slots"

/* Keywords: attr_id */
#define PCID_ATTR_VENDOR         "vendor"
#define PCID_ATTR_DEVICE         "device"
#define PCID_ATTR_CLASS          "class"
#define PCID_ATTR_IRQ            "irq"
#define PCID_ATTR_GSI            "gsi"

/* The largest values of these attributes */
#define PCID_ATTR_ID_MAX         0xffff /* vendor, device */
#define PCID_ATTR_CLASS_MAX      0xffffff
#define PCID_ATTR_IRQ_MAX        0x7fffffff
#define PCID_GSI_MAX             0xffff

/* Keywords: file_id */
#define PCID_FILE_NEW_SLOT       "pciback_new_slot"
#define PCID_FILE_BIND           "pciback_bind"
#define PCID_FILE_REMOVE_SLOT    "pciback_remove_slot"
#define PCID_FILE_PERMISSIVE     "pciback_permissive"
#define PCID_FILE_DRIVER_BIND    "driver_bind"

/* Members of the values that commands return */
#define PCID_RET_DRIVER          "driver"
#define PCID_RET_ASSIGNED        "assigned"
#define PCID_RET_PCIBACK         "pciback"
#define PCID_RET_VENDOR          "vendor"
#define PCID_RET_DEVICE          "device"
#define PCID_RET_CLASS           "class"
#define PCID_RET_FUNCTIONS       "functions"
#define PCID_RET_FUNCTIONS_ASSIGNED "functions_assigned"
#define PCID_RET_RESOURCES       "resources"
#define PCID_RET_GSI             "gsi"
#define PCID_RET_RESET           "reset"
#define PCID_RET_INTERRUPT_CONTROL "interrupt_control"
#define PCID_RET_START           "start"
#define PCID_RET_END             "end"
#define PCID_RET_FLAGS           "flags"

/* Resources: how many a device has (six BARs, the expansion ROM), flags */
#define PCID_RESOURCES           7
#define PCID_RESOURCE_IO         0x1u
#define PCID_RESOURCE_MEM        0x2u
#define PCID_RESOURCE_PREFETCH   0x4u
#define PCID_RESOURCE_64BIT      0x8u
#define PCID_RESOURCE_KNOWN      0xfu
#define PCID_RESOURCE_ADDR_MAX   ((1ULL << 52) - 1)

/* Error classes (section 4) */
#define PCID_CLASS_BAD_MESSAGE   "BadMessage"
#define PCID_CLASS_BAD_COMMAND   "CommandNotFound"
#define PCID_CLASS_BAD_ARGUMENT  "InvalidArgument"
#define PCID_CLASS_NO_DEVICE     "DeviceNotFound"
#define PCID_CLASS_NO_PCIBACK    "PcibackNotLoaded"
#define PCID_CLASS_BUSY          "TooManyRequests"
#define PCID_CLASS_UNSUPPORTED   "NotSupported"
#define PCID_CLASS_FAILED        "OperationFailed"

/* Steps at which assign, unassign and lend can fail (section 5) */
#define PCID_STEP_UNBIND         "unbind"
#define PCID_STEP_FIND_SLOT      "find_slot"
#define PCID_STEP_BIND           "bind"
#define PCID_STEP_REMOVE_SLOT    "remove_slot"
#define PCID_STEP_PERMISSIVE     "permissive"
#define PCID_STEP_ACCESS         "access"

#endif /* PCID_H */

/*
 * Local variables:
 * mode: C
 * c-file-style: "linux"
 * indent-tabs-mode: nil
 * End:
 */
