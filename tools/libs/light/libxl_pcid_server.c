/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pcid server: answers other domains' requests about the PCI devices
 * of the domain it runs in.  docs/misc/pcid-protocol.pandoc specifies what
 * it says; libxl_pcid.c is where that is read and written, and
 * libxl__hostpci_perform() and its parts do the work.
 *
 * WARNING - The clients are not trusted: what they send, and what they
 *           write to xenstore, may be wrong on purpose.
 *
 * One thread, no blocking:
 *
 *   xenstore watch --> server_watch()   a client asks
 *                          |
 *                        conn           one for each channel
 *                          |
 *   when others had -> server_offer()   offers a channel to the client, or
 *   their turn             |            one to whichever comes next
 *   message ---------> conn_message()   answers a read-only request
 *                          |
 *                        work           a request that changes something,
 *                          |            in order of arrival
 *                      work_next()      starts a process, unless one is at
 *                          |            work on the same device
 *   process ends ----> work_ended()     sends the reply that it wrote
 *
 * The server makes hypercalls itself, before and after the process does the
 * work: the libraries' handles for hypercalls do not survive a fork.
 *
 * So a write that hangs in the kernel blocks only other requests for the
 * same device.  When a client ends, its work is finished: stopping half-way
 * would help nobody.  When the server ends, its work ends as soon as the
 * kernel returns: the next server does not know of that work.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <sys/file.h>

#include "libxl_internal.h"
#include "libxl_pcid.h"
#include "libxl_vchan.h"

/*
 * After a client has taken the spare channel, wait for this time, or for the
 * end of the connection, before making another one.  Making a channel takes
 * longer than most commands, so do not make the client wait for it.
 */
#define SPARE_DELAY_MS 100

/*
 * The most processes at work at once.  A few are fast enough, but each
 * device that hangs occupies one for good.
 */
#define WORKING_MAX 64

typedef struct pcid_server pcid_server;
typedef struct pcid_conn pcid_conn;
typedef struct pcid_work pcid_work;

struct pcid_server {
    libxl__ao *ao;
    libxl_domid self;
    char *base; /* directory in xenstore */
    const libxl_domid *clients;
    int num_clients;
    bool designated; /* by us, and so to be withdrawn at the end */
    libxl__carefd *lock;
    libxl__ev_xswatch watch;
    libxl__ev_time offer; /* set while a channel is to be made */
    libxl__ao_abortable abrt;
    bool stopping;
    bool full; /* said so, and no connection has ended since */
    int num_conns, num_working;
    unsigned int spares; /* that there have been, for their names */
    XEN_LIST_HEAD(, pcid_conn) conns;
    XEN_TAILQ_HEAD(, pcid_work) work;
};

struct pcid_conn {
    pcid_server *server;
    libxl_domid client;
    char *name; /* of the channel: the client's, unless it was a spare */
    char *path; /* in xenstore; NULL once the client is connected */
    bool offered; /* vc is Open */
    bool spare; /* made in advance, and nobody is connected yet */
    libxl__vchan vc;
    int in_flight; /* work of this connection */
    XEN_LIST_ENTRY(pcid_conn) entry;
};

struct pcid_work {
    pcid_server *server;
    pcid_conn *conn; /* NULL if it is gone */
    libxl_domid client;
    int64_t id;
    libxl__hostpci_request request;
    char driver[PCID_DRIVER_MAX + 1]; /* what request.driver points to */
    struct timeval started;
    libxl__ev_time progress;
    libxl__ev_child child;
    libxl__carefd *result; /* where the child writes the reply */
    XEN_TAILQ_ENTRY(pcid_work) entry;
};

