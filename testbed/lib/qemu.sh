# shellcheck shell=bash
# The emulated machine. Sourced by run and shell; uses common.sh.
# shellcheck disable=SC2154

# The first serial port is Xen's console, the second Dom0's ttyS1. Without an IOMMU, Xen cannot
# assign devices.
qemu_arguments() {
    # shellcheck disable=SC2054
    # No XSAVE in this CPU: with it, and two busy domains, emulated processes crash
    # at random.
    qemu=(qemu-system-x86_64
        -machine q35 -accel tcg -cpu qemu64 -m "$machine_memory"
        -nodefaults -display none -no-reboot
        -device intel-iommu,intremap=off
        -device isa-debug-exit,iobase=0xf4,iosize=4
    )
    add_devices
}

# What each machine has; addresses as in image/lib/devices.sh.
add_devices() {
    # shellcheck disable=SC2054
    qemu+=(
        -netdev user,id=n0 -device e1000,netdev=n0,addr=3,romfile=
        -netdev user,id=n1 -device e1000,netdev=n1,addr=4,romfile=
        -device edu,addr=5
        -netdev user,id=n2 -device virtio-net-pci,netdev=n2,addr=6.0,multifunction=on,romfile=
        -netdev user,id=n3 -device virtio-net-pci,netdev=n3,addr=6.1,romfile=
        -device pci-testdev,addr=7
    )
}

# add_testdevs COUNT: more of the last, at most 22.
add_testdevs() {
    local slot
    for ((slot = 9; slot < 9 + $1; slot++)); do
        qemu+=(-device "pci-testdev,addr=$(printf '%x' "$slot")")
    done
}

# The one device that QEMU cannot have in a snapshot: in a machine that has it, which then
# always boots.
add_nvme() {
    # shellcheck disable=SC2054
    qemu+=(-drive if=none,id=d0,driver=null-co,size=1M -device nvme,drive=d0,serial=0,addr=8)
    snapshots=
}

# A network card with MSI-X behind a root port, and one without behind a conventional bridge.
add_bridges() {
    # shellcheck disable=SC2054
    qemu+=(
        -device pcie-root-port,id=root1,addr=9,chassis=1,slot=1
        -netdev user,id=n4 -device e1000e,netdev=n4,bus=root1,romfile=
        -device pci-bridge,id=bridge1,addr=a,chassis_nr=2
        -netdev user,id=n5 -device e1000,netdev=n5,bus=bridge1,addr=1,romfile=
    )
}

# add_igb EMULATOR: a network card with SR-IOV, whose seven functions come and go. Not in each
# QEMU; and few scenarios have it, so there is no snapshot. After a rescan, Linux would give the
# functions addresses above 4 GB; QEMU 10.0 has them at the lower 32 bits of such addresses only,
# where they do not answer ("PF still in reset state", says igbvf). So there are none.
add_igb() {
    # shellcheck disable=SC2054
    qemu=("$1" "${qemu[@]:1}" -device pcie-root-port,id=root1,addr=9,chassis=1,slot=1
        -netdev user,id=n4 -device igb,netdev=n4,bus=root1,romfile=
        -global q35-pcihost.pci-hole64-size=0)
    snapshots=
}

