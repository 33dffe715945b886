/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What libxl runs on in these tests, in place of Xen and Linux:
 *
 *   standin-fault.c      errors to order, in any of those below
 *   standin-evtchn.c     libxenevtchn, libxengnttab; libxenvchan on top of
 *                        them is the real one
 *   standin-xenstore.c   libxenstore, with permissions, watches, transactions
 *   standin-arch.c       what of libxl depends on the architecture
 *   standin-xc.c         the few functions of libxenctrl that are needed,
 *                        with what Xen keeps of domains and devices
 *   standin-roles.c      libxenmanage, where Xen has it
 *   standin-sysfs.c      files of the PCI bus and of pciback, and those that
 *                        libxl has of its own, in a directory of our own
 *   standin-pciback.c    what Linux does about the devices of guests: pciback
 *                        in the owner, pcifront in each guest
 *   standin-dm.c         the device models of HVM guests
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
/* The process that calls, so that it can be killed.  0: any that is not. */
extern int standin_process;
/* If set, called before each operation that can fail: see fault_inject. */
extern void (*standin_step)(const char *op, const char *what);

/* What nobody may ever do, whoever asks for it, a line each: for instance to
 * reset a device under the guest that uses it. */
void standin_crime(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
const char *standin_crimes(void);
void standin_crimes_clear(void);

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
 * An operation is named as the function is ("xs_write", "open", ...).
 * standin-fault.c has the list; a name that is not in it ends the program.
 * `what' is the path, the device or whatever else the operation is about.
 */
#define FAULT_BLOCK (-1) /* sysfs, write: does not return until released */
#define FAULT_DIE   (-2) /* sysfs, write: the process dies */
#define FAULT_SHORT (-3) /* vchan, read and write: one byte at a time;
                          * "pipe_write": only one arrives */
#define FAULT_LOST  (-4) /* "pipe_write": nothing arrives, */
#define FAULT_OTHER (-5) /* or an empty object */

/* The operation fails with errnoval `times' times, after it has worked `skip'
 * times, if `match' is part of `what'.  Returns a number for the fault. */
int fault_inject(const char *op, const char *match, int errnoval, int skip,
                 int times);
/* Which domain faults strike in from now on; -1: any */
extern int fault_domid;
/* Set while what runs is to be spared. */
extern bool fault_spared;
/* How often the fault has struck */
int fault_hits(int fault);
/* Lets what is blocked by a fault go on. */
void fault_release(int fault);
void faults_clear(void);

/* For the stand-ins: 0, or what is to happen, with errno set to it. */
int fault_take(const char *op, const char *what);
/* Waits in a process of its own until released. */
void fault_block(void);
/* In a process of its own: something has changed that fault_blocked tells. */
void fault_wake(void);

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
/* How many of a domain's file descriptors for them this process has: a child
 * process has those of its parent. */
int evtchn_fds(int domid);
/* What the kernel does with those of a process that is killed */
void evtchn_kill(int process);

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
/* Closes the connections of a process that is killed. */
void store_kill(int process);

/* The next n transactions that are committed fail with EAGAIN. */
void store_conflicts(int n);
/* That domain writes without end to all that it may write, unless it is
 * paused: transactions of domain 0 that use such a node fail.  0: none does. */
void store_writer(int domid);
/* Somebody writes the node `path' without end, from when the toolstack uses the
 * other on: transactions of domain 0 that use both fail. */
void store_busy(const char *path, const char *with);

/*
 * libxenctrl
 */

/* What was called, one line each, such as "assign 0000:03:00.0 0x7ff1". */
extern char xc_log[4096];
/* Domains that exist, by a bit mask. */
extern uint64_t xc_domains;

/* No domain but 0, and nothing is refused. */
void xc_reset(void);
/* From now on Xen refuses what it does not allow.  That domain owns the
 * devices, and may use all there is. */
void xc_strict(int hardware_domain);
/* flags: XEN_DOMINF_... */
void xc_add_domain(int domid, uint32_t flags);
void xc_set_flags(int domid, uint32_t flags);
bool xc_paused(int domid);
void xc_remove_domain(int domid);
/* Whom Xen has given the hardware; -1: it does not tell.  From Xen 4.21 on. */
extern int xc_hardware_domain;
extern int xenmanage_handles;
/* The device has gone from the machine. */
void xc_forget_device(const char *sbdf);
/* Whom a device is assigned to */
int xc_device_domain(const char *sbdf);
bool xc_may_page(int domid, unsigned long page);
/* All that a domain may use, in words; "" if nothing */
const char *xc_rights(int domid);

/*
 * The architecture
 */

/* Whether there are I/O ports and GSIs, as on x86.  There this can be cleared,
 * to see what libxl does where there are none; and set again. */
extern bool arch_x86;
/* Whether libxl's own functions for this architecture do.  What differs on an
 * architecture that has no ports is theirs to see to. */
bool arch_real(void);
/* Without what does not exist then, of calls, a line each, or of rights, as
 * xc_rights() has them */
const char *here(const char *all);

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
bool sysfs_exists(const char *sbdf);
/* Gives a device memory and ports of its own: all have the same otherwise. */
void sysfs_set_bars(const char *sbdf, unsigned long memory,
                    unsigned int ports);
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

/*
 * Files of libxl, in /var/lib/xen and /run/xen
 */

/* Called by who waits for another's lock; to return when it may be free. */
extern void (*files_lock_wait)(void);
/* How many of them this process has open: see evtchn_fds. */
int files_open(void);
/* Processes that wait for a lock that another has */
int files_waiting(void);
/* A process that has ended waits no longer. */
void files_child_ended(pid_t pid);
/* Closes what a process that is killed has open, and so unlocks it. */
void files_kill(int process);

/*
 * pciback and pcifront
 */

typedef enum {
    PCIFRONT_NONE,   /* no driver: a guest that is dead, or has none */
    PCIFRONT_GOOD,
    PCIFRONT_PAUSED, /* will go on */
} pcifront_mood;

/* Starts pciback in a domain. */
void pciback_start(int domid);
/* Starts a guest's pcifront, or changes how it behaves. */
void pcifront_set(int domid, pcifront_mood mood);
/* Ends all of them. */
void pciback_reset(void);
/* Lets them do what they have to.  Returns whether there was anything. */
bool pciback_step(void);
/* The guest that pciback has a device for, or -1 */
int pciback_guest(const char *sbdf);
/* The driver has lost a device: somebody has unbound it. */
void pciback_unbound(const char *sbdf);

/*
 * Device models
 *
 * Faults: "device_add" and "device_del" (the guest does not let go), and
 * "qmp" with a command: it is carried out, but not answered.
 */

/* None has any device. */
void dm_reset(void);
/* How many devices that of a guest has */
int dm_devices(int guest);
/* It ends, and so has none. */
void dm_end(int guest);

#endif /* STANDIN_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
