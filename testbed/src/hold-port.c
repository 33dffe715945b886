/*
 * hold-port DOMID: print the number of an event channel that domain DOMID may bind, and
 * keep it until killed. xenstored is given one where Xen did not make it for its domain.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <xenevtchn.h>

int main(int argc, char **argv)
{
    xenevtchn_handle *channels;
    int port;

    if (argc != 2)
        errx(2, "usage: hold-port DOMID");
    channels = xenevtchn_open(NULL, 0);
    if (!channels)
        err(1, "event channels");
    port = xenevtchn_bind_unbound_port(channels, atoi(argv[1]));
    if (port < 0)
        err(1, "an event channel for domain %s", argv[1]);
    printf("%d\n", port);
    fclose(stdout);
    for (;;)
        pause();
}
