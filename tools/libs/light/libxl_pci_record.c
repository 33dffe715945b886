/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which guest has which PCI device: see libxl_pci_record.h.
 *
 * An entry, as it stands in xenstore:
 *
 *   {"sbdf": "0000:03:00.0", "progress": "attached", "owner": 1,
 *    "exported": true, "vdevfn": 0, "vfunc_mask": 1, "msitranslate": false,
 *    "power_mgmt": false, "permissive": false, "seize": false,
 *    "rdm_policy": "strict", "name": "nic",
 *    "access": "{\"resources\": ...}"}
 *
 * name and access may be missing; access is in the form in which the owner
 * sends it.
 */

#include "libxl_osdeps.h" /* must come before any other headers */

#include <sys/file.h>

#include "libxl_internal.h"
#include "libxl_pcid.h"
#include "libxl_pci_record.h"

/* The longest wait for a guest's lock.  A command that waits in vain for a
 * guest and for an owner takes less. */
#define PCILOCK_MS 60000

static const char *const progress_names[] = {
    [LIBXL__PCI_ATTACHING] = "attaching",
    [LIBXL__PCI_ATTACHED]  = "attached",
    [LIBXL__PCI_DETACHING] = "detaching",
};

static char *record_path(libxl__gc *gc, libxl_domid domid)
{
    return libxl__domain_device_libxl_path(gc, domid, 0,
                                           LIBXL__DEVICE_KIND_PCI);
}

static char *entry_path(libxl__gc *gc, libxl_domid domid, int n)
{
    return GCSPRINTF("%s/dev-%d", record_path(gc, domid), n);
}

static char *info_path(libxl__gc *gc, const libxl_device_pci *pci,
                       const char *node)
{
    return GCSPRINTF(LIBXL__PCI_INFO_DIR"/"LIBXL__PCI_INFO_FMT"/%s",
                     LIBXL__PCI_ARG(pci), node);
}

/*
 * An entry as JSON
 */

static char *entry_encode(libxl__gc *gc, const libxl__pci_record *rec,
                          const libxl__pci_entry *entry)
{
    const libxl_device_pci *pci = &entry->pci;
    libxl__json_object *o = NULL;

    libxl__qmp_param_add_string(gc, &o, "sbdf",
        GCSPRINTF(LIBXL__SBDF_FMT, LIBXL__PCI_ARG(pci)));
    libxl__qmp_param_add_string(gc, &o, "progress",
                                progress_names[entry->progress]);
    libxl__qmp_param_add_integer(gc, &o, "owner", rec->owner);
    libxl__qmp_param_add_bool(gc, &o, "exported", entry->exported);
    libxl__qmp_param_add_integer(gc, &o, "vdevfn", pci->vdevfn);
    libxl__qmp_param_add_integer(gc, &o, "vfunc_mask", pci->vfunc_mask);
    libxl__qmp_param_add_bool(gc, &o, "msitranslate", pci->msitranslate);
    libxl__qmp_param_add_bool(gc, &o, "power_mgmt", pci->power_mgmt);
    libxl__qmp_param_add_bool(gc, &o, "permissive", pci->permissive);
    libxl__qmp_param_add_bool(gc, &o, "seize", pci->seize);
    libxl__qmp_param_add_string(gc, &o, "rdm_policy",
        libxl_rdm_reserve_policy_to_string(pci->rdm_policy));
    if (pci->name)
        libxl__qmp_param_add_string(gc, &o, "name", pci->name);
    if (entry->has_access)
        libxl__qmp_param_add_string(gc, &o, "access",
            libxl__pcid_encode_access(gc, &entry->access));

    return libxl__json_object_to_json(gc, o);
}

static int get_uint32(const libxl__json_object *o, const char *key,
                      uint32_t *value_r)
{
    const libxl__json_object *v = libxl__json_map_get(key, o, JSON_INTEGER);
    long long value = libxl__json_object_get_integer(v);

    if (!v || value < 0 || value > UINT32_MAX) return ERROR_INVAL;
    *value_r = value;
    return 0;
}

