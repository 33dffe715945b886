/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The hardware domain: what libxl looks at before and after Xen makes it.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "harness.h"

#include <xenhypfs.h>

#define FULL "CONFIG_X86=y\nCONFIG_LATE_HWDOM=y\nCONFIG_PV=y\n"

static libxl_ctx *ctx;
static libxl_domain_config config;

/*
 * Xen: its configuration, if it tells that, and who hears of ends of domains
 */

static const char *xen_config; /* NULL: not told */
static bool no_hypfs;
static int files_of_hypfs;
static int virq_domid, virq_errno;

xenhypfs_handle *xenhypfs_open(xentoollog_logger *logger, unsigned flags)
{
    static char handle;

    if (no_hypfs) {
        errno = EOPNOTSUPP;
        return NULL;
    }
    files_of_hypfs++;
    return (void *)&handle;
}

int xenhypfs_close(xenhypfs_handle *handle)
{
    files_of_hypfs--;
    return 0;
}

char *xenhypfs_read(xenhypfs_handle *handle, const char *path)
{
    is_str(path, "/buildinfo/config", "the configuration of Xen");
    if (xen_config) return strdup(xen_config);
    errno = ENOENT;
    return NULL;
}

int xc_domain_set_virq_handler(xc_interface *xch, uint32_t domid, int virq)
{
    is_int(virq, VIRQ_DOM_EXC, "the end of domains");
    if (virq_errno) {
        errno = virq_errno;
        return -1;
    }
    virq_domid = domid;
    return 0;
}

/*
 * Each test begins with a domain that would become the hardware domain.
 */

static void start(const char *commandline)
{
    world_reset();
    ctx = world_ctx(0);
    ctx->version_info.xen_version_extra = strdup(".0");
    ctx->version_info.commandline = strdup(commandline);

    xen_config = NULL;
    no_hypfs = false;
    virq_domid = -1;
    virq_errno = 0;

    libxl_domain_config_init(&config);
    config.c_info.name = strdup("hw");
    config.c_info.type = LIBXL_DOMAIN_TYPE_PV;
    libxl_domain_build_info_init_type(&config.b_info, LIBXL_DOMAIN_TYPE_PV);
    libxl_defbool_set(&config.c_info.hardware_domain, true);
}

static void end(void)
{
    is_int(files_of_hypfs, 0, "hypfs is closed");
    libxl_domain_config_dispose(&config);
    world_ctx_free(ctx);
    world_reset();
}

static int check_or_restore(bool restore)
{
    GC_INIT(ctx);
    int rc;

    world_log_clear();
    world_call(ctx);
    rc = libxl__hwdom_check(gc, &config, restore);
    world_return();
    GC_FREE;
    return rc;
}

static int check(void)
{
    return check_or_restore(false);
}

static int made(int domid)
{
    GC_INIT(ctx);
    int rc;

    world_log_clear();
    world_call(ctx);
    rc = libxl__hwdom_made(gc, domid);
    world_return();
    GC_FREE;
    return rc;
}

/* The number that libxl reads in a command line, or 0 */
static int number(const char *commandline)
{
    GC_INIT(ctx);
    libxl_domid domid;
    bool found = libxl__hwdom_number(gc, commandline, &domid);

    GC_FREE;
    return found ? domid : 0;
}

static void command_lines(void)
{
    static const struct {
        const char *text;
        int number;
    } lines[] = {
        { "", 0 },
        { "console=com1 loglvl=all", 0 },
        { "hardware_dom=1", 1 },
        { "  console=com1\thardware_dom=3 ", 3 },
        { "hardware_dom=3 hardware_dom=4", 4 },
        { "hardware_dom=3 hardware_dom=", 0 },
        { "hardware_dom=0x10", 16 },
        { "hardware_dom=0", 0 },
        { "hardware_dom", 0 },
        { "hardware_dom=one", 0 },
        { "hardware_dom=1x", 0 },
        { "hardware_dom=-1", 0 },
        { "hardware_dom=32751", 32751 },
        { "hardware_dom=32752", 0 },
        { "hardware_dom=99999999999999999999", 0 },
        { "no-hardware_dom=1", 0 },
        { "hardware_dom=1 -- hardware_dom=2", 1 },
        { "-- hardware_dom=2", 0 },
    };
    int i;

    start("");
    for (i = 0; i < ARRAY_SIZE(lines); i++)
        is_int(number(lines[i].text), lines[i].number, "\"%s\"",
               lines[i].text);
    end();
}

static void number_of_domain(void)
{
    start("hardware_dom=3");
    is_int(check(), 0, "it can be built");
    is_int(config.c_info.domid, 3, "with the number that Xen was told");
    is_int(check(), 0, "who asks for that number");
    is_int(config.c_info.domid, 3, "gets it");

    config.c_info.domid = 4;
    is_int(check(), ERROR_INVAL, "and not for another one");
    has_str(world_log(), "it would be domain 4, but Xen was booted with"
            " hardware_dom=3", "it says why");
    end();
}

