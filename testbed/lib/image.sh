# shellcheck shell=bash
# The kernel and the initramfs. Sourced by build; uses common.sh.
# shellcheck disable=SC2154
#
# out/vmlinux    the distribution's kernel, unpacked (the emulator would take 3 s)
# out/base.cpio  the root file system of Dom0 and the hardware domain: tools, agent, modules
# out/domu.cpio  what Dom0 needs in addition to start others: vmlinux, base.cpio and guest.cpio,
#                the root file system of guests
# out/perl.cpio, out/systemd.cpio   what Dom0 has in scenarios that say "# needs: perl" or
#                "# needs: systemd": this machine's, with what is written for it

modules="xenfs xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xen-pciback xen-pcifront e1000 e1000e dca i2c-algo-bit igb igbvf \
uio uio_pci_generic scsi_common scsi_mod libata libahci ahci"
guest_modules="xenfs xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xen-pcifront e1000 e1000e igbvf uio uio_pci_generic"

# build_helpers PLAIN PATCHED: the testbed's own programs, against the libraries of the
# one or the other tree.
build_helpers() {
    local sum
    sum=$(cat "$build/base-id" "$build/$2.built" "$testbed"/src/* "$testbed/lib/image.sh" | sha1sum)
    [ "$sum" != "$(cat "$build/helpers.sum" 2>/dev/null)" ] || return 0
    mkdir -p "$build/helpers"
    step helpers "compiling the testbed's programs" compile_helpers "$build/$1/tools" "$build/$2/tools" "$build/helpers"
    echo "$sum" >"$build/helpers.sum"
}

# use_libraries TOOLS: sets $flags and $links.
use_libraries() {
    local dir
    flags="-O2 -Wall -Wextra -Wno-unused-parameter -Werror -I$1/include"
    links=
    for dir in "$1"/libs/*/; do
        [ ! -d "${dir}include" ] || flags="$flags -I${dir}include"
        links="$links -L$dir -Wl,-rpath-link,$dir"
    done
}

compile_helpers() {
    local plain=$1 patched=$2 to=$3 flags links
    use_libraries "$plain"
    # The unpatched libraries, whatever LD_LIBRARY_PATH says, and for their own
    # needs too (hence not the newer RUNPATH).
    links="$links -Wl,--disable-new-dtags,-rpath,/opt/plain/lib"
    # shellcheck disable=SC2086
    {
        gcc $flags -o "$to/agent" "$testbed/src/agent.c" $links -lxenvchan -lxenevtchn -lxenstore &&
        gcc $flags -o "$to/remote" "$testbed/src/remote.c" $links -lxenvchan -lxenevtchn -lxenstore &&
        gcc $flags -o "$to/ask" "$testbed/src/ask.c" $links -lxenvchan -lxenstore &&
        gcc $flags -o "$to/vchan-pipe" "$testbed/src/vchan-pipe.c" $links -lxenvchan &&
        case $arch in
            x86_64) gcc $flags -o "$to/lend-ports" "$testbed/src/lend-ports.c" $links -lxenctrl ;;
            arm64) gcc $flags -o "$to/host-port" "$testbed/src/host-port.c" &&
                gcc $flags -o "$to/on-terminal" "$testbed/src/on-terminal.c" -lutil &&
                gcc $flags -o "$to/hold-port" "$testbed/src/hold-port.c" $links -lxenevtchn ;;
        esac &&
        gcc $flags -o "$to/xen-says" "$testbed/src/xen-says.c" $links -lxenctrl &&
        gcc $flags -o "$to/renew" "$testbed/src/renew.c" &&
        gcc $flags -o "$to/greeter" "$testbed/src/greeter.c" &&
        gcc $flags -o "$to/hostile" "$testbed"/src/hostile*.c $links -lxenvchan -lxenevtchn -lxengnttab -lxenstore &&
        gcc $flags -o "$to/edu" "$testbed/src/edu.c"
    } || return
    # The patched ones are in /usr/lib.
    use_libraries "$patched"
    # shellcheck disable=SC2086
    {
        gcc $flags -pthread -o "$to/threads" "$testbed/src/threads.c" $links -lxenlight -lxentoollog &&
        gcc $flags -o "$to/load" "$testbed/src/load.c" $links -lxenlight -lxentoollog &&
        compile_bench "$patched" "$to/bench"
    }
}

