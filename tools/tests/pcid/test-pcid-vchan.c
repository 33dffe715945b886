/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * JSON messages over libxenvchan.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "harness.h"

#define US   3 /* the domain of the channel under test, unless noted */
#define PEER 0
#define PATH "/local/domain/3/data/channel"

#define MESSAGE_MAX 4096
#define DEPTH_MAX   8
#define CONNECT_MS  5000
#define STALL_MS    10000
#define IDLE_MS     600000
#define DAY_MS      (24 * 3600 * 1000)
#define REFUSED     ERROR_INVAL /* what the callback returns by default */

static libxl_ctx *ctx;
static libxl__ao *ao;
static libxl_asyncop_how how;

/* The channel under test; from the heap, so that a use after the end shows */
typedef struct {
    libxl__vchan vc;
    int messages;
    char texts[8192]; /* the "m" member of each, followed by a space */
    char why[64];
    int closed, rc;
    int return_rc; /* by the callback, for what is a message */
    const char *answer; /* to each message */
    bool dispose; /* in the closed callback, and free */
} channel;

static channel *ch;
static int last_closed_rc;

static int message_cb(libxl__egc *egc, libxl__vchan *vc,
                      const libxl__json_object *msg, const char *why)
{
    EGC_GC;
    channel *c = CONTAINER_OF(vc, *c, vc);
    const libxl__json_object *o;
    size_t used = strlen(c->texts);

    if (!msg) {
        snprintf(c->why, sizeof(c->why), "%s", why);
        if (c->answer) libxl__vchan_send(gc, vc, c->answer);
        return REFUSED;
    }
    c->messages++;
    o = libxl__json_map_get("m", msg, JSON_ANY);
    if (libxl__json_object_is_string(o))
        snprintf(c->texts + used, sizeof(c->texts) - used, "%s ",
                 libxl__json_object_get_string(o));
    else if (libxl__json_object_is_integer(o))
        snprintf(c->texts + used, sizeof(c->texts) - used, "%lld ",
                 libxl__json_object_get_integer(o));
    if (c->answer) libxl__vchan_send(gc, vc, c->answer);
    return c->return_rc;
}

static void closed_cb(libxl__egc *egc, libxl__vchan *vc, int rc)
{
    EGC_GC;
    channel *c = CONTAINER_OF(vc, *c, vc);

    c->closed++;
    c->rc = last_closed_rc = rc;
    if (c->dispose) {
        libxl__vchan_dispose(gc, vc);
        if (c == ch) ch = NULL;
        free(c);
    }
}

static void ao_done(libxl_ctx *c, int rc, void *for_callback)
{
}

static int make_ao(void)
{
    how.callback = ao_done;
    AO_CREATE(ctx, INVALID_DOMID, &how);
    (void)gc;
    return AO_INPROGRESS;
}

/* make_ao, with what AO_CREATE keeps to itself */
static void open_ao(void)
{
    make_ao();
    ao = XEN_LIST_FIRST(&ctx->aos_inprogress);
}

static void close_ao(void)
{
    EGC_INIT(ctx);

    CTX_LOCK;
    libxl__ao_complete(egc, ao, 0);
    CTX_UNLOCK_EGC_FREE;
    ao = NULL;
}

static channel *channel_new(bool deadlines, int peer)
{
    channel *c = calloc(1, sizeof(*c));

    libxl__vchan_init(&c->vc);
    c->vc.ao = deadlines ? ao : NULL;
    c->vc.peer = peer;
    c->vc.connect_ms = CONNECT_MS;
    c->vc.stall_ms = STALL_MS;
    c->vc.idle_ms = IDLE_MS;
    c->vc.message_max = MESSAGE_MAX;
    c->vc.depth_max = DEPTH_MAX;
    c->vc.message_callback = message_cb;
    c->vc.closed_callback = closed_cb;
    return c;
}

static void channel_free(channel *c)
{
    GC_INIT(ctx);

    if (!c) return;
    libxl__vchan_dispose(gc, &c->vc);
    free(c);
    GC_FREE;
}

static void send_text(channel *c, const char *text)
{
    GC_INIT(ctx);

    CTX_LOCK;
    libxl__vchan_send(gc, &c->vc, text);
    CTX_UNLOCK;
    GC_FREE;
}

static int listen_on(channel *c, const char *path)
{
    GC_INIT(ctx);
    int rc, before = world_enter(US);

    CTX_LOCK;
    rc = libxl__vchan_listen(gc, &c->vc, path);
    CTX_UNLOCK;
    world_leave(before);
    GC_FREE;
    return rc;
}