static void number_is_taken(void)
{
    start("hardware_dom=3");
    store_add_domain(3);
    store_put("/local/domain/3/name", "first");
    xc_add_domain(3, 0);
    is_int(check(), ERROR_DEVICE_EXISTS, "there is such a domain");
    has_str(world_log(), "domain 3 (\"first\") has been built already",
            "it is named");
    xc_remove_domain(3);
    is_int(check(), 0, "there is none any longer");
    end();
}

static void what_xen_is(void)
{
    start("hardware_dom=1");
    xen_config = FULL;
    is_int(check(), 0, "with late hardware domain");
    no_hypfs = true;
    is_int(check(), 0, "with a Xen that has no hypfs");
    no_hypfs = false;

    xen_config = "CONFIG_X86=y\n# CONFIG_LATE_HWDOM is not set\n";
    is_int(check(), ERROR_NI, "without late hardware domain");
    has_str(world_log(), "built without late hardware domain support",
            "it says why");
    xen_config = "CONFIG_NO_CONFIG_LATE_HWDOM=y\n";
    is_int(check(), ERROR_NI, "an option of another name");
    end();

    start("console=com1");
    is_int(check(), ERROR_NI, "not booted for one");
    has_str(world_log(), "boot Xen, built with CONFIG_LATE_HWDOM, with"
            " hardware_dom=1", "it says how");
    xen_config = FULL;
    is_int(check(), ERROR_NI, "only not booted for one");
    has_str(world_log(), "boot Xen with hardware_dom=1", "nothing else");
    end();

    start("<denied>");
    is_int(check(), ERROR_FAIL, "a command line that Xen keeps to itself");
    has_str(world_log(), "does not tell its command line", "it says so");
    end();
}

static void what_the_domain_is(void)
{
    start("hardware_dom=1");
    is_int(check_or_restore(true), ERROR_INVAL, "a domain to be restored");
    has_str(world_log(), "cannot be restored", "it says why");

    config.c_info.passthrough = LIBXL_PASSTHROUGH_DISABLED;
    is_int(check(), ERROR_INVAL, "without passthrough");
    has_str(world_log(), "remove passthrough=\"disabled\"", "it says why");
    config.c_info.passthrough = LIBXL_PASSTHROUGH_ENABLED;

    config.b_info.kernel = strdup("/nonexistent/kernel");
    is_int(check(), ERROR_INVAL, "without a kernel");
    has_str(world_log(), "cannot read /nonexistent/kernel: No such file",
            "it says why");

    config.c_info.type = LIBXL_DOMAIN_TYPE_PVH;
    is_int(check(), ERROR_INVAL, "of another type");
    has_str(world_log(), "its type is \"pvh\"", "it says why");
    ok(!libxl_domid_valid_guest(config.c_info.domid), "it has no number");
    end();
}

/* Only Xen for x86 makes a domain the hardware domain after the start. */
static void what_xen_cannot_make(void)
{
    const bool x86 = arch_x86;

    arch_x86 = false;
    start("hardware_dom=3");
    xc_add_domain(3, 0);
    is_int(made(3), ERROR_FAIL, "Xen of another architecture");
    has_str(world_log(), "cannot tell whether Xen has made it the hardware"
            " domain", "it says so");
    is_int(virq_domid, -1, "nothing is changed");
    end();
    arch_x86 = x86;
}

static void what_xen_has_made(void)
{
    if (!arch_x86) return;

    start("hardware_dom=3");
    xc_add_domain(3, 0);
    xc_strict(3);
    is_int(made(3), 0, "the rights are no longer ours");
    /* With FLASK, its rights are not ours to revoke. */
    has_str(xc_log, "grant ports 80+1 0 failed", "which we ask for ourselves");
    is_int(virq_domid, 0, "we hear when a domain ends");

    store_put("/tool/xenstored/domid", "5");
    is_int(made(3), 0, "xenstored is elsewhere");
    is_int(virq_domid, 5, "it hears of them");

    virq_errno = EBUSY;
    is_int(made(3), ERROR_FAIL, "Xen refuses that");
    has_str(world_log(), "cannot have Xen tell domain 5, where xenstored"
            " runs, of the end of domains", "it says so");
    end();

    start("hardware_dom=3");
    xc_add_domain(3, 0);
    xc_strict(0);
    is_int(made(3), ERROR_NI, "the rights are ours still");
    has_str(world_log(), "Xen has not made it the hardware domain", "it says"
            " so");
    is_int(virq_domid, -1, "nothing is changed");
    end();
}

int main(void)
{
    command_lines();
    number_of_domain();
    number_is_taken();
    what_xen_is();
    what_the_domain_is();
    what_xen_cannot_make();
    what_xen_has_made();

    return tap_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
