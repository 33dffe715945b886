/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What Linux does about the PCI devices of guests: xen-pciback in the domain
 * that owns them, xen-pcifront in each guest, and the xenbus core below both.
 * They see xenstore as their domains do, and act when a watch fires, one
 * event at a time.
 *
 * Each function is named as its counterpart in Linux is, as far as there is
 * one: drivers/xen/xen-pciback/xenbus.c, drivers/pci/xen-pcifront.c,
 * drivers/xen/xenbus/xenbus_probe*.c.
 */

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenstore.h>
#include <xen/io/xenbus.h>

#include "standin.h"

#define DRIVERS_MAX 8
#define GUESTS_MAX  64
#define EXPORTS_MAX 32

/* Devices that pciback has for a guest.  Processes that write to sysfs in the
 * server see it, too. */
static struct export {
    char sbdf[16]; /* "": not in use */
    int guest;
} *exports;

/*
 * A driver, of which there is one for a domain: pciback, or pcifront.  Its
 * devices: for pciback one for each guest, for pcifront one.
 */
struct device {
    bool known; /* to the bus */
    bool leaving; /* its driver is to be removed from it */
    char otherend[96]; /* "": not known yet */
};

struct driver {
    int domid;
    bool back;
    pcifront_mood mood;
    struct xs_handle *xs;
    struct device devices[GUESTS_MAX];
};

static struct driver drivers[DRIVERS_MAX];
static int num_drivers;

