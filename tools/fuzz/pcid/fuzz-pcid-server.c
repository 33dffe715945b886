/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The server, libxl_pcid_server.c, with clients that send what they like,
 * and write what they like to xenstore; and what it says checked by what a
 * client checks.
 *
 * An input is what clients send, and these actions, where N is a byte:
 *
 *   %0 to %3  who sends from now on.  Domain 0 has the clients 0 and 1,
 *        domain 5 the client 2; the server serves both.  Client 3 is of
 *        domain 6, which it does not serve.  Client 0 is connected from the
 *        start, the others when they first have something to send.
 *   %.   what there is to send is sent, and everybody runs
 *   %q   the client no longer takes replies; or takes them again
 *   %x   it closes the connection           %k    it is killed
 *   %c   if it is not connected, it takes the spare channel of its domain
 *   %n NAME  it asks for one more channel, of that name
 *   %w PATH VALUE  it writes to a node below the server's directory
 *   %d PATH  it removes one
 *   %l TEXT  TEXT is what a device is recorded to be lent with
 *   %e %E  the oldest process, the newest process of the work ends
 *   %!   the oldest one was killed
 *   %g TEXT  the next one has TEXT for its parent, if it lends; if not,
 *        nothing, since its parent passes that on as it is
 *   %z   the server is stopped; it ends when all processes have
 *   %p   pciback's do_flr is there; or is not any more
 *   %y TEXT  TEXT is in a file of a device
 *   %t %T %U  time passes: 1 s, 11 s, 10 min; %U: only 20 s while there are
 *        processes, since each request has a sign of progress every second
 *   %fN  a fault: see fuzz_fault
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "fuzz.h"
#include "fuzz-inline.h"
#include "libxl_pcid.h"
#include "server.h"

#define OWNER 3
#define BASE "/local/domain/3/data/pcid"
#define LENT "/local/domain/3/data/pcid-lent"

#define NIC  "0000:03:00.0" /* has its driver, e1000 */
#define FREE "0000:03:00.1" /* has none */
#define BACK "0000:04:1f.7" /* has been given to pciback */

#define CLIENTS  4
#define REQUESTS 64

static const char resource[] =
    "0x00000000febc0000 0x00000000febdffff 0x0000000000040200\n"
    "0x000000000000c000 0x000000000000c03f 0x0000000000040101\n"
    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    "0x00000000feb80000 0x00000000febbffff 0x0000000000046200\n";

static test_server server;
static bool stopped; /* it has been told to end */
static bool faulty; /* there have been faults */
static bool flr; /* pciback's do_flr is there */
static bool files_changed; /* of sysfs, other than by libxl */
static bool nodes_changed; /* below the server's directory, by hand */

/*
 * Processes, which have done their part already; see fuzz-inline.c.
 */

static struct {
    int pid, status;
    bool exited;
} processes[128];

static int num_processes, last_pid;
static bool has_result; /* the next one has this for its parent: */
static char result[PCID_REQUEST_MAX];

static pid_t start_process(void *user)
{
    if (fault_take("fork", "")) return -1;
    fuzz_check(num_processes < ARRAY_SIZE(processes));
    if (++last_pid > 1000000) last_pid = 1;
    processes[num_processes].pid = last_pid;
    processes[num_processes++].exited = false;
    return last_pid;
}

const char *inline_child_result(const char *text)
{
    if (!has_result) return text;
    return strstr(text, "\"" PCID_RET_RESOURCES "\"") ? result : "";
}

void inline_child_exits(int pid, int status)
{
    int i;

    has_result = false;
    for (i = 0; i < num_processes; i++)
        if (processes[i].pid == pid) {
            processes[i].status = status << 8;
            processes[i].exited = true;
        }
}

static const libxl_childproc_hooks hooks = {
    .chldowner = libxl_sigchld_owner_mainloop,
    .fork_replacement = start_process,
};

