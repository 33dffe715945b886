/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The client: making devices assignable, directly, with the real server, and
 * with an owner that does not do what it should.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include "server.h"

#define NIC  "0000:03:00.0" /* has its driver, e1000 */
#define FREE "0000:03:00.1" /* has none */
#define BACK "0000:04:1f.7" /* has been given to pciback */
#define NONE "0000:05:00.0" /* is not there */

/* Where domain 0 finds the channels of domain 3 */
#define DIR "/local/domain/3/data/pcid/0"

#define NIC_PATH  "/libxl/pci/0000-03-00-0"
#define FREE_PATH "/libxl/pci/0000-03-00-1"

static libxl_ctx *ctx;
static test_server server;
static int owner; /* -1: none is designated */
static int64_t elapsed; /* virtual time that the last call took, in ms */

static void domains(int the_owner)
{
    world_reset();
    store_add_domain(3);
    store_add_domain(5);
    store_put("/libxl", "");
    sysfs_add_device(NIC, "e1000", "e1000");
    sysfs_add_device(FREE, "e1000", NULL);
    sysfs_add_device(BACK, "nvme", "pciback");
    ctx = world_ctx(0);
    owner = the_owner;
    if (owner > 0) {
        char text[16];

        sprintf(text, "%d", owner);
        store_put(PCID_XS_OWNER, text);
    }
}

/* The topologies: direct, loopback, and another domain that is the owner */
static void start(int the_owner)
{
    domains(the_owner);
    if (owner >= 0 && server_start(&server, owner, NULL, 0)) {
        printf("Bail out! the server does not start\n%s", world_log());
        exit(1);
    }
    world_log_clear();
}

static void end(void)
{
    world_ctx_free(ctx);
    if (server.ctx) server_stop(&server);
    world_reset();
}

/* As if the channel made in advance had just been taken */
static void no_spare(void)
{
    world_settle();
    store_put(DIR, "");
}

static const char *where(void)
{
    return owner < 0 ? "direct" : owner ? "remote" : "loopback";
}

static int list(libxl_device_pci **pcis, int *num)
{
    int64_t since = world_ms();
    int rc;

    *pcis = NULL;
    *num = 0;
    world_call(ctx);
    rc = libxl_pci_assignable_get(ctx, pcis, num, NULL);
    world_return();
    elapsed = world_ms() - since;
    return rc;
}

static int list_count(int *rc_r)
{
    libxl_device_pci *pcis;
    int num;

    *rc_r = list(&pcis, &num);
    libxl_device_pci_assignable_list_free(pcis, num);
    return num;
}

static void pci_set(libxl_device_pci *pci, const char *sbdf,
                    const char *name)
{
    libxl__pci_sbdf s;

    libxl__pci_sbdf_parse(sbdf, &s);
    libxl_device_pci_init(pci);
    pci->domain = s.domain;
    pci->bus = s.bus;
    pci->dev = s.dev;
    pci->func = s.func;
    if (name) pci->name = strdup(name);
}

static int add(const char *sbdf, const char *name, bool rebind)
{
    int64_t since = world_ms();
    libxl_device_pci pci;
    int rc;

    pci_set(&pci, sbdf, name);
    world_call(ctx);
    rc = libxl_device_pci_assignable_add(ctx, &pci, rebind);
    world_return();
    libxl_device_pci_dispose(&pci);
    elapsed = world_ms() - since;
    return rc;
}

static int del(const char *sbdf, const char *name, bool rebind)
{
    int64_t since = world_ms();
    libxl_device_pci pci;
    int rc;

    pci_set(&pci, sbdf, name);
    world_call(ctx);
    rc = libxl_device_pci_assignable_remove(ctx, &pci, rebind);
    world_return();
    libxl_device_pci_dispose(&pci);
    elapsed = world_ms() - since;
    return rc;
}

/*
 * With the real server, or without: each of these for each topology
 */

static void lists(void)
{
    libxl_device_pci *pcis;
    int num, rc;

    is_int(list(&pcis, &num), 0, "%s: list", where());
    if (is_int(num, 1, "%s: one device", where()))
        ok(pcis[0].domain == 0 && pcis[0].bus == 4 && pcis[0].dev == 0x1f &&
           pcis[0].func == 7 && !pcis[0].name, "%s: the right one", where());
    libxl_device_pci_assignable_list_free(pcis, num);

    store_put("/libxl/pci/0000-04-1f-7/name", "disk");
    list(&pcis, &num);
    is_str(num ? pcis[0].name : "", "disk", "%s: with its name", where());
    libxl_device_pci_assignable_list_free(pcis, num);

    store_put("/libxl/pci/0000-04-1f-7/domid", "7");
    is_int(list_count(&rc), 1, "%s: if no guest that exists has it",
           where());
    store_put("/libxl/7/device/pci/0/dev-0",
              "{\"sbdf\": \"0000:04:1f.7\", \"progress\": \"attached\","
              " \"owner\": 0, \"exported\": true, \"vdevfn\": 0,"
              " \"vfunc_mask\": 1, \"msitranslate\": false,"
              " \"power_mgmt\": false, \"permissive\": false,"
              " \"seize\": false, \"rdm_policy\": \"strict\"}");
    xc_domains |= 1ULL << 7;
    is_int(list_count(&rc), 0, "%s: not if it is in use", where());
    is_int(rc, 0, "%s: which is no error", where());

    world_call(ctx);
    pcis = libxl_device_pci_assignable_list(ctx, &num);
    world_return();
    is_int(num, 0, "%s: the older function, too", where());
    libxl_device_pci_assignable_list_free(pcis, num);
    xc_domains &= ~(1ULL << 7);
}

