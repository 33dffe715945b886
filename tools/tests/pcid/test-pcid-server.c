/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The server, and clients that send what they like.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "server.h"

#define OWNER 3 /* the domain of the server, unless it is domain 0 */
#define DRIVER_DOMAIN 5 /* another domain, with a client or without */

#define NIC  "0000:03:00.0" /* has its driver, e1000 */
#define FREE "0000:03:00.1" /* has none */
#define BACK "0000:04:1f.7" /* has been given to pciback */
#define NONE "0000:05:00.0" /* is not there */

#define BASE "/local/domain/3/data/pcid"

/* What the spare channel of one domain needs */
#define SPARE_PAGES 3

static test_server server;

static void domains(void)
{
    world_reset();
    store_add_domain(OWNER);
    store_add_domain(DRIVER_DOMAIN);
    sysfs_add_device(NIC, "e1000", "e1000");
    sysfs_add_device(FREE, "e1000", NULL);
    sysfs_add_device(BACK, "nvme", "pciback");
}

static void start(void)
{
    domains();
    if (server_start(&server, OWNER, NULL, 0)) {
        printf("Bail out! the server does not start\n%s", world_log());
        exit(1);
    }
    world_settle();
}

/* Channels and pages of the server, besides those of one spare channel */
static int in_use(void)
{
    return evtchn_count() - 1 + grant_count() - SPARE_PAGES;
}

/* The end of each test: nothing is left behind by the server. */
static void end(void)
{
    int rc = server_stop(&server);

    is_int(rc, ERROR_ABORTED, "the server ends in good order");
    world_reset(); /* looks for what is left */
}

static bool link_up(raw_peer *peer, const char *name)
{
    const char *refusal = raw_connect(peer, 0, OWNER, name), *greeting;

    if (refusal) {
        ok(false, "connecting: \"%s\"", refusal);
        return false;
    }
    greeting = raw_recv(peer, 0);
    if (!greeting || !strstr(greeting, "\"pcid\"")) {
        ok(false, "no greeting");
        return false;
    }
    return true;
}

/* The reply to a request, in one of its members */
static const char *ask(raw_peer *peer, const char *request)
{
    if (!raw_send(peer, request)) return "cannot be sent";
    return raw_recv(peer, 0) ?: "no answer";
}

#define CMD(name, args, id) \
    "{\"execute\":\"" name "\",\"arguments\":{" args "},\"id\":" id "}"
#define SBDF(s) "\"sbdf\":\"" s "\""
#define RETURN(value, id) "{\"return\":" value ",\"id\":" id "}"

#define PING CMD("exists", "\"dir_id\":\"pci_devices\"," SBDF(NIC), "99")
#define PONG RETURN("true", "99")

/*
 * Connections
 */

static void greets(void)
{
    raw_peer peer;
    const char *greeting;

    start();
    is_str(raw_connect(&peer, 0, OWNER, "c1"), NULL, "a channel is offered");
    greeting = raw_recv(&peer, 0);
    is_str(greeting, "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0},"
           "\"features\":[\"query\",\"assign\",\"unassign\",\"lend\","
           "\"take_back\",\"interrupt_control\"]}}",
           "as the protocol has it");
    is_str(ask(&peer, PING), PONG, "and answers");
    is_str(store_get(BASE "/0/c1"), NULL, "the node is gone by then");
    raw_close(&peer);
    end();
}

static void who_may_connect(void)
{
    static const libxl_domid clients[] = { 0, DRIVER_DOMAIN };
    raw_peer peer;
    struct xs_handle *xs;
    int before;

    domains();
    server_start(&server, OWNER, clients, 2);
    is_str(raw_connect(&peer, DRIVER_DOMAIN, OWNER, "a"), NULL,
           "a domain that the server was told of");
    ok(raw_recv(&peer, 0), "gets a greeting");
    is_str(ask(&peer, PING), PONG, "and an answer");
    raw_close(&peer);

    before = world_enter(DRIVER_DOMAIN);
    xs = xs_open(0);
    ok(!xs_write(xs, XBT_NULL, BASE "/0/b", "requested", 9) &&
       errno == EACCES, "it cannot ask in another domain's name");
    ok(!xs_write(xs, XBT_NULL, BASE "/9/b", "requested", 9) &&
       errno == EACCES, "nor in that of one that is no client");
    ok(!xs_rm(xs, XBT_NULL, BASE), "nor remove what belongs to the server");
    xs_close(xs);
    world_leave(before);
    end();
}

/* The names of channels are for those whose they are. */
static void who_may_read(void)
{
    static const libxl_domid clients[] = { 0, DRIVER_DOMAIN };
    static const char *const paths[] = { BASE, BASE "/0" };
    struct xs_handle *xs;
    unsigned int len;
    int before, i, domid;

    domains();
    store_add_domain(9);
    server_start(&server, OWNER, clients, 2);
    world_settle();
    for (domid = DRIVER_DOMAIN; domid <= 9; domid += 9 - DRIVER_DOMAIN) {
        before = world_enter(domid);
        xs = xs_open(0);
        for (i = 0; i < ARRAY_SIZE(paths); i++) {
            ok(!xs_read(xs, XBT_NULL, paths[i], &len) && errno == EACCES,
               "domain %d cannot read %s", domid, paths[i]);
            ok(!xs_directory(xs, XBT_NULL, paths[i], &len) &&
               errno == EACCES, "nor list it");
        }
        xs_close(xs);
        world_leave(before);
    }
    end();
}

/* Neither has to wait for the other, nor gets the spare channel. */
static void two_ask_at_once(void)
{
    raw_peer first, second;

    start();
    raw_ask(&first, 0, OWNER, "a");
    raw_ask(&second, 0, OWNER, "b");
    world_settle();
    is_str(store_get(BASE "/0/a"), PCID_XS_OFFERED, "one");
    is_str(store_get(BASE "/0/b"), PCID_XS_OFFERED, "the other");
    ok(raw_open(&first, OWNER) && raw_open(&second, OWNER),
       "both can connect");
    raw_close(&first);
    raw_close(&second);
    end();
}

static void not_a_client(void)
{
    const char *answer;
    raw_peer peer = { .domid = 5, .path = BASE "/5/x" };

    start();
    store_put(BASE "/5/x", PCID_XS_REQUESTED);
    world_settle();
    answer = store_get(BASE "/5/x");
    has_str(answer, PCID_XS_REFUSED, "is refused");
    has_str(answer, "domain 5", "the reason names it");
    has_str(world_log(), "[3] warning: domain 5, x: connection refused",
            "the log says so");
    is_int(in_use(), 0, "nothing is made for it");
    ok(!raw_open(&peer, OWNER), "there is no channel");
    end();
}

static void directory_of_no_domain(void)
{
    raw_peer peer;

    start();
    store_put(BASE "/00/x", PCID_XS_REQUESTED);
    world_settle();
    is_str(store_get(BASE "/00/x"), PCID_XS_REQUESTED,
           "with a leading zero: is ignored");
    is_int(in_use(), 0, "nothing is made for it");
    store_put(BASE "/4294967296/x", PCID_XS_REQUESTED);
    world_settle();
    is_str(store_get(BASE "/4294967296/x"), PCID_XS_REQUESTED,
           "2^32: is ignored");
    is_int(in_use(), 0, "nothing is made for it");
    is_str(raw_connect(&peer, 0, OWNER, "x"), NULL,
           "domain 0 can have a channel of that name");
    raw_close(&peer);
    end();
}

static void only_for_the_one_who_asked(void)
{
    static const libxl_domid clients[] = { 0, DRIVER_DOMAIN };
    raw_peer peer, thief = { .domid = DRIVER_DOMAIN };

    domains();
    server_start(&server, OWNER, clients, 2);
    raw_ask(&peer, 0, OWNER, "a");
    world_settle();
    strcpy(thief.path, peer.path);
    ok(!raw_open(&thief, OWNER), "another domain cannot take the channel");
    ok(raw_open(&peer, OWNER), "the right one can");
    ok(raw_recv(&peer, 0), "and is greeted");
    raw_close(&peer);
    end();
}

static void names_of_channels(void)
{
    const char *answer;
    raw_peer peer;

    start();
    answer = raw_connect(&peer, 0, OWNER, "1234567890123");
    has_str(answer, "refused: the name", "one byte too many");
    is_str(raw_connect(&peer, 0, OWNER, "123456789012"), NULL,
           "the longest that is allowed");
    raw_close(&peer);

    store_put(BASE "/0/a/b", PCID_XS_REQUESTED);
    store_put(BASE "/x/a", PCID_XS_REQUESTED);
    store_put(BASE "/-1/a", PCID_XS_REQUESTED);
    store_put(BASE "/99999999999999999999/a", PCID_XS_REQUESTED);
    store_put(BASE "/32752/a", PCID_XS_REQUESTED);
    store_put(BASE "/0", PCID_XS_REQUESTED);
    store_put(BASE, PCID_XS_REQUESTED);
    store_put(BASE "/0/other", "something else");
    store_put(BASE "/0/empty", "");
    world_settle();
    is_str(store_get(BASE "/0/other"), "something else",
           "what asks for nothing is left alone");
    is_str(store_get(BASE "/0/a/b"), PCID_XS_REQUESTED, "so is another depth");
    is_str(store_get(BASE "/x/a"), PCID_XS_REQUESTED, "and no domain");
    is_int(in_use(), 0, "no channel was made");
    end();
}

static void asks_again_with_the_same_name(void)
{
    raw_peer peer, again;

    start();
    if (!link_up(&peer, "c")) return;
    ask(&peer, PING);
    store_put(BASE "/0/c", PCID_XS_REQUESTED);
    world_settle();
    is_str(store_get(BASE "/0/c"), PCID_XS_REQUESTED,
           "is not offered what is in use");
    is_str(ask(&peer, PING), PONG, "the first one goes on");
    raw_close(&peer);
    world_settle();
    is_str(raw_connect(&again, 0, OWNER, "c"), NULL, "is, when it is free");
    raw_close(&again);
    end();
}

