/* SPDX-License-Identifier: LGPL-2.1-only */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <sys/prctl.h>

#include "harness.h"

#define CTXS_MAX 320
#define FDS_MAX  1024

/* How long, really, to wait for child processes before giving up */
#define CHILDREN_MS 20000

struct actor {
    libxl_ctx *ctx;
    int domid;
    bool busy; /* is in a call that waits: runs by itself */
    bool stopped;
};

static struct actor actors[CTXS_MAX];
static struct actor *current;

static bool (*extra_step)(void *);
static void *extra_opaque;

static int64_t start_us, clock_us;
static int children; /* that have been started, and not been waited for */
static pid_t child_pids[256];
static int child_parents[256]; /* the processes that have started them */

int (*world_poll)(struct pollfd *fds, nfds_t num, int timeout);

int __real_poll(struct pollfd *fds, nfds_t num, int timeout);
pid_t __real_fork(void);
pid_t __real_waitpid(pid_t pid, int *status, int options);
int __real_libxenvchan_read(struct libxenvchan *ctrl, void *data,
                            size_t size);
int __real_libxenvchan_write(struct libxenvchan *ctrl, const void *data,
                             size_t size);
int __real_libxl__ev_fd_register(libxl__gc *gc, libxl__ev_fd *ev,
                                 libxl__ev_fd_callback *func, int fd,
                                 short events);

int __wrap_poll(struct pollfd *fds, nfds_t num, int timeout);
pid_t __wrap_fork(void);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __wrap_gettimeofday(struct timeval *tv, void *tz);
int __wrap_libxenvchan_read(struct libxenvchan *ctrl, void *data,
                            size_t size);
int __wrap_libxenvchan_write(struct libxenvchan *ctrl, const void *data,
                             size_t size);
int __wrap_libxl__ev_fd_register(libxl__gc *gc, libxl__ev_fd *ev,
                                 libxl__ev_fd_callback *func, int fd,
                                 short events);

/*
 * The log
 */

static char *log_text;
static size_t log_used, log_size;
static bool log_off;

static void log_message(xentoollog_logger *logger, xentoollog_level level,
                        int errnoval, const char *context,
                        const char *format, va_list ap)
{
    char text[2048], line[2304], *p;
    size_t len;

    if (log_off) return;
    vsnprintf(text, sizeof(text), format, ap);
    /* From "file:line:function: text", as libxl has it, only the text */
    p = text;
    if (strstr(text, ".c:") && (p = strstr(strstr(text, ".c:"), ": ")))
        p += 2;
    snprintf(line, sizeof(line), "[%d] %s: %s%s%s\n", standin_domid,
             xtl_level_to_string(level), p ?: text, errnoval > 0 ? ": " : "",
             errnoval > 0 ? strerror(errnoval) : "");
    if (getenv("TEST_VERBOSE"))
        fprintf(stderr, "# %s", line);
    if (level < XTL_VERBOSE)
        return;
    len = strlen(line);
    if (log_size - log_used <= len) {
        log_size = log_size * 2 + sizeof(line);
        log_text = realloc(log_text, log_size);
        assert(log_text);
    }
    memcpy(log_text + log_used, line, len + 1);
    log_used += len;
}

static void log_progress(xentoollog_logger *logger, const char *context,
                         const char *doing_what, int percent,
                         unsigned long done, unsigned long total)
{
}

static void log_destroy(xentoollog_logger *logger)
{
}

static xentoollog_logger logger = {
    .vmessage = log_message,
    .progress = log_progress,
    .destroy = log_destroy,
};

const char *world_log(void)
{
    return log_used ? log_text : "";
}

void world_log_clear(void)
{
    log_used = 0;
}

void world_log_off(void)
{
    log_off = !getenv("TEST_VERBOSE");
}

/*
 * The clock
 */

static void __attribute__((constructor)) clock_init(void)
{
    start_us = clock_us = 1000000000LL * 1000000;
}

int64_t world_ms(void)
{
    return (clock_us - start_us) / 1000;
}

void world_set_clock(int64_t ms)
{
    clock_us += ms * 1000;
}

