# shellcheck shell=bash
# Shared by build, run and shell: where things are, and how to say things.
# Sourced; sets names that its users read.
# shellcheck disable=SC2034

testbed=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
top=$(dirname "$testbed")
trees=$(realpath -m "${TESTBED_BUILD:-$top/.build}")
arch=${ARCH:-x86_64}      # of the emulated machine
case $arch in
    x86_64) build=$trees ;;
    arm64) build=$trees/testbed-arm64 ;;
    *) echo "testbed: ARCH=$arch: there are x86_64 and arm64" >&2; exit 2 ;;
esac
logs=$build/log
out=$build/boot           # what the emulator is given: xen, vmlinux, *.cpio
snapshots=$build/snapshots

say() { printf 'testbed: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# step NAME TEXT COMMAND...: run a long command quietly, its output in
# log/NAME.log; say how long it took, and on failure show the end of the log.
step() {
    local name=$1 text=$2 begin=$SECONDS rc
    shift 2
    say "$text ..."
    # As a condition it would not end at the first command that fails.
    set +e
    (set -e; "$@") >"$logs/$name.log" 2>&1
    rc=$?
    set -e
    if [ $rc -eq 0 ]; then
        say "$text: $((SECONDS - begin)) s"
    else
        tail -n 30 "$logs/$name.log" >&2
        die "$text: failed with $rc, the whole log is $logs/$name.log"
    fi
}
