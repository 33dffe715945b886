# shellcheck shell=sh disable=SC2154
# topologies: direct
# since part: 3, the record
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# begins with: guest_start newer 'passthrough = "enabled"'
# time limit: 900
#
# Guests that an unpatched xl has started, without a record of their devices: this xl takes
# them over, as after an upgrade of the tools under running guests.
. /lib/places.sh
. /lib/transcript.sh

have_unpatched || skip_all "the base has the series, too"

uses_edu() { guest_has "$2" edu; is "$1: $2 uses the device" "$(guest_edu "$2" 2>&1)" "factorial=3628800 interrupt=yes"; }
listed() { xl pci-list "$1" | grep -o '0000:.*' | xargs; }
older() {
    unpatched_xl
    guest_start older "pci = [ '$EDU_BDF', '$TESTDEV_BDF,permissive=1' ]"
    older_status=$?
    wait_until 20 settled older
    patched_xl
    return $older_status
}

xl pci-assignable-add "$EDU_BDF" 2>/dev/null
xl pci-assignable-add "$TESTDEV_BDF" 2>/dev/null
ok "a guest" guest_start newer 'passthrough = "enabled"'
ok "a guest of an unpatched xl has two devices" older
uses_edu "started" older

# --- Taken over ---

is "its devices are listed" "$(listed older)" "$EDU_BDF $TESTDEV_BDF"
is "also with all else" "$(xl list -l older | sed -n 's/.*"dev": *\([0-9]*\).*/\1/p' | xargs)" "5 7"
like "and their options" "$(xl list -l older)" '"permissive": true'
is_with "all agree" older "$EDU_BDF" "$TESTDEV_BDF"
fails "another does not get them" xl pci-attach newer "$EDU_BDF"
is_with "all still agree" older "$EDU_BDF" "$TESTDEV_BDF"
ok "one is detached" xl pci-detach older "$EDU_BDF"
is_free "it is assignable" "$EDU_BDF"
is_with "the guest has the other" older "$TESTDEV_BDF"
ok "another guest gets it" xl pci-attach newer "$EDU_BDF"
uses_edu "another" newer
ok "it is detached" xl pci-detach newer "$EDU_BDF"
ok "the first gets it again" xl pci-attach older "$EDU_BDF"
is_with "it has both" older "$EDU_BDF" "$TESTDEV_BDF"
uses_edu "again" older

# The process that watches over the guest is of the unpatched xl.
older=$(xl domid older)
# shellcheck disable=SC2016
guest_run older sh -c '(usleep 300000; poweroff -f) >/dev/null 2>&1 &'
is_gone() { ! xl domid older >/dev/null 2>&1; }
ok "the guest powers off" wait_until 90 is_gone
is "Xen has nothing of it" "$(domain_access "$older")" "no domain $older"
for bdf in "$EDU_BDF" "$TESTDEV_BDF"; do
    ok "powered off: another gets $bdf" xl pci-attach newer "$bdf"
    wait_until 20 settled newer
done
is_with "powered off: another has both" newer "$EDU_BDF" "$TESTDEV_BDF"
uses_edu "powered off" newer
for bdf in "$EDU_BDF" "$TESTDEV_BDF"; do
    ok "powered off: $bdf is detached" xl pci-detach newer "$bdf"
    wait_until 20 settled newer
done
is_free "powered off: they are assignable" "$EDU_BDF" "$TESTDEV_BDF"

# --- Taken over by destroying it ---

ok "another guest of an unpatched xl" older
older=$(xl domid older)
timed timeout 60 xl destroy older
is "it is destroyed" "$status" 0
within "in time" 0 "$took" 20000
is_free "destroyed: the devices are assignable" "$EDU_BDF" "$TESTDEV_BDF"
is "destroyed: Xen has nothing of it" "$(domain_access "$older")" "no domain $older"

# --- What stands in Dom0's directory is checked ---

# damaged NODE VALUE
damaged() {
    what="$1 is $(echo "$2" | cut -c 1-20)"
    ok "$what: a guest of an unpatched xl" older
    older=$(xl domid older)
    xenstore-write "/local/domain/0/backend/pci/$older/0/$1" "$2"
    for command in "pci-list older" "list -l older" "pci-detach older $EDU_BDF" "pci-detach -f older $EDU_BDF"; do
        # shellcheck disable=SC2086
        timed timeout 60 xl $command
        within "$what: $command: ends, as it should" 0 "$status" 1
        within "$what: $command: in time" 0 "$took" 20000
    done
    timed timeout 60 xl destroy older
    is "$what: it is destroyed" "$status" 0
    within "$what: in time" 0 "$took" 20000
    is "$what: Xen has nothing of it" "$(domain_access "$older")" "no domain $older"
    ok "$what: another guest gets the device" xl pci-attach newer "$EDU_BDF"
    wait_until 20 settled newer
    ok "$what: and loses it" xl pci-detach newer "$EDU_BDF"
    is_free "$what: it is assignable" "$EDU_BDF"
}
damaged num_devs 3
damaged dev-0 nosuch
damaged opts-0 msitranslate

done_testing
