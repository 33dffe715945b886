/*
 * What xl pcid costs, beside what it is made of. Each command prints series of samples, a
 * line each: a name, and the numbers (nanoseconds, unless the command says otherwise).
 *
 * bench serve
 *     Where the devices are, until it is killed: channels of libxenvchan alone, with the
 *     ring sizes that the client asks for, on which it answers so many bytes with so many.
 * bench channel OWNER BDF SECONDS PINGS
 *     Again and again opens such a channel and connections to xl pcid, and uses them in turn.
 *       ping        round trip on the channel, with the bytes of a read_hex and its reply
 *       wire        read_hex, by a client that is nothing but libxenvchan
 *       request     read_hex, by libxl
 *       server      libxenvchan's set-up of a channel, at the server's end
 *       client      and at the client's
 *       open        how much longer the first request of a libxl ctx takes than its second
 * bench rings OWNER SECONDS BYTES SIZE...
 *     As many bytes in one answer, over channels with a ring of each size, in turn.
 *       setup-SIZE  both ends
 *       bytes-SIZE  from the question to the last byte of the answer
 * bench run SECONDS PROGRAM [ARGUMENT...] -- PROGRAM ...
 *     The programs in turn; named 0, 1, ... Before a program, LIBRARIES=DIRECTORY says where
 *     its libraries are, if not in /usr/lib.
 * bench alone SECONDS PROGRAM [ARGUMENT...] -- PROGRAM ...
 *     The same, but each begins ALONE_MS after the one before: as when a user types them. What
 *     the owner has to do after one is done before the next.
 * bench once NAME PROGRAM [ARGUMENT...]
 * bench clients BDF MILLISECONDS NUMBER...
 *     So many processes at once, each with a connection, ask as often as they can.
 *       clients-NUMBER   how many answers each had
 * bench flood OWNER BDF REQUESTS
 *     As many, half of them lists, on one connection, some of them at a time.
 *       requests, took   how many there were, and how long all took
 */
#include <libxl_osdeps.h>

#include <err.h>
#include <fcntl.h>
#include <libxenvchan.h>
#include <poll.h>
#include <spawn.h>
#include <xenstore.h>

#include <libxl_internal.h>
#include <libxl_hostpci.h>

/* As libxl_vchan.c has them. */
#define RING_TO_SERVER 1024
#define RING_TO_CLIENT 8192

/* Requests of a flood that may wait for their replies: as many as fit into the ring. */
#define FLOOD_WINDOW 8

#define SAMPLES_MAX 100000

#define ALONE_MS 300

/* However little time there is */
#define ROUNDS_MIN 3

static const char request_format[] =
    "{\"execute\":\"read_hex\",\"id\":%d,\"arguments\":{\"attr_id\":\"vendor\",\"sbdf\":\"%s\"}}\r\n";
static const char list_format[] =
    "{\"execute\":\"ls\",\"id\":%d,\"arguments\":{\"dir_id\":\"pci_devices\"}}\r\n";

/* What the client of a plain channel says first, and is answered. */
struct wish {
    int bytes_in, bytes_out;
    int to_server, to_client;   /* rings of the next channel */
};

extern char **environ;

/*
 * Samples
 */

struct series {
    const char *name;
    int used;
    int64_t *samples;
};

static int64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void add(struct series *s, int64_t sample)
{
    if (!s->samples && !(s->samples = malloc(SAMPLES_MAX * sizeof(*s->samples))))
        err(1, "memory");
    if (s->used == SAMPLES_MAX)
        errx(1, "%s: too many samples", s->name);
    s->samples[s->used++] = sample;
}

static void print(const struct series *s)
{
    printf("%s", s->name);
    for (int i = 0; i < s->used; i++)
        printf(" %lld", (long long)s->samples[i]);
    printf("\n");
    fflush(stdout);
}

/*
 * Channels of libxenvchan alone
 */

static struct xs_handle *xs;

static int self(void)
{
    char *s = xs ? xs_read(xs, XBT_NULL, "domid", NULL) : NULL;
    int domid;

    if (!s)
        err(1, "xenstore");
    domid = atoi(s);
    free(s);
    return domid;
}

