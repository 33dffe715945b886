/*
 * xen-says KEYS: prints what the hypervisor says to each of these debug keys, which it does
 * on its console only. What that had before is added to /run/xen.log.
 *
 * As xl dmesg and xl debug-keys do, but in one program that starts quickly: tests ask often.
 */
#include <err.h>
#include <stdio.h>

#include <xenctrl.h>

/* Moves what is in the console's ring to a file; not in one piece, for which libxenctrl would
 * need as much memory again. */
static void empty(xc_interface *xch, FILE *to)
{
    char part[16 << 10];
    unsigned int size, i;

    do {
        size = sizeof(part);
        if (xc_readconsolering(xch, part, &size, 1, 0, NULL))
            err(1, "no access to the hypervisor's console");
        for (i = 0; i < size; i++)
            if (part[i] != '\r')
                putc(part[i], to);
    } while (size == sizeof(part));
    if (fflush(to))
        err(1, "what the hypervisor says");
}

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    FILE *before = fopen("/run/xen.log", "a");

    if (argc != 2)
        errx(2, "usage: xen-says KEYS");
    if (!xch)
        err(1, "no access to the hypervisor");
    if (!before)
        err(1, "/run/xen.log");
    empty(xch, before);
    if (xc_send_debug_keys(xch, argv[1]))
        err(1, "debug keys %s", argv[1]);
    empty(xch, stdout);
    return xc_interface_close(xch);
}
