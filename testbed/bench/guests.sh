# shellcheck shell=sh disable=SC2154
# testdevs: 2
# What scripts/bench runs in each topology, in the emulated machine's own time: waiting costs
# nothing, and a busy machine changes nothing. Sections with series of samples, a line each.

. /lib/transcript.sh

section() { echo "section $1"; }
stop() { echo "failed: $1"; exit 1; }

PATCHED=/usr/lib
PLAIN=/opt/plain/lib
PLAIN_XL=/opt/plain/bin/xl
EIGHT="$E1000_BDF $EDU_BDF $MULTI_BDF0 $MULTI_BDF1 $E1000B_BDF $TESTDEV_BDF 0000:00:09.0 0000:00:0a.0"

# first COUNT: of the devices, as in xl.cfg
first() {
    first_count=$1
    # shellcheck disable=SC2086
    set -- $EIGHT
    while [ "$first_count" -gt 0 ]; do
        printf "'%s'," "$1"
        shift
        first_count=$((first_count - 1))
    done
}

gone() { ! xl domid "$1" >/dev/null 2>&1; }

# end NAME COUNT: the time from the guest's poweroff until xl knows it no longer.
end() {
    guest_start ending "pci = [ $(first "$2") ]" 'passthrough = "enabled"' || stop "no guest with $2 devices"
    [ "$2" = 0 ] || wait_until 120 guest_settled ending || stop "the guest does not bring up $2 devices"
    begin=$(centiseconds)
    # A guest that ends does not answer.
    guest_run ending poweroff -f >/dev/null 2>&1 &
    wait_until 300 gone ending || stop "the guest with $2 devices does not end"
    echo "$1-$2 $((($(centiseconds) - begin) * 10))"
    kill $! 2>/dev/null
    { wait $!; } 2>/dev/null || true
}

# attach NAME LIBRARIES XL: to the guest, and how often that asks xenstored.
attach() {
    count=$(LD_LIBRARY_PATH=$2 round_trips "$3" pci-attach guest "$TESTDEV_BDF") || stop "attach: $(tail -n 3 /run/trace)"
    echo "$1 $count"
    wait_until 60 guest_settled guest || stop "the guest does not bring up the device"
    output=$(LD_LIBRARY_PATH=$2 "$3" pci-detach guest "$TESTDEV_BDF" 2>&1) || stop "detach: $output"
    wait_until 60 guest_settled guest || stop "the guest does not give up the device"
}

for bdf in $EIGHT; do
    xl pci-assignable-add "$bdf" 2>/dev/null || stop "$bdf is not made assignable"
done

# In hwdom, the unpatched xl cannot give devices to guests.
guest_start guest "pci = [ '$EDU_BDF' ]" || stop "no guest"
wait_until 120 guest_settled guest || stop "the guest does not bring up edu"
section requests
attach patched $PATCHED /bin/xl
[ "$TOPOLOGY" = hwdom ] || attach plain $PLAIN $PLAIN_XL
section pci-list
if [ "$TOPOLOGY" != hwdom ]; then
    bench run 3 LIBRARIES=$PATCHED /bin/xl pci-list guest -- LIBRARIES=$PLAIN $PLAIN_XL pci-list guest || stop "pci-list"
    section list-l
    bench run 3 LIBRARIES=$PATCHED /bin/xl list -l -- LIBRARIES=$PLAIN $PLAIN_XL list -l 2>/dev/null || stop "list -l"
fi
xl destroy guest || stop "destroy"

section end
for number in 0 1 3 8; do
    end patched "$number"
done
if [ "$TOPOLOGY" = direct ]; then
    unpatched_xl
    for number in 0 1 3 8; do
        end plain "$number"
    done
fi