static int connect_to(channel *c, const char *path)
{
    GC_INIT(ctx);
    int rc, before = world_enter(US);

    CTX_LOCK;
    rc = libxl__vchan_connect(gc, &c->vc, path);
    CTX_UNLOCK;
    world_leave(before);
    GC_FREE;
    return rc;
}

/* A channel that listens, and its peer */
static void listening(bool deadlines, raw_peer *peer)
{
    world_reset();
    store_add_domain(US);
    ctx = world_ctx(US);
    open_ao();
    last_closed_rc = 0;
    ch = channel_new(deadlines, PEER);
    is_int(listen_on(ch, PATH), 0, "listens");
    memset(peer, 0, sizeof(*peer));
    peer->domid = PEER;
    strcpy(peer->path, PATH);
}

static void start(raw_peer *peer)
{
    listening(true, peer);
    if (!raw_open(peer, US)) {
        printf("Bail out! the peer cannot connect\n");
        exit(1);
    }
    world_settle();
}

static void end(raw_peer *peer)
{
    raw_close(peer);
    channel_free(ch);
    ch = NULL;
    close_ao();
    world_settle();
    world_reset(); /* looks for what is left */
}

/* A message whose "m" is as given, and of a length that is */
static char *message(const char *m, size_t len)
{
    static char text[1024 * 1024];
    size_t used;

    used = sprintf(text, "{\"m\":\"%s\",\"x\":\"", m);
    assert(len >= used + 4 && len < sizeof(text));
    memset(text + used, 'x', len - used - 4);
    strcpy(text + len - 4, "\"}\r\n");
    return text;
}

/*
 * Framing
 */

static void one_by_one(void)
{
    raw_peer peer;
    char text[32];
    int i;

    start(&peer);
    for (i = 0; i < 100; i++) {
        sprintf(text, "{\"m\":%d}", i);
        raw_send(&peer, text);
        world_settle();
        if (ch->messages != i + 1) break;
    }
    is_int(i, 100, "each when it comes");
    ok(ch->vc.rx_size <= MESSAGE_MAX && !ch->vc.tx, "no memory is kept");
    end(&peer);
}

static void several_at_once(void)
{
    raw_peer peer;

    start(&peer);
    raw_send_bytes(&peer, "{\"m\":1}\r\n{\"m\":2}\r\n{\"m\":3}\r\n", 27);
    world_settle();
    is_str(ch->texts, "1 2 3 ", "in order");
    raw_send_bytes(&peer, "{\"m\":4}\r\n{\"m\":5}\r\n{\"m\"", 22);
    world_settle();
    is_str(ch->texts, "1 2 3 4 5 ", "as far as they are whole");
    raw_send_bytes(&peer, ":6}\r\n", 5);
    world_settle();
    is_str(ch->texts, "1 2 3 4 5 6 ", "and the rest of it");
    end(&peer);
}

static void split_at_every_byte(void)
{
    static const char text[] = "{\"m\":\"a\\r\\n\"}\r\n{ \"m\" : 2 }\r\n";
    size_t i;
    int good = 0;
    raw_peer peer;

    start(&peer);
    for (i = 0; i < sizeof(text); i++) {
        ch->texts[0] = '\0';
        raw_send_bytes(&peer, text, i);
        world_settle();
        raw_send_bytes(&peer, text + i, sizeof(text) - 1 - i);
        world_settle();
        good += !strcmp(ch->texts, "a\r\n 2 ");
    }
    is_int(good, sizeof(text), "in two");

    ch->texts[0] = '\0';
    for (i = 0; i < sizeof(text) - 1; i++) {
        raw_send_bytes(&peer, text + i, 1);
        world_settle();
    }
    is_str(ch->texts, "a\r\n 2 ", "byte by byte");
    end(&peer);
}

static void ends_inside(void)
{
    raw_peer peer;

    start(&peer);
    raw_send_bytes(&peer, "{\"m\":1}\r", 8);
    world_settle();
    is_str(ch->texts, "", "half an end is none");
    raw_send_bytes(&peer, "\n{\"m\":2}\r\n", 10);
    world_settle();
    is_str(ch->texts, "1 2 ", "until the rest has come");
    end(&peer);
}

