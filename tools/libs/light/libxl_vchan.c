/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * JSON messages over libxenvchan: see libxl_vchan.h for the interface.
 *
 * WARNING - The peer is not trusted.  Everything that is read from the
 *           ring, or from the peer's part of xenstore, may be wrong on
 *           purpose.
 *
 * The picture:
 *
 *   event channel --> vchan_event() --> vchan_run()
 *                                       |  vchan_flush()    tx -> ring
 *                                       |  vchan_receive()  ring -> rx
 *                                       |  vchan_messages() rx -> messages
 *                                       v
 *                                    message_callback / closed_callback
 *
 * The event is consumed (and the event channel unmasked) only after the
 * rings have been served: what the peer does meanwhile is pending until
 * then, and gives a new event.  libxenvchan asks the peer for a
 * notification whenever it returns less data, or takes less, than it was
 * asked to.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <libxenvchan.h>

#include "libxl_internal.h"
#include "libxl_vchan.h"

/*
 * Sizes of the rings.  A channel takes three pages: the one that every
 * channel has, in which requests fit, and two for replies.  A larger ring for
 * replies would make long lists faster, because the server waits for the
 * client whenever the ring is full.  But 256 channels with more pages would
 * not fit into the 1024 pages that Linux lets a domain share by default.
 */
#define RING_TO_SERVER 1024
#define RING_TO_CLIENT 8192

/* The most bytes received in one go, so that other peers get their turn */
#define RECEIVE_BUDGET (16 * 1024)

/* With more bytes waiting to be sent, stop receiving. */
#define SEND_BACKLOG (16 * 1024)

bool libxl__vchan_supported(void)
{
    return true;
}

void libxl__vchan_init(libxl__vchan *vc)
{
    vc->ctrl = NULL;
    vc->event_cfd = vc->grant_cfd = NULL;
    libxl__ev_fd_init(&vc->efd);
    libxl__ev_time_init(&vc->deadline);
    vc->connected = vc->stalled = vc->broken = false;
    vc->rx = vc->tx = NULL;
    vc->rx_used = vc->rx_size = vc->rx_scanned = 0;
    vc->tx_done = vc->tx_used = vc->tx_size = 0;
}

void libxl__vchan_dispose(libxl__gc *gc, libxl__vchan *vc)
{
    libxl__ev_fd_deregister(gc, &vc->efd);
    libxl__ev_time_deregister(gc, &vc->deadline);
    if (vc->ctrl) {
        /* libxenvchan closes the fds; only the carefd records go here. */
        libxl__carefd_begin();
        libxl__carefd_forget(vc->event_cfd);
        libxl__carefd_forget(vc->grant_cfd);
        libxl__carefd_unlock();
        libxenvchan_close(vc->ctrl);
    }
    free(vc->rx);
    free(vc->tx);
    libxl__vchan_init(vc);
}

/*
 * Synchronous helpers
 */

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * What is wrong with the text, if it is JSON at all, or NULL: it must be
 * printable ASCII, have no NUL in a string, have double quotes round it,
 * nest no deeper than depth_max, and end where its first object does.
 *
 * JSON libraries log parts of a text that they do not understand.  They, and
 * libxl's code that frees a tree, recurse or allocate for each level: a peer
 * could exhaust the stack or the memory.  Some libraries ignore text after a
 * value, or accept strings in single quotes.  C code does not see the part of
 * a string after a NUL.
 */