static void takes_its_request_back(void)
{
    raw_peer peer;

    start();
    raw_ask(&peer, 0, OWNER, "c");
    world_settle();
    is_int(in_use(), 1 + 3, "a channel has been made");
    store_rm(BASE "/0/c");
    world_settle();
    is_int(in_use(), 0, "and is taken away again, with its pages");
    end();
}

static void never_connects(void)
{
    raw_peer peer;
    int64_t since;

    start();
    raw_ask(&peer, 0, OWNER, "c");
    world_settle();
    since = world_ms();
    while (in_use() && world_ms() - since < 60000)
        world_run(NULL, NULL, 100);
    ok(world_ms() - since <= PCID_SILENCE_MS + 100, "bounded: %d ms",
       (int)(world_ms() - since));
    is_str(store_get(BASE "/0/c"), NULL, "its node is gone");
    has_str(world_log(), "does not connect", "the log says so");
    end();
}

static void connections_limit(void)
{
    raw_peer *peers = calloc(PCID_CONNS_PER_CLIENT, sizeof(*peers));
    raw_peer more, last;
    const char *answer;
    char name[16];
    int i, good = 0;

    start();
    for (i = 0; i < PCID_CONNS_PER_CLIENT; i++) {
        sprintf(name, "c%d", i);
        if (!raw_connect(&peers[i], 0, OWNER, name)) good++;
    }
    is_int(good, PCID_CONNS_PER_CLIENT, "as many as there can be");
    answer = raw_connect(&more, 0, OWNER, "more");
    has_str(answer, "refused: domain 0 has", "one more is refused");
    has_str(world_log(), "domain 0, more: connection refused",
            "the log says so");
    answer = raw_connect(&more, 0, OWNER, "again");
    has_str(answer, "refused: domain 0 has", "and again");
    ok(!strstr(world_log(), "domain 0, again: connection refused"),
       "the log does not say it again");
    for (i = good = 0; i < PCID_CONNS_PER_CLIENT; i++)
        if (raw_recv(&peers[i], 0) && !strcmp(ask(&peers[i], PING), PONG))
            good++;
    is_int(good, PCID_CONNS_PER_CLIENT, "all of them are answered");
    raw_close(&peers[7]);
    world_settle();
    is_str(raw_connect(&more, 0, OWNER, "more2"), NULL,
           "when one has gone, another can come");
    answer = raw_connect(&last, 0, OWNER, "last");
    has_str(answer, "refused: domain 0 has", "and then no other");
    has_str(world_log(), "domain 0, last: connection refused",
            "which is news to the log");
    raw_close(&more);
    for (i = 0; i < PCID_CONNS_PER_CLIENT; i++)
        raw_close(&peers[i]);
    free(peers);
    end();
}

static void connections_limit_in_all(void)
{
    static const libxl_domid clients[] = { 0, 5, 6, 7, 8 };
    raw_peer *peers = calloc(PCID_CONNS_MAX, sizeof(*peers)), more;
    const char *answer;
    char name[16];
    int i, good = 0;

    domains();
    for (i = 6; i <= 8; i++)
        store_add_domain(i);
    server_start(&server, OWNER, clients, 5);
    for (i = 0; i < PCID_CONNS_MAX; i++) {
        sprintf(name, "c%d", i);
        if (!raw_connect(&peers[i], 5 + i % 4, OWNER, name)) good++;
    }
    is_int(good, PCID_CONNS_MAX, "as many as there can be");
    answer = raw_connect(&more, 0, OWNER, "more");
    has_str(answer, "refused: there are", "one more is refused");
    for (i = 0; i < PCID_CONNS_MAX; i++)
        raw_kill(&peers[i]);
    world_settle();
    is_int(evtchn_count(), 5, "all are released, and each has a spare again");
    is_str(raw_connect(&more, 0, OWNER, "more2"), NULL, "and others can come");
    raw_close(&more);
    free(peers);
    end();
}

static void channel_cannot_be_made(void)
{
    static const char *const ops[] = {
        "xengntshr_open", "xenevtchn_open", "xenevtchn_bind_unbound_port",
        "xengntshr_share_pages", "xs_open", "xs_transaction_start",
    };
    raw_peer peer;
    char path[64];
    int i;

    start();
    for (i = 0; i < ARRAY_SIZE(ops); i++) {
        faults_clear();
        fault_inject(ops[i], "", ENOMEM, 0, 1);
        sprintf(path, BASE "/0/%d", i);
        store_put(path, PCID_XS_REQUESTED);
        world_settle();
        has_str(store_get(path), "refused: cannot make a channel",
                "%s fails", ops[i]);
        is_int(in_use(), 0, "%s: nothing is left", ops[i]);
    }
    faults_clear();
    if (link_up(&peer, "after"))
        is_str(ask(&peer, PING), PONG, "and the server goes on");
    raw_close(&peer);
    end();
}

static void xenstore_says_no(void)
{
    raw_peer peer;

    start();
    fault_inject("xs_write", "/0/a", ENOSPC, 1, 1);
    raw_ask(&peer, 0, OWNER, "a");
    world_run(NULL, NULL, PCID_SILENCE_MS + 1000);
    is_int(in_use(), 0, "a channel that cannot be offered is closed");
    if (link_up(&peer, "after"))
        is_str(ask(&peer, PING), PONG, "and the server goes on");
    raw_close(&peer);
    end();
}

/*
 * Spare channels
 */

/* The name of the one that a domain is told of, or NULL */
static const char *spare(int domid)
{
    char path[64];
    const char *name;

    sprintf(path, BASE "/%d", domid);
    name = store_get(path);
    return name && *name ? name : NULL;
}

static bool spare_open(raw_peer *peer, int domid)
{
    const char *name = spare(domid);

    *peer = (raw_peer){ .domid = domid };
    if (!name) return false;
    snprintf(peer->path, sizeof(peer->path), BASE "/%d/%s", domid, name);
    return raw_open(peer, OWNER);
}

static void spare_is_taken(void)
{
    raw_peer peer, second;
    char *first;

    start();
    first = strdup(spare(0) ?: "none");
    is_int(evtchn_count(), 1, "there is one channel");
    is_int(grant_count(), SPARE_PAGES, "and its pages");
    ok(spare_open(&peer, 0), "it can be connected to, without asking");
    second = peer;
    ok(!raw_open(&second, OWNER), "but not twice");
    has_str(raw_recv(&peer, 0), "{\"pcid\"", "the first is greeted");
    is_str(ask(&peer, PING), PONG, "and answered");
    is_str(store_get(peer.path), NULL, "the node is gone by then");
    world_run(NULL, NULL, 1000);
    ok(spare(0) && strcmp(spare(0), first), "there is another channel");
    ok(spare_open(&second, 0), "which can be connected to");
    has_str(raw_recv(&second, 0), "{\"pcid\"", "and greets");
    is_str(ask(&peer, PING), PONG, "the first goes on");
    raw_close(&peer);
    raw_close(&second);
    world_settle();
    is_int(in_use(), 0, "in the end there is one channel");
    free(first);
    end();
}

static void spare_of_another_domain(void)
{
    static const libxl_domid clients[] = { 0, DRIVER_DOMAIN };
    raw_peer thief = { .domid = DRIVER_DOMAIN }, peer;

    domains();
    server_start(&server, OWNER, clients, 2);
    world_settle();
    is_int(evtchn_count(), 2, "each domain has one");
    snprintf(thief.path, sizeof(thief.path), BASE "/0/%s", spare(0));
    ok(!raw_open(&thief, OWNER), "which no other can take");
    ok(spare_open(&peer, DRIVER_DOMAIN), "its own, it can");
    has_str(raw_recv(&peer, 0), "{\"pcid\"", "and is greeted");
    raw_close(&peer);
    end();
}

/* What is sent to a server that is stopped would be done when it goes on. */
static void spare_of_a_stopped_server(void)
{
    raw_peer peer;

    start();
    world_stop(server.ctx, true);
    ok(spare_open(&peer, 0), "can be connected to");
    ok(!raw_recv(&peer, 1000), "but nobody greets");
    world_stop(server.ctx, false);
    has_str(raw_recv(&peer, 0), "{\"pcid\"", "before the server goes on");
    raw_close(&peer);
    end();
}

static void spare_makes_room(void)
{
    raw_peer *peers = calloc(PCID_CONNS_PER_CLIENT, sizeof(*peers)), more;
    char name[16];
    int i;

    start();
    for (i = 0; i < PCID_CONNS_PER_CLIENT - 1; i++) {
        sprintf(name, "c%d", i);
        raw_connect(&peers[i], 0, OWNER, name);
    }
    world_settle();
    is_int(evtchn_count(), 2 * (PCID_CONNS_PER_CLIENT - 1) + 1,
           "with one connection less than there can be, there is a spare");
    is_str(raw_connect(&peers[i], 0, OWNER, "last"), NULL,
           "who asks gets the last one");
    has_str(raw_recv(&peers[i], 0), "{\"pcid\"", "and is greeted");
    is_str(spare(0), NULL, "no spare is announced any more");
    is_int(evtchn_count(), 2 * PCID_CONNS_PER_CLIENT, "nor is there one");
    raw_close(&peers[i]);
    world_settle();
    ok(spare(0), "when one has gone there is");
    ok(spare_open(&peers[i], 0), "it can be the last one, too");
    has_str(raw_recv(&peers[i], 0), "{\"pcid\"", "and greets");
    world_run(NULL, NULL, 1000);
    is_str(spare(0), NULL, "there is no other then");
    has_str(raw_connect(&more, 0, OWNER, "more"), "refused: domain 0 has",
            "and no room for more");
    for (i = 0; i < PCID_CONNS_PER_CLIENT; i++)
        raw_close(&peers[i]);
    free(peers);
    end();
}

