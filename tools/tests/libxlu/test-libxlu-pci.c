/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What libxlu takes for the address of a PCI device, for a PCI_SPEC_STRING and
 * for the rdm option, and what it does not.  Prints TAP.
 */

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

#include <libxl.h>

#include "libxlu_internal.h"

#define DOMAIN 0xdead
#define ALL    LIBXL_PCI_FUNC_ALL

static int checks, failures;

/* On one line, whatever there is in it */
static void print_quoted(const char *str)
{
    putchar('"');
    for (; *str; str++)
        printf(isprint((unsigned char)*str) ? "%c" : "\\x%02x",
               (unsigned char)*str);
    printf("\"\n");
}

static void check(bool passed, const char *what, const char *str,
                  const char *got)
{
    printf("%sok %d - %s ", passed ? "" : "not ", ++checks, what);
    print_quoted(str);
    if (!passed) {
        failures++;
        printf("# got: ");
        print_quoted(got);
    }
}

/* Calls parse, and says in buf what that came to, the report included. */
#define result(buf, str, parse)                                            \
    do {                                                                   \
        char *report = NULL;                                               \
        size_t size;                                                       \
        XLU_Config cfg = { .report = open_memstream(&report, &size) };     \
        libxl_device_pci pci;                                              \
        int rc;                                                            \
                                                                           \
        libxl_device_pci_init(&pci);                                       \
        pci.domain = DOMAIN;                                               \
        pci.seize = pci.permissive = true;                                 \
        rc = (parse)(&cfg, &pci, (str));                                   \
        fclose(cfg.report);                                                \
        describe(buf, sizeof(buf), rc, &pci, report);                      \
        libxl_device_pci_dispose(&pci);                                    \
        free(report);                                                      \
    } while (0)

static void describe(char *buf, size_t size, int rc,
                     const libxl_device_pci *pci, const char *report)
{
    int len;

    if (rc) {
        snprintf(buf, size, "%s%s%s",
                 rc == ERROR_INVAL ? "invalid" : "another error",
                 *report ? ": " : "", report);
        return;
    }

    if (pci->name)
        len = snprintf(buf, size, "name=%s", pci->name);
    else
        len = snprintf(buf, size, "%04x:%02x:%02x.%x/%x", pci->domain,
                       pci->bus, pci->dev, pci->func, pci->vfunc_mask);
    snprintf(buf + len, size - len, "%s%s%s%s%s%s",
             pci->permissive ? "" : ",permissive=0",
             pci->seize ? "" : ",seize=0",
             pci->msitranslate ? ",msitranslate" : "",
             pci->power_mgmt ? ",power_mgmt" : "",
             pci->rdm_policy == LIBXL_RDM_RESERVE_POLICY_RELAXED
                 ? ",relaxed" : "",
             report);
    if (pci->vdevfn) {
        len = strlen(buf);
        snprintf(buf + len, size - len, ",vdevfn=%x", pci->vdevfn);
    }
}

