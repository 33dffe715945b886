# shellcheck shell=sh disable=SC2154
# topologies: hwdom
# not on arm64: Xen for Arm makes a domain the hardware domain at boot, or never
# make check: , for it builds a hypervisor of its own: make check-all has it
# hypervisor: CONFIG_LATE_HWDOM=n
# time limit: 2400
# hardware_dom: 3
#
# Xen cannot have a hardware domain other than domain 0, and has no hypfs in which it would say
# so (test-pcid-hwdom: what_xen_is). xl finds out when the domain has been made, destroys it, and
# domain 0 goes on as before.

dom0_access=$(domain_access 0)
guest_config hw 'hardware_domain = 1'
fails "xl does not build the hardware domain" xl create -q /run/hw.cfg
like "it says why, and what to do" "$output" "Xen has not made it the hardware domain: boot a hypervisor that is built with CONFIG_LATE_HWDOM"
like "and that another attempt takes another boot" "$output" "the hardware domain was not built; boot the host again"
is "there is no such domain" "$(xl list | tail -n +3)" ""
is "nobody is designated" "$(xl pci-owner)" "none"
is "domain 0 may access what it could before" "$(domain_access 0)" "$dom0_access"
ok "a guest is built" guest_start guest
ok "it runs" guest_run -w 60 guest true
ok "it is destroyed" xl destroy guest
done_testing