static void spare_cannot_be_made(void)
{
    raw_peer peer;

    domains();
    fault_inject("xengntshr_share_pages", "", ENOMEM, 0, 1);
    is_int(server_start(&server, OWNER, NULL, 0), 0, "the server starts");
    world_settle();
    is_str(spare(0), NULL, "no spare is announced");
    is_int(evtchn_count() + grant_count(), 0, "nothing is left of it");
    if (link_up(&peer, "a"))
        is_str(ask(&peer, PING), PONG, "who asks is served");
    raw_close(&peer);
    world_settle();
    ok(spare(0), "the next attempt succeeds");
    end();

    /* A directory can be too full for the server, if not for domain 0. */
    domains();
    fault_inject("xs_write", BASE "/0/@", ENOSPC, 0, 1);
    server_start(&server, OWNER, NULL, 0);
    world_settle();
    store_put(BASE "/0/x", "y");
    world_settle();
    is_str(spare(0), NULL, "no room in xenstore: no spare is announced");
    store_rm(BASE "/0/x");
    world_settle();
    ok(spare(0), "when somebody has made room there is one");
    end();
}

static void spare_is_removed(void)
{
    char path[64];
    raw_peer peer;

    start();
    snprintf(path, sizeof(path), BASE "/0/%s", spare(0));
    store_rm(path);
    world_settle();
    ok(spare_open(&peer, 0), "there is another one");
    has_str(raw_recv(&peer, 0), "{\"pcid\"", "which greets");
    raw_close(&peer);
    end();
}

/*
 * Commands
 */

static void all_commands(void)
{
    raw_peer peer;

    start();
    if (!link_up(&peer, "c")) return;

    is_str(ask(&peer, CMD("ls", "\"dir_id\":\"pciback_driver\"", "1")),
           RETURN("[\"" BACK "\"]", "1"), "ls");
    is_str(ask(&peer, CMD("ls", "\"dir_id\":\"pciback_slots\"", "2")),
           RETURN("[\"" BACK "\"]", "2"), "ls");
    is_str(ask(&peer, CMD("exists", "\"dir_id\":\"pci_devices\"," SBDF(NONE),
                          "3")), RETURN("false", "3"), "exists");
    is_str(ask(&peer, CMD("read_hex", "\"attr_id\":\"class\"," SBDF(NIC),
                          "4")), RETURN("131072", "4"), "read_hex");
    has_str(ask(&peer, CMD("read_resources", SBDF(NIC), "5")),
            "{\"return\":[{\"start\":4273733632,\"end\":4273864703,"
            "\"flags\":2},{\"start\":49152,\"end\":49215,\"flags\":1},"
            "{\"start\":0,\"end\":0,\"flags\":0},", "read_resources");
    is_str(ask(&peer, CMD("query", SBDF(NIC), "6")),
           RETURN("{\"driver\":\"e1000\",\"assigned\":false,"
                  "\"pciback\":true,\"vendor\":32902,\"device\":4110,"
                  "\"class\":131072,\"functions\":[0,1],"
                  "\"functions_assigned\":[]}", "6"), "query");
    is_str(ask(&peer, CMD("assign", SBDF(NIC), "7")),
           RETURN("{\"driver\":\"e1000\",\"assigned\":false}", "7"),
           "assign");
    is_str(sysfs_driver(NIC), "pciback", "it is");
    is_str(ask(&peer, CMD("write", "\"file_id\":\"pciback_permissive\","
                          SBDF(NIC), "8")), RETURN("{}", "8"), "write");
    is_str(ask(&peer, CMD("unassign", SBDF(NIC), "9")),
           RETURN("true", "9"), "unassign");
    is_str(sysfs_driver(NIC), "", "it is");
    is_str(ask(&peer, CMD("write", "\"file_id\":\"driver_bind\","
                          "\"driver\":\"e1000\"," SBDF(NIC), "10")),
           RETURN("{}", "10"), "write with a driver");
    is_str(sysfs_driver(NIC), "e1000", "is rebound");
    is_str(ask(&peer, CMD("unbind", SBDF(NIC), "11")),
           RETURN("\"e1000\"", "11"), "unbind");
    is_str(ask(&peer, CMD("reset", SBDF(NIC), "12")), RETURN("{}", "12"),
           "reset");
    raw_close(&peer);
    end();
}

static void errors_of_commands(void)
{
    raw_peer peer;
    const char *reply;

    start();
    if (!link_up(&peer, "c")) return;

    reply = ask(&peer, CMD("read_hex", "\"attr_id\":\"irq\"," SBDF(NONE),
                           "1"));
    has_str(reply, "\"class\":\"DeviceNotFound\"", "no device: class");
    has_str(reply, "\"errno\":\"ENOENT\"", "no device: errno");
    has_str(reply, "\"id\":1}", "no device: id");

    fault_inject("write", "pciback/bind", EBUSY, 0, 1);
    reply = ask(&peer, CMD("assign", SBDF(NIC), "2"));
    has_str(reply, "\"class\":\"OperationFailed\"", "half-way: class");
    has_str(reply, "\"errno\":\"EBUSY\"", "half-way: errno");
    has_str(reply, "\"step\":\"bind\"", "half-way: step");
    is_str(ask(&peer, CMD("assign", SBDF(NIC), "3")),
           RETURN("{\"driver\":null,\"assigned\":false}", "3"),
           "the same again");

    reply = ask(&peer, CMD("rm", "", "4"));
    has_str(reply, "\"class\":\"CommandNotFound\"", "unknown command");
    has_str(reply, "\"id\":4}", "its id");
    reply = ask(&peer, CMD("ls", "\"dir_id\":\"/etc\"", "5"));
    has_str(reply, "\"class\":\"InvalidArgument\"", "unknown keyword");
    reply = ask(&peer, CMD("ls", "\"dir_id\":\"pci_devices\"", "\"6\""));
    has_str(reply, "\"class\":\"InvalidArgument\"", "an id that is none");
    ok(!strstr(reply, "\"id\":"), "the answer has no id");
    is_str(ask(&peer, PING), PONG, "after all that, it goes on");

    sysfs_reset(false);
    reply = ask(&peer, CMD("ls", "\"dir_id\":\"pciback_driver\"", "7"));
    has_str(reply, "\"class\":\"PcibackNotLoaded\"", "without pciback");
    raw_close(&peer);
    end();
}

static void no_path_leads_out(void)
{
    static const char *const t[] = {
        CMD("write", "\"file_id\":\"driver_bind\",\"driver\":\"../../..\","
            SBDF(NIC), "1"),
        CMD("write", "\"file_id\":\"driver_bind\",\"driver\":\"..\","
            SBDF(NIC), "1"),
        CMD("write", "\"file_id\":\"../bind\"," SBDF(NIC), "1"),
        CMD("unbind", SBDF("../../../.."), "1"),
        CMD("ls", "\"dir_id\":\"../pci_devices\"", "1"),
        /* after which the channel is closed: */
        CMD("write", "\"file_id\":\"driver_bind\",\"driver\":\"\\u0000a\","
            SBDF(NIC), "1"),
    };
    raw_peer peer;
    int i, before;

    start();
    if (!link_up(&peer, "c")) return;
    for (i = 0; i < ARRAY_SIZE(t); i++) {
        before = sysfs_accesses(OWNER);
        has_str(ask(&peer, t[i]), "\"error\"", "refused: %s", t[i]);
        is_int(sysfs_accesses(OWNER), before, "and no file was looked at");
    }
    is_str(sysfs_writes(), "", "nor written to");
    raw_close(&peer);
    end();
}

static void many_requests_at_once(void)
{
    raw_peer peer;
    char text[128];
    int i, good = 0;

    start();
    if (!link_up(&peer, "c")) return;
    for (i = 0; i < 200; i++) {
        sprintf(text, "{\"execute\":\"ls\",\"id\":%d,\"arguments\":"
                "{\"dir_id\":\"pciback_driver\"}}", i);
        if (!raw_send(&peer, text)) break;
    }
    is_int(i, 200, "200 are sent");
    for (i = 0; i < 200; i++) {
        sprintf(text, "{\"return\":[\"" BACK "\"],\"id\":%d}", i);
        if (!strcmp(raw_recv(&peer, 0) ?: "", text)) good++;
    }
    is_int(good, 200, "200 are answered, in order, as they only read");
    raw_close(&peer);
    end();
}

static void long_list(void)
{
    raw_peer peer;
    const char *reply, *p;
    char sbdf[32];
    int i, n = 0;

    start();
    for (i = 0; i < 500; i++) {
        sprintf(sbdf, "0001:%02x:%02x.%x", i / 256, i / 8 % 32, i % 8);
        sysfs_add_device(sbdf, "nvme", NULL);
    }
    if (!link_up(&peer, "c")) return;
    reply = ask(&peer, CMD("ls", "\"dir_id\":\"pci_devices\"", "1"));
    for (p = reply; (p = strstr(p, "000")); p++)
        n++;
    ok(strlen(reply) > 3 * 2048, "is several rings long: %zu",
       strlen(reply));
    ok(n >= 503, "and complete");
    has_str(reply, "],\"id\":1}", "up to its end");
    raw_close(&peer);
    end();
}

/*
 * Work that takes long
 */