static void longer_than_the_ring(void)
{
    raw_peer peer;
    const char *got;
    char *text;

    start(&peer);
    text = message("big", MESSAGE_MAX);
    ok(raw_send_bytes(&peer, text, MESSAGE_MAX), "is received");
    world_settle();
    is_str(ch->texts, "big ", "whole");

    text = message("bigger", 300000);
    text[strlen(text) - 2] = '\0';
    send_text(ch, text);
    world_settle();
    got = raw_recv(&peer, 0);
    is_int(got ? strlen(got) : 0, 299998, "is sent, whole");
    is_int(got ? strcmp(got, text) : -1, 0, "and unchanged");
    world_settle();
    ok(ch->vc.rx_size <= MESSAGE_MAX && !ch->vc.tx, "no memory is kept");
    end(&peer);
}

static void limit(void)
{
    size_t len;
    raw_peer peer;

    start(&peer);
    ok(raw_send_bytes(&peer, message("a", MESSAGE_MAX), MESSAGE_MAX),
       "a message of %d bytes", MESSAGE_MAX);
    world_settle();
    is_int(ch->messages, 1, "is one");
    raw_send_bytes(&peer, message("b", MESSAGE_MAX + 1), MESSAGE_MAX + 1);
    world_settle();
    is_int(ch->messages, 1, "one byte more is too much");
    is_str(ch->why, "message too long", "says why");
    is_int(ch->closed, 1, "closed, once");
    is_int(ch->rc, REFUSED, "with what the callback returned");
    end(&peer);

    start(&peer);
    len = MESSAGE_MAX;
    raw_send_bytes(&peer, message("c", 2 * MESSAGE_MAX), len);
    world_settle();
    is_int(ch->closed, 0, "without an end: it may be about to come");
    raw_send_bytes(&peer, "x", 1);
    world_settle();
    is_str(ch->why, "message too long", "or not any more");
    is_int(ch->closed, 1, "closed, once");
    end(&peer);
}

static void refused(void)
{
    static const struct {
        const char *text, *why;
        size_t len;
    } t[] = {
#define T(text, why) { text, why, sizeof(text) - 1 }
        T("\r\n", "not JSON"),
        T(" \t\r\r\n", "a byte that is not printable ASCII"),
        T("  \r\n", "not JSON"),
        T("x\r\n", "not JSON"),
        T("{\r\n", "not JSON"),
        T("}\r\n", "not JSON"),
        T("{\"m\":}\r\n", "not JSON"),
        T("{\"m\" 1}\r\n", "not JSON"),
        T("{m:1}\r\n", "not JSON"),
        T("{'m':1}\r\n", "a single quote for a double one"),
        T("{\"m\":'[[[[[[[['}\r\n", "a single quote for a double one"),
        T("{\"m\":1,}\r\n", "not JSON"),
        T("{\"m\":01}\r\n", "not JSON"),
        T("{\"m\":\"\\x\"}\r\n", "not JSON"),
        T("{\"m\":\"\t\"}\r\n", "a byte that is not printable ASCII"),
        T("{\"m\":\"\xc3\"}\r\n", "a byte that is not printable ASCII"),
        T("{\"m\":tru}\r\n", "not JSON"),
        T("{\"m\":TRUE}\r\n", "not JSON"),
        T("{\"m\":NaN}\r\n", "not JSON"),
        T("{\"m\":-Infinity}\r\n", "not JSON"),
        T("/**/{\"m\":1}\r\n", "not JSON"),
        T("[]\r\n", "not a JSON object"),
        T("\"m\"\r\n", "not a JSON object"),
        T("1\r\n", "not a JSON object"),
        T("null\r\n", "not a JSON object"),
        T("{}\0\r\n", "a byte that is not printable ASCII"),
        T("\0\r\n", "a byte that is not printable ASCII"),
        T("{\"m\":\"\0\"}\r\n", "a byte that is not printable ASCII"),
        T("{\"m\":\"\\u0000\"}\r\n", "a NUL in a string"),
        T("{\"m\\u0000\":2}\r\n", "a NUL in a string"),
        T("{\"m\":\"\\\\\\u0000\"}\r\n", "a NUL in a string"),
        T("{}{}\r\n", "more than one value"),
        T("{} []\r\n", "more than one value"),
        T("{\"m\":1}}\r\n", "more than one value"),
        T("[[[[[[[[[\r\n", "values nested too deep"),
        T("{\"m\":[[[[[[[[]]]]]]]]}\r\n", "values nested too deep"),
        T("{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{"
          "}}}}}}}}}\r\n", "values nested too deep"),
#undef T
    };
    raw_peer peer;
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        start(&peer);
        raw_send_bytes(&peer, "{\"m\":1}\r\n", 9);
        raw_send_bytes(&peer, t[i].text, t[i].len);
        raw_send_bytes(&peer, "{\"m\":2}\r\n", 9);
        world_settle();
        is_str(ch->why, t[i].why, "%s", t[i].text);
        is_str(ch->texts, "1 ", "what was before it counts, what is after"
               " it does not");
        ok(ch->closed == 1 && ch->rc == REFUSED, "closed, once");
        end(&peer);
    }
}

