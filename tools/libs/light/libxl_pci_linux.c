/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Host PCI access on Linux: carries requests out by means of sysfs.  This
 * is the only place in libxl that knows the files of the PCI bus and of
 * pciback.
 *
 * The files are described in Linux's
 * Documentation/ABI/testing/sysfs-bus-pci and sysfs-driver-pciback.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <sys/prctl.h>

#include "libxl_internal.h"
#include "libxl_arch.h"

#define SYSFS_PCI_DRIVERS "/sys/bus/pci/drivers"

/* Flags in a device's "resource" file (Linux's include/linux/ioport.h) */
#define IORESOURCE_IO        0x00000100
#define IORESOURCE_MEM       0x00000200
#define IORESOURCE_PREFETCH  0x00002000
#define IORESOURCE_MEM_64    0x00100000

/* The longest attribute that is read: "resource", 13 lines of 57 bytes. */
#define ATTRIBUTE_MAX 1024

#define FAIL(class_, errnoval_, ...)                                    \
    libxl__hostpci_fail(gc, reply, LIBXL__HOSTPCI_ ## class_,           \
                        errnoval_, __VA_ARGS__)

static char *device_path(libxl__gc *gc, const libxl__pci_sbdf *sbdf,
                         const char *file)
{
    return GCSPRINTF(SYSFS_PCI_DEV"/"LIBXL__SBDF_FMT"%s%s",
                     LIBXL__SBDF_ARG(*sbdf), file ? "/" : "", file ?: "");
}

char *libxl__hostpci_driver_path(libxl__gc *gc, const char *driver)
{
    return GCSPRINTF(SYSFS_PCI_DRIVERS"/%s", driver);
}

/*
 * Primitives: each returns 0, or fills in the error and returns
 * ERROR_FAIL.
 */

/* Closes fd. */
static int write_fd(libxl__gc *gc, libxl__hostpci_reply *reply, int fd,
                    const char *path, const char *value)
{
    ssize_t r;

    r = write(fd, value, strlen(value));
    if (r < 0)
        FAIL(FAILED, errno, "write to %s returned %zd", path, r);
    close(fd);
    return r < 0 ? ERROR_FAIL : 0;
}

static const char *sbdf_text(libxl__gc *gc, const libxl__pci_sbdf *sbdf)
{
    return GCSPRINTF(LIBXL__SBDF_FMT, LIBXL__SBDF_ARG(*sbdf));
}

static int write_sbdf(libxl__gc *gc, libxl__hostpci_reply *reply,
                      const char *path, const libxl__pci_sbdf *sbdf)
{
    int fd;

    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        FAIL(FAILED, errno, "Couldn't open %s", path);
        return ERROR_FAIL;
    }
    return write_fd(gc, reply, fd, path, sbdf_text(gc, sbdf));
}

static int check_device(libxl__gc *gc, libxl__hostpci_reply *reply,
                        const libxl__pci_sbdf *sbdf)
{
    const char *path = device_path(gc, sbdf, NULL);
    struct stat st;

    if (!lstat(path, &st))
        return 0;

    if (errno == ENOENT)
        FAIL(NO_DEVICE, errno, "Couldn't lstat %s", path);
    else
        FAIL(FAILED, errno, "Couldn't lstat %s", path);
    return ERROR_FAIL;
}

/* Reads an attribute of a device.  The error tells if the device does not
 * exist. */
static int read_attribute(libxl__gc *gc, libxl__hostpci_reply *reply,
                          const libxl__pci_sbdf *sbdf, const char *name,
                          char buf[ATTRIBUTE_MAX])
{
    const char *path = device_path(gc, sbdf, name);
    int fd = -1, rc;
    ssize_t r;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int errnoval = errno;

        rc = check_device(gc, reply, sbdf);
        if (rc) goto out;
        FAIL(FAILED, errnoval, "Couldn't open %s", path);
        rc = ERROR_FAIL;
        goto out;
    }

    r = read(fd, buf, ATTRIBUTE_MAX - 1);
    if (r < 0) {
        FAIL(FAILED, errno, "Couldn't read %s", path);
        rc = ERROR_FAIL;
        goto out;
    }
    buf[r] = '\0';
    rc = 0;

 out:
    if (fd >= 0) close(fd);
    return rc;
}