static void adds_and_removes(void)
{
    is_int(add(NIC, "net", true), 0, "%s: add", where());
    is_str(sysfs_driver(NIC), "pciback", "%s: is with pciback", where());
    is_str(store_get(NIC_PATH "/driver_path"),
           "/sys/bus/pci/drivers/e1000", "%s: driver remembered", where());
    is_str(store_get(NIC_PATH "/name"), "net", "%s: name", where());
    is_str(xc_log, "assign " NIC " 0x7ff1\n", "%s: quarantined", where());
    xc_log[0] = '\0';

    is_int(add(NIC, "net2", true), 0, "%s: add twice", where());
    has_str(world_log(), "0000:03:00.0 already assigned to pciback",
            "%s: says so", where());
    is_str(store_get(NIC_PATH "/name"), "net2", "%s: new name", where());
    xc_log[0] = '\0';

    is_int(del("0000:00:00.0", "net2", true), 0, "%s: remove by name",
           where());
    is_str(sysfs_driver(NIC), "e1000", "%s: has its driver again", where());
    is_str(xc_log, "deassign " NIC " 0x7ff1\n", "%s: out of quarantine",
           where());
    is_str(store_get(NIC_PATH "/driver_path"), NULL, "%s: forgotten",
           where());
    is_str(store_get(NIC_PATH "/name"), NULL, "%s: name, too", where());
    is_str(sysfs_slots(), BACK "\n", "%s: no slot is left", where());

    is_int(del(NIC, NULL, false), 0, "%s: remove twice", where());
    has_str(world_log(), "Not bound to pciback", "%s: says so", where());
    is_str(sysfs_driver(NIC), "e1000", "%s: nothing is changed", where());

    /* Of an earlier command */
    store_put(FREE_PATH "/driver_path", "/sys/bus/pci/drivers/e1000");
    store_put(FREE_PATH "/name", "old");
    is_int(add(FREE, NULL, false), 0, "%s: add without rebind", where());
    is_str(store_get(FREE_PATH "/driver_path"), NULL,
           "%s: nothing remembered", where());
    is_str(store_get(FREE_PATH "/name"), NULL, "%s: nor a name", where());
    is_int(del(FREE, NULL, true), 0, "%s: remove", where());
    is_str(sysfs_driver(FREE), "", "%s: no driver", where());
    has_str(world_log(), "not rebinding", "%s: says so", where());
}

static void errors(void)
{
    int rc;

    is_int(add(NONE, NULL, true), ERROR_FAIL, "%s: no device", where());
    has_str(world_log(), "Couldn't lstat /sys/bus/pci/devices/" NONE
            ": No such file or directory", "%s: as ever", where());
    is_int(add(NIC, "a b", true), ERROR_FAIL, "%s: bad name", where());
    is_str(xc_log, "", "%s: no hypercall", where());
    ok(del(NIC, "unknown", true) == ERROR_NOTFOUND, "%s: unknown name",
       where());

    fault_inject("assign", NIC, EPERM, 0, 1);
    is_int(add(NIC, NULL, true), ERROR_FAIL, "%s: no quarantine", where());
    has_str(world_log(), "failed to quarantine", "%s: says so", where());
    is_int(add(NIC, NULL, true), 0, "%s: again", where());
    is_str(store_get(NIC_PATH "/driver_path"),
           "/sys/bus/pci/drivers/e1000", "%s: driver still remembered",
           where());

    fault_inject("deassign", NIC, EPERM, 0, 1);
    is_int(del(NIC, NULL, true), ERROR_FAIL, "%s: stays in quarantine",
           where());
    is_str(sysfs_driver(NIC), "pciback", "%s: and with pciback", where());
    is_int(del(NIC, NULL, true), 0, "%s: again", where());
    is_str(sysfs_driver(NIC), "e1000", "%s: has its driver", where());

    sysfs_reset(false);
    is_int(list_count(&rc), 0, "%s: no pciback", where());
    is_int(rc, ERROR_FAIL, "%s: an error", where());
    has_str(world_log(), "Looks like pciback driver not loaded",
            "%s: as ever", where());
}

static void adds_half_way(void)
{
    fault_inject("write", "e1000/unbind", EBUSY, 0, 1);
    is_int(add(NIC, NULL, true), ERROR_FAIL, "%s: unbind fails", where());
    has_str(world_log(), "Couldn't unbind 0000:03:00.0 from driver",
            "%s: step", where());
    has_str(world_log(), "Device or resource busy", "%s: cause", where());
    is_str(store_get(NIC_PATH "/driver_path"), NULL,
           "%s: nothing remembered", where());

    fault_inject("write", "new_slot", EIO, 0, 1);
    is_int(add(NIC, NULL, true), ERROR_FAIL, "%s: slot fails", where());
    has_str(world_log(), "Couldn't bind device to pciback", "%s: step",
            where());
    is_str(sysfs_driver(NIC), "", "%s: has no driver now", where());
    is_str(store_get(NIC_PATH "/driver_path"),
           "/sys/bus/pci/drivers/e1000", "%s: which is remembered", where());
    is_str(xc_log, "", "%s: no hypercall", where());

    fault_inject("write", "pciback/bind", EIO, 0, 1);
    is_int(add(NIC, NULL, true), ERROR_FAIL, "%s: bind fails", where());
    is_int(add(NIC, NULL, true), 0, "%s: at last", where());
    is_int(del(NIC, NULL, true), 0, "%s: and back", where());
    is_str(sysfs_driver(NIC), "e1000", "%s: has its driver", where());
    is_str(sysfs_slots(), BACK "\n", "%s: no slot is left", where());
}

static void removes_half_way(void)
{
    add(NIC, "net", true);
    fault_inject("write", "pciback/unbind", EBUSY, 0, 1);
    xc_log[0] = '\0';
    if (owner >= 0) {
        is_int(del(NIC, NULL, true), ERROR_FAIL, "%s: unbind fails",
               where());
        is_str(xc_log, "deassign " NIC " 0x7ff1\nassign " NIC " 0x7ff1\n",
               "%s: quarantined again", where());
        is_str(sysfs_driver(NIC), "pciback", "%s: as it was", where());
        is_str(store_get(NIC_PATH "/name"), "net", "%s: its name, too",
               where());
    } else {
        fault_inject("write", "e1000/bind", EBUSY, 0, 1);
        ok(del(NIC, NULL, true), "%s: unbind fails", where());
    }
    has_str(world_log(), "Couldn't unbind device!", "%s: says so", where());
    is_int(del(NIC, NULL, true), 0, "%s: again", where());
    is_str(sysfs_driver(NIC), "e1000", "%s: has its driver", where());

    add(NIC, "net", true);
    fault_inject("write", "e1000/bind", EIO, 0, 1);
    is_int(del(NIC, NULL, true), ERROR_NONSPECIFIC, "%s: rebind fails",
           where());
    has_str(world_log(), "Couldn't bind device to /sys/bus/pci/drivers/e1000",
            "%s: says so", where());
    is_str(store_get(NIC_PATH "/driver_path"),
           "/sys/bus/pci/drivers/e1000", "%s: is still remembered", where());
    if (owner >= 0)
        is_int(del(NIC, NULL, true), 0, "%s: again", where());
}

static void each_topology(void (*test)(void))
{
    static const int owners[] = { -1, 0, 3 };
    int i;

    for (i = 0; i < ARRAY_SIZE(owners); i++) {
        start(owners[i]);
        test();
        if (owner == 3)
            is_int(sysfs_accesses(0), 0, "remote: no file of this domain's"
                   " has been looked at");
        end();
    }
}

/*
 * Connections
 */

static void one_connection_for_many(void)
{
    int i, rc, bad = 0;

    start(3);
    for (i = 0; i < 20; i++)
        bad += list_count(&rc) != 1;
    is_int(bad, 0, "all right");
    world_run(NULL, NULL, 1000);
    is_int(evtchn_count(), 2 + 1,
           "one channel, which has two ends, and a spare one");
    is_str(store_child(DIR, 1), NULL, "and no node but that of the spare");
    is_int(store_watches(), 1, "no watch but the server's");
    world_ctx_free(ctx);
    world_settle();
    is_int(evtchn_count(), 1, "gone with the ctx");
    ctx = world_ctx(0);
    end();
}