static int get_bool(const libxl__json_object *o, const char *key,
                    bool *value_r)
{
    const libxl__json_object *v = libxl__json_map_get(key, o, JSON_BOOL);

    if (!v) return ERROR_INVAL;
    *value_r = libxl__json_object_get_bool(v);
    return 0;
}

static const char *get_string(const libxl__json_object *o, const char *key)
{
    return libxl__json_object_get_string(
        libxl__json_map_get(key, o, JSON_STRING));
}

static int entry_decode(libxl__gc *gc, const char *text,
                        libxl__pci_entry *entry, uint32_t *owner_r)
{
    libxl_device_pci *pci = &entry->pci;
    const libxl__json_object *o = libxl__json_parse(gc, text);
    const char *sbdf, *progress, *policy, *access;
    libxl__pci_sbdf at;
    int i;

    memset(entry, 0, sizeof(*entry));
    if (!o || !libxl__json_object_is_map(o)) return ERROR_INVAL;

    sbdf = get_string(o, "sbdf");
    progress = get_string(o, "progress");
    policy = get_string(o, "rdm_policy");
    if (!sbdf || !libxl__pci_sbdf_parse(sbdf, &at) || !progress || !policy)
        return ERROR_INVAL;
    pci->domain = at.domain;
    pci->bus = at.bus;
    pci->dev = at.dev;
    pci->func = at.func;

    for (i = 0; i < ARRAY_SIZE(progress_names); i++)
        if (!strcmp(progress, progress_names[i])) break;
    if (i == ARRAY_SIZE(progress_names)) return ERROR_INVAL;
    entry->progress = i;

    if (get_uint32(o, "owner", owner_r) ||
        *owner_r >= DOMID_FIRST_RESERVED ||
        get_bool(o, "exported", &entry->exported) ||
        get_uint32(o, "vdevfn", &pci->vdevfn) ||
        get_uint32(o, "vfunc_mask", &pci->vfunc_mask) ||
        get_bool(o, "msitranslate", &pci->msitranslate) ||
        get_bool(o, "power_mgmt", &pci->power_mgmt) ||
        get_bool(o, "permissive", &pci->permissive) ||
        get_bool(o, "seize", &pci->seize) ||
        libxl_rdm_reserve_policy_from_string(policy, &pci->rdm_policy))
        return ERROR_INVAL;

    entry->in_dm = true;
    /* Users of the record only copy it. */
    pci->name = (char *)get_string(o, "name");

    access = get_string(o, "access");
    if (access) {
        entry->has_access = true;
        return libxl__pcid_decode_access(gc, access, &entry->access);
    }
    return 0;
}

/*
 * Guests that were started by a libxl without a record: their backend is in
 * Dom0, which can be trusted with its directory.  Check the nodes anyway.
 */

static void found_options(const char *opts, libxl_device_pci *pci)
{
    int msitranslate = 0, power_mgmt = 0, permissive = 0;
    char policy[16] = "";

    if (opts)
        sscanf(opts, "msitranslate=%d,power_mgmt=%d,permissive=%d,"
               "rdm_policy=%15[a-z]", &msitranslate, &power_mgmt,
               &permissive, policy);
    pci->msitranslate = msitranslate;
    pci->power_mgmt = power_mgmt;
    pci->permissive = permissive;
    if (libxl_rdm_reserve_policy_from_string(policy, &pci->rdm_policy))
        pci->rdm_policy = LIBXL_RDM_RESERVE_POLICY_STRICT;
}

static int find_holder(libxl__gc *gc, xs_transaction_t t,
                       const libxl_device_pci *pci, bool or_found,
                       libxl_domid *holder_r);

