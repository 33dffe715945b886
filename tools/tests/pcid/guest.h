/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A host with guests that are to get PCI devices: what can be asked of libxl
 * for them, and what has come of it, wherever it is known.
 */

#ifndef GUEST_H
#define GUEST_H

#include "commands.h"
#include "server.h"

/* Devices: each has a driver, memory, ports and an interrupt. */
#define DEV1 "0000:03:00.0"
#define DEV2 "0000:03:00.1"
#define DEV3 "0000:04:00.0"

/* Who owns them: nobody is designated, domain 0, or another domain */
typedef enum { DIRECT, LOOPBACK, HWDOM, TOPOLOGIES } topology;

#define HWDOM_DOMID 3

extern libxl_ctx *host_ctx; /* in domain 0; for world_call */
extern test_server host_server;

/* Starts anew: devices, but no guest; the server, if there is an owner. */
void host_start(topology t);
void host_end(void);
/* The server again, after server_stop() */
void host_server_start(void);
const char *host_name(topology t);
/* The domain whose pciback has the devices */
int host_owner(void);

/* A guest that runs */
void guest_add(int domid, pcifront_mood mood);
/* "pv", as it is at first, "pvh" or "hvm" */
void guest_set_type(int domid, const char *type);
/* An HVM guest, with its device model in domain 0, or in a stubdomain with
 * that number */
void guest_add_hvm(int domid);
void guest_add_stubdom(int domid, int stubdom, pcifront_mood mood);
/* A guest ends, and its stubdomain: nothing of them is left but what libxl
 * should have removed. */
void guest_remove(int domid);

/*
 * What can be asked for: each as a function for commands.h.  Its opaque is a
 * request.
 */
typedef struct {
    int domid;
    const char *sbdf; /* as a device or, with '=' first, by name */
    bool seize, permissive;
    bool rebind;
    const char *name;
} request;

int do_attach(libxl_ctx *ctx, void *opaque);
int do_detach(libxl_ctx *ctx, void *opaque);
int do_detach_force(libxl_ctx *ctx, void *opaque);
/* What libxl_domain_destroy() does: the devices, and then the domain, which is
 * paused, or runs until then */
int do_destroy(libxl_ctx *ctx, void *opaque);
int do_destroy_running(libxl_ctx *ctx, void *opaque);
int do_assignable_add(libxl_ctx *ctx, void *opaque);
int do_assignable_remove(libxl_ctx *ctx, void *opaque);

/* The same, now.  request: a compound literal */
int now(int (*run)(libxl_ctx *ctx, void *opaque), request r);

/*
 * What has come of it
 */

/* Whether `xl pci-list' has it */
bool guest_lists(int domid, const char *sbdf);
/* Whether the guest's record has it, be it on its way to or from the guest */
bool guest_has(int domid, const char *sbdf);
/* How many devices it has */
int guest_devices(int domid);
bool is_assignable(const char *sbdf);
/* The number of the guest in all that says who has the device, -1 if none
 * does, or -2 if they do not agree: *why_r then says about what.
 * on_its_way: a command has been killed on its way. */
int whose(const char *sbdf, bool on_its_way, const char **why_r);

#endif /* GUEST_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
