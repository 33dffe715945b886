# shellcheck shell=bash
# What HVM guests need. Sourced by build; uses common.sh and image.sh.
# shellcheck disable=SC2154
#
# out/hvm.cpio   what Dom0 has in scenarios that say "# needs: hvm":
#   /opt/hvm     the files of the stubdomain, from which Dom0 runs its own QEMU, too
#   /boot        hvmloader, a stubdomain's ramdisk, and the disk that HVM guests boot
#
# They boot GRUB from an emulated disk: with kernel= and ramdisk=, SeaBIOS would read both
# through a port of QEMU, which takes minutes here.

# Between GRUB and the end of the disk: vmlinuz and the ramdisk, in MB
hvm_disk=16

build_hvm() {
    local sum proxy=$build/xen-patched/tools/vchan/vchan-socket-proxy
    if ! stubdomain=$(PROXY=$proxy "$top/scripts/stubdomain"); then
        say "WARNING: scenarios with HVM guests cannot be run"
        rm -f "$out/hvm.cpio" "$out/hvm.sum"
        return 0
    fi
    sum=$(cat "$out/image.sum" "$stubdomain/sum" "$testbed/lib/hvm.sh" "$proxy" | sha1sum)
    [ "$sum" != "$(cat "$out/hvm.sum" 2>/dev/null)" ] || return 0
    step hvm "making the image of HVM guests" make_hvm
    echo "$sum" >"$out/hvm.sum"
}

# package_file PATTERN: of the packages that scripts/stubdomain has unpacked, or this machine's.
package_file() {
    local dir file
    for dir in "$stubdomain/packages" ''; do
        # shellcheck disable=SC2086
        file=$(compgen -G "$dir/$1" | sort -V | tail -n 1)
        [ ! -e "$file" ] || { echo "$file"; return; }
    done
    echo "no $1" >&2
    return 1
}

make_hvm() {
    local root=$build/image-hvm qemu
    find_kernel
    rm -rf "$root"
    mkdir -p "$root"/{boot,opt/hvm}
    cp "$(package_file 'usr/lib/xen-*/boot/hvmloader')" "$(package_file usr/share/seabios/bios-256k.bin)" "$root/boot/"
    ln "$stubdomain/stubdom-linux-rootfs" "$root/boot/"
    (cd "$root/opt/hvm" && cpio --quiet -id) <"$stubdomain/stubdom-linux-rootfs"
    # The distribution's libraries of Xen are those that it was built with.
    qemu=$root/opt/hvm/device-model
    cat >"$qemu" <<'END'
#!/bin/sh
exec /opt/hvm/lib/ld-linux-x86-64.so.2 --library-path /opt/hvm/lib /opt/hvm/bin/qemu -L /opt/hvm/usr/share/qemu "$@"
END
    chmod +x "$qemu"
    make_hvm_disk "$root/boot/hd.img"
    archive "$root" "$out/hvm.cpio"
    rm -rf "$root"
}

# make_hvm_disk FILE: a disk with GRUB, the kernel, and the root file system of guests.
make_hvm_disk() {
    local work=$build/image-hvm-disk modules
    modules=$(package_file usr/lib/grub/i386-pc)
    rm -rf "$work"
    mkdir -p "$work/files"
    archive "$build/image-guest" "$work/guest.cpio"
    gzip -9c "$work/guest.cpio" >"$work/files/ramdisk"
    cp "$kernel" "$work/files/vmlinuz"

    cat >"$work/early.cfg" <<END
linux (hd0,msdos1)/vmlinuz $(cat "$testbed/image/lib/kernel-options") ROLE=hvm
initrd (hd0,msdos1)/ramdisk
boot
END
    "$(package_file usr/bin/grub-mkimage)" -d "$modules" -O i386-pc -c "$work/early.cfg" \
        -p '(hd0,msdos1)/' -o "$work/core.img" biosdisk part_msdos ext2 linux
    mke2fs -q -t ext2 -b 1024 -d "$work/files" "$work/partition" ${hvm_disk}M
    cat "$modules/boot.img" "$work/core.img" >"$1"
    truncate -s 1M "$1"
    cat "$work/partition" >>"$1"
    # One active Linux partition after the first MB; and what says that there are partitions
    python3 - "$1" "$hvm_disk" <<'END'
import struct
import sys

entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", 2048, int(sys.argv[2]) * 2048)
with open(sys.argv[1], "r+b") as disk:
    disk.seek(446)
    disk.write(entry + bytes(48) + b"\x55\xaa")
END
    rm -rf "$work"
}