/* LOGD does not name domain 0, which most clients are in. */
#define LOG_CONN(level, conn, fmt, ...)                                 \
    LOG(level, "domain %u, %s: " fmt, (conn)->client, (conn)->name,     \
        ##__VA_ARGS__)

/*
 * Synchronous helpers
 */

static int64_t since_ms(libxl__gc *gc, const struct timeval *then)
{
    struct timeval now;

    if (libxl__gettimeofday(gc, &now)) return 0;
    return (now.tv_sec - then->tv_sec) * 1000LL +
        (now.tv_usec - then->tv_usec) / 1000;
}

static bool client_allowed(const pcid_server *server, libxl_domid client)
{
    int i;

    for (i = 0; i < server->num_clients; i++)
        if (server->clients[i] == client)
            return true;
    return false;
}

static pcid_conn *conn_find(pcid_server *server, libxl_domid client,
                            const char *name)
{
    pcid_conn *conn;

    XEN_LIST_FOREACH(conn, &server->conns, entry)
        if (conn->client == client && !strcmp(conn->name, name))
            return conn;
    return NULL;
}

static int conns_of(const pcid_server *server, libxl_domid client)
{
    pcid_conn *conn;
    int n = 0;

    XEN_LIST_FOREACH(conn, &server->conns, entry)
        if (conn->client == client)
            n++;
    return n;
}

/*
 * Spare channels: for each domain served, make one channel in advance, and
 * another when a client has taken it, so that a client need not wait for
 * one.  They count as connections, but make room for clients that ask.
 */

/* The spare channel for a domain; for INVALID_DOMID: for any domain */
static pcid_conn *spare_find(pcid_server *server, libxl_domid client)
{
    pcid_conn *conn;

    XEN_LIST_FOREACH(conn, &server->conns, entry)
        if (conn->spare &&
            (client == INVALID_DOMID || conn->client == client))
            return conn;
    return NULL;
}

/*
 * Announce the spare channel in the value of the domain's directory.  If the
 * value cannot be written, clients ask for a channel.
 */
static void spare_announce(libxl__gc *gc, const pcid_server *server,
                           libxl_domid client, const char *name)
{
    libxl__xs_write_checked(gc, XBT_NULL,
                            GCSPRINTF("%s/%u", server->base, client), name);
}

static bool spare_due(pcid_server *server, libxl_domid client)
{
    return !spare_find(server, client) &&
        server->num_conns < PCID_CONNS_MAX &&
        conns_of(server, client) < PCID_CONNS_PER_CLIENT;
}

/* A domain that needs a spare channel now, or INVALID_DOMID */
static libxl_domid spare_next(pcid_server *server)
{
    int i;

    for (i = 0; i < server->num_clients; i++)
        if (spare_due(server, server->clients[i]))
            return server->clients[i];
    return INVALID_DOMID;
}

/* Including the work of closed connections, which continues. */
static int work_of(const pcid_server *server, libxl_domid client)
{
    pcid_work *work;
    int n = 0;

    XEN_TAILQ_FOREACH(work, &server->work, entry)
        if (work->client == client)
            n++;
    return n;
}

static void conn_remove_path(libxl__gc *gc, pcid_conn *conn)
{
    if (!conn->path) return;

    xs_rm(CTX->xsh, XBT_NULL, conn->path);
    free(conn->path);
    conn->path = NULL;
}

static pcid_conn *conn_add(libxl__gc *gc, pcid_server *server,
                           libxl_domid client, const char *name,
                           const char *path)
{
    pcid_conn *conn = libxl__zalloc(NOGC, sizeof(*conn));

    conn->server = server;
    conn->client = client;
    conn->name = libxl__strdup(NOGC, name);
    conn->path = libxl__strdup(NOGC, path);
    libxl__vchan_init(&conn->vc);
    XEN_LIST_INSERT_HEAD(&server->conns, conn, entry);
    server->num_conns++;
    return conn;
}

static void conn_dispose(libxl__gc *gc, pcid_conn *conn)
{
    pcid_work *work;

    XEN_TAILQ_FOREACH(work, &conn->server->work, entry)
        if (work->conn == conn)
            work->conn = NULL;

    XEN_LIST_REMOVE(conn, entry);
    conn->server->num_conns--;
    conn->server->full = false;
    libxl__vchan_dispose(gc, &conn->vc);
    conn_remove_path(gc, conn);
    free(conn->name);
    free(conn);
}

/* client: as for spare_find */
static void spare_drop(libxl__gc *gc, pcid_server *server,
                       libxl_domid client)
{
    pcid_conn *conn = spare_find(server, client);

    if (!conn) return;
    spare_announce(gc, server, conn->client, "");
    conn_dispose(gc, conn);
}

/*
 * Lending: a client's domain may lack the right to use a device, and then
 * cannot give it to a guest.  Record each loan: it outlives this process,
 * and must be revoked exactly as it was granted.
 */

static const char *lent_base(libxl__gc *gc, const pcid_server *server)
{
    return GCSPRINTF("/local/domain/%u/%s", server->self, PCID_XS_LENT);
}

static const char *lent_path(libxl__gc *gc, const pcid_server *server,
                             libxl_domid client)
{
    return GCSPRINTF("%s/%u", lent_base(gc, server), client);
}

/* The names of nodes can have no ':' and '.'. */
static const char *lent_name(libxl__gc *gc, const libxl__pci_sbdf *sbdf)
{
    return GCSPRINTF("%04x-%02x-%02x-%x", LIBXL__SBDF_ARG(*sbdf));
}

static const char *lent_record(libxl__gc *gc, const char *path,
                               const libxl__pci_sbdf *sbdf)
{
    return GCSPRINTF("%s/%s", path, lent_name(gc, sbdf));
}

/* ERROR_NOTFOUND: nothing is recorded.  Other errors have been logged. */
static int lent_read(libxl__gc *gc, const char *record,
                     libxl__hostpci_access *access_r)
{
    const char *text;
    int rc;

    rc = libxl__xs_read_checked(gc, XBT_NULL, record, &text);
    if (rc) return rc;
    if (!text) return ERROR_NOTFOUND;

    rc = libxl__pcid_decode_access(gc, text, access_r);
    if (rc) LOG(ERROR, "%s is not a record of what was lent", record);
    return rc;
}

/*
 * Removes from *access what another lent device needs, too: a shared
 * interrupt, and memory in the same page.
 */
static int without_other_loans(libxl__gc *gc, const char *path,
                               const libxl__pci_sbdf *sbdf,
                               libxl__hostpci_access *access)
{
    const char *self = lent_name(gc, sbdf);
    libxl__hostpci_access other;
    unsigned int n = 0, i;
    char **names;
    int rc;

    names = libxl__xs_directory(gc, XBT_NULL, path, &n);
    if (!names && errno != ENOENT) {
        LOGE(ERROR, "cannot list %s", path);
        return ERROR_FAIL;
    }
    for (i = 0; names && i < n; i++) {
        if (!strcmp(names[i], self)) continue;
        rc = lent_read(gc, GCSPRINTF("%s/%s", path, names[i]), &other);
        if (rc) continue; /* revoke the others all the same */

        libxl__pci_access_subtract(access, &other);
    }
    return 0;
}

static int take_back(libxl__gc *gc, const pcid_server *server,
                     libxl_domid client, const libxl__pci_sbdf *sbdf)
{
    const char *path = lent_path(gc, server, client);
    const char *record = lent_record(gc, path, sbdf);
    libxl__hostpci_access access;
    int rc;

    rc = lent_read(gc, record, &access);
    if (rc == ERROR_NOTFOUND) return 0;
    if (rc) goto out;
    rc = without_other_loans(gc, path, sbdf, &access);
    if (rc) goto out;
    rc = libxl__pci_access_revoke(gc, client, &access);
    if (rc) goto out;
    rc = libxl__xs_rm_checked(gc, XBT_NULL, record);

 out:
    return rc;
}

/* On failure, turns the reply into an error. */
static void lend(libxl__gc *gc, const pcid_server *server,
                 libxl_domid client, const libxl__pci_sbdf *sbdf,
                 libxl__hostpci_reply *reply)
{
    const char *path = lent_path(gc, server, client);
    const char *record = lent_record(gc, path, sbdf);
    libxl__hostpci_access own = reply->access;
    const char *what = NULL;
    int rc, errnoval = 0;

    if (client == server->self) return;

    /* The device's addresses may have changed.  A failure is logged. */
    take_back(gc, server, client, sbdf);
    rc = without_other_loans(gc, path, sbdf, &own);
    if (rc) goto out;
    rc = libxl__xs_write_checked(gc, XBT_NULL, record,
                                 libxl__pcid_encode_access(gc,
                                                        &reply->access));
    if (rc) goto out;
    rc = libxl__pci_access_grant(gc, client, &reply->access, &own, &what);
    if (rc) {
        errnoval = errno;
        libxl__xs_rm_checked(gc, XBT_NULL, record);
    }

 out:
    if (rc) {
        libxl__hostpci_fail(gc, reply, LIBXL__HOSTPCI_FAILED, errnoval,
                            "domain %u cannot let domain %u use "
                            LIBXL__SBDF_FMT": %s", server->self, client,
                            LIBXL__SBDF_ARG(*sbdf),
                            what ?: "the log of xl pcid says why");
        reply->step = LIBXL__HOSTPCI_STEP_ACCESS;
    }
}

/* conn: NULL if the connection is closed */
static void log_request(libxl__gc *gc, libxl_domid client,
                        const pcid_conn *conn,
                        const libxl__hostpci_request *request,
                        const libxl__hostpci_reply *reply,
                        const struct timeval *started)
{
    LOG(DEBUG, "domain %u, %s: %s: %s after %"PRId64" ms", client,
        conn ? conn->name : "gone", libxl__pcid_request_text(gc, request),
        reply->class ? reply->desc : "done", since_ms(gc, started));
}

static void conn_send_reply(libxl__gc *gc, pcid_conn *conn,
                            const int64_t *id,
                            const libxl__hostpci_request *request,
                            const libxl__hostpci_reply *reply)
{
    libxl__vchan_send(gc, &conn->vc,
                      libxl__pcid_encode_reply(gc, id, request, reply));
}

/*
 * Creates the server's directory again, with one in it for each client
 * domain.  Only that domain can write there, so the path of a request proves
 * which domain it comes from.  A node that a client creates inherits the
 * directory's permissions, which include the server: so the server can
 * answer in a node that an unprivileged client owns.
 */
static int create_directories(libxl__gc *gc, pcid_server *server)
{
    struct xs_permissions dir, sub[3];
    xs_transaction_t t = XBT_NULL;
    int i, rc;

    /*
     * Clients need not see each other; and xenstored limits the number of
     * domains in the permissions of a node.
     */
    dir.id = server->self;
    dir.perms = XS_PERM_NONE;

    /* Not in the transaction: clients could make that fail without end. */
    rc = libxl__xs_rm_checked(gc, XBT_NULL, server->base);
    if (rc) goto out;

    for (;;) {
        rc = libxl__xs_transaction_start(gc, &t);
        if (rc) goto out;

        rc = libxl__xs_mknod(gc, t, server->base, &dir, 1);
        if (rc) goto out;

        for (i = 0; i < server->num_clients; i++) {
            sub[0].id = sub[2].id = server->self;
            sub[0].perms = XS_PERM_NONE;
            sub[1].id = server->clients[i];
            sub[1].perms = sub[2].perms = XS_PERM_READ | XS_PERM_WRITE;
            rc = libxl__xs_mknod(gc, t, GCSPRINTF("%s/%u", server->base,
                                                  server->clients[i]),
                                 sub, ARRAY_SIZE(sub));
            if (rc) goto out;
        }

        rc = libxl__xs_transaction_commit(gc, &t);
        if (!rc) break;
        if (rc < 0) goto out;
    }

 out:
    libxl__xs_transaction_abort(gc, &t);
    return rc;
}

/* At most one server can run in a domain. */
static int take_lock(libxl__gc *gc, pcid_server *server)
{
    const char *dir = libxl__run_dir_path();
    const char *path = GCSPRINTF("%s/xl-pcid.lock", dir);
    int fd, rc;

    /* Nothing else in this domain may have created the directory yet. */
    if (mkdir(dir, 0755) && errno != EEXIST) {
        LOGE(ERROR, "cannot create %s", dir);
        rc = ERROR_LOCK_FAIL;
        goto out;
    }

    libxl__carefd_begin();
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    server->lock = libxl__carefd_opened(CTX, fd);
    if (fd < 0) {
        LOGE(ERROR, "cannot open the lock file %s", path);
        rc = ERROR_LOCK_FAIL;
        goto out;
    }
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK)
            LOG(ERROR, "xl pcid runs in this domain already: it holds %s",
                path);
        else
            LOGE(ERROR, "cannot lock %s", path);
        rc = ERROR_LOCK_FAIL;
        goto out;
    }
    rc = 0;

 out:
    return rc;
}

