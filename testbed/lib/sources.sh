# shellcheck shell=bash
# The Xen sources: which trees, and copies of them to build in.
# Sourced by build; uses common.sh.
# shellcheck disable=SC2154

find_sources() {
    plain=${XEN_PLAIN:-}
    [ -n "$plain" ] || plain=$("$top/scripts/xen-source") || die "no Xen source"
    patched=${XEN_PATCHED:-$trees/tree}
    if [ ! -d "$patched" ]; then
        [ -z "${XEN_PATCHED:-}" ] || die "XEN_PATCHED=$patched: no such directory"
        die "there is no patched tree yet, $patched: make tree"
    fi
    local dir
    for dir in "$plain" "$patched"; do
        git -C "$dir" rev-parse --git-dir >/dev/null 2>&1 || die "$dir is not a git tree"
    done

    # Tools of another version do not work with this one's hypervisor.
    [ "$(xen_version "$plain")" = "$(xen_version "$patched")" ] ||
        die "the base $plain is Xen $(xen_version "$plain"), the patched tree $patched is Xen $(xen_version "$patched")"

    case $arch:$(xen_version "$plain") in
        arm64:4.[0-9] | arm64:4.1[0-9] | arm64:4.20)
            say "ARCH=arm64 takes Xen 4.21 or later: Xen $(xen_version "$plain") does not tell domains apart by their capabilities"
            die "do: git clone https://xenbits.xen.org/git-http/xen.git; make ... ARCH=arm64 XEN_TREE=path/to/xen" ;;
    esac

    # Products of another base would be mixed with this one's: start afresh.
    base_id=$(git -C "$plain" rev-parse 'HEAD^{tree}')
    if [ "$base_id" != "$(cat "$build/base-id" 2>/dev/null)" ]; then
        rm -rf "$build"/xen-plain* "$build"/xen-patched* "$build"/xen-part*
        echo "$base_id" >"$build/base-id"
    fi
}

# xen_version DIR: as in 4.20
xen_version() {
    sed -n 's/^export XEN_VERSION *= *//p; s/^export XEN_SUBVERSION *= *//p' \
        "$1/xen/Makefile" | paste -sd.
}

# tree_on_disk DIR INDEX: the git tree object of DIR as it is on disk, edits and new
# files included. It is made with INDEX, a file of ours; DIR's own index is not touched.
tree_on_disk() {
    [ -e "$2" ] || cp "$(git -C "$1" rev-parse --absolute-git-dir)/index" "$2"
    # What is committed counts even where Xen's .gitignore has it, as *.d does init.d.
    GIT_INDEX_FILE=$2 git -C "$1" read-tree --reset HEAD
    GIT_INDEX_FILE=$2 git -C "$1" add -A
    GIT_INDEX_FILE=$2 git -C "$1" write-tree
}

# sync_source NAME DIR TREE: make .build/NAME the same as TREE, a git tree object of
# DIR's repository, touching only files that differ, so that make stays incremental.
sync_source() {
    local name=$1 dir=$2 id=$3
    mkdir -p "$build/$name"
    GIT_DIR=$(git -C "$dir" rev-parse --absolute-git-dir) \
    GIT_INDEX_FILE=$build/$name.index GIT_WORK_TREE=$build/$name \
        git -C "$build/$name" read-tree --reset -u "$id"
    echo "$id" >"$build/$name.tree"
}