static void end_process(int n, int status)
{
    int pid;

    if (n < 0 || n >= num_processes) return;
    fuzz_check(processes[n].exited);
    pid = processes[n].pid;
    status = status ?: processes[n].status;
    memmove(processes + n, processes + n + 1,
            (--num_processes - n) * sizeof(*processes));
    world_call(server.ctx);
    fuzz_check(!libxl_childproc_reaped(server.ctx, pid, status));
    world_return();
}

/*
 * Clients, and what they have a right to expect
 */

struct request {
    int64_t id;
    bool valid, answered;
    libxl__hostpci_request request;
    char driver[PCID_DRIVER_MAX + 1];
};

static struct client {
    raw_peer peer;
    int domid;
    bool deaf, greeted, ended;
    bool spare; /* its channel was made in advance */
    bool unsure; /* we no longer know what the server was sent */
    int num_requests, lines, replies;
    struct request requests[REQUESTS];
    char line[PCID_REQUEST_MAX + 16]; /* what is sent, up to its end */
    size_t len;
    bool cr;
} clients[CLIENTS] = {
    { .domid = 0 }, { .domid = 0 }, { .domid = 5 }, { .domid = 6 },
};

static void forget_requests(struct client *c)
{
    c->num_requests = c->lines = c->replies = 0;
}

static void client_reset(struct client *c)
{
    raw_close(&c->peer);
    c->deaf = c->greeted = c->ended = c->unsure = c->cr = false;
    c->spare = false;
    forget_requests(c);
    c->len = 0;
}

/* A whole line has been sent: what is a request gets the reply to it. */
static void note_line(struct client *c)
{
    GC_INIT(server.ctx);
    struct request *r = &c->requests[c->num_requests];
    libxl__json_object *msg;
    libxl__hostpci_reply error;
    bool has_id;

    c->lines++;
    if (c->num_requests == REQUESTS)
        c->unsure = true;
    if (c->unsure || c->len > PCID_REQUEST_MAX) goto out;
    c->line[c->len] = '\0';
    msg = libxl__json_parse(gc, c->line);
    if (!msg || !libxl__json_object_is_map(msg)) goto out;
    r->valid = !libxl__pcid_decode_request(gc, msg, &has_id, &r->id,
                                           &r->request, &error);
    if (!has_id) goto out;
    if (r->valid && r->request.driver) {
        strcpy(r->driver, r->request.driver);
        r->request.driver = r->driver;
    }
    r->answered = false;
    c->num_requests++;

 out:
    GC_FREE;
}

static void note_sent(struct client *c, const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (c->cr && text[i] == '\n') {
            if (c->len) c->len--;
            note_line(c);
            c->len = 0;
            c->cr = false;
            continue;
        }
        c->cr = text[i] == '\r';
        if (c->len < sizeof(c->line) - 1)
            c->line[c->len++] = text[i];
    }
}

/* The request with this id that has not been answered.  *one_r: it is the
 * only one that ever had this id. */
static struct request *request_of(struct client *c, int64_t id, bool *one_r)
{
    struct request *found = NULL;
    int i, n = 0;

    for (i = 0; i < c->num_requests; i++)
        if (c->requests[i].id == id) {
            n++;
            if (!c->requests[i].answered && !found)
                found = &c->requests[i];
        }
    *one_r = n == 1 && !c->unsure;
    return found;
}