static const char *bad_shape(const char *text, size_t len, int depth_max)
{
    int depth = 0;
    size_t i;

    for (i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~')
            return "a byte that is not printable ASCII";

    for (i = 0; i < len; i++) {
        char c = text[i];

        if (c == '"') {
            while (++i < len && text[i] != '"') {
                if (text[i] != '\\') continue;
                if (!strncmp(text + i, "\\u0000", 6))
                    return "a NUL in a string";
                i++;
            }
        } else if (c == '\'') {
            return "a single quote for a double one";
        } else if (c == '{' || c == '[') {
            if (++depth > depth_max) return "values nested too deep";
        } else if (c == '}' || c == ']') {
            if (--depth == 0) break;
        }
    }

    while (++i < len)
        if (text[i] != ' ') return "more than one value";
    return NULL;
}

static void set_deadline(libxl__gc *gc, libxl__vchan *vc, int ms);

/* Writes as much as fits into the ring.  Returns whether any did. */
static bool vchan_flush(libxl__vchan *vc)
{
    size_t start = vc->tx_done;
    int r;

    while (!vc->broken && vc->tx_done < vc->tx_used) {
        r = libxenvchan_write(vc->ctrl, vc->tx + vc->tx_done,
                              vc->tx_used - vc->tx_done);
        /*
         * If only notifying the peer failed, the data is in the ring: do
         * not send it twice.
         */
        if (r < 0) vc->broken = true;
        if (r <= 0) break;
        vc->tx_done += r;
    }

    if (vc->tx_done == start)
        return false;

    if (vc->tx_done == vc->tx_used) {
        /* Do not keep the memory of one large message for ever. */
        free(vc->tx);
        vc->tx = NULL;
        vc->tx_done = vc->tx_used = vc->tx_size = 0;
    }
    return true;
}

static size_t tx_pending(const libxl__vchan *vc)
{
    return vc->tx_used - vc->tx_done;
}

/* Restart the time of silence: the peer has sent something, or could not
 * send anything before now. */
static void note_heard(libxl__gc *gc, libxl__vchan *vc)
{
    if (vc->ao) libxl__gettimeofday(gc, &vc->heard);
}

/* The ms left until the peer has been silent for too long */
static int idle_left(libxl__gc *gc, libxl__vchan *vc)
{
    struct timeval now, since;
    int64_t ms;

    if (libxl__gettimeofday(gc, &now)) return 0;
    timersub(&now, &vc->heard, &since);
    ms = since.tv_sec * 1000LL + since.tv_usec / 1000;
    if (ms < 0) {
        /* The clock has been set back. */
        vc->heard = now;
        ms = 0;
    }
    return ms >= vc->idle_ms ? 0 : vc->idle_ms - ms;
}

/*
 * Once connected, wait for room in the ring, or otherwise for the peer to
 * send something.  sent, received: whether data was sent or received now.
 *
 * Setting a timer wakes the event loop once more.  So set one timer for the
 * silence of the peer, not one for each message; when it expires, check
 * whether the peer has sent anything.
 */
static void update_deadline(libxl__gc *gc, libxl__vchan *vc, bool sent,
                            bool received)
{
    bool was_stalled = vc->stalled;

    if (!vc->connected) return;

    vc->stalled = tx_pending(vc);
    if (vc->stalled) {
        if (sent || !was_stalled)
            set_deadline(gc, vc, vc->stall_ms);
        return;
    }
    if (received || was_stalled)
        note_heard(gc, vc);
    if (was_stalled)
        set_deadline(gc, vc, vc->idle_ms);
}

/*
 * Returns the number of bytes received, 0 if there are none now, or an
 * error code: ERROR_NOT_READY if the peer is gone.
 */
static int vchan_receive(libxl__gc *gc, libxl__vchan *vc)
{
    size_t want = 1024;
    int r;

    if (vc->rx_size - vc->rx_used < want) {
        vc->rx_size = vc->rx_used + 4 * want;
        vc->rx = libxl__realloc(NOGC, vc->rx, vc->rx_size);
    }

    r = libxenvchan_read(vc->ctrl, vc->rx + vc->rx_used, want);
    if (r < 0)
        return ERROR_NOT_READY;

    vc->rx_used += r;
    return r;
}

/* Finds the end of the first message in rx; returns its length or -1. */
static ssize_t find_message(libxl__vchan *vc)
{
    const char *at;
    size_t i;

    for (i = vc->rx_scanned; i + 1 < vc->rx_used; i = at - vc->rx + 1) {
        at = memchr(vc->rx + i, LIBXL__VCHAN_END[0], vc->rx_used - 1 - i);
        if (!at) break;
        if (at[1] == LIBXL__VCHAN_END[1])
            return at - vc->rx;
    }
    vc->rx_scanned = vc->rx_used ? vc->rx_used - 1 : 0;
    return -1;
}

/* Passes on each complete message in rx.  Returns 0, or an error if the
 * channel is to be closed. */
static int vchan_messages(libxl__egc *egc, libxl__vchan *vc)
{
    EGC_GC;
    ssize_t len;
    size_t start = 0;
    int rc = 0;

    while (!rc && (len = find_message(vc)) >= 0) {
        libxl__json_object *msg = NULL;
        const char *why = NULL;
        char *text = vc->rx;

        text[len] = '\0';
        if (len + strlen(LIBXL__VCHAN_END) > vc->message_max)
            why = "message too long";
        else
            why = bad_shape(text, len, vc->depth_max);

        if (!why) {
            msg = libxl__json_parse(NOGC, text);
            if (!msg)
                why = "not JSON";
            else if (!libxl__json_object_is_map(msg))
                why = "not a JSON object";
        }
        if (why) {
            libxl__json_object_free(NOGC, msg);
            msg = NULL;
        }
        rc = vc->message_callback(egc, vc, msg, why);
        assert(msg || rc);
        libxl__json_object_free(NOGC, msg);

        start = len + strlen(LIBXL__VCHAN_END);
        memmove(vc->rx, vc->rx + start, vc->rx_used - start);
        vc->rx_used -= start;
        vc->rx_scanned = 0;
    }
    if (!rc && vc->rx_used > vc->message_max) {
        rc = vc->message_callback(egc, vc, NULL, "message too long");
        assert(rc);
    }
    if (!vc->rx_used) {
        free(vc->rx);
        vc->rx = NULL;
        vc->rx_size = 0;
    }
    return rc;
}

static int vchan_open(libxl__gc *gc, libxl__vchan *vc);
static void vchan_event(libxl__egc *egc, libxl__ev_fd *ev, int fd,
                        short events, short revents);
static void vchan_deadline(libxl__egc *egc, libxl__ev_time *ev,
                           const struct timeval *requested_abs, int rc);

static void set_deadline(libxl__gc *gc, libxl__vchan *vc, int ms)
{
    int rc;

    if (!vc->ao) return;

    libxl__ev_time_deregister(gc, &vc->deadline);
    if (!ms) return;
    rc = libxl__ev_time_register_rel(vc->ao, &vc->deadline, vchan_deadline,
                                     ms);
    /* Fails if the ao is being aborted: the caller then closes the channel. */
    if (rc && rc != ERROR_ABORTED)
        LOG(WARN, "channel to domain %u is without a deadline: rc=%d",
            vc->peer, rc);
}

/*
 * Opening
 */

int libxl__vchan_listen(libxl__gc *gc, libxl__vchan *vc,
                        const char *xs_path)
{
    int rc;

    assert(strlen(xs_path) <= LIBXL__VCHAN_PATH_MAX);

    vc->ctrl = libxenvchan_server_init(CTX->lg, vc->peer, xs_path,
                                       RING_TO_SERVER, RING_TO_CLIENT);
    if (!vc->ctrl) {
        LOGE(ERROR, "cannot offer domain %u a channel at %s", vc->peer,
             xs_path);
        rc = ERROR_FAIL;
        goto out;
    }

    rc = vchan_open(gc, vc);
    if (rc) goto out;

    set_deadline(gc, vc, vc->connect_ms);
    rc = 0;

 out:
    return rc;
}

int libxl__vchan_connect(libxl__gc *gc, libxl__vchan *vc,
                         const char *xs_path)
{
    int rc;

    assert(strlen(xs_path) <= LIBXL__VCHAN_PATH_MAX);

    errno = EPROTO; /* if the peer is at fault, and nothing sets errno */
    vc->ctrl = libxenvchan_client_init(CTX->lg, vc->peer, xs_path);
    if (!vc->ctrl) {
        rc = ERROR_FAIL;
        goto out;
    }

    /*
     * When the client of a channel has gone, another can bind the event
     * channel until the server notices.
     */
    if (libxenvchan_is_used(vc->ctrl)) {
        libxenvchan_close(vc->ctrl);
        vc->ctrl = NULL;
        errno = EBUSY;
        rc = ERROR_FAIL;
        goto out;
    }

    rc = vchan_open(gc, vc);
    if (rc) goto out;

    vc->connected = true;
    rc = 0;

 out:
    return rc;
}

/*
 * The end of listening and connecting.  A process that this one forks must
 * not keep the channel open.  The fds are close-on-exec from the start.
 * Opening them with the lock for carefds held would mean waiting for
 * xenstored with that lock.
 */
static int vchan_open(libxl__gc *gc, libxl__vchan *vc)
{
    int fd, rc;

    vc->ctrl->blocking = 0;
    fd = libxenvchan_fd_for_select(vc->ctrl);

    libxl__carefd_begin();
    vc->event_cfd = libxl__carefd_record(CTX, fd);
    vc->grant_cfd =
        libxl__carefd_record(CTX, libxenvchan_grant_fd(vc->ctrl));
    libxl__carefd_unlock();

    rc = libxl__ev_fd_register(gc, &vc->efd, vchan_event, fd, POLLIN);
    if (rc) libxl__vchan_dispose(gc, vc);

    return rc;
}

/*
 * Sending
 */

void libxl__vchan_send(libxl__gc *gc, libxl__vchan *vc, const char *text)
{
    size_t len = strlen(text), end = strlen(LIBXL__VCHAN_END);
    const char *p;
    char *to;

    if (vc->tx_size - vc->tx_used < len + end) {
        vc->tx_size = vc->tx_used + len + end;
        vc->tx = libxl__realloc(NOGC, vc->tx, vc->tx_size);
    }

    /*
     * libxl's JSON generators indent.  Remove the white space: it is half
     * of a list, and the rings are small.
     */
    to = vc->tx + vc->tx_used;
    for (p = text; *p; p++) {
        if (space(*p))
            continue;
        *to++ = *p;
        if (*p != '"')
            continue;
        while (p[1] && p[1] != '"') {
            *to++ = *++p;
            if (*p == '\\' && p[1])
                *to++ = *++p;
        }
        if (p[1])
            *to++ = *++p;
    }
    memcpy(to, LIBXL__VCHAN_END, end);
    vc->tx_used = to + end - vc->tx;

    update_deadline(gc, vc, vchan_flush(vc), false);
}

bool libxl__vchan_alive(const libxl__vchan *vc)
{
    return vc->ctrl && libxenvchan_is_open(vc->ctrl);
}

/*
 * Events
 */

/* Returns 0, or an error if the channel is to be closed.  *again_r: whether
 * there is more to do. */
static int vchan_run(libxl__egc *egc, libxl__vchan *vc, bool *again_r)
{
    EGC_GC;
    size_t received = 0;
    int rc;

    *again_r = false;

    if (!vc->connected) {
        /* 2: nobody has connected yet; see libxenvchan.h */
        if (libxenvchan_is_open(vc->ctrl) == 2)
            return 0;
        vc->connected = true;
        note_heard(gc, vc);
        set_deadline(gc, vc, vc->idle_ms);
        if (vc->connected_callback)
            vc->connected_callback(egc, vc);
    }

    update_deadline(gc, vc, vchan_flush(vc), false);
    /* If the peer is gone, still read what it has sent before. */
    if (vc->broken && libxenvchan_is_open(vc->ctrl)) {
        LOG(ERROR, "cannot send to domain %u: its event channel failed",
            vc->peer);
        return ERROR_FAIL;
    }

    for (;;) {
        if (tx_pending(vc) > SEND_BACKLOG)
            /* An event comes when the peer makes room, or closes. */
            return libxenvchan_is_open(vc->ctrl) ? 0 : ERROR_NOT_READY;
        if (received > RECEIVE_BUDGET) {
            *again_r = true;
            return 0;
        }

        rc = vchan_receive(gc, vc);
        if (rc <= 0) return rc;
        received += rc;
        update_deadline(gc, vc, false, true);

        rc = vchan_messages(egc, vc);
        if (rc) return rc;
    }
}

static void vchan_event(libxl__egc *egc, libxl__ev_fd *ev, int fd,
                        short events, short revents)
{
    EGC_GC;
    libxl__vchan *vc = CONTAINER_OF(ev, *vc, efd);
    bool again;
    int rc;

    if (revents & ~POLLIN) {
        LOG(ERROR, "event channel to domain %u failed, revents=%#x",
            vc->peer, (unsigned)revents);
        rc = ERROR_FAIL;
        goto closed;
    }

    rc = vchan_run(egc, vc, &again);
    if (rc) goto closed;

    if (again) {
        /*
         * Give other peers their turn.  The event has not been read, so this
         * function is called again; modify in case events are edge-triggered.
         */
        rc = libxl__ev_fd_modify(gc, &vc->efd, POLLIN);
        if (rc) goto closed;
        return;
    }

    if (libxenvchan_wait(vc->ctrl)) {
        LOGE(ERROR, "cannot read the event channel to domain %u",
             vc->peer);
        rc = ERROR_FAIL;
        goto closed;
    }
    return;

 closed:
    libxl__ev_fd_deregister(gc, &vc->efd);
    libxl__ev_time_deregister(gc, &vc->deadline);
    vc->closed_callback(egc, vc, rc); /* must be last */
}

static void vchan_deadline(libxl__egc *egc, libxl__ev_time *ev,
                           const struct timeval *requested_abs, int rc)
{
    EGC_GC;
    libxl__vchan *vc = CONTAINER_OF(ev, *vc, deadline);

    /* If the ao is being aborted, the caller closes the channel. */
    if (rc == ERROR_ABORTED)
        return;

    if (rc == ERROR_TIMEDOUT && vc->connected && !vc->stalled) {
        int left = idle_left(gc, vc);

        if (left || !vc->idle_ms) {
            set_deadline(gc, vc, left);
            return;
        }
        rc = 0;
    }

    libxl__ev_fd_deregister(gc, &vc->efd);
    vc->closed_callback(egc, vc, rc); /* must be last */
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
