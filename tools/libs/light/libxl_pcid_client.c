/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Host PCI access: has requests carried out by the owner of the devices.
 * See libxl_hostpci.h for the interface, and docs/misc/pcid-protocol.pandoc
 * for the protocol.
 *
 * WARNING - The owner is not trusted beyond what it is designated for:
 *           what it sends, and what it writes to xenstore, may be wrong on
 *           purpose.
 *
 * A connection, of which a ctx has one at most for each owner:
 *
 *     state       what it has                 what it waits for
 *
 *     IDLE        nothing                     an op
 *       |  client_connect(): takes the spare channel, and is GREETING, or
 *       |                    asks in xenstore for one
 *     ASKING      path, watch                 the answer to appear
 *       |  client_answer(): connects to the channel
 *     GREETING    vc                          the greeting
 *       |  client_greeting(): checks the version; sends the ops
 *     READY       vc                          replies, more ops
 *
 * From each of the last three, client_reset() leads back to IDLE.
 *
 * Each Active op is on the list of a connection, and has its own deadline,
 * which limits all of the above:
 *
 *     PCID_SILENCE_MS    after its start, including all of the above, or
 *                        after the last progress message
 *     PCID_OPERATION_MS  after the request was sent
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "libxl_internal.h"
#include "libxl_pcid.h"
#include "libxl_vchan.h"

typedef struct libxl__pcid_client libxl__pcid_client;

struct libxl__pcid_client {
    libxl_domid owner;
    enum { IDLE, ASKING, GREETING, READY } state;
    char *path;
    libxl__ev_xswatch watch;
    libxl__vchan vc;
    libxl__pcid_features features;
    int64_t next_id;
    libxl__hostpci_ops ops;
    XEN_LIST_ENTRY(libxl__pcid_client) entry;
};

/* Moves an op from one list to another. */
static void op_move(libxl__hostpci_op *op, libxl__hostpci_ops *list)
{
    if (op->list)
        XEN_TAILQ_REMOVE(op->list, op, entry);
    op->list = list;
    if (list)
        XEN_TAILQ_INSERT_TAIL(list, op, entry);
}

void libxl__hostpci_op_init(libxl__hostpci_op *op)
{
    op->client = NULL;
    op->list = NULL;
    op->backend = op->owner = INVALID_DOMID;
    libxl__ev_time_init(&op->deadline);
    op->sent = op->retried = op->decided = false;
}

void libxl__hostpci_op_stop(libxl__gc *gc, libxl__hostpci_op *op)
{
    op_move(op, NULL);
    op->client = NULL;
    libxl__ev_time_deregister(gc, &op->deadline);
}

/*
 * Synchronous helpers
 */

static const char *op_text(libxl__gc *gc, const libxl__hostpci_op *op)
{
    return libxl__pcid_request_text(gc, &op->request);
}

static void client_forget_path(libxl__gc *gc, libxl__pcid_client *client,
                               bool remove)
{
    libxl__ev_xswatch_deregister(gc, &client->watch);
    if (client->path && remove)
        xs_rm(CTX->xsh, XBT_NULL, client->path);
    free(client->path);
    client->path = NULL;
}

static void client_reset(libxl__gc *gc, libxl__pcid_client *client)
{
    client_forget_path(gc, client, true);
    libxl__vchan_dispose(gc, &client->vc);
    client->state = IDLE;
}

static libxl__pcid_client *client_find(libxl__gc *gc, libxl_domid owner)
{
    libxl__pcid_client *client;

    XEN_LIST_FOREACH(client, &CTX->pcid_clients, entry)
        if (client->owner == owner)
            return client;
    return NULL;
}

