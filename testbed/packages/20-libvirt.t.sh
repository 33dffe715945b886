# shellcheck shell=sh disable=SC2154
# topologies: loopback hwdom
# needs: packages
# needs: libvirt
# memory: 1024M
#
# The distribution's libvirt with the libxenlight of the rebuilt packages, which is all
# that its Xen driver knows.  What it asks libxl to do with a device, the owner does.  But
# before it asks it looks into its own domain's sysfs: so where that has no PCI devices,
# it refuses; then xl gives its guests their devices.

PATH=/opt/distribution/bin:$PATH
new_xl=$(ls -d /usr/lib/xen-*/bin/xl)

vm() { timeout 60 virsh -q -c xen:///system "$@"; }
assignable() { xl pci-assignable-list 2>&1; }
edu_is_assignable() { [ "$(assignable)" = "$EDU_BDF " ]; }
# Requests that the daemon was sent since the last time
requests() {
    owner cat /var/log/xen/xlpcid.log >/tmp/log
    tail -n "+$((seen + 1))" /tmp/log
}
forget() { seen=$(owner cat /var/log/xen/xlpcid.log | wc -l); }

mkdir -p /etc/libvirt /run/libvirt /var/lib/libvirt /var/log/libvirt
# Who may is otherwise asked of polkit.
printf '%s\n' 'auth_unix_rw = "none"' 'auth_unix_ro = "none"' >/etc/libvirt/libvirtd.conf
libvirtd >/var/log/libvirtd.log 2>&1 &
ok "libvirtd serves xen:///system" wait_until 90 vm list
[ "$status" -eq 0 ] || { diag "$(tail -n 20 /var/log/libvirtd.log)"; done_testing; exit 1; }
like "with the new package's libxenlight" "$(grep libxenlight "/proc/$(pidof libvirtd)/maps")" ' /usr/lib/.*-linux-gnu/libxenlight\.so'

pcid_stop
PCID_VERBOSE=1 pcid_start
is "the owner is designated" "$("$new_xl" pci-owner | cut -d' ' -f1)" "$([ "$TOPOLOGY" = hwdom ] && echo 1 || echo 0)"
ok "add a device with xl" xl pci-assignable-add "$EDU_BDF"

cat >/run/vm.xml <<END
<domain type='xen'>
  <name>vm</name>
  <memory unit='MiB'>192</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='xenpv'>linux</type>
    <kernel>/boot/vmlinux</kernel>
    <initrd>/boot/base.cpio</initrd>
    <cmdline>console=hvc0 quiet rodata=off ROLE=guest TOPOLOGY=$TOPOLOGY</cmdline>
  </os>
  <features><xen><passthrough state='on'/></xen></features>
  <devices><emulator>/bin/false</emulator></devices>
</domain>
END
cat >/run/edu.xml <<END
<hostdev mode='subsystem' type='pci' managed='no'>
  <source><address domain='0' bus='0' slot='5' function='0'/></source>
</hostdev>
END
ok "libvirt creates a guest" vm create /run/vm.xml
ok "which runs" guest_run -w 60 vm true

forget
if [ "$TOPOLOGY" = hwdom ]; then
    fails "libvirt looks for the device in Dom0: nodedev-detach" vm nodedev-detach pci_0000_00_05_0
    like "which it does not find" "$output" 'no node device with matching name'
    fails "attach-device" vm attach-device vm /run/edu.xml
    like "which it does not find either" "$output" 'Device 0000:00:05\.0 not found'
    is "nobody was asked for anything" "$(requests)" ""
    attach="xl pci-attach vm $EDU_BDF" detach="xl pci-detach vm $EDU_BDF"
else
    attach="vm attach-device vm /run/edu.xml" detach="vm detach-device vm /run/edu.xml"
fi

forget
# shellcheck disable=SC2086
ok "attach the device: $attach" $attach
like "the owner was asked" "$(requests)" "$EDU_BDF"
ok "its driver starts" guest_has vm edu
is "the guest computes with it" "$(guest_edu vm 2>&1)" "factorial=3628800 interrupt=yes"
is "it is not assignable" "$(assignable)" ""
# shellcheck disable=SC2086
ok "detach it: $detach" $detach
is "it is assignable again" "$(assignable)" "$EDU_BDF "

# shellcheck disable=SC2086
ok "attach it again" $attach
ok "its driver starts again" guest_has vm edu
ok "libvirt destroys the guest" vm destroy vm
ok "it is assignable then" wait_until 30 edu_is_assignable

done_testing