# A machine that can have HVM guests: with AMD's virtualisation, and room for device models.
# Xen cannot let the emulated IOMMU use the page tables of such guests. The more often a timer
# interrupts them, the sooner one meets what QEMU's emulation of interrupts in them does wrong,
# and hangs: an instruction takes 4 ns here.
add_hvm() {
    local n
    for ((n = 0; n < ${#qemu[@]}; n++)); do
        [ "${qemu[n]}" != -cpu ] || qemu[n+1]=qemu64,+svm,+npt
        [ "${qemu[n]}" != -m ] || qemu[n+1]=4096
        [ "${qemu[n]}" != -icount ] || qemu[n+1]=${qemu[n+1]/shift=4/shift=2}
    done
    xen_options="$xen_options iommu=no-sharept"
}

# The emulated machine's time is that of the instructions that it has executed, 16 ns each,
# and while all its processors wait it goes straight to the next timer. So a real machine
# that is busy, or stands still for a while, makes it no slower against its own time limits:
# those of Linux's pcifront (2 s for each access to the configuration space), of libxl, or of
# a scenario. And it need not wait. Not for what people, or figures, are to be at. One
# processor of the real machine executes all: a second emulated one costs a tenth of the time, and
# with two, too, only one domain runs at a time.
in_own_time() { qemu+=(-smp 1 -icount 'shift=4,sleep=off'); }
# In real time, a processor for each domain that may be busy: what Xen's scheduler lets wait
# is slow.
in_real_time() { qemu+=(-smp 3); }

machine_memory=2048
# With lower log levels, nothing of Dom0's console is seen once domain 1 exists. Xen's
# default scheduler, credit2, at times leaves a domain waiting for minutes with both
# processors idle, if the machine that emulates them is busy; credit has a tick. What guards
# against speculation, here and in kernel-options, guards against nothing in an emulator.
xen_options="bootscrub=0 spec-ctrl=no console=com1 com1=115200,8n1 dom0_mem=512M,max:512M dom0_max_vcpus=1 \
sched=credit flask=permissive loglvl=all guest_loglvl=all"

# choose_topology TOPOLOGY[+VARIANT]: sets $topology and $variant. A variant changes how
# a topology is booted: hwdom+flask, with FLASK enforcing.
choose_topology() {
    topology=${1%%+*} variant=
    [ "$topology" = "$1" ] || variant=${1#*+}
    case $topology in
        direct | loopback | hwdom) ;;
        *) die "no topology '$topology': direct, loopback or hwdom" ;;
    esac
    choose_variant
    [ -e "$out/base.cpio" ] || die "nothing to boot: run testbed/build first"
}

choose_variant() {
    case $topology+$variant in
        *+ | hwdom+flask) ;;
        *) die "no variant '$variant' of '$topology': there is hwdom+flask" ;;
    esac
}

# boot_arguments; the initramfs is "initrd" in the emulator's directory. $policy, if set, is
# another FLASK policy than the built one, $hypervisor another hypervisor, $dom0_memory another
# size; $daemon=no: without xl pcid; $hardware_dom: the number of a hardware domain that is left to
# the scenario.
boot_arguments() {
    local kernel
    kernel=$(cat "$testbed/image/lib/kernel-options")
    # For each domain: programs always at the same addresses, because QEMU translates the code of a
    # page again for each address where it is run (a quarter of the time); rodata=off because the
    # kernel would check all its page tables, and no tests of its cryptography and no
    # certificates, which take it seconds; nothing that hardens it at a cost, and no security
    # modules; sysrq for last_words.py. In Debian's kernel from trixie on, virtio-pci is built
    # in, and would take its devices: hwdom_start, too.
    local dom0="$kernel initcall_blacklist=virtio_pci_driver_init ROLE=dom0 TOPOLOGY=$topology VARIANT=$variant${daemon:+ DAEMON=$daemon}"
    local xen=${xen_options//512M/${dom0_memory:-512M}} modules=''
    case $topology in
        hwdom)
            xen="$xen hardware_dom=${hardware_dom:-1}"
            dom0="$dom0 pci=off${hardware_dom:+ HARDWARE_DOM=$hardware_dom}" ;;
    esac
    if [ "$variant" = flask ]; then
        # All denials stay in the log, until the scenario's end.
        xen="${xen/flask=permissive/flask=enforcing} conring_size=2M"
        modules=,${policy:-$out/xenpolicy}
    fi
    qemu+=(-kernel "${hypervisor:-$out/xen}" -append "$xen" -initrd "$out/vmlinux $dom0,initrd$modules")
}

# A directory for this run; those of runs that were killed are removed.
work_directory() {
    local dir
    for dir in "$build"/run.*; do
        [ ! -d "$dir" ] || kill -0 "${dir##*.}" 2>/dev/null || rm -rf "$dir"
    done
    mkdir "$build/run.$$"
    echo "$build/run.$$"
}

# machine_arguments: sets $machine to lib/machine.py with what it needs for each run: the
# directory $work of this run, in which job/ has what goes to /scenario, and $console. Without
# $snapshots, the machine boots.
machine_arguments() {
    machine=("$testbed/lib/machine.py" --work "$work" --job "$work/job" --console "$console"
        --name "$topology${variant:++$variant}" --initrd "$out/base.cpio" --initrd "$out/domu.cpio")
    [ -z "$snapshots" ] || machine+=(--snapshots "$snapshots")
}

# finish_arguments: when all other arguments are there.
finish_arguments() { :; }

# shellcheck source=arm64.sh
[ "$arch" = x86_64 ] || . "$testbed/lib/$arch.sh"
