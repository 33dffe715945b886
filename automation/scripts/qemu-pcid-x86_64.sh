#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Has test-pcid-host take a network card to a guest and back: once with no owner
# of the PCI devices designated, and once through "xl pcid", which runs in Dom0.

set -ex -o pipefail

cd binaries

# In Xen 4.17, these are a tarball and a directory.
if [ ! -e rootfs.cpio.gz ]; then
    mkdir -p alpine
    tar -C alpine -xzf initrd.tar.gz
    mkdir -p alpine/proc alpine/run alpine/srv alpine/sys
    (cd alpine; find . | cpio -R 0:0 -H newc -o | gzip) > rootfs.cpio.gz
    (cd dist/install; find . | cpio -R 0:0 -H newc -o | gzip) \
        > xen-tools.cpio.gz
fi

# DomU rootfs
cp rootfs.cpio.gz domU-rootfs.cpio.gz
mkdir -p domU/etc/local.d
echo '#!/bin/sh

echo "domU is up" > /dev/console
' > domU/etc/local.d/xen.start
chmod +x domU/etc/local.d/xen.start
(cd domU; find . | cpio -R 0:0 -H newc -o | gzip) >> domU-rootfs.cpio.gz

# Dom0 rootfs
cat rootfs.cpio.gz xen-tools.cpio.gz > dom0-rootfs.cpio.gz

# test-local configuration
mkdir -p dom0/root dom0/etc/local.d dom0/etc/default dom0/var/log/xen/console
mv domU-rootfs.cpio.gz dom0/root
cp bzImage dom0/root
echo 'name="domU"
type="pv"
memory=512
vcpus=1
kernel="/root/bzImage"
ramdisk="/root/domU-rootfs.cpio.gz"
extra="console=hvc0 root=/dev/ram0"
passthrough="enabled"
' > dom0/root/domU.cfg
echo 'XENCONSOLED_TRACE=all
QEMU_XEN=/bin/false
' > dom0/etc/default/xencommons
# shellcheck disable=SC2016
echo '#!/bin/bash

exec > /dev/console 2>&1
export LD_LIBRARY_PATH=/usr/local/lib

bash /etc/init.d/xencommons start

xl create /root/domU.cfg
until grep -q "domU is up" /var/log/xen/console/guest-domU.log; do
    sleep 1
done

test=$(find /usr -name test-pcid-host)
$test 00:03.0 domU && xl pcid && $test 00:03.0 domU && echo "pcid test passed"

poweroff -f
' > dom0/etc/local.d/xen.start
chmod +x dom0/etc/local.d/xen.start
(cd dom0; find . | cpio -R 0:0 -H newc -o | gzip) >> dom0-rootfs.cpio.gz
cd ..

# Run the test.  Without an IOMMU, no device can be assigned.
rm -f smoke.serial
kernel="binaries/bzImage console=hvc0 root=/dev/ram0"
set +e
timeout -k 1 600 \
qemu-system-x86_64 -machine q35 -cpu qemu64 -m 3G -smp 2 \
        -nodefaults -display none -no-reboot \
        -monitor none -serial file:smoke.serial \
        -device intel-iommu,intremap=off \
        -netdev user,id=n0 -device e1000,netdev=n0,addr=3 \
        -kernel binaries/xen \
        -append "console=com1 console_timestamps=boot dom0_mem=1536M" \
        -initrd "$kernel,binaries/dom0-rootfs.cpio.gz"
set -e
sed 's/\r\+$//' smoke.serial
grep -q 'pcid test passed' smoke.serial || exit 1
exit 0
