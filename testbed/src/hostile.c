/*
 * hostile client OWNER NAME
 * hostile owner [NAME]
 * hostile backend DOMID NAME ARGUMENT
 * hostile frontend NAME ARGUMENT
 * hostile list client|owner|backend|frontend
 *
 * A peer of xl pcid that does not keep to docs/misc/pcid-protocol.pandoc, or of pciback
 * and libxl that does not keep to theirs: it plays one named misbehaviour.
 *
 * client: against the daemon in domain OWNER. Prints in one line what that did:
 *   refused: WHY, denied: ERRNO   no channel; ERRNO is xenstored's
 *   nothing                       no answer, for a while
 *   CLASS or return, then open    the reply; and a proper request is answered
 *   CLASS or return, then closed  the reply, and the channel was closed
 *
 * owner: publishes what a daemon does, in the domain it runs in, and plays
 * against each client that asks, until it is killed. Without NAME, what the
 * node data/hostile names by then; it writes the name to data/hostile-plays.
 * In what it sends, '@' stands for the ID of the request, and its other replies
 * are proper ones.
 *
 * backend: in the owner, in the directory of the PCI devices of guest DOMID. Some lists of
 * devices name the device ARGUMENT.
 * frontend: in a guest, in the directory of its PCI devices. Some name the domain ARGUMENT.
 * Both write the misbehaviour's name to data/hostile-plays when it has begun, and play
 * until they are killed where it has no end.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hostile.h"

struct xs_handle *xs;
struct libxenvchan *chan;
char base[PATH_SIZE];
char node[PATH_SIZE + 128];
int domid, peer, toolstack;

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * The channel
 */

bool wait_event(int64_t end)
{
    struct pollfd pfd = { libxenvchan_fd_for_select(chan), POLLIN, 0 };
    int64_t left = end - now_ms();

    if (left <= 0 || poll(&pfd, 1, left) <= 0)
        return false;
    libxenvchan_wait(chan);
    return true;
}

bool closed(void)
{
    return !libxenvchan_is_open(chan);
}

bool send_bytes(const char *data, size_t size)
{
    int64_t end = now_ms() + LONG_MS;

    while (size) {
        int n = libxenvchan_write(chan, data, size);

        if (n < 0 || (n == 0 && !wait_event(end)))
            return false;
        if (n > 0)
            end = now_ms() + LONG_MS;
        data += n;
        size -= n;
    }
    return true;
}

bool send_text(const char *text)
{
    return send_bytes(text, strlen(text));
}

bool send_line(const char *text)
{
    return send_text(text) && send_text(END);
}

void send_many(const char *text, int count)
{
    while (count-- && send_text(text))
        ;
}

char *receive_line(int ms)
{
    static char buffer[TEXT_MAX];
    static size_t used, passed;
    int64_t end = now_ms() + ms;
    char *found;

    memmove(buffer, buffer + passed, used - passed);
    used -= passed;
    passed = 0;
    for (;;) {
        int n;

        found = memmem(buffer, used, END, strlen(END));
        if (found) {
            *found = '\0';
            passed = found + strlen(END) - buffer;
            return buffer;
        }
        if (used == sizeof(buffer))
            return NULL;
        n = libxenvchan_read(chan, buffer + used, sizeof(buffer) - used);
        if (n < 0 || (n == 0 && !wait_event(end)))
            return NULL;
        used += n;
    }
}

void notify(void)
{
    xenevtchn_notify(chan->event, chan->event_port);
}

bool wait_closed(int ms)
{
    int64_t end = now_ms() + ms;

    while (!closed())
        if (!wait_event(end))
            return closed();
    return true;
}

bool put(const char *path, const char *value)
{
    if (xs_write(xs, XBT_NULL, path, value, strlen(value)))
        return true;
    printf("denied: %s\n", strerrorname_np(errno));
    return false;
}

static const struct {
    const char *role;
    void (*print)(void);
} lists[] = {
    { "client", client_list },
    { "owner", owner_list },
    { "backend", pci_backend_list },
    { "frontend", pci_frontend_list },
};

int main(int argc, char **argv)
{
    unsigned int n;
    char *self;
    size_t i;

    if (argc == 3 && !strcmp(argv[1], "list")) {
        for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
            if (!strcmp(argv[2], lists[i].role))
                lists[i].print();
        return 0;
    }

    xs = xs_open(0);
    self = xs ? xs_read(xs, XBT_NULL, "domid", &n) : NULL;
    if (!self)
        err(1, "xenstore");
    domid = atoi(self);
    if (getenv("TOOLSTACK"))
        toolstack = atoi(getenv("TOOLSTACK"));
    if (argc == 4 && !strcmp(argv[1], "client"))
        return client(argv[2], argv[3]);
    if ((argc == 2 || argc == 3) && !strcmp(argv[1], "owner"))
        owner(argv[2]);
    if (argc == 5 && !strcmp(argv[1], "backend")) {
        pci_backend(argv[2], argv[3], argv[4]);
        return 0;
    }
    if (argc == 4 && !strcmp(argv[1], "frontend")) {
        pci_frontend(argv[2], argv[3]);
        return 0;
    }
    errx(2, "usage: hostile client OWNER NAME | owner [NAME] |"
         " backend DOMID NAME ARGUMENT | frontend NAME ARGUMENT |"
         " list client|owner|backend|frontend");
}
