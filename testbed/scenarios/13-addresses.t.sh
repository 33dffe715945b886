# shellcheck shell=sh disable=SC2154
# topologies: direct loopback hwdom
# make check: hwdom, where an address goes furthest; who parses it is the same
#
# Addresses of PCI devices as people type them, and other arguments of xl's PCI commands:
# each good form is the device that it names, each bad one is refused with a message, by
# each command and in pci=[...], and nothing is changed.

# A guest for the commands to be about; it does not run.
guest_config paused 'passthrough = "enabled"'
ok "there is a guest" xl create -p -q /run/paused.cfg
edu=${EDU_BDF#0000:}

# configured FORM: the devices that pci=['FORM'] is, of a guest that is not created
configured() {
    printf "name = 'x'\ntype = 'pv'\nkernel = '/boot/vmlinux'\nmemory = 64\npci = [ '%s' ]\n" \
        "$1" >/run/x.cfg
    xl create -n /run/x.cfg
}

# refused FORM: by all that take an address alone, and by all that take a PCI_SPEC_STRING
refused_alone() {
    statuses=
    for command in pci-assignable-add pci-assignable-remove; do
        run xl "$command" "$1"
        statuses="$statuses $status"
        case $output in *"malformed BDF"*) ;; *) statuses="$statuses: $output" ;; esac
    done
    is "'$1' is no address" "$statuses" " 2 2"
}

refused_specification() {
    statuses=
    for command in pci-attach pci-detach; do
        # shellcheck disable=SC2086
        run xl $command paused "$1"
        statuses="$statuses $status"
        case $output in *"malformed PCI_SPEC_STRING"*) ;; *) statuses="$statuses: $output" ;; esac
    done
    run configured "$1"
    [ "$status" -lt 124 ] || status="$status (crashed)"
    case $output in
        *"unable to parse PCI_SPEC_STRING"*) statuses="$statuses $status" ;;
        *) statuses="$statuses $status: $output" ;;
    esac
    is "'$1' is no specification" "$statuses" " 2 2 ${2:-6}"
}

# Neither an address nor a specification
while IFS= read -r form; do
    refused_alone "$form"
    refused_specification "$form"
done <<END

0
00
:
00:
00:05
0000:00:05
0000:00:05:0
00:05.
00:.0
:05.0
0000::05.0
0:0000:00:05.0
05.0
00.05.0
00:05:0
00:05.8
00:05.00
00:20.0
100:05.0
10000:00:05.0
 00:05.0
00:05.0 
00: 05.0
00:05. 0
00:05.0:
00:05.0.
00:05.0x
0000:00:05.0x
00:05.0x0
0x00:0x05.0x0
00:+5.0
00:-5.0
00:05.-1
00:05.*0
00:*.0
*
gg:05.0
nobody
/sys/bus/pci/devices/0000:00:05.0
../0000:00:05.0
END

# These are specifications only
while IFS= read -r form; do refused_alone "$form"; done <<END
00:05.*
00:05.0@5
00:05.0,
bdf=00:05.0
name=edu
END

while read -r form; do refused_specification "$form"; done <<END
00:05.0@
00:05.0@20
00:05.0@5x
00:05.0,vslot=5x
00:05.0,bdf=00:03.0
00:05.0@5,vslot=6
00:05.0,name=edu
00:05.0,permissive
00:05.0,permissive=yes
00:05.0,permissive=1,permissive=0
00:05.0,permisive=1
00:05.0,,
00:05.0 00:03.0
00:05.8,bdf=00:03.0
bdf=00:05
bdf=
name=
END
refused_specification "00:05.0,rdm_policy=maybe" 3

is "nothing is assignable after all these" "$(xl pci-assignable-list)" ""

