/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Event channels and grants between domains that are all in this process, as
 * Linux's evtchn, gntalloc and gntdev have them:
 *
 * - an event masks its channel until that is unmasked; what comes meanwhile
 *   is pending;
 * - to bind to another domain's channel is to find an event pending;
 * - only the domain that a channel or a page was meant for can have it;
 * - when a page is unmapped, be it because a process has died, the byte that
 *   was asked for is cleared and an event is sent.
 */

#define _GNU_SOURCE

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <xentoollog.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "standin.h"

#define CHANNELS_MAX 4096
#define PAGES_MAX    4096
#define REFS_MAX     256
#define PAGE         4096

#ifdef __SANITIZE_ADDRESS__
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#endif

/*
 * Event channels.  Port numbers are unique in all domains.
 */

struct xenevtchn_handle {
    int domid, process, fd;
    int fired[16], num_fired;
    struct xenevtchn_handle *next;
};

static struct xenevtchn_handle *open_channels;

static struct channel {
    xenevtchn_handle *xce; /* NULL: not in use */
    int remote_domid, remote_port;
    bool masked, pending;
} channels[CHANNELS_MAX];

static int num_channels;
static int last_channel; /* the highest that there has been */

/* Both ends of every channel are in this process. */
static void __attribute__((constructor)) raise_fd_limit(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 4096) {
        limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int evtchn_count(void)
{
    return num_channels;
}

static void deliver(int port)
{
    struct channel *ch = &channels[port];
    xenevtchn_handle *xce = ch->xce;
    uint64_t n = 1;

    if (!ch->pending || ch->masked) return;

    ch->pending = false;
    ch->masked = true;
    assert(xce->num_fired < 16);
    xce->fired[xce->num_fired++] = port;
    if (write(xce->fd, &n, sizeof(n)) != sizeof(n))
        abort();
}

static void send_event(int port)
{
    int remote = channels[port].remote_port;

    if (!remote) return;
    channels[remote].pending = true;
    deliver(remote);
}

static struct channel *channel_of(xenevtchn_handle *xce, int port)
{
    if (port <= 0 || port >= CHANNELS_MAX || channels[port].xce != xce) {
        errno = EINVAL;
        return NULL;
    }
    return &channels[port];
}

static int channel_alloc(xenevtchn_handle *xce, int domid)
{
    int port;

    for (port = 1; port < CHANNELS_MAX; port++) {
        if (channels[port].xce)
            continue;
        channels[port] = (struct channel){ .xce = xce,
                                           .remote_domid = domid };
        num_channels++;
        if (port > last_channel)
            last_channel = port;
        return port;
    }
    errno = ENOSPC;
    return -1;
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger,
                                 unsigned int flags)
{
    xenevtchn_handle *xce;

    if (fault_take("xenevtchn_open", "")) return NULL;
    xce = calloc(1, sizeof(*xce));
    assert(xce);
    xce->domid = standin_domid;
    xce->process = standin_process;
    xce->fd = standin_eventfd();
    xce->next = open_channels;
    open_channels = xce;
    return xce;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    struct channel *ch = channel_of(xce, port);

    if (!ch) return -1;
    if (ch->remote_port)
        channels[ch->remote_port].remote_port = 0;
    memset(ch, 0, sizeof(*ch));
    num_channels--;
    return 0;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    xenevtchn_handle **handle;
    int port;

    if (!xce) return 0;
    for (handle = &open_channels; *handle != xce; handle = &(*handle)->next)
        ;
    *handle = xce->next;
    for (port = 1; port <= last_channel; port++)
        if (channels[port].xce == xce)
            xenevtchn_unbind(xce, port);
    standin_eventfd_close(xce->fd);
    free(xce);
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return xce->fd;
}

xenevtchn_port_or_error_t
xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
    if (fault_take("xenevtchn_bind_unbound_port", "")) return -1;
    return channel_alloc(xce, domid);
}

xenevtchn_port_or_error_t
xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
                           evtchn_port_t remote_port)
{
    struct channel *remote;
    int port;

    if (fault_take("xenevtchn_bind_interdomain", "")) return -1;

    remote = remote_port < CHANNELS_MAX ? &channels[remote_port] : NULL;
    if (!remote || !remote->xce || remote->xce->domid != domid ||
        remote->remote_domid != xce->domid || remote->remote_port) {
        errno = EINVAL;
        return -1;
    }
    port = channel_alloc(xce, domid);
    if (port < 0) return -1;

    channels[port].remote_port = remote_port;
    remote->remote_port = port;
    channels[port].pending = true;
    deliver(port);
    return port;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    if (!channel_of(xce, port)) return -1;
    if (fault_take("xenevtchn_notify", "")) return -1;
    send_event(port);
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    uint64_t n;
    int port;

    if (fault_take("xenevtchn_pending", "")) return -1;
    /* The real one would block: nobody here may rely on that. */
    if (read(xce->fd, &n, sizeof(n)) != sizeof(n)) return -1;
    port = xce->fired[0];
    memmove(xce->fired, xce->fired + 1,
            --xce->num_fired * sizeof(xce->fired[0]));
    return port;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    struct channel *ch = channel_of(xce, port);

    if (!ch) return -1;
    ch->masked = false;
    deliver(port);
    return 0;
}

