# shellcheck shell=sh disable=SC2154
# topologies: direct loopback hwdom
# since part: 5, its program
# make check: direct hwdom, without and with an owner; for the program loopback is an owner, too
# begins with: guest_start guest 'passthrough = "enabled"'
#
# test-pcid-host, which is for test systems: it passes on this host, and leaves it as it was,
# even if it is told to end, or fails, while a guest has the device. What it cannot restore it
# says, and how to.

. /lib/places.sh

# xl as it finds it: when that has attached a device, what /run/hook says is done.
mkdir /run/hooked
cat >/run/hooked/xl <<'END'
#!/bin/sh
/bin/xl "$@"
status=$?
[ "$1" != pci-attach ] || sh /run/hook
exit $status
END
chmod +x /run/hooked/xl

# host_test HOOK [ARGUMENT...]: as run. The hook finds the program's process in $TEST.
host_test() {
    echo "$1" >/run/hook
    shift
    # shellcheck disable=SC2016
    PATH=/run/hooked:$PATH run timeout 110 sh -c 'TEST=$$ exec test-pcid-host "$@"' sh "$@"
}

states() { device_state "$E1000_BDF"; xl pci-list guest 2>/dev/null | grep -F "$E1000_BDF"; }

# lines REGEX: how many of them there are in the output.
lines() { printf '%s\n' "$output" | grep -Ec "$1"; }

# passes "when" TESTS SKIPPED: and changes nothing.
passes() {
    is "$1: it succeeds" "$status" 0
    is "$1: all tests have passed" "$(lines '^ok '), $(lines '^(not ok|Bail)')" "$2, 0"
    is "$1: and none was left out but for a reason" "$(lines '# SKIP no guest given$')" "$3"
    like "$1: it has counted them" "$output" "^1\.\.$2\$"
    [ "$status" = 0 ] || diag "$output"
    is "$1: the host is as it was" "$(states)" "$before"
}

# refuses "what" REGEX
refuses() {
    is "$1: it fails" "$status" 1
    like "$1: and says why" "$output" "^Bail out! .*$2"
}

before=$(states)
is "to start with, the card has its driver" "$before" "driver=e1000 slots=0 quarantined=no rebind=- name=-"
ok "there is a guest" guest_start guest 'passthrough = "enabled"'

# --- It passes ---

# shellcheck disable=SC2016
host_test 'device_place "$E1000_BDF" >/run/attached' "${E1000_BDF#0000:}" guest
passes "with a guest" 13 0
case $TOPOLOGY in
    direct) like "it knows the topology" "$output" "^# direct: " ;;
    loopback) like "it knows the topology" "$output" "^# loopback: " ;;
    hwdom) like "it knows the topology" "$output" "^# owner is domain $OWNER " ;;
esac
is "the guest had the card" "$(cat /run/attached)" "$(place_with guest)"
if guests_find_devices; then
    like "and took it up" "$(guest_run guest dmesg)" "pcifront.*: claiming resource ${E1000_BDF%:*}"
    unlike "which is not left out" "$output" "# SKIP"
else
    is "that it takes it up is left out" "$(lines '# SKIP Xen has no virtual PCI bus for guests on Arm$')" 1
fi

xl pci-assignable-add -n nic "$E1000_BDF"
before=$(states)
host_test : "$E1000_BDF"
passes "without a guest, with an assignable device" 14 7
xl pci-assignable-remove -r nic 2>/dev/null
before=$(states)

# --- It does not begin ---

host_test : "${E1000_BDF#0000:00:}" guest
refuses "no BDF" "\"${E1000_BDF#0000:00:}\" is no PCI device"
host_test : "$ABSENT_BDF" guest
refuses "no such device" "no .*$ABSENT_BDF"
host_test : "$E1000_BDF" nobody
refuses "no such guest" "no guest \"nobody\""
xl pci-assignable-add "$EDU_BDF" 2>/dev/null
xl pci-attach guest "$EDU_BDF" 2>/dev/null
host_test : "$EDU_BDF" guest
refuses "a device in use" "$EDU_BDF is in use by domain $(xl domid guest)\$"
like "a device in use: the guest still has it" "$(xl pci-list guest)" "$EDU_BDF"
is "after all that: the host is as it was" "$(states)" "$before"
host_test :
is "without arguments: it succeeds, because all installed tests may be run so" "$status $(lines '^1\.\.0 # SKIP ')" "0 1"

# --- It ends while the guest has the card ---

# shellcheck disable=SC2016
host_test 'xl pci-list guest >/run/attached; kill -TERM $TEST' "$E1000_BDF" guest
like "SIGTERM: the guest had the card" "$(cat /run/attached)" "$E1000_BDF"
refuses "SIGTERM" "SIGTERM"
is "SIGTERM: the host is as it was" "$(states)" "$before"
like "SIGTERM: it took the card from the guest" "$output" "^ok [0-9]+ - xl pci-detach guest $E1000_BDF"
unlike "SIGTERM: and went no further" "$output" "^not ok|^1\.\."

# Stopped in an orderly way in Dom0, the daemon takes the designation back, and Dom0's own
# devices are used from then on: nothing would be lost.
case $TOPOLOGY in
    loopback) signal=KILL why="domain .* did not answer within .*check that it runs" ;;
    hwdom) signal=TERM why="xl pcid does not run in domain .*: start it" ;;
esac
if [ "$TOPOLOGY" != direct ]; then
    host_test "pcid_stop $signal" "$E1000_BDF" guest
    is "daemon lost: it fails" "$status" 1
    like "daemon lost: a test has" "$output" "^not ok [0-9]+ - xl pci-assignable-list has no $E1000_BDF"
    like "daemon lost: and says why" "$output" "^# .*$why"
    like "daemon lost: it is said that the host is not as it was" "$output" "^not ok [0-9]+ - $E1000_BDF is as it was"
    pcid_start >/dev/null
    printf '%s\n' "$output" | sed -n 's/^#     xl /xl /p' >/tmp/by-hand
    is "daemon lost: and how to make it so" "$(cat /tmp/by-hand)" "xl pci-detach guest $E1000_BDF
xl pci-assignable-remove -r $E1000_BDF"
    ok "daemon started: that can be done" sh -e /tmp/by-hand
    is "daemon started: the host is as it was" "$(states)" "$before"
fi

host_test "xl destroy guest" "$E1000_BDF" guest
is "guest lost: it fails" "$status" 1
like "guest lost: a test has" "$output" "^not ok [0-9]+ - xl pci-list guest has $E1000_BDF"
like "guest lost: and says why" "$output" "^# .*guest.*invalid domain"
like "guest lost: the host is said to be as it was" "$output" "^ok [0-9]+ - $E1000_BDF is as it was"
is "guest lost: and is" "$(states)" "$before"

xl pci-assignable-remove "$EDU_BDF"
done_testing
