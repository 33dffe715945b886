/*
 * remote [-w SECONDS] DOMID COMMAND [ARGUMENT...]
 *
 * Run a command in domain DOMID, where agent runs. Its output comes out here, and
 * its exit status is ours; 125 when it could not be run, or was silent for too long. It
 * has no input, and dies with us. -w: how long the agent may take to answer.
 *
 * owner [-b] COMMAND [ARGUMENT...]
 *
 * By that name: in the domain that owns the devices, $OWNER, which may be this one. -b: in
 * the background, without output; prints its pid there.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxenvchan.h>
#include <xenevtchn.h>
#include <xenstore.h>

#include "remote.h"

#define FAILED 125
#define ANSWER_SECONDS 10
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
    xenevtchn_handle *events = xenevtchn_open(NULL, 0);
    xenevtchn_port_or_error_t port = events ? xenevtchn_bind_unbound_port(events, atoi(domid)) : -1;
    struct pollfd pfd = { .events = POLLIN };
    char call[128], path[64], text[16];

    if (!xs)
        err(FAILED, "xenstore");
    if (port < 0)
        err(FAILED, "no event channel to domain %s", domid);
    snprintf(call, sizeof(call), "/local/domain/%s/" CALLS "/%d", domid, getpid());
    snprintf(text, sizeof(text), "%d", port);
    if (!xs_write(xs, XBT_NULL, call, text, strlen(text)))
        err(FAILED, "%s", call);
    pfd.fd = xenevtchn_fd(events);
    if (poll(&pfd, 1, seconds * 1000) == 0) {
        xs_rm(xs, XBT_NULL, call);
        errx(FAILED, "no answer from the agent in domain %s within %d s", domid, seconds);
    }
    xenevtchn_close(events);
    xs_close(xs);

    snprintf(text, sizeof(text), "%d", getpid());
    snprintf(path, sizeof(path), "/local/domain/%s/" CHANNEL, domid, text);
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

/* Returns the command's exit status. */
static int run(const char *domid, int seconds, char **command)
{
    static char data[CHUNK];

    connect_to(domid, seconds);
    send_arguments(command);
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

static int run_in_owner(int argc, char **argv)
{
    const char *owner = getenv("OWNER"), *toolstack = getenv("TOOLSTACK");
    bool behind = argc > 1 && !strcmp(argv[1], "-b");
    char *command[argc + 4], **next = command;

    argv += 1 + behind;
    if (!*argv || !owner || !toolstack)
        errx(FAILED, "usage: owner [-b] COMMAND [ARGUMENT...]; OWNER and TOOLSTACK are domains");
    if (behind) {
        *next++ = "sh";
        *next++ = "-c";
        *next++ = "\"$@\" </dev/null >/dev/null 2>&1 & echo $!";
        *next++ = "sh";
    }
    while ((*next++ = *argv++))
        ;
    if (strcmp(owner, toolstack))
        return run(owner, ANSWER_SECONDS, command);
    if (!freopen("/dev/null", "r", stdin))
        err(FAILED, "/dev/null");
    execvp(command[0], command);
    err(errno == ENOENT ? 127 : 126, "%s", command[0]);
}

int main(int argc, char **argv)
{
    int seconds = ANSWER_SECONDS;

    if (!strcmp(basename(argv[0]), "owner"))
        return run_in_owner(argc, argv);
    if (argc > 2 && !strcmp(argv[1], "-w")) {
        seconds = atoi(argv[2]);
        argv += 2;
        argc -= 2;
    }
    if (argc < 3)
        errx(FAILED, "usage: remote [-w SECONDS] DOMID COMMAND [ARGUMENT...]");
    return run(argv[1], seconds, argv + 2);
}
