/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * xl pcid: serves the PCI devices of this domain to the toolstack of another.
 * The server itself is in libxl: see libxl_pcid_serve().
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_utils.h>

#include "xl.h"
#include "xl_utils.h"

/* How long an orderly end waits for what the kernel is doing to a device */
#define STOP_TIMEOUT_MS 10000

/*
 * Clients can make the daemon complain.  So that they cannot fill the disk, the
 * log takes this many warnings and errors at once, and then one each time that
 * so many seconds have passed: 2 MB in a day, or so.
 */
#define LOG_BURST 100
#define LOG_INTERVAL 10

struct limited_log {
    xentoollog_logger vtable;
    xentoollog_logger *to;
    int room;               /* messages that it takes now */
    time_t since;           /* when that was last increased */
    unsigned long left_out; /* since the last that it took */
};

static void __attribute__((format(printf, 5, 0)))
limited_vmessage(xentoollog_logger *vtable, xentoollog_level level,
                 int errnoval, const char *context, const char *format,
                 va_list al)
{
    struct limited_log *limited = (void *)vtable;
    struct timespec now;
    time_t more;

    if (level < XTL_WARN) {
        xtl_logv(limited->to, level, errnoval, context, format, al);
        return;
    }

    clock_gettime(CLOCK_MONOTONIC, &now);
    more = (now.tv_sec - limited->since) / LOG_INTERVAL;
    if (more >= LOG_BURST - limited->room) {
        limited->room = LOG_BURST;
        limited->since = now.tv_sec;
    } else {
        limited->room += more;
        limited->since += more * LOG_INTERVAL;
    }
    if (!limited->room) {
        limited->left_out++;
        return;
    }

    if (limited->left_out)
        xtl_log(limited->to, XTL_WARN, -1, "xl pcid",
                "%lu warnings and errors have been left out: there were more"
                " than one in %d s", limited->left_out, LOG_INTERVAL);
    limited->left_out = 0;
    limited->room--;
    xtl_logv(limited->to, level, errnoval, context, format, al);
}

/* A signal handler can do no more than write: what it has to say goes here. */
static int stop_pipe[2];

static void handle_stop(int signum)
{
    int saved_errno = errno;

    /* If there is no room there is something to be read already. */
    if (write(stop_pipe[1], "", 1) < 0) {}
    errno = saved_errno;
}

static void catch_signals(void)
{
    struct sigaction sa = { .sa_handler = handle_stop };

    CHK_SYSCALL(pipe(stop_pipe));
    CHK_SYSCALL(fcntl(stop_pipe[1], F_SETFL, O_NONBLOCK));
    CHK_SYSCALL(sigaction(SIGTERM, &sa, NULL));
    CHK_SYSCALL(sigaction(SIGINT, &sa, NULL));
}

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * Lets libxl serve until it has stopped, after a signal.  *stopped_r: whether
 * it has.  If not, libxl still has work, and its ctx cannot be freed.
 */