/* Is there anything at this path? */
static int path_exists(libxl__gc *gc, libxl__hostpci_reply *reply,
                       const char *path, bool *exists_r)
{
    struct stat st;

    *exists_r = !lstat(path, &st);
    if (!*exists_r && errno != ENOENT) {
        FAIL(FAILED, errno, "Accessing %s", path);
        return ERROR_FAIL;
    }
    return 0;
}

static int check_pciback(libxl__gc *gc, libxl__hostpci_reply *reply)
{
    if (!access(SYSFS_PCIBACK_DRIVER, F_OK))
        return 0;

    if (errno == ENOENT)
        FAIL(NO_PCIBACK, 0, "Looks like pciback driver is not loaded");
    else
        FAIL(FAILED, errno, "Can't access "SYSFS_PCIBACK_DRIVER);
    return ERROR_FAIL;
}

/* Is the device bound to pciback, which is loaded? */
static int pciback_assigned(libxl__gc *gc, libxl__hostpci_reply *reply,
                            const libxl__pci_sbdf *sbdf, bool *assigned_r)
{
    return path_exists(gc, reply,
                       GCSPRINTF(SYSFS_PCIBACK_DRIVER"/"LIBXL__SBDF_FMT,
                                 LIBXL__SBDF_ARG(*sbdf)),
                       assigned_r);
}

/* Appends to the list of SBDFs in a reply. */
static void append_sbdf(libxl__gc *gc, libxl__hostpci_reply *reply,
                        int *allocated, const libxl__pci_sbdf *sbdf)
{
    if (reply->num_sbdfs == *allocated) {
        *allocated = *allocated ? *allocated * 2 : 64;
        GCREALLOC_ARRAY(reply->sbdfs, *allocated);
    }
    reply->sbdfs[reply->num_sbdfs++] = *sbdf;
}

/* The entries of a directory that are named by an SBDF */
static int list_directory(libxl__gc *gc, libxl__hostpci_reply *reply,
                          const char *path)
{
    struct dirent *de;
    int allocated = 0, rc;
    DIR *dir;

    dir = opendir(path);
    if (!dir) {
        if (errno == ENOENT && !strcmp(path, SYSFS_PCIBACK_DRIVER))
            FAIL(NO_PCIBACK, 0, "Looks like pciback driver not loaded");
        else
            FAIL(FAILED, errno, "Couldn't open %s", path);
        rc = ERROR_FAIL;
        goto out;
    }

    for (;;) {
        libxl__pci_sbdf sbdf;

        errno = 0;
        de = readdir(dir);
        if (!de) break;
        if (libxl__pci_sbdf_parse(de->d_name, &sbdf))
            append_sbdf(gc, reply, &allocated, &sbdf);
    }
    if (errno) {
        FAIL(FAILED, errno, "Couldn't read %s", path);
        rc = ERROR_FAIL;
        goto out;
    }
    rc = 0;

 out:
    if (dir) closedir(dir);
    return rc;
}

/* A file that has an SBDF in each line */
static int list_lines(libxl__gc *gc, libxl__hostpci_reply *reply,
                      const char *path)
{
    char line[64];
    int allocated = 0, rc;
    FILE *f;

    f = fopen(path, "re");
    if (!f) {
        FAIL(FAILED, errno, "Couldn't open %s", path);
        rc = ERROR_FAIL;
        goto out;
    }

    while (fgets(line, sizeof(line), f)) {
        libxl__pci_sbdf sbdf;

        /* Skip Linux's segments beyond 16 bits: the protocol has none. */
        line[strcspn(line, "\n")] = '\0';
        if (libxl__pci_sbdf_parse(line, &sbdf))
            append_sbdf(gc, reply, &allocated, &sbdf);
    }
    if (ferror(f)) {
        FAIL(FAILED, errno, "Couldn't read %s", path);
        rc = ERROR_FAIL;
        goto out;
    }
    rc = 0;

 out:
    if (f) fclose(f);
    return rc;
}

