/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The framing, libxl_vchan.c, with a peer that does what it likes with the
 * ring.
 *
 * If an input begins with 'c' libxl is the client, otherwise the server.
 * The rest is what the peer puts into the ring, and these actions, where N
 * is a byte:
 *
 *   before the peer is connected (the first of the others connects it):
 *   %ON %oN  the order of a ring is N mod 24
 *   %RN  all grant references are N mod 32
 *   %X TEXT  a node of the channel, ring-ref
 *
 *   %.   what there is to send is put into the ring, and libxl runs
 *   %r   the peer takes what has come       %e    an event without reason
 *   %s   libxl sends a message              %S    ... a long one
 *   %mN  from now on libxl's callback returns '0' - N
 *   %d   the channel is disposed of as soon as it is closed
 *   %PN %CN %pN %cN  N - '@' is added to an index of the ring: producer's,
 *        consumer's; of the peer's ring, of ours
 *   %NN %nN %VN %vN  the notification flags, and those of being there, are
 *        N - '0': the peer's, ours
 *   %t %T %U  time passes: 1 s, 11 s, 10 min
 *   %fN  a fault: see fuzz_fault            %a    the ao is aborted
 *   %x   the peer closes                    %k    it is killed
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "fuzz.h"

#define US   3
#define PEER 0
#define SERVER_PATH "/local/domain/3/data/channel"
#define CLIENT_PATH "/local/domain/0/data/channel"

#define MESSAGE_MAX 4096
#define DEPTH_MAX   8
#define GRANTS_MAX  256 /* of a ring, as libxenvchan has it */

static libxl_ctx *ctx;
static raw_peer peer;

/* From the heap, so that a use after the end shows */
static struct channel {
    libxl__vchan vc;
    int messages, closed, return_rc;
    bool bad, dispose;
} *ch;

/* What the peer has sent by fair means */
static struct {
    bool fair, cr;
    int lines;
} sent;

static int message_cb(libxl__egc *egc, libxl__vchan *vc,
                      const libxl__json_object *msg, const char *why)
{
    EGC_GC;
    struct channel *c = CONTAINER_OF(vc, *c, vc);
    const libxl__json_object *echo;
    char *text;

    fuzz_check(!c->closed && !c->bad);
    c->messages++;
    if (!msg) {
        fuzz_check(fuzz_printable(why, 80));
        c->bad = true;
        libxl__vchan_send(gc, vc, "{\"error\": { }}");
        return ERROR_INVAL;
    }
    fuzz_check(libxl__json_object_is_map(msg));
    echo = libxl__json_map_get("echo", msg, JSON_MAP);
    if (echo) {
        text = libxl__json_object_to_json(gc, echo);
        fuzz_check(text && libxl__json_parse(gc, text));
        libxl__vchan_send(gc, vc, text);
    }
    if (c->return_rc) c->bad = true;
    return c->return_rc;
}

static void dispose(libxl__gc *gc)
{
    libxl__vchan_dispose(gc, &ch->vc);
    fuzz_check(!ch->vc.rx && !ch->vc.tx && !ch->vc.ctrl);
    free(ch);
    ch = NULL;
}

static void closed_cb(libxl__egc *egc, libxl__vchan *vc, int rc)
{
    EGC_GC;
    struct channel *c = CONTAINER_OF(vc, *c, vc);

    fuzz_check(c == ch && !c->closed);
    c->closed++;
    if (rc != ERROR_INVAL && rc != c->return_rc)
        fuzz_check(rc == ERROR_NOT_READY || rc == ERROR_TIMEDOUT || !rc ||
                   rc == ERROR_FAIL);
    if (c->dispose) dispose(gc);
}

static int open_channel(bool client)
{
    GC_INIT(ctx);
    int rc;

    CTX_LOCK;
    rc = client ? libxl__vchan_connect(gc, &ch->vc, CLIENT_PATH)
                : libxl__vchan_listen(gc, &ch->vc, SERVER_PATH);
    CTX_UNLOCK;
    GC_FREE;
    return rc;
}