/* Only toolstack domains can read the designation. */
static int designate_self(libxl__gc *gc, pcid_server *server)
{
    libxl_domid other;
    int rc;

    rc = libxl__pci_owner_designate(gc, server->self, false, &other);
    if (rc == ERROR_DEVICE_EXISTS)
        LOG(ERROR, "cannot start xl pcid: domain %u is designated as the"
            " owner of the PCI devices; run xl pcid in that domain, or clear"
            " the owner with xl pci-owner -c", other);
    else if (rc == ERROR_NI)
        LOG(ERROR, "cannot start xl pcid: domain %u cannot designate itself"
            " as the owner of the PCI devices, because it is not a toolstack"
            " domain; leave out --designate", server->self);
    if (!rc) server->designated = true;
    return rc;
}

static void server_abort(libxl__egc *egc, libxl__ao_abortable *abrt,
                         int rc);
static void server_watch(libxl__egc *egc, libxl__ev_xswatch *watch,
                         const char *watch_path, const char *event_path);
static const char *conn_new(libxl__gc *gc, pcid_server *server,
                            libxl_domid client, const char *name,
                            const char *path, bool *full_r);
static int offer_next(libxl__gc *gc, pcid_server *server, int ms);
static void spares_fill(libxl__gc *gc, pcid_server *server);
static void server_offer(libxl__egc *egc, libxl__ev_time *ev,
                         const struct timeval *requested_abs, int rc);
