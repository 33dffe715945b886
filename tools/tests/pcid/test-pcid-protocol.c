/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pcid protocol: requests, replies and greetings to text and back, and
 * everything that is no valid message.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "harness.h"
#include "libxl_pcid.h"

static libxl_ctx *ctx;

/* A long string for a test to put somewhere */
static char *repeat(libxl__gc *gc, char c, size_t n)
{
    char *s = libxl__zalloc(gc, n + 1);

    memset(s, c, n);
    return s;
}

/*
 * Values
 */

static void sbdf_valid(void)
{
    static const struct {
        const char *text;
        libxl__pci_sbdf sbdf;
    } t[] = {
        { "0000:00:00.0", { 0, 0, 0, 0 } },
        { "0000:03:1f.7", { 0, 3, 0x1f, 7 } },
        { "ffff:ff:1f.7", { 0xffff, 0xff, 0x1f, 7 } },
        { "abcd:ef:0a.1", { 0xabcd, 0xef, 0x0a, 1 } },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        libxl__pci_sbdf s = { 1, 1, 1, 1 };

        ok(libxl__pci_sbdf_parse(t[i].text, &s) &&
           s.domain == t[i].sbdf.domain && s.bus == t[i].sbdf.bus &&
           s.dev == t[i].sbdf.dev && s.func == t[i].sbdf.func,
           "%s", t[i].text);
    }
}

static void sbdf_invalid(void)
{
    static const char *const t[] = {
        "", " ", "0", "0000", "0000:", "0000:00", "0000:00:00",
        "0000:00:00.", "0000:00:00.0 ", " 0000:00:00.0", "0000:00:00.0\n",
        "0000:00:00.00", "0000:00:00.8", "0000:00:00.f", "0000:00:20.0",
        "0000:00:ff.0", "0000:100:00.0", "10000:00:00.0", "000:00:00.0",
        "0000:0:00.0", "0000:00:0.0", "00:00.0", "0000:00:00:0",
        "0000.00.00.0", "0000:00:00,0", "000g:00:00.0", "0000:0g:00.0",
        "0000:00:0g.0", "0000:00:00.g", "ABCD:00:00.0", "0000:AB:00.0",
        "0000:00:1F.0", "0x00:00:00.0", "-000:00:00.0", "+000:00:00.0",
        "0000:-1:00.0", "0000:+1:00.0", "0000: 1:00.0", "0000:00: 1.0",
        "0000:00:00.-", "../0:00:00.0", "0000:00:00.0/", "0000:00:00.0:",
        "0000:00:00.0@1", "0000:00:00.*",
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        libxl__pci_sbdf s = { 1, 2, 3, 4 };

        ok(!libxl__pci_sbdf_parse(t[i], &s) && s.domain == 1 && s.bus == 2 &&
           s.dev == 3 && s.func == 4, "\"%s\" is refused, and changes nothing",
           t[i]);
    }
}

static void sbdf_every_range(void)
{
    unsigned d, f, wrong = 0;
    libxl__pci_sbdf s;
    char text[32];

    for (d = 0; d < 256; d++)
        for (f = 0; f < 16; f++) {
            sprintf(text, "0001:02:%02x.%x", d, f);
            if (libxl__pci_sbdf_parse(text, &s) != (d < 32 && f < 8))
                wrong++;
        }
    is_int(wrong, 0, "every device and function number");
}

static void sbdf_equal(void)
{
    static const libxl__pci_sbdf a = { 1, 2, 3, 4 };
    static const libxl__pci_sbdf others[] = {
        { 0, 2, 3, 4 }, { 0x101, 2, 3, 4 }, { 1, 0, 3, 4 }, { 1, 2, 0, 4 },
        { 1, 2, 3, 0 }, { 1, 3, 2, 4 }, { 1, 2, 4, 3 }, { 0, 0, 0, 0 },
    };
    const libxl__pci_sbdf same = { 1, 2, 3, 4 };
    int i;

    ok(libxl__pci_sbdf_equal(&a, &a), "one is equal to itself");
    ok(libxl__pci_sbdf_equal(&a, &same), "and to one that is the same");
    for (i = 0; i < ARRAY_SIZE(others); i++)
        ok(!libxl__pci_sbdf_equal(&a, &others[i]) &&
           !libxl__pci_sbdf_equal(&others[i], &a),
           LIBXL__SBDF_FMT" is another", LIBXL__SBDF_ARG(others[i]));
}

static void driver_names(void)
{
    static const char *const good[] = {
        "e1000", "pciback", "xen-pciback", "8139cp", "a", "nvme.0",
        "MPT SAS", "a..b",
    };
    static const char *const bad[] = {
        "", ".", "..", ".hidden", "/", "a/b", "../pciback", "a/../b",
        "/etc", "a\n", "a\tb", "\x7f", "a\x80", "\xc3\xa9",
    };
    GC_INIT(ctx);
    int i;

    for (i = 0; i < ARRAY_SIZE(good); i++)
        ok(libxl__pci_driver_ok(good[i]), "\"%s\" can be a driver", good[i]);
    for (i = 0; i < ARRAY_SIZE(bad); i++)
        ok(!libxl__pci_driver_ok(bad[i]), "\"%s\" cannot be one", bad[i]);
    ok(libxl__pci_driver_ok(repeat(gc, 'a', PCID_DRIVER_MAX)),
       "%d bytes are not too long", PCID_DRIVER_MAX);
    ok(!libxl__pci_driver_ok(repeat(gc, 'a', PCID_DRIVER_MAX + 1)),
       "%d bytes are", PCID_DRIVER_MAX + 1);
    GC_FREE;
}

/*
 * Requests
 */

/* Without white space; no string may have any. */
static char *compact(char *text)
{
    char *from, *to;

    for (from = to = text; *from; from++)
        if (*from != ' ' && *from != '\n') *to++ = *from;
    *to = '\0';
    return text;
}

static void request_round_trip(libxl__gc *gc, int64_t id,
                               const libxl__hostpci_request *request,
                               const char *name)
{
    const char *text = libxl__pcid_encode_request(gc, id, request);
    libxl__hostpci_request got;
    libxl__hostpci_reply error;
    bool has_id = false;
    int64_t got_id = -1;
    int rc;

    ok(!strstr(text, LIBXL__VCHAN_END), "%s: no end within the text", name);
    ok(strlen(text) < 400, "%s: far below the limit for requests", name);
    rc = libxl__pcid_decode_request(gc, json(gc, text), &has_id, &got_id,
                                    &got, &error);
    if (!ok(!rc, "%s: is decoded", name)) return;
    ok(has_id && got_id == id, "%s: id %"PRId64, name, id);
    ok(got.command == request->command && got.dir == request->dir &&
       got.attr == request->attr && got.file == request->file &&
       libxl__pci_sbdf_equal(&got.sbdf, &request->sbdf),
       "%s: the same values", name);
    ok(got.reset == request->reset &&
       got.permissive == request->permissive &&
       got.interrupt_control == request->interrupt_control,
       "%s: the same booleans", name);
    is_str(got.driver, request->driver, "%s: driver", name);
}

static void requests_round_trip(void)
{
    GC_INIT(ctx);
    const libxl__pci_sbdf sbdf = { 0xffff, 0xfe, 0x1f, 7 };
    libxl__hostpci_command c;
    int i;

    for (c = 0; c < LIBXL__HOSTPCI_COMMANDS; c++) {
        libxl__hostpci_request r = { .command = c };
        int n = c == LIBXL__HOSTPCI_CMD_LS ? 3 :
            c == LIBXL__HOSTPCI_CMD_EXISTS ? 3 :
            c == LIBXL__HOSTPCI_CMD_READ_HEX ? 5 :
            c == LIBXL__HOSTPCI_CMD_WRITE ? 5 :
            c == LIBXL__HOSTPCI_CMD_LEND ? 8 :
            c == LIBXL__HOSTPCI_CMD_TAKE_BACK ? 2 : 1;

        if (c != LIBXL__HOSTPCI_CMD_LS) r.sbdf = sbdf;
        for (i = 0; i < n; i++) {
            if (c == LIBXL__HOSTPCI_CMD_LS || c == LIBXL__HOSTPCI_CMD_EXISTS)
                r.dir = i;
            if (c == LIBXL__HOSTPCI_CMD_READ_HEX)
                r.attr = i;
            if (c == LIBXL__HOSTPCI_CMD_WRITE) {
                r.file = i;
                if (i == LIBXL__HOSTPCI_FILE_DRIVER_BIND)
                    r.driver = "a \"quoted\" \\driver";
            }
            if (c == LIBXL__HOSTPCI_CMD_LEND ||
                c == LIBXL__HOSTPCI_CMD_TAKE_BACK) {
                r.reset = i & 1;
                r.permissive = i & 2;
                r.interrupt_control = i & 4;
            }
            request_round_trip(gc, i ? INT64_MAX : 0, &r,
                               libxl__pcid_request_text(gc, &r));
        }
    }
    GC_FREE;
}

