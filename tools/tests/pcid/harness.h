/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The world in which the tests happen: domains, in each of which a libxl ctx
 * or a hand-made peer does something, and which take turns in one process.
 *
 * Whenever one of them waits (libxl's poll() comes here too), the others run,
 * for as long as there is something for any of them to do.  When there is
 * not, the clock is put forward to the next time that anybody waits for: a
 * deadline of any length passes at once, and none passes while there is
 * something to be done.
 */

#ifndef HARNESS_H
#define HARNESS_H

#include "libxl_internal.h"
#include "libxl_vchan.h"

#include <libxenvchan.h>
#include <pcid.h>

#include "standin.h"
#include "tap.h"

/* Starts anew: no domain but 0, an empty store, no faults, no log.  Complains
 * of what the last test has left behind. */
void world_reset(void);

/*
 * Domains' ctxs.  Functions of libxl that wait, or that look at xenstore, may
 * be called only between world_call and world_return, or from a callback.
 */
libxl_ctx *world_ctx(int domid);
void world_ctx_free(libxl_ctx *ctx);
void world_call(libxl_ctx *ctx);
void world_return(void);
/* A process that is stopped, or goes on */
void world_stop(libxl_ctx *ctx, bool stop);
/* We are in this domain from now on.  Returns in which we were. */
int world_enter(int domid);
void world_leave(int before);

/*
 * A ctx that a thread of its own uses: it takes part in nothing of the above.
 * Its thread gives a number of its own to standin_process while it runs, and
 * waits with world_poll, if set, instead of poll().  See commands.h.
 */
void world_ctx_alone(libxl_ctx *ctx);
/* What the kernel does when that process is killed: what it has open is
 * closed.  The ctx is left as it is. */
void world_ctx_kill(libxl_ctx *ctx, int process);
extern int (*world_poll)(struct pollfd *fds, nfds_t num, int timeout);
/* Lets all others do what they can now.  Returns whether anybody did. */
bool world_turn(void);
/* Nobody can do anything, as world_turn() has just found: waits for child
 * processes, or puts the clock forward, for timeout ms at most (-1: for any
 * time).  Returns false if nothing is ever going to happen. */
bool world_wait(const struct pollfd *fds, int num, int timeout);

/* Something that takes part without a ctx: returns whether it has done
 * anything.  NULL takes it out. */
void world_set_step(bool (*step)(void *), void *opaque);

/* Virtual time since the start of the program */
int64_t world_ms(void);
/* Somebody sets the clock, by so many ms, be it back. */
void world_set_clock(int64_t ms);

/* Lets everybody run until done(opaque), or for max_ms of virtual time at
 * most.  Returns whether it was done. */
bool world_run(bool (*done)(void *opaque), void *opaque, int max_ms);
/* Lets everybody run until nobody has anything to do, at this time. */
void world_settle(void);

/* What has been logged since the last world_log_clear, a line each */
const char *world_log(void);
void world_log_clear(void);
/* Nothing is kept in the log, nor even formatted. */
void world_log_off(void);

/* JSON for a test to make or look at */
libxl__json_object *json(libxl__gc *gc, const char *text);
/* Whether the JSON library tells of all members of the same name. */
bool json_tells_doubles(libxl_ctx *ctx);

/*
 * A client or an owner that does just what the test says, at the other end of
 * a channel.
 */
typedef struct {
    int domid;
    struct libxenvchan *ctrl; /* NULL if not connected */
    char path[64];
    char *in;
    size_t in_used;
} raw_peer;

/* Asks the server in `owner' for a channel.  Returns NULL if there is one, or
 * what the server has answered; "" if nothing. */
const char *raw_connect(raw_peer *peer, int domid, int owner,
                        const char *name);
/* The first half of that, and the second */
void raw_ask(raw_peer *peer, int domid, int owner, const char *name);
bool raw_open(raw_peer *peer, int owner);
/* As an owner: makes a channel for a node that asks. */
bool raw_listen(raw_peer *peer, int domid, int client, const char *path);
/* Sends text, with an end of message or just as it is. */
bool raw_send(raw_peer *peer, const char *text);
bool raw_send_bytes(raw_peer *peer, const void *data, size_t len);
/* The next message, without its end, or NULL if there is none in max_ms of
 * virtual time, or the channel is closed.  Valid until the next call. */
const char *raw_recv(raw_peer *peer, int max_ms);
/* What has come, if it is a message; waits for nothing. */
const char *raw_poll(raw_peer *peer);
/* Whether the other side is there */
bool raw_alive(raw_peer *peer);
/* Ends in good order, or as if killed. */
void raw_close(raw_peer *peer);
void raw_kill(raw_peer *peer);

#endif /* HARNESS_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
