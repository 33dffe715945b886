/*
 * The owner that misbehaves: see hostile.c.
 */
#define _GNU_SOURCE
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostile.h"

/* How often a channel has been asked for at `node' */
static unsigned int asked;

/*
 * What is proper
 */

/* Some RAM, and some of the interrupt controller, of the testbed's machines */
#ifdef __aarch64__
#define RAM_START "1610612736"          /* 0x60000000 */
#define RAM_END "1611661311"
#define CONTROLLER_START "134217728"    /* 0x8000000 */
#define CONTROLLER_END "134283263"
#else
#define RAM_START "1048576"             /* 0x100000 */
#define RAM_END "2097151"
#define CONTROLLER_START "4276092928"   /* 0xfee00000 */
#define CONTROLLER_END "4276097023"
#endif

#define FEATURES "\"query\",\"assign\",\"unassign\",\"lend\",\"take_back\""
#define CONTROL ",\"interrupt_control\""
#define GREETING(version, features) "{\"pcid\":{\"version\":" version "," \
    "\"features\":[" features "]}}"
#define V1 "{\"major\":1,\"minor\":0}"
#define RETURN(value) "{\"return\":" value ",\"id\":@}"
#define FAILED(members) "{\"error\":{" members "},\"id\":@}"
#define DESC(s) FAILED("\"class\":\"OperationFailed\",\"desc\":\"" s "\"")
#define QUERY(driver, vendor, functions, assigned) RETURN("{\"driver\":" \
    driver ",\"assigned\":true,\"pciback\":true,\"vendor\":" vendor "," \
    "\"device\":2,\"class\":3,\"functions\":[" functions "]," \
    "\"functions_assigned\":[" assigned "]}")
#define NONE "{\"start\":0,\"end\":0,\"flags\":0}"
#define RANGE(start, end, flags) \
    "{\"start\":" start ",\"end\":" end ",\"flags\":" flags "}"
#define LENT(first, gsi) RETURN("{\"resources\":[" first "," NONE "," NONE \
    "," NONE "," NONE "," NONE "," NONE "],\"gsi\":" gsi ",\"reset\":null}")

/* Requests and their replies; the first that fits. */
static const struct {
    const char *request, *reply;
} proper[] = {
    { "\"ls\"", RETURN("[\"" ABSENT "\"]") },
    { "\"assign\"", RETURN("{\"driver\":null,\"assigned\":true}") },
    { "\"unassign\"", RETURN("true") },
    { "\"lend\"", LENT(NONE, "0") },
    { "\"take_back\"", RETURN("{\"reset\":null}") },
    { "0000:00:1d.0", RETURN("{\"driver\":null,\"assigned\":false,"
      "\"pciback\":true,\"vendor\":1,\"device\":2,\"class\":3,"
      "\"functions\":[0],\"functions_assigned\":[]}") },
    { "\"query\"", QUERY("\"pciback\"", "1", "$", "$") },
    { "", DESC("this one does nothing") },
};

/* The ID of a request, as it is written */
static const char *id_of(const char *request)
{
    static char id[32];
    const char *at = strstr(request, "\"id\":");

    snprintf(id, sizeof(id), "%.*s", at ? (int)strcspn(at + 5, ",}") : 0,
             at ? at + 5 : "");
    return id;
}

/* The function of the device that a request is about */
static const char *function_of(const char *request)
{
    static char function[2];
    const char *at = strstr(request, "\"sbdf\":\"");

    snprintf(function, sizeof(function), "%s",
             at && strlen(at) > 20 ? at + 8 + strlen("0000:00:00.") : "");
    return function;
}

/* Sends text, with the request's ID for each '@', and its function for '$'. */
static void substitute(const char *text, const char *request)
{
    size_t n;

    for (; text[n = strcspn(text, "@$")]; text += n + 1) {
        send_bytes(text, n);
        send_text(text[n] == '@' ? id_of(request) : function_of(request));
    }
    send_line(text);
}

static void reply_properly(const char *request)
{
    size_t i;

    for (i = 0; !strstr(request, proper[i].request); i++)
        ;
    substitute(proper[i].reply, request);
}

