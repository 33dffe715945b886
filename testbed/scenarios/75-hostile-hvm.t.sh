# shellcheck shell=sh disable=SC2034,SC2154
# topologies: hwdom
# not on arm64: HVM guests are of x86
# make check: , for it needs an emulator of 4 GB: make check-all has it
# needs: hvm
# memory: 1200M
# time limit: 1800
#
# An HVM guest, whose device model runs in a stubdomain, is to get a device of an owner that does
# not keep to the protocol (41-hostile.t.sh has PV guests): each attach fails in time, says why,
# and leaves neither the guest nor the stubdomain with any right. An owner that answers nonsense
# is not asked to take the device back: that is left to the next command, which may find an
# owner that answers. Here it does: the guest gets the device of the real owner, and loses it.
#
# 75-hostile-hvm.t.sh [NAME...]: just these misbehaviours.
. /lib/hostile-owner.sh

# Xen has to know a device that an HVM guest is to get.
ATTACHED=$EDU_BDF
OWNER=$(xl pci-owner | cut -d' ' -f1)
mkdir -p /tmp/hostile
pcid_stop
owner rmmod xen_pciback
owner insmod /lib/modules/xen-pciback.ko passthrough=1
pcid_start >/dev/null
xl pci-assignable-add "$EDU_BDF"

ok "a guest that is to be the owner" guest_start evil
home=/local/domain/$(xl domid evil)/data
ok "an HVM guest" guest_start -t stubdom victim 'passthrough = "enabled"'
victim=$(xl domid victim)
model=$(xl domid victim-dm)
access() { domain_access "$victim"; domain_access "$model"; }
had=$(access)

xl pci-owner evil
guest_run evil hostile owner &
ok "a hostile owner publishes what a daemon does" wait_until 10 xenstore-exists "$home/pcid/0"
while read -r name command status_wanted regex; do
    [ "$command" = attach ] || continue
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    # shellcheck disable=SC2046
    owner_plays "$name" /tmp/hostile/owner $(command_of attach)
    owner_played "$name" /tmp/hostile/owner "$status_wanted" "$regex"
    is "owner, $name: the guest and its stubdomain may access what they could before" "$(access)" "$had"
    is "owner, $name: the guest has no device" "$(xl pci-list victim)" ""
done <<END
$(doubles "$quick
$formal
$for_hvm")
END

xl pci-owner "$OWNER"
ok "the guest gets a device of the real owner" xl pci-attach victim "$EDU_BDF"
guest_has victim edu
is "and computes with it" "$(guest_edu victim 2>&1)" "factorial=3628800 interrupt=yes"
ok "it is detached" xl pci-detach victim "$EDU_BDF"
is "the guest and its stubdomain may access what they could before" "$(access)" "$had"
ok "the guest is destroyed" xl destroy victim
ok "the other is destroyed" xl destroy evil
is "the device is assignable" "$(xl pci-assignable-list)" "$EDU_BDF "
done_testing
