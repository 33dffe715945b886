/*
 * host list DEVICES ROUNDS
 * host small REQUESTS
 * host lists REQUESTS
 *
 * What xl pcid costs on the build machine, with the stand-ins of tools/tests/pcid for Xen and
 * sysfs: what the emulator would hide, and more devices than it has. Prints series of samples
 * as testbed/src/bench.c does.
 *
 * list:   the directory of so many devices.
 *           dir          reading it, ns
 *           direct       the command ls, in this process, ns
 *           remote       a client's ls, all that client, channel and server do for it, ns
 *           peak         the most memory that was allocated in it, in both, bytes
 * small:  so many read_hex of one connection.
 *           cpu          of the server for one, ns
 *           allocations  of the server for one
 *           kept         bytes that are allocated at the end, and were not at the beginning
 * lists:  as small, with lists of 7 devices.
 *
 * For callgrind, which counts from the first request to the last, only in the server, the
 * function to collect in is serve_request.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <malloc.h>

#include "harness.h"

#define OWNER 3
#define DEVICE "0000:03:00.0"

/*
 * Memory
 */

static size_t allocations, used, peak;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *ptr);

static void *count(void *ptr)
{
    allocations++;
    used += malloc_usable_size(ptr);
    if (used > peak)
        peak = used;
    return ptr;
}

void *malloc(size_t size)
{
    return count(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
    return count(__libc_calloc(number, size));
}

void *realloc(void *old, size_t size)
{
    used -= malloc_usable_size(old);
    return count(__libc_realloc(old, size));
}

void free(void *ptr)
{
    used -= malloc_usable_size(ptr);
    __libc_free(ptr);
}

/*
 * Time
 */

static int64_t now(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/*
 * The world
 */

static test_server server;

static void start(void)
{
    world_reset();
    world_log_off();
    xc_domains |= 1ull << OWNER;
    store_add_domain(OWNER);
    store_put("/libxl", "");
    sysfs_add_device(DEVICE, "e1000", "e1000");
    if (server_start(&server, OWNER, NULL, 0))
        abort();
}

static void end(void)
{
    server_stop(&server);
    world_reset();
}

static void die(const char *what)
{
    fprintf(stderr, "host: %s\n", what);
    exit(1);
}

/*
 * A list, by libxl
 */

static int listed;

static void list_done(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    STATE_AO_GC(op->ao);

    listed = op->reply.num_sbdfs;
    libxl__ao_complete(egc, op->ao, rc);
}

static int list_start(libxl_ctx *ctx)
{
    AO_CREATE(ctx, INVALID_DOMID, NULL);
    libxl__hostpci_op *op;

    GCNEW(op);
    libxl__hostpci_op_init(op);
    op->ao = ao;
    op->request.command = LIBXL__HOSTPCI_CMD_LS;
    op->request.dir = LIBXL__HOSTPCI_DIR_PCI_DEVICES;
    op->callback = list_done;
    libxl__hostpci_op_start(egc, op);
    return AO_INPROGRESS;
}

static int64_t list(libxl_ctx *ctx, int devices)
{
    int64_t start;
    int rc;

    world_call(ctx);
    start = now(CLOCK_PROCESS_CPUTIME_ID);
    rc = list_start(ctx);
    start = now(CLOCK_PROCESS_CPUTIME_ID) - start;
    world_return();
    if (rc || listed != devices)
        die("the list is wrong");
    return start;
}

static int64_t read_directory(int devices)
{
    int64_t start = now(CLOCK_PROCESS_CPUTIME_ID);
    DIR *dir = opendir("/sys/bus/pci/devices");
    int found = 0;

    while (readdir(dir))
        found++;
    closedir(dir);
    if (found != devices + 2)
        die("the directory is wrong");
    return now(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static void print(const char *name, const int64_t *samples, int count)
{
    printf("%s", name);
    for (int i = 0; i < count; i++)
        printf(" %"PRId64, samples[i]);
    printf("\n");
}

static void lists_of(int devices, int rounds)
{
    int64_t *dir = calloc(rounds, sizeof(*dir));
    int64_t *direct = calloc(rounds, sizeof(*dir));
    int64_t *remote = calloc(rounds, sizeof(*dir)), most;
    libxl_ctx *ctx;
    size_t before;

    start();
    for (int i = 1; i < devices; i++) {
        char path[64];

        /* What is in a device is of no concern to a list. */
        snprintf(path, sizeof(path), "devices/%04x:%02x:%02x.%x", i >> 16,
                 0x10 + (i >> 8 & 0x7f), i >> 3 & 0x1f, i & 7);
        sysfs_link(path, "nowhere");
    }
    ctx = world_ctx(0);

    list(ctx, devices);
    for (int i = 0; i < rounds; i++) {
        dir[i] = read_directory(devices);
        direct[i] = list(ctx, devices);
    }
    store_put(PCID_XS_OWNER, "3");
    list(ctx, devices);
    before = peak = used;
    for (int i = 0; i < rounds; i++)
        remote[i] = list(ctx, devices);
    most = peak - before;
    print("dir", dir, rounds);
    print("direct", direct, rounds);
    print("remote", remote, rounds);
    print("peak", &most, 1);

    world_ctx_free(ctx);
    store_rm(PCID_XS_OWNER);
    end();
    free(dir);
    free(direct);
    free(remote);
}

/*
 * The server alone
 */

static raw_peer peer;
static const char *reply;

/* In between is nothing but the server. */
static void __attribute__((noinline)) serve_request(void)
{
    world_settle();
}

static int64_t ask(const char *text)
{
    int64_t start;

    if (!raw_send_bytes(&peer, text, strlen(text)))
        die("cannot send");
    start = now(CLOCK_PROCESS_CPUTIME_ID);
    serve_request();
    start = now(CLOCK_PROCESS_CPUTIME_ID) - start;
    return start;
}

static void small(const char *format, int requests)
{
    int64_t *cpu = calloc(requests, sizeof(*cpu)), kept, made = 0;
    char text[256];
    size_t before;

    start();
    for (int i = 1; i < 7; i++) {
        snprintf(text, sizeof(text), "0000:03:00.%d", i);
        sysfs_add_device(text, "e1000", "e1000");
    }
    if (raw_connect(&peer, 0, OWNER, "bench") || !raw_recv(&peer, 0))
        die("no connection");
    before = used;
    for (int i = 0; i < requests; i++) {
        snprintf(text, sizeof(text), format, i);
        before = i == 10 ? used : before; /* what is kept for use again */
        made -= allocations;
        cpu[i] = ask(text);
        made += allocations;
        reply = raw_poll(&peer);
        if (!reply || !strstr(reply, "\"return\""))
            die("a request fails");
    }
    kept = used - before;
    made /= requests;
    print("cpu", cpu, requests);
    print("allocations", &made, 1);
    print("kept", &kept, 1);

    raw_close(&peer);
    end();
    free(cpu);
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "list"))
        lists_of(atoi(argv[2]), atoi(argv[3]));
    else if (argc == 3 && !strcmp(argv[1], "small"))
        small("{\"execute\":\"read_hex\",\"id\":%d,\"arguments\":{\"attr_id\":"
              "\"vendor\",\"sbdf\":\""DEVICE"\"}}\r\n", atoi(argv[2]));
    else if (argc == 3 && !strcmp(argv[1], "lists"))
        small("{\"execute\":\"ls\",\"id\":%d,\"arguments\":{\"dir_id\":"
              "\"pci_devices\"}}\r\n", atoi(argv[2]));
    else
        die("usage: see the head of host.c");
    sysfs_cleanup();
    return 0;
}
