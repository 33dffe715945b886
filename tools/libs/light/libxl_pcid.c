/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pcid protocol: requests and replies to JSON and back.
 *
 * docs/misc/pcid-protocol.pandoc specifies it; the tables here say the
 * same in C.
 *
 * WARNING - What is decoded comes from another domain, which is not
 *           trusted.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"
#include "libxl_pcid.h"

/*
 * Tables
 */

#define ARG_SBDF   (1u << 0)
#define ARG_DIR    (1u << 1)
#define ARG_ATTR   (1u << 2)
#define ARG_FILE   (1u << 3)
#define ARG_DRIVER (1u << 4) /* mandatory with a file_id of driver_bind,
                              * and an error without it */
#define ARG_RESET      (1u << 5)
#define ARG_PERMISSIVE (1u << 6)
#define ARG_INTERRUPT_CONTROL (1u << 7) /* may be left out: false */
/* The others are strings. */
#define ARGS_BOOLEAN (ARG_RESET | ARG_PERMISSIVE | ARG_INTERRUPT_CONTROL)

typedef struct {
    const char *name;
    unsigned args;
    bool writes;
    bool feature; /* not in every server: see the greeting */
} command_info;

static const command_info *info_of(libxl__hostpci_command command)
{
#define COMMAND(id, ...)                                                \
    case LIBXL__HOSTPCI_CMD_ ## id: {                                   \
        static const command_info info = { PCID_CMD_ ## id, __VA_ARGS__ }; \
        return &info;                                                   \
    }

    /* No default: the compiler complains if a command is missing. */
    switch (command) {
    COMMAND(LS, ARG_DIR)
    COMMAND(EXISTS, ARG_DIR | ARG_SBDF)
    COMMAND(READ_HEX, ARG_ATTR | ARG_SBDF)
    COMMAND(READ_RESOURCES, ARG_SBDF)
    COMMAND(WRITE, ARG_FILE | ARG_DRIVER | ARG_SBDF, .writes = true)
    COMMAND(UNBIND, ARG_SBDF, .writes = true)
    COMMAND(RESET, ARG_SBDF, .writes = true)
    COMMAND(QUERY, ARG_SBDF, .feature = true)
    COMMAND(ASSIGN, ARG_SBDF, .writes = true, .feature = true)
    COMMAND(UNASSIGN, ARG_SBDF, .writes = true, .feature = true)
    COMMAND(LEND, ARG_SBDF | ARGS_BOOLEAN,
            .writes = true, .feature = true)
    COMMAND(TAKE_BACK, ARG_SBDF | ARG_RESET,
            .writes = true, .feature = true)
    case LIBXL__HOSTPCI_COMMANDS: break;
    }
    abort();
#undef COMMAND
}

static const char *const dirs[] = {
    [LIBXL__HOSTPCI_DIR_PCI_DEVICES]    = PCID_DIR_PCI_DEVICES,
    [LIBXL__HOSTPCI_DIR_PCIBACK_DRIVER] = PCID_DIR_PCIBACK_DRIVER,
    [LIBXL__HOSTPCI_DIR_PCIBACK_SLOTS]  = PCID_DIR_PCIBACK_SLOTS,
};

static const struct {
    const char *name;
    uint32_t max;
} attrs[] = {
    [LIBXL__HOSTPCI_ATTR_VENDOR] = { PCID_ATTR_VENDOR, PCID_ATTR_ID_MAX },
    [LIBXL__HOSTPCI_ATTR_DEVICE] = { PCID_ATTR_DEVICE, PCID_ATTR_ID_MAX },
    [LIBXL__HOSTPCI_ATTR_CLASS]  = { PCID_ATTR_CLASS,  PCID_ATTR_CLASS_MAX },
    [LIBXL__HOSTPCI_ATTR_IRQ]    = { PCID_ATTR_IRQ,    PCID_ATTR_IRQ_MAX },
    [LIBXL__HOSTPCI_ATTR_GSI]    = { PCID_ATTR_GSI,    PCID_GSI_MAX },
};

static const char *const files[] = {
    [LIBXL__HOSTPCI_FILE_NEW_SLOT]    = PCID_FILE_NEW_SLOT,
    [LIBXL__HOSTPCI_FILE_BIND]        = PCID_FILE_BIND,
    [LIBXL__HOSTPCI_FILE_REMOVE_SLOT] = PCID_FILE_REMOVE_SLOT,
    [LIBXL__HOSTPCI_FILE_PERMISSIVE]  = PCID_FILE_PERMISSIVE,
    [LIBXL__HOSTPCI_FILE_DRIVER_BIND] = PCID_FILE_DRIVER_BIND,
};

static const char *const classes[] = {
    [LIBXL__HOSTPCI_BAD_MESSAGE]  = PCID_CLASS_BAD_MESSAGE,
    [LIBXL__HOSTPCI_BAD_COMMAND]  = PCID_CLASS_BAD_COMMAND,
    [LIBXL__HOSTPCI_BAD_ARGUMENT] = PCID_CLASS_BAD_ARGUMENT,
    [LIBXL__HOSTPCI_NO_DEVICE]    = PCID_CLASS_NO_DEVICE,
    [LIBXL__HOSTPCI_NO_PCIBACK]   = PCID_CLASS_NO_PCIBACK,
    [LIBXL__HOSTPCI_BUSY]         = PCID_CLASS_BUSY,
    [LIBXL__HOSTPCI_UNSUPPORTED]  = PCID_CLASS_UNSUPPORTED,
    [LIBXL__HOSTPCI_FAILED]       = PCID_CLASS_FAILED,
};

