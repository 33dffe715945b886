/* SPDX-License-Identifier: LGPL-2.1-only */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "server.h"

bool server_designates = true;
void (*server_created)(libxl_ctx *ctx);

static void server_ended(libxl_ctx *ctx, int rc, void *for_callback)
{
    test_server *server = for_callback;

    server->running = false;
    server->rc = rc;
}

int server_start(test_server *server, int domid, const libxl_domid *clients,
                 int num_clients)
{
    int rc, before = world_enter(domid);

    memset(server, 0, sizeof(*server));
    server->domid = domid;
    server->ctx = world_ctx(domid);
    if (server_created) server_created(server->ctx);
    server->how.callback = server_ended;
    server->how.u.for_callback = server;
    rc = libxl_pcid_serve(server->ctx, clients, num_clients,
                          server_designates && !domid, &server->how);
    server->running = !rc;
    world_leave(before);
    if (rc) {
        world_ctx_free(server->ctx);
        server->ctx = NULL;
    } else {
        world_settle();
    }
    return rc;
}

static bool server_has_ended(void *opaque)
{
    test_server *server = opaque;

    return !server->running;
}

int server_stop(test_server *server)
{
    int before;

    if (!server->ctx) return 0;
    before = world_enter(server->domid);
    if (server->running)
        libxl_ao_abort(server->ctx, &server->how);
    world_leave(before);
    if (!world_run(server_has_ended, server, 60000)) {
        ok(false, "the server does not stop");
        exit(1);
    }
    world_ctx_free(server->ctx);
    server->ctx = NULL;
    return server->rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
