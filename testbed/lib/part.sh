# shellcheck shell=bash
# The series up to the end of a part. Sourced by build; uses common.sh, sources.sh, tools.sh and image.sh.
# shellcheck disable=SC2154
#
# out/part-N.cpio   what Dom0 has with testbed/run -P N in place of the whole series' xl and
#                   libraries: those of that part and the parts before it. What later parts
#                   bring in addition, such as the init script, is there but does not work.

build_part() {
    [ "$arch" = x86_64 ] || die "a part of the series: on x86 only"
    find_sources
    local end tree sum
    end=$("$top/scripts/stack" end "$1") || exit
    tree=$(git -C "$trees/tree" rev-parse "$end^{tree}")
    sum=$({ echo "$tree"; cat "$out/image.sum" "$testbed/lib/part.sh"; } | sha1sum)
    [ "$sum" != "$(cat "$out/part-$1.sum" 2>/dev/null)" ] || return 0
    sync_source xen-part "$trees/tree" "$tree"
    # Another part's may have other versions, which would stay.
    find "$build/xen-part/tools/libs" -name 'lib*.so*' -delete
    build_tools xen-part
    step part-image "making an image of xl and its libraries up to part $1" make_part "$out/part-$1.cpio"
    echo "$sum" >"$out/part-$1.sum"
}

make_part() {
    local root=$build/image-part
    rm -rf "$root"
    mkdir -p "$root"/{bin,usr/lib}
    find "$build/xen-part/tools/libs" -name 'lib*.so.*' -exec cp -P -t "$root/usr/lib" {} +
    cp "$build"/xen-part/tools/{xl/xl,flask/utils/flask-label-pci,vchan/vchan-socket-proxy} "$root/bin/"
    strip_all "$root"
    archive "$root" "$1"
    rm -rf "$root"
}
