# shellcheck shell=sh disable=SC2016,SC2154
# topologies: direct loopback hwdom
# make check: hwdom, the topology that needs most of it; other scenarios use the rest
# boots: the boot is what it tests
#
# What the testbed promises, with unpatched tools only. Runs in every topology.

pci_devices=/sys/bus/pci/devices

driver_of() {
    owner sh -c 'link=$(readlink "/sys/bus/pci/devices/$1/driver") && basename "$link" || echo none' sh "$1"
}

diag "topology $TOPOLOGY, Xen $BASE_VERSION"
xen_version=$(xl-plain info xen_version)
like "the hypervisor is the base's" "$xen_version" "^${BASE_VERSION}[.-]"
like "an IOMMU" "$(xl-plain info virt_caps)" _directio

# Where the devices are.
if [ "$TOPOLOGY" = hwdom ]; then
    is "domain $OWNER is the hardware domain" "$(xl-plain domname "$OWNER")" "$OWNER_NAME"
    is "Dom0 has no PCI device" "$(ls $pci_devices 2>/dev/null)" ""
    is "owner runs in domain $OWNER" "$(owner xenstore-read domid)" "$OWNER"
    run owner sleep 400
    is "a command that hangs there fails" "$status: $output" \
        "125: owner: the command neither ended nor said anything for 300 s"
else
    is "owner runs in Dom0" "$(owner sh -c 'echo $PPID')" $$
fi
for bdf in "$E1000_BDF" "$E1000B_BDF"; do
    is "$bdf has driver e1000" "$(driver_of "$bdf")" e1000
done
for bdf in "$EDU_BDF" "$MULTI_BDF0" "$MULTI_BDF1" "$TESTDEV_BDF" "$NVME_BDF"; do
    is "$bdf has no driver" "$(driver_of "$bdf")" none
done
fails "no device $ABSENT_BDF" owner test -e "$pci_devices/$ABSENT_BDF"
ok "pciback is loaded" owner test -d /sys/bus/pci/drivers/pciback

# The transport to the owner.
run owner sh -c 'exit 42'
is "exit status" "$status" 42
run owner sh -c 'kill -TERM $$' 2>/dev/null
is "exit status after a signal" "$status" 143
run owner no-such-command
is "exit status without the command" "$status" 127
is "arguments are kept" "$(owner printf '<%s>' 'a b' '' "it's" '$x' '*' 'line
break')" "<a b><><it's><\$x><*><line
break>"
is "stdout alone" "$(owner sh -c 'echo out; echo err >&2' 2>/dev/null)" out
is "stderr alone" "$(owner sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" err
big='i=0; while [ $i -lt 16 ]; do head -c 65536 /dev/zero | tr "\0" "$i"; i=$((i + 1)); done'
is "1 MB of output" "$(owner sh -c "$big" | md5sum)" "$(sh -c "$big" | md5sum)"
is "no input" "$(echo input | owner cat)" ""
pid=$(owner -b sleep 1000)
is "owner -b leaves it running" "$(owner cat "/proc/$pid/comm")" sleep
owner kill "$pid"
owner sleep 1000 &
caller=$!
ok "two commands at once" owner true
kill $caller
wait $caller 2>/dev/null
gone() { ! owner pidof sleep >/dev/null; }
ok "a command ends with its caller" wait_until 5 gone

# Unpatched xl.
if ! have_unpatched; then
    skip "unpatched xl" "the base has the series, too"
elif [ "$TOPOLOGY" = hwdom ]; then
    run xl-plain pci-assignable-add "$EDU_BDF"
    is "unpatched xl fails without devices" "$status" 1
    like "and says why" "$output" "Couldn't lstat /sys/bus/pci/devices/$EDU_BDF"
    # The hypervisor's view is not the toolstack's: nothing has changed for the owner.
    is "and has changed nothing" "$(driver_of "$EDU_BDF")" none
else
    ok "unpatched xl pci-assignable-add" xl-plain pci-assignable-add "$E1000_BDF"
    is "its driver is pciback" "$(driver_of "$E1000_BDF")" pciback
    like "pci-assignable-list has it" "$(xl-plain pci-assignable-list)" "^$E1000_BDF"
    ok "pci-assignable-remove -r" xl-plain pci-assignable-remove -r "$E1000_BDF"
    is "its driver is e1000 again" "$(driver_of "$E1000_BDF")" e1000
fi
ok "pciback can be unloaded" owner rmmod xen_pciback
ok "and loaded" owner insmod /lib/modules/xen-pciback.ko

# A guest.
ok "a guest starts" guest_start guest
ok "guest_run" guest_run guest true
is "guest_run runs in the guest" "$(guest_run guest xenstore-read domid)" "$(xl-plain domid guest)"
is "1 MB of output of the guest" "$(guest_run guest sh -c "$big" | md5sum)" "$(sh -c "$big" | md5sum)"
ok "a guest can publish a node" guest_run guest xenstore-write data/pcid/x 1
is "and Dom0 sees it" "$(xenstore-read "/local/domain/$(xl-plain domid guest)/data/pcid/x")" 1
ok "xl destroy" xl-plain destroy guest

# Tools.
ok "strace in Dom0" strace -o /tmp/trace true
ok "strace in the owner" owner strace -o /tmp/trace true
run timeout 1 sleep 10
is "timeout" "$status" 124
like "scenario variables" "$SCENARIO $BASE_VERSION" '^00-testbed.t.sh 4\.'

# The series up to a part: the second brings this command.
if [ -n "$PART" ]; then
    is "xl is that of part $PART" "$(xl help | grep -c '^ *pci-owner ')" $((PART > 1))
fi

# The daemon, once there is one.
if [ "$TOPOLOGY" != direct ] && owner xl help | grep -q '^ *pcid '; then
    ok "xl pcid runs" owner sh -c 'pid=$(cat /var/run/xen/xlpcid.pid) && kill -0 "$pid"'
    ok "it can be stopped" pcid_stop STOP
    ok "owner works without it" owner true
    ok "and continued" pcid_stop CONT
    ok "and killed" pcid_stop KILL
    ok "owner works without it" owner true
    ok "and started again" pcid_start
    ok "and ended" pcid_stop
fi

done_testing
