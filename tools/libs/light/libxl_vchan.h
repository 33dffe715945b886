/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * JSON messages over libxenvchan.
 *
 * A libxl__vchan carries JSON objects, each ended by "\r\n", in both
 * directions between this process and one in another domain (or in this
 * one).  It does not know what the messages mean.  No function blocks.  The
 * peer is not trusted: whatever it does, the worst result is that the channel
 * is closed.
 *
 * Possible states of a libxl__vchan:
 *   Undefined  Might contain anything.
 *   Idle       Contains no resources; may be thrown away.
 *   Open       Messages are sent and received.
 *
 * libxl__vchan_init:     Undefined/Idle -> Idle
 * libxl__vchan_listen,
 * libxl__vchan_connect:  Idle -> Open (on error: Idle)
 * libxl__vchan_send:     Open -> Open
 * libxl__vchan_dispose:  Idle/Open -> Idle
 *
 * None of these calls a callback.  Callbacks come from the event loop
 * only.
 */

#ifndef LIBXL_VCHAN_H
#define LIBXL_VCHAN_H

#include "libxl_internal.h"

/* What ends a message.  Within one, these bytes are escaped. */
#define LIBXL__VCHAN_END "\r\n"

typedef struct libxl__vchan libxl__vchan;

/*
 * The peer has connected to a channel that was offered to it.  May call
 * libxl__vchan_send, but not libxl__vchan_dispose.
 */
typedef void libxl__vchan_connected_cb(libxl__egc *egc, libxl__vchan *vc);

/*
 * A message has come.  `msg' is a JSON object (JSON_MAP), of which nothing
 * else has been checked, and is valid during the call only.  If what came
 * is not a message, `msg' is NULL and `why' says what is wrong with it.
 *
 * May call libxl__vchan_send, but not libxl__vchan_dispose: to close the
 * channel, return an error code.  It is then passed to closed_callback,
 * after what was sent before has been handed to the peer as far as there
 * is room.  If `msg' is NULL the return value must not be 0.
 */
typedef int libxl__vchan_message_cb(libxl__egc *egc, libxl__vchan *vc,
                                    const libxl__json_object *msg,
                                    const char *why);

/*
 * The channel can no longer be used.  Called at most once, as the last
 * callback.  The callee, or somebody later, must dispose of the channel.
 * What `rc' means:
 *   ERROR_NOT_READY  the peer has closed the channel, or has died
 *   ERROR_TIMEDOUT   the peer did not connect, or took no data, for too
 *                    long
 *   0                the peer has sent nothing for too long
 *   ERROR_FAIL       the event channel failed
 *   anything else    what message_callback returned
 */
typedef void libxl__vchan_closed_cb(libxl__egc *egc, libxl__vchan *vc,
                                    int rc);

struct libxl__vchan {
    /* filled by the caller, to remain valid until disposed of */
    libxl__ao *ao;        /* if set, the waits below have a deadline; if
                           * not, the caller has to bound its own waits */
    libxl_domid peer;
    /* deadlines for the peer, or 0 for none: */
    int connect_ms;       /* to connect (listen only) */
    int stall_ms;         /* to take some data */
    int idle_ms;          /* to say something */
    size_t message_max;   /* bytes in an incoming message, with its end */
    int depth_max;        /* nesting of JSON values in it */
    libxl__vchan_connected_cb *connected_callback; /* or NULL */
    libxl__vchan_message_cb *message_callback;
    libxl__vchan_closed_cb *closed_callback;
    /* private */
    struct libxenvchan *ctrl;
    libxl__carefd *event_cfd, *grant_cfd;
    libxl__ev_fd efd;
    libxl__ev_time deadline;
    bool connected;       /* the peer has been seen on the channel */
    bool stalled;         /* the deadline is that of data to be taken */
    struct timeval heard; /* when the peer has last said something */
    bool broken;          /* nothing can be sent any more */
    char *rx;             /* bytes received, not yet a message */
    size_t rx_used, rx_size, rx_scanned;
    char *tx;             /* bytes to send, from tx_done to tx_used */
    size_t tx_done, tx_used, tx_size;
};

/*
 * Whether this system has channels.  If not, call only the next two
 * functions.
 */
_hidden bool libxl__vchan_supported(void);

_hidden void libxl__vchan_init(libxl__vchan *vc);
_hidden void libxl__vchan_dispose(libxl__gc *gc, libxl__vchan *vc);

/*
 * As the server: offers a channel to domain vc->peer alone, and publishes
 * it in xenstore below xs_path (ring-ref, event-channel).  The peer may
 * connect until vc->connect_ms have passed.  Messages may be sent at once.
 *
 * As the client: connects to the channel that vc->peer published there.
 * That fails, too, if another client is connected to it, or has used it.  An
 * error is not logged, but sets errno.
 *
 * xs_path is absolute, and at most LIBXL__VCHAN_PATH_MAX bytes long:
 * libxenvchan silently cuts off longer ones.
 */
#define LIBXL__VCHAN_PATH_MAX 49
_hidden int libxl__vchan_listen(libxl__gc *gc, libxl__vchan *vc,
                                const char *xs_path);
_hidden int libxl__vchan_connect(libxl__gc *gc, libxl__vchan *vc,
                                 const char *xs_path);

/*
 * Sends a message: the text of a JSON object, without LIBXL__VCHAN_END.  Keeps
 * what does not fit into the ring, and sends it when the peer has made room.
 * While much is kept, the channel receives nothing.
 */
_hidden void libxl__vchan_send(libxl__gc *gc, libxl__vchan *vc,
                               const char *text);

/* Whether the peer was still connected a moment ago */
_hidden bool libxl__vchan_alive(const libxl__vchan *vc);

#endif /* LIBXL_VCHAN_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