int __wrap_gettimeofday(struct timeval *tv, void *tz)
{
    tv->tv_sec = clock_us / 1000000;
    tv->tv_usec = clock_us % 1000000;
    return 0;
}

/*
 * Child processes
 */

pid_t __wrap_fork(void)
{
    pid_t pid;
    int i;

    if (fault_take("fork", "")) return -1;
    fflush(stdout);
    pid = __real_fork();
    if (!pid)
        /* One that is blocked must not outlive a test that crashes. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pid > 0) {
        for (i = 0; child_pids[i]; i++)
            assert(i < ARRAY_SIZE(child_pids) - 1);
        child_pids[i] = pid;
        child_parents[i] = standin_process;
        children++;
    }
    return pid;
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
    pid_t got = __real_waitpid(pid, status, options);
    int i;

    if (got <= 0) return got;
    for (i = 0; i < ARRAY_SIZE(child_pids); i++)
        if (child_pids[i] == got) {
            child_pids[i] = 0;
            children--;
            files_child_ended(got);
        }
    return got;
}

static void kill_children(int process)
{
    int i, status;

    for (i = 0; i < ARRAY_SIZE(child_pids); i++)
        if (child_pids[i] && (process < 0 || child_parents[i] == process)) {
            kill(child_pids[i], SIGKILL);
            __wrap_waitpid(child_pids[i], &status, 0);
        }
}

/*
 * Short reads and writes
 */

int __wrap_libxenvchan_read(struct libxenvchan *ctrl, void *data,
                            size_t size)
{
    int fault = fault_take("libxenvchan_read", "");

    if (fault > 0) return -1;
    if (fault == FAULT_SHORT && size > 1) size = 1;
    return __real_libxenvchan_read(ctrl, data, size);
}

int __wrap_libxenvchan_write(struct libxenvchan *ctrl, const void *data,
                             size_t size)
{
    int fault = fault_take("libxenvchan_write", "");

    if (fault > 0) return -1;
    if (fault == FAULT_SHORT && size > 1) size = 1;
    return __real_libxenvchan_write(ctrl, data, size);
}

/* That fails if the application's event loop takes no more. */
int __wrap_libxl__ev_fd_register(libxl__gc *gc, libxl__ev_fd *ev,
                                 libxl__ev_fd_callback *func, int fd,
                                 short events)
{
    if (fault_take("libxl__ev_fd_register", "")) return ERROR_FAIL;
    return __real_libxl__ev_fd_register(gc, ev, func, fd, events);
}

/*
 * The loop
 */

/* A signal (SIGCHLD, or libFuzzer's SIGALRM) does not mean that nothing is
 * ready. */
static int poll_really(struct pollfd *fds, nfds_t num, int timeout)
{
    int r;

    do {
        r = __real_poll(fds, num, timeout);
    } while (r < 0 && errno == EINTR);
    return r;
}

struct waits {
    struct pollfd fds[FDS_MAX];
    int num_fds;
    int timeout; /* -1: none */
};

static void add_timeout(struct waits *w, int timeout)
{
    if (timeout >= 0 && (w->timeout < 0 || timeout < w->timeout))
        w->timeout = timeout;
}

/* Lets one ctx do what it can now.  If there is nothing, notes in *w what it
 * waits for, and returns false. */
static bool actor_run(struct actor *a, struct waits *w)
{
    struct pollfd *fds = w->fds + w->num_fds;
    struct actor *before = current;
    int num = FDS_MAX - w->num_fds, timeout = -1, domid, rc, r;
    struct timeval now;
    libxl_event *event;

    domid = world_enter(a->domid);
    current = a;
    gettimeofday(&now, NULL);
    rc = libxl_osevent_beforepoll(a->ctx, &num, fds, &timeout, now);
    assert(!rc);
    r = poll_really(fds, num, 0);
    if (r > 0 || !timeout) {
        libxl_osevent_afterpoll(a->ctx, num, fds, now);
        while (!libxl_event_check(a->ctx, &event, LIBXL_EVENTMASK_ALL, 0, 0))
            libxl_event_free(a->ctx, event);
    }
    current = before;
    world_leave(domid);
    if (r > 0 || !timeout)
        return true;

    w->num_fds += num;
    add_timeout(w, timeout);
    return false;
}

/* Lets everybody do what they can now.  Returns whether anybody did. */
static bool run_all(struct waits *w)
{
    bool any = false;
    int i;

    w->num_fds = 0;
    w->timeout = -1;
    if (extra_step && extra_step(extra_opaque))
        any = true;
    if (pciback_step())
        any = true;
    for (i = 0; i < CTXS_MAX; i++)
        if (actors[i].ctx && !actors[i].busy && !actors[i].stopped &&
            actor_run(&actors[i], w))
            any = true;
    return any;
}

/* Waits for child processes that are at work.  Returns false if none is. */
static bool wait_children(struct waits *w)
{
    if (children <= fault_blocked())
        return false;

    w->fds[w->num_fds++] = (struct pollfd){ .fd = fault_wake_fd(),
                                            .events = POLLIN };
    if (poll_really(w->fds, w->num_fds, CHILDREN_MS) == 0) {
        printf("Bail out! a child process does not come to its end\n");
        exit(1);
    }
    fault_wake_clear();
    return true;
}

int __wrap_poll(struct pollfd *fds, nfds_t num, int timeout)
{
    static struct waits waits; /* no more than one poll at a time waits */
    struct actor *a = current;
    int r, domid = standin_domid;

    if (!timeout)
        return poll_really(fds, num, 0);
    if (world_poll && standin_process)
        return world_poll(fds, num, timeout);

    assert(a && !a->busy); /* see world_call */
    a->busy = true;
    for (;;) {
        r = poll_really(fds, num, 0);
        if (r) break;
        if (run_all(&waits)) continue;
        r = poll_really(fds, num, 0);
        if (r) break;

        memcpy(waits.fds + waits.num_fds, fds, num * sizeof(*fds));
        waits.num_fds += num;
        if (wait_children(&waits)) continue;

        add_timeout(&waits, timeout);
        if (waits.timeout < 0) {
            printf("Bail out! everybody waits for ever\n%s", world_log());
            exit(1);
        }
        clock_us += waits.timeout * 1000LL;
        if (timeout >= 0) {
            timeout -= waits.timeout;
            if (!timeout) break;
        }
    }
    a->busy = false;
    current = a;
    standin_domid = domid;
    return r;
}

bool world_run(bool (*done)(void *opaque), void *opaque, int max_ms)
{
    static struct waits waits;
    int64_t end = world_ms() + max_ms;

    for (;;) {
        if (done && done(opaque)) return true;
        if (run_all(&waits)) continue;
        if (done && done(opaque)) return true;
        if (wait_children(&waits)) continue;
        if (world_ms() >= end) return false;
        add_timeout(&waits, end - world_ms());
        clock_us += waits.timeout * 1000LL;
    }
}

/*
 * For those who wait in another way: see commands.c
 */

static struct waits turn;

bool world_turn(void)
{
    return run_all(&turn);
}

bool world_wait(const struct pollfd *fds, int num, int timeout)
{
    assert(turn.num_fds + num < FDS_MAX);
    memcpy(turn.fds + turn.num_fds, fds, num * sizeof(*fds));
    turn.num_fds += num;
    if (wait_children(&turn)) return true;
    add_timeout(&turn, timeout);
    if (turn.timeout < 0) return false;
    clock_us += turn.timeout * 1000LL;
    return true;
}

void world_settle(void)
{
    world_run(NULL, NULL, 0);
}

void world_set_step(bool (*step)(void *), void *opaque)
{
    extra_step = step;
    extra_opaque = opaque;
}

/*
 * Domains
 */

int world_enter(int domid)
{
    int before = standin_domid;

    standin_domid = domid;
    return before;
}

void world_leave(int before)
{
    standin_domid = before;
}

static struct actor *actor_of(libxl_ctx *ctx)
{
    int i;

    for (i = 0; i < CTXS_MAX; i++)
        if (actors[i].ctx == ctx)
            return &actors[i];
    abort();
}

libxl_ctx *world_ctx(int domid)
{
    static const libxl_childproc_hooks hooks = {
        /* There are several ctxs in this process. */
        .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
    };
    struct actor *a = actor_of(NULL);
    int before = world_enter(domid);

    if (libxl_ctx_alloc(&a->ctx, LIBXL_VERSION, 0, &logger)) {
        printf("Bail out! no ctx\n");
        exit(1);
    }
    libxl_childproc_setmode(a->ctx, &hooks, NULL);
    a->domid = domid;
    a->busy = a->stopped = false;
    world_leave(before);
    return a->ctx;
}

void world_ctx_free(libxl_ctx *ctx)
{
    struct actor *a = actor_of(ctx);
    int before = world_enter(a->domid);

    libxl_ctx_free(ctx);
    a->ctx = NULL;
    world_leave(before);
}

void world_ctx_alone(libxl_ctx *ctx)
{
    actor_of(ctx)->busy = true;
}

void world_ctx_kill(libxl_ctx *ctx, int process)
{
    kill_children(process);
    store_kill(process);
    evtchn_kill(process);
    files_kill(process);
    actor_of(ctx)->ctx = NULL;
}

void world_call(libxl_ctx *ctx)
{
    current = actor_of(ctx);
    standin_domid = current->domid;
}

void world_return(void)
{
    current = NULL;
    standin_domid = 0;
}

void world_stop(libxl_ctx *ctx, bool stop)
{
    actor_of(ctx)->stopped = stop;
}

void world_reset(void)
{
    static bool first = true;
    int i;

    kill_children(-1);
    world_set_step(NULL, NULL);
    pciback_reset();
    for (i = 0; i < CTXS_MAX; i++)
        if (actors[i].ctx)
            world_ctx_free(actors[i].ctx);
    if (!first && (evtchn_count() || grant_count() || store_handles()))
        ok(false, "left behind: %d event channels, %d grants, %d"
           " connections to xenstore", evtchn_count(), grant_count(),
           store_handles());
    first = false;

    standin_domid = 0;
    faults_clear();
    store_reset();
    sysfs_reset(true);
    standin_crimes_clear();
    world_log_clear();
    xc_reset();
}

libxl__json_object *json(libxl__gc *gc, const char *text)
{
    return libxl__json_parse(gc, text);
}

bool json_tells_doubles(libxl_ctx *ctx)
{
    GC_INIT(ctx);
    bool two = libxl__json_map_node_get(json(gc, "{\"a\":1,\"a\":2}"), 1);

    GC_FREE;
    return two;
}

/*
 * Hand-made peers
 */

static void raw_init(raw_peer *peer, int domid)
{
    memset(peer, 0, sizeof(*peer));
    peer->domid = domid;
}

void raw_ask(raw_peer *peer, int domid, int owner, const char *name)
{
    int before = world_enter(domid);
    struct xs_handle *xs = xs_open(0);

    raw_init(peer, domid);
    snprintf(peer->path, sizeof(peer->path), "/local/domain/%d/%s/%d/%s",
             owner, PCID_XS_DIR, domid, name);
    xs_write(xs, XBT_NULL, peer->path, PCID_XS_REQUESTED,
             strlen(PCID_XS_REQUESTED));
    xs_close(xs);
    world_leave(before);
}

bool raw_open(raw_peer *peer, int owner)
{
    int before = world_enter(peer->domid);

    peer->ctrl = libxenvchan_client_init(&logger, owner, peer->path);
    if (peer->ctrl) peer->ctrl->blocking = 0;
    world_leave(before);
    return peer->ctrl;
}

static bool answered(void *opaque)
{
    raw_peer *peer = opaque;
    const char *state = store_get(peer->path);

    return state && strcmp(state, PCID_XS_REQUESTED);
}

const char *raw_connect(raw_peer *peer, int domid, int owner,
                        const char *name)
{
    const char *state;

    raw_ask(peer, domid, owner, name);
    world_run(answered, peer, 0);
    state = store_get(peer->path);
    if (!state || !strcmp(state, PCID_XS_REQUESTED))
        return "";
    if (strcmp(state, PCID_XS_OFFERED))
        return state;
    return raw_open(peer, owner) ? NULL : "cannot connect";
}

bool raw_listen(raw_peer *peer, int domid, int client, const char *path)
{
    int before = world_enter(domid);

    raw_init(peer, domid);
    snprintf(peer->path, sizeof(peer->path), "%s", path);
    peer->ctrl = libxenvchan_server_init(&logger, client, path, 1024, 2048);
    if (peer->ctrl) peer->ctrl->blocking = 0;
    world_leave(before);
    return peer->ctrl;
}

/* Consumes events, so that others come. */
static void raw_events(raw_peer *peer)
{
    struct pollfd fd = { .events = POLLIN };

    fd.fd = libxenvchan_fd_for_select(peer->ctrl);
    if (poll_really(&fd, 1, 0) > 0)
        libxenvchan_wait(peer->ctrl);
}

static bool raw_receive(raw_peer *peer)
{
    char buf[4096];
    int r;

    if (!peer->ctrl) return false;
    raw_events(peer);
    r = __real_libxenvchan_read(peer->ctrl, buf, sizeof(buf));
    if (r <= 0) return false;
    peer->in = realloc(peer->in, peer->in_used + r + 1);
    assert(peer->in);
    memcpy(peer->in + peer->in_used, buf, r);
    peer->in_used += r;
    peer->in[peer->in_used] = '\0';
    return true;
}

static bool raw_has_message(void *opaque)
{
    raw_peer *peer = opaque;

    while (raw_receive(peer))
        ;
    return (peer->in && strstr(peer->in, LIBXL__VCHAN_END)) ||
        !peer->ctrl || !libxenvchan_is_open(peer->ctrl);
}

const char *raw_poll(raw_peer *peer)
{
    static char message[PCID_REPLY_MAX];
    size_t len;
    char *end;

    raw_has_message(peer);
    end = peer->in ? strstr(peer->in, LIBXL__VCHAN_END) : NULL;
    if (!end) return NULL;
    len = end - peer->in;
    assert(len < sizeof(message));
    memcpy(message, peer->in, len);
    message[len] = '\0';
    len += strlen(LIBXL__VCHAN_END);
    memmove(peer->in, peer->in + len, peer->in_used - len + 1);
    peer->in_used -= len;
    return message;
}

const char *raw_recv(raw_peer *peer, int max_ms)
{
    world_run(raw_has_message, peer, max_ms);
    return raw_poll(peer);
}

struct sending {
    raw_peer *peer;
    const char *data;
    size_t len;
    bool failed;
};

static bool raw_sent(void *opaque)
{
    struct sending *s = opaque;
    int r;

    raw_events(s->peer);
    while (s->len) {
        r = __real_libxenvchan_write(s->peer->ctrl, s->data, s->len);
        if (r < 0) s->failed = true;
        if (r <= 0) break;
        s->data += r;
        s->len -= r;
    }
    return s->failed || !s->len;
}

bool raw_send_bytes(raw_peer *peer, const void *data, size_t len)
{
    struct sending s = { peer, data, len };

    if (!peer->ctrl) return false;
    return world_run(raw_sent, &s, 0) && !s.failed;
}

bool raw_send(raw_peer *peer, const char *text)
{
    return raw_send_bytes(peer, text, strlen(text)) &&
        raw_send_bytes(peer, LIBXL__VCHAN_END, strlen(LIBXL__VCHAN_END));
}

bool raw_alive(raw_peer *peer)
{
    return peer->ctrl && libxenvchan_is_open(peer->ctrl);
}

static void raw_free(raw_peer *peer)
{
    free(peer->in);
    peer->in = NULL;
    peer->in_used = 0;
    peer->ctrl = NULL;
}

void raw_close(raw_peer *peer)
{
    int before = world_enter(peer->domid);

    if (peer->ctrl) libxenvchan_close(peer->ctrl);
    raw_free(peer);
    world_leave(before);
}

void raw_kill(raw_peer *peer)
{
    int before = world_enter(peer->domid);
    struct libxenvchan *ctrl = peer->ctrl;

    if (ctrl) {
        /* What the kernel does when it closes a process's files; the page
         * goes first, as its notification holds the event channel. */
        if (ctrl->is_server)
            xengntshr_close(ctrl->gntshr);
        else
            xengnttab_close(ctrl->gnttab);
        xenevtchn_close(ctrl->event);
        if (ctrl->is_server) free(ctrl->xs_path);
        free(ctrl);
    }
    raw_free(peer);
    world_leave(before);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