static libxl__pcid_client *client_get(libxl__gc *gc, libxl_domid owner)
{
    libxl__pcid_client *client = client_find(gc, owner);

    if (client) return client;

    client = libxl__zalloc(NOGC, sizeof(*client));
    client->owner = owner;
    client->state = IDLE;
    libxl__ev_xswatch_init(&client->watch);
    libxl__vchan_init(&client->vc);
    XEN_TAILQ_INIT(&client->ops);
    XEN_LIST_INSERT_HEAD(&CTX->pcid_clients, client, entry);
    return client;
}

void libxl__pcid_clients_dispose(libxl__gc *gc)
{
    libxl__pcid_client *client;

    while ((client = XEN_LIST_FIRST(&CTX->pcid_clients))) {
        assert(XEN_TAILQ_EMPTY(&client->ops));
        XEN_LIST_REMOVE(client, entry);
        client_reset(gc, client);
        free(client);
    }
}

/* The server's directory, in which clients ask for a channel */
static char *server_path(libxl__gc *gc, libxl_domid owner)
{
    return GCSPRINTF("/local/domain/%u/%s", owner, PCID_XS_DIR);
}

/*
 * The server's spare channel for this domain, or NULL.  *running_r: whether
 * the server's directory for this domain exists, so that a server runs.
 */
static const char *client_spare(libxl__gc *gc, const char *dir,
                                bool *running_r)
{
    const char *name = libxl__xs_read(gc, XBT_NULL, dir), *p;

    *running_r = name;
    if (!name || !*name || strlen(name) > PCID_CONN_NAME_MAX)
        return NULL;
    for (p = name; *p; p++)
        if (!CTYPE(isalnum, *p) && !strchr("-_@", *p))
            return NULL;
    return GCSPRINTF("%s/%s", dir, name);
}

/*
 * Asks for a channel.  running: a server ran a moment ago.  Logs the error
 * that it returns.
 */
static int client_ask(libxl__gc *gc, libxl__pcid_client *client,
                      bool running)
{
    const char *dir = server_path(gc, client->owner);

    if (!running && !libxl__xs_read(gc, XBT_NULL, dir)) {
        if (errno == ENOENT)
            LOG(ERROR, "xl pcid does not run in domain %u, which is"
                " designated as the owner of the PCI devices: start it, or"
                " correct the designation with xl pci-owner",
                client->owner);
        else
            LOGE(ERROR, "xl pcid does not run in domain %u, which is"
                 " designated as the owner of the PCI devices, or does not"
                 " serve this domain: cannot read %s", client->owner, dir);
        return ERROR_PCI_OWNER_UNREACHABLE;
    }

    if (!xs_write(CTX->xsh, XBT_NULL, client->path, PCID_XS_REQUESTED,
                  strlen(PCID_XS_REQUESTED))) {
        LOGE(ERROR, "cannot ask xl pcid in domain %u for a connection:"
             " cannot write %s", client->owner, client->path);
        return ERROR_PCI_OWNER_UNREACHABLE;
    }
    return 0;
}

/* The reply must remain valid as long as the ao. */
static int op_decode(libxl__hostpci_op *op, const libxl__json_object *msg)
{
    STATE_AO_GC(op->ao);

    return libxl__pcid_decode_reply(gc, msg, &op->request, &op->reply);
}

static void client_connect(libxl__egc *egc, libxl__pcid_client *client);
static int client_open(libxl__gc *gc, libxl__pcid_client *client,
                       const char *path);
static void client_answer(libxl__egc *egc, libxl__ev_xswatch *watch,
                          const char *watch_path, const char *event_path);
static int client_message(libxl__egc *egc, libxl__vchan *vc,
                          const libxl__json_object *msg, const char *why);
static int client_greeting(libxl__egc *egc, libxl__pcid_client *client,
                           const libxl__json_object *msg);
static void op_send(libxl__egc *egc, libxl__hostpci_op *op);
static int client_reply(libxl__egc *egc, libxl__pcid_client *client,
                        const libxl__json_object *msg, int64_t id);