static void slow_device_holds_up_only_itself(void)
{
    raw_peer peer, other;
    int fault;

    start();
    if (!link_up(&peer, "a") || !link_up(&other, "b")) return;
    fault = fault_inject("write", "e1000/unbind", FAULT_BLOCK, 0, 1);

    raw_send(&peer, CMD("assign", SBDF(NIC), "1"));
    raw_send(&peer, CMD("unbind", SBDF(NIC), "2"));
    raw_send(&peer, CMD("assign", SBDF(FREE), "3"));
    is_str(raw_recv(&peer, 0), RETURN("{\"driver\":null,\"assigned\":false}",
                                      "3"), "another device goes first");
    is_str(ask(&peer, PING), PONG, "reading goes on");
    raw_send(&other, CMD("reset", SBDF(NIC), "1"));
    is_str(ask(&other, CMD("reset", SBDF(BACK), "2")), RETURN("{}", "2"),
           "so does another connection");
    is_str(raw_recv(&peer, 0), NULL, "the same device waits");

    fault_release(fault);
    is_str(raw_recv(&peer, 0),
           RETURN("{\"driver\":\"e1000\",\"assigned\":false}", "1"),
           "until what is before it is done");
    is_str(raw_recv(&peer, 0), RETURN("\"pciback\"", "2"), "in order");
    is_str(raw_recv(&other, 0), RETURN("{}", "1"),
           "across connections");
    raw_close(&peer);
    raw_close(&other);
    end();
}

static void progress(void)
{
    const char *message;
    raw_peer peer;
    int64_t since;
    int fault, i, first = 0, second = 0;

    start();
    if (!link_up(&peer, "a")) return;
    fault = fault_inject("write", "reset", FAULT_BLOCK, 0, 1);
    raw_send(&peer, CMD("reset", SBDF(NIC), "1"));
    raw_send(&peer, CMD("reset", SBDF(NIC), "2"));
    since = world_ms();
    for (i = 0; i < 40; i++) {
        message = raw_recv(&peer, 2 * PCID_PROGRESS_MS) ?: "";
        first += !strcmp(message, "{\"progress\":{},\"id\":1}");
        second += !strcmp(message, "{\"progress\":{},\"id\":2}");
    }
    is_int(first, 20, "of what is at work");
    is_int(second, 20, "and of what waits for it");
    is_int(world_ms() - since, 20 * PCID_PROGRESS_MS, "every second");
    fault_release(fault);
    is_str(raw_recv(&peer, 0), RETURN("{}", "1"), "the first is done");
    is_str(raw_recv(&peer, 0), RETURN("{}", "2"), "the second is done");
    is_str(raw_recv(&peer, 10 * PCID_PROGRESS_MS), NULL, "and that is all");
    raw_close(&peer);
    end();
}

static void in_flight_limit(void)
{
    raw_peer peer;
    const char *reply;
    char text[128];
    int fault, i, good = 0;

    start();
    if (!link_up(&peer, "a")) return;
    fault = fault_inject("write", "reset", FAULT_BLOCK, 0, 1);
    for (i = 0; i < PCID_IN_FLIGHT_MAX; i++) {
        sprintf(text, "{\"execute\":\"reset\",\"id\":%d,\"arguments\":{"
                SBDF(NIC) "}}", i);
        raw_send(&peer, text);
    }
    reply = ask(&peer, CMD("reset", SBDF(FREE), "100"));
    has_str(reply, "\"class\":\"TooManyRequests\"", "one more is refused");
    has_str(reply, "\"id\":100}", "with its id");
    is_str(ask(&peer, PING), PONG, "reading still goes on");
    fault_release(fault);
    for (i = 0; i < PCID_IN_FLIGHT_MAX; i++) {
        sprintf(text, "{\"return\":{},\"id\":%d}", i);
        if (!strcmp(raw_recv(&peer, 0) ?: "", text)) good++;
    }
    is_int(good, PCID_IN_FLIGHT_MAX, "all others are done");
    is_str(ask(&peer, CMD("reset", SBDF(FREE), "101")), RETURN("{}", "101"),
           "then there is room again");
    raw_close(&peer);
    end();
}

static void in_flight_limit_of_a_client(void)
{
    char text[128], name[16];
    const char *reply;
    raw_peer peer;
    int fault, i;

    start();
    fault = fault_inject("write", "reset", FAULT_BLOCK, 0, 1);
    for (i = 0; i < PCID_PENDING_PER_CLIENT; i++) {
        if (i % PCID_IN_FLIGHT_MAX == 0) {
            sprintf(name, "c%d", i);
            if (!link_up(&peer, name)) return;
        }
        sprintf(text, "{\"execute\":\"reset\",\"id\":%d,\"arguments\":{"
                SBDF(NIC) "}}", i);
        raw_send(&peer, text);
        if ((i + 1) % PCID_IN_FLIGHT_MAX == 0) {
            world_settle();
            raw_close(&peer);
        }
    }
    if (!link_up(&peer, "last")) return;
    reply = ask(&peer, CMD("reset", SBDF(FREE), "100"));
    has_str(reply, "\"class\":\"TooManyRequests\"",
            "new connections do not make for more");
    is_str(ask(&peer, PING), PONG, "reading still goes on");
    fault_release(fault);
    raw_close(&peer);
    end();
}

/* As many processes as there can be; the next device waits for one of them. */
static void working_limit(void)
{
    enum { DEVICES = 70, MOST = 64 };
    raw_peer peers[DEVICES / PCID_IN_FLIGHT_MAX + 1];
    char sbdf[32], text[128], name[16];
    int i, fault, done = 0;

    start();
    fault = fault_inject("write", "reset", FAULT_BLOCK, 0, DEVICES);
    for (i = 0; i < DEVICES; i++) {
        raw_peer *peer = &peers[i / PCID_IN_FLIGHT_MAX];

        sprintf(name, "c%d", i / PCID_IN_FLIGHT_MAX);
        if (i % PCID_IN_FLIGHT_MAX == 0 && !link_up(peer, name)) return;
        sprintf(sbdf, "0000:%02x:%02x.0", 8 + i / 32, i % 32);
        sysfs_add_device(sbdf, "nvme", NULL);
        sprintf(text, "{\"execute\":\"reset\",\"id\":%d,\"arguments\":{"
                "\"sbdf\":\"%s\"}}", i, sbdf);
        raw_send(peer, text);
    }
    world_settle();
    is_int(fault_blocked(), MOST, "processes are at work");
    is_str(ask(&peers[0], PING), PONG, "reading goes on");
    fault_release(fault);
    for (i = 0; i < DEVICES; i++)
        if (raw_recv(&peers[i / PCID_IN_FLIGHT_MAX], 0)) done++;
    is_int(done, DEVICES, "all are carried out in the end");
    for (i = 0; i < ARRAY_SIZE(peers); i++)
        raw_close(&peers[i]);
    end();
}

static void client_vanishes(void)
{
    raw_peer peer, other;
    int fault;

    start();
    if (!link_up(&peer, "a")) return;
    fault = fault_inject("write", "e1000/unbind", FAULT_BLOCK, 0, 1);
    raw_send(&peer, CMD("assign", SBDF(NIC), "1"));
    raw_send(&peer, CMD("unassign", SBDF(NIC), "2"));
    world_settle();
    raw_kill(&peer);
    world_settle();
    is_int(in_use(), 0, "its channel is released");
    if (!link_up(&other, "b")) return;
    fault_release(fault);
    is_str(ask(&other, CMD("reset", SBDF(NIC), "2")), RETURN("{}", "2"),
           "others are served, after its work");
    has_str(sysfs_writes(), "drivers/pciback/bind " NIC "\n"
            "drivers/pciback/unbind " NIC "\n"
            "drivers/pciback/remove_slot " NIC "\n"
            "devices/" NIC "/reset 1\n",
            "which is carried through to its end");
    raw_close(&other);
    end();
}

static void worker_dies(void)
{
    raw_peer peer;
    const char *reply;

    start();
    if (!link_up(&peer, "a")) return;
    fault_inject("write", "reset", FAULT_DIE, 0, 1);
    reply = ask(&peer, CMD("reset", SBDF(NIC), "1"));
    has_str(reply, "\"class\":\"OperationFailed\"", "is answered");
    has_str(reply, "has died", "with the reason");
    is_str(ask(&peer, CMD("reset", SBDF(NIC), "2")), RETURN("{}", "2"),
           "the next works");
    fault_inject("fork", "", EAGAIN, 0, 1);
    reply = ask(&peer, CMD("reset", SBDF(NIC), "3"));
    has_str(reply, "cannot start a process", "no process to be had");
    is_str(ask(&peer, CMD("reset", SBDF(NIC), "4")), RETURN("{}", "4"),
           "the next works");
    raw_close(&peer);
    end();
}

/* Which thread of a program takes the signal is for the kernel to choose. */
#define SIGNALS 20000

static pthread_barrier_t both;

static void *take_signals(void *unused)
{
    int i;

    for (i = 0; i < SIGNALS; i++) {
        pthread_barrier_wait(&both);
        pthread_kill(pthread_self(), SIGCHLD);
        pthread_barrier_wait(&both);
    }
    return NULL;
}

static void no_child_is_forgotten(void)
{
    libxl_ctx *waits, *changes;
    pthread_t thread;
    int i, told = 0;

    world_reset();
    waits = world_ctx(0);
    changes = world_ctx(0);
    {
        GC_INIT(waits);
        is_int(libxl__sigchld_needed(gc), 0, "one waits for a child");
        GC_FREE;
    }
    if (pthread_barrier_init(&both, NULL, 2) ||
        pthread_create(&thread, NULL, take_signals, NULL))
        abort();
    for (i = 0; i < SIGNALS; i++) {
        GC_INIT(changes);
        pthread_barrier_wait(&both);
        libxl__sigchld_needed(gc);
        libxl__sigchld_notneeded(gc);
        pthread_barrier_wait(&both);
        told += poll(&(struct pollfd){ .fd = waits->sigchld_selfpipe[0],
                                       .events = POLLIN }, 1, 0);
        libxl__self_pipe_eatall(waits->sigchld_selfpipe[0]);
        GC_FREE;
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&both);
    is_int(told, SIGNALS, "is told of all, while another comes and goes");
    world_reset();
}

