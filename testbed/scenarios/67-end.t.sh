# shellcheck shell=sh disable=SC2154
# topologies: direct loopback hwdom
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# make check: direct hwdom, with the backend in Dom0 and elsewhere
# time limit: 900
#
# The end of a guest with three devices: it does not wait for a frontend that is dead, says
# nothing of errors, and leaves the devices assignable. A guest that reboots gets them again.
# Then: what the owner has of a guest is lost, or another domain is designated as the owner.
. /lib/places.sh

DEVICES="$E1000_BDF $EDU_BDF $TESTDEV_BDF"
# ms, from when the guest is told to end. It is told to in 300.
GONE_IN=3300
IN_TIME=20000

# What the process that watches over a guest has said, but that a device cannot be reset, which
# of the emulated ones none can.
log=/var/log/xen/xl-guest.log
errors() { grep -i error "$log" | grep -v 'support reset from sysfs'; }

net_works() { guest_has guest net; is "$1: the guest pings its gateway" "$(guest_net guest 2>&1)" "link=yes answers=2 interrupts=yes"; }
edu_works() { guest_has guest edu; is "$1: the guest uses edu" "$(guest_edu guest 2>&1)" "factorial=3628800 interrupt=yes"; }

# with_three "what": a guest, with devices of both kinds: created with, and attached later.
with_three() {
    : >"$log"
    ok "$1: a guest has two devices" guest_start guest "pci = [ '$E1000_BDF', '$EDU_BDF' ]" 'on_crash = "destroy"'
    guest_has guest net
    ok "$1: and gets a third" xl pci-attach guest "$TESTDEV_BDF"
    wait_until 20 settled guest
    guest=$(xl domid guest)
    # shellcheck disable=SC2086
    is_with "$1: it has them" guest $DEVICES
}

# ends "what" COMMAND: the guest carries that out; the time until its domain is no more.
is_guest() { xl domid guest >/dev/null 2>&1; }
is_gone() { ! xl-plain domname "$guest" >/dev/null 2>&1; }
ends() {
    # shellcheck disable=SC2016
    guest_run guest sh -c '(usleep 300000; eval "$1") >/dev/null 2>&1 &' sh "$2"
    timed wait_until 90 is_gone
    within "$1: the guest is gone within 3 s" 0 "$took" $GONE_IN
    diag "$1: gone after $took ms"
}
# free "what"
free() {
    is "$1: nothing is said of errors" "$(errors)" ""
    # shellcheck disable=SC2086
    is_free "$1: its devices are assignable" $DEVICES
    is "$1: Xen has nothing of it" "$(domain_access "$guest")" "no domain $guest"
    is "$1: nor has the toolstack" "$(xenstore-ls "/libxl/$guest" 2>/dev/null)" ""
}

for bdf in $DEVICES; do
    xl pci-assignable-add "$bdf" 2>/dev/null
done

with_three "poweroff"
ends "poweroff" 'poweroff -f'
free "poweroff"

with_three "crash"
ends "crash" 'echo c >/proc/sysrq-trigger'
free "crash"

with_three "reboot"
ends "reboot" 'reboot -f'
ok "reboot: it is built again" wait_until 60 is_guest
ok "reboot: it is back" guest_run -w 60 guest true
guest=$(xl domid guest)
# shellcheck disable=SC2086
is_with "reboot: with its devices" guest $DEVICES
net_works "reboot"
edu_works "reboot"
is "reboot: nothing is said of errors" "$(errors)" ""

# --- What the owner has of the guest is lost ---

has_part 3 "directory lost" || { done_testing; exit; }
case $TOPOLOGY in
    hwdom) owner=1 ;;
    *) owner=0 ;;
esac
xenstore-rm "/local/domain/$owner/backend/pci/$guest"
is "directory lost: the guest has its devices" "$(xl pci-list guest | grep -o '0000:.*' | sort | xargs)" "$DEVICES"
timed timeout 60 xl pci-detach guest "$TESTDEV_BDF"
within "directory lost: detach ends in time" 0 "$took" $IN_TIME
if [ "$status" = 0 ]; then
    is_free "directory lost: the device is assignable" "$TESTDEV_BDF"
else
    is_with "directory lost: the guest keeps the device" guest "$TESTDEV_BDF"
fi
timed timeout 60 xl destroy guest
is "directory lost: the guest is destroyed" "$status" 0
within "directory lost: in time" 0 "$took" $IN_TIME
free "directory lost"

# --- Another owner ---

if [ "$TOPOLOGY" = direct ]; then
    done_testing
    exit
fi

ok "another domain" guest_start other
with_three "another owner"
xl pci-owner other
is "another owner: the guest has its devices" "$(xl pci-list guest | grep -o '0000:.*' | sort | xargs)" "$DEVICES"
edu_works "another owner"
timed timeout 60 xl pci-detach guest "$EDU_BDF"
within "another owner: detach ends in time" 0 "$took" $IN_TIME
[ "$status" = 0 ] || like "another owner: detach says why it fails" "$output" 'error: .'
is "another owner: the guest may not access the device" "$(domain_access "$guest")" "$(device_access "$E1000_BDF" "$TESTDEV_BDF")"
timed timeout 90 xl destroy guest
is "another owner: the guest is destroyed" "$status" 0
within "another owner: in time" 0 "$took" $IN_TIME
is "another owner: Xen has nothing of it" "$(domain_access "$guest")" "no domain $guest"
xl pci-owner "$owner"
is "designated again: the devices are assignable" "$(xl pci-assignable-list | sort | xargs)" "$DEVICES"
ok "designated again: the next guest gets them" \
    guest_start guest "pci = [ $(for bdf in $DEVICES; do printf "'%s', " "$bdf"; done) ]"
edu_works "designated again"
xl destroy guest
xl destroy other
# Of what the owner had lent, too, nothing is left.
# shellcheck disable=SC2086
is_free "in the end: they are assignable" $DEVICES

done_testing
