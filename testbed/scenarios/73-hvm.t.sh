# shellcheck shell=sh disable=SC2154
# topologies: direct loopback hwdom hwdom+flask
# not on arm64: HVM guests are of x86
# make check: hwdom, and only the life, for the whole takes a quarter of an hour
# make check-all: all
# needs: hvm
# memory: 1200M
# time limit: 1200
#
# The life of devices of HVM guests: at creation, attached and detached while the guest runs,
# after a reboot from inside, a poweroff and "xl destroy". In direct with QEMU in Dom0 and
# with QEMU in a Linux stubdomain; in hwdom with the latter, for the devices are those of
# domain 1. Then what is refused there, a PV guest at the same time, and a stubdomain and an
# owner that are killed. In direct, what xl says of a guest with QEMU in Dom0 is a transcript, as
# in 10-assignable, which is played with unpatched xl, too.
#
# 73-hvm.t.sh [life | transcript | others | all]: one part (the first, if none is named), or all.
. /lib/places.sh
. /lib/transcript.sh

OWNER=$([ "$TOPOLOGY" = hwdom ] && echo 1 || echo 0)

# works "what" GOT WANTED
works() {
    is "$1" "$2" "$3"
    [ "$2" = "$3" ] || guest_report h
}
net_works() { guest_has h net; works "$1: the guest pings its gateway, over the card's interrupt" "$(guest_net h 2>&1)" "link=yes answers=2 interrupts=yes"; }
edu_works() { guest_has h edu; works "$1: the guest computes with edu, and gets its interrupt" "$(guest_edu h 2>&1)" "factorial=3628800 interrupt=yes"; }
msix_works() {
    guest_has h e1000e
    works "$1: the guest pings over the other card" "$(guest_net h e1000e 2>&1)" "link=yes answers=2 interrupts=yes"
    like "$1: whose interrupts are MSI-X" "$(guest_run h cat /proc/interrupts)" "msi-x +eth1"
}

# is_the_guests "when" TYPE BDF...: also the stubdomain may access it.
is_the_guests() {
    is_guests_when=$1
    is_guests_who=$([ "$2" = stubdom ] && echo h,h-dm || echo h)
    shift 2
    is_placed "$is_guests_when: the guest has it, in all that says who has a device" \
        "listed=h marker=h assigned=h access=$is_guests_who lent=$(lent yes) assignable=no" "" "$@"
}

# nothing_left "when": after the end of the guest, DOMID.
nothing_left() {
    is_free "$1: the devices are assignable, and nobody has any right to them" "$E1000_BDF" "$EDU_BDF" "$E1000E_BDF"
    is "$1: Dom0 may access what it could before" "$(domain_access 0)" "$dom0_access"
    is "$1: the owner has no backend left" "$(xenstore-ls "/local/domain/$OWNER/backend/pci" 2>/dev/null)" ""
}

# in_background COMMAND: when the connection to it is closed.
in_background() {
    # shellcheck disable=SC2016
    guest_run h sh -c '(usleep 300000; eval "$1") >/dev/null 2>&1 &' sh "$1"
}
no_guest() { ! xl domid "${1:-h}" >/dev/null 2>&1; }
# For wait_until: the guest that h was is another one now, and answers.
is_another() { another=$(xl domid h 2>/dev/null) && [ "$another" != "$before" ] && guest_run h true 2>/dev/null; }

vdevs() { xl pci-list h | sed 1d | sed 's/.* //'; }

# life TYPE
life() {
    ok "$1: a guest is created with two devices" guest_start -t "$1" h "$config"
    net_works "$1, created"
    edu_works "$1, created"
    is "$1, created: it lists both" "$(vdevs)" "$E1000_BDF
$EDU_BDF"
    is_the_guests "$1, created" "$1" "$E1000_BDF" "$EDU_BDF"

    ok "$1: detach" xl pci-detach h "$EDU_BDF"
    is "$1, detached: the guest has no edu" "$(guest_edu h 2>&1)" "no edu"
    ! has_part 3 "$1, detached: nobody has any right to it" ||
        is_free "$1, detached: it is assignable, and neither guest nor stubdomain have any right to it" "$EDU_BDF"
    is "$1, detached: the other is still listed" "$(vdevs)" "$E1000_BDF"
    fails "$1: detach again" xl pci-detach h "$EDU_BDF"
    like "$1: which says why" "$output" "not attached to this domain"
    net_works "$1, one detached"
    ok "$1: attach" xl pci-attach h "$EDU_BDF"
    edu_works "$1, attached"
    is_the_guests "$1, attached" "$1" "$E1000_BDF" "$EDU_BDF"
    fails "$1: attach twice" xl pci-attach h "$EDU_BDF"

    ok "$1: attach a card that does MSI-X" xl pci-attach h "$E1000E_BDF"
    msix_works "$1"
    is "$1: it may not write to all of its configuration space" "$(owner cat /sys/bus/pci/drivers/pciback/permissive)" ""
    ok "$1: detach that" xl pci-detach h "$E1000E_BDF"
    # Not is_free: it shares its interrupt with edu, which the guest has.
    like "$1, detached: it is assignable" "$(xl pci-assignable-list)" "^$E1000E_BDF"

    before=$(xl domid h)
    ok "$1: reboot from inside" in_background 'reboot -f'
    ok "$1, rebooted: the guest is there again" wait_until 180 is_another
    is "$1, rebooted: it lists the same devices" "$(vdevs)" "$E1000_BDF
$EDU_BDF"
    is_the_guests "$1, rebooted" "$1" "$E1000_BDF" "$EDU_BDF"
    net_works "$1, rebooted"
    edu_works "$1, rebooted"

    ok "$1: poweroff from inside" in_background 'poweroff -f'
    ok "$1, powered off: the guest's end is seen" wait_until 90 no_guest
    nothing_left "$1, powered off"

    ok "$1: a guest that does not run yet" create_paused "$1" "$config"
    ok "$1: destroy that" xl destroy h
    nothing_left "$1, destroyed while paused"
}

