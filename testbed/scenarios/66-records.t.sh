# shellcheck shell=sh disable=SC2154
# topologies: direct loopback hwdom
# since part: 3, the record
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# make check: hwdom, where the owner lends; the toolstack is the same
# make check-all: 3
# begins with: guest_start first 'passthrough = "enabled"'
# begins with: guest_start second 'passthrough = "enabled"'
# time limit: 1800
#
# A device is in one place at any time, and all agree on where (device_place): with guests
# that do not react, with commands that race for it, and with commands that are killed.
# Whatever has happened, the same command can be repeated, and the next one works.
#
# 66-records.t.sh [ROUNDS [SEED]]: of races and kills. What is random is the same for the
# same SEED.
. /lib/places.sh

ROUNDS=${1:-1} seed=${2:-1}
# ms: pciback is waited for 10 s in all.
IN_TIME=20000

# random LIMIT: sets $random, from 0 to LIMIT - 1.
random() {
    seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
    random=$(((seed >> 8) % $1))
}

uses_edu() { guest_has "$2" edu; is "$1: $2 uses the device" "$(guest_edu "$2" 2>&1)" "factorial=3628800 interrupt=yes"; }
in_time() { within "$1: in time" 0 "$took" $IN_TIME; }

# attached "what" GUEST: attach edu, all is well. detached: the reverse.
attached() {
    ok "$1: $2 gets the device" xl pci-attach "$2" "$EDU_BDF"
    is_with "$1: it has it" "$2" "$EDU_BDF"
    wait_until 20 settled "$2"
}
detached() {
    ok "$1: the device is taken from $2" xl pci-detach "$2" "$EDU_BDF"
    is_free "$1: it is assignable" "$EDU_BDF"
}
# What the toolstack knows of guests' devices, and locks.
toolstack() { xenstore-ls -f /libxl | grep -E '/device/pci|/libxl/pci/.*/(domid|access)'; }

xl pci-assignable-add "$EDU_BDF" 2>/dev/null
clean=$(toolstack)
ok "a guest" guest_start first 'passthrough = "enabled"'
ok "and another" guest_start second 'passthrough = "enabled"'

attached "to begin with" first

# --- Another guest's device ---

fails "another guest's device: detach" xl pci-detach second "$EDU_BDF"
fails "another guest's device: detach -f" xl pci-detach -f second "$EDU_BDF"
is_with "another guest's device: it is where it was" first "$EDU_BDF"
fails "another guest's device: remove" xl pci-assignable-remove "$EDU_BDF"
is_with "another guest's device: it is still where it was" first "$EDU_BDF"
uses_edu "another guest's device" first

# --- A guest that does not let go ---

xl pause first
timed timeout 60 xl pci-detach first "$EDU_BDF"
is "paused: detach fails" "$status" 1
in_time "paused: detach"
like "paused: says what to do" "$output" 'pci-detach'
is_with "paused: the guest keeps the device" first "$EDU_BDF"
fails "paused: another does not get it" xl pci-attach second "$EDU_BDF"
is_with "paused: it is still the guest's" first "$EDU_BDF"
xl unpause first
ok "unpaused: it reacts" wait_until 20 settled first
detached "unpaused" first
attached "unpaused" second
uses_edu "unpaused" second
is "unpaused: Xen lets the first guest access nothing" "$(domain_access "$(xl domid first)")" "$(device_access)"
ok "the first guest is destroyed" xl destroy first
is_with "destroyed: the device is the second's" second "$EDU_BDF"
uses_edu "destroyed" second
detached "destroyed" second
is "destroyed: Xen lets the second guest access nothing" "$(domain_access "$(xl domid second)")" "$(device_access)"

# --- By force ---

ok "a guest" guest_start first 'passthrough = "enabled"'
attached "by force" first
guest_has first edu
xl pause first
timed timeout 60 xl pci-detach -f first "$EDU_BDF"
is "by force: a paused guest loses the device" "$status" 0
in_time "by force"
is_free "by force: it is assignable" "$EDU_BDF"
attached "by force" second
xl unpause first
uses_edu "by force, unpaused" second
is_with "by force, unpaused: the device is the second's" second "$EDU_BDF"
detached "by force" second
timed timeout 60 xl pci-attach first "$EDU_BDF"
if [ "$status" = 0 ]; then
    is_with "by force: the first guest gets it again" first "$EDU_BDF"