/*
 * The slots of pciback: the devices that it will bind to, bound or not.
 * Before a device can be bound to pciback it must have a slot.  To ask for
 * a slot twice gives two entries, so look first.
 */
static int list_slots(libxl__gc *gc, libxl__hostpci_reply *reply)
{
    return list_lines(gc, reply, SYSFS_PCIBACK_DRIVER"/slots");
}

/* Does the list of a reply have the device? */
static bool has_sbdf(const libxl__hostpci_reply *list,
                     const libxl__pci_sbdf *sbdf)
{
    int i;

    for (i = 0; i < list->num_sbdfs; i++)
        if (libxl__pci_sbdf_equal(&list->sbdfs[i], sbdf))
            return true;
    return false;
}

static int has_slot(libxl__gc *gc, libxl__hostpci_reply *reply,
                    const libxl__pci_sbdf *sbdf, bool *has_r)
{
    libxl__hostpci_reply slots = { 0 };
    int rc;

    rc = list_slots(gc, &slots);
    if (rc) {
        reply->class = slots.class;
        reply->errnoval = slots.errnoval;
        reply->desc = slots.desc;
        return rc;
    }
    *has_r = has_sbdf(&slots, sbdf);
    return 0;
}

/* The name of the driver the device is bound to, or NULL */
static int device_driver(libxl__gc *gc, libxl__hostpci_reply *reply,
                         const libxl__pci_sbdf *sbdf,
                         const char **driver_r)
{
    const char *link = device_path(gc, sbdf, "driver");
    const char *driver = NULL;
    char target[PATH_MAX];
    ssize_t r;
    int rc;

    r = readlink(link, target, sizeof(target) - 1);
    if (r < 0 && errno != ENOENT) {
        FAIL(FAILED, errno, "Couldn't read the link %s", link);
        rc = ERROR_FAIL;
        goto out;
    }
    if (r >= 0) {
        target[r] = '\0';
        driver = strrchr(target, '/');
        driver = libxl__strdup(gc, driver ? driver + 1 : target);
        if (!libxl__pci_driver_ok(driver)) {
            FAIL(FAILED, 0, "%s is not a link to a driver", link);
            rc = ERROR_FAIL;
            goto out;
        }
    }
    *driver_r = driver;
    rc = 0;

 out:
    return rc;
}

/*
 * Unbinds the device from its driver, if it has one, and returns the name of
 * that driver.
 */
static int unbind(libxl__gc *gc, libxl__hostpci_reply *reply,
                  const libxl__pci_sbdf *sbdf, const char **driver_r)
{
    const char *path;
    int rc;

    rc = device_driver(gc, reply, sbdf, driver_r);
    if (rc || !*driver_r) return rc;

    path = libxl__hostpci_driver_path(gc, *driver_r);
    LOG(DEBUG, "Driver re-plug path: %s", path);

    return write_sbdf(gc, reply, GCSPRINTF("%s/unbind", path), sbdf);
}

/*
 * Commands
 */

static void do_ls(libxl__gc *gc, const libxl__hostpci_request *request,
                  libxl__hostpci_reply *reply)
{
    switch (request->dir) {
    case LIBXL__HOSTPCI_DIR_PCI_DEVICES:
        list_directory(gc, reply, SYSFS_PCI_DEV);
        break;
    case LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER:
        list_directory(gc, reply, SYSFS_PCIBACK_DRIVER);
        break;
    case LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS:
        if (!check_pciback(gc, reply))
            list_slots(gc, reply);
        break;
    }
}