static void takes_the_spare(void)
{
    int rc;

    start(3);
    world_settle();
    fault_inject("xs_write", DIR "/", EACCES, 0, 1000000);
    fault_inject("xs_watch", DIR "/", EACCES, 0, 1000000);
    is_int(list_count(&rc), 1, "without asking");
    is_int(add(NIC, NULL, true), 0, "one that changes something");
    end();
}

/* What the directory names is not there, or is no name. */
static void no_such_spare(void)
{
    static const char *const names[] = {
        "@77", "a/b", "../0/x", "/x", "1234567890123", "\n", "x y",
        "1234567890123456789012345678901234567890",
    };
    raw_peer trap;
    int i, rc;

    for (i = 0; i < ARRAY_SIZE(names); i++) {
        start(3);
        no_spare();
        store_put(DIR, names[i]);
        is_int(list_count(&rc), 1, "\"%s\": another is asked for",
               names[i]);
        is_str(world_log(), "", "without a word");
        end();
    }

    start(3);
    no_spare();
    store_put(DIR, "a/b");
    raw_listen(&trap, 3, 0, DIR "/a/b");
    is_int(list_count(&rc), 1, "a channel elsewhere: another is asked for");
    is_int(libxenvchan_is_open(trap.ctrl), 2, "that one is left alone");
    raw_close(&trap);
    end();
}

/* Two clients know of the same. */
static void spare_is_taken_by_another(void)
{
    raw_peer peer = { 0 };
    int rc;

    start(3);
    world_settle();
    snprintf(peer.path, sizeof(peer.path), DIR "/%s", store_get(DIR));
    ok(raw_open(&peer, 3), "another client is quicker");
    is_int(list_count(&rc), 1, "we get one all the same");
    is_str(world_log(), "", "without a word");
    raw_close(&peer);
    end();
}

/* The name of the channel that is being asked for, or NULL */
static const char *asked(void)
{
    const char *name;
    char path[64];
    int i;

    for (i = 0; (name = store_child(DIR, i)); i++) {
        snprintf(path, sizeof(path), DIR "/%s", name);
        if (!strcmp(store_get(path), PCID_XS_REQUESTED)) break;
    }
    return name;
}

static int many_rc[16], many_done;

static void many_ended(libxl_ctx *c, int rc, void *for_callback)
{
    many_rc[(intptr_t)for_callback] = rc;
    many_done++;
}

/* Begins a list; many_rc[0] says how it ended. */
static void list_begin(libxl_device_pci **pcis, int *num)
{
    libxl_asyncop_how how = { .callback = many_ended };

    many_rc[0] = ERROR_NOT_READY;
    *pcis = NULL;
    *num = 0;
    world_call(ctx);
    libxl_pci_assignable_get(ctx, pcis, num, &how);
    world_return();
    world_settle();
}

static bool all_done(void *opaque)
{
    return many_done == 16;
}

/* One that has used it is gone, but the server has not noticed yet. */
static void spare_is_used(void)
{
    raw_peer peer = { 0 };
    libxl_device_pci *pcis;
    int num;

    start(3);
    world_settle();
    snprintf(peer.path, sizeof(peer.path), DIR "/%s", store_get(DIR));
    world_stop(server.ctx, true);
    ok(raw_open(&peer, 3), "another client was quicker");
    raw_send(&peer, "{\"execute\":\"ls\",\"id\":0,\"arguments\":"
             "{\"dir_id\":\"pci_devices\"}}");
    raw_kill(&peer);
    list_begin(&pcis, &num);
    ok(asked(), "another channel is asked for");
    world_stop(server.ctx, false);
    world_settle();
    is_int(many_rc[0], 0, "which is offered");
    is_int(num, 1, "the answer is that to our own question");
    is_str(world_log(), "", "without a word");
    libxl_device_pci_assignable_list_free(pcis, num);
    end();
}

static void many_at_once(void)
{
    libxl_device_pci *pcis[16];
    int i, num[16], good = 0;

    start(3);
    many_done = 0;
    for (i = 0; i < 16; i++) {
        libxl_asyncop_how how = { .callback = many_ended };

        how.u.for_callback = (void *)(intptr_t)i;
        world_call(ctx);
        libxl_pci_assignable_get(ctx, &pcis[i], &num[i], &how);
        world_return();
    }
    world_run(all_done, NULL, 0);
    for (i = 0; i < 16; i++) {
        good += !many_rc[i] && num[i] == 1;
        libxl_device_pci_assignable_list_free(pcis[i], num[i]);
    }
    is_int(good, 16, "sixteen lists in one ctx");
    end();
}

static void many_ctxs(void)
{
    libxl_ctx *others[16];
    int i, rc, good = 0;

    start(3);
    for (i = 0; i < 16; i++) {
        others[i] = ctx;
        ctx = world_ctx(0);
        good += list_count(&rc) == 1;
    }
    is_int(good, 16, "sixteen ctxs, each with its connection");
    world_run(NULL, NULL, 1000);
    is_int(evtchn_count(), 16 * 2 + 1, "at the same time, and a spare one");
    for (i = 15; i >= 0; i--) {
        world_ctx_free(ctx);
        ctx = others[i];
    }
    end();
}

static void server_restarts(void)
{
    int rc;

    start(3);
    list_count(&rc);
    server_stop(&server);
    is_int(server_start(&server, 3, NULL, 0), 0, "restarted");
    is_int(list_count(&rc), 1, "a read works at once");
    server_stop(&server);
    server_start(&server, 3, NULL, 0);
    is_int(add(NIC, NULL, true), 0, "a change, too");

    /* As above, but the client has had no chance to notice */
    world_stop(ctx, true);
    server_stop(&server);
    server_start(&server, 3, NULL, 0);
    world_stop(ctx, false);
    is_int(list_count(&rc), 2, "unnoticed: a read works at once");
    is_int(rc, 0, "and is no error");
    world_stop(ctx, true);
    server_stop(&server);
    server_start(&server, 3, NULL, 0);
    world_stop(ctx, false);
    is_int(del(NIC, NULL, true), 0, "unnoticed: a change, too");
    end();
}