# create_paused TYPE LINE...
create_paused() {
    create_paused_type=$1
    shift
    guest_config -t "$create_paused_type" h "$@"
    xl create -p -q /run/h.cfg
}

# --- With QEMU where the devices are; with QEMU in a stubdomain ---

# QEMU before 9.1 opens the device at the address that it has in its owner.
[ "$TOPOLOGY" = direct ] || pcid_stop
owner rmmod xen_pciback
owner insmod /lib/modules/xen-pciback.ko passthrough=1
[ "$TOPOLOGY" = direct ] || pcid_start >/dev/null
for bdf in $E1000_BDF $EDU_BDF $E1000E_BDF; do xl pci-assignable-add "$bdf" 2>/dev/null; done
dom0_access=$(domain_access 0)
config="pci = [ '$E1000_BDF', '$EDU_BDF' ]"

part=${1:-life}
plays_part() { [ "$part" = "$1" ] || [ "$part" = all ]; }

if plays_part life; then
    [ "$TOPOLOGY" != direct ] || life hvm
    ! has_part 4 "the life of devices of a guest with a stubdomain" || life stubdom
fi

# --- What xl says, with QEMU in Dom0 ---

if plays_part transcript && [ "$TOPOLOGY" = direct ]; then
    cat >/tmp/transcript <<END
# Create a guest with two devices
\$ guest_start -t hvm h "$config"
\$ xl pci-list h
Vdev Device
04.0 $E1000_BDF
05.0 $EDU_BDF
\$ xl pci-assignable-list
$E1000E_BDF 

# Attach what it has, and what is not assignable
\$ xl pci-attach h $EDU_BDF
! libxl: error: PCI device $EDU_BDF already assigned to a different guest?
! libxl: error: libxl__device_pci_add failed for PCI device 0:0:5.0 (rc -1)
! libxl: error: unable to add device
[1]
\$ xl pci-attach h $E1000B_BDF
! libxl: error: PCI device 0:0:4.0 is not assignable
! libxl: error: libxl__device_pci_add failed for PCI device 0:0:4.0 (rc -3)
! libxl: error: unable to add device
[1]

# Detach and attach
\$ xl pci-detach h $EDU_BDF
\$ xl pci-list h
Vdev Device
04.0 $E1000_BDF
\$ xl pci-assignable-list
$EDU_BDF 
$E1000E_BDF 
\$ xl pci-attach h $EDU_BDF
\$ guest_has h edu
\$ xl pci-attach h $E1000E_BDF@9
\$ xl pci-list h
Vdev Device
04.0 $E1000_BDF
05.0 $EDU_BDF
09.0 $E1000E_BDF

# Detach what is not attached
\$ xl pci-detach h $E1000B_BDF
! libxl: error: PCI device not attached to this domain
! libxl: error: unable to remove device
[1]

# Destroy the guest
\$ xl destroy h
\$ xl pci-assignable-list
$E1000_BDF 
$EDU_BDF 
$E1000E_BDF 
END
    play patched
    unpatched_xl
    play unpatched
    patched_xl
fi

if ! plays_part others || ! has_part 4 "what is refused, and what can go wrong"; then
    done_testing
    exit
fi

# --- What is refused, before anything is changed ---

