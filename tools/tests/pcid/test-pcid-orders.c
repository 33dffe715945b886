/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Two commands for one device in every order, and each command killed at each
 * of its steps: see commands.h for what a step is.
 *
 * Whatever the order, the device is then in one place, nobody keeps a right
 * that he should not have, no record is left without its device, and the next
 * command succeeds.
 *
 *     test-pcid-orders                     a tenth of the runs that there are;
 *                                          ORDERS_SHARE=n: an nth of them
 *     test-pcid-orders TOPOLOGY NAME       those of one name that it prints
 *     test-pcid-orders TOPOLOGY NAME K [M] one run; TEST_VERBOSE=1 shows it
 *
 * Runs are made in child processes, many in each: what a run breaks ends
 * none but those of its own child.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <sys/mman.h>
#include <sys/wait.h>

#include "guest.h"

#define G1 7
#define G2 8

/* How long, really, a child may take for one run, which takes a tenth of a
 * second on a machine with nothing else to do */
#define RUN_SECONDS 120

/* What there is before: devices, and who has them */
typedef enum {
    BOUND,      /* to its driver */
    ASSIGNABLE,
    ATTACHED,   /* to G1 */
} place;

typedef struct {
    const char *name;
    int (*run)(libxl_ctx *ctx, void *opaque);
    request request;
} what;

static const what attach1 = { "attach", do_attach,
                              { .domid = G1, .sbdf = DEV1 } };
static const what attach2 = { "attach to another guest", do_attach,
                              { .domid = G2, .sbdf = DEV1 } };
static const what attach_other = { "attach another device", do_attach,
                                   { .domid = G1, .sbdf = DEV2 } };
static const what seize1 = { "seize", do_attach,
                             { .domid = G1, .sbdf = DEV1, .seize = true } };
static const what detach1 = { "detach", do_detach,
                              { .domid = G1, .sbdf = DEV1 } };
static const what force1 = { "detach -f", do_detach_force,
                             { .domid = G1, .sbdf = DEV1 } };
static int do_slow_move(libxl_ctx *ctx, void *opaque);

static const what slow_move = {
    "detach from a slow guest, attach to another", do_slow_move,
    { .domid = G1, .sbdf = DEV1 }
};
static const what destroy1 = { "destroy", do_destroy, { .domid = G1 } };
static const what add1 = { "assignable-add", do_assignable_add,
                           { .sbdf = DEV1, .rebind = true } };
static const what remove1 = { "assignable-remove", do_assignable_remove,
                              { .sbdf = DEV1, .rebind = true } };

static const struct {
    const what *a, *b;
    place before;
    int succeed; /* so many of the two, at least.  One that holds the
                  * device's lock, and is going to fail, makes the other
                  * fail. */
} pairs[] = {
    { &attach1, &attach2, ASSIGNABLE, 1 },
    { &attach1, &attach1, ASSIGNABLE, 1 },
    { &attach1, &attach_other, ASSIGNABLE, 2 },
    { &seize1, &attach2, BOUND, 0 },
    { &attach1, &detach1, ASSIGNABLE, 1 },
    { &detach1, &attach2, ATTACHED, 1 },
    { &detach1, &attach_other, ATTACHED, 2 },
    { &detach1, &detach1, ATTACHED, 1 },
    { &detach1, &force1, ATTACHED, 1 },
    { &detach1, &destroy1, ATTACHED, 1 },
    { &slow_move, &destroy1, ATTACHED, 1 },
    { &attach1, &destroy1, ASSIGNABLE, 1 },
    { &destroy1, &attach2, ATTACHED, 1 },
    { &attach1, &remove1, ASSIGNABLE, 1 },
    { &destroy1, &remove1, ATTACHED, 1 },
    { &detach1, &remove1, ATTACHED, 1 },
    { &add1, &remove1, BOUND, 0 },
    { &add1, &add1, BOUND, 1 },
    { &remove1, &remove1, ASSIGNABLE, 1 },
    { &attach1, &add1, BOUND, 0 },
};

/* Who is killed, and what comes after the same command again */
static const struct {
    const what *a, *next;
    place before;
    int whose; /* after the same again */
} kills[] = {
    { &attach1, &detach1, ASSIGNABLE, G1 },
    { &attach1, &destroy1, ASSIGNABLE, G1 },
    { &seize1, &detach1, BOUND, G1 },
    { &detach1, &attach2, ATTACHED, -1 },
    { &force1, &attach1, ATTACHED, -1 },
    { &destroy1, &attach2, ATTACHED, -1 },
    { &add1, &attach1, BOUND, -1 },
    { &remove1, &add1, ASSIGNABLE, -1 },
};

