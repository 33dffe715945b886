/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libxenstore, with the store in this process.  It follows xenstored in what
 * a domain may do (see docs/misc/xenstore.txt), in what new nodes inherit, in
 * which watches fire, and in who is told.
 */

#define _GNU_SOURCE

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

#include "standin.h"

#define PERMS_MAX    16
#define PATH_BYTES   256
#define DOMAINS_MAX  64

/* As xenstored marks the entries for domains that do not exist */
#define PERM_IGNORE  0x8000u

struct node {
    int users; /* the store, and transactions that have not changed it */
    char *path, *value;
    unsigned len;
    struct xs_permissions perms[PERMS_MAX];
    int num_perms;
};

struct db {
    struct node **nodes; /* in no order */
    int num, size;
};

struct watch {
    char *path, *token;
    struct watch *next;
};

struct event {
    char *path, *token;
    struct event *next;
};

struct xs_handle {
    int domid, process, fd;
    struct watch *watches;
    struct event *events;
    struct xs_handle *next;
};

struct change {
    char *path;
    bool exact; /* tell only who watches this very node */
    struct xs_permissions perms[PERMS_MAX]; /* of the node, or what it was */
    int num_perms;
    struct change *next;
};

struct transaction {
    xs_transaction_t id;
    struct xs_handle *handle;
    struct db db;
    unsigned generation; /* of the store when it was started */
    struct change *changes;
    bool lost; /* somebody else changes what it has used */
    bool used_busy[2];
    struct transaction *next;
};

static struct db store;
static unsigned generation, last_id;
static int conflicts;
static int writer; /* see store_writer() */
static char busy[2][PATH_BYTES]; /* see store_busy() */
static struct transaction *transactions;
static struct xs_handle *handles;
static bool domains[DOMAINS_MAX];

/*
 * Nodes
 */

static struct node *find(struct db *db, const char *path)
{
    int i;

    for (i = 0; i < db->num; i++)
        if (!strcmp(db->nodes[i]->path, path))
            return db->nodes[i];
    return NULL;
}

static struct node *add(struct db *db, const char *path, const char *value,
                        unsigned len, const struct xs_permissions *perms,
                        int num_perms)
{
    struct node *n = calloc(1, sizeof(*n));

    assert(n && num_perms <= PERMS_MAX);
    n->users = 1;
    n->path = strdup(path);
    n->value = malloc(len + 1);
    if (len)
        memcpy(n->value, value, len);
    n->value[len] = '\0';
    n->len = len;
    memcpy(n->perms, perms, num_perms * sizeof(*perms));
    n->num_perms = num_perms;

    if (db->num == db->size) {
        db->size = db->size ? db->size * 2 : 64;
        db->nodes = realloc(db->nodes, db->size * sizeof(*db->nodes));
        assert(db->nodes);
    }
    db->nodes[db->num++] = n;
    return n;
}

static void node_free(struct node *n)
{
    if (--n->users) return;
    free(n->path);
    free(n->value);
    free(n);
}

static void db_free(struct db *db)
{
    int i;

    for (i = 0; i < db->num; i++)
        node_free(db->nodes[i]);
    free(db->nodes);
    memset(db, 0, sizeof(*db));
}

static void db_copy(struct db *to, const struct db *from)
{
    int i;

    *to = *from;
    to->nodes = malloc(from->size * sizeof(*to->nodes));
    assert(to->nodes);
    for (i = 0; i < from->num; i++) {
        to->nodes[i] = from->nodes[i];
        to->nodes[i]->users++;
    }
}

/* A node of that store which is to be changed, and is not to change in
 * another. */
static struct node *unshare(struct db *db, struct node *n)
{
    struct node *copy;
    int i;

    if (n->users == 1) return n;
    copy = add(db, n->path, n->value, n->len, n->perms, n->num_perms);
    for (i = 0; db->nodes[i] != n; i++)
        ;
    db->nodes[i] = db->nodes[--db->num];
    node_free(n);
    return copy;
}

/* "" for the root */
static void parent_of(const char *path, char parent[PATH_BYTES])
{
    char *slash;

    if (path != parent) snprintf(parent, PATH_BYTES, "%s", path);
    slash = strrchr(parent, '/');
    assert(slash);
    *slash = '\0';
}

static bool is_below(const char *path, const char *ancestor)
{
    size_t len = strlen(ancestor);

    return !strncmp(path, ancestor, len) && path[len] == '/';
}

