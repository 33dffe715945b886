/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Requests carried out on the files of the PCI bus and of pciback.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "harness.h"
#include "libxl_arch.h"

#define NIC  "0000:03:00.0" /* has its driver, e1000 */
#define FREE "0000:03:00.1" /* has none */
#define BACK "0000:04:1f.7" /* has been given to pciback */
#define NONE "0000:05:00.0" /* is not there */

#define PCIBACK "drivers/pciback/"

static libxl_ctx *ctx;
static libxl__hostpci_reply reply;

/* What the last reply points to lives until the next test. */
static libxl__gc *gc;

static void start(bool pciback)
{
    libxl__gc *new;

    world_reset();
    ctx = world_ctx(0);
    if (!pciback) sysfs_reset(false);
    sysfs_add_device(NIC, "e1000", "e1000");
    sysfs_add_device(FREE, "e1000", NULL);
    sysfs_add_device(BACK, "nvme", pciback ? "pciback" : NULL);
    new = calloc(1, sizeof(*new));
    LIBXL_INIT_GC(*new, ctx);
    gc = new;
}

static void end(void)
{
    libxl__gc *old = gc;

    libxl__free_all(gc);
    gc = NULL;
    free(old);
}

static bool perform(libxl__hostpci_request request, const char *sbdf)
{
    if (sbdf && !libxl__pci_sbdf_parse(sbdf, &request.sbdf))
        abort();
    libxl__hostpci_perform(gc, &request, &reply);
    return !reply.class;
}

#define DO(command_, sbdf, ...) \
    perform((libxl__hostpci_request){ \
        .command = LIBXL__HOSTPCI_CMD_ ## command_, __VA_ARGS__ }, sbdf)

#define FAILS(class_, err, call, ...) do {                              \
        ok(!(call), "fails: " __VA_ARGS__);                             \
        is_int(reply.class, LIBXL__HOSTPCI_ ## class_,                  \
               "class: " __VA_ARGS__);                                  \
        is_int(reply.errnoval, err, "errno: " __VA_ARGS__);             \
        ok(reply.desc && *reply.desc && !strchr(reply.desc, '\n'),      \
           "a line of text: " __VA_ARGS__);                             \
    } while (0)

/* Is the device in the list, once? */
static bool in_list(const char *sbdf)
{
    libxl__pci_sbdf s;
    int i, n = 0;

    libxl__pci_sbdf_parse(sbdf, &s);
    for (i = 0; i < reply.num_sbdfs; i++)
        if (reply.sbdfs[i].domain == s.domain &&
            reply.sbdfs[i].bus == s.bus && reply.sbdfs[i].dev == s.dev &&
            reply.sbdfs[i].func == s.func)
            n++;
    return n == 1;
}

static void ls(void)
{
    start(true);
    ok(DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCI_DEVICES), "devices");
    is_int(reply.num_sbdfs, 3, "number of devices");
    ok(in_list(NIC) && in_list(FREE) && in_list(BACK), "which they are");

    ok(DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER), "bound");
    is_int(reply.num_sbdfs, 1, "only devices, not the other files");
    ok(in_list(BACK), "the one that is bound");

    ok(DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS), "slots");
    is_int(reply.num_sbdfs, 1, "one slot");
    ok(in_list(BACK), "of the bound device");

    sysfs_put(PCIBACK "slots", "");
    ok(DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS) &&
       !reply.num_sbdfs, "no slots");
    end();
}

static void ls_many(void)
{
    char sbdf[32];
    int i;

    start(true);
    for (i = 0; i < 200; i++) {
        sprintf(sbdf, "0001:%02x:%02x.0", i / 32, i % 32);
        sysfs_add_device(sbdf, "nvme", NULL);
    }
    ok(DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCI_DEVICES) &&
       reply.num_sbdfs == 203, "203 devices");
    ok(in_list("0001:06:07.0"), "with the last one");
    end();
}

static void ls_fails(void)
{
    start(true);
    fault_inject("opendir", "devices", EACCES, 0, 1);
    FAILS(FAILED, EACCES, DO(LS, NULL), "no permission for devices");
    fault_inject("readdir", "devices", EIO, 3, 1);
    FAILS(FAILED, EIO, DO(LS, NULL), "what is in it cannot all be read");
    fault_inject("opendir", "pciback", EIO, 0, 1);
    FAILS(FAILED, EIO,
          DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER),
          "pciback's directory");
    fault_inject("open", "slots", EMFILE, 0, 1);
    FAILS(FAILED, EMFILE,
          DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS), "slots");
    end();

    start(false);
    FAILS(NO_PCIBACK, 0,
          DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER),
          "pciback is not loaded");
    FAILS(NO_PCIBACK, 0,
          DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS),
          "slots, pciback is not loaded");
    ok(DO(LS, NULL) && reply.num_sbdfs == 3, "devices need no pciback");
    end();
}

static void slots_with_rubbish(void)
{
    start(true);
    sysfs_put(PCIBACK "slots", "0000:04:1f.7\nrubbish\n0000:03:00.0\n");
    DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS);
    ok(in_list(BACK) && in_list(NIC) && reply.num_sbdfs == 2,
       "what is not rubbish is read");
    sysfs_put(PCIBACK "slots", "10000:04:1f.7\n0000:104:00.0\n"
              "0000:00:20.0\n0000:00:00.8\n");
    DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS);
    is_int(reply.num_sbdfs, 0, "what cannot be a device is not cut down to"
           " one");
    end();
}

static void exists(void)
{
    static const struct {
        libxl__hostpci_dir dir;
        const char *sbdf;
        bool exists;
    } t[] = {
        { LIBXL__HOSTPCI_DIR_PCI_DEVICES, NIC, true },
        { LIBXL__HOSTPCI_DIR_PCI_DEVICES, NONE, false },
        { LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER, BACK, true },
        { LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER, NIC, false },
        { LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER, NONE, false },
        { LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS, BACK, true },
        { LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS, NIC, false },
    };
    int i;

    start(true);
    for (i = 0; i < ARRAY_SIZE(t); i++) {
        ok(DO(EXISTS, t[i].sbdf, .dir = t[i].dir), "%s in %d", t[i].sbdf,
           t[i].dir);
        is_int(reply.exists, t[i].exists, "%s in %d", t[i].sbdf, t[i].dir);
    }
    fault_inject("lstat", NIC, EACCES, 0, 1);
    FAILS(FAILED, EACCES, DO(EXISTS, NIC), "no permission");
    fault_inject("access", "pciback", EIO, 0, 1);
    FAILS(FAILED, EIO,
          DO(EXISTS, NIC, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER),
          "pciback cannot be looked at");
    end();

    start(false);
    FAILS(NO_PCIBACK, 0,
          DO(EXISTS, NIC, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER),
          "driver, pciback is not loaded");
    FAILS(NO_PCIBACK, 0,
          DO(EXISTS, NIC, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS),
          "slots, pciback is not loaded");
    end();
}