static void client_closed(libxl__egc *egc, libxl__vchan *vc, int rc);
static void client_fail(libxl__egc *egc, libxl__pcid_client *client);
static void ops_done(libxl__egc *egc, libxl__hostpci_ops *ops, int rc);
static void op_deadline(libxl__egc *egc, libxl__ev_time *ev,
                        const struct timeval *requested_abs, int rc);
static void op_done(libxl__egc *egc, libxl__hostpci_op *op, int rc);

/* Never wait without a deadline.  Does not return ERROR_FAIL. */
static int op_set_deadline(libxl__gc *gc, libxl__hostpci_op *op, int ms)
{
    int rc;

    libxl__ev_time_deregister(gc, &op->deadline);
    rc = libxl__ev_time_register_rel(op->ao, &op->deadline, op_deadline,
                                     ms);
    if (rc && rc != ERROR_ABORTED) {
        LOG(ERROR, "%s, of domain %u: cannot set a deadline, rc=%d",
            op_text(gc, op), op->owner, rc);
        rc = ERROR_PCI_OWNER_UNREACHABLE;
    }
    return rc;
}

/*
 * The course of an op
 */

void libxl__pcid_client_start(libxl__egc *egc, libxl__hostpci_op *op)
{
    STATE_AO_GC(op->ao);
    libxl__pcid_client *client;
    int rc;

    rc = op_set_deadline(gc, op, PCID_SILENCE_MS);
    if (rc) goto out;

    client = client_get(gc, op->owner);
    op->client = client;
    op_move(op, &client->ops);

    if (client->state == READY)
        op_send(egc, op); /* must be last */
    else if (client->state == IDLE)
        client_connect(egc, client); /* must be last */
    return;

 out:
    op_done(egc, op, rc); /* must be last */
}

static void client_connect(libxl__egc *egc, libxl__pcid_client *client)
{
    EGC_GC;
    uint8_t name[PCID_CONN_NAME_MAX / 2];
    char hex[PCID_CONN_NAME_MAX + 1];
    const char *dir, *spare;
    uint32_t self;
    bool running;
    int i, rc;

    assert(client->state == IDLE);

    if (!libxl__vchan_supported()) {
        LOG(ERROR, "cannot reach domain %u, which is designated as the"
            " owner of the PCI devices: libxl was built without"
            " libxenvchan; to use this domain's devices, run"
            " xl pci-owner -c", client->owner);
        goto out;
    }

    rc = libxl__get_domid(gc, &self);
    if (rc) goto out;
    dir = GCSPRINTF("%s/%u", server_path(gc, client->owner), self);

    /* Another client may take the spare channel first. */
    spare = client_spare(gc, dir, &running);
    if (spare && !client_open(gc, client, spare))
        return;

    rc = libxl__random_bytes(gc, name, sizeof(name));
    if (rc) goto out;
    for (i = 0; i < sizeof(name); i++)
        sprintf(hex + 2 * i, "%02x", name[i]);

    client->path = libxl__strdup(NOGC, GCSPRINTF("%s/%s", dir, hex));
    client->state = ASKING;
    rc = client_ask(gc, client, running);
    if (rc) goto out;

    rc = libxl__ev_xswatch_register(gc, &client->watch, client_answer,
                                    client->path);
    if (rc) goto out;
    return;

 out:
    client_fail(egc, client); /* must be last */
}

static int client_open(libxl__gc *gc, libxl__pcid_client *client,
                       const char *path)
{
    int rc;

    client->vc.ao = NULL;
    client->vc.peer = client->owner;
    client->vc.message_max = PCID_REPLY_MAX;
    client->vc.depth_max = PCID_DEPTH_MAX;
    client->vc.message_callback = client_message;
    client->vc.closed_callback = client_closed;
    rc = libxl__vchan_connect(gc, &client->vc, path);
    if (!rc) client->state = GREETING;
    return rc;
}