# refused "what" REGEX COMMAND...
refused() {
    refused_what=$1 refused_why=$2
    shift 2
    fails "refused: $refused_what" "$@"
    like "refused: $refused_what: it says why, and what to do" "$output" "$refused_why"
    is_free "refused: $refused_what: the device is as it was" "$EDU_BDF"
}
if [ "$TOPOLOGY" = hwdom ]; then
    refused "an HVM guest without a stubdomain" "domain 1.*device_model_stubdomain_override=1.*stubdomain_ramdisk" \
        create_paused hvm "pci = [ '$EDU_BDF' ]"
    refused "gfx_passthru" "gfx_passthru.*domain 1.*remove" \
        create_paused stubdom "pci = [ '$EDU_BDF' ]" "gfx_passthru = 1"
    ok "no guest is left of these" no_guest
    ok "an HVM guest without a stubdomain, and without devices" create_paused hvm 'passthrough = "enabled"'
    refused "to attach a device to that" "domain 1.*device_model_stubdomain_override=1" xl pci-attach h "$EDU_BDF"
    ok "it is destroyed" xl destroy h
fi

# Its kernel finds no init, and stops.
fails "a stubdomain in which QEMU does not start" create_paused stubdom 'stubdomain_cmdline = "rdinit=/none root=/none"'
like "it says where to look, and what it may be" "$output" "qemu-dm-h.log.*xen_privcmd.unrestricted=1"
ok "no guest is left of it" no_guest

# --- Others, and what can go wrong ---

if [ "$TOPOLOGY" = hwdom ]; then
    xl pci-assignable-add "$E1000B_BDF"
    ok "a PV guest has a card of the same owner" guest_start pv "pci = [ '$E1000B_BDF' ]"
    guest_has pv net
    ok "a guest with a stubdomain, that gets its devices later" guest_start -t stubdom h 'passthrough = "enabled"'
    ok "it gets one" xl pci-attach h "$EDU_BDF"
    edu_works "beside a PV guest"

    ok "its stubdomain is killed" xl destroy h-dm
    timed xl pci-detach h "$EDU_BDF"
    unlike "stubdomain killed: detach ends in time" "$status" "^124$"
    within "stubdomain killed: detach ends in time (ms)" 0 "$took" 60000
    timed xl destroy h
    is "stubdomain killed: the guest is destroyed" "$status" 0
    within "stubdomain killed: in time (ms)" 0 "$took" 60000
    is_free "stubdomain killed: the device is assignable" "$EDU_BDF"
    is "stubdomain killed: the PV guest is unharmed" "$(guest_net pv 2>&1)" "link=yes answers=2 interrupts=yes"

    ok "another guest with a stubdomain" guest_start -t stubdom h 'passthrough = "enabled"'
    pcid_stop STOP
    xl -vvv pci-attach h "$EDU_BDF" >/tmp/attach 2>&1 &
    attach=$!
    ok "server stopped: an attach is under way" wait_until 20 [ -s /tmp/attach ]
    ok "its stubdomain is killed" xl destroy h-dm
    pcid_stop CONT
    wait $attach && attach=0 || attach=$?
    is "stubdomain killed: the attach fails" "$attach" 1
    like "stubdomain killed: it says why" "$(cat /tmp/attach)" 'error: .'
    timed xl destroy h
    is "stubdomain killed: the guest is destroyed" "$status" 0
    within "stubdomain killed: in time (ms)" 0 "$took" 60000
    is_free "stubdomain killed: the device is assignable" "$EDU_BDF"

    ok "another, whose owner's server is stopped" create_paused stubdom "$config"
    pcid_stop STOP
    timed xl pci-attach h "$E1000E_BDF"
    is "server stopped: attach fails" "$status" 1
    within "server stopped: in time (ms)" 0 "$took" 60000
    timed xl destroy h
    is "server stopped: the guest is destroyed" "$status" 0
    within "server stopped: in time (ms)" 0 "$took" 60000
    ok "server stopped: no stubdomain is left" no_guest h-dm
    pcid_stop CONT
    # Dom0 still has what they were lent, until somebody gets them, or they are removed.
    is "server continued: the devices are assignable" "$(xl pci-assignable-list | tr -d ' ' | sort | xargs)" \
        "$(printf '%s\n' "$E1000_BDF" "$EDU_BDF" "$E1000E_BDF" | sort | xargs)"

    ok "another guest, that runs without its owner's server" create_paused stubdom "$config"
    pcid_stop KILL
    timed xl destroy h
    is "server killed: the guest is destroyed" "$status" 0
    within "server killed: in time (ms)" 0 "$took" 60000
    ok "server killed: no stubdomain is left" no_guest h-dm
    pcid_start >/dev/null
    ok "server started again: a guest gets the devices" create_paused stubdom "$config"
    ok "destroy" xl destroy h
    ok "destroy the PV guest" xl destroy pv
    is_free "all devices are assignable" "$E1000_BDF" "$E1000B_BDF" "$EDU_BDF" "$E1000E_BDF"
fi

done_testing