static const char *const steps[] = {
    [LIBXL__HOSTPCI_STEP_UNBIND]      = PCID_STEP_UNBIND,
    [LIBXL__HOSTPCI_STEP_FIND_SLOT]   = PCID_STEP_FIND_SLOT,
    [LIBXL__HOSTPCI_STEP_BIND]        = PCID_STEP_BIND,
    [LIBXL__HOSTPCI_STEP_REMOVE_SLOT] = PCID_STEP_REMOVE_SLOT,
    [LIBXL__HOSTPCI_STEP_PERMISSIVE]  = PCID_STEP_PERMISSIVE,
    [LIBXL__HOSTPCI_STEP_ACCESS]      = PCID_STEP_ACCESS,
};

/* The errors that have a name on the wire; any other is sent as "EIO". */
static const struct {
    int value;
    const char *name;
} errnos[] = {
#define ERRNO(name) { name, #name }
    ERRNO(EPERM), ERRNO(ENOENT), ERRNO(EIO), ERRNO(ENXIO), ERRNO(EAGAIN),
    ERRNO(ENOMEM), ERRNO(EACCES), ERRNO(EBUSY), ERRNO(EEXIST),
    ERRNO(ENODEV), ERRNO(EINVAL), ERRNO(ENFILE), ERRNO(EMFILE),
    ERRNO(ENOTTY), ERRNO(ENOSPC), ERRNO(EROFS), ERRNO(ERANGE),
    ERRNO(ENOSYS), ERRNO(EOPNOTSUPP), ERRNO(ETIMEDOUT), ERRNO(EPROTO),
#undef ERRNO
};

const char *libxl__pcid_command_name(libxl__hostpci_command command)
{
    return info_of(command)->name;
}

bool libxl__pcid_command_writes(libxl__hostpci_command command)
{
    return info_of(command)->writes;
}

/* The index of a string in a table that may have holes, or -1 */
static int lookup(const char *const table[], int n, const char *s)
{
    int i;

    for (i = 0; i < n; i++)
        if (table[i] && !strcmp(table[i], s))
            return i;
    return -1;
}

#define LOOKUP(table, s) lookup(table, ARRAY_SIZE(table), s)

static int lookup_command(const char *s)
{
    int i;

    for (i = 0; i < LIBXL__HOSTPCI_COMMANDS; i++)
        if (!strcmp(info_of(i)->name, s))
            return i;
    return -1;
}

static int lookup_attr(const char *s)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(attrs); i++)
        if (!strcmp(attrs[i].name, s))
            return i;
    return -1;
}

static const char *errno_name(int errnoval)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(errnos); i++)
        if (errnos[i].value == errnoval)
            return errnos[i].name;
    return "EIO";
}

static int errno_value(const char *name)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(errnos); i++)
        if (!strcmp(errnos[i].name, name))
            return errnos[i].value;
    return EIO;
}

/*
 * Values that are not JSON
 */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* Parsed by hand for speed: a list can have thousands, at both ends. */
bool libxl__pci_sbdf_parse(const char *s, libxl__pci_sbdf *sbdf_r)
{
    static const char form[] = "hhhh:hh:hh.h";
    unsigned fields[4] = { 0 };
    int i, digit, field = 0;

    for (i = 0; form[i]; i++) {
        if (form[i] == 'h') {
            digit = hex_digit(s[i]);
            if (digit < 0) return false;
            fields[field] = fields[field] << 4 | digit;
        } else {
            if (s[i] != form[i]) return false;
            field++;
        }
    }
    if (s[i])
        return false;
    if (fields[2] > 0x1f || fields[3] > 7)
        return false;

    *sbdf_r = (libxl__pci_sbdf){ fields[0], fields[1], fields[2],
                                 fields[3] };
    return true;
}

bool libxl__pci_sbdf_equal(const libxl__pci_sbdf *a,
                           const libxl__pci_sbdf *b)
{
    return a->domain == b->domain && a->bus == b->bus && a->dev == b->dev
        && a->func == b->func;
}

bool libxl__pci_driver_ok(const char *name)
{
    size_t i, len = strlen(name);

    if (!len || len > PCID_DRIVER_MAX || name[0] == '.')
        return false;

    /* Some drivers do have spaces in their name. */
    for (i = 0; i < len; i++)
        if (name[i] == '/' || name[i] < ' ' || name[i] > '~')
            return false;
    return true;
}

void libxl__hostpci_fail(libxl__gc *gc, libxl__hostpci_reply *reply,
                         libxl__hostpci_class class, int errnoval,
                         const char *fmt, ...)
{
    const char *text;
    va_list ap;

    va_start(ap, fmt);
    text = libxl__vsprintf(gc, fmt, ap);
    va_end(ap);

    reply->class = class;
    reply->errnoval = errnoval;
    reply->desc = errnoval ? GCSPRINTF("%s: %s", text, strerror(errnoval))
                           : text;
}