static void do_exists(libxl__gc *gc, const libxl__hostpci_request *request,
                      libxl__hostpci_reply *reply)
{
    const libxl__pci_sbdf *sbdf = &request->sbdf;

    switch (request->dir) {
    case LIBXL__HOSTPCI_DIR_PCI_DEVICES:
        path_exists(gc, reply, device_path(gc, sbdf, NULL),
                    &reply->exists);
        break;
    case LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER:
        if (!check_pciback(gc, reply))
            pciback_assigned(gc, reply, sbdf, &reply->exists);
        break;
    case LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS:
        if (!check_pciback(gc, reply))
            has_slot(gc, reply, sbdf, &reply->exists);
        break;
    }
}

/* The kernel's number for an interrupt that is not connected */
#define IRQ_NOTCONNECTED 0x80000000

/* An attribute that is a number */
static int read_number(libxl__gc *gc, libxl__hostpci_reply *reply,
                       const libxl__pci_sbdf *sbdf,
                       libxl__hostpci_attr attr, uint32_t *value_r)
{
    static const struct {
        const char *name;
        int base;
        uint32_t max;
    } attributes[] = {
        [LIBXL__HOSTPCI_ATTR_VENDOR] = { "vendor", 16, PCID_ATTR_ID_MAX },
        [LIBXL__HOSTPCI_ATTR_DEVICE] = { "device", 16, PCID_ATTR_ID_MAX },
        [LIBXL__HOSTPCI_ATTR_CLASS]  = { "class",  16, PCID_ATTR_CLASS_MAX },
        [LIBXL__HOSTPCI_ATTR_IRQ]    = { "irq",    10, PCID_ATTR_IRQ_MAX },
        /* The kernel's number; read_gsi converts it. */
        [LIBXL__HOSTPCI_ATTR_GSI]    = { "irq",    10, PCID_ATTR_IRQ_MAX },
    };
    const char *name = attributes[attr].name;
    char buf[ATTRIBUTE_MAX], *end;
    unsigned long value;
    int rc;

    rc = read_attribute(gc, reply, sbdf, name, buf);
    if (rc) goto out;

    errno = 0;
    value = strtoul(buf, &end, attributes[attr].base);
    if (errno || end == buf || (*end != '\n' && *end) ||
        value > UINT32_MAX) {
        FAIL(FAILED, 0, "%s does not hold a number",
             device_path(gc, sbdf, name));
        rc = ERROR_FAIL;
        goto out;
    }
    if (value == IRQ_NOTCONNECTED && !strcmp(name, "irq"))
        value = 0;
    if (value > attributes[attr].max) {
        FAIL(FAILED, ERANGE, "%s holds %lu, which is too large",
             device_path(gc, sbdf, name), value);
        rc = ERROR_FAIL;
        goto out;
    }
    *value_r = value;

 out:
    return rc;
}

static int find_gsi(libxl__gc *gc, libxl__hostpci_reply *reply,
                    const libxl__pci_sbdf *sbdf, uint32_t irq,
                    uint32_t *gsi_r)
{
    uint32_t machine_sbdf = (uint32_t)sbdf->domain << 16 |
        sbdf->bus << 8 | sbdf->dev << 3 | sbdf->func;
    int rc;

    rc = libxl__arch_pci_gsi(gc, machine_sbdf, irq, gsi_r);
    if (rc || *gsi_r > PCID_GSI_MAX) {
        FAIL(FAILED, rc ? errno : ERANGE, "Cannot tell the GSI of "
             LIBXL__SBDF_FMT, LIBXL__SBDF_ARG(*sbdf));
        return ERROR_FAIL;
    }
    return 0;
}