/* False if the peer has closed. */
static bool get(struct libxenvchan *chan, void *data, size_t size)
{
    return libxenvchan_recv(chan, data, size) == (int)size;
}

/* Piecewise: what is longer than the ring would never fit. */
static bool put(struct libxenvchan *chan, const char *data, size_t size)
{
    while (size) {
        int n = libxenvchan_write(chan, data, size);

        if (n <= 0)
            return false;
        data += n;
        size -= n;
    }
    return true;
}

/* Waits until there is something at the path, or something else than `but'. */
static char *wait_for(const char *path, const char *but)
{
    char *value = NULL;
    unsigned int n;

    if (!xs_watch(xs, path, "bench"))
        err(1, "%s", path);
    do {
        free(xs_read_watch(xs, &n));
        free(value);
        value = xs_read(xs, XBT_NULL, path, NULL);
    } while (!value || (but && !strcmp(value, but)));
    xs_unwatch(xs, path, "bench");
    return value;
}

/* The number of the channel that waits for a client: each has nodes of its own. */
static void ready_path(char path[64], int owner)
{
    snprintf(path, 64, "/local/domain/%d/data/bench-ready", owner);
}

static void channel_path(char path[64], int owner, const char *number)
{
    snprintf(path, 64, "/local/domain/%d/data/bench/%s", owner, number);
}

static void serve(void)
{
    struct wish wish = { .to_server = RING_TO_SERVER, .to_client = RING_TO_CLIENT };
    char *data = malloc(PCID_REPLY_MAX), path[64], ready[64], number[16];
    int domid = self();

    if (!data)
        err(1, "memory");
    memset(data, 'x', PCID_REPLY_MAX);
    ready_path(ready, domid);
    for (int i = 0; ; i++) {
        struct libxenvchan *chan;
        int64_t took;

        snprintf(number, sizeof(number), "%d", i);
        channel_path(path, domid, number);
        took = now();
        chan = libxenvchan_server_init(NULL, 0, path, wish.to_server, wish.to_client);
        took = now() - took;
        if (!chan)
            err(1, "cannot make a channel");
        chan->blocking = 1;
        xs_write(xs, XBT_NULL, ready, number, strlen(number));
        if (!get(chan, &wish, sizeof(wish)))
            err(1, "channel");
        xs_rm(xs, XBT_NULL, ready);
        if (!put(chan, (void *)&took, sizeof(took)))
            err(1, "channel");
        while (get(chan, data, wish.bytes_in) && put(chan, data, wish.bytes_out)) {}
        libxenvchan_close(chan);
        xs_rm(xs, XBT_NULL, path);
    }
}

struct channel {
    struct libxenvchan *chan;
    int bytes_in, bytes_out;
    int64_t server, client;     /* what the set-up took */
};

/* wish: with the ring sizes of the channel after this one. */
static void channel_open(struct channel *c, int owner, const struct wish *wish)
{
    char path[64], ready[64], *number;

    ready_path(ready, owner);
    number = wait_for(ready, NULL);
    channel_path(path, owner, number);
    free(number);
    c->client = now();
    c->chan = libxenvchan_client_init(NULL, owner, path);
    c->client = now() - c->client;
    if (!c->chan)
        err(1, "cannot connect to %s", path);
    c->chan->blocking = 1;
    c->bytes_in = wish->bytes_in;
    c->bytes_out = wish->bytes_out;
    if (!put(c->chan, (void *)wish, sizeof(*wish)) || !get(c->chan, &c->server, sizeof(c->server)))
        errx(1, "no answer on %s", path);
}

static int64_t channel_ping(struct channel *c)
{
    static char data[PCID_REPLY_MAX];
    int64_t start = now();

    if (!put(c->chan, data, c->bytes_in))
        errx(1, "channel");
    for (int left = c->bytes_out; left; ) {
        int n = libxenvchan_read(c->chan, data, left);

        if (n <= 0)
            errx(1, "channel");
        left -= n;
    }
    return now() - start;
}

/*
 * xl pcid, without libxl
 */

