# shellcheck shell=bash
# The emulated machine with ARCH=arm64: takes the place of functions of qemu.sh. Sourced by
# it; uses common.sh.
# shellcheck disable=SC2034,SC2054,SC2154

# QEMU's "virt", with an SMMUv3 in front of the PCI devices. Without a firmware: Xen is started
# with a device tree that says where the kernels and ramdisks are.
qemu_arguments() {
    local emulator
    emulator=$("$top/scripts/arm64-files" emulator) || die "no emulator"
    qemu=("$emulator/usr/bin/emulator"
        -machine "$virt" -cpu cortex-a57 -m "$machine_memory"
        -nodefaults -display none -no-reboot
        -semihosting-config enable=on,target=native,userspace=on
    )
    add_devices
}

virt=virt,virtualization=on,gic-version=3,iommu=smmuv3
machine_memory=3072
xen_options="console=dtuart sched=credit bootscrub=0 loglvl=all guest_loglvl=all iommu=on flask=permissive"
# A snapshot would not know of the emulator's open files.
snapshots=''

choose_variant() { [ -z "$variant" ] || die "no variant of '$topology' on Arm64: Xen cannot give the domains that it builds itself a label of FLASK"; }

in_real_time() { qemu+=(-smp 2); }

size_of() { cat "$@" | wc -c; }

# boot_arguments: as in qemu.sh; the device tree comes later, when it is known what there is.
boot_arguments() {
    local kernel
    kernel=$(cat "$testbed/image/lib/kernel-options")
    dom0_options="$kernel ROLE=dom0 TOPOLOGY=$topology VARIANT=${daemon:+ DAEMON=$daemon}"
    hwdom_options="$kernel ROLE=hwdom TOPOLOGY=$topology${daemon:+ NO_SERVICES=yes}"
    if [ -n "${toolstacks:-}" ]; then
        # With FLASK, Xen builds only one domain that controls the machine.
        xen_options="$xen_options xsm=silo"
        dom0_options="$dom0_options TOOLSTACKS=$toolstacks"
    fi
    toolstack_options="${kernel//console=hvc0/console=ttyAMA0} ROLE=toolstack TOPOLOGY=$topology"
    # The other domain's console is that of the UART that Xen emulates for it.
    [ "$topology" != hwdom ] || dom0_options=${dom0_options//console=hvc0/console=ttyAMA0}
    qemu+=(-kernel "$out/xen" -dtb dtb
        -device "loader,file=$out/vmlinux,addr=0x50000000,force-raw=on"
        -device loader,file=initrd,addr=0x60000000,force-raw=on)
    [ "$topology" != hwdom ] ||
        qemu+=(-device "loader,file=$out/vmlinux,addr=0x58000000,force-raw=on")
    [ "$topology" != hwdom ] && [ -z "${toolstacks:-}" ] ||
        qemu+=(-device "loader,file=$out/base.cpio,addr=0x5c000000,force-raw=on")
}

# device_tree FILE INITRD...: QEMU's, with ours in it. Of its interrupt controller, the domains
# are not to see the part for MSI, which Xen does not support behind its SMMU; but without it
# QEMU has no MSI for the devices, and some insist on that.
device_tree() {
    local to=$1 ours=$testbed/arm64/hwdom.dts memory=${dom0_memory:-768M} n smp=2
    local more=$testbed/arm64/toolstack.dts
    shift
    [ "$topology" = hwdom ] || ours=$testbed/arm64/direct.dts
    for ((n = 0; n < ${#qemu[@]}; n++)); do
        [ "${qemu[n]}" != -smp ] || smp=${qemu[n+1]}
    done
    "${qemu[0]}" -machine "$virt,its=off,dumpdtb=$to.qemu" -cpu cortex-a57 -smp "$smp" \
        -m "$machine_memory" -nodefaults -display none >/dev/null 2>&1 || die "QEMU makes no device tree"
    {
        dtc -q -I dtb -O dts "$to.qemu"
        {
            cat "$ours"
            for ((n = 1; n <= ${toolstacks:-0}; n++)); do sed "s|NUMBER|$n|" "$more"; done
        } | sed -e "s|XEN_OPTIONS|$xen_options|; s|DOM0_OPTIONS|$dom0_options|; s|HWDOM_OPTIONS|$hwdom_options|" \
            -e "s|DOM0_MEMORY|$memory|; s|CONTROL_MEMORY|$((${memory%M} * 1024))|" \
            -e "s|SIZE_KERNEL|$(size_of "$out/vmlinux")|; s|SIZE_DOM0_INITRD|$(size_of "$@")|" \
            -e "s|SIZE_HWDOM_INITRD|$(size_of "$out/base.cpio")|; s|TOOLSTACK_OPTIONS|$toolstack_options|"
    } >"$to.dts"
    dtc -q -I dts -O dtb -o "$to" "$to.dts" || die "no device tree for Xen: $to.dts"
}

# finish_arguments: when all parts of the initramfs are in $machine.
finish_arguments() {
    local n parts=()
    for ((n = 0; n < ${#machine[@]}; n++)); do
        [ "${machine[n]}" != --initrd ] || parts+=("${machine[n+1]}")
    done
    device_tree "$work/dtb" "${parts[@]}"
    machine+=(--semihosting)
}