/* A process that ends with _exit() says itself which lines it has reached. */
#ifdef HAVE_GCOV
void __gcov_dump(void);
#define gcov_dump() __gcov_dump()
#else
#define gcov_dump() ((void)0)
#endif

/* Shared with the child that makes the runs */
static struct {
    int k, m; /* the run that it is at */
    bool over; /* there are no more */
    int runs, bad;
    char text[4096]; /* of the first of them that were bad */
} *shared;

static int all_orders, all_twice, all_kills;
static int share; /* an nth of the runs is made */
static int left_out;
static time_t began;

/* However busy the machine is, others want to run, too. */
#define MAX_SECONDS (share > 1 ? 90 : 86400)

const char *__asan_default_options(void);

/* Most of the time would be spent in remembering what has been freed. */
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4:malloc_context_size=4:"
           "max_malloc_fill_size=0:max_free_fill_size=0";
}

static void __attribute__((format(printf, 1, 2))) complain(const char *fmt, ...)
{
    size_t used = strlen(shared->text);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(shared->text + used, sizeof(shared->text) - used, fmt, ap);
    va_end(ap);
}

/* The guest does not let go of the device in time, and then it does. */
static int do_slow_move(libxl_ctx *ctx, void *opaque)
{
    request r = *(request *)opaque;

    if (r.domid == G1 && xc_domains & (1ULL << G1))
        pcifront_set(G1, PCIFRONT_PAUSED);
    do_detach(ctx, &r);
    if (xc_domains & (1ULL << G1)) pcifront_set(G1, PCIFRONT_GOOD);
    r.domid = G2;
    return do_attach(ctx, &r);
}

static void prepare(topology t, place before)
{
    request r = { .domid = G1, .sbdf = DEV1, .rebind = true };
    request other = { .sbdf = DEV2, .rebind = true };

    host_start(t);
    guest_add(G1, PCIFRONT_GOOD);
    guest_add(G2, PCIFRONT_GOOD);
    if (now(do_assignable_add, other)) abort();
    if (before >= ASSIGNABLE && now(do_assignable_add, r)) abort();
    if (before == ATTACHED && now(do_attach, r)) abort();
    world_settle();
    if (whose(DEV1, false, &(const char *){ NULL }) !=
        (before == ATTACHED ? G1 : -1))
        abort();
    world_log_clear();
    xc_log[0] = '\0';
}

/* NULL, or what is wrong with a device */
static const char *wrong(const char *sbdf)
{
    const char *why;

    return whose(sbdf, false, &why) == -2 ? why : NULL;
}

/* Takes a device from whoever has it, up to where it has its driver; and sees
 * that nothing is left.  Returns NULL, or what is wrong. */
static const char *clean_up(const char *sbdf)
{
    static char text[512];
    const char *why;
    char node[64];
    int domid = whose(sbdf, false, &why), i, rc;
    request r = { .domid = domid, .sbdf = sbdf, .rebind = true };

    if (domid == -2) return why;
    if (domid > 0) {
        rc = now(do_detach, r);
        if (rc) {
            snprintf(text, sizeof(text), "detach fails: %d", rc);
            return text;
        }
        world_settle();
    }
    if (is_assignable(sbdf)) {
        rc = now(do_assignable_remove, r);
        if (rc) {
            snprintf(text, sizeof(text), "assignable-remove fails: %d", rc);
            return text;
        }
    }
    if (strcmp(sysfs_driver(sbdf), "e1000")) return "it has not its driver";
    if (whose(sbdf, false, &why) == -2) return why;
    snprintf(node, sizeof(node), "/libxl/pci/%.4s-%.2s-%.2s-%c", sbdf,
             sbdf + 5, sbdf + 8, sbdf[11]);
    if (store_child(node, 0)) {
        snprintf(text, sizeof(text), "%s/%s is left", node,
                 store_child(node, 0));
        return text;
    }
    for (i = G1; i <= G2; i++) {
        if (guest_devices(i)) continue;
        snprintf(node, sizeof(node), "/local/domain/%d/backend/pci/%d",
                 host_owner(), i);
        if (store_get(node)) return "a backend without devices is left";
        if (*xc_rights(i)) {
            snprintf(text, sizeof(text), "domain %d keeps %s", i,
                     xc_rights(i));
            return text;
        }
    }
    return NULL;
}

/* The device in question, and the other one: everything about them */
static const char *clean_up_all(void)
{
    const char *why = clean_up(DEV1);

    if (!why) why = clean_up(DEV2);
    if (!why && host_owner() && *xc_rights(0))
        why = "domain 0 keeps a right";
    return why;
}