static const struct { const char *str, *want; } addresses[] = {
    /* An address, or NULL: each of these is as good in either place. */
    { "00:03.0", "0000:00:03.0/1" },
    { "0:3.0", "0000:00:03.0/1" },
    { "0000:00:03.0", "0000:00:03.0/1" },
    { "0:0:0.0", "0000:00:00.0/1" },
    { "ffff:ff:1f.7", "ffff:ff:1f.7/1" },
    { "FfFf:Ff:1F.7", "ffff:ff:1f.7/1" },
    { "1:00:03.0", "0001:00:03.0/1" },
    { "", NULL },
    { "0", NULL },
    { ":", NULL },
    { ".", NULL },
    { "::", NULL },
    { "::.", NULL },
    { "00", NULL },
    { "00:", NULL },
    { "00:03", NULL },
    { "0000:00:03", NULL },
    { "0000:00:03:0", NULL },
    { "00:03.", NULL },
    { "00:.0", NULL },
    { ":03.0", NULL },
    { ":00:03.0", NULL },
    { "0000::03.0", NULL },
    { "0:0000:00:03.0", NULL },
    { "03.0", NULL },
    { "00.03.0", NULL },
    { "00-03.0", NULL },
    { "00:03:0", NULL },
    { "00:03.8", NULL },
    { "00:03.f", NULL },
    { "00:03.00", NULL },
    { "00:03.01", NULL },
    { "00:20.0", NULL },
    { "00:003.0", NULL },
    { "100:03.0", NULL },
    { "000:03.0", NULL },
    { "10000:00:03.0", NULL },
    { "00000:00:03.0", NULL },
    { "100000000:00:03.0", NULL },
    { "00:100000003.0", NULL },
    { " 00:03.0", NULL },
    { "00:03.0 ", NULL },
    { "00: 03.0", NULL },
    { "00 :03.0", NULL },
    { "00:03. 0", NULL },
    { "00:03.0\n", NULL },
    { "00:03.0\t", NULL },
    { "00:03.0:", NULL },
    { "00:03.0.", NULL },
    { "00:03.0.0", NULL },
    { "00:03.0x", NULL },
    { "0000:00:03.0x", NULL },
    { "00:03.0x1", NULL },
    { "0x0:0x3.0x0", NULL },
    { "0x00:03.0", NULL },
    { "00:0x3.0", NULL },
    { "00:x3.0", NULL },
    { "+0:3.0", NULL },
    { "00:+3.0", NULL },
    { "00:-3.0", NULL },
    { "00:03.+0", NULL },
    { "00:03.-1", NULL },
    { "00:03.0-7", NULL },
    { "00:03.*0", NULL },
    { "00:03.**", NULL },
    { "00:*.0", NULL },
    { "*:03.0", NULL },
    { "*", NULL },
    { "00:03.\xff", NULL },
    { "\xff\xff:03.0", NULL },
    { "gg:03.0", NULL },
    { "/sys/bus/pci/devices/0000:00:03.0", NULL },
    { "../0000:00:03.0", NULL },
};

static const struct { const char *str, *want; } bdfs[] = {
    { "00:03.*", "invalid" },
    { "00:03.0@5", "invalid" },
    { "00:03.0,", "invalid" },
    { "bdf=00:03.0", "invalid" },
};

static const struct { const char *str, *want; } specs[] = {
    { "00:03.*", "0000:00:03.0/ffffffff" },
    { "00:03.0,", "0000:00:03.0/1" },
    { "bdf=00:03.*", "0000:00:03.0/ffffffff" },
    { "name=nic", "name=nic" },
    { "name=00:03", "name=00:03" },
    { "00:03.0@5", "0000:00:03.0/1,vdevfn=28" },
    { "00:03.0@1f,", "0000:00:03.0/1,vdevfn=f8" },
    { "00:03.0@0x1f", "0000:00:03.0/1,vdevfn=f8" },
    { "00:03.0,vslot=5", "0000:00:03.0/1,vdevfn=28" },
    { "vslot=05,bdf=00:03.0", "0000:00:03.0/1,vdevfn=28" },
    { "00:03.0,vslot=", "0000:00:03.0/1" },
    { "00:03.0,permissive=0", "0000:00:03.0/1,permissive=0" },
    { "00:03.0,permissive=", "0000:00:03.0/1" },
    { "00:03.0,seize=0,msitranslate=1,power_mgmt=1",
      "0000:00:03.0/1,seize=0,msitranslate,power_mgmt" },
    { "00:03.0,rdm_policy=relaxed", "0000:00:03.0/1,relaxed" },
    { "00:03.0,rdm_policy=", "0000:00:03.0/1" },
    { "00:03.0,name=", "0000:00:03.0/1" },
    { "00:03.0@", "invalid" },
    { "00:03.0@20", "invalid" },
    { "00:03.0@005", "invalid" },
    { "00:03.0@ 5", "invalid" },
    { "00:03.0@0x", "invalid" },
    { "00:03.0@5x", "invalid" },
    { "00:03.0@5@6", "invalid" },
    { "00:03.0@5,vslot=6", "invalid: PCI_SPEC_STRING option given twice:"
                           " vslot\n" },
    { "00:03.0,vslot=5x", "invalid" },
    { "00:03.0,vslot=-1", "invalid" },
    { "00:03.0,bdf=00:04.0", "invalid: PCI_SPEC_STRING option given twice:"
                             " bdf\n" },
    { "bdf=00:03.0x", "invalid" },
    { "bdf=00:03", "invalid" },
    { "bdf=", "invalid" },
    { "bdf", "invalid" },
    { "name=", "invalid" },
    { "name=a,name=b", "invalid: PCI_SPEC_STRING option given twice:"
                       " name\n" },
    { "name=nic,bdf=00:03.0", "invalid" },
    { "00:03.0,name=nic", "invalid" },
    { "nic", "invalid" },
    { ",", "invalid" },
    { "=", "invalid: Unknown PCI_SPEC_STRING option: \n" },
    { "00:03.0,,", "invalid" },
    { "00:03.0,,permissive=1", "invalid" },
    { "00:03.0 ,permissive=1", "invalid" },
    { "00:03.0, permissive=1", "invalid: Unknown PCI_SPEC_STRING option:"
                               "  permissive\n" },
    { "00:03.0,permissive", "invalid" },
    { "00:03.0,permissive,seize=1", "invalid" },
    { "00:03.0,permissive=yes", "invalid: PCI_SPEC_STRING option permissive"
                                " is 0 or 1, not: yes\n" },
    { "00:03.0,seize=2", "invalid: PCI_SPEC_STRING option seize"
                         " is 0 or 1, not: 2\n" },
    { "00:03.0,power_mgmt=01", "invalid: PCI_SPEC_STRING option power_mgmt"
                               " is 0 or 1, not: 01\n" },
    { "00:03.0,msitranslate= 1", "invalid: PCI_SPEC_STRING option msitranslate"
                                 " is 0 or 1, not:  1\n" },
    { "00:03.0,seize=1,seize=1", "invalid: PCI_SPEC_STRING option given twice:"
                                 " seize\n" },
    { "00:03.0,rdm_policy=maybe", "another error: Unknown RDM policy:"
                                " maybe\n" },
    { "00:03.0,permisive=1", "invalid: Unknown PCI_SPEC_STRING option:"
                             " permisive\n" },
    { "00:03.8,bdf=00:04.0", "invalid" },
    { "00:03,bdf=00:04.0", "invalid" },
    { "00:03.0x,permissive=1", "invalid" },
    { "00:03.0 00:04.0", "invalid" },
    { "00:03.0;00:04.0", "invalid" },
};