/* A process that ended as it should, but did not say how that went */
static void worker_says_nothing(void)
{
    static const struct {
        const char *what, *op;
        int fault;
    } t[] = {
        { "nothing is there", "pipe_write", FAULT_LOST },
        { "it is cut", "pipe_write", FAULT_SHORT },
        { "it is no reply", "pipe_write", FAULT_OTHER },
        { "it cannot be read", "pipe_read", EIO },
    };
    raw_peer peer;
    const char *reply;
    int i;

    start();
    if (!link_up(&peer, "a")) return;
    for (i = 0; i < ARRAY_SIZE(t); i++) {
        int fault = fault_inject("write", "reset", FAULT_BLOCK, 0, 1);

        raw_send(&peer, CMD("reset", SBDF(NIC), "1"));
        raw_send(&peer, CMD("reset", SBDF(NIC), "2"));
        world_settle();
        fault_inject(t[i].op, "", t[i].fault, 0, 1);
        fault_release(fault);
        reply = raw_recv(&peer, 0);
        has_str(reply, "\"class\":\"OperationFailed\"", "%s: is answered",
                t[i].what);
        has_str(reply, "left no valid result", "%s: with the reason",
                t[i].what);
        has_str(reply, "\"id\":1}", "%s: with its id", t[i].what);
        is_str(raw_recv(&peer, 0), RETURN("{}", "2"),
               "%s: what waits for the same device is done", t[i].what);
        faults_clear();
    }
    raw_close(&peer);
    end();
}

static pid_t server_pid;

static void look_what_is_open(const char *op, const char *what)
{
    if (getpid() != server_pid && !strcmp(op, "write") &&
        !strcmp(what, "devices/" NIC "/reset"))
        standin_crime("%d fds of channels, %d of files", evtchn_fds(OWNER),
                      files_open());
}

/* The kernel may keep it for good.  Clients are to notice when the server
 * goes, nonetheless, and another is to take the lock. */
static void worker_keeps_nothing(void)
{
    raw_peer peer;

    start();
    if (!link_up(&peer, "a")) return;
    ok(evtchn_fds(OWNER) >= 2 && files_open() == 1,
       "the server has a channel and the lock");
    server_pid = getpid();
    standin_step = look_what_is_open;
    is_str(ask(&peer, CMD("reset", SBDF(NIC), "1")), RETURN("{}", "1"),
           "a process is started");
    standin_step = NULL;
    is_str(standin_crimes(), "0 fds of channels, 0 of files",
           "which has neither");
    raw_close(&peer);
    end();
}

static void long_error_text(void)
{
    raw_peer peer;
    const char *reply;
    char text[512];
    int i;

    start();
    if (!link_up(&peer, "a")) return;
    strcpy(text, "{\"execute\":\"write\",\"id\":1,\"arguments\":{" SBDF(FREE)
           ",\"file_id\":\"driver_bind\",\"driver\":\"");
    for (i = 0; i < PCID_DRIVER_MAX; i++)
        strcat(text, "\\\""); /* two bytes in JSON */
    strcat(text, "\"}}");
    reply = ask(&peer, text);
    has_str(reply, "\"errno\":\"ENOENT\"", "the longest name of a driver");
    has_str(reply, "\"id\":1}", "the reply is whole");
    raw_close(&peer);
    end();
}

/*
 * What is no message
 */

static void no_message(void)
{
    static const struct {
        const char *what, *text, *why;
        size_t len;
    } t[] = {
#define T(what, text, why) { what, text, why, sizeof(text) - 1 }
        T("not JSON", "rubbish\r\n", "not JSON"),
        T("nothing", "\r\n", "not JSON"),
        T("half an object", "{\"execute\":\"ls\"\r\n", "not JSON"),
        T("two objects", "{}{}\r\n", "more than one"),
        T("more after the end", "{\"id\":1} x\r\n", "more than one"),
        T("an array", "[]\r\n", "not a JSON object"),
        T("a string", "\"x\"\r\n", "not a JSON object"),
        T("a number", "7\r\n", "not a JSON object"),
        T("null", "null\r\n", "not a JSON object"),
        T("a NUL byte", "{\"a\":\0}\r\n", "printable"),
        T("a NUL byte at the end", "{}\0\r\n", "printable"),
        T("too deep", "{\"a\":[[[[[[[[1]]]]]]]]}\r\n", "deep"),
        T("bad UTF-8", "{\"a\":\"\xff\"}\r\n", "printable"),
#undef T
    };
    raw_peer peer, other;
    const char *reply;
    char name[16];
    int i;

    start();
    if (!link_up(&other, "other")) return;
    for (i = 0; i < ARRAY_SIZE(t); i++) {
        sprintf(name, "%d", i);
        if (!link_up(&peer, name)) return;
        raw_send_bytes(&peer, t[i].text, t[i].len);
        reply = raw_recv(&peer, 0);
        has_str(reply, "{\"error\":{\"class\":\"BadMessage\"", "%s",
                t[i].what);
        has_str(reply, t[i].why, "the reason: %s", t[i].what);
        ok(!raw_alive(&peer), "and the connection is closed: %s", t[i].what);
        raw_close(&peer);
    }
    is_str(ask(&other, PING), PONG, "others are not concerned");
    raw_close(&other);
    end();
}

static void too_long(void)
{
    char text[PCID_REQUEST_MAX + 2];
    raw_peer peer;
    const char *reply;

    start();
    /* The longest: white space counts. */
    memset(text, ' ', sizeof(text));
    memcpy(text, PING, strlen(PING));
    strcpy(text + PCID_REQUEST_MAX - 2, "\r\n");
    if (!link_up(&peer, "a")) return;
    raw_send_bytes(&peer, text, PCID_REQUEST_MAX);
    is_str(raw_recv(&peer, 0), PONG, "%d bytes are not", PCID_REQUEST_MAX);
    strcpy(text + PCID_REQUEST_MAX - 1, "\r\n");
    text[PCID_REQUEST_MAX - 2] = ' ';
    raw_send_bytes(&peer, text, PCID_REQUEST_MAX + 1);
    reply = raw_recv(&peer, 0);
    has_str(reply, "too long", "one more is");
    ok(!raw_alive(&peer), "and the connection is closed");
    raw_close(&peer);

    if (!link_up(&peer, "b")) return;
    memset(text, 'x', sizeof(text));
    raw_send_bytes(&peer, text, PCID_REQUEST_MAX);
    ok(raw_alive(&peer), "without an end, it may still come");
    raw_send_bytes(&peer, "xx", 2);
    reply = raw_recv(&peer, 0);
    has_str(reply, "too long", "or not any more");
    ok(!raw_alive(&peer), "and the connection is closed");
    raw_close(&peer);
    end();
}

static void takes_no_replies(void)
{
    raw_peer peer, other;
    int64_t since;
    int sent;

    start();
    if (!link_up(&peer, "a") || !link_up(&other, "b")) return;
    /* raw_send stops when the ring is full and stays so. */
    for (sent = 0; sent < 100000; sent++)
        if (!raw_send(&peer, CMD("ls", "\"dir_id\":\"pci_devices\"", "1")))
            break;
    ok(sent < 2000, "the server stops to read: %d requests", sent);
    is_str(ask(&other, PING), PONG, "others are served");
    since = world_ms();
    while (raw_alive(&peer) && world_ms() - since < 60000)
        world_run(NULL, NULL, 100);
    ok(world_ms() - since <= PCID_STALL_MS + 200, "it is dropped: %d ms",
       (int)(world_ms() - since));
    has_str(world_log(), "does not take its replies", "the log says so");
    is_str(ask(&other, PING), PONG, "others are still served");
    raw_close(&peer);
    raw_close(&other);
    end();
}

static void says_nothing(void)
{
    raw_peer peer;
    int64_t since;

    start();
    if (!link_up(&peer, "a")) return;
    since = world_ms();
    while (raw_alive(&peer) && world_ms() - since < 2 * PCID_IDLE_MS)
        world_run(NULL, NULL, 1000);
    ok(world_ms() - since >= PCID_IDLE_MS &&
       world_ms() - since <= PCID_IDLE_MS + 2000, "is closed after %d s",
       (int)((world_ms() - since) / 1000));
    ok(!strstr(world_log(), "does not"), "and nobody is blamed");
    raw_close(&peer);
    end();
}

static void slow_but_alive(void)
{
    raw_peer peer;
    int i, sent, got = 0;

    start();
    if (!link_up(&peer, "a")) return;
    for (sent = 0; sent < 5000; sent++)
        if (!raw_send(&peer, CMD("ls", "\"dir_id\":\"pci_devices\"", "1")))
            break;
    for (i = 0; i < 100; i++) {
        world_run(NULL, NULL, PCID_STALL_MS / 2);
        if (!raw_recv(&peer, 0)) break;
        got++;
    }
    ok(got == 100 && raw_alive(&peer), "who takes something now and then"
       " is not dropped (%d)", got);
    raw_close(&peer);
    end();
}

static void short_reads_and_writes(void)
{
    raw_peer peer;

    start();
    if (!link_up(&peer, "a")) return;
    fault_inject("libxenvchan_read", "", FAULT_SHORT, 0, 1000000);
    fault_inject("libxenvchan_write", "", FAULT_SHORT, 0, 1000000);
    is_str(ask(&peer, PING), PONG, "byte by byte");
    is_str(ask(&peer, CMD("assign", SBDF(NIC), "7")),
           RETURN("{\"driver\":\"e1000\",\"assigned\":false}", "7"),
           "what changes something, too");
    raw_close(&peer);
    end();
}

static void gone_at_every_byte(void)
{
    static const char text[] = CMD("exists", "\"dir_id\":\"pci_devices\","
                                   SBDF(NIC), "1") "\r\n";
    raw_peer peer;
    char name[16];
    int i, left = 0;

    start();
    for (i = 0; i < sizeof(text); i++) {
        sprintf(name, "%d", i);
        if (!link_up(&peer, name)) return;
        raw_send_bytes(&peer, text, i);
        if (i % 2)
            raw_kill(&peer);
        else
            raw_close(&peer);
        world_settle();
        left += in_use();
    }
    is_int(left, 0, "nothing is left of any");
    if (link_up(&peer, "after"))
        is_str(ask(&peer, PING), PONG, "and the server goes on");
    raw_close(&peer);
    end();
}