static void bad_run(const char *name, const char *kind, const char *why)
{
    if (++shared->bad > 4) return;
    complain("%s, %s %d", name, kind, shared->k);
    if (shared->m) complain(" %d", shared->m);
    complain(": %s\n", why);
}

/*
 * Two commands
 */

/* a takes k steps, then b takes m (0: all), then a goes on, then b.  Returns
 * whether a has taken so many steps. */
static bool order_run(topology t, int i, bool swapped, int k, int m)
{
    const what *a = swapped ? pairs[i].b : pairs[i].a;
    const what *b = swapped ? pairs[i].a : pairs[i].b;
    request requests[2] = { a->request, b->request };
    command commands[2] = {
        { .run = a->run, .opaque = &requests[0] },
        { .run = b->run, .opaque = &requests[1] },
    };
    command_turn turns[] = { { 0, k }, { 1, m }, { 0, 0 } };
    char name[160];
    const char *why;
    int first = k ? 0 : 1;

    snprintf(name, sizeof(name), "%s, then %s", a->name, b->name);
    prepare(t, pairs[i].before);
    shared->runs++;
    if (!commands_run(commands, 2, turns + first, 3 - first)) {
        bad_run(name, "switched after", "both wait for ever");
        return false;
    }
    world_settle();
    why = wrong(DEV1);
    if (!why) why = wrong(DEV2);
    if (!why && !commands[0].rc + !commands[1].rc < pairs[i].succeed) {
        static char text[64];

        snprintf(text, sizeof(text), "the commands return %d and %d",
                 commands[0].rc, commands[1].rc);
        why = text;
    }
    if (!why) why = clean_up_all();
    if (why) bad_run(name, "switched after", why);
    host_end();
    return commands[0].steps > k;
}

/*
 * A command that is killed
 */

static bool kill_run(topology t, int i, int k)
{
    const what *a = kills[i].a, *next = kills[i].next;
    request r = a->request;
    command c = { .run = a->run, .opaque = &r, .kill_at = k };
    const char *why, *other = NULL;
    char name[160];
    int rc = 0;

    snprintf(name, sizeof(name), "%s, then %s", a->name, next->name);
    prepare(t, kills[i].before);
    shared->runs++;
    if (!commands_run(&c, 1, NULL, 0)) {
        bad_run(name, "killed at", "it waits for ever");
        return false;
    }
    world_settle();
    why = whose(DEV1, true, &other) == -2 ? other : NULL;
    if (!why) {
        rc = now(a->run, a->request);
        world_settle();
        why = wrong(DEV1);
    }
    if (!why && whose(DEV1, false, &other) != kills[i].whose)
        why = "the same again has no effect";
    if (!why && a == &add1 && !is_assignable(DEV1))
        why = "the same again does not make it assignable";
    if (!why && (a == &detach1 || a == &force1) && !is_assignable(DEV1))
        why = "it is not assignable";
    if (!why && next->run) {
        rc = now(next->run, next->request);
        world_settle();
        if (rc) why = "the next command fails";
    }
    if (!why) why = wrong(DEV1);
    if (!why) why = clean_up_all();
    if (why) {
        char text[512];

        snprintf(text, sizeof(text), "%s (at %s)", why, c.last);
        bad_run(name, "killed at", text);
    }
    host_end();
    return c.killed;
}

/*
 * Children
 */

typedef bool (*one_run)(topology t, int i, bool swapped, int k, int m);

/* Two switches: the second is anywhere, but always at the same step. */
static bool order_twice(topology t, int i, bool swapped, int k, int m)
{
    shared->m = 1 + (k * 37 + i * 11 + swapped * 5) % 41;
    return order_run(t, i, swapped, k, shared->m);
}

static bool kill_one(topology t, int i, bool swapped, int k, int m)
{
    return kill_run(t, i, k);
}

/* In a child: runs from (k, m) on, until there are no more */
static void runs(one_run run, topology t, int i, bool swapped, int stride)
{
    world_log_off();
    for (;;) {
        alarm(RUN_SECONDS);
        if (!run(t, i, swapped, shared->k, shared->m)) {
            shared->over = true;
            break;
        }
        shared->k += stride;
    }
    sysfs_cleanup();
}

/* How a child ended in the middle of its runs, and the beginning of what it
 * has said before */