static int found_read(libxl__gc *gc, xs_transaction_t t,
                      libxl__pci_record *rec)
{
    const char *dir = libxl__domain_device_backend_path(gc,
        LIBXL_TOOLSTACK_DOMID, rec->frontend, 0, LIBXL__DEVICE_KIND_PCI);
    const char *text;
    char *end;
    long num;
    int i, rc;

    rc = libxl__xs_read_checked(gc, t, GCSPRINTF("%s/num_devs", dir), &text);
    if (rc || !text) return rc;

    num = strtol(text, &end, 10);
    if (!*text || *end || num < 0 || num > LIBXL__PCI_RECORD_MAX) {
        LOGD(ERROR, rec->domid, "%s/num_devs is \"%s\", not a number of PCI"
             " devices", dir, text);
        return ERROR_INVAL;
    }

    rec->owner = LIBXL_TOOLSTACK_DOMID;
    rec->found = true;
    GCNEW_ARRAY(rec->entries, num);
    for (i = 0; i < num; i++) {
        libxl__pci_entry *entry = &rec->entries[rec->num];
        const char *dev, *vdevfn, *opts, *name, *state;
        libxl_domid holder;
        libxl__pci_sbdf at;

        if ((rc = libxl__xs_read_checked(gc, t,
                GCSPRINTF("%s/dev-%d", dir, i), &dev)) ||
            (rc = libxl__xs_read_checked(gc, t,
                GCSPRINTF("%s/vdevfn-%d", dir, i), &vdevfn)) ||
            (rc = libxl__xs_read_checked(gc, t,
                GCSPRINTF("%s/opts-%d", dir, i), &opts)) ||
            (rc = libxl__xs_read_checked(gc, t,
                GCSPRINTF("%s/name-%d", dir, i), &name)) ||
            (rc = libxl__xs_read_checked(gc, t,
                GCSPRINTF("%s/state-%d", dir, i), &state)))
            return rc;
        if (!dev || !libxl__pci_sbdf_parse(dev, &at)) {
            LOGD(ERROR, rec->domid, "%s/dev-%d does not name a PCI device",
                 dir, i);
            return ERROR_INVAL;
        }

        entry->pci.domain = at.domain;
        entry->pci.bus = at.bus;
        entry->pci.dev = at.dev;
        entry->pci.func = at.func;
        rc = find_holder(gc, t, &entry->pci, false, &holder);
        if (rc) return rc;
        if (holder != INVALID_DOMID) {
            LOGD(ERROR, rec->domid, "%s/dev-%d is %s, which domain %u has",
                 dir, i, dev, holder);
            return ERROR_INVAL;
        }
        entry->pci.vdevfn = vdevfn ? strtoul(vdevfn, NULL, 16) : 0;
        entry->pci.name = (char *)name;
        found_options(opts, &entry->pci);
        /* 5: Closing.  Such a libxl has revoked the access before that. */
        entry->progress = state && !strcmp(state, "5") ?
            LIBXL__PCI_DETACHING : LIBXL__PCI_ATTACHED;
        entry->exported = entry->in_dm = true;
        rec->num++;
    }
    return 0;
}

/*
 * The record
 */

/*
 * Reads a domid from a node that guests cannot write.  INVALID_DOMID: the
 * node does not exist.
 */
static int read_domid(libxl__gc *gc, xs_transaction_t t, const char *path,
                      libxl_domid *domid_r)
{
    const char *text;
    unsigned long domid;
    char *end;
    int rc;

    *domid_r = INVALID_DOMID;
    rc = libxl__xs_read_checked(gc, t, path, &text);
    if (rc || !text) return rc;
    domid = strtoul(text, &end, 10);
    if (CTYPE(isdigit, *text) && !*end && domid < DOMID_FIRST_RESERVED)
        *domid_r = domid;
    return 0;
}