static void deep_but_not_too_deep(void)
{
    raw_peer peer;

    start(&peer);
    raw_send(&peer, "{\"x\":[[[[[[[]]]]]]],\"m\":1}");
    raw_send(&peer, "{\"x\":\"[[[[[[[[[[[[{{{{\\\"[[[\",\"m\":2}");
    raw_send(&peer, "{\"x\":[[[]],[[]],[[[[[[]]]]]]],\"m\":3}");
    world_settle();
    is_str(ch->texts, "1 2 3 ", "strings do not count");
    end(&peer);
}

static void white_space(void)
{
    static const char *const t[][2] = {
        { "{ \"a\" : 1 ,\n\t\"b\" : [ 1 , 2 ]\n}\n",
          "{\"a\":1,\"b\":[1,2]}" },
        { "{ \"a b\" : \" c  d \" }", "{\"a b\":\" c  d \"}" },
        { "{ \"a\\\" b\" : \"\\\\\" , \" c\" : 1 }",
          "{\"a\\\" b\":\"\\\\\",\" c\":1}" },
        { "{ \"\\\\\\\" \" : \" \\\\\" }", "{\"\\\\\\\" \":\" \\\\\"}" },
        { "{ \"\" : \"\" , \"\\u0020 \" : \" \" }",
          "{\"\":\"\",\"\\u0020 \":\" \"}" },
        { "", "" },
    };
    raw_peer peer;
    int i;

    start(&peer);
    for (i = 0; i < ARRAY_SIZE(t); i++) {
        send_text(ch, t[i][0]);
        is_str(raw_recv(&peer, 0), t[i][1], "%s", t[i][0]);
    }
    end(&peer);
}

/*
 * The other side
 */

static void sent_before_it_connects(void)
{
    raw_peer peer;

    listening(true, &peer);
    send_text(ch, "{\"m\":1}");
    send_text(ch, message("long", 10000));
    ok(raw_open(&peer, US), "the peer connects");
    is_str(raw_recv(&peer, 0), "{\"m\":1}", "it gets the first");
    ok(raw_recv(&peer, 0), "and the second, longer than the ring");
    end(&peer);
}

static void peer_is_gone(void)
{
    int kill;
    raw_peer peer;

    for (kill = 0; kill < 2; kill++) {
        start(&peer);
        ok(libxl__vchan_alive(&ch->vc), "is there");
        raw_send_bytes(&peer, "{\"m\":1}\r\n{\"m\":2}\r\n{\"m\":", 23);
        if (kill)
            raw_kill(&peer);
        else
            raw_close(&peer);
        ok(!libxl__vchan_alive(&ch->vc), "is not there");
        world_settle();
        is_str(ch->texts, "1 2 ", "what was sent before is received");
        ok(ch->closed == 1 && ch->rc == ERROR_NOT_READY,
           "closed, once, as it is gone");
        send_text(ch, "{\"m\":1}");
        ok(true, "sending does no harm");
        end(&peer);
    }
}

static void gone_while_data_waits(void)
{
    raw_peer peer;

    start(&peer);
    send_text(ch, message("x", 50000));
    raw_kill(&peer);
    world_settle();
    ok(ch->closed == 1 && ch->rc == ERROR_NOT_READY, "closed, once");
    end(&peer);
}

static void disposed_in_the_callback(void)
{
    raw_peer peer;

    start(&peer);
    ch->dispose = true;
    raw_kill(&peer);
    world_settle();
    ok(!ch && last_closed_rc == ERROR_NOT_READY, "when the peer has gone");
    end(&peer);

    start(&peer);
    ch->dispose = true;
    raw_send_bytes(&peer, "x\r\nx\r\nx\r\n", 9);
    world_settle();
    ok(!ch && last_closed_rc == REFUSED, "after what is no message");
    end(&peer);

    listening(true, &peer);
    ch->dispose = true;
    world_run(NULL, NULL, CONNECT_MS + 1);
    ok(!ch && last_closed_rc == ERROR_TIMEDOUT, "after a deadline");
    end(&peer);
}