static void offer(void)
{
    chan = libxenvchan_server_init(NULL, toolstack, node, 1024, 2048);
    if (!chan)
        err(1, "no channel");
    put(node, "offered");
}

static void greet(void)
{
    send_line(GREETING(V1, FEATURES));
}

/*
 * Misbehaviours that are no single message.  owner_* are called with
 * the request that they answer to, the others when a channel is asked for.
 */

static void owner_nothing(const char *request)
{
    wait_closed(10 * LONG_MS);
}

static void owner_close(const char *request)
{
    libxenvchan_close(chan);
    exit(0);
}

static void owner_half(const char *request)
{
    send_text("{\"return\":[\"0000:00");
    owner_nothing(request);
}

static void owner_half_close(const char *request)
{
    send_text("{\"return\":[\"0000:00");
    owner_close(request);
}

static void owner_twice(const char *request)
{
    reply_properly(request);
    reply_properly(request);
}

static void owner_progress(const char *request, int count)
{
    while (count-- && !closed())
        substitute("{\"progress\":{},\"id\":@}", request);
}

static void owner_progress_once(const char *request)
{
    owner_progress(request, 1);
    owner_nothing(request);
}

static void owner_progress_flood(const char *request)
{
    owner_progress(request, 1000);
    reply_properly(request);
}

static void owner_progress_ever(const char *request)
{
    while (!closed()) {
        owner_progress(request, 1);
        sleep(1);
    }
}

/* A list of so many devices */
static void owner_ls(const char *request, int count)
{
    send_text("{\"return\":[\"" ABSENT "\"");
    send_many(",\"" ABSENT "\"", count - 1);
    substitute("],\"id\":@}", request);
}

static void owner_ls_20k(const char *request) { owner_ls(request, 20000); }
static void owner_ls_100k(const char *request) { owner_ls(request, 100000); }

static void owner_desc_100k(const char *request)
{
    send_text("{\"error\":{\"class\":\"OperationFailed\",\"desc\":\"");
    send_many(X1000("word "), 20);
    substitute("\"},\"id\":@}", request);
}

static void owner_prod_ahead(const char *request)
{
    chan->write.shr->prod += 100000;
    notify();
    owner_nothing(request);
}

static void owner_cons_ahead(const char *request)
{
    chan->read.shr->cons += 100000;
    notify();
    reply_properly(request);
    owner_nothing(request);
}

static void owner_notify(const char *request)
{
    int i;

    for (i = 0; i < 10000; i++)
        notify();
    reply_properly(request);
}

static void owner_dead(const char *request)
{
    chan->ring->srv_live = 0;
    notify();
    wait_closed(SHORT_MS);
}

static void owner_orders(const char *request)
{
    chan->ring->left_order = chan->ring->right_order = 31;
    reply_properly(request);
}

static void greeting_none(const char *request)
{
    offer();
    owner_nothing(request);
}

static void greeting_endless(const char *request)
{
    offer();
    send_many(X1000("A"), 1024);
}

static void greeting_10000(const char *request)
{
    offer();
    send_text("{\"pcid\":{\"version\":" V1 ",\"features\":[" FEATURES);
    send_many(",\"feature\"", 10000);
    send_line("]}}");
}

static void greeting_nul(const char *request)
{
    offer();
    send_bytes("{\"pcid\":\0{}}" END, 12 + strlen(END));
}

static void offer_nothing(const char *request)
{
    put(node, "offered");
}

static void offer_as(const char *ring_ref, const char *port)
{
    char path[sizeof(node) + 16];

    snprintf(path, sizeof(path), "%s/ring-ref", node);
    put(path, ring_ref);
    snprintf(path, sizeof(path), "%s/event-channel", node);
    put(path, port);
    put(node, "offered");
}

static void offer_no_grant(const char *request) { offer_as("99999", "1"); }
static void offer_no_port(const char *request) { offer_as("8", "999999"); }
static void offer_words(const char *request) { offer_as("ring", "port"); }
static void offer_negative(const char *request) { offer_as("-1", "-1"); }

