/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What libxl runs on in these tests, in place of Xen and Linux:
 *
 *   standin-fault.c      errors to order, in any of those below
 *   standin-evtchn.c     libxenevtchn, libxengnttab; libxenvchan on top of
 *                        them is the real one
 *   standin-xenstore.c   libxenstore, with permissions, watches, transactions
 *   standin-xc.c         the few functions of libxenctrl that are needed
 *   standin-sysfs.c      files of the PCI bus and of pciback, in a directory
 *                        of our own
 *
 * All domains are in one process; standin_domid says in which of them we are
 * at the moment.  Domain 0 is the only privileged one.  harness.h has the loop
 * that makes them take turns, and the clock.
 */

#ifndef STANDIN_H
#define STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The domain that calls.  Set by the harness. */
extern int standin_domid;

/*
 * For who makes and ends channels by the million: file descriptors and pages
 * that are closed are kept for the next who needs one, which saves most of
 * the system calls.  The price: that they are closed is not seen by poll(),
 * and that a page is unmapped by AddressSanitizer only.
 */
extern bool standin_reuse;

/* An eventfd to be read from in non-blocking mode, and its end */
int standin_eventfd(void);
void standin_eventfd_close(int fd);

/*
 * Faults
 *
 * An operation is named as the function is ("xs_write", "open", ...); the
 * names in use are found by looking for fault_take.  `what' is the path, the
 * device or whatever else the operation is about.
 */
#define FAULT_BLOCK (-1) /* sysfs, write: does not return until released */
#define FAULT_DIE   (-2) /* sysfs, write: the process dies */
#define FAULT_SHORT (-3) /* vchan, read and write: one byte at a time */

/* The operation fails with errnoval `times' times, after it has worked `skip'
 * times, if `match' is part of `what'.  Returns a number for the fault. */
int fault_inject(const char *op, const char *match, int errnoval, int skip,
                 int times);
/* Which domain faults strike in from now on; -1: any */
extern int fault_domid;
/* How often the fault has struck */
int fault_hits(int fault);
/* Lets what is blocked by a fault go on. */
void fault_release(int fault);
void faults_clear(void);

/* For the stand-ins: 0, or what is to happen, with errno set to it. */
int fault_take(const char *op, const char *what);
/* Waits in a process of its own until released. */
void fault_block(void);

/* Processes that are blocked; becomes readable when that changes */
int fault_blocked(void);
int fault_wake_fd(void);
void fault_wake_clear(void);

/*
 * Event channels and grants
 */

/* How many there are; to see that none is left. */
int evtchn_count(void);
int grant_count(void);

/*
 * Xenstore
 */

/* Empties it, and makes domain 0. */
void store_reset(void);
/* As a toolstack does: the home of a domain, and "data" in it. */
void store_add_domain(int domid);
void store_remove_domain(int domid);

/* These check no permissions, and are as if done by domain 0. */
const char *store_get(const char *path); /* NULL if there is none */
void store_put(const char *path, const char *value);
void store_rm(const char *path);
/* The nth child of a node, or NULL */
const char *store_child(const char *path, int n);

int store_handles(void);
int store_watches(void);
int store_nodes(void);

/* The next n transactions that are committed fail with EAGAIN. */
void store_conflicts(int n);

/*
 * libxenctrl
 */

/* What was called, one line each, such as "assign 0x0018 to 0x7ff1". */
extern char xc_log[4096];
/* Domains that exist, by a bit mask. */
extern uint64_t xc_domains;

/*
 * sysfs
 */

/* Makes an empty PCI bus, with or without pciback, and with drivers e1000
 * and nvme. */
void sysfs_reset(bool pciback);
void sysfs_cleanup(void);
/* Adds a device; native: its driver; bound: to which driver, or NULL. */
void sysfs_add_device(const char *sbdf, const char *native,
                      const char *bound);
void sysfs_remove_device(const char *sbdf);
/* Writes a file below /sys/bus/pci, or removes it if text is NULL. */
void sysfs_put(const char *path, const char *text);
/* Makes a symbolic link below /sys/bus/pci. */
void sysfs_link(const char *path, const char *target);
/* The driver that a device is bound to, or "" */
const char *sysfs_driver(const char *sbdf);
/* The slots of pciback, a line each */
const char *sysfs_slots(void);
/* What has been written to which file, a line each; and forgets it. */
const char *sysfs_writes(void);
/* How often that domain has accessed what is below /sys/bus/pci */
int sysfs_accesses(int domid);

#endif /* STANDIN_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
