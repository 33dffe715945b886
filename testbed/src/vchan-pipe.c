/*
 * vchan-pipe DOMID PATH: the client's end of the vchan that the domain offers at the path in
 * xenstore. What is read from the input goes into it, what comes goes to the output; ends when
 * either side has closed. Xen's vchan-socket-proxy throws away what is still in the ring when
 * the other side closes: here that is mostly the reason for it.
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxenvchan.h>

/* Returns whether the vchan is still open. */
static int to_output(struct libxenvchan *chan)
{
    char buf[4096];
    int got, done, n;

    while ((got = libxenvchan_read(chan, buf, sizeof(buf))) > 0)
        for (done = 0; done < got; done += n)
            if ((n = write(STDOUT_FILENO, buf + done, got - done)) <= 0)
                return 0;
    return got == 0;
}

int main(int argc, char **argv)
{
    struct libxenvchan *chan;
    char buf[4096];
    int used = 0, done = 0, ended = 0, n;

    if (argc != 3)
        errx(1, "usage: vchan-pipe DOMID PATH");
    chan = libxenvchan_client_init(NULL, atoi(argv[1]), argv[2]);
    if (!chan)
        err(1, "cannot connect to domain %s at %s", argv[1], argv[2]);
    chan->blocking = 0;
    /* Section 2.3 of the protocol: another client may have been here. */
    if (chan->ring->left.prod || chan->ring->right.cons)
        errx(1, "the channel at %s has been used", argv[2]);

    while (to_output(chan)) {
        struct pollfd fds[] = {
            { libxenvchan_fd_for_select(chan), POLLIN, 0 },
            { used || ended ? -1 : STDIN_FILENO, POLLIN, 0 },
        };

        if (ended && !used)
            break;
        if (poll(fds, 2, -1) < 0)
            err(1, "poll");
        if (fds[0].revents && libxenvchan_wait(chan))
            err(1, "event channel");
        if (fds[1].revents) {
            n = read(STDIN_FILENO, buf, sizeof(buf));
            ended = n <= 0;
            used = ended ? 0 : n;
            done = 0;
        }
        /* If this fails, the server has gone, which to_output() sees. */
        if (used && (n = libxenvchan_write(chan, buf + done, used - done)) > 0)
            done += n;
        if (done == used)
            used = done = 0;
    }
    libxenvchan_close(chan);
    return 0;
}
