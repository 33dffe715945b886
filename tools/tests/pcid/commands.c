/* SPDX-License-Identifier: LGPL-2.1-only */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <semaphore.h>

#include "commands.h"

struct command_private {
    command *c;
    int process;
    libxl_ctx *ctx;
    pthread_t thread;
    sem_t go;
    enum {
        READY,   /* can go on */
        POLLING, /* when one of fds is ready, or at a time */
        LOCKED,  /* when somebody else has done something */
        ENDED,
        KILLED,
    } state;
    int until; /* the step before which it stops; 0: none */
    struct pollfd *fds;
    int num_fds;
    int64_t deadline; /* in world_ms(); -1: none */
    unsigned seen; /* LOCKED: progress when it began to wait */
};

static struct command_private *running; /* NULL: the scheduler */
static sem_t back; /* to the scheduler */
static unsigned progress;
static int last_process;
static pid_t main_pid;

static void sem_wait_really(sem_t *sem)
{
    while (sem_wait(sem))
        assert(errno == EINTR);
}

/*
 * In a command's thread
 */

/* Lets the scheduler run, which decides when we do again. */
static void give_way(struct command_private *p)
{
    sem_post(&back);
    sem_wait_really(&p->go);
}

/* The drivers are quicker than any command: Linux's pcifront misses a state
 * that has changed again when it comes to look. */
static void let_drivers_run(struct command_private *p)
{
    running = NULL;
    standin_process = 0;
    while (pciback_step())
        ;
    standin_process = p->process;
    running = p;
}

static void step(const char *op, const char *what)
{
    struct command_private *p = running;

    let_drivers_run(p);
    p->c->steps++;
    snprintf(p->c->last, sizeof(p->c->last), "%s %s", op, what);
    if (p->c->kill_at && p->c->steps == p->c->kill_at) {
        p->state = KILLED;
        give_way(p); /* and never comes back */
        abort();
    }
    if (p->until && p->c->steps >= p->until) {
        p->state = READY;
        give_way(p);
    }
}

/* Before anything that can fail */
static void perhaps_step(const char *op, const char *what)
{
    static const char *const others[] = {
        "open", "lstat", "access", "readlink", "opendir", "read", "mkdir",
        "xenevtchn", "xengnt", "libxenvchan_read", "fork", "xs_open",
        "unlink", "rename", "libxl__ev_fd_register", "pipe",
    };
    int i;

    if (!running || getpid() != main_pid) return;
    for (i = 0; i < ARRAY_SIZE(others); i++)
        if (!strncmp(op, others[i], strlen(others[i])))
            return;
    step(op, what);
}

static int command_poll(struct pollfd *fds, nfds_t num, int timeout)
{
    struct command_private *p = running;
    int saved = standin_domid;

    p->fds = fds;
    p->num_fds = num;
    p->deadline = timeout < 0 ? -1 : world_ms() + timeout;
    p->state = POLLING;
    give_way(p);
    standin_domid = saved;
    return poll(fds, num, 0);
}

static void lock_wait(void)
{
    struct command_private *p = running;

    p->seen = progress;
    p->state = LOCKED;
    give_way(p);
}

static void *command_thread(void *opaque)
{
    struct command_private *p = opaque;

    sem_wait_really(&p->go);
    p->c->rc = p->c->run(p->ctx, p->c->opaque);
    p->state = ENDED;
    sem_post(&back);
    return NULL;
}

/*
 * The scheduler
 */

static bool can_run(struct command_private *p)
{
    switch (p->state) {
    case READY:
        return true;
    case POLLING:
        return poll(p->fds, p->num_fds, 0) ||
            (p->deadline >= 0 && p->deadline <= world_ms());
    case LOCKED:
        return p->seen != progress;
    default:
        return false;
    }
}

/* Lets a command run until it waits, ends, or is before a step. */
static void resume(struct command_private *p, int until)
{
    int before = world_enter(0);

    p->until = until;
    progress++;
    running = p;
    standin_process = p->process;
    sem_post(&p->go);
    sem_wait_really(&back);
    standin_process = 0;
    running = NULL;
    world_leave(before);

    if (p->state == ENDED) {
        pthread_join(p->thread, NULL);
        world_ctx_free(p->ctx);
        p->c->ended = true;
    } else if (p->state == KILLED) {
        world_ctx_kill(p->ctx, p->process);
        p->c->killed = true;
    }
}

static bool is_over(const command *c)
{
    return c->ended || c->killed;
}

static void start(command *c)
{
    struct command_private *p = calloc(1, sizeof(*p));

    c->p = p;
    c->steps = 0;
    c->ended = c->killed = false;
    c->last[0] = '\0';
    p->c = c;
    p->process = standin_process = ++last_process;
    p->ctx = world_ctx(0);
    standin_process = 0;
    world_ctx_alone(p->ctx);
    sem_init(&p->go, 0, 0);
    if (pthread_create(&p->thread, NULL, command_thread, p)) abort();
}

/* Nobody can do anything.  Returns false if that stays so. */
static bool wait_for_all(command *commands, int num)
{
    struct pollfd fds[256];
    int i, num_fds = 0, timeout = -1;

    for (i = 0; i < num; i++) {
        struct command_private *p = commands[i].p;

        if (is_over(&commands[i]) || p->state != POLLING) continue;
        assert(num_fds + p->num_fds <= ARRAY_SIZE(fds));
        memcpy(fds + num_fds, p->fds, p->num_fds * sizeof(*fds));
        num_fds += p->num_fds;
        if (p->deadline >= 0 &&
            (timeout < 0 || p->deadline - world_ms() < timeout))
            timeout = p->deadline - world_ms();
    }
    return world_wait(fds, num_fds, timeout);
}

/* One that is not the preferred one, and can run; or NULL */
static struct command_private *another(command *commands, int num,
                                       const command *but)
{
    int i;

    for (i = 0; i < num; i++)
        if (&commands[i] != but && !is_over(&commands[i]) &&
            can_run(commands[i].p))
            return commands[i].p;
    return NULL;
}

bool commands_run(command *commands, int num, const command_turn *turns,
                  int num_turns)
{
    struct command_private *p;
    int i, turn = 0, began = 0;
    bool good = true;

    main_pid = getpid();
    sem_init(&back, 0, 0);
    standin_step = perhaps_step;
    world_poll = command_poll;
    files_lock_wait = lock_wait;
    for (i = 0; i < num; i++)
        start(&commands[i]);

    for (;;) {
        command *c = NULL;
        int until = 0;

        if (turn < num_turns) {
            c = &commands[turns[turn].which];
            if (turns[turn].steps) until = began + turns[turn].steps + 1;
            if (is_over(c) || (until && c->steps >= until)) {
                if (++turn < num_turns)
                    began = commands[turns[turn].which].steps;
                continue;
            }
        } else {
            for (i = 0; i < num && is_over(&commands[i]); i++)
                ;
            if (i == num) break;
            c = &commands[i];
        }

        if (can_run(c->p)) {
            resume(c->p, until);
        } else if (!world_turn() && !can_run(c->p)) {
            p = another(commands, num, c);
            if (p) {
                resume(p, p->c->steps + 1);
            } else if (!wait_for_all(commands, num)) {
                good = false;
                break;
            }
        }
    }

    for (i = 0; i < num; i++)
        /* The thread of one that has been killed still has it. */
        if (commands[i].ended) free(commands[i].p);
    standin_step = NULL;
    world_poll = NULL;
    files_lock_wait = NULL;
    return good;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
