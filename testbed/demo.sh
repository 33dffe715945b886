# shellcheck shell=sh disable=SC2016
# begins with: [ "$(uname -m)" != x86_64 ] || guest_start pv 'passthrough = "enabled"'
#
# The demonstration that `make demo` runs, in the topology hwdom. Every command is run as
# it is shown, and what is said about it is checked.

[ "$TOPOLOGY" = hwdom ] || { echo "This demonstration is for the topology hwdom."; exit 1; }

step() { printf '\n== %s\n' "$1"; }

failed() {
    printf '\nDEMO FAILED: %s\n' "$1"
    exit 1
}

# dom0 'COMMAND', hwdom 'COMMAND': show it, run it there, show what it prints. Sets
# $output and $status, which must be 0 unless the command is said to fail.
show() {
    echo "$1 \$ $2"
    output=$(eval "$3" 2>&1) && status=0 || status=$?
    [ -z "$output" ] || printf '%s\n' "$output"
}
dom0() { show Dom0 "$1" "$1"; must_be 0; }
dom0_fails() { show Dom0 "$1" "$1"; must_be 1; }
hwdom() { show hwdom "$1" 'owner sh -c "$2"'; must_be 0; }

must_be() { [ "$status" -eq "$1" ] || failed "its exit status should be $1, it is $status"; }

# prints 'TEXT': what the last command must have printed, exactly. has 'TEXT': a part.
prints() { [ "$output" = "$1" ] || failed "the last command should have printed: $1"; }
has() { case $output in *"$1"*) ;; *) failed "the last command should have printed: $1" ;; esac; }

# The drivers and their devices, as the hardware domain's kernel has them.
bound='cd /sys/bus/pci/drivers; ls -d */0000:*'

step "Dom0 controls the machine, but has no PCI device: domain $OWNER has the hardware"
[ "$TOOLSTACK" = 0 ] || echo "(On Arm64, Xen has built both. What is called Dom0 here is domain $TOOLSTACK.)"
dom0 'xl list'
has "$OWNER_NAME"
dom0 'ls /sys/bus/pci/devices'
prints ""
hwdom 'ls -x /sys/bus/pci/devices'
has "$E1000_BDF"
hwdom "$bound"
prints "e1000/$E1000_BDF
e1000/$E1000B_BDF"

step "Before: with Xen's own xl, here as xl-plain, Dom0 can do nothing"
dom0 'xl-plain pci-assignable-list'
has "pciback driver not loaded"
dom0_fails "xl-plain pci-assignable-add $E1000_BDF"
has "No such file or directory"

step "After: xl asks xl pcid, which the domain that owns the devices has started at boot"
hwdom '/etc/init.d/xlpcid status'
has "xl pcid is running"
dom0 'xl pci-owner'
has "$OWNER $OWNER_NAME"
dom0 'xl pci-assignable-list'
prints ""

step "A network card is made assignable: taken from e1000, which is remembered"
dom0 "xl pci-assignable-add $E1000_BDF"
hwdom "$bound"
prints "e1000/$E1000B_BDF
pciback/$E1000_BDF"

step "Another device is given a name"
dom0 "xl pci-assignable-add -n edu $EDU_BDF"
dom0 'xl pci-assignable-list -n | sort'
prints "$E1000_BDF 
$EDU_BDF edu"

step "What goes wrong there is said here"
dom0_fails "xl pci-assignable-add $ABSENT_BDF"
has "Domain $OWNER:Couldn't lstat"

if [ "$(uname -m)" = x86_64 ]; then
    guest_start pv 'passthrough = "enabled"' || failed "no guest"
    step "A PV guest gets the network card while it runs, and pings its gateway through it"
    dom0 "xl pci-attach pv $E1000_BDF"
    dom0 'xl pci-list pv'
    has "$E1000_BDF"
    guest_has pv net || failed "the guest does not bring up the card"
    dom0 'guest_net pv'
    prints "link=yes answers=2 interrupts=yes"

    step "When the guest has gone, the card is assignable again"
    dom0 'xl destroy pv'
    dom0 'xl pci-assignable-list | sort'
    prints "$E1000_BDF 
$EDU_BDF "
else
    echo "(On Arm64, Xen has no virtual PCI bus for guests yet, so none is shown.)"
fi

step "Removed again: by name, by address, and (-r) back to the driver it had"
dom0 'xl pci-assignable-remove edu'
dom0 "xl pci-assignable-remove -r $E1000_BDF"
has "Rebinding to driver at /sys/bus/pci/drivers/e1000"
dom0 'xl pci-assignable-list'
prints ""
hwdom "$bound"
prints "e1000/$E1000_BDF
e1000/$E1000B_BDF"

printf '\nAll of it came out as it says: the hardware domain has its devices as before.\n'