static const struct { const char *str, *want; } rdms[] = {
    { "strategy=host", "host strict" },
    { "strategy=host,policy=strict", "host strict" },
    { "strategy=host,policy=relaxed", "host relaxed" },
    { "policy=relaxed", "ignore relaxed" },
    { "policy=maybe", "invalid: Unknown RDM policy: maybe\n" },
    { "strategy=guest", "invalid: Unknown RDM strategy option: guest\n" },
    { "strategy", "invalid" },
    { "", "invalid" },
    { "reserve=host", "invalid: Unknown RDM state option: reserve\n" },
};

static void test_rdm(const char *str, const char *want)
{
    char got[200], *report = NULL;
    size_t size;
    XLU_Config cfg = { .report = open_memstream(&report, &size) };
    libxl_rdm_reserve rdm = {
        .policy = LIBXL_RDM_RESERVE_POLICY_STRICT,
    };
    int rc;

    rc = xlu_rdm_parse(&cfg, &rdm, str);
    fclose(cfg.report);
    if (rc)
        snprintf(got, sizeof(got), "invalid%s%s", *report ? ": " : "", report);
    else
        snprintf(got, sizeof(got), "%s %s%s",
                 libxl_rdm_reserve_strategy_to_string(rdm.strategy),
                 libxl_rdm_reserve_policy_to_string(rdm.policy), report);
    check(!strcmp(got, want), "rdm", str, got);
    free(report);
}

int main(void)
{
    char got[200], str[100];
    const char *want;
    int i;

    for (i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
        want = addresses[i].want ?: "invalid";

        result(got, addresses[i].str, xlu_pci_parse_bdf);
        check(!strcmp(got, want), "BDF", addresses[i].str, got);

        snprintf(str, sizeof(str), "bdf=%s", addresses[i].str);
        result(got, str, xlu_pci_parse_spec_string);
        check(!strcmp(got, want), "specification", str, got);

        result(got, addresses[i].str, xlu_pci_parse_spec_string);
        check(!strcmp(got, want), "specification", addresses[i].str, got);
    }

    for (i = 0; i < sizeof(bdfs) / sizeof(*bdfs); i++) {
        result(got, bdfs[i].str, xlu_pci_parse_bdf);
        check(!strcmp(got, bdfs[i].want), "BDF", bdfs[i].str, got);
    }

    for (i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
        result(got, specs[i].str, xlu_pci_parse_spec_string);
        check(!strcmp(got, specs[i].want), "specification", specs[i].str, got);
    }

    for (i = 0; i < sizeof(rdms) / sizeof(*rdms); i++)
        test_rdm(rdms[i].str, rdms[i].want);

    printf("1..%d\n", checks);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