/* Before the client looks, the sizes of the rings are such as cannot be. */
static void offer_orders(const char *request)
{
    chan = libxenvchan_server_init(NULL, toolstack, node, 1024, 2048);
    chan->ring->left_order = 31;
    put(node, "offered");
}

/* More grants than there are: the client is to map what it does not get. */
static void offer_large(const char *request)
{
    chan = libxenvchan_server_init(NULL, toolstack, node, 1024, 2048);
    chan->ring->left_order = chan->ring->right_order = 20;
    memset(chan->ring->grants, 0xff, 2048);
    put(node, "offered");
}

static void answer_word(const char *request) { put(node, "perhaps"); }
static void answer_long(const char *request) { put(node, X100("perhaps ")); }
static void refuse_empty(const char *request) { put(node, "refused: "); }

static void refuse_long(const char *request)
{
    put(node, "refused: " X100("no, and no, again"));
}

static void refuse_control(const char *request)
{
    put(node, "refused: \033[31m\007\r\nlibxl: info: all is well\xff");
}

static void remove_once(const char *request)
{
    /* A request can be seen twice, if it is made before its removal is. */
    if (asked == 1) {
        xs_rm(xs, XBT_NULL, node);
    } else if (asked == 2) {
        offer();
        greet();
    }
}

static void remove_always(const char *request)
{
    xs_rm(xs, XBT_NULL, node);
}

static void remove_offered(const char *request)
{
    put(node, "offered");
    xs_rm(xs, XBT_NULL, node);
}

/*
 * A misbehaviour is an own greeting or a channel that is offered in an own way,
 * or else an own reply to requests of that command.
 */
