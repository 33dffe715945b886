# shellcheck shell=sh disable=SC2016,SC2154
# topologies: hwdom+flask
#
# With FLASK enforcing, and the policy of the series: a hardware domain can do its work and
# pass devices through, with no denial; and a guest's domain can neither speak to the
# daemon nor be lent a device without a label, which FLASK denies, whatever the domains do.
#
# With the argument "allowed", only the former (for testbed/flask-minimal).

# nothing_denied "when"
nothing_denied() { is "$1: FLASK has denied nothing" "$(denials)" ""; }
# Numbers of domains and devices are not compared.
denied() { denials | sed 's/ (.*//' | sort -u; }
net_works() { guest_has "$1" net; is "$2: the guest pings its gateway, over the card's interrupt" "$(guest_net "$1" 2>&1)" "link=yes answers=2 interrupts=yes"; }
edu_works() { guest_has "$1" edu; is "$2: the guest computes with edu, and gets its interrupt" "$(guest_edu "$1" 2>&1)" "factorial=3628800 interrupt=yes"; }

is "FLASK is enforcing" "$(xl getenforce)" Enforcing
like "the hardware domain's label" "$(xl list -Z)" '^hwdom .* system_u:system_r:hwdom_t'
nothing_denied "start"

# --- The hardware domain's own devices ---

# The chipset's disk controller, which uses MSI.
ahci=/sys/bus/pci/devices/0000:00:1f.2
ok "a driver with an MSI can be loaded" owner sh -c '
    for module in scsi_common scsi_mod libata libahci ahci; do
        insmod "/lib/modules/$module.ko" || exit
    done'
like "it has got its MSI" "$(owner cat /proc/interrupts)" 'msi.* ahci'
ok "and can be taken from its device" owner sh -c 'echo 0000:00:1f.2 >"$1/driver/unbind"' sh $ahci
nothing_denied "own devices"

# --- Passthrough ---

dom0_access=$(domain_access 0)
ok "a card is made assignable" xl pci-assignable-add "$E1000_BDF"
ok "and another device" xl pci-assignable-add "$EDU_BDF"
ok "a guest is created with the card" guest_start guest "pci = [ '$E1000_BDF' ]"
like "the guest's label" "$(xl list -Z)" '^guest .* system_u:system_r:domU_t'
net_works guest "created"
ok "the other is attached" xl pci-attach guest "$EDU_BDF"
edu_works guest "attached"
ok "the card is detached" xl pci-detach guest "$E1000_BDF"
ok "it is the hardware domain's again" xl pci-assignable-remove -r "$E1000_BDF"
ok "the guest is destroyed" xl destroy guest
is "the other is assignable" "$(xl pci-assignable-list)" "$EDU_BDF "
is "Dom0 has nothing of what it was lent" "$(domain_access 0)" "$dom0_access"
nothing_denied "passthrough"

if [ "${1:-}" = allowed ]; then
    done_testing
    exit
fi

# --- A guest speaks to the daemon ---

ok "another guest" guest_start other 'passthrough = "enabled"'
other=$(xl domid other)
other_access=$(domain_access "$other")
fails "it cannot ask for a channel" guest_run other ask 1
like "for want of permission in xenstore" "$output" 'Permission denied'
nothing_denied "the guest asks"

# With a daemon that was told to serve it, it is for FLASK to refuse.
pcid_stop
pcid_start -c 0 -c "$other"
fails "nor connect to one that it is offered" guest_run other ask 1
like "because it cannot map it" "$output" 'cannot connect to the channel offered by domain 1'
is "FLASK has denied that" "$(denied)" "map_read map_write: domU_t hwdom_t:grant"

# --- A guest is lent a device without a label ---

# It can connect, while FLASK is permissive.
in_guest() { guest_run other sh -c "$1"; }
xl setenforce 0
in_guest 'mkfifo /tmp/in; (exec 3<>/tmp/in; exec ask 1 <&3 >/tmp/out 2>&1) & until grep -qs pcid /tmp/out; do usleep 50000; done' &
ok "it can if FLASK is permissive" wait_until 30 in_guest 'grep -q pcid /tmp/out'
xl setenforce 1
denials >/dev/null
ok "a device that has no label is made assignable" xl pci-assignable-add "$TESTDEV_BDF"
request='{"execute": "lend", "id": 1, "arguments": {"sbdf": "'$TESTDEV_BDF'", "reset": false, "permissive": false}}'
ok "it asks to be lent a device" guest_run other sh -c 'echo "$1" >/tmp/in' sh "$request"
ok "it gets an answer" wait_until 30 in_guest 'grep -q "\"id\"" /tmp/out'
reply=$(guest_run other tail -n 1 /tmp/out)
# Newer Xen says EACCES.
like "an error: not permitted" "$reply" '"errno": *"(EPERM|EACCES)"'
like "in the right step" "$reply" '"step": *"access"'
like "that says who cannot let whom use what" "$reply" "domain 1 cannot let domain $other use $TESTDEV_BDF"
is "FLASK has denied that" "$(denied)" "add_iomem: hwdom_t iomem_t:resource"
is "the guest may access nothing more" "$(domain_access "$other")" "$other_access"

# The hypercall itself: of ports that the testbed lets it lend Dom0.
fails "the hardware domain cannot let it use ports" owner lend-ports "$other" 0xc000 8
like "for want of permission" "$output" 'Operation not permitted|Permission denied'
like "FLASK has denied that" "$(denied)" "^use_[a-z_]+: domU_t ioport_t:resource$"
is "the guest may access nothing more" "$(domain_access "$other")" "$other_access"

# --- Nor is Dom0 ---

fails "a guest cannot get it" xl pci-attach other "$TESTDEV_BDF"
like "because it cannot be lent" "$output" "cannot let domain 0 use $TESTDEV_BDF"
ok "it is still assignable, and removed" xl pci-assignable-remove "$TESTDEV_BDF"
is "FLASK has denied lending it" "$(denied)" "add_iomem: hwdom_t iomem_t:resource"
is "Dom0 has nothing of it" "$(domain_access 0)" "$dom0_access"

done_testing