static void check_message(struct client *c, const char *text)
{
    GC_INIT(server.ctx);
    libxl__pcid_features known;
    bool has_id, one;
    libxl__hostpci_request none = { 0 };
    libxl__hostpci_reply reply;
    libxl__json_object *msg;
    struct request *r;
    int major, minor;
    int64_t id;

    fuzz_check(fuzz_printable(text, PCID_REPLY_MAX));
    fuzz_check(!c->ended); /* nothing comes after BadMessage */
    msg = libxl__json_parse(gc, text);
    fuzz_check(msg && libxl__json_object_is_map(msg));

    switch (libxl__pcid_classify(msg, &has_id, &id)) {
    case LIBXL__PCID_GREETING:
        fuzz_check(!c->greeted);
        fuzz_check(!libxl__pcid_decode_greeting(msg, &major, &minor, &known));
        fuzz_check(major == PCID_VERSION_MAJOR);
        c->greeted = true;
        goto out;
    case LIBXL__PCID_PROGRESS:
        r = request_of(c, id, &one);
        fuzz_check(c->greeted);
        /* What has been answered is no longer in progress. */
        fuzz_check(!one || (r && r->valid));
        goto out;
    case LIBXL__PCID_REPLY:
        break;
    case LIBXL__PCID_INVALID:
        fuzz_fail(__FILE__, __LINE__, text);
    }

    fuzz_check(c->greeted);
    fuzz_check(++c->replies <= c->lines + 1);
    r = has_id ? request_of(c, id, &one) : NULL;
    if (r && one && r->valid) {
        fuzz_check(!libxl__pcid_decode_reply(gc, msg, &r->request, &reply));
    } else if (libxl__pcid_decode_reply(gc, msg, &none, &reply) ||
               !reply.class) {
        /* A result that we know no request for */
        fuzz_check(c->unsure || (has_id && !one));
        reply.class = LIBXL__HOSTPCI_OK;
    }
    if (reply.class == LIBXL__HOSTPCI_BAD_MESSAGE) {
        fuzz_check(!has_id);
        c->ended = true;
    }
    if (reply.class) fuzz_check(fuzz_printable(reply.desc, PCID_DESC_MAX));
    if (r) r->answered = true;

 out:
    GC_FREE;
}

static void take_replies(struct client *c)
{
    const char *text;

    while (!c->deaf && c->peer.ctrl && (text = raw_poll(&c->peer)))
        check_message(c, text);
}

static void run(int ms)
{
    int i;

    world_run(NULL, NULL, ms);
    for (i = 0; i < CLIENTS; i++)
        take_replies(&clients[i]);
}

static void open_channel(struct client *c)
{
    const char *refusal;
    char name[16];

    if (c->peer.ctrl) return;
    client_reset(c);
    sprintf(name, "c%d", (int)(c - clients));
    refusal = raw_connect(&c->peer, c->domid, OWNER, name);
    if (refusal) c->peer.ctrl = NULL;
}

static void take_spare(struct client *c)
{
    char path[64];
    const char *name;

    if (c->peer.ctrl) return;
    client_reset(c);
    snprintf(path, sizeof(path), BASE "/%d", c->domid);
    name = store_get(path);
    if (!name || !*name) return;
    c->peer = (raw_peer){ .domid = c->domid };
    snprintf(c->peer.path, sizeof(c->peer.path), "%s/%s", path, name);
    c->spare = raw_open(&c->peer, OWNER);
    /* Somebody has used it, and gone: as libxl would do */
    if (c->spare && (c->peer.ctrl->ring->left.prod ||
                     c->peer.ctrl->ring->right.cons))
        client_reset(c);
}

/*
 * To connect takes as long as several requests.  So each input finds client 0
 * connected, and its first request answered; it connects again only if an
 * input has not left it so.
 */
static void connect_first(void)
{
    static const char ping[] = "{\"id\":0}\r\n"; /* is an error */
    struct client *c = &clients[0];

    open_channel(c);
    fuzz_check(c->peer.ctrl);
    note_sent(c, ping, strlen(ping));
    fuzz_check(raw_send_bytes(&c->peer, ping, strlen(ping)));
    run(0);
    fuzz_check(c->greeted && c->replies == 1);
    forget_requests(c);
}

static bool is_as_connected(const struct client *c)
{
    return c->peer.ctrl && raw_alive((raw_peer *)&c->peer) && c->greeted &&
        !c->deaf && !c->ended && !c->unsure && !c->len && !c->cr &&
        c->replies == c->lines && !c->peer.in_used &&
        c->peer.ctrl->ring->left.prod == c->peer.ctrl->ring->left.cons &&
        c->peer.ctrl->ring->right.prod == c->peer.ctrl->ring->right.cons;
}

static void flush(fuzz_input *in, struct client *c)
{
    size_t done = 0;
    int r, idle = 0;

    if (in->len) open_channel(c);
    while (done < in->len && c->peer.ctrl && idle < 2) {
        r = libxenvchan_write(c->peer.ctrl, in->text + done, in->len - done);
        if (r > 0) {
            note_sent(c, in->text + done, r);
            done += r;
        }
        idle = r > 0 ? 0 : idle + 1;
        run(0);
    }
    if (done < in->len) c->unsure = true;
    in->len = 0;
}

