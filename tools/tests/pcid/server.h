/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The server under test, in a domain of the harness.
 */

#ifndef SERVER_H
#define SERVER_H

#include "harness.h"

typedef struct {
    libxl_ctx *ctx;
    int domid;
    bool running;
    int rc; /* of its end, if not running */
    libxl_asyncop_how how;
} test_server;

/* Whether a server in domain 0 is told to designate it */
extern bool server_designates;

/* If set, called for the ctx of each server before anything is done with it */
extern void (*server_created)(libxl_ctx *ctx);

/* clients: as for libxl_pcid_serve.  Returns what that returned. */
int server_start(test_server *server, int domid,
                 const libxl_domid *clients, int num_clients);
/* An orderly end; returns its rc.  May be called if it did not start. */
int server_stop(test_server *server);

#endif /* SERVER_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
