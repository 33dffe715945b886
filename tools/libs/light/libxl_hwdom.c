/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Building the hardware domain.
 *
 * A hypervisor that was built with CONFIG_LATE_HWDOM, and booted with
 * hardware_dom=N, makes the domain that is built with the number N the
 * hardware domain: it takes all rights to hardware from domain 0 and gives
 * them to that domain.  There is no way back, and the host ends with its
 * hardware domain.  So check whatever can be checked before it is built.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"

#include <xenhypfs.h>

/* The port of POST codes, which Xen keeps from nobody that has hardware */
#define PORT_OF_HARDWARE_DOMAIN 0x80

/* As Xen reads it: the last one counts; what follows "--" is for dom0 */
bool libxl__hwdom_number(libxl__gc *gc, const char *commandline,
                         libxl_domid *domid_r)
{
    static const char option[] = "hardware_dom=";
    char *rest = NULL, *end, *word;
    unsigned long number = 0;

    word = strtok_r(libxl__strdup(gc, commandline), " \t\n", &rest);
    for (; word && strcmp(word, "--");
         word = strtok_r(NULL, " \t\n", &rest)) {
        if (strncmp(word, option, strlen(option))) continue;

        word += strlen(option);
        number = CTYPE(isdigit, *word) ? strtoul(word, &end, 0) : 0;
        if (number && *end) number = 0;
    }

    *domid_r = number;
    return number && number < DOMID_FIRST_RESERVED;
}

typedef enum { ABSENT, PRESENT, NOT_TOLD } hwdom_support;

/* Whether Xen can have a hardware domain other than domain 0 */
static hwdom_support late_hwdom_support(libxl__gc *gc)
{
    static const char option[] = "CONFIG_LATE_HWDOM=y\n";
    hwdom_support result = NOT_TOLD;
    xenhypfs_handle *hypfs;
    char *config = NULL, *found;

    hypfs = xenhypfs_open(CTX->lg, 0);
    if (!hypfs) goto out;

    /* Many a hypervisor has no hypfs, or not its configuration in there */
    config = xenhypfs_read(hypfs, "/buildinfo/config");
    if (!config) goto out;

    found = strstr(config, option);
    result = found && (found == config || found[-1] == '\n')
             ? PRESENT : ABSENT;

 out:
    free(config);
    if (hypfs) xenhypfs_close(hypfs);
    return result;
}

static int check_config(libxl__gc *gc, const libxl_domain_config *d_config)
{
    const libxl_domain_create_info *c_info = &d_config->c_info;
    const libxl_domain_build_info *b_info = &d_config->b_info;
    const char *const files[] = { b_info->kernel, b_info->ramdisk };
    int i;

    if (c_info->type != LIBXL_DOMAIN_TYPE_PV) {
        LOG(ERROR, "cannot build \"%s\" as the hardware domain: its type"
            " is \"%s\": it has to be \"pv\"",
            c_info->name, libxl_domain_type_to_string(c_info->type));
        return ERROR_INVAL;
    }

    if (c_info->passthrough == LIBXL_PASSTHROUGH_DISABLED) {
        LOG(ERROR, "cannot build \"%s\" as the hardware domain: its"
            " configuration disables passthrough, without which its"
            " devices can neither be taken from it nor be given back:"
            " remove passthrough=\"disabled\"", c_info->name);
        return ERROR_INVAL;
    }

    for (i = 0; i < ARRAY_SIZE(files); i++) {
        if (!files[i] || !access(files[i], R_OK)) continue;
        LOGE(ERROR, "cannot build \"%s\" as the hardware domain: cannot"
            " read %s", c_info->name, files[i]);
        return ERROR_INVAL;
    }
    return 0;
}