/* The server starts anew between the question and its answer. */
static void server_wipes_the_question(void)
{
    libxl_device_pci *pcis;
    char path[64];
    int num;

    start(3);
    no_spare();
    world_stop(server.ctx, true);
    list_begin(&pcis, &num);
    if (ok(asked(), "a question is there")) {
        snprintf(path, sizeof(path), DIR "/%s", asked());
        store_rm(path);
    }
    world_settle();
    ok(asked(), "it is asked again");
    world_stop(server.ctx, false);
    world_settle();
    is_int(many_rc[0], 0, "and answered");
    is_int(num, 1, "right");
    libxl_device_pci_assignable_list_free(pcis, num);

    /* Or it does not start again. */
    world_ctx_free(ctx);
    ctx = world_ctx(0);
    no_spare();
    world_stop(server.ctx, true);
    list_begin(&pcis, &num);
    store_rm("/local/domain/3/data/pcid");
    world_settle();
    is_int(many_rc[0], ERROR_PCI_OWNER_UNREACHABLE, "nobody to be asked");
    has_str(world_log(), "domain 3, which is designated", "says so");
    libxl_device_pci_assignable_list_free(pcis, num);
    world_stop(server.ctx, false);
    end();
}

static void not_running(void)
{
    int rc;

    domains(3);
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "an error");
    is_int(elapsed, 0, "at once");
    has_str(world_log(), "domain 3, which is designated",
            "it names the domain");
    has_str(world_log(), "start it, or correct the designation",
            "and what to do");
    is_int(sysfs_accesses(0), 0, "no other device is looked at instead");
    is_int(add(NIC, NULL, true), ERROR_PCI_OWNER_UNREACHABLE, "add");
    is_int(del(BACK, NULL, true), ERROR_PCI_OWNER_UNREACHABLE, "remove");
    is_str(xc_log, "", "no hypercall");
    is_str(store_child("/libxl/pci", 1), NULL, "nothing is remembered");
    is_int(sysfs_accesses(0), 0, "still not");
    end();
}

static void not_running_in_domain_0(void)
{
    int rc;

    domains(-1);
    store_put(PCID_XS_OWNER, "0");
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "an error");
    has_str(world_log(), "domain 0, which is designated",
            "it names the domain");
    is_int(sysfs_accesses(0), 0, "our own devices are not looked at");
    end();
}

static void domain_is_gone(void)
{
    int rc;

    domains(3);
    store_remove_domain(3);
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "an error");
    has_str(world_log(), "domain 3", "it names the domain");
    is_int(sysfs_accesses(0), 0, "no other device is looked at instead");
    end();
}

static void pretender(void)
{
    int rc;

    start(3);
    store_put("/local/domain/5/data/pcid", "");
    store_put("/local/domain/5/data/pcid/0", "");
    store_put("/local/domain/5/data/pcid/domid", "5");
    is_int(list_count(&rc), 1, "is not asked");
    is_str(store_child("/local/domain/5/data/pcid", 2), NULL,
           "nothing was written there");
    end();

    domains(-1);
    store_put("/local/domain/5/data/pcid", "");
    list_count(&rc);
    is_int(rc, 0, "nor if none is designated");
    ok(sysfs_accesses(0) > 0, "then the devices are ours");
    end();
}

static void designation_is_rubbish(void)
{
    static const char *const t[] = { "", "x", "-1", "3 ", "40000" };
    int i, rc;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        domains(-1);
        store_put(PCID_XS_OWNER, t[i]);
        list_count(&rc);
        is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "\"%s\"", t[i]);
        has_str(world_log(), "xl pci-owner", "it says what to do");
        is_int(sysfs_accesses(0), 0, "nothing is done instead");
        end();
    }
}

static void owner_set_and_clear(void)
{
    libxl_domid got;

    domains(-1);
    xc_domains |= 1 << 3;
    world_call(ctx);
    is_int(libxl_pci_owner_get(ctx, &got), 0, "get");
    ok(got == INVALID_DOMID, "none");
    is_int(libxl_pci_owner_set(ctx, 3), 0, "set");
    libxl_pci_owner_get(ctx, &got);
    is_int(got, 3, "is set");
    is_int(libxl_pci_owner_set(ctx, 9), ERROR_DOMAIN_NOTFOUND,
           "a domain that does not exist");
    has_str(world_log(), "there is no such domain", "it says so");
    libxl_pci_owner_get(ctx, &got);
    is_int(got, 3, "changes nothing");
    world_log_clear();
    fault_inject("getinfolist", "", EPERM, 0, 1);
    is_int(libxl_pci_owner_set(ctx, 3), ERROR_FAIL,
           "the hypervisor does not say whether it exists");
    has_str(world_log(), "does not tell whether it exists", "it says that");
    ok(!strstr(world_log(), "no such domain"), "and nothing else");
    is_int(libxl_pci_owner_set(ctx, 0), ERROR_INVAL, "its own domain");
    has_str(world_log(), "xl pcid does not run in it", "it says why not");
    store_put("/local/domain/0/data/pcid", "");
    is_int(libxl_pci_owner_set(ctx, 0), 0, "which is served: replace");
    is_int(libxl_pci_owner_clear(ctx), 0, "clear");
    libxl_pci_owner_get(ctx, &got);
    ok(got == INVALID_DOMID, "none again");
    is_int(libxl_pci_owner_clear(ctx), 0, "clear twice");
    store_put(PCID_XS_OWNER, "rubbish");
    ok(libxl_pci_owner_get(ctx, &got), "rubbish is an error");
    is_int(libxl_pci_owner_set(ctx, 3), 0, "which can be replaced");
    world_return();
    end();

    domains(-1);
    ctx = world_ctx(5);
    world_call(ctx);
    is_int(libxl_pci_owner_get(ctx, &got), 0, "from another domain");
    ok(got == INVALID_DOMID, "it cannot be seen");
    ok(libxl_pci_owner_set(ctx, 5), "nor set");
    world_return();
    end();
}

/* Whether a domain that is being built could be designated */
static void owner_vacant(void)
{
    libxl_domid other;

    domains(-1);
    world_call(ctx);
    {
        GC_INIT(ctx);

        is_int(libxl__pci_owner_vacant(gc, &other), 0, "none is designated");
        store_put(PCID_XS_OWNER, "9");
        is_int(libxl__pci_owner_vacant(gc, &other), 0,
               "one that does not exist");
        store_put(PCID_XS_OWNER, "3");
        is_int(libxl__pci_owner_vacant(gc, &other), ERROR_DEVICE_EXISTS,
               "one that does");
        is_int(other, 3, "it is told");
        store_put(PCID_XS_OWNER, "rubbish");
        is_int(libxl__pci_owner_vacant(gc, &other), ERROR_INVAL, "rubbish");
        GC_FREE;
    }
    world_return();
    end();
}