static unsigned perms_for(const struct xs_permissions *perms, int num,
                          int domid)
{
    int i;

    if (!domid || perms[0].id == domid)
        return XS_PERM_READ | XS_PERM_WRITE | XS_PERM_OWNER;
    for (i = 1; i < num; i++)
        if (perms[i].id == domid && !(perms[i].perms & PERM_IGNORE))
            return perms[i].perms;
    return perms[0].perms;
}

static bool may(const struct node *n, int domid, unsigned perm)
{
    return (perms_for(n->perms, n->num_perms, domid) & perm) == perm;
}

/* A node of a transaction is read or changed. */
static void use(struct db *db, const char *path)
{
    const struct node *n = writer ? find(&store, path) : NULL;
    struct transaction *t;
    int i;

    for (t = transactions; t && &t->db != db; t = t->next)
        ;
    if (!t || t->handle->domid) return;
    if (n && may(n, writer, XS_PERM_WRITE) && !xc_paused(writer))
        t->lost = true;
    for (i = 0; i < 2; i++)
        if (!strcmp(path, busy[i])) t->used_busy[i] = true;
    if (t->used_busy[0] && t->used_busy[1]) t->lost = true;
}

/* The node, or NULL with errno set: ENOENT only for who may know that. */
static struct node *get(struct db *db, int domid, const char *path,
                        unsigned perm)
{
    struct node *n = find(db, path);
    char parent[PATH_BYTES];

    use(db, path);
    if (n) {
        if (may(n, domid, perm)) return n;
        errno = EACCES;
        return NULL;
    }
    snprintf(parent, sizeof(parent), "%s", path);
    do
        parent_of(parent, parent);
    while (*parent && !(n = find(db, parent)));
    if (!n) n = find(db, "");
    errno = n && may(n, domid, perm) ? ENOENT : EACCES;
    return NULL;
}

/* Makes a node, and what is missing above it. */
static struct node *make(struct db *db, int domid, const char *path,
                         const char *value, unsigned len)
{
    struct xs_permissions perms[PERMS_MAX];
    char parent[PATH_BYTES];
    struct node *p;
    int num;

    parent_of(path, parent);
    p = find(db, parent);
    if (!p) p = make(db, domid, parent, "", 0);

    num = p->num_perms;
    memcpy(perms, p->perms, num * sizeof(*perms));
    if (domid) perms[0].id = domid;
    return add(db, path, value, len, perms, num);
}

/*
 * Watches
 */

static void queue_event(struct xs_handle *h, const char *path,
                        const char *token)
{
    struct event *e = calloc(1, sizeof(*e)), **last;
    uint64_t n = 1;

    assert(e);
    e->path = strdup(path);
    e->token = strdup(token);
    for (last = &h->events; *last; last = &(*last)->next)
        ;
    *last = e;
    if (write(h->fd, &n, sizeof(n)) != sizeof(n))
        abort();
}

static void fire(const struct change *c)
{
    char parent[PATH_BYTES];
    struct xs_handle *h;
    struct watch *w;
    struct node *p;

    parent_of(c->path, parent);
    p = find(&store, parent);

    for (h = handles; h; h = h->next) {
        if (!(perms_for(c->perms, c->num_perms, h->domid) & XS_PERM_READ) &&
            !(p && may(p, h->domid, XS_PERM_READ)))
            continue;
        for (w = h->watches; w; w = w->next)
            if (!strcmp(w->path, c->path) ||
                (!c->exact && is_below(c->path, w->path)))
                queue_event(h, c->path, w->token);
    }
}

static void change_free(struct change *c)
{
    free(c->path);
    free(c);
}

/* Tells the watchers, now or when the transaction is committed. */
static void changed(struct transaction *t, const struct node *n, bool exact)
{
    struct change *c = calloc(1, sizeof(*c)), **last;

    assert(c);
    c->path = strdup(n->path);
    c->exact = exact;
    memcpy(c->perms, n->perms, sizeof(c->perms));
    c->num_perms = n->num_perms;
    if (!t) {
        generation++;
        fire(c);
        change_free(c);
        return;
    }
    for (last = &t->changes; *last; last = &(*last)->next)
        ;
    *last = c;
}

static struct transaction *transaction(xs_transaction_t id)
{
    struct transaction *t;

    for (t = transactions; t && t->id != id; t = t->next)
        ;
    assert(t || !id);
    return t;
}

static struct db *db_of(xs_transaction_t id)
{
    return id ? &transaction(id)->db : &store;
}