static int read_gsi(libxl__gc *gc, libxl__hostpci_reply *reply,
                    const libxl__pci_sbdf *sbdf, uint32_t *gsi_r)
{
    uint32_t irq;
    int rc;

    rc = read_number(gc, reply, sbdf, LIBXL__HOSTPCI_ATTR_GSI, &irq);
    if (rc) return rc;
    return find_gsi(gc, reply, sbdf, irq, gsi_r);
}

static void do_read_hex(libxl__gc *gc,
                        const libxl__hostpci_request *request,
                        libxl__hostpci_reply *reply)
{
    uint32_t value;

    if (request->attr == LIBXL__HOSTPCI_ATTR_GSI
        ? read_gsi(gc, reply, &request->sbdf, &value)
        : read_number(gc, reply, &request->sbdf, request->attr, &value))
        return;
    reply->value = value;
}

static int read_resources(libxl__gc *gc, libxl__hostpci_reply *reply,
                          const libxl__pci_sbdf *sbdf,
                          libxl__hostpci_access *access)
{
    char buf[ATTRIBUTE_MAX], *line = buf;
    int i, rc;

    rc = read_attribute(gc, reply, sbdf, "resource", buf);
    if (rc) goto out;

    for (i = 0; i < PCID_RESOURCES; i++) {
        libxl__hostpci_resource *res = &access->resources[i];
        uint64_t start, end, flags;
        int len = 0;

        if (sscanf(line, "0x%"SCNx64" 0x%"SCNx64" 0x%"SCNx64"%n",
                   &start, &end, &flags, &len) != 3 || line[len] != '\n') {
            FAIL(FAILED, 0, "line %d of %s is not a resource", i + 1,
                 device_path(gc, sbdf, "resource"));
            rc = ERROR_FAIL;
            goto out;
        }
        line += len + 1;

        /* A guest cannot use a range without an address. */
        if (!start) {
            memset(res, 0, sizeof(*res));
            continue;
        }
        res->start = start;
        res->end = end;
        res->flags = (flags & IORESOURCE_IO ? PCID_RESOURCE_IO : 0) |
            (flags & IORESOURCE_MEM ? PCID_RESOURCE_MEM : 0) |
            (flags & IORESOURCE_PREFETCH ? PCID_RESOURCE_PREFETCH : 0) |
            (flags & IORESOURCE_MEM_64 ? PCID_RESOURCE_64BIT : 0);
    }
    rc = 0;

 out:
    return rc;
}

static void do_read_resources(libxl__gc *gc,
                              const libxl__hostpci_request *request,
                              libxl__hostpci_reply *reply)
{
    read_resources(gc, reply, &request->sbdf, &reply->access);
}

static void do_write(libxl__gc *gc, const libxl__hostpci_request *request,
                     libxl__hostpci_reply *reply)
{
    static const char *const files[] = {
        [LIBXL__HOSTPCI_FILE_NEW_SLOT]    = "new_slot",
        [LIBXL__HOSTPCI_FILE_BIND]        = "bind",
        [LIBXL__HOSTPCI_FILE_REMOVE_SLOT] = "remove_slot",
        [LIBXL__HOSTPCI_FILE_PERMISSIVE]  = "permissive",
    };
    const char *path, *driver;

    if (request->file == LIBXL__HOSTPCI_FILE_DRIVER_BIND) {
        /* An earlier request may have done it, and its reply been lost. */
        if (device_driver(gc, reply, &request->sbdf, &driver)) return;
        if (driver && !strcmp(driver, request->driver)) return;
        path = GCSPRINTF("%s/bind",
                         libxl__hostpci_driver_path(gc, request->driver));
    } else {
        if (check_pciback(gc, reply)) return;
        path = GCSPRINTF(SYSFS_PCIBACK_DRIVER"/%s", files[request->file]);
    }
    write_sbdf(gc, reply, path, &request->sbdf);
}