static void callback_closes(void)
{
    raw_peer peer;

    start(&peer);
    ch->return_rc = ERROR_VERSION;
    ch->answer = "{\"bye\":1}";
    raw_send_bytes(&peer, "{\"m\":1}\r\n{\"m\":2}\r\n", 18);
    world_settle();
    is_str(ch->texts, "1 ", "nothing more is received");
    ok(ch->closed == 1 && ch->rc == ERROR_VERSION, "closed, with its rc");
    is_str(raw_recv(&peer, 0), "{\"bye\":1}", "what it has sent arrives");
    end(&peer);
}

static void event_channel_fails(void)
{
    raw_peer peer;

    start(&peer);
    raw_poll(&peer); /* so that it has no events, which fail first */
    fault_inject("xenevtchn_pending", "", EIO, 0, 1);
    raw_send_bytes(&peer, "{\"m\":1}\r\n", 9);
    world_settle();
    ok(ch->closed == 1 && ch->rc == ERROR_FAIL, "closed, once");
    is_str(ch->texts, "1 ", "after what came was received");
    end(&peer);
}

static void peer_cannot_be_notified(void)
{
    raw_peer peer;

    start(&peer);
    raw_poll(&peer); /* so that it wants to be notified */
    fault_inject("xenevtchn_notify", "", EIO, 0, 1);
    send_text(ch, "{\"a\":1}");
    send_text(ch, "{\"a\":2}");
    world_settle();
    is_str(raw_poll(&peer), "{\"a\":1}", "what is in the ring is there");
    is_str(raw_poll(&peer), NULL, "once, and nothing comes after it");
    raw_send_bytes(&peer, "{\"m\":1}\r\n", 9);
    world_settle();
    ok(ch->closed == 1 && ch->rc == ERROR_FAIL, "closed, once");
    end(&peer);
}

static void ring_is_broken(void)
{
    static const struct {
        const char *what;
        int which;
    } t[] = {
        { "producer far ahead", 0 }, { "producer behind", 1 },
        { "consumer ahead of what was sent", 2 }, { "all ones", 3 },
    };
    raw_peer peer;
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        start(&peer);
        send_text(ch, "{\"m\":1}");
        switch (t[i].which) {
        case 0: peer.ctrl->ring->left.prod += 5000; break;
        case 1: peer.ctrl->ring->left.prod -= 1; break;
        case 2: peer.ctrl->ring->right.cons += 5000; break;
        case 3: memset(peer.ctrl->ring, 0xff, 64); break;
        }
        xenevtchn_notify(peer.ctrl->event, peer.ctrl->event_port);
        world_settle();
        send_text(ch, message("x", 5000));
        world_settle();
        ok(ch->closed <= 1, "%s: survives", t[i].what);
        raw_kill(&peer);
        world_settle();
        is_int(ch->closed, 1, "%s: notices the end", t[i].what);
        end(&peer);
    }
}

/*
 * Deadlines
 */

static void nobody_connects(void)
{
    int64_t since;
    raw_peer peer;

    listening(true, &peer);
    since = world_ms();
    world_run(NULL, NULL, CONNECT_MS - 1);
    is_int(ch->closed, 0, "it waits");
    world_run(NULL, NULL, 2);
    ok(ch->closed == 1 && ch->rc == ERROR_TIMEDOUT, "for %d ms",
       (int)(world_ms() - since));
    end(&peer);

    start(&peer);
    world_run(NULL, NULL, 2 * (CONNECT_MS + STALL_MS));
    is_int(ch->closed, 0, "a connected peer has more time");
    end(&peer);
}

static void peer_says_nothing(void)
{
    raw_peer peer;

    start(&peer);
    world_run(NULL, NULL, IDLE_MS - 1);
    is_int(ch->closed, 0, "it waits");
    world_run(NULL, NULL, 2);
    ok(ch->closed == 1 && !ch->rc, "closed, once, with an rc of 0");
    end(&peer);

    start(&peer);
    world_run(NULL, NULL, IDLE_MS - 1);
    raw_send_bytes(&peer, " ", 1);
    world_run(NULL, NULL, IDLE_MS - 1);
    is_int(ch->closed, 0, "any byte counts");
    send_text(ch, "{}");
    world_run(NULL, NULL, 2);
    is_int(ch->closed, 1, "but not what we say");
    end(&peer);

    /* Data that waits has the shorter deadline, and then it is idle again. */
    start(&peer);
    send_text(ch, message("x", 5000));
    ok(raw_recv(&peer, 0), "data is taken");
    world_run(NULL, NULL, STALL_MS + 1);
    is_int(ch->closed, 0, "then that does not matter any more");
    world_run(NULL, NULL, IDLE_MS);
    ok(ch->closed == 1 && !ch->rc, "but this does");
    end(&peer);
}

/* Says more while the clock is a day ahead, and sets it right after that. */
static raw_peer *day_peer;