char *libxl__pcid_printable(libxl__gc *gc, const char *s)
{
    char *copy = libxl__strndup(gc, s, PCID_DESC_MAX), *p;

    for (p = copy; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return copy;
}

char *libxl__pcid_request_text(libxl__gc *gc,
                               const libxl__hostpci_request *request)
{
    unsigned args = info_of(request->command)->args;
    bool driver = (args & ARG_DRIVER)
        && request->file == LIBXL__HOSTPCI_FILE_DRIVER_BIND;

    return GCSPRINTF("%s%s%s%s%s%s%s%s%s%s",
                     info_of(request->command)->name,
                     args & (ARG_DIR | ARG_ATTR | ARG_FILE) ? " " : "",
                     args & ARG_DIR ? dirs[request->dir] :
                     args & ARG_ATTR ? attrs[request->attr].name :
                     args & ARG_FILE ? files[request->file] : "",
                     driver ? " " : "", driver ? request->driver : "",
                     (args & ARG_RESET) && request->reset ? " reset" : "",
                     (args & ARG_PERMISSIVE) && request->permissive ?
                     " permissive" : "",
                     (args & ARG_INTERRUPT_CONTROL) &&
                     request->interrupt_control ? " interrupt_control" : "",
                     args & ARG_SBDF ? " " : "",
                     args & ARG_SBDF ?
                     GCSPRINTF(LIBXL__SBDF_FMT,
                               LIBXL__SBDF_ARG(request->sbdf)) : "");
}

/*
 * Writing JSON
 */

static libxl__json_object *make_string(libxl__gc *gc, const char *s)
{
    libxl__json_object *o = libxl__json_object_alloc(gc, JSON_STRING);

    o->u.string = libxl__strdup(gc, s);
    return o;
}

static libxl__json_object *make_null(libxl__gc *gc)
{
    return libxl__json_object_alloc(gc, JSON_NULL);
}

static libxl__json_object *make_map(libxl__gc *gc)
{
    return libxl__json_object_alloc(gc, JSON_MAP);
}

static libxl__json_object *make_array(libxl__gc *gc)
{
    return libxl__json_object_alloc(gc, JSON_ARRAY);
}

static libxl__json_object *make_driver(libxl__gc *gc, const char *driver)
{
    return driver ? make_string(gc, driver) : make_null(gc);
}

static libxl__json_object *make_integer(libxl__gc *gc, long long i)
{
    libxl__json_object *o = libxl__json_object_alloc(gc, JSON_INTEGER);

    o->u.i = i;
    return o;
}

static libxl__json_object *make_bool(libxl__gc *gc, bool b)
{
    libxl__json_object *o = libxl__json_object_alloc(gc, JSON_BOOL);

    o->u.b = b;
    return o;
}

static libxl__json_object *make_sbdf(libxl__gc *gc,
                                     const libxl__pci_sbdf *sbdf)
{
    return make_string(gc, GCSPRINTF(LIBXL__SBDF_FMT,
                                     LIBXL__SBDF_ARG(*sbdf)));
}

static void json_add(libxl__gc *gc, libxl__json_object *map,
                     const char *key, libxl__json_object *value)
{
    libxl__json_map_node *node;

    GCNEW(node);
    node->map_key = libxl__strdup(gc, key);
    node->obj = value;
    flexarray_append(map->u.map, node);
}

char *libxl__pcid_encode_greeting(libxl__gc *gc)
{
    libxl__json_object *msg = make_map(gc);
    libxl__json_object *pcid = make_map(gc);
    libxl__json_object *version = make_map(gc);
    libxl__json_object *features = make_array(gc);
    int i;

    json_add(gc, version, PCID_MSG_MAJOR,
             make_integer(gc, PCID_VERSION_MAJOR));
    json_add(gc, version, PCID_MSG_MINOR,
             make_integer(gc, PCID_VERSION_MINOR));
    for (i = 0; i < LIBXL__HOSTPCI_COMMANDS; i++)
        if (info_of(i)->feature)
            flexarray_append(features->u.array,
                             make_string(gc, info_of(i)->name));
    flexarray_append(features->u.array,
                     make_string(gc, PCID_FEATURE_INTERRUPT_CONTROL));
    json_add(gc, pcid, PCID_MSG_VERSION, version);
    json_add(gc, pcid, PCID_MSG_FEATURES, features);
    json_add(gc, msg, PCID_MSG_GREETING, pcid);
    return libxl__json_object_to_json(gc, msg);
}

char *libxl__pcid_encode_progress(libxl__gc *gc, int64_t id)
{
    libxl__json_object *msg = make_map(gc);

    json_add(gc, msg, PCID_MSG_PROGRESS, make_map(gc));
    json_add(gc, msg, PCID_MSG_ID, make_integer(gc, id));
    return libxl__json_object_to_json(gc, msg);
}

char *libxl__pcid_encode_request(libxl__gc *gc, int64_t id,
                                 const libxl__hostpci_request *request)
{
    libxl__json_object *msg = make_map(gc);
    libxl__json_object *o = make_map(gc);
    unsigned args = info_of(request->command)->args;

    if (args & ARG_DIR)
        json_add(gc, o, PCID_ARG_DIR_ID,
                 make_string(gc, dirs[request->dir]));
    if (args & ARG_ATTR)
        json_add(gc, o, PCID_ARG_ATTR_ID,
                 make_string(gc, attrs[request->attr].name));
    if (args & ARG_FILE)
        json_add(gc, o, PCID_ARG_FILE_ID,
                 make_string(gc, files[request->file]));
    if ((args & ARG_DRIVER) &&
        request->file == LIBXL__HOSTPCI_FILE_DRIVER_BIND)
        json_add(gc, o, PCID_ARG_DRIVER, make_string(gc, request->driver));
    if (args & ARG_SBDF)
        json_add(gc, o, PCID_ARG_SBDF, make_sbdf(gc, &request->sbdf));
    if (args & ARG_RESET)
        json_add(gc, o, PCID_ARG_RESET, make_bool(gc, request->reset));
    if (args & ARG_PERMISSIVE)
        json_add(gc, o, PCID_ARG_PERMISSIVE,
                 make_bool(gc, request->permissive));
    /* A server without that feature does not know the argument. */
    if ((args & ARG_INTERRUPT_CONTROL) && request->interrupt_control)
        json_add(gc, o, PCID_ARG_INTERRUPT_CONTROL, make_bool(gc, true));

    json_add(gc, msg, PCID_MSG_EXECUTE,
             make_string(gc, info_of(request->command)->name));
    json_add(gc, msg, PCID_MSG_ID, make_integer(gc, id));
    json_add(gc, msg, PCID_MSG_ARGUMENTS, o);
    return libxl__json_object_to_json(gc, msg);
}

static libxl__json_object *encode_error(libxl__gc *gc,
                                        const libxl__hostpci_reply *reply)
{
    libxl__json_object *o = make_map(gc);

    json_add(gc, o, PCID_MSG_CLASS,
             make_string(gc, classes[reply->class]));
    if (reply->errnoval)
        json_add(gc, o, PCID_MSG_ERRNO,
                 make_string(gc, errno_name(reply->errnoval)));
    if (reply->step)
        json_add(gc, o, PCID_MSG_STEP,
                 make_string(gc, steps[reply->step]));
    json_add(gc, o, PCID_MSG_DESC,
             make_string(gc, libxl__pcid_printable(gc, reply->desc)));
    return o;
}

static libxl__json_object *
json_resources(libxl__gc *gc, const libxl__hostpci_access *access)
{
    libxl__json_object *o = make_array(gc), *resource;
    int i;

    for (i = 0; i < PCID_RESOURCES; i++) {
        const libxl__hostpci_resource *res = &access->resources[i];

        resource = make_map(gc);
        json_add(gc, resource, PCID_RET_START,
                 make_integer(gc, res->start));
        json_add(gc, resource, PCID_RET_END, make_integer(gc, res->end));
        json_add(gc, resource, PCID_RET_FLAGS,
                 make_integer(gc, res->flags));
        flexarray_append(o->u.array, resource);
    }
    return o;
}

static libxl__json_object *
json_access(libxl__gc *gc, const libxl__hostpci_access *access)
{
    libxl__json_object *o = make_map(gc);

    json_add(gc, o, PCID_RET_RESOURCES, json_resources(gc, access));
    json_add(gc, o, PCID_RET_GSI, make_integer(gc, access->gsi));
    return o;
}

char *libxl__pcid_encode_access(libxl__gc *gc,
                                const libxl__hostpci_access *access)
{
    return libxl__json_object_to_json(gc, json_access(gc, access));
}

static void json_add_reset(libxl__gc *gc, libxl__json_object *map,
                           const libxl__hostpci_reply *reply)
{
    json_add(gc, map, PCID_RET_RESET,
             reply->no_reset ? make_bool(gc, false) :
             !reply->reset_failed ? make_null(gc) :
             make_string(gc, libxl__pcid_printable(gc,
                                                   reply->reset_failed)));
}

/* Which functions a device has, from a bit mask of them */
static libxl__json_object *json_functions(libxl__gc *gc, unsigned mask)
{
    libxl__json_object *o = make_array(gc);
    int i;

    for (i = 0; i < 8; i++)
        if (mask & (1u << i))
            flexarray_append(o->u.array, make_integer(gc, i));
    return o;
}

static libxl__json_object *
encode_result(libxl__gc *gc, const libxl__hostpci_request *request,
              const libxl__hostpci_reply *reply)
{
    libxl__json_object *o;

    switch (request->command) {
    case LIBXL__HOSTPCI_CMD_EXISTS:
        return make_bool(gc, reply->exists);
    case LIBXL__HOSTPCI_CMD_READ_HEX:
        return make_integer(gc, reply->value);
    case LIBXL__HOSTPCI_CMD_READ_RESOURCES:
        return json_resources(gc, &reply->access);
    case LIBXL__HOSTPCI_CMD_UNBIND:
        return make_driver(gc, reply->driver);
    case LIBXL__HOSTPCI_CMD_QUERY:
    case LIBXL__HOSTPCI_CMD_ASSIGN:
        o = make_map(gc);
        json_add(gc, o, PCID_RET_DRIVER,
                 make_driver(gc, reply->driver));
        json_add(gc, o, PCID_RET_ASSIGNED, make_bool(gc, reply->assigned));
        if (request->command == LIBXL__HOSTPCI_CMD_ASSIGN) return o;

        json_add(gc, o, PCID_RET_PCIBACK, make_bool(gc, reply->pciback));
        json_add(gc, o, PCID_RET_VENDOR, make_integer(gc, reply->vendor));
        json_add(gc, o, PCID_RET_DEVICE, make_integer(gc, reply->device));
        json_add(gc, o, PCID_RET_CLASS,
                 make_integer(gc, reply->class_code));
        json_add(gc, o, PCID_RET_FUNCTIONS,
                 json_functions(gc, reply->functions));
        json_add(gc, o, PCID_RET_FUNCTIONS_ASSIGNED,
                 json_functions(gc, reply->assigned_functions));
        return o;
    case LIBXL__HOSTPCI_CMD_UNASSIGN:
        return make_bool(gc, reply->assigned);
    case LIBXL__HOSTPCI_CMD_LEND:
        o = json_access(gc, &reply->access);
        json_add_reset(gc, o, reply);
        if (request->interrupt_control)
            json_add(gc, o, PCID_RET_INTERRUPT_CONTROL,
                     make_bool(gc, reply->interrupt_control));
        return o;
    case LIBXL__HOSTPCI_CMD_TAKE_BACK:
        o = make_map(gc);
        json_add_reset(gc, o, reply);
        return o;
    case LIBXL__HOSTPCI_CMD_WRITE:
    case LIBXL__HOSTPCI_CMD_RESET:
    case LIBXL__HOSTPCI_CMD_LS: /* encode_list */
    case LIBXL__HOSTPCI_COMMANDS:
        break;
    }
    return make_map(gc);
}

static char *put_hex(char *to, unsigned value, int digits)
{
    while (digits--)
        *to++ = "0123456789abcdef"[value >> 4 * digits & 0xf];
    return to;
}

/*
 * Write a list directly as text.  The objects of thousands of devices would
 * take many times the memory, and the gc searches all its allocations for
 * each new one.
 */
static char *encode_list(libxl__gc *gc, int64_t id,
                         const libxl__hostpci_reply *reply)
{
    static const char begin[] = "{\"" PCID_MSG_RETURN "\":[";
    static const char sbdf[] = "\"0000:00:00.0\",";
    static const char end[] = "],\"" PCID_MSG_ID "\":";
    size_t size = sizeof(begin) + reply->num_sbdfs * strlen(sbdf)
        + sizeof(end) + sizeof("9223372036854775807}");
    char *text = libxl__malloc(gc, size), *p = text;
    int i;

    p = stpcpy(p, begin);
    for (i = 0; i < reply->num_sbdfs; i++) {
        const libxl__pci_sbdf *s = &reply->sbdfs[i];

        if (i) *p++ = ',';
        *p++ = '"';
        p = put_hex(p, s->domain, 4);
        *p++ = ':';
        p = put_hex(p, s->bus, 2);
        *p++ = ':';
        p = put_hex(p, s->dev, 2);
        *p++ = '.';
        p = put_hex(p, s->func, 1);
        *p++ = '"';
    }
    p = stpcpy(p, end);
    snprintf(p, text + size - p, "%"PRId64"}", id);
    return text;
}

char *libxl__pcid_encode_reply(libxl__gc *gc, const int64_t *id,
                               const libxl__hostpci_request *request,
                               const libxl__hostpci_reply *reply)
{
    libxl__json_object *msg;

    if (!reply->class && request->command == LIBXL__HOSTPCI_CMD_LS)
        return encode_list(gc, *id, reply);

    msg = make_map(gc);
    if (reply->class)
        json_add(gc, msg, PCID_MSG_ERROR, encode_error(gc, reply));
    else
        json_add(gc, msg, PCID_MSG_RETURN,
                 encode_result(gc, request, reply));
    if (id)
        json_add(gc, msg, PCID_MSG_ID, make_integer(gc, *id));
    return libxl__json_object_to_json(gc, msg);
}

/*
 * Reading JSON.  libxl__json_map_get takes the first of several members of
 * the same name; such a message is refused where that could matter.
 */

static bool read_id(const libxl__json_object *msg, int64_t *id_r)
{
    const libxl__json_object *o =
        libxl__json_map_get(PCID_MSG_ID, msg, JSON_INTEGER);

    if (!o || libxl__json_object_get_integer(o) < 0)
        return false;
    *id_r = libxl__json_object_get_integer(o);
    return true;
}

/* Each key of a map must be one of those given, and occur at most once. */
static const char *unexpected_key(const libxl__json_object *map,
                                  const char *const keys[], int num_keys)
{
    const libxl__json_map_node *node;
    unsigned seen = 0;
    int i, key;

    for (i = 0; (node = libxl__json_map_node_get(map, i)); i++) {
        key = lookup(keys, num_keys, node->map_key);
        if (key < 0 || (seen & (1u << key)))
            return node->map_key;
        seen |= 1u << key;
    }
    return NULL;
}

static bool is_empty_map(const libxl__json_object *o)
{
    return libxl__json_object_is_map(o) && !libxl__json_map_node_get(o, 0);
}

int libxl__pcid_decode_request(libxl__gc *gc,
                               const libxl__json_object *msg,
                               bool *has_id_r, int64_t *id_r,
                               libxl__hostpci_request *request_r,
                               libxl__hostpci_reply *error_r)
{
    static const char *const keys[] = {
        PCID_MSG_EXECUTE, PCID_MSG_ID, PCID_MSG_ARGUMENTS,
    };
    static const struct {
        unsigned arg;
        const char *key;
    } arguments[] = {
        { ARG_SBDF,   PCID_ARG_SBDF },
        { ARG_DIR,    PCID_ARG_DIR_ID },
        { ARG_ATTR,   PCID_ARG_ATTR_ID },
        { ARG_FILE,   PCID_ARG_FILE_ID },
        { ARG_DRIVER, PCID_ARG_DRIVER },
        { ARG_RESET,  PCID_ARG_RESET },
        { ARG_PERMISSIVE, PCID_ARG_PERMISSIVE },
        { ARG_INTERRUPT_CONTROL, PCID_ARG_INTERRUPT_CONTROL },
    };
    const libxl__json_object *args, *objects[ARRAY_SIZE(arguments)] = { };
    const libxl__json_map_node *node;
    const char *key, *name;
    unsigned wanted;
    int i, j, found;

#define REFUSE(class_, ...) do {                                        \
        libxl__hostpci_fail(gc, error_r, LIBXL__HOSTPCI_ ## class_, 0,  \
                            __VA_ARGS__);                               \
        return ERROR_INVAL;                                             \
    } while (0)

    memset(request_r, 0, sizeof(*request_r));
    memset(error_r, 0, sizeof(*error_r));

    *has_id_r = read_id(msg, id_r);

    key = unexpected_key(msg, keys, ARRAY_SIZE(keys));
    if (key)
        REFUSE(BAD_ARGUMENT, "\"%s\" is unknown, or given twice", key);
    if (!*has_id_r)
        REFUSE(BAD_ARGUMENT, "\"id\" is missing, or not an integer from 0 up");
    name = libxl__json_object_get_string(
        libxl__json_map_get(PCID_MSG_EXECUTE, msg, JSON_STRING));
    if (!name)
        REFUSE(BAD_COMMAND, "\"execute\" is missing, or not a string");
    found = lookup_command(name);
    if (found < 0)
        REFUSE(BAD_COMMAND, "unknown command \"%s\"", name);
    request_r->command = found;

    args = libxl__json_map_get(PCID_MSG_ARGUMENTS, msg, JSON_MAP);
    if (!args)
        REFUSE(BAD_ARGUMENT, "%s: \"arguments\" is missing, or not an object",
               name);

    wanted = info_of(request_r->command)->args;
    for (i = 0; (node = libxl__json_map_node_get(args, i)); i++) {
        for (j = 0; j < ARRAY_SIZE(arguments); j++)
            if (!strcmp(arguments[j].key, node->map_key))
                break;
        if (j == ARRAY_SIZE(arguments) || !(wanted & arguments[j].arg))
            REFUSE(BAD_ARGUMENT, "%s: unknown argument \"%s\"", name,
                   node->map_key);
        if (objects[j])
            REFUSE(BAD_ARGUMENT, "%s: \"%s\" is given twice", name,
                   node->map_key);
        objects[j] = node->obj;
        if (arguments[j].arg & ARGS_BOOLEAN
            ? !libxl__json_object_is_bool(node->obj)
            : !libxl__json_object_is_string(node->obj))
            REFUSE(BAD_ARGUMENT, "%s: \"%s\" is not a %s", name,
                   node->map_key,
                   arguments[j].arg & ARGS_BOOLEAN ? "boolean" : "string");
    }

    for (j = 0; j < ARRAY_SIZE(arguments); j++) {
        const char *value = libxl__json_object_get_string(objects[j]);

        if (!(wanted & arguments[j].arg))
            continue;
        if (arguments[j].arg == ARG_DRIVER) {
            bool bind = request_r->file == LIBXL__HOSTPCI_FILE_DRIVER_BIND;

            if (bind && !value)
                REFUSE(BAD_ARGUMENT, "%s: \"driver\" is missing", name);
            if (!bind && value)
                REFUSE(BAD_ARGUMENT, "%s: \"driver\" is for \"file_id\" "
                       "\"driver_bind\" only", name);
            if (value && !libxl__pci_driver_ok(value))
                REFUSE(BAD_ARGUMENT, "%s: \"%s\" is not the name of a driver",
                       name, value);
            request_r->driver = value ? libxl__strdup(gc, value) : NULL;
            continue;
        }

        if (!objects[j] && arguments[j].arg == ARG_INTERRUPT_CONTROL)
            continue;
        if (!objects[j])
            REFUSE(BAD_ARGUMENT, "%s: \"%s\" is missing", name,
                   arguments[j].key);
        found = 0;
        switch (arguments[j].arg) {
        case ARG_SBDF:
            if (!libxl__pci_sbdf_parse(value, &request_r->sbdf))
                found = -1;
            break;
        case ARG_DIR:
            request_r->dir = found = LOOKUP(dirs, value);
            break;
        case ARG_ATTR:
            request_r->attr = found = lookup_attr(value);
            break;
        case ARG_FILE:
            request_r->file = found = LOOKUP(files, value);
            break;
        case ARG_RESET:
            request_r->reset = libxl__json_object_get_bool(objects[j]);
            break;
        case ARG_PERMISSIVE:
            request_r->permissive = libxl__json_object_get_bool(objects[j]);
            break;
        case ARG_INTERRUPT_CONTROL:
            request_r->interrupt_control =
                libxl__json_object_get_bool(objects[j]);
            break;
        }
        if (found < 0)
            REFUSE(BAD_ARGUMENT, "%s: \"%s\" cannot be \"%s\"", name,
                   arguments[j].key, value);
    }
    return 0;
#undef REFUSE
}