/*
 * What else can happen
 */

/* A path that xenstored takes */
static bool good_path(char *path)
{
    char *p;

    for (p = path; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("-/_@", *p)) return false;
        if (*p == '/' && (p[1] == '/' || !p[1])) return false;
    }
    return strlen(path) < 100;
}

/* line: a path below the server's directory, and perhaps what to write */
static void write_node(struct client *c, const char *line, bool remove)
{
    int before = world_enter(c->domid);
    char path[1200], *value;
    struct xs_handle *xs;

    snprintf(path, sizeof(path), BASE "/%s", line);
    value = strchr(path, ' ');
    if (value) *value++ = '\0';
    if (good_path(path)) {
        nodes_changed = true;
        xs = xs_open(0);
        if (!remove)
            xs_write(xs, XBT_NULL, path, value ?: "", strlen(value ?: ""));
        else if (strchr(path + strlen(BASE) + 1, '/'))
            /* Without its directory a client is on its own. */
            xs_rm(xs, XBT_NULL, path);
        xs_close(xs);
    }
    world_leave(before);
}

static void stop_server(void)
{
    int before = world_enter(OWNER);

    if (!stopped) libxl_ao_abort(server.ctx, &server.how);
    stopped = true;
    world_leave(before);
    run(0);
}

static void put_file(fuzz_input *in)
{
    static const char *const files[] = {
        "devices/" BACK "/irq", "devices/" BACK "/resource",
        "devices/" NIC "/vendor", "devices/" NIC "/class",
        "drivers/pciback/slots", "devices/" BACK "/irq",
    };
    const char *line = fuzz_line(in);

    if (!*line) return;
    sysfs_put(files[*line % ARRAY_SIZE(files)], line + 1);
    files_changed = true;
}

static void action(fuzz_input *in, struct client *c, int what)
{
    char line[1100];

    switch (what) {
    case 'q': c->deaf = !c->deaf; break;
    case 'x': client_reset(c); break;
    case 'k':
        raw_kill(&c->peer);
        client_reset(c);
        break;
    case 'c': take_spare(c); break;
    case 'n':
        snprintf(line, sizeof(line), "%d/%s requested", c->domid,
                 fuzz_line(in));
        write_node(c, line, false);
        break;
    case 'w': write_node(c, fuzz_line(in), false); break;
    case 'd': write_node(c, fuzz_line(in), true); break;
    case 'l': store_put(LENT "/0/0000-04-1f-7", fuzz_line(in)); break;
    case 'e': end_process(0, 0); break;
    case 'E': end_process(num_processes - 1, 0); break;
    case '!': end_process(0, SIGKILL); break;
    case 'g':
        snprintf(result, sizeof(result), "%s", fuzz_line(in));
        has_result = true;
        break;
    case 'z': stop_server(); break;
    case 'p':
        sysfs_put("drivers/pciback/do_flr", flr ? NULL : "");
        flr = !flr;
        files_changed = true;
        break;
    case 'y': put_file(in); break;
    case 't': run(1000); break;
    case 'T': run(11000); break;
    case 'U':
        run(num_processes ? 20000 : 600000);
        break;
    case 'f':
        faulty = true;
        fuzz_fault(fuzz_byte(in));
        break;
    }
}

/*
 * Set-up
 */

static void make_sysfs(void)
{
    sysfs_reset(true);
    sysfs_add_device(NIC, "e1000", "e1000");
    sysfs_add_device(FREE, "e1000", NULL);
    sysfs_add_device(BACK, "nvme", "pciback");
}

