# shellcheck shell=sh disable=SC2154
# topologies: hwdom
# needs: packages
#
# The distribution's own xl, which knows nothing of all this, with the libraries of the
# rebuilt packages; the owner runs the xl pcid of these packages, started by their init
# script. What it does to devices and guests is done by the owner.

new_xl=$(ls -d /usr/lib/xen-*/bin/xl)
# For guest_start and its like, too.
PATH=/opt/distribution/bin:$PATH

uses() { LD_TRACE_LOADED_OBJECTS=1 "$1" | sed -n 's/.*libxenlight[^ ]* => \([^ ]*\) .*/\1/p'; }
library=$(uses "$(command -v xl)")
assignable() { xl pci-assignable-list 2>&1; }

is "xl is the distribution's" "$(command -v xl)" /opt/distribution/bin/xl
fails "which does not know of owners" xl pci-owner
like "it uses the new package's libxenlight" "$library" '^/usr/lib/.*-linux-gnu/libxenlight\.so'
ok "which does" grep -q libxl_pci_owner_set "$library"
ok "the service runs in domain 1" owner /etc/init.d/xlpcid status
# shellcheck disable=SC2016
is "it is the new package's xl" "$(owner sh -c 'readlink /proc/$(cat /run/xen/xlpcid.pid)/exe')" "$new_xl"

is "there is no PCI device in Dom0" "$(ls /sys/bus/pci/devices)" ""
like "domain 1 was designated by the new xl" "$("$new_xl" pci-owner)" "^1 hwdom( [(]hardware domain[)])?$"

is "nothing is assignable" "$(assignable)" ""
ok "add a device" xl pci-assignable-add "$E1000_BDF"
ok "add another" xl pci-assignable-add "$EDU_BDF"
is "they are listed" "$(assignable)" "$E1000_BDF 
$EDU_BDF "
like "domain 1 has bound them to pciback" "$(device_state "$E1000_BDF")" '^driver=pciback '
fails "add a device that domain 1 has not" xl pci-assignable-add "$ABSENT_BDF"
like "which domain 1 says" "$output" "Domain 1:Couldn't lstat"

ok "create a guest with a device" guest_start guest "pci = [ '$E1000_BDF' ]"
ok "the guest's driver starts" guest_has guest net
is "the guest pings its gateway" "$(guest_net guest 2>&1)" "link=yes answers=2 interrupts=yes"
ok "attach another" xl pci-attach guest "$EDU_BDF"
ok "its driver starts" guest_has guest edu
is "the guest computes with it" "$(guest_edu guest 2>&1)" "factorial=3628800 interrupt=yes"
is "both are listed" "$(xl pci-list guest)" "Vdev Device
00.0 $E1000_BDF
00.0 $EDU_BDF"
is "and are not assignable" "$(assignable)" ""
ok "detach one" xl pci-detach guest "$EDU_BDF"
is "it is assignable again" "$(assignable)" "$EDU_BDF "
ok "destroy the guest" xl destroy guest
is "the other is assignable, too" "$(assignable)" "$E1000_BDF 
$EDU_BDF "

ok "remove a device" xl pci-assignable-remove -r "$E1000_BDF"
like "its driver in domain 1 has it again" "$(device_state "$E1000_BDF")" '^driver=e1000 '
ok "remove the other" xl pci-assignable-remove "$EDU_BDF"
is "nothing is assignable now" "$(assignable)" ""

ok "the service is stopped" owner /etc/init.d/xlpcid stop
fails "then there is an error" xl pci-assignable-add "$E1000_BDF"
like "which says what to do" "$output" 'xl pcid does not run in domain .*: start it'

done_testing