static int check_xen(libxl__gc *gc, const char *name, libxl_domid *domid_r)
{
    const libxl_version_info *version;
    hwdom_support support = late_hwdom_support(gc);

    if (support == ABSENT) {
        LOG(ERROR, "cannot build \"%s\" as the hardware domain: Xen was"
            " built without late hardware domain support: boot one with"
            " CONFIG_LATE_HWDOM", name);
        return ERROR_NI;
    }

    version = libxl_get_version_info(CTX);
    /* What Xen says where FLASK does not allow it */
    if (!version->commandline || !strcmp(version->commandline, "<denied>")) {
        LOG(ERROR, "cannot build \"%s\" as the hardware domain: Xen does"
            " not tell its command line", name);
        return ERROR_FAIL;
    }

    if (!libxl__hwdom_number(gc, version->commandline, domid_r)) {
        LOG(ERROR, "cannot build \"%s\" as the hardware domain: Xen's"
            " command line does not give the number of that domain: boot"
            " Xen%s with hardware_dom=1", name,
            support == PRESENT ? "" : ", built with CONFIG_LATE_HWDOM,");
        return ERROR_NI;
    }
    return 0;
}

int libxl__hwdom_check(libxl__gc *gc, libxl_domain_config *d_config,
                       bool restore)
{
    libxl_domain_create_info *c_info = &d_config->c_info;
    const char *name = c_info->name;
    libxl_domid domid;
    int rc;

    if (restore) {
        LOG(ERROR, "cannot build \"%s\" as the hardware domain: it"
            " cannot be restored, only started", name);
        rc = ERROR_INVAL;
        goto out;
    }

    rc = check_config(gc, d_config);
    if (rc) goto out;

    rc = check_xen(gc, name, &domid);
    if (rc) goto out;

    if (libxl_domid_valid_guest(c_info->domid) && c_info->domid != domid) {
        LOG(ERROR, "cannot build \"%s\" as the hardware domain: it would"
            " be domain %u, but Xen was booted with hardware_dom=%u", name,
            c_info->domid, domid);
        rc = ERROR_INVAL;
        goto out;
    }

    rc = libxl_domain_info(CTX, NULL, domid);
    if (!rc) {
        LOG(ERROR, "cannot build \"%s\" as the hardware domain: Xen was"
            " booted with hardware_dom=%u, and domain %u (\"%s\") has"
            " been built already: boot the host again, and build the"
            " hardware domain first", name, domid, domid,
            libxl__domid_to_name(gc, domid) ?: "?");
        rc = ERROR_DEVICE_EXISTS;
        goto out;
    }
    if (rc != ERROR_DOMAIN_NOTFOUND) {
        LOG(ERROR, "cannot build \"%s\" as the hardware domain: Xen does"
            " not tell whether domain %u exists",
            name, domid);
        goto out;
    }

    c_info->domid = domid;
    rc = 0;
 out:
    return rc;
}

/* Xen tells the hardware domain, unless it is asked to tell another. */
static int keep_dom_exc(libxl__gc *gc, uint32_t domid)
{
    const char *s = libxl__xs_read(gc, XBT_NULL, "/tool/xenstored/domid");
    uint32_t xenstored = s ? atoi(s) : 0;

    if (xc_domain_set_virq_handler(CTX->xch, xenstored, VIRQ_DOM_EXC)) {
        LOGED(ERROR, domid, "cannot have Xen tell domain %u, where xenstored"
              " runs, of the end of domains", xenstored);
        return ERROR_FAIL;
    }
    return 0;
}

int libxl__hwdom_made(libxl__gc *gc, uint32_t domid)
{
    uint32_t self;
    int r, rc;

    rc = libxl__get_domid(gc, &self);
    if (rc) return rc;

    /* Grant this domain what it had: refused if Xen has taken it away, and no
     * change otherwise.  FLASK may not let us revoke the other's rights. */
    r = xc_domain_ioport_permission(CTX->xch, self, PORT_OF_HARDWARE_DOMAIN,
                                    1, true);
    if (!r) {
        LOGD(ERROR, domid, "Xen has not made it the hardware domain: boot a"
             " hypervisor that is built with CONFIG_LATE_HWDOM");
        return ERROR_NI;
    }
    if (errno != EPERM) {
        LOGED(ERROR, domid, "cannot tell whether Xen has made it the hardware"
              " domain");
        return ERROR_FAIL;
    }

    return keep_dom_exc(gc, domid);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