else
    is_free "by force: the first guest cannot get it again" "$EDU_BDF"
fi
in_time "by force, attach again"
xl pause first
timed timeout 60 xl destroy first
is "a paused guest is destroyed" "$status" 0
in_time "a paused guest is destroyed"
is_free "it had no device, then" "$EDU_BDF"

# --- Races ---

ok "a guest" guest_start first 'passthrough = "enabled"'

# race DELAY COMMAND COMMAND: the second so many ms later. Sets $a and $b, their statuses; what
# they say is in /tmp/a and /tmp/b.
race() {
    # shellcheck disable=SC2086
    timeout 60 xl $2 >/tmp/a 2>&1 &
    race_first=$!
    usleep $(($1 * 1000))
    # shellcheck disable=SC2086
    timeout 60 xl $3 >/tmp/b 2>&1 && b=0 || b=$?
    wait "$race_first" && a=0 || a=$?
    for race_status in $a $b; do
        [ "$race_status" -le 1 ] || fail "$2, $3: end with 0 or 1 ($a, $b)"
    done
    race_said="status $a: $(cat /tmp/a); status $b: $(cat /tmp/b)"
}
# one_of "what" PLACE...: the device is in one of these. Sets $place.
one_of() {
    one_of_what=$1
    shift
    place=$(device_place "$EDU_BDF")
    for one_of_place; do
        if [ "$place" = "$one_of_place" ]; then pass "$one_of_what"; return; fi
    done
    fail "$one_of_what"
    diag "got: $place"
    diag "$race_said"
}
# all_free "what": whoever has it, the next command works.
all_free() {
    case $place in
        "$(place_with first)") wait_until 20 settled first; detached "$1" first ;;
        "$(place_with second)") wait_until 20 settled second; detached "$1" second ;;
        "$(place_owned)") ok "$1: it is made assignable" xl pci-assignable-add "$EDU_BDF"; is_free "$1: it is assignable" "$EDU_BDF" ;;
        *) is_free "$1: it is assignable" "$EDU_BDF" ;;
    esac
}

for round in $(seq "$ROUNDS"); do
    random 60
    what="round $round, two attaches, $random ms"
    race "$random" "pci-attach first $EDU_BDF" "pci-attach second $EDU_BDF"
    is "$what: one succeeds" "$(printf '%s\n' "$a" "$b" | sort | xargs)" "0 1"
    case $a-$b in
        0-1) one_of "$what: the first has it" "$(place_with first)" ;;
        1-0) one_of "$what: the second has it" "$(place_with second)" ;;
        *) one_of "$what: one has it" "$(place_with first)" "$(place_with second)" ;;
    esac
    like "$what: the other says why" "$(cat /tmp/a /tmp/b)" 'error: .'
    all_free "$what"

    random 60
    what="round $round, attach and remove, $random ms"
    race "$random" "pci-attach first $EDU_BDF" "pci-assignable-remove $EDU_BDF"
    is "$what: one succeeds" "$(printf '%s\n' "$a" "$b" | sort | xargs)" "0 1"
    one_of "$what: it is in one place" "$(place_with first)" "$(place_owned)"
    all_free "$what"

    random 60
    what="round $round, remove and attach, $random ms"
    race "$random" "pci-assignable-remove $EDU_BDF" "pci-attach first $EDU_BDF"
    one_of "$what: it is in one place" "$(place_with first)" "$(place_owned)"
    all_free "$what"

    random 150
    what="round $round, attach and detach, $random ms"
    race "$random" "pci-attach first $EDU_BDF" "pci-detach first $EDU_BDF"
    is "$what: the attach succeeds" "$a" 0
    one_of "$what: it is in one place" "$(place_with first)" "$(place_free)"
    all_free "$what"

    attached "round $round" first
    random 100
    what="round $round, two detaches, $random ms"
    race "$random" "pci-detach first $EDU_BDF" "pci-detach first $EDU_BDF"
    is "$what: the first succeeds" "$a" 0
    one_of "$what: it is assignable" "$(place_free)"
    all_free "$what"

    attached "round $round" first
    random 100
    what="round $round, detach and attach elsewhere, $random ms"
    race "$random" "pci-detach first $EDU_BDF" "pci-attach second $EDU_BDF"
    is "$what: the detach succeeds" "$a" 0
    one_of "$what: it is in one place" "$(place_with second)" "$(place_free)"
    all_free "$what"

    # A guest that does not run is enough to be destroyed.
    guest_config third "pci = [ '$EDU_BDF' ]" 'memory = 96'
    for other in "pci-detach third" "pci-attach second"; do
        ok "round $round: a guest is created with the device" xl create -q -p /run/third.cfg
        third=$(xl domid third)
        random 100
        what="round $round, $other and destroy, $random ms"
        race "$random" "$other $EDU_BDF" "destroy third"
        is "$what: the destruction succeeds" "$b" 0
        is "$what: Xen has nothing of the guest" "$(domain_access "$third")" "no domain $third"
        one_of "$what: it is in one place" "$(place_free)" "$(place_with second)"
        all_free "$what"
    done