static void client_answer(libxl__egc *egc, libxl__ev_xswatch *watch,
                          const char *watch_path, const char *event_path)
{
    EGC_GC;
    libxl__pcid_client *client = CONTAINER_OF(watch, *client, watch);
    size_t prefix = strlen(PCID_XS_REFUSED);
    const char *answer;
    int rc;

    /* The channel's nodes appear below this node before the answer. */
    if (strcmp(event_path, client->path))
        return;

    answer = libxl__xs_read(gc, XBT_NULL, client->path);
    if (!answer) {
        /*
         * The node disappears when the server starts, which it may have
         * just done.  If no server runs, client_ask() logs that.
         */
        rc = client_ask(gc, client, false);
        if (rc) goto out;
        return;
    }
    if (!strcmp(answer, PCID_XS_REQUESTED))
        return;
    if (!strncmp(answer, PCID_XS_REFUSED, prefix)) {
        LOG(ERROR, "xl pcid in domain %u refuses the connection: %s",
            client->owner, libxl__pcid_printable(gc, answer + prefix));
        rc = ERROR_PCI_OWNER_UNREACHABLE;
        goto out;
    }
    if (strcmp(answer, PCID_XS_OFFERED)) {
        LOG(ERROR, "xl pcid in domain %u sent an invalid answer to a"
            " request for a connection", client->owner);
        rc = ERROR_PCI_OWNER_UNREACHABLE;
        goto out;
    }

    rc = client_open(gc, client, client->path);
    if (rc) {
        LOGE(ERROR, "cannot connect to the channel of domain %u at %s",
             client->owner, client->path);
        goto out;
    }

    /* Leave the node to the server, which may not have seen us connect. */
    client_forget_path(gc, client, false);
    return;

 out:
    client_fail(egc, client); /* must be last */
}

/* Returns an error if the server does not keep to the protocol. */
static int client_message(libxl__egc *egc, libxl__vchan *vc,
                          const libxl__json_object *msg, const char *why)
{
    EGC_GC;
    libxl__pcid_client *client = CONTAINER_OF(vc, *client, vc);
    libxl__hostpci_op *op;
    libxl__pcid_kind kind;
    struct timeval now;
    int64_t id;
    bool has_id;
    int rc;

    if (!msg) {
        LOG(ERROR, "xl pcid in domain %u sent an invalid message: %s",
            client->owner, why);
        return ERROR_INVAL;
    }

    kind = libxl__pcid_classify(msg, &has_id, &id);
    switch (kind) {
    case LIBXL__PCID_GREETING:
        if (client->state == GREETING)
            return client_greeting(egc, client, msg);
        break;

    case LIBXL__PCID_PROGRESS:
        if (client->state != READY || id >= client->next_id) break;
        XEN_TAILQ_FOREACH(op, &client->ops, entry)
            if (op->sent && op->id == id) break;
        if (!op) return 0; /* nobody waits for it any more */

        libxl__gettimeofday(gc, &now);
        if ((now.tv_sec - op->started.tv_sec) * 1000 > PCID_OPERATION_MS) {
            LOG(ERROR, "%s did not finish within %d s: check the"
                " device, and the kernel's log, in domain %u",
                op_text(gc, op), PCID_OPERATION_MS / 1000, client->owner);
            op_done(egc, op, ERROR_PCI_OWNER_UNREACHABLE);
            return 0;
        }
        rc = op_set_deadline(gc, op, PCID_SILENCE_MS);
        if (rc) op_done(egc, op, rc);
        return 0;

    case LIBXL__PCID_REPLY:
        if (client->state == READY && (!has_id || id < client->next_id))
            return client_reply(egc, client, msg, has_id ? id : -1);
        break;

    case LIBXL__PCID_INVALID:
        break;
    }

    LOG(ERROR, "xl pcid in domain %u sent an %s message",
        client->owner,
        kind == LIBXL__PCID_INVALID ? "invalid" : "unexpected");
    return ERROR_INVAL;
}

