/*
 * The client that misbehaves: see hostile.c.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostile.h"

/*
 * Asking
 */

static void name_node(const char *name)
{
    snprintf(node, sizeof(node), "%s/%d/%s", base, domid, name);
}

/* What the node says when it no longer says `value', or NULL. */
static char *answer(const char *value, int ms)
{
    int64_t end = now_ms() + ms;
    char *now;

    xs_watch(xs, node, "");
    for (;;) {
        struct pollfd pfd = { xs_fileno(xs), POLLIN, 0 };
        int64_t left = end - now_ms();
        unsigned int n;

        now = xs_read(xs, XBT_NULL, node, &n);
        if (now && strcmp(now, value))
            break;
        free(now);
        now = NULL;
        if (left <= 0 || poll(&pfd, 1, left) <= 0)
            break;
        free(xs_read_watch(xs, &n));
    }
    xs_unwatch(xs, node, "");
    return now;
}

/* Writes to the node, and prints the answer: no channel is used. */
static void only_ask(const char *value, int ms)
{
    const char *now;

    if (!put(node, value))
        return;
    now = answer(value, ms);
    printf("%s\n", now ? now : "nothing");
    xs_rm(xs, XBT_NULL, node);
}

/* Asks for a channel, connects and reads the greeting. */
static bool open_channel(void)
{
    const char *now;

    if (!put(node, "requested"))
        return false;
    now = answer("requested", LONG_MS);
    if (!now || strcmp(now, "offered")) {
        printf("%s\n", now ? now : "nothing");
        xs_rm(xs, XBT_NULL, node);
        return false;
    }
    chan = libxenvchan_client_init(NULL, peer, node);
    if (!chan) {
        printf("cannot connect\n");
        return false;
    }
    if (!receive_line(LONG_MS)) {
        printf("no greeting\n");
        return false;
    }
    return true;
}

/*
 * What came of it
 */

/* The class of an error, "return", or what else the daemon sent */
static const char *kind_of(char *line)
{
    static const char class[] = "\"class\":\"";
    char *at = strstr(line, class);

    if (!at)
        return strstr(line, "\"return\":") ? "return" : line;
    at += strlen(class);
    at[strcspn(at, "\"")] = '\0';
    return at;
}

/* Whether a proper request is answered; others that come first are not ours. */
static bool goes_on(void)
{
    char *line;

    if (!send_line("{\"execute\":\"exists\",\"id\":424242,\"arguments\":"
                   "{\"dir_id\":\"pci_devices\",\"sbdf\":\"" ABSENT "\"}}"))
        return false;
    while ((line = receive_line(LONG_MS)))
        if (strstr(line, "\"id\":424242"))
            return strstr(line, "\"return\":false");
    return false;
}

/* Prints the reply, and whether the channel is still of use. */
static void outcome(int ms)
{
    char *line = receive_line(ms);

    if (line)
        printf("%s, then ", kind_of(line));
    else if (!closed()) {
        printf("nothing\n");
        return;
    }
    if (line && goes_on())
        printf("open\n");
    else
        printf(wait_closed(LONG_MS) ? "closed\n" : "nothing\n");
}

/*
 * Misbehaviours that are no single message.
 */

#define LS "{\"execute\":\"ls\",\"id\":1,\"arguments\":" \
    "{\"dir_id\":\"pci_devices\"}}"
#define RESET(id) "{\"execute\":\"reset\",\"id\":" id ",\"arguments\":" \
    "{\"sbdf\":\"" ABSENT "\"}}"

static void play_long(void)
{
    send_many(" ", 4096 - strlen(LS) - strlen(END) + 1);
    send_line(LS);
    outcome(LONG_MS);
}

static void play_longest(void)
{
    send_many(" ", 4096 - strlen(LS) - strlen(END));
    send_line(LS);
    outcome(LONG_MS);
}

static void play_endless(void)
{
    send_many(X1000("A"), 1024);
    outcome(LONG_MS);
}

static void play_nul(void)
{
    send_bytes("{\"execute\":\0\"ls\"}" END, 17 + strlen(END));
    outcome(LONG_MS);
}

static void play_bytewise(void)
{
    const char *p;

    for (p = LS END; *p; p++)
        send_bytes(p, 1);
    outcome(LONG_MS);
}