bool libxl__pci_stubdom_of(libxl__gc *gc, libxl_domid domid,
                           libxl_domid *target_r)
{
    return !read_domid(gc, XBT_NULL,
                       GCSPRINTF("/local/domain/%u/target", domid),
                       target_r) && *target_r != INVALID_DOMID;
}

/* or_found: if there is no record, use the backend's directory instead */
static int read_record(libxl__gc *gc, xs_transaction_t t, libxl_domid domid,
                       bool or_found, libxl__pci_record *rec)
{
    char **nodes;
    unsigned int num = 0;
    uint32_t owner;
    libxl_domid target;
    int i, rc;

    memset(rec, 0, sizeof(*rec));
    rec->domid = domid;
    rec->owner = INVALID_DOMID;
    rc = read_domid(gc, t, GCSPRINTF("/local/domain/%u/image/"
                                     "device-model-domid", domid),
                    &rec->frontend);
    if (rc) goto out;
    if (rec->frontend == INVALID_DOMID || !rec->frontend)
        rec->frontend = domid;

    nodes = libxl__xs_directory(gc, t, record_path(gc, domid), &num);
    if (!nodes && errno != ENOENT) {
        LOGED(ERROR, domid, "cannot read %s", record_path(gc, domid));
        rc = ERROR_FAIL;
        goto out;
    }
    if (!nodes) {
        rc = !or_found || libxl__pci_stubdom_of(gc, domid, &target) ? 0 :
            found_read(gc, t, rec);
        goto out;
    }
    if (num > LIBXL__PCI_RECORD_MAX) {
        LOGD(ERROR, domid, "%s has %u nodes, which is too many",
             record_path(gc, domid), num);
        rc = ERROR_INVAL;
        goto out;
    }

    GCNEW_ARRAY(rec->entries, num);
    for (i = 0; i < num; i++) {
        const char *path = entry_path(gc, domid, i), *text;

        rc = libxl__xs_read_checked(gc, t, path, &text);
        if (rc) goto out;
        if (!text) break;
        rc = entry_decode(gc, text, &rec->entries[i], &owner);
        if (!rc && i && owner != rec->owner) rc = ERROR_INVAL;
        if (rc) {
            LOGD(ERROR, domid, "%s is not a record of a PCI device: %s",
                 path, libxl__pcid_printable(gc, text));
            goto out;
        }
        rec->owner = owner;
        rec->num++;
    }
    rc = 0;

 out:
    if (rc) {
        rec->num = 0;
        rec->owner = INVALID_DOMID;
    }
    return rc;
}

int libxl__pci_record_read(libxl__gc *gc, xs_transaction_t t,
                           libxl_domid domid, libxl__pci_record *rec)
{
    return read_record(gc, t, domid, true, rec);
}

libxl__pci_entry *libxl__pci_record_find(const libxl__pci_record *rec,
                                         const libxl_device_pci *pci)
{
    int i;

    for (i = 0; i < rec->num; i++)
        if (COMPARE_PCI(&rec->entries[i].pci, pci))
            return &rec->entries[i];
    return NULL;
}

int libxl__pci_record_index(const libxl__pci_record *rec,
                            const libxl__pci_entry *entry)
{
    int i, index = 0;

    for (i = 0; &rec->entries[i] != entry; i++)
        if (rec->entries[i].exported) index++;
    return index;
}

int libxl__pci_record_exported(const libxl__pci_record *rec)
{
    return libxl__pci_record_index(rec, rec->entries + rec->num);
}

static int entry_write(libxl__gc *gc, xs_transaction_t t,
                       const libxl__pci_record *rec, int n)
{
    return libxl__xs_write_checked(gc, t, entry_path(gc, rec->domid, n),
                                   entry_encode(gc, rec, &rec->entries[n]));
}

