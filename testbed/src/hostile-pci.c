/*
 * The backend and the frontend of PCI devices that misbehave: see hostile.c.
 *
 * Each misbehaviour is a list of steps in the directory that the two share with pciback,
 * pcifront and libxl:
 *   "node=value"   write the node
 *   "-node"        remove it; "-." removes the directory
 * In a value, '@' stands for the argument of the command line, '#' for the domain on the
 * other side.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostile.h"

#define STEPS_MAX 6
#define PAUSE_US 2000           /* between endless steps: others get a turn */

/* How often the steps are taken */
enum mode {
    TAKE_ONCE,
    TAKE_KEEP,                  /* again, whenever somebody undoes one */
    TAKE_NEXT,                  /* once, at the next change by somebody else */
    TAKE_EVER,                  /* in turn, without end */
};

struct misbehaviour {
    const char *name;
    const char *what;
    enum mode mode;
    const char *steps[STEPS_MAX];
    void (*play)(void);         /* instead of steps */
};

static char dir[PATH_SIZE];
static const char *argument;

static void expand(char *to, size_t size, const char *text)
{
    size_t used = 0;

    for (; *text && used + 1 < size; text++) {
        int n = 1;

        if (*text == '@')
            n = snprintf(to + used, size - used, "%s", argument);
        else if (*text == '#')
            n = snprintf(to + used, size - used, "%d", peer);
        else
            to[used] = *text;
        used += n;
    }
    to[used < size ? used : size - 1] = '\0';
}

static void take_step(const char *step)
{
    static char path[PATH_SIZE * 2], value[8192], name[64];
    const char *end = strchr(step, '=');
    char *is;
    unsigned int n;

    snprintf(name, sizeof(name), "%.*s",
             end ? (int)(end - step) : (int)strlen(step), step);
    if (name[0] == '-') {
        if (strcmp(name, "-.") == 0)
            snprintf(path, sizeof(path), "%s", dir);
        else
            snprintf(path, sizeof(path), "%s/%s", dir, name + 1);
        xs_rm(xs, XBT_NULL, path);
        return;
    }
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    expand(value, sizeof(value), end + 1);
    is = xs_read(xs, XBT_NULL, path, &n);
    /* Each write is an event, also for us: write only what changes something. */
    if (!is || strcmp(is, value) != 0)
        xs_write(xs, XBT_NULL, path, value, strlen(value));
    free(is);
}

static void take_steps(const struct misbehaviour *m)
{
    int i;

    for (i = 0; i < STEPS_MAX && m->steps[i]; i++)
        take_step(m->steps[i]);
}

static void make_devices(void)
{
    char step[PATH_SIZE];
    int i;

    take_step("num_devs=200");
    for (i = 1; i < 200; i++) {
        snprintf(step, sizeof(step), "dev-%d=%s", i, argument);
        take_step(step);
    }
}

static void make_all_words(void)
{
    char step[PATH_SIZE];
    unsigned int n, i;
    char **nodes = xs_directory(xs, XBT_NULL, dir, &n);

    for (i = 0; nodes && i < n; i++) {
        snprintf(step, sizeof(step), "%s=%%s%%n", nodes[i]);
        take_step(step);
    }
    free(nodes);
}

#define TAKE(mode_, name_, what_, ...) \
    { .name = name_, .what = what_, .mode = mode_, .steps = { __VA_ARGS__ } }
#define ONCE(...) TAKE(TAKE_ONCE, __VA_ARGS__)
#define KEEP(...) TAKE(TAKE_KEEP, __VA_ARGS__)
#define NEXT(...) TAKE(TAKE_NEXT, __VA_ARGS__)
#define EVER(...) TAKE(TAKE_EVER, __VA_ARGS__)
#define PLAY(name_, what_, call) \
    { .name = name_, .what = what_, .mode = TAKE_ONCE, .play = call }

