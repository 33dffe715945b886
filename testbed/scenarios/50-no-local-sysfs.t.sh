# shellcheck shell=sh disable=SC2154
# topologies: direct loopback hwdom
# make check: direct hwdom, where the trace must show accesses, and where none
#
# Where an owner is designated, the commands touch nothing of the PCI part of sysfs in
# the domain they run in. In direct they do: so the trace would show it.

# touched COMMAND...: sets $touched, the accesses to the PCI part of sysfs.
touched() {
    run strace -f -e trace=%file -o /tmp/trace "$@"
    touched=$(grep -E '"/sys/(bus/pci|devices/pci|module/xen.pciback)' /tmp/trace)
}

# proves "command" COMMAND...
proves() {
    proves_what=$1
    shift
    touched "$@"
    is "$proves_what succeeds" "$status" 0
    # Opened by all of xl, so that what follows does not hold for an empty trace.
    like "$proves_what is traced" "$(cat /tmp/trace)" 'libxenlight.*= [0-9]'
    if [ "$TOPOLOGY" = direct ]; then
        like "$proves_what uses this domain's PCI devices" "$touched" .
    else
        is "$proves_what touches no PCI device of this domain" "$touched" ""
    fi
}

proves "xl pci-assignable-add" xl pci-assignable-add -n nic "$E1000_BDF"
proves "xl pci-assignable-add, twice" xl pci-assignable-add "$E1000_BDF"
proves "xl pci-assignable-list" xl pci-assignable-list
is "the device is listed" "$output" "$E1000_BDF "
proves "xl pci-assignable-remove -r" xl pci-assignable-remove -r "$E1000_BDF"
proves "xl pci-assignable-add without a driver" xl pci-assignable-add "$EDU_BDF"
proves "xl pci-assignable-remove" xl pci-assignable-remove "$EDU_BDF"

# A guest's whole life with a device. No xl stays behind to wait for its end: the trace
# would go on as long.
guest_config guest "pci = [ '$EDU_BDF' ]"
xl pci-assignable-add "$E1000_BDF"
xl pci-assignable-add "$EDU_BDF"
proves "xl create" xl create -e -q /run/guest.cfg
guest_ok "the guest comes up" guest_has guest edu
proves "xl pci-attach" xl pci-attach guest "$E1000_BDF"
is "the guest has it" "$(xl pci-list guest | grep -c "$E1000_BDF")" 1
guest_ok "the guest brings it up" guest_has guest net
proves "xl pci-detach" xl pci-detach guest "$E1000_BDF"
is "the guest has it no more" "$(xl pci-list guest | grep -c "$E1000_BDF")" 0
proves "xl destroy" xl destroy guest
xl pci-assignable-remove -r "$E1000_BDF"
xl pci-assignable-remove "$EDU_BDF"

# Failures are no reason to look here, either.
if [ "$TOPOLOGY" != direct ]; then
    touched xl pci-assignable-add "$ABSENT_BDF"
    is "adding a device that is not there fails" "$status" 1
    is "and touches no PCI device of this domain" "$touched" ""
    owner_domid=$(xl pci-owner | cut -d' ' -f1)
    pcid_stop
    # In Dom0, with the end of the daemon that ends, and xl pci-owner refuses it.
    xenstore-write /libxl/pcid/domid "$owner_domid"
    for command in list "add $EDU_BDF" "remove $EDU_BDF"; do
        # shellcheck disable=SC2086
        touched xl pci-assignable-$command
        is "xl pci-assignable-$command fails without daemon" "$status" 1
        is "and touches no PCI device of this domain" "$touched" ""
    done
fi

done_testing
