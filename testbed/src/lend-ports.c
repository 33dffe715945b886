/*
 * lend-ports DOMID FIRST COUNT [FIRST COUNT...]: let DOMID use I/O ports of ours.
 *
 * Run in the hardware domain: creating it took all ports from domain 0, whose
 * second serial port carries the scenario's output.
 */
#include <err.h>
#include <stdlib.h>

#include <xenctrl.h>

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    int i;

    if (!xch)
        err(1, "no access to the hypervisor");
    for (i = 2; i + 1 < argc; i += 2)
        if (xc_domain_ioport_permission(xch, atoi(argv[1]), strtoul(argv[i], NULL, 0),
                                        strtoul(argv[i + 1], NULL, 0), 1))
            err(1, "ports from %s", argv[i]);
    return xc_interface_close(xch);
}
