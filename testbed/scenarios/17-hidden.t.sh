# shellcheck shell=sh disable=SC2016,SC2154
# topologies: direct loopback hwdom
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# make check: direct hwdom, with pciback in Dom0 and elsewhere
#
# Devices that pciback has had since its module was loaded (hide=), and of which xl knows
# nothing: they are listed, given to guests, removed and added again; and when a guest has one
# of two, only the other is.
. /lib/places.sh

# QEMU leaves where these two are out of a snapshot (see renew.c).
for bdf in $EDU_BDF $TESTDEV_BDF; do
    is "$bdf is where its kernel has it" \
        "0x00000000$(owner od -An -tx4 -j16 -N4 "/sys/bus/pci/devices/$bdf/config" | tr -d ' ')" \
        "$(owner head -n 1 "/sys/bus/pci/devices/$bdf/resource" | cut -d' ' -f1)"
done

# hide: pciback is loaded anew, and takes three devices at once.
hide() {
    owner sh -c '
        hidden=
        for bdf; do
            driver=/sys/bus/pci/devices/$bdf/driver
            [ ! -e "$driver" ] || echo "$bdf" >"$driver/unbind" || exit
            hidden="$hidden($bdf)"
        done
        rmmod xen_pciback && insmod /lib/modules/xen-pciback.ko "hide=$hidden"
    ' sh "$E1000_BDF" "$EDU_BDF" "$TESTDEV_BDF"
}
hidden='driver=pciback slots=1 quarantined=no rebind=- name=-'
released='driver=none slots=0 quarantined=no rebind=- name=-'
added='driver=pciback slots=1 quarantined=yes rebind=- name=-'

# succeeds "what" COMMAND...: and says nothing.
succeeds() {
    succeeds_what=$1
    shift
    run "$@"
    is "$succeeds_what" "$status $output" "0 "
}
state_is() { is "$1" "$(device_state "$2")" "$3"; }
assignable() { xl pci-assignable-list | tr -d ' ' | sort | tr '\n' ' '; }

if [ "$TOPOLOGY" = direct ] && have_unpatched; then
    ok "unpatched: pciback hides three devices" hide
    run xl-plain pci-assignable-remove "$EDU_BDF"
    is "unpatched: the first removal fails" "$status" 1
    like "unpatched: for a reason that is none" "$output" "failed to de-quarantine $EDU_BDF"
fi

# --- Listed, removed, added ---

ok "pciback hides three devices" hide
is "they are assignable" "$(assignable)" "$E1000_BDF $EDU_BDF $TESTDEV_BDF "
state_is "as pciback has them" "$EDU_BDF" "$hidden"
succeeds "one is removed the first time" xl pci-assignable-remove "$EDU_BDF"
state_is "and is free" "$EDU_BDF" "$released"
is "the others are assignable" "$(assignable)" "$E1000_BDF $TESTDEV_BDF "
run xl pci-assignable-remove "$EDU_BDF"
is "it cannot be removed twice" "$status" 1
like "which is said" "$output" "$EDU_BDF.*not assignable"
ok "it is added" xl pci-assignable-add "$EDU_BDF"
state_is "and assignable like any other" "$EDU_BDF" "$added"
succeeds "it is removed again" xl pci-assignable-remove "$EDU_BDF"
state_is "and free again" "$EDU_BDF" "$released"

# What pciback has, and add is asked for, is taken into xl's care.
ok "a hidden one is added" xl pci-assignable-add "$TESTDEV_BDF"
state_is "and quarantined" "$TESTDEV_BDF" "$added"
succeeds "it is removed" xl pci-assignable-remove "$TESTDEV_BDF"
state_is "and free, too" "$TESTDEV_BDF" "$released"

# --- Two of which one is in use ---

ok "pciback hides them anew" hide
ok "a guest has one" guest_start guest 'passthrough = "enabled"' "pci = [ '$EDU_BDF' ]"
is_with "the guest has it" guest "$EDU_BDF"
guest_has guest edu
is "and uses it" "$(guest_edu guest 2>&1)" "factorial=3628800 interrupt=yes"
is "the others are assignable still" "$(assignable)" "$E1000_BDF $TESTDEV_BDF "
if has_part 2 "what the guest has is not removed"; then
    run xl pci-assignable-remove "$EDU_BDF"
    is "what the guest has is not removed" "$status" 1
    like "but who has it is said" "$output" "$EDU_BDF.*domain $(xl domid guest)"
    is "the guest still uses it" "$(guest_edu guest 2>&1)" "factorial=3628800 interrupt=yes"
fi
succeeds "another one is removed meanwhile" xl pci-assignable-remove "$TESTDEV_BDF"
state_is "and is free" "$TESTDEV_BDF" "$released"
ok "the third is attached" xl pci-attach guest "$E1000_BDF"
guest_has guest net
ok "and works" guest_net guest
ok "it is detached" xl pci-detach guest "$E1000_BDF"
is "and assignable again" "$(assignable)" "$E1000_BDF "
ok "the guest is destroyed" xl destroy guest
is "what it had is, too" "$(assignable)" "$E1000_BDF $EDU_BDF "
succeeds "the one that it was created with is removed" xl pci-assignable-remove "$EDU_BDF"
state_is "and free" "$EDU_BDF" "$released"
succeeds "the one that was attached to it, too" xl pci-assignable-remove "$E1000_BDF"
is_owned "and it is the owner's" "$E1000_BDF"
is "none is assignable" "$(assignable)" ""
is "pciback holds none" "$(owner cat /sys/bus/pci/drivers/pciback/slots)" ""

done_testing