static int run(const libxl_asyncop_how *how, bool *stopped_r)
{
    struct pollfd *fds = NULL;
    struct timeval now;
    bool stopping = false;
    int space = 16, nfds, timeout, rc, r;
    int64_t deadline = 0, left;
    libxl_event *event;
    char byte;

    *stopped_r = false;
    for (;;) {
        left = deadline - monotonic_ms();
        if (stopping && left <= 0) {
            fprintf(stderr, "xl pcid: the kernel is still busy with a device"
                    " after %d s: exiting\n",
                    STOP_TIMEOUT_MS / 1000);
            rc = ERROR_TIMEDOUT;
            break;
        }

        fds = xrealloc(fds, sizeof(*fds) * (space + 1));
        nfds = space;
        timeout = stopping ? left : -1;
        gettimeofday(&now, NULL);
        rc = libxl_osevent_beforepoll(ctx, &nfds, fds + 1, &timeout, now);
        if (rc == ERROR_BUFFERFULL) {
            space = nfds;
            continue;
        }
        if (rc) {
            fprintf(stderr, "xl pcid: cannot wait for events, rc=%d\n", rc);
            break;
        }

        fds[0].fd = stop_pipe[0];
        fds[0].events = POLLIN;
        fds[0].revents = 0;
        r = poll(fds, nfds + 1, timeout);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            perror("xl pcid: poll");
            rc = ERROR_FAIL;
            break;
        }

        gettimeofday(&now, NULL);
        libxl_osevent_afterpoll(ctx, nfds, fds + 1, now);

        if (fds[0].revents && read(stop_pipe[0], &byte, 1) == 1) {
            if (stopping) {
                fprintf(stderr, "xl pcid: a second signal, and the kernel"
                        " is busy with a device: exiting\n");
                rc = ERROR_ABORTED;
                break;
            }
            stopping = true;
            deadline = monotonic_ms() + STOP_TIMEOUT_MS;
            libxl_ao_abort(ctx, how);
        }

        rc = libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, 0, 0);
        if (rc)
            continue;
        if (event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE) {
            rc = event->u.operation_complete.rc;
            libxl_event_free(ctx, event);
            if (rc == ERROR_ABORTED && stopping)
                rc = 0;
            *stopped_r = true;
            break;
        }
        libxl_event_free(ctx, event);
    }

    free(fds);
    return rc;
}

int main_pcid(int argc, char **argv)
{
    static const struct option opts[] = {
        {"foreground", 0, 0, 'F'},
        {"pidfile", 1, 0, 'p'},
        {"client", 1, 0, 'c'},
        {"designate", 0, 0, 'd'},
        COMMON_LONG_OPTS
    };
    const libxl_asyncop_how how = { .callback = NULL, .u.for_event = 1 };
    struct limited_log limited = {
        .vtable.vmessage = limited_vmessage,
        .to = (xentoollog_logger *)logger,
        .room = LOG_BURST,
    };
    const char *pidfile = NULL;
    libxl_domid *clients = NULL;
    int num_clients = 0, opt, ret, ready[2];
    bool daemonize = true, designate = false, stopped;
    char byte = 0;

    SWITCH_FOREACH_OPT(opt, "Fp:c:d", opts, "pcid", 0) {
    case 'F':
        daemonize = false;
        break;
    case 'p':
        pidfile = optarg;
        break;
    case 'c':
        clients = xrealloc(clients, sizeof(*clients) * (num_clients + 1));
        clients[num_clients++] = find_domain(optarg);
        break;
    case 'd':
        designate = true;
        break;
    }
    if (argv[optind]) {
        help("pcid");
        return EXIT_FAILURE;
    }

    if (daemonize) {
        /* What started us is to go on when clients can connect. */
        CHK_SYSCALL(pipe(ready));
        ret = do_daemonize("xlpcid", NULL);
        if (ret == 1) {
            close(ready[1]);
            if (read(ready[0], &byte, 1) == 1)
                return EXIT_SUCCESS;
            fprintf(stderr, "xl pcid: could not start: see %s/xlpcid.log\n",
                    XEN_LOG_DIR);
            return EXIT_FAILURE;
        }
        if (ret)
            return EXIT_FAILURE;
        close(ready[0]);
    }

    libxl_ctx_free(ctx);
    ctx = NULL;
    if (libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, &limited.vtable)) {
        fprintf(stderr, "xl pcid: cannot init libxl context\n");
        return EXIT_FAILURE;
    }

    catch_signals();
    ret = libxl_pcid_serve(ctx, clients, num_clients, designate, &how);
    if (ret)
        goto out;

    if (pidfile)
        write_pidfile(pidfile);
    if (daemonize) {
        CHK_SYSCALL(write(ready[1], &byte, 1));
        close(ready[1]);
    }

    ret = run(&how, &stopped);
    if (pidfile)
        unlink(pidfile);
    /* The processes at work on devices end with this one. */
    if (!stopped)
        _exit(EXIT_FAILURE);

 out:
    free(clients);
    /* Not later: it logs to what is ours. */
    libxl_ctx_free(ctx);
    ctx = NULL;
    return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