/*
 * The interface: see xenstore.h
 */

struct xs_handle *xs_open(unsigned long flags)
{
    struct xs_handle *h;

    if (fault_take("xs_open", "")) return NULL;
    h = calloc(1, sizeof(*h));
    assert(h);
    h->domid = standin_domid;
    h->process = standin_process;
    h->fd = standin_eventfd();
    h->next = handles;
    handles = h;
    return h;
}

static void event_free(struct event *e)
{
    free(e->path);
    free(e->token);
    free(e);
}

static void watch_free(struct watch *w)
{
    free(w->path);
    free(w->token);
    free(w);
}

/* Takes it off the list, and frees it. */
static void transaction_free(struct transaction *t)
{
    struct transaction **tp;
    struct change *c;

    for (tp = &transactions; *tp != t; tp = &(*tp)->next)
        ;
    *tp = t->next;
    while ((c = t->changes)) {
        t->changes = c->next;
        change_free(c);
    }
    db_free(&t->db);
    free(t);
}

/* Ends the handle's transactions, too, as xenstored does. */
void xs_close(struct xs_handle *h)
{
    struct transaction *t, *next;
    struct xs_handle **hp;
    struct watch *w;
    struct event *e;

    if (!h) return;
    for (t = transactions; t; t = next) {
        next = t->next;
        if (t->handle == h) transaction_free(t);
    }
    for (hp = &handles; *hp != h; hp = &(*hp)->next)
        ;
    *hp = h->next;
    while ((w = h->watches)) {
        h->watches = w->next;
        watch_free(w);
    }
    while ((e = h->events)) {
        h->events = e->next;
        event_free(e);
    }
    standin_eventfd_close(h->fd);
    free(h);
}

void xs_daemon_destroy_postfork(struct xs_handle *h)
{
    xs_close(h);
}

/* Makes a path absolute: what is relative is below the domain's home. */
static const char *absolute(struct xs_handle *h, const char *path,
                            char buf[PATH_BYTES])
{
    if (!strcmp(path, "/")) return "";
    if (*path == '/') return path;
    snprintf(buf, PATH_BYTES, "/local/domain/%d/%s", h->domid, path);
    return buf;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
              unsigned int *len)
{
    char buf[PATH_BYTES], *copy;
    struct node *n;

    if (fault_take("xs_read", path)) return NULL;
    n = get(db_of(t), h->domid, absolute(h, path, buf), XS_PERM_READ);
    if (!n) return NULL;
    copy = malloc(n->len + 1);
    memcpy(copy, n->value, n->len + 1);
    if (len) *len = n->len;
    return copy;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
              const void *data, unsigned int len)
{
    struct db *db = db_of(t);
    char buf[PATH_BYTES];
    struct node *n;

    if (fault_take("xs_write", path)) return false;
    path = absolute(h, path, buf);
    n = get(db, h->domid, path, XS_PERM_WRITE);
    if (!n) {
        if (errno != ENOENT) return false;
        n = make(db, h->domid, path, data, len);
    } else {
        n = unshare(db, n);
        free(n->value);
        n->value = malloc(len + 1);
        memcpy(n->value, data, len);
        n->value[len] = '\0';
        n->len = len;
    }
    changed(transaction(t), n, false);
    return true;
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    struct db *db = db_of(t);
    char buf[PATH_BYTES];
    struct node *n;

    if (fault_take("xs_mkdir", path)) return false;
    path = absolute(h, path, buf);
    n = get(db, h->domid, path, XS_PERM_WRITE);
    if (n) return true;
    if (errno != ENOENT) return false;
    changed(transaction(t), make(db, h->domid, path, "", 0), false);
    return true;
}

/* Takes a node and what is below it away, and tells who has watched them. */
static void remove_node(struct transaction *t, struct db *db,
                        struct node *top)
{
    struct node **gone = calloc(db->num, sizeof(*gone));
    int i, kept = 0, num = 0;

    for (i = 0; i < db->num; i++) {
        struct node *n = db->nodes[i];

        if (n == top || is_below(n->path, top->path))
            gone[num++] = n;
        else
            db->nodes[kept++] = n;
    }
    db->num = kept;
    for (i = 0; i < num; i++) {
        use(db, gone[i]->path);
        changed(t, gone[i], gone[i] != top);
    }
    for (i = 0; i < num; i++)
        node_free(gone[i]);
    free(gone);
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    struct db *db = db_of(t);
    char buf[PATH_BYTES], parent[PATH_BYTES];
    struct node *n;

