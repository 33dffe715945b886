# shellcheck shell=sh disable=SC2154
# topologies: hwdom+flask
# time limit: 900
#
# A guest of a type that may not have an MSI (src/testbed.te) uses a card that has MSI-X by its
# legacy interrupt, and nothing else is denied.

ok "the card is made assignable" xl pci-assignable-add "$E1000E_BDF"
is "FLASK has denied nothing" "$(denials)" ""
ok "a guest has it" guest_start guest "seclabel = 'system_u:system_r:isolated_domU_t'" "pci = [ '$E1000E_BDF' ]"
guest_has guest e1000e
is "it pings its gateway, over the card's interrupt" "$(guest_net guest e1000e 2>&1)" "link=yes answers=2 interrupts=yes"
is "which is no MSI-X" "$(guest_run guest grep -c pcifront-msi /proc/interrupts)" 0
is "FLASK has denied the MSI" "$(denials | sed 's/ (.*//' | sort -u)" "add: hwdom_t isolated_domU_t:resource"
ok "it is detached" xl pci-detach guest "$E1000E_BDF"
ok "and attached" xl pci-attach guest "$E1000E_BDF"
guest_has guest e1000e
is "it pings its gateway again" "$(guest_net guest e1000e 2>&1)" "link=yes answers=2 interrupts=yes"
guest=$(xl domid guest)
ok "the guest is destroyed" xl destroy guest
is "Xen lets it access nothing more" "$(domain_access "$guest")" "no domain $guest"
is "FLASK has denied nothing but the MSI" "$(denials | sed 's/ (.*//' | sort -u)" "add: hwdom_t isolated_domU_t:resource"
ok "the card is its driver's again" xl pci-assignable-remove -r "$E1000E_BDF"
done_testing