static int day_ahead(libxl__egc *egc, libxl__vchan *vc,
                     const libxl__json_object *msg, const char *why)
{
    channel *c = CONTAINER_OF(vc, *c, vc);
    bool ahead = !c->messages++;

    world_set_clock((ahead ? 1 : -1) * DAY_MS);
    if (ahead) libxenvchan_send(day_peer->ctrl, "{}\r\n", 4);
    return 0;
}

static void clock_is_set_back(void)
{
    raw_peer peer;

    start(&peer);
    day_peer = &peer;
    ch->vc.message_callback = day_ahead;
    raw_send(&peer, "{}");
    world_settle();
    is_int(ch->messages, 2, "the peer was last heard of tomorrow");
    world_run(NULL, NULL, IDLE_MS - 1);
    is_int(ch->closed, 0, "it waits");
    world_run(NULL, NULL, IDLE_MS + 2);
    ok(ch->closed == 1 && !ch->rc, "but not until then");
    end(&peer);
}

static void no_deadline_without_an_ao(void)
{
    raw_peer peer;

    listening(false, &peer);
    world_run(NULL, NULL, 10 * CONNECT_MS);
    is_int(ch->closed, 0, "to connect");
    ok(raw_open(&peer, US), "it can, late");
    send_text(ch, message("x", 50000));
    world_run(NULL, NULL, 10 * STALL_MS);
    is_int(ch->closed, 0, "nor to take data");
    ok(raw_recv(&peer, 0), "which it does, late");
    end(&peer);
}

static bool has_byte(void *opaque)
{
    raw_peer *peer = opaque;
    char c;

    return libxenvchan_read(peer->ctrl, &c, 1) == 1;
}

static void deadlines_of_0(void)
{
    raw_peer peer;

    start(&peer);
    ch->vc.idle_ms = ch->vc.stall_ms = 0;
    raw_send(&peer, "{\"m\":1}");
    world_run(NULL, NULL, 10 * IDLE_MS);
    is_int(ch->closed, 0, "none for a peer that is silent");
    send_text(ch, message("x", 50000));
    world_run(NULL, NULL, 10 * IDLE_MS);
    is_int(ch->closed, 0, "nor for one that takes nothing");
    end(&peer);
}

static void ao_is_aborted(void)
{
    raw_peer peer;

    start(&peer);
    world_call(ctx);
    libxl_ao_abort(ctx, &how);
    world_return();
    world_settle();
    is_int(ch->closed, 0, "that does not close the channel");
    send_text(ch, "{\"m\":1}");
    is_str(raw_recv(&peer, 0), "{\"m\":1}", "one can still send");
    raw_send(&peer, "{\"m\":1}");
    world_run(NULL, NULL, 10 * IDLE_MS);
    is_str(ch->texts, "1 ", "and receive");
    is_int(ch->closed, 0, "without a deadline");
    end(&peer);
}

static void peer_takes_nothing(void)
{
    int64_t since;
    raw_peer peer;
    int i;

    start(&peer);
    send_text(ch, message("x", 50000));
    since = world_ms();
    world_run(NULL, NULL, STALL_MS - 1);
    is_int(ch->closed, 0, "it waits");
    world_run(NULL, NULL, 2);
    ok(ch->closed == 1 && ch->rc == ERROR_TIMEDOUT, "for %d ms",
       (int)(world_ms() - since));
    end(&peer);

    start(&peer);
    send_text(ch, message("x", 50000));
    for (i = 0; i < 20; i++) {
        world_run(NULL, NULL, STALL_MS - 10);
        if (!has_byte(&peer)) break;
        world_settle();
    }
    ok(i == 20 && !ch->closed, "any byte that it takes counts");
    end(&peer);

    start(&peer);
    send_text(ch, message("x", 1000));
    world_run(NULL, NULL, 10 * STALL_MS);
    is_int(ch->closed, 0, "what the ring had room for is not waited for");
    end(&peer);
}

/*
 * Flow
 */

static void backlog(void)
{
    static char answer[1001];
    raw_peer peer;
    int sent, got;

    start(&peer);
    memset(answer, 'y', 1000);
    memcpy(answer, "{\"y\":\"", 6);
    strcpy(answer + 998, "\"}");
    ch->answer = answer;
    for (sent = 0; sent < 10000; sent++)
        if (!raw_send(&peer, "{\"m\":1}")) break;
    /* 16 KiB are too much; what the ring held then is dealt with. */
    ok(ch->messages <= 17 + 1024 / 9 + 1, "it receives no more: %d",
       ch->messages);
    ok(sent < 400, "and the peer can send no more: %d", sent);
    ok(ch->vc.tx_used - ch->vc.tx_done < 128 * 1024,
       "what it keeps is limited: %zu", ch->vc.tx_used - ch->vc.tx_done);

    for (got = 0; raw_recv(&peer, 0); got++)
        ;
    is_int(got, ch->messages, "when the peer reads, it goes on");
    ok(got >= sent, "to the end: %d of %d", got, sent);
    is_int(ch->closed, 0, "and stays open");
    end(&peer);
}