/* The first change gives a guest without a record one. */
static int write_found(libxl__gc *gc, xs_transaction_t t,
                       const libxl__pci_record *rec)
{
    int i, rc;

    if (!rec->found) return 0;
    for (i = 0; i < rec->num; i++) {
        rc = entry_write(gc, t, rec, i);
        if (rc) return rc;
        rc = libxl__xs_write_checked(gc, t,
                                     info_path(gc, &rec->entries[i].pci,
                                               "domid"),
                                     GCSPRINTF("%u", rec->domid));
        if (rc) return rc;
    }
    return 0;
}

static int find_holder(libxl__gc *gc, xs_transaction_t t,
                       const libxl_device_pci *pci, bool or_found,
                       libxl_domid *holder_r)
{
    libxl__pci_record rec;
    libxl_domid domid;
    int rc;

    *holder_r = INVALID_DOMID;
    rc = read_domid(gc, t, info_path(gc, pci, "domid"), &domid);
    if (rc || domid == INVALID_DOMID) return rc;
    rc = libxl_domain_info(CTX, NULL, domid);
    if (rc) return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc;
    rc = read_record(gc, t, domid, or_found, &rec);
    if (rc) return rc;
    if (libxl__pci_record_find(&rec, pci))
        *holder_r = domid;
    return 0;
}

int libxl__pci_record_holder(libxl__gc *gc, xs_transaction_t t,
                             const libxl_device_pci *pci,
                             libxl_domid *holder_r)
{
    return find_holder(gc, t, pci, true, holder_r);
}

/* Destroying a guest removes its nodes: make none after that. */
static int guest_there(libxl__gc *gc, xs_transaction_t t, libxl_domid domid)
{
    const char *there;
    int rc;

    rc = libxl__xs_read_checked(gc, t, libxl__xs_libxl_path(gc, domid),
                                &there);
    if (!rc && !there) rc = ERROR_DOMAIN_NOTFOUND;
    return rc;
}

int libxl__pci_record_claim(libxl__gc *gc, libxl__pci_record *rec,
                            const libxl_device_pci *pci, libxl_domid owner,
                            libxl_domid *holder_r)
{
    libxl_domid domid = rec->domid;
    xs_transaction_t t = XBT_NULL;
    libxl__pci_entry *entry;
    int rc;

    if (rec->num == LIBXL__PCI_RECORD_MAX) {
        LOGD(ERROR, domid, "cannot attach another PCI device: the domain has"
             " %d", rec->num);
        return ERROR_BUFFERFULL;
    }

    rec->owner = owner;
    rec->entries = libxl__realloc(gc, rec->entries,
                                  (rec->num + 1) * sizeof(*entry));
    entry = &rec->entries[rec->num];
    memset(entry, 0, sizeof(*entry));
    entry->pci = *pci;
    entry->pci.name = pci->name ? libxl__strdup(gc, pci->name) : NULL;
    entry->progress = LIBXL__PCI_ATTACHING;
    rec->num++;

    for (;;) {
        rc = libxl__xs_transaction_start(gc, &t);
        if (rc) goto out;

        rc = guest_there(gc, t, domid);
        if (rc) goto out;
        rc = libxl__pci_record_holder(gc, t, pci, holder_r);
        if (rc) goto out;
        if (*holder_r != INVALID_DOMID) {
            rc = ERROR_DEVICE_EXISTS;
            goto out;
        }

        rc = write_found(gc, t, rec);
        if (rc) goto out;
        rc = libxl__xs_write_checked(gc, t, info_path(gc, pci, "domid"),
                                     GCSPRINTF("%u", domid));
        if (rc) goto out;
        rc = entry_write(gc, t, rec, rec->num - 1);
        if (rc) goto out;

        rc = libxl__xs_transaction_commit(gc, &t);
        if (!rc) break;
        if (rc < 0) goto out;
    }
    rec->found = false;

 out:
    libxl__xs_transaction_abort(gc, &t);
    if (rc) {
        rec->num--;
        if (rc == ERROR_DOMAIN_NOTFOUND)
            LOGD(ERROR, domid, "the domain has been destroyed meanwhile");
    }
    return rc;
}