# bench uses what libxenlight has inside, so it has its own copy of it.
compile_bench() {
    local light=$1/libs/light lib libraries='' found=''
    for lib in xenguest xenctrl xenstore xenhypfs xenevtchn xengnttab xenvchan xentoollog xentoolcore; do
        libraries="$libraries -l$lib"
    done
    # From Xen 4.21 on
    [ ! -d "$1/libs/manage" ] || libraries="$libraries -lxenmanage"
    [ "$arch" != arm64 ] || libraries="$libraries -lfdt"
    # It was built with those of these that there are, and needs at most them.
    for lib in yajl json-c libnl-3.0 libnl-route-3.0; do
        ! pkg-config --exists "$lib" || found="$found $lib"
    done
    # shellcheck disable=SC2046,SC2086
    gcc $flags -D__XEN_TOOLS__ -Wno-attribute-warning -include "$1/config.h" -isystem "$light" \
        $(pkg-config --cflags $found) -o "$2" "$testbed/src/bench.c" "$light/libxenlight.a" \
        $links $libraries -Wl,--as-needed -luuid -lutil -lrt -pthread $(pkg-config --libs $found)
}

find_kernel() {
    local dir
    case $arch in
        x86_64) dir=$("$top/scripts/guest-kernel") ;;
        arm64) dir=$("$top/scripts/arm64-files" kernel) ;;
    esac || die "no kernel to boot"
    kernel=$(find "$dir/boot" -name 'vmlinuz-*' | sort -V | tail -n 1)
    kernel_modules=$dir/lib/modules/${kernel##*/vmlinuz-}
    [ -d "$kernel_modules" ] || die "no modules for $kernel"
}

# The boot protocol says where in a bzImage the compressed ELF file is. Debian uses zstd from
# trixie on.
extract_vmlinux() {
    local setup offset length start unpack
    if [ "$arch" = arm64 ]; then
        # An Image, which may be compressed as a whole.
        gzip -dc "$1" 2>/dev/null || cat "$1"
        return
    fi
    setup=$(od -An -tu1 -j $((0x1f1)) -N1 "$1")
    offset=$(od -An -tu4 -j $((0x248)) -N4 "$1")
    length=$(od -An -tu4 -j $((0x24c)) -N4 "$1")
    start=$(((setup + 1) * 512 + offset + 1))
    case $(tail -c +"$start" "$1" | od -An -tx1 -N4) in
        ' 28 b5 2f fd') unpack=zstd ;;
        *) unpack=xz ;;
    esac
    # The last 4 bytes are the unpacked size.
    tail -c +"$start" "$1" | head -c $((length - 4)) | $unpack -dc
}

build_image() {
    find_kernel
    local sum
    sum=$({
        cat "$build"/xen-{plain,patched}.built "$build/helpers.sum" "$testbed"/lib/{image.sh,hotplug_limit.py}
        find "$testbed/image" -type f -print0 | sort -z | xargs -0 sha1sum
        sha1sum "$kernel" /usr/lib/systemd/systemd 2>/dev/null
    } | sha1sum)
    [ "$sum" != "$(cat "$out/image.sum" 2>/dev/null)" ] || return 0
    step image "making the image" make_image
    echo "$sum" >"$out/image.sum"
}