static void do_unbind(libxl__gc *gc, const libxl__hostpci_request *request,
                      libxl__hostpci_reply *reply)
{
    if (!check_device(gc, reply, &request->sbdf))
        unbind(gc, reply, &request->sbdf, &reply->driver);
}

static void do_reset(libxl__gc *gc, const libxl__hostpci_request *request,
                     libxl__hostpci_reply *reply)
{
    const char *path = SYSFS_PCIBACK_DRIVER"/do_flr";
    int fd;

    if (check_device(gc, reply, &request->sbdf)) return;

    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        write_fd(gc, reply, fd, path, sbdf_text(gc, &request->sbdf));
        return;
    }
    if (errno != ENOENT)
        LOGE(ERROR, "Failed to access pciback path %s", path);

    path = device_path(gc, &request->sbdf, "reset");
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        write_fd(gc, reply, fd, path, "1");
    else if (errno == ENOENT)
        FAIL(UNSUPPORTED, 0, "The kernel doesn't support reset from sysfs "
             "for PCI device "LIBXL__SBDF_FMT,
             LIBXL__SBDF_ARG(request->sbdf));
    else
        FAIL(FAILED, errno, "Couldn't open %s", path);
}

/* As read_number, but logs an error, and returns `unknown' then. */
static uint32_t read_id(libxl__gc *gc, const libxl__pci_sbdf *sbdf,
                        libxl__hostpci_attr attr, uint32_t unknown)
{
    libxl__hostpci_reply reply = { 0 };
    uint32_t value;

    if (!read_number(gc, &reply, sbdf, attr, &value)) return value;
    LOG(ERROR, "%s", reply.desc);
    return unknown;
}

static void do_query(libxl__gc *gc, const libxl__hostpci_request *request,
                     libxl__hostpci_reply *reply)
{
    const libxl__pci_sbdf *sbdf = &request->sbdf;
    libxl__pci_sbdf func = *sbdf;
    bool exists, assigned;

    if (check_device(gc, reply, sbdf)) return;
    if (device_driver(gc, reply, sbdf, &reply->driver)) return;
    if (path_exists(gc, reply, SYSFS_PCIBACK_DRIVER, &reply->pciback))
        return;

    for (func.func = 0; func.func < 8; func.func++) {
        if (path_exists(gc, reply, device_path(gc, &func, NULL), &exists))
            return;
        if (!exists) continue;
        if (pciback_assigned(gc, reply, &func, &assigned)) return;
        reply->functions |= 1u << func.func;
        if (assigned) reply->assigned_functions |= 1u << func.func;
    }
    reply->assigned = reply->assigned_functions & (1u << sbdf->func);

    reply->vendor = read_id(gc, sbdf, LIBXL__HOSTPCI_ATTR_VENDOR, 0xffff);
    reply->device = read_id(gc, sbdf, LIBXL__HOSTPCI_ATTR_DEVICE, 0xffff);
    reply->class_code = read_id(gc, sbdf, LIBXL__HOSTPCI_ATTR_CLASS, 0);
}

static void do_assign(libxl__gc *gc, const libxl__hostpci_request *request,
                      libxl__hostpci_reply *reply)
{
    const libxl__pci_sbdf *sbdf = &request->sbdf;
    bool slot;

    if (check_device(gc, reply, sbdf)) return;
    if (check_pciback(gc, reply)) return;
    if (pciback_assigned(gc, reply, sbdf, &reply->assigned)) return;
    if (reply->assigned) return;

    if (unbind(gc, reply, sbdf, &reply->driver)) {
        reply->step = LIBXL__HOSTPCI_STEP_UNBIND;
        return;
    }

    if (has_slot(gc, reply, sbdf, &slot)) {
        reply->step = LIBXL__HOSTPCI_STEP_FIND_SLOT;
        return;
    }
    if ((!slot &&
         write_sbdf(gc, reply, SYSFS_PCIBACK_DRIVER"/new_slot", sbdf)) ||
        write_sbdf(gc, reply, SYSFS_PCIBACK_DRIVER"/bind", sbdf))
        reply->step = LIBXL__HOSTPCI_STEP_BIND;
}