static const struct {
    const char *name;
    const char *what;
    const char *greeting;
    void (*start)(const char *unused);
    const char *command;
    const char *reply;              /* or */
    void (*play)(const char *request);
} owners[] = {
#define GREETS(name_, what_, text) \
    { .name = name_, .what = what_, .greeting = text }
#define STARTS(name_, what_, call) \
    { .name = name_, .what = what_, .start = call }
#define REPLIES(name_, what_, command_, text) \
    { .name = name_, .what = what_, .command = "\"" command_ "\"", \
      .reply = text }
#define PLAYS(name_, what_, command_, call) \
    { .name = name_, .what = what_, .command = "\"" command_ "\"", \
      .play = call }

    GREETS("proper", "nothing wrong", GREETING(V1, FEATURES)),
    /* The channel */
    STARTS("offer-nothing", "an offer without a channel", offer_nothing),
    STARTS("offer-no-grant", "a grant that is not there", offer_no_grant),
    STARTS("offer-no-port", "a port that is not there", offer_no_port),
    STARTS("offer-words", "words for numbers", offer_words),
    STARTS("offer-negative", "negative numbers", offer_negative),
    STARTS("offer-orders", "rings of 2 GB", offer_orders),
    STARTS("offer-large", "rings of which no page is granted", offer_large),
    STARTS("answer-word", "no answer that there is", answer_word),
    STARTS("answer-long", "800 bytes of that", answer_long),
    STARTS("refuse-empty", "no reason", refuse_empty),
    STARTS("refuse-long", "a reason of 1700 bytes", refuse_long),
    STARTS("refuse-control", "a reason with control characters",
           refuse_control),
    STARTS("remove-once", "the request is removed, once", remove_once),
    STARTS("remove-always", "it is removed, again and again", remove_always),
    STARTS("remove-offered", "it is removed after the offer", remove_offered),
    /* The greeting */
    STARTS("greeting-none", "silence", greeting_none),
    STARTS("greeting-endless", "1 MB without an end", greeting_endless),
    STARTS("greeting-10000", "10,000 features", greeting_10000),
    STARTS("greeting-nul", "a NUL", greeting_nul),
    GREETS("greeting-version", "version 2",
           GREETING("{\"major\":2,\"minor\":0}", FEATURES)),
    GREETS("greeting-version-0", "version 0",
           GREETING("{\"major\":0,\"minor\":0}", FEATURES)),
    GREETS("greeting-negative", "a negative version",
           GREETING("{\"major\":-1,\"minor\":0}", FEATURES)),
    GREETS("greeting-huge", "a version of 2^32+1",
           GREETING("{\"major\":4294967297,\"minor\":0}", FEATURES)),
    GREETS("greeting-string", "a version that is a string",
           GREETING("\"1.0\"", FEATURES)),
    GREETS("greeting-word", "no JSON", "hello"),
    GREETS("greeting-empty", "an empty line", ""),
    GREETS("greeting-array", "an array", "[]"),
    GREETS("greeting-object", "an empty object", "{}"),
    GREETS("greeting-deep", "1000 levels", X1000("[")),
    GREETS("greeting-control", "an escape sequence", "\033[2J"),
    GREETS("greeting-no-features", "no list of features",
           "{\"pcid\":{\"version\":" V1 "}}"),
    GREETS("greeting-numbers", "features that are numbers",
           GREETING(V1, "1,2")),
    GREETS("greeting-id", "an ID",
           "{\"pcid\":{\"version\":" V1 ",\"features\":[]},\"id\":0}"),
    GREETS("greeting-twice", "a second greeting",
           GREETING(V1, FEATURES) END GREETING(V1, FEATURES)),
    GREETS("greeting-reply", "a reply first", "{\"return\":[],\"id\":0}"),
    GREETS("greeting-request", "a request",
           "{\"execute\":\"ls\",\"id\":0,\"arguments\":{}}"),
    GREETS("no-features", "a server that knows no query", GREETING(V1, "")),
    /* Replies as such */
    PLAYS("silence", "no reply", "ls", owner_nothing),
    PLAYS("close", "the end", "ls", owner_close),
    PLAYS("close-writing", "the end, of a change", "assign", owner_close),
    PLAYS("half", "half a reply, no more", "ls", owner_half),
    PLAYS("half-close", "half a reply, and the end", "ls", owner_half_close),
    PLAYS("reply-twice", "a reply twice", "ls", owner_twice),
    PLAYS("progress-once", "progress, and silence", "ls", owner_progress_once),
    PLAYS("progress-flood", "progress 1000 times", "ls", owner_progress_flood),
    PLAYS("progress-ever", "progress for ever", "ls", owner_progress_ever),
    PLAYS("prod-ahead", "more written than the ring holds", "ls",
          owner_prod_ahead),
    PLAYS("cons-ahead", "more read than was written", "ls", owner_cons_ahead),
    PLAYS("notify", "10,000 events without data", "ls", owner_notify),
    PLAYS("dead", "dead, says the ring", "ls", owner_dead),
    PLAYS("orders", "sizes of the rings changed", "ls", owner_orders),
    REPLIES("id-other", "an ID that was not given", "ls",
            "{\"return\":[],\"id\":1@}"),
    REPLIES("id-missing", "no ID", "ls", "{\"return\":[]}"),
    REPLIES("id-negative", "a negative ID", "ls", "{\"return\":[],\"id\":-1}"),
    REPLIES("id-string", "an ID that is a string", "ls",
            "{\"return\":[],\"id\":\"@\"}"),
    REPLIES("id-float", "an ID with a fraction", "ls",
            "{\"return\":[],\"id\":0.0}"),
    REPLIES("id-huge", "an ID of 2^64", "ls",
            "{\"return\":[],\"id\":18446744073709551616}"),
    REPLIES("id-twice", "two IDs", "ls", "{\"return\":[],\"id\":@,\"id\":@}"),
    REPLIES("progress-other", "progress of what was not asked", "ls",
            "{\"progress\":{},\"id\":1@}"),
    REPLIES("both", "a result and an error", "ls", "{\"return\":[],\"error\":"
            "{\"class\":\"OperationFailed\",\"desc\":\"x\"},\"id\":@}"),
    REPLIES("neither", "neither", "ls", "{\"id\":@}"),
    REPLIES("return-twice", "two results", "ls",
            "{\"return\":[],\"return\":[],\"id\":@}"),
    REPLIES("member-unknown", "a member that is none", "ls",
            "{\"return\":[],\"id\":@,\"force\":true}"),
    REPLIES("reply-two", "two values", "ls", RETURN("[]") RETURN("[]")),
    REPLIES("reply-word", "no JSON", "ls", "hello"),
    REPLIES("reply-control", "a control character", "ls", RETURN("[\"\t\"]")),
    REPLIES("reply-deep", "1000 levels", "ls", RETURN(X1000("["))),
    /* Errors */
    REPLIES("error-no-id", "an error without ID", "query", "{\"error\":"
            "{\"class\":\"BadMessage\",\"desc\":\"no \\u001b[31m\"}}"),
    REPLIES("error-empty", "an empty object", "query", FAILED("")),
    REPLIES("error-string", "an error that is a string", "query",
            "{\"error\":\"no\",\"id\":@}"),
    REPLIES("error-class", "a class that is none", "query",
            FAILED("\"class\":\"Whatever\",\"desc\":\"is so\"")),
    REPLIES("error-no-desc", "no text", "query",
            FAILED("\"class\":\"OperationFailed\"")),
    REPLIES("error-desc-empty", "an empty text", "query", DESC("")),
    REPLIES("error-control", "a text with control characters", "query",
            DESC("\\u001b[31mred\\r\\nlibxl: info: all is well\\u00ff")),
    REPLIES("error-format", "a text with conversions", "query",
            DESC("%s%n%s%n")),
    REPLIES("error-errno", "an errno that is none", "query",
            FAILED("\"class\":\"OperationFailed\",\"desc\":\"so\","
                   "\"errno\":\"EWHAT\",\"step\":\"dance\"")),
    PLAYS("error-100k", "a text of 100 KB", "query", owner_desc_100k),
    /* Lists */
    REPLIES("list-null", "null", "ls", RETURN("null")),
    REPLIES("list-string", "a string", "ls", RETURN("\"" ABSENT "\"")),
    REPLIES("list-object", "an object", "ls", RETURN("{}")),
    REPLIES("list-numbers", "numbers", "ls", RETURN("[1]")),
    REPLIES("list-arrays", "arrays", "ls", RETURN("[[\"" ABSENT "\"]]")),
    REPLIES("list-path", "a path", "ls", RETURN("[\"../../etc/passwd\"]")),
    REPLIES("list-case", "an SBDF in capitals", "ls",
            RETURN("[\"0000:00:1E.7\"]")),
    REPLIES("list-range", "a device number of 0x20", "ls",
            RETURN("[\"0000:00:20.0\"]")),
    REPLIES("list-nul", "an SBDF, an escaped NUL, and more", "ls",
            RETURN("[\"" ABSENT "\\u0000x\"]")),
    PLAYS("list-20000", "20,000 devices", "ls", owner_ls_20k),
    PLAYS("list-100000", "100,000 devices", "ls", owner_ls_100k),
    /* Replies to a query */
    REPLIES("query-list", "the reply to ls", "query", RETURN("[]")),
    REPLIES("query-driver", "a driver that is a path", "query",
            QUERY("\"../../../etc\"", "1", "$", "$")),
    REPLIES("query-vendor", "a vendor of 2^16", "query",
            QUERY("null", "65536", "$", "$")),
    REPLIES("query-function", "a function of 9", "query",
            QUERY("null", "1", "$,9", "$")),
    REPLIES("query-2^32", "a function of 2^32+7", "query",
            QUERY("null", "1", "4294967303", "$")),
    REPLIES("query-twice", "a function twice", "query",
            QUERY("null", "1", "$,$", "$")),
    REPLIES("query-other", "not the function that was asked about", "query",
            QUERY("null", "1", "6", "6")),
    REPLIES("query-assigned", "assigned and not assigned", "query",
            QUERY("null", "1", "$", "")),
    /* Replies to lend */
    REPLIES("lend-6", "six ranges", "lend", RETURN("{\"resources\":[" NONE ","
            NONE "," NONE "," NONE "," NONE "," NONE "],\"gsi\":0,"
            "\"reset\":null}")),
    REPLIES("lend-8", "eight ranges", "lend", LENT(NONE "," NONE, "0")),
    REPLIES("lend-1000", "a thousand ranges", "lend",
            LENT(X1000(NONE ",") NONE, "0")),
    REPLIES("lend-none", "no ranges", "lend", RETURN("{\"gsi\":0,"
            "\"reset\":null}")),
    REPLIES("lend-reversed", "an end before the start", "lend",
            LENT(RANGE("1048576", "1048575", "2"), "0")),
    REPLIES("lend-negative", "a negative start", "lend",
            LENT(RANGE("-4096", "4095", "2"), "0")),
    REPLIES("lend-wrap", "a range that wraps at 2^64", "lend",
            LENT(RANGE("18446744073709547520", "4095", "2"), "0")),
    REPLIES("lend-2^63", "an end of 2^63-1", "lend",
            LENT(RANGE("4096", "9223372036854775807", "2"), "0")),
    REPLIES("lend-2^52", "an end of 2^52", "lend",
            LENT(RANGE("4096", "4503599627370496", "2"), "0")),
    REPLIES("lend-float", "a start with a fraction", "lend",
            LENT(RANGE("4096.5", "8191", "2"), "0")),
    REPLIES("lend-string", "a start that is a string", "lend",
            LENT(RANGE("\"4096\"", "8191", "2"), "0")),
    REPLIES("lend-twice", "two starts", "lend",
            LENT("{\"start\":4096,\"start\":0,\"end\":8191,\"flags\":2}", "0")),
    REPLIES("lend-flags-0", "a range of no kind", "lend",
            LENT(RANGE("4096", "8191", "0"), "0")),
    REPLIES("lend-flags-3", "memory and ports at once", "lend",
            LENT(RANGE("4096", "8191", "3"), "0")),
    REPLIES("lend-flags-16", "a kind that is none", "lend",
            LENT(RANGE("4096", "8191", "18"), "0")),
    REPLIES("lend-flags-2^32", "flags of 2^32+2", "lend",
            LENT(RANGE("4096", "8191", "4294967298"), "0")),
    REPLIES("lend-zero", "memory from address 0", "lend",
            LENT(RANGE("0", "4095", "2"), "0")),
    REPLIES("lend-port-65536", "more ports than there are", "lend",
            LENT(RANGE("65535", "65536", "1"), "0")),
    REPLIES("lend-gsi-2^31", "an interrupt of 2^31", "lend",
            LENT(NONE, "2147483648")),
    REPLIES("lend-gsi-negative", "a negative interrupt", "lend",
            LENT(NONE, "-1")),
    REPLIES("lend-gsi-string", "an interrupt that is a string", "lend",
            LENT(NONE, "\"9\"")),
    REPLIES("lend-gsi-missing", "no interrupt", "lend", RETURN("{\"resources\":"
            "[" NONE "," NONE "," NONE "," NONE "," NONE "," NONE "," NONE
            "],\"reset\":null}")),
    REPLIES("lend-reset", "a reset that is a number", "lend", RETURN("{"
            "\"resources\":[" NONE "," NONE "," NONE "," NONE "," NONE ","
            NONE "," NONE "],\"gsi\":0,\"reset\":7}")),
    /* ... to who also asks for interrupt control */
    { .name = "lend-control-missing", .what = "nothing about interrupt control",
      .greeting = GREETING(V1, FEATURES CONTROL), .command = "\"lend\"",
      .reply = LENT(NONE, "0") },
    { .name = "lend-control-string", .what = "interrupt control is a string",
      .greeting = GREETING(V1, FEATURES CONTROL), .command = "\"lend\"",
      .reply = RETURN("{\"resources\":[" NONE "," NONE "," NONE "," NONE ","
      NONE "," NONE "," NONE "],\"gsi\":0,\"reset\":null,"
      "\"interrupt_control\":\"yes\"}") },
    /* ... of the proper form: whether it is the machine's to lend, is another matter */
    REPLIES("lend-ram", "RAM", "lend",
            LENT(RANGE(RAM_START, RAM_END, "2"), "0")),
    REPLIES("lend-low", "the first megabyte", "lend",
            LENT(RANGE("4096", "1048575", "2"), "0")),
    REPLIES("lend-all", "all of the memory", "lend",
            LENT(RANGE("4096", "4503599627370495", "2"), "0")),
    REPLIES("lend-apic", "the interrupt controller", "lend",
            LENT(RANGE(CONTROLLER_START, CONTROLLER_END, "2"), "0")),
    REPLIES("lend-ports", "all ports", "lend",
            LENT(RANGE("1", "65535", "1"), "0")),
    REPLIES("lend-pic", "the ports of the interrupt controller", "lend",
            LENT(RANGE("32", "33", "1"), "0")),
    REPLIES("lend-gsi", "an interrupt that is not there", "lend",
            LENT(NONE, "65535")),
    REPLIES("lend-half", "ports that are there, and RAM", "lend",
            RETURN("{\"resources\":[" RANGE("49152", "49215", "1") ","
            RANGE("4096", "4503599627370495", "2") "," NONE "," NONE ","
            NONE "," NONE "," NONE "],\"gsi\":0,\"reset\":null}")),
};