static const struct misbehaviour backends[] = {
    KEEP("num-none", "no number of devices", "-num_devs"),
    KEEP("num-0", "no devices", "num_devs=0"),
    KEEP("num-2", "one more than there is", "num_devs=2", "-dev-1"),
    KEEP("num-2^27+1", "an array of this size has 32 bytes in 32 bits",
         "num_devs=134217729"),
    KEEP("num-99", "more than there are slots", "num_devs=99"),
    KEEP("num-negative", "-1 devices", "num_devs=-1"),
    KEEP("num-word", "a number that is none", "num_devs=two"),
    PLAY("num-200", "200 devices", make_devices),
    KEEP("dev-none", "no device", "-dev-0"),
    KEEP("dev-word", "a device that is a word", "dev-0=nosuch"),
    KEEP("dev-long", "a device of 3 KB", "dev-0=" X1000("00:")),
    KEEP("dev-other", "another guest's device", "dev-0=@"),
    KEEP("dev-more", "another guest's device, too", "num_devs=2", "dev-1=@",
         "opts-1=", "vdev-1=00", "state-1=3"),
    KEEP("dev-own", "a device that the owner uses itself",
         "dev-0=0000:00:08.0"),
    KEEP("opts-empty", "no option", "opts-0="),
    KEEP("opts-word", "an option without a value", "opts-0=msitranslate"),
    KEEP("opts-none", "no options", "-opts-0"),
    KEEP("name-nosuch", "a name that no device has", "name-0=nosuch"),
    KEEP("name-long", "a name of 4 KB", "name-0=" X1000("name")),
    KEEP("vdev-negative", "a slot of -1", "vdev-0=-1", "vdevfn-0=-1"),
    KEEP("state-0-none", "no state of the device", "-state-0"),
    KEEP("state-0-word", "a state of the device that is a word",
         "state-0=gone"),
    KEEP("state-0-6", "the device is closed, which it is not", "state-0=6"),
    KEEP("state-0-999", "a state of the device that is none", "state-0=999"),
    KEEP("state-none", "no state", "-state"),
    KEEP("state-word", "a state that is a word", "state=ready"),
    KEEP("state-999", "a state that is none", "state=999"),
    KEEP("state-long", "a state of 4 KB", "state=" X1000("4444")),
    KEEP("state-1", "it never gets ready", "state=1"),
    KEEP("state-4", "it is connected, whatever it is asked for", "state=4"),
    KEEP("state-6", "it is closed", "state=6"),
    KEEP("state-8", "it is reconfigured, which nobody asked for", "state=8"),
    EVER("state-toggled", "now connected, now closing", "state=4", "state=5",
         "state=7", "state=8"),
    KEEP("online-0", "it is to end", "online=0"),
    KEEP("frontend-other", "the frontend of Dom0", "frontend-id=0",
         "frontend=/local/domain/0/device/pci/0"),
    PLAY("all-words", "each node is a word", make_all_words),
    ONCE("dir-none", "no directory", "-."),
    KEEP("dir-never", "no directory, and none can be made", "-."),
    NEXT("dir-under-way", "it is removed when something is written", "-."),
    EVER("dir-made-anew", "it is removed and made, without end", "-.",
         "state=4", "num_devs=1", "dev-0=@"),
    EVER("num-changes", "another number of devices each time", "num_devs=1",
         "num_devs=1000", "num_devs=0", "-num_devs"),
    EVER("changes", "changes of what nobody reads", "x=1", "x=2", "state-7=3",
         "-state-7"),
};