static void read_hex(void)
{
    static const struct {
        libxl__hostpci_attr attr;
        const char *name;
        uint64_t value;
    } t[] = {
        { LIBXL__HOSTPCI_ATTR_VENDOR, "vendor", 0x8086 },
        { LIBXL__HOSTPCI_ATTR_DEVICE, "device", 0x100e },
        { LIBXL__HOSTPCI_ATTR_CLASS, "class", 0x020000 },
        { LIBXL__HOSTPCI_ATTR_IRQ, "irq", 11 },
    };
    /* The largest that a reply may have, and what is more */
    static const struct {
        libxl__hostpci_attr attr;
        const char *name, *text, *more;
        uint64_t max;
    } limits[] = {
        { LIBXL__HOSTPCI_ATTR_VENDOR, "vendor", "0xffff\n", "0x10000\n",
          0xffff },
        { LIBXL__HOSTPCI_ATTR_DEVICE, "device", "0xffff\n", "0x10000\n",
          0xffff },
        { LIBXL__HOSTPCI_ATTR_CLASS, "class", "0xffffff\n", "0x1000000\n",
          0xffffff },
        { LIBXL__HOSTPCI_ATTR_IRQ, "irq", "2147483647\n", "2147483649\n",
          INT32_MAX },
    };
    static const char *const bad[] = {
        "", "\n", "0x\n", "rubbish\n", "12 34\n", "0x1g\n",
        "0x100000000\n", "99999999999999999999\n", "-1\n",
    };
    char path[64];
    int i, j;

    start(true);
    for (i = 0; i < ARRAY_SIZE(t); i++) {
        ok(DO(READ_HEX, NIC, .attr = t[i].attr) &&
           reply.value == t[i].value, "%s", t[i].name);
        fault_inject("read", t[i].name, EIO, 0, 1);
        FAILS(FAILED, EIO, DO(READ_HEX, NIC, .attr = t[i].attr),
              "read error");
        faults_clear();
    }
    for (i = 0; i < ARRAY_SIZE(t); i++)
        for (j = 0; j < ARRAY_SIZE(bad); j++) {
            sprintf(path, "devices/%s/%s", NIC, t[i].name);
            sysfs_put(path, bad[j]);
            ok(!DO(READ_HEX, NIC, .attr = t[i].attr), "%s is \"%s\"",
               t[i].name, bad[j]);
        }
    for (i = 0; i < ARRAY_SIZE(limits); i++) {
        sprintf(path, "devices/%s/%s", NIC, limits[i].name);
        sysfs_put(path, limits[i].text);
        ok(DO(READ_HEX, NIC, .attr = limits[i].attr) &&
           reply.value == limits[i].max, "the largest %s", limits[i].name);
        sysfs_put(path, limits[i].more);
        FAILS(FAILED, ERANGE, DO(READ_HEX, NIC, .attr = limits[i].attr),
              "more than that");
    }
    sysfs_put("devices/" NIC "/irq", "2147483648\n");
    ok(DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_IRQ) && !reply.value,
       "none, if it is not connected");
    FAILS(NO_DEVICE, ENOENT, DO(READ_HEX, NONE), "no device");
    sysfs_put("devices/" NIC "/vendor", NULL);
    FAILS(FAILED, ENOENT, DO(READ_HEX, NIC), "no such file");
    end();
}

/* That which a device with this interrupt should have; 0 where there are
 * no GSIs */
static uint32_t gsi_of(uint32_t irq)
{
    uint32_t gsi = ~0;

    is_int(libxl__arch_pci_gsi(gc, 0, irq, &gsi), 0, "GSI of %u", irq);
    return gsi;
}

/* The kernel's number for an interrupt that is not connected is no other
 * number of a device. */
static void read_not_connected(void)
{
    start(true);
    sysfs_put("devices/" NIC "/irq", "2147483648\n");
    ok(DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_IRQ) && !reply.value,
       "as interrupt: none");
    sysfs_put("devices/" NIC "/vendor", "0x80000000\n");
    FAILS(FAILED, ERANGE, DO(READ_HEX, NIC,
                             .attr = LIBXL__HOSTPCI_ATTR_VENDOR),
          "as vendor: too large");
    end();
}

static void read_gsi(void)
{
    start(true);
    ok(DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_GSI), "of a device");
    is_int(reply.value, gsi_of(11), "which it is");
    sysfs_put("devices/" NIC "/irq", "0\n");
    ok(DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_GSI) && !reply.value,
       "none");
    sysfs_put("devices/" NIC "/irq", "2147483648\n");
    ok(DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_GSI), "a line");
    is_int(reply.value, gsi_of(0), "which is not connected");
    sysfs_put("devices/" NIC "/irq", "255\n");
    ok(DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_GSI), "line 255");
    is_int(reply.value, gsi_of(255), "is as good as any other");
    sysfs_put("devices/" NIC "/irq", "65535\n");
    ok(DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_GSI), "the largest");
    is_int(reply.value, gsi_of(PCID_GSI_MAX), "which it is");

    sysfs_put("devices/" NIC "/irq", "65536\n");
    if (gsi_of(65536) > PCID_GSI_MAX)
        FAILS(FAILED, ERANGE,
              DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_GSI),
              "one more than that");
    ok(DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_IRQ) &&
       reply.value == 65536, "which is no error for an IRQ");
    sysfs_put("devices/" NIC "/irq", "none\n");
    FAILS(FAILED, 0, DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_GSI),
          "rubbish");
    fault_inject("read", "irq", EIO, 0, 1);
    FAILS(FAILED, EIO, DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_GSI),
          "read error");
    FAILS(NO_DEVICE, ENOENT,
          DO(READ_HEX, NONE, .attr = LIBXL__HOSTPCI_ATTR_GSI),
          "no device");
    is_str(sysfs_writes(), "", "nothing is written");
    end();
}

/* What devices are given by sysfs_add_device */
static const libxl__hostpci_resource e1000_resources[PCID_RESOURCES] = {
    { 0xfebc0000, 0xfebdffff, PCID_RESOURCE_MEM },
    { 0xc000, 0xc03f, PCID_RESOURCE_IO },
    { 0 }, { 0 }, { 0 }, { 0 },
    { 0xfeb80000, 0xfebbffff,
      PCID_RESOURCE_MEM | PCID_RESOURCE_PREFETCH },
};

