/*
 * on-terminal COMMAND [ARGUMENT...]: run a command on a terminal of its own, passing on
 * what comes in and what it prints. Its exit status is ours.
 */
#define _GNU_SOURCE
#include <err.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* False when there is no more. */
static int pass_on(int from, int to)
{
    char data[4096];
    ssize_t n = read(from, data, sizeof(data)), done = 0, w;

    for (; done < n; done += w) {
        w = write(to, data + done, n - done);
        if (w < 0)
            return 0;
    }
    return n > 0;
}

int main(int argc, char **argv)
{
    int terminal, status;
    pid_t pid;

    if (argc < 2)
        errx(2, "usage: on-terminal COMMAND [ARGUMENT...]");
    pid = forkpty(&terminal, NULL, NULL, NULL);
    if (pid < 0)
        err(1, "a terminal");
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        err(127, "%s", argv[1]);
    }

    struct pollfd fds[2] = { { .fd = 0, .events = POLLIN }, { .fd = terminal, .events = POLLIN } };

    while (poll(fds, 2, -1) >= 0) {
        if (fds[1].revents && !pass_on(terminal, 1))
            break;
        if (fds[0].revents && !pass_on(0, terminal))
            fds[0].fd = -1;
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