#define OWNERS (sizeof(owners) / sizeof(owners[0]))

/* Against one client, in a process of its own */
static void play_owner(size_t i)
{
    const char *request;

    if (owners[i].start) {
        owners[i].start(NULL);
    } else {
        offer();
        if (owners[i].greeting)
            send_line(owners[i].greeting);
        else
            greet();
    }
    while (chan && (request = receive_line(10 * LONG_MS))) {
        if (!owners[i].command || !strstr(request, owners[i].command))
            reply_properly(request);
        else if (owners[i].reply)
            substitute(owners[i].reply, request);
        else
            owners[i].play(request);
    }
    exit(0);
}

static void publish(void)
{
    struct xs_permissions rights[] = {
        { .id = domid, .perms = XS_PERM_NONE },
        { .id = toolstack, .perms = XS_PERM_READ | XS_PERM_WRITE },
    };
    char dir[sizeof(base) + 16];

    snprintf(dir, sizeof(dir), "%s/%d", base, toolstack);
    xs_rm(xs, XBT_NULL, base);
    if (!xs_mkdir(xs, XBT_NULL, base) || !xs_mkdir(xs, XBT_NULL, dir) ||
        !xs_set_permissions(xs, XBT_NULL, base, rights, 2) ||
        !xs_set_permissions(xs, XBT_NULL, dir, rights, 2))
        err(1, "%s", dir);
}

