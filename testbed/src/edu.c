/*
 * edu DEVICE UIO N
 *
 * Drive QEMU's edu device from user space: compute N! in its memory region, then make
 * it raise its interrupt. DEVICE is its directory in sysfs, UIO its file in /dev, of
 * uio_pci_generic. Prints what came of it; status 0 if all of it did.
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* The device's registers, and bits in them. */
#define ID 0x00
#define FACTORIAL 0x08
#define STATUS 0x20
#define INTERRUPT_STATUS 0x24
#define INTERRUPT_RAISE 0x60
#define INTERRUPT_ACK 0x64
#define EDU_ID 0xed             /* the low byte */
#define STATUS_COMPUTING 0x01

#define BAR_SIZE 0x1000         /* of it, what we use */
#define CAUSE 0x5eed            /* any number: it must be what we read again */

/* In configuration space: the upper half of the command register. */
#define COMMAND_UPPER 5
#define COMMAND_UPPER_INTX_DISABLE 0x04

#define LIMIT_SECONDS 10

static const char *device;
static volatile uint32_t *registers;

static uint32_t get(unsigned int reg) { return registers[reg / 4]; }
static void set(unsigned int reg, uint32_t value) { registers[reg / 4] = value; }

static int open_in_device(const char *name)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", device, name);
    fd = open(path, O_RDWR | O_SYNC);
    if (fd < 0)
        err(1, "%s", path);
    return fd;
}

static void map_registers(void)
{
    int fd = open_in_device("resource0");

    registers = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (registers == MAP_FAILED)
        err(1, "cannot map the memory region");
    close(fd);
    if ((get(ID) & 0xff) != EDU_ID)
        errx(1, "the memory region is not edu's: it begins with %#x", get(ID));
}

static uint32_t factorial(uint32_t n)
{
    time_t end = time(NULL) + LIMIT_SECONDS;

    set(FACTORIAL, n);
    while (get(STATUS) & STATUS_COMPUTING)
        if (time(NULL) > end)
            errx(1, "it computes for more than %d s", LIMIT_SECONDS);
    return get(FACTORIAL);
}

/* uio_pci_generic disables the interrupt by this bit when it has come. */
static void enable_interrupt(void)
{
    int fd = open_in_device("config");
    uint8_t command;

    if (pread(fd, &command, 1, COMMAND_UPPER) != 1)
        err(1, "cannot read the configuration space");
    command &= ~COMMAND_UPPER_INTX_DISABLE;
    if (pwrite(fd, &command, 1, COMMAND_UPPER) != 1)
        err(1, "cannot write to the configuration space");
    close(fd);
}

static int interrupt_comes(const char *uio, int fd, int seconds)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    uint32_t count;

    if (poll(&pfd, 1, seconds * 1000) != 1)
        return 0;
    if (read(fd, &count, sizeof(count)) != sizeof(count))
        err(1, "%s", uio);
    return 1;
}

static void interrupt(const char *uio)
{
    int fd = open(uio, O_RDWR);

    if (fd < 0)
        err(1, "%s", uio);
    enable_interrupt();
    if (interrupt_comes(uio, fd, 0))
        errx(1, "an interrupt that nobody raised");
    set(INTERRUPT_RAISE, CAUSE);
    if (!interrupt_comes(uio, fd, LIMIT_SECONDS))
        errx(1, "no interrupt within %d s", LIMIT_SECONDS);
    if (get(INTERRUPT_STATUS) != CAUSE)
        errx(1, "the interrupt's cause is %#x", get(INTERRUPT_STATUS));
    set(INTERRUPT_ACK, CAUSE);
    if (get(INTERRUPT_STATUS))
        errx(1, "the interrupt is not acknowledged");
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        errx(2, "usage: edu DEVICE UIO N");
    device = argv[1];
    map_registers();
    printf("factorial=%u", factorial(atoi(argv[3])));
    fflush(stdout);
    interrupt(argv[2]);
    printf(" interrupt=yes\n");
    return 0;
}