static void has_resources(const libxl__hostpci_resource *want)
{
    const libxl__hostpci_resource *got = reply.access.resources;
    int i;

    for (i = 0; i < PCID_RESOURCES; i++)
        ok(got[i].start == want[i].start && got[i].end == want[i].end &&
           got[i].flags == want[i].flags, "resource %d", i);
}

static void read_resources(void)
{
    static const char seven[] =
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x0000004000000000 0x000000400000ffff 0x000000000014220c\n";
    char text[1024];
    int i;

    start(true);
    ok(DO(READ_RESOURCES, NIC), "of a device");
    has_resources(e1000_resources);
    is_int(reply.access.gsi, 0, "the GSI is not asked for");

    sysfs_put("devices/" NIC "/resource", seven);
    ok(DO(READ_RESOURCES, NIC), "no more than needed");
    ok(reply.access.resources[6].start == 0x4000000000 &&
       reply.access.resources[6].end == 0x400000ffff &&
       reply.access.resources[6].flags == (PCID_RESOURCE_MEM |
                                    PCID_RESOURCE_PREFETCH |
                                    PCID_RESOURCE_64BIT), "64 bits");

    /* Cut at every byte: only the last end of line can be missing. */
    for (i = 0; i < strlen(seven); i++) {
        snprintf(text, sizeof(text), "%.*s", i, seven);
        sysfs_put("devices/" NIC "/resource", text);
        if (DO(READ_RESOURCES, NIC)) break;
    }
    is_int(i, strlen(seven), "a file that is cut off is no success");

    /* An unassigned BAR, as Linux shows it */
    snprintf(text, sizeof(text), "0x0000000000000000 0x0000000000003fff "
             "0x0000000000040200\n%s", seven);
    sysfs_put("devices/" NIC "/resource", text);
    ok(DO(READ_RESOURCES, NIC) && !reply.access.resources[0].end &&
       !reply.access.resources[0].flags,
       "one without an address is as none");

    FAILS(NO_DEVICE, ENOENT, DO(READ_RESOURCES, NONE), "no device");
    fault_inject("open", "resource", EACCES, 0, 1);
    FAILS(FAILED, EACCES, DO(READ_RESOURCES, NIC), "no permission");
    end();
}

static void write_files(void)
{
    start(true);
    ok(DO(WRITE, FREE, .file = LIBXL__HOSTPCI_FILE_NEW_SLOT), "new_slot");
    has_str(sysfs_slots(), FREE, "has a slot");
    ok(DO(WRITE, FREE, .file = LIBXL__HOSTPCI_FILE_BIND), "bind");
    is_str(sysfs_driver(FREE), "pciback", "is bound");
    ok(DO(WRITE, FREE, .file = LIBXL__HOSTPCI_FILE_PERMISSIVE),
       "permissive");
    ok(DO(WRITE, FREE, .file = LIBXL__HOSTPCI_FILE_REMOVE_SLOT),
       "remove_slot");
    ok(!strstr(sysfs_slots(), FREE), "has no slot");
    ok(DO(UNBIND, FREE), "unbind");
    ok(DO(WRITE, FREE, .file = LIBXL__HOSTPCI_FILE_DRIVER_BIND,
          .driver = "e1000"), "driver_bind");
    is_str(sysfs_driver(FREE), "e1000", "has its driver");
    is_str(sysfs_writes(),
           PCIBACK "new_slot " FREE "\n"
           PCIBACK "bind " FREE "\n"
           PCIBACK "permissive " FREE "\n"
           PCIBACK "remove_slot " FREE "\n"
           PCIBACK "unbind " FREE "\n"
           "drivers/e1000/bind " FREE "\n", "nothing else was written");
    end();
}

static void write_fails(void)
{
    static const int errnos[] = { EBUSY, EIO, ENODEV, EINVAL, ENOMEM };
    libxl__hostpci_file file;
    int i;

    start(true);
    for (file = 0; file <= LIBXL__HOSTPCI_FILE_DRIVER_BIND; file++)
        for (i = 0; i < ARRAY_SIZE(errnos); i++) {
            faults_clear();
            fault_inject("write", "drivers/", errnos[i], 0, 1);
            FAILS(FAILED, errnos[i],
                  DO(WRITE, NIC, .file = file, .driver = "nvme"),
                  "error in write");
        }
    faults_clear();
    fault_inject("open", "bind", EACCES, 0, 1);
    FAILS(FAILED, EACCES,
          DO(WRITE, NIC, .file = LIBXL__HOSTPCI_FILE_BIND), "error in open");
    FAILS(FAILED, ENODEV,
          DO(WRITE, NONE, .file = LIBXL__HOSTPCI_FILE_BIND), "no device");
    FAILS(FAILED, ENODEV,
          DO(WRITE, NIC, .file = LIBXL__HOSTPCI_FILE_BIND), "no slot");
    FAILS(FAILED, ENODEV,
          DO(WRITE, FREE, .file = LIBXL__HOSTPCI_FILE_DRIVER_BIND,
             .driver = "nvme"), "not a driver for it");
    FAILS(FAILED, ENOENT,
          DO(WRITE, FREE, .file = LIBXL__HOSTPCI_FILE_DRIVER_BIND,
             .driver = "unknown"), "no such driver");
    FAILS(FAILED, EBUSY,
          DO(WRITE, BACK, .file = LIBXL__HOSTPCI_FILE_DRIVER_BIND,
             .driver = "nvme"), "has another driver");
    FAILS(FAILED, ENOENT,
          DO(WRITE, NIC, .file = LIBXL__HOSTPCI_FILE_REMOVE_SLOT),
          "has no slot");
    end();

    start(false);
    for (file = 0; file < LIBXL__HOSTPCI_FILE_DRIVER_BIND; file++)
        FAILS(NO_PCIBACK, 0, DO(WRITE, FREE, .file = file),
              "pciback is not loaded");
    ok(DO(WRITE, FREE, .file = LIBXL__HOSTPCI_FILE_DRIVER_BIND,
          .driver = "e1000"), "driver_bind needs no pciback");
    end();
}