static void do_unassign(libxl__gc *gc,
                        const libxl__hostpci_request *request,
                        libxl__hostpci_reply *reply)
{
    const libxl__pci_sbdf *sbdf = &request->sbdf;
    const char *driver;
    bool slot;

    if (check_pciback(gc, reply)) return;
    if (pciback_assigned(gc, reply, sbdf, &reply->assigned)) return;

    if (reply->assigned && unbind(gc, reply, sbdf, &driver)) {
        reply->step = LIBXL__HOSTPCI_STEP_UNBIND;
        return;
    }

    /*
     * An earlier attempt that was interrupted may have left a slot without
     * a device.
     */
    if (has_slot(gc, reply, sbdf, &slot)) {
        reply->step = LIBXL__HOSTPCI_STEP_FIND_SLOT;
        return;
    }
    if (slot &&
        write_sbdf(gc, reply, SYSFS_PCIBACK_DRIVER"/remove_slot", sbdf))
        reply->step = LIBXL__HOSTPCI_STEP_REMOVE_SLOT;
}

/* Go on if a device cannot be reset. */
static void try_reset(libxl__gc *gc, const libxl__hostpci_request *request,
                      libxl__hostpci_reply *reply)
{
    libxl__hostpci_reply reset = { 0 };

    if (!request->reset) return;

    do_reset(gc, request, &reset);
    if (reset.class == LIBXL__HOSTPCI_UNSUPPORTED)
        reply->no_reset = true;
    else if (reset.class == LIBXL__HOSTPCI_NO_DEVICE)
        reply->reset_failed = GCSPRINTF("PCI device "LIBXL__SBDF_FMT" is gone",
                                        LIBXL__SBDF_ARG(request->sbdf));
    else if (reset.class)
        reply->reset_failed = reset.desc;
}

/* Whether a device is in one of pciback's lists of what guests may write */
static bool listed(libxl__gc *gc, const char *path,
                   const libxl__pci_sbdf *sbdf, const char *what)
{
    libxl__hostpci_reply list = { 0 };

    if (!list_lines(gc, &list, path)) return has_sbdf(&list, sbdf);

    if (list.errnoval == ENOENT) return false; /* an older kernel's */
    LOG(WARN, "cannot tell whether pciback lets the guest write to %s"
        " of "LIBXL__SBDF_FMT": %s", what, LIBXL__SBDF_ARG(*sbdf),
        list.desc);
    return false;
}

/*
 * The next guest must not inherit `permissive' from the last one.  pciback
 * resets it only when it releases the device.
 */
static int forget_rights(libxl__gc *gc,
                         const libxl__hostpci_request *request,
                         libxl__hostpci_reply *reply)
{
    const libxl__pci_sbdf *sbdf = &request->sbdf;
    int rc;

    if (request->permissive) return 0;
    if (!listed(gc, SYSFS_PCIBACK_DRIVER"/permissive", sbdf,
                "all of the configuration space") &&
        (request->interrupt_control ||
         !listed(gc, SYSFS_PCIBACK_DRIVER"/allow_interrupt_control", sbdf,
                 "the interrupt control")))
        return 0;

    rc = write_sbdf(gc, reply, SYSFS_PCIBACK_DRIVER"/unbind", sbdf);
    if (rc) return rc;
    return write_sbdf(gc, reply, SYSFS_PCIBACK_DRIVER"/bind", sbdf);
}

/*
 * For a device model: pciback itself enables the interrupts of a PV guest.
 * Not every kernel has it, and the device can be used without.
 */
