/*
 * renew SECONDS HEX: set this domain's clock, and stir HEX into its random numbers, so
 * that from now on it has others than the snapshot's other continuations. And give devices
 * that have come out of the snapshot without their configuration what they had.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SEED_MAX 256

/* The first registers of the configuration space */
#define COMMAND 4
#define BARS 16
#define BARS_END 40
#define REGISTERS 64

static int read_registers(const char *path, unsigned char *registers)
{
    int fd = open(path, O_RDONLY), good;

    if (fd < 0)
        return 0;
    good = read(fd, registers, REGISTERS) == REGISTERS;
    close(fd);
    return good;
}

/* Whether the device has an address. The lower bits say what it is an address of. */
static int has_addresses(const unsigned char *registers)
{
    int i;

    for (i = BARS; i < BARS_END; i += 4)
        if ((registers[i] & 0xf0) | registers[i + 1] | registers[i + 2] | registers[i + 3])
            return 1;
    return 0;
}

/*
 * QEMU leaves out of a snapshot what edu and pci-testdev have in theirs. Linux writes it again
 * for PV guests, but not for QEMU. When this domain booted, image/init has noted that of each
 * device.
 */
static void configure_devices(void)
{
    unsigned char before[REGISTERS], now[REGISTERS];
    DIR *dir = opendir("/run/configuration");
    struct dirent *entry;
    char path[300];
    int fd;

    if (!dir) /* no drivers, and so no devices */
        return;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/run/configuration/%s", entry->d_name);
        if (!read_registers(path, before))
            errx(1, "%s is too short", path);
        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", entry->d_name);
        if (!has_addresses(before) || !read_registers(path, now) || has_addresses(now))
            continue;
        fd = open(path, O_WRONLY);
        if (fd < 0 || pwrite(fd, before + BARS, REGISTERS - BARS, BARS) != REGISTERS - BARS ||
            pwrite(fd, before + COMMAND, 2, COMMAND) != 2)
            err(1, "%s", path);
        close(fd);
    }
    closedir(dir);
}

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
    configure_devices();
    return 0;
}