/* The next message, in `text' if that is not NULL; its length, without its end. */
static int wire_get(struct libxenvchan *chan, char *text, size_t size)
{
    static char buf[65536];
    static int used, done;
    int length = 0, n;
    char c;

    do {
        if (done == used) {
            used = libxenvchan_data_ready(chan);
            if (used > (int)sizeof(buf))
                used = sizeof(buf);
            n = libxenvchan_read(chan, buf, used ? used : 1);
            if (n <= 0)
                errx(1, "xl pcid has closed the connection");
            used = n;
            done = 0;
        }
        c = buf[done++];
        if (text && length < (int)size - 1)
            text[length] = c;
        length++;
    } while (c != '\n');
    if (text)
        text[length < (int)size - 1 ? length : (int)size - 1] = '\0';
    return length - 2;
}

static struct libxenvchan *wire_open(int owner)
{
    static int number;
    struct libxenvchan *chan;
    char path[64], *answer;

    snprintf(path, sizeof(path), "/local/domain/%d/data/pcid/%d/b%d-%d", owner, self(),
             getpid(), number++);
    if (!xs_write(xs, XBT_NULL, path, PCID_XS_REQUESTED, strlen(PCID_XS_REQUESTED)))
        err(1, "%s", path);
    answer = wait_for(path, PCID_XS_REQUESTED);
    if (strcmp(answer, PCID_XS_OFFERED))
        errx(1, "%s: %s", path, answer);
    free(answer);
    chan = libxenvchan_client_init(NULL, owner, path);
    if (!chan)
        err(1, "cannot connect to %s", path);
    chan->blocking = 1;
    wire_get(chan, NULL, 0);
    return chan;
}

/*
 * libxl
 */

static libxl_ctx *ctx;

static void ctx_open(void)
{
    void *logger = xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);

    if (!logger || libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, logger))
        errx(1, "no libxl context");
}

static void request_done(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    STATE_AO_GC(op->ao);

    libxl__ao_complete(egc, op->ao, rc);
}

static int request_start(const char *bdf)
{
    AO_CREATE(ctx, INVALID_DOMID, NULL);
    libxl__hostpci_op *op;

    GCNEW(op);
    libxl__hostpci_op_init(op);
    op->ao = ao;
    op->request.command = LIBXL__HOSTPCI_CMD_READ_HEX;
    op->request.attr = LIBXL__HOSTPCI_ATTR_VENDOR;
    op->callback = request_done;
    if (!libxl__pci_sbdf_parse(bdf, &op->request.sbdf))
        errx(1, "%s is no device", bdf);
    libxl__hostpci_op_start(egc, op);
    return AO_INPROGRESS;
}

static int64_t request(const char *bdf)
{
    int64_t start = now();

    if (request_start(bdf))
        errx(1, "read_hex fails");
    return now() - start;
}

/*
 * Commands
 */

static bool goes_on(int64_t end, int round)
{
    return round < ROUNDS_MIN || now() < end;
}

static void channel(int owner, const char *bdf, int seconds, int pings)
{
    struct series ping = { .name = "ping" }, wire = { .name = "wire" }, libxl = { .name = "request" };
    struct series server = { .name = "server" }, client = { .name = "client" }, open = { .name = "open" };
    struct wish wish = { .to_server = RING_TO_SERVER, .to_client = RING_TO_CLIENT };
    int64_t end = now() + seconds * 1000000000LL;
    char text[256], reply[256];
    struct libxenvchan *chan;
    struct channel c;
    int length;

    for (int round = 0; goes_on(end, round); round++) {
        length = snprintf(text, sizeof(text), request_format, round % 10, bdf);
        chan = wire_open(owner);
        if (!put(chan, text, length))
            errx(1, "channel");
        wish.bytes_in = length;
        wish.bytes_out = wire_get(chan, reply, sizeof(reply)) + 2;
        if (!strstr(reply, "\"return\""))
            errx(1, "read_hex fails: %s", reply);
        channel_open(&c, owner, &wish);
        add(&server, c.server);
        add(&client, c.client);

        ctx_open();
        add(&open, request(bdf) - request(bdf));
        for (int i = 0; i < pings; i++) {
            int64_t start;

            add(&ping, channel_ping(&c));
            start = now();
            if (!put(chan, text, length))
                errx(1, "channel");
            wire_get(chan, NULL, 0);
            add(&wire, now() - start);
            add(&libxl, request(bdf));
        }
        libxl_ctx_free(ctx);
        libxenvchan_close(c.chan);
        libxenvchan_close(chan);
    }
    print(&ping);
    print(&wire);
    print(&libxl);
    print(&server);
    print(&client);
    print(&open);
}