static int conn_offer(libxl__gc *gc, pcid_conn *conn);
static int conn_listen(libxl__gc *gc, pcid_conn *conn);
static int spare_make(libxl__gc *gc, pcid_server *server,
                      libxl_domid client);
static void spare_taken(libxl__egc *egc, libxl__vchan *vc);
static int conn_message(libxl__egc *egc, libxl__vchan *vc,
                        const libxl__json_object *msg, const char *why);
static int conn_answer(libxl__egc *egc, pcid_conn *conn,
                       const libxl__json_object *msg, const char *why);
static void conn_closed(libxl__egc *egc, libxl__vchan *vc, int rc);
static void work_start(libxl__egc *egc, pcid_conn *conn, int64_t id,
                       const libxl__hostpci_request *request);
static void work_next(libxl__egc *egc, pcid_server *server);
static int work_fork(libxl__gc *gc, pcid_work *work);
static void work_progress(libxl__egc *egc, libxl__ev_time *ev,
                          const struct timeval *requested_abs, int rc);
static void work_ended(libxl__egc *egc, libxl__ev_child *child,
                       pid_t pid, int status);
static void server_check_stopped(libxl__egc *egc, pcid_server *server);

/*
 * The server
 */

int libxl_pcid_serve(libxl_ctx *ctx, const libxl_domid *clients,
                     int num_clients, bool designate,
                     const libxl_asyncop_how *ao_how)
{
    AO_CREATE(ctx, INVALID_DOMID, ao_how);
    pcid_server *server;
    libxl_domid *copy;
    uint32_t self;
    int i, rc;

    GCNEW(server);
    server->ao = ao;
    libxl__ev_xswatch_init(&server->watch);
    libxl__ev_time_init(&server->offer);
    libxl__ao_abortable_init(&server->abrt);
    XEN_LIST_INIT(&server->conns);
    XEN_TAILQ_INIT(&server->work);

    if (!ao_how) {
        LOG(ERROR, "libxl_pcid_serve needs an ao_how: it serves until it is"
            " aborted");
        rc = ERROR_INVAL;
        goto out;
    }

    GCNEW_ARRAY(copy, num_clients + 1);
    for (i = 0; i < num_clients; i++)
        copy[i] = clients[i];
    if (!num_clients) {
        copy[0] = LIBXL_TOOLSTACK_DOMID;
        num_clients = 1;
    }
    server->clients = copy;
    server->num_clients = num_clients;

    if (!libxl__vchan_supported()) {
        LOG(ERROR, "PCI devices cannot be served on this system: it has no"
            " libxenvchan");
        rc = ERROR_NI;
        goto out;
    }

    rc = libxl__get_domid(gc, &self);
    if (rc) goto out;
    server->self = self;
    server->base = GCSPRINTF("/local/domain/%u/%s", self, PCID_XS_DIR);

    rc = take_lock(gc, server);
    if (rc) goto out;
    if (designate) {
        rc = designate_self(gc, server);
        if (rc) goto out;
    }

    /* In this order, so that no request is missed. */
    rc = libxl__ev_xswatch_register(gc, &server->watch, server_watch,
                                    server->base);
    if (rc) goto out;
    rc = create_directories(gc, server);
    if (rc) goto out;

    server->abrt.ao = ao;
    server->abrt.callback = server_abort;
    rc = libxl__ao_abortable_register(&server->abrt);
    if (rc) goto out;
    spares_fill(gc, server);

    for (i = 0; i < num_clients; i++)
        LOG(INFO, "serving the PCI devices of domain %u to domain %u",
            server->self, server->clients[i]);
    return AO_INPROGRESS;

 out:
    libxl__ev_xswatch_deregister(gc, &server->watch);
    if (server->designated) libxl__pci_owner_withdraw(gc, server->self);
    libxl__carefd_close(server->lock);
    return AO_CREATE_FAIL(rc);
}

