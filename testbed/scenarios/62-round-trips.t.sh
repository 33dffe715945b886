# shellcheck shell=sh disable=SC2154
# topologies: loopback hwdom
# make check: hwdom, where each of them costs most; their number is the same in loopback
#
# How often the owner is asked. Over a vchan between two domains each time costs a
# millisecond at best, so commands must not ask for each file of each device.

log=/var/log/xen/xlpcid.log
lines() { owner sed -n '$=' $log; }

# requests COMMAND...: sets $requests, those that the daemon logs while it runs.
requests() {
    requests_before=$(lines)
    run "$@"
    requests=$(owner tail -n "+$((requests_before + 1))" $log |
        sed -nE 's/^.*: domain [0-9]+, [0-9a-z@]+: ([a-z_]+ .*): .*$/\1/p')
}

# asks "what" MOST [BDF...]: that it succeeded, and asked for each of the devices, but in
# all at most MOST times (for each of them, if there are any).
asks() {
    asks_what=$1 asks_most=$(($2 * ($# > 2 ? $# - 2 : 1)))
    shift 2
    is "$asks_what succeeds" "$status" 0
    [ "$status" -eq 0 ] || diag "$output"
    for asks_bdf; do
        like "$asks_what asks for $asks_bdf" "$requests" "$asks_bdf"
    done
    output=$requests
    within "$asks_what asks at most $asks_most times" 1 "$(printf '%s\n' "$requests" | grep -c .)" "$asks_most"
}

pcid_stop
ok "the daemon logs its requests" env PCID_VERBOSE=1 pcid_start

many="$E1000_BDF $EDU_BDF $MULTI_BDF0 $MULTI_BDF1 $TESTDEV_BDF $NVME_BDF"
for bdf in $many; do xl pci-assignable-add "$bdf" 2>/dev/null; done
requests xl pci-assignable-list
is "six devices are listed" "$(echo "$output" | sort | tr -d '\n')" "$(echo "$many " | sed 's/ / /g')"
asks "a list of six devices" 1

guest_config guest "pci = [ '$E1000_BDF', '$EDU_BDF' ]"
requests xl create -q /run/guest.cfg
asks "create with two devices" 3 "$E1000_BDF" "$EDU_BDF"
ok "the guest comes up" guest_has guest edu
requests xl pci-detach guest "$EDU_BDF"
asks "detach" 2 "$EDU_BDF"
requests xl pci-attach guest "$EDU_BDF"
asks "attach" 3 "$EDU_BDF"
ok "the guest brings it up" guest_has guest edu
requests xl pci-list guest
is "a guest's devices are listed without asking" "$status $requests" "0 "
requests xl destroy guest
# The xl that watches over the guest may do the same at the same time.
asks "destroy with two devices" 4 "$E1000_BDF" "$EDU_BDF"

done_testing