static void stopped_before(void)
{
    int rc;

    start(3);
    world_stop(server.ctx, true);
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "list");
    ok(elapsed <= 10000, "within 10 s: %d ms", (int)elapsed);
    has_str(world_log(), "xl pcid in domain 3 did not answer", "says which");
    world_log_clear();
    is_int(add(NIC, NULL, true), ERROR_PCI_OWNER_UNREACHABLE, "add");
    ok(elapsed <= 10000, "within 10 s: %d ms", (int)elapsed);
    has_str(world_log(), "stopped or paused", "says what to check");
    is_int(del(BACK, NULL, true), ERROR_PCI_OWNER_UNREACHABLE, "remove");
    ok(elapsed <= 10000, "within 10 s: %d ms", (int)elapsed);
    is_str(xc_log, "", "no hypercall");

    world_stop(server.ctx, false);
    is_int(list_count(&rc), 1, "when it goes on, it serves");
    is_str(sysfs_driver(NIC), "e1000", "and nothing was done late");
    end();
}

static void stopped_while_connected(void)
{
    int rc;

    start(3);
    list_count(&rc);
    world_stop(server.ctx, true);
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "list");
    ok(elapsed <= 10000, "within 10 s: %d ms", (int)elapsed);
    has_str(world_log(), "xl pcid in domain 3 has sent nothing for",
            "says which");
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "again");
    ok(elapsed <= 10000, "within 10 s: %d ms", (int)elapsed);
    world_stop(server.ctx, false);
    is_int(list_count(&rc), 1, "when it goes on, it serves");
    end();
}

static void slow_device(void)
{
    int rc;

    start(3);
    fault_inject("write", "e1000/unbind", FAULT_BLOCK, 0, 1);
    /* Nothing releases it: the operation has a bound of its own. */
    rc = add(NIC, NULL, true);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "one that never comes back");
    ok(elapsed > PCID_OPERATION_MS && elapsed <= PCID_OPERATION_MS + 5000,
       "is waited for as long as the daemon lives: %d ms", (int)elapsed);
    has_str(world_log(), "assign 0000:03:00.0 did not finish",
            "says which device");
    is_int(list_count(&rc), 1, "others are served");
    is_int(elapsed, 0, "without delay");
    faults_clear();
    end();
}

static struct {
    int fault;
    int64_t until;
} later;

static bool release_later(void *opaque)
{
    if (later.fault < 0 || world_ms() < later.until) return false;
    fault_release(later.fault);
    later.fault = -1;
    return true;
}

static void slow_reset(void)
{
    start(3);
    later.fault = fault_inject("write", "e1000/unbind", FAULT_BLOCK, 0, 1);
    later.until = world_ms() + 20000;
    world_set_step(release_later, NULL);
    is_int(add(NIC, NULL, true), 0, "20 s are no error");
    ok(elapsed >= 20000, "it did take that long: %d ms", (int)elapsed);
    world_set_step(NULL, NULL);
    end();
}

static void client_domain_is_not_allowed(void)
{
    static const libxl_domid clients[] = { 5 };
    int rc;

    domains(3);
    server_start(&server, 3, clients, 1);
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "an error");
    is_int(elapsed, 0, "at once");
    has_str(world_log(), "[0] error: ", "in the client's log");
    has_str(world_log(), "xl pcid in domain 3 refuses the connection: domain 0"
            " is not among", "with the reason");
    has_str(world_log(), "[3] warning: domain 0, ", "and in the server's");
    end();
}

static void xenstore_says_no(void)
{
    int rc;

    start(3);
    no_spare();
    fault_inject("xs_write", "/data/pcid/0/", ENOSPC, 0, 1);
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "quota");
    has_str(world_log(), "No space left", "with the cause");
    no_spare();
    fault_inject("xenevtchn_bind_interdomain", "", ENOSPC, 0, 1);
    list_count(&rc);
    ok(rc, "no event channel to be had");
    has_str(world_log(), "cannot connect to the channel of domain 3",
            "says so");
    no_spare();
    fault_inject("xengnttab_map", "", ENOMEM, 0, 1);
    list_count(&rc);
    ok(rc, "no page to be had");
    faults_clear();
    world_run(NULL, NULL, PCID_SILENCE_MS + 1000);
    is_int(evtchn_count(), 1, "nothing is left of these");
    is_int(list_count(&rc), 1, "the next works");
    end();
}

static void short_reads_and_writes(void)
{
    int rc;

    start(3);
    fault_inject("libxenvchan_read", "", FAULT_SHORT, 0, 1000000);
    fault_inject("libxenvchan_write", "", FAULT_SHORT, 0, 1000000);
    is_int(list_count(&rc), 1, "list");
    is_int(add(NIC, NULL, true), 0, "add");
    is_int(del(NIC, NULL, true), 0, "remove");
    end();
}

/*
 * An owner that does as the test says
 */

typedef struct evil evil;
struct evil {
    /* set by the test; NULL: as it should be */
    const char *answer; /* to a request for a channel; "": none */
    const char *greeting; /* "": none */
    /* Deals with a request: returns whether it did. */
    bool (*reply)(evil *e, const char *command, int64_t id);
    bool (*connected)(evil *e);
    /* results */
    int connections;
    char commands[1024]; /* that came, a word each */
    /* private */
    raw_peer peer;
    char *out;
    size_t out_used, out_done;
    bool closing, stalled;
};

static evil owner3;

static void evil_bytes(evil *e, const char *data, size_t len)
{
    e->out = realloc(e->out, e->out_used + len);
    memcpy(e->out + e->out_used, data, len);
    e->out_used += len;
}

static void evil_text(evil *e, const char *text)
{
    evil_bytes(e, text, strlen(text));
}

static void __attribute__((format(printf, 2, 3)))
evil_say(evil *e, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    evil_text(e, text);
    evil_text(e, "\r\n");
}

static void evil_hang_up(evil *e)
{
    raw_kill(&e->peer);
    free(e->out);
    e->out = NULL;
    e->out_used = e->out_done = 0;
    e->closing = false;
}

static bool evil_offer(evil *e)
{
    const char *name = asked();
    char path[64];

    if (!name) return false;
    snprintf(path, sizeof(path), DIR "/%s", name);
    if (e->answer) {
        if (!*e->answer) return false;
        store_put(path, e->answer);
        return true;
    }
    if (!raw_listen(&e->peer, 3, 0, path)) return false;
    store_put(path, PCID_XS_OFFERED);
    e->connections++;
    if (e->connected && e->connected(e))
        return true;
    evil_text(e, e->greeting ?:
              "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0},"
              "\"features\":[\"query\",\"assign\",\"unassign\","
              "\"lend\",\"take_back\"]}}\r\n");
    return true;
}

/* The rest of what query returns, for a device that is its only function */
#define QUERY_REST                                                      \
    ",\"vendor\":32902,\"device\":4110,\"class\":131072,"                \
    "\"functions\":[0],\"functions_assigned\":[]}"