/* Makes the next channel after at most ms. */
static int offer_next(libxl__gc *gc, pcid_server *server, int ms)
{
    int rc;

    if (libxl__ev_time_isregistered(&server->offer)) {
        if (ms) return 0;
        libxl__ev_time_deregister(gc, &server->offer);
    }
    rc = libxl__ev_time_register_rel(server->ao, &server->offer,
                                     server_offer, ms);
    if (rc)
        LOG(ERROR, "cannot set a timer for the next connection, rc=%d", rc);
    return rc;
}

/* A failure is logged and otherwise harmless: clients without a spare
 * channel ask for one. */
static void spares_fill(libxl__gc *gc, pcid_server *server)
{
    if (spare_next(server) != INVALID_DOMID)
        offer_next(gc, server, 0);
}

static void refuse(libxl__gc *gc, const char *path, const char *why)
{
    libxl__xs_write_checked(gc, XBT_NULL, path,
                            GCSPRINTF("%s%s", PCID_XS_REFUSED, why));
}

/* Other programs in this domain can remove the server's directory. */
static void server_restore(libxl__gc *gc, pcid_server *server)
{
    pcid_conn *conn, *next;

    if (libxl__xs_read(gc, XBT_NULL, server->base) || errno != ENOENT)
        return;

    LOG(WARN, "%s has been removed: creating it again", server->base);
    /* Clients that wait for an answer will ask again. */
    XEN_LIST_FOREACH_SAFE(conn, &server->conns, entry, next)
        if (!conn->vc.connected) conn_dispose(gc, conn);
    create_directories(gc, server); /* logs why not */
    spares_fill(gc, server);
}

static void server_watch(libxl__egc *egc, libxl__ev_xswatch *watch,
                         const char *watch_path, const char *event_path)
{
    EGC_GC;
    pcid_server *server = CONTAINER_OF(watch, *server, watch);
    size_t len = strlen(server->base);
    const char *name, *state, *refusal;
    unsigned long client;
    bool full = false;
    pcid_conn *conn;
    char *end;

    /* Only <base>/<client>/<name> is a request. */
    if (!strcmp(event_path, server->base)) {
        server_restore(gc, server);
        return;
    }
    if (strncmp(event_path, server->base, len) || event_path[len] != '/')
        return;
    name = event_path + len + 1;
    /* "00" is not the directory that domain 0 asks in. */
    if (!CTYPE(isdigit, *name) || (*name == '0' && name[1] != '/'))
        return;
    errno = 0;
    client = strtoul(name, &end, 10);
    if (errno || client >= DOMID_FIRST_RESERVED || *end != '/')
        return;
    name = end + 1;
    if (!*name || strchr(name, '/'))
        return;

    conn = conn_find(server, client, name);
    if (conn && !conn->path)
        return;

    state = libxl__xs_read(gc, XBT_NULL, event_path);
    if (!state) {
        if (conn) {
            LOG_CONN(DEBUG, conn, "request for a connection cancelled");
            conn_dispose(gc, conn);
        }
        /* If it could not be made, there may be room now. */
        spares_fill(gc, server);
        return;
    }
    if (conn || strcmp(state, PCID_XS_REQUESTED))
        return;

    refusal = conn_new(gc, server, client, name, event_path, &full);
    if (refusal) {
        /* Do not let a client fill the log with requests. */
        if (!full || !server->full)
            LOG(WARN, "domain %lu, %s: connection refused: %s", client,
                name, refusal);
        server->full = full;
        refuse(gc, event_path, refusal);
    }
}

/* Returns why the server refuses a connection, or NULL.  *full_r: whether
 * the reason is the number of connections. */
static const char *conn_new(libxl__gc *gc, pcid_server *server,
                            libxl_domid client, const char *name,
                            const char *path, bool *full_r)
{
    if (!client_allowed(server, client))
        return GCSPRINTF("domain %u is not among the clients that xl pcid"
                         " was told to serve", client);
    if (strlen(name) > PCID_CONN_NAME_MAX ||
        strlen(path) > LIBXL__VCHAN_PATH_MAX)
        return GCSPRINTF("the name of a channel has at most %d characters",
                         PCID_CONN_NAME_MAX);
    if (conns_of(server, client) >= PCID_CONNS_PER_CLIENT)
        spare_drop(gc, server, client);
    if (server->num_conns >= PCID_CONNS_MAX)
        spare_drop(gc, server, INVALID_DOMID);
    *full_r = true;
    if (server->num_conns >= PCID_CONNS_MAX)
        return GCSPRINTF("there are %d connections, the most that there"
                         " can be", PCID_CONNS_MAX);
    if (conns_of(server, client) >= PCID_CONNS_PER_CLIENT)
        return GCSPRINTF("domain %u has %d connections, the most that it"
                         " can have", client, PCID_CONNS_PER_CLIENT);
    *full_r = false;
    if (offer_next(gc, server, 0))
        return "xl pcid cannot set a timer; its log says why";

    conn_add(gc, server, client, name, path);
    return NULL;
}

/*
 * Making a channel takes much longer than answering a request.  So make
 * channels one by one, serve other requests between them, and make spare
 * channels last.
 */