static int client_greeting(libxl__egc *egc, libxl__pcid_client *client,
                           const libxl__json_object *msg)
{
    EGC_GC;
    libxl__hostpci_op *op, *next;
    int major, minor, rc;

    rc = libxl__pcid_decode_greeting(msg, &major, &minor,
                                     &client->features);
    if (rc) {
        LOG(ERROR, "xl pcid in domain %u sent an invalid greeting",
            client->owner);
        return rc;
    }
    if (major != PCID_VERSION_MAJOR) {
        LOG(ERROR, "xl pcid in domain %u speaks version %d.%d of the"
            " protocol, and this is version %d.%d: install tools of the"
            " same version in both domains", client->owner, major, minor,
            PCID_VERSION_MAJOR, PCID_VERSION_MINOR);
        return ERROR_VERSION;
    }

    client->state = READY;
    XEN_TAILQ_FOREACH_SAFE(op, &client->ops, entry, next)
        /* The end of an op may have started, and sent, another. */
        if (!op->sent)
            op_send(egc, op);
    return 0;
}

static void op_send(libxl__egc *egc, libxl__hostpci_op *op)
{
    STATE_AO_GC(op->ao);
    libxl__pcid_client *client = op->client;
    const char *text;
    int rc;

    assert(client->state == READY && !op->sent);

    /* If the daemon has gone, client_closed() is about to be called. */
    if (!libxl__vchan_alive(&client->vc))
        return;

    if (!client->features.commands[op->request.command]) {
        LOG(ERROR, "xl pcid in domain %u does not know the command %s:"
            " update the tools in that domain", client->owner,
            libxl__pcid_command_name(op->request.command));
        rc = ERROR_PCI_OWNER_UNREACHABLE;
        goto out;
    }

    /* The reply says that there is none: that is for our caller to tell. */
    if (!client->features.interrupt_control)
        op->request.interrupt_control = false;

    op->id = client->next_id++;
    op->sent = true;
    libxl__gettimeofday(gc, &op->started);
    text = libxl__pcid_encode_request(gc, op->id, &op->request);
    libxl__vchan_send(gc, &client->vc, text);
    LOG(DEBUG, "to domain %u: %"PRId64", %s", client->owner, op->id,
        op_text(gc, op));
    return;

 out:
    op_done(egc, op, rc); /* must be last */
}

static int client_reply(libxl__egc *egc, libxl__pcid_client *client,
                        const libxl__json_object *msg, int64_t id)
{
    EGC_GC;
    libxl__hostpci_request none = { 0 };
    libxl__hostpci_reply error;
    libxl__hostpci_op *op;
    int rc;

    XEN_TAILQ_FOREACH(op, &client->ops, entry)
        if (op->sent && op->id == id) break;

    if (id < 0) {
        /* Only an error can have no id: see libxl__pcid_classify. */
        rc = libxl__pcid_decode_reply(gc, msg, &none, &error);
        LOG(ERROR, "xl pcid in domain %u could not read a request: %s",
            client->owner, rc ? "no reason given" : error.desc);
        return ERROR_INVAL;
    }
    if (!op) return 0; /* nobody waits for it any more */

    rc = op_decode(op, msg);
    if (rc) {
        LOG(ERROR, "xl pcid in domain %u sent an invalid reply to %s",
            client->owner, op_text(gc, op));
        op_done(egc, op, ERROR_PCI_OWNER_UNREACHABLE);
        return rc;
    }

    LOG(DEBUG, "from domain %u: %"PRId64", %s", client->owner, id,
        op->reply.class ? op->reply.desc : "done");
    op_done(egc, op, op->reply.class ? ERROR_FAIL : 0);
    return 0;
}