static int update_in(libxl__gc *gc, xs_transaction_t t,
                     const libxl__pci_record *rec,
                     const libxl__pci_entry *entry)
{
    int n = entry - rec->entries, rc;
    const char *was;

    if (rec->found) {
        rc = guest_there(gc, t, rec->domid);
        return rc ?: write_found(gc, t, rec);
    }
    rc = libxl__xs_read_checked(gc, t, entry_path(gc, rec->domid, n), &was);
    if (!rc && !was) rc = ERROR_DOMAIN_NOTFOUND;
    return rc ?: entry_write(gc, t, rec, n);
}

int libxl__pci_record_update(libxl__gc *gc, xs_transaction_t outer,
                             libxl__pci_record *rec,
                             const libxl__pci_entry *entry)
{
    xs_transaction_t t = XBT_NULL;
    int rc;

    if (outer != XBT_NULL) return update_in(gc, outer, rec, entry);

    for (;;) {
        rc = libxl__xs_transaction_start(gc, &t);
        if (rc) goto out;
        rc = update_in(gc, t, rec, entry);
        if (rc) goto out;
        rc = libxl__xs_transaction_commit(gc, &t);
        if (!rc) break;
        if (rc < 0) goto out;
    }
    rec->found = false;

 out:
    libxl__xs_transaction_abort(gc, &t);
    return rc;
}

libxl__hostpci_access libxl__pci_record_own(const libxl__pci_record *rec,
                                            const libxl__pci_entry *entry)
{
    libxl__hostpci_access own = entry->access;
    int i;

    for (i = 0; i < rec->num; i++)
        if (&rec->entries[i] != entry && rec->entries[i].has_access)
            libxl__pci_access_subtract(&own, &rec->entries[i].access);
    return own;
}

int libxl__pci_record_grant(libxl__gc *gc, const libxl__pci_record *rec,
                            libxl__pci_entry *entry, libxl_domid domid,
                            const char **what_r)
{
    libxl__hostpci_access own = libxl__pci_record_own(rec, entry);
    int rc;

    rc = libxl__pci_access_grant(gc, domid, &entry->access, &own, what_r);
    /* Grant the frontend first. */
    if (rc && domid == rec->frontend) entry->has_access = false;
    return rc;
}

int libxl__pci_remove_path(libxl__gc *gc, xs_transaction_t t,
                           const char *path)
{
    const char *there;
    int rc;

    rc = libxl__xs_read_checked(gc, t, path, &there);
    if (rc || !there) return rc;
    return libxl__xs_path_cleanup(gc, t, path);
}

/* By now, the claim may belong to another guest. */
static int remove_claim(libxl__gc *gc, xs_transaction_t t,
                        const libxl__pci_record *rec,
                        const libxl__pci_entry *entry)
{
    const char *claim = info_path(gc, &entry->pci, "domid"), *text;
    int rc;

    rc = libxl__xs_read_checked(gc, t, claim, &text);
    if (rc || !text || strcmp(text, GCSPRINTF("%u", rec->domid))) return rc;
    return libxl__xs_rm_checked(gc, t, claim);
}

int libxl__pci_record_remove_all(libxl__gc *gc, xs_transaction_t t,
                                 const libxl__pci_record *rec)
{
    int i, rc;

    for (i = 0; i < rec->num; i++) {
        rc = remove_claim(gc, t, rec, &rec->entries[i]);
        if (rc) return rc;
    }
    rc = libxl__pci_remove_path(gc, t, record_path(gc, rec->domid));
    if (rc) LOGED(ERROR, rec->domid, "cannot remove the record of the domain's"
                  " PCI devices");
    return rc;
}