libxl__pcid_kind libxl__pcid_classify(const libxl__json_object *msg,
                                      bool *has_id_r, int64_t *id_r)
{
    static const char *const keys[] = {
        PCID_MSG_GREETING, PCID_MSG_PROGRESS, PCID_MSG_RETURN,
        PCID_MSG_ERROR, PCID_MSG_ID,
    };
    const libxl__json_object *ret, *error, *progress, *greeting;

    *has_id_r = read_id(msg, id_r);

    if (unexpected_key(msg, keys, ARRAY_SIZE(keys)))
        return LIBXL__PCID_INVALID;

    ret = libxl__json_map_get(PCID_MSG_RETURN, msg, JSON_ANY);
    error = libxl__json_map_get(PCID_MSG_ERROR, msg, JSON_ANY);
    progress = libxl__json_map_get(PCID_MSG_PROGRESS, msg, JSON_ANY);
    greeting = libxl__json_map_get(PCID_MSG_GREETING, msg, JSON_ANY);

    if (!!ret + !!error + !!progress + !!greeting != 1)
        return LIBXL__PCID_INVALID;
    if (greeting)
        return libxl__json_object_is_map(greeting) && !*has_id_r ?
            LIBXL__PCID_GREETING : LIBXL__PCID_INVALID;
    if (progress)
        return is_empty_map(progress) && *has_id_r ?
            LIBXL__PCID_PROGRESS : LIBXL__PCID_INVALID;
    if (error && !libxl__json_object_is_map(error))
        return LIBXL__PCID_INVALID;
    /* An error without an id is about everything that was sent. */
    return *has_id_r || error ? LIBXL__PCID_REPLY : LIBXL__PCID_INVALID;
}