make_image() {
    local root=$build/image
    extract_vmlinux "$kernel" >"$out/vmlinux"
    # No domain here has more memory than that, and each of them boots in half the time.
    [ "$arch" != x86_64 ] || "$testbed/lib/hotplug_limit.py" "$out/vmlinux" 16

    rm -rf "$root"
    mkdir -p "$root"/{bin,dev,etc/xen,lib/modules,mnt,opt/plain/bin,opt/plain/lib,proc,root,run,sys,tmp}
    mkdir -p "$root"/var/{lib/xen,lib/xenstored,log/xen/console,run} "$root"/usr/{bin,lib} "$root/run/lock"
    rmdir "$root/var/run" && ln -s ../run "$root/var/run"
    ln -s ../run/lock "$root/var/lock"
    ln -s bin "$root/sbin"
    ln -s ../bin "$root/usr/sbin"
    : >"$root/etc/xen/xl.conf"
    printf '%s\n' root:x:0:0:root:/root:/bin/sh nobody:x:65534:0:nobody:/:/bin/sh >"$root/etc/passwd"
    echo 'root:x:0:' >"$root/etc/group"
    xen_version "$build/xen-plain" >"$root/etc/xen-version"

    add_binaries "$root" "$sysroot/bin/busybox" "$sysroot/usr/bin/strace" "$sysroot/usr/bin/timeout"
    local applet
    for applet in $($run_foreign "$root/bin/busybox" --list); do
        [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
    done

    local dir
    for dir in xenstore xs-clients; do
        dir=$build/xen-plain/tools/$dir
        [ ! -x "$dir/xenstore-ls" ] || add_xenstore_clients "$root" "$dir"
    done
    for dir in xenstore xenstored; do
        dir=$build/xen-plain/tools/$dir
        [ ! -x "$dir/xenstored" ] || add_binaries "$root" "$dir/xenstored"
    done
    add_binaries "$root" "$build"/xen-plain/tools/{console/daemon/xenconsoled,console/client/xenconsole,helpers/xen-init-dom0} \
        "$build"/helpers/{agent,remote,ask,vchan-pipe,xen-says,renew,greeter,edu,threads,load,hostile,bench}
    case $arch in
        x86_64) add_binaries "$root" "$build/helpers/lend-ports" ;;
        # init-dom0less sets up the domains that Xen has built.
        arm64) add_binaries "$root" "$build"/helpers/{host-port,hold-port,on-terminal} "$build/xen-plain/tools/helpers/init-dom0less" ;;
    esac
    # Loaded by glibc itself when a thread is cancelled, so ldd does not name it.
    cp -L "$sysroot/lib/$triplet/libgcc_s.so.1" "$root/lib/$triplet/"

    add_libraries "$build/xen-plain" "$root/opt/plain/lib"
    add_libraries "$build/xen-patched" "$root/usr/lib"
    add_binaries "$root" "$build"/xen-patched/tools/{xl/xl,flask/utils/flask-label-pci,vchan/vchan-socket-proxy}
    if [ -e "$build/xen-patched/tools/hotplug/Linux/init.d/xlpcid.in" ]; then
        install_services "$build/xen-patched" "$root"
        # Enabled, as "update-rc.d xlpcid defaults" does; only the owner gets this far.
        mkdir "$root/etc/rc2.d"
        ln -s ../init.d/xlpcid "$root/etc/rc2.d/S01xlpcid"
    fi
    if [ -e "$build/xen-patched/tools/tests/pcid/test-pcid-host" ]; then
        install_tests "$build/xen-patched" "$root"
        find "$root/usr/lib" -name test-pcid-host -exec mv -t "$root/bin" {} +
    fi
    cp "$build"/xen-plain/tools/{xl/xl,vchan/vchan-socket-proxy} "$root/opt/plain/bin/"
    ln -s remote "$root/bin/owner"
    # Without a device model, libxl complains about it for every guest.
    ln -s /bin/false "$root/usr/bin/qemu-system-x86_64"
    mkdir -p "$root/usr/lib/xen/bin"
    ln -s /bin/xenconsole "$root/usr/lib/xen/bin/xenconsole"
    # Between libxl and the QEMU of a stubdomain
    ln -s /bin/vchan-socket-proxy "$root/usr/bin/"

    local module
    for module in $modules; do
        case " $modules_not " in *" $module "*) continue ;; esac
        find "$kernel_modules" \( -name "$module.ko" -o -name "$module.ko.xz" \) -exec cp -t "$root/lib/modules/" {} +
        # Debian has them compressed from trixie on.
        [ ! -e "$root/lib/modules/$module.ko.xz" ] || xz -d "$root/lib/modules/$module.ko.xz"
        [ -e "$root/lib/modules/$module.ko" ] || { echo "no module $module"; return 1; }
    done
    cp -a "$testbed/image/." "$root/"
    strip_all "$root"
    name_libraries "$root"

    archive "$root" "$out/base.cpio"
    local domu=$build/image-domu
    rm -rf "$domu"
    mkdir -p "$domu/boot"
    ln "$out/vmlinux" "$out/base.cpio" "$domu/boot/"
    make_guest "$root" "$build/image-guest"
    archive "$build/image-guest" "$domu/boot/guest.cpio"
    archive "$domu" "$out/domu.cpio"
    rm -rf "$domu"
    add_perl "$root"
    make_systemd "$build/image-systemd"     # empty for Arm64
    archive "$build/image-systemd" "$out/systemd.cpio"
    rm -rf "$build/image-systemd"
}

# make_guest IMAGE TO: of the image, the agent and what scenarios have guests do: a third of it.
# Each guest is given it anew, and unpacks it.
make_guest() {
    local file name
    rm -rf "$2"
    cp -a "$1" "$2"
    (cd "$2/bin" && rm -f strace bench xl xl-plain xenstored xenconsoled xenconsole load threads test-pcid-host \
        flask-label-pci vchan-socket-proxy xen-init-dom0 xen-says lend-ports)
    rm -rf "$2"/usr/lib/xen "$2/opt/plain/bin"
    for file in "$2"/{usr/lib,opt/plain/lib,"lib/$triplet",lib/modules}/*; do
        name=${file##*/}
        case " libc libgcc_s libxenvchan libxenevtchn libxengnttab libxenstore libxentoolcore libxentoollog libxencall $guest_modules " in
            *" ${name%%.*} "*) ;;
            *) rm -f "$file" ;;
        esac
    done
    name_libraries "$2"
}