int libxl__pci_record_remove(libxl__gc *gc, xs_transaction_t t,
                             const libxl__pci_record *rec,
                             const libxl__pci_entry *entry)
{
    int i, rc;

    if (rec->num == 1)
        return libxl__pci_record_remove_all(gc, t, rec);
    rc = remove_claim(gc, t, rec, entry);
    if (rc) return rc;
    for (i = entry - rec->entries; i < rec->num - 1; i++) {
        rc = libxl__xs_write_checked(gc, t, entry_path(gc, rec->domid, i),
                                     entry_encode(gc, rec,
                                                  &rec->entries[i + 1]));
        if (rc) return rc;
    }
    return libxl__xs_rm_checked(gc, t,
                                entry_path(gc, rec->domid, rec->num - 1));
}

void libxl__pci_record_forget(libxl__pci_record *rec,
                              libxl__pci_entry *entry)
{
    int after = rec->entries + rec->num - (entry + 1);

    memmove(entry, entry + 1, after * sizeof(*entry));
    rec->num--;
}

static int unclaim(libxl__gc *gc, xs_transaction_t t, libxl_domid domid)
{
    char **nodes;
    unsigned int i, num = 0;
    int rc;

    nodes = libxl__xs_directory(gc, t, LIBXL__PCI_INFO_DIR, &num);
    for (i = 0; nodes && i < num; i++) {
        const char *claim = GCSPRINTF(LIBXL__PCI_INFO_DIR"/%s/domid",
                                      nodes[i]);
        libxl_domid holder;

        rc = read_domid(gc, t, claim, &holder);
        if (rc) return rc;
        if (holder != domid) continue;
        rc = libxl__xs_rm_checked(gc, t, claim);
        if (rc) return rc;
    }
    return 0;
}

int libxl__pci_record_read_last(libxl__gc *gc, libxl_domid domid,
                                libxl__pci_record *rec)
{
    int read = libxl__pci_record_read(gc, XBT_NULL, domid, rec), rc;
    xs_transaction_t t = XBT_NULL;

    while (read) {
        rc = libxl__xs_transaction_start(gc, &t);
        if (rc) break;
        rc = unclaim(gc, t, domid);
        if (rc) break;
        rc = libxl__xs_transaction_commit(gc, &t);
        if (rc <= 0) break;
    }
    libxl__xs_transaction_abort(gc, &t);
    return read;
}

/*
 * What else is known of a device
 */

int libxl__pci_info_write(libxl__gc *gc, const libxl_device_pci *pci,
                          const char *node, const char *value)
{
    char *path = info_path(gc, pci, node);
    int rc = libxl__xs_printf(gc, XBT_NULL, path, "%s", value);

    if (rc) LOGE(WARN, "Write of %s to node %s failed.", value, path);
    return rc;
}

char *libxl__pci_info_read(libxl__gc *gc, const libxl_device_pci *pci,
                           const char *node)
{
    return libxl__xs_read(gc, XBT_NULL, info_path(gc, pci, node));
}

void libxl__pci_info_remove(libxl__gc *gc, const libxl_device_pci *pci,
                            const char *node)
{
    xs_rm(CTX->xsh, XBT_NULL, info_path(gc, pci, node));
}

/*
 * The lock of a device
 */

static char *lock_path(libxl__gc *gc, const libxl_device_pci *pci)
{
    return GCSPRINTF("%s/pci-"LIBXL__SBDF_FMT".lock", libxl__run_dir_path(),
                     LIBXL__PCI_ARG(pci));
}