int libxl__pcid_decode_greeting(const libxl__json_object *msg,
                                int *major_r, int *minor_r,
                                libxl__pcid_features *features_r)
{
    const libxl__json_object *pcid, *version, *major, *minor;
    const libxl__json_object *features, *o;
    const char *name;
    int i, command;

    pcid = libxl__json_map_get(PCID_MSG_GREETING, msg, JSON_MAP);
    version = libxl__json_map_get(PCID_MSG_VERSION, pcid, JSON_MAP);
    major = libxl__json_map_get(PCID_MSG_MAJOR, version, JSON_INTEGER);
    minor = libxl__json_map_get(PCID_MSG_MINOR, version, JSON_INTEGER);
    features = libxl__json_map_get(PCID_MSG_FEATURES, pcid, JSON_ARRAY);
    if (!major || !minor || !features ||
        major->u.i < 0 || major->u.i > INT_MAX ||
        minor->u.i < 0 || minor->u.i > INT_MAX)
        return ERROR_INVAL;

    *major_r = major->u.i;
    *minor_r = minor->u.i;
    memset(features_r, 0, sizeof(*features_r));
    for (i = 0; i < LIBXL__HOSTPCI_COMMANDS; i++)
        features_r->commands[i] = !info_of(i)->feature;
    for (i = 0; (o = libxl__json_array_get(features, i)); i++) {
        if (!libxl__json_object_is_string(o))
            return ERROR_INVAL;
        /* Ignore unknown features. */
        name = libxl__json_object_get_string(o);
        command = lookup_command(name);
        if (command >= 0)
            features_r->commands[command] = true;
        else if (!strcmp(name, PCID_FEATURE_INTERRUPT_CONTROL))
            features_r->interrupt_control = true;
    }
    return 0;
}