static void unbind(void)
{
    start(true);
    ok(DO(UNBIND, NIC), "a device that has a driver");
    is_str(reply.driver, "e1000", "its name");
    is_str(sysfs_driver(NIC), "", "has none any more");
    ok(DO(UNBIND, NIC), "one that has none");
    is_str(reply.driver, NULL, "no name");
    ok(DO(UNBIND, BACK), "from pciback");
    is_str(reply.driver, "pciback", "its name");
    FAILS(NO_DEVICE, ENOENT, DO(UNBIND, NONE), "no device");
    end();

    start(true);
    fault_inject("write", "unbind", EBUSY, 0, 1);
    FAILS(FAILED, EBUSY, DO(UNBIND, NIC), "busy");
    is_str(sysfs_driver(NIC), "e1000", "has its driver still");
    fault_inject("readlink", "driver", EIO, 0, 1);
    FAILS(FAILED, EIO, DO(UNBIND, NIC), "link cannot be read");
    ok(DO(UNBIND, NIC), "and again");
    sysfs_link("devices/" NIC "/driver", "../../..");
    FAILS(FAILED, 0, DO(UNBIND, NIC), "link to what is no driver");
    sysfs_link("devices/" NIC "/driver", "unknown");
    FAILS(FAILED, ENOENT, DO(UNBIND, NIC), "link to a driver that is not");
    end();
}

static void reset(void)
{
    start(true);
    ok(DO(RESET, NIC), "with the device's file");
    is_str(sysfs_writes(), "devices/" NIC "/reset 1\n", "what is written");
    fault_inject("write", "reset", EIO, 0, 1);
    FAILS(FAILED, EIO, DO(RESET, NIC), "error");
    sysfs_put("devices/" NIC "/reset", NULL);
    FAILS(UNSUPPORTED, 0, DO(RESET, NIC), "not supported");
    FAILS(NO_DEVICE, ENOENT, DO(RESET, NONE), "no device");
    sysfs_put(PCIBACK "do_flr", "");
    sysfs_writes();
    ok(DO(RESET, BACK), "with pciback's file");
    is_str(sysfs_writes(), PCIBACK "do_flr " BACK "\n", "what is written");
    end();
}

static void bind_to_its_driver(void)
{
    start(true);
    ok(DO(WRITE, NIC, .file = LIBXL__HOSTPCI_FILE_DRIVER_BIND,
          .driver = "e1000"), "a device that has the driver already");
    is_str(sysfs_writes(), "", "nothing is written");
    end();
}

static void query(void)
{
    start(true);
    ok(DO(QUERY, NIC), "has a driver");
    is_str(reply.driver, "e1000", "its name");
    ok(reply.pciback && !reply.assigned, "not pciback");
    ok(DO(QUERY, FREE) && !reply.driver && !reply.assigned, "has none");
    ok(DO(QUERY, BACK) && reply.assigned, "is bound to pciback");
    FAILS(NO_DEVICE, ENOENT, DO(QUERY, NONE), "no device");
    is_str(sysfs_writes(), "", "nothing is written");
    end();

    start(false);
    ok(DO(QUERY, NIC) && !reply.pciback && !reply.assigned,
       "without pciback");
    FAILS(NO_DEVICE, ENOENT, DO(QUERY, NONE), "no device, nor pciback");
    end();
}

static void query_functions(void)
{
    static const char *const others[] = {
        "0000:03:01.2", "0000:02:00.3", "0001:03:00.4",
    };
    char sbdf[32];
    int i;

    start(true);
    for (i = 0; i < ARRAY_SIZE(others); i++)
        sysfs_add_device(others[i], "nvme", "pciback");
    ok(DO(QUERY, NIC), "one of two");
    is_int(reply.functions, 0x3, "both are there");
    is_int(reply.assigned_functions, 0, "none is assigned");

    ok(DO(ASSIGN, FREE) && DO(QUERY, NIC), "the other is assigned");
    is_int(reply.functions, 0x3, "both are there");
    is_int(reply.assigned_functions, 0x2, "that one is assigned");
    ok(!reply.assigned, "but not the one that was asked about");
    ok(DO(QUERY, FREE) && reply.assigned, "asked about the other");
    is_int(reply.functions, 0x3, "both are there");
    is_int(reply.assigned_functions, 0x2, "that one is assigned");

    ok(DO(ASSIGN, NIC) && DO(QUERY, NIC) && reply.assigned, "both are");
    is_int(reply.assigned_functions, 0x3, "both are assigned");
    ok(DO(UNBIND, NIC) && DO(QUERY, NIC) && !reply.assigned,
       "a slot does not make it assigned");
    is_int(reply.assigned_functions, 0x2, "nor counted");

    ok(DO(QUERY, BACK), "function 7, and no other");
    is_int(reply.functions, 0x80, "only that is there");
    is_int(reply.assigned_functions, 0x80, "and assigned");

    for (i = 0; i < 8; i++) {
        sprintf(sbdf, "0000:06:00.%d", i);
        sysfs_add_device(sbdf, "nvme", i & 1 ? "pciback" : NULL);
    }
    for (i = 0; i < 8; i++) {
        sprintf(sbdf, "0000:06:00.%d", i);
        ok(DO(QUERY, sbdf) && reply.functions == 0xff &&
           reply.assigned_functions == 0xaa && reply.assigned == (i & 1),
           "function %d of eight", i);
    }
    fault_inject("lstat", "devices/0000:06:00.5", EACCES, 0, 1);
    FAILS(FAILED, EACCES, DO(QUERY, "0000:06:00.0"),
          "a function that cannot be looked at");
    fault_inject("lstat", "pciback/0000:06:00.5", EACCES, 0, 1);
    FAILS(FAILED, EACCES, DO(QUERY, "0000:06:00.0"),
          "a function of which it is not known whether it is assigned");
    end();

    start(false);
    ok(DO(QUERY, NIC) && reply.functions == 0x3 &&
       !reply.assigned_functions, "without pciback");
    end();
}

/* It is needed for some devices only, and is no reason to fail for all. */
static void number_unknown(const char *name, const char *why)
{
    world_log_clear();
    ok(DO(QUERY, NIC), "%s of %s: it goes on", why, name);
    is_int(reply.vendor, strcmp(name, "vendor") ? 0x8086 : 0xffff, "vendor");
    is_int(reply.device, strcmp(name, "device") ? 0x100e : 0xffff, "device");
    is_int(reply.class_code, strcmp(name, "class") ? 0x020000 : 0, "class");
    has_str(world_log(), name, "it is logged");
}

