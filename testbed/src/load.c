/*
 * load lists CLIENTS REQUESTS
 * load connections N
 * load kills N SEED BDF
 *
 * Load for xl pcid, by clients that are linked with the libxl of the series.
 *
 * lists:        so many processes at once, each of which has connected before the first
 *               goes on, ask for a list so many times. Prints how many could connect,
 *               how many requests failed, and how long the slowest took.
 * connections:  as many one after the other, each for one list.
 * kills:        as many processes that list, assign and unassign a device without end,
 *               each killed at a random moment; the next starts when it is dead.
 *
 * Ends with 1 if anything failed; a client that cannot connect is not a failure.
 */
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>
#include <xentoollog.h>

/* A client is killed so long after its start at the latest: by then it has begun anew. */
#define KILL_AFTER_MS 600

static libxl_ctx *ctx;

/* What a client process tells its parent: when it has connected (connected), and at the
 * end (all). */
struct report {
    int connected, failed;
    long slowest;
};

static long milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void open_ctx(void)
{
    void *logger = xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);

    if (!logger || libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, logger))
        errx(1, "no libxl context");
}

static int list(void)
{
    libxl_device_pci *devices;
    int count, rc = libxl_pci_assignable_get(ctx, &devices, &count, NULL);

    if (!rc)
        libxl_device_pci_assignable_list_free(devices, count);
    return rc;
}

static void send_report(int fd, const struct report *report)
{
    if (write(fd, report, sizeof(*report)) != sizeof(*report))
        err(1, "pipe");
}

static void client(int requests, int to_parent, int go)
{
    struct report report = { 0 };
    char byte;

    open_ctx();
    report.connected = !list();
    send_report(to_parent, &report);

    /* The parent closes its end when all have got here. */
    if (read(go, &byte, 1) < 0)
        err(1, "pipe");
    for (int i = 0; report.connected && i < requests; i++) {
        long start = milliseconds(), took;

        report.failed += !!list();
        took = milliseconds() - start;
        if (took > report.slowest)
            report.slowest = took;
    }
    send_report(to_parent, &report);
    libxl_ctx_free(ctx);
    exit(0);
}

/* Adds up a report of each client; returns how many there were. */
static int add_up(int fd, int clients, struct report *sum)
{
    struct report report;
    int i;

    memset(sum, 0, sizeof(*sum));
    for (i = 0; i < clients; i++) {
        if (read(fd, &report, sizeof(report)) != sizeof(report))
            break;
        sum->connected += report.connected;
        sum->failed += report.failed;
        if (report.slowest > sum->slowest)
            sum->slowest = report.slowest;
    }
    return i;
}

static int lists(int clients, int requests)
{
    struct report first, last;
    int reports[2], go[2];
    long start;

    if (pipe(reports) || pipe(go))
        err(1, "pipe");
    for (int i = 0; i < clients; i++) {
        pid_t pid = fork();

        if (pid < 0)
            err(1, "fork");
        if (!pid) {
            close(reports[0]);
            close(go[1]);
            client(requests, reports[1], go[0]);
        }
    }
    close(reports[1]);
    close(go[0]);

    if (add_up(reports[0], clients, &first) != clients)
        errx(1, "a client has died");
    start = milliseconds();
    close(go[1]);
    if (add_up(reports[0], clients, &last) != clients)
        errx(1, "a client has died");
    while (wait(NULL) > 0) {}

    printf("connected=%d requests=%d failed=%d slowest=%ld ms all=%ld ms\n", first.connected,
           first.connected * requests, last.failed, last.slowest, milliseconds() - start);
    return last.failed;
}

static int connections(int n)
{
    int failed = 0;

    for (int i = 0; i < n; i++) {
        open_ctx();
        failed += !!list();
        libxl_ctx_free(ctx);
    }
    printf("connections=%d failed=%d\n", n, failed);
    return failed;
}

static void busy_client(const char *bdf)
{
    libxl_device_pci device;
    unsigned int domain, bus, dev, func;

    if (sscanf(bdf, "%x:%x:%x.%u", &domain, &bus, &dev, &func) != 4)
        errx(1, "%s is no device", bdf);
    open_ctx();
    for (;;) {
        libxl_device_pci_init(&device);
        device.domain = domain;
        device.bus = bus;
        device.dev = dev;
        device.func = func;
        list();
        libxl_device_pci_assignable_add(ctx, &device, 0);
        libxl_device_pci_assignable_remove(ctx, &device, 0);
        libxl_device_pci_dispose(&device);
    }
}

static int kills(int n, unsigned int seed, const char *bdf)
{
    srandom(seed);
    for (int i = 0; i < n; i++) {
        int delay = random() % KILL_AFTER_MS, status;
        pid_t pid = fork();

        if (pid < 0)
            err(1, "fork");
        if (!pid) {
            /* What it says before it dies is of no interest. */
            if (!freopen("/dev/null", "w", stderr))
                exit(1);
            busy_client(bdf);
        }
        poll(NULL, 0, delay);
        kill(pid, SIGKILL);
        if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
            errx(1, "a client has ended by itself");
    }
    printf("killed=%d\n", n);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "lists"))
        return !!lists(atoi(argv[2]), atoi(argv[3]));
    if (argc == 3 && !strcmp(argv[1], "connections"))
        return !!connections(atoi(argv[2]));
    if (argc == 5 && !strcmp(argv[1], "kills"))
        return !!kills(atoi(argv[2]), atoi(argv[3]), argv[4]);
    errx(2, "usage: load lists CLIENTS REQUESTS | connections N | kills N SEED BDF");
}