/* What a good server would say */
static void evil_be_good(evil *e, const char *command, int64_t id)
{
    evil_say(e, "{\"return\":%s,\"id\":%"PRId64"}",
             !strcmp(command, "ls") ? "[\"" BACK "\"]" :
             !strcmp(command, "query") ?
             "{\"driver\":\"e1000\",\"assigned\":false,\"pciback\":true"
             QUERY_REST :
             !strcmp(command, "assign") ?
             "{\"driver\":\"e1000\",\"assigned\":false}" :
             !strcmp(command, "unassign") ? "true" : "{}", id);
}

static bool evil_step(void *opaque)
{
    evil *e = opaque;
    bool any = false;
    const char *text;
    char command[32];
    long long id;
    int r;

    if (!e->peer.ctrl) return evil_offer(e);

    while (e->out_done < e->out_used) {
        r = libxenvchan_write(e->peer.ctrl, e->out + e->out_done,
                              e->out_used - e->out_done);
        if (r <= 0) break;
        e->out_done += r;
        any = true;
    }
    if (e->closing && e->out_done == e->out_used) {
        evil_hang_up(e);
        return true;
    }
    while ((text = raw_poll(&e->peer))) {
        any = true;
        if (sscanf(text, "{\"execute\":\"%31[a-z_]\",\"id\":%lld,", command,
                   &id) != 2)
            continue;
        strcat(strcat(e->commands, command), " ");
        if (!e->reply || !e->reply(e, command, id))
            evil_be_good(e, command, id);
    }
    if (e->peer.ctrl && !raw_alive(&e->peer)) {
        evil_hang_up(e);
        return true;
    }
    return any;
}

static void evil_start(void)
{
    domains(3);
    store_put("/local/domain/3/data/pcid", "");
    store_put(DIR, "");
    memset(&owner3, 0, sizeof(owner3));
    world_set_step(evil_step, &owner3);
}

static void evil_end(void)
{
    world_set_step(NULL, NULL);
    world_ctx_free(ctx);
    if (owner3.peer.ctrl) evil_hang_up(&owner3);
    world_reset();
}

static void a_good_one(void)
{
    int rc;

    evil_start();
    is_int(list_count(&rc), 1, "the stand-in is understood");
    is_int(add(NIC, NULL, true), 0, "also for more");
    is_str(owner3.commands, "ls query assign ", "what was asked of it");
    evil_end();
}

static void channel_answers(void)
{
    static const struct {
        const char *answer, *log;
    } t[] = {
        { "", "did not answer within" },
        { "refused: go away", "refuses the connection: go away" },
        { "refused: \033[2Jx\n", "connection: ?[2Jx?\n" },
        { "refused: ", "refuses the connection" },
        { "offered ", "invalid answer" },
        { "OFFERED", "invalid answer" },
        { "\001\002\003", "invalid answer" },
        { "offered", "cannot connect to the channel" },
    };
    int i, rc;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        evil_start();
        owner3.answer = t[i].answer;
        list_count(&rc);
        ok(rc == ERROR_PCI_OWNER_UNREACHABLE, "\"%s\": rc %d", t[i].answer,
           rc);
        ok(elapsed <= 10000, "in time: %d ms", (int)elapsed);
        has_str(world_log(), "domain 3", "it names the domain");
        has_str(world_log(), t[i].log, "it says why");
        is_int(sysfs_accesses(0), 0, "nothing is done instead");
        is_str(store_child(DIR, 0), NULL,
               "its node is gone");
        evil_end();
    }
}

static void greetings(void)
{
#define VERSION(major, minor) \
    "{\"pcid\":{\"version\":{\"major\":" major ",\"minor\":" minor "}," \
    "\"features\":[]}}\r\n"
    static const struct {
        const char *greeting, *log;
        bool good;
    } t[] = {
        { "", "did not answer within" },
        { "{\"pcid\":{\"ver", "did not answer within" },
        { VERSION("2", "0"), "speaks version 2.0" },
        { VERSION("0", "9"), "speaks version 0.9" },
        { VERSION("2147483647", "0"), "speaks version" },
        { VERSION("-1", "0"), "invalid greeting" },
        { VERSION("\"1\"", "0"), "invalid greeting" },
        { VERSION("4294967297", "0"), "invalid greeting" },
        { VERSION("1", "0") VERSION("1", "0"), "unexpected message" },
        { VERSION("1", "99"), NULL, true },
        { "{\"pcid\":{}}\r\n", "invalid greeting" },
        { "{\"return\":[],\"id\":0}\r\n", "unexpected message" },
        { "{\"error\":{\"class\":\"x\",\"desc\":\"y\"}}\r\n",
          "unexpected message" },
        { "{\"progress\":{},\"id\":0}\r\n", "unexpected message" },
        { "{}\r\n", "invalid" },
        { "\r\n", "invalid message: " },
        { "rubbish\r\n", "invalid message: " },
        { "[]\r\n", "invalid message: " },
        { "{\"a\":[[[[[[[[[1]]]]]]]]]}\r\n", "nested too deep" },
    };
#undef VERSION
    int i, rc, num;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        evil_start();
        owner3.greeting = t[i].greeting;
        num = list_count(&rc);
        if (t[i].good) {
            is_int(num, 1, "%s", t[i].greeting);
        } else {
            ok(rc, "%s", t[i].greeting);
            ok(elapsed <= 10000, "in time: %d ms", (int)elapsed);
            has_str(world_log(), "domain 3", "it names the domain");
            has_str(world_log(), t[i].log, "it says why");
            is_int(owner3.connections, 1, "it does not try again");
        }
        evil_end();
    }
}

static const char *evil_reply_format;

static bool reply_with_format(evil *e, const char *command, int64_t id)
{
    const char *p;
    char text[32];

    for (p = evil_reply_format; *p; p++) {
        if (*p == '%') {
            sprintf(text, "%"PRId64, id);
            evil_text(e, text);
        } else {
            evil_bytes(e, p, 1);
        }
    }
    return true;
}

