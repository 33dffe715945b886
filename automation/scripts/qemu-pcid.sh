#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the Xen of this tree, boots it in QEMU, and runs the scenarios of the
# xl pcid project there: with the PCI devices in Dom0, in Dom0 behind xl pcid,
# and in a hardware domain, without and with FLASK enforcing.
#
# usage: automation/scripts/qemu-pcid.sh [SCENARIO...]
#
# A SCENARIO is a name as in scenarios/10-assignable, or just one topology of
# it, scenarios/10-assignable/hwdom.  Without any, all are run: 20 minutes on
# two processors, of the hour that a job of GitLab may take by default.
#
# Environment variables:
#   PCID_SRC_URI: The project's repository, which has the scenarios
#   PCID_SRC_BRANCH: A branch or tag of it (its default branch)
#
# The log ends with a table of what passed and failed.  What the scenarios
# printed, and the consoles, are in qemu-pcid-logs.

set -e -o pipefail

function die()
{
    echo "FATAL: $*" >&2
    exit 1
}

[ -n "$PCID_SRC_URI" ] || die "PCID_SRC_URI is not set:" \
    "it must say where to clone the repository with the scenarios from"

for tool in busybox checkpolicy cpio git m4 python3 qemu-system-x86_64 strace
do
    command -v $tool >/dev/null ||
        die "there is no $tool here: the container's dockerfile has to have it"
done

XEN_ROOT="$PWD"
[ -f "$XEN_ROOT/xen/Makefile" ] || die "$XEN_ROOT is not a Xen tree"

rm -rf qemu-pcid-logs
WORKDIR="$(mktemp -d)"
trap 'rm -rf "$WORKDIR"' EXIT

git clone -q ${PCID_SRC_BRANCH:+-b "$PCID_SRC_BRANCH"} "$PCID_SRC_URI" \
    "$WORKDIR/pcid" ||
    die "cannot clone ${PCID_SRC_BRANCH:-the default branch} of $PCID_SRC_URI"
git -C "$WORKDIR/pcid" log -1 --format="Scenarios of xl pcid: %h %s"

# A copy of what is committed: the job's logs are in the checkout, which may
# belong to another user.
XEN_PATCHED="$(XEN_TREE="$XEN_ROOT" "$WORKDIR/pcid/scripts/xen-source")"
# There is no tree without xl pcid to compare with.
XEN_PLAIN="$XEN_PATCHED"
export XEN_PATCHED XEN_PLAIN

[ $# -gt 0 ] || set -- scenarios
result=0
"$WORKDIR/pcid/scripts/check" "$@" || result=$?

[ ! -d "$WORKDIR/pcid/.build/log" ] ||
    cp -r "$WORKDIR/pcid/.build/log" qemu-pcid-logs
exit $result
