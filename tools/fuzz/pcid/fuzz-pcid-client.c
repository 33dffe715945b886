/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The client, libxl_pcid_client.c, with an owner that answers what it likes,
 * while requests of every kind are in progress.  What reaches the callback
 * must be what the protocol promises.
 *
 * An input is what the owner sends, and these actions, where N is a byte:
 *
 *   %aN to %lN  libxl starts a request: the letter is for the command, in
 *        the order of libxl__hostpci_command, but %F, %G and %K for unbind,
 *        reset and lend; N is for the arguments.  Requests have the ids 0,
 *        1, ... in the order in which they are sent.
 *   %BN  a query about a device that a guest has from another domain
 *   %C   the end of the next request that ends starts one more
 *   %.   what there is to send is sent, and everybody runs
 *   %g   the greeting, as it should be
 *   %o   the owner offers a channel; done by the first of what is sent, too
 *   %S   it has made a channel in advance, and says so
 *   %N TEXT  that channel has the name TEXT, it says
 *   %r TEXT  the owner refuses, for that reason
 *   %v TEXT  the owner writes TEXT to the node that asks
 *   %R   it removes that node               %D    it removes its directory
 *   %x   it closes                          %k    it is killed
 *   %sN  libxl no longer waits for a request
 *   %A   the ao is aborted
 *   %t %T %U  time passes: 1 s, 8 s, 130 s
 *   %P   132 s pass, with a sign of progress of the last request now and then
 *   %fN  a fault: see fuzz_fault
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "fuzz.h"
#include "libxl_pcid.h"

#define OWNER 3
#define OTHER 5 /* a backend that is not designated */
#define OPS   16
#define SPARE "@1" /* the channel that is made in advance */

static libxl_ctx *ctx;
static raw_peer peer;
static bool chain, faulty;
static int64_t last_id; /* of the requests on this connection */

/* From the heap, so that a use after the end shows */
struct op {
    libxl__hostpci_op op;
    bool active;
};

static struct op *ops[OPS];
static int num_ops;

/*
 * What the protocol promises
 */

static void check_error(const libxl__hostpci_reply *reply)
{
    fuzz_check(reply->class > LIBXL__HOSTPCI_OK &&
               reply->class <= LIBXL__HOSTPCI_FAILED);
    fuzz_check(reply->step <= LIBXL__HOSTPCI_STEP_ACCESS);
    fuzz_check(reply->errnoval >= 0 && reply->errnoval < 256);
    fuzz_check(fuzz_printable(reply->desc, PCID_DESC_MAX));
}

static void check_resources(const libxl__hostpci_access *access)
{
    int i;

    for (i = 0; i < PCID_RESOURCES; i++) {
        const libxl__hostpci_resource *res = &access->resources[i];

        if (!res->start) {
            fuzz_check(!res->end && !res->flags);
            continue;
        }
        fuzz_check(res->end >= res->start);
        fuzz_check(!(res->flags & ~PCID_RESOURCE_KNOWN));
        if (res->flags & PCID_RESOURCE_IO)
            fuzz_check(res->flags == PCID_RESOURCE_IO && res->end < 65536);
        else
            fuzz_check((res->flags & PCID_RESOURCE_MEM) &&
                       res->end < 1ULL << 52);
    }
}

static void check_driver(const char *driver)
{
    if (driver)
        fuzz_check(fuzz_printable(driver, PCID_DRIVER_MAX) &&
                   *driver != '.' && !strchr(driver, '/'));
}

static void check_query(const libxl__pci_sbdf *sbdf,
                        const libxl__hostpci_reply *reply)
{
    unsigned self = 1u << sbdf->func;

    fuzz_check(reply->vendor <= 0xffff && reply->device <= 0xffff &&
               reply->class_code <= 0xffffff);
    fuzz_check(reply->functions < 256 && (reply->functions & self));
    fuzz_check(!(reply->assigned_functions & ~reply->functions));
    fuzz_check(!(reply->assigned_functions & self) != reply->assigned);
}