static void request_wire_form(void)
{
    static const struct {
        libxl__hostpci_request request;
        const char *text, *log;
    } t[] = {
#define REQUEST(command_, ...) \
        { .command = LIBXL__HOSTPCI_CMD_ ## command_, __VA_ARGS__ }
#define TEXT(cmd, args) \
        "{\"execute\":\"" cmd "\",\"id\":7,\"arguments\":{" args "}}"
#define SBDF .sbdf = { 0, 3, 0x1f, 7 }
#define SBDF_TEXT "\"sbdf\":\"0000:03:1f.7\""
        { REQUEST(WRITE, SBDF, .file = LIBXL__HOSTPCI_FILE_DRIVER_BIND,
                  .driver = "e1000"),
          TEXT("write", "\"file_id\":\"driver_bind\",\"driver\":\"e1000\","
               SBDF_TEXT), "write driver_bind e1000 0000:03:1f.7" },
        { REQUEST(WRITE, SBDF, .file = LIBXL__HOSTPCI_FILE_PERMISSIVE),
          TEXT("write", "\"file_id\":\"pciback_permissive\"," SBDF_TEXT),
          "write pciback_permissive 0000:03:1f.7" },
        { REQUEST(LS, .dir = LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS),
          TEXT("ls", "\"dir_id\":\"pciback_slots\""), "ls pciback_slots" },
        { REQUEST(READ_HEX, SBDF, .attr = LIBXL__HOSTPCI_ATTR_GSI),
          TEXT("read_hex", "\"attr_id\":\"gsi\"," SBDF_TEXT),
          "read_hex gsi 0000:03:1f.7" },
        { REQUEST(QUERY, SBDF), TEXT("query", SBDF_TEXT),
          "query 0000:03:1f.7" },
        { REQUEST(LEND, SBDF),
          TEXT("lend", SBDF_TEXT ",\"reset\":false,\"permissive\":false"),
          "lend 0000:03:1f.7" },
        { REQUEST(LEND, SBDF, .reset = true),
          TEXT("lend", SBDF_TEXT ",\"reset\":true,\"permissive\":false"),
          "lend reset 0000:03:1f.7" },
        { REQUEST(LEND, SBDF, .permissive = true),
          TEXT("lend", SBDF_TEXT ",\"reset\":false,\"permissive\":true"),
          "lend permissive 0000:03:1f.7" },
        { REQUEST(LEND, SBDF, .reset = true, .permissive = true),
          TEXT("lend", SBDF_TEXT ",\"reset\":true,\"permissive\":true"),
          "lend reset permissive 0000:03:1f.7" },
        { REQUEST(LEND, SBDF, .interrupt_control = true),
          TEXT("lend", SBDF_TEXT ",\"reset\":false,\"permissive\":false,"
               "\"interrupt_control\":true"),
          "lend interrupt_control 0000:03:1f.7" },
        { REQUEST(TAKE_BACK, SBDF),
          TEXT("take_back", SBDF_TEXT ",\"reset\":false"),
          "take_back 0000:03:1f.7" },
        { REQUEST(TAKE_BACK, SBDF, .reset = true),
          TEXT("take_back", SBDF_TEXT ",\"reset\":true"),
          "take_back reset 0000:03:1f.7" },
        /* What a command has no argument for is not sent. */
        { REQUEST(TAKE_BACK, SBDF, .permissive = true, .driver = "e1000"),
          TEXT("take_back", SBDF_TEXT ",\"reset\":false"),
          "take_back 0000:03:1f.7" },
        { REQUEST(RESET, SBDF, .reset = true, .permissive = true),
          TEXT("reset", SBDF_TEXT), "reset 0000:03:1f.7" },
#undef REQUEST
#undef TEXT
#undef SBDF
#undef SBDF_TEXT
    };
    GC_INIT(ctx);
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        is_str(compact(libxl__pcid_encode_request(gc, 7, &t[i].request)),
               t[i].text, "as the protocol has it: %s", t[i].log);
        is_str(libxl__pcid_request_text(gc, &t[i].request), t[i].log,
               "as logs have it: %s", t[i].log);
    }
    GC_FREE;
}

static void requests_invalid(void)
{
    static const struct {
        const char *text, *desc;
        libxl__hostpci_class class;
        int64_t id; /* -1: none can be read */
    } t[] = {
#define ARG LIBXL__HOSTPCI_BAD_ARGUMENT
#define CMD LIBXL__HOSTPCI_BAD_COMMAND
        { "{}", "id", ARG, -1 },
        { "{\"id\":1}", "execute", CMD, 1 },
        { "{\"id\":1,\"execute\":7,\"arguments\":{}}", "execute", CMD, 1 },
        { "{\"id\":1,\"execute\":null,\"arguments\":{}}", "execute", CMD, 1 },
        { "{\"id\":1,\"execute\":[\"ls\"],\"arguments\":{}}", "execute", CMD,
          1 },
        { "{\"id\":1,\"execute\":\"\",\"arguments\":{}}", "unknown", CMD, 1 },
        { "{\"id\":1,\"execute\":\"LS\",\"arguments\":{}}", "LS", CMD, 1 },
        { "{\"id\":1,\"execute\":\"ls \",\"arguments\":{}}", "unknown", CMD,
          1 },
        { "{\"id\":1,\"execute\":\"rm\",\"arguments\":{}}", "rm", CMD, 1 },
        { "{\"execute\":\"ls\",\"arguments\":{\"dir_id\":\"pci_devices\"}}",
          "id", ARG, -1 },
#define WITH_ID(id) \
    "{\"execute\":\"ls\",\"arguments\":{\"dir_id\":\"pci_devices\"}," \
    "\"id\":" id "}"
        { WITH_ID("-1"), "id", ARG, -1 },
        { WITH_ID("-9223372036854775808"), "id", ARG, -1 },
        { WITH_ID("1.0"), "id", ARG, -1 },
        { WITH_ID("1e3"), "id", ARG, -1 },
        { WITH_ID("9223372036854775808"), "id", ARG, -1 },
        { WITH_ID("1e400"), "id", ARG, -1 },
        { WITH_ID("\"1\""), "id", ARG, -1 },
        { WITH_ID("null"), "id", ARG, -1 },
        { WITH_ID("true"), "id", ARG, -1 },
        { WITH_ID("[1]"), "id", ARG, -1 },
        { WITH_ID("{}"), "id", ARG, -1 },
        { WITH_ID("1,\"id\":2"), "twice", ARG, 1 },
        { WITH_ID("1,\"execute\":\"ls\""), "twice", ARG, 1 },
        { WITH_ID("1,\"arguments\":{}"), "twice", ARG, 1 },
        { WITH_ID("1,\"return\":[]"), "return", ARG, 1 },
        { WITH_ID("1,\"extra\":0"), "extra", ARG, 1 },
        { WITH_ID("1,\"\":0"), "unknown", ARG, 1 },
#define ARGS(cmd, args) \
    "{\"execute\":\"" cmd "\",\"id\":5,\"arguments\":" args "}"
        { "{\"execute\":\"ls\",\"id\":5}", "arguments", ARG, 5 },
        { ARGS("ls", "null"), "arguments", ARG, 5 },
        { ARGS("ls", "[]"), "arguments", ARG, 5 },
        { ARGS("ls", "\"pci_devices\""), "arguments", ARG, 5 },
        { ARGS("ls", "{}"), "dir_id", ARG, 5 },
        { ARGS("ls", "{\"dir_id\":1}"), "not a string", ARG, 5 },
        { ARGS("ls", "{\"dir_id\":null}"), "not a string", ARG, 5 },
        { ARGS("ls", "{\"dir_id\":[\"pci_devices\"]}"), "not a string",
          ARG, 5 },
        { ARGS("ls", "{\"dir_id\":\"\"}"), "cannot be", ARG, 5 },
        { ARGS("ls", "{\"dir_id\":\"/sys\"}"), "cannot be", ARG, 5 },
        { ARGS("ls", "{\"dir_id\":\"..\"}"), "cannot be", ARG, 5 },
        { ARGS("ls", "{\"dir_id\":\"PCI_DEVICES\"}"), "cannot be", ARG, 5 },
        { ARGS("ls", "{\"dir_id\":\"pci_devices\","
               "\"dir_id\":\"pci_devices\"}"), "twice", ARG, 5 },
        { ARGS("ls", "{\"dir_id\":\"pci_devices\","
               "\"sbdf\":\"0000:00:00.0\"}"), "sbdf", ARG, 5 },
        { ARGS("ls", "{\"dir_id\":\"pci_devices\",\"path\":\"/\"}"), "path",
          ARG, 5 },
        { ARGS("exists", "{\"dir_id\":\"pci_devices\"}"), "sbdf", ARG, 5 },
        { ARGS("exists", "{\"sbdf\":\"0000:00:00.0\"}"), "dir_id", ARG, 5 },
        { ARGS("exists", "{\"dir_id\":\"pci_devices\",\"sbdf\":0}"),
          "not a string", ARG, 5 },
        { ARGS("exists", "{\"dir_id\":\"pci_devices\","
               "\"sbdf\":\"0000:00:20.0\"}"), "cannot be", ARG, 5 },
        { ARGS("read_hex", "{\"sbdf\":\"0000:00:00.0\"}"), "attr_id", ARG,
          5 },
        { ARGS("read_hex", "{\"attr_id\":\"config\","
               "\"sbdf\":\"0000:00:00.0\"}"), "config", ARG, 5 },
        { ARGS("read_hex", "{\"attr_id\":\"../vendor\","
               "\"sbdf\":\"0000:00:00.0\"}"), "cannot be", ARG, 5 },
        { ARGS("read_resources", "{}"), "sbdf", ARG, 5 },
        { ARGS("unbind", "{\"sbdf\":\"0000:00:00.0/..\"}"), "cannot be", ARG,
          5 },
        { ARGS("reset", "{\"sbdf\":\"\"}"), "cannot be", ARG, 5 },
        { ARGS("query", "{}"), "sbdf", ARG, 5 },
        { ARGS("assign", "{\"sbdf\":null}"), "not a string", ARG, 5 },
        { ARGS("unassign", "{\"sbdf\":{}}"), "not a string", ARG, 5 },
        { ARGS("assign", "{\"sbdf\":\"0000:00:00.0\",\"driver\":\"a\"}"),
          "driver", ARG, 5 },
        { ARGS("write", "{\"sbdf\":\"0000:00:00.0\"}"), "file_id", ARG, 5 },
        { ARGS("write", "{\"sbdf\":\"0000:00:00.0\",\"file_id\":\"bind\"}"),
          "cannot be", ARG, 5 },
        { ARGS("write", "{\"sbdf\":\"0000:00:00.0\","
               "\"file_id\":\"driver_bind\"}"), "missing", ARG, 5 },
        { ARGS("write", "{\"sbdf\":\"0000:00:00.0\","
               "\"file_id\":\"driver_bind\",\"driver\":3}"), "not a string",
          ARG, 5 },
        { ARGS("write", "{\"sbdf\":\"0000:00:00.0\","
               "\"file_id\":\"driver_bind\",\"driver\":\"\"}"), "not the name",
          ARG, 5 },
        { ARGS("write", "{\"sbdf\":\"0000:00:00.0\","
               "\"file_id\":\"driver_bind\",\"driver\":\"../e1000\"}"),
          "not the name", ARG, 5 },
        { ARGS("write", "{\"driver\":\"../e1000\","
               "\"file_id\":\"driver_bind\",\"sbdf\":\"0000:00:00.0\"}"),
          "not the name", ARG, 5 },
        { ARGS("write", "{\"sbdf\":\"0000:00:00.0\","
               "\"file_id\":\"driver_bind\",\"driver\":\"e1000/../..\"}"),
          "not the name", ARG, 5 },
        { ARGS("write", "{\"sbdf\":\"0000:00:00.0\","
               "\"file_id\":\"pciback_bind\",\"driver\":\"e1000\"}"),
          "driver", ARG, 5 },
#define WITH_SBDF(cmd, args) \
    ARGS(cmd, "{\"sbdf\":\"0000:00:00.0\"" args "}")
#define RESET      ",\"reset\":true"
#define PERMISSIVE ",\"permissive\":false"
        { ARGS("lend", "{}"), "\"sbdf\" is missing", ARG, 5 },
        { ARGS("lend", "{\"reset\":true,\"permissive\":true}"),
          "\"sbdf\" is missing", ARG, 5 },
        { ARGS("lend", "{\"sbdf\":true" RESET PERMISSIVE "}"),
          "\"sbdf\" is not a string", ARG, 5 },
        { ARGS("lend", "{\"sbdf\":\"../..\"" RESET PERMISSIVE "}"),
          "cannot be", ARG, 5 },
        { WITH_SBDF("lend", ""), "\"reset\" is missing", ARG, 5 },
        { WITH_SBDF("lend", PERMISSIVE), "\"reset\" is missing", ARG, 5 },
        { WITH_SBDF("lend", RESET), "\"permissive\" is missing", ARG, 5 },
#define BAD_BOOLEANS(cmd, key, rest) \
        { WITH_SBDF(cmd, rest ",\"" key "\":\"true\""), \
          "\"" key "\" is not a boolean", ARG, 5 }, \
        { WITH_SBDF(cmd, rest ",\"" key "\":\"\""), \
          "\"" key "\" is not a boolean", ARG, 5 }, \
        { WITH_SBDF(cmd, rest ",\"" key "\":1"), \
          "\"" key "\" is not a boolean", ARG, 5 }, \
        { WITH_SBDF(cmd, rest ",\"" key "\":0"), \
          "\"" key "\" is not a boolean", ARG, 5 }, \
        { WITH_SBDF(cmd, rest ",\"" key "\":null"), \
          "\"" key "\" is not a boolean", ARG, 5 }, \
        { WITH_SBDF(cmd, rest ",\"" key "\":[true]"), \
          "\"" key "\" is not a boolean", ARG, 5 }, \
        { WITH_SBDF(cmd, rest ",\"" key "\":{}"), \
          "\"" key "\" is not a boolean", ARG, 5 }, \
        { WITH_SBDF(cmd, rest ",\"" key "\":true,\"" key "\":true"), \
          "\"" key "\" is given twice", ARG, 5 }, \
        { WITH_SBDF(cmd, rest ",\"" key "\":true,\"" key "\":\"x\""), \
          "\"" key "\" is given twice", ARG, 5 }
        BAD_BOOLEANS("lend", "reset", PERMISSIVE),
        BAD_BOOLEANS("lend", "permissive", RESET),
        BAD_BOOLEANS("lend", "interrupt_control", RESET PERMISSIVE),
        BAD_BOOLEANS("take_back", "reset", ""),
        { WITH_SBDF("lend", RESET PERMISSIVE ",\"sbdf\":\"0000:00:00.0\""),
          "\"sbdf\" is given twice", ARG, 5 },
        { WITH_SBDF("lend", RESET PERMISSIVE ",\"gsi\":0"),
          "unknown argument \"gsi\"", ARG, 5 },
        { WITH_SBDF("lend", RESET PERMISSIVE ",\"Reset\":true"),
          "unknown argument \"Reset\"", ARG, 5 },
        { WITH_SBDF("lend", RESET PERMISSIVE ",\"domid\":1"),
          "unknown argument \"domid\"", ARG, 5 },
        { WITH_SBDF("lend", RESET PERMISSIVE ",\"driver\":\"e1000\""),
          "unknown argument \"driver\"", ARG, 5 },
        { ARGS("take_back", "{\"reset\":true}"), "\"sbdf\" is missing",
          ARG, 5 },
        { WITH_SBDF("take_back", ""), "\"reset\" is missing", ARG, 5 },
        { WITH_SBDF("take_back", RESET PERMISSIVE),
          "unknown argument \"permissive\"", ARG, 5 },
        { WITH_SBDF("take_back", PERMISSIVE),
          "unknown argument \"permissive\"", ARG, 5 },
        { WITH_SBDF("query", RESET), "unknown argument \"reset\"", ARG,
          5 },
        { WITH_SBDF("assign", PERMISSIVE),
          "unknown argument \"permissive\"", ARG, 5 },
        { WITH_SBDF("unassign", RESET), "unknown argument \"reset\"", ARG,
          5 },
        { WITH_SBDF("reset", RESET), "unknown argument \"reset\"", ARG,
          5 },
        { WITH_SBDF("write", ",\"file_id\":\"pciback_permissive\""
                    PERMISSIVE),
          "unknown argument \"permissive\"", ARG, 5 },
        { WITH_SBDF("read_hex", ",\"attr_id\":\"GSI\""), "cannot be", ARG,
          5 },
#undef BAD_BOOLEANS
#undef WITH_SBDF
#undef RESET
#undef PERMISSIVE
#undef WITH_ID
#undef ARGS
#undef ARG
#undef CMD
    };
    GC_INIT(ctx);
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        libxl__json_object *msg = json(gc, t[i].text);
        libxl__hostpci_request request;
        libxl__hostpci_reply error;
        bool has_id;
        int64_t id = -1;
        int rc;

        if (!msg) {
            /* Some JSON libraries refuse numbers that are out of range. */
            ok(true, "not JSON: %s", t[i].text);
            continue;
        }
        if (strstr(t[i].desc, "twice") && !json_tells_doubles(ctx))
            continue;
        rc = libxl__pcid_decode_request(gc, msg, &has_id, &id, &request,
                                        &error);
        is_int(rc, ERROR_INVAL, "refused: %s", t[i].text);
        if (!rc) continue;
        is_int(error.class, t[i].class, "class for %s", t[i].text);
        has_str(error.desc, t[i].desc, "reason for %s", t[i].text);
        is_int(has_id ? id : -1, t[i].id, "id of %s", t[i].text);
    }
    GC_FREE;
}

