/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The device model of each HVM guest, as libxl has it: it answers to the QMP
 * commands that PCI devices need.  One in a stubdomain can have a device only
 * if pciback has that for the stubdomain.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <assert.h>

#include "harness.h"

#define HAS_MAX     32
#define PENDING_MAX 8

/* How long it takes to answer */
#define ANSWER_MS 1

static struct {
    int guest;
    char id[24]; /* "": not in use */
} has[HAS_MAX];

/* Commands that are not answered yet */
static struct pending {
    libxl__ev_qmp *ev; /* NULL: not in use */
    libxl__ev_time timer;
    char command[16], id[24], sbdf[16];
} pending[PENDING_MAX];

int __wrap_libxl__ev_qmp_send(libxl__egc *egc, libxl__ev_qmp *ev,
                              const char *command, libxl__json_object *args);
void __wrap_libxl__ev_qmp_dispose(libxl__gc *gc, libxl__ev_qmp *ev);

static int find(int guest, const char *id)
{
    int i;

    for (i = 0; i < HAS_MAX; i++)
        if (has[i].guest == guest && !strcmp(has[i].id, id))
            return i;
    return -1;
}

void dm_reset(void)
{
    memset(has, 0, sizeof(has));
    memset(pending, 0, sizeof(pending));
}

void dm_end(int guest)
{
    int i;

    for (i = 0; i < HAS_MAX; i++)
        if (has[i].guest == guest)
            has[i].id[0] = '\0';
}

int dm_devices(int guest)
{
    int i, num = 0;

    for (i = 0; i < HAS_MAX; i++)
        if (has[i].id[0] && has[i].guest == guest)
            num++;
    return num;
}

/* The domain that the device model runs in */
static int dm_domain(int guest)
{
    char path[64];
    const char *value;

    sprintf(path, "/local/domain/%d/image/device-model-domid", guest);
    value = store_get(path);
    return value ? atoi(value) : 0;
}

static int device_add(const struct pending *p, int guest)
{
    int i, domid = dm_domain(guest);

    if (fault_take("device_add", p->sbdf)) return ERROR_QMP_GENERIC_ERROR;
    if (find(guest, p->id) >= 0) return ERROR_QMP_GENERIC_ERROR;
    if (domid && pciback_guest(p->sbdf) != domid)
        return ERROR_QMP_GENERIC_ERROR;
    for (i = 0; has[i].id[0]; i++)
        assert(i < HAS_MAX - 1);
    has[i].guest = guest;
    strcpy(has[i].id, p->id);
    return 0;
}

static int device_del(const struct pending *p, int guest)
{
    int i = find(guest, p->id);

    if (i < 0) return ERROR_QMP_DEVICE_NOT_FOUND;
    /* If the guest does not let go, the command has succeeded all the same. */
    if (!fault_take("device_del", p->id)) has[i].id[0] = '\0';
    return 0;
}

/* Each device is in a slot of its own. */
static libxl__json_object *query_pci(libxl__gc *gc, int guest)
{
    char *text = "[{\"bus\": 0, \"devices\": [{\"bus\": 0, \"slot\": 0,"
        " \"function\": 0, \"qdev_id\": \"\"}";
    int i;

    for (i = 0; i < HAS_MAX; i++)
        if (has[i].id[0] && has[i].guest == guest)
            text = GCSPRINTF("%s, {\"bus\": 0, \"slot\": %d, \"function\": 0,"
                             " \"qdev_id\": \"%s\"}", text, i + 4,
                             has[i].id);
    return json(gc, GCSPRINTF("%s]}]", text));
}

static void answer(libxl__egc *egc, libxl__ev_time *timer,
                   const struct timeval *requested_abs, int rc)
{
    struct pending *p = CONTAINER_OF(timer, *p, timer);
    const struct pending was = *p;
    libxl__ev_qmp *ev = p->ev;
    libxl__json_object *response = NULL;
    STATE_AO_GC(ev->ao);

    p->ev = NULL;
    if (rc != ERROR_TIMEDOUT) {
        ev->callback(egc, ev, NULL, rc); /* must be last */
        return;
    }
    if (!strcmp(was.command, "device_add"))
        rc = device_add(&was, ev->domid);
    else if (!strcmp(was.command, "device_del"))
        rc = device_del(&was, ev->domid);
    else
        rc = 0;
    if (!rc) response = query_pci(gc, ev->domid);
    ev->callback(egc, ev, response, rc); /* must be last */
}

static void copy_string(char *to, size_t size, const libxl__json_object *args,
                        const char *key)
{
    const libxl__json_object *o = libxl__json_map_get(key, args, JSON_STRING);

    snprintf(to, size, "%s", o ? libxl__json_object_get_string(o) : "");
}

int __wrap_libxl__ev_qmp_send(libxl__egc *egc, libxl__ev_qmp *ev,
                              const char *command, libxl__json_object *args)
{
    STATE_AO_GC(ev->ao);
    struct pending *p;
    bool silent = fault_take("qmp", command);

    for (p = pending; p->ev; p++)
        assert(p < pending + PENDING_MAX - 1);
    p->ev = ev;
    snprintf(p->command, sizeof(p->command), "%s", command);
    copy_string(p->id, sizeof(p->id), args, "id");
    copy_string(p->sbdf, sizeof(p->sbdf), args, "hostaddr");
    libxl__ev_time_init(&p->timer);
    if (!silent)
        return libxl__ev_time_register_rel(ao, &p->timer, answer, ANSWER_MS);

    /* It does what it is told, but does not answer. */
    if (!strcmp(command, "device_add")) device_add(p, ev->domid);
    return 0;
}

void __wrap_libxl__ev_qmp_dispose(libxl__gc *gc, libxl__ev_qmp *ev)
{
    struct pending *p;

    for (p = pending; p < pending + PENDING_MAX; p++)
        if (p->ev == ev) {
            libxl__ev_time_deregister(gc, &p->timer);
            p->ev = NULL;
        }
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
