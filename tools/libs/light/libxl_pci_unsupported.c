/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Host PCI access on systems that have no back end of their own.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"

char *libxl__hostpci_driver_path(libxl__gc *gc, const char *driver)
{
    return libxl__strdup(gc, driver);
}

void libxl__hostpci_work(libxl__gc *gc,
                         const libxl__hostpci_request *request,
                         libxl__hostpci_reply *reply)
{
    libxl__hostpci_perform(gc, request, reply);
}

void libxl__hostpci_end_with(pid_t process)
{
}

void libxl__hostpci_finish(libxl__gc *gc,
                           const libxl__hostpci_request *request,
                           libxl__hostpci_reply *reply)
{
}

void libxl__hostpci_perform(libxl__gc *gc,
                            const libxl__hostpci_request *request,
                            libxl__hostpci_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    libxl__hostpci_fail(gc, reply, LIBXL__HOSTPCI_UNSUPPORTED, ENOSYS,
                        "PCI passthrough is not supported on this system");
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