static void check_result(const libxl__hostpci_request *request,
                         const libxl__hostpci_reply *reply)
{
    static const uint64_t max[] = {
        [LIBXL__HOSTPCI_ATTR_VENDOR] = 0xffff,
        [LIBXL__HOSTPCI_ATTR_DEVICE] = 0xffff,
        [LIBXL__HOSTPCI_ATTR_CLASS]  = 0xffffff,
        [LIBXL__HOSTPCI_ATTR_IRQ]    = INT32_MAX,
        [LIBXL__HOSTPCI_ATTR_GSI]    = PCID_GSI_MAX,
    };
    int i;

    switch (request->command) {
    case LIBXL__HOSTPCI_CMD_LS:
        for (i = 0; i < reply->num_sbdfs; i++)
            fuzz_check(reply->sbdfs[i].dev < 32 && reply->sbdfs[i].func < 8);
        break;
    case LIBXL__HOSTPCI_CMD_READ_HEX:
        fuzz_check(reply->value <= max[request->attr]);
        break;
    case LIBXL__HOSTPCI_CMD_LEND:
        fuzz_check(reply->access.gsi <= PCID_GSI_MAX);
        /* fall through */
    case LIBXL__HOSTPCI_CMD_READ_RESOURCES:
        check_resources(&reply->access);
        break;
    case LIBXL__HOSTPCI_CMD_QUERY:
        check_query(&request->sbdf, reply);
        check_driver(reply->driver);
        break;
    case LIBXL__HOSTPCI_CMD_ASSIGN:
        fuzz_check(!reply->assigned || !reply->driver);
        /* fall through */
    case LIBXL__HOSTPCI_CMD_UNBIND:
        check_driver(reply->driver);
        break;
    default:
        break;
    }
    if (reply->reset_failed)
        fuzz_check(fuzz_printable(reply->reset_failed, PCID_DESC_MAX));
}

/*
 * Requests
 */

static void start_op(libxl__egc *egc, libxl__hostpci_command command, int n,
                     libxl_domid backend);

static void op_callback(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    struct op *o = CONTAINER_OF(op, *o, op);

    fuzz_check(o->active);
    o->active = false;
    /* A request for the owner is never carried out here. */
    if (!rc || rc == ERROR_FAIL)
        fuzz_check(op->owner != INVALID_DOMID || faulty);
    if (!rc)
        check_result(&op->request, &op->reply);
    else if (rc == ERROR_FAIL)
        check_error(&op->reply);
    else
        fuzz_check(rc == ERROR_PCI_OWNER_UNREACHABLE ||
                   rc == ERROR_ABORTED);
    if (chain) {
        chain = false;
        start_op(egc, op->request.command, 1, op->backend);
    }
}

static void make_request(libxl__hostpci_request *request,
                         libxl__hostpci_command command, unsigned n)
{
    memset(request, 0, sizeof(*request));
    request->command = command;
    request->dir = n % 3;
    request->attr = n % 5;
    request->file = n % 5;
    request->sbdf = (libxl__pci_sbdf){ 0, 3, n & 1, n % 8 };
    request->driver = "e1000";
    request->reset = n & 8;
    request->permissive = n & 16;
}

static void start_op(libxl__egc *egc, libxl__hostpci_command command, int n,
                     libxl_domid backend)
{
    struct op *o;

    if (num_ops == OPS) return;
    o = ops[num_ops++] = calloc(1, sizeof(*o));
    libxl__hostpci_op_init(&o->op);
    o->op.ao = fuzz_ao(ctx);
    o->op.backend = backend;
    make_request(&o->op.request, command, n);
    o->op.callback = op_callback;
    o->active = true;
    libxl__hostpci_op_start(egc, &o->op);
}

