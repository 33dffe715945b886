/*
 * greeter serve PATH
 * greeter ask PATH COUNT
 *
 * A server on a UNIX socket that greets who connects, with one line, and a client of it that
 * connects COUNT times, each time as soon as it has been greeted; it prints how often it was.
 * As QEMU and libxl do with a QMP socket.
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* After which a client gives up */
#define GREETED_MS 5000

static struct sockaddr_un addr = { .sun_family = AF_UNIX };

static int new_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd < 0)
        err(1, "socket");
    return fd;
}

static void serve(void)
{
    int fd = new_socket(), client;
    char c;

    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 5))
        err(1, "%s", addr.sun_path);
    while ((client = accept(fd, NULL, NULL)) >= 0) {
        if (write(client, "hello\n", 6) != 6)
            err(1, "write");
        while (read(client, &c, 1) > 0)
            ;
        close(client);
    }
    err(1, "accept");
}

/* Whether it is greeted */
static int ask(void)
{
    struct pollfd p = { .fd = new_socket(), .events = POLLIN };
    char line[6];
    int greeted;

    if (connect(p.fd, (struct sockaddr *)&addr, sizeof(addr)))
        err(1, "%s", addr.sun_path);
    greeted = poll(&p, 1, GREETED_MS) == 1 &&
              recv(p.fd, line, sizeof(line), MSG_WAITALL) == sizeof(line) &&
              !memcmp(line, "hello\n", sizeof(line));
    close(p.fd);
    return greeted;
}

int main(int argc, char **argv)
{
    int i, count, greeted = 0;

    if (argc < 3 || strlen(argv[2]) >= sizeof(addr.sun_path))
        errx(2, "usage: greeter serve PATH, or greeter ask PATH COUNT");
    strcpy(addr.sun_path, argv[2]);
    if (!strcmp(argv[1], "serve"))
        serve();
    count = argc > 3 ? atoi(argv[3]) : 1;
    for (i = 0; i < count; i++)
        greeted += ask();
    printf("%d\n", greeted);
    return 0;
}