# Apart from the rest: it is a third as large, and one scenario needs it. With it, what is
# written in Perl.
add_perl() {
    local root=$build/image-perl module file
    rm -rf "$root"
    mkdir -p "$root"/{bin,usr/bin,etc/perl}
    add_binaries "$root" "$sysroot/usr/bin/perl"
    ln -s /bin/perl "$root/usr/bin/perl"
    for module in strict warnings warnings/register constant; do
        if [ -n "$sysroot" ]; then
            file=$sysroot/usr/lib/$triplet/perl-base/$module.pm
        else
            file=$(perl -e 'require "$ARGV[0].pm"; print $INC{"$ARGV[0].pm"}' "$module") || return
        fi
        mkdir -p "$root/etc/perl/$(dirname "$module")"
        cp "$file" "$root/etc/perl/$module.pm"
    done
    cp "$testbed/src/pcid-client.pl" "$root/bin/"
    chmod +x "$root/bin/pcid-client.pl"
    # What the others have
    (cd "$root" && find lib* -type f) | while IFS= read -r file; do
        [ ! -e "$1/$file" ] || rm "$root/$file"
    done
    strip_all "$root"
    archive "$root" "$out/perl.cpio"
}

# make_systemd ROOT: as much of systemd as starts the unit.  Empty if there is none here.
make_systemd() {
    local tools=$build/xen-patched/tools unit=xlpcid.service units=/usr/lib/systemd/system
    rm -rf "$1"
    mkdir -p "$1"
    [ -z "$sysroot" ] && [ -x /usr/lib/systemd/systemd ] && [ -e "$tools/hotplug/Linux/systemd/$unit.in" ] || return 0
    local file files=(/usr/lib/systemd/systemd /usr/bin/systemctl) name
    # Newer ones have it.
    [ ! -e /usr/lib/systemd/systemd-executor ] || files+=(/usr/lib/systemd/systemd-executor)
    # Where ldd finds the libraries: some are looked for just there.
    for file in "${files[@]}" $(ldd "${files[@]}" | sed -nE 's/.*(=> |^\s)(\/[^ ]*) \(.*/\2/p' | sort -u); do
        mkdir -p "$1$(dirname "$file")"
        cp -L "$file" "$1$file"
    done
    mkdir -p "$1$units" "$1/etc/systemd/system/multi-user.target.wants"
    for name in sysinit basic multi-user shutdown umount local-fs swap sockets timers paths slices; do
        cp -t "$1$units" "$units/$name.target"
    done
    for name in $unit proc-xen.mount; do
        (cd "$tools" && ./config.status -q --file="$1$units/$name:hotplug/Linux/systemd/$name.in")
    done
    ln -s multi-user.target "$1$units/default.target"
    # Enabled
    ln -s "$units/$unit" "$1/etc/systemd/system/multi-user.target.wants/"
    strip_all "$1"
}

# Not compressed: the emulator copies faster than it unpacks.
archive() {
    (cd "$1" && find . -print0 | sort -z | cpio --quiet -o0 -H newc -R 0:0) >"$2"
}

# add_binaries ROOT FILE...: with the distribution's libraries they need, into /bin.
add_binaries() {
    local root=$1 file
    shift
    for file; do
        cp "$file" "$root/bin/"
        distribution_libraries "$file" "$root"
    done
}

# Else each program that starts looks for each library in several directories: every fourth
# system call of xl.
name_libraries() {
    printf '%s\n' "/lib/$triplet" /usr/lib >"$1/etc/ld.so.conf"
    $run_foreign "$sysroot/sbin/ldconfig" -r "$1"
}

add_xenstore_clients() {
    local client
    add_binaries "$1" "$2/xenstore"
    for client in chmod exists list ls read rm watch write; do
        ln -s xenstore "$1/bin/xenstore-$client"
    done
}

# add_libraries TREE TO: the tree's own libraries into the directory TO.
add_libraries() {
    find "$1"/tools/libs -name 'lib*.so.*' -exec cp -P -t "$2" {} +
    local file
    for file in "$2"/lib*.so.*; do
        [ -L "$file" ] || distribution_libraries "$file" "$build/image"
    done
}

# What it needs, except what is in no system directory or comes from Xen.
distribution_libraries() {
    local lib to
    for lib in $(needed_libraries "$1"); do
        case $lib in
            */libxen*|*/libxl*) continue ;;
        esac
        to=$(in_the_image "$lib")
        [ -e "$2$to" ] || { mkdir -p "$2$(dirname "$to")" && cp -L "$lib" "$2$to"; }
    done
}

strip_all() {
    find "$1" -type f \( -name '*.so*' -o -path '*/bin/*' \) ! -name busybox -exec "${cross}strip" -s {} + 2>/dev/null || true
    # Also removes the signatures, which nobody checks but all would hash.
    [ ! -d "$1/lib/modules" ] || find "$1/lib/modules" -name '*.ko' -exec "${cross}strip" -g {} +
}
