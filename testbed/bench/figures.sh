# shellcheck shell=sh disable=SC2154
# What scripts/bench runs in each topology: sections with series of samples, a line each, see
# src/bench.c. The argument is how much time to take, in percent of what is usual.

percent=${1:-100}
# for_seconds N: of these, as many as there are.
for_seconds() { echo $((($1 * percent + 99) / 100)); }
section() { echo "section $1"; }
stop() { echo "failed: $1"; exit 1; }

PATCHED=/usr/lib
PLAIN=/opt/plain/lib
PLAIN_XL=/opt/plain/bin/xl
SIX="$E1000_BDF $E1000B_BDF $EDU_BDF $MULTI_BDF0 $MULTI_BDF1 $TESTDEV_BDF"
FOUR="$E1000_BDF $EDU_BDF $MULTI_BDF0 $MULTI_BDF1"

# What a list of local devices reads. Where Dom0 has none: the same names, for xl-plain.
local_devices() {
    if [ -d /sys/bus/pci ]; then
        mount -t tmpfs none /sys/bus/pci && root=/sys/bus/pci
    else
        mount -t tmpfs none /sys/bus && root=/sys/bus/pci
    fi || return
    mkdir -p "$root/devices" "$root/drivers/pciback"
    for bdf in $SIX; do
        mkdir "$root/devices/$bdf"
        ln -s ../../devices/"$bdf" "$root/drivers/pciback/$bdf"
    done
    : >"$root/drivers/pciback/slots"
}

bench_list() {
    for bdf in $SIX; do
        xl pci-assignable-add "$bdf" 2>/dev/null || stop "$bdf is not made assignable"
    done
    [ "$TOPOLOGY" != hwdom ] || local_devices || stop "no local devices"
    [ "$(xl pci-assignable-list | sort)" = "$(LD_LIBRARY_PATH=$PLAIN $PLAIN_XL pci-assignable-list | sort)" ] ||
        stop "the two lists differ"
    for how in run alone; do
        section "list-$how"
        bench $how "$(for_seconds "$1")" LIBRARIES=$PATCHED /bin/xl pci-assignable-list \
            -- LIBRARIES=$PLAIN $PLAIN_XL pci-assignable-list || stop "list"
    done
    [ "$TOPOLOGY" != hwdom ] || umount /sys/bus/pci 2>/dev/null || umount /sys/bus
}

# attach NAME LIBRARIES XL: how long it takes to attach each of the four devices to the guest,
# which has brought up those before; and takes them back.
attach() {
    for bdf in $FOUR; do
        bench once "$1" LIBRARIES="$2" "$3" pci-attach bench "$bdf" 2>/run/attach.log ||
            stop "attach $bdf: $(cat /run/attach.log)"
        wait_until 60 guest_settled bench || stop "the guest does not bring up $bdf"
    done
    for bdf in $FOUR; do
        output=$(LD_LIBRARY_PATH=$2 "$3" pci-detach bench "$bdf" 2>&1) || stop "detach $bdf: $output"
        wait_until 60 guest_has_given_up || stop "the guest does not give up $bdf"
    done
}
# With the last device, libxl takes the backend away.
guest_has_given_up() { ! xenstore-exists "$backend" || guest_settled bench; }

bench_attach() {
    section attach
    guest_start bench 'passthrough = "enabled"' || stop "no guest"
    domid=$(xl domid bench)
    owner_domid=0
    [ "$TOPOLOGY" != hwdom ] || owner_domid=1
    backend=/local/domain/$owner_domid/backend/pci/$domid/0
    end=$(($(cut -d. -f1 /proc/uptime) + $(for_seconds "$1")))
    rounds=0
    while [ "$rounds" -lt 2 ] || [ "$(cut -d. -f1 /proc/uptime)" -lt $end ]; do
        attach patched $PATCHED /bin/xl
        [ "$TOPOLOGY" = hwdom ] || attach plain $PLAIN $PLAIN_XL
        rounds=$((rounds + 1))
    done
    output=$(xl destroy bench 2>&1) || stop "destroy: $output"
}

bench_clients() {
    section clients
    for round in 1 2 3; do
        bench clients "$E1000_BDF" $((500 * percent / 100 + 200)) 1 2 4 8 16 32 64 || stop "clients, round $round"
    done
}

# process FIELD...: of the daemon
# shellcheck disable=SC2016
process() {
    owner sh -c 'pid=$(cat /var/run/xen/xlpcid.pid)
        sed -nE "s/^($1):[^0-9]*([0-9]+) kB/\1 \2/p" "/proc/$pid/status"; echo cpu $(cut -d" " -f1 "/proc/$pid/schedstat")' sh "$1"
}

# shellcheck disable=SC2016
bench_daemon() {
    section daemon-start
    process 'RssAnon|VmRSS'
    owner sh -c 'echo 5 >/proc/$(cat /var/run/xen/xlpcid.pid)/clear_refs'
    bench clients "$E1000_BDF" 300 64 >/dev/null || stop "64 clients"
    section daemon-64
    process 'VmHWM|VmRSS'
    section daemon-before
    process 'RssAnon'
    bench flood "$OWNER" "$E1000_BDF" $((100000 * percent / 100)) || stop "flood"
    section daemon-after
    process 'RssAnon'
    section size
    for file in /bin/xl /usr/lib/libxenlight.so.*; do
        [ -L "$file" ] || echo "patched $(stat -c %s "$file")"
    done
    for file in "$PLAIN_XL" "$PLAIN"/libxenlight.so.*; do
        [ -L "$file" ] || echo "plain $(stat -c %s "$file")"
    done
}

if [ "$TOPOLOGY" = direct ]; then
    bench_list 30
    bench_attach 30
    exit 0
fi

OWNER=$(xl pci-owner | cut -d' ' -f1)
if [ "$TOPOLOGY" = hwdom ]; then
    bench_daemon
fi
owner -b bench serve >/run/serve.pid
section channel
bench channel "$OWNER" "$E1000_BDF" "$(for_seconds 20)" 30 || stop "channel"
if [ "$TOPOLOGY" = hwdom ]; then
    section rings
    bench rings "$OWNER" "$(for_seconds 15)" 150000 1024 2048 4096 8192 16384 32768 65536 || stop "rings"
fi
owner kill "$(cat /run/serve.pid)"
[ "$TOPOLOGY" != hwdom ] || bench_clients
bench_list 25
if [ "$TOPOLOGY" = loopback ]; then bench_attach 60; else bench_attach 30; fi
