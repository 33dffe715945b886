/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The files of the PCI bus and of pciback, and those of libxl.
 *
 * They are in a temporary directory.  What the code under test does with a
 * path below /sys/bus/pci (and with one below Xen's directories) is done
 * there, by means of the linker's --wrap; and when it writes to a file that
 * makes the kernel do something, that is done here, with the errors that
 * Linux would give.
 */

#define _GNU_SOURCE

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "standin.h"

#define PCI     "/sys/bus/pci"
#define FDS_MAX 4096

/* Shared with child processes, which are who writes in the server */
static struct {
    int accesses[64]; /* of each domain */
    size_t used;
    char text[8192];
} *writes;

static pid_t main_pid;

/* libxl's, which is where Xen's run directory is known */
const char *libxl__run_dir_path(void);

static char dir[96]; /* stands for /sys/bus/pci */
static char top[128]; /* "run" and "lib" in it stand for Xen's directories */

static char opened[PATH_MAX]; /* the directory that was opened last */

/* For each fd that is open there, the path below /sys/bus/pci */
static char *fd_path[FDS_MAX];
/* For each fd of a file in Xen's directories, the process, and 1 */
static int fd_process[FDS_MAX];

int __real_open(const char *path, int flags, ...);
FILE *__real_fopen(const char *path, const char *mode);
int __real_lstat(const char *path, struct stat *st);
int __real_access(const char *path, int mode);
ssize_t __real_readlink(const char *path, char *buf, size_t size);
DIR *__real_opendir(const char *path);
struct dirent *__real_readdir(DIR *dir);
ssize_t __real_read(int fd, void *buf, size_t size);
ssize_t __real_write(int fd, const void *buf, size_t size);
int __real_close(int fd);
int __real_mkdir(const char *path, mode_t mode);
int __real_stat(const char *path, struct stat *st);
int __real_unlink(const char *path);
int __real_rename(const char *from, const char *to);
int __real_flock(int fd, int operation);

int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
int __wrap_lstat(const char *path, struct stat *st);
int __wrap_lstat64(const char *path, struct stat *st);
int __wrap_access(const char *path, int mode);
ssize_t __wrap_readlink(const char *path, char *buf, size_t size);
DIR *__wrap_opendir(const char *path);
struct dirent *__wrap_readdir(DIR *dir);
struct dirent *__wrap_readdir64(DIR *dir);
ssize_t __wrap_read(int fd, void *buf, size_t size);
ssize_t __wrap_write(int fd, const void *buf, size_t size);
int __wrap_close(int fd);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_stat(const char *path, struct stat *st);
int __wrap_stat64(const char *path, struct stat *st);
int __wrap_unlink(const char *path);
int __wrap_rename(const char *from, const char *to);
int __wrap_flock(int fd, int operation);

/*
 * Paths
 */

static const char *below_pci(const char *path)
{
    size_t len = strlen(PCI);

    return !strncmp(path, PCI, len) && path[len] == '/' ? path + len + 1
                                                       : NULL;
}

/* Where it really is */
static const char *where(const char *path, char buf[PATH_MAX])
{
    const char *xen[2][2] = {
        { libxl__run_dir_path(), "run" },
        { XEN_LIB_DIR, "lib" },
    };
    const char *rel = below_pci(path);
    int i;

    if (rel) {
        __sync_fetch_and_add(&writes->accesses[standin_domid], 1);
        snprintf(buf, PATH_MAX, "%s/%s", dir, rel);
        return buf;
    }
    for (i = 0; i < 2; i++) {
        size_t len = strlen(xen[i][0]);

        if (strncmp(path, xen[i][0], len) || (path[len] && path[len] != '/'))
            continue;
        snprintf(buf, PATH_MAX, "%s/%s%s", top, xen[i][1], path + len);
        return buf;
    }
    return path;
}

/* A path in our directory */
static char *at(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *at(const char *fmt, ...)
{
    static char bufs[4][PATH_MAX];
    static int next;
    char *buf = bufs[next++ % 4];
    va_list ap;
    int len;

    len = snprintf(buf, PATH_MAX, "%s/", dir);
    va_start(ap, fmt);
    vsnprintf(buf + len, PATH_MAX - len, fmt, ap);
    va_end(ap);
    return buf;
}

static void put(const char *path, const char *text)
{
    FILE *f = __real_fopen(path, "w");

    assert(f);
    fputs(text, f);
    fclose(f);
}

static const char *get(const char *path, char *buf, size_t size)
{
    FILE *f = __real_fopen(path, "r");
    size_t len;

    buf[0] = '\0';
    if (!f) return buf;
    len = fread(buf, 1, size - 1, f);
    buf[len] = '\0';
    fclose(f);
    return buf;
}

static bool exists(const char *path)
{
    struct stat st;

    return !__real_lstat(path, &st);
}

/*
 * What the kernel does
 */

static const char *driver_of(const char *sbdf, char buf[PATH_MAX])
{
    ssize_t len = __real_readlink(at("devices/%s/driver", sbdf), buf,
                                  PATH_MAX - 1);

    if (len < 0) return "";
    buf[len] = '\0';
    return strrchr(buf, '/') ? strrchr(buf, '/') + 1 : buf;
}

static bool has_slot(const char *sbdf)
{
    char slots[4096];

    return strstr(get(at("drivers/pciback/slots"), slots, sizeof(slots)),
                  sbdf);
}

static int do_bind(const char *driver, const char *sbdf)
{
    char native[64], buf[PATH_MAX];

    if (!exists(at("devices/%s", sbdf))) return ENODEV;
    get(at("devices/%s/.native", sbdf), native, sizeof(native));
    if (strcmp(driver, "pciback") ? strcmp(driver, native) : !has_slot(sbdf))
        return ENODEV;
    if (*driver_of(sbdf, buf)) return EBUSY;

    snprintf(buf, sizeof(buf), "../../../../bus/pci/drivers/%s", driver);
    if (symlink(buf, at("devices/%s/driver", sbdf))) abort();
    snprintf(buf, sizeof(buf), "../../devices/%s", sbdf);
    if (symlink(buf, at("drivers/%s/%s", driver, sbdf))) abort();
    return 0;
}

static int do_unbind(const char *driver, const char *sbdf)
{
    char buf[PATH_MAX];

    if (strcmp(driver_of(sbdf, buf), driver)) return ENODEV;
    __real_unlink(at("devices/%s/driver", sbdf));
    __real_unlink(at("drivers/%s/%s", driver, sbdf));
    if (!strcmp(driver, "pciback"))
        pciback_unbound(sbdf);
    return 0;
}

/* No guest that may use the device's memory is to see it reset. */
static int do_reset(const char *sbdf)
{
    char text[128];
    unsigned long start;
    int domid;

    get(at("devices/%s/resource", sbdf), text, sizeof(text));
    if (sscanf(text, "%lx", &start) != 1)
        return 0;
    for (domid = 1; domid < 64; domid++)
        if (domid != standin_domid && xc_may_page(domid, start >> 12))
            standin_crime("%s is reset, and domain %d may use its memory\n",
                          sbdf, domid);
    return 0;
}

static int do_slots(bool add, const char *sbdf)
{
    char slots[4096], line[32], *found;
    size_t len;

    get(at("drivers/pciback/slots"), slots, sizeof(slots));
    snprintf(line, sizeof(line), "%s\n", sbdf);
    len = strlen(line);
    if (add) {
        assert(strlen(slots) + len < sizeof(slots));
        strcat(slots, line);
    } else {
        found = strstr(slots, line);
        if (!found) return ENOENT;
        memmove(found, found + len, strlen(found + len) + 1);
    }
    put(at("drivers/pciback/slots"), slots);
    return 0;
}

/* A write to a file makes the kernel do something, or fail. */
static int act(const char *path, const char *value)
{
    char driver[64], file[64], buf[PATH_MAX];

    if (sscanf(path, "drivers/%63[^/]/%63s", driver, file) == 2) {
        if (!strcmp(file, "bind"))
            return do_bind(driver, value);
        if (!strcmp(file, "unbind"))
            return do_unbind(driver, value);
        if (!strcmp(file, "new_slot"))
            return do_slots(true, value);
        if (!strcmp(file, "remove_slot"))
            return do_slots(false, value);
        if (!strcmp(file, "permissive") ||
            !strcmp(file, "allow_interrupt_control"))
            return strcmp(driver_of(value, buf), "pciback") ? ENODEV : 0;
        if (!strcmp(file, "do_flr"))
            return has_slot(value) ? do_reset(value) : ENODEV;
    }
    if (sscanf(path, "devices/%63[^/]/%63s", driver, file) == 2 &&
        !strcmp(file, "reset"))
        return strcmp(value, "1") ? EINVAL : do_reset(driver);
    return EACCES;
}

/*
 * The wrapped functions
 */

int __wrap_open(const char *path, int flags, ...)
{
    const char *rel = below_pci(path), *real;
    char buf[PATH_MAX];
    mode_t mode = 0;
    va_list ap;
    int fd;

    if (flags & O_CREAT) {
        va_start(ap, flags);
        mode = va_arg(ap, int);
        va_end(ap);
    }
    if (fault_take("open", path)) return -1;
    real = where(path, buf);
    fd = __real_open(real, flags, mode);
    if (fd < 0 || real == path) return fd;
    assert(fd < FDS_MAX);
    if (rel) {
        free(fd_path[fd]);
        fd_path[fd] = strdup(rel);
    } else {
        fd_process[fd] = standin_process + 1;
    }
    return fd;
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list ap;
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_start(ap, flags);
        mode = va_arg(ap, int);
        va_end(ap);
    }
    return __wrap_open(path, flags, mode);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    char buf[PATH_MAX];

    if (fault_take("open", path)) return NULL;
    return __real_fopen(where(path, buf), mode);
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
    return __wrap_fopen(path, mode);
}

int __wrap_lstat(const char *path, struct stat *st)
{
    char buf[PATH_MAX];

    if (fault_take("lstat", path)) return -1;
    return __real_lstat(where(path, buf), st);
}

int __wrap_lstat64(const char *path, struct stat *st)
{
    return __wrap_lstat(path, st);
}

int __wrap_access(const char *path, int mode)
{
    char buf[PATH_MAX];

    if (fault_take("access", path)) return -1;
    return __real_access(where(path, buf), mode);
}

ssize_t __wrap_readlink(const char *path, char *buf, size_t size)
{
    char real[PATH_MAX];

    if (fault_take("readlink", path)) return -1;
    return __real_readlink(where(path, real), buf, size);
}

DIR *__wrap_opendir(const char *path)
{
    char buf[PATH_MAX];

    if (fault_take("opendir", path)) return NULL;
    snprintf(opened, sizeof(opened), "%s", path);
    return __real_opendir(where(path, buf));
}

struct dirent *__wrap_readdir(DIR *dir)
{
    if (fault_take("readdir", opened)) return NULL;
    return __real_readdir(dir);
}

struct dirent *__wrap_readdir64(DIR *dir)
{
    return __wrap_readdir(dir);
}

int __wrap_stat(const char *path, struct stat *st)
{
    char buf[PATH_MAX];

    return __real_stat(where(path, buf), st);
}

int __wrap_stat64(const char *path, struct stat *st)
{
    return __wrap_stat(path, st);
}

int __wrap_unlink(const char *path)
{
    char buf[PATH_MAX];

    if (fault_take("unlink", path)) return -1;
    return __real_unlink(where(path, buf));
}

int __wrap_rename(const char *from, const char *to)
{
    char buf[2][PATH_MAX];

    if (fault_take("rename", to)) return -1;
    return __real_rename(where(from, buf[0]), where(to, buf[1]));
}

/*
 * Locks.  The kernel keeps them.  What it does not tell is who waits: in the
 * table are the child processes that libxl waits in.  A look whether a lock is
 * free, and what the table says of it, must not come apart: otherwise a child
 * that is about to have the lock seems to be one that waits.
 */

static struct waiter {
    pid_t pid; /* 0: not in use */
    ino_t file;
    bool woken; /* one of those that wait for the file is going to have it */
} *waiters;

#define WAITERS_MAX 16

/* Where the table is locked: by a process, at whose death that ends */
static int table_fd;

void (*files_lock_wait)(void);

static void table_set(short type)
{
    struct flock whole = { .l_type = type, .l_whence = SEEK_SET };

    while (fcntl(table_fd, F_SETLKW, &whole))
        if (errno != EINTR) abort();
}

static void table_lock(void)
{
    table_set(F_WRLCK);
}

static void table_unlock(void)
{
    table_set(F_UNLCK);
}

static ino_t file_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) ? 0 : st.st_ino;
}