static void query_numbers(void)
{
    static const char *const names[] = { "vendor", "device", "class" };
    char path[64];
    int i;

    start(true);
    ok(DO(QUERY, NIC), "of a device");
    is_int(reply.vendor, 0x8086, "vendor");
    is_int(reply.device, 0x100e, "device");
    is_int(reply.class_code, 0x020000, "class");
    end();

    for (i = 0; i < ARRAY_SIZE(names); i++) {
        start(true);
        sprintf(path, "devices/%s/%s", NIC, names[i]);
        fault_inject("read", path, EIO, 0, 1);
        number_unknown(names[i], "read error");
        sysfs_put(path, "rubbish\n");
        number_unknown(names[i], "rubbish");
        sysfs_put(path, NULL);
        number_unknown(names[i], "no such file");
        end();
    }
}

/*
 * lend, take_back
 */

static void lend(void)
{
    start(true);
    ok(DO(LEND, BACK), "a device of pciback's");
    has_resources(e1000_resources);
    is_int(reply.access.gsi, gsi_of(11), "its GSI");
    is_str(reply.reset_failed, NULL, "no reset that failed");
    is_str(sysfs_writes(), "", "nothing is written");

    ok(DO(LEND, BACK, .reset = true), "with reset");
    is_str(reply.reset_failed, NULL, "which succeeds");
    is_str(sysfs_writes(), "devices/" BACK "/reset 1\n",
           "what is written");

    ok(DO(LEND, BACK, .permissive = true), "permissive");
    is_str(reply.reset_failed, NULL, "no reset that failed");
    is_str(sysfs_writes(), PCIBACK "permissive " BACK "\n",
           "what is written");

    ok(DO(LEND, BACK, .reset = true, .permissive = true), "with both");
    has_resources(e1000_resources);
    is_int(reply.access.gsi, gsi_of(11), "its GSI");
    is_str(sysfs_writes(), "devices/" BACK "/reset 1\n"
           PCIBACK "permissive " BACK "\n", "what is written, in order");

    sysfs_put(PCIBACK "do_flr", "");
    ok(DO(LEND, BACK, .reset = true), "with pciback's reset");
    is_str(sysfs_writes(), PCIBACK "do_flr " BACK "\n", "what is written");

    sysfs_put("devices/" BACK "/irq", "0\n");
    ok(DO(LEND, BACK) && !reply.access.gsi, "without an interrupt");
    is_str(sysfs_driver(BACK), "pciback", "it stays with pciback");
    is_str(sysfs_slots(), BACK "\n", "and has its slot");
    end();
}

/* What must not be tried, and is found out if it is */
static void expect_no(int fault, const char *what)
{
    is_int(fault_hits(fault), 0, "%s is not tried", what);
}

static void lend_not_assigned(void)
{
    static const char *const sbdfs[] = { NIC, FREE, NONE };
    int i;

    start(true);
    /* It is not enough that pciback could bind to it. */
    sysfs_put(PCIBACK "slots", FREE "\n");
    for (i = 0; i < ARRAY_SIZE(sbdfs); i++) {
        FAILS(FAILED, 0,
              DO(LEND, sbdfs[i], .reset = true, .permissive = true),
              "is not bound to pciback");
        has_str(reply.desc, sbdfs[i], "says which device");
        has_str(reply.desc, "not assigned to pciback", "says why");
        is_int(reply.step, LIBXL__HOSTPCI_STEP_NONE, "no step");
        is_str(reply.reset_failed, NULL, "it is not reset");
        is_str(sysfs_writes(), "", "nothing is written");
    }
    fault_inject("lstat", "pciback/" BACK, EACCES, 0, 1);
    FAILS(FAILED, EACCES,
          DO(LEND, BACK, .reset = true, .permissive = true),
          "it cannot be seen what it is bound to");
    is_str(sysfs_writes(), "", "nothing is written");

    sysfs_remove_device(BACK);
    FAILS(FAILED, 0, DO(LEND, BACK, .reset = true, .permissive = true),
          "it is gone");
    is_str(sysfs_writes(), "", "nothing is written");
    end();

    start(false);
    FAILS(FAILED, 0, DO(LEND, BACK, .reset = true, .permissive = true),
          "pciback is not loaded");
    is_str(sysfs_writes(), "", "nothing is written");
    end();
}

/* Faults of a reset, for lend and take_back, of which it is no error */
static const struct {
    const char *op, *match;
    int err;
    bool do_flr; /* pciback has a means of its own */
} reset_faults[] = {
    { "open", "/reset", EACCES, false },
    { "write", "/reset", EIO, false },
    { "write", "/reset", ENOTTY, false },
    { "write", "do_flr", ENODEV, true },
};

static void reset_has_failed(const char *why)
{
    if (!ok(reply.reset_failed, "that is reported")) return;
    has_str(reply.reset_failed, why, "with the reason");
    ok(!strchr(reply.reset_failed, '\n'), "in a line");
    ok(!reply.errnoval && !reply.desc && !reply.step, "and is no error");
}

static void lend_reset_fails(void)
{
    int i;

    start(true);
    sysfs_put("devices/" BACK "/reset", NULL);
    ok(DO(LEND, BACK, .reset = true, .permissive = true),
       "reset is not supported");
    ok(reply.no_reset && !reply.reset_failed, "which is not a failure");
    has_resources(e1000_resources);
    is_int(reply.access.gsi, gsi_of(11), "its GSI");
    is_str(sysfs_writes(), PCIBACK "permissive " BACK "\n",
           "what comes after it is done");
    ok(DO(LEND, BACK) && !reply.no_reset, "if it is not asked for");
    end();

    for (i = 0; i < ARRAY_SIZE(reset_faults); i++) {
        start(true);
        if (reset_faults[i].do_flr) sysfs_put(PCIBACK "do_flr", "");
        fault_inject(reset_faults[i].op, reset_faults[i].match,
                     reset_faults[i].err, 0, 1);
        ok(DO(LEND, BACK, .reset = true, .permissive = true),
           "fault in %s %s", reset_faults[i].op, reset_faults[i].match);
        reset_has_failed(strerror(reset_faults[i].err));
        has_resources(e1000_resources);
        is_int(reply.access.gsi, gsi_of(11), "its GSI");
        has_str(sysfs_writes(), PCIBACK "permissive " BACK "\n",
                "what comes after it is done");
        ok(DO(LEND, BACK, .reset = true) && !reply.reset_failed,
           "once more");
        end();
    }
}