# devices FORM...: slot, and options that are set, of the devices in pci=[...]
devices() {
    configured "$1" 2>/dev/null | tr -d ' \n' | grep -o '"pcidevs":\[[^]]*\]' |
        sed 's/"rdm_policy":"[a-z]*",*//; s/"vfunc_mask":1,*//'
}
five='"dev":5'
like "pci=['00:05.0'] is the device" "$(devices 00:05.0)" "$five"
for form in 0:5.0 0000:00:05.0 bdf=00:05.0 '00:05.0,' 00:05.0,permissive= 00:05.0,vslot=; do
    is "pci=['$form'] is the same" "$(devices "$form")" "$(devices 00:05.0)"
done
like "a slot" "$(devices 00:05.0@1f)" '"vdevfn":248'
is "the same" "$(devices 00:05.0,vslot=0x1F)" "$(devices 00:05.0@1f)"
like "an option" "$(devices 00:05.0,permissive=1)" '"permissive":true'
# With json-c, libxl writes a mask of all bits as -1.
like "all functions" "$(configured '00:06.*' 2>/dev/null)" '"vfunc_mask": ?(4294967295|-1)'

# What else pci= can be
printf '%s\n' "name = 'x'" "type = 'pv'" "kernel = '/boot/vmlinux'" "memory = 64" >/run/y.cfg
for value in "'00:05.0'" "[ [ '00:05.0' ] ]" "[ '00:05.0', [ '00:03.0' ] ]"; do
    { cat /run/y.cfg; echo "pci = $value"; } >/run/x.cfg
    run xl create -n /run/x.cfg
    is "pci = $value is refused" "$status" 1
    like "with a message" "$output" '^pci(\[[01]\])? is not a (list of )?PCI_SPEC_STRING'
done
{ cat /run/y.cfg; echo "pci = [ ]"; } >/run/x.cfg
ok "pci = [ ] is no device" xl create -n /run/x.cfg

# Each good form is the device, for each command
ok "add 0:5.0" xl pci-assignable-add 0:5.0
is "it is that device" "$(xl pci-assignable-list)" "$EDU_BDF "
ok "remove 0000:00:05.0" xl pci-assignable-remove 0000:00:05.0
is "it was that device" "$(xl pci-assignable-list)" ""
ok "add with a name" xl pci-assignable-add -n nic "$edu"
ok "remove it by that" xl pci-assignable-remove nic

# A name that is another device's address
run xl pci-assignable-add -n "$E1000_BDF" "$edu"
is "an address is no name" "$status" 2
like "and the message says so" "$output" 'a BDF cannot be a name: "0000:00:03.0"'
is "nothing is assignable" "$(xl pci-assignable-list)" ""

# A device too many is not left out in silence
while read -r command; do
    # shellcheck disable=SC2086
    run xl $command "$E1000_BDF"
    is "xl $command with an argument too many" "$status $output" \
        "2 ${command%% *}: too many arguments: \"$E1000_BDF\""
done <<END
pci-assignable-add 00:05.0
pci-assignable-remove 00:05.0
pci-assignable-list
pci-attach paused 00:05.0
pci-detach paused 00:05.0
pci-list paused
END

# A domain that does not exist
while read -r command; do
    # shellcheck disable=SC2086
    run xl $command
    # libxl of newer Xen says what it has not found, too.
    is "xl $command" "$status $(echo "$output" | grep -v 'Getting domain info: No such process$')" "1 77: no such domain"
done <<END
pci-list 77
pci-attach 77 00:05.0
pci-detach 77 00:05.0
pci-detach -f 77 00:05.0
END
run xl pci-list nobody
is "nor is there one of that name" "$status $output" \
    "1 nobody is an invalid domain identifier (rc=-6)"

# A list that cannot be had is a failure
ok "no pciback in the owner" owner rmmod xen_pciback
run xl pci-assignable-list
! has_part 2 "pci-assignable-list fails" || is "pci-assignable-list fails" "$status" 1
like "and says why" "$output" 'Looks like pciback driver not loaded'
ok "pciback is back" owner insmod /lib/modules/xen-pciback.ko

ok "the guest ends" xl destroy paused
done_testing
