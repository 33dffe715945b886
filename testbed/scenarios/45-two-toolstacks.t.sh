# shellcheck shell=sh disable=SC2016,SC2154
# topologies: loopback
# only on arm64: Xen for x86 builds no domain but Dom0 that controls the machine
# toolstack domains: 2
#
# Two domains that control the machine, 1 and 2, are the clients of the xl pcid in Dom0: both
# are served, also at the same time, and neither sees nor takes back what the other was lent.

server=/local/domain/$OWNER/data/pcid
lent=/local/domain/$OWNER/data/pcid-lent

# in_both COMMAND...: in domain 1 and in domain 2, at once; sets $output1, $status1, ...
in_both() {
    remote 1 "$@" >/tmp/output1 2>&1 &
    in_both_first=$!
    remote 2 "$@" >/tmp/output2 2>&1 && status2=0 || status2=$?
    wait $in_both_first && status1=0 || status1=$?
    output1=$(cat /tmp/output1)
    output2=$(cat /tmp/output2)
}

# ask_from DOMID REQUEST: what a client of the protocol there is answered, after the greeting.
ask_from() {
    remote "$1" sh -c 'echo "$1" | ask "$2" 2>&1' sh "$2" "$OWNER" | sed 1d
}
lend() { echo "{\"execute\":\"lend\",\"id\":1,\"arguments\":{\"sbdf\":\"$1\",\"reset\":false,\"permissive\":false}}"; }
take_back() { echo "{\"execute\":\"take_back\",\"id\":1,\"arguments\":{\"sbdf\":\"$1\",\"reset\":false}}"; }

# The pages in what device_access and domain_access print
memory() { sed -n 's/^memory://p'; }
can_use() { domain_access "$1" | memory; }
needs() { device_access "$1" | memory; }

# --- Who is served ---

for domid in 1 2; do
    ok "domain $domid is there" remote -w 120 "$domid" true
    is "it has no PCI device" "$(remote "$domid" ls /sys/bus/pci/devices 2>/dev/null)" ""
done
pcid_stop
pcid_start -c 1 -c 2
# The nodes of the toolstack are Dom0's, until it lets others use them.
xenstore-write /libxl/pci ''
xenstore-chmod /libxl/pci n0 b1 b2
xenstore-chmod /libxl/pcid/domid n0 r1 r2

fails "Dom0 is not among the clients" xl pci-assignable-list
like "and is told so" "$output" "domain 0 is not among the clients"

in_both xl pci-assignable-list
is "domain 1 is served" "$status1 $output1" "0 "
is "domain 2 is served" "$status2 $output2" "0 "

# --- Devices ---

ok "domain 1 makes a device assignable" remote 1 xl pci-assignable-add "$EDU_BDF"
ok "domain 2 makes another assignable" remote 2 xl pci-assignable-add -n test "$TESTDEV_BDF"
in_both xl pci-assignable-list
both="$EDU_BDF $TESTDEV_BDF"
is "domain 1 lists both" "$(echo "$output1" | sort | xargs)" "$both"
is "domain 2 lists both" "$(echo "$output2" | sort | xargs)" "$both"

in_both load lists 16 10
for output in "$status1 $output1" "$status2 $output2"; do
    like "16 clients of each at once: all connect, and none of their requests fails" "$output" \
        "^0 connected=16 requests=160 failed=0 "
done

for round in 1 2 3; do
    in_both xl pci-assignable-add "$E1000_BDF"
    like "both add one device, round $round: one at least succeeds" "$status1 $status2" 0
    like "both add one device, round $round: it is assignable" "$(device_state "$E1000_BDF")" \
        "^driver=pciback slots=1 quarantined=yes "
    in_both xl pci-assignable-remove -r "$E1000_BDF"
    like "both give it back, round $round: one at least succeeds" "$status1 $status2" 0
    like "both give it back, round $round: it has its driver" "$(device_state "$E1000_BDF")" \
        "^driver=e1000 slots=0 quarantined=no "
done

# --- Loans ---

is "neither was lent anything: domain 1" "$(can_use 1)" ""
is "neither was lent anything: domain 2" "$(can_use 2)" ""

like "domain 1 is lent a device" "$(ask_from 1 "$(lend "$EDU_BDF")")" '"return"'
is "Xen lets it use that" "$(can_use 1)" "$(needs "$EDU_BDF")"
is "and domain 2 nothing" "$(can_use 2)" ""
like "domain 2 is lent the other" "$(ask_from 2 "$(lend "$TESTDEV_BDF")")" '"return"'
is "Xen lets it use that" "$(can_use 2)" "$(needs "$TESTDEV_BDF")"
is "and domain 1 what it could before" "$(can_use 1)" "$(needs "$EDU_BDF")"
records() { xenstore-list "$lent/$1" 2>/dev/null | xargs; }
is "what was lent is recorded for each" "$(records 1), $(records 2)" "0000-00-05-0, 0000-00-07-0"

for pair in "1 2" "2 1"; do
    # shellcheck disable=SC2086
    set -- $pair
    for node in "$lent" "$lent/$2" "$server" "$server/$2"; do
        fails "domain $1 cannot list $node" remote "$1" xenstore-list "$node"
    done
    fails "domain $1 cannot ask in the name of domain $2" remote "$1" xenstore-write "$server/$2/x" requested
    fails "domain $1 cannot write what domain $2 was lent" remote "$1" xenstore-write "$lent/$2/0000-00-03-0" "{}"
done
like "for want of permission" "$(remote 1 strace xenstore-list "$lent/2" 2>&1)" EACCES

like "domain 2 gives back what domain 1 was lent" "$(ask_from 2 "$(take_back "$EDU_BDF")")" '"return"'
is "domain 1 can still use it" "$(can_use 1)" "$(needs "$EDU_BDF")"
is "and it is recorded" "$(records 1), $(records 2)" "0000-00-05-0, 0000-00-07-0"

pcid_stop KILL
pcid_start -c 1 -c 2
is "another daemon: domain 1 can use what it could" "$(can_use 1)" "$(needs "$EDU_BDF")"
is "another daemon: and domain 2" "$(can_use 2)" "$(needs "$TESTDEV_BDF")"
like "domain 1 gives its device back" "$(ask_from 1 "$(take_back "$EDU_BDF")")" '"return"'
is "it cannot use it any more" "$(can_use 1)" ""
is "domain 2 can use its own" "$(can_use 2)" "$(needs "$TESTDEV_BDF")"
like "domain 2 gives it back" "$(ask_from 2 "$(take_back "$TESTDEV_BDF")")" '"return"'
is "it cannot use it any more" "$(can_use 2)" ""
is "nothing is recorded" "$(records 1), $(records 2)" ", "

ok "domain 1 gives the device of domain 2 back to the owner" remote 1 xl pci-assignable-remove test
ok "and domain 2 that of domain 1" remote 2 xl pci-assignable-remove "$EDU_BDF"
in_both xl pci-assignable-list
is "domain 1 lists none" "$status1 $output1" "0 "
is "domain 2 lists none" "$status2 $output2" "0 "

done_testing