/*
 * Grants.  A page lives as long as it is shared or mapped; each of its
 * mappings has an address of its own.
 */

struct page {
    int fd, users;
    int owner, peer; /* domains */
    void *kept[2]; /* with standin_reuse: its mappings, of the two sides */
};

struct mapping {
    void *addr;
    int count;
    bool sharer;
    bool gone; /* unmapped behind our back: only the record is left */
    int refs[REFS_MAX];
    void **kept; /* not to be unmapped: see struct page */
    int notify_offset, notify_port; /* -1: none */
    struct mapping *next;
};

struct xengntdev_handle {
    int domid, process, fd;
    struct mapping *mappings;
    struct xengntdev_handle *next;
};

static struct xengntdev_handle *handles;

int __real_munmap(void *addr, size_t len);
int __wrap_munmap(void *addr, size_t len);

static struct page pages[PAGES_MAX]; /* index: the grant reference */
static int num_pages;

int grant_count(void)
{
    return num_pages;
}

static int page_alloc(int owner, int peer)
{
    int ref;

    for (ref = 1; ref < PAGES_MAX; ref++) {
        struct page *p = &pages[ref];

        if (p->users)
            continue;
        if (!p->kept[0]) {
            p->fd = memfd_create("grant", MFD_CLOEXEC);
            assert(p->fd >= 0);
            if (ftruncate(p->fd, PAGE))
                abort();
        }
        p->owner = owner;
        p->peer = peer;
        num_pages++;
        return ref;
    }
    abort();
}

static struct xengntdev_handle *handle_open(const char *op)
{
    struct xengntdev_handle *h;

    if (fault_take(op, "")) return NULL;
    h = calloc(1, sizeof(*h));
    assert(h);
    h->domid = standin_domid;
    h->process = standin_process;
    h->fd = standin_eventfd();
    h->next = handles;
    handles = h;
    return h;
}

/*
 * libxenvchan unmaps its buffers by itself, before it closes the handle.
 * What is mapped to their addresses by then is somebody else's.
 */
int __wrap_munmap(void *addr, size_t len)
{
    struct xengntdev_handle *h;
    struct mapping *m;

    for (h = handles; h; h = h->next)
        for (m = h->mappings; m; m = m->next)
            if (m->addr == addr && !m->gone) {
                assert(len == m->count * PAGE);
                m->gone = true;
            }
    return __real_munmap(addr, len);
}

