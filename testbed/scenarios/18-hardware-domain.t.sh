# shellcheck shell=sh disable=SC2154
# topologies: hwdom direct hwdom+flask
# since part: 4, a hardware domain
# not on arm64: Xen for Arm makes a domain the hardware domain at boot, or never
# make check: hwdom, where one can be built; elsewhere there is less to refuse
# hardware_dom: 3
# time limit: 900
#
# xl builds the hardware domain, and says why when it does not.

# refused "what" MESSAGE LINE...: of a hardware domain with these lines in its configuration
# nothing is built, for this reason.
refused() {
    what=$1 message=$2
    shift 2
    guest_config hw "$@"
    before=$(xl list)
    fails "$what: refused" xl create -q /run/hw.cfg
    like "$what: why" "$output" "$message"
    is "$what: nothing was built" "$(xl list | wc -l)" "$(echo "$before" | wc -l)"
}

cannot='cannot build "hw" as the hardware domain:'

for typo in '"yes"' '"ture"' 2 '"-1"' '"1x"' '[ "1" ]'; do
    refused "hardware_domain = $typo" '"hardware_domain" has to be 0 or 1' "hardware_domain = $typo"
done
refused 'pcid = "yes"' '"pcid" has to be 0 or 1' 'pcid = "yes"'
refused "another type" "$cannot its type is \"pvh\": it has to be \"pv\"" 'hardware_domain = 1' 'type = "pvh"'
refused "passthrough disabled" "$cannot its configuration disables passthrough" 'hardware_domain = 1' 'passthrough = "disabled"'
refused "no such kernel" "$cannot cannot read /boot/none: No such file" 'hardware_domain = 1' 'kernel = "/boot/none"'
refused "no such ramdisk" "$cannot cannot read /boot/none: No such file" 'hardware_domain = 1' 'ramdisk = "/boot/none"'

if [ "$TOPOLOGY" = direct ]; then
    refused "Xen was not booted for one" "$cannot Xen's command line does not give the number of that domain: boot Xen.* with hardware_dom=1" 'hardware_domain = 1'
    ok "a domain that is none is built" guest_start guest 'hardware_domain = 0'
    ok "and destroyed" xl destroy guest
    done_testing
    exit
fi

ok "another domain is designated" xenstore-write /libxl/pcid/domid 0
refused "another owner" "hardware_domain=1, but domain 0 is designated as the owner" 'hardware_domain = 1'
ok "it is not any longer" xl pci-owner -c

if [ "$VARIANT" = flask ]; then
    refused "another label" "if FLASK is enforcing, a hardware domain needs a seclabel of the type hwdom_t" 'hardware_domain = 1'
    is "which is denied" "$(denials | sed 's/ (.*//')" "create_hardware_domain: dom0_t domU_t:domain2"
fi

# The domain that is next is not the hardware domain, and is in nobody's way.
if have_unpatched && [ "$VARIANT" != flask ]; then
    guest_config unpatched 'hardware_domain = 1'
    ok "an xl without the series builds an ordinary domain" xl-plain create -q /run/unpatched.cfg
    is "and says nothing" "$output" ""
    ok "that is a guest" guest_run -w 60 unpatched true
    unlike "which sees no device" "$(guest_run unpatched ls /sys/bus/pci/devices)" .
    ok "it is destroyed" xl destroy unpatched
fi
ok "a guest is built first" guest_start guest
unlike "it is not domain 3" "$(xl domid guest)" '^3$'

ok "the hardware domain is built" hwdom_start
is "it has the number that Xen was booted with" "$(xl domid hwdom)" 3
# Before 4.21, Xen does not tell who has the hardware.
case $BASE_VERSION in
    4.17 | 4.18 | 4.19 | 4.20) tells='' ;;
    *) tells=' (hardware domain)' ;;
esac
is "it is the owner of the PCI devices" "$(xl pci-owner 2>&1)" "3 hwdom$tells"
if [ -n "$tells" ]; then
    contradiction='domain 3 (\(hwdom\) )?is Xen.s hardware domain.* xl pci-owner 3'
    ok "a guest is designated" xl pci-owner guest
    like "with a warning" "$output" "$contradiction"
    run xl pci-owner
    like "it is shown" "$output" "guest$"
    like "with a warning, too" "$output" "$contradiction"
    ok "nobody is designated" xl pci-owner -c
    run xl pci-owner
    like "it is shown" "$output" "none"
    like "with a warning, too" "$output" "$contradiction"
    ok "the hardware domain is designated again" xl pci-owner 3
    is "without a warning" "$output" ""
fi
like "it sees the devices" "$(owner ls /sys/bus/pci/devices)" "$E1000_BDF"
is "dom0 sees none" "$(ls /sys/bus/pci/devices)" ""

ok "a device is assignable" xl pci-assignable-add "$E1000_BDF"
ok "a guest has it" guest_start second "pci = [ '$E1000_BDF' ]"
like "and uses it" "$(guest_net second)" 'interrupts=yes'

# xenstored hears of it from Xen.
guest_run second sh -c '(usleep 300000; poweroff -f) >/dev/null 2>&1 &'
ok "the end of a guest is noticed" wait_until 60 sh -c '! xl domid second 2>/dev/null'
like "the device is assignable again" "$(xl pci-assignable-list)" "$E1000_BDF"
ok "and back with its driver" xl pci-assignable-remove -r "$E1000_BDF"
ok "the guest from before is destroyed" xl destroy guest

refused "a second one" "$cannot Xen was booted with hardware_dom=3, and domain 3 \\(\"hwdom\"\\) has been built already" 'hardware_domain = 1'
is "the first is still the owner" "$(xl pci-owner)" "3 hwdom$tells"

done_testing
