# shellcheck shell=sh
# topologies: direct loopback hwdom
# make check: direct hwdom, without and with an owner; in loopback it is that of hwdom
#
# pci-assignable-list, -add and -remove: what they print, their exit status, and what
# they do to the device. One transcript for all topologies; it was written with
# unpatched xl, which is asserted in direct: so what a user sees is the same through
# the owner, with the patched xl without an owner, and as it always was.
. /lib/transcript.sh

cat >/tmp/transcript <<END
# Nothing is assignable at first
\$ xl pci-assignable-list
\$ state $E1000_BDF
driver=e1000 slots=0 quarantined=no rebind=- name=-

# Add by BDF: the device is taken from its driver, which is remembered
\$ xl pci-assignable-add $E1000_BDF
\$ state $E1000_BDF
driver=pciback slots=1 quarantined=yes rebind=e1000 name=-
\$ xl pci-assignable-list
$E1000_BDF 

# Add with a name, a device without a driver
\$ xl pci-assignable-add --name=edu $EDU_BDF
! libxl: warning: $EDU_BDF not bound to a driver, will not be rebound.
\$ state $EDU_BDF
driver=pciback slots=1 quarantined=yes rebind=- name=edu

# Add both functions of a device, with the short form of the BDF
\$ xl pci-assignable-add ${MULTI_BDF0#0000:}
! libxl: warning: $MULTI_BDF0 not bound to a driver, will not be rebound.
\$ state $MULTI_BDF1
driver=none slots=0 quarantined=no rebind=- name=-
\$ xl pci-assignable-add -n second ${MULTI_BDF1#0000:}
! libxl: warning: $MULTI_BDF1 not bound to a driver, will not be rebound.
\$ state $MULTI_BDF0
driver=pciback slots=1 quarantined=yes rebind=- name=-
\$ state $MULTI_BDF1
driver=pciback slots=1 quarantined=yes rebind=- name=second

# List, with and without names
\$ xl pci-assignable-list
$E1000_BDF 
$EDU_BDF 
$MULTI_BDF0 
$MULTI_BDF1 
\$ xl pci-assignable-list -n
$E1000_BDF 
$EDU_BDF edu
$MULTI_BDF0 
$MULTI_BDF1 second

# Add twice: a warning, and the name of the second time
\$ xl pci-assignable-add -n nic $E1000_BDF
! libxl: warning: $E1000_BDF already assigned to pciback
\$ state $E1000_BDF
driver=pciback slots=1 quarantined=yes rebind=e1000 name=nic

# Remove by name
\$ xl pci-assignable-remove edu
\$ state $EDU_BDF
driver=none slots=0 quarantined=no rebind=- name=-
\$ xl pci-assignable-remove edu
! pci-assignable-remove: malformed BDF 'edu'
[2]

# Remove without rebinding: the driver stays remembered
\$ xl pci-assignable-remove $E1000_BDF
\$ state $E1000_BDF
driver=none slots=0 quarantined=no rebind=e1000 name=-
\$ xl pci-assignable-add $E1000_BDF
! libxl: info: $E1000_BDF not bound to a driver, will be rebound to /sys/bus/pci/drivers/e1000
\$ state $E1000_BDF
driver=pciback slots=1 quarantined=yes rebind=e1000 name=-

# Remove with rebinding, to the driver it had
\$ xl pci-assignable-remove -r $E1000_BDF
! libxl: info: Rebinding to driver at /sys/bus/pci/drivers/e1000
\$ state $E1000_BDF
driver=e1000 slots=0 quarantined=no rebind=- name=-

# Remove with rebinding, where there is no driver to go back to
\$ xl pci-assignable-remove -r $MULTI_BDF0
! libxl: warning: Couldn't find path for original driver; not rebinding
\$ xl pci-assignable-remove second
\$ state $MULTI_BDF0
driver=none slots=0 quarantined=no rebind=- name=-
\$ state $MULTI_BDF1
driver=none slots=0 quarantined=no rebind=- name=-

# Remove twice: an error
\$ xl pci-assignable-remove -r $E1000_BDF
! libxl: error: failed to de-quarantine $E1000_BDF
[1]
\$ state $E1000_BDF
driver=e1000 slots=0 quarantined=no rebind=- name=-

# Remove what was never added
\$ xl pci-assignable-remove $TESTDEV_BDF
! libxl: error: failed to de-quarantine $TESTDEV_BDF
[1]

# No such device
\$ xl pci-assignable-add $ABSENT_BDF
! libxl: error: Couldn't lstat /sys/bus/pci/devices/$ABSENT_BDF: No such file or directory
[1]
\$ xl pci-assignable-remove $ABSENT_BDF
! libxl: error: failed to de-quarantine $ABSENT_BDF
[1]
\$ state $ABSENT_BDF
driver=none slots=0 quarantined=unknown rebind=- name=-

# A BDF that is none: no number, no bus, out of range, nothing
\$ xl pci-assignable-add xyz
! pci-assignable-add: malformed BDF "xyz"
[2]
\$ xl pci-assignable-add 05.0
! pci-assignable-add: malformed BDF "05.0"
[2]
\$ xl pci-assignable-add 00:05.8
! pci-assignable-add: malformed BDF "00:05.8"
[2]
\$ xl pci-assignable-add 00:20.0
! pci-assignable-add: malformed BDF "00:20.0"
[2]
\$ xl pci-assignable-add 100:05.0
! pci-assignable-add: malformed BDF "100:05.0"
[2]
\$ xl pci-assignable-add ''
! pci-assignable-add: malformed BDF ""
[2]
\$ xl pci-assignable-remove 00:05.8
! pci-assignable-remove: malformed BDF '00:05.8'
[2]

# A name that is not known
\$ xl pci-assignable-remove nobody
! pci-assignable-remove: malformed BDF 'nobody'
[2]

# A name that is none: too long, a space, a line break
\$ xl pci-assignable-add -n $(printf %065d 0) $EDU_BDF
! libxl: error: Name too long
[1]
\$ xl pci-assignable-add -n 'a b' $EDU_BDF
! libxl: error: Names may only include printable characters
[1]
\$ state $EDU_BDF
driver=none slots=0 quarantined=no rebind=- name=-

# The longest name there can be
\$ xl pci-assignable-add -n $(printf %064d 0) $EDU_BDF
! libxl: warning: $EDU_BDF not bound to a driver, will not be rebound.
\$ xl pci-assignable-list -n
$EDU_BDF $(printf %064d 0)
\$ xl pci-assignable-remove $(printf %064d 0)

# An argument is missing
\$ xl pci-assignable-add >/dev/null
! 'xl pci-assignable-add' requires at least 1 argument.
! 
[2]
\$ xl pci-assignable-remove >/dev/null
! 'xl pci-assignable-remove' requires at least 1 argument.
! 
[2]

# pciback is not loaded; it was, when the device was added
\$ xl pci-assignable-add $E1000_BDF
\$ owner rmmod xen_pciback
\$ xl pci-assignable-add $EDU_BDF
! libxl: error: Looks like pciback driver is not loaded
[1]
\$ state $EDU_BDF
driver=none slots=0 quarantined=no rebind=- name=-
\$ xl pci-assignable-remove $E1000_BDF
! libxl: error: Looks like pciback driver is not loaded
[1]

# pciback is loaded again: all can be brought in order
\$ owner insmod /lib/modules/xen-pciback.ko
\$ xl pci-assignable-list
\$ xl pci-assignable-add $E1000_BDF
! libxl: info: $E1000_BDF not bound to a driver, will be rebound to /sys/bus/pci/drivers/e1000
\$ xl pci-assignable-remove -r $E1000_BDF
! libxl: info: Rebinding to driver at /sys/bus/pci/drivers/e1000
\$ state $E1000_BDF
driver=e1000 slots=0 quarantined=no rebind=- name=-
END

if [ "$TOPOLOGY" = direct ]; then
    ! has_part 2 "no owner is designated" || is "no owner is designated" "$(xl pci-owner)" none
    if have_unpatched; then
        unpatched_xl
        play "unpatched xl"
        patched_xl
    else
        skip "unpatched xl" "the base has the series, too"
    fi
else
    like "an owner is designated" "$(xl pci-owner)" '^[0-9]+ '
fi
play "xl"

done_testing
