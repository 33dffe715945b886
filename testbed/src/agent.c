/*
 * agent: runs commands for domain $TOOLSTACK (0), see remote.h. One process per command.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libxenvchan.h>
#include <xenevtchn.h>
#include <xenstore.h>

#include "remote.h"

#define CONNECT_SECONDS 10      /* for a caller to use the channel it asked for */
#define CLOSE_SECONDS 5         /* for a caller to take the last packet */

static struct libxenvchan *chan;
static int caller;              /* a domain */

/* Wait for something from the caller; false when it is gone, or after seconds. */
static int wait_for_caller(int seconds)
{
    struct pollfd pfd = { .fd = libxenvchan_fd_for_select(chan), .events = POLLIN };

    if (poll(&pfd, 1, seconds * 1000) <= 0)
        return 0;
    libxenvchan_wait(chan);
    return libxenvchan_is_open(chan);
}

static void send_packet(enum packet_type type, const void *data, uint32_t length)
{
    struct packet packet = { .type = type, .length = length };

    libxenvchan_send(chan, &packet, sizeof(packet));
    if (type != PACKET_EXIT)
        libxenvchan_send(chan, data, length);
}

/* The arguments as an array for exec, or NULL. */
static char **receive_arguments(void)
{
    struct packet packet;
    char *data, *end, **argv;
    size_t got = 0, n = 0;

    if (libxenvchan_recv(chan, &packet, sizeof(packet)) != sizeof(packet) ||
        packet.type != PACKET_ARGUMENTS || !packet.length ||
        packet.length > ARGUMENTS_MAX)
        return NULL;
    data = malloc(packet.length + 1);
    argv = calloc(packet.length + 1, sizeof(*argv));
    if (!data || !argv)
        return NULL;
    while (got < packet.length) {
        int r = libxenvchan_read(chan, data + got, packet.length - got);

        if (r <= 0)
            return NULL;
        got += r;
    }
    end = data + packet.length;
    *end = 0;
    for (; data < end; data += strlen(data) + 1)
        argv[n++] = data;
    return argv;
}

static pid_t start(char **argv, int out[2], int errors[2], const sigset_t *old)
{
    pid_t pid;

    if (pipe2(out, O_CLOEXEC) || pipe2(errors, O_CLOEXEC))
        return -1;
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        setsid();
        sigprocmask(SIG_SETMASK, old, NULL);
        dup2(null, 0);
        dup2(out[1], 1);
        dup2(errors[1], 2);
        execvp(argv[0], argv);
        fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
        _exit(errno == ENOENT ? 127 : 126);
    }
    close(out[1]);
    close(errors[1]);
    return pid;
}

/* Pass on what a pipe holds; false when there is nothing (more). */
static int pass_on(int fd, enum packet_type type)
{
    char data[CHUNK];
    ssize_t n = read(fd, data, sizeof(data));

    if (n > 0)
        send_packet(type, data, n);
    return n > 0;
}

static int status_of(int wstatus)
{
    return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128 + WTERMSIG(wstatus);
}

static void run(char **argv)
{
    enum { OUT, ERRORS, CHILD, CALLER, COUNT };
    int out[2], errors[2], wstatus;
    sigset_t chld, old;
    pid_t pid;

    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, &old);
    pid = start(argv, out, errors, &old);
    if (pid < 0)
        err(1, "%s", argv[0]);

    struct pollfd fds[COUNT] = {
        [OUT] = { .fd = out[0], .events = POLLIN },
        [ERRORS] = { .fd = errors[0], .events = POLLIN },
        [CHILD] = { .fd = signalfd(-1, &chld, SFD_CLOEXEC), .events = POLLIN },
        [CALLER] = { .fd = libxenvchan_fd_for_select(chan), .events = POLLIN },
    };

    for (;;) {
        /* One event may have told of the arguments, and of the caller's end. */
        if (!libxenvchan_is_open(chan)) {
            /* As long as it has no group of its own, it is alone. */
            kill(pid, SIGKILL);
            kill(-pid, SIGKILL);
            return;
        }
        if (poll(fds, COUNT, -1) < 0)
            err(1, "poll");
        if (fds[CALLER].revents) {
            libxenvchan_wait(chan);
            continue;
        }
        if (fds[OUT].revents && !pass_on(out[0], PACKET_STDOUT))
            fds[OUT].fd = -1;
        if (fds[ERRORS].revents && !pass_on(errors[0], PACKET_STDERR))
            fds[ERRORS].fd = -1;
        if (fds[CHILD].revents)
            break;
    }
    /*
     * Only the command itself is waited for: one that leaves a daemon behind, with
     * the pipes still open, has ended all the same.
     */
    waitpid(pid, &wstatus, 0);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(errors[0], F_SETFL, O_NONBLOCK);
    while (pass_on(out[0], PACKET_STDOUT))
        ;
    while (pass_on(errors[0], PACKET_STDERR))
        ;
    send_packet(PACKET_EXIT, NULL, status_of(wstatus));
    while (wait_for_caller(CLOSE_SECONDS))
        ;
}

/* The channel is there. */
static void tell_caller(const char *port)
{
    xenevtchn_handle *events = xenevtchn_open(NULL, 0);
    xenevtchn_port_or_error_t own = events ? xenevtchn_bind_interdomain(events, caller, atoi(port)) : -1;

    if (own < 0 || xenevtchn_notify(events, own))
        err(1, "event channel %s of domain %d", port, caller);
    xenevtchn_close(events);
}

/* In a process of its own: neither the mappings nor the xenstore handle may be shared. */
static void serve(const char *id, const char *port)
{
    char path[64];
    char **argv;

    snprintf(path, sizeof(path), CHANNEL, id);
    chan = libxenvchan_server_init(NULL, caller, path, TO_AGENT_RING, TO_CALLER_RING);
    if (!chan)
        errx(1, "no vchan at %s", path);
    tell_caller(port);
    chan->blocking = 1;
    while (libxenvchan_is_open(chan) == 2)
        if (!wait_for_caller(CONNECT_SECONDS))
            break;
    if (libxenvchan_is_open(chan) == 1) {
        argv = receive_arguments();
        if (argv)
            run(argv);
    }
    libxenvchan_close(chan);
}

static void answer_calls(struct xs_handle *xs)
{
    unsigned int n, i;
    char **ids = xs_directory(xs, XBT_NULL, CALLS, &n);
    char path[128], *port;

    if (!ids)
        return;
    for (i = 0; i < n; i++) {
        if (strlen(ids[i]) >= ID_MAX)
            continue;
        snprintf(path, sizeof(path), CALLS "/%s", ids[i]);
        port = xs_read(xs, XBT_NULL, path, NULL);
        if (port && xs_rm(xs, XBT_NULL, path) && fork() == 0) {
            serve(ids[i], port);
            _exit(0);
        }
        free(port);
    }
    free(ids);
}

int main(void)
{
    struct xs_handle *xs = xs_open(0);
    const char *toolstack = getenv("TOOLSTACK");

    caller = toolstack ? atoi(toolstack) : 0;
    signal(SIGCHLD, SIG_IGN);
    if (!xs || !xs_watch(xs, CALLS, ""))
        err(1, "xenstore");
    for (;;) {
        unsigned int n;
        char **event = xs_read_watch(xs, &n);

        if (!event)
            err(1, "xenstore watch");
        free(event);
        answer_calls(xs);
    }
}
