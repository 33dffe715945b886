# shellcheck shell=sh disable=SC2154
# topologies: direct loopback hwdom
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# make check: direct hwdom, with the backend in Dom0 and elsewhere; 63-one-ctx attaches in loopback
# time limit: 900
#
# The whole life of devices that are passed through to guests, whoever owns them: a guest
# is created with them, they are detached and attached, and come back from a guest that
# crashes, shuts down or is destroyed. Each time they are used, by drivers that need their
# memory, ports and interrupts; and what Xen lets the domains access is just what it must.
#
# What is refused, and how, is a transcript as in 10-assignable: in direct it is played with
# unpatched xl, too. With the argument "unpatched", all of the scenario is.
. /lib/transcript.sh

cat >/tmp/transcript <<END
# The guest's devices are listed, and are not assignable
\$ xl pci-list first
Vdev Device
00.0 $E1000_BDF
00.0 $EDU_BDF
\$ xl pci-list second
\$ xl pci-assignable-list

# Attach what is not assignable
\$ xl pci-attach second $E1000B_BDF
! libxl: error: PCI device 0:0:4.0 is not assignable
! libxl: error: libxl__device_pci_add failed for PCI device 0:0:4.0 (rc -3)
! libxl: error: unable to add device
[1]

# Attach what does not exist
\$ xl pci-attach second $ABSENT_BDF
! libxl: error: PCI device 0:0:1e.7 is not assignable
! libxl: error: libxl__device_pci_add failed for PCI device 0:0:1e.7 (rc -3)
! libxl: error: unable to add device
[1]

# Attach what is no device
\$ xl pci-attach second 05.0
! pci-attach: malformed PCI_SPEC_STRING "05.0"
[2]

# Attach twice
\$ xl pci-attach first $E1000_BDF
! libxl: error: PCI device 0:0:3.0 is not assignable
! libxl: error: libxl__device_pci_add failed for PCI device 0:0:3.0 (rc -3)
! libxl: error: unable to add device
[1]
\$ xl pci-list first
Vdev Device
00.0 $E1000_BDF
00.0 $EDU_BDF

# Attach what another guest has
\$ xl pci-attach second $EDU_BDF
! libxl: error: PCI device 0:0:5.0 is not assignable
! libxl: error: libxl__device_pci_add failed for PCI device 0:0:5.0 (rc -3)
! libxl: error: unable to add device
[1]
\$ xl pci-list second

# Detach what is not attached
\$ xl pci-detach first $E1000B_BDF
! libxl: error: PCI device not attached to this domain
! libxl: error: unable to remove device
[1]
\$ xl pci-detach first $ABSENT_BDF
! libxl: error: PCI device not attached to this domain
! libxl: error: unable to remove device
[1]

# Detach and attach again
\$ xl pci-detach first $E1000_BDF
\$ xl pci-detach first $EDU_BDF
\$ xl pci-list first
\$ xl pci-assignable-list
$E1000_BDF 
$EDU_BDF 
\$ xl pci-attach first $E1000_BDF
\$ guest_has first net
\$ xl pci-attach first $EDU_BDF
\$ guest_has first edu
\$ xl pci-assignable-list

# All functions of a device, of which one is not assignable
\$ xl pci-assignable-add $MULTI_BDF0
! libxl: warning: $MULTI_BDF0 not bound to a driver, will not be rebound.
\$ xl pci-attach second ${MULTI_BDF0%.0}.*@5
! libxl: error: $MULTI_BDF1 is not assigned to pciback driver
! libxl: error: libxl__device_pci_add failed for PCI device 0:0:6.0 (rc -3)
! libxl: error: unable to add device
[1]
\$ xl pci-list second

# All functions of a device, without a virtual slot
\$ xl pci-assignable-add $MULTI_BDF1
! libxl: warning: $MULTI_BDF1 not bound to a driver, will not be rebound.
\$ xl pci-attach second ${MULTI_BDF0%.0}.*
! libxl: error: Must specify a v-slot for multi-function devices
! libxl: error: libxl__device_pci_add failed for PCI device 0:0:6.0 (rc -6)
! libxl: error: unable to add device
[1]
\$ xl pci-assignable-list
$MULTI_BDF0 
$MULTI_BDF1 
\$ xl pci-assignable-remove $MULTI_BDF0
\$ xl pci-assignable-remove $MULTI_BDF1

