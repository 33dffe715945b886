/*
 * renew SECONDS HEX: set this domain's clock, and stir HEX into its random numbers, so
 * that from now on it has others than the snapshot's other continuations.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define SEED_MAX 256

int main(int argc, char **argv)
{
    struct {
        struct rand_pool_info info;
        unsigned char seed[SEED_MAX];
    } pool = { .info = { 0 } };
    struct timespec now = { 0 };
    size_t n, size;
    int fd;

    if (argc != 3 || !(size = strlen(argv[2]) / 2) || size > SEED_MAX)
        errx(2, "usage: renew SECONDS HEX");
    now.tv_sec = strtoll(argv[1], NULL, 10);
    if (clock_settime(CLOCK_REALTIME, &now))
        err(1, "the clock");
    for (n = 0; n < size; n++)
        if (sscanf(argv[2] + 2 * n, "%2hhx", &pool.seed[n]) != 1)
            errx(2, "not hexadecimal: %s", argv[2]);
    pool.info.entropy_count = size * 8;
    pool.info.buf_size = size;
    fd = open("/dev/urandom", O_RDWR);
    /* The second makes the kernel use what the first has given it. */
    if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) || ioctl(fd, RNDRESEEDCRNG))
        err(1, "random numbers");
    return 0;
}
