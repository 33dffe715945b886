# shellcheck shell=sh disable=SC2154
# topologies: direct
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# time limit: 900
#
# What the first patches of the series mend for everybody, whoever owns the devices. With the
# argument "plain" it is played with the xl of the base, from the guests' start on: unpatched,
# each part fails.
. /lib/transcript.sh

[ "${1:-}" != plain ] || unpatched_xl

# ms: a guest that has ended is waited for by nobody; one that does not react, for 10 s.
GONE_IN=3000 WAITS_IN=15000

assignable() { xl pci-assignable-list | tr -d ' ' | sort | xargs; }
has() { xl pci-list "$1" | grep -o '0000:.*' | sort | xargs; }

ok "a guest" guest_start first 'passthrough = "enabled"'
ok "another" guest_start second 'passthrough = "enabled"'
for bdf in "$EDU_BDF" "$MULTI_BDF0" "$MULTI_BDF1"; do
    xl pci-assignable-add "$bdf" 2>/dev/null
done

# --- A device stays with the guest that has it ---

ok "the first guest gets a device" xl pci-attach first "$EDU_BDF"
ok "and brings it up" guest_has first edu
fails "the second cannot have it" xl pci-attach second "$EDU_BDF"
is "it is not assignable after that" "$(assignable)" "$MULTI_BDF0 $MULTI_BDF1"
fails "the second still cannot have it" xl pci-attach second "$EDU_BDF"
is "nor has it" "$(has second)" ""
is "the first uses it" "$(guest_edu first 2>&1)" "factorial=3628800 interrupt=yes"

# --- A guest that does not let go of a device keeps it ---

xl pause first
timed xl pci-detach first "$EDU_BDF"
is "paused: detach fails" "$status" 1
within "paused: in time" 0 "$took" $WAITS_IN
like "paused: says what to do" "$output" 'or use pci-detach -f'
is "paused: it has the device" "$(has first)" "$EDU_BDF"
is "paused: which is not assignable" "$(assignable)" "$MULTI_BDF0 $MULTI_BDF1"
xl unpause first
ok "unpaused: it reacts" wait_until 20 guest_settled first
ok "unpaused: detach succeeds" xl pci-detach first "$EDU_BDF"
is "unpaused: the device is assignable" "$(assignable)" "$EDU_BDF $MULTI_BDF0 $MULTI_BDF1"
is "unpaused: the guest may access nothing" "$(domain_access "$(xl domid first)")" "$(device_access)"
ok "the second gets it" xl pci-attach second "$EDU_BDF"
ok "and brings it up" guest_has second edu
is "and uses it" "$(guest_edu second 2>&1)" "factorial=3628800 interrupt=yes"

# --- Two devices of a guest share an interrupt ---

for bdf in "$MULTI_BDF0" "$MULTI_BDF1"; do
    ok "the second guest gets $bdf" xl pci-attach second "$bdf"
    ok "and has brought it up" wait_until 20 guest_settled second
done
# shellcheck disable=SC2086
may_access() { is "$1" "$(domain_access "$(xl domid second)")" "$(device_access $2)"; }
may_access "it may access all three" "$EDU_BDF $MULTI_BDF0 $MULTI_BDF1"
ok "one of the two that share an interrupt is detached" xl pci-detach second "$MULTI_BDF1"
may_access "the other keeps it" "$EDU_BDF $MULTI_BDF0"
ok "then the other is detached" xl pci-detach second "$MULTI_BDF0"
may_access "and the interrupt goes" "$EDU_BDF"

# --- The end of a guest ---

ok "the second guest gets a second device" xl pci-attach second "$MULTI_BDF0"
ok "and has brought it up" wait_until 20 guest_settled second
second=$(xl domid second)
is_gone() { ! xl domname "$second" >/dev/null 2>&1; }
guest_run second sh -c '(usleep 300000; poweroff -f) >/dev/null 2>&1 &'
timed wait_until 90 is_gone
within "poweroff: it is gone in time" 300 "$took" $((GONE_IN + 300))
is "poweroff: its devices are assignable" "$(assignable)" "$EDU_BDF $MULTI_BDF0 $MULTI_BDF1"

# --- What is no guest ---

run xl pci-attach 0 "$EDU_BDF"
is "Dom0 cannot have a device" "$status" 1
like "which is said" "$output" 'it is not a guest'
unlike "before the device is reset" "$output" 'reset'
is "it is assignable" "$(assignable)" "$EDU_BDF $MULTI_BDF0 $MULTI_BDF1"

# --- What pciback has had since it was loaded ---

for bdf in "$EDU_BDF" "$MULTI_BDF0" "$MULTI_BDF1"; do
    ok "$bdf is removed" xl pci-assignable-remove "$bdf"
done
rmmod xen_pciback && insmod /lib/modules/xen-pciback.ko "hide=($EDU_BDF)"
is "hidden: a device is assignable" "$(assignable)" "$EDU_BDF"
ok "hidden: it is removed" xl pci-assignable-remove "$EDU_BDF"
run xl pci-assignable-remove "$EDU_BDF"
is "hidden: not twice" "$status" 1
like "hidden: which is said" "$output" 'failed to de-quarantine .*not assignable'
xl destroy first

# --- Clients of vchan-socket-proxy that follow each other ---

proxy() { exec vchan-socket-proxy "$@"; }
[ "${1:-}" != plain ] || proxy() { exec env LD_LIBRARY_PATH=/opt/plain/lib /opt/plain/bin/vchan-socket-proxy "$@"; }
greeter serve /run/greeter &
ok "a server that greets" wait_until 10 [ -S /run/greeter ]
proxy -m server 0 data/proxy /run/greeter &
server=$!
proxy -m client 0 data/proxy /run/proxy &
ok "is behind two proxies" wait_until 10 [ -S /run/proxy ]
is "each client is greeted, one at once after the other" "$(greeter ask /run/proxy 100)" 100
is "also while the proxy of the server is busy" "$(greeter ask /run/proxy 5 "$server")" 5
done_testing
