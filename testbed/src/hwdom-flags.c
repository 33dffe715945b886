/*
 * LD_PRELOAD for the `xl create` of the hardware domain.
 *
 * Linux drives the hardware only if its start info says that it is an initial
 * domain, which libxl never sets for a domain it builds.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

#include <xenctrl.h>
#include <xenguest.h>
#include <xen/xen.h>

int xc_dom_boot_image(struct xc_dom_image *dom)
{
    int (*real)(struct xc_dom_image *) = dlsym(RTLD_NEXT, "xc_dom_boot_image");

    dom->flags |= SIF_INITDOMAIN | SIF_PRIVILEGED;
    return real(dom);
}