static void __attribute__((constructor)) exports_init(void)
{
    exports = mmap(NULL, EXPORTS_MAX * sizeof(*exports),
                   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(exports != MAP_FAILED);
}

/*
 * xenstore
 */

static const char *node_of(const struct driver *d, int guest)
{
    static char path[96];

    if (d->back)
        snprintf(path, sizeof(path), "/local/domain/%d/backend/pci/%d/0",
                 d->domid, guest);
    else
        snprintf(path, sizeof(path), "/local/domain/%d/device/pci/0",
                 d->domid);
    return path;
}

/* Valid until the next call; NULL if there is none */
static const char *read_at(const struct driver *d, const char *dir,
                           const char *node)
{
    static char *value;
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", dir, node);
    free(value);
    value = xs_read(d->xs, XBT_NULL, path, NULL);
    return value;
}

static void __attribute__((format(printf, 4, 5)))
write_at(const struct driver *d, const char *dir, const char *node,
         const char *fmt, ...)
{
    char path[160], value[64];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    snprintf(path, sizeof(path), "%s/%s", dir, node);
    xs_write(d->xs, XBT_NULL, path, value, strlen(value));
}

static int read_int(const struct driver *d, const char *dir,
                    const char *node, int otherwise)
{
    const char *value = read_at(d, dir, node);
    int number;

    return value && sscanf(value, "%d", &number) == 1 ? number : otherwise;
}

static int read_driver_state(const struct driver *d, const char *dir)
{
    return read_int(d, dir, "state", XenbusStateUnknown);
}

static void switch_state(const struct driver *d, int guest, int state)
{
    const char *node = node_of(d, guest);

    /* What the toolstack has removed is not made anew. */
    if (!read_at(d, node, "state")) return;
    if (read_driver_state(d, node) != state)
        write_at(d, node, "state", "%d", state);
}

/*
 * pciback
 */

int pciback_guest(const char *sbdf)
{
    int i;

    for (i = 0; i < EXPORTS_MAX; i++)
        if (!strcmp(exports[i].sbdf, sbdf))
            return exports[i].guest;
    return -1;
}

void pciback_unbound(const char *sbdf)
{
    int i;

    for (i = 0; i < EXPORTS_MAX; i++)
        if (!strcmp(exports[i].sbdf, sbdf)) {
            if (sysfs_exists(sbdf))
                standin_crime("%s is taken from pciback while domain %d has"
                              " it\n", sbdf, exports[i].guest);
            exports[i].sbdf[0] = '\0';
        }
}

static bool export_device(struct driver *d, int guest, int i)
{
    char name[24], sbdf[16];
    const char *value;
    int e;

    snprintf(name, sizeof(name), "dev-%d", i);
    value = read_at(d, node_of(d, guest), name);
    snprintf(sbdf, sizeof(sbdf), "%s", value ? value : "");
    /* It may be with another guest, or with another driver. */
    if (pciback_guest(sbdf) >= 0 || strcmp(sysfs_driver(sbdf), "pciback")) {
        switch_state(d, guest, XenbusStateClosing);
        return false;
    }
    for (e = 0; exports[e].sbdf[0]; e++)
        assert(e < EXPORTS_MAX - 1);
    exports[e].guest = guest;
    strcpy(exports[e].sbdf, sbdf);
    snprintf(name, sizeof(name), "vdev-%d", i);
    write_at(d, node_of(d, guest), name, "0000:00:%02x.00", i);
    snprintf(name, sizeof(name), "state-%d", i);
    write_at(d, node_of(d, guest), name, "%d", XenbusStateInitialised);
    return true;
}

static bool remove_device(struct driver *d, int guest, int i)
{
    char name[24];
    const char *value;
    int e;

    snprintf(name, sizeof(name), "dev-%d", i);
    value = read_at(d, node_of(d, guest), name);
    for (e = 0; e < EXPORTS_MAX; e++)
        if (value && exports[e].guest == guest &&
            !strcmp(exports[e].sbdf, value)) {
            exports[e].sbdf[0] = '\0';
            return true;
        }
    /* "Could not locate the device" */
    return false;
}

static void release_devices(int guest)
{
    int e;

    for (e = 0; e < EXPORTS_MAX; e++)
        if (exports[e].guest == guest)
            exports[e].sbdf[0] = '\0';
}

/* Once, before a frontend is connected to */
static void attach(struct driver *d, int guest)
{
    if (read_driver_state(d, node_of(d, guest)) != XenbusStateInitialised ||
        read_driver_state(d, d->devices[guest].otherend) !=
        XenbusStateInitialised)
        return;
    if (!read_at(d, d->devices[guest].otherend, "pci-op-ref")) {
        switch_state(d, guest, XenbusStateClosing);
        return;
    }
    switch_state(d, guest, XenbusStateConnected);
}

static void reconfigure(struct driver *d, int guest, int state)
{
    int i, num, substate;
    char name[24];

    if (read_driver_state(d, node_of(d, guest)) != state) return;
    num = read_int(d, node_of(d, guest), "num_devs", -1);
    if (num < 0) {
        switch_state(d, guest, XenbusStateClosing);
        return;
    }
    for (i = 0; i < num; i++) {
        snprintf(name, sizeof(name), "state-%d", i);
        substate = read_int(d, node_of(d, guest), name, XenbusStateUnknown);
        if (substate == XenbusStateInitialising) {
            if (!export_device(d, guest, i)) return;
        } else if (substate == XenbusStateClosing) {
            if (!remove_device(d, guest, i)) return;
        }
    }
    if (state == XenbusStateReconfiguring)
        switch_state(d, guest, XenbusStateReconfigured);
}

static void setup_backend(struct driver *d, int guest)
{
    int i, num = read_int(d, node_of(d, guest), "num_devs", -1);

    if (num < 0) {
        switch_state(d, guest, XenbusStateClosing);
        return;
    }
    for (i = 0; i < num; i++)
        if (!export_device(d, guest, i))
            return;
    switch_state(d, guest, XenbusStateInitialised);
    attach(d, guest);
}

/* The watch on the backend's own directory */
static void be_watch(struct driver *d, int guest)
{
    switch (read_driver_state(d, node_of(d, guest))) {
    case XenbusStateInitWait:
        setup_backend(d, guest);
        break;
    case XenbusStateInitialised:
        reconfigure(d, guest, XenbusStateInitialised);
        break;
    default:
        break;
    }
}

static void frontend_changed(struct driver *d, int guest, int state)
{
    switch (state) {
    case XenbusStateInitialised:
        attach(d, guest);
        break;
    case XenbusStateReconfiguring:
        reconfigure(d, guest, XenbusStateReconfiguring);
        break;
    case XenbusStateConnected:
        switch_state(d, guest, XenbusStateConnected);
        break;
    case XenbusStateClosing:
        switch_state(d, guest, XenbusStateClosing);
        break;
    case XenbusStateClosed:
        switch_state(d, guest, XenbusStateClosed);
        if (read_int(d, node_of(d, guest), "online", 0)) break;
        /* fallthrough */
    case XenbusStateUnknown:
        /* What that releases is released after the state has been seen. */
        d->devices[guest].leaving = true;
        break;
    default:
        break;
    }
}

/*
 * pcifront
 */

static void pcifront_detach_devices(struct driver *d)
{
    if (read_driver_state(d, node_of(d, 0)) == XenbusStateConnected)
        switch_state(d, 0, XenbusStateReconfiguring);
}

static void pcifront_attach_devices(struct driver *d)
{
    if (read_driver_state(d, node_of(d, 0)) == XenbusStateReconfiguring)
        switch_state(d, 0, XenbusStateConnected);
}

static void backend_changed(struct driver *d, int state)
{
    switch (state) {
    case XenbusStateConnected:
        if (read_driver_state(d, node_of(d, 0)) == XenbusStateInitialised)
            switch_state(d, 0, XenbusStateConnected);
        break;
    case XenbusStateClosing:
    case XenbusStateClosed:
        if (read_driver_state(d, node_of(d, 0)) < XenbusStateClosing)
            switch_state(d, 0, XenbusStateClosed);
        break;
    case XenbusStateReconfiguring:
        pcifront_detach_devices(d);
        break;
    case XenbusStateReconfigured:
        pcifront_attach_devices(d);
        break;
    default:
        break;
    }
}

/*
 * The xenbus core
 */

static void watch(struct driver *d, const char *path, const char *what,
                  int guest, bool on)
{
    char token[32];

    snprintf(token, sizeof(token), "%s %d", what, guest);
    if (on)
        xs_watch(d->xs, path, token);
    else
        xs_unwatch(d->xs, path, token);
}

static void otherend_watch(struct driver *d, int guest, bool on)
{
    char path[112];

    snprintf(path, sizeof(path), "%s/state", d->devices[guest].otherend);
    watch(d, path, "otherend", guest, on);
}

static void otherend_changed(struct driver *d, int guest)
{
    int state = read_driver_state(d, d->devices[guest].otherend);

    if (d->back)
        frontend_changed(d, guest, state);
    else
        backend_changed(d, state);
}

static void dev_probe(struct driver *d, int guest)
{
    struct device *dev = &d->devices[guest];
    const char *otherend;

    if (read_driver_state(d, node_of(d, guest)) != XenbusStateInitialising)
        return;
    otherend = read_at(d, node_of(d, guest),
                       d->back ? "frontend" : "backend");
    if (!otherend) return;
    snprintf(dev->otherend, sizeof(dev->otherend), "%s", otherend);
    dev->known = true;
    if (d->back) {
        switch_state(d, guest, XenbusStateInitWait);
        watch(d, node_of(d, guest), "be", guest, true);
    } else {
        write_at(d, node_of(d, 0), "pci-op-ref", "8");
        write_at(d, node_of(d, 0), "event-channel", "9");
        write_at(d, node_of(d, 0), "magic", "7");
        switch_state(d, 0, XenbusStateInitialised);
    }
    otherend_watch(d, guest, true);
}

static void dev_remove(struct driver *d, int guest)
{
    struct device *dev = &d->devices[guest];

    otherend_watch(d, guest, false);
    if (d->back) {
        watch(d, node_of(d, guest), "be", guest, false);
        release_devices(guest);
    }
    dev->known = dev->leaving = false;
    if (read_driver_state(d, node_of(d, guest)) == XenbusStateClosing)
        switch_state(d, guest, XenbusStateClosed);
}

/* The watch on the directory of all devices of a driver */
static void dev_changed(struct driver *d, const char *path)
{
    int guest = 0;
    char *node;

    if (d->back &&
        (sscanf(path, "/local/domain/%*d/backend/pci/%d/0", &guest) != 1 ||
         guest < 0 || guest >= GUESTS_MAX))
        return;
    node = xs_read(d->xs, XBT_NULL, node_of(d, guest), NULL);
    free(node);
    if (node && !d->devices[guest].known)
        dev_probe(d, guest);
    else if (!node && d->devices[guest].known)
        dev_remove(d, guest);
}

/* Whoever removes a directory need not tell of each node in it. */
static void all_changed(struct driver *d)
{
    int guest;

    for (guest = 0; guest < GUESTS_MAX; guest++)
        if (d->devices[guest].known)
            dev_changed(d, node_of(d, guest));
}

static bool driver_step(struct driver *d)
{
    int guest, before;
    char **event;

    if (!d->xs || d->mood == PCIFRONT_PAUSED) return false;
    before = standin_domid;
    standin_domid = d->domid;
    fault_spared = true;

    for (guest = 0; guest < GUESTS_MAX; guest++)
        if (d->devices[guest].leaving) {
            dev_remove(d, guest);
            goto did;
        }

    event = xs_check_watch(d->xs);
    if (!event) {
        fault_spared = false;
        standin_domid = before;
        return false;
    }
    if (sscanf(event[XS_WATCH_TOKEN], "otherend %d", &guest) == 1) {
        if (d->devices[guest].known) otherend_changed(d, guest);
    } else if (sscanf(event[XS_WATCH_TOKEN], "be %d", &guest) == 1) {
        if (d->devices[guest].known) be_watch(d, guest);
    } else {
        dev_changed(d, event[XS_WATCH_PATH]);
        all_changed(d);
    }
    free(event);

did:
    fault_spared = false;
    standin_domid = before;
    return true;
}

/*
 * For the tests: see standin.h
 */

static struct driver *driver_get(int domid, bool back)
{
    struct driver *d;
    int before = standin_domid;
    char root[64];

    for (d = drivers; d < drivers + num_drivers; d++)
        if (d->domid == domid && d->back == back)
            return d;
    assert(num_drivers < DRIVERS_MAX);
    num_drivers++;
    memset(d, 0, sizeof(*d));
    d->domid = domid;
    d->back = back;
    standin_domid = domid;
    d->xs = xs_open(0);
    snprintf(root, sizeof(root), "/local/domain/%d/%s", domid,
             back ? "backend/pci" : "device/pci");
    watch(d, root, "root", 0, true);
    standin_domid = before;
    return d;
}

void pciback_start(int domid)
{
    driver_get(domid, true)->mood = PCIFRONT_GOOD;
}

void pcifront_set(int domid, pcifront_mood mood)
{
    struct driver *d = driver_get(domid, false);

    d->mood = mood;
    if (mood == PCIFRONT_NONE) {
        xs_close(d->xs);
        *d = drivers[--num_drivers];
    }
}

void pciback_reset(void)
{
    while (num_drivers)
        xs_close(drivers[--num_drivers].xs);
    memset(exports, 0, EXPORTS_MAX * sizeof(*exports));
}

bool pciback_step(void)
{
    bool any = false;
    int i;

    for (i = 0; i < num_drivers; i++)
        if (driver_step(&drivers[i]))
            any = true;
    return any;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
