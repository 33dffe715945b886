# shellcheck shell=sh disable=SC2154
# topologies: loopback hwdom
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# make check: hwdom, where the owner lends; in loopback there is less to take back
# time limit: 900
#
# A guest has devices, and their owner is lost, or is no longer the designated one: the
# devices are taken from the guest all the same, in time, and it is said what could not be
# done; when the owner is back, the devices can be used as before.

OWNER=$(xl pci-owner | cut -d' ' -f1)
config="pci = [ '$E1000_BDF', '$EDU_BDF' ]"

net_works() { guest_has guest net; is "$1: the guest pings its gateway" "$(guest_net guest 2>&1)" "link=yes answers=2 interrupts=yes"; }
edu_works() { guest_has guest edu; is "$1: the guest uses edu" "$(guest_edu guest 2>&1)" "factorial=3628800 interrupt=yes"; }
# may_access "when" [BDF...]
may_access() {
    may_when=$1
    shift
    is "$may_when: the guest may access just its devices" "$(domain_access "$guest")" "$(device_access "$@")"
}
# in_time "what" NORMAL: what was timed. A silent owner is waited for 7 s, and a guest that is
# slow to let go of a device 10 s.
in_time() { within "$1 takes at most 20 s more than it should" 0 "$took" $(($2 + 20000)); }
# says_why "what": the message names the domain, and what to check.
says_why() {
    like "$1: the domain is named" "$output" "[Dd]omain $OWNER([^0-9]|$)"
    like "$1: it is said what was not done, and what to check" "$output" "xl pcid|xl pci-owner|check"
}

dom0_access=$(domain_access 0)
xl pci-assignable-add "$E1000_BDF"
xl pci-assignable-add "$EDU_BDF" 2>/dev/null
ok "a guest has two devices" guest_start guest "$config"
guest=$(xl domid guest)
# pciback does not let go of a device before the guest's kernel has got as far as that.
ok "it has brought up the one" guest_has guest net
ok "and the other" guest_has guest edu

timed xl pci-detach guest "$E1000_BDF"
is "detach, with an owner" "$status" 0
normal=$took
ok "attach, with an owner" xl pci-attach guest "$E1000_BDF"
net_works "with an owner"

# --- Killed: detach ---

pcid_stop KILL
timed xl pci-detach guest "$E1000_BDF"
is "killed: detach fails, for the owner has not taken the card back" "$status" 1
in_time "killed: detach" "$normal"
says_why "killed: detach"
may_access "killed: after detach" "$EDU_BDF"
unlike "killed: the guest has the card no more" "$(xl pci-list guest)" "$E1000_BDF"
edu_works "killed"
pcid_start
ok "started again: attach goes on from there" xl pci-attach guest "$E1000_BDF"
net_works "started again"
may_access "started again" "$E1000_BDF" "$EDU_BDF"

# --- Stopped: destroy ---

pcid_stop STOP
timed xl destroy guest
in_time "stopped: destroy" 5000
says_why "stopped: destroy"
fails "stopped: the guest is gone" xl domid guest
is "stopped: Xen has nothing of it" "$(domain_access "$guest")" "no domain $guest"
pcid_stop CONT
is "continued: the devices are assignable" "$(xl pci-assignable-list | sort | tr -d ' \n')" "$E1000_BDF$EDU_BDF"
ok "continued: the next guest is created with them" guest_start guest "$config"
guest=$(xl domid guest)
net_works "continued"
edu_works "continued"
may_access "continued" "$E1000_BDF" "$EDU_BDF"

# --- No longer designated ---

xl pci-owner -c
net_works "no owner designated"
may_access "no owner designated" "$E1000_BDF" "$EDU_BDF"
timed xl pci-detach guest "$E1000_BDF"
is "no owner designated: detach" "$status" 0
may_access "no owner designated: after detach" "$EDU_BDF"
xl pci-owner "$OWNER"
is "designated again: the card is assignable" "$(xl pci-assignable-list)" "$E1000_BDF "
ok "designated again: attach" xl pci-attach guest "$E1000_BDF"
net_works "designated again"

ok "another domain" guest_start other
xl pci-owner other
edu_works "another owner designated"
timed xl pci-detach guest "$E1000_BDF"
in_time "another owner designated: detach" "$normal"
may_access "another owner designated: after detach" "$EDU_BDF"
xl pci-owner "$OWNER"
# The last step of attaching fails for a domain without IOMMU.
fails "designated again: an attach that fails half-way" xl pci-attach other "$E1000_BDF"
is "leaves nothing with the guest" "$(domain_access "$(xl domid other)")" "$(device_access)"
is "and the card assignable" "$(xl pci-assignable-list)" "$E1000_BDF "
xl destroy other
ok "designated again: destroy" xl destroy guest
is "Dom0 may access what it could before" "$(domain_access 0)" "$dom0_access"
is "the devices are assignable" "$(xl pci-assignable-list | sort | tr -d ' \n')" "$E1000_BDF$EDU_BDF"

# --- HVM: the device model is in Dom0, and cannot reach the devices of another domain ---

states() { device_state "$E1000_BDF"; xenstore-ls /libxl/pci; }
guest_config hvm "pci = [ '$E1000_BDF' ]" 'type = "hvm"'
before=$(states)
fails "an HVM guest is not created here" timeout 120 xl create -q /run/hvm.cfg
why="[Dd]omain $OWNER([^0-9].*)?(HVM|device model)|(HVM|device model).*[Dd]omain $OWNER([^0-9]|$)"
if [ "$TOPOLOGY" = hwdom ]; then
    like "HVM: because the devices are those of another domain" "$output" "$why"
else
    unlike "HVM: but not for whose the devices are" "$output" "$why"
fi
fails "HVM: there is no such guest" xl domid hvm
is "HVM: the device is as it was" "$(states)" "$before"

done_testing