/* pciback's own means of a reset that cannot be used leaves the kernel's. */
static void reset_falls_back(void)
{
    start(true);
    sysfs_put(PCIBACK "do_flr", "");
    fault_inject("open", "do_flr", EPERM, 0, 1);
    ok(DO(RESET, BACK), "do_flr cannot be opened");
    is_str(sysfs_writes(), "devices/" BACK "/reset 1\n", "reset is used");
    has_str(world_log(), "do_flr", "that is logged");
    fault_inject("write", "do_flr", ENODEV, 0, 1);
    FAILS(FAILED, ENODEV, DO(RESET, BACK), "do_flr fails");
    is_str(sysfs_writes(), PCIBACK "do_flr " BACK "\n", "reset is not used");
    end();
}

/* What one guest was allowed is not for the next. */
static void permissive_ends(void)
{
    start(true);
    sysfs_put(PCIBACK "permissive", "0000:04:1f.6\n" BACK "\n");
    ok(DO(LEND, BACK, .permissive = true), "it is wanted again");
    is_str(sysfs_writes(), PCIBACK "permissive " BACK "\n",
           "and the device stays with pciback");
    ok(DO(LEND, BACK, .reset = true), "it is not");
    is_str(sysfs_writes(), PCIBACK "unbind " BACK "\n"
           PCIBACK "bind " BACK "\ndevices/" BACK "/reset 1\n",
           "pciback gets the device anew, before the reset");
    is_str(sysfs_driver(BACK), "pciback", "it is bound");
    is_str(sysfs_slots(), BACK "\n", "and has its slot");

    sysfs_put(PCIBACK "permissive", "0000:04:1f.6\n");
    ok(DO(LEND, BACK), "it is that of another device");
    is_str(sysfs_writes(), "", "the device stays with pciback");
    end();
}

/* A pciback that has it knows which devices have it. */
static void lend_interrupt_control(void)
{
    start(true);
    ok(DO(LEND, BACK, .interrupt_control = true) && !reply.interrupt_control,
       "an older kernel has no interrupt control");
    is_str(sysfs_writes(), "", "nothing is written");
    is_str(world_log(), "", "and nothing logged");

    sysfs_put(PCIBACK "allow_interrupt_control", "");
    ok(DO(LEND, BACK) && !reply.interrupt_control, "it is not asked for");
    is_str(sysfs_writes(), "", "nothing is written");
    ok(DO(LEND, BACK, .reset = true, .interrupt_control = true) &&
       reply.interrupt_control, "it is asked for");
    is_str(sysfs_writes(), "devices/" BACK "/reset 1\n"
           PCIBACK "allow_interrupt_control " BACK "\n", "after the reset");
    has_resources(e1000_resources);

    sysfs_put(PCIBACK "allow_interrupt_control", BACK "\n");
    ok(DO(LEND, BACK, .interrupt_control = true), "it is wanted again");
    is_str(sysfs_writes(), PCIBACK "allow_interrupt_control " BACK "\n",
           "and the device stays with pciback");
    ok(DO(LEND, BACK), "it is not");
    is_str(sysfs_writes(), PCIBACK "unbind " BACK "\n"
           PCIBACK "bind " BACK "\n", "pciback gets the device anew");
    sysfs_put(PCIBACK "permissive", BACK "\n");
    ok(DO(LEND, BACK, .interrupt_control = true),
       "instead of all of the configuration space");
    is_str(sysfs_writes(), PCIBACK "unbind " BACK "\n" PCIBACK "bind " BACK
           "\n" PCIBACK "allow_interrupt_control " BACK "\n",
           "pciback gets the device anew, and then it");
    sysfs_put(PCIBACK "permissive", "");

    fault_inject("write", "allow_interrupt_control", EIO, 0, 1);
    ok(DO(LEND, BACK, .interrupt_control = true) && !reply.interrupt_control,
       "it is refused, and the device is lent without");
    has_str(world_log(), "allow_interrupt_control", "that is logged");
    end();
}

static void permissive_cannot_end(void)
{
    static const char *const files[] = { "unbind", "bind" };
    char path[32];
    int i, resource;

    for (i = 0; i < ARRAY_SIZE(files); i++) {
        start(true);
        sysfs_put(PCIBACK "permissive", BACK "\n");
        sprintf(path, "pciback/%s", files[i]);
        fault_inject("write", path, EBUSY, 0, 1);
        resource = fault_inject("open", "/resource", EIO, 0, 1);
        FAILS(FAILED, EBUSY, DO(LEND, BACK), "%s", files[i]);
        is_int(reply.step, LIBXL__HOSTPCI_STEP_PERMISSIVE, "the step");
        expect_no(resource, "to read the resources");
        faults_clear();
        end();
    }

    start(true);
    fault_inject("open", "permissive", EACCES, 0, 1);
    ok(DO(LEND, BACK), "a pciback that does not say goes on");
    has_str(world_log(), "permissive", "that is logged");
    end();
}

static void lend_permissive_fails(void)
{
    static const char *const ops[] = { "open", "write" };
    int i, err, resource, irq;

    for (i = 0; i < ARRAY_SIZE(ops); i++) {
        start(true);
        err = i ? ENODEV : EACCES;
        fault_inject(ops[i], "permissive", err, 0, 1);
        resource = fault_inject("open", "/resource", EIO, 0, 1);
        irq = fault_inject("open", "/irq", EIO, 0, 1);
        FAILS(FAILED, err,
              DO(LEND, BACK, .reset = true, .permissive = true),
              "error in %s", ops[i]);
        is_int(reply.step, LIBXL__HOSTPCI_STEP_PERMISSIVE, "the step");
        expect_no(resource, "to read the resources");
        expect_no(irq, "to read the interrupt");
        is_str(sysfs_writes(),
               i ? "devices/" BACK "/reset 1\n"
                   PCIBACK "permissive " BACK "\n"
                 : "devices/" BACK "/reset 1\n",
               "the reset came before it");
        faults_clear();
        ok(DO(LEND, BACK, .reset = true, .permissive = true), "again");
        is_int(reply.step, LIBXL__HOSTPCI_STEP_NONE, "no step");
        end();
    }

    start(true);
    sysfs_put(PCIBACK "permissive", NULL);
    FAILS(FAILED, ENOENT, DO(LEND, BACK, .permissive = true),
          "a pciback without it");
    is_int(reply.step, LIBXL__HOSTPCI_STEP_PERMISSIVE, "the step");
    ok(DO(LEND, BACK), "if it is not asked for");
    end();
}