static void ring_is_scribbled_over(void)
{
    raw_peer peer, other;
    int i;

    start();
    if (!link_up(&other, "other")) return;
    for (i = 0; i < 4; i++) {
        char name[16];

        sprintf(name, "%d", i);
        if (!link_up(&peer, name)) return;
        /* The client's view: it writes "left", and reads "right". */
        if (i == 0) peer.ctrl->ring->left.prod += 100000;
        if (i == 1) peer.ctrl->ring->left.prod -= 1;
        if (i == 2) peer.ctrl->ring->right.cons += 5000;
        if (i == 3) memset(peer.ctrl->ring, 0xff, 64);
        xenevtchn_notify(peer.ctrl->event, peer.ctrl->event_port);
        world_settle();
        is_str(ask(&other, PING), PONG, "others are served, %d", i);
        raw_kill(&peer);
        world_settle();
    }
    raw_close(&other);
    end();
}

/*
 * Start and end
 */

static void stops_in_good_order(void)
{
    raw_peer peer;
    const char *reply;
    int fault, before;

    start();
    if (!link_up(&peer, "a")) return;
    fault = fault_inject("write", "e1000/unbind", FAULT_BLOCK, 0, 1);
    raw_send(&peer, CMD("assign", SBDF(NIC), "1"));
    raw_send(&peer, CMD("reset", SBDF(NIC), "2"));
    world_settle();

    before = world_enter(OWNER);
    libxl_ao_abort(server.ctx, &server.how);
    world_leave(before);
    world_settle();
    is_str(store_get(BASE), NULL, "its nodes are gone");
    reply = raw_recv(&peer, 0);
    has_str(reply, "being stopped", "what has not begun is answered");
    has_str(reply, "\"id\":2}", "with its id");
    ok(!raw_alive(&peer), "connections are closed");
    ok(server.running, "it waits for what has begun");
    fault_release(fault);
    is_int(server_stop(&server), ERROR_ABORTED, "and then ends");
    is_str(sysfs_driver(NIC), "pciback", "which was carried through");
    ok(!strstr(sysfs_writes(), "reset"), "the other was not begun");
    raw_close(&peer);
    world_reset();
}

static void starts_anew(void)
{
    raw_peer peer;

    domains();
    store_put(BASE "/0/old", PCID_XS_OFFERED);
    store_put(BASE "/0/old/ring-ref", "8");
    store_put(BASE "/7/older", PCID_XS_REQUESTED);
    server_start(&server, OWNER, NULL, 0);
    is_str(store_get(BASE "/0/old"), NULL, "what was there is gone");
    is_str(store_get(BASE "/7/older"), NULL, "all of it");
    world_settle();
    ok(store_get(BASE "/0"), "there is a directory for clients");
    if (link_up(&peer, "new"))
        is_str(ask(&peer, PING), PONG, "it works");
    raw_close(&peer);
    end();
}

static void wiped_under_its_feet(void)
{
    raw_peer peer, waiting, next;

    start();
    if (!link_up(&peer, "a")) return;
    raw_ask(&waiting, 0, OWNER, "b");
    world_settle();
    is_int(evtchn_count(), 1 + 3, "one is connected, one has been offered");
    store_rm(BASE);
    world_settle();
    ok(store_get(BASE "/0"), "its directories are there again");
    has_str(world_log(), BASE " has been removed", "the log says so");
    is_int(evtchn_count(), 1 + 2, "the offer is no more");
    ok(spare_open(&next, 0), "there is a spare channel again");
    raw_close(&next);
    is_str(ask(&peer, PING), PONG, "the connection goes on");
    is_str(raw_connect(&next, 0, OWNER, "b"), NULL,
           "who asks again can connect");
    raw_close(&next);
    raw_close(&peer);
    end();
}

/* An error is no sign of that. */
static void cannot_see_its_directory(void)
{
    raw_peer waiting;
    int fault;

    start();
    raw_ask(&waiting, 0, OWNER, "b");
    world_settle();
    fault = fault_inject("xs_read", BASE, EIO, 0, 1);
    store_put(BASE, "x");
    world_settle();
    is_int(fault_hits(fault), 1, "it has looked");
    ok(!strstr(world_log(), "has been removed"), "it says nothing");
    is_str(store_get(BASE), "x", "it leaves the directory as it is");
    ok(raw_open(&waiting, OWNER), "what was offered is there");
    has_str(raw_recv(&waiting, 0), "{\"pcid\"", "and greets");
    raw_close(&waiting);
    end();
}

static void only_one(void)
{
    test_server second;

    start();
    is_int(server_start(&second, OWNER, NULL, 0), ERROR_LOCK_FAIL,
           "a second one in the domain fails");
    has_str(world_log(), "runs in this domain already", "it says why");
    ok(store_get(BASE "/0"), "the first one's nodes are as before");
    end();

    start();
    server_stop(&server);
    is_int(server_start(&server, OWNER, NULL, 0), 0,
           "after the end of the first, it works");
    end();
}

static void cannot_start(void)
{
    static const char *const ops[] = {
        "xs_transaction_start", "xs_set_permissions", "xs_transaction_end",
        "xs_watch", "open",
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(ops); i++) {
        domains();
        fault_inject(ops[i], strcmp(ops[i], "open") ? "" : "xl-pcid.lock",
                     ENOMEM, 0, 1);
        ok(server_start(&server, 0, NULL, 0), "%s fails", ops[i]);
        is_str(store_get(PCID_XS_OWNER), NULL,
               "%s: no designation is left", ops[i]);
        faults_clear();
        is_int(server_start(&server, 0, NULL, 0), 0, "%s: it can be started"
               " again", ops[i]);
        end();
    }
}

static void xenstore_is_busy(void)
{
    domains();
    store_conflicts(5);
    is_int(server_start(&server, 0, NULL, 0), 0, "conflicts are overcome");
    store_conflicts(5);
    is_int(server_stop(&server), ERROR_ABORTED, "also at the end");
    is_str(store_get(PCID_XS_OWNER), NULL, "the designation is withdrawn");
    world_reset();

    domains();
    store_conflicts(5);
    is_int(server_start(&server, OWNER, NULL, 0), 0, "in another domain");
    ok(store_get(BASE "/0"), "it serves");
    end();
}

/* xenstored drops what is granted to a domain that does not exist. */
static void client_domain_comes_later(void)
{
    static const libxl_domid clients[] = { 0, 9 };
    raw_peer peer;

    domains();
    is_int(server_start(&server, OWNER, clients, 2), 0,
           "the server starts before the client's domain");
    store_add_domain(9);
    is_str(raw_connect(&peer, 9, OWNER, "a"), "", "which cannot ask then");
    server_stop(&server);
    is_int(server_start(&server, OWNER, clients, 2), 0, "started again");
    is_str(raw_connect(&peer, 9, OWNER, "a"), NULL, "it can");
    raw_close(&peer);
    end();
}

/*
 * Designation
 */

static void designates_its_domain(void)
{
    domains();
    is_int(server_start(&server, 0, NULL, 0), 0, "in the toolstack domain");
    is_str(store_get(PCID_XS_OWNER), "0", "it is designated");
    server_stop(&server);
    is_str(store_get(PCID_XS_OWNER), NULL, "and not any more");
    world_reset();

    start();
    is_str(store_get(PCID_XS_OWNER), NULL, "not in any other domain");
    end();
}

static void serves_only(void)
{
    raw_peer peer;

    domains();
    server_designates = false;
    store_put(PCID_XS_OWNER, "5");
    is_int(server_start(&server, 0, NULL, 0), 0, "in the toolstack domain");
    is_str(store_get(PCID_XS_OWNER), "5", "another is designated as before");
    is_str(raw_connect(&peer, 0, 0, "a"), NULL, "and it serves");
    raw_close(&peer);
    store_put(PCID_XS_OWNER, "0");
    server_stop(&server);
    is_str(store_get(PCID_XS_OWNER), "0",
           "what it has not made, it does not withdraw");
    server_designates = true;
    world_reset();
}

static void cannot_designate(void)
{
    const libxl_asyncop_how how = { .u.for_event = 1 };
    libxl_ctx *ctx;
    int before;

    domains();
    before = world_enter(OWNER);
    ctx = world_ctx(OWNER);
    is_int(libxl_pcid_serve(ctx, NULL, 0, true, &how), ERROR_NI,
           "in another domain");
    has_str(world_log(), "not a toolstack domain", "it says why");
    is_str(store_get(BASE "/0"), NULL, "it does not serve");
    is_int(libxl_pcid_serve(ctx, NULL, 0, false, NULL), ERROR_INVAL,
           "nor for ever, with the caller waiting");
    has_str(world_log(), "needs an ao_how", "it says why");
    world_leave(before);
    world_ctx_free(ctx);
    world_reset();
}

static void another_is_designated(void)
{
    domains();
    store_put(PCID_XS_OWNER, "3");
    is_int(server_start(&server, 0, NULL, 0), ERROR_DEVICE_EXISTS,
           "it does not start");
    has_str(world_log(), "domain 3 is designated", "it says which");
    is_str(store_get(PCID_XS_OWNER), "3", "the designation stays");

    is_int(server_start(&server, OWNER, NULL, 0), 0, "the other one does");
    server_stop(&server);
    is_str(store_get(PCID_XS_OWNER), "3", "and leaves it as it is");

    store_remove_domain(3);
    is_int(server_start(&server, 0, NULL, 0), 0,
           "one that is not there any more does not count");
    is_str(store_get(PCID_XS_OWNER), "0", "it is replaced");
    store_put(PCID_XS_OWNER, "5");
    server_stop(&server);
    is_str(store_get(PCID_XS_OWNER), "5",
           "what was changed since is not withdrawn");
    world_reset();
}