static void request_refusal_is_answered(void)
{
    GC_INIT(ctx);
    char *name = repeat(gc, 'x', 3000), *text;
    libxl__json_object *msg;
    libxl__hostpci_request request;
    libxl__hostpci_reply error, got;
    bool has_id;
    int64_t id;

    msg = json(gc, GCSPRINTF("{\"execute\":\"%s\\u0001\",\"id\":1}", name));
    libxl__pcid_decode_request(gc, msg, &has_id, &id, &request, &error);
    text = libxl__pcid_encode_reply(gc, &id, NULL, &error);
    memset(&request, 0, sizeof(request));
    ok(!libxl__pcid_decode_reply(gc, json(gc, text), &request, &got),
       "with a reply that can be read");
    is_int(got.class, LIBXL__HOSTPCI_BAD_COMMAND, "of the right class");
    ok(strlen(got.desc) <= PCID_DESC_MAX && !strchr(got.desc, 1),
       "with a text that can be logged");
    ok(strlen(text) < PCID_REQUEST_MAX, "of a moderate size: %zu",
       strlen(text));
    GC_FREE;
}

/*
 * Replies
 */

static int decode_for(libxl__gc *gc, const libxl__hostpci_request *request,
                      const char *text, libxl__hostpci_reply *reply)
{
    libxl__json_object *msg = json(gc, text);

    if (!msg) return ERROR_INVAL;
    return libxl__pcid_decode_reply(gc, msg, request, reply);
}

static int decode(libxl__gc *gc, libxl__hostpci_command command,
                  const char *text, libxl__hostpci_reply *reply)
{
    libxl__hostpci_request request = { .command = command };

    return decode_for(gc, &request, text, reply);
}

/* A result, as it is in a message */
static int decode_result(libxl__gc *gc, libxl__hostpci_command command,
                         const char *value, libxl__hostpci_reply *reply)
{
    return decode(gc, command,
                  GCSPRINTF("{\"return\":%s,\"id\":0}", value), reply);
}

/* As a client would get what a server says */
static int reply_through(libxl__gc *gc, const libxl__hostpci_request *request,
                         const libxl__hostpci_reply *reply,
                         libxl__hostpci_reply *got)
{
    const int64_t id = INT64_MAX;
    const char *text = libxl__pcid_encode_reply(gc, &id, request, reply);
    libxl__json_object *msg = json(gc, text);
    libxl__pcid_kind kind;
    bool has_id;
    int64_t got_id;

    kind = libxl__pcid_classify(msg, &has_id, &got_id);
    if (!is_int(kind, LIBXL__PCID_REPLY, "%s: is a reply",
                libxl__pcid_command_name(request->command)))
        return ERROR_FAIL;
    ok(has_id && got_id == id, "%s: has the id",
       libxl__pcid_command_name(request->command));
    return libxl__pcid_decode_reply(gc, msg, request, got);
}

static void reply_ls(void)
{
    GC_INIT(ctx);
    libxl__hostpci_request request = { .command = LIBXL__HOSTPCI_CMD_LS };
    libxl__hostpci_reply reply = { 0 }, got;
    libxl__pci_sbdf sbdfs[3] = {
        { 0, 0, 0, 0 }, { 0xffff, 0xff, 0x1f, 7 }, { 0, 3, 0, 1 },
    };
    int i;

    ok(!reply_through(gc, &request, &reply, &got) && got.num_sbdfs == 0,
       "an empty list");
    reply.sbdfs = sbdfs;
    reply.num_sbdfs = 3;
    if (!ok(!reply_through(gc, &request, &reply, &got) &&
            got.num_sbdfs == 3, "a list of three"))
        goto out;
    for (i = 0; i < 3; i++)
        ok(libxl__pci_sbdf_equal(&got.sbdfs[i], &sbdfs[i]), "entry %d", i);

    reply.num_sbdfs = 10000;
    GCNEW_ARRAY(reply.sbdfs, reply.num_sbdfs);
    ok(!reply_through(gc, &request, &reply, &got) && got.num_sbdfs == 10000,
       "a list of ten thousand");

 out:
    GC_FREE;
}