static bool allow_interrupt_control(libxl__gc *gc,
                                    const libxl__pci_sbdf *sbdf)
{
    static const char path[] =
        SYSFS_PCIBACK_DRIVER"/allow_interrupt_control";
    libxl__hostpci_reply failed = { 0 };

    if (!write_sbdf(gc, &failed, path, sbdf)) return true;
    if (failed.errnoval != ENOENT) LOG(WARN, "%s", failed.desc);
    return false;
}

/* Only reads the ranges: the caller lends them. */
static void do_lend(libxl__gc *gc, const libxl__hostpci_request *request,
                    libxl__hostpci_reply *reply)
{
    const libxl__pci_sbdf *sbdf = &request->sbdf;
    bool assigned;

    if (pciback_assigned(gc, reply, sbdf, &assigned)) return;
    if (!assigned) {
        FAIL(FAILED, 0, LIBXL__SBDF_FMT" is not assigned to pciback",
             LIBXL__SBDF_ARG(*sbdf));
        return;
    }

    if (forget_rights(gc, request, reply)) {
        reply->step = LIBXL__HOSTPCI_STEP_PERMISSIVE;
        return;
    }

    try_reset(gc, request, reply);

    /* Don't restrict the guest's writes to the configuration space. */
    if (request->permissive &&
        write_sbdf(gc, reply, SYSFS_PCIBACK_DRIVER"/permissive", sbdf)) {
        reply->step = LIBXL__HOSTPCI_STEP_PERMISSIVE;
        return;
    }
    reply->interrupt_control = request->interrupt_control &&
        allow_interrupt_control(gc, sbdf);

    read_resources(gc, reply, sbdf, &reply->access);
}

static void do_take_back(libxl__gc *gc,
                         const libxl__hostpci_request *request,
                         libxl__hostpci_reply *reply)
{
    try_reset(gc, request, reply);
}

void libxl__hostpci_work(libxl__gc *gc,
                         const libxl__hostpci_request *request,
                         libxl__hostpci_reply *reply)
{
    memset(reply, 0, sizeof(*reply));

#define COMMAND(id, function) \
    case LIBXL__HOSTPCI_CMD_ ## id: function(gc, request, reply); return

    /* No default: the compiler complains if a command is missing. */
    switch (request->command) {
    COMMAND(LS, do_ls);
    COMMAND(EXISTS, do_exists);
    COMMAND(READ_HEX, do_read_hex);
    COMMAND(READ_RESOURCES, do_read_resources);
    COMMAND(WRITE, do_write);
    COMMAND(UNBIND, do_unbind);
    COMMAND(RESET, do_reset);
    COMMAND(QUERY, do_query);
    COMMAND(ASSIGN, do_assign);
    COMMAND(UNASSIGN, do_unassign);
    COMMAND(LEND, do_lend);
    COMMAND(TAKE_BACK, do_take_back);
    case LIBXL__HOSTPCI_COMMANDS: break;
    }
    abort();
#undef COMMAND
}

void libxl__hostpci_end_with(pid_t process)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* The parent may have ended before the call of prctl. */
    if (getppid() != process) _exit(1);
}

void libxl__hostpci_finish(libxl__gc *gc,
                           const libxl__hostpci_request *request,
                           libxl__hostpci_reply *reply)
{
    libxl__hostpci_reply unreadable = { 0 };
    uint32_t irq;

    if (request->command != LIBXL__HOSTPCI_CMD_LEND || reply->class) return;

    /* Without a number, the device is lent without an interrupt. */
    if (read_number(gc, &unreadable, &request->sbdf,
                    LIBXL__HOSTPCI_ATTR_GSI, &irq))
        LOG(ERROR, "%s", unreadable.desc);
    else
        find_gsi(gc, reply, &request->sbdf, irq, &reply->access.gsi);
}

void libxl__hostpci_perform(libxl__gc *gc,
                            const libxl__hostpci_request *request,
                            libxl__hostpci_reply *reply)
{
    libxl__hostpci_work(gc, request, reply);
    libxl__hostpci_finish(gc, request, reply);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
