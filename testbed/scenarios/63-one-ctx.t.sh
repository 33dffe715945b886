# shellcheck shell=sh disable=SC2154
# topologies: loopback hwdom
# not on arm64: its guests use PCI devices, and Xen for Arm has no virtual PCI bus for guests yet
# begins with: guest_start guest 'passthrough = "enabled"'
#
# One libxl ctx, two threads: while one waits for an owner that is slow, the other can use
# the ctx; and it can abort what the first waits for.

# number NAME: that which a line of $output gives in milliseconds, or -1.
number() {
    number_is=$(printf '%s\n' "$output" | sed -n "s/^$1[^0-9]* \([0-9]*\) ms.*/\1/p")
    echo "${number_is:--1}"
}
slow() { ok "the owner takes 5 s for a step" pcid_slow /sys/bus/pci/drivers/pciback/permissive delay_enter=5000000; }
access() { domain_access "$guest"; }

xl pci-assignable-add "$EDU_BDF" 2>/dev/null
ok "a guest" guest_start guest 'passthrough = "enabled"'
guest=$(xl domid guest)
nothing=$(device_access)
dom0_access=$(domain_access 0)

slow
ok "a device is attached, domains are listed" timeout 60 threads attach "$guest" "$EDU_BDF"
diag "$output"
like "the device was attached" "$output" '^attach: rc 0 '
within "it took its time" 4000 "$(number 'attach: rc 0 after')" 30000
within "listing never had to wait" 0 "$(number 'longest list:')" 500
ok "the owner is fast again" pcid_slow
is "the guest may access the device" "$(access)" "$(device_access "$EDU_BDF")"
guest_has guest edu
is "and uses it" "$(guest_edu guest 2>&1)" "factorial=3628800 interrupt=yes"
ok "it is detached" xl pci-detach guest "$EDU_BDF"
is "the guest may access nothing" "$(access)" "$nothing"

slow
ok "a device is attached, which is aborted" timeout 60 threads abort "$guest" "$EDU_BDF"
diag "$output"
like "the abort was taken" "$output" '^abort: rc 0$'
like "the attaching was aborted" "$output" '^attach: rc -22 '
within "that took no longer than 2 s more" 900 "$(number 'attach: rc -22 after')" 3000
is "the guest may access nothing" "$(access)" "$nothing"
is "and has nothing" "$(xl pci-list guest)" ""
ok "the same device is attached then" xl pci-attach guest "$EDU_BDF,permissive=1"
ok "the owner is fast again" pcid_slow
guest_has guest edu
is "the guest uses it" "$(guest_edu guest 2>&1)" "factorial=3628800 interrupt=yes"
ok "the guest is destroyed" xl destroy guest
is "Dom0 may access what it could before" "$(domain_access 0)" "$dom0_access"
ok "the device goes back" xl pci-assignable-remove "$EDU_BDF"

done_testing