static size_t find_owner(const char *name)
{
    size_t i;

    for (i = 0; i < OWNERS; i++)
        if (!strcmp(owners[i].name, name))
            return i;
    errx(2, "owner: no misbehaviour %s", name);
}

void owner(const char *name)
{
    char chosen[64], plays[64], clients[16];
    unsigned int n;

    snprintf(base, sizeof(base), "/local/domain/%d/data/pcid", domid);
    snprintf(chosen, sizeof(chosen), "/local/domain/%d/data/hostile", domid);
    snprintf(plays, sizeof(plays), "/local/domain/%d/data/hostile-plays",
             domid);
    snprintf(clients, sizeof(clients), "/%d/", toolstack);
    signal(SIGCHLD, SIG_IGN);
    if (!xs_watch(xs, base, ""))
        err(1, "watch");
    publish();
    for (;;) {
        char **event = xs_read_watch(xs, &n);
        const char *path = event[XS_WATCH_PATH] + strlen(base);
        char *state = NULL;

        if (!strncmp(path, clients, strlen(clients)) &&
            path[strlen(clients)] && !strchr(path + strlen(clients), '/'))
            state = xs_read(xs, XBT_NULL, event[XS_WATCH_PATH], &n);
        if (state && !strcmp(state, "requested")) {
            char *wanted = name ? strdup(name)
                                : xs_read(xs, XBT_NULL, chosen, &n);
            size_t i = find_owner(wanted ? wanted : "proper");

            asked = strcmp(node, event[XS_WATCH_PATH]) ? 1 : asked + 1;
            snprintf(node, sizeof(node), "%s", event[XS_WATCH_PATH]);
            put(plays, owners[i].name);
            if (!fork()) {
                xs = xs_open(0);
                play_owner(i);
            }
            free(wanted);
        }
        free(state);
        free(event);
    }
}

void owner_list(void)
{
    size_t i;

    for (i = 0; i < OWNERS; i++)
        printf("%s: %s\n", owners[i].name, owners[i].what);
}