static void play_half_close(void)
{
    send_bytes(LS, 20);
    libxenvchan_close(chan);
    chan = NULL;
    printf("nothing\n");
}

static void play_half(void)
{
    send_bytes(LS, 20);
    outcome(SHORT_MS);
}

static void play_close(void)
{
    libxenvchan_close(chan);
    chan = NULL;
    printf("nothing\n");
}

/* What changes something, and the client is gone when it is done */
static void play_work_close(void)
{
    send_many(RESET("1") END, 16);
    play_close();
}

static void play_in_flight(void)
{
    char *line;
    int busy = 0, i;

    send_many(RESET("1") END, 40);
    for (i = 0; i < 40 && (line = receive_line(LONG_MS)); i++)
        busy += !strcmp(kind_of(line), "TooManyRequests");
    printf("%s, then %s\n", busy ? "TooManyRequests" : "no limit",
           goes_on() ? "open" : "closed");
}

static void play_same_id(void)
{
    int replies = 0;

    send_many(LS END, 3);
    while (receive_line(SHORT_MS))
        replies++;
    printf("%d replies, then %s\n", replies, goes_on() ? "open" : "closed");
}

/* Never reads; the replies are more than the daemon is to keep. */
static void play_unread(void)
{
    send_many(LS END, 3000);
    printf(wait_closed(2 * LONG_MS) ? "closed\n" : "nothing\n");
}

static void play_prod_ahead(void)
{
    chan->write.shr->prod += 100000;
    notify();
    outcome(SHORT_MS);
}

static void play_prod_behind(void)
{
    chan->write.shr->prod--;
    notify();
    outcome(SHORT_MS);
}

static void play_prod_full(void)
{
    chan->write.shr->prod += 1024;
    notify();
    outcome(SHORT_MS);
}

static void play_cons_ahead(void)
{
    chan->read.shr->cons += 5000;
    send_line(LS);
    notify();
    printf(receive_line(SHORT_MS) ? "reply\n" : "nothing\n");
}

static void play_cons_back(void)
{
    chan->read.shr->cons -= 1u << chan->read.order;
    send_line(LS);
    notify();
    printf(wait_closed(2 * LONG_MS) ? "closed\n" : "nothing\n");
}

static void play_orders(void)
{
    chan->ring->left_order = chan->ring->right_order = 31;
    send_line(LS);
    outcome(LONG_MS);
}

static void play_grants(void)
{
    memset(chan->ring->grants, 0xff, 512);
    send_line(LS);
    outcome(LONG_MS);
}

static void play_notify(void)
{
    int i;

    for (i = 0; i < 20000; i++)
        notify();
    send_line(LS);
    outcome(LONG_MS);
}

static void play_dead(void)
{
    chan->ring->cli_live = 0;
    notify();
    outcome(LONG_MS);
}

static void play_unborn(void)
{
    send_line(LS);
    outcome(LONG_MS);
    chan->ring->cli_live = 2;
    notify();
}

static void play_live_99(void)
{
    chan->ring->cli_live = 99;
    send_line(LS);
    outcome(LONG_MS);
}

static void play_no_notify(void)
{
    chan->ring->srv_notify = chan->ring->cli_notify = 0;
    send_line(LS);
    chan->ring->cli_notify = 0xff;
    notify();
    outcome(LONG_MS);
}

static void play_name_long(void)
{
    name_node("thirteen-byte");
    only_ask("requested", LONG_MS);
}

static void play_name_huge(void)
{
    name_node(X100("n"));
    only_ask("requested", LONG_MS);
}

static void play_name_odd(void)
{
    name_node("-_@-_@-_@");
    if (open_channel() && send_line(LS))
        outcome(LONG_MS);
}

static void play_name_dots(void)
{
    name_node("..");
    only_ask("requested", SHORT_MS);
}

static void play_name_percent(void)
{
    name_node("%s%n");
    only_ask("requested", SHORT_MS);
}