static void send_text(const char *text)
{
    GC_INIT(ctx);

    CTX_LOCK;
    libxl__vchan_send(gc, &ch->vc, text);
    CTX_UNLOCK;
    GC_FREE;
}

static void end_channel(void)
{
    GC_INIT(ctx);

    CTX_LOCK;
    dispose(gc);
    CTX_UNLOCK;
    GC_FREE;
}

static void run(int ms)
{
    world_return();
    world_run(NULL, NULL, ms);
    world_call(ctx);
}

/* Notes what has gone into the ring. */
static void note_sent(const char *text, int len)
{
    int i;

    for (i = 0; i < len; i++) {
        if (sent.cr && text[i] == '\n') sent.lines++;
        sent.cr = text[i] == '\r';
    }
}

/* As much as libxl takes */
static void flush(fuzz_input *in)
{
    size_t done = 0;
    int r;

    while (done < in->len) {
        world_return();
        r = peer.ctrl ? libxenvchan_write(peer.ctrl, in->text + done,
                                          in->len - done) : -1;
        if (r > 0) {
            note_sent(in->text + done, r);
            done += r;
        }
        run(0);
        if (r <= 0 || !ch) break;
    }
    in->len = 0;
}

static void take(void)
{
    char buf[4096];

    world_return();
    while (peer.ctrl && libxenvchan_read(peer.ctrl, buf, sizeof(buf)) > 0)
        ;
    world_call(ctx);
}

static void ring_action(int action, int n)
{
    struct vchan_interface *ring = peer.ctrl->ring;
    bool client = !peer.ctrl->is_server;
    struct ring_shared *theirs = client ? &ring->left : &ring->right;
    struct ring_shared *ours = client ? &ring->right : &ring->left;
    uint8_t *live[] = { &ring->srv_live, &ring->cli_live };
    uint8_t *notify[] = { &ring->srv_notify, &ring->cli_notify };

    sent.fair = false;
    switch (action) {
    case 'P': theirs->prod += n - '@'; break;
    case 'C': theirs->cons += n - '@'; break;
    case 'p': ours->prod += n - '@'; break;
    case 'c': ours->cons += n - '@'; break;
    case 'N': *notify[client] = n - '0'; break;
    case 'n': *notify[!client] = n - '0'; break;
    case 'V': *live[client] = n - '0'; break;
    case 'v': *live[!client] = n - '0'; break;
    }
    xenevtchn_notify(peer.ctrl->event, peer.ctrl->event_port);
}

/* As the server, before the client is there */
static bool early_action(fuzz_input *in, int action)
{
    struct vchan_interface *ring = peer.ctrl->ring;
    const char *line;
    char path[64];
    int i, ref;

    switch (action) {
    case 'O': ring->left_order = fuzz_byte(in) % 24; return true;
    case 'o': ring->right_order = fuzz_byte(in) % 24; return true;
    case 'R':
        /* The ring's own page, over and over: it is one that can be had. */
        ref = fuzz_byte(in) % 32;
        for (i = 0; i < 2 * GRANTS_MAX; i++)
            ring->grants[i] = ref;
        return true;
    case 'X':
        line = fuzz_line(in);
        snprintf(path, sizeof(path), "%s/%s", peer.path,
                 *line == 'e' ? "event-channel" : "ring-ref");
        store_put(path, *line ? line + 1 : "");
        return true;
    }
    return false;
}

/* More than libxl keeps before it stops to receive */
static const char *long_text(void)
{
    static char text[17000];

    memset(text, ' ', sizeof(text) - 1);
    memcpy(text, "{\"long\":\"", 9);
    memcpy(text + sizeof(text) - 3, "\"}", 2);
    return text;
}