static void set_driver(const char *sbdf, const char *driver)
{
    static const char *const drivers[] = { "e1000", "nvme", "pciback" };
    char path[64], target[64];
    int i;

    if (!strcmp(sysfs_driver(sbdf), driver ?: "")) return;
    snprintf(path, sizeof(path), "devices/%s/driver", sbdf);
    snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s",
             driver ?: "");
    if (driver)
        sysfs_link(path, target);
    else
        sysfs_put(path, NULL);
    for (i = 0; i < ARRAY_SIZE(drivers); i++) {
        snprintf(path, sizeof(path), "drivers/%s/%s", drivers[i], sbdf);
        snprintf(target, sizeof(target), "../../devices/%s", sbdf);
        if (driver && !strcmp(driver, drivers[i]))
            sysfs_link(path, target);
        else
            sysfs_put(path, NULL);
    }
}

/* To make it anew would take as long as ten inputs. */
static void restore_sysfs(void)
{
    bool written = *sysfs_writes();

    if (written || files_changed)
        sysfs_put("drivers/pciback/slots", BACK "\n");
    if (written) {
        set_driver(NIC, "e1000");
        set_driver(FREE, NULL);
        set_driver(BACK, "pciback");
    }
    if (files_changed) {
        sysfs_put("devices/" BACK "/irq", "11\n");
        sysfs_put("devices/" BACK "/resource", resource);
        sysfs_put("devices/" NIC "/vendor", "0x8086\n");
        sysfs_put("devices/" NIC "/class", "0x020000\n");
        sysfs_put("drivers/pciback/do_flr", NULL);
    }
    files_changed = flr = false;
}

static void start_server(void)
{
    static const libxl_domid served[] = { 0, 5 };

    fuzz_check(!server_start(&server, OWNER, served, 2));
    libxl_childproc_setmode(server.ctx, &hooks, NULL);
    stopped = false;
}

static void set_up(void)
{
    world_reset();
    make_sysfs();
    store_add_domain(OWNER);
    store_add_domain(5);
    store_add_domain(6);
    fault_domid = OWNER;
    start_server();
    connect_first();
    fuzz_ready();
}

/* all: the spare channel, too, of which the server then makes another */
static void clear_directory(const char *path, bool all)
{
    char child[256];
    const char *name;
    int i;

    for (i = 0; (name = store_child(path, i)); ) {
        if (!all && !strcmp(name, store_get(path))) {
            i++;
            continue;
        }
        snprintf(child, sizeof(child), "%s/%s", path, name);
        store_rm(child);
        i = 0;
    }
}

static void tear_down(void)
{
    int i;
    const char *name;
    char path[256];

    faults_clear();
    has_result = false;
    while (num_processes) {
        end_process(0, 0);
        run(0);
    }
    /* It ends when it is told to, and only then. */
    fuzz_check(server.running != stopped);
    if (faulty || stopped || clients[0].spare || !is_as_connected(&clients[0]))
        client_reset(&clients[0]);
    for (i = 1; i < CLIENTS; i++)
        client_reset(&clients[i]);
    /* What was asked for by hand, and has been offered, is taken back; so is
     * what could not be removed, or was written below a spare channel. */
    clear_directory(BASE "/0", faulty || nodes_changed);
    clear_directory(BASE "/5", faulty || nodes_changed);
    faulty = nodes_changed = false;
    for (i = 0; (name = store_child(BASE, i)); i++) {
        if (!strcmp(name, "0") || !strcmp(name, "5")) continue;
        snprintf(path, sizeof(path), BASE "/%s", name);
        store_rm(path);
        i = -1;
    }
    store_rm(LENT);
    world_settle();
    xc_log[0] = '\0';
    restore_sysfs();
    if (stopped) {
        fuzz_check(server.rc == ERROR_ABORTED);
        world_ctx_free(server.ctx);
        start_server();
    }
    if (!clients[0].peer.ctrl) connect_first();
    forget_requests(&clients[0]);
    fuzz_clean();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_input in;
    struct client *c = &clients[0];
    int what;

    if (!server.ctx) set_up();
    fuzz_begin(&in, data, size);

    do {
        what = fuzz_next(&in);
        flush(&in, c);
        if (what >= '0' && what < '0' + CLIENTS)
            c = &clients[what - '0'];
        else if (what)
            action(&in, c, what);
    } while (what || in.at < in.end);
    run(0);
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
