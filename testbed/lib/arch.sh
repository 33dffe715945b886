# shellcheck shell=bash
# What differs with the architecture of the emulated machine, when it is built. Sourced
# by build; uses common.sh.
# shellcheck disable=SC2034,SC2154

# sysroot       where its libraries and programs are; empty: this machine's
# cross         what the names of the compiler and its tools begin with
# run_foreign   what runs one of its programs
# triplet       the directory of its libraries
# modules_not   of those in image.sh, the modules that its kernel does not have
case $arch in
    x86_64)
        sysroot='' cross='' run_foreign='' triplet=x86_64-linux-gnu modules_not='' configure_for=() ;;
    arm64)
        sysroot=$("$top/scripts/arm64-files" sysroot) || die "nothing to build for Arm64 with"
        cross=aarch64-linux-gnu- run_foreign=qemu-aarch64 triplet=aarch64-linux-gnu
        # Linux has the front end, and direct cache access, for x86 only.
        modules_not='xen-pcifront dca'
        PATH=$sysroot/cross:$PATH
        PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$triplet/pkgconfig:$sysroot/usr/share/pkgconfig
        PKG_CONFIG_SYSROOT_DIR=$sysroot
        XEN_TARGET_ARCH=arm64 CROSS_COMPILE=$cross
        export PATH PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR XEN_TARGET_ARCH CROSS_COMPILE
        configure_for=(--host=aarch64-linux-gnu --build=x86_64-linux-gnu)
        gcc() { "${cross}gcc" "$@"; } ;;
esac

# needed_libraries FILE: the paths of the libraries that it needs, and of its loader.
needed_libraries() {
    if [ -z "$sysroot" ]; then
        ldd "$1" | sed -nE 's/.*=> (\/[^ ]*) .*/\1/p; s/^\s*(\/[^ ]*) .*/\1/p'
        return
    fi
    # ldd would have to run it.
    local -A seen=()
    local todo=("$1") file name
    while [ ${#todo[@]} -gt 0 ]; do
        file=${todo[0]}
        todo=("${todo[@]:1}")
        for name in $("${cross}readelf" -dl "$file" 2>/dev/null |
                sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p; s/.*interpreter: .*\/([^]]*)\]/\1/p'); do
            [ -z "${seen[$name]:-}" ] || continue
            seen[$name]=yes
            for file in "$sysroot"/{usr/,}lib/{"$triplet"/,}"$name"; do
                [ -e "$file" ] || continue
                echo "$file"
                todo+=("$file")
                break
            done
        done
    done
}

# in_the_image FILE: where a program looks for this library.
in_the_image() {
    case $1 in
        */ld-linux-aarch64.so.*) echo "/lib/${1##*/}" ;;
        "${sysroot:-none}"/*) echo "/lib/$triplet/${1##*/}" ;;
        *)
            local lib=/lib/${1#*/lib}
            echo "${lib/#\/lib\/64/\/lib64}" ;;
    esac
}

# build_safely COMMAND...: as root, the build of a hypervisor for Arm64 has been seen to
# replace /dev/null by a file. So it gets one that cannot be replaced: a mount.
build_safely() {
    if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
        # shellcheck disable=SC2016
        set -- unshare -m sh -c 'mount --bind /dev/null /dev/null && exec "$@"' sh "$@"
    fi
    "$@" || return
    [ -c /dev/null ] || {
        echo "/dev/null is a device no longer. As root: rm /dev/null; mknod -m 666 /dev/null c 1 3"
        return 1
    }
}
