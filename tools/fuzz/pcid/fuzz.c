/* SPDX-License-Identifier: LGPL-2.1-only */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <sanitizer/lsan_interface.h>

#include "fuzz.h"

/* To look for leaks takes as long as a few hundred inputs. */
#define LEAK_CHECK_EVERY 200000

#define FAULTS_MAX 16

/* What an input may spend */
#define BUDGET       48
#define MESSAGE_COST 1
#define ACTION_COST  3

void fuzz_begin(fuzz_input *in, const uint8_t *data, size_t size)
{
    in->at = data;
    in->end = data + size;
    in->budget = BUDGET;
    in->len = 0;
}

int fuzz_next(fuzz_input *in)
{
    while (in->at < in->end && in->len < sizeof(in->text) - 4096) {
        int c = *in->at++;

        if (in->budget <= 0) {
            in->at = in->end;
        } else if (c == '\n') {
            in->budget -= MESSAGE_COST;
            in->text[in->len++] = '\r';
            in->text[in->len++] = '\n';
        } else if (c != '%' || in->at == in->end || *in->at == '%') {
            in->text[in->len++] = c;
            if (c == '%' && in->at < in->end) in->at++;
        } else if (*in->at == 'L') {
            in->budget -= ACTION_COST;
            memset(in->text + in->len, 'x', 4000);
            in->len += 4000;
            in->at++;
        } else {
            in->budget -= ACTION_COST;
            return *in->at++;
        }
    }
    return 0;
}

int fuzz_byte(fuzz_input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

const char *fuzz_line(fuzz_input *in)
{
    static char line[1024];
    size_t len = 0;

    while (in->at < in->end && *in->at != '\n' && len < sizeof(line) - 1)
        line[len++] = *in->at++;
    if (in->at < in->end) in->at++;
    line[len] = '\0';
    return line;
}

void fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
    abort();
}

bool fuzz_printable(const char *s, size_t max)
{
    size_t i, len = strlen(s);

    for (i = 0; i < len; i++)
        if (s[i] < ' ' || s[i] > '~')
            return false;
    return len && len <= max;
}

/*
 * Little is used long after it was freed; and where memory came from is seen
 * in a second run, with ASAN_OPTIONS=malloc_context_size=30.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1:thread_local_quarantine_size_kb=64:"
        "malloc_context_size=0:max_redzone=64:detect_leaks=1";
}

static struct {
    int channels, grants, handles, watches, nodes;
} before;

static unsigned executions;
static int num_faults; /* of this input */

static void count(int *channels, int *grants, int *handles, int *watches,
                  int *nodes)
{
    *channels = evtchn_count();
    *grants = grant_count();
    *handles = store_handles();
    *watches = store_watches();
    *nodes = store_nodes();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    standin_reuse = true;
    world_log_off();
    return 0;
}

void fuzz_ready(void)
{
    count(&before.channels, &before.grants, &before.handles,
          &before.watches, &before.nodes);
}

void fuzz_clean(void)
{
    int channels, grants, handles, watches, nodes;

    count(&channels, &grants, &handles, &watches, &nodes);
    fuzz_check(channels == before.channels);
    fuzz_check(grants == before.grants);
    fuzz_check(handles == before.handles);
    fuzz_check(watches == before.watches);
    fuzz_check(nodes == before.nodes);
    num_faults = 0;
    if (++executions % LEAK_CHECK_EVERY == 0)
        fuzz_check(!__lsan_do_recoverable_leak_check());
}

void fuzz_fault(int which)
{
    static const struct {
        const char *op;
        int errnoval;
    } faults[] = {
        { "libxenvchan_read", EIO }, { "libxenvchan_read", FAULT_SHORT },
        { "libxenvchan_write", EIO }, { "libxenvchan_write", FAULT_SHORT },
        { "xenevtchn_pending", EIO }, { "xenevtchn_notify", EIO },
        { "xenevtchn_open", EMFILE }, { "xengntshr_open", ENOENT },
        { "xengnttab_open", ENOENT }, { "xengnttab_map", EINVAL },
        { "xengntshr_share_pages", ENOSPC },
        { "xenevtchn_bind_unbound_port", ENOSPC },
        { "xenevtchn_bind_interdomain", EINVAL },
        { "xs_open", ENOENT }, { "xs_read", EIO }, { "xs_read", EACCES },
        { "xs_write", EACCES }, { "xs_write", ENOSPC }, { "xs_rm", EIO },
        { "xs_directory", EIO }, { "xs_watch", E2BIG },
        { "xs_transaction_start", ENOSPC },
        { "xs_transaction_end", EAGAIN },
        { "grant", EPERM }, { "revoke", EPERM }, { "fork", EAGAIN },
        { "open", EMFILE }, { "open", ENOENT }, { "read", EIO },
        { "write", EBUSY }, { "write", ENODEV }, { "lstat", EIO },
        { "access", EACCES }, { "access", ENOENT }, { "readlink", EIO },
        { "opendir", ENOENT }, { "opendir", EMFILE },
    };

    if (num_faults == FAULTS_MAX) return;
    num_faults++;
    which %= ARRAY_SIZE(faults);
    fault_inject(faults[which].op, "", faults[which].errnoval, 0,
                 faults[which].errnoval == FAULT_SHORT ? 40 : 1);
}

/*
 * The ao.  Its how has no callback that anybody waits for.
 */

static libxl_asyncop_how how;
static libxl__ao *the_ao;

static void ao_done(libxl_ctx *ctx, int rc, void *for_callback)
{
}

static int ao_start(libxl_ctx *ctx)
{
    how.callback = ao_done;
    AO_CREATE(ctx, INVALID_DOMID, &how);
    (void)gc;
    return AO_INPROGRESS;
}

libxl__ao *fuzz_ao(libxl_ctx *ctx)
{
    if (!the_ao) {
        ao_start(ctx);
        the_ao = XEN_LIST_FIRST(&ctx->aos_inprogress);
    }
    return the_ao;
}

void fuzz_ao_abort(libxl_ctx *ctx)
{
    if (the_ao) libxl_ao_abort(ctx, &how);
}

static void ao_complete(libxl_ctx *ctx)
{
    EGC_INIT(ctx);

    CTX_LOCK;
    libxl__ao_complete(egc, the_ao, 0);
    CTX_UNLOCK_EGC_FREE;
}

void fuzz_ao_end(libxl_ctx *ctx)
{
    if (the_ao) ao_complete(ctx);
    the_ao = NULL;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