static void client_closed(libxl__egc *egc, libxl__vchan *vc, int rc)
{
    EGC_GC;
    libxl__pcid_client *client = CONTAINER_OF(vc, *client, vc);
    libxl__hostpci_ops failed = XEN_TAILQ_HEAD_INITIALIZER(failed);
    libxl__hostpci_op *op, *next;

    client_reset(gc, client);

    /*
     * The daemon may have been restarted.  Send read-only requests once
     * more.  Do not send a request again that changes something: the old
     * daemon may have carried it out.
     */
    XEN_TAILQ_FOREACH_SAFE(op, &client->ops, entry, next) {
        bool maybe = op->sent &&
            libxl__pcid_command_writes(op->request.command);

        if (rc == ERROR_NOT_READY && !op->retried && !maybe) {
            op->retried = true;
            op->sent = false;
            continue;
        }
        /* Otherwise this end closed the connection, and has logged why. */
        if (rc == ERROR_NOT_READY || rc == ERROR_FAIL)
            LOG(ERROR, "lost the connection to xl pcid in domain %u before"
                " it answered %s: check its log in that domain",
                client->owner, op_text(gc, op));
        if (maybe)
            LOG(ERROR, "domain %u may have carried out %s: repeat the"
                " command, which is safe", client->owner,
                op_text(gc, op));
        op_move(op, &failed);
    }

    if (!XEN_TAILQ_EMPTY(&client->ops))
        client_connect(egc, client);
    ops_done(egc, &failed, ERROR_PCI_OWNER_UNREACHABLE); /* must be last */
}

/* Ends all ops of a connection that failed.  The reason has been logged. */
static void client_fail(libxl__egc *egc, libxl__pcid_client *client)
{
    EGC_GC;
    libxl__hostpci_ops failed = XEN_TAILQ_HEAD_INITIALIZER(failed);
    libxl__hostpci_op *op;

    client_reset(gc, client);

    /* The end of an op may start another op, which must not fail, too. */
    while ((op = XEN_TAILQ_FIRST(&client->ops)))
        op_move(op, &failed);
    ops_done(egc, &failed, ERROR_PCI_OWNER_UNREACHABLE); /* must be last */
}

static void op_deadline(libxl__egc *egc, libxl__ev_time *ev,
                        const struct timeval *requested_abs, int rc)
{
    EGC_GC;
    libxl__hostpci_op *op = CONTAINER_OF(ev, *op, deadline);
    libxl__pcid_client *client = op->client;

    if (rc == ERROR_TIMEDOUT && !op->sent) {
        LOG(ERROR, "xl pcid in domain %u did not answer within %d s (%s):"
            " check that it runs, and that neither it nor the domain"
            " is stopped or paused", client->owner, PCID_SILENCE_MS / 1000,
            op_text(gc, op));
        client_fail(egc, client); /* must be last */
        return;
    }

    if (rc == ERROR_TIMEDOUT) {
        LOG(ERROR, "xl pcid in domain %u has sent nothing for %d s"
            " (%s%s): check that it runs, and that neither it nor the"
            " domain is stopped or paused", client->owner,
            PCID_SILENCE_MS / 1000, op_text(gc, op),
            libxl__pcid_command_writes(op->request.command) ?
            "; it may have been carried out" : "");
        rc = ERROR_PCI_OWNER_UNREACHABLE;
    }

    libxl__hostpci_op_stop(gc, op);
    /* The next op learns sooner whether the server runs if it opens a new
     * connection.  If the ao is being aborted, the connection is good. */
    if (rc != ERROR_ABORTED && XEN_TAILQ_EMPTY(&client->ops))
        client_reset(gc, client);
    op_done(egc, op, rc); /* must be last */
}

static void op_done(libxl__egc *egc, libxl__hostpci_op *op, int rc)
{
    EGC_GC;

    libxl__hostpci_op_stop(gc, op);
    op->callback(egc, op, rc); /* must be last */
}

static void ops_done(libxl__egc *egc, libxl__hostpci_ops *ops, int rc)
{
    libxl__hostpci_op *op;

    while ((op = XEN_TAILQ_FIRST(ops)))
        op_done(egc, op, rc);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