done

# --- Killed commands ---

# killed COMMAND...: xl is killed after $random ms, if it has not ended by then.
killed() {
    xl "$@" >/tmp/killed 2>&1 &
    killed_pid=$!
    usleep $((random * 1000))
    kill -9 "$killed_pid" 2>/dev/null
    wait "$killed_pid" 2>/dev/null
}
for round in $(seq "$ROUNDS"); do
    random 150
    what="round $round, attach killed after $random ms"
    killed pci-attach first "$EDU_BDF"
    timed timeout 60 xl pci-attach first "$EDU_BDF"
    in_time "$what: repeated"
    race_said=$output
    one_of "$what: repeated, the guest has the device" "$(place_with first)"
    wait_until 20 settled first
    detached "$what" first

    random 150
    what="round $round, attach killed after $random ms"
    killed pci-attach first "$EDU_BDF"
    timed timeout 60 xl pci-detach first "$EDU_BDF"
    in_time "$what: then detach"
    race_said=$output
    one_of "$what: detached, it is assignable" "$(place_free)"
    attached "$what" second
    detached "$what" second

    attached "round $round" first
    random 250
    what="round $round, detach killed after $random ms"
    killed pci-detach first "$EDU_BDF"
    timed timeout 60 xl pci-detach first "$EDU_BDF"
    in_time "$what: repeated"
    race_said=$output
    one_of "$what: repeated, it is assignable" "$(place_free)"
    attached "$what" second
    detached "$what" second

    attached "round $round" first
    random 250
    what="round $round, detach killed after $random ms"
    killed pci-detach first "$EDU_BDF"
    timed timeout 60 xl pci-attach second "$EDU_BDF"
    in_time "$what: then attach elsewhere"
    race_said=$output
    one_of "$what: attached elsewhere, or still the guest's" "$(place_with second)" "$(place_with first)" \
        "listed=first marker=first assigned=- access=- lent=$(lent yes) assignable=no" \
        "listed=first marker=first assigned=- access=- lent=$(lent no) assignable=no"
    if [ "$place" = "$(place_with second)" ]; then
        detached "$what" second
    else
        ok "$what: the guest loses it" xl pci-detach first "$EDU_BDF"
        is_free "$what: it is assignable" "$EDU_BDF"
    fi

    ok "round $round: a guest is created with the device" xl create -q -p /run/third.cfg
    third=$(xl domid third)
    random 300
    what="round $round, destroy killed after $random ms"
    killed destroy third
    ! xl domid third >/dev/null 2>&1 || ok "$what: repeated, it succeeds" timeout 60 xl destroy third
    is "$what: Xen has nothing of the guest" "$(domain_access "$third")" "no domain $third"
    is_free "$what: the device is assignable" "$EDU_BDF"
    attached "$what" second
    detached "$what" second
done

# --- Whom a device cannot be given to ---

case $TOPOLOGY in
    hwdom) domains="0 1" ;;
    *) domains=0 ;;
esac
for domid in $domains; do
    fails "domain $domid: does not get the device" timeout 60 xl pci-attach "$domid" "$EDU_BDF"
    like "domain $domid: says why" "$output" 'error: .'
    is_free "domain $domid: the device is assignable" "$EDU_BDF"
done

attached "in the end" second
uses_edu "in the end" second
xl destroy first
xl destroy second
is_free "in the end: it is assignable" "$EDU_BDF"
is "in the end: the toolstack has what it had" "$(toolstack)" "$clean"
ok "in the end: the owner has it back" xl pci-assignable-remove "$EDU_BDF"
is_owned "in the end: all agree" "$EDU_BDF"

done_testing