static void start(libxl__hostpci_command command, int n, libxl_domid backend)
{
    EGC_INIT(ctx);

    (void)gc;
    CTX_LOCK;
    start_op(egc, command, n, backend);
    CTX_UNLOCK_EGC_FREE;
}

static void stop(int n)
{
    GC_INIT(ctx);

    CTX_LOCK;
    libxl__hostpci_op_stop(gc, &ops[n]->op);
    ops[n]->active = false;
    CTX_UNLOCK;
    GC_FREE;
}

static void forget_clients(void)
{
    GC_INIT(ctx);

    CTX_LOCK;
    libxl__pcid_clients_dispose(gc);
    CTX_UNLOCK;
    GC_FREE;
}

/*
 * The owner
 */

static const char *directory(int owner)
{
    static char path[48];

    snprintf(path, sizeof(path), "/local/domain/%d/%s/0", owner,
             PCID_XS_DIR);
    return path;
}

static const char *asked_of(int owner)
{
    static char path[64];
    const char *name;
    int i;

    for (i = 0; (name = store_child(directory(owner), i)); i++)
        if (strcmp(name, SPARE)) break;
    if (!name) return NULL;
    snprintf(path, sizeof(path), "%s/%s", directory(owner), name);
    return path;
}

/* The node in which a channel is asked for, and in which domain */
static const char *asked(int *owner_r)
{
    return asked_of(*owner_r = OWNER) ?: asked_of(*owner_r = OTHER);
}

static void answer(const char *text)
{
    int owner;
    const char *path = asked(&owner);

    if (path) store_put(path, text);
}

static void offer(void)
{
    int owner;
    const char *path = asked(&owner);

    if (peer.ctrl || !path) return;
    last_id = -1;
    fuzz_check(raw_listen(&peer, owner, 0, path));
    answer(PCID_XS_OFFERED);
    world_settle();
}

static void make_spare(void)
{
    char path[64];

    if (peer.ctrl) return;
    last_id = -1;
    snprintf(path, sizeof(path), "%s/%s", directory(OWNER), SPARE);
    fuzz_check(raw_listen(&peer, OWNER, 0, path));
    store_put(directory(OWNER), SPARE);
}

/* What the client sends is always a request. */
static void check_requests(void)
{
    GC_INIT(ctx);
    libxl__hostpci_request request;
    libxl__hostpci_reply error;
    libxl__json_object *msg;
    const char *text;
    bool has_id;
    int64_t id;

    while (peer.ctrl && (text = raw_poll(&peer))) {
        fuzz_check(strlen(text) + 2 <= PCID_REQUEST_MAX);
        msg = libxl__json_parse(gc, text);
        fuzz_check(msg && !libxl__pcid_decode_request(gc, msg, &has_id, &id,
                                                      &request, &error));
        fuzz_check(id > last_id);
        last_id = id;
    }
    GC_FREE;
}

static void run(int ms)
{
    world_run(NULL, NULL, ms);
    check_requests();
}

static void flush(fuzz_input *in)
{
    size_t done = 0;
    int r, idle = 0;

    if (in->len) offer();
    while (done < in->len && peer.ctrl && idle < 2) {
        r = libxenvchan_write(peer.ctrl, in->text + done, in->len - done);
        if (r > 0) done += r;
        idle = r > 0 ? 0 : idle + 1;
        run(0);
    }
    in->len = 0;
}

static void put_directories(void)
{
    store_put(directory(OWNER), "");
    store_put(directory(OTHER), "");
}

