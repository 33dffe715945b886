# shellcheck shell=bash
# xl and libxl with the sanitizers of gcc. Sourced by build; uses common.sh, tools.sh and image.sh.
# shellcheck disable=SC2154
#
# out/sanitized.cpio   what Dom0 has in scenarios that say "# needs: sanitized": in
#                      /opt/sanitized, xl and what of its libraries is libxl's, for the commands
#                      of the scenario that are to be looked at

build_sanitized() {
    local sum
    sum=$(cat "$build/xen-patched.built" "$testbed"/lib/{sanitized,image}.sh | sha1sum)
    [ "$sum" != "$(cat "$out/sanitized.sum" 2>/dev/null)" ] || return 0
    step sanitized "building xl with sanitizers (about 90 s)" make_sanitized
    echo "$sum" >"$out/sanitized.sum"
}

make_sanitized() {
    local tree=$build/xen-sanitized from=$build/xen-patched root=$build/image-sanitized lib
    rm -rf "$tree" "$root"
    mkdir -p "$tree/xen" "$root"/opt/sanitized/{bin,lib}
    # With the other libraries as they have been built
    cp -a "$from"/{config,Config.mk,tools} "$tree/"
    cp -a "$from/xen/Makefile" "$tree/xen/"
    (cd "$tree/tools" && rm -f libs/{light,util}/*.{o,opic,a,so*} xl/*.o xl/xl)

    # libxl takes the address of a member of what may be NULL (AO_GC), and copies 0 bytes from
    # NULL. gcc's warnings of bounds are wrong where it has put in its own checks.
    local flags="-fsanitize=address,undefined -fno-sanitize=null,nonnull-attribute"
    flags="$flags -fno-sanitize-recover=undefined"
    make_with_flags "$tree/tools/libs/light" "$flags" SHLIB_LDFLAGS="-shared $flags" libxenlight.so
    make_with_flags "$tree/tools/libs/util" "$flags" SHLIB_LDFLAGS="-shared $flags" libxlutil.so
    make_with_flags "$tree/tools/xl" "$flags" \
        LDFLAGS="$flags -Wl,--disable-new-dtags,-rpath,/opt/sanitized/lib" xl

    for lib in light/libxenlight util/libxlutil; do
        cp -P "$tree/tools/libs/$lib".so.* "$root/opt/sanitized/lib/"
    done
    cp "$tree/tools/xl/xl" "$root/opt/sanitized/bin/"
    for lib in "$root"/opt/sanitized/{bin,lib}/*; do
        [ -L "$lib" ] || distribution_libraries "$lib" "$root"
    done
    # What the others have
    (cd "$root" && find lib* -type f) | while IFS= read -r lib; do
        [ ! -e "$build/image/$lib" ] || rm "$root/$lib"
    done
    strip_all "$root"
    archive "$root" "$out/sanitized.cpio"
    rm -rf "$tree" "$root"
}

# make_with_flags DIR FLAGS ARGUMENT...
make_with_flags() {
    local dir=$1 flags=$2
    shift 2
    make "$jobs" -C "$dir" EXTRA_CFLAGS_XEN_TOOLS="$flags -fno-omit-frame-pointer -Wno-error" "$@"
}