static void rings(int owner, int seconds, int bytes, char **sizes, int count)
{
    struct series *setup = calloc(count, sizeof(*setup)), *took = calloc(count, sizeof(*took));
    struct wish wish = { .bytes_in = 1, .bytes_out = bytes, .to_server = RING_TO_SERVER };
    int64_t end = now() + seconds * 1000000000LL;
    struct channel c;

    if (!setup || !took)
        err(1, "memory");
    for (int i = 0; i < count; i++)
        if (asprintf((char **)&setup[i].name, "setup-%s", sizes[i]) < 0 ||
            asprintf((char **)&took[i].name, "bytes-%s", sizes[i]) < 0)
            err(1, "memory");

    /* The channel that is there already is not of a size of ours. */
    wish.to_client = atoi(sizes[0]);
    channel_open(&c, owner, &wish);
    libxenvchan_close(c.chan);
    for (int round = 0; goes_on(end, round); round++)
        for (int i = 0; i < count; i++) {
            wish.to_client = atoi(sizes[(i + 1) % count]);
            channel_open(&c, owner, &wish);
            add(&setup[i], c.server + c.client);
            channel_ping(&c);
            add(&took[i], channel_ping(&c));
            libxenvchan_close(c.chan);
        }
    wish.to_client = RING_TO_CLIENT;
    channel_open(&c, owner, &wish);
    libxenvchan_close(c.chan);
    for (int i = 0; i < count; i++) {
        print(&setup[i]);
        print(&took[i]);
    }
}

static int64_t run_once(char **argv)
{
    static char libraries[256];
    char *environment[] = { "PATH=/bin", libraries, NULL };
    posix_spawn_file_actions_t actions;
    int64_t start = now();
    int status;
    pid_t pid;

    snprintf(libraries, sizeof(libraries), "LD_LIBRARY_PATH=/usr/lib");
    if (!strncmp(argv[0], "LIBRARIES=", 10)) {
        snprintf(libraries, sizeof(libraries), "LD_LIBRARY_PATH=%s", argv[0] + 10);
        argv++;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    errno = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environment);
    if (errno)
        err(1, "%s", argv[0]);
    if (waitpid(pid, &status, 0) != pid || status)
        errx(1, "%s %s fails: %#x", argv[0], argv[1] ? argv[1] : "", status);
    posix_spawn_file_actions_destroy(&actions);
    return now() - start;
}

static void run(int seconds, int pause_ms, char **argv)
{
    static const char *const names[] = { "0", "1", "2", "3", "4", "5" };
    struct series took[ARRAY_SIZE(names)] = { };
    int64_t end = now() + seconds * 1000000000LL;
    char **programs[ARRAY_SIZE(names)];
    int count = 1;

    programs[0] = argv;
    for (; *argv; argv++)
        if (!strcmp(*argv, "--") && count < (int)ARRAY_SIZE(names)) {
            *argv = NULL;
            programs[count++] = argv + 1;
        }
    for (int i = 0; i < count; i++) {
        took[i].name = names[i];
        run_once(programs[i]);  /* so that all are in the page cache */
    }
    for (int round = 0; goes_on(end, round); round++)
        for (int i = 0; i < count; i++) {
            /* Each comes after each: what one leaves behind must not always hit the same. */
            int which = round % 2 ? count - 1 - i : i;

            poll(NULL, 0, pause_ms);
            add(&took[which], run_once(programs[which]));
        }
    for (int i = 0; i < count; i++)
        print(&took[i]);
}