static const struct misbehaviour frontends[] = {
    KEEP("state-none", "no state", "-state"),
    KEEP("state-empty", "an empty state", "state="),
    KEEP("state-word", "a state that is a word", "state=ready"),
    KEEP("state-long", "a state of 4 KB", "state=" X1000("4444")),
    KEEP("state-negative", "a state of -4", "state=-4"),
    KEEP("state-999", "a state that is none", "state=999"),
    KEEP("state-0", "unknown", "state=0"),
    KEEP("state-1", "it initialises", "state=1"),
    KEEP("state-2", "it waits", "state=2"),
    KEEP("state-3", "it is initialised", "state=3"),
    KEEP("state-4", "it is connected, while the backend reconfigures",
         "state=4"),
    KEEP("state-5", "it closes", "state=5"),
    KEEP("state-6", "it is closed", "state=6"),
    KEEP("state-7", "it reconfigures", "state=7"),
    KEEP("state-8", "it is reconfigured", "state=8"),
    ONCE("state-6-once", "it is closed, and says no more", "state=6"),
    EVER("state-toggled", "now connected, now closing", "state=4", "state=5"),
    EVER("state-all", "all states in turn", "state=7", "state=8", "state=4",
         "state=1", "state=3", "state=6"),
    KEEP("backend-none", "no backend", "-backend"),
    KEEP("backend-word", "a backend that is no path", "backend=nowhere"),
    KEEP("backend-long", "a backend of 4 KB",
         "backend=/local/domain" X1000("/dom")),
    KEEP("backend-other", "another guest's backend",
         "backend=/local/domain/#/backend/pci/@/0"),
    KEEP("backend-own", "a backend of the guest's own",
         "backend=device/pci/0"),
    KEEP("backend-dom0", "a backend in Dom0",
         "backend=/local/domain/0/backend/pci/@/0", "backend-id=0"),
    KEEP("backend-id-none", "no domain", "-backend-id"),
    KEEP("backend-id-other", "another guest as the owner", "backend-id=@"),
    KEEP("backend-id-negative", "domain -1", "backend-id=-1"),
    KEEP("backend-id-word", "a domain that is a word", "backend-id=owner"),
    KEEP("channel-none", "neither grant nor event channel", "-pci-op-ref",
         "-event-channel", "-magic"),
    KEEP("channel-word", "a grant and an event channel that are words",
         "pci-op-ref=grant", "event-channel=channel", "magic=x"),
    PLAY("all-words", "each node is a word", make_all_words),
    ONCE("dir-none", "no directory", "-."),
    KEEP("dir-never", "no directory, and none can be made", "-."),
    NEXT("dir-under-way", "it is removed when something is written", "-."),
    EVER("dir-made-anew", "it is removed and made, without end", "-.",
         "state=4"),
    PLAY("children", "200 nodes", make_devices),
    EVER("nodes", "nodes come and go", "x=1", "-x", "y=1", "-y"),
    EVER("changes", "changes of what nobody reads", "x=1", "x=2"),
};

static void wait_change(void)
{
    unsigned int n;

    free(xs_read_watch(xs, &n));
}

static void play(const struct misbehaviour *list, size_t count,
                 const char *name)
{
    const struct misbehaviour *m;
    int i;

    for (m = list; m < list + count && strcmp(m->name, name) != 0; m++)
        ;
    if (m == list + count)
        errx(2, "no misbehaviour %s", name);

    if (m->mode != TAKE_ONCE) {
        if (!xs_watch(xs, dir, ""))
            err(1, "watch");
        wait_change();          /* the first event is that of the watch itself */
    }
    if (m->play)
        m->play();
    if (m->mode != TAKE_NEXT)
        take_steps(m);
    put("data/hostile-plays", name);

    switch (m->mode) {
    case TAKE_ONCE:
        break;
    case TAKE_NEXT:
        wait_change();
        take_steps(m);
        break;
    case TAKE_KEEP:
        for (;;) {
            wait_change();
            take_steps(m);
        }
    case TAKE_EVER:
        xs_unwatch(xs, dir, "");
        for (i = 0; ; i = i + 1 < STEPS_MAX && m->steps[i + 1] ? i + 1 : 0) {
            take_step(m->steps[i]);
            usleep(PAUSE_US);
        }
    }
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

void pci_backend(const char *guest, const char *name, const char *with)
{
    peer = atoi(guest);
    argument = with;
    snprintf(dir, sizeof(dir), "/local/domain/%d/backend/pci/%d/0", domid,
             peer);
    play(backends, COUNT(backends), name);
}

void pci_frontend(const char *name, const char *with)
{
    unsigned int n;
    char *id = xs_read(xs, XBT_NULL, "device/pci/0/backend-id", &n);

    peer = id ? atoi(id) : 0;
    argument = with;
    snprintf(dir, sizeof(dir), "/local/domain/%d/device/pci/0", domid);
    play(frontends, COUNT(frontends), name);
}

static void print_list(const struct misbehaviour *list, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        printf("%s: %s\n", list[i].name, list[i].what);
}

void pci_backend_list(void) { print_list(backends, COUNT(backends)); }
void pci_frontend_list(void) { print_list(frontends, COUNT(frontends)); }
