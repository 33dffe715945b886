# shellcheck shell=sh disable=SC2034,SC2154
# What xl does with a guest whose PCI devices have a hostile backend, or frontend: each of
# its commands ends in time, and with the truth. For the scenarios that say who is hostile.
# shellcheck source=places.sh
. /lib/places.sh

# The guest has HELD when it becomes hostile, and is to get MORE. Both are quick devices,
# without a driver in the guest.
HELD=$TESTDEV_BDF MORE=$EDU_BDF
# Another guest, and the device that it has all the time.
OTHERS=$E1000B_BDF

# ms. Lists wait for nobody. Others wait 10 s for pciback; an attach that fails does so twice. In s,
# what hangs is ended.
LISTS_IN=3000 WAITS_IN=25000 HANGS_AFTER=90

# Every xl of the scenario, the ones that watch over guests too, is the one with sanitizers. What
# they find ends it with a status that no command of xl has.
export PATH="/opt/sanitized/bin:$PATH" ASAN_OPTIONS=detect_leaks=0:exitcode=120 UBSAN_OPTIONS=exitcode=120

# is_found TEXT: a sanitizer has found something, perhaps in a child of xl.
is_found() { printf '%s' "$1" | grep -q 'Sanitizer\|runtime error'; }

# attempt "what" MOST COMMAND...: it ends in time, with a status of its own, and the sanitizers
# find nothing. Sets $output and $status.
attempt() {
    attempt_what=$1 attempt_most=$2
    shift 2
    timed timeout "$HANGS_AFTER" "$@"
    if [ "$status" -le 1 ] && [ "$took" -le "$attempt_most" ] && ! is_found "$output"; then
        pass "$attempt_what: ends in time"
    else
        fail "$attempt_what: ends in time"
        diag "status $status after $took ms: $(printf '%s' "$output" | head -c 1000)"
    fi
}

# truth "what" BDF PLACE PLACE: after an attach or a detach with $status. The first is where
# the device is to be after success, the second after failure, which says why; unless that is
# that the guest has not let go of it.
truth() {
    if [ "$status" = 0 ]; then
        truth_is=$3
    elif printf '%s\n' "$output" | grep -q 'stays with the domain'; then
        truth_is=$(place_with hostile)
    else
        truth_is=$4
    fi
    is "$1: leaves the device where it says (status $status)" "$(device_place "$2")" "$truth_is"
    [ "$status" = 0 ] || like "$1: says why" "$output" 'error: .'
}

# hostile_guest NAME: the guest that is to be hostile, or to have a hostile backend, with the
# device. Sets $guest. If only lists of devices are false, it need not run. Otherwise it is the
# next of the guests that the scenario begins with, as long as there is one.
spare=0
hostile_guest() {
    case $1 in
        num-* | dev-* | opts-* | name-* | vdev-* | frontend-*)
            guest_config hostile "pci = [ '$HELD' ]" 'memory = 96'
            ok "$1: a guest that does not run has a device" xl create -q -p /run/hostile.cfg ;;
        *)
            spare=$((spare + 1))
            ok "$1: a guest" guest_start spare$spare 'passthrough = "enabled"'
            xl rename spare$spare hostile
            ok "$1: it gets a device" xl pci-attach hostile "$HELD"
            ok "$1: and brings it up" wait_until 20 settled hostile ;;
    esac
    guest=$(xl domid hostile)
}

# hostile_lists NAME: who asks is told the truth.
hostile_lists() {
    attempt "$1: pci-list" $LISTS_IN xl pci-list hostile
    is "$1: pci-list: tells what the guest has" "$(printf '%s\n' "$output" | grep -o '0000:.*')" "$HELD"
    attempt "$1: list -l" $LISTS_IN xl list -l hostile
    is "$1: list -l: tells what the guest has" "$(printf '%s\n' "$output" | sed -n 's/.*"dev": *\([0-9]*\).*/\1/p')" 7
}

# hostile_changes NAME: a device is attached, and one detached.
hostile_changes() {
    attempt "$1: pci-attach" $WAITS_IN xl pci-attach hostile "$MORE"
    truth "$1: pci-attach" "$MORE" "$(place_with hostile)" "$(place_free)"
    attempt "$1: pci-detach" $WAITS_IN xl pci-detach hostile "$HELD"
    truth "$1: pci-detach" "$HELD" "$(place_free)" "$(place_with hostile)"
    if [ "$status" != 0 ]; then
        attempt "$1: pci-detach -f" $WAITS_IN xl pci-detach -f hostile "$HELD"
        truth "$1: pci-detach -f" "$HELD" "$(place_free)" "$(place_with hostile)"
        [ "${FORCED:-}" != free ] || is "$1: pci-detach -f: succeeds" "$status" 0
    fi
}

# hostile_end NAME: the guest is destroyed.
hostile_end() {
    attempt "$1: destroy" $WAITS_IN xl destroy hostile
    is "$1: destroy: succeeds" "$status" 0
    fails "$1: destroy: the guest is gone" xl domid hostile
    is "$1: destroy: Xen has nothing of it" "$(domain_access "$guest")" "no domain $guest"
    is "$1: destroy: nor has the toolstack" "$(xenstore-ls "/libxl/$guest" 2>/dev/null)" ""
}

# hostile_commands NAME: all commands against that misbehaviour, which is played by now.
# With $FORCED=free, pci-detach -f must succeed.
hostile_commands() {
    hostile_lists "$1"
    hostile_changes "$1"
    hostile_end "$1"
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

# pciback believes any number of devices, and counts that far when it looks at one: an owner
# that writes such a one stops its own pciback. So this comes last, and nothing after it.
LAST='num-2^27+1'
hostile_last() {
    hostile_guest "$LAST"
    $1 "$LAST"
    hostile_lists "$LAST"
    hostile_end "$LAST"
}

# hostile_each ROLE CALL [NAME...]: the devices, and another guest; then CALL for each
# misbehaviour of that role, or for those that are named, and hostile_after when it is over.
hostile_each() {
    each_role=$1 each_call=$2
    shift 2
    if [ $# = 0 ]; then
        # shellcheck disable=SC2046
        set -- $(hostile list "$each_role" | cut -d: -f1 | grep -vF "$LAST")
        ok "there are at least 20 misbehaviours" [ $# -ge 20 ]
    fi

    like "xl has sanitizers" "$(ASAN_OPTIONS=help=1 xl list 2>&1)" AddressSanitizer
    xl pci-assignable-add "$E1000B_BDF"
    xl pci-assignable-add "$HELD" 2>/dev/null
    xl pci-assignable-add "$MORE" 2>/dev/null
    ok "another guest" guest_start other 'passthrough = "enabled"'
    ok "gets a device" xl pci-attach other "$OTHERS"
    ok "and brings it up" guest_has other net
    other=$(xl domid other)
    for name; do
        hostile_guest "$name"
        $each_call "$name"
        hostile_commands "$name"
        hostile_after
    done
    xl destroy other
    is "the sanitizers find nothing in xl where it waits for a guest's end" \
        "$(grep -l 'Sanitizer\|runtime error' /var/log/xen/xl-*.log 2>/dev/null)" ""
    is_free "all guests are gone" "$HELD" "$MORE" "$OTHERS"
}

# plays "what" DOMID: wait until that domain plays the misbehaviour.
is_played() { [ "$(xenstore-read "/local/domain/$2/data/hostile-plays" 2>/dev/null)" = "$1" ]; }
plays() { ok "$1: is played" wait_until 20 is_played "$@"; }
