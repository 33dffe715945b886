# shellcheck shell=sh disable=SC2154
# What xl does with a guest whose PCI devices have a hostile backend, or frontend: each of
# its commands ends in time, and with the truth. For the scenarios that say who is hostile.
# shellcheck source=places.sh
. /lib/places.sh

# The guest has HELD when it becomes hostile, and is to get MORE. Both are quick devices,
# without a driver in the guest.
HELD=$TESTDEV_BDF MORE=$EDU_BDF
# Another guest, and the device that it has all the time.
OTHERS=$E1000B_BDF

# ms. Lists wait for nobody. Others wait 10 s for pciback, in all.
LISTS_IN=3000 WAITS_IN=20000

# attempt "what" MOST COMMAND...: it ends in time, and with a status of its own. Sets
# $output and $status, and $ended, to use in what a test says.
attempt() {
    attempt_what=$1 attempt_most=$2
    shift 2
    timed timeout 90 "$@"
    if [ "$status" -le 1 ] && [ "$took" -le "$attempt_most" ]; then
        pass "$attempt_what: ends in time"
    else
        fail "$attempt_what: ends in time"
        diag "status $status after $took ms: $(printf '%s' "$output" | head -c 1000)"
    fi
}

# truth "what" BDF: after an attach or a detach with $status. $1 is where the device is to
# be after success, $2 after failure, which says why.
truth() {
    if [ "$status" = 0 ]; then truth_is=$3; else truth_is=$4; fi
    is "$1: leaves the device where it says (status $status)" "$(device_place "$2")" "$truth_is"
    [ "$status" = 0 ] || like "$1: says why" "$output" 'error: .'
}

# hostile_guest NAME: start the guest that is to be hostile, with the device. Sets $guest.
hostile_guest() {
    ok "$1: a guest has a device" guest_start hostile "pci = [ '$HELD' ]" 'memory = 128'
    ok "$1: it has brought it up" wait_until 20 settled hostile
    guest=$(xl domid hostile)
}

# hostile_commands NAME: all commands against that misbehaviour, which is played by now.
# With $FORCED=free, pci-detach -f must succeed.
hostile_commands() {
    attempt "$1: pci-list" $LISTS_IN xl pci-list hostile
    is "$1: pci-list: tells what the guest has" "$(printf '%s\n' "$output" | grep -o '0000:.*')" "$HELD"
    attempt "$1: list -l" $LISTS_IN xl list -l hostile
    is "$1: list -l: tells what the guest has" "$(printf '%s\n' "$output" | sed -n 's/.*"dev": *\([0-9]*\).*/\1/p')" 7

    attempt "$1: pci-attach" $WAITS_IN xl pci-attach hostile "$MORE"
    truth "$1: pci-attach" "$MORE" "$(place_with hostile)" "$(place_free)"
    attempt "$1: pci-detach" $WAITS_IN xl pci-detach hostile "$HELD"
    truth "$1: pci-detach" "$HELD" "$(place_free)" "$(place_with hostile)"
    if [ "$status" != 0 ]; then
        attempt "$1: pci-detach -f" $WAITS_IN xl pci-detach -f hostile "$HELD"
        truth "$1: pci-detach -f" "$HELD" "$(place_free)" "$(place_with hostile)"
        [ "${FORCED:-}" != free ] || is "$1: pci-detach -f: succeeds" "$status" 0
    fi

    attempt "$1: destroy" $WAITS_IN xl destroy hostile
    is "$1: destroy: succeeds" "$status" 0
    fails "$1: destroy: the guest is gone" xl domid hostile
    is "$1: destroy: Xen has nothing of it" "$(domain_access "$guest")" "no domain $guest"
    is "$1: destroy: nor has the toolstack" "$(xenstore-ls "/libxl/$guest" 2>/dev/null)" ""
    is "$1: destroy: its devices are assignable, the other guest's is not" \
        "$(device_place "$HELD" "$MORE" "$OTHERS")" "$(place_free; place_free; place_with other)"

    ok "$1: the other guest gets the device" xl pci-attach other "$HELD"
    ok "$1: it has brought it up" wait_until 20 settled other
    ok "$1: and gives it back" xl pci-detach other "$HELD"
    # The next misbehaviour is not to fail because of this one.
    if ! xl domid hostile >/dev/null 2>&1; then return; fi
    diag "$1: the guest is still there: nothing more can be tested"
    done_testing
    exit 1
}

# hostile_each ROLE CALL [NAME...]: the devices, and another guest; then CALL for each
# misbehaviour of that role, or for those that are named, and hostile_after when it is over.
hostile_each() {
    each_role=$1 each_call=$2
    shift 2
    if [ $# = 0 ]; then
        # shellcheck disable=SC2046
        set -- $(hostile list "$each_role" | cut -d: -f1)
        ok "there are at least 20 misbehaviours" [ $# -ge 20 ]
    fi

    xl pci-assignable-add "$E1000B_BDF"
    xl pci-assignable-add "$HELD" 2>/dev/null
    xl pci-assignable-add "$MORE" 2>/dev/null
    ok "another guest has a device" guest_start other "pci = [ '$OTHERS' ]"
    ok "and has brought it up" guest_has other net
    other=$(xl domid other)
    for name; do
        hostile_guest "$name"
        $each_call "$name"
        hostile_commands "$name"
        hostile_after
    done
    xl destroy other
    is_free "all guests are gone" "$HELD" "$MORE" "$OTHERS"
}

# plays "what" DOMID: wait until that domain plays the misbehaviour.
is_played() { [ "$(xenstore-read "/local/domain/$2/data/hostile-plays" 2>/dev/null)" = "$1" ]; }
plays() { ok "$1: is played" wait_until 20 is_played "$@"; }