static void server_offer(libxl__egc *egc, libxl__ev_time *ev,
                         const struct timeval *requested_abs, int rc)
{
    EGC_GC;
    static const char no_channel[] =
        "cannot make a channel; the log of xl pcid says why";
    pcid_server *server = CONTAINER_OF(ev, *server, offer);
    pcid_conn *conn, *first = NULL;
    libxl_domid client;
    int waiting = 0;

    if (rc != ERROR_TIMEDOUT) return;

    /* New ones are at the head of the list. */
    XEN_LIST_FOREACH(conn, &server->conns, entry) {
        if (conn->offered) continue;
        first = conn;
        waiting++;
    }
    if (!first) {
        client = spare_next(server);
        if (client != INVALID_DOMID && !spare_make(gc, server, client))
            spares_fill(gc, server);
        return;
    }

    if (conn_offer(gc, first)) {
        LOG_CONN(WARN, first, "connection refused: %s", no_channel);
        refuse(gc, first->path, no_channel);
        /* The node is needed for the answer. */
        free(first->path);
        first->path = NULL;
        conn_dispose(gc, first);
    }
    if (waiting > 1)
        offer_next(gc, server, 0); /* a failure is logged */
    else
        spares_fill(gc, server);
}

static int conn_listen(libxl__gc *gc, pcid_conn *conn)
{
    int rc;

    conn->vc.ao = conn->server->ao;
    conn->vc.peer = conn->client;
    conn->vc.stall_ms = PCID_STALL_MS;
    conn->vc.idle_ms = PCID_IDLE_MS;
    conn->vc.message_max = PCID_REQUEST_MAX;
    conn->vc.depth_max = PCID_DEPTH_MAX;
    conn->vc.message_callback = conn_message;
    conn->vc.closed_callback = conn_closed;
    rc = libxl__vchan_listen(gc, &conn->vc, conn->path);
    if (!rc) conn->offered = true;
    return rc;
}

static int conn_offer(libxl__gc *gc, pcid_conn *conn)
{
    int rc;

    conn->vc.connect_ms = PCID_SILENCE_MS;
    rc = conn_listen(gc, conn);
    if (rc) return rc;

    libxl__vchan_send(gc, &conn->vc, libxl__pcid_encode_greeting(gc));
    LOG_CONN(DEBUG, conn, "channel offered");
    /* If this fails, the client does not connect. */
    libxl__xs_write_checked(gc, XBT_NULL, conn->path, PCID_XS_OFFERED);
    return 0;
}

static int spare_make(libxl__gc *gc, pcid_server *server,
                      libxl_domid client)
{
    pcid_conn *conn;
    char *name;
    int rc;

    do {
        name = GCSPRINTF("@%x", ++server->spares);
    } while (conn_find(server, client, name));

    conn = conn_add(gc, server, client, name,
                    GCSPRINTF("%s/%u/%s", server->base, client, name));
    conn->spare = true;
    conn->vc.connected_callback = spare_taken;
    rc = conn_listen(gc, conn);
    if (rc) goto out;

    spare_announce(gc, server, client, name);
    return 0;

 out:
    conn_dispose(gc, conn);
    return rc;
}

/* Send the greeting only now: so the client knows that the server runs. */
static void spare_taken(libxl__egc *egc, libxl__vchan *vc)
{
    EGC_GC;
    pcid_conn *conn = CONTAINER_OF(vc, *conn, vc);
    pcid_server *server = conn->server;

    LOG_CONN(DEBUG, conn, "spare channel taken");
    conn->spare = false;
    libxl__vchan_send(gc, vc, libxl__pcid_encode_greeting(gc));
    if (spare_due(server, conn->client))
        offer_next(gc, server, SPARE_DELAY_MS);
    else
        spare_announce(gc, server, conn->client, "");
}

static int conn_message(libxl__egc *egc, libxl__vchan *vc,
                        const libxl__json_object *msg, const char *why)
{
    EGC_GC;
    pcid_conn *conn = CONTAINER_OF(vc, *conn, vc);
    int rc;

    rc = conn_answer(egc, conn, msg, why);

    /* The client no longer needs the node.  Reply first, then remove it. */
    conn_remove_path(gc, conn);
    return rc;
}

static int conn_answer(libxl__egc *egc, pcid_conn *conn,
                       const libxl__json_object *msg, const char *why)
{
    EGC_GC;
    libxl__hostpci_request request;
    libxl__hostpci_reply reply = { 0 };
    struct timeval started;
    bool has_id;
    int64_t id;
    int rc;

    if (!msg) {
        LOG_CONN(WARN, conn, "not a message: %s; closing", why);
        libxl__hostpci_fail(gc, &reply, LIBXL__HOSTPCI_BAD_MESSAGE, 0,
                            "%s", why);
        conn_send_reply(gc, conn, NULL, NULL, &reply);
        return ERROR_INVAL;
    }

    rc = libxl__pcid_decode_request(gc, msg, &has_id, &id, &request,
                                    &reply);
    if (rc) {
        LOG_CONN(DEBUG, conn, "bad request: %s", reply.desc);
        conn_send_reply(gc, conn, has_id ? &id : NULL, NULL, &reply);
        return 0;
    }

    if (libxl__pcid_command_writes(request.command)) {
        work_start(egc, conn, id, &request);
        return 0;
    }

    libxl__gettimeofday(gc, &started);
    libxl__hostpci_perform(gc, &request, &reply);
    conn_send_reply(gc, conn, &id, &request, &reply);
    log_request(gc, conn->client, conn, &request, &reply, &started);
    return 0;
}

