# shellcheck shell=sh disable=SC2154
# topologies: hwdom
# needs: packages
# needs: libvirt
# memory: 1024M
#
# The distribution's libvirt, whose Xen driver knows libxl only as it was, with the
# libxenlight of the rebuilt packages: what it asks libxl to do with a device, the owner
# does. What it does by itself it cannot: it knows the node devices of its own domain, and
# makes these assignable itself, in sysfs; in Dom0 there is none.

PATH=/opt/distribution/bin:$PATH
new_xl=$(ls -d /usr/lib/xen-*/bin/xl)

vm() { timeout 60 virsh -q -c xen:///system "$@"; }
assignable() { xl pci-assignable-list 2>&1; }
edu_is_assignable() { [ "$(assignable)" = "$EDU_BDF " ]; }
# What the daemon has logged of requests, since the last time.
requests() {
    owner cat /var/log/xen/xlpcid.log >/tmp/log
    tail -n "+$((seen + 1))" /tmp/log | sed -n 's/.*log_request: domain 0, [^:]*: //p'
    seen=$(wc -l </tmp/log)
}
seen=0

mkdir -p /etc/libvirt /run/libvirt /var/lib/libvirt /var/log/libvirt
# Who may is otherwise asked of polkit.
printf '%s\n' 'auth_unix_rw = "none"' 'auth_unix_ro = "none"' >/etc/libvirt/libvirtd.conf
libvirtd >/var/log/libvirtd.log 2>&1 &
ok "libvirtd serves xen:///system" wait_until 90 vm list
[ "$status" -eq 0 ] || { diag "$(tail -n 20 /var/log/libvirtd.log)"; done_testing; exit 1; }
like "with the new package's libxenlight" "$(grep libxenlight "/proc/$(pidof libvirtd)/maps")" ' /usr/lib/.*-linux-gnu/libxenlight\.so'

pcid_stop
PCID_VERBOSE=1 pcid_start 2>/dev/null
like "domain 1 is designated" "$("$new_xl" pci-owner)" "^1 hwdom( [(]hardware domain[)])?$"

# domain [DEVICE]: of a guest, with that in its devices.
domain() {
    cat <<END
<domain type='xen'>
  <name>vm</name>
  <memory unit='MiB'>192</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='xenpv'>linux</type>
    <kernel>/boot/vmlinux</kernel>
    <initrd>/boot/base.cpio</initrd>
    <cmdline>$(cat /lib/kernel-options) ROLE=guest TOPOLOGY=$TOPOLOGY</cmdline>
  </os>
  <features><xen><passthrough state='on'/></xen></features>
  <devices><emulator>/bin/false</emulator>$1</devices>
</domain>
END
}
edu_managed() {
    echo "<hostdev mode='subsystem' type='pci' managed='$1'>"
    echo "<source><address domain='0' bus='0' slot='5' function='0'/></source></hostdev>"
}
edu_managed no >/run/edu.xml
edu_managed yes >/run/managed.xml
domain >/run/vm.xml
domain "$(edu_managed no)" >/run/vm-edu.xml

ok "libvirt creates a guest" vm create /run/vm.xml
ok "which runs" guest_run -w 60 vm true

# --- What libvirt does by itself ---

is "libvirt knows no PCI device" "$(vm nodedev-list --cap pci)" ""
fails "so none can be detached from its driver" vm nodedev-detach pci_0000_00_05_0
like "nor found" "$output" 'no node device with matching name'
requests >/dev/null
fails "a managed device is not made assignable" vm attach-device vm /run/managed.xml
like "libxl says that it is not" "$(cat /var/log/libvirt/libxl/*.log)" 'PCI device 0:0:5\.0 is not assignable'
like "which it has asked the owner" "$(requests)" "^query $EDU_BDF"

# --- What it has libxl do ---

ok "make the device assignable with xl" xl pci-assignable-add "$EDU_BDF"
requests >/dev/null
ok "attach the device" vm attach-device vm /run/edu.xml
like "the owner was asked for it" "$(requests)" "^lend reset $EDU_BDF: done"
like "libvirt knows that the guest has it" "$(vm dumpxml vm)" '<hostdev mode=.subsystem. type=.pci. managed=.no.>'
ok "its driver starts" guest_has vm edu
is "the guest computes with it" "$(guest_edu vm 2>&1)" "factorial=3628800 interrupt=yes"
is "it is not assignable" "$(assignable)" ""
ok "detach it" vm detach-device vm /run/edu.xml
like "the owner was asked again" "$(requests)" "$EDU_BDF: done"
ok "it is assignable again" wait_until 30 edu_is_assignable

ok "attach it once more, as managed" vm attach-device vm /run/managed.xml
ok "its driver starts again" guest_has vm edu
ok "destroy the guest" vm destroy vm
ok "it is assignable then" wait_until 30 edu_is_assignable

ok "create a guest with it" vm create /run/vm-edu.xml
ok "the guest runs" guest_run -w 60 vm true
ok "its driver starts there" guest_has vm edu
is "that guest computes with it" "$(guest_edu vm 2>&1)" "factorial=3628800 interrupt=yes"
ok "destroy that guest" vm destroy vm
ok "it is assignable in the end" wait_until 30 edu_is_assignable

done_testing
