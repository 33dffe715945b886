/*
 * threads attach|abort DOMID BDF
 *
 * Attach a device to a domain, with permissive=1, while another thread uses the same
 * libxl ctx. Linked with the libxl of the series. Prints rc and time of each call.
 *
 * attach: the other thread lists the domains all the time; "longest list" is the longest
 *         that one such call took.
 * abort:  the other thread aborts the operation after a second.
 */
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_event.h>
#include <xentoollog.h>

static libxl_ctx *ctx;
static atomic_int attached;
static const libxl_asyncop_how how = { .u.for_event = 1 };

static long milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *list(void *unused)
{
    long longest = 0;
    int calls = 0;

    while (!attached) {
        long start = milliseconds(), took;
        int count;
        libxl_dominfo *domains = libxl_list_domain(ctx, &count);

        if (!domains)
            errx(1, "libxl_list_domain fails");
        libxl_dominfo_list_free(domains, count);
        took = milliseconds() - start;
        if (took > longest)
            longest = took;
        calls++;
        usleep(10000);
    }
    printf("longest list: %ld ms, of %d\n", longest, calls);
    return NULL;
}

static void *abort_it(void *unused)
{
    sleep(1);
    printf("abort: rc %d\n", libxl_ao_abort(ctx, &how));
    return NULL;
}

/* Start the operation, and return its rc when it has completed. */
static int attach_asynchronously(uint32_t domid, libxl_device_pci *pci)
{
    int rc = libxl_device_pci_add(ctx, domid, pci, &how);
    libxl_event *event;

    while (!rc) {
        rc = libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL);
        if (rc)
            errx(1, "libxl_event_wait: rc %d", rc);
        if (event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE &&
            event->for_user == how.u.for_event) {
            rc = event->u.operation_complete.rc;
            libxl_event_free(ctx, event);
            break;
        }
        libxl_event_free(ctx, event);
    }
    return rc;
}

int main(int argc, char **argv)
{
    xentoollog_logger_stdiostream *logger;
    unsigned int domain, bus, dev, func;
    libxl_device_pci pci;
    pthread_t other;
    uint32_t domid;
    int abort_mode, rc;
    long start;

    if (argc != 4 || sscanf(argv[3], "%x:%x:%x.%x", &domain, &bus, &dev, &func) != 4)
        errx(2, "usage: threads attach|abort DOMID BDF");
    abort_mode = !strcmp(argv[1], "abort");
    domid = atoi(argv[2]);
    libxl_device_pci_init(&pci);
    pci.domain = domain;
    pci.bus = bus;
    pci.dev = dev;
    pci.func = func;
    pci.vfunc_mask = 1;
    pci.permissive = true;

    setlinebuf(stdout);
    logger = xtl_createlogger_stdiostream(stderr, XTL_WARN, 0);
    if (!logger ||
        libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, (xentoollog_logger *)logger))
        errx(1, "no libxl ctx");

    if (pthread_create(&other, NULL, abort_mode ? abort_it : list, NULL))
        errx(1, "no thread");
    start = milliseconds();
    if (abort_mode)
        rc = attach_asynchronously(domid, &pci);
    else
        rc = libxl_device_pci_add(ctx, domid, &pci, NULL);
    printf("attach: rc %d after %ld ms\n", rc, milliseconds() - start);
    attached = 1;
    pthread_join(other, NULL);

    libxl_device_pci_dispose(&pci);
    libxl_ctx_free(ctx);
    xtl_logger_destroy((xentoollog_logger *)logger);
    return 0;
}