static void bad_child(const char *name, int status, FILE *errors)
{
    char line[256];
    int i;

    if (WIFSIGNALED(status))
        snprintf(line, sizeof(line), "%s",
                 WTERMSIG(status) == SIGALRM ? "it takes too long" :
                 strsignal(WTERMSIG(status)));
    else
        snprintf(line, sizeof(line), "it exits with status %d",
                 WEXITSTATUS(status));
    bad_run(name, "run", line);
    rewind(errors);
    for (i = 0; i < 25 && fgets(line, sizeof(line), errors); i++)
        if (shared->bad == 1) complain("  %s", line);
}

static void each_run(one_run run, topology t, int i, bool swapped,
                     int first, int stride, const char *name)
{
    int status, killed = -1;
    FILE *errors = tmpfile();
    pid_t pid;

    assert(errors);
    memset(shared, 0, sizeof(*shared));
    shared->k = first;
    shared->over = time(NULL) - began > MAX_SECONDS;
    fflush(stdout);
    while (!shared->over && shared->bad < 100) {
        rewind(errors);
        if (ftruncate(fileno(errors), 0)) abort();
        pid = fork();
        if (!pid) {
            if (!getenv("TEST_VERBOSE")) dup2(fileno(errors), 2);
            runs(run, t, i, swapped, stride);
            gcov_dump();
            _exit(0);
        }
        while (waitpid(pid, &status, 0) < 0)
            ;
        if (!shared->over) {
            /* Nothing here sends this signal.  The kernel does, to whomever
             * it chooses, when the machine has no memory left. */
            if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
                killed != shared->k) {
                killed = shared->k;
                printf("# %s, run %d was killed: once more\n", name, killed);
                continue;
            }
            bad_child(name, status, errors);
            shared->k += stride;
        }
    }
    fclose(errors);
}

static void report(topology t, const char *name, const char *how)
{
    char *line, *save;

    if (!shared->runs && !shared->bad) {
        left_out++;
        return;
    }
    ok(!shared->bad, "%s: %s: %s %d runs, %d bad", host_name(t), name, how,
       shared->runs, shared->bad);
    for (line = strtok_r(shared->text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        printf("#   %s\n", line);
}

/* Of so many runs one is made.  In loopback there is little that has not been
 * in one of the others. */
static int stride(topology t)
{
    return share * (t == LOOPBACK ? 4 : 1);
}

int main(int argc, char **argv)
{
    static const topology order[TOPOLOGIES] = { HWDOM, DIRECT, LOOPBACK };
    topology t;
    int i, swapped, n;
    char name[160];

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(shared != MAP_FAILED);
    standin_reuse = true;
    share = atoi(getenv("ORDERS_SHARE") ?: "10");
    if (share < 1) share = 1;
    began = time(NULL);

    for (n = 0; n < TOPOLOGIES; n++) {
        t = order[n];
        for (i = 0; i < ARRAY_SIZE(pairs); i++)
            for (swapped = 0; swapped < 2; swapped++) {
                snprintf(name, sizeof(name), "%s, then %s",
                         swapped ? pairs[i].b->name : pairs[i].a->name,
                         swapped ? pairs[i].a->name : pairs[i].b->name);
                if (argc > 2 && (strcmp(argv[1], host_name(t)) ||
                                 strcmp(argv[2], name)))
                    continue;
                if (argc > 3) {
                    shared->k = atoi(argv[3]);
                    shared->m = argc > 4 ? atoi(argv[4]) : 0;
                    order_run(t, i, swapped, shared->k, shared->m);
                    printf("%s", shared->text);
                    continue;
                }
                each_run(order_run, t, i, swapped, i % stride(t), stride(t),
                         name);
                all_orders += shared->runs;
                report(t, name, "switched once");
                each_run(order_twice, t, i, swapped, 1 + i % stride(t),
                         stride(t), name);
                all_twice += shared->runs;
                report(t, name, "switched twice");
            }
        for (i = 0; i < ARRAY_SIZE(kills); i++) {
            snprintf(name, sizeof(name), "%s killed, again, then %s",
                     kills[i].a->name, kills[i].next->name);
            if (argc > 2 && (strcmp(argv[1], host_name(t)) ||
                             strcmp(argv[2], name)))
                continue;
            if (argc > 3) {
                shared->k = atoi(argv[3]);
                kill_run(t, i, shared->k);
                printf("%s", shared->text);
                continue;
            }
            each_run(kill_one, t, i, 0, 1 + i % stride(t), stride(t), name);
            report(t, name, "");
            all_kills += shared->runs;
        }
    }
    printf("# two commands, switched once: %d orders, twice: %d; commands"
           " killed: %d; a share of 1/%d; without a run, as there are too"
           " few steps or no time left: %d of the above\n", all_orders,
           all_twice, all_kills, share, left_out);
    return tap_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