/* More at once than a domain can have */
static void play_many(void)
{
    char path[200][sizeof(node)], name[16];
    int i, offered = 0, refused = 0;
    const char *now;

    for (i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "many%d", i);
        name_node(name);
        strcpy(path[i], node);
        if (!put(node, "requested"))
            return;
    }
    for (i = 0; i < 200; i++) {
        strcpy(node, path[i]);
        now = answer("requested", LONG_MS);
        offered += now && !strcmp(now, "offered");
        refused += now && !strncmp(now, "refused: ", 9);
    }
    for (i = 0; i < 200; i++)
        xs_rm(xs, XBT_NULL, path[i]);
    printf("%d offered, %d refused\n", offered, refused);
}

static bool node_exists(void)
{
    unsigned int n;
    char *now = xs_read(xs, XBT_NULL, node, &n);

    free(now);
    return now;
}

/* Does not connect; the daemon takes its offer back. */
static void play_no_connect(void)
{
    int64_t end = now_ms() + LONG_MS;

    if (!put(node, "requested"))
        return;
    free(answer("requested", LONG_MS));
    while (node_exists() && now_ms() < end)
        usleep(100000);
    printf(node_exists() ? "nothing\n" : "taken back\n");
}

static void play_removed(void)
{
    if (!put(node, "requested"))
        return;
    free(answer("requested", LONG_MS));
    xs_rm(xs, XBT_NULL, node);
    printf("nothing\n");
}

static void play_removed_early(void)
{
    if (!put(node, "requested"))
        return;
    xs_rm(xs, XBT_NULL, node);
    printf("nothing\n");
}

/* Connected, but the node is gone before the first message */
static void play_removed_late(void)
{
    if (!open_channel())
        return;
    xs_rm(xs, XBT_NULL, node);
    printf(wait_closed(LONG_MS) ? "closed\n" : "nothing\n");
}

static void play_offered(void)
{
    only_ask("offered", SHORT_MS);
}

static void play_nonsense(void)
{
    only_ask(X100("nonsense"), SHORT_MS);
}

static void play_twice(void)
{
    if (!put(node, "requested"))
        return;
    free(answer("requested", LONG_MS));
    only_ask("requested", SHORT_MS);
}

/* The daemon may not look at what it is asked. */
static void play_rights(void)
{
    struct xs_permissions nobody = { .id = domid, .perms = XS_PERM_NONE };
    xs_transaction_t t = xs_transaction_start(xs);

    if (!xs_write(xs, t, node, "requested", 9) ||
        !xs_set_permissions(xs, t, node, &nobody, 1)) {
        printf("denied: %s\n", strerrorname_np(errno));
        xs_transaction_end(xs, t, true);
        return;
    }
    xs_transaction_end(xs, t, false);
    free(answer("requested", SHORT_MS));
    xs_rm(xs, XBT_NULL, node);
    printf("nothing\n");
}

/* The nodes of the vchan are there before, and not the daemon's. */
static void play_ring_ref(void)
{
    struct xs_permissions all = { .id = domid,
                                  .perms = XS_PERM_READ | XS_PERM_WRITE };
    static const char *const names[] = { "ring-ref", "event-channel" };
    char path[sizeof(node) + 16];
    int i;

    for (i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", node, names[i]);
        if (!put(path, "4294967295") ||
            !xs_set_permissions(xs, XBT_NULL, path, &all, 1))
            return;
    }
    if (open_channel() && send_line(LS))
        outcome(LONG_MS);
    else
        xs_rm(xs, XBT_NULL, node);
}

static void play_deep(void)
{
    name_node("a/b/c/d");
    only_ask("requested", SHORT_MS);
    name_node("a");
    xs_rm(xs, XBT_NULL, node);
}

/* In the name of another domain, or of none */
static void ask_as(const char *who)
{
    char dir[sizeof(base) + 64];

    snprintf(dir, sizeof(dir), "%s/%s", base, who);
    snprintf(node, sizeof(node), "%.200s/x", dir);
    only_ask("requested", SHORT_MS);
    xs_rm(xs, XBT_NULL, dir);
}

static void play_as_other(void) { ask_as("7"); }
static void play_as_reserved(void) { ask_as("32752"); }
static void play_as_huge(void) { ask_as("18446744073709551616"); }
static void play_as_word(void) { ask_as("x0"); }
static void play_as_padded(void) { ask_as("0x7"); }