static void designation_is_rubbish(void)
{
    static const char *const t[] = {
        "", "x", "-1", "3x", " 3", "32752", "99999999999999999999", "0x3",
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        domains();
        store_put(PCID_XS_OWNER, t[i]);
        ok(server_start(&server, 0, NULL, 0), "\"%s\" is no domain", t[i]);
        has_str(world_log(), "xl pci-owner", "it says what to do");
        is_str(store_get(PCID_XS_OWNER), t[i], "and leaves it");
        world_reset();
    }
}

/*
 * Lending
 */

#define LENT(sbdf) "/local/domain/3/data/pcid-lent/0/" sbdf
#define NIC_LENT LENT("0000-03-00-0")
#define LEND(s, id) \
    CMD("lend", SBDF(s) ",\"reset\":false,\"permissive\":false", id)
#define TAKE_BACK(s, id) CMD("take_back", SBDF(s) ",\"reset\":false", id)
#define TAKEN(id) RETURN("{\"reset\":null}", id)

#define GSI_11 (arch_x86 ? "\"gsi\":11," : "\"gsi\":0,")
#define GRANTED "grant pages febc0+20 0\ngrant ports c000+40 0\n" \
    "grant pages feb80+40 0\ngrant pirq b+1 0\ngrant irq b+1 0\n"
#define REVOKED "revoke pages febc0+20 0\nrevoke ports c000+40 0\n" \
    "revoke pages feb80+40 0\nrevoke pirq b+1 0\nrevoke irq b+1 0\n"

/* What has been asked of the hypervisor since the last call */
static const char *hypercalls(void)
{
    static char log[sizeof(xc_log)];

    strcpy(log, xc_log);
    xc_log[0] = '\0';
    return log;
}

static bool start_lending(raw_peer *peer)
{
    start();
    if (!link_up(peer, "a")) return false;
    is_str(ask(peer, CMD("assign", SBDF(NIC), "0")),
           RETURN("{\"driver\":\"e1000\",\"assigned\":false}", "0"),
           "a device is assigned");
    return true;
}

static void lends(void)
{
    const char *reply;
    raw_peer peer;

    if (!start_lending(&peer)) return;
    reply = ask(&peer, LEND(NIC, "1"));
    has_str(reply, GSI_11, "it is lent, with its interrupt");
    has_str(reply, ",\"reset\":null},\"id\":1}", "without a reset");
    is_str(hypercalls(), here(GRANTED), "just what it has");
    ok(store_get(NIC_LENT), "that is recorded");

    has_str(ask(&peer, LEND(NIC, "2")), GSI_11, "and once more");
    is_str(hypercalls(), here(REVOKED GRANTED), "in place of the first time");

    is_str(ask(&peer, TAKE_BACK(NIC, "3")), TAKEN("3"), "taken back");
    is_str(hypercalls(), here(REVOKED), "just what was lent");
    is_str(store_get(NIC_LENT), NULL, "the record is gone");

    is_str(ask(&peer, TAKE_BACK(NIC, "4")), TAKEN("4"),
           "nothing to take back is no error");
    is_str(hypercalls(), "", "and no hypercall");

    has_str(ask(&peer, LEND(FREE, "5")), "is not assigned to pciback",
            "a device that is not assigned is not lent");
    is_str(hypercalls(), "", "there is no hypercall for it");
    is_str(ask(&peer, PING), PONG, "the connection goes on");
    raw_close(&peer);
    end();
}

static void takes_back_before_unassign(void)
{
    raw_peer peer;

    if (!start_lending(&peer)) return;
    ask(&peer, LEND(NIC, "1"));
    hypercalls();
    is_str(ask(&peer, CMD("unassign", SBDF(NIC), "2")), RETURN("true", "2"),
           "unassigned while lent");
    is_str(hypercalls(), here(REVOKED), "it is taken back");
    is_str(store_get(NIC_LENT), NULL, "the record is gone");
    raw_close(&peer);
    end();
}

static void takes_back_what_was_lent(void)
{
    raw_peer peer;

    if (!start_lending(&peer)) return;
    ask(&peer, LEND(NIC, "1"));
    sysfs_put("devices/" NIC "/irq", "7\n");
    raw_close(&peer);
    is_int(server_stop(&server), ERROR_ABORTED, "the server ends");
    hypercalls();
    ok(store_get(NIC_LENT), "the record stays");
    if (server_start(&server, OWNER, NULL, 0) || !link_up(&peer, "b")) {
        ok(false, "the server starts again");
        return;
    }
    is_str(ask(&peer, TAKE_BACK(NIC, "1")), TAKEN("1"), "taken back");
    is_str(hypercalls(), here(REVOKED),
           "what was lent, not what is there now");
    raw_close(&peer);
    end();
}

static void lending_fails(void)
{
    static const char *const t[] = {
        "pages febc0+20", "ports c000+40", "pages feb80+40", "pirq b+1",
        "irq b+1",
    };
    enum { PIRQ = 3, IRQ };
    raw_peer peer;
    int i, k;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        char calls[512], *p = calls;
        const char *reply;

        if (!*here(t[i])) continue;
        /* All up to the one that fails is granted, and then revoked. */
        for (k = 0; k < i; k++)
            p += sprintf(p, "grant %s 0\n", t[k]);
        p += sprintf(p, "grant %s 0 failed\n", t[i]);
        if (i == IRQ)
            p += sprintf(p, "revoke %s 0\n", t[PIRQ]);
        for (k = 0; k < i && k < PIRQ; k++)
            p += sprintf(p, "revoke %s 0\n", t[k]);

        if (!start_lending(&peer)) return;
        /* "pirq b+1" would match that, too. */
        fault_inject("grant", t[i], EPERM, i == IRQ, 1);
        reply = ask(&peer, LEND(NIC, "1"));
        has_str(reply, "\"class\":\"OperationFailed\",\"errno\":\"EPERM\","
                "\"step\":\"access\"", "%s: the error says so", t[i]);
        has_str(reply, "domain 3 cannot let domain 0 use " NIC, "%s: who",
                t[i]);
        is_str(hypercalls(), here(calls),
               "%s: no more is tried, and nothing left", t[i]);
        is_str(store_get(NIC_LENT), NULL, "%s: there is no record", t[i]);
        has_str(ask(&peer, LEND(NIC, "2")), GSI_11,
                "%s: the same request then succeeds", t[i]);
        ask(&peer, TAKE_BACK(NIC, "3"));
        raw_close(&peer);
        end();
    }

    /* As FLASK does, of a device without a label */
    if (!start_lending(&peer)) return;
    fault_inject("grant", "pages", EPERM, 0, 1);
    fault_inject("revoke", "pages", EPERM, 0, 2);
    has_str(ask(&peer, LEND(NIC, "1")), "\"step\":\"access\"",
            "refused: lend");
    ok(!strstr(hypercalls(), "revoke"), "refused: no revoking is tried");
    is_str(store_get(NIC_LENT), NULL, "refused: there is no record");
    is_str(ask(&peer, TAKE_BACK(NIC, "2")), TAKEN("2"),
           "refused: nothing is to be taken back");
    raw_close(&peer);
    end();
}

static void shared(void)
{
    raw_peer peer;

    if (!start_lending(&peer)) return;
    ask(&peer, CMD("assign", SBDF(FREE), "0"));
    /* Another address, but the same interrupt */
    sysfs_put("devices/" FREE "/resource",
              "0xfe000000 0xfe000fff 0x00000200\n"
              "0x0 0x0 0x0\n0x0 0x0 0x0\n0x0 0x0 0x0\n"
              "0x0 0x0 0x0\n0x0 0x0 0x0\n0x0 0x0 0x0\n");
    ask(&peer, LEND(NIC, "1"));
    ask(&peer, LEND(FREE, "2"));
    hypercalls();
    is_str(ask(&peer, TAKE_BACK(NIC, "3")), TAKEN("3"), "one is taken back");
    is_str(hypercalls(),
           here("revoke pages febc0+20 0\n"
                "revoke ports c000+40 0\nrevoke pages feb80+40 0\n"),
           "but not the interrupt, which the other has, too");
    is_str(ask(&peer, TAKE_BACK(FREE, "4")), TAKEN("4"), "the other, too");
    is_str(hypercalls(),
           here("revoke pages fe000+1 0\nrevoke pirq b+1 0\n"
                "revoke irq b+1 0\n"),
           "with the interrupt");
    raw_close(&peer);
    end();
}

static const libxl_domid two_clients[] = { 0, DRIVER_DOMAIN };
#define OTHER_LENT "/local/domain/3/data/pcid-lent/5/0000-03-00-0"

static bool start_two(raw_peer *peer, raw_peer *other)
{
    domains();
    return !server_start(&server, OWNER, two_clients, 2) &&
        !raw_connect(peer, 0, OWNER, "a") && raw_recv(peer, 0) &&
        !raw_connect(other, DRIVER_DOMAIN, OWNER, "b") &&
        raw_recv(other, 0);
}

