# shellcheck shell=sh disable=SC2154
# topologies: direct loopback hwdom
# only on arm64: a PV guest is given a second device by pciback and its own kernel, which has to run
#
# Devices of a guest that is paused from its beginning to its end: who has them, by the toolstack,
# by Xen and by its IOMMU. Without a virtual PCI bus for guests in Xen, this is how far
# passthrough goes there.
. /lib/places.sh

# Memory only, memory and ports, two functions
devices="$EDU_BDF $E1000_BDF $MULTI_BDF0 $MULTI_BDF1"
assignable() { for each; do xl pci-assignable-add "$each" 2>/dev/null || echo "$each"; done; }

# Arm has no ports, and a guest gets no interrupt of a PCI device there.
given() { sed -e 's/^interrupts:.*/interrupts:/' -e '/^ports:/d'; }

# may_access "when" [BDF...]: the guest may access just these devices.
may_access() {
    may_when=$1
    shift
    is "$may_when: the guest may access just its devices" \
        "$(domain_access "$(xl domid paused)")" "$(device_access "$@" | given)"
}

before=$(domain_access "$TOOLSTACK")
guest_config paused "pci = [ '$EDU_BDF', '$E1000_BDF' ]"
# shellcheck disable=SC2086
is "the devices are made assignable" "$(assignable $devices)" ""

# --- Create ---

ok "a guest is created with two devices, and paused" xl create -p -q /run/paused.cfg
like "it is paused" "$(xl list paused)" ' --p--- '
is_with "created: its devices" paused "$EDU_BDF" "$E1000_BDF"
is_free "created: those of nobody" "$MULTI_BDF0" "$MULTI_BDF1"
may_access "created" "$EDU_BDF" "$E1000_BDF"

# --- Attach ---

ok "a device is attached" xl pci-attach paused "$MULTI_BDF0"
ok "and another" xl pci-attach paused "$MULTI_BDF1"
# shellcheck disable=SC2086
is_with "attached" paused $devices
# shellcheck disable=SC2086
may_access "attached" $devices
fails "what it has is not attached again" xl pci-attach paused "$MULTI_BDF0"
# shellcheck disable=SC2086
may_access "not attached again" $devices

# --- Detach ---

for each in $MULTI_BDF1 $E1000_BDF; do
    ok "$each is detached" xl pci-detach paused "$each"
done
is_with "detached: what it keeps" paused "$EDU_BDF" "$MULTI_BDF0"
is_free "detached: what it has no more" "$MULTI_BDF1" "$E1000_BDF"
may_access "detached" "$EDU_BDF" "$MULTI_BDF0"
ok "what was detached is attached once more" xl pci-attach paused "$E1000_BDF"
is_with "attached once more" paused "$E1000_BDF"
may_access "attached once more" "$EDU_BDF" "$E1000_BDF" "$MULTI_BDF0"

# --- Its end ---

guest=$(xl domid paused)
ok "it is destroyed" xl destroy paused
is "Xen has nothing of it" "$(domain_access "$guest")" "no domain $guest"
# shellcheck disable=SC2086
is_free "destroyed" $devices
is "the toolstack's domain may access what it could before" "$(domain_access "$TOOLSTACK")" "$before"
is "xenstore has no record of it" "$(xenstore-ls /libxl/pci 2>/dev/null | grep -c "domid = \"$guest\"")" 0
for each in $devices; do
    ok "$each goes back to its owner" xl pci-assignable-remove -r "$each"
done
is "the card has its driver" "$(device_state "$E1000_BDF")" "driver=e1000 slots=0 quarantined=no rebind=- name=-"

done_testing