static int decode_error(libxl__gc *gc, const libxl__json_object *error,
                        libxl__hostpci_reply *reply)
{
    const char *class, *errno_str, *step, *desc;
    int found;

    class = libxl__json_object_get_string(
        libxl__json_map_get(PCID_MSG_CLASS, error, JSON_STRING));
    desc = libxl__json_object_get_string(
        libxl__json_map_get(PCID_MSG_DESC, error, JSON_STRING));
    if (!class || !desc || !*desc)
        return ERROR_INVAL;

    /* A later minor version may have more classes, and more steps. */
    found = LOOKUP(classes, class);
    reply->class = found < 0 ? LIBXL__HOSTPCI_FAILED : found;
    reply->desc = libxl__pcid_printable(gc, desc);

    errno_str = libxl__json_object_get_string(
        libxl__json_map_get(PCID_MSG_ERRNO, error, JSON_STRING));
    reply->errnoval = errno_str ? errno_value(errno_str) : 0;

    step = libxl__json_object_get_string(
        libxl__json_map_get(PCID_MSG_STEP, error, JSON_STRING));
    found = step ? LOOKUP(steps, step) : -1;
    reply->step = found < 0 ? LIBXL__HOSTPCI_STEP_NONE : found;
    return 0;
}

static const libxl__json_object *member(const libxl__json_object *o,
                                        const char *key)
{
    return libxl__json_map_get(key, o, JSON_ANY);
}