/* A peer that refills the ring whenever it has been emptied */
static raw_peer *flooder;
static int flood_left, flood_turns;

static int flood_message(libxl__egc *egc, libxl__vchan *vc,
                         const libxl__json_object *msg, const char *why)
{
    static const char text[] = "{\"m\":\"0123456789012345678901234567\"}\r\n";

    if (!msg) return REFUSED;
    while (flood_left > 0 &&
           libxenvchan_send(flooder->ctrl, text, sizeof(text) - 1) > 0)
        flood_left -= sizeof(text) - 1;
    return 0;
}

static bool count_turns(void *opaque)
{
    flood_turns++;
    return false;
}

static void flood(void)
{
    raw_peer peer;

    start(&peer);
    flooder = &peer;
    flood_left = 200 * 1024;
    flood_turns = 0;
    ch->vc.message_callback = flood_message;
    raw_send(&peer, "{}");
    world_set_step(count_turns, NULL);
    world_settle();
    ok(flood_left <= 0, "all of it is received");
    ok(flood_turns >= 200 / 20, "but others have their turn: %d",
       flood_turns);
    world_set_step(NULL, NULL);
    end(&peer);
}

static void idle(void)
{
    raw_peer peer;

    start(&peer);
    raw_send(&peer, "{\"m\":1}");
    send_text(ch, "{\"m\":1}");
    raw_recv(&peer, 0);
    world_settle();
    flood_turns = 0;
    world_set_step(count_turns, NULL);
    world_run(NULL, NULL, IDLE_MS - 10);
    world_set_step(NULL, NULL);
    ok(flood_turns <= 3, "nothing happens in ten minutes: %d", flood_turns);
    end(&peer);
}

/*
 * Both roles
 */

static void as_a_client(void)
{
    raw_peer peer;

    world_reset();
    store_add_domain(US);
    ctx = world_ctx(US);
    open_ao();
    ok(raw_listen(&peer, PEER, US, "/local/domain/0/data/channel"),
       "somebody listens");
    ch = channel_new(true, PEER);
    is_int(connect_to(ch, "/local/domain/0/data/channel"), 0, "connects");
    ok(libxl__vchan_alive(&ch->vc), "it is there");
    raw_send(&peer, "{\"m\":1}");
    world_settle();
    is_str(ch->texts, "1 ", "receives");
    send_text(ch, message("x", 5000));
    ok(raw_recv(&peer, 0), "sends");
    raw_kill(&peer);
    world_settle();
    ok(ch->closed == 1 && ch->rc == ERROR_NOT_READY, "notices the end");
    end(&peer);
}

/* Whether a process that libxl forks has the channel no longer */
static bool closed_in_a_child(void)
{
    struct libxenvchan *ctrl = ch->vc.ctrl;
    int event = xenevtchn_fd(ctrl->event), status;
    int grant = ctrl->is_server ? xengntshr_fd(ctrl->gntshr)
                                : xengnttab_fd(ctrl->gnttab);
    pid_t pid = fork();

    assert(pid >= 0);
    if (!pid) {
        libxl_postfork_child_noexec(ctx);
        _exit(fcntl(event, F_GETFD) != -1 || fcntl(grant, F_GETFD) != -1);
    }
    assert(waitpid(pid, &status, 0) == pid);
    return status == 0;
}

static void not_in_forked_processes(void)
{
    raw_peer peer;

    start(&peer);
    ok(closed_in_a_child(), "a forked process has no channel of a server");
    end(&peer);

    world_reset();
    store_add_domain(US);
    ctx = world_ctx(US);
    open_ao();
    raw_listen(&peer, PEER, US, "/local/domain/0/data/channel");
    ch = channel_new(true, PEER);
    connect_to(ch, "/local/domain/0/data/channel");
    ok(closed_in_a_child(), "a forked process has no channel of a client");
    end(&peer);
}