static void replies(void)
{
    static const struct {
        const char *what, *format; /* % stands for the id */
        const char *log; /* NULL: the right reply comes too, and counts */
    } t[] = {
        { "none", "", "has sent nothing for" },
        { "half a reply", "{\"return\":[", "has sent nothing for" },
        { "no end", "{\"return\":[],\"id\":%}", "has sent nothing for" },
        { "half an end", "{\"return\":[],\"id\":%}\r", "has sent nothing for" },
        { "not JSON", "{\"return\":[],\"id\":%\r\n", "invalid message: " },
        { "rubbish", "\xff\xfe\x01rubbish\r\n", "invalid message: " },
        { "an array", "[]\r\n", "invalid message: " },
        { "two in one", "{\"return\":[],\"id\":%}{}\r\n", "invalid message: " },
        { "nested too deep", "{\"return\":[[[[[[[[[]]]]]]]]],\"id\":%}\r\n",
          "nested too deep" },
        { "nothing in it", "{}\r\n", "invalid" },
        { "no id", "{\"return\":[]}\r\n", "invalid" },
        { "negative id", "{\"return\":[],\"id\":-1}\r\n", "invalid" },
        { "id as a string", "{\"return\":[],\"id\":\"%\"}\r\n", "invalid" },
        { "id as a float", "{\"return\":[],\"id\":%.0}\r\n", "invalid" },
        { "id twice", "{\"return\":[],\"id\":%,\"id\":%}\r\n", "invalid" },
        { "an id not yet used", "{\"return\":[],\"id\":1%}\r\n",
          "unexpected message" },
        { "a huge id", "{\"return\":[],\"id\":9223372036854775807}\r\n",
          "unexpected message" },
        { "progress of an id not yet used",
          "{\"progress\":{},\"id\":1%}\r\n", "unexpected message" },
        { "a greeting", "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0},"
          "\"features\":[]}}\r\n", "unexpected message" },
        { "a request",
          "{\"execute\":\"ls\",\"id\":%,\"arguments\":{}}\r\n", "invalid" },
        { "return and error", "{\"return\":[],\"error\":{},\"id\":%}\r\n",
          "invalid" },
        { "an error without id",
          "{\"error\":{\"class\":\"BadMessage\",\"desc\":\"bad\"}}\r\n",
          "could not read a request: bad" },
        { "an empty error without id", "{\"error\":{}}\r\n",
          "could not read a request: no reason" },
        { "an empty error", "{\"error\":{},\"id\":%}\r\n",
          "invalid reply" },
        { "return is an object", "{\"return\":{},\"id\":%}\r\n",
          "invalid reply" },
        { "return is null", "{\"return\":null,\"id\":%}\r\n",
          "invalid reply" },
        { "return is a string", "{\"return\":\"" BACK "\",\"id\":%}\r\n",
          "invalid reply" },
        { "a device that is none", "{\"return\":[\"0000:00:00.9\"],"
          "\"id\":%}\r\n", "invalid reply" },
        { "a path", "{\"return\":[\"../../etc\"],\"id\":%}\r\n",
          "invalid reply" },
        { "devices as numbers", "{\"return\":[1,2],\"id\":%}\r\n",
          "invalid reply" },
        { "twice the reply", "{\"return\":[\"" BACK "\"],\"id\":%}\r\n"
          "{\"return\":[],\"id\":%}\r\n", NULL },
        { "progress first", "{\"progress\":{},\"id\":%}\r\n"
          "{\"return\":[\"" BACK "\"],\"id\":%}\r\n", NULL },
        { "members in another order", "{\"id\":%,\"return\":[\"" BACK
          "\"]}\r\n", NULL },
        { "white space", "  {  \"return\" : [ \"" BACK "\" ] ,\"id\": %"
          " } \r\n", NULL },
    };
    int i, rc, num;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        evil_start();
        if (!strcmp(t[i].what, "id twice") && !json_tells_doubles(ctx))
            continue;
        owner3.reply = reply_with_format;
        evil_reply_format = t[i].format;
        num = list_count(&rc);
        if (t[i].log) {
            is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "%s", t[i].what);
            has_str(world_log(), "domain 3", "%s: names the domain",
                    t[i].what);
            has_str(world_log(), t[i].log, "%s: says why", t[i].what);
            ok(elapsed <= 10000, "%s: in time: %d ms", t[i].what,
               (int)elapsed);
            is_str(owner3.commands, "ls ", "%s: asked once", t[i].what);
        } else {
            ok(!rc && num == 1, "%s: is right", t[i].what);
        }
        /* The next one must not suffer from it. */
        owner3.reply = NULL;
        is_int(list_count(&rc), 1, "%s: and then a right one", t[i].what);
        evil_end();
    }
}

static void reply_is_huge(void)
{
    static char filler[64 * 1024];
    int rc, i;

    memset(filler, ' ', sizeof(filler));
    evil_start();
    for (i = 0; i < PCID_REPLY_MAX / sizeof(filler) + 2; i++)
        evil_bytes(&owner3, filler, sizeof(filler));
    owner3.greeting = "";
    list_count(&rc);
    ok(rc, "is refused");
    has_str(world_log(), "too long", "says why");
    ok(owner3.out_done < PCID_REPLY_MAX + 64 * 1024,
       "and not read to its end");
    evil_end();
}

static bool hang_up_at_once(evil *e, const char *command, int64_t id)
{
    evil_hang_up(e);
    return true;
}

static bool half_and_hang_up(evil *e, const char *command, int64_t id)
{
    evil_text(e, "{\"return\":");
    e->closing = true;
    return true;
}

static bool hang_up_once(evil *e, const char *command, int64_t id)
{
    if (e->connections > 1) return false;
    evil_hang_up(e);
    return true;
}

static bool hang_up_at_assign(evil *e, const char *command, int64_t id)
{
    if (strcmp(command, "assign") && strcmp(command, "unassign") &&
        strcmp(command, "write"))
        return false;
    evil_hang_up(e);
    return true;
}

static bool hang_up_connected(evil *e)
{
    evil_hang_up(e);
    return true;
}

static void owner_hangs_up(void)
{
    int rc;

    evil_start();
    owner3.reply = hang_up_once;
    is_int(list_count(&rc), 1, "a read is sent once more");
    is_str(owner3.commands, "ls ls ", "as one can see");
    is_int(owner3.connections, 2, "on a new connection");
    evil_end();

    evil_start();
    owner3.reply = hang_up_at_once;
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "but only once");
    is_str(owner3.commands, "ls ls ", "as one can see");
    has_str(world_log(), "lost the connection to xl pcid in domain 3",
            "says so");
    ok(elapsed <= 10000, "in time: %d ms", (int)elapsed);
    evil_end();

    evil_start();
    owner3.reply = half_and_hang_up;
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "in the middle of a reply");
    evil_end();

    evil_start();
    owner3.connected = hang_up_connected;
    list_count(&rc);
    ok(rc, "before the greeting");
    ok(elapsed <= 10000, "in time: %d ms", (int)elapsed);
    ok(owner3.connections <= 2, "%d connections", owner3.connections);
    evil_end();
}

static void no_change_is_sent_twice(void)
{
    evil_start();
    owner3.reply = hang_up_at_assign;
    is_int(add(NIC, NULL, true), ERROR_PCI_OWNER_UNREACHABLE, "assign");
    is_str(owner3.commands, "query assign ", "is sent once");
    has_str(world_log(), "domain 3 may have carried out assign",
            "says so");
    is_str(store_get(NIC_PATH "/driver_path"),
           "/sys/bus/pci/drivers/e1000", "the driver was remembered before");
    is_str(xc_log, "", "no hypercall");
    evil_end();

    evil_start();
    store_put(NIC_PATH "/driver_path", "/sys/bus/pci/drivers/e1000");
    owner3.reply = hang_up_at_assign;
    is_int(del(NIC, NULL, true), ERROR_PCI_OWNER_UNREACHABLE, "unassign");
    is_str(owner3.commands, "query unassign ", "is sent once");
    is_str(xc_log, "deassign " NIC " 0x7ff1\nassign " NIC " 0x7ff1\n",
           "the quarantine is restored");
    is_str(store_get(NIC_PATH "/driver_path"),
           "/sys/bus/pci/drivers/e1000", "the driver is not forgotten");
    evil_end();
}