/* Of those that wait for that file, one that is (not) at work, or NULL */
static struct waiter *find_waiter(ino_t file, bool woken)
{
    int i;

    for (i = 0; i < WAITERS_MAX; i++)
        if (waiters[i].pid && waiters[i].file == file &&
            waiters[i].woken == woken)
            return &waiters[i];
    return NULL;
}

/* Somebody who waits for that file, if anybody, is at work from now on. */
static void wake_one(ino_t file)
{
    struct waiter *w = find_waiter(file, false);

    if (w) w->woken = true;
}

/* Somebody has the lock: who was to have it waits on. */
static void taken(ino_t file)
{
    struct waiter *w = find_waiter(file, true);

    if (w) w->woken = false;
}

static struct waiter *add_waiter(ino_t file)
{
    int i;

    for (i = 0; waiters[i].pid; i++)
        assert(i < WAITERS_MAX - 1);
    waiters[i] = (struct waiter){ .pid = getpid(), .file = file };
    return &waiters[i];
}

/* As flock() with LOCK_NB.  If the lock is another's, and w is not NULL, sets
 * *w to the caller's new place among those who wait. */
static int lock_now(int fd, int operation, struct waiter **w)
{
    ino_t file = file_of(fd);
    int r;

    table_lock();
    r = __real_flock(fd, operation | LOCK_NB);
    if (!r)
        taken(file);
    else if (w && errno == EWOULDBLOCK)
        *w = add_waiter(file);
    table_unlock();
    return r;
}