static void conn_closed(libxl__egc *egc, libxl__vchan *vc, int rc)
{
    EGC_GC;
    pcid_conn *conn = CONTAINER_OF(vc, *conn, vc);
    pcid_server *server = conn->server;

    if (rc == ERROR_TIMEDOUT)
        LOG_CONN(WARN, conn, "the client does not %s; closing",
                 conn->path ? "connect" : "take its replies");
    else
        LOG_CONN(DEBUG, conn, "closed, rc=%d", rc);
    conn_dispose(gc, conn);
    spares_fill(gc, server);
}

/*
 * Work
 */

static void work_start(libxl__egc *egc, pcid_conn *conn, int64_t id,
                       const libxl__hostpci_request *request)
{
    EGC_GC;
    pcid_server *server = conn->server;
    libxl__hostpci_reply reply = { 0 };
    pcid_work *work;
    int rc;

    if (conn->in_flight >= PCID_IN_FLIGHT_MAX)
        libxl__hostpci_fail(gc, &reply, LIBXL__HOSTPCI_BUSY, 0,
                            "this connection has %d unfinished requests,"
                            " the most that it can have",
                            PCID_IN_FLIGHT_MAX);
    else if (work_of(server, conn->client) >= PCID_PENDING_PER_CLIENT)
        libxl__hostpci_fail(gc, &reply, LIBXL__HOSTPCI_BUSY, 0,
                            "domain %u has %d unfinished requests, the"
                            " most that it can have", conn->client,
                            PCID_PENDING_PER_CLIENT);
    if (reply.class) {
        conn_send_reply(gc, conn, &id, NULL, &reply);
        return;
    }

    work = libxl__zalloc(NOGC, sizeof(*work));
    work->server = server;
    work->conn = conn;
    work->client = conn->client;
    work->id = id;
    work->request = *request;
    if (request->driver) {
        strcpy(work->driver, request->driver);
        work->request.driver = work->driver;
    }
    libxl__ev_time_init(&work->progress);
    libxl__ev_child_init(&work->child);
    libxl__gettimeofday(gc, &work->started);
    XEN_TAILQ_INSERT_TAIL(&server->work, work, entry);
    conn->in_flight++;

    rc = libxl__ev_time_register_rel(server->ao, &work->progress,
                                     work_progress, PCID_PROGRESS_MS);
    if (rc)
        LOG(WARN, "cannot report progress to domain %u: rc=%d",
            work->client, rc);

    work_next(egc, server);
}

/* Takes work off the list, and replies to it. */
static void work_done(libxl__gc *gc, pcid_work *work, const char *text)
{
    if (work->conn) {
        work->conn->in_flight--;
        libxl__vchan_send(gc, &work->conn->vc, text);
    }
    XEN_TAILQ_REMOVE(&work->server->work, work, entry);
    libxl__ev_time_deregister(gc, &work->progress);
    libxl__carefd_close(work->result);
    free(work);
}

static void work_failed(libxl__gc *gc, pcid_work *work, const char *why)
{
    libxl__hostpci_reply reply = { 0 };

    LOG(ERROR, "domain %u: %s: %s", work->client,
        libxl__pcid_request_text(gc, &work->request), why);
    libxl__hostpci_fail(gc, &reply, LIBXL__HOSTPCI_FAILED, EIO, "%s", why);
    work_done(gc, work, libxl__pcid_encode_reply(gc, &work->id,
                                                 &work->request, &reply));
}

static bool same_device(const pcid_work *a, const pcid_work *b)
{
    return libxl__pci_sbdf_equal(&a->request.sbdf, &b->request.sbdf);
}

/* The part of a request that the server does before the process starts */
static int work_before(libxl__gc *gc, pcid_work *work)
{
    pcid_server *server = work->server;
    const libxl__pci_sbdf *sbdf = &work->request.sbdf;
    unsigned int n = 0, i;
    char **clients;

    switch (work->request.command) {
    case LIBXL__HOSTPCI_CMD_TAKE_BACK:
        return take_back(gc, server, work->client, sbdf);
    case LIBXL__HOSTPCI_CMD_UNASSIGN:
        /* From any domain that has a loan, even one that is no longer
         * served.  A failure is logged, and does not keep the device. */
        clients = libxl__xs_directory(gc, XBT_NULL, lent_base(gc, server),
                                      &n);
        for (i = 0; clients && i < n; i++)
            take_back(gc, server, atoi(clients[i]), sbdf);
        return 0;
    default:
        return 0;
    }
}

/*
 * text: the output of the process.  Returns the reply to send, or NULL if
 * the output is not a valid reply.
 */
static const char *work_after(libxl__gc *gc, pcid_work *work,
                              const char *text)
{
    libxl__json_object *msg = libxl__json_parse(gc, text);
    libxl__hostpci_reply reply;

    if (!msg ||
        libxl__pcid_decode_reply(gc, msg, &work->request, &reply))
        return NULL;

    if (work->request.command == LIBXL__HOSTPCI_CMD_LEND && !reply.class) {
        libxl__hostpci_finish(gc, &work->request, &reply);
        if (!reply.class)
            lend(gc, work->server, work->client, &work->request.sbdf,
                 &reply);
        if (reply.class)
            LOG(ERROR, "domain %u: %s", work->client, reply.desc);
        text = libxl__pcid_encode_reply(gc, &work->id, &work->request,
                                        &reply);
    }
    log_request(gc, work->client, work->conn, &work->request, &reply,
                &work->started);
    return text;
}