static void *map_pages(int count, const uint32_t *refs)
{
    void *addr = mmap(NULL, count * PAGE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int i;

    assert(addr != MAP_FAILED);
    for (i = 0; i < count; i++)
        if (mmap(addr + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED, pages[refs[i]].fd,
                 0) == MAP_FAILED)
            abort();
    return addr;
}

static struct mapping *map(struct xengntdev_handle *h, int count,
                           const uint32_t *refs, bool sharer, bool keep)
{
    struct mapping *m = calloc(1, sizeof(*m));
    int i;

    assert(m && count <= REFS_MAX);
    for (i = 0; i < count; i++) {
        m->refs[i] = refs[i];
        pages[refs[i]].users++;
    }
    if (keep && standin_reuse && (sharer || pages[refs[0]].kept[0])) {
        m->kept = &pages[refs[0]].kept[!sharer];
        if (!*m->kept)
            *m->kept = map_pages(1, refs);
        m->addr = *m->kept;
        ASAN_UNPOISON_MEMORY_REGION(m->addr, PAGE);
        if (sharer)
            memset(m->addr, 0, PAGE);
    } else {
        m->addr = map_pages(count, refs);
    }
    m->count = count;
    m->sharer = sharer;
    m->notify_offset = m->notify_port = -1;
    m->next = h->mappings;
    h->mappings = m;
    return m;
}

static int unmap(struct xengntdev_handle *h, void *addr)
{
    struct mapping **mp, *m;
    int i;

    for (mp = &h->mappings; (m = *mp) && m->addr != addr; mp = &m->next)
        ;
    if (!m) {
        errno = EINVAL;
        return -1;
    }
    *mp = m->next;

    if (m->notify_offset >= 0)
        ((char *)m->addr)[m->notify_offset] = 0;
    if (m->notify_port >= 0)
        send_event(m->notify_port);

    for (i = 0; i < m->count; i++) {
        struct page *p = &pages[m->refs[i]];

        if (m->sharer)
            p->peer = -1; /* nobody can map it any more */
        if (!--p->users) {
            if (!p->kept[0])
                close(p->fd);
            num_pages--;
        }
    }
    if (m->kept)
        ASAN_POISON_MEMORY_REGION(m->addr, PAGE);
    else if (!m->gone)
        __real_munmap(m->addr, m->count * PAGE);
    free(m);
    return 0;
}

static int handle_close(struct xengntdev_handle *h)
{
    struct xengntdev_handle **hp;

    if (!h) return 0;
    while (h->mappings)
        unmap(h, h->mappings->addr);
    for (hp = &handles; *hp != h; hp = &(*hp)->next)
        ;
    *hp = h->next;
    standin_eventfd_close(h->fd);
    free(h);
    return 0;
}

int evtchn_fds(int domid)
{
    struct xengntdev_handle *h;
    xenevtchn_handle *xce;
    int n = 0;

    for (h = handles; h; h = h->next)
        n += h->domid == domid && fcntl(h->fd, F_GETFD) >= 0;
    for (xce = open_channels; xce; xce = xce->next)
        n += xce->domid == domid && fcntl(xce->fd, F_GETFD) >= 0;
    return n;
}

/* The pages go first, as their notification needs the event channel. */
void evtchn_kill(int process)
{
    struct xengntdev_handle *h, *next;
    xenevtchn_handle *xce, *next_xce;

    for (h = handles; h; h = next) {
        next = h->next;
        if (h->process == process) handle_close(h);
    }
    for (xce = open_channels; xce; xce = next_xce) {
        next_xce = xce->next;
        if (xce->process == process) xenevtchn_close(xce);
    }
}

xengntshr_handle *xengntshr_open(xentoollog_logger *logger,
                                 unsigned open_flags)
{
    return handle_open("xengntshr_open");
}

xengnttab_handle *xengnttab_open(xentoollog_logger *logger,
                                 unsigned open_flags)
{
    return handle_open("xengnttab_open");
}

int xengntshr_close(xengntshr_handle *xgs)
{
    return handle_close(xgs);
}

int xengnttab_close(xengnttab_handle *xgt)
{
    return handle_close(xgt);
}

int xengntshr_fd(xengntshr_handle *xgs)
{
    return xgs->fd;
}

int xengnttab_fd(xengnttab_handle *xgt)
{
    return xgt->fd;
}

static void *share(xengntshr_handle *xgs, uint32_t domid, int count,
                   uint32_t *refs, bool keep)
{
    int i;

    if (fault_take("xengntshr_share_pages", "")) return NULL;
    for (i = 0; i < count; i++) {
        refs[i] = page_alloc(xgs->domid, domid);
        pages[refs[i]].users = 1; /* while the others are made */
    }
    for (i = 0; i < count; i++)
        pages[refs[i]].users = 0;
    return map(xgs, count, refs, true, keep)->addr;
}

void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count,
                            uint32_t *refs, int writable)
{
    return share(xgs, domid, count, refs, false);
}

void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid,
                                  uint32_t *ref, int writable,
                                  uint32_t notify_offset,
                                  evtchn_port_t notify_port)
{
    void *addr = share(xgs, domid, 1, ref, true);

    if (!addr) return NULL;
    xgs->mappings->notify_offset = notify_offset;
    xgs->mappings->notify_port = notify_port;
    return addr;
}

int xengntshr_unshare(xengntshr_handle *xgs, void *addr, uint32_t count)
{
    return unmap(xgs, addr);
}

static void *map_foreign(xengnttab_handle *xgt, uint32_t count,
                         uint32_t domid, uint32_t *refs, bool keep)
{
    uint32_t i;

    if (fault_take("xengnttab_map", "")) return NULL;
    for (i = 0; i < count; i++)
        if (!refs[i] || refs[i] >= PAGES_MAX || !pages[refs[i]].users ||
            pages[refs[i]].owner != domid ||
            pages[refs[i]].peer != xgt->domid) {
            errno = EINVAL;
            return NULL;
        }
    return map(xgt, count, refs, false, keep)->addr;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count,
                                      uint32_t domid, uint32_t *refs,
                                      int prot)
{
    return map_foreign(xgt, count, domid, refs, false);
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid,
                                     uint32_t ref, int prot,
                                     uint32_t notify_offset,
                                     evtchn_port_t notify_port)
{
    void *addr = map_foreign(xgt, 1, domid, &ref, true);

    if (!addr) return NULL;
    xgt->mappings->notify_offset = notify_offset;
    xgt->mappings->notify_port = notify_port;
    return addr;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *addr, uint32_t count)
{
    return unmap(xgt, addr);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
