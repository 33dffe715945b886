# shellcheck shell=sh disable=SC2016,SC2154
# topologies: hwdom hwdom+flask
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# make check: , for it takes minutes, and an emulator that may have to be fetched: make check-all has it
# needs: igb
# time limit: 900
#
# SR-IOV: the physical function of a card stays with its driver in the owner, and works. Its
# virtual functions, which have neither a pin nor BARs, are made assignable, each has a guest at
# the same time, they go and come back. While one is assignable or a guest has it, the owner's
# driver does not let them go. If the card is pulled out all the same, they can be used when it is back.
#
# With the argument "allowed", only what Linux tells Xen of devices that come and go (for
# testbed/flask-minimal).
. /lib/places.sh

VF0=0000:01:10.0
VF1=0000:01:10.2

# virtual NUMBER: of the functions that the card is to have.
virtual() { owner sh -c 'echo "$2" >"/sys/bus/pci/devices/$1/sriov_numvfs"' sh "$IGB_BDF" "$1"; }
# What FLASK knows of a device, it knows by its addresses.
label() {
    [ "$VARIANT" != flask ] || owner flask-label-pci "$1" system_u:object_r:nic_dev_t
}
# What Xen has of MSIs: a line each, without the state that changes with use.
msis() { xen-says M | grep -E ' MSI(-X)? +[0-9]+ ' | sed 's/ vec=.*//' | sort; }

ping_owner() {
    owner sh -c '
        card=$(ls "/sys/bus/pci/devices/$1/net") && ifconfig "$card" 10.0.2.20 netmask 255.255.255.0 up || exit
        for i in $(seq 100); do
            [ "$(cat "/sys/class/net/$card/carrier")" != 1 ] || break
            usleep 100000
        done
        ping -c 2 -W 3 10.0.2.2 | grep -c "bytes from 10.0.2.2"
    ' sh "$IGB_BDF"
}
works_in_owner() { is "$1: the owner pings the gateway by the physical function" "$(ping_owner 2>&1)" 2; }
address() { [ "$1" = first ] && echo 10.0.2.21 || echo 10.0.2.22; }
ping_guest() { guest_net "$1" igbvf "$(address "$1")" 2>&1; }
PINGS="link=yes answers=2 interrupts=yes"
works() {
    guest_has "$2" igbvf
    is "$1: $2 pings the gateway by its virtual function, over its interrupt" "$(ping_guest "$2")" "$PINGS"
    is "$1: by MSI-X" "$(guest_run "$2" grep -c pcifront-msi-x /proc/interrupts)" 3
}
# What the owner's kernel has to say since the last time
owner_log() { owner dmesg -c; }

if [ "${1:-}" = allowed ]; then
    ok "two virtual functions come" virtual 2
    ok "they go" virtual 0
    ok "they come again" virtual 2
    ok "the one has a label" label "$VF0"
    ok "and the other" label "$VF1"
    ok "they go" virtual 0
    ok "they come again" virtual 2
    done_testing
    exit
fi

dom0_access=$(domain_access 0)
works_in_owner "alone"
before=$(msis)

# --- Two functions come, and are made assignable ---

ok "the card has two virtual functions" virtual 2
ok "the owner has one" owner test -e "/sys/bus/pci/devices/$VF0"
ok "and the other" owner test -e "/sys/bus/pci/devices/$VF1"
is "which have neither a pin nor BARs" \
    "$(owner sh -c 'cd "/sys/bus/pci/devices/$1" && cat vendor && tail -c +17 config | head -c 24 | tr -d "\\0" | wc -c && tail -c +62 config | head -c 1 | od -An -tu1' sh "$VF0" | tr -s '\n ' ' ')" "0x8086 0 0 "
unlike "they are not assignable" "$(xl pci-assignable-list)" "0000:01:"
ok "the one has a label, where there is a policy" label "$VF0"
ok "and the other" label "$VF1"
ok "the one is made assignable" xl pci-assignable-add "$VF0"
ok "and the other" xl pci-assignable-add "$VF1"
is "they are listed, and the physical function is not" "$(xl pci-assignable-list | sort)" "$VF0 
$VF1 "
is_free "they are assignable" "$VF0" "$VF1"

# --- Two guests have them at the same time ---

ok "a guest is created with one" guest_start first "pci = [ '$VF0' ]"
ok "and a guest without" guest_start second 'passthrough = "enabled"'
ok "which gets the other" xl pci-attach second "$VF1"
is_with "first has it" first "$VF0"
is_with "second has it" second "$VF1"
ok "first has a driver for it" guest_run first insmod /lib/modules/igbvf.ko
ok "and second" guest_run second insmod /lib/modules/igbvf.ko
works "two guests" first
works "two guests" second
ping_guest first >/tmp/first &
pings=$!
ping_guest second >/tmp/second &
pings="$pings $!"
works_in_owner "at the same time"
# shellcheck disable=SC2086
wait $pings
is "at the same time: first pings" "$(cat /tmp/first)" "$PINGS"
is "at the same time: second pings" "$(cat /tmp/second)" "$PINGS"

