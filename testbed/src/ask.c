/*
 * ask DOMID: a client of the xl pcid in that domain, without libxl. Prints the greeting,
 * and for each line of its input, which is a request, the first message that comes.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxenvchan.h>
#include <xenstore.h>

/* Up to CR LF, which is not kept. */
static void print_message(struct libxenvchan *chan)
{
    char c;

    while (libxenvchan_recv(chan, &c, 1) == 1 && c != '\n')
        if (c != '\r')
            putchar(c);
    putchar('\n');
    fflush(stdout);
}

/* Ask for a channel, see docs/misc/pcid-protocol.pandoc; back when there is an answer. */
static void request_channel(const char *path)
{
    struct xs_handle *xs = xs_open(0);
    char *answer = NULL;
    unsigned int n;

    if (!xs || !xs_watch(xs, path, "") || !xs_write(xs, XBT_NULL, path, "requested", 9))
        err(1, "%s", path);
    do {
        free(xs_read_watch(xs, &n));
        free(answer);
        answer = xs_read(xs, XBT_NULL, path, NULL);
        if (!answer)
            err(1, "%s", path);
    } while (!strcmp(answer, "requested"));
    if (strcmp(answer, "offered"))
        errx(1, "%s", answer);
    xs_close(xs);
}

int main(int argc, char **argv)
{
    struct xs_handle *xs = xs_open(0);
    char *self = xs ? xs_read(xs, XBT_NULL, "domid", NULL) : NULL;
    struct libxenvchan *chan;
    char path[64], *line = NULL;
    size_t size = 0;
    ssize_t length;

    if (argc != 2 || !self)
        errx(1, "usage: ask DOMID, in a domain that has xenstore");
    snprintf(path, sizeof(path), "/local/domain/%s/data/pcid/%s/ask%d", argv[1], self, getpid());
    request_channel(path);
    chan = libxenvchan_client_init(NULL, atoi(argv[1]), path);
    if (!chan)
        err(1, "cannot connect to the channel offered by domain %s", argv[1]);
    chan->blocking = 1;
    print_message(chan);
    while ((length = getline(&line, &size, stdin)) > 0) {
        if (line[length - 1] == '\n')
            line[--length] = 0;
        if (libxenvchan_send(chan, line, length) < 0 || libxenvchan_send(chan, "\r\n", 2) < 0)
            errx(1, "the daemon has gone");
        print_message(chan);
    }
    libxenvchan_close(chan);
    return 0;
}