static void reply_values(void)
{
    static const uint64_t max[] = {
        [LIBXL__HOSTPCI_ATTR_VENDOR] = 0xffff,
        [LIBXL__HOSTPCI_ATTR_DEVICE] = 0xffff,
        [LIBXL__HOSTPCI_ATTR_CLASS] = 0xffffff,
        [LIBXL__HOSTPCI_ATTR_IRQ] = INT32_MAX,
        [LIBXL__HOSTPCI_ATTR_GSI] = PCID_GSI_MAX,
    };
    GC_INIT(ctx);
    libxl__hostpci_request request = { 0 };
    libxl__hostpci_reply reply = { 0 }, got;
    int i;

    request.command = LIBXL__HOSTPCI_CMD_EXISTS;
    for (i = 0; i < 2; i++) {
        reply.exists = i;
        ok(!reply_through(gc, &request, &reply, &got) && got.exists == i,
           "exists: %d", i);
    }

    request.command = LIBXL__HOSTPCI_CMD_READ_HEX;
    for (i = 0; i < ARRAY_SIZE(max); i++) {
        request.attr = i;
        reply.value = max[i];
        ok(!reply_through(gc, &request, &reply, &got) &&
           got.value == max[i], "attribute %d: the largest value", i);
        reply.value = 0;
        ok(!reply_through(gc, &request, &reply, &got) && !got.value,
           "attribute %d: 0", i);
        reply.value = max[i] + 1;
        ok(reply_through(gc, &request, &reply, &got),
           "attribute %d: one more than that is refused", i);
    }

    request.command = LIBXL__HOSTPCI_CMD_UNBIND;
    ok(!reply_through(gc, &request, &reply, &got) && !got.driver,
       "unbind: no driver");
    reply.driver = "a driver \"\\";
    ok(!reply_through(gc, &request, &reply, &got), "unbind: a driver");
    is_str(got.driver, reply.driver, "unbind: its name");

    for (i = 0; i < 8; i++) {
        reply.driver = i & 1 ? "e1000" : NULL;
        reply.assigned = i & 2;
        reply.pciback = i & 4;
        reply.functions = 1;
        reply.assigned_functions = reply.assigned;
        request.command = LIBXL__HOSTPCI_CMD_QUERY;
        ok(!reply_through(gc, &request, &reply, &got) &&
           got.assigned == reply.assigned && got.pciback == reply.pciback &&
           !got.driver == !reply.driver, "query: %d", i);
        request.command = LIBXL__HOSTPCI_CMD_ASSIGN;
        if (!reply.assigned || !reply.driver)
            ok(!reply_through(gc, &request, &reply, &got) &&
               got.assigned == reply.assigned &&
               !got.driver == !reply.driver, "assign: %d", i);
        request.command = LIBXL__HOSTPCI_CMD_UNASSIGN;
        ok(!reply_through(gc, &request, &reply, &got) &&
           got.assigned == reply.assigned, "unassign: %d", i);
    }
    request.command = LIBXL__HOSTPCI_CMD_WRITE;
    ok(!reply_through(gc, &request, &reply, &got), "write");
    request.command = LIBXL__HOSTPCI_CMD_RESET;
    ok(!reply_through(gc, &request, &reply, &got), "reset");
    GC_FREE;
}

static bool same_resource(const libxl__hostpci_resource *a,
                          const libxl__hostpci_resource *b)
{
    return a->start == b->start && a->end == b->end &&
        a->flags == b->flags;
}

static void reply_resources(void)
{
    GC_INIT(ctx);
    libxl__hostpci_request request = {
        .command = LIBXL__HOSTPCI_CMD_READ_RESOURCES,
    };
    libxl__hostpci_reply reply = {
        .access.resources = {
            { 0xfebc0000, 0xfebdffff, PCID_RESOURCE_MEM },
            { 1, UINT16_MAX, PCID_RESOURCE_IO },
            { 0, 0, 0 },
            { PCID_RESOURCE_ADDR_MAX, PCID_RESOURCE_ADDR_MAX,
              PCID_RESOURCE_MEM | PCID_RESOURCE_PREFETCH |
              PCID_RESOURCE_64BIT },
        },
    }, got;
    int i;

    if (ok(!reply_through(gc, &request, &reply, &got), "limits"))
        for (i = 0; i < PCID_RESOURCES; i++)
            ok(same_resource(&got.access.resources[i],
                             &reply.access.resources[i]),
               "resource %d", i);
    GC_FREE;
}

/* Wherever resources can be, they are checked in the same way. */
static void check_resources(libxl__gc *gc, const char *list, int want,
                            const char *what)
{
    libxl__hostpci_reply reply;
    libxl__hostpci_access access;

    is_int(decode_result(gc, LIBXL__HOSTPCI_CMD_READ_RESOURCES,
                         GCSPRINTF("[%s]", list), &reply),
           want, "read_resources: %s", what);
    is_int(decode_result(gc, LIBXL__HOSTPCI_CMD_LEND,
                         GCSPRINTF("{\"resources\":[%s],\"gsi\":0,"
                                   "\"reset\":null}", list), &reply),
           want, "lend: %s", what);
    is_int(libxl__pcid_decode_access(gc,
                         GCSPRINTF("{\"resources\":[%s],\"gsi\":0}", list),
                         &access),
           want, "a record: %s", what);
}

static void reply_resources_invalid(void)
{
    static const struct {
        const char *what, *text;
    } t[] = {
        { "no object", "0" },
        { "null", "null" },
        { "an array", "[1,2,3]" },
        { "empty", "{}" },
        { "no start", "{\"end\":0,\"flags\":0}" },
        { "no end", "{\"start\":0,\"flags\":0}" },
        { "no flags", "{\"start\":0,\"end\":0}" },
        { "start is a string", "{\"start\":\"0\",\"end\":0,\"flags\":0}" },
        { "end is a float", "{\"start\":4096,\"end\":8191.0,\"flags\":2}" },
        { "flags is null", "{\"start\":0,\"end\":0,\"flags\":null}" },
        { "a member too many",
          "{\"start\":0,\"end\":0,\"flags\":0,\"size\":1}" },
        { "start is there twice",
          "{\"start\":4096,\"end\":8191,\"flags\":2,\"start\":0}" },
        { "negative start", "{\"start\":-4096,\"end\":8191,\"flags\":2}" },
        { "negative end", "{\"start\":4096,\"end\":-1,\"flags\":2}" },
        { "wraps", "{\"start\":8192,\"end\":4095,\"flags\":2}" },
        { "beyond the address space",
          "{\"start\":4096,\"end\":4503599627370496,\"flags\":2}" },
        { "all there is", "{\"start\":0,\"end\":9223372036854775807,"
          "\"flags\":2}" },
        { "beyond 64 bits", "{\"start\":4096,\"end\":18446744073709551615,"
          "\"flags\":2}" },
        { "from 0 on", "{\"start\":0,\"end\":4095,\"flags\":2}" },
        { "flags of nothing", "{\"start\":0,\"end\":0,\"flags\":2}" },
        { "neither memory nor ports",
          "{\"start\":4096,\"end\":8191,\"flags\":0}" },
        { "both memory and ports",
          "{\"start\":4096,\"end\":8191,\"flags\":3}" },
        { "neither, but prefetchable",
          "{\"start\":4096,\"end\":8191,\"flags\":4}" },
        { "an unknown flag", "{\"start\":4096,\"end\":8191,\"flags\":18}" },
        { "negative flags", "{\"start\":4096,\"end\":8191,\"flags\":-2}" },
        { "huge flags",
          "{\"start\":4096,\"end\":8191,\"flags\":4294967298}" },
        { "ports beyond 65535",
          "{\"start\":49152,\"end\":65536,\"flags\":1}" },
        { "64 bit ports", "{\"start\":49152,\"end\":49183,\"flags\":9}" },
        { "prefetchable ports",
          "{\"start\":49152,\"end\":49183,\"flags\":5}" },
    };
    static const char none[] = "{\"start\":0,\"end\":0,\"flags\":0}";
    GC_INIT(ctx);
    char *list;
    int i, j, n;

    for (i = 0; i < ARRAY_SIZE(t); i++)
        for (n = 0; n < PCID_RESOURCES; n += PCID_RESOURCES - 1) {
            list = "";
            for (j = 0; j < PCID_RESOURCES; j++)
                list = GCSPRINTF("%s%s%s", list, j ? "," : "",
                                 j == n ? t[i].text : none);
            check_resources(gc, list, ERROR_INVAL,
                            GCSPRINTF("%s, at %d", t[i].what, n));
        }

    list = (char *)none;
    for (n = 1; n <= PCID_RESOURCES + 1; n++) {
        check_resources(gc, list, n == PCID_RESOURCES ? 0 : ERROR_INVAL,
                        GCSPRINTF("%d resources", n));
        list = GCSPRINTF("%s,%s", list, none);
    }
    GC_FREE;
}

