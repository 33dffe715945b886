# shellcheck shell=sh disable=SC2016,SC2154
# topologies: loopback hwdom
# make check: hwdom, where the owner lends; in loopback there is less to lose
# time limit: 900
#
# The daemon is killed at random moments, while commands add, remove, attach and detach
# devices. Each ends in time, with success or a cause; repeated with a daemon that runs, it
# succeeds; and no device is lost, and no guest harmed.
#
# 81-chaos.t.sh [ROUNDS [SEED]]: what is random is the same for the same SEED.

ROUNDS=${1:-4} seed=${2:-1}
# ms, for a command whose daemon is killed: 7 s of silence, 10 s for a guest that is slow to let
# go of a device, and its own work
IN_TIME=20000

. /lib/places.sh

OWNER=$(xl pci-owner | cut -d' ' -f1)

# random LIMIT: sets $random, from 0 to LIMIT - 1.
random() {
    seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
    random=$(((seed >> 8) % $1))
}

guest_config guest "pci = [ '$EDU_BDF' ]"
xl pci-assignable-add "$EDU_BDF" 2>/dev/null
ok "a guest has one device" guest_start guest "pci = [ '$EDU_BDF' ]"
guest_ok "and has brought it up" guest_has guest edu
guest=$(xl domid guest)

# The four commands in turn lead a device from its driver to a guest and back again.
command() {
    case $1 in
        0) echo "xl pci-assignable-add $E1000_BDF" ;;
        1) echo "xl pci-attach guest $E1000_BDF" ;;
        2) echo "xl pci-detach guest $E1000_BDF" ;;
        3) echo "xl pci-assignable-remove -r $E1000_BDF" ;;
    esac
}
has_card() {
    if guests_find_devices; then
        guest_has guest net
    else
        [ "$(device_place "$E1000_BDF")" = "$(place_with guest)" ]
    fi
}
# What is to be so when it has succeeded.
brought_about() {
    case $1 in
        0 | 2) [ "$(xl pci-assignable-list)" = "$E1000_BDF " ] ;;
        1) xl pci-list guest | grep -q "$E1000_BDF" && has_card ;;
        3) device_state "$E1000_BDF" | grep -q '^driver=e1000 slots=0 quarantined=no' ;;
    esac
}
# A command may say that there is nothing left to do: then it was done before.
done_before() {
    case $1 in
        1) echo "$output" | grep -q "is not assignable" ;;
        2) echo "$output" | grep -q "not attached to this domain" ;;
        3) echo "$output" | grep -q "failed to de-quarantine" ;;
        *) false ;;
    esac
}

for round in $(seq "$ROUNDS"); do
    step=$(((round - 1) % 4))
    # shellcheck disable=SC2046
    set -- $(command $step)
    what="round $round, $2"

    random 400
    owner -b sh -c 'usleep "$1"; kill -9 "$(cat /var/run/xen/xlpcid.pid)"' sh $((random * 1000)) >/dev/null
    timed "$@"
    killed=$output
    within "$what: ends in time" 0 "$took" $IN_TIME
    if [ "$status" = 0 ]; then
        pass "$what: has succeeded (killed after $random ms)"
    else
        like "$what: says why not (killed after $random ms)" "$output" "[Dd]omain $OWNER"
    fi

    no_daemon() { ! owner sh -c 'kill -0 "$(cat /var/run/xen/xlpcid.pid)"' 2>/dev/null; }
    ok "$what: the daemon is gone" wait_until 10 no_daemon
    ok "$what: another is started" pcid_start
    run "$@"
    if [ "$status" != 0 ] && done_before $step; then
        status=0
    fi
    is "$what: repeated, it succeeds, or says that it was done" "$status" 0
    if [ "$status" != 0 ]; then
        diag "first: $killed"
        diag "then: $output"
        guest_report guest
    fi
    ok "$what: and what it should do is done" brought_about $step
    if guests_find_devices; then
        is "$what: the guest still uses the other device" "$(guest_edu guest 2>&1)" "factorial=3628800 interrupt=yes"
    else
        is_with "$what: the guest still has the other device" guest "$EDU_BDF"
    fi
done

xl destroy guest
is "in the end, Xen has nothing of the guest" "$(domain_access "$guest")" "no domain $guest"
xl pci-assignable-add "$E1000_BDF"
is "and both devices are there" "$(xl pci-assignable-list | sort | tr -d ' \n')" "$E1000_BDF$EDU_BDF"
ok "they can be had back" xl pci-assignable-remove -r "$E1000_BDF"
ok "both" xl pci-assignable-remove "$EDU_BDF"
is "as they were: the card" "$(device_state "$E1000_BDF")" "driver=e1000 slots=0 quarantined=no rebind=- name=-"

done_testing
