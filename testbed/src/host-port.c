/*
 * host-port DIR: what another machine has a serial port for, where no port of the
 * machine is this domain's: from and to the real machine by semihosting, requests to
 * the emulator that any program of any domain can make (QEMU's userspace=on).
 *
 * DIR has three FIFOs: "output" is passed on to the emulator's file "output"; what its
 * file "input" gets comes out of "input", until nobody reads that any more; a number in
 * "exit" is the emulator's exit status, once the output has been passed on.
 *
 * The emulator's files are opened for each access, so that nothing is lost with a
 * snapshot. There is no event for new input: it is looked for.
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOOK_AFTER_MS 50
#define CHUNK 16384

/* Numbers of "Semihosting for AArch32 and AArch64", 2.0 */
enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_SEEK = 0x0a, SYS_EXIT = 0x18 };
enum { MODE_READ = 1, MODE_APPEND = 9 };
#define APPLICATION_EXIT 0x20026

/* Locked in memory: the emulator does not handle page faults. */
static uint64_t block[3];
static char data[CHUNK];

static long host(long number, uint64_t a, uint64_t b, uint64_t c)
{
    register long x0 __asm__("x0") = number;
    register void *x1 __asm__("x1") = block;

    block[0] = a;
    block[1] = b;
    block[2] = c;
    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
    return x0;
}

static long host_open(const char *name, long mode)
{
    static char path[16];
    long file;

    strcpy(path, name);
    file = host(SYS_OPEN, (uintptr_t)path, mode, strlen(path));
    if (file < 0)
        errx(1, "the emulator cannot open %s", path);
    return file;
}

static void host_write(size_t size)
{
    long file = host_open("output", MODE_APPEND);
    /* It says how much it has not written. */
    long left = host(SYS_WRITE, file, (uintptr_t)data, size);

    if (left)
        errx(1, "the emulator has not written %ld bytes", left);
    host(SYS_CLOSE, file, 0, 0);
}

/* From this place in the file on; the number of bytes. */
static size_t host_read(size_t place)
{
    long file = host_open("input", MODE_READ);
    long left = sizeof(data);

    if (host(SYS_SEEK, file, place, 0) == 0)
        left = host(SYS_READ, file, (uintptr_t)data, sizeof(data));
    host(SYS_CLOSE, file, 0, 0);
    return left < 0 || left > (long)sizeof(data) ? 0 : sizeof(data) - left;
}

/* Whether there was anything. */
static int pass_on(int fd)
{
    ssize_t n = read(fd, data, sizeof(data));

    if (n > 0)
        host_write(n);
    return n > 0;
}

static int open_fifo(const char *name, int flags)
{
    int fd = open(name, flags | O_CLOEXEC);

    if (fd < 0)
        err(1, "%s", name);
    return fd;
}

int main(int argc, char **argv)
{
    enum { OUTPUT, EXIT, INPUT, COUNT };
    size_t place = 0;
    struct pollfd fds[COUNT];
    char status[8] = "";

    if (argc != 2)
        errx(2, "usage: host-port DIR");
    if (chdir(argv[1]))
        err(1, "%s", argv[1]);
    signal(SIGPIPE, SIG_IGN);
    if (mlockall(MCL_CURRENT | MCL_FUTURE))
        err(1, "memory");
    memset(data, 1, sizeof(data));
    /* Not only to read: it is to stay open while nobody writes. */
    fds[OUTPUT] = (struct pollfd){ .fd = open_fifo("output", O_RDWR | O_NONBLOCK), .events = POLLIN };
    fds[EXIT] = (struct pollfd){ .fd = open_fifo("exit", O_RDWR | O_NONBLOCK), .events = POLLIN };
    /* Once there is a reader */
    fds[INPUT] = (struct pollfd){ .fd = open_fifo("input", O_WRONLY) };

    for (;;) {
        int n = poll(fds, COUNT, fds[INPUT].fd < 0 ? -1 : LOOK_AFTER_MS);

        if (n < 0)
            err(1, "poll");
        if (fds[INPUT].revents) {
            close(fds[INPUT].fd);       /* the reader has gone */
            fds[INPUT].fd = -1;
        }
        if (fds[OUTPUT].revents)
            pass_on(fds[OUTPUT].fd);
        if (fds[EXIT].revents && read(fds[EXIT].fd, status, sizeof(status) - 1) > 0) {
            while (pass_on(fds[OUTPUT].fd))
                ;
            host(SYS_EXIT, APPLICATION_EXIT, atoi(status), 0);
        }
        if (fds[INPUT].fd >= 0) {
            size_t got = host_read(place), done = 0;

            place += got;
            while (done < got) {
                ssize_t r = write(fds[INPUT].fd, data + done, got - done);

                if (r < 0)
                    break;
                done += r;
            }
        }
    }
}