static void replies_invalid(void)
{
    static const struct {
        libxl__hostpci_command command;
        const char *value;
    } t[] = {
        { LIBXL__HOSTPCI_CMD_LS, "{}" },
        { LIBXL__HOSTPCI_CMD_LS, "null" },
        { LIBXL__HOSTPCI_CMD_LS, "\"0000:00:00.0\"" },
        { LIBXL__HOSTPCI_CMD_LS, "[null]" },
        { LIBXL__HOSTPCI_CMD_LS, "[0]" },
        { LIBXL__HOSTPCI_CMD_LS, "[[]]" },
        { LIBXL__HOSTPCI_CMD_LS, "[\"\"]" },
        { LIBXL__HOSTPCI_CMD_LS, "[\"0000:00:00.8\"]" },
        { LIBXL__HOSTPCI_CMD_LS, "[\"0000:00:00.0\",\"bind\"]" },
        { LIBXL__HOSTPCI_CMD_EXISTS, "0" },
        { LIBXL__HOSTPCI_CMD_EXISTS, "1" },
        { LIBXL__HOSTPCI_CMD_EXISTS, "null" },
        { LIBXL__HOSTPCI_CMD_EXISTS, "\"true\"" },
        { LIBXL__HOSTPCI_CMD_EXISTS, "{}" },
        { LIBXL__HOSTPCI_CMD_READ_HEX, "null" },
        { LIBXL__HOSTPCI_CMD_READ_HEX, "true" },
        { LIBXL__HOSTPCI_CMD_READ_HEX, "\"0x8086\"" },
        { LIBXL__HOSTPCI_CMD_READ_HEX, "1.5" },
        { LIBXL__HOSTPCI_CMD_READ_HEX, "-1" },
        { LIBXL__HOSTPCI_CMD_READ_HEX, "65536" },
        { LIBXL__HOSTPCI_CMD_READ_HEX, "4294967296" },
        { LIBXL__HOSTPCI_CMD_READ_HEX, "9223372036854775807" },
        { LIBXL__HOSTPCI_CMD_READ_HEX, "[1]" },
        { LIBXL__HOSTPCI_CMD_READ_RESOURCES, "{}" },
        { LIBXL__HOSTPCI_CMD_READ_RESOURCES, "null" },
        { LIBXL__HOSTPCI_CMD_READ_RESOURCES, "[]" },
        { LIBXL__HOSTPCI_CMD_READ_RESOURCES, "7" },
        { LIBXL__HOSTPCI_CMD_WRITE, "null" },
        { LIBXL__HOSTPCI_CMD_WRITE, "true" },
        { LIBXL__HOSTPCI_CMD_WRITE, "[]" },
        { LIBXL__HOSTPCI_CMD_WRITE, "\"ok\"" },
        { LIBXL__HOSTPCI_CMD_WRITE, "{\"ok\":true}" },
        { LIBXL__HOSTPCI_CMD_RESET, "0" },
        { LIBXL__HOSTPCI_CMD_RESET, "{\"reset\":null}" },
        { LIBXL__HOSTPCI_CMD_RESET, "null" },
        { LIBXL__HOSTPCI_CMD_UNBIND, "0" },
        { LIBXL__HOSTPCI_CMD_UNBIND, "false" },
        { LIBXL__HOSTPCI_CMD_UNBIND, "{}" },
        { LIBXL__HOSTPCI_CMD_UNBIND, "\"\"" },
        { LIBXL__HOSTPCI_CMD_UNBIND, "\"../e1000\"" },
        { LIBXL__HOSTPCI_CMD_UNBIND, "\"a\\nb\"" },
        { LIBXL__HOSTPCI_CMD_QUERY, "null" },
        { LIBXL__HOSTPCI_CMD_QUERY, "[]" },
        { LIBXL__HOSTPCI_CMD_QUERY, "{}" },
        { LIBXL__HOSTPCI_CMD_ASSIGN, "null" },
        { LIBXL__HOSTPCI_CMD_ASSIGN, "true" },
        { LIBXL__HOSTPCI_CMD_ASSIGN, "{\"assigned\":true}" },
        { LIBXL__HOSTPCI_CMD_ASSIGN, "{\"assigned\":0,\"driver\":null}" },
        { LIBXL__HOSTPCI_CMD_ASSIGN, "{\"driver\":null}" },
        { LIBXL__HOSTPCI_CMD_ASSIGN, "{\"assigned\":true,\"driver\":\"a\"}" },
        { LIBXL__HOSTPCI_CMD_UNASSIGN, "null" },
        { LIBXL__HOSTPCI_CMD_UNASSIGN, "0" },
        { LIBXL__HOSTPCI_CMD_UNASSIGN, "{}" },
        { LIBXL__HOSTPCI_CMD_QUERY, "true" },
        { LIBXL__HOSTPCI_CMD_LEND, "null" },
        { LIBXL__HOSTPCI_CMD_LEND, "true" },
        { LIBXL__HOSTPCI_CMD_LEND, "[]" },
        { LIBXL__HOSTPCI_CMD_LEND, "{}" },
        { LIBXL__HOSTPCI_CMD_LEND, "\"ok\"" },
        { LIBXL__HOSTPCI_CMD_TAKE_BACK, "null" },
        { LIBXL__HOSTPCI_CMD_TAKE_BACK, "true" },
        { LIBXL__HOSTPCI_CMD_TAKE_BACK, "[]" },
        { LIBXL__HOSTPCI_CMD_TAKE_BACK, "{}" },
        { LIBXL__HOSTPCI_CMD_TAKE_BACK, "\"ok\"" },
    };
    GC_INIT(ctx);
    libxl__hostpci_reply reply;
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++)
        is_int(decode_result(gc, t[i].command, t[i].value, &reply),
               ERROR_INVAL, "%s: %s",
               libxl__pcid_command_name(t[i].command), t[i].value);
    GC_FREE;
}

/*
 * query
 */

static void reply_query(void)
{
    GC_INIT(ctx);
    libxl__hostpci_request request = { .command = LIBXL__HOSTPCI_CMD_QUERY };
    libxl__hostpci_reply reply = {
        .driver = "pciback", .assigned = true, .pciback = true,
        .vendor = 0xffff, .device = 0xfffe, .class_code = 0xffffff,
    }, got;
    const int64_t id = 1;
    unsigned mask;
    int wrong = 0, i;

    reply.functions = reply.assigned_functions = 1;
    ok(!reply_through(gc, &request, &reply, &got) &&
       got.vendor == 0xffff && got.device == 0xfffe &&
       got.class_code == 0xffffff,
       "what the device is: the largest values");
    reply.vendor = reply.device = reply.class_code = 0;
    ok(!reply_through(gc, &request, &reply, &got) && !got.vendor &&
       !got.device && !got.class_code, "what the device is: 0");

    for (i = 0; i < 8; i++) {
        request.sbdf.func = i;
        reply.functions = 0xff;
        reply.assigned_functions = 1u << i;
        ok(!reply_through(gc, &request, &reply, &got) &&
           got.functions == 0xff && got.assigned_functions == 1u << i,
           "function %d of eight is assigned", i);
        reply.functions = 1u << i;
        ok(!reply_through(gc, &request, &reply, &got) &&
           got.functions == 1u << i, "function %d is all there is", i);
    }

    request.sbdf.func = 2;
    for (mask = 0; mask < 0x100; mask++) {
        const char *text;

        reply.functions = mask | 4;
        reply.assigned_functions = mask;
        reply.assigned = mask & 4;
        text = libxl__pcid_encode_reply(gc, &id, &request, &reply);
        if (decode_for(gc, &request, text, &got) ||
            got.functions != reply.functions ||
            got.assigned_functions != reply.assigned_functions ||
            got.assigned != reply.assigned)
            wrong++;
    }
    is_int(wrong, 0, "every set of functions");

    reply = (libxl__hostpci_reply){
        .driver = "e1000", .pciback = true, .vendor = 0x8086,
        .device = 0x100e, .class_code = 0x020000, .functions = 0x87,
        .assigned_functions = 0x82,
    };
    is_str(compact(libxl__pcid_encode_reply(gc, &id, &request, &reply)),
           "{\"return\":{\"driver\":\"e1000\",\"assigned\":false,"
           "\"pciback\":true,\"vendor\":32902,\"device\":4110,"
           "\"class\":131072,\"functions\":[0,1,2,7],"
           "\"functions_assigned\":[1,7]},\"id\":1}",
           "as the protocol has it");
    GC_FREE;
}

/* The result of a query of function 1, which is assigned; and with a
 * member that is something else, or, if value is NULL, is not there */
static int decode_query(libxl__gc *gc, const char *key, const char *value)
{
    static const struct {
        const char *key, *value;
    } members[] = {
        { "driver", "\"pciback\"" }, { "assigned", "true" },
        { "pciback", "true" }, { "vendor", "32902" }, { "device", "4110" },
        { "class", "131072" }, { "functions", "[0,1,7]" },
        { "functions_assigned", "[1]" },
    };
    libxl__hostpci_request request = {
        .command = LIBXL__HOSTPCI_CMD_QUERY, .sbdf = { 0, 3, 0, 1 },
    };
    libxl__hostpci_reply reply;
    const char *text = "\"later\":[{}]";
    int i;

    for (i = 0; i < ARRAY_SIZE(members); i++) {
        bool this = key && !strcmp(key, members[i].key);

        if (this && !value) continue;
        text = GCSPRINTF("%s,\"%s\":%s", text, members[i].key,
                         this ? value : members[i].value);
    }
    return decode_for(gc, &request,
                      GCSPRINTF("{\"return\":{%s},\"id\":0}", text),
                      &reply);
}

static void reply_query_invalid(void)
{
    static const struct {
        const char *key;
        const char *values[16];
    } t[] = {
        { "driver", { "1", "true", "\"\"", "\"a/b\"", "\"..\"", "[]" } },
        { "assigned", { "null", "1", "\"true\"", "[true]" } },
        { "pciback", { "null", "1", "\"true\"", "{}" } },
        { "vendor", { "null", "true", "\"0x8086\"", "-1", "65536", "1.0",
                      "[1]", "4294967297" } },
        { "device", { "null", "true", "\"0x100e\"", "-1", "65536", "1.0",
                      "[1]", "4294967297" } },
        { "class", { "null", "true", "\"0\"", "-1", "16777216", "1.0",
                     "[1]", "4294967297" } },
        { "functions", { "null", "true", "1", "{}", "\"[0,1,7]\"",
                         "[0,1,8]", "[0,1,-1]", "[0,1,32]",
                         "[0,1,4294967296]", "[0,1,7,7]", "[1,0,1]",
                         "[0,1,\"7\"]", "[0,1,null]", "[0,1,7.0]",
                         "[[0,1,7]]" } },
        { "functions_assigned", { "null", "true", "1", "{}", "\"[1]\"",
                                  "[1,8]", "[1,-1]", "[1,32]",
                                  "[1,4294967296]", "[1,1]", "[1,\"7\"]",
                                  "[1,null]", "[1,7.0]", "[[1]]" } },
    };
    GC_INIT(ctx);
    int i, j;

    ok(!decode_query(gc, NULL, NULL), "it is valid as it is");
    ok(!decode_query(gc, "driver", "null"), "and without a driver");
    for (i = 0; i < ARRAY_SIZE(t); i++) {
        is_int(decode_query(gc, t[i].key, NULL), ERROR_INVAL,
               "%s is missing", t[i].key);
        for (j = 0; j < ARRAY_SIZE(t[i].values) && t[i].values[j]; j++)
            is_int(decode_query(gc, t[i].key, t[i].values[j]), ERROR_INVAL,
                   "%s is %s", t[i].key, t[i].values[j]);
    }
    GC_FREE;
}

