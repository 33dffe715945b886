/*
 * remote [-w SECONDS] DOMID COMMAND [ARGUMENT...]
 *
 * Run a command in domain DOMID, where agent runs. Its output comes out here, and
 * its exit status is ours; 125 when it could not be run, or was silent for too long. It
 * has no input, and dies with us. -w: how long the agent may take to answer (10 s).
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libxenvchan.h>
#include <xenstore.h>

#include "remote.h"

#define FAILED 125
#define SILENCE_SECONDS 300     /* then the domain hangs, or is no more */

static struct libxenvchan *chan;

static void send_all(const void *data, size_t size)
{
    const char *p = data;

    while (size) {
        int n = libxenvchan_write(chan, p, size);

        if (n <= 0)
            errx(FAILED, "the agent hung up");
        p += n;
        size -= n;
    }
}

static void receive(void *data, size_t size)
{
    struct pollfd pfd = { .fd = libxenvchan_fd_for_select(chan), .events = POLLIN };
    int n;

    while ((n = libxenvchan_recv(chan, data, size)) == 0) {
        if (poll(&pfd, 1, SILENCE_SECONDS * 1000) == 0)
            errx(FAILED, "the command neither ended nor said anything for %d s",
                 SILENCE_SECONDS);
        libxenvchan_wait(chan);
    }
    if (n != (int)size)
        errx(FAILED, "the agent went away before the command ended");
}

static void write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);

        if (n < 0)
            err(FAILED, "write");
        data += n;
        size -= n;
    }
}

/* Ask for a channel, and wait until the agent has made it. */
static void connect_to(const char *domid, int seconds)
{
    struct xs_handle *xs = xs_open(0);
    char call[128], path[64], ring[80], id[ID_MAX];
    time_t end = time(NULL) + seconds;

    if (!xs)
        err(FAILED, "xenstore");
    snprintf(id, sizeof(id), "%d", getpid());
    snprintf(call, sizeof(call), "/local/domain/%s/" CALLS "/%s", domid, id);
    snprintf(path, sizeof(path), "/local/domain/%s/" CHANNEL, domid, id);
    snprintf(ring, sizeof(ring), "%s/ring-ref", path);

    if (!xs_watch(xs, ring, "") || !xs_write(xs, XBT_NULL, call, "", 0))
        err(FAILED, "%s", call);
    for (;;) {
        struct pollfd pfd = { .fd = xs_fileno(xs), .events = POLLIN };
        unsigned int n;
        char **event;
        void *value;

        value = xs_read(xs, XBT_NULL, ring, &n);
        if (value) {
            free(value);
            break;
        }
        if (time(NULL) >= end || poll(&pfd, 1, (end - time(NULL)) * 1000) == 0) {
            xs_rm(xs, XBT_NULL, call);
            errx(FAILED, "no answer from the agent in domain %s within %d s",
                 domid, seconds);
        }
        event = xs_read_watch(xs, &n);
        free(event);
    }
    xs_close(xs);

    chan = libxenvchan_client_init(NULL, atoi(domid), path);
    if (!chan)
        errx(FAILED, "cannot connect to the agent in domain %s", domid);
    chan->blocking = 1;
}

static void send_arguments(char **argv)
{
    static char all[ARGUMENTS_MAX];
    struct packet packet = { .type = PACKET_ARGUMENTS };

    for (; *argv; argv++) {
        size_t n = strlen(*argv) + 1;

        if (packet.length + n > sizeof(all))
            errx(FAILED, "the arguments are longer than %zu bytes", sizeof(all));
        memcpy(all + packet.length, *argv, n);
        packet.length += n;
    }
    send_all(&packet, sizeof(packet));
    send_all(all, packet.length);
}

int main(int argc, char **argv)
{
    static char data[CHUNK];
    int seconds = 10;

    if (argc > 2 && !strcmp(argv[1], "-w")) {
        seconds = atoi(argv[2]);
        argv += 2;
        argc -= 2;
    }
    if (argc < 3)
        errx(FAILED, "usage: remote [-w SECONDS] DOMID COMMAND [ARGUMENT...]");

    connect_to(argv[1], seconds);
    send_arguments(argv + 2);
    chan->blocking = 0;
    for (;;) {
        struct packet packet;

        receive(&packet, sizeof(packet));
        if (packet.type == PACKET_EXIT) {
            libxenvchan_close(chan);
            return packet.length;
        }
        if (packet.length > sizeof(data))
            errx(FAILED, "a packet of %u bytes", packet.length);
        receive(data, packet.length);
        write_all(packet.type == PACKET_STDERR ? 2 : 1, data, packet.length);
    }
}