int libxl__pci_lock_device(libxl__gc *gc, const libxl_device_pci *pci,
                           int *fd_r)
{
    const char *path = lock_path(gc, pci);
    struct stat held, there;
    int fd = -1, rc;

    for (;;) {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) {
            LOGE(ERROR, "cannot open the lock file %s", path);
            rc = ERROR_FAIL;
            goto out;
        }
        if (flock(fd, LOCK_EX | LOCK_NB)) {
            rc = errno == EWOULDBLOCK ? ERROR_NOT_READY : ERROR_FAIL;
            if (rc == ERROR_FAIL)
                LOGE(ERROR, "cannot lock %s", path);
            else
                LOG(ERROR, "PCI device "LIBXL__SBDF_FMT" is being made"
                    " assignable, given back or attached by another command:"
                    " try again when that has ended", LIBXL__PCI_ARG(pci));
            goto out;
        }

        /* The previous holder has removed the file. */
        if (fstat(fd, &held)) {
            LOGE(ERROR, "cannot look at the lock file %s", path);
            rc = ERROR_FAIL;
            goto out;
        }
        if (!stat(path, &there) && there.st_dev == held.st_dev &&
            there.st_ino == held.st_ino)
            break;
        close(fd);
    }
    *fd_r = fd;
    return 0;

 out:
    if (fd >= 0) close(fd);
    return rc;
}

void libxl__pci_unlock_device(libxl__gc *gc, const libxl_device_pci *pci,
                              int *fd)
{
    if (*fd < 0) return;
    unlink(lock_path(gc, pci));
    /* A process that was forked meanwhile may hold the lock, too. */
    flock(*fd, LOCK_UN);
    close(*fd);
    *fd = -1;
}

/*
 * The lock of a guest
 */

static void pcilock_acquired(libxl__egc *egc, libxl__ev_slowlock *slow,
                             int rc);
static void pcilock_deadline(libxl__egc *egc, libxl__ev_time *ev,
                             const struct timeval *requested_abs, int rc);

void libxl__ev_pcilock_init(libxl__ev_pcilock *lock)
{
    libxl__ev_pcislowlock_init(&lock->slow);
    lock->slow.ao = NULL;
    libxl__ev_time_init(&lock->deadline);
}

void libxl__ev_pcilock_lock(libxl__egc *egc, libxl__ev_pcilock *lock)
{
    STATE_AO_GC(lock->ao);
    int rc;

    rc = libxl_domain_info(CTX, NULL, lock->domid);
    if (rc == ERROR_DOMAIN_NOTFOUND)
        LOGD(ERROR, lock->domid, "there is no such domain");
    if (rc) goto out;
    rc = libxl__ev_time_register_rel(ao, &lock->deadline, pcilock_deadline,
                                     PCILOCK_MS);
    if (rc) goto out;

    lock->slow.ao = ao;
    lock->slow.domid = lock->domid;
    lock->slow.callback = pcilock_acquired;
    libxl__ev_slowlock_lock(egc, &lock->slow); /* must be last */
    return;

 out:
    lock->callback(egc, lock, rc); /* must be last */
}

static void pcilock_acquired(libxl__egc *egc, libxl__ev_slowlock *slow,
                             int rc)
{
    EGC_GC;
    libxl__ev_pcilock *lock = CONTAINER_OF(slow, *lock, slow);

    libxl__ev_time_deregister(gc, &lock->deadline);
    lock->callback(egc, lock, rc); /* must be last */
}

static void pcilock_deadline(libxl__egc *egc, libxl__ev_time *ev,
                             const struct timeval *requested_abs, int rc)
{
    EGC_GC;
    libxl__ev_pcilock *lock = CONTAINER_OF(ev, *lock, deadline);

    if (rc == ERROR_TIMEDOUT) {
        LOGD(ERROR, lock->domid, "another command has been changing the PCI"
             " devices of this domain for %d s: try again when it has ended",
             PCILOCK_MS / 1000);
        rc = ERROR_NOT_READY;
    }
    libxl__ev_pcilock_release(gc, lock);
    lock->callback(egc, lock, rc); /* must be last */
}

void libxl__ev_pcilock_release(libxl__gc *gc, libxl__ev_pcilock *lock)
{
    libxl__ev_time_deregister(gc, &lock->deadline);
    if (lock->slow.ao) libxl__ev_slowlock_dispose(gc, &lock->slow);
    lock->slow.ao = NULL;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