static void lend_cannot_read(void)
{
    static const char path[] = "devices/" BACK "/resource";
    int irq;

    start(true);
    fault_inject("open", path, EACCES, 0, 1);
    FAILS(FAILED, EACCES, DO(LEND, BACK), "error in open");
    is_int(reply.step, LIBXL__HOSTPCI_STEP_NONE, "no step");
    fault_inject("read", path, ENODEV, 0, 1);
    FAILS(FAILED, ENODEV, DO(LEND, BACK), "it vanishes");
    ok(DO(LEND, BACK), "it does not");
    sysfs_put(path, "rubbish\n");
    FAILS(FAILED, 0, DO(LEND, BACK), "rubbish");
    sysfs_put(path, NULL);
    FAILS(FAILED, ENOENT, DO(LEND, BACK), "no such file");
    end();

    start(true);
    fault_inject("open", "/resource", EIO, 0, 1);
    irq = fault_inject("open", "/irq", EACCES, 0, 1);
    FAILS(FAILED, EIO, DO(LEND, BACK), "with two errors, the first");
    expect_no(irq, "to read the interrupt");
    faults_clear();
    sysfs_put("devices/" BACK "/irq", "65536\n");
    if (gsi_of(65536) > PCID_GSI_MAX)
        FAILS(FAILED, ERANGE, DO(LEND, BACK), "GSI out of range");
    end();
}

/* As it has always been: the guest gets the device without an interrupt. */
static void lend_without_irq(void)
{
    static const char path[] = "devices/" BACK "/irq";

    start(true);
    fault_inject("open", path, EACCES, 0, 1);
    ok(DO(LEND, BACK) && !reply.access.gsi, "it cannot be opened");
    has_str(world_log(), path, "that is logged");
    sysfs_put(path, "rubbish\n");
    ok(DO(LEND, BACK) && !reply.access.gsi, "rubbish");
    has_resources(e1000_resources);
    sysfs_put(path, NULL);
    ok(DO(LEND, BACK) && !reply.access.gsi, "no such file");
    end();
}

static void take_back(void)
{
    static const char *const sbdfs[] = { NIC, FREE, BACK, NONE };
    int before, i;

    start(true);
    before = sysfs_accesses(0);
    for (i = 0; i < ARRAY_SIZE(sbdfs); i++)
        ok(DO(TAKE_BACK, sbdfs[i]) && !reply.reset_failed, "%s",
           sbdfs[i]);
    is_int(sysfs_accesses(0) - before, 0,
           "without reset: none is touched");

    ok(DO(TAKE_BACK, BACK, .reset = true), "with reset");
    is_str(reply.reset_failed, NULL, "which succeeds");
    ok(sysfs_accesses(0) > before, "that does touch it");
    is_str(sysfs_writes(), "devices/" BACK "/reset 1\n",
           "what is written");
    sysfs_put(PCIBACK "do_flr", "");
    ok(DO(TAKE_BACK, BACK, .reset = true), "with pciback's reset");
    is_str(sysfs_writes(), PCIBACK "do_flr " BACK "\n", "what is written");
    is_str(sysfs_driver(BACK), "pciback", "it stays with pciback");
    end();

    start(false);
    ok(DO(TAKE_BACK, BACK) && !reply.reset_failed, "without pciback");
    ok(DO(TAKE_BACK, BACK, .reset = true) && !reply.reset_failed,
       "with reset, without pciback");
    is_str(sysfs_writes(), "devices/" BACK "/reset 1\n",
           "what is written");
    end();
}

static void take_back_reset_fails(void)
{
    int i;

    start(true);
    sysfs_put("devices/" BACK "/reset", NULL);
    ok(DO(TAKE_BACK, BACK, .reset = true), "reset is not supported");
    ok(reply.no_reset && !reply.reset_failed, "which is not a failure");
    ok(DO(TAKE_BACK, BACK) && !reply.no_reset, "if it is not asked for");
    ok(DO(TAKE_BACK, NONE, .reset = true), "no device");
    reset_has_failed("is gone");
    has_str(reply.reset_failed, NONE, "says which");
    sysfs_remove_device(BACK);
    ok(DO(TAKE_BACK, BACK, .reset = true), "a device that has vanished");
    reset_has_failed("is gone");
    has_str(reply.reset_failed, BACK, "says which");
    ok(DO(TAKE_BACK, BACK) && !reply.reset_failed,
       "a device that has vanished, without reset");
    is_str(sysfs_writes(), "", "nothing is written");
    end();

    for (i = 0; i < ARRAY_SIZE(reset_faults); i++) {
        start(true);
        if (reset_faults[i].do_flr) sysfs_put(PCIBACK "do_flr", "");
        fault_inject(reset_faults[i].op, reset_faults[i].match,
                     reset_faults[i].err, 0, 1);
        ok(DO(TAKE_BACK, BACK, .reset = true), "fault in %s %s",
           reset_faults[i].op, reset_faults[i].match);
        reset_has_failed(strerror(reset_faults[i].err));
        ok(DO(TAKE_BACK, BACK, .reset = true) && !reply.reset_failed,
           "once more");
        end();
    }
}

static void assign(void)
{
    start(true);
    ok(DO(ASSIGN, NIC), "a device that has a driver");
    is_str(reply.driver, "e1000", "which driver that was");
    ok(!reply.assigned, "it was not assigned");
    is_str(sysfs_driver(NIC), "pciback", "it is bound to pciback");
    is_str(sysfs_writes(),
           "drivers/e1000/unbind " NIC "\n"
           PCIBACK "new_slot " NIC "\n"
           PCIBACK "bind " NIC "\n", "how");

    ok(DO(ASSIGN, NIC), "once more");
    ok(reply.assigned, "it was assigned");
    is_str(sysfs_writes(), "", "nothing is done");

    ok(DO(ASSIGN, FREE) && !reply.driver && !reply.assigned,
       "a device that has none");
    sysfs_put(PCIBACK "slots", FREE "\n");
    ok(DO(UNBIND, FREE), "one that is bound to nothing but has a slot");
    sysfs_writes();
    ok(DO(ASSIGN, FREE), "is assigned");
    is_str(sysfs_writes(), PCIBACK "bind " FREE "\n",
           "it does not get a second slot");

    FAILS(NO_DEVICE, ENOENT, DO(ASSIGN, NONE), "no device");
    is_int(reply.step, LIBXL__HOSTPCI_STEP_NONE, "no step");
    end();

    start(false);
    FAILS(NO_PCIBACK, 0, DO(ASSIGN, NIC), "pciback is not loaded");
    is_int(reply.step, LIBXL__HOSTPCI_STEP_NONE, "no step");
    is_str(sysfs_driver(NIC), "e1000", "nothing is changed");
    end();
}

