# shellcheck shell=sh disable=SC2154
# topologies: hwdom
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
# The owner writes what it likes into the backend directory of a guest's PCI devices
# (src/hostile-pci.c). xl neither crashes nor waits for long, does not believe it, and
# destroys the guest; then its devices can be used as before.
#
# Only where the owner is another domain: in direct and loopback this directory is Dom0's.
#
# 64-hostile-backend.t.sh [NAME...]: just these misbehaviours.
. /lib/hostile-pci.sh

backend_plays() {
    owner -b hostile backend "$guest" "$1" "$OTHERS" >/run/player
    plays "$1" 1
}
hostile_after() { owner kill "$(cat /run/player)" 2>/dev/null; }

hostile_each backend backend_plays "$@"
[ $# != 0 ] || hostile_last backend_plays
done_testing
