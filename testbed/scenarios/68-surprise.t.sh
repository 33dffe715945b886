# shellcheck shell=sh disable=SC2016,SC2154
# topologies: direct loopback hwdom
# since part: 3, the record
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# make check: direct hwdom, with the device in Dom0 and elsewhere
# begins with: guest_start second 'passthrough = "enabled"'
# time limit: 900
#
# The owner's kernel says that a device is no more, as if it had been pulled out: while it
# is assignable, and while a guest has it. It can be taken from everybody, which says that
# it is gone; and when it is back, it can be used again.
. /lib/places.sh

IN_TIME=20000
GONE='gone|vanished|no longer|does not exist|no such'

pull() { owner sh -c 'echo 1 >"/sys/bus/pci/devices/$1/remove"' sh "$EDU_BDF"; }
plug() { owner sh -c 'echo 1 >/sys/bus/pci/rescan; test -e "/sys/bus/pci/devices/$1"' sh "$EDU_BDF"; }
uses_edu() { guest_has "$2" edu; is "$1: $2 uses the device" "$(guest_edu "$2" 2>&1)" "factorial=3628800 interrupt=yes"; }

# nowhere "what": nobody has anything of it.
nowhere() {
    node=/libxl/pci/$(echo "$EDU_BDF" | tr :. --)/domid
    unlike "$1: it is not assignable" "$(xl pci-assignable-list 2>&1)" "$EDU_BDF"
    for guest in first second; do
        ! xl domid $guest >/dev/null 2>&1 ||
            unlike "$1: $guest does not have it" "$(xl pci-list $guest 2>&1)" "$EDU_BDF"
    done
    fails "$1: it is not marked as anybody's" xenstore-exists "$node"
}
# back "what": it is plugged in, and can be used. pciback takes what it has had before, but
# until the device is made assignable, Xen lets it reach the owner's memory.
back() {
    ok "$1: it is plugged in again" plug
    is "$1: the owner has it" "$(device_place "$EDU_BDF" | sed 's/ assignable=.*//')" "$(place_owned | sed 's/ assignable=.*//')"
    ok "$1: it is made assignable" xl pci-assignable-add "$EDU_BDF"
    is_free "$1: it is assignable" "$EDU_BDF"
    ok "$1: a guest gets it" xl pci-attach second "$EDU_BDF"
    is_with "$1: and has it" second "$EDU_BDF"
    uses_edu "$1" second
    ok "$1: it is taken from the guest" xl pci-detach second "$EDU_BDF"
    is_free "$1: it is assignable again" "$EDU_BDF"
}
# in_time "what" COMMAND...: it succeeds.
in_time() {
    in_time_what=$1
    shift
    timed timeout 60 "$@"
    is "$in_time_what: succeeds" "$status" 0
    within "$in_time_what: in time" 0 "$took" $IN_TIME
}

xl pci-assignable-add "$EDU_BDF" 2>/dev/null
xl pci-assignable-add "$TESTDEV_BDF" 2>/dev/null
ok "a guest" guest_start second 'passthrough = "enabled"'
ok "and another, with two devices" guest_start first "pci = [ '$EDU_BDF', '$TESTDEV_BDF' ]"
uses_edu "created" first

# --- A guest has it: detach ---

ok "attached: the device is pulled out" pull
in_time "attached: list" xl pci-list first
in_time "attached: assignable list" xl pci-assignable-list
unlike "attached: it is not assignable" "$output" "$EDU_BDF"
in_time "attached: detach" xl pci-detach first "$EDU_BDF"
like "attached: detach says that it is gone" "$output" "$GONE"
nowhere "attached"
is_with "attached: the guest has the other device" first "$TESTDEV_BDF"
fails "attached: it is not given to anybody" xl pci-attach second "$EDU_BDF"
in_time "attached: remove" xl pci-assignable-remove "$EDU_BDF"
like "attached: remove says that it is gone" "$output" "$GONE"
back "attached"

# --- A guest has it: destroy ---

# The driver of the first guest still has the interrupt's event channel, since the device
# went without being asked for: Xen keeps the interrupt's number in that guest until its end.
xl destroy first
ok "destroyed: a guest with two devices" guest_start first "pci = [ '$EDU_BDF', '$TESTDEV_BDF' ]"
uses_edu "destroyed" first
ok "destroyed: it is pulled out" pull
in_time "destroyed: destroy" xl destroy first
like "destroyed: destroy says that it is gone" "$output" "$GONE"
fails "destroyed: the guest is gone" xl domid first
nowhere "destroyed"
is_free "destroyed: its other device is assignable" "$TESTDEV_BDF"
back "destroyed"

# --- Assignable ---

ok "assignable: it is pulled out" pull
nowhere "assignable"
fails "assignable: it is not given to anybody" xl pci-attach second "$EDU_BDF"
in_time "assignable: remove" xl pci-assignable-remove "$EDU_BDF"
like "assignable: remove says that it is gone" "$output" "$GONE"
nowhere "assignable, removed"
back "assignable, removed"
ok "assignable: it is pulled out once more" pull
back "assignable, not removed"

xl destroy second
is_free "in the end: it is assignable" "$EDU_BDF"
ok "in the end: the owner gets it" xl pci-assignable-remove "$EDU_BDF"
is_owned "in the end: and has it" "$EDU_BDF"

done_testing