static void wait_for_lock(int fd, struct waiter *w)
{
    fault_wake();
    if (__real_flock(fd, LOCK_EX)) _exit(126);
    table_lock();
    taken(w->file);
    w->pid = 0;
    table_unlock();
}

int files_waiting(void)
{
    int i, n = 0;

    if (!waiters) return 0;
    table_lock();
    for (i = 0; i < WAITERS_MAX; i++)
        n += waiters[i].pid && !waiters[i].woken;
    table_unlock();
    return n;
}

void files_child_ended(pid_t pid)
{
    int i;

    if (!waiters) return;
    table_lock();
    for (i = 0; i < WAITERS_MAX; i++)
        if (waiters[i].pid == pid) {
            waiters[i].pid = 0;
            if (waiters[i].woken) wake_one(waiters[i].file);
        }
    table_unlock();
}

int files_open(void)
{
    int fd, n = 0;

    for (fd = 0; fd < FDS_MAX; fd++)
        n += fd_process[fd] != 0;
    return n;
}

void files_kill(int process)
{
    int fd;

    for (fd = 0; fd < FDS_MAX; fd++)
        if (fd_process[fd] == process + 1)
            __wrap_close(fd);
}

/* Unlocks a file, as `unlock' does. */
static int release(int fd, int (*unlock)(int fd))
{
    int r;

    if (getpid() != main_pid) return unlock(fd); /* it has only a copy */
    table_lock();
    wake_one(file_of(fd));
    r = unlock(fd);
    table_unlock();
    return r;
}

