/*
 * greeter serve PATH
 * greeter ask PATH COUNT [PID]
 *
 * A server on a UNIX socket that greets who connects, with one line, and a client of it that
 * connects COUNT times, each time as soon as it has been greeted; it prints how often it was.
 * As QEMU and libxl do with a QMP socket. The process PID, a proxy on the way, is stopped while
 * one connection follows another: it learns of both only then.
 */
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* After which a client gives up */
#define GREETED_MS 5000
/* In which the proxies that run get a connection through; less than one waits for another */
#define STOPPED_MS 300

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
static int ask(pid_t stopped)
{
    struct pollfd p = { .fd = new_socket(), .events = POLLIN };
    char line[6];
    int greeted;

    if (connect(p.fd, (struct sockaddr *)&addr, sizeof(addr)))
        err(1, "%s", addr.sun_path);
    if (stopped) {
        poll(&p, 1, STOPPED_MS);
        kill(stopped, SIGCONT);
    }
    greeted = poll(&p, 1, GREETED_MS) == 1 &&
              recv(p.fd, line, sizeof(line), MSG_WAITALL) == sizeof(line) &&
              !memcmp(line, "hello\n", sizeof(line));
    if (stopped)
        kill(stopped, SIGSTOP);
    close(p.fd);
    return greeted;
}

int main(int argc, char **argv)
{
    int i, count, greeted = 0;
    pid_t stopped;

    if (argc < 3 || strlen(argv[2]) >= sizeof(addr.sun_path))
        errx(2, "usage: greeter serve PATH, or greeter ask PATH COUNT [PID]");
    strcpy(addr.sun_path, argv[2]);
    if (!strcmp(argv[1], "serve"))
        serve();
    count = argc > 3 ? atoi(argv[3]) : 1;
    stopped = argc > 4 ? atoi(argv[4]) : 0;
    for (i = 0; i < count; i++)
        greeted += ask(stopped);
    if (stopped)
        kill(stopped, SIGCONT);
    printf("%d\n", greeted);
    return 0;
}