/* A fault in each step; then the same command must succeed. */
static void assign_half_way(void)
{
    static const struct {
        const char *op, *match;
        libxl__hostpci_step step;
        const char *driver;
    } t[] = {
        { "readlink", "driver", LIBXL__HOSTPCI_STEP_UNBIND, "e1000" },
        { "open", "e1000/unbind", LIBXL__HOSTPCI_STEP_UNBIND, "e1000" },
        { "write", "e1000/unbind", LIBXL__HOSTPCI_STEP_UNBIND, "e1000" },
        { "open", "slots", LIBXL__HOSTPCI_STEP_FIND_SLOT, "" },
        { "open", "new_slot", LIBXL__HOSTPCI_STEP_BIND, "" },
        { "write", "new_slot", LIBXL__HOSTPCI_STEP_BIND, "" },
        { "open", "pciback/bind", LIBXL__HOSTPCI_STEP_BIND, "" },
        { "write", "pciback/bind", LIBXL__HOSTPCI_STEP_BIND, "" },
    };
    int i, err;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        start(true);
        err = i % 2 ? EBUSY : EIO;
        fault_inject(t[i].op, t[i].match, err, 0, 1);
        FAILS(FAILED, err, DO(ASSIGN, NIC), "half-way");
        is_int(reply.step, t[i].step, "step: %s %s", t[i].op, t[i].match);
        is_str(sysfs_driver(NIC), t[i].driver, "driver after %s %s",
               t[i].op, t[i].match);
        ok(DO(ASSIGN, NIC), "again, after %s %s", t[i].op, t[i].match);
        is_str(sysfs_driver(NIC), "pciback", "driver at last");
        is_str(sysfs_slots(), BACK "\n" NIC "\n", "one slot each");
        end();
    }
}

static void unassign(void)
{
    start(true);
    ok(DO(UNASSIGN, BACK) && reply.assigned, "a device of pciback's");
    is_str(sysfs_driver(BACK), "", "has no driver");
    is_str(sysfs_slots(), "", "has no slot");
    is_str(sysfs_writes(), PCIBACK "unbind " BACK "\n"
           PCIBACK "remove_slot " BACK "\n", "how");
    ok(DO(UNASSIGN, BACK) && !reply.assigned, "once more");
    is_str(sysfs_writes(), "", "nothing is done");
    ok(DO(UNASSIGN, NIC) && !reply.assigned, "one that has its driver");
    is_str(sysfs_driver(NIC), "e1000", "and keeps it");
    ok(DO(UNASSIGN, NONE) && !reply.assigned, "one that is not there");
    end();

    start(false);
    FAILS(NO_PCIBACK, 0, DO(UNASSIGN, NIC), "pciback is not loaded");
    end();
}

static void unassign_half_way(void)
{
    static const struct {
        const char *op, *match;
        libxl__hostpci_step step;
        const char *driver;
        bool was_assigned;
    } t[] = {
        { "open", "pciback/unbind", LIBXL__HOSTPCI_STEP_UNBIND, "pciback",
          true },
        { "write", "pciback/unbind", LIBXL__HOSTPCI_STEP_UNBIND, "pciback",
          true },
        { "open", "slots", LIBXL__HOSTPCI_STEP_FIND_SLOT, "", false },
        { "write", "remove_slot", LIBXL__HOSTPCI_STEP_REMOVE_SLOT, "",
          false },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        start(true);
        fault_inject(t[i].op, t[i].match, EIO, 0, 1);
        FAILS(FAILED, EIO, DO(UNASSIGN, BACK), "half-way");
        is_int(reply.step, t[i].step, "step: %s %s", t[i].op, t[i].match);
        is_str(sysfs_driver(BACK), t[i].driver, "driver after %s %s",
               t[i].op, t[i].match);
        ok(DO(UNASSIGN, BACK), "again, after %s %s", t[i].op, t[i].match);
        is_int(reply.assigned, t[i].was_assigned, "whether it was");
        is_str(sysfs_driver(BACK), "", "no driver at last");
        is_str(sysfs_slots(), "", "no slot at last");
        end();
    }
}

/* A device that disappears at any point gives an error, and no crash. */
static void device_vanishes(void)
{
    start(true);
    fault_inject("write", "pciback/bind", ENODEV, 0, 1);
    FAILS(FAILED, ENODEV, DO(ASSIGN, NIC), "while it is assigned");
    sysfs_remove_device(NIC);
    FAILS(NO_DEVICE, ENOENT, DO(ASSIGN, NIC), "it is gone");
    ok(DO(UNASSIGN, NIC), "its slot can be removed");
    is_str(sysfs_slots(), BACK "\n", "and is");
    end();
}

static void no_file_is_left_open(void)
{
    int before, after;

    start(true);
    before = open("/dev/null", O_RDONLY);
    close(before);
    DO(LS, NULL);
    DO(LS, NULL, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS);
    DO(ASSIGN, NIC);
    DO(UNASSIGN, NIC);
    DO(READ_RESOURCES, NIC);
    DO(RESET, NIC);
    DO(QUERY, NIC);
    DO(READ_HEX, NIC, .attr = LIBXL__HOSTPCI_ATTR_GSI);
    DO(LEND, BACK, .reset = true, .permissive = true);
    DO(TAKE_BACK, BACK, .reset = true);
    fault_inject("write", "permissive", EIO, 0, 1);
    DO(LEND, BACK, .reset = true, .permissive = true);
    fault_inject("read", "irq", EIO, 0, 1);
    DO(LEND, BACK);
    fault_inject("read", "vendor", EIO, 0, 1);
    DO(READ_HEX, NIC);
    fault_inject("write", "unbind", EIO, 0, 1);
    DO(UNBIND, BACK);
    after = open("/dev/null", O_RDONLY);
    close(after);
    is_int(after, before, "the next fd is the same as before");
    end();
}

int main(void)
{
    ls();
    ls_many();
    ls_fails();
    slots_with_rubbish();
    exists();
    read_hex();
    read_not_connected();
    read_gsi();
    read_resources();
    write_files();
    write_fails();
    unbind();
    reset();
    bind_to_its_driver();
    query();
    query_functions();
    query_numbers();
    lend();
    lend_not_assigned();
    lend_reset_fails();
    reset_falls_back();
    permissive_ends();
    lend_interrupt_control();
    permissive_cannot_end();
    lend_permissive_fails();
    lend_cannot_read();
    lend_without_irq();
    take_back();
    take_back_reset_fails();
    assign();
    assign_half_way();
    unassign();
    unassign_half_way();
    device_vanishes();
    no_file_is_left_open();

    world_reset();
    return tap_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