static int decode_bool(const libxl__json_object *o, bool *b_r)
{
    if (!o || !libxl__json_object_is_bool(o))
        return ERROR_INVAL;
    *b_r = libxl__json_object_get_bool(o);
    return 0;
}

static int decode_driver(libxl__gc *gc, const libxl__json_object *o,
                         const char **driver_r)
{
    const char *s;

    if (!o)
        return ERROR_INVAL;
    if (libxl__json_object_is_null(o)) {
        *driver_r = NULL;
        return 0;
    }
    s = libxl__json_object_get_string(o);
    if (!s || !libxl__pci_driver_ok(s))
        return ERROR_INVAL;
    *driver_r = libxl__strdup(gc, s);
    return 0;
}

static int decode_sbdfs(libxl__gc *gc, const libxl__json_object *o,
                        libxl__hostpci_reply *reply)
{
    flexarray_t *array = libxl__json_object_get_array(o);
    const char *s;
    int i;

    if (!array)
        return ERROR_INVAL;

    GCNEW_ARRAY(reply->sbdfs, array->count);
    for (i = 0; i < array->count; i++) {
        s = libxl__json_object_get_string(libxl__json_array_get(o, i));
        if (!s || !libxl__pci_sbdf_parse(s, &reply->sbdfs[i]))
            return ERROR_INVAL;
    }
    reply->num_sbdfs = array->count;
    return 0;
}

/*
 * Hypercalls give a guest access to these resources, so check that each is
 * a possible resource.
 */
static int decode_resource(const libxl__json_object *o,
                           libxl__hostpci_resource *res)
{
    static const char *const keys[] = {
        PCID_RET_START, PCID_RET_END, PCID_RET_FLAGS,
    };
    const libxl__json_object *start, *end, *flags;
    uint32_t type;

    if (unexpected_key(o, keys, ARRAY_SIZE(keys)))
        return ERROR_INVAL;
    start = libxl__json_map_get(PCID_RET_START, o, JSON_INTEGER);
    end = libxl__json_map_get(PCID_RET_END, o, JSON_INTEGER);
    flags = libxl__json_map_get(PCID_RET_FLAGS, o, JSON_INTEGER);
    if (!start || !end || !flags)
        return ERROR_INVAL;

    if (start->u.i < 0 || end->u.i < start->u.i ||
        end->u.i > PCID_RESOURCE_ADDR_MAX ||
        flags->u.i < 0 || flags->u.i > PCID_RESOURCE_KNOWN)
        return ERROR_INVAL;

    type = flags->u.i & (PCID_RESOURCE_IO | PCID_RESOURCE_MEM);
    if (!start->u.i) {
        if (end->u.i || flags->u.i) return ERROR_INVAL;
    } else if (type == PCID_RESOURCE_IO) {
        if (flags->u.i != PCID_RESOURCE_IO || end->u.i > UINT16_MAX)
            return ERROR_INVAL;
    } else if (type != PCID_RESOURCE_MEM) {
        return ERROR_INVAL;
    }

    res->start = start->u.i;
    res->end = end->u.i;
    res->flags = flags->u.i;
    return 0;
}

static int decode_resources(const libxl__json_object *o,
                            libxl__hostpci_access *access)
{
    flexarray_t *array = libxl__json_object_get_array(o);
    int i, rc;

    if (!array || array->count != PCID_RESOURCES)
        return ERROR_INVAL;

    for (i = 0; i < PCID_RESOURCES; i++) {
        rc = decode_resource(libxl__json_array_get(o, i),
                             &access->resources[i]);
        if (rc) return rc;
    }
    return 0;
}

static int decode_integer(const libxl__json_object *o, uint32_t max,
                          uint32_t *value_r)
{
    if (!o || !libxl__json_object_is_integer(o) || o->u.i < 0 ||
        o->u.i > max)
        return ERROR_INVAL;
    *value_r = o->u.i;
    return 0;
}

static int decode_access(const libxl__json_object *o,
                         libxl__hostpci_access *access)
{
    int rc;

    rc = decode_resources(member(o, PCID_RET_RESOURCES), access);
    if (rc) return rc;
    return decode_integer(member(o, PCID_RET_GSI), PCID_GSI_MAX,
                          &access->gsi);
}

int libxl__pcid_decode_access(libxl__gc *gc, const char *text,
                              libxl__hostpci_access *access_r)
{
    libxl__json_object *o = libxl__json_parse(gc, text);

    memset(access_r, 0, sizeof(*access_r));
    return o ? decode_access(o, access_r) : ERROR_INVAL;
}