# --- They are to go while guests have them ---

owner_log >/dev/null
fails "while guests have them, the owner's driver does not take the functions away" virtual 0
like "and says why" "$(owner_log)" "Cannot deallocate SR-IOV virtual functions while they are assigned"
like "first has what it had" "$(xl pci-list first)" "$VF0"
is_with "first has it, by all who know" first "$VF0"
is_with "second has it, by all who know" second "$VF1"
works "after that" first
works "after that" second

ok "one is detached" xl pci-detach second "$VF1"
is_free "it is assignable" "$VF1"
fails "while one guest has one, they do not go either" virtual 0
is_free "the other is assignable, as before" "$VF1"
works "after that, too" first
ok "it is attached again" xl pci-attach second "$VF1"
works "attached again" second
ok "second is destroyed" xl destroy second
is_free "its function is assignable" "$VF1"
works "after the end of second" first
ok "first lets go" xl pci-detach first "$VF0"
is_free "both are assignable" "$VF0" "$VF1"
is "Xen has no MSI of them" "$(msis)" "$before"

# --- They go, and come back ---

fails "while they are assignable, the owner's driver does not take them away either" virtual 0
is_free "they are assignable, as before" "$VF0" "$VF1"
ok "one is given back" xl pci-assignable-remove "$VF0"
fails "while one is assignable, they do not go" virtual 0
ok "the other is given back" xl pci-assignable-remove "$VF1"
ok "now they go" virtual 0
is "none is assignable" "$(xl pci-assignable-list)" ""
fails "what has gone is not given to a guest" xl pci-attach first "$VF0"
like "which says so" "$output" "is not assignable"
fails "nor made assignable" xl pci-assignable-add "$VF0"
like "which says so" "$output" "Couldn't lstat .*$VF0"
fails "nor given back" xl pci-assignable-remove "$VF0"
like "which says so" "$output" "$VF0: there is no such PCI device"
works_in_owner "without virtual functions"

ok "they come back" virtual 2
is "none is assignable" "$(xl pci-assignable-list)" ""
ok "the one has a label, where there is a policy" label "$VF0"
ok "and the other" label "$VF1"
ok "one is made assignable" xl pci-assignable-add "$VF1"
ok "so is the other" xl pci-assignable-add "$VF0"
is_free "both are assignable" "$VF0" "$VF1"
ok "first gets the other one this time" xl pci-attach first "$VF1"
works "back" first

# --- The card is taken out from under the guest that has a function ---

ok "the card is pulled out" owner sh -c '
    port=$(basename "$(dirname "$(readlink -f "/sys/bus/pci/devices/$1")")") && echo 1 >"/sys/bus/pci/devices/$port/remove"
' sh "$IGB_BDF"
is "none is assignable" "$(xl pci-assignable-list)" ""
timed xl pci-detach first "$VF1"
is "the guest's can be detached" "$status" 0
like "which says that it is gone" "$output" "gone"
within "in time (ms)" 0 "$took" 20000
ok "the other can be given back" xl pci-assignable-remove "$VF0"
like "which says that it is gone" "$output" "gone"
ok "the card is plugged in" owner sh -c 'echo 1 >/sys/bus/pci/rescan'
works_in_owner "plugged in"
ok "it has two virtual functions again" virtual 2
is "pciback has the one that was not given back" "$(xl pci-assignable-list)" "$VF1 "
ok "the one has a label, where there is a policy" label "$VF0"
ok "and the other" label "$VF1"
ok "it is made assignable" xl pci-assignable-add "$VF1"
ok "first is destroyed" xl destroy first
ok "first is created with it" guest_start first "pci = [ '$VF1' ]"
ok "and has a driver for it" guest_run first insmod /lib/modules/igbvf.ko
is_with "plugged in: first has it" first "$VF1"
works "plugged in" first

# --- The end ---

guest=$(xl domid first)
ok "the guest is destroyed" xl destroy first
is_free "its function is assignable" "$VF1"
like "the guest has no access left" "$(domain_access "$guest")" "no domain $guest"
ok "it is given back" xl pci-assignable-remove "$VF1"
ok "they go" virtual 0
is "Xen has no MSI of them" "$(msis)" "$before"
is "nor has Dom0 what it was lent" "$(domain_access 0)" "$dom0_access"
works_in_owner "in the end"
done_testing