static void peer_action(fuzz_input *in, int action)
{
    bool open = ch && !ch->closed;

    switch (action) {
    case 'r': take(); break;
    case 's':
        if (open) send_text("{\"a\": [ 1, \"b c\" ]}");
        break;
    case 'S':
        in->budget -= FUZZ_DEAR;
        if (open) send_text(long_text());
        break;
    case 'm':
        if (open) ch->return_rc = '0' - fuzz_byte(in);
        break;
    case 'd':
        if (open) ch->dispose = true;
        break;
    case 't': run(1000); break;
    case 'T': run(11000); break;
    case 'U': run(600000); break;
    case 'f':
        sent.fair = false;
        fuzz_fault(fuzz_byte(in));
        break;
    case 'a': fuzz_ao_abort(ctx); break;
    case 'x': raw_close(&peer); break;
    case 'k': raw_kill(&peer); break;
    case 'e':
        if (peer.ctrl)
            xenevtchn_notify(peer.ctrl->event, peer.ctrl->event_port);
        break;
    case 'P': case 'C': case 'p': case 'c':
    case 'N': case 'n': case 'V': case 'v':
        if (peer.ctrl) ring_action(action, fuzz_byte(in));
        break;
    }
}

static bool start(fuzz_input *in, bool client)
{
    int action;

    ch = calloc(1, sizeof(*ch));
    libxl__vchan_init(&ch->vc);
    ch->vc.ao = fuzz_ao(ctx);
    ch->vc.peer = PEER;
    ch->vc.connect_ms = 5000;
    ch->vc.stall_ms = 10000;
    ch->vc.idle_ms = 500000;
    ch->vc.message_max = MESSAGE_MAX;
    ch->vc.depth_max = DEPTH_MAX;
    ch->vc.message_callback = message_cb;
    ch->vc.closed_callback = closed_cb;
    sent.fair = true;
    sent.cr = false;
    sent.lines = 0;

    if (client) {
        const uint8_t *at;

        fuzz_check(raw_listen(&peer, PEER, US, CLIENT_PATH));
        at = in->at;
        while ((action = fuzz_next(in)) && early_action(in, action)) {
            sent.fair = false;
            at = in->at;
        }
        in->at = at;
        in->len = 0;
        world_call(ctx);
        if (open_channel(true)) {
            fuzz_check(!ch->vc.ctrl && !ch->vc.event_cfd);
            return false;
        }
        return true;
    }

    world_call(ctx);
    if (open_channel(false)) {
        fuzz_check(!ch->vc.ctrl);
        return false;
    }
    send_text("{\"hello\": 1}");
    memset(&peer, 0, sizeof(peer));
    peer.domid = PEER;
    strcpy(peer.path, SERVER_PATH);
    return true;
}

static void finish(void)
{
    if (ch && sent.fair && peer.ctrl && !ch->closed &&
        !libxenvchan_data_ready(peer.ctrl)) {
        /* What libxl was sent it has seen, all of it. */
        run(0);
        if (ch && !ch->closed)
            fuzz_check(ch->messages == sent.lines);
    }
    if (ch) fuzz_check(ch->messages <= sent.lines + 1 || !sent.fair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_input in;
    bool client = size && data[0] == 'c', early;
    int action;

    if (!ctx) {
        world_reset();
        store_add_domain(US);
        fault_domid = US;
        ctx = world_ctx(US);
        fuzz_ready();
    }
    fuzz_begin(&in, data + !!size, size - !!size);

    if (start(&in, client)) {
        do {
            action = fuzz_next(&in);
            /* These can come before the peer does. */
            early = action && strchr("tTsSfa", action);
            if (!client && *peer.path && !early) {
                raw_open(&peer, US);
                *peer.path = '\0';
            }
            flush(&in);
            if (action) peer_action(&in, action);
        } while (action || in.at < in.end);
        run(0);
        finish();
    }

    faults_clear();
    if (ch) end_channel();
    raw_close(&peer);
    fuzz_ao_end(ctx);
    run(0);
    world_return();
    /* A fault may have kept the server from removing its nodes. */
    if (client)
        store_rm(CLIENT_PATH);
    else if (!sent.fair)
        store_rm(SERVER_PATH);
    fuzz_clean();
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