/* Asks from when `go' is closed until its time is up; reports how often. */
static void client(const char *bdf, int milliseconds, int to_parent, int go)
{
    int64_t count = 0, end;
    char byte;

    ctx_open();
    request(bdf);
    if (write(to_parent, &count, sizeof(count)) != sizeof(count) || read(go, &byte, 1) < 0)
        err(1, "pipe");
    for (end = now() + milliseconds * 1000000LL; now() < end; count++)
        request(bdf);
    if (write(to_parent, &count, sizeof(count)) != sizeof(count))
        err(1, "pipe");
    libxl_ctx_free(ctx);
    exit(0);
}

/* Before it was told to go on; what it died of has been printed. */
static void client_died(int signal)
{
    _exit(1);
}

static void clients(const char *bdf, int milliseconds, int number)
{
    int reports[2], go[2];
    struct series answers = { .name = NULL };
    int64_t count;
    char name[32];

    snprintf(name, sizeof(name), "clients-%d", number);
    answers.name = name;
    if (pipe(reports) || pipe(go))
        err(1, "pipe");
    signal(SIGCHLD, client_died);
    for (int i = 0; i < number; i++) {
        pid_t pid = fork();

        if (pid < 0)
            err(1, "fork");
        if (!pid) {
            signal(SIGCHLD, SIG_DFL);
            close(reports[0]);
            close(go[1]);
            client(bdf, milliseconds, reports[1], go[0]);
        }
        /* One after the other: what it takes to connect is another figure. */
        if (read(reports[0], &count, sizeof(count)) != sizeof(count))
            errx(1, "a client has died");
    }
    signal(SIGCHLD, SIG_DFL);
    close(reports[1]);
    close(go[0]);
    close(go[1]);
    for (int i = 0; i < number; i++) {
        if (read(reports[0], &count, sizeof(count)) != sizeof(count))
            errx(1, "a client has died");
        add(&answers, count);
    }
    close(reports[0]);
    while (wait(NULL) > 0) {}
    print(&answers);
}

static void flood(int owner, const char *bdf, int requests)
{
    struct libxenvchan *chan = wire_open(owner);
    int64_t errors = 0, start = now();
    int sent = 0, answered = 0;
    char text[256], reply[256];

    while (answered < requests) {
        while (sent < requests && sent - answered < FLOOD_WINDOW) {
            int length = sent % 2 ? snprintf(text, sizeof(text), list_format, sent)
                                  : snprintf(text, sizeof(text), request_format, sent, bdf);

            if (!put(chan, text, length))
                errx(1, "channel");
            sent++;
        }
        wire_get(chan, reply, sizeof(reply));
        errors += !strstr(reply, "\"return\"");
        answered++;
    }
    printf("requests %d\ntook %lld\n", requests, (long long)(now() - start));
    libxenvchan_close(chan);
    if (errors)
        errx(1, "%lld requests fail", (long long)errors);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";

    xs = xs_open(0);
    if (!xs)
        err(1, "xenstore");
    if (!strcmp(command, "serve") && argc == 2)
        serve();
    else if (!strcmp(command, "channel") && argc == 6)
        channel(atoi(argv[2]), argv[3], atoi(argv[4]), atoi(argv[5]));
    else if (!strcmp(command, "rings") && argc > 5)
        rings(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), argv + 5, argc - 5);
    else if (!strcmp(command, "run") && argc > 3)
        run(atoi(argv[2]), 0, argv + 3);
    else if (!strcmp(command, "alone") && argc > 3)
        run(atoi(argv[2]), ALONE_MS, argv + 3);
    else if (!strcmp(command, "once") && argc > 3)
        printf("%s %lld\n", argv[2], (long long)run_once(argv + 3));
    else if (!strcmp(command, "clients") && argc > 4)
        for (char **number = argv + 4; *number; number++)
            clients(argv[2], atoi(argv[3]), atoi(*number));
    else if (!strcmp(command, "flood") && argc == 5)
        flood(atoi(argv[2]), argv[3], atoi(argv[4]));
    else
        errx(1, "usage: see the head of bench.c");
    return 0;
}