/* What another domain than 0 asks for is done for that domain. */
static void lends_to_another_domain(void)
{
    raw_peer peer, other;

    if (!ok(start_two(&peer, &other), "two domains are served")) return;
    ask(&other, CMD("assign", SBDF(NIC), "0"));
    hypercalls();
    has_str(ask(&other, LEND(NIC, "1")), GSI_11, "it is lent");
    is_str(hypercalls(),
           here("grant pages febc0+20 0x5\n"
                "grant ports c000+40 0x5\ngrant pages feb80+40 0x5\n"
                "grant pirq b+1 0x5\ngrant irq b+1 0x5\n"),
           "to that domain");
    ok(store_get(OTHER_LENT), "that is recorded");
    is_str(store_get(NIC_LENT), NULL, "and nothing for domain 0");
    is_str(ask(&peer, TAKE_BACK(NIC, "1")), TAKEN("1"),
           "domain 0 has nothing to give back");
    is_str(hypercalls(), "", "and takes nothing from the other");
    is_str(ask(&other, TAKE_BACK(NIC, "2")), TAKEN("2"), "taken back");
    is_str(hypercalls(),
           here("revoke pages febc0+20 0x5\n"
                "revoke ports c000+40 0x5\nrevoke pages feb80+40 0x5\n"
                "revoke pirq b+1 0x5\nrevoke irq b+1 0x5\n"),
           "from that domain");
    is_str(store_get(OTHER_LENT), NULL, "the record is gone");
    raw_close(&peer);
    raw_close(&other);
    end();
}

static void unassign_takes_back_from_all(void)
{
    raw_peer peer, other;

    if (!ok(start_two(&peer, &other), "two domains are served")) return;
    ask(&other, CMD("assign", SBDF(NIC), "0"));
    ask(&other, LEND(NIC, "1"));
    hypercalls();
    is_str(ask(&peer, CMD("unassign", SBDF(NIC), "1")), RETURN("true", "1"),
           "unassigned by who does not have it");
    has_str(hypercalls(), "revoke pages febc0+20 0x5\n",
            "it is taken back from who does");
    is_str(store_get(OTHER_LENT), NULL, "the record is gone");
    raw_close(&peer);
    raw_close(&other);
    end();
}

static void taking_back_fails(void)
{
    static const char *const t[] = { "pages febc0", "ports", "irq b" };
    static const char *const all[] = {
        "revoke pages febc0+20", "revoke ports c000+40",
        "revoke pages feb80+40", "revoke pirq b+1", "revoke irq b+1",
    };
    raw_peer peer;
    int i, j;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        const char *calls;

        if (!*here(t[i])) continue;
        if (!start_lending(&peer)) return;
        ask(&peer, LEND(NIC, "1"));
        hypercalls();
        /* That "pirq b" is not mapped is no failure. */
        fault_inject("revoke", t[i], EPERM, i == 2, 1);
        has_str(ask(&peer, TAKE_BACK(NIC, "2")),
                "\"class\":\"OperationFailed\"", "%s: it fails", t[i]);
        calls = hypercalls();
        has_str(calls, " failed\n", "%s: that is why", t[i]);
        for (j = 0; j < ARRAY_SIZE(all); j++)
            has_str(calls, here(all[j]), "%s: %s", t[i], all[j]);
        ok(store_get(NIC_LENT), "%s: the record stays", t[i]);
        is_str(ask(&peer, TAKE_BACK(NIC, "3")), TAKEN("3"), "%s: once more",
               t[i]);
        is_str(hypercalls(), here(REVOKED), "%s: all of it", t[i]);
        is_str(store_get(NIC_LENT), NULL, "%s: the record is gone", t[i]);
        raw_close(&peer);
        end();
    }
}

static void lending_without_gsi(void)
{
    raw_peer peer;

    if (!arch_x86) return;
    if (!start_lending(&peer)) return;
    sysfs_put("devices/" NIC "/irq", "65536\n");
    has_str(ask(&peer, LEND(NIC, "1")), "\"class\":\"OperationFailed\"",
            "a GSI that is none");
    is_str(hypercalls(), "", "nothing is granted");
    is_str(store_get(NIC_LENT), NULL, "nothing is recorded");
    raw_close(&peer);
    end();
}

/* What one device has, in the place of what it has otherwise */
static void put_resources(const char *sbdf, const char *memory,
                          const char *ports)
{
    char path[64], text[512];

    sprintf(path, "devices/%s/resource", sbdf);
    sprintf(text, "%s 0x00000200\n%s 0x00000100\n"
            "0x0 0x0 0x0\n0x0 0x0 0x0\n0x0 0x0 0x0\n0x0 0x0 0x0\n"
            "0x0 0x0 0x0\n", memory, ports);
    sysfs_put(path, text);
}

/* Rights to memory are by pages, those to ports are not. */
static void shares_a_page(void)
{
    raw_peer peer;

    if (!start_lending(&peer)) return;
    ask(&peer, CMD("assign", SBDF(FREE), "0"));
    put_resources(NIC, "0xfe000000 0xfe0000ff", "0xc000 0xc01f");
    put_resources(FREE, "0xfe000100 0xfe0001ff", "0xc020 0xc03f");
    sysfs_put("devices/" FREE "/irq", "7\n");
    ask(&peer, LEND(NIC, "1"));
    ask(&peer, LEND(FREE, "2"));
    is_str(hypercalls(),
           here("grant pages fe000+1 0\ngrant ports c000+20 0\n"
                "grant pirq b+1 0\ngrant irq b+1 0\n"
                "grant pages fe000+1 0\ngrant ports c020+20 0\n"
                "grant pirq 7+1 0\ngrant irq 7+1 0\n"),
           "both are lent");
    is_str(ask(&peer, TAKE_BACK(NIC, "3")), TAKEN("3"), "one is taken back");
    is_str(hypercalls(),
           here("revoke ports c000+20 0\nrevoke pirq b+1 0\n"
                "revoke irq b+1 0\n"),
           "but not the page, which the other has");
    is_str(ask(&peer, TAKE_BACK(FREE, "4")), TAKEN("4"), "the other, too");
    is_str(hypercalls(),
           here("revoke pages fe000+1 0\nrevoke ports c020+20 0\n"
                "revoke pirq 7+1 0\nrevoke irq 7+1 0\n"), "with the page");
    raw_close(&peer);
    end();
}

static void part_of_a_page(void)
{
    raw_peer peer;

    if (!start_lending(&peer)) return;
    put_resources(NIC, "0xfe000000 0xfe0017ff", "0xc000 0xc000");
    ask(&peer, LEND(NIC, "1"));
    has_str(hypercalls(),
            here("grant pages fe000+2 0\ngrant ports c000+1 0\n"),
            "counts as a page");
    ask(&peer, TAKE_BACK(NIC, "2"));
    has_str(hypercalls(),
            here("revoke pages fe000+2 0\nrevoke ports c000+1 0\n"),
            "also when it is taken back");
    raw_close(&peer);
    end();
}

static void lends_itself_nothing(void)
{
    raw_peer peer;

    domains();
    server_start(&server, 0, NULL, 0);
    if (raw_connect(&peer, 0, 0, "a") || !raw_recv(&peer, 0)) {
        ok(false, "connecting");
        return;
    }
    ask(&peer, CMD("assign", SBDF(NIC), "0"));
    hypercalls();
    has_str(ask(&peer, LEND(NIC, "1")), GSI_11, "it tells what it has");
    is_str(hypercalls(), "", "no right is changed");
    is_str(store_get("/local/domain/0/data/pcid-lent/0/0000-03-00-0"), NULL,
           "nothing is recorded");
    raw_close(&peer);
    end();
}

static void record_is_rubbish(void)
{
    raw_peer peer;

    if (!start_lending(&peer)) return;
    store_put(NIC_LENT, "{\"resources\":[],\"gsi\":-1}");
    has_str(ask(&peer, TAKE_BACK(NIC, "1")), "\"class\":\"OperationFailed\"",
            "taking back fails");
    is_str(hypercalls(), "", "without a hypercall");
    is_str(ask(&peer, CMD("unassign", SBDF(NIC), "2")), RETURN("true", "2"),
           "and keeps nobody from having the device back");
    raw_close(&peer);
    store_rm(NIC_LENT);
    end();
}

/* Where there are neither ports nor GSIs, all of this is about memory, and no
 * record stays. */
static void without_ports(void)
{
    const bool x86 = arch_x86;

    arch_x86 = false;
    lends();
    takes_back_before_unassign();
    takes_back_what_was_lent();
    lends_to_another_domain();
    taking_back_fails();
    lending_fails();
    shared();
    shares_a_page();
    part_of_a_page();
    lends_itself_nothing();
    arch_x86 = x86;
}

int main(void)
{
    greets();
    who_may_connect();
    who_may_read();
    two_ask_at_once();
    not_a_client();
    directory_of_no_domain();
    only_for_the_one_who_asked();
    names_of_channels();
    asks_again_with_the_same_name();
    takes_its_request_back();
    never_connects();
    connections_limit();
    connections_limit_in_all();
    channel_cannot_be_made();
    xenstore_says_no();
    spare_is_taken();
    spare_of_another_domain();
    spare_of_a_stopped_server();
    spare_makes_room();
    spare_cannot_be_made();
    spare_is_removed();
    all_commands();
    errors_of_commands();
    no_path_leads_out();
    many_requests_at_once();
    long_list();
    slow_device_holds_up_only_itself();
    progress();
    in_flight_limit();
    in_flight_limit_of_a_client();
    working_limit();
    client_vanishes();
    worker_dies();
    no_child_is_forgotten();
    worker_says_nothing();
    worker_keeps_nothing();
    long_error_text();
    no_message();
    too_long();
    takes_no_replies();
    says_nothing();
    slow_but_alive();
    short_reads_and_writes();
    gone_at_every_byte();
    ring_is_scribbled_over();
    stops_in_good_order();
    starts_anew();
    wiped_under_its_feet();
    cannot_see_its_directory();
    only_one();
    cannot_start();
    xenstore_is_busy();
    client_domain_comes_later();
    designates_its_domain();
    serves_only();
    cannot_designate();
    another_is_designated();
    designation_is_rubbish();
    lends();
    takes_back_before_unassign();
    takes_back_what_was_lent();
    lends_to_another_domain();
    unassign_takes_back_from_all();
    taking_back_fails();
    lending_without_gsi();
    lending_fails();
    shared();
    shares_a_page();
    part_of_a_page();
    lends_itself_nothing();
    record_is_rubbish();
    without_ports();

    return tap_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