static void cannot_be_opened(void)
{
    static const char *const ops[] = {
        "xengntshr_open", "xenevtchn_open", "xenevtchn_bind_unbound_port",
        "xengntshr_share_pages", "xs_open", "xs_write",
        "xs_set_permissions", "libxl__ev_fd_register",
    };
    static const char other[] = "/local/domain/0/data/channel";
    raw_peer peer = { 0 };
    int i, channels, grants;

    world_reset();
    store_add_domain(US);
    ctx = world_ctx(US);
    open_ao();
    ch = channel_new(true, PEER);
    for (i = 0; i < ARRAY_SIZE(ops); i++) {
        fault_inject(ops[i], "", ENOMEM, 0, 1);
        is_int(listen_on(ch, PATH), ERROR_FAIL, "%s fails", ops[i]);
        is_int(evtchn_count() + grant_count(), 0, "nothing is left");
        faults_clear();
    }
    is_int(connect_to(ch, PATH "x"), ERROR_FAIL, "nobody listens");
    is_int(evtchn_count() + grant_count(), 0, "nothing is left");

    ok(raw_listen(&peer, PEER, US, other), "somebody listens");
    channels = evtchn_count();
    grants = grant_count();
    fault_inject("libxl__ev_fd_register", "", ENOMEM, 0, 1);
    is_int(connect_to(ch, other), ERROR_FAIL, "it cannot be waited for");
    ok(!ch->vc.connected && !libxl__vchan_alive(&ch->vc), "it is closed");
    is_int(evtchn_count(), channels, "no event channel is left");
    is_int(grant_count(), grants, "nor a page");
    world_run(NULL, NULL, 2 * CONNECT_MS);
    is_int(ch->closed, 0, "of none of them was the end waited for");
    is_int(listen_on(ch, PATH), 0, "and then it works");
    end(&peer);
}

static void ping_pong(bool bytewise)
{
    channel *other;
    char text[64];
    int i;
    raw_peer none = { 0 };

    /* Domain 3 with itself, as in loopback */
    world_reset();
    store_add_domain(US);
    ctx = world_ctx(US);
    open_ao();
    ch = channel_new(true, US);
    other = channel_new(true, US);
    is_int(listen_on(ch, PATH), 0, "listens");
    is_int(connect_to(other, PATH), 0, "connects");
    if (bytewise) {
        fault_inject("libxenvchan_read", "", FAULT_SHORT, 0, 10000000);
        fault_inject("libxenvchan_write", "", FAULT_SHORT, 0, 10000000);
    }
    ch->answer = "{\"pong\":1}";
    for (i = 0; i < 300; i++) {
        sprintf(text, "{\"m\":%d}", i);
        send_text(other, text);
        if (i % 3) world_settle();
    }
    world_settle();
    is_int(ch->messages, 300, "there%s", bytewise ? ", byte by byte" : "");
    is_int(other->messages, 300, "and back");
    has_str(ch->texts, "0 1 2 3 4 5 6 7 8 9 10 11 12 ", "in order");
    channel_free(other);
    world_settle();
    is_int(ch->closed, 1, "notices the end");
    end(&none);
}

static void disposed_in_any_state(void)
{
    raw_peer peer;

    world_reset();
    ctx = world_ctx(US);
    ch = channel_new(false, PEER);
    {
        GC_INIT(ctx);

        libxl__vchan_dispose(gc, &ch->vc);
        libxl__vchan_dispose(gc, &ch->vc);
        GC_FREE;
    }
    free(ch);
    ok(true, "idle, twice");

    listening(true, &peer);
    end(&peer);
    ok(true, "listening");
    listening(true, &peer);
    send_text(ch, message("x", 50000));
    end(&peer);
    ok(true, "with data to send");
    start(&peer);
    raw_send_bytes(&peer, "{\"m\":", 5);
    world_settle();
    end(&peer);
    ok(true, "with half a message");
}

int main(void)
{
    one_by_one();
    several_at_once();
    split_at_every_byte();
    ends_inside();
    longer_than_the_ring();
    limit();
    refused();
    deep_but_not_too_deep();
    white_space();
    sent_before_it_connects();
    peer_is_gone();
    gone_while_data_waits();
    disposed_in_the_callback();
    callback_closes();
    event_channel_fails();
    peer_cannot_be_notified();
    ring_is_broken();
    nobody_connects();
    peer_says_nothing();
    clock_is_set_back();
    deadlines_of_0();
    ao_is_aborted();
    no_deadline_without_an_ao();
    peer_takes_nothing();
    backlog();
    flood();
    idle();
    as_a_client();
    not_in_forked_processes();
    cannot_be_opened();
    ping_pong(false);
    ping_pong(true);
    disposed_in_any_state();

    return tap_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