# Create a guest with a device that is not assignable
\$ xl create -q /run/third.cfg 'pci = [ "$E1000B_BDF" ]'
! libxl: error: PCI device 0:0:4.0 is not assignable
! libxl: error: libxl__device_pci_add failed for PCI device 0:0:4.0 (rc -3)
! libxl: error: unable to add pci devices
! libxl: error: Non-existant domain
! libxl: error: Unable to destroy guest
! libxl: error: Destruction of domain failed
[3]
\$ xl domid third
! Can't get domid of domain name 'third', maybe this domain does not exist.
[1]

# Create a guest with a device that another has
\$ xl create -q /run/third.cfg 'pci = [ "$EDU_BDF" ]'
! libxl: error: PCI device 0:0:5.0 is not assignable
! libxl: error: libxl__device_pci_add failed for PCI device 0:0:5.0 (rc -3)
! libxl: error: unable to add pci devices
! libxl: error: Non-existant domain
! libxl: error: Unable to destroy guest
! libxl: error: Destruction of domain failed
[3]
\$ xl domid third
! Can't get domid of domain name 'third', maybe this domain does not exist.
[1]

# What was refused is still the first guest's
\$ xl pci-detach first $EDU_BDF
\$ xl pci-attach first $EDU_BDF
\$ guest_has first edu
\$ xl pci-list first
Vdev Device
00.0 $E1000_BDF
00.0 $EDU_BDF
END

# --- What is looked at ---

# works GUEST "what" GOT WANTED
works() {
    is "$2" "$3" "$4"
    [ "$3" = "$4" ] || guest_report "$1"
}
net_works() { guest_has "$1" net; works "$1" "$2: the guest pings its gateway, over the card's interrupt" "$(guest_net "$1" 2>&1)" "link=yes answers=2 interrupts=yes"; }
edu_works() { guest_has "$1" edu; works "$1" "$2: the guest computes with edu, and gets its interrupt" "$(guest_edu "$1" 2>&1)" "factorial=3628800 interrupt=yes"; }

# may_access GUEST "when" [BDF...]
may_access() {
    may_guest=$1 may_when=$2
    shift 2
    is "$may_when: the guest may access just its devices" "$(domain_access "$(xl domid "$may_guest")")" "$(device_access "$@")"
}

# back "when" [DOMID]: after the end of a guest.
back() {
    is "$1: the devices are assignable" "$(xl pci-assignable-list 2>&1)" "$both"
    is "$1: Xen has nothing of the guest" "$(domain_access "$2")" "no domain $2"
    is "$1: Dom0 may access what it could before" "$(domain_access 0)" "$dom0_access"
}

# ended NAME "when": wait for it.
no_guest() { ! xl domid "$1" >/dev/null 2>&1; }
ended() { ok "$2: the guest's end is seen" wait_until 90 no_guest "$1"; }

# in_background GUEST COMMAND: when the connection to it is closed.
in_background() {
    # shellcheck disable=SC2016
    guest_run "$1" sh -c '(usleep 300000; eval "$1") >/dev/null 2>&1 &' sh "$2"
}

permissive() { owner cat /sys/bus/pci/drivers/pciback/permissive; }

both="$E1000_BDF 
$EDU_BDF "
config="pci = [ '$E1000_BDF', '$EDU_BDF' ]"

# --- Create ---

[ "${1:-}" != unpatched ] || unpatched_xl
dom0_access=$(domain_access 0)
xl pci-assignable-add "$E1000_BDF"
xl pci-assignable-add "$EDU_BDF" 2>/dev/null
guest_config third

ok "a guest is created with two devices" guest_start first "$config" 'on_crash = "destroy"'
ok "and another with none" guest_start second 'passthrough = "enabled"'
net_works first "created"
edu_works first "created"
may_access first "created" "$E1000_BDF" "$EDU_BDF"
may_access second "created without devices"

# --- Refused ---

if [ "$TOPOLOGY" = direct ]; then
    if have_unpatched; then
        unpatched_xl
        play "unpatched xl"
    else
        skip "unpatched xl" "the base has the series, too"
    fi