static bool only_progress(evil *e, const char *command, int64_t id)
{
    evil_say(e, "{\"progress\":{},\"id\":%"PRId64"}", id);
    return true;
}

static bool silent_assign(evil *e, const char *command, int64_t id)
{
    return !strcmp(command, "assign");
}

static void silence(void)
{
    int rc;

    evil_start();
    owner3.reply = only_progress;
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "after a sign of life");
    ok(elapsed <= 10000, "in time: %d ms", (int)elapsed);
    evil_end();

    evil_start();
    owner3.reply = silent_assign;
    is_int(add(NIC, NULL, true), ERROR_PCI_OWNER_UNREACHABLE, "of assign");
    has_str(world_log(), "it may have been carried out",
            "says so");
    ok(elapsed <= 10000, "in time: %d ms", (int)elapsed);
    evil_end();
}

static bool sign_of_life_for_ever(evil *e, const char *command, int64_t id)
{
    return !strcmp(command, "assign");
}

static int64_t next_sign;

static bool evil_step_with_signs(void *opaque)
{
    evil *e = opaque;

    if (e->peer.ctrl && strstr(e->commands, "assign") &&
        world_ms() >= next_sign) {
        next_sign = world_ms() + 500;
        evil_say(e, "{\"progress\":{},\"id\":1}");
    }
    return evil_step(opaque);
}

static void progress_for_ever(void)
{
    libxl_ctx *clock;
    int rc;

    /* A read in another ctx makes the clock tick: nobody else waits. */
    evil_start();
    clock = world_ctx(5);
    world_set_step(evil_step_with_signs, &owner3);
    next_sign = 0;
    owner3.reply = sign_of_life_for_ever;
    rc = add(NIC, NULL, true);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "has an end");
    ok(elapsed <= PCID_OPERATION_MS + PCID_SILENCE_MS, "in time: %d ms",
       (int)elapsed);
    world_ctx_free(clock);
    evil_end();
}

static void features_missing(void)
{
    evil_start();
    owner3.greeting = "{\"pcid\":{\"version\":{\"major\":1,\"minor\":0},"
        "\"features\":[\"query\",\"later\"]}}\r\n";
    is_int(add(NIC, NULL, true), ERROR_PCI_OWNER_UNREACHABLE,
           "a command that the owner has not");
    has_str(world_log(), "domain 3 does not know the command assign",
            "says which");
    is_str(owner3.commands, "query ", "it is not sent");
    evil_end();
}

static const char *query_result;

static bool query_says(evil *e, const char *command, int64_t id)
{
    if (strcmp(command, "query")) return false;
    evil_say(e, "{\"return\":%s,\"id\":%"PRId64"}", query_result, id);
    return true;
}

static void lies_about_the_driver(void)
{
    static const char *const t[] = {
        "\"../../../etc\"", "\"a/b\"", "\"\"", "\".\"", "\"a\\nb\"", "7",
        "[]", "\"\\u00e9\"",
    };
    char text[256];
    int i;

    for (i = 0; i < ARRAY_SIZE(t); i++) {
        evil_start();
        snprintf(text, sizeof(text), "{\"driver\":%s,\"assigned\":false,"
                 "\"pciback\":true" QUERY_REST, t[i]);
        query_result = text;
        owner3.reply = query_says;
        is_int(add(NIC, NULL, true), ERROR_PCI_OWNER_UNREACHABLE, "%s",
               t[i]);
        is_str(store_get(NIC_PATH "/driver_path"), NULL,
               "%s: is not written to xenstore", t[i]);
        evil_end();
    }
}

static void no_pciback_there(void)
{
    evil_start();
    query_result = "{\"driver\":\"e1000\",\"assigned\":false,"
        "\"pciback\":false" QUERY_REST;
    owner3.reply = query_says;
    is_int(add(NIC, NULL, true), ERROR_FAIL, "fails");
    has_str(world_log(), "pciback driver is not loaded", "says why");
    is_str(owner3.commands, "query ", "nothing more is asked");
    evil_end();
}

static void error_text_of_the_owner(void)
{
    int rc;

    evil_start();
    owner3.reply = reply_with_format;
    evil_reply_format = "{\"error\":{\"class\":\"OperationFailed\","
        "\"errno\":\"EBUSY\",\"desc\":\"it is \\u001b[31m busy %s%n\\n\"},"
        "\"id\":%}\r\n";
    list_count(&rc);
    is_int(rc, ERROR_FAIL, "is an error of the operation");
    has_str(world_log(), "Domain 3:it is ?[31m busy ", "is logged, with the"
            " domain, and made fit for it");
    evil_end();
}

/* Another domain comes in the place of the one that was designated. */
static void designation_changes(void)
{
    int rc;

    start(3);
    is_int(list_count(&rc), 1, "the first");
    store_put(PCID_XS_OWNER, "5");
    list_count(&rc);
    is_int(rc, ERROR_PCI_OWNER_UNREACHABLE, "the second has no server");
    has_str(world_log(), "domain 5, which is designated", "says so");
    store_rm(PCID_XS_OWNER);
    is_int(list_count(&rc), 1, "none");
    ok(sysfs_accesses(0) > 0, "the devices are ours");
    store_put(PCID_XS_OWNER, "3");
    is_int(list_count(&rc), 1, "the first again");
    end();
}

int main(void)
{
    each_topology(lists);
    each_topology(adds_and_removes);
    each_topology(errors);
    each_topology(adds_half_way);
    each_topology(removes_half_way);
    one_connection_for_many();
    takes_the_spare();
    no_such_spare();
    spare_is_taken_by_another();
    spare_is_used();
    many_at_once();
    many_ctxs();
    server_restarts();
    server_wipes_the_question();
    not_running();
    not_running_in_domain_0();
    domain_is_gone();
    pretender();
    designation_is_rubbish();
    designation_changes();
    owner_set_and_clear();
    owner_vacant();
    stopped_before();
    stopped_while_connected();
    slow_device();
    slow_reset();
    client_domain_is_not_allowed();
    xenstore_says_no();
    short_reads_and_writes();
    a_good_one();
    channel_answers();
    greetings();
    replies();
    reply_is_huge();
    owner_hangs_up();
    no_change_is_sent_twice();
    silence();
    progress_for_ever();
    features_missing();
    lies_about_the_driver();
    no_pciback_there();
    error_text_of_the_owner();

    return tap_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