/* Of function 1: what its members say of each other */
static void reply_query_contradicts_itself(void)
{
    static const struct {
        const char *functions, *functions_assigned, *assigned;
        int rc;
        const char *what;
    } t[] = {
        { "[0,1,7]", "[1]", "true", 0, "assigned" },
        { "[0,1,7]", "[]", "false", 0, "not assigned" },
        { "[7,1,0]", "[7,1]", "true", 0, "in any order" },
        { "[0,1,7]", "[0,7]", "false", 0, "only the others are assigned" },
        { "[1]", "[1]", "true", 0, "the only function" },
        { "[]", "[]", "false", ERROR_INVAL, "no function is there" },
        { "[0,7]", "[]", "false", ERROR_INVAL, "this one is not there" },
        { "[0,7]", "[0,7]", "false", ERROR_INVAL,
          "this one is not there, the others are assigned" },
        { "[0,1]", "[1,7]", "true", ERROR_INVAL,
          "one is assigned that is not there" },
        { "[0,1]", "[7]", "false", ERROR_INVAL,
          "only one that is not there is assigned" },
        { "[0,1,7]", "[0,7]", "true", ERROR_INVAL,
          "assigned, but not among those that are" },
        { "[0,1,7]", "[]", "true", ERROR_INVAL, "assigned, but none is" },
        { "[0,1,7]", "[1]", "false", ERROR_INVAL,
          "not assigned, but among those that are" },
    };
    GC_INIT(ctx);
    libxl__hostpci_request request = {
        .command = LIBXL__HOSTPCI_CMD_QUERY, .sbdf = { 0, 3, 0, 1 },
    };
    libxl__hostpci_reply reply;
    const char *text;
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        text = GCSPRINTF("{\"return\":{\"driver\":null,\"assigned\":%s,"
                         "\"pciback\":true,\"vendor\":1,\"device\":1,"
                         "\"class\":1,\"functions\":%s,"
                         "\"functions_assigned\":%s},\"id\":0}",
                         t[i].assigned, t[i].functions,
                         t[i].functions_assigned);
        is_int(decode_for(gc, &request, text, &reply), t[i].rc, "%s",
               t[i].what);
    }
    GC_FREE;
}

/*
 * lend, take_back, and the record of what was lent
 */

static const libxl__hostpci_access some_access = {
    .resources = {
        { 0xfebc0000, 0xfebdffff, PCID_RESOURCE_MEM },
        { 0xc000, 0xc03f, PCID_RESOURCE_IO },
        { 0, 0, 0 },
        { 0x4000000000, 0x400000ffff, PCID_RESOURCE_MEM |
          PCID_RESOURCE_PREFETCH | PCID_RESOURCE_64BIT },
        { 1, UINT16_MAX, PCID_RESOURCE_IO },
        { PCID_RESOURCE_ADDR_MAX, PCID_RESOURCE_ADDR_MAX,
          PCID_RESOURCE_MEM },
    },
    .gsi = 18,
};

/* Seven resources, of which there is none */
#define NONE "{\"start\":0,\"end\":0,\"flags\":0}"
#define NONES NONE "," NONE "," NONE "," NONE "," NONE "," NONE "," NONE

static bool same_access(const libxl__hostpci_access *a,
                        const libxl__hostpci_access *b)
{
    int i;

    for (i = 0; i < PCID_RESOURCES; i++)
        if (!same_resource(&a->resources[i], &b->resources[i]))
            return false;
    return a->gsi == b->gsi;
}

static void reply_lend(void)
{
    GC_INIT(ctx);
    libxl__hostpci_request request = { .command = LIBXL__HOSTPCI_CMD_LEND };
    libxl__hostpci_reply reply = { .access = some_access }, got;
    const int64_t id = 1;

    ok(!reply_through(gc, &request, &reply, &got) &&
       same_access(&got.access, &some_access), "all of it");
    is_str(got.reset_failed, NULL, "nothing failed");

    reply.access.gsi = PCID_GSI_MAX;
    ok(!reply_through(gc, &request, &reply, &got) &&
       got.access.gsi == PCID_GSI_MAX, "the largest GSI");
    reply.access.gsi = PCID_GSI_MAX + 1;
    is_int(reply_through(gc, &request, &reply, &got), ERROR_INVAL,
           "one more than that is refused");
    reply.access.gsi = 0;
    reply.reset_failed = "\"no\" \\reset";
    ok(!reply_through(gc, &request, &reply, &got) && !got.access.gsi,
       "no GSI");
    is_str(got.reset_failed, "\"no\" \\reset", "why the reset failed");

    memset(&reply, 0, sizeof(reply));
    ok(!reply_through(gc, &request, &reply, &got) &&
       same_access(&got.access, &reply.access), "nothing at all");
    reply.access.gsi = 18;
    is_str(compact(libxl__pcid_encode_reply(gc, &id, &request, &reply)),
           "{\"return\":{\"resources\":[" NONES "],\"gsi\":18,"
           "\"reset\":null},\"id\":1}", "as the protocol has it");
    reply.reset_failed = "why";
    is_str(compact(libxl__pcid_encode_reply(gc, &id, &request, &reply)),
           "{\"return\":{\"resources\":[" NONES "],\"gsi\":18,"
           "\"reset\":\"why\"},\"id\":1}", "with a reset that failed");

    request.interrupt_control = true;
    ok(!reply_through(gc, &request, &reply, &got) && !got.interrupt_control,
       "without interrupt control");
    reply.interrupt_control = true;
    ok(!reply_through(gc, &request, &reply, &got) && got.interrupt_control,
       "with interrupt control");
    reply.reset_failed = NULL;
    is_str(compact(libxl__pcid_encode_reply(gc, &id, &request, &reply)),
           "{\"return\":{\"resources\":[" NONES "],\"gsi\":18,"
           "\"reset\":null,\"interrupt_control\":true},\"id\":1}",
           "as the protocol has it");
    is_int(libxl__pcid_decode_reply(gc, json(gc,
               "{\"return\":{\"resources\":[" NONES "],\"gsi\":18,"
               "\"reset\":null},\"id\":1}"), &request, &got),
           ERROR_INVAL, "it is missing");
    is_int(libxl__pcid_decode_reply(gc, json(gc,
               "{\"return\":{\"resources\":[" NONES "],\"gsi\":18,"
               "\"reset\":null,\"interrupt_control\":1},\"id\":1}"),
               &request, &got), ERROR_INVAL, "it is no boolean");
    request.interrupt_control = false;
    ok(!reply_through(gc, &request, &reply, &got) && !got.interrupt_control,
       "if it was not asked for");

    reply = (libxl__hostpci_reply){
        .class = LIBXL__HOSTPCI_FAILED, .errnoval = EPERM,
        .step = LIBXL__HOSTPCI_STEP_ACCESS, .desc = "why",
    };
    ok(!reply_through(gc, &request, &reply, &got) &&
       got.class == LIBXL__HOSTPCI_FAILED && got.errnoval == EPERM &&
       got.step == LIBXL__HOSTPCI_STEP_ACCESS, "an error");
    GC_FREE;
}

static void reply_take_back(void)
{
    GC_INIT(ctx);
    libxl__hostpci_request request = {
        .command = LIBXL__HOSTPCI_CMD_TAKE_BACK,
    };
    libxl__hostpci_reply reply = { .access = some_access }, got;
    const int64_t id = 1;

    ok(!reply_through(gc, &request, &reply, &got), "nothing failed");
    is_str(got.reset_failed, NULL, "nor the reset");
    is_str(compact(libxl__pcid_encode_reply(gc, &id, &request, &reply)),
           "{\"return\":{\"reset\":null},\"id\":1}",
           "as the protocol has it");
    reply.reset_failed = "why";
    ok(!reply_through(gc, &request, &reply, &got), "but the reset failed");
    is_str(got.reset_failed, "why", "and why");
    is_str(compact(libxl__pcid_encode_reply(gc, &id, &request, &reply)),
           "{\"return\":{\"reset\":\"why\"},\"id\":1}",
           "with a reset that failed");
    GC_FREE;
}

/* The value of "reset", in both commands that have it */
static void reply_reset_text(void)
{
    static const libxl__hostpci_command commands[] = {
        LIBXL__HOSTPCI_CMD_LEND, LIBXL__HOSTPCI_CMD_TAKE_BACK,
    };
    static const char *const bad[] = {
        "\"\"", "0", "1", "true", "[]", "[\"x\"]", "{}", "1.5",
    };
    GC_INIT(ctx);
    libxl__hostpci_reply reply, got;
    const char *name, *start;
    int i, j;

    for (i = 0; i < ARRAY_SIZE(commands); i++) {
        libxl__hostpci_request request = { .command = commands[i] };

        name = libxl__pcid_command_name(commands[i]);
        start = commands[i] == LIBXL__HOSTPCI_CMD_LEND ?
            "\"resources\":[" NONES "],\"gsi\":0" : "\"later\":{}";
#define RESET_IS(value) \
        decode_result(gc, commands[i], \
                      GCSPRINTF("{%s,\"reset\":%s}", start, value), &got)

        is_int(decode_result(gc, commands[i], GCSPRINTF("{%s}", start),
                             &got), ERROR_INVAL, "%s: missing", name);
        for (j = 0; j < ARRAY_SIZE(bad); j++)
            is_int(RESET_IS(bad[j]), ERROR_INVAL, "%s: %s", name, bad[j]);

        is_int(RESET_IS("null"), 0, "%s: null", name);
        ok(!got.reset_failed && !got.no_reset, "%s: it was reset", name);
        is_int(RESET_IS("false"), 0, "%s: false", name);
        ok(!got.reset_failed && got.no_reset, "%s: there is no way", name);
        is_int(RESET_IS("\"a\\u001b[2J\\n\\u00e9%s\""), 0,
               "%s: a text that is not fit to be printed", name);
        is_str(got.reset_failed, "a?[2J???%s", "%s: is made so", name);
        ok(!got.no_reset, "%s: there is a way", name);
        is_int(RESET_IS(GCSPRINTF("\"%s\"", repeat(gc, 'x', 5000))), 0,
               "%s: a text that is too long", name);
        is_int(strlen(got.reset_failed), PCID_DESC_MAX, "%s: is cut",
               name);
#undef RESET_IS

        memset(&reply, 0, sizeof(reply));
        reply.reset_failed = GCSPRINTF("\n%s", repeat(gc, 'x', 5000));
        ok(strlen(libxl__pcid_encode_reply(gc, &(int64_t){ INT64_MAX },
                                           &request, &reply)) <
           PCID_REQUEST_MAX, "%s: what is sent is cut as well", name);
        ok(!reply_through(gc, &request, &reply, &got) &&
           got.reset_failed[0] == '?', "%s: and made fit", name);

        reply = (libxl__hostpci_reply){ .no_reset = true };
        ok(!reply_through(gc, &request, &reply, &got) && got.no_reset &&
           !got.reset_failed, "%s: that there is no way is sent", name);
    }
    GC_FREE;
}

