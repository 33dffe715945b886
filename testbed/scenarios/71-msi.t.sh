# shellcheck shell=sh disable=SC2016,SC2154
# topologies: hwdom direct hwdom+flask
# since part: 4, interrupts that MSI makes
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# make check: hwdom+flask, the others differ only in who has less to say about an interrupt
# time limit: 900
#
# A PV guest uses a card over MSI-X, which is behind a root port, and one that is behind a
# conventional bridge: created with, detached, attached, rebooted, destroyed. Xen then has none
# of its MSIs. With FLASK enforcing: without a denial, for a guest whose type may have MSIs
# (72-no-msi.t.sh has one of another type).
#
# With the argument "allowed", without the reboot (for testbed/flask-minimal).

# What Xen has of MSIs: a line each, without the state that changes with use.
msis() { xen-says M | grep -E ' MSI(-X)? +[0-9]+ ' | sed 's/ vec=.*//' | sort; }
vectors() { guest_run guest grep -c 'pcifront-msi-x' /proc/interrupts; }
uses_msix() {
    guest_has guest e1000e
    is "$1: the guest pings its gateway, over the card's interrupt" "$(guest_net guest e1000e 2>&1)" "link=yes answers=2 interrupts=yes"
    is "$1: by MSI-X" "$(vectors)" 3
}
uses_bridged() {
    guest_has guest net
    is "$1: the one behind the bridge, too" "$(guest_net guest 2>&1)" "link=yes answers=2 interrupts=yes"
}

dom0_access=$(domain_access 0)
ok "the card is made assignable" xl pci-assignable-add "$E1000E_BDF"
ok "so is one behind a conventional bridge" xl pci-assignable-add "$BRIDGED_BDF"
is "both are listed" "$(xl pci-assignable-list)" "$E1000E_BDF 
$BRIDGED_BDF "
before=$(msis)

ok "a guest is created with both" guest_start guest "pci = [ '$E1000E_BDF', '$BRIDGED_BDF' ]"
uses_msix "created"
uses_bridged "created"
is "Xen has three MSIs more" "$(($(msis | wc -l) - $(printf '%s\n' "$before" | grep -c .)))" 3

ok "the card is detached" xl pci-detach guest "$E1000E_BDF"
is "Xen has no MSI of it" "$(msis)" "$before"
ok "the one behind the bridge is detached" xl pci-detach guest "$BRIDGED_BDF"
is "the guest may access nothing of them" "$(domain_access "$(xl domid guest)")" "$(device_access)"
is "nor may Dom0" "$(domain_access 0)" "$dom0_access"
ok "the card is attached" xl pci-attach guest "$E1000E_BDF"
uses_msix "attached"
ok "the one behind the bridge is attached" xl pci-attach guest "$BRIDGED_BDF"
uses_bridged "attached"

if [ "${1:-}" != allowed ]; then
    old=$(xl domid guest)
    guest_run guest sh -c '(usleep 300000; reboot -f) >/dev/null 2>&1 &'
    another() { new=$(xl domid guest 2>/dev/null) && [ "$new" != "$old" ]; }
    ok "the guest is rebooted" wait_until 90 another
    ok "it runs" guest_run -w 60 guest true
    uses_msix "rebooted"
    uses_bridged "rebooted"
fi

guest=$(xl domid guest)
ok "it is destroyed" xl destroy guest
is "Xen has no MSI of it" "$(msis)" "$before"
like "nor any access" "$(domain_access "$guest")" "no domain $guest"
is "nor has Dom0 what it was lent" "$(domain_access 0)" "$dom0_access"

ok "the card is its driver's again" xl pci-assignable-remove -r "$E1000E_BDF"
ok "so is the one behind the bridge" xl pci-assignable-remove -r "$BRIDGED_BDF"
like "which has it" "$(owner ls /sys/bus/pci/drivers/e1000e)" "$E1000E_BDF"
done_testing