static int decode_reset(libxl__gc *gc, const libxl__json_object *o,
                        libxl__hostpci_reply *reply)
{
    const char *s;

    if (!o)
        return ERROR_INVAL;
    if (libxl__json_object_is_null(o))
        return 0;
    if (libxl__json_object_is_bool(o)) {
        reply->no_reset = !libxl__json_object_get_bool(o);
        return reply->no_reset ? 0 : ERROR_INVAL;
    }
    s = libxl__json_object_get_string(o);
    if (!s || !*s)
        return ERROR_INVAL;
    reply->reset_failed = libxl__pcid_printable(gc, s);
    return 0;
}

static int decode_lent(libxl__gc *gc, const libxl__json_object *o,
                       const libxl__hostpci_request *request,
                       libxl__hostpci_reply *reply)
{
    int rc;

    rc = decode_access(o, &reply->access);
    if (rc) return rc;
    rc = decode_reset(gc, member(o, PCID_RET_RESET), reply);
    if (rc || !request->interrupt_control) return rc;
    return decode_bool(member(o, PCID_RET_INTERRUPT_CONTROL),
                       &reply->interrupt_control);
}

static int decode_functions(const libxl__json_object *o, unsigned *mask_r)
{
    const libxl__json_object *func;
    unsigned bit;
    int i;

    if (!o || !libxl__json_object_is_array(o))
        return ERROR_INVAL;

    *mask_r = 0;
    for (i = 0; (func = libxl__json_array_get(o, i)); i++) {
        if (!libxl__json_object_is_integer(func) || func->u.i < 0 ||
            func->u.i > 7)
            return ERROR_INVAL;
        bit = 1u << func->u.i;
        if (*mask_r & bit)
            return ERROR_INVAL;
        *mask_r |= bit;
    }
    return 0;
}

/* The requested function must be listed, consistently with `assigned'. */
static int decode_query(const libxl__json_object *o,
                        const libxl__pci_sbdf *sbdf,
                        libxl__hostpci_reply *reply)
{
    unsigned self = 1u << sbdf->func;
    int rc;

    rc = decode_bool(member(o, PCID_RET_PCIBACK), &reply->pciback);
    if (rc) return rc;
    rc = decode_integer(member(o, PCID_RET_VENDOR),
                        attrs[LIBXL__HOSTPCI_ATTR_VENDOR].max,
                        &reply->vendor);
    if (rc) return rc;
    rc = decode_integer(member(o, PCID_RET_DEVICE),
                        attrs[LIBXL__HOSTPCI_ATTR_DEVICE].max,
                        &reply->device);
    if (rc) return rc;
    rc = decode_integer(member(o, PCID_RET_CLASS),
                        attrs[LIBXL__HOSTPCI_ATTR_CLASS].max,
                        &reply->class_code);
    if (rc) return rc;
    rc = decode_functions(member(o, PCID_RET_FUNCTIONS),
                          &reply->functions);
    if (rc) return rc;
    rc = decode_functions(member(o, PCID_RET_FUNCTIONS_ASSIGNED),
                          &reply->assigned_functions);
    if (rc) return rc;

    if (!(reply->functions & self) ||
        (reply->assigned_functions & ~reply->functions) ||
        !!(reply->assigned_functions & self) != reply->assigned)
        return ERROR_INVAL;
    return 0;
}

int libxl__pcid_decode_reply(libxl__gc *gc, const libxl__json_object *msg,
                             const libxl__hostpci_request *request,
                             libxl__hostpci_reply *reply)
{
    const libxl__json_object *o;
    uint32_t value;
    int rc;

    memset(reply, 0, sizeof(*reply));

    o = libxl__json_map_get(PCID_MSG_ERROR, msg, JSON_MAP);
    if (o)
        return decode_error(gc, o, reply);

    o = libxl__json_map_get(PCID_MSG_RETURN, msg, JSON_ANY);
    if (!o)
        return ERROR_INVAL;

    switch (request->command) {
    case LIBXL__HOSTPCI_CMD_LS:
        return decode_sbdfs(gc, o, reply);
    case LIBXL__HOSTPCI_CMD_EXISTS:
        return decode_bool(o, &reply->exists);
    case LIBXL__HOSTPCI_CMD_READ_HEX:
        rc = decode_integer(o, attrs[request->attr].max, &value);
        if (rc) return rc;
        reply->value = value;
        return 0;
    case LIBXL__HOSTPCI_CMD_READ_RESOURCES:
        return decode_resources(o, &reply->access);
    case LIBXL__HOSTPCI_CMD_UNBIND:
        return decode_driver(gc, o, &reply->driver);
    case LIBXL__HOSTPCI_CMD_QUERY:
    case LIBXL__HOSTPCI_CMD_ASSIGN:
        rc = decode_bool(member(o, PCID_RET_ASSIGNED), &reply->assigned);
        if (rc) return rc;
        rc = decode_driver(gc, member(o, PCID_RET_DRIVER), &reply->driver);
        if (rc) return rc;
        if (request->command == LIBXL__HOSTPCI_CMD_ASSIGN)
            /* If it was assigned before, nothing has been unbound. */
            return reply->assigned && reply->driver ? ERROR_INVAL : 0;
        return decode_query(o, &request->sbdf, reply);
    case LIBXL__HOSTPCI_CMD_LEND:
        return decode_lent(gc, o, request, reply);
    case LIBXL__HOSTPCI_CMD_TAKE_BACK:
        return decode_reset(gc, member(o, PCID_RET_RESET), reply);
    case LIBXL__HOSTPCI_CMD_UNASSIGN:
        return decode_bool(o, &reply->assigned);
    case LIBXL__HOSTPCI_CMD_WRITE:
    case LIBXL__HOSTPCI_CMD_RESET:
        return is_empty_map(o) ? 0 : ERROR_INVAL;
    case LIBXL__HOSTPCI_COMMANDS:
        break;
    }
    return ERROR_INVAL;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