static void play_as_toolstack(void)
{
    snprintf(node, sizeof(node), "%s/%d/x", base, toolstack);
    only_ask("requested", SHORT_MS);
}

static void play_listing(void)
{
    unsigned int n;
    char **names = xs_directory(xs, XBT_NULL, base, &n);

    if (names)
        printf("%u clients\n", n);
    else
        printf("denied: %s\n", strerrorname_np(errno));
    free(names);
}

static void play_remove_base(void)
{
    if (xs_rm(xs, XBT_NULL, base))
        printf("removed\n");
    else
        printf("denied: %s\n", strerrorname_np(errno));
}

static void play_lent(void)
{
    snprintf(node, sizeof(node), "/local/domain/%d/data/pcid-lent/%d/"
             "0000-00-03-0", peer, domid);
    only_ask("{}", SHORT_MS);
}

/* To connect to the channels of others: by their grants, by their ports */
#define TRIES 256

static void play_steal_grants(void)
{
    xengnttab_handle *gnttab = xengnttab_open(NULL, 0);
    int i, stolen = 0;

    if (!gnttab)
        err(1, "gntdev");
    for (i = 0; i < TRIES; i++)
        if (xengnttab_map_grant_ref(gnttab, peer, i,
                                    PROT_READ | PROT_WRITE))
            stolen++;
    printf("%d grants\n", stolen);
}

static void play_steal_ports(void)
{
    xenevtchn_handle *event = xenevtchn_open(NULL, 0);
    int i, stolen = 0;

    if (!event)
        err(1, "evtchn");
    for (i = 1; i < TRIES; i++)
        if (xenevtchn_bind_interdomain(event, peer, i) >= 0)
            stolen++;
    printf("%d ports\n", stolen);
}

/* Not a misbehaviour: there is something to steal as long as this runs. */
static void play_hold(void)
{
    send_line(LS);
    outcome(LONG_MS);
    fflush(stdout);
    for (;;)
        pause();
}

#define CALL(command, arguments) "{\"execute\":\"" command "\",\"id\":1," \
    "\"arguments\":{" arguments "}}"
#define SBDF(s) "\"sbdf\":\"" s "\""
#define EXISTS(sbdf) CALL("exists", "\"dir_id\":\"pci_devices\"," SBDF(sbdf))
#define DIR(s) CALL("ls", "\"dir_id\":\"" s "\"")
#define ID(s) "{\"execute\":\"ls\",\"id\":" s ",\"arguments\":" \
    "{\"dir_id\":\"pci_devices\"}}"
#define BIND(driver) CALL("write", "\"file_id\":\"driver_bind\"," \
    SBDF(ABSENT) ",\"driver\":\"" driver "\"")
#define LEND(sbdf, reset, permissive) CALL("lend", SBDF(sbdf) \
    ",\"reset\":" reset ",\"permissive\":" permissive)
#define E1000B "0000:00:04.0"