static void action(fuzz_input *in, int what)
{
    static const char greeting[] = "{\"pcid\":{\"version\":{\"major\":1,"
        "\"minor\":0},\"features\":[\"query\",\"assign\",\"unassign\","
        "\"lend\",\"take_back\",\"interrupt_control\"]}}\r\n";
    const char *path;
    char text[1100];
    int n;

    if (what >= 'a' && what < 'a' + LIBXL__HOSTPCI_COMMANDS &&
        what != 'f' && what != 'g' && what != 'k') {
        start(what - 'a', fuzz_byte(in), INVALID_DOMID);
        return;
    }
    switch (what) {
    case 'F': start(LIBXL__HOSTPCI_CMD_UNBIND, fuzz_byte(in), INVALID_DOMID);
        break;
    case 'G': start(LIBXL__HOSTPCI_CMD_RESET, fuzz_byte(in), INVALID_DOMID);
        break;
    case 'K': start(LIBXL__HOSTPCI_CMD_LEND, fuzz_byte(in), INVALID_DOMID);
        break;
    case 'B': start(LIBXL__HOSTPCI_CMD_QUERY, fuzz_byte(in), OTHER); break;
    case 'C': chain = true; break;
    case 'g':
        memcpy(in->text + in->len, greeting, sizeof(greeting) - 1);
        in->len += sizeof(greeting) - 1;
        break;
    case 'o': offer(); break;
    case 'S': make_spare(); break;
    case 'N': store_put(directory(OWNER), fuzz_line(in)); break;
    case 'r':
        snprintf(text, sizeof(text), "%s%s", PCID_XS_REFUSED, fuzz_line(in));
        answer(text);
        break;
    case 'v': answer(fuzz_line(in)); break;
    case 'R':
        path = asked(&n);
        if (path) store_rm(path);
        break;
    case 'D': store_rm("/local/domain/3/" PCID_XS_DIR); break;
    case 'x': raw_close(&peer); break;
    case 'k': raw_kill(&peer); break;
    case 's':
        n = fuzz_byte(in) % OPS;
        if (n < num_ops) stop(n);
        break;
    case 'A': fuzz_ao_abort(ctx); break;
    case 't': run(1000); break;
    case 'T': run(8000); break;
    case 'U': run(130000); break;
    case 'P':
        in->budget -= FUZZ_DEAR;
        for (n = 0; n < 22; n++) {
            in->len = snprintf(in->text, sizeof(in->text),
                               "{\"progress\":{},\"id\":%"PRId64"}\r\n",
                               last_id);
            flush(in);
            run(6000);
        }
        break;
    case 'f':
        /* One of them is that the designation cannot be seen. */
        faulty = true;
        fuzz_fault(fuzz_byte(in));
        break;
    }
}

static void set_up(void)
{
    world_reset();
    store_add_domain(OWNER);
    store_add_domain(OTHER);
    store_put("/libxl", "");
    store_put(PCID_XS_OWNER, "3");
    put_directories();
    fault_domid = 0;
    ctx = world_ctx(0);
    fuzz_ready();
}

static void tear_down(void)
{
    const char *path;
    char spare[64];
    int i, owner;

    faults_clear();
    for (i = 0; i < num_ops; i++) {
        stop(i);
        free(ops[i]);
    }
    num_ops = 0;
    chain = faulty = false;
    if (*sysfs_writes()) sysfs_put("drivers/pciback/slots", "");
    fuzz_ao_end(ctx);
    forget_clients();
    raw_close(&peer);
    while ((path = asked(&owner)))
        store_rm(path);
    snprintf(spare, sizeof(spare), "%s/%s", directory(OWNER), SPARE);
    store_rm(spare);
    put_directories();
    world_settle();
    fuzz_clean();
}

/* Of an owner that says nothing any more nobody waits for anything. */
static void check_bound(void)
{
    int i;

    chain = false;
    for (i = 0; i < num_ops && !ops[i]->active; i++)
        ;
    if (i < num_ops) run(PCID_SILENCE_MS + 1);
    for (i = 0; i < num_ops; i++)
        fuzz_check(!ops[i]->active);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_input in;
    int what;

    if (!ctx) set_up();
    fuzz_begin(&in, data, size);

    do {
        what = fuzz_next(&in);
        /* It is a part of what is sent. */
        if (what != 'g') flush(&in);
        if (what) action(&in, what);
    } while (what || in.at < in.end);
    run(0);
    check_bound();
    tear_down();
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