    if (fault_take("xs_rm", path)) return false;
    path = absolute(h, path, buf);
    n = get(db, h->domid, path, XS_PERM_WRITE);
    if (!n) {
        if (errno != ENOENT) return false;
        parent_of(path, parent);
        if (find(db, parent)) return true;
        errno = ENOENT;
        return false;
    }
    remove_node(transaction(t), db, n);
    return true;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t,
                    const char *path, unsigned int *num)
{
    struct db *db = db_of(t);
    char buf[PATH_BYTES], parent[PATH_BYTES], **list, *to;
    struct node *n;
    int i, count = 0;
    size_t bytes = 1;

    if (fault_take("xs_directory", path)) return NULL;
    path = absolute(h, path, buf);
    n = get(db, h->domid, path, XS_PERM_READ);
    if (!n) return NULL;

    for (i = 0; i < db->num; i++)
        bytes += strlen(db->nodes[i]->path) + 1 + sizeof(*list);
    list = malloc(bytes + sizeof(*list));
    to = (char *)(list + db->num);
    for (i = 0; i < db->num; i++) {
        const char *child = db->nodes[i]->path;

        if (!*child) continue; /* the root itself */
        parent_of(child, parent);
        if (strcmp(parent, path)) continue;
        list[count++] = to;
        to = stpcpy(to, strrchr(child, '/') + 1) + 1;
    }
    *num = count;
    return list;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t,
                        const char *path, struct xs_permissions *perms,
                        unsigned int num_perms)
{
    char buf[PATH_BYTES];
    struct node *n;
    unsigned i;

    if (fault_take("xs_set_permissions", path)) return false;
    path = absolute(h, path, buf);
    n = get(db_of(t), h->domid, path, XS_PERM_WRITE);
    if (!n) return false;
    if (!(perms_for(n->perms, n->num_perms, h->domid) & XS_PERM_OWNER)) {
        errno = EACCES;
        return false;
    }
    if (h->domid && perms[0].id != n->perms[0].id) {
        errno = EPERM;
        return false;
    }
    assert(num_perms <= PERMS_MAX);
    n = unshare(db_of(t), n);
    memcpy(n->perms, perms, num_perms * sizeof(*perms));
    n->num_perms = num_perms;
    for (i = 1; i < num_perms; i++)
        if (perms[i].id >= DOMAINS_MAX || !domains[perms[i].id])
            n->perms[i].perms |= PERM_IGNORE;
    changed(transaction(t), n, false);
    return true;
}

struct xs_permissions *xs_get_permissions(struct xs_handle *h,
                                          xs_transaction_t t,
                                          const char *path,
                                          unsigned int *num)
{
    struct xs_permissions *perms;
    char buf[PATH_BYTES];
    struct node *n;

    n = get(db_of(t), h->domid, absolute(h, path, buf), XS_PERM_READ);
    if (!n) return NULL;
    perms = malloc(sizeof(n->perms));
    memcpy(perms, n->perms, sizeof(n->perms));
    *num = n->num_perms;
    return perms;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    char buf[PATH_BYTES];
    struct watch *w;

    if (fault_take("xs_watch", path)) return false;
    path = absolute(h, path, buf);
    w = calloc(1, sizeof(*w));
    assert(w);
    w->path = strdup(path);
    w->token = strdup(token);
    w->next = h->watches;
    h->watches = w;
    queue_event(h, path, token);
    return true;
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
    char buf[PATH_BYTES];
    struct watch **wp, *w;

    path = absolute(h, path, buf);
    for (wp = &h->watches; (w = *wp); wp = &w->next)
        if (!strcmp(w->path, path) && !strcmp(w->token, token)) {
            *wp = w->next;
            watch_free(w);
            return true;
        }
    errno = ENOENT;
    return false;
}

int xs_fileno(struct xs_handle *h)
{
    return h->fd;
}

