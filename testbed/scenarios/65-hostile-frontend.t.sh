# shellcheck shell=sh disable=SC2034,SC2154
# topologies: direct loopback hwdom
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# make check: , for it takes most of an hour: make check-all has it
# begins with: guest_start other 'passthrough = "enabled"'
# begins with: guest_start spare1 'passthrough = "enabled"'
# begins with: guest_start spare2 'passthrough = "enabled"'
# begins with: guest_start spare3 'passthrough = "enabled"'
# begins with: guest_start spare4 'passthrough = "enabled"'
# begins with: guest_start spare5 'passthrough = "enabled"'
# begins with: guest_start spare6 'passthrough = "enabled"'
# time limit: 7200
# needs: sanitized
#
# A guest writes what it likes into the frontend directory of its PCI devices
# (src/hostile-pci.c). xl neither crashes nor waits for long, does not believe it, and takes
# the devices from it by force, or destroys it; then they can be used as before.
#
# 65-hostile-frontend.t.sh [NAME...]: just these misbehaviours.
. /lib/hostile-pci.sh
FORCED=free

frontend_plays() {
    # shellcheck disable=SC2016
    guest_run hostile sh -c 'hostile frontend "$@" >/dev/null 2>&1 &' sh "$1" "$other"
    plays "$1" "$guest"
}
# It is gone with the guest.
hostile_after() { :; }

hostile_each frontend frontend_plays "$@"
done_testing