static int flock_un(int fd)
{
    return __real_flock(fd, LOCK_UN);
}

int __wrap_flock(int fd, int operation)
{
    bool child = getpid() != main_pid, wait = !(operation & LOCK_NB);
    struct waiter *w = NULL;

    if (operation & LOCK_UN) return release(fd, flock_un);
    if (fault_take("flock", "")) return -1;
    while (lock_now(fd, operation, child && wait ? &w : NULL)) {
        if (errno != EWOULDBLOCK || !wait) return -1;
        if (w) {
            wait_for_lock(fd, w);
            break;
        }
        assert(files_lock_wait);
        files_lock_wait();
    }
    return 0;
}

/* A pipe for what a child process has to say.  That for signals, which does
 * not block, is none. */
static bool is_pipe(int fd)
{
    struct stat st;

    return !fstat(fd, &st) && S_ISFIFO(st.st_mode) &&
        !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

ssize_t __wrap_read(int fd, void *buf, size_t size)
{
    const char *path = fd >= 0 && fd < FDS_MAX ? fd_path[fd] : NULL;

    if (path && fault_take("read", path)) return -1;
    if (!path && is_pipe(fd) && fault_take("pipe_read", "")) return -1;
    return __real_read(fd, buf, size);
}

static ssize_t write_pipe(int fd, const void *buf, size_t size)
{
    int fault = fault_take("pipe_write", "");

    if (fault == FAULT_LOST) return size;
    if (fault == FAULT_SHORT || fault == FAULT_OTHER)
        return __real_write(fd, "{}", fault == FAULT_SHORT ? 1 : 2) > 0 ?
            size : -1;
    return __real_write(fd, buf, size);
}

ssize_t __wrap_write(int fd, const void *buf, size_t size)
{
    const char *path = fd >= 0 && fd < FDS_MAX ? fd_path[fd] : NULL;
    char value[64];
    int err;

    if (!path && is_pipe(fd)) return write_pipe(fd, buf, size);
    if (!path) return __real_write(fd, buf, size);

    snprintf(value, sizeof(value), "%.*s", (int)size, (const char *)buf);
    writes->used += snprintf(writes->text + writes->used,
                             sizeof(writes->text) - writes->used,
                             "%s %s\n", path, value);
    assert(writes->used < sizeof(writes->text));

    err = fault_take("write", path);
    if (err == FAULT_BLOCK)
        fault_block();
    if (err == FAULT_DIE)
        _exit(1);
    if (err <= 0)
        err = act(path, value);
    if (err) {
        errno = err;
        return -1;
    }
    return size;
}

int __wrap_close(int fd)
{
    bool lockable = false;

    if (fd >= 0 && fd < FDS_MAX) {
        free(fd_path[fd]);
        fd_path[fd] = NULL;
        lockable = fd_process[fd];
        fd_process[fd] = 0;
    }
    return lockable ? release(fd, __real_close) : __real_close(fd);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    char buf[PATH_MAX];

    if (fault_take("mkdir", path)) return -1;
    return __real_mkdir(where(path, buf), mode);
}

/*
 * For the tests: see standin.h
 */

static int remove_one(const char *path, const struct stat *st, int flag,
                      struct FTW *ftw)
{
    return remove(path);
}

void sysfs_cleanup(void)
{
    if (*top)
        nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    *dir = *top = '\0';
}

static void make_driver(const char *name)
{
    if (mkdir(at("drivers/%s", name), 0700)) abort();
    put(at("drivers/%s/bind", name), "");
    put(at("drivers/%s/unbind", name), "");
}

void sysfs_reset(bool pciback)
{
    const char *tmp = getenv("TMPDIR");

    if (!writes) {
        writes = mmap(NULL, sizeof(*writes) + WAITERS_MAX * sizeof(*waiters),
                      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        assert(writes != MAP_FAILED);
        waiters = (struct waiter *)(writes + 1);
        table_fd = memfd_create("waiters", MFD_CLOEXEC);
        assert(table_fd >= 0);
        atexit(sysfs_cleanup);
    }
    main_pid = getpid();
    memset(waiters, 0, WAITERS_MAX * sizeof(*waiters));
    memset(writes->accesses, 0, sizeof(writes->accesses));
    writes->used = 0;
    writes->text[0] = '\0';

    sysfs_cleanup();
    snprintf(top, sizeof(top) - 5, "%s/pcid-test.XXXXXX",
             tmp && strlen(tmp) < 64 ? tmp :
             !__real_access("/dev/shm", W_OK) ? "/dev/shm" : "/tmp");
    if (!mkdtemp(top)) {
        perror("mkdtemp");
        exit(1);
    }
    snprintf(dir, sizeof(dir), "%.80s/pci", top);
    if (mkdir(dir, 0700) || mkdir(at("devices"), 0700) ||
        mkdir(at("drivers"), 0700) || mkdir(at("../lib"), 0700) ||
        mkdir(at("../run"), 0700))
        abort();
    make_driver("e1000");
    make_driver("nvme");
    if (pciback) {
        make_driver("pciback");
        put(at("drivers/pciback/new_slot"), "");
        put(at("drivers/pciback/remove_slot"), "");
        put(at("drivers/pciback/permissive"), "");
        put(at("drivers/pciback/slots"), "");
    }
}

void sysfs_add_device(const char *sbdf, const char *native,
                      const char *bound)
{
    int i;
    char resource[1024];
    size_t used = 0;

    if (mkdir(at("devices/%s", sbdf), 0700)) abort();
    put(at("devices/%s/vendor", sbdf), "0x8086\n");
    put(at("devices/%s/device", sbdf), "0x100e\n");
    put(at("devices/%s/class", sbdf), "0x020000\n");
    put(at("devices/%s/irq", sbdf), "11\n");
    put(at("devices/%s/.native", sbdf), native);
    put(at("devices/%s/reset", sbdf), "");

    /* An e1000: memory, I/O ports, ROM */
    for (i = 0; i < 13; i++) {
        const char *line =
            i == 0 ? "0x00000000febc0000 0x00000000febdffff "
                     "0x0000000000040200\n" :
            i == 1 ? "0x000000000000c000 0x000000000000c03f "
                     "0x0000000000040101\n" :
            i == 6 ? "0x00000000feb80000 0x00000000febbffff "
                     "0x0000000000046200\n" :
                     "0x0000000000000000 0x0000000000000000 "
                     "0x0000000000000000\n";

        used += snprintf(resource + used, sizeof(resource) - used, "%s",
                         line);
    }
    put(at("devices/%s/resource", sbdf), resource);

    if (bound) {
        if (!strcmp(bound, "pciback"))
            do_slots(true, sbdf);
        if (do_bind(bound, sbdf)) abort();
    }
}

void sysfs_remove_device(const char *sbdf)
{
    char buf[PATH_MAX];

    if (*driver_of(sbdf, buf))
        __real_unlink(at("drivers/%s/%s", driver_of(sbdf, buf), sbdf));
    nftw(at("devices/%s", sbdf), remove_one, 16, FTW_DEPTH | FTW_PHYS);
    xc_forget_device(sbdf);
    pciback_unbound(sbdf);
}

bool sysfs_exists(const char *sbdf)
{
    return exists(at("devices/%s", sbdf));
}

void sysfs_set_bars(const char *sbdf, unsigned long memory,
                    unsigned int ports)
{
    char text[1024];
    int i, used;

    used = snprintf(text, sizeof(text),
                    "0x%016lx 0x%016lx 0x0000000000040200\n"
                    "0x%016x 0x%016x 0x0000000000040101\n", memory,
                    memory + 0x1ffff, ports, ports + 0x3f);
    for (i = 2; i < 13; i++)
        used += snprintf(text + used, sizeof(text) - used,
                         "0x%016x 0x%016x 0x%016x\n", 0, 0, 0);
    put(at("devices/%s/resource", sbdf), text);
}

void sysfs_put(const char *path, const char *text)
{
    if (text)
        put(at("%s", path), text);
    else
        __real_unlink(at("%s", path));
}

void sysfs_link(const char *path, const char *target)
{
    __real_unlink(at("%s", path));
    if (symlink(target, at("%s", path))) abort();
}

const char *sysfs_driver(const char *sbdf)
{
    static char buf[PATH_MAX];

    return driver_of(sbdf, buf);
}

const char *sysfs_slots(void)
{
    static char slots[4096];

    return get(at("drivers/pciback/slots"), slots, sizeof(slots));
}

const char *sysfs_writes(void)
{
    static char copy[sizeof(writes->text)];

    strcpy(copy, writes->text);
    writes->used = 0;
    writes->text[0] = '\0';
    return copy;
}

int sysfs_accesses(int domid)
{
    return writes->accesses[domid];
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