/* Starts the work that can start, in order. */
static void work_next(libxl__egc *egc, pcid_server *server)
{
    EGC_GC;
    pcid_work *work, *next, *earlier;

    XEN_TAILQ_FOREACH_SAFE(work, &server->work, entry, next) {
        if (server->num_working >= WORKING_MAX)
            return;
        if (libxl__ev_child_inuse(&work->child))
            continue;
        XEN_TAILQ_FOREACH(earlier, &server->work, entry)
            if (earlier == work || same_device(earlier, work))
                break;
        if (earlier != work)
            continue;
        if (work_before(gc, work))
            work_failed(gc, work, "cannot take back what was lent of the"
                        " device; the log of xl pcid says why");
        else if (work_fork(gc, work))
            work_failed(gc, work, "cannot start a process for it");
    }
}

static int work_fork(libxl__gc *gc, pcid_work *work)
{
    int fds[2] = { -1, -1 }, rc;
    pid_t pid, server = getpid();

    libxl__carefd_begin();
    if (libxl_pipe(CTX, fds)) {
        libxl__carefd_unlock();
        rc = ERROR_FAIL;
        goto out;
    }
    work->result = libxl__carefd_opened(CTX, fds[0]);
    fds[0] = -1;

    pid = libxl__ev_child_fork(gc, &work->child, work_ended);
    if (pid < 0) {
        rc = pid;
        goto out;
    }

    if (!pid) {
        libxl__hostpci_reply reply;
        const char *text;

        /* If this process hangs in the kernel, it must not hold channels
         * and locks. */
        libxl_postfork_child_noexec(CTX);
        libxl__hostpci_end_with(server);
        libxl__hostpci_work(gc, &work->request, &reply);
        text = libxl__pcid_encode_reply(gc, &work->id, &work->request,
                                        &reply);
        /* The reply must fit into the pipe: the server reads it only after
         * this process has ended. */
        _exit(libxl_write_exactly(CTX, fds[1], text, strlen(text),
                                  "result", "pipe") ? 1 : 0);
    }

    work->server->num_working++;
    rc = 0;

 out:
    libxl__pipe_close(fds);
    return rc;
}

static void work_progress(libxl__egc *egc, libxl__ev_time *ev,
                          const struct timeval *requested_abs, int rc)
{
    EGC_GC;
    pcid_work *work = CONTAINER_OF(ev, *work, progress);

    if (rc != ERROR_TIMEDOUT || !work->conn)
        return;

    libxl__vchan_send(gc, &work->conn->vc,
                      libxl__pcid_encode_progress(gc, work->id));
    rc = libxl__ev_time_register_rel(work->server->ao, &work->progress,
                                     work_progress, PCID_PROGRESS_MS);
    if (rc && rc != ERROR_ABORTED)
        LOG(WARN, "cannot report progress to domain %u: rc=%d",
            work->client, rc);
}

static void work_ended(libxl__egc *egc, libxl__ev_child *child,
                       pid_t pid, int status)
{
    EGC_GC;
    pcid_work *work = CONTAINER_OF(child, *work, child);
    pcid_server *server = work->server;
    char text[PCID_REQUEST_MAX];
    const char *reply;
    ssize_t r;

    server->num_working--;

    if (status) {
        libxl_report_child_exitstatus(CTX, XTL_ERROR, "pcid work", pid,
                                      status);
        work_failed(gc, work, "the process that carried it out has died");
    } else {
        r = read(libxl__carefd_fd(work->result), text, sizeof(text) - 1);
        text[r > 0 ? r : 0] = '\0';
        reply = work_after(gc, work, text);
        if (reply)
            work_done(gc, work, reply);
        else
            work_failed(gc, work, "the process that carried it out left no"
                        " valid result");
    }

    work_next(egc, server);
    server_check_stopped(egc, server);
}

/*
 * The end
 */

static void server_abort(libxl__egc *egc, libxl__ao_abortable *abrt,
                         int rc)
{
    EGC_GC;
    pcid_server *server = CONTAINER_OF(abrt, *server, abrt);
    libxl__hostpci_reply reply = { 0 };
    pcid_work *work, *next;
    pcid_conn *conn;

    LOG(INFO, "stopping: no more requests are taken");
    server->stopping = true;
    libxl__ev_xswatch_deregister(gc, &server->watch);
    libxl__ev_time_deregister(gc, &server->offer);

    /* Answer work that has not started: it will not start. */
    libxl__hostpci_fail(gc, &reply, LIBXL__HOSTPCI_FAILED, 0,
                        "xl pcid is being stopped");
    XEN_TAILQ_FOREACH_SAFE(work, &server->work, entry, next) {
        if (!libxl__ev_child_inuse(&work->child))
            work_done(gc, work, libxl__pcid_encode_reply(gc, &work->id,
                                                         NULL, &reply));
        else
            libxl__ev_time_deregister(gc, &work->progress);
    }

    while ((conn = XEN_LIST_FIRST(&server->conns)))
        conn_dispose(gc, conn);

    libxl__xs_rm_checked(gc, XBT_NULL, server->base);
    if (server->designated) libxl__pci_owner_withdraw(gc, server->self);
    server_check_stopped(egc, server);
}

/* Waits for the processes at work, so that no device is left half-way. */
static void server_check_stopped(libxl__egc *egc, pcid_server *server)
{
    if (!server->stopping || !XEN_TAILQ_EMPTY(&server->work))
        return;

    libxl__carefd_close(server->lock);
    libxl__ao_complete(egc, server->ao, ERROR_ABORTED);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
