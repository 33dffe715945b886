/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Faults.  The table is shared with child processes: a fault that strikes in
 * one of them has struck.
 */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "standin.h"

#define FAULTS_MAX 32

int standin_domid, standin_process, fault_domid = -1;
bool standin_reuse, fault_spared;
void (*standin_step)(const char *op, const char *what);

static int spare_fds[64], num_spare_fds;

struct fault {
    char op[32], match[96];
    int errnoval, skip, times, hits;
    int blocked; /* processes that are in fault_block */
    int released; /* nothing is blocked any more */
};

static struct {
    int num;
    struct fault faults[FAULTS_MAX];
    char crimes[2048];
} *shared;

static int release_fds[FAULTS_MAX], wake_fd, struck;

/* The operations that can fail: all names that fault_take is called with */
static const char *const ops[] = {
    "access", "assign", "deassign", "device_add", "device_del", "flock",
    "fork", "getinfolist", "grant", "libxenvchan_read",
    "libxenvchan_write", "libxl__ev_fd_register", "lstat", "memory_map",
    "mkdir", "open", "opendir", "pipe_read", "pipe_write", "qmp", "read",
    "readdir", "readlink", "rename", "revoke", "test_assign", "unlink",
    "write", "xenevtchn_bind_interdomain", "xenevtchn_bind_unbound_port",
    "xenevtchn_notify", "xenevtchn_open", "xenevtchn_pending",
    "xengntshr_open", "xengntshr_share_pages", "xengnttab_map",
    "xengnttab_open", "xenmanage_get_domain_info", "xenmanage_open",
    "xs_directory", "xs_mkdir", "xs_open", "xs_read", "xs_rm",
    "xs_set_permissions", "xs_transaction_end", "xs_transaction_start",
    "xs_watch", "xs_write",
};

/* A fault with a misspelt name would never strike, and its test pass. */
static void check_op(const char *op)
{
    int i;

    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (!strcmp(ops[i], op)) return;
    fprintf(stderr, "standin-fault.c: no operation is called \"%s\"\n", op);
    abort();
}

static int new_eventfd(int flags)
{
    int fd = eventfd(0, EFD_CLOEXEC | flags);

    assert(fd >= 0);
    return fd;
}

int standin_eventfd(void)
{
    uint64_t n;
    int fd;

    if (!num_spare_fds)
        return new_eventfd(EFD_SEMAPHORE | EFD_NONBLOCK);

    /* Not when it was closed: that may have been done in a child process,
     * which is not to take what its parent waits for. */
    fd = spare_fds[--num_spare_fds];
    while (read(fd, &n, sizeof(n)) == sizeof(n))
        ;
    return fd;
}

void standin_eventfd_close(int fd)
{
    if (standin_reuse && num_spare_fds < sizeof(spare_fds) / sizeof(int))
        spare_fds[num_spare_fds++] = fd;
    else
        close(fd);
}

static void __attribute__((constructor)) fault_init(void)
{
    int i;

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(shared != MAP_FAILED);
    for (i = 0; i < FAULTS_MAX; i++)
        release_fds[i] = new_eventfd(EFD_SEMAPHORE);
    wake_fd = new_eventfd(EFD_NONBLOCK);
}

int fault_inject(const char *op, const char *match, int errnoval, int skip,
                 int times)
{
    struct fault *f = &shared->faults[shared->num];

    check_op(op);
    assert(shared->num < FAULTS_MAX);
    memset(f, 0, sizeof(*f));
    snprintf(f->op, sizeof(f->op), "%s", op);
    snprintf(f->match, sizeof(f->match), "%s", match);
    f->errnoval = errnoval;
    f->skip = skip;
    f->times = times;
    return shared->num++;
}

int fault_hits(int fault)
{
    return shared->faults[fault].hits;
}

int fault_take(const char *op, const char *what)
{
    int i;

    check_op(op);
    if (standin_step) standin_step(op, what);
    if (fault_spared || (fault_domid >= 0 && standin_domid != fault_domid))
        return 0;
    for (i = 0; i < shared->num; i++) {
        struct fault *f = &shared->faults[i];

        if (strcmp(f->op, op) || !strstr(what, f->match))
            continue;
        if (f->skip) {
            f->skip--;
            continue;
        }
        if (f->hits >= f->times)
            continue;
        f->hits++;
        struck = i;
        errno = f->errnoval > 0 ? f->errnoval : 0;
        return f->errnoval;
    }
    return 0;
}

void fault_wake(void)
{
    uint64_t n = 1;

    if (write(wake_fd, &n, sizeof(n)) != sizeof(n))
        _exit(126);
}

void fault_block(void)
{
    struct fault *f = &shared->faults[struck];
    uint64_t n;

    __sync_fetch_and_add(&f->blocked, 1);
    fault_wake();
    if (read(release_fds[struck], &n, sizeof(n)) != sizeof(n))
        _exit(126);
    __sync_fetch_and_sub(&f->blocked, 1);
}

void fault_release(int fault)
{
    uint64_t n = 1000;

    if (shared->faults[fault].released) return;
    /* What has not come to block yet is not to block then. */
    shared->faults[fault].released = 1;
    __sync_synchronize();
    if (write(release_fds[fault], &n, sizeof(n)) != sizeof(n))
        abort();
}

int fault_blocked(void)
{
    int i, n = 0;

    for (i = 0; i < shared->num; i++)
        if (!shared->faults[i].released)
            n += __sync_fetch_and_add(&shared->faults[i].blocked, 0);
    return n + files_waiting();
}

int fault_wake_fd(void)
{
    return wake_fd;
}

void fault_wake_clear(void)
{
    uint64_t n;

    if (read(wake_fd, &n, sizeof(n)) < 0) {}
}

void faults_clear(void)
{
    int i;

    for (i = 0; i < shared->num; i++) {
        if (shared->faults[i].errnoval != FAULT_BLOCK) continue;
        fault_release(i);
        /* Who is still to notice has the old one. */
        close(release_fds[i]);
        release_fds[i] = new_eventfd(EFD_SEMAPHORE);
    }
    shared->num = 0;
}

void standin_crime(const char *fmt, ...)
{
    size_t used = strlen(shared->crimes);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(shared->crimes + used, sizeof(shared->crimes) - used, fmt, ap);
    va_end(ap);
}

const char *standin_crimes(void)
{
    return shared->crimes;
}

void standin_crimes_clear(void)
{
    shared->crimes[0] = '\0';
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
