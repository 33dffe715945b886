# shellcheck shell=sh
# topologies: loopback hwdom
# make check: hwdom, where the clients are in another domain; the daemon is the same in loopback
#
# Many commands at once: none leaves a device half bound, and none fails for the sake of
# others, but of those that change the same device: one succeeds, and the others say why they
# do not. Their order is open; what must be right is where the device ends up, and that one
# more command brings it where it is wanted.

# at_once NAME COMMAND...: start it; $OUT/NAME.out and .status are there after `wait`.
OUT=/tmp/out
at_once() {
    at_once_name=$1
    shift
    {
        "$@" >"$OUT/$at_once_name.out" 2>&1 && at_once_status=0 || at_once_status=$?
        echo "$at_once_status" >"$OUT/$at_once_name.status"
    } &
}
status_of() { cat "$OUT/$1.status"; }
# For a failed test: what the commands had to say.
outputs() { head -n 20 "$OUT"/*.out | sed 's/^/# /'; }
new_round() { rm -rf "$OUT" && mkdir -p "$OUT"; }

ROUNDS=$(seq 10)
PAIRS=$(seq 4)   # rounds of two commands at once
FREE="driver=e1000 slots=0 quarantined=no rebind=- name=-"
ASSIGNABLE="driver=pciback slots=1 quarantined=yes rebind=e1000 name=-"

daemon=$(owner cat /var/run/xen/xlpcid.pid)

# --- 16 lists ---

ok "a device is made assignable" xl pci-assignable-add -n edu "$EDU_BDF"
for round in $ROUNDS; do
    new_round
    for i in $(seq 16); do
        at_once "$i" xl pci-assignable-list -n
    done
    wait
    right=0
    for i in $(seq 16); do
        [ "$(status_of "$i") $(cat "$OUT/$i.out")" != "0 $EDU_BDF edu" ] || right=$((right + 1))
    done
    is "16 lists at once, round $round: all are right" "$right" 16
    [ "$right" = 16 ]
done
ok "the device is removed again" xl pci-assignable-remove "$EDU_BDF"

# --- Different devices ---

all="$E1000_BDF $E1000B_BDF $EDU_BDF $MULTI_BDF0 $MULTI_BDF1 $TESTDEV_BDF"
states() { for bdf in $all; do echo "$bdf $(device_state "$bdf")"; done; }
driver_before() {
    case $1 in "$E1000_BDF" | "$E1000B_BDF") echo e1000 ;; *) echo none ;; esac
}
new_round
for bdf in $all; do at_once "$bdf" xl pci-assignable-add -n "name-$bdf" "$bdf"; done
wait
for bdf in $all; do
    rebind=$(driver_before "$bdf" | sed 's/none/-/')
    is "six devices are added at once: $bdf is" "$(status_of "$bdf") $(device_state "$bdf")" \
        "0 driver=pciback slots=1 quarantined=yes rebind=$rebind name=name-$bdf"
done
is "and listed" "$(xl pci-assignable-list | sort | tr -d ' \n')" "$(echo "$all" | tr -d ' ')"
new_round
for bdf in $all; do at_once "$bdf" xl pci-assignable-remove -r "$bdf"; done
wait
for bdf in $all; do
    is "six devices are removed at once: $bdf is" "$(status_of "$bdf") $(device_state "$bdf")" \
        "0 driver=$(driver_before "$bdf") slots=0 quarantined=no rebind=- name=-"
done

# --- The same command twice, on one device ---

for round in $PAIRS; do
    new_round
    at_once 1 xl pci-assignable-add "$E1000_BDF"
    at_once 2 xl pci-assignable-add "$E1000_BDF"
    wait
    like "two adds at once, round $round: one at least succeeds" "$(status_of 1) $(status_of 2)" "0"
    busy=$(cat "$OUT"/*.out | grep -c "$E1000_BDF is being made assignable, given back or attached by another command")
    is "two adds at once, round $round: the other, or none, says why not" \
        "$busy" "$(cat "$OUT"/*.status | grep -cv '^0$')"
    is "two adds at once, round $round: it is assignable" "$(device_state "$E1000_BDF")" "$ASSIGNABLE"

    new_round
    at_once 1 xl pci-assignable-remove -r "$E1000_BDF"
    at_once 2 xl pci-assignable-remove -r "$E1000_BDF"
    wait
    like "two removes at once, round $round: one at least succeeds" "$(status_of 1) $(status_of 2)" "0"
    is "two removes at once, round $round: it has its driver" "$(device_state "$E1000_BDF")" "$FREE"
done

# --- Add and remove at once, on one device ---

# What the owner's kernel has must be one or the other, whole. Quarantine, which is up to
# Xen, can be left over, as ever; then the command that lifts it succeeds.
bound() { device_state "$1" | cut -d' ' -f1,2; }

for round in $PAIRS; do
    new_round
    at_once add xl pci-assignable-add "$E1000_BDF"
    at_once remove xl pci-assignable-remove -r "$E1000_BDF"
    wait
    diag "add: $(status_of add), remove: $(status_of remove), $(device_state "$E1000_BDF")"
    is "add and remove at once, round $round: the device is not half bound" \
        "$(bound "$E1000_BDF" | sed -E 's/^driver=(e1000|none) slots=0$/whole/; s/^driver=pciback slots=1$/whole/')" whole
    if [ $((round % 2)) = 0 ]; then
        ok "round $round: add succeeds then" xl pci-assignable-add "$E1000_BDF"
        is "round $round: and it is assignable" "$(device_state "$E1000_BDF")" "$ASSIGNABLE"
    elif device_state "$E1000_BDF" | grep -q quarantined=yes; then
        ok "round $round: remove succeeds then" xl pci-assignable-remove -r "$E1000_BDF"
        is "round $round: and it has its driver" "$(device_state "$E1000_BDF")" "$FREE"
    else
        is "round $round: it has its driver" "$(device_state "$E1000_BDF")" "$FREE"
    fi
done
xl pci-assignable-remove -r "$E1000_BDF" 2>/dev/null
is "in the end it has its driver" "$(device_state "$E1000_BDF")" "$FREE"
is "and nothing is assignable" "$(xl pci-assignable-list)" ""

# --- What is left ---

owner_domid=$(xl pci-owner | cut -d' ' -f1)
requests=/local/domain/$owner_domid/data/pcid/$TOOLSTACK
# But the channel that is made in advance
no_request_is_left() { [ "$(xenstore-list "$requests")" = "$(xenstore-read "$requests")" ]; }
ok "no request is left in xenstore" wait_until 10 no_request_is_left
ok "the daemon is the one it was" owner kill -0 "$daemon"

done_testing