static void reply_lend_invalid(void)
{
    static const char *const t[] = {
        "{\"gsi\":0,\"reset\":null}",
        "{\"resources\":[" NONES "],\"reset\":null}",
        "{\"resources\":null,\"gsi\":0,\"reset\":null}",
        "{\"resources\":{},\"gsi\":0,\"reset\":null}",
        "{\"resources\":7,\"gsi\":0,\"reset\":null}",
        "{\"resources\":[],\"gsi\":0,\"reset\":null}",
        "[" NONES "]",
    };
    static const char *const gsis[] = {
        "null", "true", "\"18\"", "-1", "65536", "4294967296",
        "4294967314", "9223372036854775807", "-9223372036854775808",
        "18.0", "1e1", "[18]", "{}",
    };
    GC_INIT(ctx);
    libxl__hostpci_request request = {
        .command = LIBXL__HOSTPCI_CMD_READ_HEX,
        .attr = LIBXL__HOSTPCI_ATTR_GSI,
    };
    libxl__hostpci_access access;
    libxl__hostpci_reply reply;
    int i;

    is_int(decode_result(gc, LIBXL__HOSTPCI_CMD_LEND,
                         "{\"resources\":[" NONES "],\"gsi\":18,"
                         "\"reset\":null,\"later\":1}", &reply),
           0, "one of a later version is valid");
    is_int(reply.access.gsi, 18, "its GSI");
    for (i = 0; i < ARRAY_SIZE(t); i++)
        is_int(decode_result(gc, LIBXL__HOSTPCI_CMD_LEND, t[i], &reply),
               ERROR_INVAL, "%s", t[i]);
    for (i = 0; i < ARRAY_SIZE(gsis); i++) {
        is_int(decode_result(gc, LIBXL__HOSTPCI_CMD_LEND,
                             GCSPRINTF("{\"resources\":[" NONES "],"
                                       "\"gsi\":%s,\"reset\":null}",
                                       gsis[i]), &reply),
               ERROR_INVAL, "lend: GSI is %s", gsis[i]);
        is_int(decode_for(gc, &request,
                          GCSPRINTF("{\"return\":%s,\"id\":0}", gsis[i]),
                          &reply), ERROR_INVAL, "read_hex: GSI is %s",
               gsis[i]);
        is_int(libxl__pcid_decode_access(gc,
                          GCSPRINTF("{\"resources\":[" NONES "],"
                                    "\"gsi\":%s}", gsis[i]), &access),
               ERROR_INVAL, "a record: GSI is %s", gsis[i]);
    }
    GC_FREE;
}

static void access_round_trip(void)
{
    GC_INIT(ctx);
    libxl__hostpci_access access = some_access, got;
    const char *text;

    text = libxl__pcid_encode_access(gc, &access);
    memset(&got, 0xff, sizeof(got));
    is_int(libxl__pcid_decode_access(gc, text, &got), 0, "is decoded");
    ok(same_access(&got, &access), "and the same");

    access.gsi = PCID_GSI_MAX;
    text = libxl__pcid_encode_access(gc, &access);
    is_int(libxl__pcid_decode_access(gc, text, &got), 0, "largest GSI");
    ok(same_access(&got, &access), "and the same");

    memset(&access, 0, sizeof(access));
    text = libxl__pcid_encode_access(gc, &access);
    memset(&got, 0xff, sizeof(got));
    is_int(libxl__pcid_decode_access(gc, text, &got), 0, "of nothing");
    ok(same_access(&got, &access), "and the same");
    is_str(compact(libxl__strdup(gc, text)),
           "{\"resources\":[" NONES "],\"gsi\":0}", "its form");
    GC_FREE;
}

static void access_rubbish(void)
{
    static const char *const t[] = {
        "", " ", "rubbish", "null", "true", "0", "\"x\"", "[]", "{}",
        "[" NONES "]", "{\"gsi\":0}", "{\"resources\":[" NONES "]}",
        "{\"resources\":[],\"gsi\":0}", "{\"resources\":{},\"gsi\":0}",
        "{\"resources\":null,\"gsi\":0}",
        "{\"resources\":[" NONE "],\"gsi\":0}",
        "{\"resources\":[" NONES "," NONE "],\"gsi\":0}",
        "{\"Resources\":[" NONES "],\"gsi\":0}",
        "{\"return\":{\"resources\":[" NONES "],\"gsi\":0},\"id\":0}",
    };
    GC_INIT(ctx);
    libxl__hostpci_access got;
    char *text;
    size_t len;
    int i, taken = 0;

    for (i = 0; i < ARRAY_SIZE(t); i++)
        is_int(libxl__pcid_decode_access(gc, t[i], &got), ERROR_INVAL,
               "\"%s\"", t[i]);

    /* Cut at every byte */
    text = compact(libxl__pcid_encode_access(gc, &some_access));
    is_int(libxl__pcid_decode_access(gc, text, &got), 0, "a good one");
    for (len = strlen(text); len-- > 0; ) {
        text[len] = '\0';
        if (!libxl__pcid_decode_access(gc, text, &got)) taken++;
    }
    is_int(taken, 0, "one that is cut off");
    GC_FREE;
}

#undef NONE
#undef NONES

static void error_round_trip(void)
{
    static const int errnos[] = {
        0, EPERM, ENOENT, EIO, ENXIO, EAGAIN, ENOMEM, EACCES, EBUSY, EEXIST,
        ENODEV, EINVAL, ENFILE, EMFILE, ENOTTY, ENOSPC, EROFS, ERANGE,
        ENOSYS, EOPNOTSUPP, ETIMEDOUT, EPROTO,
    };
    GC_INIT(ctx);
    libxl__hostpci_request request = { .command = LIBXL__HOSTPCI_CMD_ASSIGN };
    libxl__hostpci_reply reply = { 0 }, got;
    libxl__hostpci_class class;
    libxl__hostpci_step step;
    int i;

    for (class = LIBXL__HOSTPCI_BAD_MESSAGE; class <= LIBXL__HOSTPCI_FAILED;
         class++) {
        reply = (libxl__hostpci_reply){ .class = class, .desc = "why" };
        ok(!reply_through(gc, &request, &reply, &got) &&
           got.class == class, "class %d", class);
        is_str(got.desc, "why", "text for class %d", class);
        is_int(got.step, LIBXL__HOSTPCI_STEP_NONE, "no step");
    }
    for (i = 0; i < ARRAY_SIZE(errnos); i++) {
        reply.errnoval = errnos[i];
        ok(!reply_through(gc, &request, &reply, &got) &&
           got.errnoval == errnos[i], "errno %d", errnos[i]);
    }
    reply.errnoval = EXDEV;
    ok(!reply_through(gc, &request, &reply, &got) && got.errnoval == EIO,
       "any other errno becomes EIO");
    for (step = LIBXL__HOSTPCI_STEP_NONE;
         step <= LIBXL__HOSTPCI_STEP_ACCESS; step++) {
        reply.step = step;
        ok(!reply_through(gc, &request, &reply, &got) && got.step == step,
           "step %d", step);
    }
    GC_FREE;
}

static void errors_of_others(void)
{
    GC_INIT(ctx);
    libxl__hostpci_reply r;
    char *desc;

    is_int(decode(gc, LIBXL__HOSTPCI_CMD_LS, "{\"id\":0,\"error\":{\"class\":"
                  "\"Later\",\"desc\":\"x\",\"errno\":\"ELATER\",\"step\":"
                  "\"later\",\"more\":[1]}}", &r), 0, "of a later version");
    is_int(r.class, LIBXL__HOSTPCI_FAILED, "unknown class");
    is_int(r.errnoval, EIO, "unknown errno");
    is_int(r.step, LIBXL__HOSTPCI_STEP_NONE, "unknown step");

    is_int(decode(gc, LIBXL__HOSTPCI_CMD_LS, "{\"id\":0,\"error\":{\"class\":"
                  "\"OperationFailed\",\"desc\":\"a\\u001b[2J\\n\\u00e9%s\"}}",
                  &r), 0, "with a text that is not fit to be printed");
    is_str(r.desc, "a?[2J???%s", "which is made so");
    is_int(r.errnoval, 0, "no errno");

    desc = repeat(gc, 'x', 5000);
    is_int(decode(gc, LIBXL__HOSTPCI_CMD_LS,
                  GCSPRINTF("{\"id\":0,\"error\":{\"class\":"
                            "\"OperationFailed\",\"desc\":\"%s\"}}", desc),
                  &r), 0, "with a text that is too long");
    is_int(strlen(r.desc), PCID_DESC_MAX, "which is cut");
    GC_FREE;
}

static void errors_invalid(void)
{
    static const char *const t[] = {
        "{}", "{\"class\":\"OperationFailed\"}", "{\"desc\":\"x\"}",
        "{\"class\":1,\"desc\":\"x\"}", "{\"class\":null,\"desc\":\"x\"}",
        "{\"class\":\"OperationFailed\",\"desc\":1}",
        "{\"class\":\"OperationFailed\",\"desc\":null}",
        "{\"class\":\"OperationFailed\",\"desc\":\"\"}",
    };
    GC_INIT(ctx);
    libxl__hostpci_reply reply;
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++)
        is_int(decode(gc, LIBXL__HOSTPCI_CMD_LS,
                      GCSPRINTF("{\"error\":%s,\"id\":0}", t[i]), &reply),
               ERROR_INVAL, "%s", t[i]);
    GC_FREE;
}