char **xs_check_watch(struct xs_handle *h)
{
    struct event *e = h->events;
    char **vec, *to;
    uint64_t n;

    if (!e) {
        errno = EAGAIN;
        return NULL;
    }
    if (read(h->fd, &n, sizeof(n)) != sizeof(n))
        abort();
    h->events = e->next;

    vec = malloc(2 * sizeof(*vec) + strlen(e->path) + strlen(e->token) + 2);
    to = (char *)(vec + 2);
    vec[XS_WATCH_PATH] = to;
    to = stpcpy(to, e->path) + 1;
    vec[XS_WATCH_TOKEN] = to;
    strcpy(to, e->token);
    event_free(e);
    return vec;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    struct transaction *t;

    if (fault_take("xs_transaction_start", "")) return XBT_NULL;
    t = calloc(1, sizeof(*t));
    assert(t);
    t->id = ++last_id;
    t->handle = h;
    t->generation = generation;
    db_copy(&t->db, &store);
    t->next = transactions;
    transactions = t;
    return t->id;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t id, bool abort)
{
    struct transaction *t = transaction(id);
    struct change *c;
    int error = 0;

    if (!abort && fault_take("xs_transaction_end", "")) {
        error = errno;
    } else if (!abort &&
               (conflicts || t->lost || t->generation != generation)) {
        if (conflicts) conflicts--;
        error = EAGAIN;
    } else if (!abort) {
        struct db old = store;

        store = t->db;
        t->db = old;
        if (t->changes) generation++;
        for (c = t->changes; c; c = c->next)
            fire(c);
    }

    transaction_free(t);
    errno = error;
    return !error;
}

char *xs_get_domain_path(struct xs_handle *h, unsigned int domid)
{
    char *path;

    return asprintf(&path, "/local/domain/%u", domid) < 0 ? NULL : path;
}

bool xs_is_domain_introduced(struct xs_handle *h, unsigned int domid)
{
    return domid < DOMAINS_MAX && domains[domid];
}

/*
 * For the tests: see standin.h
 */

static struct xs_handle admin;

void store_reset(void)
{
    static const struct xs_permissions root = { 0, XS_PERM_NONE };

    db_free(&store);
    conflicts = writer = 0;
    *busy[0] = *busy[1] = '\0';
    memset(domains, 0, sizeof(domains));
    add(&store, "", "", 0, &root, 1);
    store_add_domain(0);
}

void store_add_domain(int domid)
{
    char home[PATH_BYTES], path[PATH_BYTES + 8], value[16];
    struct xs_permissions perms[2] = {
        { 0, XS_PERM_NONE }, { domid, XS_PERM_READ },
    };

    domains[domid] = true;
    snprintf(home, sizeof(home), "/local/domain/%d", domid);
    store_put(home, "");
    xs_set_permissions(&admin, XBT_NULL, home, perms, 2);
    snprintf(path, sizeof(path), "%s/domid", home);
    snprintf(value, sizeof(value), "%d", domid);
    store_put(path, value);
    snprintf(path, sizeof(path), "%s/data", home);
    store_put(path, "");
    perms[0].id = domid;
    xs_set_permissions(&admin, XBT_NULL, path, perms, 1);
}

void store_remove_domain(int domid)
{
    char home[PATH_BYTES];

    domains[domid] = false;
    snprintf(home, sizeof(home), "/local/domain/%d", domid);
    store_rm(home);
}

const char *store_get(const char *path)
{
    struct node *n = find(&store, path);

    return n ? n->value : NULL;
}

void store_put(const char *path, const char *value)
{
    xs_write(&admin, XBT_NULL, path, value, strlen(value));
}

void store_rm(const char *path)
{
    xs_rm(&admin, XBT_NULL, path);
}

const char *store_child(const char *path, int n)
{
    char parent[PATH_BYTES];
    int i;

    for (i = 0; i < store.num; i++) {
        if (!*store.nodes[i]->path) continue;
        parent_of(store.nodes[i]->path, parent);
        if (!strcmp(parent, path) && !n--)
            return strrchr(store.nodes[i]->path, '/') + 1;
    }
    return NULL;
}

int store_handles(void)
{
    struct xs_handle *h;
    int n = 0;

    for (h = handles; h; h = h->next)
        n++;
    return n;
}

int store_watches(void)
{
    struct xs_handle *h;
    struct watch *w;
    int n = 0;

    for (h = handles; h; h = h->next)
        for (w = h->watches; w; w = w->next)
            n++;
    return n;
}

int store_nodes(void)
{
    return store.num;
}

void store_kill(int process)
{
    struct xs_handle *h, *next;

    for (h = handles; h; h = next) {
        next = h->next;
        if (h->process == process) xs_close(h);
    }
}

void store_conflicts(int n)
{
    conflicts = n;
}

void store_writer(int domid)
{
    writer = domid;
}

void store_busy(const char *path, const char *with)
{
    snprintf(busy[0], sizeof(busy[0]), "%s", path);
    snprintf(busy[1], sizeof(busy[1]), "%s", with);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
