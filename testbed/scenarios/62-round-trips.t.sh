# shellcheck shell=sh disable=SC2154
# topologies: direct loopback hwdom
# since part: 4, whose attach makes one request less than that of 3
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# make check: direct hwdom, where each of them costs most; their number is the same in loopback
#
# direct: how often xenstored is asked, by this xl and by the unpatched one.
#
# The others: how often the owner is asked. Over a vchan between two domains each time costs a
# millisecond at best, so commands must not ask for each file of each device.
. /lib/transcript.sh

many="$E1000_BDF $EDU_BDF $MULTI_BDF0 $MULTI_BDF1 $TESTDEV_BDF $NVME_BDF"

# attach XL: a second device to the guest, and takes it away again; sets $count.
attach() {
    run round_trips "$1" pci-attach guest "$TESTDEV_BDF"
    is "$1 attaches the device" "$status" 0
    count=$output
    ok "the guest brings it up" wait_until 60 guest_settled guest
    ok "$1 detaches it" "$1" pci-detach guest "$TESTDEV_BDF"
    ok "the guest gives it up" wait_until 60 guest_settled guest
}

# The unpatched xl asks once more for each device that is assignable.
if [ "$TOPOLOGY" = direct ]; then
    have_unpatched || skip_all "the base has the series, too"
    for bdf in $many; do xl pci-assignable-add "$bdf" 2>/dev/null; done
    ok "a guest with a device" guest_start guest "pci = [ '$EDU_BDF' ]"
    ok "it comes up" guest_has guest edu
    ok "and is done with that" wait_until 60 guest_settled guest
    attach xl
    ours=$count
    attach xl-plain
    diag "requests to xenstored: $ours, of the unpatched xl: $count"
    within "attach asks xenstored at most 32 times" 1 "$ours" 32
    within "which is no more than the unpatched xl does" 1 "$ours" "$count"
    done_testing
    exit
fi

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