static const struct {
    const char *name;
    const char *what;
    const char *text;           /* a message on an open channel, or */
    void (*play)(void);         /* what is done with one, or */
    void (*asks)(void);         /* in place of asking for one */
} clients[] = {
#define SENDS(name_, what_, text_) \
    { .name = name_, .what = what_, .text = text_ }
#define PLAYS(name_, what_, play_) \
    { .name = name_, .what = what_, .play = play_ }
#define ASKS(name_, what_, asks_) \
    { .name = name_, .what = what_, .asks = asks_ }

    /* JSON */
    SENDS("word", "no JSON", "hello"),
    SENDS("empty", "nothing, and its end", ""),
    SENDS("array", "an array", "[1,2]"),
    SENDS("number", "a number", "7"),
    SENDS("string", "a string", "\"ls\""),
    SENDS("null", "null", "null"),
    SENDS("unclosed", "an object without its end", "{\"execute\":\"ls\""),
    SENDS("open-string", "a string without its end", "{\"execute\":\"ls"),
    SENDS("two-values", "two messages in one", LS LS),
    SENDS("trailing", "a bracket too many", LS "]"),
    SENDS("comment", "a comment", "{/**/\"id\":1}"),
    SENDS("no-value", "a key without a value", "{\"id\"}"),
    SENDS("nan", "a number that is none", ID("NaN")),
    SENDS("infinity", "a number that is too large for any", ID("1e999")),
    SENDS("depth-9", "one level too deep", "[[[[[[[[[]]]]]]]]]"),
    SENDS("depth-1000", "1000 levels", X1000("[")),
    SENDS("depth-objects", "100 objects in objects", X100("{\"a\":")),
    SENDS("non-ascii", "bytes over 0x7f", DIR("pci_devices\xc3\xa4")),
    SENDS("control", "a control character", DIR("pci\tdevices")),
    SENDS("escape", "a terminal's escape sequence", "\033[2J\007"),
    SENDS("lone-cr", "CR without LF", DIR("pci\rdevices")),
    SENDS("lone-lf", "LF without CR", LS "\n" LS),
    SENDS("bad-escape", "an escape that JSON has not", DIR("\\x41")),
    SENDS("nul-escape", "an escaped NUL in a keyword",
          DIR("pci_devices\\u0000/etc")),
    SENDS("nul-key", "an escaped NUL in a key",
          "{\"execute\\u0000x\":\"ls\",\"id\":1,"
          "\"arguments\":{\"dir_id\":\"pci_devices\"}}"),
    SENDS("surrogate", "half a surrogate", DIR("\\ud800")),
    /* Requests */
    SENDS("nothing-in-it", "an empty object", "{}"),
    SENDS("id-missing", "no ID", "{\"execute\":\"ls\",\"arguments\":{}}"),
    SENDS("id-negative", "a negative ID", ID("-1")),
    SENDS("id-string", "an ID that is a string", ID("\"1\"")),
    SENDS("id-float", "an ID with a fraction", ID("1.5")),
    SENDS("id-exponent", "an ID with an exponent", ID("1e3")),
    SENDS("id-null", "an ID that is null", ID("null")),
    SENDS("id-object", "an ID that is an object", ID("{}")),
    SENDS("id-2^63", "an ID that is too large", ID("9223372036854775808")),
    SENDS("id-2^63-1", "the largest ID", ID("9223372036854775807")),
    SENDS("id-digits", "an ID of 1000 digits", ID(X1000("9"))),
    SENDS("id-twice", "two IDs", "{\"id\":1,\"id\":2,\"execute\":\"ls\"}"),
    SENDS("execute-twice", "two commands",
          "{\"execute\":\"ls\",\"execute\":\"unbind\","
          "\"id\":1,\"arguments\":{" SBDF(E1000B) "}}"),
    SENDS("execute-missing", "no command", "{\"id\":1,\"arguments\":{}}"),
    SENDS("execute-number", "a command that is a number",
          "{\"execute\":1,\"id\":1}"),
    SENDS("execute-unknown", "a command that is none",
          CALL("rm", SBDF(ABSENT))),
    SENDS("execute-format", "a command with conversions", CALL("%s%n%n", "")),
    SENDS("execute-long", "a command of 3000 bytes",
          CALL(X1000("a") X1000("b") X1000("c"), "")),
    SENDS("member-unknown", "a member that is none",
          "{\"execute\":\"ls\",\"id\":1,\"arguments\":"
          "{\"dir_id\":\"pci_devices\"},\"force\":true}"),
    SENDS("reply", "a reply", "{\"return\":{},\"id\":1}"),
    SENDS("greeting", "a greeting",
          "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0},"
          "\"features\":[]}}"),
    SENDS("progress", "progress", "{\"progress\":{},\"id\":1}"),
    /* Arguments */
    SENDS("arguments-missing", "no arguments",
          "{\"execute\":\"ls\",\"id\":1}"),
    SENDS("arguments-array", "arguments that are an array",
          "{\"execute\":\"ls\",\"id\":1,\"arguments\":[\"pci_devices\"]}"),
    SENDS("argument-missing", "an argument too few", CALL("ls", "")),
    SENDS("argument-unknown", "an argument too many",
          CALL("ls", "\"dir_id\":\"pci_devices\"," SBDF(ABSENT))),
    SENDS("argument-twice", "an argument twice",
          CALL("unbind", SBDF(ABSENT) "," SBDF(E1000B))),
    SENDS("argument-number", "an argument that is a number",
          CALL("ls", "\"dir_id\":0")),
    SENDS("argument-null", "an argument that is null",
          CALL("ls", "\"dir_id\":null")),
    SENDS("argument-object", "an argument that is an object",
          CALL("ls", "\"dir_id\":{\"dir_id\":{}}")),
    SENDS("reset-number", "1 for true", LEND(E1000B, "1", "false")),
    SENDS("reset-string", "\"true\" for true",
          LEND(E1000B, "true", "\"true\"")),
    /* Values */
    SENDS("dir-path", "a path for a keyword", DIR("/etc")),
    SENDS("dir-up", "a path upwards", DIR("../../../etc")),
    SENDS("dir-empty", "an empty keyword", DIR("")),
    SENDS("dir-case", "a keyword in capitals", DIR("PCI_DEVICES")),
    SENDS("sbdf-empty", "an empty SBDF", EXISTS("")),
    SENDS("sbdf-space", "an SBDF with a space", EXISTS(" 000:00:03.0")),
    SENDS("sbdf-case", "an SBDF in capitals", EXISTS("0000:00:1E.7")),
    SENDS("sbdf-short", "an SBDF without segment", EXISTS("00:03.0")),
    SENDS("sbdf-long", "an SBDF and more", EXISTS("0000:00:03.00")),
    SENDS("sbdf-device", "a device number of 0x20", EXISTS("0000:00:20.0")),
    SENDS("sbdf-function", "a function of 8", EXISTS("0000:00:03.8")),
    SENDS("sbdf-path", "an SBDF and a path", EXISTS("0000:00:03.0/../..")),
    SENDS("sbdf-negative", "an SBDF with a sign", EXISTS("-001:00:03.0")),
    SENDS("driver-up", "a driver that is a path", BIND("../../../../bin")),
    SENDS("driver-slash", "a driver below another", BIND("e1000/unbind")),
    SENDS("driver-dot", "a driver that is a directory", BIND(".")),
    SENDS("driver-empty", "a driver without name", BIND("")),
    SENDS("driver-long", "a driver of 65 bytes", BIND(X10("abcdef") "abcde")),
    SENDS("driver-nul", "a driver with an escaped NUL",
          BIND("e1000\\u0000/..")),
    SENDS("driver-newline", "a driver with an escaped newline",
          BIND("e1000\\n1")),
    SENDS("driver-unasked", "a driver where there can be none",
          CALL("write", "\"file_id\":\"pciback_bind\"," SBDF(ABSENT)
               ",\"driver\":\"e1000\"")),
    SENDS("driver-missing", "no driver where there must be one",
          CALL("write", "\"file_id\":\"driver_bind\"," SBDF(ABSENT))),
    SENDS("file-path", "a path for a file",
          CALL("write", SBDF(ABSENT)
               ",\"file_id\":\"/sys/bus/pci/drivers/pciback/bind\"")),
    /* What cannot be done */
    SENDS("driver-none", "a driver that is not there", BIND("nonesuch")),
    SENDS("absent-query", "a device that is not there",
          CALL("query", SBDF(ABSENT))),
    SENDS("absent-unbind", "to unbind it", CALL("unbind", SBDF(ABSENT))),
    SENDS("absent-assign", "to assign it", CALL("assign", SBDF(ABSENT))),
    SENDS("absent-lend", "to lend it", LEND(ABSENT, "true", "true")),
    SENDS("lend-driven", "to lend what the owner uses itself",
          LEND(E1000B, "false", "false")),
    SENDS("take-back", "to take back what was not lent",
          CALL("take_back", SBDF(E1000B) ",\"reset\":false")),
    SENDS("permissive", "a device that is not pciback's, permissive",
          CALL("write", "\"file_id\":\"pciback_permissive\"," SBDF(E1000B))),
    /* In the ring */
    PLAYS("long", "a request one byte too long", play_long),
    PLAYS("longest", "a request just not too long", play_longest),
    PLAYS("endless", "1 MB without an end", play_endless),
    PLAYS("nul", "a NUL", play_nul),
    PLAYS("bytewise", "a request byte by byte", play_bytewise),
    PLAYS("half", "half a request, no more", play_half),
    PLAYS("half-close", "half a request, and the end", play_half_close),
    PLAYS("close", "the end at once", play_close),
    PLAYS("work-close", "16 changes, and the end", play_work_close),
    PLAYS("in-flight", "40 changes at once", play_in_flight),
    PLAYS("same-id", "three requests with one ID", play_same_id),
    PLAYS("unread", "3000 requests, and replies not read", play_unread),
    PLAYS("prod-ahead", "more written than the ring holds", play_prod_ahead),
    PLAYS("prod-behind", "less than nothing written", play_prod_behind),
    PLAYS("prod-full", "a ring full of what is in it", play_prod_full),
    PLAYS("cons-ahead", "more read than was written", play_cons_ahead),
    PLAYS("cons-back", "replies that are unread again", play_cons_back),
    PLAYS("orders", "sizes of the rings changed", play_orders),
    PLAYS("grants", "the list of grants overwritten", play_grants),
    PLAYS("notify", "20,000 events without data", play_notify),
    PLAYS("no-notify", "no notification wanted", play_no_notify),
    PLAYS("dead", "dead, says the ring", play_dead),
    PLAYS("unborn", "never connected, says the ring", play_unborn),
    PLAYS("live-99", "neither, says the ring", play_live_99),
    /* In xenstore */
    ASKS("name-long", "a name of 13 characters", play_name_long),
    ASKS("name-huge", "a name of 100", play_name_huge),
    ASKS("name-odd", "a name without letters", play_name_odd),
    ASKS("name-dots", "a name that leads upwards", play_name_dots),
    ASKS("name-percent", "a name with conversions", play_name_percent),
    ASKS("many", "200 requests at once", play_many),
    ASKS("no-connect", "a channel never used", play_no_connect),
    ASKS("removed", "a node removed after the offer", play_removed),
    ASKS("removed-early", "a node removed before it", play_removed_early),
    ASKS("removed-late", "a node removed when connected", play_removed_late),
    ASKS("offered", "an offer by the client", play_offered),
    ASKS("nonsense", "800 bytes in the node", play_nonsense),
    ASKS("twice", "a name requested twice", play_twice),
    ASKS("rights", "a node that the daemon cannot read", play_rights),
    ASKS("ring-ref", "the vchan's nodes made before", play_ring_ref),
    ASKS("deep", "a request four levels down", play_deep),
    ASKS("as-other", "in the name of domain 7", play_as_other),
    ASKS("as-reserved", "in that of no possible domain", play_as_reserved),
    ASKS("as-huge", "in that of domain 2^64", play_as_huge),
    ASKS("as-word", "in that of a word", play_as_word),
    ASKS("as-padded", "in that of a number and more", play_as_padded),
    ASKS("as-toolstack", "in that of the toolstack domain", play_as_toolstack),
    ASKS("listing", "who else asks", play_listing),
    ASKS("remove-base", "the directory removed", play_remove_base),
    ASKS("lent", "a record of what was lent", play_lent),
    ASKS("steal-grants", "the pages of all channels", play_steal_grants),
    ASKS("steal-ports", "the events of all channels", play_steal_ports),
    PLAYS("hold", "nothing wrong: stays connected", play_hold),
};

#define CLIENTS (sizeof(clients) / sizeof(clients[0]))

int client(const char *owner, const char *name)
{
    char unique[16];
    size_t i;

    peer = atoi(owner);
    snprintf(base, sizeof(base), "/local/domain/%d/data/pcid", peer);
    snprintf(unique, sizeof(unique), "%x", getpid());
    name_node(unique);

    for (i = 0; i < CLIENTS; i++) {
        if (strcmp(clients[i].name, name))
            continue;
        if (clients[i].asks) {
            clients[i].asks();
        } else if (open_channel()) {
            if (clients[i].play) {
                clients[i].play();
            } else {
                send_line(clients[i].text);
                outcome(LONG_MS);
            }
        }
        libxenvchan_close(chan);
        return 0;
    }
    errx(2, "client: no misbehaviour %s", name);
}

void client_list(void)
{
    size_t i;

    for (i = 0; i < CLIENTS; i++)
        printf("%s: %s\n", clients[i].name, clients[i].what);
}