static void fail_texts(void)
{
    GC_INIT(ctx);
    libxl__hostpci_reply r = { 0 };

    libxl__hostpci_fail(gc, &r, LIBXL__HOSTPCI_FAILED, ENODEV, "a %d", 1);
    is_str(r.desc, "a 1: No such device", "with errno");
    libxl__hostpci_fail(gc, &r, LIBXL__HOSTPCI_BUSY, 0, "a %%s");
    is_str(r.desc, "a %s", "without");
    ok(r.class == LIBXL__HOSTPCI_BUSY && !r.errnoval, "class and errno");
    GC_FREE;
}

/*
 * What a message is
 */

static void classify(void)
{
    static const struct {
        libxl__pcid_kind kind;
        int64_t id;
        const char *text;
    } t[] = {
        { LIBXL__PCID_GREETING, -1, "{\"pcid\":{}}" },
        { LIBXL__PCID_PROGRESS, 3, "{\"progress\":{},\"id\":3}" },
        { LIBXL__PCID_REPLY, 0, "{\"return\":null,\"id\":0}" },
        { LIBXL__PCID_REPLY, 0, "{\"return\":{},\"id\":0}" },
        { LIBXL__PCID_REPLY, INT64_MAX,
          "{\"id\":9223372036854775807,\"error\":{}}" },
        { LIBXL__PCID_REPLY, -1, "{\"error\":{}}" },
        { LIBXL__PCID_INVALID, -1, "{}" },
        { LIBXL__PCID_INVALID, 1, "{\"id\":1}" },
        { LIBXL__PCID_INVALID, -1, "{\"return\":{}}" },
        { LIBXL__PCID_INVALID, -1, "{\"return\":{},\"id\":-1}" },
        { LIBXL__PCID_INVALID, -1, "{\"return\":{},\"id\":\"1\"}" },
        { LIBXL__PCID_INVALID, -1, "{\"return\":{},\"id\":1.0}" },
        { LIBXL__PCID_INVALID, 1, "{\"return\":{},\"error\":{},\"id\":1}" },
        { LIBXL__PCID_INVALID, 1, "{\"return\":{},\"progress\":{},\"id\":1}" },
        { LIBXL__PCID_INVALID, 1, "{\"return\":{},\"more\":{},\"id\":1}" },
        { LIBXL__PCID_INVALID, 1, "{\"error\":\"x\",\"id\":1}" },
        { LIBXL__PCID_INVALID, -1, "{\"error\":null}" },
        { LIBXL__PCID_INVALID, -1, "{\"progress\":{}}" },
        { LIBXL__PCID_INVALID, 1, "{\"progress\":1,\"id\":1}" },
        { LIBXL__PCID_INVALID, 1, "{\"progress\":{\"a\":1},\"id\":1}" },
        { LIBXL__PCID_INVALID, 1, "{\"return\":{},\"error\":0,\"id\":1}" },
        { LIBXL__PCID_INVALID, 1, "{\"error\":{},\"pcid\":0,\"id\":1}" },
        { LIBXL__PCID_INVALID, 1, "{\"pcid\":{},\"id\":1}" },
        { LIBXL__PCID_INVALID, -1, "{\"pcid\":[]}" },
        { LIBXL__PCID_INVALID, -1, "{\"pcid\":{},\"return\":{}}" },
        { LIBXL__PCID_INVALID, 1,
          "{\"execute\":\"ls\",\"id\":1,\"arguments\":{}}" },
    };
    static const char *const twice[] = {
        "{\"return\":{},\"id\":1,\"id\":1}",
        "{\"return\":{},\"return\":{},\"id\":1}",
    };
    GC_INIT(ctx);
    bool has_id;
    int64_t id;
    int i;

    for (i = 0; i < ARRAY_SIZE(twice) && json_tells_doubles(ctx); i++)
        is_int(libxl__pcid_classify(json(gc, twice[i]), &has_id, &id),
               LIBXL__PCID_INVALID, "%s", twice[i]);

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        id = -1;
        is_int(libxl__pcid_classify(json(gc, t[i].text), &has_id, &id),
               t[i].kind, "%s", t[i].text);
        is_int(has_id ? id : -1, t[i].id, "id of %s", t[i].text);
    }
    is_int(libxl__pcid_classify(json(gc, libxl__pcid_encode_progress(gc, 9)),
                                &has_id, &id), LIBXL__PCID_PROGRESS,
           "progress as encoded");
    is_int(id, 9, "its id");
    GC_FREE;
}

static void greeting(void)
{
    GC_INIT(ctx);
    libxl__json_object *msg = json(gc, libxl__pcid_encode_greeting(gc));
    libxl__pcid_features features;
    const bool *commands = features.commands;
    int major, minor, all = 0, i;
    bool has_id;
    int64_t id;

    is_int(libxl__pcid_classify(msg, &has_id, &id), LIBXL__PCID_GREETING,
           "ours is one");
    is_int(libxl__pcid_decode_greeting(msg, &major, &minor, &features), 0,
           "ours can be read");
    is_int(major, PCID_VERSION_MAJOR, "major version");
    is_int(minor, PCID_VERSION_MINOR, "minor version");
    for (i = 0; i < LIBXL__HOSTPCI_COMMANDS; i++)
        all += commands[i];
    is_int(all, LIBXL__HOSTPCI_COMMANDS, "has all commands");
    ok(features.interrupt_control, "and interrupt control");

    msg = json(gc, "{\"pcid\":{\"version\":{\"major\":2147483647,"
               "\"minor\":0,\"patch\":1},\"features\":[\"later\",\"assign\","
               "\"\"],\"more\":1}}");
    is_int(libxl__pcid_decode_greeting(msg, &major, &minor, &features), 0,
           "one of a later version can be read");
    is_int(major, INT_MAX, "its major version");
    ok(commands[LIBXL__HOSTPCI_CMD_LS] && commands[LIBXL__HOSTPCI_CMD_RESET],
       "basic commands need not be named");
    ok(commands[LIBXL__HOSTPCI_CMD_ASSIGN], "a feature that is named is there");
    ok(!commands[LIBXL__HOSTPCI_CMD_UNASSIGN] &&
       !commands[LIBXL__HOSTPCI_CMD_QUERY] &&
       !commands[LIBXL__HOSTPCI_CMD_LEND] &&
       !commands[LIBXL__HOSTPCI_CMD_TAKE_BACK],
       "one that is not named is not");
    ok(!features.interrupt_control, "nor has it interrupt control");

    msg = json(gc, "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0},"
               "\"features\":[\"take_back\",\"lend\"]}}");
    ok(!libxl__pcid_decode_greeting(msg, &major, &minor, &features) &&
       commands[LIBXL__HOSTPCI_CMD_LEND] &&
       commands[LIBXL__HOSTPCI_CMD_TAKE_BACK] &&
       !commands[LIBXL__HOSTPCI_CMD_ASSIGN],
       "lend and take_back are features");
    GC_FREE;
}

static void greetings_invalid(void)
{
    static const char *const t[] = {
        "{\"pcid\":{}}",
        "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0}}}",
        "{\"pcid\":{\"features\":[]}}",
        "{\"pcid\":{\"version\":{},\"features\":[]}}",
        "{\"pcid\":{\"version\":{\"major\":1},\"features\":[]}}",
        "{\"pcid\":{\"version\":{\"minor\":1},\"features\":[]}}",
        "{\"pcid\":{\"version\":\"1.0\",\"features\":[]}}",
        "{\"pcid\":{\"version\":1,\"features\":[]}}",
        "{\"pcid\":{\"version\":{\"major\":\"1\",\"minor\":0},"
            "\"features\":[]}}",
        "{\"pcid\":{\"version\":{\"major\":1.0,\"minor\":0},"
            "\"features\":[]}}",
        "{\"pcid\":{\"version\":{\"major\":-1,\"minor\":0},"
            "\"features\":[]}}",
        "{\"pcid\":{\"version\":{\"major\":1,\"minor\":-1},"
            "\"features\":[]}}",
        "{\"pcid\":{\"version\":{\"major\":4294967297,\"minor\":0},"
            "\"features\":[]}}",
        "{\"pcid\":{\"version\":{\"major\":1,\"minor\":2147483648},"
            "\"features\":[]}}",
        "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0},"
            "\"features\":{}}}",
        "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0},"
            "\"features\":null}}",
        "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0},"
            "\"features\":[1]}}",
        "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0},"
            "\"features\":[\"query\",null]}}",
    };
    GC_INIT(ctx);
    libxl__pcid_features features;
    int major, minor, i;

    for (i = 0; i < ARRAY_SIZE(t); i++)
        is_int(libxl__pcid_decode_greeting(json(gc, t[i]), &major, &minor,
                                           &features), ERROR_INVAL,
               "%s", t[i]);
    GC_FREE;
}

static void commands(void)
{
    static const bool writes[LIBXL__HOSTPCI_COMMANDS] = {
        [LIBXL__HOSTPCI_CMD_WRITE] = true, [LIBXL__HOSTPCI_CMD_UNBIND] = true,
        [LIBXL__HOSTPCI_CMD_RESET] = true, [LIBXL__HOSTPCI_CMD_ASSIGN] = true,
        [LIBXL__HOSTPCI_CMD_UNASSIGN] = true, [LIBXL__HOSTPCI_CMD_LEND] = true,
        [LIBXL__HOSTPCI_CMD_TAKE_BACK] = true,
    };
    int i;

    for (i = 0; i < LIBXL__HOSTPCI_COMMANDS; i++)
        ok(libxl__pcid_command_writes(i) == writes[i],
           "%s %s", libxl__pcid_command_name(i),
           writes[i] ? "changes something" : "only reads");
}

int main(void)
{
    world_reset();
    ctx = world_ctx(0);

    sbdf_valid();
    sbdf_invalid();
    sbdf_every_range();
    sbdf_equal();
    driver_names();
    requests_round_trip();
    request_wire_form();
    requests_invalid();
    request_refusal_is_answered();
    reply_ls();
    reply_values();
    reply_resources();
    reply_resources_invalid();
    replies_invalid();
    reply_query();
    reply_query_invalid();
    reply_query_contradicts_itself();
    reply_lend();
    reply_take_back();
    reply_reset_text();
    reply_lend_invalid();
    access_round_trip();
    access_rubbish();
    error_round_trip();
    errors_of_others();
    errors_invalid();
    fail_texts();
    classify();
    greeting();
    greetings_invalid();
    commands();

    world_reset();
    return tap_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