fi
if [ "${1:-}" != unpatched ]; then
    patched_xl
    play "xl"
    # Unpatched xl does not say why.
    fails "refused: detach what another guest has" xl pci-detach second "$EDU_BDF"
    ! has_part 3 "refused: who has it is said" ||
        like "refused: who has it is said" "$output" "domain $(xl domid first) has it"
fi
if [ "$TOPOLOGY" != direct ]; then
    # Unpatched xl forgets whose the device is when it refuses it to somebody else.
    for again in once twice; do
        fails "refused $again: what another guest has" xl pci-attach second "$EDU_BDF"
        is "refused $again: that does not make it assignable" "$(xl pci-assignable-list)" ""
    done
    fails "refused: a name that nothing has" xl pci-attach second name=nobody
    is "refused: that does not make anything assignable" "$(xl pci-assignable-list)" ""
fi
may_access first "after all that was refused" "$E1000_BDF" "$EDU_BDF"
may_access second "after all that was refused"

# --- Detach and attach ---

ok "the card is detached" xl pci-detach first "$E1000_BDF"
is "detached: the guest has no card" "$(guest_net first)" "no card"
may_access first "detached" "$EDU_BDF"
is "detached: the card is assignable" "$(xl pci-assignable-list 2>&1)" "$E1000_BDF "
edu_works first "one detached"

unlike "the card is not permissive" "$(permissive)" "^$E1000_BDF"
ok "the card is attached, permissive" xl pci-attach first "$E1000_BDF,permissive=1"
like "pciback says so" "$(permissive)" "^$E1000_BDF"
net_works first "attached"
may_access first "attached" "$E1000_BDF" "$EDU_BDF"

ok "the card is detached" xl pci-detach first "$E1000_BDF"
ok "it is given a name" xl pci-assignable-add -n nic "$E1000_BDF"
ok "it is attached by name" xl pci-attach first name=nic
net_works first "attached by name"
ok "it is detached by name" xl pci-detach first name=nic
may_access first "detached by name" "$EDU_BDF"
is "detached by name: it is assignable, and has the name" "$(xl pci-assignable-list -n)" "$E1000_BDF nic"
ok "it is attached once more" xl pci-attach first "$E1000_BDF"
net_works first "attached once more"

# --- A guest that takes its time ---

# Unpatched xl leaves the guest unable to get or lose any device then.
if [ "${1:-}" != unpatched ]; then
    connected() { guest_settled first; }
    xl pause first
    fails "the card is not detached from a guest that does not react" xl pci-detach first "$E1000_BDF"
    like "which is said" "$output" "$E1000_BDF stays with the domain"
    may_access first "not detached" "$E1000_BDF" "$EDU_BDF"
    xl unpause first
    ok "the guest reacts after all" wait_until 60 connected
    ok "the card is detached then" xl pci-detach first "$E1000_BDF"
    may_access first "detached then" "$EDU_BDF"
    ok "the card is attached again" xl pci-attach first "$E1000_BDF"
    net_works first "attached again"
    edu_works first "attached again"
fi

# --- The end of guests ---

first=$(xl domid first)
in_background first 'echo c >/proc/sysrq-trigger'
ended first "crash"
back "crash" "$first"

ok "crash: the next guest is created with the devices" guest_start third "$config"
net_works third "after a crash"
edu_works third "after a crash"
third=$(xl domid third)
ok "shutdown: the guest is told to" in_background third 'poweroff -f'
ended third "shutdown"
back "shutdown" "$third"

ok "shutdown: a running guest gets the card" xl pci-attach second "$E1000_BDF"
ok "shutdown: and brings it up" guest_has second net
ok "shutdown: it gets edu, too" xl pci-attach second "$EDU_BDF"
net_works second "after a shutdown"
edu_works second "after a shutdown"
may_access second "after a shutdown" "$E1000_BDF" "$EDU_BDF"
second=$(xl domid second)
ok "xl destroy of a guest with two devices" xl destroy second
back "destroy" "$second"

# --- Back to the owner ---

ok "the card goes back to its owner" xl pci-assignable-remove -r "$E1000_BDF"
ok "and so does edu" xl pci-assignable-remove "$EDU_BDF"
is "all is as it was: the card" "$(device_state "$E1000_BDF")" "driver=e1000 slots=0 quarantined=no rebind=- name=-"
is "all is as it was: edu" "$(device_state "$EDU_BDF")" "driver=none slots=0 quarantined=no rebind=- name=-"

done_testing
